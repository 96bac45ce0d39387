//! The price of a coin outside of the venue: one path that every market of the coin is decided by, and that feeds tell.
//!
//! It moves ten times a second, by chance of its own, so that it is the same whoever trades. A quote is half a basis point wide.

use std::collections::VecDeque;

use oddsmith_domain::{PriceSource, ReferencePrice, ReferenceTick, Symbol};
use oddsmith_feeds::binance::BookTicker;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::core::Nanos;

use super::process::normal;

/// Between two moves.
pub(crate) const STEP_NS: Nanos = 100_000_000;
/// How much of the past is remembered: more than any average.
const REMEMBERED_NS: Nanos = 3_700_000_000_000;
const HALF_SPREAD: f64 = 0.000_025;
const SECOND: f64 = 1e9;

/// A coin's quote at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorldPrice {
    /// The coin.
    pub symbol: Symbol,
    /// The best bid.
    pub bid: ReferencePrice,
    /// The best ask.
    pub ask: ReferencePrice,
    /// The number of the move, rising.
    pub update: u64,
    /// When.
    pub at_ns: Nanos,
}

impl WorldPrice {
    /// As Binance would say it: the pair with USDT.
    #[must_use]
    pub fn ticker(&self) -> BookTicker {
        let symbol = format!("{}USDT", self.symbol.as_str().to_ascii_uppercase());
        BookTicker { symbol, update: self.update, bid: self.bid, ask: self.ask, event_ms: None }
    }

    /// As the engine takes it in.
    #[must_use]
    pub fn tick(&self) -> ReferenceTick {
        let WorldPrice { symbol, bid, ask, update, .. } = *self;
        ReferenceTick { symbol, source: PriceSource::Binance, bid, ask, update, source_wall_ms: None }
    }
}

/// The path of a coin's price.
#[derive(Clone, Debug)]
pub(crate) struct PricePath {
    symbol: Symbol,
    log_price: f64,
    volatility: f64,
    /// Each price until the next one, oldest first.
    past: VecDeque<(Nanos, f64)>,
    update: u64,
    /// Whether the last move was told.
    told: bool,
    rng: ChaCha8Rng,
}

impl PricePath {
    pub(crate) fn new(
        symbol: Symbol,
        price: f64,
        volatility: f64,
        (seed, stream): (u64, u64),
        now_ns: Nanos,
    ) -> PricePath {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let mut path = PricePath {
            symbol,
            log_price: libm::log(price.max(1e-9)),
            volatility,
            past: VecDeque::new(),
            update: 0,
            told: true,
            rng,
        };
        path.note(now_ns);
        path
    }

    pub(crate) fn symbol(&self) -> Symbol {
        self.symbol
    }

    pub(crate) fn price(&self) -> f64 {
        libm::exp(self.log_price)
    }

    /// Moves on by one step.
    pub(crate) fn step(&mut self, now_ns: Nanos) {
        self.log_price += self.volatility * libm::sqrt(STEP_NS as f64 / SECOND) * normal(&mut self.rng);
        self.note(now_ns);
    }

    /// Jumps, as news would make it.
    pub(crate) fn jump_to(&mut self, price: f64, now_ns: Nanos) {
        if price > 0.0 && price.is_finite() {
            self.log_price = libm::log(price);
            self.note(now_ns);
        }
    }

    fn note(&mut self, now_ns: Nanos) {
        self.past.push_back((now_ns, self.price()));
        while self.past.front().is_some_and(|(at, _)| now_ns.saturating_sub(*at) > REMEMBERED_NS) {
            self.past.pop_front();
        }
        self.update += 1;
        self.told = false;
    }

    /// The mean over a stretch of time; the first price that is remembered stands for all before it.
    pub(crate) fn mean(&self, from_ns: Nanos, to_ns: Nanos) -> f64 {
        let before = self.past.partition_point(|(at, _)| *at <= from_ns);
        let mut price = self.past.get(before.saturating_sub(1)).map_or_else(|| self.price(), |(_, price)| *price);
        let (mut sum, mut at) = (0.0, from_ns);
        for &(next, next_price) in self.past.range(before..).take_while(|(next, _)| *next < to_ns) {
            sum += price * (next - at) as f64;
            (price, at) = (next_price, next);
        }
        sum += price * to_ns.saturating_sub(at) as f64;
        if to_ns > from_ns { sum / (to_ns - from_ns) as f64 } else { price }
    }

    /// What decides a window at a boundary: the mean over so many seconds before it, or the last print.
    pub(crate) fn value_at(&self, at_ns: Nanos, average_s: u32) -> ReferencePrice {
        let length_ns = u64::from(average_s) * 1_000_000_000;
        ReferencePrice::nearest(self.mean(at_ns.saturating_sub(length_ns), at_ns)).unwrap_or_default()
    }

    /// The price as it is told, once for each move.
    pub(crate) fn tell(&mut self) -> Option<WorldPrice> {
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        let (at_ns, price) = *self.past.back()?;
        let cents = |price: f64| ReferencePrice::nearest(libm::round(price * 100.0) / 100.0);
        // Of a coin that is worth cents, the full price is told.
        let quote = |price: f64| cents(price).filter(|_| price > 10.0).or_else(|| ReferencePrice::nearest(price));
        let (bid, ask) = (quote(price * (1.0 - HALF_SPREAD))?, quote(price * (1.0 + HALF_SPREAD))?);
        Some(WorldPrice { symbol: self.symbol, bid, ask, update: self.update, at_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Nanos = 1_000_000_000;

    fn path(seed: u64) -> PricePath {
        PricePath::new(Symbol::new("btc").expect("a symbol"), 100.0, 0.0, (seed, 9), 10 * S)
    }

    #[test]
    fn means_are_weighted_by_time_and_the_first_price_stands_for_what_was_before() {
        let mut path = path(1);
        path.jump_to(110.0, 20 * S);
        path.jump_to(130.0, 30 * S);
        assert!((path.mean(10 * S, 30 * S) - 105.0).abs() < 1e-9);
        assert!((path.mean(0, 20 * S) - 100.0).abs() < 1e-9);
        assert!((path.mean(25 * S, 35 * S) - 120.0).abs() < 1e-9);
        assert_eq!(path.value_at(30 * S, 10).to_string(), "110");
        assert_eq!(path.value_at(30 * S, 0).to_string(), "130");
    }

    #[test]
    fn each_move_is_told_once_with_its_number() {
        let mut path = path(1);
        let first = path.tell().expect("where it began");
        assert_eq!(
            (first.bid.to_string(), first.ask.to_string(), first.update),
            ("100".to_owned(), "100".to_owned(), 1)
        );
        assert_eq!(path.tell(), None);
        path.step(11 * S);
        let ticker = path.tell().expect("a move").ticker();
        assert_eq!((ticker.symbol.as_str(), ticker.update), ("BTCUSDT", 2));
    }

    #[test]
    fn the_same_seed_gives_the_same_path() {
        let walk = |seed: u64| {
            let mut path = PricePath::new(Symbol::new("btc").expect("a symbol"), 100.0, 1e-3, (seed, 9), 0);
            (1..50).for_each(|n| path.step(n * STEP_NS));
            path.price()
        };
        assert!((walk(1) - walk(1)).abs() < 1e-12 && (walk(1) - walk(2)).abs() > 1e-6);
    }
}
