//! Events into the ladder.

use oddsmith_domain::{
    AssetId, BookHealth, BookLevel, LevelChange, MarketBatch, MarketEvent, MarketSource, Outcome, Price, Shares, Side,
    SnapshotHeader, Tick, Time,
};

use crate::PairBook;
use crate::ladder::Slot;
use crate::pair::reflect;
use crate::publish::Stated;
use crate::ring::TradePrint;
use crate::text::{Facts, LastTrade};

/// A venue time further ahead of our wall clock than this is not believed: it would make everything that follows look old.
const AHEAD_MS: u64 = 3_600_000;
/// How long after its venue time a REST book may show what the stream has not delivered yet.
const REST_GRACE_MS: u64 = 2_000;

/// What an event did to the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Whether any of it was taken; false when all of it is older than what is known, or cannot be believed.
    pub fresh: bool,
    /// Levels whose size changed.
    pub changed: u32,
    /// Whether the snapshot's own hash was reproduced. Changes are checked later: [`PairBook::hash_counts`].
    pub hash: HashCheck,
    /// A REST book showed that updates were lost. The book has what REST said, and is dirty until another read agrees.
    pub difference: bool,
}

/// What became of a snapshot's hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashCheck {
    /// There was none.
    #[default]
    None,
    /// The snapshot reproduces it.
    Reproduced,
    /// The snapshot does not.
    Differs,
    /// Something that the hash covers is not known.
    Unverifiable,
}

impl PairBook {
    /// Applies any event of a batch that concerns this market; see the functions for each. `None` for events that leave the book
    /// alone.
    pub fn apply_event(
        &mut self,
        batch: &MarketBatch,
        event: &MarketEvent,
        now: Time,
        source: MarketSource,
    ) -> Option<Applied> {
        match event {
            MarketEvent::Snapshot(header) => {
                let (bids, asks) = (batch.bids(header), batch.asks(header));
                Some(self.apply_snapshot(header.asset.outcome(), header, bids, asks, now, source))
            }
            MarketEvent::Change(change) => Some(self.apply_change(change, now)),
            MarketEvent::LastTrade { asset, price, size, side, timestamp_ms } => {
                self.apply_trade(asset.outcome(), *price, *size, *side, *timestamp_ms, now);
                None
            }
            MarketEvent::TickChange { asset, tick, timestamp_ms } => {
                self.note_frame(asset.outcome(), now, *timestamp_ms, Some(source));
                self.tick_change(asset.outcome(), *tick);
                None
            }
            MarketEvent::BestBidAsk { asset, best_bid, best_ask, timestamp_ms } => {
                self.apply_best(*asset, *best_bid, *best_ask, *timestamp_ms, now);
                None
            }
            MarketEvent::Resolved { .. } => None,
        }
    }

    /// Applies one change of one level. Call [`PairBook::end_of_frame`] after the frame's last one.
    pub fn apply_change(&mut self, change: &LevelChange, now: Time) -> Applied {
        let outcome = change.asset.outcome();
        let micros = change.level.size.shares.micros();
        if micros < 0 || is_ahead(change.timestamp_ms, now) {
            return Applied::default();
        }
        let stamp = self.stamp(change.timestamp_ms);
        self.before_change(outcome, stamp, change.hash);
        self.note_frame(outcome, now, change.timestamp_ms, None);
        self.note_proof(outcome, now);
        let floor = self.floor;
        let (ladder, mirror) = self.side_mut(outcome, change.side);
        let price = reflect(change.level.price, mirror);
        let mut slot = *ladder.slot(price);
        if stamp < slot.stamp.max(floor) {
            return Applied::default();
        }
        let changed = slot.micros != micros;
        write(&mut slot, outcome, &change.level, stamp);
        ladder.set(price, slot);
        self.newest = self.newest.max(stamp);
        (self.streamed, self.whole_since) = (true, None);
        self.after_change(outcome, (stamp, change.timestamp_ms), change.hash, change.irregular_text, now);
        self.state_best(outcome, stamp, change.best_bid, change.best_ask);
        Applied { fresh: true, changed: u32::from(changed), ..Applied::default() }
    }

