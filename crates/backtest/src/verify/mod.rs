//! Proof of recordings: books rebuilt from them, compared with the venue's hash and with the best prices that it stated.

mod audit;
mod dead_letter;
mod gaps;
mod markets;
mod peek;
mod report;
mod rows;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::recording::{Recording, RecordingError, Table, is_parquet};

pub(crate) use audit::Audit;
pub use report::{Agreement, FileReport, Gap, HashesByKind, Proofs, render_table};
pub(crate) use rows::event as row_event;

/// What `verify` is asked for besides the files.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where frames that cannot be decoded are appended, one JSON object each, with file, offset and reason.
    pub dead_letter: Option<PathBuf>,
}

/// Why a file could not be verified.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The recording cannot be read to its end.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// Undecodable frames cannot be kept.
    #[error("cannot write the dead-letter file `{path}`: {source}")]
    DeadLetter {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Rebuilds the books of one recording and says how far they agree with the venue. `-` is standard input.
///
/// Memory does not grow with the file. Anything that cannot be decoded is counted, kept in [`Options::dead_letter`] if asked
/// for, and does no harm to what follows.
///
/// # Errors
/// [`VerifyError`] when the file cannot be read to its end, or undecodable frames cannot be written.
pub fn verify_file(path: &Path, options: &Options) -> Result<FileReport, VerifyError> {
    let name = path.display().to_string();
    if is_parquet(path) {
        let mut audit = Audit::new(&name, options)?;
        let mut table = Table::open(path)?;
        while let Some(row) = table.next_row()? {
            audit.row(&row)?;
        }
        return Ok(audit.finish());
    }
    verify_recording(&name, Recording::open(path)?, options)
}

/// The same for a recording of raw frames from wherever it is read. `name` is what the report calls it.
///
/// # Errors
/// As [`verify_file`].
pub fn verify_recording(name: &str, mut recording: Recording, options: &Options) -> Result<FileReport, VerifyError> {
    let mut audit = Audit::new(name, options)?;
    while let Some(piece) = recording.next_piece()? {
        audit.piece(&piece)?;
    }
    Ok(audit.finish())
}
