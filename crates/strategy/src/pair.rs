//! Buys both tokens of a market for less than the dollar that they pay together (systems 3.4, quant 8).
//!
//! Three ways lead to a pair, and each looks at both legs before the first one moves:
//!
//! - *taking both*, level by level, while `1 - y - n - fees >= taker_margin` at the next unused levels: a crossed book, rare and short;
//! - *resting on both*, at the best bids, as long as the two bids come to `1 - maker_margin` or less: a maker pays no fee;
//! - *hedging* a lagging leg, when the difference has grown to `rebalance_shares` or is older than `leg_deadline_s`.
//!
//! A hedge is chosen among three by what each is worth per share, with `p` the average cost of the leading token:
//!
//! ```text
//! hedge  = 1 - p - (lagging ask at the size + fee)
//! unwind = leading bid at the size - fee - p
//! hold   = leading mid - p - naked_risk
//! ```
//!
//! A position is locked when the smaller side pays more than both cost: `min(yes, no) - cost(yes) - cost(no) > 0` for the paired part.

use std::collections::BTreeMap;

use oddsmith_domain::{
    Basket, BasketLeg, DesiredQuote, FeeSchedule, MarketId, Millis, Mode, Outcome, Price, Reason, Reasons, Route,
    Sequence, Shares, Side, Tick, Time, Unwind, Usdc,
};
use serde::{Deserialize, Serialize};

use crate::config::ParameterError;
use crate::lock::walk;
use crate::{Decision, MarketView, Opportunity, Position, Rest, Strategy, View};

/// The strategy's name.
pub const NAME: &str = "pair";

/// The parameters, with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// What a pair of takings must leave after fees, in dollars. 0 … 0.5.
    pub taker_margin: f64,
    /// What a pair of resting bids must leave, in dollars. 0 … 0.5.
    pub maker_margin: f64,
    /// Whether both bids are rested at all.
    pub accumulate: bool,
    /// Dollars of each resting bid. 0.01 … 100000.
    pub step_usdc: Usdc,
    /// The most dollars of one taking. 0.01 … 100000.
    pub max_order_usdc: Usdc,
    /// The most dollars in both tokens of a market. 0.01 … 1000000.
    pub max_total_usdc: Usdc,
    /// The largest difference of shares; at it only the lagging token is bought. 0.01 … 100000.
    pub max_imbalance_shares: Shares,
    /// The largest difference of what was paid, in dollars; at it only the token that was paid less for is bought. 0.01 … 100000.
    pub max_imbalance_usdc: Usdc,
    /// A difference of this many shares is hedged. 0.01 … 100000.
    pub rebalance_shares: Shares,
    /// A smaller difference is hedged after this time, in seconds. 1 … 86400.
    pub leg_deadline_s: u64,
    /// What a share without a counterpart is thought to risk, in dollars: so much a hedge may cost. 0 … 1.
    pub naked_risk: f64,
    /// What share of a level is taken for real. 0.01 … 1.
    pub depth_share: f64,
    /// Nothing new when fewer seconds are left until the market's end. 0 … 86400.
    pub stop_before_end_s: u64,
    /// Nothing when the book was proven current longer ago than this, in milliseconds. 1 … 600000.
    pub max_book_age_ms: u64,
    /// A taking that is not filled after this time is given up, in milliseconds. 10 … 60000.
    pub deadline_ms: Millis,
    /// How far below its limit a leg without a counterpart is sold again, in units of 0.0001 dollars. 0 … 10000.
    pub unwind_units: u16,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            taker_margin: 0.01,
            maker_margin: 0.005,
            accumulate: true,
            step_usdc: Usdc::from_whole(25),
            max_order_usdc: Usdc::from_whole(100),
            max_total_usdc: Usdc::from_whole(1_500),
            max_imbalance_shares: Shares::from_whole(50),
            max_imbalance_usdc: Usdc::from_whole(100),
            rebalance_shares: Shares::from_whole(20),
            leg_deadline_s: 60,
            naked_risk: 0.02,
            depth_share: 0.7,
            stop_before_end_s: 120,
            max_book_age_ms: 2_000,
            deadline_ms: 1_000,
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
            ("taker_margin", self.taker_margin, 0.0, 0.5, "0 … 0.5"),
            ("maker_margin", self.maker_margin, 0.0, 0.5, "0 … 0.5"),
            ("step_usdc", self.step_usdc.to_f64(), 0.01, 1e5, "0.01 … 100000"),
            ("max_order_usdc", self.max_order_usdc.to_f64(), 0.01, 1e5, "0.01 … 100000"),
            ("max_total_usdc", self.max_total_usdc.to_f64(), 0.01, 1e6, "0.01 … 1000000"),
            ("max_imbalance_shares", self.max_imbalance_shares.to_f64(), 0.01, 1e5, "0.01 … 100000"),
            ("max_imbalance_usdc", self.max_imbalance_usdc.to_f64(), 0.01, 1e5, "0.01 … 100000"),
            ("rebalance_shares", self.rebalance_shares.to_f64(), 0.01, 1e5, "0.01 … 100000"),
            ("leg_deadline_s", self.leg_deadline_s as f64, 1.0, 86_400.0, "1 … 86400"),
            ("naked_risk", self.naked_risk, 0.0, 1.0, "0 … 1"),
            ("depth_share", self.depth_share, 0.01, 1.0, "0.01 … 1"),
            ("stop_before_end_s", self.stop_before_end_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("max_book_age_ms", self.max_book_age_ms as f64, 1.0, 600_000.0, "1 … 600000"),
            ("deadline_ms", self.deadline_ms as f64, 10.0, 60_000.0, "10 … 60000"),
            ("unwind_units", f64::from(self.unwind_units), 0.0, 10_000.0, "0 … 10000"),
        ])
    }
}

