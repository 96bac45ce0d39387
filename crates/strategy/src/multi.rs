//! Buys every outcome of an event for less than what they pay together (systems 2.3, quant 9).
//!
//! The instance's scope is one event: each market is one of its outcomes, and exactly one of them wins. With the asks `a` and fees `f` of
//! the next unused levels of all legs:
//!
//! ```text
//! all YES:  1 - sum(a + f) >= margin        only if no outcome is missing
//! all NO:   (n - 1) - sum(a + f) >= margin  also if the winner is none of them
//! ```
//!
//! Both are decided by what can be bought, never by mids: a sum of mids below one is no opportunity. A set that is not complete, or a market
//! of another kind among them, is refused. The thinnest leg goes first, the others take no more than it got, and what has no counterpart in
//! the end is sold again.

use oddsmith_domain::{
    Basket, BasketLeg, BasketState, Millis, Mode, Outcome, Reason, Reasons, Sequence, Shares, Side, Time, Unwind, Usdc,
};
use serde::{Deserialize, Serialize};

use crate::config::ParameterError;
use crate::lock::{Lock, walk};
use crate::{Decision, MarketView, Strategy, View};

/// The strategy's name.
pub const NAME: &str = "multi";

/// The parameters, with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// How many named outcomes the event has, when they are all that there are; 0: not known to be complete, so that only NO is
    /// bought. 0 … 128.
    pub outcomes: usize,
    /// What a set must leave after fees, in dollars per share. 0 … 0.5.
    pub margin: f64,
    /// The most dollars of one basket. 0.01 … 100000.
    pub max_basket_usdc: Usdc,
    /// The most dollars in the event. 0.01 … 1000000.
    pub max_total_usdc: Usdc,
    /// What share of the free dollars one basket may take. 0.01 … 1.
    pub balance_share: f64,
    /// What share of a level is counted on. 0.01 … 1.
    pub depth_share: f64,
    /// A leg dearer than this is not bought, in dollars. 0.5 … 1.
    pub max_leg_price: f64,
    /// How long nothing more is taken after a basket, in seconds. 0 … 86400.
    pub cooldown_s: u64,
    /// Nothing new when fewer seconds are left until the end of any outcome's market. 0 … 86400.
    pub stop_before_end_s: u64,
    /// Nothing when a book was proven current longer ago than this, in milliseconds. 1 … 600000.
    pub max_book_age_ms: u64,
    /// A taking that is not filled after this time is given up, in milliseconds. 10 … 60000.
    pub deadline_ms: Millis,
    /// How the legs are sent. `one_by_one`: the thinnest first, each for no more than the ones before got. `together`: all at once; what one
    /// of them gets beyond the others is sold again.
    pub legs: Sequence,
    /// How far below its limit a leg without a counterpart is sold again, in units of 0.0001 dollars. 0 … 10000.
    pub unwind_units: u16,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            outcomes: 0,
            margin: 0.003,
            max_basket_usdc: Usdc::from_whole(10),
            max_total_usdc: Usdc::from_whole(100),
            balance_share: 0.9,
            depth_share: 0.8,
            max_leg_price: 0.95,
            cooldown_s: 60,
            stop_before_end_s: 300,
            max_book_age_ms: 1_000,
            deadline_ms: 5_000,
            legs: Sequence::OneByOne,
            unwind_units: 300,
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
            ("outcomes", self.outcomes as f64, 0.0, 128.0, "0 … 128"),
            ("margin", self.margin, 0.0, 0.5, "0 … 0.5"),
            ("max_basket_usdc", self.max_basket_usdc.to_f64(), 0.01, 1e5, "0.01 … 100000"),
            ("max_total_usdc", self.max_total_usdc.to_f64(), 0.01, 1e6, "0.01 … 1000000"),
            ("balance_share", self.balance_share, 0.01, 1.0, "0.01 … 1"),
            ("depth_share", self.depth_share, 0.01, 1.0, "0.01 … 1"),
            ("max_leg_price", self.max_leg_price, 0.5, 1.0, "0.5 … 1"),
            ("cooldown_s", self.cooldown_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("stop_before_end_s", self.stop_before_end_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("max_book_age_ms", self.max_book_age_ms as f64, 1.0, 600_000.0, "1 … 600000"),
            ("deadline_ms", self.deadline_ms as f64, 10.0, 60_000.0, "10 … 60000"),
            ("unwind_units", f64::from(self.unwind_units), 0.0, 10_000.0, "0 … 10000"),
        ])
    }
}

