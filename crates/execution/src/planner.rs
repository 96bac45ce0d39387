//! From what is wanted and what works to what must be cancelled and placed.

use oddsmith_domain::{DesiredQuote, OrderId, Outcome, Price, Route, Shares, Side, Tick};
use oddsmith_risk::OpenOrder;

use crate::split::{MinSizePolicy, split};

/// An order of the instance in the market, as the planner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkingOrder {
    /// Its id.
    pub id: OrderId,
    /// What may still fill.
    pub open: OpenOrder,
    /// Whether it can be cancelled or kept: its fate is known and no cancel is on its way.
    pub settled: bool,
    /// Whether it shall stay exactly as it is, besides the quotes.
    pub keep: bool,
}

/// One order that should exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// What it should be.
    pub order: OpenOrder,
}

/// How keen the planner is on changing what works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanPolicy {
    /// A working order this many ticks away from where it should be stays.
    pub price_tolerance_ticks: u16,
    /// A working order that is larger than it should be by no more than this stays.
    pub shrink_tolerance: Shares,
    /// A working order that is smaller than it should be stays, and keeps its place in the queue, until this much is missing.
    pub top_up_threshold: Shares,
    /// What to do with parts below the minimum size.
    pub min_size: MinSizePolicy,
    /// Settled tokens that are never offered.
    pub safety_buffer: Shares,
}

impl Default for PlanPolicy {
    fn default() -> PlanPolicy {
        PlanPolicy {
            price_tolerance_ticks: 0,
            shrink_tolerance: Shares::from_whole(1),
            top_up_threshold: Shares::from_whole(10),
            min_size: MinSizePolicy::PassiveFirst,
            safety_buffer: Shares::ZERO,
        }
    }
}

/// What the planner looks at: one instance in one market.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// The complete set of quotes that should rest.
    pub quotes: &'a [DesiredQuote],
    /// The instance's open orders here.
    pub working: &'a [WorkingOrder],
    /// Settled tokens of each outcome that are not on their way out; promises of working sells are not taken off.
    pub available: [Shares; 2],
    /// The market's minimum size.
    pub min_size: Shares,
    /// The market's grid.
    pub tick: Tick,
    /// How keen.
    pub policy: PlanPolicy,
}

/// What must happen. Cancels come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Orders to cancel.
    pub cancels: Vec<OrderId>,
    /// Orders to place.
    pub places: Vec<Leg>,
    /// Wanted, but below the minimum size: side in YES terms, and how much.
    pub residuals: Vec<(Side, Shares)>,
    /// Whether something could not be placed yet, because it waits for a cancel: plan again when that is known.
    pub waits: bool,
}

impl Plan {
    fn clear(&mut self) {
        self.cancels.clear();
        self.places.clear();
        self.residuals.clear();
        self.waits = false;
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cancels.is_empty() && self.places.is_empty()
    }
}

/// Plans into `plan`, whose memory is reused.
///
/// An order that works stays when it is what is wanted, within the policy's tolerances: its place in the queue is worth more
/// than exactness. Whatever else works is cancelled, also what a partial fill has left below the minimum size. What is missing is placed,
/// unless it would meet an own order that is still alive or is placed with it, or sell tokens that a dying order has promised: then it waits.
pub fn plan(input: &PlanInput<'_>, plan: &mut Plan) {
    plan.clear();
    let mut legs = arrayvec::ArrayVec::<Leg, 128>::new();
    let mut spare = materialise(input, &mut legs, plan);

    let mut kept = arrayvec::ArrayVec::<usize, 128>::new();
    let mut missing = arrayvec::ArrayVec::<Leg, 128>::new();
    for leg in &legs {
        match keepable(input, leg, &kept, spare) {
            Some(index) => {
                kept.push(index);
                let i = leg.order.outcome.index();
                spare[i] -= surplus(&input.working[index].open, leg);
            }
            None => missing.push(*leg),
        }
    }
    for (index, order) in input.working.iter().enumerate() {
        if order.settled && !order.keep && !kept.contains(&index) {
            plan.cancels.push(order.id);
        }
    }
    let mut sellable = sellable(input);
    for leg in missing {
        let would_meet = input.working.iter().any(|o| o.open.meets(&leg.order))
            || plan.places.iter().any(|placed| placed.order.meets(&leg.order));
        let i = leg.order.outcome.index();
        let unsold = leg.order.side == Side::Buy || leg.order.size <= sellable[i];
        if would_meet || !unsold {
            plan.waits = true;
            continue;
        }
        if leg.order.side == Side::Sell {
            sellable[i] -= leg.order.size;
        }
        plan.places.push(leg);
    }
}

