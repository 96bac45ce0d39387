//! `oddsmith journal pack` and `prune`: what becomes of runs that are over.

use std::collections::BTreeSet;
use std::io::{Write, stdout};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oddsmith_domain::RunId;
use oddsmith_journal::{PackError, is_alive, pack};

use crate::data::{DataDir, Run};
use crate::failure::Failure;
use crate::history::{self, Whose};

/// Packs a run's journal.
pub fn pack_run(run: &Run) -> Result<(), Failure> {
    let packed = pack(&run.dir).map_err(|error| match error {
        PackError::Alive(_) => Failure::Answer(error.to_string()),
        PackError::Io { .. } => Failure::Running(error.to_string()),
    })?;
    let (before, after) = (packed.bytes.0 >> 10, packed.bytes.1 >> 10);
    let line = format!("{}  {} segments packed, {before} KiB became {after} KiB\n", run.name(), packed.segments);
    stdout().write_all(line.as_bytes()).map_err(|error| Failure::output(&error))
}

/// Which runs go.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Those that began longer ago than this.
    pub older_than: Option<Duration>,
    /// Of all runs together, no more bytes than this stay; the oldest go first.
    pub keep_bytes: Option<u64>,
    /// Only say what would go.
    pub dry_run: bool,
}

/// Deletes runs, never one that is alive or that a later run of its account goes on after.
pub fn prune(data: &DataDir, retention: Retention) -> Result<(), Failure> {
    if retention.older_than.is_none() && retention.keep_bytes.is_none() {
        return Err(Failure::Usage("say what goes: --older-than TIME, --keep-mib MIB, or both".to_owned()));
    }
    let runs = data.runs()?;
    let needed = needed(data, &runs)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut total: u64 = runs.iter().map(|run| size(&run.dir)).sum();
    let mut out = stdout().lock();
    for run in &runs {
        let began = Duration::from_nanos(run.manifest.as_ref().map_or(u64::MAX, |manifest| manifest.started_wall_ns));
        let old = retention.older_than.is_some_and(|limit| now.saturating_sub(began) > limit);
        let bytes = size(&run.dir);
        if !old && retention.keep_bytes.is_none_or(|keep| total <= keep) {
            continue;
        }
        let why = match &run.manifest {
            None => Some("stays: its manifest cannot be read"),
            Some(manifest) if needed.contains(&manifest.run_id) => {
                Some("stays: the next run of its account goes on after it")
            }
            Some(_) if is_alive(&run.dir).unwrap_or(true) => Some("stays: it is alive"),
            Some(_) => None,
        };
        let did = match why {
            Some(why) => why,
            None if retention.dry_run => "would go",
            None => {
                std::fs::remove_dir_all(&run.dir)
                    .map_err(|error| Failure::Running(format!("cannot delete {}: {error}", run.dir.display())))?;
                "is gone"
            }
        };
        total = if why.is_none() { total.saturating_sub(bytes) } else { total };
        writeln!(out, "{}  {} KiB  {did}", run.name(), bytes >> 10).map_err(|error| Failure::output(&error))?;
    }
    Ok(())
}

/// The runs that the next run of some account would go on after. Where that cannot be told, all runs of the account are needed.
fn needed(data: &DataDir, runs: &[Run]) -> Result<BTreeSet<RunId>, Failure> {
    let mut needed = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for manifest in runs.iter().filter_map(|run| run.manifest.as_ref()) {
        let (Some(account), Some(venue)) = (manifest.account, manifest.venue.as_deref()) else { continue };
        if !seen.insert((account.to_string(), venue.to_owned())) {
            continue;
        }
        let of_account = runs.iter().filter_map(|run| run.manifest.as_ref());
        let of_account =
            of_account.filter(|other| other.account == Some(account) && other.venue.as_deref() == Some(venue));
        match history::find(data, Whose { account, venue }) {
            Ok(history) => {
                let from = history.map(|history| history.run);
                let began = runs.iter().filter_map(|run| run.manifest.as_ref()).find(|m| Some(m.run_id) == from);
                let began = began.map_or(u64::MAX, |manifest| manifest.started_wall_ns);
                needed.extend(of_account.filter(|other| other.started_wall_ns >= began).map(|other| other.run_id));
            }
            Err(_) => needed.extend(of_account.map(|other| other.run_id)),
        }
    }
    Ok(needed)
}

/// Bytes of a folder on the disk.
fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}