/// What is sure after both outcomes: the smaller side pays a dollar each, and everything was paid for (systems 3.4). Negative while a
/// leg is naked.
#[must_use]
pub fn guaranteed(position: &[Position; 2]) -> Usdc {
    let paired = position[0].matched.min(position[1].matched);
    paired.cost_floor(Price::ONE) - position[0].cost - position[1].cost
}

/// What to do about a lagging leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Buy what is missing of the lagging token.
    Hedge,
    /// Sell what is too much of the leading one.
    Unwind,
    /// Leave it.
    Hold,
}

/// The best of three, each in dollars per share; `None` where the book does not have the size, or we do not. Of equals the first: both tokens'
/// books are mirrors, so that hedging and unwinding are worth the same up to the noise of floats.
#[must_use]
pub fn repair(hedge: Option<f64>, unwind: Option<f64>, hold: f64) -> Repair {
    let better = |value: Option<f64>, than: f64| value.is_some_and(|value| value >= than - 1e-9);
    match (hedge, unwind) {
        (hedge, unwind) if better(hedge, hold) && better(hedge, unwind.unwrap_or(f64::NEG_INFINITY)) => Repair::Hedge,
        (_, unwind) if better(unwind, hold) => Repair::Unwind,
        _ => Repair::Hold,
    }
}

/// An instance of the strategy.
#[derive(Debug)]
pub struct Pair {
    parameters: Parameters,
    /// Since when a market has had a leg without a counterpart, on the monotonic clock.
    naked_since: BTreeMap<MarketId, u64>,
}

/// What the market's card and book allow to be looked at.
struct Ready {
    tick: Tick,
    min_size: Shares,
    fee: FeeSchedule,
}

impl Pair {
    /// An instance with checked parameters.
    #[must_use]
    pub fn new(parameters: Parameters) -> Pair {
        Pair { parameters, naked_since: BTreeMap::new() }
    }

