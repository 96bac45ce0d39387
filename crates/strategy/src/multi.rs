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
//! the end is sold again. Of two forms that pay, the one with more profit per dollar spent is taken.
//!
//! Where the venue turns NO of `k` outcomes into YES of all the others and `k - 1` dollars, a third form needs fewer dollars: NO is bought of
//! as many outcomes as the dollars and the highest price of a leg allow, the cheapest first, and YES of the others is sold once it is there.
//!
//! ```text
//! convert:  (k - 1) - sum of k (a + f) + sum of n - k (b - f) >= margin + convert_margin
//! ```
//!
//! Selling YES at its bid `b` is buying NO at `1 - b` with the same fee, so that this is the sum of all NO, paid for in part. Complete sets of
//! NO become dollars the same way, at once. What is left to do then is in [`crate::recycle`].

use oddsmith_domain::{
    Basket, BasketLeg, BasketState, MarketId, Millis, Mode, Outcome, Price, Reason, Reasons, Sequence, Shares, Side,
    Time, Unwind, Usdc,
};
use serde::{Deserialize, Serialize};

use crate::config::ParameterError;
use crate::lock::{LegOffers, Lock, walk};
use crate::recycle::{Recycler, Step};
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
    /// What a set must leave on top when YES has to be sold after a conversion: its bids may be gone by then. 0 … 0.5.
    pub convert_margin: f64,
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
            convert_margin: 0.01,
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
            ("convert_margin", self.convert_margin, 0.0, 0.5, "0 … 0.5"),
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
    recycler: Recycler,
}

/// A form that pays.
struct Found {
    basket: Basket,
    /// The lowest bids at which YES was to be sold after the conversion.
    floors: Vec<(MarketId, Price)>,
    /// Dollars won per dollar spent.
    rate: f64,
}

impl Multi {
    /// An instance with checked parameters.
    #[must_use]
    pub fn new(parameters: Parameters) -> Multi {
        Multi { parameters, last: None, recycler: Recycler::default() }
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

    /// What can be had of an outcome in every market; a reason if anything is missing.
    fn legs(&self, view: &View<'_>, outcome: Outcome) -> Result<Vec<LegOffers>, Reason> {
        let legs: Option<Vec<_>> =
            view.markets.iter().map(|m| m.offers(outcome, self.parameters.depth_share)).collect();
        let legs = legs.ok_or(Reason::FeeUnknown)?;
        if legs.iter().any(|leg| leg.offers.is_empty()) { Err(Reason::NoBook) } else { Ok(legs) }
    }

    fn is_too_dear(&self, leg: &LegOffers) -> bool {
        leg.best().is_none_or(|price| price.to_f64() > self.parameters.max_leg_price)
    }

    /// How many sets of legs can be had, and at which prices.
    fn size(&self, view: &View<'_>, legs: &[LegOffers], payout: usize, margin: f64) -> Result<(Lock, Shares), Reason> {
        let payout = u32::try_from(payout).unwrap_or(u32::MAX);
        let lock = walk(legs, payout, margin, self.budget(view));
        let size = lock.size.floor_lots();
        let least = view.markets.iter().filter_map(|m| m.card.min_size).max().unwrap_or(Shares::ZERO);
        match size {
            size if !size.is_positive() => Err(Reason::NoEdge),
            size if size < least => Err(Reason::ThinBook),
            size => Ok((lock, size)),
        }
    }

    /// One form: the same outcome of every market.
    fn form(&self, view: &View<'_>, outcome: Outcome, payout: usize) -> Result<Found, Reason> {
        let legs = self.legs(view, outcome)?;
        if legs.iter().any(|leg| self.is_too_dear(leg)) {
            return Err(Reason::OutsideZone);
        }
        let (lock, size) = self.size(view, &legs, payout, self.parameters.margin)?;
        let order = (0..legs.len()).collect();
        Ok(self.found(view.markets, &legs, order, outcome, (size, &lock), payout))
    }

    /// NO of some outcomes, the cheapest first and as many as possible; YES of the others comes by a conversion and is sold. `why` all NO
    /// cannot be had is the reason where this cannot either.
    fn converted(&self, view: &View<'_>, why: Reason) -> Result<Found, Reason> {
        let count = view.markets.len();
        if self.parameters.outcomes != count {
            return Err(why);
        }
        let mut legs = self.legs(view, Outcome::No).map_err(|_| why)?;
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|index| legs.get(*index).and_then(LegOffers::best));
        let margin = self.parameters.margin + self.parameters.convert_margin;
        // One NO alone brings no dollars back.
        for bought in (2..count).rev() {
            let (from, into) = order.split_at(bought);
            legs.iter_mut().enumerate().for_each(|(index, leg)| leg.sold = into.contains(&index));
            if legs.iter().any(|leg| !leg.sold && self.is_too_dear(leg)) {
                continue;
            }
            let Ok((lock, size)) = self.size(view, &legs, count - 1, margin) else { continue };
            if !view.converts {
                return Err(Reason::NoConversion);
            }
            return Ok(self.found(view.markets, &legs, from.to_vec(), Outcome::No, (size, &lock), count - 1));
        }
        Err(why)
    }

