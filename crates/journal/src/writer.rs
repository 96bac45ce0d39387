//! The one writer of a run's journal.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oddsmith_domain::{RunId, Time};
use thiserror::Error;

use crate::format::{HEADER_LEN, Ids, Kind, RECORD_HEAD_LEN, RecordHead, SEAL_LEN, padded};
use crate::keeper::{Keeper, Pace};
use crate::packer::{Packer, Packing};
use crate::segment::{self, Segment, Spare};

/// How a journal is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of one segment, taken from the disk before the segment is used. At least 4 KiB.
    pub segment_bytes: usize,
    /// Bytes that the whole run may write. At half of it [`Writer::pressure`] says so; at all of it nothing is written any more.
    pub budget_bytes: u64,
    /// How long a record may wait to be flushed: what a power cut can lose.
    pub flush_every: Duration,
    /// Every flush and every new segment takes this much longer than the disk needs: a fault for tests, zero otherwise.
    pub slow_disk: Duration,
    /// Whether finished segments are packed in the background while the run goes on.
    pub pack: bool,
}

/// A disk that has not taken the newest records for so long is too slow to trust.
const TOO_FAR_BEHIND: Duration = Duration::from_secs(5);

impl Default for Options {
    fn default() -> Options {
        Options {
            segment_bytes: 64 << 20,
            budget_bytes: 16 << 30,
            flush_every: Duration::from_millis(100),
            slow_disk: Duration::ZERO,
            pack: false,
        }
    }
}