    fn ready(&self, market: &MarketView<'_>) -> Result<Ready, Reason> {
        let (Some(tick), Some(min_size)) = (market.card.tick, market.card.min_size) else {
            return Err(Reason::CardIncomplete);
        };
        let fee = market.card.fee.ok_or(Reason::FeeUnknown)?;
        let max_age = self.parameters.max_book_age_ms.saturating_mul(Time::MILLI);
        if market.book_age_ns.is_none_or(|age| age > max_age) {
            return Err(Reason::StaleBook);
        }
        Ok(Ready { tick, min_size, fee })
    }

    /// Both legs at once, if there is a crossed book to be had.
    fn take_both(&self, view: &View<'_>, market: &MarketView<'_>, ready: &Ready) -> Option<Basket> {
        let p = &self.parameters;
        let spent = market.position[0].cost + market.position[1].cost;
        let most = p.max_order_usdc.min(p.max_total_usdc - spent).min(view.spendable);
        let offers = Outcome::BOTH.map(|outcome| market.offers(outcome, p.depth_share));
        let [Some(yes), Some(no)] = offers else { return None };
        // The thinner leg first: if it is gone, nothing has been bought.
        let order = if no.depth() < yes.depth() { [Outcome::No, Outcome::Yes] } else { Outcome::BOTH };
        let lock = walk(&[yes, no], 1, p.taker_margin, most);
        let size = lock.size.floor_lots();
        if size < ready.min_size || !size.is_positive() {
            return None;
        }
        let legs = order.into_iter().filter_map(|outcome| {
            let limit = *lock.limits.get(outcome.index())?;
            Some(BasketLeg { market: market.id, outcome, side: Side::Buy, limit, size })
        });
        let legs = legs.collect();
        Some(self.basket(legs, Unwind::SellBack(p.unwind_units), Reason::Taking))
    }

    fn basket(&self, legs: Vec<BasketLeg>, unwind: Unwind, reason: Reason) -> Basket {
        let mut reasons = Reasons::new();
        reasons.push(reason);
        Basket { legs, sequence: Sequence::OneByOne, deadline_ms: self.parameters.deadline_ms, unwind, reasons }
    }

    /// The repair of a lagging leg that is due, if one of the ways is better than to leave it.
    fn mend(&mut self, view: &View<'_>, market: &MarketView<'_>, ready: &Ready) -> Option<Basket> {
        let [yes, no] = market.position.map(|position| position.matched);
        let difference = (yes - no).abs().floor_lots();
        if difference < ready.min_size {
            self.naked_since.remove(&market.id);
            return None;
        }
        let since = *self.naked_since.entry(market.id).or_insert(view.now.mono_ns);
        let waited = view.now.mono_ns.saturating_sub(since) >= self.parameters.leg_deadline_s * Time::SECOND;
        if difference < self.parameters.rebalance_shares && !waited {
            return None;
        }
        let leading = if yes > no { Outcome::Yes } else { Outcome::No };
        let lagging = leading.complement();
        let held = &market.position[leading.index()];
        let paid = held.cost.to_f64() / held.matched.to_f64();
        let fee_of = |price: Price| ready.fee.taker_fee(difference, price).to_f64() / difference.to_f64();
        let buy = market.book.effective_price(lagging, Side::Buy, difference);
        let sell = market.book.effective_price(leading, Side::Sell, difference);
        let priced = |sweep: &oddsmith_book::Sweep| {
            sweep.is_complete().then(|| Some((sweep.average()?, sweep.worst?))).flatten()
        };
        // What cannot be paid for, or is not there to be sold, is no way out.
        let dollars = self.parameters.max_order_usdc.min(view.spendable);
        let sellable = held.sellable.floor_lots();
        let buy = priced(&buy).filter(|(_, worst)| difference.cost_ceil(*worst) <= dollars);
        let sell = priced(&sell).filter(|_| sellable >= ready.min_size);
        let hedge = buy.map(|(average, worst)| 1.0 - paid - average - fee_of(worst));
        let unwind = sell.map(|(average, worst)| average - fee_of(worst) - paid);
        let hold = market.book.mid(leading)? - paid - self.parameters.naked_risk;
        let leg = |outcome, side, limit, size| BasketLeg { market: market.id, outcome, side, limit, size };
        let leg = match (repair(hedge, unwind, hold), buy, sell) {
            (Repair::Hedge, Some((_, worst)), _) => leg(lagging, Side::Buy, worst, difference),
            (Repair::Unwind, _, Some((_, worst))) => leg(leading, Side::Sell, worst, difference.min(sellable)),
            _ => return None,
        };
        self.naked_since.insert(market.id, view.now.mono_ns);
        Some(self.basket(vec![leg], Unwind::Keep, Reason::Taking))
    }

