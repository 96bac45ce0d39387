//! Recordings as one ordered stream of what was received, and when.
//!
//! A [`Tape`] merges recordings of any kind by receive time: raw frames, tables of level changes, files of whole books, reference
//! prices and the journals of our own runs. It reads each of them once from front to back, and its memory does not grow with
//! their length.
//!
//! # Nothing comes before its time
//!
//! What a tape hands out at a moment was received by then. Three rules keep it so:
//!
//! - An entry's time is its receive time. One that is earlier than that of the entry before it *in the same file* is lifted to it,
//!   and counted ([`Counts::lifted`]): clocks step back, and what was written later was received later. A piece without a
//!   receive time gets the venue's own time, or that of the piece before it, and is counted ([`Counts::untimed`]).
//! - Between files the earlier time comes first; at the same time, the file that was named first.
//! - What is learned of a market (tokens, tick, smallest order) is known from the moment at which the recording had said it, not from
//!   the beginning. Frames of a market of which only one token is known wait until the other is; they come late, never early.
//!
//! Lists of markets beside a recording (`markets.jsonl`) count as known from the beginning, as they are to somebody who trades.

mod books;
mod catalog;
mod entry;
mod frames;
mod journal;
mod listed;
mod outside;
mod reel;
mod roster;
mod table;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::{Path, PathBuf};

use oddsmith_journal::{CodecError, ReadError};
use thiserror::Error;

use crate::recording::{Recording, RecordingError};
pub use catalog::{Catalogued, Form, catalog};
use entry::Draft;
pub use entry::{Entry, MarketNo, What};
pub use reel::Reel;
pub(crate) use reel::{Moment, Moments};
pub(crate) use roster::venue_ns;
pub use roster::{Assumed, Assumptions, Roster};
pub(crate) use table::levels;

/// Frames of one half-known market that wait for its other half; more than that would be a recording of one token.
const WAITING: usize = 256;

/// Why a tape cannot be read.
#[derive(Debug, Error)]
pub enum TapeError {
    /// A recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A journal cannot be read.
    #[error("the journal in `{path}`: {source}")]
    Journal {
        /// Its directory.
        path: String,
        /// Why.
        source: ReadError,
    },
    /// A record of a journal cannot be understood.
    #[error("record {record} of the journal in `{path}`: {source}: use the build that wrote it")]
    Record {
        /// Its directory.
        path: String,
        /// Which one.
        record: u64,
        /// Why.
        source: CodecError,
    },
    /// A directory cannot be listed.
    #[error("cannot list `{path}`: {source}")]
    List {
        /// Which one.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// One recording of one kind.
trait Source {
    /// Reads on. `false` at the end.
    fn next(&mut self, draft: &mut Draft, reading: &mut Reading) -> Result<bool, TapeError>;
}

/// What sources share.
struct Reading {
    roster: Roster,
    counts: Counts,
}

/// What a tape came across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Entries handed out.
    pub entries: u64,
    /// Of these, frames of the market channel and books.
    pub frames: u64,
    /// Pieces of recordings that are nothing for the engine: other feeds, notes of the recorder.
    pub others: u64,
    /// Entries whose receive time lay before that of the one in front of it in the same file, and was lifted to it.
    pub lifted: u64,
    /// The farthest that one was lifted, in nanoseconds.
    pub lifted_most_ns: u64,
    /// Pieces without a receive time.
    pub untimed: u64,
    /// Frames that waited for the other token of their market.
    pub waited: u64,
    /// Frames that were given up because the other token never came.
    pub dropped: u64,
    /// Changes and trades of tables that came before their market and its books were known.
    pub unproven: u64,
    /// Levels of tables whose removal never came, removed when the stated best prices showed it.
    pub mended: u64,
    /// Pieces that are too long, or are not what their file holds.
    pub refused: u64,
}

/// One of the merged recordings, read one entry ahead.
struct Head {
    source: Box<dyn Source>,
    draft: Draft,
    last_ns: u64,
}

/// The merged stream.
pub struct Tape {
    heads: Vec<Head>,
    /// The heads that have an entry, by its time and their place.
    order: BinaryHeap<Reverse<(u64, usize)>>,
    reading: Reading,
    /// Frames of half-known markets, oldest first.
    waiting: VecDeque<Entry>,
    /// What became due at once, before anything else is read.
    ready: VecDeque<Entry>,
    current: Entry,
    now_ns: u64,
}

impl Tape {
    /// Opens recordings in the order of their names.
    ///
    /// # Errors
    /// [`TapeError`] when one cannot be opened.
    pub fn open(recordings: &[(PathBuf, Form)], assumptions: Assumptions) -> Result<Tape, TapeError> {
        let mut roster = Roster::new(assumptions);
        let sources: Result<Vec<_>, _> = recordings.iter().map(|(path, form)| open(path, *form, &mut roster)).collect();
        Tape::of(sources?, roster)
    }

    /// A tape of one recording of raw frames, from wherever it is read. No list of markets lies beside it.
    ///
    /// # Errors
    /// [`TapeError`] when its first entry cannot be read.
    pub fn of_frames(recording: Recording, assumptions: Assumptions) -> Result<Tape, TapeError> {
        Tape::of(vec![Box::new(frames::Frames::new(recording))], Roster::new(assumptions))
    }

