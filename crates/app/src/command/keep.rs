//! `oddsmith journal pack` and `prune`: what becomes of runs that are over.

use std::io::{Write, stdout};

use oddsmith_journal::{PackError, pack};

use crate::data::{DataDir, Run};
use crate::failure::Failure;
use crate::retention::{self, Due, Retention};

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

/// Deletes runs, or only says which.
pub fn prune(data: &DataDir, retention: Retention, dry_run: bool) -> Result<(), Failure> {
    if retention.older_than.is_none() && retention.keep_bytes.is_none() {
        return Err(Failure::Usage("say what goes: --older-than TIME, --keep-mib MIB, or both".to_owned()));
    }
    if !dry_run {
        retention::sweep(data)
            .map_err(|error| Failure::Running(format!("cannot delete {}: {error}", data.pruned_dir().display())))?;
    }
    let mut out = stdout().lock();
    for Due { run, bytes, stays } in retention::due(data, retention)? {
        let did = match stays {
            Some(why) => why,
            None if dry_run => "would go",
            None => {
                retention::delete(data, &run)
                    .map_err(|error| Failure::Running(format!("cannot delete {}: {error}", run.dir.display())))?;
                "is gone"
            }
        };
        writeln!(out, "{}  {} KiB  {did}", run.name(), bytes >> 10).map_err(|error| Failure::output(&error))?;
    }
    Ok(())
}