/// An instance of the strategy.
#[derive(Debug)]
pub struct Multi {
    parameters: Parameters,
    /// When the last basket was asked for, on the monotonic clock.
    last: Option<u64>,
}

impl Multi {
    /// An instance with checked parameters.
    #[must_use]
    pub fn new(parameters: Parameters) -> Multi {
        Multi { parameters, last: None }
    }

    /// Whether the markets are one event's outcomes, all fit to be looked at now.
    fn fit(&self, view: &View<'_>) -> Result<(), Reason> {
        let p = &self.parameters;
        if view.markets.len() < 2 || view.markets.iter().any(|market| !market.card.neg_risk) {
            return Err(Reason::IncompleteSet);
        }
        let max_age = p.max_book_age_ms.saturating_mul(Time::MILLI);
        for market in view.markets {
            if market.card.tick.is_none() || market.card.min_size.is_none() {
                return Err(Reason::CardIncomplete);
            }
            if market.card.fee.is_none() {
                return Err(Reason::FeeUnknown);
            }
            if market.seconds_left(view.now).is_some_and(|left| left < p.stop_before_end_s) {
                return Err(Reason::NearExpiry);
            }
            if market.book_age_ns.is_none_or(|age| age > max_age) {
                return Err(Reason::StaleBook);
            }
            if market.caution {
                return Err(Reason::Caution);
            }
        }
        if view.basket.is_some_and(|basket| !basket.state.is_final()) {
            return Err(Reason::BasketRunning);
        }
        let cooldown = p.cooldown_s.saturating_mul(Time::SECOND);
        if self.last.is_some_and(|last| view.now.mono_ns.saturating_sub(last) < cooldown) {
            return Err(Reason::CoolDown);
        }
        Ok(())
    }

    /// The dollars that a basket may take now.
    fn budget(&self, view: &View<'_>) -> Usdc {
        let p = &self.parameters;
        let spent: Usdc = view.markets.iter().flat_map(|m| m.position.iter().map(|p| p.cost)).sum();
        let share = Usdc::from_micros((view.spendable.micros() as f64 * p.balance_share) as i64);
        p.max_basket_usdc.min(p.max_total_usdc - spent).min(share)
    }

    /// One form: the same outcome of every market.
    fn form(&self, view: &View<'_>, outcome: Outcome, payout: u32) -> Result<Basket, Reason> {
        let p = &self.parameters;
        let legs: Option<Vec<_>> = view.markets.iter().map(|m| m.offers(outcome, p.depth_share)).collect();
        let legs = legs.ok_or(Reason::FeeUnknown)?;
        let best = legs.iter().filter_map(|leg| leg.offers.first());
        if best.clone().count() < legs.len() {
            return Err(Reason::NoBook);
        }
        if best.clone().any(|offer| offer.price.to_f64() > p.max_leg_price) {
            return Err(Reason::OutsideZone);
        }
        let lock = walk(&legs, payout, p.margin, self.budget(view));
        let size = lock.size.floor_lots();
        if !size.is_positive() {
            return Err(Reason::NoEdge);
        }
        let least = view.markets.iter().filter_map(|m| m.card.min_size).max().unwrap_or(Shares::ZERO);
        if size < least {
            return Err(Reason::ThinBook);
        }
        let mut order: Vec<usize> = (0..legs.len()).collect();
        order.sort_by_key(|index| legs.get(*index).map(crate::lock::LegOffers::depth));
        Ok(self.basket(view.markets, &order, outcome, size, &lock))
    }

