//! Takes the side that the book leans to, and leaves again by time or profit (systems 5.2).
//!
//! ```text
//! imbalance = (bids - asks) / (bids + asks) over the best levels of YES, 0 for an empty book
//! ```
//!
//! A signal needs `|imbalance| >= threshold`, a mid within a zone, a narrow spread, time to the close, no position and no cool-down here, and
//! fewer than the most positions. Above zero YES is bought, below zero NO, at the best ask of *that* token and for no more than its fee
//! allows. The cool-down begins with the decision, so that a burst of updates makes one order. A position is left when its time is over or
//! its profit is reached, at the best bid of the same token; otherwise it is held until the market settles.

use std::collections::BTreeMap;

use oddsmith_domain::{
    Basket, BasketLeg, MarketId, Millis, Mode, Outcome, Reason, Reasons, Sequence, Shares, Side, Time, Unwind, Usdc,
};
use serde::{Deserialize, Serialize};

use crate::config::ParameterError;
use crate::{Decision, Figures, MarketView, Position, Strategy, View};

/// The strategy's name.
pub const NAME: &str = "imbalance";

/// The parameters, with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// How many levels of each side are looked at. 1 … 50.
    pub depth: usize,
    /// The smallest imbalance that is a signal. 0 … 1.
    pub threshold: f64,
    /// The lowest mid of YES, in dollars. 0 … 0.5.
    pub min_mid: f64,
    /// The highest mid of YES, in dollars. 0.5 … 1.
    pub max_mid: f64,
    /// The widest spread, in dollars. 0 … 1.
    pub max_spread: f64,
    /// The shortest time to the market's end, in seconds. 0 … 86400.
    pub min_seconds_left: u64,
    /// The longest time to the market's end, in seconds. 1 … 31536000.
    pub max_seconds_left: u64,
    /// How long nothing more is taken in the market after a taking, in seconds. 0 … 86400.
    pub cooldown_s: u64,
    /// The most markets with a position at once. 1 … 1000.
    pub max_positions: usize,
    /// Dollars of one taking. 0.01 … 10000.
    pub size_usdc: Usdc,
    /// Whether a taking below the market's minimum size is raised to it; else it is refused with a reason.
    pub raise_to_minimum: bool,
    /// The highest fee, as a share of what is paid. 0 … 1.
    pub max_fee: f64,
    /// No taking when the book was proven current longer ago than this, in milliseconds. 1 … 600000.
    pub max_book_age_ms: u64,
    /// A taking that is not filled after this time is given up, in milliseconds. 10 … 60000.
    pub deadline_ms: Millis,
    /// A position is left after this time, in seconds; 0: held until the market settles. 0 … 604800.
    pub hold_s: u64,
    /// A position is left when its bid is this much above what was paid, as a share of it; 0 for never. 0 … 10.
    pub take_profit: f64,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            depth: 5,
            threshold: 0.5,
            min_mid: 0.3,
            max_mid: 0.7,
            max_spread: 0.02,
            min_seconds_left: 300,
            max_seconds_left: 14_400,
            cooldown_s: 3_600,
            max_positions: 3,
            size_usdc: Usdc::from_micros(1_100_000),
            raise_to_minimum: false,
            max_fee: 0.05,
            max_book_age_ms: 2_000,
            deadline_ms: 1_000,
            hold_s: 0,
            take_profit: 0.0,
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
            ("depth", self.depth as f64, 1.0, 50.0, "1 … 50"),
            ("threshold", self.threshold, 0.0, 1.0, "0 … 1"),
            ("min_mid", self.min_mid, 0.0, 0.5, "0 … 0.5"),
            ("max_mid", self.max_mid, 0.5, 1.0, "0.5 … 1"),
            ("max_spread", self.max_spread, 0.0, 1.0, "0 … 1"),
            ("min_seconds_left", self.min_seconds_left as f64, 0.0, 86_400.0, "0 … 86400"),
            ("max_seconds_left", self.max_seconds_left as f64, 1.0, 31_536_000.0, "1 … 31536000"),
            ("cooldown_s", self.cooldown_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("max_positions", self.max_positions as f64, 1.0, 1_000.0, "1 … 1000"),
            ("size_usdc", self.size_usdc.to_f64(), 0.01, 10_000.0, "0.01 … 10000"),
            ("max_fee", self.max_fee, 0.0, 1.0, "0 … 1"),
            ("max_book_age_ms", self.max_book_age_ms as f64, 1.0, 600_000.0, "1 … 600000"),
            ("deadline_ms", self.deadline_ms as f64, 10.0, 60_000.0, "10 … 60000"),
            ("hold_s", self.hold_s as f64, 0.0, 604_800.0, "0 … 604800"),
            ("take_profit", self.take_profit, 0.0, 10.0, "0 … 10"),
        ])
    }
}

