//! A journal as a whole: whether all of it is right.

use std::path::Path;

use oddsmith_domain::RunId;

use crate::damage::{Ending, ReadError};
use crate::reader::Reader;

/// What a whole journal is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The run.
    pub run: RunId,
    /// Valid records.
    pub records: u64,
    /// Segments read.
    pub segments: u32,
    /// How it ends.
    pub ending: Ending,
}

/// Reads a whole journal and checks every record.
///
/// # Errors
/// As [`Reader::next`].
pub fn verify(dir: &Path) -> Result<Verification, ReadError> {
    let mut reader = Reader::open(dir)?;
    let mut records = 0;
    while reader.next()?.is_some() {
        records += 1;
    }
    let ending = reader.ending()?;
    Ok(Verification { run: reader.run(), records, segments: reader.cursor().segment + 1, ending })
}
