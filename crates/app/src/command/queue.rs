//! `oddsmith queue`: a queue model on stated histories of a level.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write, stdin, stdout};
use std::path::Path;

use oddsmith_paper::queue::QueueModel;
use oddsmith_paper::sequence::Sequence;

use crate::cli::QueueArguments;
use crate::failure::Failure;

/// Carries the command out: one line of JSON for each sequence, in order.
pub fn run(arguments: &QueueArguments) -> Result<(), Failure> {
    let model = match &arguments.model {
        None => None,
        Some(name) => Some(QueueModel::named(name, arguments.n).map_err(|error| Failure::Usage(error.to_string()))?),
    };
    let mut out = stdout().lock();
    if arguments.sequence == Path::new("-") {
        let mut any = false;
        for (number, line) in (1u32..).zip(BufReader::new(stdin().lock()).lines()) {
            let line = line.map_err(|error| Failure::Answer(format!("standard input: {error}")))?;
            if !line.trim().is_empty() {
                any = true;
                tell(&mut out, &line, model, &format!("line {number}"))?;
            }
        }
        return if any { Ok(()) } else { Err(empty("standard input")) };
    }
    let name = arguments.sequence.display().to_string();
    let mut text = String::new();
    let read = fs::File::open(&arguments.sequence).and_then(|mut file| file.read_to_string(&mut text));
    read.map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
    if text.trim().is_empty() {
        return Err(empty(&name));
    }
    // One sequence, written over as many lines as its author likes; or one on each line.
    if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
        return tell(&mut out, &text, model, &name);
    }
    for (number, line) in (1u32..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        tell(&mut out, line, model, &format!("{name}, line {number}"))?;
    }
    Ok(())
}

fn empty(place: &str) -> Failure {
    Failure::Answer(format!("{place} holds no sequence"))
}

fn tell(out: &mut impl Write, text: &str, model: Option<QueueModel>, place: &str) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Answer(format!("{place}: {error}"));
    let sequence: Sequence = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    let told = sequence.tell(model).map_err(|error| wrong(&error))?;
    let line = serde_json::to_string(&told).map_err(|error| Failure::Running(error.to_string()))?;
    writeln!(out, "{line}").map_err(|error| Failure::output(&error))
}
