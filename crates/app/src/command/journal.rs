//! `oddsmith journal`: lists, prints and checks journals.

use std::io::{BufWriter, Write, stdout};

use oddsmith_journal::{Ending, ExportError, Reader, envelope, export, verify};

use crate::cli::{Arguments, JournalAction};
use crate::command::keep::{self, Retention};
use crate::data::{DataDir, Run};
use crate::failure::Failure;
use crate::letters;

/// Carries the command out.
pub fn run(arguments: &Arguments, action: &JournalAction) -> Result<(), Failure> {
    let data = DataDir::find(arguments.data.as_deref());
    match action {
        JournalAction::Ls => list(&data),
        JournalAction::Cat { run, kind } => print(&data.resolve(run)?, kind.as_deref()),
        JournalAction::DeadLetters { run } => read_again(&data.resolve(run)?),
        JournalAction::Verify { run } => check(&data.resolve(run)?),
        JournalAction::Pack { run } => keep::pack_run(&data.resolve(run)?),
        JournalAction::Prune { older_than, keep_mib, dry_run } => {
            let keep_bytes = keep_mib.map(|mib| mib << 20);
            keep::prune(&data, Retention { older_than: *older_than, keep_bytes, dry_run: *dry_run })
        }
    }
}

fn list(data: &DataDir) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for run in data.runs()? {
        let (started, command) =
            run.manifest.as_ref().map_or((0, "?"), |manifest| (manifest.started_wall_ns, manifest.command.as_str()));
        writeln!(out, "{}  {}  {command}", run.name(), crate::time::utc(started)).map_err(|e| Failure::output(&e))?;
    }
    Ok(())
}

fn print(run: &Run, kind: Option<&str>) -> Result<(), Failure> {
    let mut reader = Reader::open(&run.dir)?;
    let mut out = BufWriter::new(stdout().lock());
    match kind {
        None => {
            export(&mut reader, &mut out)?;
        }
        Some(kind) => {
            let id = reader.run();
            while let Some(record) = reader.next()? {
                if record.head.kind.to_string().starts_with(kind) {
                    let sequence = record.sequence;
                    let line = envelope(id, &record).map_err(|source| ExportError::Codec { sequence, source })?;
                    serde_json::to_writer(&mut out, &line).map_err(|e| Failure::output(&e.into()))?;
                    out.write_all(b"\n").map_err(|e| Failure::output(&e))?;
                }
            }
            out.flush().map_err(|e| Failure::output(&e))?;
        }
    }
    if let Ending::Torn(damage) = reader.ending()? {
        eprintln!("oddsmith: the journal's end is damaged and {} bytes are lost: {damage}", damage.lost_bytes);
    }
    Ok(())
}

fn read_again(run: &Run) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let (mut all, mut left) = (0u64, 0u64);
    letters::again(&run.dir, |letter| {
        (all, left) = (all + 1, left + u64::from(letter.now.is_some()));
        serde_json::to_writer(&mut out, letter).map_err(|error| Failure::output(&error.into()))?;
        out.write_all(b"\n").map_err(|error| Failure::output(&error))
    })?;
    if left == 0 {
        return Ok(());
    }
    Err(Failure::Answer(format!(
        "{left} of {all} frames that were not understood are still not understood by this build"
    )))
}

fn check(run: &Run) -> Result<(), Failure> {
    let verification = verify(&run.dir)?;
    let how = match &verification.ending {
        Ending::Sealed => "closed",
        Ending::Open => "complete, not closed (its run still works, or was killed)",
        Ending::Torn(damage) => {
            return Err(Failure::Answer(format!(
                "the first {} records are valid, then the journal's end is damaged and {} bytes are lost: {damage}",
                verification.records, damage.lost_bytes
            )));
        }
    };
    let (records, segments) = (verification.records, verification.segments);
    writeln!(stdout(), "{}  {records} records in {segments} segments, all valid; {how}", verification.run)
        .map_err(|e| Failure::output(&e))
}