/// What a market's taking led to.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// When it was decided, on the monotonic clock.
    mono_ns: u64,
    /// The token.
    outcome: Outcome,
    /// The limit price paid, fee per share included.
    cost: f64,
}

/// An instance of the strategy.
#[derive(Debug)]
pub struct Imbalance {
    parameters: Parameters,
    entries: BTreeMap<MarketId, Entry>,
}

impl Imbalance {
    /// An instance with checked parameters.
    #[must_use]
    pub fn new(parameters: Parameters) -> Imbalance {
        Imbalance { parameters, entries: BTreeMap::new() }
    }

    /// What a market asks for; or why nothing is taken there.
    fn signal(
        &self,
        view: &View<'_>,
        market: &MarketView<'_>,
        positions: usize,
        figures: &mut Figures,
    ) -> Result<BasketLeg, Reason> {
        let p = &self.parameters;
        let now = view.now;
        let (Some(tick), Some(min_size)) = (market.card.tick, market.card.min_size) else {
            return Err(Reason::CardIncomplete);
        };
        let left = market.seconds_left(now).unwrap_or(u64::MAX);
        if left < p.min_seconds_left {
            return Err(Reason::NearExpiry);
        }
        if left > p.max_seconds_left {
            return Err(Reason::OutsideZone);
        }
        if market.book_age_ns.is_none_or(|age| age > p.max_book_age_ms.saturating_mul(Time::MILLI)) {
            return Err(Reason::StaleBook);
        }
        // Asking now would begin a cool-down, and nothing would be taken.
        if market.caution {
            return Err(Reason::Caution);
        }
        let (Some(bid), Some(ask)) = (market.book.best_bid(Outcome::Yes), market.book.best_ask(Outcome::Yes)) else {
            return Err(Reason::NoBook);
        };
        let (bid, ask) = (bid.price.to_f64(), ask.price.to_f64());
        let mid = (bid + ask) / 2.0;
        let imbalance = market.book.imbalance(Outcome::Yes, p.depth);
        figures.extend([("mid", mid), ("imbalance", imbalance)]);
        // A float that should be on the bound counts as on it.
        const ULP: f64 = 1e-9;
        if ask - bid > p.max_spread + ULP {
            return Err(Reason::WideSpread);
        }
        if mid < p.min_mid - ULP || mid > p.max_mid + ULP {
            return Err(Reason::OutsideZone);
        }
        if imbalance == 0.0 || imbalance.abs() < p.threshold {
            return Err(Reason::WeakSignal);
        }
        let held = market.position.iter().any(|position| position.matched.is_positive());
        if held {
            return Err(Reason::AlreadyHeld);
        }
        let cooldown = p.cooldown_s.saturating_mul(Time::SECOND);
        if self.entries.get(&market.id).is_some_and(|e| now.mono_ns.saturating_sub(e.mono_ns) < cooldown) {
            return Err(Reason::CoolDown);
        }
        if positions >= p.max_positions {
            return Err(Reason::MaxPositions);
        }
        let outcome = if imbalance > 0.0 { Outcome::Yes } else { Outcome::No };
        let top = market.book.best_ask(outcome).ok_or(Reason::NoBook)?;
        let limit = tick.ceil_price(top.price).ok_or(Reason::NoPrice)?;
        let fee = market.card.fee.ok_or(Reason::FeeUnknown)?;
        let wanted = p.size_usdc.min(view.spendable).affords(limit);
        let size = if wanted < min_size && p.raise_to_minimum { min_size } else { wanted };
        if size < min_size || size.cost_ceil(limit) > view.spendable {
            return Err(Reason::BelowMinSize);
        }
        let (fee, cost) = (fee.taker_fee(size, limit), size.cost_ceil(limit));
        if fee.to_f64() > p.max_fee * cost.to_f64() {
            return Err(Reason::NoEdge);
        }
        if top.size < size {
            return Err(Reason::ThinBook);
        }
        Ok(BasketLeg { market: market.id, outcome, side: Side::Buy, limit, size })
    }

    /// A position that another run of this instance took is left like any other: its time begins when it is seen, its cost is known.
    fn adopt(&mut self, market: &MarketView<'_>, now: Time) {
        let leaves = self.parameters.hold_s > 0 || self.parameters.take_profit > 0.0;
        if !leaves || self.entries.contains_key(&market.id) {
            return;
        }
        for outcome in Outcome::BOTH {
            let Position { matched, cost, .. } = market.position[outcome.index()];
            if matched >= Shares::LOT {
                let cost = cost.to_f64() / matched.to_f64();
                self.entries.insert(market.id, Entry { mono_ns: now.mono_ns, outcome, cost });
            }
        }
    }

