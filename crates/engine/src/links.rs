//! Connections that come and go; and books by REST when a market's connection cannot be had.
//!
//! A market whose connection is missing for a while is *degraded*: its books are read by REST every so often, and when two reads in
//! a row agree on the best prices it is quoted again, in caution, until a read disagrees or the connection is healthy.

use oddsmith_book::ShardProof;
use oddsmith_domain::{
    AssetId, DoubtCause, Event, Link, LinkState, MarketBatch, MarketEvent, MarketId, MarketSource, Outcome, Output,
    Price, ReadReason, Time, planted,
};

use crate::config::ns;
use crate::core::{Engine, Shard};
use crate::lifecycle::Life;
use crate::market::Market;

/// What a market without its connection lives on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reads {
    /// Since when its connection is missing, on the monotonic clock.
    missing_since: Option<u64>,
    /// Whether its books are read by REST.
    pub(crate) on: bool,
    /// When they are read next, on the monotonic clock.
    next_at: u64,
    /// The best prices of the last read of each token, and whether it agreed with the one before.
    last: [Option<(Top, bool)>; 2],
}

type Top = (Option<Price>, Option<Price>);

/// Whether two reads show the same best prices, within a tolerance.
fn agree(a: Top, b: Top, tolerance: u16) -> bool {
    let near = |a: Option<Price>, b: Option<Price>| match (a, b) {
        (Some(a), Some(b)) => a.units().abs_diff(b.units()) <= tolerance,
        (a, b) => a == b,
    };
    near(a.0, b.0) && near(a.1, b.1)
}

impl Market {
    /// The source that a frame counts as: of a degraded market REST is what the stream was.
    pub(crate) const fn source(&self, source: MarketSource) -> MarketSource {
        if self.reads.on { MarketSource::Shard(self.id.shard()) } else { source }
    }
}

impl Engine {
    pub(crate) fn on_link(&mut self, link: Link, state: &LinkState, now: Time, out: &mut Vec<Output>) {
        match (link, state) {
            (Link::Market(shard), LinkState::Up | LinkState::Alive) => {
                let known = self.shards.entry(shard).or_default();
                known.proof = ShardProof::Alive(now);
                let late = known.lag.late;
                for market in self.markets.iter_mut().filter(|m| m.id.shard() == shard) {
                    market.doubt.resolve(DoubtCause::MarketLink);
                    if !late {
                        market.doubt.resolve(DoubtCause::FeedLag);
                    }
                    if std::mem::take(&mut market.reads).on {
                        self.emit.event(out, Event::Degraded { market: market.id, on: false });
                    }
                }
            }
            (Link::Market(_), LinkState::Down(_) | LinkState::Silent) if planted!(SilenceIgnored) => {}
            (Link::Market(shard), LinkState::Down(_) | LinkState::Silent) => self.lose_shard(shard, state, now, out),
            // What was missed is read first: only then is the channel's doubt over.
            (Link::User, LinkState::Up) => {
                self.end_poll(out);
                if self.wallet.has(DoubtCause::UserLink) {
                    self.ask_for_account(now.mono_ns, ReadReason::Reconnect);
                }
            }
            (Link::User, LinkState::Down(_) | LinkState::Silent) => {
                self.doubt_wallet(DoubtCause::UserLink, now, out);
                self.begin_poll(now, out);
            }
            (Link::Reference(source), state) => self.on_reference_link(source, state, now, out),
            (Link::User, LinkState::Alive) | (Link::Orders, _) => {}
        }
    }

    /// A market that lives on REST reads has nothing more to lose: every failed attempt to connect is told again.
    fn lose_shard(&mut self, shard: u16, state: &LinkState, now: Time, out: &mut Vec<Output>) {
        let of_shard = || self.markets.iter().filter(|m| m.id.shard() == shard);
        let degraded = of_shard().any(|m| m.reads.on);
        let silent = *state == LinkState::Silent && !degraded;
        let proof = if silent { ShardProof::Silent } else { ShardProof::None };
        let ids: Vec<_> = of_shard().filter(|m| !m.reads.on).map(|m| m.id).collect();
        self.shards.insert(shard, Shard { proof, ..Shard::default() });
        for id in ids {
            if let Some(market) = self.markets.get_mut(id.index()) {
                market.book.reset();
            }
            self.doubt_market(id, DoubtCause::MarketLink, now, out);
        }
    }

