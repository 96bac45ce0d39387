//! Which runs are deleted, and how: the same for a person's word and for a setting.
//!
//! What is alive, what was not closed, and what the next run of an account goes on after is never deleted. A run is moved out of sight at
//! once and then deleted: whoever dies in between leaves no half of a run behind.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oddsmith_domain::RunId;
use oddsmith_journal::{is_alive, is_closed};

use crate::data::{DataDir, Manifest, Run};
use crate::failure::Failure;
use crate::history::{self, Whose};

/// Which runs go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retention {
    /// Those that began longer ago than this.
    pub older_than: Option<Duration>,
    /// Of all runs together, no more bytes than this stay; the oldest go first.
    pub keep_bytes: Option<u64>,
    /// Runs that were not closed go, too, when nobody goes on after them.
    pub unfinished: bool,
}

/// A run that is to go, as far as age and size are concerned.
pub struct Due {
    /// The run.
    pub run: Run,
    /// Its bytes on the disk.
    pub bytes: u64,
    /// Why it stays all the same.
    pub stays: Option<&'static str>,
}

/// The runs that are due, oldest first.
///
/// # Errors
/// [`Failure`] when the runs cannot be listed.
pub fn due(data: &DataDir, retention: Retention) -> Result<Vec<Due>, Failure> {
    let runs = data.runs()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut total: u64 = runs.iter().map(|run| size(&run.dir)).sum();
    let mut needed = None;
    let mut all = Vec::new();
    for run in &runs {
        let began = Duration::from_nanos(run.manifest.as_ref().map_or(u64::MAX, |manifest| manifest.started_wall_ns));
        let old = retention.older_than.is_some_and(|limit| now.saturating_sub(began) > limit);
        let bytes = size(&run.dir);
        if !old && retention.keep_bytes.is_none_or(|keep| total <= keep) {
            continue;
        }
        // Journals are read for this, so not before a run is due at all.
        let needed = needed.get_or_insert_with(|| needed_runs(data, &runs));
        let stays = run.manifest.as_ref().map_or(Some("stays: its manifest cannot be read"), |manifest| {
            why_it_stays(run, manifest, needed, retention.unfinished)
        });
        total = if stays.is_none() { total.saturating_sub(bytes) } else { total };
        all.push(Due { run: run.clone(), bytes, stays });
    }
    Ok(all)
}

fn why_it_stays(run: &Run, manifest: &Manifest, needed: &Needed, unfinished: bool) -> Option<&'static str> {
    let id = manifest.run_id;
    if needed.by_accounts.contains(&id) {
        Some("stays: the next run of its account goes on after it")
    } else if is_alive(&run.dir).unwrap_or(true) {
        Some("stays: it is alive")
    } else if !unfinished && !needed.gone_on_after.contains(&id) && !is_closed(&run.dir).unwrap_or(false) {
        Some("stays: it was not closed (--unfinished deletes such runs, too)")
    } else {
        None
    }
}

/// Deletes a run.
///
/// # Errors
/// What the system said.
pub fn delete(data: &DataDir, run: &Run) -> io::Result<()> {
    let pruned = data.pruned_dir();
    fs::create_dir_all(&pruned)?;
    let aside = pruned.join(run.name());
    fs::rename(&run.dir, &aside)?;
    fs::remove_dir_all(aside)
}

/// Deletes what somebody who died has moved out of sight and not deleted.
///
/// # Errors
/// What the system said.
pub fn sweep(data: &DataDir) -> io::Result<()> {
    match fs::remove_dir_all(data.pruned_dir()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs that are not free to go.
struct Needed {
    /// The next run of some account would go on after these.
    by_accounts: BTreeSet<RunId>,
    /// A later run went on after these: what they left behind is in its journal.
    gone_on_after: BTreeSet<RunId>,
}

/// Where it cannot be told which run an account's next run would go on after, all runs of the account are needed.
fn needed_runs(data: &DataDir, runs: &[Run]) -> Needed {
    let manifests = || runs.iter().filter_map(|run| run.manifest.as_ref());
    let (mut by_accounts, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for manifest in manifests() {
        let (Some(account), Some(venue)) = (manifest.account, manifest.venue.as_deref()) else { continue };
        if !seen.insert((account.to_string(), venue.to_owned())) {
            continue;
        }
        let of_account =
            manifests().filter(|other| other.account == Some(account) && other.venue.as_deref() == Some(venue));
        match history::find(data, Whose { account, venue }) {
            Ok(history) => {
                let from = history.map(|history| history.run);
                let began = manifests().find(|manifest| Some(manifest.run_id) == from);
                let began = began.map_or(u64::MAX, |manifest| manifest.started_wall_ns);
                by_accounts.extend(of_account.filter(|other| other.started_wall_ns >= began).map(|other| other.run_id));
            }
            Err(_) => by_accounts.extend(of_account.map(|other| other.run_id)),
        }
    }
    Needed { by_accounts, gone_on_after: manifests().filter_map(|manifest| manifest.predecessor).collect() }
}

/// Bytes of a folder on the disk.
pub fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}
