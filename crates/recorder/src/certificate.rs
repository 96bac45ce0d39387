//! What is certified about a market and an hour.

use serde::{Deserialize, Serialize};

/// The version of the layout of certificates and checkpoints.
pub const SCHEMA_VERSION: u32 = 1;

/// Why something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The connection was lost.
    Disconnect,
    /// The connection stood and carried nothing although something was due.
    Frozen,
    /// A connection did not begin with the market's books.
    MissingSnapshot,
    /// The venue's hash of the book was not that of the book made of what was received.
    HashMismatch,
    /// A book read by REST was another one.
    BookDiffers,
    /// No recorder ran.
    Restart,
}

/// A stretch in which something is missing, by receive time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Up to here nothing is missing, in nanoseconds since the Unix epoch.
    pub from_ns: u64,
    /// From here on nothing is missing.
    pub to_ns: u64,
    /// Everything that went wrong in it, in the order in which it did.
    pub causes: Vec<Cause>,
}

/// The venue's hashes of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// Changes of levels received.
    pub changes: u64,
    /// Of these, those whose hash was compared with the book.
    pub checked: u64,
    /// Of these, those that the book reproduced.
    pub reproduced: u64,
    /// Changes whose hash could not be compared: its batch broke off, or a fact that it covers is not known.
    pub not_comparable: u64,
}

/// Books that were read by REST to compare them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// Books read.
    pub read: u64,
    /// Of these, those that said what the stream had said, or would say next.
    pub agreed: u64,
    /// Of these, those that showed that something was missing.
    pub differed: u64,
    /// Reads without a book.
    pub failed: u64,
}

/// What is written down of a market in one hour of UTC, or in one shorter period of rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The market's slug.
    pub market: String,
    /// Its condition id.
    pub condition: String,
    /// When the hour begins, in UTC, for people.
    pub hour: String,
    /// When the hour begins, in nanoseconds since the Unix epoch.
    pub hour_ns: u64,
    /// Whether the hour is over.
    pub complete: bool,
    /// From when on the market was followed in this hour.
    pub from_ns: u64,
    /// Until when.
    pub to_ns: u64,
    /// When its first frame of the hour was received; `None` without one.
    pub first_frame_ns: Option<u64>,
    /// When its last one was.
    pub last_frame_ns: Option<u64>,
    /// Frames that spoke of the market.
    pub frames: u64,
    /// Whole books in them.
    pub snapshots: u64,
    /// The proof of the books between.
    pub hashes: Hashes,
    /// Comparisons by REST.
    pub checks: Checks,
    /// What is missing, oldest first, cut at the hour's ends.
    pub gaps: Vec<Gap>,
    /// Gaps beyond those that are listed.
    pub gaps_left_out: u64,
    /// The sum of all gaps, in nanoseconds.
    pub gap_ns: u64,
}
