//! Whether it lives, what time it is, which version it speaks.

use std::time::{SystemTime, UNIX_EPOCH};

use super::CLOB;
use crate::report::{Report, same};
use crate::venue::Venue;

pub async fn run(venue: &Venue, report: &mut Report) {
    report.check("service: ok", CLOB, async { same("the answer", venue.reader()?.ok().await?.as_str(), "OK") }).await;
    report
        .check("service: time within two seconds", CLOB, async {
            let theirs = venue.reader()?.server_time().await?;
            let ours = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() as i64;
            anyhow::ensure!((theirs - ours).abs() <= 2, "{theirs} and {ours}");
            Ok(())
        })
        .await;
    report.check("service: version 2", CLOB, async { same("the version", venue.reader()?.version().await?, 2) }).await;
}
