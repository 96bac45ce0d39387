//! `oddsmith verify`: proves recordings by the venue's own hash and stated prices.

use std::io::{Write, stdout};
use std::path::PathBuf;

use oddsmith_backtest::verify::{Options, render_table, verify_file};

use crate::failure::Failure;

/// Carries the command out. Files that cannot be read are named, and the others are verified all the same.
pub fn run(files: &[PathBuf], json: bool, dead_letter: Option<PathBuf>) -> Result<(), Failure> {
    let options = Options { dead_letter };
    let mut out = stdout().lock();
    let mut reports = Vec::new();
    let mut unread = 0;
    for file in files {
        match verify_file(file, &options) {
            Ok(report) if json => {
                let line = serde_json::to_string(&report).map_err(|error| Failure::Running(error.to_string()))?;
                writeln!(out, "{line}").map_err(|error| Failure::output(&error))?;
            }
            Ok(report) => reports.push(report),
            Err(error) => {
                unread += 1;
                eprintln!("oddsmith: {}: {error}", file.display());
            }
        }
    }
    if !json {
        out.write_all(render_table(&reports).as_bytes()).map_err(|error| Failure::output(&error))?;
    }
    match unread {
        0 => Ok(()),
        count => Err(Failure::Answer(format!("{count} of {} files could not be read; see above", files.len()))),
    }
}
