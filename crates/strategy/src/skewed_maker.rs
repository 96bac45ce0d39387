//! Two-sided quotes around other people's micro-price, skewed against the inventory.
//!
//! For a binary market the net inventory is YES less NO shares, and buying NO at `1 - p` is selling YES at `p`: one bid and one ask in
//! YES terms therefore quote both tokens. With mid `m`, net `q`, and `k` the risk per share:
//!
//! ```text
//! reservation = m - q k
//! half        = target_spread / 2 * (toxic_widening if the flow is toxic) + |q| * inventory_widening
//! bid         = min(reservation - half, m - tick) floored to the grid, ask = max(reservation + half, m + tick) raised to it
//! ```
//!
//! Flow is toxic when much of it in a short time was on one side, or when fills lost money soon after ([`crate::markout`]). Near 0 and 1 the
//! risk per share counts less, because a share moves less there.
//!
//! Neither quote may meet the book: the bid stays a tick below the best ask and the ask a tick above the best bid. The size is
//! `base_usdc` worth of shares, half of it on the side that would make the inventory grow, and never less than the market's minimum. At
//! `max_net_shares` only the reducing side is quoted.
//!
//! Inventory that was held for too long, or has lost too much of its cost, can be unwound: first offered at the middle, then sold across the
//! spread ([`Parameters::unwind`]).

use std::collections::BTreeMap;

use oddsmith_book::Top;
use oddsmith_book::signal::micro_price;
use oddsmith_domain::{
    BasketLeg, DesiredQuote, MarketId, Mode, Outcome, Price, Reason, Route, Shares, Side, Tick, Time, Usdc,
};
use serde::{Deserialize, Serialize};

use crate::config::ParameterError;
use crate::markout::Markouts;
use crate::unwind::{Unwinder, Unwinding};
use crate::{Decision, MarketView, Rest, Strategy, View};

/// The strategy's name.
pub const NAME: &str = "skewed_maker";