    /// The sale of a position whose time is over or whose profit is reached.
    fn exit(&self, market: &MarketView<'_>, now: Time) -> Option<BasketLeg> {
        let p = &self.parameters;
        let entry = self.entries.get(&market.id)?;
        let (tick, min_size) = market.card.tick.zip(market.card.min_size)?;
        let size = market.position[entry.outcome.index()].sellable.floor_lots();
        let bid = market.book.best_bid(entry.outcome)?;
        let limit = tick.floor_price(bid.price)?;
        let over = p.hold_s > 0 && now.mono_ns.saturating_sub(entry.mono_ns) >= p.hold_s.saturating_mul(Time::SECOND);
        let reached = p.take_profit > 0.0 && limit.to_f64() >= entry.cost * (1.0 + p.take_profit);
        let fresh = market.book_age_ns.is_some_and(|age| age <= p.max_book_age_ms.saturating_mul(Time::MILLI));
        ((over || reached) && fresh && size >= min_size && size.is_positive()).then_some(BasketLeg {
            market: market.id,
            outcome: entry.outcome,
            side: Side::Sell,
            limit,
            size,
        })
    }

    fn basket(&self, leg: BasketLeg, reason: Reason) -> Basket {
        let mut reasons = Reasons::new();
        reasons.push(reason);
        let deadline_ms = self.parameters.deadline_ms;
        Basket { legs: vec![leg], sequence: Sequence::OneByOne, deadline_ms, unwind: Unwind::Keep, reasons }
    }
}

