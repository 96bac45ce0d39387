//! An immutable picture of a book, for readers on other threads.

use oddsmith_domain::{BookHealth, ConditionId, Outcome, Shares, Side, Tick, Time};

use crate::fresh::Times;
use crate::pair::{Level, PairBook, Top};
use crate::ring::TradePrint;
use crate::signal;

/// A book as it stood at one moment. It never changes; a newer one replaces it by swapping one reference.
#[derive(Clone, Debug, PartialEq)]
pub struct BookView {
    /// The market.
    pub condition: ConditionId,
    /// The price grid.
    pub tick: Option<Tick>,
    /// The smallest order.
    pub min_size: Option<Shares>,
    /// How often the published top had changed: it grows with every newer view.
    pub version: u64,
    /// The health of both tokens' views.
    pub health: [BookHealth; 2],
    /// What was learned of both tokens, and when.
    pub times: [Times; 2],
    /// Bids for YES, best first. As prices of NO they are its asks.
    pub bids: Vec<Level>,
    /// Asks for YES, best first.
    pub asks: Vec<Level>,
    /// Whether the book was crossed; it has no levels then.
    pub crossed: bool,
    /// The last printed trade.
    pub last_trade: Option<TradePrint>,
    /// Order-flow imbalance of YES in millionths of a share since the book was made.
    pub ofi_micros: i64,
}

impl BookView {
    /// The best bid for a token.
    #[must_use]
    pub fn best_bid(&self, outcome: Outcome) -> Option<Top> {
        self.levels(outcome, Side::Buy).next().map(|level| Top { price: level.price, size: level.size })
    }

    /// The best ask for a token.
    #[must_use]
    pub fn best_ask(&self, outcome: Outcome) -> Option<Top> {
        self.levels(outcome, Side::Sell).next().map(|level| Top { price: level.price, size: level.size })
    }

    /// The levels of a token's side, best first.
    pub fn levels(&self, outcome: Outcome, side: Side) -> impl Iterator<Item = Level> + '_ {
        let mirror = outcome == Outcome::No;
        let levels = if (side == Side::Buy) != mirror { &self.bids } else { &self.asks };
        levels.iter().map(move |level| Level { price: crate::pair::reflect(level.price, mirror), ..*level })
    }

    /// The middle of a token's spread in dollars; `None` when a side is empty.
    #[must_use]
    pub fn mid(&self, outcome: Outcome) -> Option<f64> {
        Some(signal::mid(self.best_bid(outcome)?, self.best_ask(outcome)?))
    }

    /// The token's micro-price in dollars; `None` when a side is empty.
    #[must_use]
    pub fn micro_price(&self, outcome: Outcome) -> Option<f64> {
        Some(signal::micro_price(self.best_bid(outcome)?, self.best_ask(outcome)?))
    }

    /// Nanoseconds since the last frame for a token; `None` when there was none.
    #[must_use]
    pub fn age_ns(&self, outcome: Outcome, now: Time) -> Option<u64> {
        self.times[outcome.index()].last_frame.map(|at| now.since(at))
    }
}

impl PairBook {
    /// A picture of the book with all its levels. Allocates: for readers outside, not for the way of a tick.
    #[must_use]
    pub fn snapshot(&self) -> BookView {
        BookView {
            condition: self.condition,
            tick: self.facts.tick,
            min_size: self.facts.min_size,
            version: self.published.version,
            health: Outcome::BOTH.map(|outcome| self.health(outcome)),
            times: self.times,
            bids: self.levels(Outcome::Yes, Side::Buy).collect(),
            asks: self.levels(Outcome::Yes, Side::Sell).collect(),
            crossed: self.published.crossed,
            last_trade: self.last_trade().copied(),
            ofi_micros: self.published.ofi_micros,
        }
    }

    /// The middle of a token's published spread in dollars; `None` when a side is empty or the book is crossed.
    #[must_use]
    pub fn mid(&self, outcome: Outcome) -> Option<f64> {
        Some(signal::mid(self.best_bid(outcome)?, self.best_ask(outcome)?))
    }

    /// The token's micro-price in dollars; `None` when a side is empty or the book is crossed.
    #[must_use]
    pub fn micro_price(&self, outcome: Outcome) -> Option<f64> {
        Some(signal::micro_price(self.best_bid(outcome)?, self.best_ask(outcome)?))
    }

    /// Imbalance of the best `depth` levels of a token, -1 … 1.
    #[must_use]
    pub fn imbalance(&self, outcome: Outcome, depth: usize) -> f64 {
        let sum = |side| self.levels(outcome, side).take(depth).map(|level| level.size).sum::<Shares>();
        signal::imbalance(sum(Side::Buy), sum(Side::Sell))
    }

    /// Order-flow imbalance of a token since the book was made. Steps across a snapshot are left out. The difference of two
    /// readings, or of two samples of [`PairBook::mids`], is the imbalance of the time between them.
    #[must_use]
    pub fn ofi(&self, outcome: Outcome) -> Shares {
        let yes = Shares::from_micros(self.published.ofi_micros);
        if outcome == Outcome::Yes { yes } else { -yes }
    }
}