/// Why a journal could not be begun.
#[derive(Debug, Error)]
pub enum CreateError {
    /// There is one already; a run writes exactly one.
    #[error("{0} already holds a journal: every run needs a directory of its own")]
    Exists(PathBuf),
    /// Somebody else writes there.
    #[error("another process is writing the journal in {0}")]
    Locked(PathBuf),
    /// The options make no sense.
    #[error("the journal's segment size of {0} bytes is out of range: 4096 bytes to 1 GiB are possible")]
    SegmentSize(usize),
    /// The system said no.
    #[error("cannot begin a journal in {dir}: {source}")]
    Io {
        /// Where.
        dir: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Why a record was not written. Nothing of it is in the journal then.
#[derive(Debug, Error)]
pub enum AppendError {
    /// The run has written all that it may.
    #[error("the journal has reached its budget of {budget} bytes")]
    BudgetExhausted {
        /// The budget.
        budget: u64,
    },
    /// It does not fit into a segment.
    #[error("a record of {len} bytes does not fit into a segment, which holds {max}")]
    TooLarge {
        /// The payload's length.
        len: usize,
        /// The longest payload.
        max: usize,
    },
    /// No next segment could be had, usually because the disk is full.
    #[error("the journal cannot go on: {0}")]
    Disk(#[from] io::Error),
    /// It has been closed by an earlier failure.
    #[error("the journal is closed since an earlier failure")]
    Closed,
}

/// Whether the journal has room. At anything but [`Pressure::Ample`] the engine must cancel and halt: what is left is for that.
#[derive(Debug)]
pub enum Pressure {
    /// Enough.
    Ample,
    /// Half of the budget is used.
    HalfFull,
    /// The next segment cannot be had, or the disk does not take what was written.
    Disk(io::Error),
    /// The disk is so slow that records this old are not on it yet.
    Behind(Duration),
}

/// Writes a run's journal. One per run directory; a lock refuses a second one.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    run: RunId,
    options: Options,
    segment: Option<Segment>,
    spare: Option<Spare>,
    spare_wanted: bool,
    index: u32,
    next_sequence: u64,
    /// Bytes in the segments before this one.
    bytes_before: u64,
    last_time: Time,
    keeper: Keeper,
    packer: Option<Packer>,
    _lock: File,
}

impl Writer {
    /// Begins the journal of a run in `dir`, which is created if it is not there.
    ///
    /// # Errors
    /// [`CreateError`] when there is a journal already, somebody writes there, or the disk has no room for the first segment.
    pub fn create(dir: &Path, run: RunId, options: &Options) -> Result<Writer, CreateError> {
        if !(4_096..=1 << 30).contains(&options.segment_bytes) {
            return Err(CreateError::SegmentSize(options.segment_bytes));
        }
        let fail = |source| CreateError::Io { dir: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(fail)?;
        let lock = lock(dir)?;
        if segment::exists(dir, 0) {
            return Err(CreateError::Exists(dir.to_owned()));
        }
        let capacity = options.segment_bytes.next_multiple_of(8);
        let pace = Pace { flush_every: options.flush_every, slow_disk: options.slow_disk };
        let packer = options.pack.then(|| Packer::start(dir.to_owned())).transpose().map_err(fail)?;
        let finished = packer.as_ref().and_then(Packer::queue);
        let keeper = Keeper::start(dir.to_owned(), capacity, pace, finished).map_err(fail)?;
        let first = Spare::prepare(dir, capacity).and_then(|spare| spare.begin(dir, run, 0, 1)).map_err(fail)?;
        keeper.watch(first.progress().clone());
        keeper.prepare();
        Ok(Writer {
            dir: dir.to_owned(),
            run,
            options: options.clone(),
            segment: Some(first),
            spare: None,
            spare_wanted: true,
            index: 0,
            next_sequence: 1,
            bytes_before: 0,
            last_time: Time::default(),
            keeper,
            packer,
            _lock: lock,
        })
    }

    /// Writes a record and says its sequence number. When this returns, the record survives the death of the process.
    ///
    /// Allocates nothing unless the segment is full; then the next one, which has been prepared meanwhile, is taken.
    ///
    /// # Errors
    /// [`AppendError`]; the record is then not in the journal.
    pub fn append(&mut self, head: &RecordHead, payload: &[u8]) -> Result<u64, AppendError> {
        let needed = padded(RECORD_HEAD_LEN + payload.len());
        let max = self.max_payload();
        if payload.len() > max {
            return Err(AppendError::TooLarge { len: payload.len(), max });
        }
        if self.bytes_used() + needed as u64 > self.options.budget_bytes {
            return Err(AppendError::BudgetExhausted { budget: self.options.budget_bytes });
        }
        if self.segment.as_ref().ok_or(AppendError::Closed)?.room() < needed + SEAL_LEN {
            self.turn_over()?;
        }
        let segment = self.segment.as_mut().ok_or(AppendError::Closed)?;
        if !segment.push(head, self.next_sequence, payload) {
            return Err(AppendError::TooLarge { len: payload.len(), max });
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.last_time = head.time;
        Ok(sequence)
    }

    /// Waits until everything that was appended is on the disk. For what must survive a power cut before it is acknowledged.
    ///
    /// # Errors
    /// What the disk said, now or in the background.
    pub fn sync(&mut self) -> io::Result<()> {
        if let Some(segment) = &self.segment {
            segment.progress().flush(0)?;
        }
        self.keeper.take_fault().map_or(Ok(()), Err)
    }

    /// Whether there is room. Cheap; to be asked about once a second.
    pub fn pressure(&mut self) -> Pressure {
        if let Some(error) = self.keeper.take_fault() {
            return Pressure::Disk(error);
        }
        if self.spare.is_none() {
            if !self.spare_wanted {
                self.keeper.prepare();
                self.spare_wanted = true;
            }
            match self.keeper.try_spare() {
                Some(Ok(spare)) => {
                    self.spare = Some(spare);
                    self.spare_wanted = false;
                }
                Some(Err(error)) => {
                    self.spare_wanted = false;
                    return Pressure::Disk(error);
                }
                None => {}
            }
        }
        let behind = self.keeper.behind();
        if behind >= TOO_FAR_BEHIND {
            return Pressure::Behind(behind);
        }
        if self.bytes_used() >= self.options.budget_bytes / 2 { Pressure::HalfFull } else { Pressure::Ample }
    }

    /// How the packing of finished segments stands. A fault of it is no fault of the journal: the segment stays as it is.
    #[must_use]
    pub fn packing(&self) -> Packing {
        self.packer.as_ref().map(Packer::state).unwrap_or_default()
    }

    /// Bytes written so far, headers included.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        self.bytes_before + self.segment.as_ref().map_or(0, |segment| segment.used() as u64)
    }

    /// The sequence number that the next record will have.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The longest payload that a record can have.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.options.segment_bytes - HEADER_LEN - SEAL_LEN - RECORD_HEAD_LEN - 8
    }

    /// Seals the journal, flushes it and gives unused room back. A journal that was not closed is complete too; only its end is not
    /// proven.
    ///
    /// # Errors
    /// What the disk said.
    pub fn close(mut self) -> io::Result<()> {
        self.finish()
    }

    fn turn_over(&mut self) -> Result<(), AppendError> {
        if self.spare.is_none() {
            if !self.spare_wanted {
                self.keeper.prepare();
            }
            self.spare_wanted = false;
            let spare = self.keeper.wait_for_spare()?;
            self.spare = Some(spare);
        }
        let (Some(mut full), Some(spare)) = (self.segment.take(), self.spare.take()) else {
            return Err(AppendError::Closed);
        };
        let sealed = seal(&mut full, self.next_sequence, self.last_time, false);
        debug_assert!(sealed, "append leaves room for the seal");
        let next = spare.begin(&self.dir, self.run, self.index + 1, self.next_sequence)?;
        let finished = self.index;
        self.index += 1;
        self.bytes_before += full.used() as u64;
        self.keeper.watch(next.progress().clone());
        self.segment = Some(next);
        self.keeper.retire(full, finished);
        self.keeper.prepare();
        self.spare_wanted = true;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(mut segment) = self.segment.take() else { return Ok(()) };
        let sealed = seal(&mut segment, self.next_sequence, self.last_time, true);
        debug_assert!(sealed, "append leaves room for the seal");
        self.keeper.stop();
        if let Some(packer) = &mut self.packer {
            packer.stop();
        }
        let fault = self.keeper.take_fault();
        segment.retire()?;
        self.spare = None;
        match fs::remove_file(segment::spare_path(&self.dir)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fault.map_or(Ok(()), Err)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`; here the process is already on its way out for another reason.
        let _ = self.finish();
    }
}

/// A seal carries the sequence number that the next record would have.
fn seal(segment: &mut Segment, sequence: u64, time: Time, last: bool) -> bool {
    let head = RecordHead { time, kind: Kind::SEAL, ids: Ids::default() };
    segment.push(&head, sequence, &[u8::from(last)])
}

fn lock(dir: &Path) -> Result<File, CreateError> {
    let fail = |source| CreateError::Io { dir: dir.to_owned(), source };
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(dir.join("journal.lock")).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CreateError::Locked(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}