    /// Replaces the book by a snapshot, except where something newer is known, and publishes. The levels may come in any order.
    pub fn apply_snapshot(
        &mut self,
        outcome: Outcome,
        header: &SnapshotHeader,
        bids: &[BookLevel],
        asks: &[BookLevel],
        now: Time,
        source: MarketSource,
    ) -> Applied {
        if is_ahead(header.timestamp_ms, now) || bids.iter().chain(asks).any(|level| level.size.shares.is_negative()) {
            return Applied::default();
        }
        let stamp = self.stamp(header.timestamp_ms);
        if stamp > self.checks.batch_stamp {
            // A newer frame of the stream shows that the batch is complete; a newer answer by REST may have overtaken the rest.
            if source == MarketSource::Rest {
                self.finish_batch();
            } else {
                self.end_batch();
            }
        }
        for (scratch, levels) in self.scratch.iter_mut().zip([bids, asks]) {
            scratch.clear();
            scratch.extend_from_slice(levels);
            scratch.sort_unstable_by_key(|level| level.price);
        }
        let facts = self.facts_with(header);
        let hash = self.check_snapshot(outcome, header, &facts);
        let known_ms = self.times(outcome).timestamp_ms;
        let fresh = stamp >= self.floor;
        let changed = if fresh { self.merge(outcome, stamp) } else { 0 };
        // Older than what is known, it is not all of the ladder.
        let whole = fresh && stamp >= self.newest && hash == HashCheck::Reproduced;
        self.whole_since = if whole { Some(stamp) } else { self.whole_since.filter(|_| changed == 0) };
        if stamp >= self.facts_stamp {
            // A book that was read before the newest match was printed is right about itself, not about what came since.
            let last_trade = if stamp < self.trade_stamp { self.facts.last_trade } else { facts.last_trade };
            (self.facts, self.facts_stamp) = (Facts { last_trade, ..facts }, stamp);
        }
        if changed > 0 && stamp > self.checks.batch_stamp {
            self.published.resynced = true;
        }
        let late = now.wall_ms() >= header.timestamp_ms.saturating_add(REST_GRACE_MS);
        let filled = !matches!(self.health(outcome), BookHealth::Empty | BookHealth::Dirty);
        let difference = source == MarketSource::Rest
            && self.streamed
            && changed > 0
            && filled
            && (late || header.timestamp_ms <= known_ms);
        self.streamed |= source != MarketSource::Rest;
        self.checks.drop_capture_before(stamp);
        self.judge_snapshot(outcome, stamp, hash, difference, fresh);
        if fresh {
            self.checks.irregular[outcome.index()] = header.irregular_text;
        }
        // A read that is older than what is known shows that the venue answers, not that the book is right.
        if source != MarketSource::Rest || (fresh && changed == 0) || (!filled && fresh) {
            self.note_proof(outcome, now);
        }
        self.note_frame(outcome, now, header.timestamp_ms, Some(source));
        self.publish(now);
        Applied { fresh, changed, hash, difference }
    }

    /// Records a printed match; the book hash covers its price.
    pub fn apply_trade(
        &mut self,
        outcome: Outcome,
        price: Price,
        size: Shares,
        side: Side,
        timestamp_ms: u64,
        now: Time,
    ) {
        self.note_frame(outcome, now, timestamp_ms, None);
        self.note_proof(outcome, now);
        self.trades.push(TradePrint { at: now, timestamp_ms, outcome, price, size, side });
        if !is_ahead(timestamp_ms, now) {
            self.trade_stamp = self.stamp(timestamp_ms).max(self.trade_stamp);
        }
        let last_trade = LastTrade::At(price);
        if self.facts.last_trade != last_trade {
            self.checks.facts_will_change(self.facts);
            self.facts.last_trade = last_trade;
        }
    }

    /// Takes best prices that were stated on their own; they are compared at [`PairBook::end_of_frame`].
    pub fn apply_best(&mut self, asset: AssetId, best_bid: Price, best_ask: Price, timestamp_ms: u64, now: Time) {
        if is_ahead(timestamp_ms, now) {
            return;
        }
        let stamp = self.stamp(timestamp_ms);
        self.note_frame(asset.outcome(), now, timestamp_ms, None);
        self.note_proof(asset.outcome(), now);
        self.state_best(asset.outcome(), stamp, Some(best_bid), Some(best_ask));
    }

    /// The price grid changes, for both tokens: they are one market.
    pub fn tick_change(&mut self, _outcome: Outcome, tick: Tick) {
        if self.facts.tick != Some(tick) {
            self.checks.facts_will_change(self.facts);
            self.facts.tick = Some(tick);
            self.facts_stamp = self.facts_stamp.max(self.newest);
        }
    }

    /// The stamp of a venue time on the pair's clock.
    fn stamp(&mut self, timestamp_ms: u64) -> u32 {
        if let Some(shift) = self.epoch.shift_for(timestamp_ms) {
            self.shift_stamps(shift);
        }
        self.epoch.stamp(timestamp_ms)
    }

    #[cold]
    fn shift_stamps(&mut self, shift: u32) {
        self.bids.shift_stamps(shift);
        self.asks.shift_stamps(shift);
        self.checks.shift_stamps(shift);
        for stamp in [&mut self.floor, &mut self.newest, &mut self.facts_stamp, &mut self.trade_stamp] {
            *stamp = stamp.saturating_sub(shift);
        }
        for record in &mut self.records {
            record.shift_stamps(shift);
        }
        (self.stated, self.whole_since) = (None, None);
    }