/// The working order that may stand for a leg: same token and side, within the tolerances, nearest in price and then in size.
///
/// A sale that is larger than it should be promises more tokens than the quotes give it: it stays only as far as there are tokens that none
/// of them needs, or another one would wait for them for good.
fn keepable(input: &PlanInput<'_>, leg: &Leg, kept: &[usize], spare: [Shares; 2]) -> Option<usize> {
    let policy = &input.policy;
    let tolerance = policy.price_tolerance_ticks.saturating_mul(input.tick.units());
    let distance = |o: &OpenOrder| o.price.units().abs_diff(leg.order.price.units());
    let misfit = |o: &OpenOrder| (distance(o), (o.size - leg.order.size).abs());
    input
        .working
        .iter()
        .enumerate()
        .filter(|(index, o)| {
            o.settled
                && !o.keep
                && !kept.contains(index)
                && (o.open.outcome, o.open.side) == (leg.order.outcome, leg.order.side)
                && distance(&o.open) <= tolerance
                && o.open.size >= input.min_size
                && o.open.size <= leg.order.size + policy.shrink_tolerance
                && surplus(&o.open, leg) <= spare[leg.order.outcome.index()]
                && leg.order.size - o.open.size < policy.top_up_threshold
        })
        .min_by_key(|(_, o)| misfit(&o.open))
        .map(|(index, _)| index)
}

/// Tokens that a sale promises beyond what its leg gives it.
fn surplus(order: &OpenOrder, leg: &Leg) -> Shares {
    match order.side {
        Side::Buy => Shares::ZERO,
        Side::Sell => (order.size - leg.order.size).max(Shares::ZERO),
    }
}

/// Tokens that no open order has promised. An order that is being cancelled keeps its promise until the cancel is known.
fn sellable(input: &PlanInput<'_>) -> [Shares; 2] {
    Outcome::BOTH.map(|outcome| {
        let promised: Shares = input
            .working
            .iter()
            .filter(|o| o.open.outcome == outcome && o.open.side == Side::Sell)
            .map(|o| o.open.size)
            .sum();
        (input.available[outcome.index()] - input.policy.safety_buffer - promised).max(Shares::ZERO)
    })
}

