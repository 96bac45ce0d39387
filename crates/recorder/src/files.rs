//! The folder of a recording.
//!
//! ```text
//! recordings/
//!   recorder.json               what a recorder remembers beyond its end
//!   recorder.lock               locked while one works
//!   2026-11-21/                 a day of UTC, or a shorter period
//!     frames-0000.jsonl.zst     what was received, in its order
//!     frames-0001.jsonl.zst     goes on there, after a restart or at a size
//!     markets.jsonl             the markets' cards
//!     coverage.jsonl            certificates of the hours that are over
//!     coverage.open.jsonl       of those that are not
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::certificate::SCHEMA_VERSION;
use crate::checkpoint::Checkpoint;
use crate::mend::{self, mend};

const DAY_NS: u64 = 86_400_000_000_000;
const STATE: &str = "recorder.json";

/// Why a recording cannot be begun or gone on with.
#[derive(Debug, Error)]
pub enum FileError {
    /// Somebody else records there.
    #[error("another recorder works in {0}")]
    Locked(PathBuf),
    /// What an earlier recorder left behind is of another version.
    #[error("{path} has version {found}; this build knows version {SCHEMA_VERSION}: record into another folder")]
    Version {
        /// The file.
        path: PathBuf,
        /// What it states.
        found: u32,
    },
    /// What an earlier recorder left behind is not understood.
    #[error("{path} is not a recorder's: {reason}; move it away to begin anew")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system said no.
    #[error("cannot write {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Where and how a recording lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The folder.
    pub root: PathBuf,
    /// A new set of files begins at every multiple of this many nanoseconds since the Unix epoch.
    pub rotate_ns: u64,
}

impl Layout {
    /// The beginning of the period that a time lies in.
    #[must_use]
    pub const fn period(&self, wall_ns: u64) -> u64 {
        wall_ns - wall_ns % if self.rotate_ns == 0 { DAY_NS } else { self.rotate_ns }
    }

    /// The folder of a period.
    #[must_use]
    pub fn folder(&self, period_ns: u64) -> PathBuf {
        self.root.join(day_name(period_ns, self.rotate_ns.is_multiple_of(DAY_NS)))
    }

    /// A file of frames.
    #[must_use]
    pub fn part(&self, period_ns: u64, number: u32) -> PathBuf {
        self.folder(period_ns).join(format!("frames-{number:04}.jsonl.zst"))
    }

    /// How many files of frames a period has.
    fn parts(&self, period_ns: u64) -> u32 {
        let names = fs::read_dir(self.folder(period_ns)).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let number = |name: std::ffi::OsString| -> Option<u32> {
            name.to_str()?.strip_prefix("frames-")?.strip_suffix(".jsonl.zst")?.parse().ok()
        };
        names.filter_map(number).max().map_or(0, |last| last + 1)
    }
}

/// The name of a period's folder: its day, or day and time.
#[must_use]
pub fn day_name(period_ns: u64, whole_days: bool) -> String {
    let text = utc(period_ns);
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    if whole_days { day.to_owned() } else { format!("{day}T{}", time.trim_end_matches('Z').replace(':', "-")) }
}

/// Nanoseconds since the Unix epoch as `2026-11-21T09:30:00Z`.
pub(crate) fn utc(wall_ns: u64) -> String {
    let seconds = wall_ns / 1_000_000_000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Eras of 400 years that begin on the first of March, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// A place behind a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub period_ns: u64,
    pub part: u32,
    pub lines: u64,
}

/// What `recorder.json` holds: a checkpoint, and behind which line it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub position: Position,
    pub checkpoint: Checkpoint,
}

/// The open folder of a recording. Its lock is held until this is dropped.
#[derive(Debug)]
pub struct Files {
    pub(crate) layout: Layout,
    /// Where the next line goes.
    pub(crate) next: Position,
    _lock: File,
}

/// What an earlier recorder left behind.
#[derive(Debug)]
pub struct Resumed {
    /// What it knew.
    pub checkpoint: Checkpoint,
    /// Packed bytes of a torn end that were lost.
    pub lost_bytes: u64,
    position: Position,
    layout: Layout,
}

