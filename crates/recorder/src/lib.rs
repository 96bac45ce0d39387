//! Recordings: what a venue sends, written down as it was received, and the proof of how much of it there is.
//!
//! This crate owns the files of a recording and the coverage certificates. It opens no socket and reads no clock: a driver hands it
//! frames, books, changes of connections, and the time. It never decides what is recorded.
//!
//! # The story
//!
//! 1. [`Files::open`] finds what an earlier recorder left behind in the folder, mends a torn end, and counts again what was written
//!    behind the last checkpoint.
//! 2. A [`Coverage`] keeps a book for each market, applies every frame to it, compares it with the venue's own hash, and thereby
//!    knows up to when nothing is missing. [`Coverage::on_frame`], [`Coverage::on_link`], [`Coverage::on_book`],
//!    [`Coverage::on_missing`], [`Coverage::on_time`] say what happened; [`Coverage::wanted`] says which books are to be read by REST.
//! 3. [`line()`] puts the envelope around a frame, and a [`Pen`] takes the lines to a thread that packs and writes them.
//! 4. Now and then [`Coverage::checkpoint`] goes the same way, behind the lines that it speaks of: whatever is on the disk, the
//!    certificates never claim more.
//!
//! # What a certificate says
//!
//! For a market and an hour: how many frames and books were written, how many of the venue's hashes were compared and reproduced, and
//! the gaps. A gap begins at the last moment up to which nothing is missing, and ends with the book from which on the next hashes
//! are right again. See [`Certificate`].

mod certificate;
mod checkpoint;
mod coverage;
mod envelope;
mod files;
mod hours;
mod mend;
mod pen;
mod watch;

pub use certificate::{Cause, Certificate, Checks, Gap, Hashes, SCHEMA_VERSION};
pub use checkpoint::{Checkpoint, Followed};
pub use coverage::{Coverage, CoverageSettings, Totals};
pub use envelope::{BookNote, Kept, Source, line, mark, note, read_line, read_note};
pub use files::{FileError, Files, Layout, Resumed, day_name};
pub use hours::{Hour, Hours};
pub use pen::{Limits, Pen, PenState};
