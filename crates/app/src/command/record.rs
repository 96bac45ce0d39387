//! `oddsmith record`: writes down what a venue sends.

use std::time::Duration;

use oddsmith_exchange::server::Running;
use oddsmith_recorder::{CoverageSettings, Layout, Limits};

use super::run::{log_to_stderr, print, venue};
use crate::cli::RecordArguments;
use crate::config;
use crate::data::DataDir;
use crate::failure::Failure;
use crate::record::{self, RecordPlan};

/// The shortest period of rotation.
const SHORTEST: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3_600);

/// Carries the command out.
pub fn run(data: &DataDir, arguments: &RecordArguments) -> Result<(), Failure> {
    let config = config::load(arguments.config.as_deref(), &arguments.set)?;
    if arguments.rotate < SHORTEST || (arguments.rotate > HOUR && !arguments.rotate.as_secs().is_multiple_of(3_600)) {
        return Err(Failure::Usage("--rotate is 5 seconds to an hour, or whole hours".to_owned()));
    }
    log_to_stderr();
    let patterns = if arguments.markets.is_empty() { config.patterns() } else { arguments.markets.clone() };
    // The exchange, if it is ours, must outlive the recording.
    let (exchange, edge) = venue(&config)?;
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let end = record::run(RecordPlan {
        sources: config.feeds.sources(&config.engine, exchange.as_ref().map(Running::addr)),
        books_every: arguments.books_every,
        edge: config.venue.tune(edge, (patterns, Vec::new())),
        markets_per_socket: usize::from(arguments.markets_per_socket),
        layout: Layout {
            root: arguments.out.clone().unwrap_or_else(|| data.recordings_dir()),
            rotate_ns: ns(arguments.rotate),
        },
        coverage: CoverageSettings {
            unit_ns: ns(arguments.rotate.min(HOUR)),
            check_ns: ns(arguments.check_every),
            hash_one_in: arguments.hash_one_in,
        },
        limits: Limits {
            part_bytes: arguments.part_mib << 20,
            total_bytes: arguments.limit_mib << 20,
            keep_free_bytes: arguments.keep_free_mib << 20,
        },
        record_for: arguments.record_for,
        status_every: Duration::from_secs(arguments.status),
    })?;
    drop(exchange);
    print(&record::summary(&end))?;
    match end.fault {
        None => Ok(()),
        Some(why) => Err(Failure::Running(format!("{why}; what was written before is whole"))),
    }
}