impl Files {
    /// Takes hold of a folder, which is made if it is not there, and of what is in it.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(layout: Layout, wall_ns: u64) -> Result<(Files, Option<Resumed>), FileError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| FileError::Io { path, source }
        };
        fs::create_dir_all(&layout.root).map_err(fail(&layout.root))?;
        let lock_path = layout.root.join("recorder.lock");
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path).map_err(fail(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileError::Locked(layout.root)),
            Err(TryLockError::Error(source)) => return Err(fail(&lock_path)(source)),
        }
        let state = read_state(&layout.root.join(STATE))?;
        let period_ns = layout.period(wall_ns);
        let mut lost_bytes = 0;
        // Only the newest file of a period can be torn.
        let newest = [state.as_ref().map(|state| state.position.period_ns), Some(period_ns)];
        for period in newest.into_iter().flatten() {
            if let Some(last) = layout.parts(period).checked_sub(1) {
                let path = layout.part(period, last);
                let mended = mend(&path).map_err(fail(&path))?;
                lost_bytes += mended.lost_bytes;
            }
        }
        let next = Position { period_ns, part: layout.parts(period_ns), lines: 0 };
        let resumed = state.map(|state| Resumed {
            checkpoint: state.checkpoint,
            lost_bytes,
            position: state.position,
            layout: layout.clone(),
        });
        Ok((Files { layout, next, _lock: lock }, resumed))
    }
}

impl Resumed {
    /// Hands over the lines that were written behind the checkpoint.
    ///
    /// # Errors
    /// [`FileError::Io`] when a file cannot be read.
    pub fn tail(&self, mut each: impl FnMut(&[u8])) -> Result<(), FileError> {
        let Position { period_ns, part, mut lines } = self.position;
        for number in part..self.layout.parts(period_ns) {
            let path = self.layout.part(period_ns, number);
            if path.exists() {
                mend::lines(&path, lines, &mut each).map_err(|source| FileError::Io { path, source })?;
            }
            lines = 0;
        }
        Ok(())
    }
}

fn read_state(path: &Path) -> Result<Option<State>, FileError> {
    #[derive(Deserialize)]
    struct Versioned {
        checkpoint: Version,
    }
    #[derive(Deserialize)]
    struct Version {
        schema_version: u32,
    }
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FileError::Io { path: path.to_owned(), source }),
    };
    let wrong = |error: serde_json::Error| FileError::State { path: path.to_owned(), reason: error.to_string() };
    let found = serde_json::from_slice::<Versioned>(&text).map_err(wrong)?.checkpoint.schema_version;
    if found != SCHEMA_VERSION {
        return Err(FileError::Version { path: path.to_owned(), found });
    }
    serde_json::from_slice(&text).map(Some).map_err(wrong)
}

/// The place of what a recorder remembers.
pub(crate) fn state_path(root: &Path) -> PathBuf {
    root.join(STATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_have_names() {
        let layout = |rotate_ns| Layout { root: PathBuf::from("r"), rotate_ns };
        let now = 1_795_275_855_000_000_000;
        let days = layout(DAY_NS);
        assert_eq!(days.folder(days.period(now)), Path::new("r/2026-11-21"));
        let minutes = layout(60_000_000_000);
        assert_eq!(minutes.part(minutes.period(now), 3), Path::new("r/2026-11-21T15-44-00/frames-0003.jsonl.zst"));
    }

    #[test]
    fn a_foreign_state_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let layout = Layout { root: dir.path().to_owned(), rotate_ns: DAY_NS };
        for (text, told) in [
            ("{\"checkpoint\":{\"schema_version\":7}}", "has version 7; this build knows version 1"),
            ("{\"checkpoint\":", "is not a recorder's"),
            ("{\"checkpoint\":{\"schema_version\":1}}", "is not a recorder's"),
        ] {
            fs::write(dir.path().join(STATE), text).expect("written");
            let error = Files::open(layout.clone(), 0).expect_err("refused").to_string();
            assert!(error.contains(told) && error.contains(STATE), "{error}");
        }
    }

    #[test]
    fn two_recorders_do_not_share_a_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let layout = Layout { root: dir.path().to_owned(), rotate_ns: DAY_NS };
        let (files, resumed) = Files::open(layout.clone(), 0).expect("an empty folder");
        assert!(resumed.is_none());
        assert!(matches!(Files::open(layout.clone(), 0), Err(FileError::Locked(_))));
        drop(files);
        assert!(Files::open(layout, 0).is_ok());
    }
}