    fn basket(
        &self,
        markets: &[MarketView<'_>],
        order: &[usize],
        outcome: Outcome,
        size: Shares,
        lock: &Lock,
    ) -> Basket {
        let leg = |index: &usize| {
            let (market, limit) = (markets.get(*index)?.id, *lock.limits.get(*index)?);
            Some(BasketLeg { market, outcome, side: Side::Buy, limit, size })
        };
        let mut reasons = Reasons::new();
        reasons.push(Reason::Taking);
        Basket {
            legs: order.iter().filter_map(leg).collect(),
            sequence: self.parameters.legs,
            deadline_ms: self.parameters.deadline_ms,
            unwind: Unwind::SellBack(self.parameters.unwind_units),
            reasons,
        }
    }

    fn find(&self, view: &View<'_>) -> Result<Basket, Reason> {
        self.fit(view)?;
        let count = view.markets.len();
        let all_no = self.form(view, Outcome::No, u32::try_from(count - 1).unwrap_or(u32::MAX));
        if all_no.is_ok() {
            return all_no;
        }
        if self.parameters.outcomes != count {
            // Another outcome could win.
            return Err(if self.parameters.outcomes == 0 {
                all_no.err().unwrap_or(Reason::NoEdge)
            } else {
                Reason::IncompleteSet
            });
        }
        self.form(view, Outcome::Yes, 1)
    }
}

impl Strategy for Multi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        let found = self.find(view);
        let reason = found.as_ref().err().copied().unwrap_or(Reason::Taking);
        for market in view.markets {
            decision.set(market.id, Mode::Stop).stop(reason);
        }
        if let Ok(basket) = found {
            self.last = Some(view.now.mono_ns);
            decision.take(basket);
        } else if view.basket.is_some_and(|basket| basket.state == BasketState::Unwinding) {
            // The cool-down begins when the last basket is over.
            self.last = Some(view.now.mono_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{FeeSchedule, Price};

    use super::*;
    use crate::testing::{NOW, Scene, decide};

    /// One outcome: bid and ask of YES, and the size of both.
    fn outcome(bid: &str, ask: &str, whole: i64) -> Scene {
        let level = |at: &str| Some((at.parse().expect("price"), Shares::from_whole(whole)));
        let fee = FeeSchedule::new(40_000, 1, true).ok();
        Scene { bid: level(bid), ask: level(ask), neg_risk: true, fee, ..Scene::default() }
    }

    fn parameters(outcomes: usize) -> Parameters {
        Parameters { outcomes, depth_share: 1.0, ..Parameters::default() }
    }

    fn found(outcomes: usize, scenes: &[Scene]) -> Result<Basket, Reason> {
        let decision = decide(scenes, &mut Multi::new(parameters(outcomes)), NOW);
        match decision.basket() {
            Some(basket) => Ok(basket.clone()),
            None => Err(decision.rests().first().map_or(Reason::NoBook, |rest| rest.reasons[0])),
        }
    }

    fn cheap_yes() -> [Scene; 3] {
        [outcome("0.3", "0.36", 100), outcome("0.2", "0.27", 60), outcome("0.3", "0.34", 80)]
    }

    #[test]
    fn all_yes_below_a_dollar_is_bought_thinnest_first() {
        let basket = found(3, &cheap_yes()).expect("a basket");
        let legs: Vec<_> = basket.legs.iter().map(|l| (l.market.0, l.outcome, l.limit.to_string())).collect();
        let yes = Outcome::Yes;
        assert_eq!(legs, [(1, yes, "0.27".to_owned()), (2, yes, "0.34".to_owned()), (0, yes, "0.36".to_owned())]);
        let cost: Usdc = basket.legs.iter().map(|l| l.size.cost_ceil(l.limit)).sum();
        assert!(cost <= Usdc::from_whole(10) && cost > Usdc::from_whole(9), "{cost}");
    }

    #[test]
    fn all_no_is_bought_also_when_the_set_may_not_be_complete() {
        // NO at 0.62, 0.71 and 0.64: bids of YES at 0.38, 0.29 and 0.36.
        let scenes = [outcome("0.38", "0.4", 100), outcome("0.29", "0.31", 100), outcome("0.36", "0.38", 100)];
        for outcomes in [0, 3] {
            let basket = found(outcomes, &scenes).expect("a basket");
            assert!(basket.legs.iter().all(|leg| leg.outcome == Outcome::No && leg.side == Side::Buy));
        }
    }

    #[test]
    fn w_a_sum_of_mids_below_one_is_no_opportunity() {
        // Mids come to 0.97, asks to 1.03.
        let scenes = [outcome("0.34", "0.38", 100), outcome("0.25", "0.29", 100), outcome("0.32", "0.36", 100)];
        assert_eq!(found(3, &scenes), Err(Reason::NoEdge));
    }

    #[test]
    fn w_neg_risk_is_read_from_the_card_and_a_set_that_lacks_an_outcome_buys_no_yes() {
        assert_eq!(found(0, &cheap_yes()), Err(Reason::NoEdge), "not known to be complete");
        assert_eq!(found(4, &cheap_yes()), Err(Reason::IncompleteSet), "one is missing");
        let mut scenes = cheap_yes();
        scenes[1].neg_risk = false;
        assert_eq!(found(3, &scenes), Err(Reason::IncompleteSet));
    }

    #[test]
    fn fees_margin_depth_and_age_are_looked_at() {
        type Change = fn(&mut [Scene; 3]);
        let rows: [(Change, Reason); 6] = [
            (|s| s[0].fee = FeeSchedule::new(70_000, 1, true).ok(), Reason::NoEdge),
            (|s| s[0].fee = None, Reason::FeeUnknown),
            (|s| s[2].ask = None, Reason::NoBook),
            (|s| s[1].ask = Some(("0.27".parse::<Price>().expect("price"), Shares::from_whole(2))), Reason::ThinBook),
            (|s| s[0].book_age_ns = Some(1_001 * Time::MILLI), Reason::StaleBook),
            (|s| s[0].seconds_left = Some(299), Reason::NearExpiry),
        ];
        for (index, (change, reason)) in rows.into_iter().enumerate() {
            let mut scenes = cheap_yes();
            change(&mut scenes);
            assert_eq!(found(3, &scenes).err(), Some(reason), "row {index}");
        }
    }

    #[test]
    fn after_a_basket_nothing_is_taken_for_a_while() {
        let mut strategy = Multi::new(parameters(3));
        let mut taken =
            |seconds| decide(&cheap_yes(), &mut strategy, NOW.plus_ns(seconds * Time::SECOND)).basket().is_some();
        assert_eq!([0, 1, 59, 60].map(&mut taken), [true, false, false, true]);
    }

    #[test]
    fn the_size_is_what_depth_basket_total_and_balance_leave() {
        let plenty = Usdc::from_whole(1_000);
        let wide = Parameters { max_basket_usdc: plenty, max_total_usdc: plenty, balance_share: 1.0, ..parameters(3) };
        let six = Usdc::from_whole(6);
        // A set costs 0.996076 with its fees; the thinnest leg has sixty shares, of which four in five are counted on: 1.25 times the size
        // is there.
        for (p, dollars, size) in [
            (Parameters { depth_share: 0.8, ..wide.clone() }, 1_000, "48"),
            (Parameters { max_basket_usdc: Usdc::from_whole(10), ..wide.clone() }, 1_000, "10.03"),
            (Parameters { max_total_usdc: six, ..wide.clone() }, 1_000, "6.02"),
            (Parameters { balance_share: 0.9, ..wide }, 8, "7.22"),
        ] {
            let mut scenes = cheap_yes();
            scenes[0].collateral = Usdc::from_whole(dollars);
            let decision = decide(&scenes, &mut Multi::new(p), NOW);
            let basket = decision.basket().expect("a basket");
            assert!(basket.legs.iter().all(|leg| leg.size == size.parse().expect("shares")), "{size}: {basket:?}");
        }
    }
}
