//! Packing and deleting of journals that are over, while a run works.
//!
//! On a thread of its own, at the lowest priority. It can be ended at any moment: what it does is whole or has not happened.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use oddsmith_journal::{PackError, is_alive, is_closed, pack};

use crate::config::Journal;
use crate::data::DataDir;
use crate::retention::{self, Retention};

/// Works until it is dropped.
pub struct Housekeeper {
    _alive: Option<Sender<()>>,
}

impl Housekeeper {
    /// Starts the thread, if there is anything that it may do.
    pub fn start(data: DataDir, settings: &Journal) -> Housekeeper {
        let retention = Retention {
            older_than: (settings.keep_days > 0).then(|| Duration::from_secs(settings.keep_days * 86_400)),
            keep_bytes: (settings.keep_mib > 0).then_some(settings.keep_mib << 20),
            unfinished: false,
        };
        let deletes = retention.older_than.is_some() || retention.keep_bytes.is_some();
        if !settings.pack && !deletes {
            return Housekeeper { _alive: None };
        }
        let (alive, ended) = channel::<()>();
        let (packs, every) = (settings.pack, Duration::from_secs(settings.tidy_s));
        let work = move || {
            // Where the system does not allow it, it is done at the usual priority.
            let _ = rustix::process::nice(19);
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if packs {
                    pack_all(&data);
                }
                if deletes {
                    delete(&data, retention);
                }
            }
        };
        match std::thread::Builder::new().name("housekeeping".to_owned()).spawn(work) {
            Ok(_) => Housekeeper { _alive: Some(alive) },
            Err(error) => {
                tracing::warn!(%error, "no thread to pack and delete journals");
                Housekeeper { _alive: None }
            }
        }
    }
}

/// Packs every run that its own process has closed.
fn pack_all(data: &DataDir) {
    let Ok(runs) = data.runs() else { return };
    for run in runs {
        let idle = has_plain(&run.dir) && !is_alive(&run.dir).unwrap_or(true);
        if !idle || !is_closed(&run.dir).unwrap_or(false) {
            continue;
        }
        match pack(&run.dir) {
            Ok(packed) => tracing::info!(run = run.name(), segments = packed.segments, "packed"),
            Err(PackError::Alive(_)) => {}
            Err(error) => tracing::warn!(%error, "a journal stays as it is"),
        }
    }
}

fn has_plain(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "segment"))
}

fn delete(data: &DataDir, retention: Retention) {
    let swept = retention::sweep(data).map_err(|error| error.to_string());
    let due = swept.and_then(|()| retention::due(data, retention).map_err(|error| error.to_string()));
    let due = match due {
        Ok(due) => due,
        Err(error) => return tracing::warn!(error, "nothing is deleted"),
    };
    for due in due.iter().filter(|due| due.stays.is_none()) {
        match retention::delete(data, &due.run) {
            Ok(()) => tracing::info!(run = due.run.name(), bytes = due.bytes, "deleted"),
            Err(error) => tracing::warn!(run = due.run.name(), %error, "a run cannot be deleted"),
        }
    }
}