/// Turns quotes into orders of tokens: what is held is sold before the complement is bought. Returns the tokens that no quote needs.
fn materialise(input: &PlanInput<'_>, legs: &mut arrayvec::ArrayVec<Leg, 128>, plan: &mut Plan) -> [Shares; 2] {
    let buffer = input.policy.safety_buffer;
    let mut free = input.available.map(|a| (a - buffer).max(Shares::ZERO));
    for quote in input.quotes {
        let own = (quote.outcome, quote.price);
        let other = (quote.outcome.complement(), quote.price.complement());
        // Selling `sell` and buying `buy` are the same exposure.
        let (sell, buy) = match quote.side {
            Side::Buy => (other, own),
            Side::Sell => (own, other),
        };
        let i = sell.0.index();
        let parts = match (quote.route, quote.side) {
            (Route::Materialise, _) => split(quote.size, free[i], input.min_size, input.policy.min_size),
            (Route::Exact, Side::Buy) => split(quote.size, Shares::ZERO, input.min_size, input.policy.min_size),
            (Route::Exact, Side::Sell) => {
                let offered = quote.size.min(free[i]);
                let mut parts = split(offered, free[i], input.min_size, MinSizePolicy::PassiveFirst);
                parts.residual += quote.size - offered;
                parts
            }
        };
        free[i] -= parts.reduce;
        for (size, side, (outcome, price)) in [(parts.reduce, Side::Sell, sell), (parts.open, Side::Buy, buy)] {
            if size.is_positive() {
                let _ = legs.try_push(Leg { order: OpenOrder { outcome, side, price, size } });
            }
        }
        if parts.residual.is_positive() {
            let in_yes =
                OpenOrder { outcome: quote.outcome, side: quote.side, price: Price::ZERO, size: parts.residual };
            plan.residuals.push((in_yes.in_yes_terms().0, parts.residual));
        }
    }
    free
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(text: &str) -> Price {
        text.parse().expect("price")
    }

    fn quote(side: Side, at: &str, whole: i64) -> DesiredQuote {
        DesiredQuote {
            outcome: Outcome::Yes,
            side,
            price: price(at),
            size: Shares::from_whole(whole),
            route: Route::Materialise,
        }
    }

    fn working(id: u8, outcome: Outcome, side: Side, at: &str, whole: i64) -> WorkingOrder {
        let open = OpenOrder { outcome, side, price: price(at), size: Shares::from_whole(whole) };
        WorkingOrder { id: OrderId([id; 32]), open, settled: true, keep: false }
    }

    fn planned(quotes: &[DesiredQuote], working: &[WorkingOrder], available: [i64; 2]) -> Plan {
        let input = PlanInput {
            quotes,
            working,
            available: available.map(Shares::from_whole),
            min_size: Shares::from_whole(5),
            tick: Tick::Cent,
            policy: PlanPolicy::default(),
        };
        let mut out = Plan::default();
        plan(&input, &mut out);
        out
    }

    fn show(plan: &Plan) -> Vec<String> {
        plan.places
            .iter()
            .map(|l| format!("{} {:?} {} @{}", l.order.side.as_str(), l.order.outcome, l.order.size, l.order.price))
            .collect()
    }

    #[test]
    fn an_ask_without_tokens_buys_the_complement() {
        let plan = planned(&[quote(Side::Buy, "0.48", 20), quote(Side::Sell, "0.52", 20)], &[], [0, 0]);
        assert_eq!(show(&plan), ["BUY Yes 20 @0.48", "BUY No 20 @0.48"]);
    }

    #[test]
    fn what_is_held_is_sold_first() {
        let plan = planned(&[quote(Side::Buy, "0.48", 20), quote(Side::Sell, "0.52", 20)], &[], [12, 30]);
        assert_eq!(show(&plan), ["SELL No 20 @0.52", "SELL Yes 12 @0.52", "BUY No 8 @0.48"]);
    }

    #[test]
    fn what_is_right_stays_in_its_queue() {
        let quotes = [quote(Side::Buy, "0.48", 20)];
        for (size, stays) in [(20, true), (21, true), (11, true), (22, false), (10, false), (4, false)] {
            let plan = planned(&quotes, &[working(1, Outcome::Yes, Side::Buy, "0.48", size)], [0, 0]);
            assert_eq!(plan.is_empty(), stays, "size {size}");
            assert_eq!(plan.cancels.len(), usize::from(!stays));
        }
        let moved = planned(&quotes, &[working(1, Outcome::Yes, Side::Buy, "0.47", 20)], [0, 0]);
        assert_eq!((moved.cancels.len(), moved.places.len()), (1, 1));
    }

    #[test]
    fn what_shall_stay_stays_besides_the_quotes() {
        let mut old = working(1, Outcome::Yes, Side::Buy, "0.48", 7);
        old.keep = true;
        let both = planned(&[quote(Side::Buy, "0.48", 20)], &[old], [0, 0]);
        assert_eq!((both.cancels.len(), show(&both)), (0, vec!["BUY Yes 20 @0.48".to_owned()]));
        let new = working(2, Outcome::Yes, Side::Buy, "0.48", 20);
        assert!(planned(&[quote(Side::Buy, "0.48", 20)], &[old, new], [0, 0]).is_empty());
    }

    #[test]
    fn a_replacement_sale_waits_for_the_cancel() {
        let quotes = [quote(Side::Sell, "0.53", 20)];
        let mut old = working(1, Outcome::Yes, Side::Sell, "0.52", 20);
        let first = planned(&quotes, &[old], [20, 0]);
        assert_eq!((first.cancels.len(), first.places.len(), first.waits), (1, 0, true));
        old.settled = false;
        let second = planned(&quotes, &[old], [20, 0]);
        assert_eq!((second.cancels.len(), second.places.len(), second.waits), (0, 0, true));
        let third = planned(&quotes, &[], [20, 0]);
        assert_eq!(show(&third), ["SELL Yes 20 @0.53"]);
    }

    #[test]
    fn a_sale_that_is_a_little_too_large_stays_only_if_nobody_needs_the_tokens() {
        let quotes = [quote(Side::Buy, "0.18", 18), quote(Side::Buy, "0.17", 39)];
        let old = working(1, Outcome::No, Side::Sell, "0.83", 40);
        let spare = planned(&quotes, &[old], [0, 58]);
        assert_eq!((spare.cancels.len(), show(&spare), spare.waits), (0, vec!["SELL No 18 @0.82".to_owned()], false));
        let short = planned(&quotes, &[old], [0, 57]);
        assert_eq!((short.cancels.len(), short.waits), (1, true));
        assert_eq!(show(&planned(&quotes, &[], [0, 57])), ["SELL No 18 @0.82", "SELL No 39 @0.83"]);
    }

    #[test]
    fn a_quote_that_would_meet_an_own_order_waits() {
        // The market fell: the old bid at 0.50 is being cancelled while the new ask is 0.49.
        let mut bid = working(1, Outcome::Yes, Side::Buy, "0.50", 20);
        bid.settled = false;
        let plan = planned(&[quote(Side::Sell, "0.49", 20)], &[bid], [0, 0]);
        assert!(plan.waits && plan.places.is_empty());
    }

    #[test]
    fn stopping_cancels_everything_that_can_be_cancelled() {
        let mut unknown = working(2, Outcome::No, Side::Buy, "0.40", 20);
        unknown.settled = false;
        let plan = planned(&[], &[working(1, Outcome::Yes, Side::Buy, "0.40", 20), unknown], [0, 0]);
        assert_eq!(plan.cancels, [OrderId([1; 32])]);
    }

    proptest! {
        /// Carrying out a plan and planning again leads to rest, and no plan ever promises tokens that are not there.
        #[test]
        fn a_plan_carried_out_leaves_nothing_to_do(
            bid in 1u16..60, gap in 1u16..30, size in 5i64..40, held in prop::array::uniform2(0i64..40),
            old in prop::collection::vec((any::<bool>(), any::<bool>(), 1u16..100, 1i64..40), 0..5),
        ) {
            let cents = |c: u16| Price::from_units(c * 100).expect("in range");
            let quotes = [
                DesiredQuote { price: cents(bid), ..quote(Side::Buy, "0.5", size) },
                DesiredQuote { price: cents((bid + gap).min(99)), ..quote(Side::Sell, "0.5", size) },
            ];
            let mut works: Vec<WorkingOrder> = Vec::new();
            for (i, (yes, buy, c, whole)) in old.into_iter().enumerate() {
                let outcome = if yes { Outcome::Yes } else { Outcome::No };
                let whole = if buy { whole } else { whole.min(held[outcome.index()]) };
                let o = WorkingOrder { open: OpenOrder { price: cents(c), ..working(0, outcome, if buy { Side::Buy } else { Side::Sell }, "0.5", whole).open },
                    id: OrderId([i as u8 + 1; 32]), settled: true, keep: false };
                let promised: Shares = works.iter().filter(|w| w.open.side == Side::Sell && w.open.outcome == outcome).map(|w| w.open.size).sum();
                if buy || promised + o.open.size <= Shares::from_whole(held[outcome.index()]) {
                    works.push(o);
                }
            }
            let mut next_id = 100u8;
            for _round in 0..4 {
                let p = planned(&quotes, &works, held);
                for (outcome, held) in Outcome::BOTH.into_iter().zip(held) {
                    let sells: Shares = works.iter().map(|w| w.open).chain(p.places.iter().map(|l| l.order))
                        .filter(|o| o.side == Side::Sell && o.outcome == outcome).map(|o| o.size).sum();
                    prop_assert!(sells <= Shares::from_whole(held));
                }
                works.retain(|w| !p.cancels.contains(&w.id));
                for leg in p.places {
                    works.push(WorkingOrder { id: OrderId([next_id; 32]), open: leg.order, settled: true, keep: false });
                    next_id += 1;
                }
            }
            let last = planned(&quotes, &works, held);
            prop_assert!(last.is_empty() && !last.waits, "{last:?} {works:?}");
        }
    }
}