    /// Bids on both tokens that come to less than a dollar together.
    fn accumulate(&self, view: &View<'_>, market: &MarketView<'_>, ready: &Ready, rest: &mut Rest) {
        let p = &self.parameters;
        let (Some(yes), Some(no_mirror)) = (market.best_of_others(Side::Buy), market.best_of_others(Side::Sell)) else {
            return rest.stop(Reason::NoBook);
        };
        let mut bids = [yes.price, no_mirror.price.complement()];
        // Too dear together: the dearer one steps back, a tick at a time.
        let step = i32::from(ready.tick.units());
        let most = ((1.0 - p.maker_margin) * f64::from(Price::ONE.units()) + 1e-6).floor() as i32;
        let over = i32::from(bids[0].units()) + i32::from(bids[1].units()) - most;
        if over > 0 {
            let steps = (over + step - 1) / step;
            let dearer = usize::from(bids[1] > bids[0]);
            bids[dearer] = bids[dearer].saturating_add_units(-steps * step);
        }
        let spent = market.position[0].cost + market.position[1].cost;
        let budget = (p.max_total_usdc - spent).min(view.spendable + market.in_own_bids());
        let difference = market.net();
        let paid_more = market.position[0].cost - market.position[1].cost;
        for outcome in Outcome::BOTH {
            let leads = if outcome == Outcome::Yes { difference } else { -difference };
            let dearer = if outcome == Outcome::Yes { paid_more } else { -paid_more };
            if leads >= p.max_imbalance_shares || dearer >= p.max_imbalance_usdc {
                rest.because(Reason::InventoryLimit);
                continue;
            }
            let price = bids[outcome.index()];
            if !ready.tick.admits(price) {
                rest.because(Reason::NoPrice);
                continue;
            }
            // Half the budget each: one leg must not spend the other's.
            let dollars = p.step_usdc.min(Usdc::from_micros(budget.micros() / 2));
            let size = dollars.affords(price).min((p.max_imbalance_shares - leads).floor_lots());
            if size < ready.min_size {
                rest.because(Reason::BelowMinSize);
                continue;
            }
            rest.quotes.push(DesiredQuote { outcome, side: Side::Buy, price, size, route: Route::Exact });
        }
        if rest.quotes.is_empty() {
            rest.mode = Mode::Stop;
        } else {
            rest.because(Reason::Quoting);
        }
    }

    /// One market: a basket, or quotes, or a reason for neither.
    fn look(&mut self, view: &View<'_>, market: &MarketView<'_>, may_take: bool, rest: &mut Rest) -> Option<Basket> {
        let ready = match self.ready(market) {
            Ok(ready) => ready,
            Err(reason) => {
                rest.stop(reason);
                return None;
            }
        };
        rest.figure("guaranteed", guaranteed(&market.position).to_f64());
        let ends = market.seconds_left(view.now).is_some_and(|left| left < self.parameters.stop_before_end_s);
        if may_take && !market.caution {
            let found = self
                .mend(view, market, &ready)
                .or_else(|| if ends { None } else { self.take_both(view, market, &ready) });
            if found.is_some() {
                rest.stop(Reason::Taking);
                return found;
            }
        }
        match (ends, may_take, self.parameters.accumulate) {
            (true, ..) => rest.stop(Reason::NearExpiry),
            (_, false, _) => rest.stop(Reason::BasketRunning),
            (.., false) => rest.stop(Reason::NoEdge),
            _ => self.accumulate(view, market, &ready, rest),
        }
        None
    }
}

