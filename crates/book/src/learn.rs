//! Facts that nobody stated, found by the proof that they are right.

use oddsmith_domain::{BookLevel, Outcome, Price, Shares, SnapshotHeader, Tick};

use crate::PairBook;
use crate::text::{Facts, LastTrade};

/// Minimum sizes that the venue uses, the usual ones first.
const MIN_SIZES: [i64; 8] =
    [5_000_000, 15_000_000, 1_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000, 100_000];
/// Ticks that the venue uses, the usual ones first.
const TICKS: [Tick; 6] =
    [Tick::Cent, Tick::Thousandth, Tick::TenThousandth, Tick::HalfCent, Tick::QuarterCent, Tick::Tenth];

impl PairBook {
    /// Tries what the venue usually uses for the facts that neither a card nor this snapshot states, until the snapshot's hash is
    /// reproduced. That is no guess: the hash covers the facts, and a match proves them. Says whether they are known now.
    ///
    /// For recordings, which come without cards. It computes up to some thousand hashes.
    pub fn learn_facts(
        &mut self,
        outcome: Outcome,
        header: &SnapshotHeader,
        bids: &[BookLevel],
        asks: &[BookLevel],
    ) -> bool {
        let Some(expected) = header.hash.filter(|_| !header.irregular_text) else {
            return false;
        };
        let known = self.facts_with(header);
        let [mut bids, mut asks] = [bids.to_vec(), asks.to_vec()];
        bids.sort_by_key(|level| level.price);
        asks.sort_by_key(|level| std::cmp::Reverse(level.price));
        for facts in candidates(known) {
            let (bids, asks) = (bids.iter().copied(), asks.iter().copied());
            if self.hasher.hash(outcome, header.timestamp_ms, &facts, bids, asks) == Some(expected) {
                self.facts = facts;
                return true;
            }
        }
        false
    }
}

/// Every combination of the unknown facts. An unknown last trade multiplies them by a thousand, so that then only the usual
/// minimum size is tried.
fn candidates(known: Facts) -> impl Iterator<Item = Facts> {
    let trade_known = known.last_trade != LastTrade::Unknown;
    let ticks = known.tick.map_or(TICKS.to_vec(), |tick| vec![tick]);
    let sizes: Vec<Shares> = match known.min_size {
        Some(size) => vec![size],
        None => MIN_SIZES
            .iter()
            .take(if trade_known { MIN_SIZES.len() } else { 1 })
            .map(|m| Shares::from_micros(*m))
            .collect(),
    };
    let risks = known.neg_risk.map_or(vec![false, true], |neg_risk| vec![neg_risk]);
    let trades: Vec<LastTrade> = if trade_known {
        vec![known.last_trade]
    } else {
        let prices = (1..1_000).filter_map(|thousandth| Price::from_units(thousandth * 10));
        std::iter::once(LastTrade::Never).chain(prices.map(LastTrade::At)).collect()
    };
    let mut all = Vec::new();
    for &tick in ticks.iter().take(if trade_known { TICKS.len() } else { 2 }) {
        for &min_size in &sizes {
            for &neg_risk in &risks {
                all.extend(trades.iter().map(|&last_trade| Facts {
                    tick: Some(tick),
                    min_size: Some(min_size),
                    neg_risk: Some(neg_risk),
                    last_trade,
                    ..known
                }));
            }
        }
    }
    all.into_iter()
}
