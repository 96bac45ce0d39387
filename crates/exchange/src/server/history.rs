//! Prices that were traded, for charts: a bounded ring per token.

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{AssetId, MarketId, Outcome, Price, Shares, Side};

use crate::core::PublicEvent;

/// Points that are kept per token.
const MOST_POINTS: usize = 5_000;

/// A traded price and when, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) at_ms: u64,
    pub(super) price: Price,
}

/// A match as it was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print {
    pub(super) at_ms: u64,
    pub(super) outcome: Outcome,
    pub(super) side: Side,
    pub(super) price: Price,
    pub(super) size: Shares,
}

/// Prints that are kept per market.
const MOST_PRINTS: usize = 100;

/// The rings of all tokens and markets.
#[derive(Debug, Default)]
pub(super) struct History {
    points: BTreeMap<AssetId, VecDeque<Point>>,
    prints: BTreeMap<MarketId, VecDeque<Print>>,
}

impl History {
    /// Takes note of a match: a price of one token is one of the other, too.
    pub(super) fn note(&mut self, event: &PublicEvent) {
        let PublicEvent::LastTrade { market, outcome, price, size, side, timestamp_ms } = event else {
            return;
        };
        let prints = self.prints.entry(*market).or_default();
        prints.truncate(MOST_PRINTS - 1);
        prints.push_front(Print { at_ms: *timestamp_ms, outcome: *outcome, side: *side, price: *price, size: *size });
        for (outcome, price) in [(*outcome, *price), (outcome.complement(), price.complement())] {
            let ring = self.points.entry(market.asset(outcome)).or_default();
            if ring.len() == MOST_POINTS {
                ring.pop_front();
            }
            ring.push_back(Point { at_ms: *timestamp_ms, price });
        }
    }

    /// The latest matches of a market, newest first.
    pub(super) fn prints(&self, market: MarketId) -> impl Iterator<Item = &Print> {
        self.prints.get(&market).into_iter().flatten()
    }

    /// The points of a token between two times, one per `step_ms` at most: the last of each step.
    pub(super) fn between(&self, asset: AssetId, from_ms: u64, to_ms: u64, step_ms: u64) -> Vec<Point> {
        let mut thinned: Vec<Point> = Vec::new();
        let step_ms = step_ms.max(1);
        for point in self.points.get(&asset).into_iter().flatten() {
            if point.at_ms < from_ms || point.at_ms > to_ms {
                continue;
            }
            match thinned.last_mut() {
                Some(last) if last.at_ms / step_ms == point.at_ms / step_ms => *last = *point,
                _ => thinned.push(*point),
            }
        }
        thinned
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{MarketId, Outcome, Shares, Side};

    use super::*;

    #[test]
    fn both_tokens_have_a_bounded_history() {
        let mut history = History::default();
        for ms in 0..(MOST_POINTS as u64 + 10) {
            history.note(&PublicEvent::LastTrade {
                market: MarketId(1),
                outcome: Outcome::Yes,
                price: Price::from_units(4_000).expect("a price"),
                size: Shares::LOT,
                side: Side::Buy,
                timestamp_ms: ms,
            });
        }
        let yes = history.between(MarketId(1).asset(Outcome::Yes), 0, u64::MAX, 1);
        let no = history.between(MarketId(1).asset(Outcome::No), 0, u64::MAX, 1_000);
        assert_eq!((yes.len(), yes[0].at_ms), (MOST_POINTS, 10));
        assert!(no.iter().all(|point| point.price.units() == 6_000) && no.len() == 6);
    }
}