    fn of(sources: Vec<Box<dyn Source>>, roster: Roster) -> Result<Tape, TapeError> {
        let heads = sources.into_iter().map(|source| Head { source, draft: Draft::default(), last_ns: 0 }).collect();
        let reading = Reading { roster, counts: Counts::default() };
        let mut tape = Tape {
            heads,
            order: BinaryHeap::new(),
            reading,
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            current: Entry::default(),
            now_ns: 0,
        };
        for at in 0..tape.heads.len() {
            tape.refill(at)?;
        }
        Ok(tape)
    }

    /// The next entry; `None` at the end of all recordings.
    ///
    /// # Errors
    /// [`TapeError`] when a recording cannot be read on.
    #[allow(clippy::should_implement_trait, reason = "an entry borrows the tape, which no Iterator can express")]
    pub fn next(&mut self) -> Result<Option<&Entry>, TapeError> {
        Ok(self.next_with_roster()?.map(|(entry, _)| entry))
    }

    /// The next entry, and the markets as far as they are known at its time; `None` at the end of all recordings.
    ///
    /// # Errors
    /// [`TapeError`] when a recording cannot be read on.
    pub fn next_with_roster(&mut self) -> Result<Option<(&Entry, &Roster)>, TapeError> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.current = entry;
                return Ok(Some(self.hand_out()));
            }
            let Some(Reverse((at_ns, head))) = self.order.pop() else {
                self.reading.counts.dropped += self.waiting.len() as u64;
                self.waiting.clear();
                return Ok(None);
            };
            std::mem::swap(&mut self.current, &mut self.heads[head].draft.entry);
            self.refill(head)?;
            self.now_ns = self.now_ns.max(at_ns);
            self.current.at_ns = self.now_ns;
            if self.is_complete() {
                return Ok(Some(self.hand_out()));
            }
        }
    }

    /// The markets as far as they are known by now.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.reading.roster
    }

    /// Remembers what is learned of markets, for [`Tape::take_learned`].
    fn remember(&mut self) {
        self.reading.roster.remember();
    }

    fn take_learned(&mut self) -> Vec<(MarketNo, roster::Known)> {
        self.reading.roster.take_learned()
    }

    /// What was come across so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.reading.counts
    }

    fn hand_out(&mut self) -> (&Entry, &Roster) {
        self.reading.counts.entries += 1;
        self.reading.counts.frames += u64::from(matches!(self.current.what, What::Frame(_)));
        (&self.current, &self.reading.roster)
    }

    /// Reads a head's next entry and gives it its time.
    fn refill(&mut self, at: usize) -> Result<(), TapeError> {
        let Head { source, draft, last_ns } = &mut self.heads[at];
        if !source.next(draft, &mut self.reading)? {
            return Ok(());
        }
        let counts = &mut self.reading.counts;
        let stated = draft.at_ns.or_else(|| {
            counts.untimed += 1;
            roster::venue_ns(&draft.entry.bytes)
        });
        let received = stated.unwrap_or(*last_ns);
        if received < *last_ns {
            counts.lifted += 1;
            counts.lifted_most_ns = counts.lifted_most_ns.max(*last_ns - received);
        }
        *last_ns = received.max(*last_ns);
        self.order.push(Reverse((*last_ns, at)));
        Ok(())
    }

    /// Looks at what the current entry says of its markets. One of a half-known market is put aside; one that completes a market
    /// comes after what waited for it.
    fn is_complete(&mut self) -> bool {
        self.current.news = false;
        if !matches!(self.current.what, What::Frame(_)) {
            return true;
        }
        let roster = &mut self.reading.roster;
        let learned = roster.read(&self.current.bytes, &mut self.current.markets);
        self.current.news = learned;
        let half = !self.current.markets.is_empty() && self.current.markets.iter().all(|no| !roster.is_known(*no));
        if half {
            if self.waiting.len() == WAITING {
                self.waiting.pop_front();
                self.reading.counts.dropped += 1;
            }
            self.reading.counts.waited += 1;
            self.waiting.push_back(std::mem::take(&mut self.current));
            return false;
        }
        if !learned || self.waiting.is_empty() {
            return true;
        }
        let (due, still): (VecDeque<Entry>, VecDeque<Entry>) =
            self.waiting.drain(..).partition(|entry| entry.markets.iter().any(|no| roster.is_known(*no)));
        self.waiting = still;
        if due.is_empty() {
            return true;
        }
        self.ready.extend(due);
        self.ready.iter_mut().for_each(|entry| entry.at_ns = self.now_ns);
        self.ready.push_back(std::mem::take(&mut self.current));
        false
    }
}

fn open(path: &Path, form: Form, roster: &mut Roster) -> Result<Box<dyn Source>, TapeError> {
    Ok(match form {
        Form::Frames => {
            roster.list_beside(path);
            Box::new(frames::Frames::open(path)?)
        }
        Form::Journal => Box::new(journal::Journal::open(path)?),
        Form::Table => Box::new(table::Changes::open(path)?),
        Form::Books => Box::new(books::Books::open(path)?),
    })
}