/// The parameters, with their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Distance between bid and ask with a flat inventory, in dollars per share. 0.001 … 0.5.
    pub target_spread: f64,
    /// How far the reservation price moves per net share, in dollars. 0 … 0.1.
    pub risk_per_share: f64,
    /// How much each half of the spread widens per net share, in dollars. 0 … 0.1.
    pub inventory_widening: f64,
    /// By how much the half spread is multiplied while the flow is toxic. 1 … 20.
    pub toxic_widening: f64,
    /// Own fills of the last `toxic_window_s` seconds above this many dollars can be toxic.
    pub toxic_notional_usdc: Usdc,
    /// Which share of them must be on one side to be toxic. 0.5 … 1.
    pub toxic_one_sided: f64,
    /// Over how many seconds fills are looked at. 1 … 3600.
    pub toxic_window_s: u64,
    /// For how many seconds the spread stays wide after the last toxic fill. 0 … 86400.
    pub toxic_hold_s: u64,
    /// So many fills must have a markout before it counts; 0 for never. 0 … 128.
    pub markout_fills: usize,
    /// A mean markout worse than a loss of this many dollars per share is toxic. 0 … 1.
    pub markout_loss: f64,
    /// For how many seconds the spread stays wide after that. 0 … 86400.
    pub markout_hold_s: u64,
    /// A mid nearer than this to 0 or 1 is near the boundary, in dollars; 0 for never. 0 … 0.5.
    pub boundary: f64,
    /// By how much the risk per share is multiplied near the boundary. 0 … 1.
    pub boundary_factor: f64,
    /// How many dollars each side quotes.
    pub base_usdc: Usdc,
    /// Net inventory at which only the reducing side is quoted, in shares.
    pub max_net_shares: Shares,
    /// No quotes when the book's own spread is wider than this, in dollars. 0.001 … 1.
    pub max_book_spread: f64,
    /// No quotes when the book was proven current longer ago than this, in milliseconds. 1 … 600000.
    pub max_book_age_ms: u64,
    /// No quotes when fewer seconds are left until the market's stated end.
    pub stop_before_end_s: u64,
    /// No quotes below this mid, in dollars. 0 … 0.5.
    pub min_mid: f64,
    /// No quotes above this mid, in dollars. 0.5 … 1.
    pub max_mid: f64,
    /// By how much the half spread is multiplied, and the size divided, in caution. 1 … 10.
    pub caution_factor: f64,
    /// Whether inventory is unwound that has been held for too long, or has lost too much: only the reducing side is quoted, at the middle,
    /// and then it crosses the spread.
    pub unwind: bool,
    /// Net inventory up to this many shares counts as hedged. 0 … 10000000.
    pub unwind_flat_shares: Shares,
    /// For how many seconds more than that may be held. 1 … 31536000.
    pub unwind_after_s: u64,
    /// What share of its cost it may lose. 0.01 … 1.
    pub unwind_loss: f64,
    /// For how many seconds it is offered before the spread is crossed. 0 … 86400.
    pub unwind_passive_s: u64,
    /// How far beyond the middle it is then sold, in dollars. 0 … 0.5.
    pub unwind_cross: f64,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            target_spread: 0.03,
            risk_per_share: 0.0005,
            inventory_widening: 0.0001,
            toxic_widening: 3.0,
            toxic_notional_usdc: Usdc::from_whole(50),
            toxic_one_sided: 0.8,
            toxic_window_s: 10,
            toxic_hold_s: 60,
            markout_fills: 10,
            markout_loss: 0.005,
            markout_hold_s: 300,
            boundary: 0.1,
            boundary_factor: 0.33,
            base_usdc: Usdc::from_whole(10),
            max_net_shares: Shares::from_whole(100),
            max_book_spread: 0.1,
            max_book_age_ms: 2_000,
            stop_before_end_s: 300,
            min_mid: 0.03,
            max_mid: 0.97,
            caution_factor: 2.0,
            unwind: false,
            unwind_flat_shares: Shares::from_whole(5),
            unwind_after_s: 3_600,
            unwind_loss: 0.15,
            unwind_passive_s: 300,
            unwind_cross: 0.02,
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
            ("target_spread", self.target_spread, 0.001, 0.5, "0.001 … 0.5"),
            ("risk_per_share", self.risk_per_share, 0.0, 0.1, "0 … 0.1"),
            ("inventory_widening", self.inventory_widening, 0.0, 0.1, "0 … 0.1"),
            ("toxic_widening", self.toxic_widening, 1.0, 20.0, "1 … 20"),
            ("toxic_one_sided", self.toxic_one_sided, 0.5, 1.0, "0.5 … 1"),
            ("toxic_window_s", self.toxic_window_s as f64, 1.0, 3_600.0, "1 … 3600"),
            ("toxic_hold_s", self.toxic_hold_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("markout_fills", self.markout_fills as f64, 0.0, 128.0, "0 … 128"),
            ("markout_loss", self.markout_loss, 0.0, 1.0, "0 … 1"),
            ("markout_hold_s", self.markout_hold_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("boundary", self.boundary, 0.0, 0.5, "0 … 0.5"),
            ("boundary_factor", self.boundary_factor, 0.0, 1.0, "0 … 1"),
            ("toxic_notional_usdc", self.toxic_notional_usdc.to_f64(), 0.0, 1e9, "0 … 1000000000"),
            ("base_usdc", self.base_usdc.to_f64(), 0.01, 1e6, "0.01 … 1000000"),
            ("max_net_shares", self.max_net_shares.to_f64(), 1.0, 1e7, "1 … 10000000"),
            ("max_book_spread", self.max_book_spread, 0.001, 1.0, "0.001 … 1"),
            ("max_book_age_ms", self.max_book_age_ms as f64, 1.0, 600_000.0, "1 … 600000"),
            ("min_mid", self.min_mid, 0.0, 0.5, "0 … 0.5"),
            ("max_mid", self.max_mid, 0.5, 1.0, "0.5 … 1"),
            ("caution_factor", self.caution_factor, 1.0, 10.0, "1 … 10"),
            ("unwind_flat_shares", self.unwind_flat_shares.to_f64(), 0.0, 1e7, "0 … 10000000"),
            ("unwind_after_s", self.unwind_after_s as f64, 1.0, 31_536_000.0, "1 … 31536000"),
            ("unwind_loss", self.unwind_loss, 0.01, 1.0, "0.01 … 1"),
            ("unwind_passive_s", self.unwind_passive_s as f64, 0.0, 86_400.0, "0 … 86400"),
            ("unwind_cross", self.unwind_cross, 0.0, 0.5, "0 … 0.5"),
        ])
    }
}

/// The inputs of the quoting formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuoteInput {
    /// Micro-price of YES in dollars, our own orders left out.
    pub mid: f64,
    /// YES less NO shares.
    pub net: f64,
    /// Whether the flow is toxic.
    pub toxic: bool,
    /// The grid.
    pub tick: Tick,
}

