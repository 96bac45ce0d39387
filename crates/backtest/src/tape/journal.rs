//! The journal of a run of ours, as a recording of what it received.
//!
//! Only what came from outside without the run's doing is read: cards, market frames, connections, and the venue's word on how a
//! market was decided. What the run did, and what the venue answered to it, belongs to that run alone.

use std::path::{Path, PathBuf};

use oddsmith_domain::{Event, Input, Link, MarketId, Output, OutputBody};
use oddsmith_journal::{CodecError, Kind, Reader, decode_input, decode_output};

use super::entry::{Draft, What};
use super::{MarketNo, Reading, Roster, Source, TapeError};

/// A journal.
pub(super) struct Journal {
    dir: PathBuf,
    reader: Reader,
    /// The tape's numbers of the run's markets.
    markets: Vec<(MarketId, MarketNo)>,
}

impl Journal {
    pub(super) fn open(dir: &Path) -> Result<Journal, TapeError> {
        let failed = |source| TapeError::Journal { path: dir.display().to_string(), source };
        Ok(Journal { dir: dir.to_owned(), reader: Reader::open(dir).map_err(failed)?, markets: Vec::new() })
    }
}

impl Source for Journal {
    fn next(&mut self, draft: &mut Draft, reading: &mut Reading) -> Result<bool, TapeError> {
        loop {
            let record = self.reader.next();
            let record = match record {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(false),
                Err(source) => return Err(TapeError::Journal { path: self.dir.display().to_string(), source }),
            };
            let at = Some(record.head.time.wall_ns);
            let taken = match record.head.kind {
                Kind::CARD | Kind::MARKET | Kind::LINK | Kind::REFERENCE | Kind::TRUTH => {
                    decode_input(record.payload).map(|input| take(&input, at, draft, &mut reading.roster))
                }
                Kind::NUMBERED | Kind::RESOLVED => decode_output(record.payload)
                    .map(|output| told(&output, &mut self.markets, at, draft, &mut reading.roster)),
                _ => continue,
            };
            if taken.map_err(|source| undecodable(&self.dir, record.sequence, source))? {
                return Ok(true);
            }
        }
    }
}

fn undecodable(dir: &Path, record: u64, source: CodecError) -> TapeError {
    TapeError::Record { path: dir.display().to_string(), record, source }
}

/// Takes an input of the run; `false` for one that is nobody else's.
fn take(input: &Input<'_>, at: Option<u64>, draft: &mut Draft, roster: &mut Roster) -> bool {
    match input {
        Input::Market { source, bytes } => draft.frame(at, *source, bytes),
        Input::Card(card) => {
            let no = roster.state(card);
            draft.other(at, What::Card, Some(no));
        }
        Input::Link { link: link @ (Link::Market(_) | Link::Reference(_)), state } => {
            let input = Input::Link { link: *link, state: state.clone() };
            draft.other(at, What::Input(Box::new(input)), None);
        }
        Input::Reference(tick) => draft.other(at, What::Input(Box::new(Input::Reference(tick.clone()))), None),
        Input::Truth(report) => draft.other(at, What::Input(Box::new(Input::Truth(report.clone()))), None),
        _ => return false,
    }
    true
}

/// Takes what the run told: the numbers of its markets, and how they were decided.
fn told(
    output: &Output,
    markets: &mut Vec<(MarketId, MarketNo)>,
    at: Option<u64>,
    draft: &mut Draft,
    roster: &mut Roster,
) -> bool {
    let OutputBody::Event(event) = &output.body else { return false };
    match event {
        Event::Numbered { market, card } => {
            markets.push((*market, roster.state(card)));
            false
        }
        Event::Resolved { market, yes, .. } => match markets.iter().find(|(id, _)| id == market) {
            Some((_, no)) => {
                draft.other(at, What::Decided(*yes), Some(*no));
                true
            }
            None => false,
        },
        _ => false,
    }
}
