//! What can be wrong with a journal, and how it is told.

use std::io;
use std::path::PathBuf;

use oddsmith_domain::RunId;
use thiserror::Error;

/// What is wrong with a place of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// The bytes are not what was written.
    #[error("its checksum does not fit its bytes")]
    Checksum,
    /// Its stated length is impossible.
    #[error("its stated length of {0} bytes is impossible there")]
    Length(u32),
    /// The file ends too early.
    #[error("the file ends there, at {found} bytes, before it should")]
    CutShort {
        /// The file's length.
        found: u64,
    },
    /// What was packed cannot be unpacked from there on.
    #[error("the packed segment is damaged: {0}")]
    Packed(String),
    /// A record was begun and not committed, or its first bytes were wiped.
    #[error("bytes are there, but no committed record")]
    Uncommitted,
    /// Records are missing or double.
    #[error("its sequence number is {found}")]
    Sequence {
        /// What stands there.
        found: u64,
    },
    /// A segment's header is damaged.
    #[error("the segment's header is damaged")]
    Header,
    /// A segment belongs to another run or place.
    #[error("the segment says that it is segment {index} of run {run}")]
    Misplaced {
        /// The number it states.
        index: u32,
        /// The run it states.
        run: RunId,
    },
    /// A segment is not there.
    #[error("the segment's file is missing, but later ones are there")]
    MissingSegment,
    /// A segment has no seal although others follow.
    #[error("the segment ends without its seal although others follow")]
    Unsealed,
}

/// A damaged place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("segment {segment}, offset {offset}, where record {sequence} should be: {flaw}")]
pub struct Damage {
    /// The segment.
    pub segment: u32,
    /// The offset in it.
    pub offset: u64,
    /// The sequence number expected there.
    pub sequence: u64,
    /// What is wrong.
    pub flaw: Flaw,
    /// How many bytes from there on are not zero, and lost.
    pub lost_bytes: u64,
}

/// How a journal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was closed; nothing is missing.
    Sealed,
    /// It was not closed: its writer still works, or was killed. Nothing that was committed is missing.
    Open,
    /// Its end is damaged; what came before is valid.
    Torn(Damage),
}

/// Why a journal cannot be read (on).
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is none.
    #[error("{0} holds no journal: 00000000.segment is not there, nor packed")]
    NoJournal(PathBuf),
    /// It was written by another version.
    #[error("{path} has journal schema version {found}; this build reads version {known}: use the build that wrote it")]
    UnknownSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// It is damaged before its end: records behind the damage exist, so nothing after it can be trusted to be complete.
    #[error("the journal in {dir} is corrupt at {damage}")]
    Corrupt {
        /// The run directory.
        dir: PathBuf,
        /// The place.
        damage: Damage,
    },
    /// The system said no.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}
