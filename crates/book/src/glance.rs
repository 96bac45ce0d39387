//! A book in a few numbers, for who writes down many of them.

use oddsmith_domain::{Outcome, Shares, Side};

use crate::PairBook;
use crate::pair::Top;

/// Levels of a side that count for its depth.
pub const DEPTH_LEVELS: usize = 5;

/// The best prices of a token, and how much rests near them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// The best bid.
    pub bid: Option<Top>,
    /// The best ask.
    pub ask: Option<Top>,
    /// Shares on the best [`DEPTH_LEVELS`] levels of the bids.
    pub bid_depth: Shares,
    /// Shares on the best [`DEPTH_LEVELS`] levels of the asks.
    pub ask_depth: Shares,
}

impl Glance {
    /// From the best bid to the best ask, in units of 0.0001 dollars; `None` without one of them.
    #[must_use]
    pub fn spread_units(&self) -> Option<i32> {
        let (bid, ask) = (self.bid?, self.ask?);
        Some(i32::from(ask.price.units()) - i32::from(bid.price.units()))
    }

    /// Shares bid for each share offered; `None` when nothing is offered.
    #[must_use]
    pub fn depth_ratio(&self) -> Option<f64> {
        self.ask_depth.is_positive().then(|| self.bid_depth.to_f64() / self.ask_depth.to_f64())
    }
}

impl PairBook {
    /// The book of one token in a few numbers. Nothing but zeros while it is crossed.
    #[must_use]
    pub fn glance(&self, outcome: Outcome) -> Glance {
        let depth = |side| self.levels(outcome, side).take(DEPTH_LEVELS).map(|level| level.size).sum();
        let top = |side| {
            let best = self.levels(outcome, side).next();
            best.map(|level| Top { price: level.price, size: level.size })
        };
        Glance { bid: top(Side::Buy), ask: top(Side::Sell), bid_depth: depth(Side::Buy), ask_depth: depth(Side::Sell) }
    }
}