    /// Looks for markets whose connection is missing for too long, and reads their books.
    pub(crate) fn watch_links(&mut self, now: Time, out: &mut Vec<Output>) {
        let (after, every) = (ns(self.config.doubt.degraded_after_ms), ns(self.config.doubt.degraded_poll_ms));
        if after == 0 {
            return;
        }
        for n in 0..self.markets.count() {
            let Some(market) = self.markets.nth_mut(n) else { continue };
            let id = market.id;
            let alive = matches!(self.shards.get(&id.shard()).map(|s| s.proof), Some(ShardProof::Alive(_)));
            if alive || market.life != Life::Open || market.unsubscribed {
                market.reads.missing_since = None;
                continue;
            }
            let since = *market.reads.missing_since.get_or_insert(now.mono_ns);
            if now.mono_ns.saturating_sub(since) < after {
                continue;
            }
            if !market.reads.on {
                market.reads.on = true;
                self.begin_reads(id, now, out);
            }
            let Some(market) = self.markets.get_mut(id.index()) else { continue };
            if now.mono_ns >= market.reads.next_at {
                market.reads.next_at = now.mono_ns.saturating_add(every);
                for outcome in Outcome::BOTH {
                    self.fetch_book(id.asset(outcome), now, out);
                }
            }
        }
    }

    /// Nothing is quoted until two reads agree.
    fn begin_reads(&mut self, id: MarketId, now: Time, out: &mut Vec<Output>) {
        if let Some(shard) = self.shards.get_mut(&id.shard()) {
            shard.proof = ShardProof::None;
        }
        if let Some(market) = self.markets.get_mut(id.index()) {
            market.book.reset();
        }
        self.emit.event(out, Event::Degraded { market: id, on: true });
        self.doubt_market(id, DoubtCause::MarketLink, now, out);
    }

    /// Compares the books that were read of degraded markets with the reads before.
    pub(crate) fn compare_reads(
        &mut self,
        source: MarketSource,
        batch: &MarketBatch,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        if source != MarketSource::Rest {
            return;
        }
        for event in &batch.events {
            if let MarketEvent::Snapshot(header) = event {
                self.compare_read(header.asset, now, out);
            }
        }
    }

    fn compare_read(&mut self, asset: AssetId, now: Time, out: &mut Vec<Output>) {
        let ticks = self.config.doubt.degraded_tolerance_ticks;
        let Some(market) = self.markets.get_mut(asset.market().index()).filter(|m| m.reads.on) else { return };
        let outcome = asset.outcome();
        let top = (market.book.best_bid(outcome).map(|t| t.price), market.book.best_ask(outcome).map(|t| t.price));
        let tolerance = market.card.tick.map_or(0, |tick| tick.units()).saturating_mul(ticks);
        let last = &mut market.reads.last[outcome.index()];
        let agrees = last.is_some_and(|(before, _)| agree(before, top, tolerance));
        *last = Some((top, agrees));
        if market.reads.last.iter().all(|read| read.is_some_and(|(_, agrees)| agrees)) {
            market.doubt.resolve(DoubtCause::MarketLink);
        } else if !agrees {
            self.doubt_market(asset.market(), DoubtCause::MarketLink, now, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_agree_within_the_tolerance_and_never_when_a_side_is_missing() {
        let price = |units| Price::from_units(units);
        let top = (price(4_800), price(5_200));
        for (other, tolerance, same) in [
            (top, 0, true),
            ((price(4_900), price(5_200)), 0, false),
            ((price(4_900), price(5_100)), 100, true),
            ((price(4_900), price(5_001)), 100, false),
            ((None, price(5_200)), 100, false),
        ] {
            assert_eq!(agree(top, other, tolerance), same, "{other:?}");
        }
        assert!(agree((None, None), (None, None), 0));
    }
}
