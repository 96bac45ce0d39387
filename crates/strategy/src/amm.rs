//! A concentrated-liquidity ladder, as an automated market maker would quote it (systems 1.5).
//!
//! For each token with price `p` the ladder reaches `depth` up and down, within `p_min … p_max`:
//!
//! ```text
//! p_l = max(p - depth, p_min), p_u = min(p + depth, p_max)
//! buys at p - spread, then every delta down to p_l; sells at p + spread, then every delta up to p_u
//! sold from p to t, holding x tokens:    L = x / (1/sqrt(p) - 1/sqrt(p_u)), S(t) = L/sqrt(p_u) - L/sqrt(t) + x
//! bought from p to t, with y dollars:    L = y / (sqrt(p) - sqrt(p_l)),     S(t) = L (1/sqrt(t) - 1/sqrt(p))
//! a level's size is S(its price) - S(the price before it), floored to 0.01 shares
//! ```
//!
//! The dollars are split so that the best bid of a token and the best ask of its complement have one size together on both sides:
//! `cost_a = (sell_a - sell_b + T phi_b) / (phi_a + phi_b)`, with `phi = (1/sqrt(best buy) - 1/sqrt(p)) / (sqrt(p) - sqrt(p_l))`.
//!
//! Unlike the original, a price near `p_min` or `p_max` gives a one-sided ladder and one beyond them an empty one, the grid and the smallest size are
//! the market's own, and dollars in own bids of either token are counted once.

use arrayvec::ArrayVec;
use oddsmith_domain::{DesiredQuote, Mode, Outcome, Price, Reason, Route, Shares, Side, Tick, Usdc};
use serde::{Deserialize, Serialize};

use crate::config::ParameterError;
use crate::{Decision, LadderPrice, MarketView, Rest, Strategy, View, Working};

/// The strategy's name.
pub const NAME: &str = "amm";

/// The most levels of one side of one token.
const MAX_LEVELS: usize = 64;

/// The parameters, under the names of the original's JSON file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// No level below this price, in dollars. 0.0001 … `p_max`.
    pub p_min: f64,
    /// No level above this price, in dollars. `p_min` … 0.9999.
    pub p_max: f64,
    /// Distance of the first level from the price, in dollars. 0.0001 … 0.5, less than `depth`.
    pub spread: f64,
    /// Distance of each level from the one before it, in dollars. 0.0001 … 0.5.
    pub delta: f64,
    /// Distance of the farthest level from the price, in dollars. 0.0001 … 1.
    pub depth: f64,
    /// The most dollars in bids of both tokens. 0 … 1000000.
    pub max_collateral: f64,
    /// No order smaller than this many shares; the market's own minimum when that is larger. 0 … 1000000.
    pub min_size: f64,
    /// How far the price is moved against each net share of inventory, in dollars. 0 … 0.1; 0 is the original.
    pub inventory_skew: f64,
    /// No quotes when the book was proven current longer ago than this, in milliseconds. 1 … 600000.
    pub max_book_age_ms: u64,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            p_min: 0.05,
            p_max: 0.95,
            spread: 0.01,
            delta: 0.01,
            depth: 0.1,
            max_collateral: 200.0,
            min_size: 15.0,
            inventory_skew: 0.0,
            max_book_age_ms: 2_000,
        }
    }
}

impl Parameters {
    /// Checks every parameter against the range that its documentation states.
    ///
    /// # Errors
    /// The first one outside its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        ParameterError::check(&[
            ("p_min", self.p_min, 0.0001, self.p_max, "0.0001 … p_max"),
            ("p_max", self.p_max, self.p_min, 0.9999, "p_min … 0.9999"),
            ("spread", self.spread, 0.0001, 0.5, "0.0001 … 0.5"),
            ("delta", self.delta, 0.0001, 0.5, "0.0001 … 0.5"),
            ("depth", self.depth, 0.0001, 1.0, "0.0001 … 1"),
            ("max_collateral", self.max_collateral, 0.0, 1e6, "0 … 1000000"),
            ("min_size", self.min_size, 0.0, 1e6, "0 … 1000000"),
            ("inventory_skew", self.inventory_skew, 0.0, 0.1, "0 … 0.1"),
            ("max_book_age_ms", self.max_book_age_ms as f64, 1.0, 600_000.0, "1 … 600000"),
        ])?;
        if self.spread >= self.depth {
            return Err(ParameterError { name: "spread", value: self.spread.to_string(), range: "less than `depth`" });
        }
        Ok(())
    }
}

