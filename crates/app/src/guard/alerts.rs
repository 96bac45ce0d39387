//! What a guardian has done, written beside the journal: it cannot write into it, the engine is its only writer.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// The file's name in the run's directory; a line of JSON for each alert.
const FILE: &str = "alerts.jsonl";

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    who: &'a str,
    what: &'a str,
}

/// Appends an alert and flushes it to the disk. Trouble with the file is said on standard error: it must keep nobody from acting.
pub fn alert(dir: &Path, who: &str, what: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = crate::time::utc(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
    let write = || -> std::io::Result<()> {
        let mut line = serde_json::to_vec(&Line { at: at.clone(), who, what })?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(dir.join(FILE))?;
        file.write_all(&line)?;
        file.sync_data()
    };
    if let Err(error) = write() {
        tracing::error!(%error, who, what, "an alert could not be written down");
    }
}
