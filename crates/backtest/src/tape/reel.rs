//! A tape laid out in memory: read once, for all who run over it.

use std::path::PathBuf;

use oddsmith_domain::{MarketBatch, MarketId};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;

use super::entry::{Entry, MarketNo, What};
use super::roster::Known;
use super::{Assumptions, Form, Roster, Tape, TapeError};

/// A tape in memory, with its frames decoded. It can be run through by many at once, and says the same as the tape.
pub struct Reel {
    assumptions: Assumptions,
    entries: Vec<(Entry, Option<MarketBatch>)>,
    /// What was learned of markets, and before which entry.
    learned: Vec<(usize, MarketNo, Known)>,
}

/// One entry, and what is known when it is there.
pub(crate) struct Moment<'m> {
    pub(crate) entry: &'m Entry,
    pub(crate) roster: &'m Roster,
    /// What its frame says, with every market under the tape's own number ([`as_market`]): only of a frame in which nothing is strange
    /// and every token is known.
    pub(crate) decoded: Option<&'m MarketBatch>,
}

/// Whatever hands out entries in order.
pub(crate) trait Moments {
    /// The next one; `None` at the end.
    fn next_moment(&mut self) -> Result<Option<Moment<'_>>, TapeError>;
}

impl Moments for Tape {
    fn next_moment(&mut self) -> Result<Option<Moment<'_>>, TapeError> {
        Ok(self.next_with_roster()?.map(|(entry, roster)| Moment { entry, roster, decoded: None }))
    }
}

/// The number under which a decoded frame names a market.
pub(crate) const fn as_market(no: MarketNo) -> MarketId {
    MarketId(no.0)
}

impl Reel {
    /// Reads recordings to their end; `None` when that would take more than about so many bytes of memory. `watch` is told how many
    /// entries were read.
    ///
    /// # Errors
    /// [`TapeError`] when a recording cannot be read.
    pub fn lay_out(
        recordings: &[(PathBuf, Form)],
        assumptions: Assumptions,
        most_bytes: usize,
        watch: &mut dyn FnMut(u64),
    ) -> Result<Option<Reel>, TapeError> {
        let mut tape = Tape::open(recordings, assumptions)?;
        tape.remember();
        let mut reel = Reel { assumptions, entries: Vec::new(), learned: Vec::new() };
        let (mut table, mut decoder) = (AssetTable::new(), MarketDecoder::new());
        let mut bytes = 0;
        while let Some(entry) = tape.next()? {
            let entry = entry.clone();
            for (no, known) in tape.take_learned() {
                if let Some((card, _)) = tape.roster().card(no) {
                    table.insert(as_market(no), &card);
                }
                reel.learned.push((reel.entries.len(), no, known));
            }
            let batch = decode(&entry, &table, &mut decoder);
            bytes += weight(&entry, batch.as_ref());
            if bytes > most_bytes {
                return Ok(None);
            }
            reel.entries.push((entry, batch));
            watch(1);
        }
        Ok(Some(reel))
    }

    /// Runs through it from its beginning.
    pub(crate) fn play(&self) -> Play<'_> {
        Play { reel: self, roster: Roster::new(self.assumptions), at: 0, learned: 0 }
    }
}

fn decode(entry: &Entry, table: &AssetTable, decoder: &mut MarketDecoder) -> Option<MarketBatch> {
    let What::Frame(_) = entry.what else { return None };
    let mut batch = MarketBatch::default();
    let report = decoder.decode(table, &entry.bytes, &mut batch);
    let strange = report.undecodable + report.unknown_events + report.unknown_fields + report.unknown_assets;
    batch.events.shrink_to_fit();
    batch.levels.shrink_to_fit();
    (strange == 0).then_some(batch)
}

/// About how much memory an entry takes.
fn weight(entry: &Entry, batch: Option<&MarketBatch>) -> usize {
    let batch = batch.map_or(0, |batch| size_of_val(&*batch.events) + size_of_val(&*batch.levels));
    size_of::<(Entry, Option<MarketBatch>)>() + entry.bytes.len() + size_of_val(&*entry.markets) + batch
}

/// Somebody's way through a [`Reel`].
pub(crate) struct Play<'r> {
    reel: &'r Reel,
    roster: Roster,
    at: usize,
    learned: usize,
}

impl Moments for Play<'_> {
    fn next_moment(&mut self) -> Result<Option<Moment<'_>>, TapeError> {
        let Some((entry, decoded)) = self.reel.entries.get(self.at) else { return Ok(None) };
        while let Some((_, no, known)) = self.reel.learned.get(self.learned).filter(|(at, ..)| *at <= self.at) {
            self.roster.relearn(*no, known);
            self.learned += 1;
        }
        self.at += 1;
        Ok(Some(Moment { entry, roster: &self.roster, decoded: decoded.as_ref() }))
    }
}
