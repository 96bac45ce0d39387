//! `oddsmith journal`: lists, prints and checks journals.

use std::io::{BufWriter, Write, stdout};

use oddsmith_domain::RunId;
use oddsmith_journal::{
    Ending, Envelope, ExportError, Reader, SCHEMA_VERSION, envelope, export, is_alive, is_closed, is_journal, verify,
};
use serde_json::{Value, json};

use crate::cli::{Arguments, JournalAction};
use crate::command::{export as tables, keep};
use crate::data::{DataDir, Run};
use crate::failure::Failure;
use crate::manifest::{self, Agreement, Manifest, Strategist};
use crate::retention::{Retention, size};
use crate::{hash, letters};

/// Carries the command out.
pub fn run(arguments: &Arguments, action: &JournalAction) -> Result<(), Failure> {
    let data = DataDir::find(arguments.data.as_deref());
    match action {
        JournalAction::Ls { json } => list(&data, *json),
        JournalAction::Cat { run, kind } => print(&data.resolve(run)?, kind.as_deref(), stdout().lock()),
        JournalAction::Export { run, parquet, jsonl } => {
            tables::run(&data.resolve(run)?, parquet.as_deref(), jsonl.as_deref())
        }
        JournalAction::DeadLetters { run } => read_again(&data.resolve(run)?),
        JournalAction::Verify { run } => check(&data.resolve(run)?),
        JournalAction::Pack { run } => keep::pack_run(&data.resolve(run)?),
        JournalAction::Prune { older_than, keep_mib, unfinished, dry_run } => {
            let keep_bytes = keep_mib.map(|mib| mib << 20);
            keep::prune(&data, Retention { older_than: *older_than, keep_bytes, unfinished: *unfinished }, *dry_run)
        }
    }
}

fn list(data: &DataDir, json: bool) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for run in data.runs()? {
        let line = if json { listed_json(&run)?.to_string() } else { listed(&run) };
        writeln!(out, "{line}").map_err(|e| Failure::output(&e))?;
    }
    Ok(())
}

/// How a run stands, in one word.
fn standing(run: &Run) -> &'static str {
    if !is_journal(&run.dir) {
        "empty"
    } else if is_alive(&run.dir).unwrap_or(false) {
        "alive"
    } else if is_closed(&run.dir).unwrap_or(false) {
        "closed"
    } else {
        "unclosed"
    }
}

fn listed(run: &Run) -> String {
    let (name, standing, kib) = (run.name(), standing(run), size(&run.dir) >> 10);
    let manifest = match Manifest::read(&run.dir) {
        Ok(manifest) => manifest,
        Err(error) => return format!("{name}  ?  {standing}  {kib} KiB  no manifest: {error}"),
    };
    let Manifest { command, strategies, seed, config_sha256, predecessor, .. } = &manifest;
    let mut line = format!(
        "{name}  {}  {command}  {standing}  {kib} KiB  {}",
        crate::time::utc(manifest.started_wall_ns),
        manifest.build()
    );
    for (word, hash) in [("config", config_sha256), ("seed", seed)] {
        if let Some(hash) = hash {
            line += &format!("  {word} {}", hash::short(hash));
        }
    }
    for Strategist { instance, strategy, version, config_sha256 } in strategies {
        line += &format!("  {instance}={strategy}/{version}:{}", hash::short(config_sha256));
    }
    if let Some(before) = predecessor {
        line += &format!("  after {}", hash::short(before.to_string().trim_start_matches("0x")));
    }
    line
}

/// A run as an object: its manifest without the configuration, how it stands, and its bytes.
fn listed_json(run: &Run) -> Result<Value, Failure> {
    let mut object = json!({ "run": run.name(), "standing": standing(run), "bytes": size(&run.dir), "manifest": null });
    match Manifest::read(&run.dir) {
        Ok(manifest) => {
            let mut manifest = serde_json::to_value(manifest).map_err(|error| Failure::Running(error.to_string()))?;
            if let Some(fields) = manifest.as_object_mut() {
                fields.remove("config");
            }
            object["manifest"] = manifest;
        }
        Err(error) => object["fault"] = json!(error.to_string()),
    }
    Ok(object)
}

/// The manifest as the line before the first record: the envelope of all other lines, with the number 0.
fn first_line(run: &Run, id: RunId) -> Option<Envelope> {
    let manifest = Manifest::read(&run.dir).ok()?;
    Some(Envelope {
        schema_version: SCHEMA_VERSION,
        run_id: id,
        sequence: 0,
        mono_ns: 0,
        wall_ns: manifest.started_wall_ns,
        kind: "manifest".to_owned(),
        market_id: None,
        instance_id: None,
        intent_id: None,
        order_id: None,
        payload: serde_json::to_value(manifest).ok()?,
    })
}

/// Writes a run's manifest and journal as lines of JSON; of records only those whose kind begins as stated.
pub fn print(run: &Run, kind: Option<&str>, out: impl Write) -> Result<(), Failure> {
    let mut reader = Reader::open(&run.dir)?;
    let mut out = BufWriter::new(out);
    let id = reader.run();
    let line = |out: &mut dyn Write, line: &Envelope| {
        serde_json::to_writer(&mut *out, line).map_err(|e| Failure::output(&e.into()))?;
        out.write_all(b"\n").map_err(|e| Failure::output(&e))
    };
    if let Some(manifest) = first_line(run, id).filter(|first| kind.is_none_or(|kind| first.kind.starts_with(kind))) {
        line(&mut out, &manifest)?;
    }
    match kind {
        None => {
            export(&mut reader, &mut out)?;
        }
        Some(kind) => {
            while let Some(record) = reader.next()? {
                if record.head.kind.to_string().starts_with(kind) {
                    let sequence = record.sequence;
                    let each = envelope(id, &record).map_err(|source| ExportError::Codec { sequence, source })?;
                    line(&mut out, &each)?;
                }
            }
        }
    }
    out.flush().map_err(|e| Failure::output(&e))?;
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
    let mut out = stdout().lock();
    writeln!(out, "{}  {records} records in {segments} segments, all valid; {how}", verification.run)
        .map_err(|e| Failure::output(&e))?;
    let Agreement { changes, contradictions } = manifest::check(&run.dir);
    for change in &changes {
        writeln!(out, "note: {change}").map_err(|e| Failure::output(&e))?;
    }
    if contradictions.is_empty() {
        return Ok(());
    }
    Err(Failure::Answer(format!("the manifest does not fit the journal: {}", contradictions.join("; "))))
}