/// Bid and ask in YES terms, before the book's own best prices are looked at. A side is `None` when the grid has no such price.
#[must_use]
pub fn quote(parameters: &Parameters, input: QuoteInput) -> (Option<Price>, Option<Price>) {
    let tick = f64::from(input.tick.units()) / f64::from(Price::ONE.units());
    let near = input.mid < parameters.boundary || input.mid > 1.0 - parameters.boundary;
    let risk = parameters.risk_per_share * if near { parameters.boundary_factor } else { 1.0 };
    let reservation = input.mid - input.net * risk;
    let widening = if input.toxic { parameters.toxic_widening } else { 1.0 };
    let half = parameters.target_spread / 2.0 * widening + input.net.abs() * parameters.inventory_widening;
    let bid = (reservation - half).min(input.mid - tick).max(tick);
    let ask = (reservation + half).max(input.mid + tick).min(1.0 - tick);
    (input.tick.floor(bid), input.tick.ceil(ask))
}

/// A float that should be on a bound counts as on it.
const ULP: f64 = 1e-9;

/// An instance of the strategy.
#[derive(Debug)]
pub struct SkewedMaker {
    parameters: Parameters,
    flows: BTreeMap<MarketId, Flow>,
}

/// What is remembered of a market's fills.
#[derive(Debug, Default)]
struct Flow {
    markouts: Markouts,
    /// The markouts keep the spread wide until this monotonic time.
    wide_until: u64,
    /// What is held for too long, or has lost too much.
    unwinder: Unwinder,
}

impl SkewedMaker {
    /// An instance with checked parameters.
    #[must_use]
    pub fn new(parameters: Parameters) -> SkewedMaker {
        SkewedMaker { parameters, flows: BTreeMap::new() }
    }

    fn toxic(&self, market: &MarketView<'_>, now: Time) -> bool {
        let p = &self.parameters;
        let Some(last) = market.fills.last() else { return false };
        if now.mono_ns.saturating_sub(last.mono_ns) > p.toxic_hold_s.saturating_mul(Time::SECOND) {
            return false;
        }
        // The window ends with the last fill, so that what was toxic stays so while the hold lasts.
        let at = Time { mono_ns: last.mono_ns, wall_ns: now.wall_ns };
        let (buys, sells) = market.fills.notional_within(at, p.toxic_window_s.saturating_mul(Time::SECOND));
        let total = (buys + sells).to_f64();
        total > p.toxic_notional_usdc.to_f64() && buys.max(sells).to_f64() > p.toxic_one_sided * total
    }

    /// Whether fills lost money soon after, on average, not longer ago than the hold.
    fn hurt(&mut self, market: &MarketView<'_>, mid: f64, now: Time) -> bool {
        let p = &self.parameters;
        let flow = self.flows.entry(market.id).or_default();
        flow.markouts.update(market.fills, mid, now);
        if flow.markouts.worst_mean(p.markout_fills).is_some_and(|mean| mean < -p.markout_loss) {
            flow.wide_until = now.mono_ns.saturating_add(p.markout_hold_s.saturating_mul(Time::SECOND));
            flow.markouts.forget();
        }
        now.mono_ns < flow.wide_until
    }

    /// What is to be done about inventory that is to be unwound: whether anything is, and the leg that crosses the spread.
    fn unwind(
        &mut self,
        market: &MarketView<'_>,
        mid: f64,
        (now, may_take): (Time, bool),
        rest: &mut Rest,
    ) -> (bool, Option<BasketLeg>) {
        let unwinder = &mut self.flows.entry(market.id).or_default().unwinder;
        match unwinder.look(&self.parameters, market, mid, now) {
            Unwinding::Not => return (false, None),
            Unwinding::Offer(quote) => {
                rest.mode = if quote.side == Side::Buy { Mode::OneSidedBuy } else { Mode::OneSidedSell };
                rest.quotes.push(quote);
                rest.because(Reason::Exit);
            }
            Unwinding::Cross(leg) if may_take => {
                rest.stop(Reason::Exit);
                return (true, leg);
            }
            Unwinding::Cross(_) => rest.stop(Reason::BasketRunning),
        }
        (true, None)
    }

    fn evaluate_market(
        &mut self,
        market: &MarketView<'_>,
        now: Time,
        may_take: bool,
        rest: &mut Rest,
    ) -> Option<BasketLeg> {
        let (mid, best) = match self.middle(market, now) {
            Ok(middle) => middle,
            Err(reason) => {
                rest.stop(reason);
                return None;
            }
        };
        rest.figure("micro_price", mid);
        if self.parameters.unwind {
            let (unwinds, leg) = self.unwind(market, mid, (now, may_take), rest);
            if unwinds {
                return leg;
            }
        }
        self.quote_both(market, (mid, best), now, rest);
        None
    }