/// One level of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The token.
    pub outcome: Outcome,
    /// The side.
    pub side: Side,
    /// The price, on the market's grid.
    pub price: Price,
    /// The size in whole lots; may be below any minimum.
    pub size: Shares,
}

/// What the ladder is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LadderInput {
    /// The price of YES, on the grid.
    pub price: Price,
    /// The grid.
    pub tick: Tick,
    /// Tokens held, by outcome.
    pub tokens: [Shares; 2],
    /// Dollars, those in own bids included.
    pub collateral: Usdc,
}

/// The prices of one token's levels.
struct Rungs {
    p: f64,
    low: f64,
    high: f64,
    buys: ArrayVec<Price, MAX_LEVELS>,
    sells: ArrayVec<Price, MAX_LEVELS>,
}

impl Rungs {
    fn new(parameters: &Parameters, price: Price, tick: Tick) -> Rungs {
        let p = price.to_f64();
        let on_grid = |value: f64| tick.nearest(value.clamp(0.0, 1.0)).unwrap_or(Price::ZERO);
        let low = on_grid((p - parameters.depth).max(parameters.p_min));
        let high = on_grid((p + parameters.depth).min(parameters.p_max));
        let mut rungs =
            Rungs { p, low: low.to_f64(), high: high.to_f64(), buys: ArrayVec::new(), sells: ArrayVec::new() };
        if !(parameters.p_min..=parameters.p_max).contains(&p) {
            return rungs;
        }
        let mut at = on_grid(p - parameters.spread);
        while at >= low && tick.admits(at) && rungs.buys.try_push(at).is_ok() {
            let next = on_grid(at.to_f64() - parameters.delta);
            // A step finer than the grid is one step of the grid.
            at = next.min(at.saturating_add_units(-i32::from(tick.units())));
        }
        let mut at = on_grid(p + parameters.spread);
        while at <= high && tick.admits(at) && rungs.sells.try_push(at).is_ok() {
            let next = on_grid(at.to_f64() + parameters.delta);
            at = next.max(at.saturating_add_units(i32::from(tick.units())));
        }
        // A spread finer than the grid must not put both sides on the price itself.
        rungs.buys.retain(|buy| *buy < price);
        rungs.sells.retain(|sell| *sell > price);
        rungs
    }

    /// Shares sold when the price rises to each level, level by level.
    fn sell_sizes(&self, tokens: f64) -> ArrayVec<Shares, MAX_LEVELS> {
        let (p, high) = (libm::sqrt(self.p), libm::sqrt(self.high));
        let liquidity = tokens / (1.0 / p - 1.0 / high);
        steps(&self.sells, |t| liquidity / high - liquidity / libm::sqrt(t) + tokens)
    }

    /// Shares bought when the price falls to each level, level by level.
    fn buy_sizes(&self, dollars: f64) -> ArrayVec<Shares, MAX_LEVELS> {
        let p = libm::sqrt(self.p);
        let liquidity = dollars / (p - libm::sqrt(self.low));
        steps(&self.buys, |t| liquidity * (1.0 / libm::sqrt(t) - 1.0 / p))
    }

    /// Shares of the best bid for each dollar in the ladder; `None` when there is no bid.
    fn phi(&self) -> Option<f64> {
        let best = self.buys.first()?.to_f64();
        let p = libm::sqrt(self.p);
        Some(1.0 / (p - libm::sqrt(self.low)) * (1.0 / libm::sqrt(best) - 1.0 / p))
    }
}

/// The differences of a cumulative size from level to level.
fn steps(prices: &[Price], cumulative: impl Fn(f64) -> f64) -> ArrayVec<Shares, MAX_LEVELS> {
    let mut before = 0.0;
    prices
        .iter()
        .map(|price| {
            let upto = cumulative(price.to_f64());
            Shares::floor_from(upto - std::mem::replace(&mut before, upto))
        })
        .collect()
}

/// How many dollars go into the bids of each token, floored to cents.
fn allocate(total: f64, best_sell: [f64; 2], phi: [Option<f64>; 2]) -> [f64; 2] {
    let [a, b] = match phi {
        [Some(phi_a), Some(phi_b)] => {
            let a = ((best_sell[0] - best_sell[1] + total * phi_b) / (phi_a + phi_b)).clamp(0.0, total);
            [a, total - a]
        }
        [Some(_), None] => [total, 0.0],
        [None, Some(_)] => [0.0, total],
        [None, None] => [0.0, 0.0],
    };
    [a, b].map(|dollars| (dollars * 100.0).floor() / 100.0)
}