    fn state_best(&mut self, outcome: Outcome, stamp: u32, bid: Option<Price>, ask: Option<Price>) {
        if (bid.is_none() && ask.is_none()) || self.stated.is_some_and(|stated| stamp < stated.stamp) {
            return;
        }
        let (bid, ask) = match outcome {
            Outcome::Yes => (bid, ask),
            Outcome::No => (ask.map(Price::complement), bid.map(Price::complement)),
        };
        self.stated = Some(Stated { by: outcome, stamp, bid, ask });
        self.checks.stated_seen = false;
    }

    /// What is known with what the snapshot states on top.
    pub(crate) fn facts_with(&self, header: &SnapshotHeader) -> Facts {
        Facts {
            tick: header.tick.or(self.facts.tick),
            min_size: header.min_size.or(self.facts.min_size),
            neg_risk: header.neg_risk.or(self.facts.neg_risk),
            last_trade: match (header.last_trade_stated, header.last_trade) {
                (true, Some(price)) => LastTrade::At(price),
                (true, None) => LastTrade::Never,
                (false, _) => self.facts.last_trade,
            },
            version_v2: header.version_v2,
        }
    }

    /// Compares a snapshot's hash with its own levels, which are sorted in the scratch memory.
    fn check_snapshot(&mut self, outcome: Outcome, header: &SnapshotHeader, facts: &Facts) -> HashCheck {
        let Some(expected) = header.hash else {
            return HashCheck::None;
        };
        if header.irregular_text {
            return HashCheck::Unverifiable;
        }
        let [bids, asks] = &self.scratch;
        let (bids, asks) = (bids.iter().copied(), asks.iter().rev().copied());
        match self.hasher.hash(outcome, header.timestamp_ms, facts, bids, asks) {
            Some(hash) if hash == expected => HashCheck::Reproduced,
            Some(_) => HashCheck::Differs,
            None => HashCheck::Unverifiable,
        }
    }

    fn judge_snapshot(&mut self, outcome: Outcome, stamp: u32, hash: HashCheck, difference: bool, fresh: bool) {
        let record = &mut self.records[outcome.index()];
        match hash {
            HashCheck::Differs => record.refuted(stamp),
            _ if difference => record.dirty(stamp),
            _ if !fresh => {}
            HashCheck::Reproduced => record.replaced_proven(stamp),
            HashCheck::None | HashCheck::Unverifiable => record.replaced_unproven(stamp),
        }
    }

    /// Brings the sorted levels of the scratch memory into the ladder, wherever nothing newer is known. Says how many levels
    /// changed their size.
    fn merge(&mut self, outcome: Outcome, stamp: u32) -> u32 {
        let floor = self.floor;
        let mut changed = 0;
        let scratch = std::mem::take(&mut self.scratch);
        for (levels, side) in scratch.iter().zip([Side::Buy, Side::Sell]) {
            let (ladder, mirror) = self.side_mut(outcome, side);
            let mut held = 0;
            for level in levels {
                let price = reflect(level.price, mirror);
                let mut slot = *ladder.slot(price);
                if slot.stamp.max(floor) <= stamp {
                    changed += u32::from(slot.micros != level.size.shares.micros());
                    write(&mut slot, outcome, level, stamp);
                    ladder.set(price, slot);
                    held += usize::from(slot.micros != 0);
                }
            }
            if ladder.count() == held && are_distinct(levels) {
                // Whatever rests on this side was written just now: there is nothing to remove.
                continue;
            }
            let mut next = ladder.lowest();
            while let Some(price) = next {
                next = ladder.above(price);
                let slot = *ladder.slot(price);
                let stated = levels.binary_search_by_key(&reflect(price, mirror), |level| level.price).is_ok();
                if !stated && slot.stamp.max(floor) <= stamp {
                    changed += 1;
                    ladder.set(price, Slot { micros: 0, stamp, ..slot });
                }
            }
        }
        self.scratch = scratch;
        self.floor = self.floor.max(stamp);
        self.newest = self.newest.max(stamp);
        changed
    }
}

/// Whether no price stands twice in sorted levels.
fn are_distinct(levels: &[BookLevel]) -> bool {
    levels.is_sorted_by(|one, next| one.price < next.price)
}

/// Writes what a token's frame states of a level. The other token's text is taken to be the same until it says otherwise.
fn write(slot: &mut Slot, outcome: Outcome, level: &BookLevel, stamp: u32) {
    let micros = level.size.shares.micros();
    if slot.micros == micros {
        slot.price_decimals[outcome.index()] = level.price_decimals;
        slot.size_decimals[outcome.index()] = level.size.decimals;
    } else {
        slot.price_decimals = [level.price_decimals; 2];
        slot.size_decimals = [level.size.decimals; 2];
    }
    slot.micros = micros;
    slot.stamp = stamp;
}

fn is_ahead(timestamp_ms: u64, now: Time) -> bool {
    now.wall_ns > 0 && timestamp_ms > now.wall_ms().saturating_add(AHEAD_MS)
}