    /// Other people's micro-price, and their best bid and ask; or why there is nothing to quote around.
    fn middle(&self, market: &MarketView<'_>, now: Time) -> Result<(f64, (Top, Top)), Reason> {
        let p = &self.parameters;
        if market.card.tick.is_none() || market.card.min_size.is_none() {
            return Err(Reason::CardIncomplete);
        }
        if market.seconds_left(now).is_some_and(|left| left < p.stop_before_end_s) {
            return Err(Reason::NearExpiry);
        }
        if market.book_age_ns.is_none_or(|age| age > p.max_book_age_ms.saturating_mul(Time::MILLI)) {
            return Err(Reason::StaleBook);
        }
        let best = market.best_of_others(Side::Buy).zip(market.best_of_others(Side::Sell)).ok_or(Reason::NoBook)?;
        if best.0.price >= best.1.price {
            return Err(Reason::BookNotTrusted);
        }
        Ok((micro_price(best.0, best.1), best))
    }

    fn quote_both(
        &mut self,
        market: &MarketView<'_>,
        (mid, (best_bid, best_ask)): (f64, (Top, Top)),
        now: Time,
        rest: &mut Rest,
    ) {
        let p = &self.parameters;
        let (Some(tick), Some(min_size)) = (market.card.tick, market.card.min_size) else {
            return rest.stop(Reason::CardIncomplete);
        };
        if best_ask.price.to_f64() - best_bid.price.to_f64() > p.max_book_spread + ULP {
            return rest.stop(Reason::WideSpread);
        }
        if !(p.min_mid..=p.max_mid).contains(&mid) {
            return rest.stop(Reason::OutsideZone);
        }

        let net = market.net();
        let toxic = self.hurt(market, mid, now) || self.toxic(market, now);
        let p = &self.parameters;
        let input = QuoteInput { mid, net: net.to_f64(), toxic, tick };
        let mut effective = p.clone();
        if market.caution {
            effective.target_spread *= p.caution_factor;
            effective.base_usdc = Usdc::from_micros((p.base_usdc.micros() as f64 / p.caution_factor) as i64);
            rest.mode = Mode::Caution;
            rest.because(Reason::Caution);
        }
        let best = (best_bid.price, best_ask.price);
        let (bid, ask) = MarketView::clear_of_the_book(quote(&effective, input), best, tick);

        if toxic {
            rest.because(Reason::ToxicFlow);
        }
        if !net.is_zero() {
            rest.because(Reason::InventorySkew);
        }
        for (side, price) in [(Side::Buy, bid), (Side::Sell, ask)] {
            let Some(price) = price else {
                rest.because(Reason::NoPrice);
                continue;
            };
            let grows = (side == Side::Buy) == net.is_positive() && !net.is_zero();
            if grows && net.abs() >= p.max_net_shares {
                rest.mode = if side == Side::Buy { Mode::OneSidedSell } else { Mode::OneSidedBuy };
                rest.because(Reason::InventoryLimit);
                continue;
            }
            let full = effective.base_usdc.affords(price);
            let size = if grows { full.half() } else { full }.max(min_size).floor_lots();
            rest.quotes.push(DesiredQuote { outcome: Outcome::Yes, side, price, size, route: Route::Materialise });
        }
        if rest.quotes.is_empty() {
            rest.stop(Reason::NoPrice);
        } else {
            rest.because(Reason::Quoting);
        }
    }
}