/// The whole ladder of both tokens: sells of YES and NO, then buys of YES and NO, each from the price outwards.
#[must_use]
pub fn ladder(parameters: &Parameters, input: &LadderInput) -> Vec<Level> {
    let prices = [input.price, input.price.complement()];
    let rungs = prices.map(|price| Rungs::new(parameters, price, input.tick));
    let mut levels = Vec::new();
    let mut best_sell = [0.0; 2];
    for outcome in Outcome::BOTH {
        let i = outcome.index();
        let sizes = rungs[i].sell_sizes(input.tokens[i].to_f64());
        best_sell[i] = sizes.first().map_or(0.0, |size| size.to_f64());
        let side = Side::Sell;
        levels.extend(rungs[i].sells.iter().zip(sizes).map(|(&price, size)| Level { outcome, side, price, size }));
    }
    let total = input.collateral.to_f64().min(parameters.max_collateral).max(0.0);
    let dollars = allocate(total, best_sell, [rungs[0].phi(), rungs[1].phi()]);
    for outcome in Outcome::BOTH {
        let i = outcome.index();
        let sizes = rungs[i].buy_sizes(dollars[i]);
        let side = Side::Buy;
        levels.extend(rungs[i].buys.iter().zip(sizes).map(|(&price, size)| Level { outcome, side, price, size }));
    }
    levels
}

/// An instance of the strategy.
#[derive(Debug)]
pub struct Amm {
    parameters: Parameters,
}

impl Amm {
    /// An instance with checked parameters.
    #[must_use]
    pub fn new(parameters: Parameters) -> Amm {
        Amm { parameters }
    }

    fn evaluate_market(&self, view: &View<'_>, market: &MarketView<'_>, rest: &mut Rest) {
        let p = &self.parameters;
        let LadderPrice { tick, price, is_skewed } = match market.ladder_price(p.max_book_age_ms, p.inventory_skew) {
            Ok(found) => found,
            Err(reason) => return rest.stop(reason),
        };
        let Some(market_min) = market.card.min_size else { return rest.stop(Reason::CardIncomplete) };
        let min_size = market_min.max(Shares::floor_from(p.min_size));
        rest.figure("price", price.to_f64());
        if is_skewed {
            rest.because(Reason::InventorySkew);
        }
        let collateral = view.spendable + market.in_own_bids();
        let tokens = market.position.map(|position| position.settled);
        let levels = ladder(p, &LadderInput { price, tick, tokens, collateral });
        for level in &levels {
            wish(market.working, level, min_size, rest);
        }
        if rest.quotes.is_empty() && rest.keep.is_empty() {
            rest.stop(if levels.is_empty() { Reason::OutsideZone } else { Reason::BelowMinSize });
        } else {
            rest.because(Reason::Quoting);
        }
    }
}

/// What works at a level stays when it is not too much, and what is missing is added; what is too much is made anew.
fn wish(working: &[Working], level: &Level, min_size: Shares, rest: &mut Rest) {
    let same = |w: &&Working| (w.outcome, w.side, w.price) == (level.outcome, level.side, level.price);
    let open: Shares = working.iter().filter(same).map(|w| w.size).sum();
    let stays = open <= level.size;
    if stays {
        rest.keep.extend(working.iter().filter(same));
    }
    let missing = if stays { level.size - open } else { level.size };
    if missing >= min_size && missing.is_positive() {
        let Level { outcome, side, price, .. } = *level;
        rest.quotes.push(DesiredQuote { outcome, side, price, size: missing, route: Route::Exact });
    }
}

