//! `oddsmith replay`: tells whether a run can be run again.

use std::io::{Write, stdout};
use std::path::Path;

use oddsmith_journal::Envelope;
use serde::Serialize;
use serde_json::Value;

use crate::config;
use crate::data::Run;
use crate::failure::Failure;
use crate::manifest::{self, Agreement};
use crate::replay::{Difference, Outcome, replay};

/// Carries the command out.
pub fn run(run: &Run, file: Option<&Path>, sets: &[String], json: bool) -> Result<(), Failure> {
    let Agreement { changes, contradictions } = manifest::check(&run.dir);
    let notes: Vec<String> = changes.into_iter().chain(contradictions).collect();
    let outcome = replay(&run.dir, |recorded| config::for_replay(recorded, file, sets));
    let outcome = outcome.inspect_err(|failure| {
        // Of what is no run at all there is nothing to note.
        if !matches!(failure, Failure::Usage(_)) {
            notes.iter().for_each(|note| eprintln!("oddsmith: {note}"));
        }
    })?;
    let text = if json {
        serde_json::to_string(&Told { outcome: &outcome, notes: &notes })
            .map_err(|error| Failure::Running(error.to_string()))?
            + "\n"
    } else {
        report(&outcome) + &notes.iter().map(|note| format!("note: {note}\n")).collect::<String>()
    };
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    match &outcome.difference {
        None => Ok(()),
        Some(difference) => Err(Failure::Answer(format!(
            "the replay differs from the run at record {}: the same build and configuration give the same outputs, so look at \
             what changed",
            difference.sequence
        ))),
    }
}

/// An outcome, and what has changed since the run.
#[derive(Serialize)]
struct Told<'o> {
    #[serde(flatten)]
    outcome: &'o Outcome,
    notes: &'o [String],
}

fn report(outcome: &Outcome) -> String {
    let mut text = format!("run {}\n", outcome.run_id);
    for change in &outcome.changed {
        text += &format!("changed: {} was {}, is now {}\n", change.key, change.then, change.now);
    }
    match &outcome.difference {
        Some(difference) => text += &told(difference),
        None => {
            let Outcome { inputs, outputs, seconds, .. } = outcome;
            text += &format!("identical: {inputs} inputs, {outputs} outputs, {seconds:.1} s\n");
            for (kind, count) in &outcome.kinds {
                text += &format!("  {kind:<28}{count:>10}\n");
            }
        }
    }
    if let Some(open) = &outcome.open_end {
        text += &format!("note: {open}\n");
    }
    text
}

fn told(difference: &Difference) -> String {
    let mut text = format!("different at record {}\n", difference.sequence);
    let mut part = |name: &str, envelope: Option<&Envelope>| {
        text += &match envelope {
            None => format!("{name}: nothing\n"),
            Some(envelope) => {
                format!("{name}: {} (record {})\n{}\n", envelope.kind, envelope.sequence, indented(&envelope.payload))
            }
        };
    };
    part("expected", difference.expected.as_ref());
    part("got", difference.got.as_ref());
    part("after the input", difference.input.as_ref());
    text
}

fn indented(payload: &Value) -> String {
    // A JSON value always has a text.
    let text = serde_json::to_string_pretty(payload).unwrap_or_default();
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