impl Strategy for SkewedMaker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        3
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        let mut may_take = view.basket.is_none_or(|basket| basket.state.is_final());
        for market in view.markets {
            let rest = decision.set(market.id, Mode::Normal);
            if let Some(leg) = self.evaluate_market(market, view.now, may_take, rest) {
                may_take = false;
                decision.take(crate::unwind::basket(leg));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameters of the document of this strategy.
    fn document() -> Parameters {
        Parameters { target_spread: 0.03, risk_per_share: 0.05, inventory_widening: 0.001, ..Parameters::default() }
    }

    fn quoted(net: f64, toxic: bool) -> (String, String) {
        let input = QuoteInput { mid: 0.5, net, toxic, tick: Tick::Thousandth };
        let (bid, ask) = quote(&document(), input);
        (bid.expect("a bid").to_string(), ask.expect("an ask").to_string())
    }

    #[test]
    fn the_documents_vectors() {
        for (net, toxic, bid, ask) in [
            (0.0, false, "0.485", "0.515"),
            (2.0, false, "0.383", "0.501"),
            (-2.0, false, "0.499", "0.617"),
            (0.0, true, "0.455", "0.545"),
            (10.0, false, "0.001", "0.501"),
        ] {
            assert_eq!(quoted(net, toxic), (bid.to_owned(), ask.to_owned()), "net {net} toxic {toxic}");
        }
    }

    #[test]
    fn the_default_risk_does_not_saturate_within_the_limit() {
        let p = Parameters::default();
        let net = p.max_net_shares.to_f64();
        let (bid, _) = quote(&p, QuoteInput { mid: 0.5, net, toxic: false, tick: Tick::Cent });
        assert!(bid.expect("a bid").to_f64() > 0.3, "the original saturates at ten shares");
    }

    #[test]
    fn near_the_boundary_the_inventory_moves_the_quotes_less() {
        let p = Parameters { boundary_factor: 0.5, ..document() };
        let shift = |mid| {
            let tick = Tick::TenThousandth;
            let at = |net| quote(&p, QuoteInput { mid, net, toxic: false, tick }).1.expect("an ask").to_f64();
            at(-0.5) - at(0.0)
        };
        assert!((shift(0.5) - 2.0 * shift(0.95)).abs() < 0.002, "{} {}", shift(0.5), shift(0.95));
    }

    #[test]
    fn fills_that_lose_money_widen_the_spread_for_a_while() {
        use crate::testing::Scene;
        let spread = |rest: &Rest| (rest.quotes[1].price.to_f64() - rest.quotes[0].price.to_f64()).abs();
        let mut maker = SkewedMaker::new(Parameters { markout_fills: 1, ..Parameters::default() });
        // A fill five seconds ago at a dollar: whatever the mid, it lost.
        let hurt = Scene { last_fill: Some((Side::Buy, Shares::from_whole(5), 5)), ..Scene::default() };
        let (wide, usual) =
            (hurt.ask_of(&mut maker), Scene::default().ask_of(&mut SkewedMaker::new(Parameters::default())));
        let (wide, usual) = (wide.expect("a wish"), usual.expect("a wish"));
        assert!(wide.reasons.contains(&Reason::ToxicFlow) && !usual.reasons.contains(&Reason::ToxicFlow));
        assert!(spread(&wide) > 2.0 * spread(&usual), "{wide:?} {usual:?}");
    }

    #[test]
    fn the_markets_own_grid_is_used() {
        for tick in Tick::ALL {
            for mid in [0.11, 0.25, 0.333, 0.5, 0.87] {
                let (bid, ask) = quote(&Parameters::default(), QuoteInput { mid, net: 3.0, toxic: false, tick });
                for price in [bid, ask].into_iter().flatten() {
                    assert!(tick.admits(price), "{tick} {mid}");
                }
                if let (Some(bid), Some(ask)) = (bid, ask) {
                    assert!(bid < ask);
                }
            }
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        for (parameters, name) in [
            (Parameters { target_spread: f64::NAN, ..Parameters::default() }, "target_spread"),
            (Parameters { risk_per_share: -0.1, ..Parameters::default() }, "risk_per_share"),
            (Parameters { base_usdc: Usdc::ZERO, ..Parameters::default() }, "base_usdc"),
            (Parameters { max_mid: 0.2, ..Parameters::default() }, "max_mid"),
        ] {
            assert_eq!(parameters.validate().expect_err("out of range").name, name);
        }
        assert_eq!(Parameters::default().validate(), Ok(()));
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn more_inventory_never_raises_a_quote(
                mid in 0.02f64..0.98, net in -100.0f64..100.0, more in 0.0f64..50.0, index in 0usize..6, toxic: bool,
            ) {
                let tick = Tick::ALL[index];
                let p = Parameters { inventory_widening: 0.0, ..Parameters::default() };
                let (bid, ask) = quote(&p, QuoteInput { mid, net, toxic, tick });
                let (lower_bid, lower_ask) = quote(&p, QuoteInput { mid, net: net + more, toxic, tick });
                prop_assert!(lower_bid <= bid || bid.is_none());
                if let (Some(lower), Some(ask)) = (lower_ask, ask) {
                    prop_assert!(lower <= ask);
                }
            }

            #[test]
            fn quotes_never_cross_each_other(mid in 0.0f64..=1.0, net in -1e6f64..1e6, index in 0usize..6, toxic: bool) {
                let tick = Tick::ALL[index];
                if let (Some(bid), Some(ask)) = quote(&Parameters::default(), QuoteInput { mid, net, toxic, tick }) {
                    prop_assert!(bid < ask || mid < tick.min_price().to_f64() || mid > tick.max_price().to_f64());
                }
            }
        }
    }
}