impl Strategy for Amm {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        2
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        for market in view.markets {
            let rest = decision.set(market.id, Mode::Normal);
            self.evaluate_market(view, market, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(price: &str, collateral: i64, a: i64, b: i64) -> Vec<String> {
        let input = LadderInput {
            price: price.parse().expect("price"),
            tick: Tick::Cent,
            tokens: [Shares::from_whole(a), Shares::from_whole(b)],
            collateral: Usdc::from_whole(collateral),
        };
        ladder(&Parameters::default(), &input)
            .iter()
            .map(|l| format!("{} {:?} {} @{}", l.side.as_str(), l.outcome, l.size, l.price))
            .collect()
    }

    #[track_caller]
    fn has(ladder: &[String], levels: &[&str]) {
        for level in levels {
            assert!(ladder.iter().any(|l| l == level), "{level} is not in {ladder:#?}");
        }
    }

    #[test]
    fn golden_vector_in_the_middle() {
        let ladder = made("0.5", 1_000, 1_000, 1_000);
        assert_eq!(ladder.len(), 40);
        has(&ladder, &["SELL Yes 113.07 @0.51", "SELL Yes 109.8 @0.52", "SELL Yes 88.41 @0.6", "SELL No 113.07 @0.51"]);
        has(&ladder, &["BUY Yes 19.23 @0.49", "BUY Yes 19.83 @0.48", "BUY Yes 25.98 @0.4", "BUY No 19.23 @0.49"]);
    }

    #[test]
    fn golden_vector_off_the_middle() {
        let ladder = made("0.6", 500, 100, 150);
        has(&ladder, &["SELL Yes 11.09 @0.61", "SELL Yes 9.01 @0.7", "SELL No 17.43 @0.41", "SELL No 12.9 @0.5"]);
        has(&ladder, &["BUY Yes 16.66 @0.59", "BUY Yes 21.31 @0.5", "BUY No 23 @0.39", "BUY No 33.9 @0.3"]);
    }

    #[test]
    fn golden_vector_near_the_edge() {
        let ladder = made("0.9", 1_000, 50, 0);
        let sells: Vec<_> = ladder.iter().filter(|l| l.starts_with("SELL Yes")).collect();
        assert_eq!(sells.len(), 5);
        has(&ladder, &["SELL Yes 10.32 @0.91", "SELL Yes 9.67 @0.95"]);
    }

    #[test]
    fn w_prices_at_the_ends_give_a_defined_ladder() {
        for (price, yes_buys, yes_sells) in [("0.05", 0, 10), ("0.95", 10, 0), ("0.01", 0, 0), ("0.06", 1, 10)] {
            let ladder = made(price, 1_000, 1_000, 1_000);
            let count = |start: &str| ladder.iter().filter(|l| l.starts_with(start)).count();
            assert_eq!((count("BUY Yes"), count("SELL Yes")), (yes_buys, yes_sells), "{price}: {ladder:#?}");
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        let bad = |change: fn(&mut Parameters)| {
            let mut parameters = Parameters::default();
            change(&mut parameters);
            parameters.validate().expect_err("out of range").name
        };
        assert_eq!(bad(|p| p.spread = 0.1), "spread");
        assert_eq!(bad(|p| p.p_min = 0.96), "p_min");
        assert_eq!(bad(|p| p.delta = 0.0), "delta");
        assert_eq!(bad(|p| p.max_collateral = f64::NAN), "max_collateral");
        assert_eq!(Parameters::default().validate(), Ok(()));
    }

    proptest! {
        #[test]
        fn every_price_has_a_ladder_that_does_not_cross_itself(
            units in 1u16..10_000, index in 0usize..6, collateral in 0i64..100_000, tokens in prop::array::uniform2(0i64..100_000),
            spread in 0.0001f64..0.2, delta in 0.0001f64..0.2,
        ) {
            let tick = Tick::ALL[index];
            let parameters = Parameters { spread, delta, depth: 0.3, ..Parameters::default() };
            let price = tick.nearest(f64::from(units) / 10_000.0).expect("in range");
            let input = LadderInput { price, tick, tokens: tokens.map(Shares::from_whole), collateral: Usdc::from_whole(collateral) };
            let levels = ladder(&parameters, &input);
            let in_yes = |l: &Level| if l.outcome == Outcome::Yes { l.price } else { l.price.complement() };
            let buys_yes = |l: &&Level| (l.outcome == Outcome::Yes) == (l.side == Side::Buy);
            let bid = levels.iter().filter(buys_yes).map(in_yes).max();
            let ask = levels.iter().filter(|l| !buys_yes(l)).map(in_yes).min();
            if let (Some(bid), Some(ask)) = (bid, ask) {
                prop_assert!(bid < ask);
            }
            for level in &levels {
                prop_assert!(tick.admits(level.price) && !level.size.is_negative());
            }
            for outcome in Outcome::BOTH {
                let sold: Shares = levels.iter().filter(|l| l.outcome == outcome && l.side == Side::Sell).map(|l| l.size).sum();
                prop_assert!(sold <= input.tokens[outcome.index()]);
            }
            let spent: Usdc = levels.iter().filter(|l| l.side == Side::Buy).map(|l| l.size.cost_ceil(l.price)).sum();
            prop_assert!(spent <= input.collateral.min(Usdc::from_whole(200)) + Usdc::from_micros(200));
        }
    }
}