impl Strategy for Imbalance {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        3
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        let busy = view.basket.is_some_and(|basket| !basket.state.is_final());
        let held = |m: &&MarketView<'_>| m.position.iter().any(|p: &Position| p.matched >= Shares::LOT);
        let positions = view.markets.iter().filter(held).count();
        let mut taken = busy;
        for market in view.markets {
            self.adopt(market, view.now);
            let mut figures = Figures::new();
            let exit = if taken { None } else { self.exit(market, view.now) };
            let found = match exit {
                Some(leg) => Ok((leg, Reason::Exit)),
                None => self.signal(view, market, positions, &mut figures).map(|leg| (leg, Reason::Taking)),
            };
            let rest = decision.set(market.id, Mode::Stop);
            rest.figures = figures;
            match found {
                Err(reason) => rest.stop(reason),
                Ok(_) if taken => rest.stop(Reason::BasketRunning),
                Ok((leg, reason)) => {
                    rest.stop(reason);
                    taken = true;
                    if reason == Reason::Taking {
                        let fee = market.card.fee.map_or(Usdc::ZERO, |fee| fee.taker_fee(leg.size, leg.limit));
                        let cost = leg.limit.to_f64() + fee.to_f64() / leg.size.to_f64();
                        let entry = Entry { mono_ns: view.now.mono_ns, outcome: leg.outcome, cost };
                        // Before the order is sent: the next update finds the market taken.
                        self.entries.insert(market.id, entry);
                    }
                    decision.take(self.basket(leg, reason));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{FeeSchedule, Price};

    use super::*;
    use crate::testing::{NOW, Scene};

    fn level(at: &str, whole: i64) -> Option<(Price, Shares)> {
        Some((at.parse().expect("price"), Shares::from_whole(whole)))
    }

    /// Three of four shares are bid: an imbalance of one half.
    fn leaning() -> Scene {
        Scene { bid: level("0.49", 300), ask: level("0.51", 100), seconds_left: Some(3_600), ..Scene::default() }
    }

    fn parameters() -> Parameters {
        Parameters { size_usdc: Usdc::from_whole(5), ..Parameters::default() }
    }

    fn decided(scene: &Scene) -> Result<BasketLeg, Reason> {
        let decision = scene.decision_of(&mut Imbalance::new(parameters()), NOW);
        match decision.basket() {
            Some(basket) => Ok(basket.legs[0]),
            None => Err(decision.rests()[0].reasons[0]),
        }
    }

    #[test]
    fn a_leaning_book_is_taken_on_its_own_side() {
        let leg = decided(&leaning()).expect("a taking");
        assert_eq!((leg.outcome, leg.side, leg.limit.to_string()), (Outcome::Yes, Side::Buy, "0.51".to_owned()));
        assert_eq!(leg.size.to_string(), "9.8");
        let other = Scene { bid: level("0.49", 100), ask: level("0.51", 300), ..leaning() };
        let leg = decided(&other).expect("a taking");
        assert_eq!((leg.outcome, leg.limit.to_string()), (Outcome::No, "0.51".to_owned()), "the best ask of NO");
    }

    #[test]
    fn every_condition_at_its_bound() {
        type Change = fn(&mut Scene);
        let rows: [(Change, Option<Reason>); 17] = [
            (|s| s.caution = true, Some(Reason::Caution)),
            (|s| s.bid = level("0.49", 299), Some(Reason::WeakSignal)),
            (|s| s.bid = level("0.3", 300), Some(Reason::WideSpread)),
            (|s| (s.bid, s.ask) = (level("0.29", 300), level("0.31", 100)), None),
            (|s| (s.bid, s.ask) = (level("0.28", 300), level("0.3", 100)), Some(Reason::OutsideZone)),
            (|s| (s.bid, s.ask) = (level("0.69", 300), level("0.71", 100)), None),
            (|s| (s.bid, s.ask) = (level("0.7", 300), level("0.72", 100)), Some(Reason::OutsideZone)),
            (|s| s.seconds_left = Some(300), None),
            (|s| s.seconds_left = Some(299), Some(Reason::NearExpiry)),
            (|s| s.seconds_left = Some(14_401), Some(Reason::OutsideZone)),
            (|s| s.held[1] = Shares::from_whole(1), Some(Reason::AlreadyHeld)),
            (|s| s.book_age_ns = Some(2_001 * Time::MILLI), Some(Reason::StaleBook)),
            (|s| s.bid = None, Some(Reason::NoBook)),
            (|s| s.fee = None, Some(Reason::FeeUnknown)),
            (|s| s.fee = FeeSchedule::new(200_000, 1, true).ok(), Some(Reason::NoEdge)),
            (|s| s.min_size = Shares::from_whole(15), Some(Reason::BelowMinSize)),
            (|s| s.collateral = Usdc::ZERO, Some(Reason::BelowMinSize)),
        ];
        for (index, (change, reason)) in rows.into_iter().enumerate() {
            let mut scene = leaning();
            change(&mut scene);
            assert_eq!(decided(&scene).err(), reason, "row {index}");
        }
    }

    #[test]
    fn w_a_burst_of_updates_makes_one_order() {
        let mut strategy = Imbalance::new(parameters());
        let takings = (0..100).filter(|_| leaning().decision_of(&mut strategy, NOW).basket().is_some()).count();
        assert_eq!(takings, 1);
        let later = NOW.plus_ns(3_600 * Time::SECOND);
        assert!(leaning().decision_of(&mut strategy, NOW.plus_ns(3_599 * Time::SECOND)).basket().is_none());
        let again = Scene { seconds_left: Some(3_600 + 3_600), ..leaning() };
        assert!(again.decision_of(&mut strategy, later).basket().is_some());
    }

    #[test]
    fn a_position_of_before_a_restart_is_left_too() {
        let parameters = Parameters { hold_s: 60, take_profit: 0.05, ..parameters() };
        let held = |bid: &str, ask: &str| Scene {
            bid: level(bid, 100),
            ask: level(ask, 100),
            held: [Shares::from_whole(9), Shares::ZERO],
            ..leaning()
        };
        let mut strategy = Imbalance::new(parameters);
        let side = |decision: &Decision| decision.basket().map(|basket| basket.legs[0].side);
        assert_eq!(side(&held("0.49", "0.51").decision_of(&mut strategy, NOW)), None);
        assert_eq!(side(&held("0.49", "0.51").decision_of(&mut strategy, NOW.plus_ns(59 * Time::SECOND))), None);
        assert_eq!(
            side(&held("0.49", "0.51").decision_of(&mut strategy, NOW.plus_ns(60 * Time::SECOND))),
            Some(Side::Sell)
        );
        assert_eq!(side(&held("0.6", "0.62").decision_of(&mut strategy, NOW.plus_ns(Time::SECOND))), Some(Side::Sell));
    }

    #[test]
    fn a_position_is_left_by_time_and_by_profit() {
        let parameters = Parameters { hold_s: 60, take_profit: 0.05, ..parameters() };
        let held = |bid: &str, ask: &str| Scene {
            bid: level(bid, 100),
            ask: level(ask, 100),
            held: [Shares::from_whole(9), Shares::ZERO],
            ..leaning()
        };
        for (scene, seconds, leaves) in
            [(held("0.49", "0.51"), 59, false), (held("0.49", "0.51"), 60, true), (held("0.56", "0.58"), 1, true)]
        {
            let mut strategy = Imbalance::new(parameters.clone());
            assert!(leaning().decision_of(&mut strategy, NOW).basket().is_some());
            let decision = scene.decision_of(&mut strategy, NOW.plus_ns(seconds * Time::SECOND));
            let sale = decision.basket().map(|basket| basket.legs[0]);
            assert_eq!(sale.map(|leg| (leg.side, leg.size)), leaves.then_some((Side::Sell, Shares::from_whole(9))));
        }
    }
}