    /// The basket of a form: the legs of `order`, the thinnest first.
    fn found(
        &self,
        markets: &[MarketView<'_>],
        legs: &[LegOffers],
        mut order: Vec<usize>,
        outcome: Outcome,
        (size, lock): (Shares, &Lock),
        payout: usize,
    ) -> Found {
        order.sort_by_key(|index| legs.get(*index).map(LegOffers::depth));
        let leg = |index: &usize| {
            let (market, limit) = (markets.get(*index)?.id, *lock.limits.get(*index)?);
            Some(BasketLeg { market, outcome, side: Side::Buy, limit, size })
        };
        let sold = markets.iter().zip(legs).zip(&lock.limits).filter(|((_, leg), _)| leg.sold);
        let mut reasons = Reasons::new();
        reasons.push(Reason::Taking);
        let basket = Basket {
            legs: order.iter().filter_map(leg).collect(),
            sequence: self.parameters.legs,
            deadline_ms: self.parameters.deadline_ms,
            unwind: Unwind::SellBack(self.parameters.unwind_units),
            reasons,
        };
        let profit = lock.profit(u32::try_from(payout).unwrap_or(u32::MAX));
        Found {
            basket,
            floors: sold.map(|((market, _), limit)| (market.id, limit.complement())).collect(),
            rate: profit.to_f64() / lock.capital.to_f64(),
        }
    }

    fn find(&self, view: &View<'_>) -> Result<Found, Reason> {
        self.fit(view)?;
        let count = view.markets.len();
        let all_no = self.form(view, Outcome::No, count - 1).or_else(|why| self.converted(view, why));
        let all_yes = match self.parameters.outcomes {
            outcomes if outcomes == count => self.form(view, Outcome::Yes, 1),
            // Another outcome could win.
            0 => Err(all_no.as_ref().err().copied().unwrap_or(Reason::NoEdge)),
            _ => Err(Reason::IncompleteSet),
        };
        match (all_no, all_yes) {
            (Ok(no), Ok(yes)) => Ok(if yes.rate > no.rate { yes } else { no }),
            (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
            (Err(Reason::NoConversion), Err(_)) => Err(Reason::NoConversion),
            (Err(_), Err(why)) => Err(why),
        }
    }

    /// What complete sets and conversions have left to be done, if anything can be done of it now.
    fn recycle(&self, view: &View<'_>, decision: &mut Decision) -> bool {
        let p = &self.parameters;
        if p.outcomes != view.markets.len() || !view.converts {
            return false;
        }
        let Some(step) = self.recycler.next(view, p.unwind_units, p.max_book_age_ms, p.depth_share) else {
            return false;
        };
        match step {
            Step::Convert(what) => decision.convert(what),
            Step::Sell(leg) => {
                let mut reasons = Reasons::new();
                reasons.push(Reason::Exit);
                let (sequence, deadline_ms, unwind) = (Sequence::OneByOne, p.deadline_ms, Unwind::Keep);
                decision.take(Basket { legs: vec![leg], sequence, deadline_ms, unwind, reasons });
            }
        }
        true
    }
}

impl Strategy for Multi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        2
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        let recycles = self.recycle(view, decision);
        let found = if recycles { Err(Reason::Exit) } else { self.find(view) };
        let reason = found.as_ref().err().copied().unwrap_or(Reason::Taking);
        for market in view.markets {
            decision.set(market.id, Mode::Stop).stop(reason);
        }
        if let Ok(Found { basket, floors, .. }) = found {
            self.last = Some(view.now.mono_ns);
            self.recycler.expect(floors);
            decision.take(basket);
        } else if view.basket.is_some_and(|basket| basket.state == BasketState::Unwinding) {
            // The cool-down begins when the last basket is over.
            self.last = Some(view.now.mono_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::FeeSchedule;

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

    /// Two favourites and an outsider: NO at 0.42, 0.56 and 0.96. Their sum is 1.94, the fees 0.021136.
    fn outsider() -> [Scene; 3] {
        [outcome("0.58", "0.6", 100), outcome("0.44", "0.46", 100), outcome("0.04", "0.06", 100)]
    }

    #[test]
    fn what_is_too_dear_is_converted_into_and_sold() {
        let mut scenes = outsider();
        scenes[0].converts = true;
        let basket = found(3, &scenes).expect("a basket");
        let legs: Vec<_> = basket.legs.iter().map(|l| (l.market.0, l.outcome, l.side, l.limit.to_string())).collect();
        let no = |market, limit: &str| (market, Outcome::No, Side::Buy, limit.to_owned());
        assert_eq!(legs, [no(0, "0.42"), no(1, "0.56")]);
        // Ten dollars, at 0.98 and fees of 0.0196 a pair.
        assert!(basket.legs.iter().all(|leg| leg.size == Shares::from_whole(10)));
        // Where the venue does not convert, and where another outcome may win, the form is refused with its reason.
        assert_eq!(found(3, &outsider()), Err(Reason::NoConversion));
        assert_eq!(found(0, &scenes), Err(Reason::OutsideZone));
        assert_eq!(found(4, &scenes), Err(Reason::IncompleteSet));
        // 0.038864 are left, of which the sale wants a cent more than a set that is bought whole.
        for (convert_margin, taken) in [(0.0358, true), (0.0359, false)] {
            let p = Parameters { convert_margin, ..parameters(3) };
            assert_eq!(decide(&scenes, &mut Multi::new(p), NOW).basket().is_some(), taken, "{convert_margin}");
        }
    }

    #[test]
    fn fewer_no_are_bought_where_the_dollars_do_not_reach_for_all() {
        // All NO would cost 1.94: five sets more than the nine dollars there are.
        let mut scenes = outsider();
        (scenes[0].converts, scenes[0].collateral) = (true, Usdc::from_whole(9));
        let p = Parameters { max_leg_price: 1.0, ..parameters(3) };
        let basket = decide(&scenes, &mut Multi::new(p.clone()), NOW).basket().cloned().expect("a basket");
        assert_eq!(basket.legs.len(), 2, "{basket:?}");
        scenes[0].collateral = Usdc::from_whole(1_000);
        let basket = decide(&scenes, &mut Multi::new(p), NOW).basket().cloned().expect("a basket");
        assert_eq!(basket.legs.len(), 3, "with more of them a whole set is sure from the first moment");
    }

    #[test]
    fn of_two_forms_the_one_with_more_profit_per_dollar_is_taken() {
        // Books that the venue states crossed: YES of all for 0.91, and NO of all for 1.80 or for 1.92.
        for (bids, form) in [(["0.6", "0.3", "0.3"], Outcome::No), (["0.55", "0.25", "0.28"], Outcome::Yes)] {
            let asks = ["0.3", "0.27", "0.34"];
            let mut scenes = [0, 1, 2].map(|n: usize| outcome(bids[n], asks[n], 100));
            scenes.iter_mut().for_each(|scene| scene.fee = Some(FeeSchedule::FREE));
            let basket = found(3, &scenes).expect("a basket");
            assert!(basket.legs.iter().all(|leg| leg.outcome == form), "{bids:?}");
        }
    }
}