impl Strategy for Pair {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        2
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        let mut may_take = view.basket.is_none_or(|basket| basket.state.is_final());
        for market in view.markets {
            let rest = decision.set(market.id, Mode::Normal);
            let basket = self.look(view, market, may_take, rest);
            if basket.is_some() || !rest.quotes.is_empty() {
                decision.sees(market.id, Opportunity::Pair);
            }
            if let Some(basket) = basket {
                may_take = false;
                decision.take(basket);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, Scene};

    #[test]
    fn the_documents_position_is_locked() {
        let position = |whole, dollars| Position {
            matched: Shares::from_whole(whole),
            cost: Usdc::from_whole(dollars),
            ..Position::default()
        };
        assert_eq!(
            guaranteed(&[position(100, 45), position(100, 50)]),
            Usdc::from_whole(5),
            "without the old winner's fee"
        );
        assert!(guaranteed(&[position(100, 45), position(0, 0)]).is_negative(), "a naked leg");
    }

    #[test]
    fn the_better_repair_is_chosen() {
        assert_eq!(repair(Some(0.02), Some(-0.03), 0.01), Repair::Hedge);
        assert_eq!(repair(Some(-0.04), Some(-0.02), -0.03), Repair::Unwind);
        assert_eq!(repair(Some(-0.04), Some(-0.05), 0.0), Repair::Hold);
        assert_eq!(repair(None, None, -0.5), Repair::Hold, "the book does not have the size");
        assert_eq!(repair(Some(0.3), Some(0.1 + 0.2), 0.0), Repair::Hedge, "noise decides nothing");
    }

    fn scene(bid: &str, ask: &str) -> Scene {
        let level = |at: &str| Some((at.parse().expect("price"), Shares::from_whole(500)));
        Scene { bid: level(bid), ask: level(ask), ..Scene::default() }
    }

    fn pair() -> Pair {
        Pair::new(Parameters::default())
    }

    #[test]
    fn w_the_first_leg_starts_because_the_pair_pays() {
        let rest = scene("0.47", "0.52").ask_of(&mut pair()).expect("a wish");
        let quotes: Vec<_> = rest.quotes.iter().map(|q| format!("{:?} {} @{}", q.outcome, q.size, q.price)).collect();
        assert_eq!(quotes, ["Yes 50 @0.47", "No 50 @0.48"]);
    }

    #[test]
    fn two_bids_leave_the_margin() {
        // 0.50 and 0.50 come to a dollar: one steps back.
        let rest = scene("0.5", "0.51").ask_of(&mut pair()).expect("a wish");
        let sum: f64 = rest.quotes.iter().map(|q| q.price.to_f64()).sum();
        assert!(sum <= 0.995 + 1e-9 && rest.quotes.len() == 2, "{rest:?}");
    }

    #[test]
    fn w_a_mirrored_book_is_no_phantom_opportunity() {
        // Both tokens' books are one: the asks of YES and NO come to more than a dollar whatever the spread is.
        for (bid, ask) in [("0.49", "0.5"), ("0.3", "0.31"), ("0.1", "0.9")] {
            let decision = scene(bid, ask).decision_of(&mut pair(), NOW);
            assert_eq!(decision.basket(), None);
        }
    }

    #[test]
    fn a_lagging_leg_is_bought_or_sold_when_that_is_better_and_due() {
        let held = |yes, no| [Shares::from_whole(yes), Shares::from_whole(no)];
        // Bought at the middle, 0.51; the other token can be had for 0.50: a cent lost, less than the risk of waiting.
        let scene = Scene { held: held(40, 0), fee: Some(FeeSchedule::FREE), ..scene("0.5", "0.52") };
        let decision = scene.decision_of(&mut pair(), NOW);
        let basket = decision.basket().expect("forty shares are due at once");
        let leg = basket.legs[0];
        assert_eq!((leg.outcome, leg.side, leg.size), (Outcome::No, Side::Buy, Shares::from_whole(40)));
        let mut small = pair();
        let fewer = Scene { held: held(10, 0), ..scene.clone() };
        assert_eq!(fewer.decision_of(&mut small, NOW).basket(), None, "ten wait for their deadline");
        assert!(fewer.decision_of(&mut small, NOW.plus_ns(60 * Time::SECOND)).basket().is_some());
    }

    #[test]
    fn at_the_largest_difference_only_the_lagging_token_is_bid_for() {
        let parameters = Parameters { rebalance_shares: Shares::from_whole(1_000), ..Parameters::default() };
        let scene = Scene { held: [Shares::from_whole(50), Shares::ZERO], ..scene("0.47", "0.52") };
        let rest = scene.ask_of(&mut Pair::new(parameters)).expect("a wish");
        assert_eq!(rest.quotes.iter().map(|q| q.outcome).collect::<Vec<_>>(), [Outcome::No]);
        assert!(rest.reasons.contains(&Reason::InventoryLimit));
    }

    /// The venue says that YES is bid for at 0.52 and offered at 0.50: NO is offered at 0.48.
    fn crossed(whole: i64) -> Scene {
        let level = |at: &str| Some((at.parse().expect("price"), Shares::from_whole(whole)));
        Scene { bid: level("0.52"), ask: level("0.5"), fee: Some(FeeSchedule::FREE), ..Scene::default() }
    }

    fn taken(parameters: Parameters, scene: &Scene) -> Option<Shares> {
        let decision = scene.decision_of(&mut Pair::new(parameters), NOW);
        decision.basket().filter(|basket| basket.legs.len() == 2).map(|basket| basket.legs[0].size)
    }

    #[test]
    fn entry_is_decided_at_effective_prices_with_the_markets_own_fee() {
        // Two cents a pair, less the fees of both legs: at a rate of 0.02 they are 0.009992.
        for (rate, taker_margin, enters) in
            [(0, 0.02, true), (0, 0.0201, false), (20_000, 0.01, true), (20_000, 0.0101, false), (70_000, 0.0, false)]
        {
            let scene = Scene { fee: FeeSchedule::new(rate, 1, true).ok(), ..crossed(100) };
            let parameters = Parameters { taker_margin, ..Parameters::default() };
            assert_eq!(taken(parameters, &scene).is_some(), enters, "rate {rate} margin {taker_margin}");
        }
        assert_eq!(taken(Parameters::default(), &Scene { fee: None, ..crossed(100) }), None, "no fee is stated");
        assert_eq!(taken(Parameters::default(), &crossed(7)), None, "less than the smallest order can be had");
    }

    #[test]
    fn each_limit_holds() {
        let size = |text: &str| Some(text.parse::<Shares>().expect("shares"));
        let p = Parameters::default();
        // A hundred dollars an order, at 0.98 a pair.
        assert_eq!(taken(p.clone(), &crossed(1_000)), size("102.04"));
        // 1490 of 1500 dollars are spent.
        let held =
            Scene { held: [Shares::from_whole(1_490); 2], collateral: Usdc::from_whole(5_000), ..crossed(1_000) };
        assert_eq!(taken(p.clone(), &held), size("10.2"));
        // 25 dollars a resting bid.
        let free = Parameters { max_imbalance_shares: Shares::from_whole(1_000), ..p };
        let rest = scene("0.47", "0.52").ask_of(&mut Pair::new(free.clone())).expect("a wish");
        assert_eq!(rest.quotes.iter().map(|q| Some(q.size)).collect::<Vec<_>>(), [size("53.19"), size("52.08")]);
        // More than a hundred dollars were paid for one token than for the other one.
        let p = Parameters { rebalance_shares: Shares::from_whole(1_000), ..free };
        for (whole, sides) in [(199, 2), (210, 1)] {
            let scene = Scene { held: [Shares::from_whole(whole), Shares::ZERO], ..scene("0.47", "0.52") };
            let rest = scene.ask_of(&mut Pair::new(p.clone())).expect("a wish");
            assert_eq!(rest.quotes.len(), sides, "{whole} shares at half a dollar");
        }
    }
}
