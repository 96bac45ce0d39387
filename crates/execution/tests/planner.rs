//! The planner: rules of replacement as a table, and what must hold for whatever is wanted and works.

use oddsmith_domain::{DesiredQuote, OrderId, Outcome, Price, Route, Shares, Side, Tick};
use oddsmith_execution::{Leg, Plan, PlanInput, PlanPolicy, WorkingOrder, plan};
use oddsmith_risk::OpenOrder;
use proptest::prelude::*;

const MIN: Shares = Shares::from_whole(5);

fn cents(c: u16) -> Price {
    Price::from_units(c * 100).expect("in range")
}

fn bid(c: u16, whole: i64) -> DesiredQuote {
    let (outcome, side, price) = (Outcome::Yes, Side::Buy, cents(c));
    DesiredQuote { outcome, side, price, size: Shares::from_whole(whole), route: Route::Materialise }
}

fn working(id: u8, outcome: Outcome, side: Side, c: u16, whole: i64) -> WorkingOrder {
    let open = OpenOrder { outcome, side, price: cents(c), size: Shares::from_whole(whole) };
    WorkingOrder { id: OrderId([id; 32]), open, settled: true, keep: false }
}

fn planned(quotes: &[DesiredQuote], works: &[WorkingOrder], held: [i64; 2], policy: PlanPolicy) -> Plan {
    let available = held.map(Shares::from_whole);
    let input = PlanInput { quotes, working: works, available, min_size: MIN, tick: Tick::Cent, policy };
    let mut out = Plan::default();
    plan(&input, &mut out);
    out
}

/// EX14 and systems 4.2: what a working order may differ in and keep its place in the queue.
#[test]
fn what_keeps_its_place_and_what_is_replaced() {
    let default = PlanPolicy::default();
    let near = PlanPolicy { price_tolerance_ticks: 1, ..default };
    let (yes, no, buy, sell) = (Outcome::Yes, Outcome::No, Side::Buy, Side::Sell);
    // Wanted is always: buy 20 YES at 0.48.
    for (what, works, policy, stays) in [
        ("the same", working(1, yes, buy, 48, 20), default, true),
        ("a cent lower", working(1, yes, buy, 47, 20), default, false),
        ("a cent lower, within the tolerance", working(1, yes, buy, 47, 20), near, true),
        ("two cents lower", working(1, yes, buy, 46, 20), near, false),
        ("another token", working(1, no, buy, 48, 20), default, false),
        ("another side", working(1, yes, sell, 48, 20), default, false),
        ("larger by the tolerance", working(1, yes, buy, 48, 21), default, true),
        ("larger by more", working(1, yes, buy, 48, 22), default, false),
        ("smaller by less than the top-up", working(1, yes, buy, 48, 11), default, true),
        ("smaller by the top-up", working(1, yes, buy, 48, 10), default, false),
        ("a fill has left four shares", working(1, yes, buy, 48, 4), default, false),
    ] {
        let out = planned(&[bid(48, 20)], &[works], [20, 0], policy);
        assert_eq!(out.cancels.is_empty(), stays, "{what}: {out:?}");
    }
}

/// Requirement S208: on the finest grid a price that moves by less than a tenth of a cent costs no place in the queue.
#[test]
fn a_move_of_less_than_a_tenth_of_a_cent_keeps_the_queue() {
    let policy = PlanPolicy { price_tolerance_ticks: 9, ..PlanPolicy::default() };
    let at = |units| Price::from_units(units).expect("in range");
    let works = [working(1, Outcome::Yes, Side::Buy, 48, 20)];
    for (units, kept) in [(4_800, true), (4_809, true), (4_791, true), (4_810, false), (4_790, false)] {
        let quotes = [DesiredQuote { price: at(units), ..bid(48, 20) }];
        let (available, tick) = ([Shares::ZERO; 2], Tick::TenThousandth);
        let mut out = Plan::default();
        plan(&PlanInput { quotes: &quotes, working: &works, available, min_size: MIN, tick, policy }, &mut out);
        assert_eq!(out.is_empty(), kept, "{units}");
    }
}

fn route() -> impl Strategy<Value = Route> {
    prop_oneof![Just(Route::Materialise), Just(Route::Exact)]
}

/// Bids and asks in YES terms that do not cross, each on its own level.
fn quotes() -> impl Strategy<Value = Vec<DesiredQuote>> {
    let level = || prop::collection::vec((0i64..60, route(), any::<bool>()), 0..4);
    (10u16..90, level(), level()).prop_map(|(mid, bids, asks)| {
        let quote = |side: Side, c: u16, (whole, route, in_no): (i64, Route, bool)| {
            let yes = DesiredQuote { side, route, ..bid(c, whole) };
            let no = (Outcome::No, side.opposite(), yes.price.complement());
            let (outcome, side, price) = if in_no { no } else { (Outcome::Yes, side, yes.price) };
            DesiredQuote { outcome, side, price, ..yes }
        };
        let below = bids.into_iter().zip(1u16..).map(|(l, d)| quote(Side::Buy, mid - d, l));
        let above = asks.into_iter().zip(1u16..).map(|(l, d)| quote(Side::Sell, mid + d, l));
        below.chain(above).collect()
    })
}

/// Working orders that promise no more than is held.
fn works(held: [i64; 2]) -> impl Strategy<Value = Vec<WorkingOrder>> {
    let one = (any::<bool>(), any::<bool>(), 1u16..100, 1i64..60, any::<bool>(), any::<bool>());
    prop::collection::vec(one, 0..7).prop_map(move |orders| {
        let mut free = held;
        let mut out = Vec::new();
        for (n, (yes, buy, c, whole, settled, keep)) in (1u8..).zip(orders) {
            let outcome = if yes { Outcome::Yes } else { Outcome::No };
            let sells = if buy { 0 } else { whole };
            if free[outcome.index()] < sells {
                continue;
            }
            free[outcome.index()] -= sells;
            let side = if buy { Side::Buy } else { Side::Sell };
            out.push(WorkingOrder { settled, keep, ..working(n, outcome, side, c, whole) });
        }
        out
    })
}

fn situation() -> impl Strategy<Value = (Vec<DesiredQuote>, Vec<WorkingOrder>, [i64; 2])> {
    prop::array::uniform2(0i64..80).prop_flat_map(|held| (quotes(), works(held), Just(held)))
}

/// How much is wanted on a side in YES terms.
fn wanted(quotes: &[DesiredQuote], side: Side) -> Shares {
    let orders = quotes.iter().map(|q| OpenOrder { outcome: q.outcome, side: q.side, price: q.price, size: q.size });
    on_side(&orders.collect::<Vec<_>>(), side)
}

fn on_side(orders: &[OpenOrder], side: Side) -> Shares {
    orders.iter().filter(|o| o.in_yes_terms().0 == side).map(|o| o.size).sum()
}

/// The plan is carried out: what was to go is gone, what was to come is there.
fn carry_out(works: &mut Vec<WorkingOrder>, plan: &Plan, next: &mut u8) {
    works.retain(|w| !plan.cancels.contains(&w.id));
    for Leg { order } in &plan.places {
        works.push(WorkingOrder { id: OrderId([*next; 32]), open: *order, settled: true, keep: false });
        *next += 1;
    }
}

proptest! {
    #[test]
    fn no_more_is_placed_than_is_wanted((quotes, works, held) in situation()) {
        let policy = PlanPolicy::default();
        let out = planned(&quotes, &works, held, policy);
        let places: Vec<_> = out.places.iter().map(|l| l.order).collect();
        let stays = works.iter().filter(|w| w.settled && !w.keep && !out.cancels.contains(&w.id));
        let stays: Vec<_> = stays.map(|w| w.open).collect();
        let slack: Shares = stays.iter().map(|_| policy.shrink_tolerance).sum();
        for side in [Side::Buy, Side::Sell] {
            let total = on_side(&places, side) + on_side(&stays, side);
            prop_assert!(total <= wanted(&quotes, side) + slack, "{out:?}");
            prop_assert!(on_side(&places, side) <= wanted(&quotes, side));
        }
        prop_assert!(out.places.iter().all(|l| l.order.size >= MIN));
    }

    #[test]
    fn only_what_can_be_cancelled_is_and_nothing_that_shall_stay((quotes, works, held) in situation()) {
        let out = planned(&quotes, &works, held, PlanPolicy::default());
        for (n, id) in out.cancels.iter().enumerate() {
            let order = works.iter().find(|w| w.id == *id).expect("one of ours");
            prop_assert!(order.settled && !order.keep);
            prop_assert!(!out.cancels[n + 1..].contains(id), "once");
        }
    }

    #[test]
    fn nothing_placed_meets_an_own_order((quotes, works, held) in situation()) {
        let out = planned(&quotes, &works, held, PlanPolicy::default());
        for (n, leg) in out.places.iter().enumerate() {
            prop_assert!(works.iter().all(|w| !w.open.meets(&leg.order)), "also not one that is being cancelled");
            prop_assert!(out.places[n + 1..].iter().all(|other| !other.order.meets(&leg.order)));
        }
    }

    #[test]
    fn quotes_that_cross_each_other_are_not_placed_together(
        bid_at in 2u16..99, ask_at in 1u16..98, held in prop::array::uniform2(0i64..80),
    ) {
        let ask = DesiredQuote { side: Side::Sell, price: cents(ask_at), ..bid(1, 20) };
        let out = planned(&[bid(bid_at, 20), ask], &[], held, PlanPolicy::default());
        for (n, leg) in out.places.iter().enumerate() {
            prop_assert!(out.places[n + 1..].iter().all(|other| !other.order.meets(&leg.order)), "{out:?}");
        }
    }

    #[test]
    fn no_token_is_promised_twice((quotes, works, held) in situation()) {
        let out = planned(&quotes, &works, held, PlanPolicy::default());
        for outcome in Outcome::BOTH {
            let all = works.iter().map(|w| w.open).chain(out.places.iter().map(|l| l.order));
            let sells: Shares = all.filter(|o| o.outcome == outcome && o.side == Side::Sell).map(|o| o.size).sum();
            prop_assert!(sells <= Shares::from_whole(held[outcome.index()]), "{out:?}");
        }
    }

    /// In whatever order it is listed; also when it was filled in part.
    #[test]
    fn what_works_as_wanted_keeps_its_place(
        quotes in quotes(), held in prop::array::uniform2(0i64..80), turn in 0usize..8, filled in 0i64..9,
    ) {
        let first = planned(&quotes, &[], held, PlanPolicy::default());
        let mut works = Vec::new();
        carry_out(&mut works, &first, &mut 1);
        let turn = turn.checked_rem(works.len()).unwrap_or(0);
        works.rotate_left(turn);
        let again = planned(&quotes, &works, held, PlanPolicy::default());
        prop_assert!(again.is_empty(), "{again:?}");
        for work in works.iter_mut().filter(|w| w.open.side == Side::Buy) {
            let left = work.open.size - Shares::from_whole(filled);
            work.open.size = if left >= MIN { left } else { work.open.size };
        }
        let again = planned(&quotes, &works, held, PlanPolicy::default());
        prop_assert!(again.cancels.is_empty(), "{again:?}");
    }

    /// Once what is on its way has settled, a few plans carried out lead to rest, and nothing waits.
    #[test]
    fn it_converges((quotes, works, held) in situation()) {
        let (mut works, mut next) = (works, 100u8);
        works.iter_mut().for_each(|w| w.keep = false);
        let first = planned(&quotes, &works, held, PlanPolicy::default());
        carry_out(&mut works, &first, &mut next);
        works.iter_mut().for_each(|w| w.settled = true);
        for _ in 0..4 {
            let out = planned(&quotes, &works, held, PlanPolicy::default());
            carry_out(&mut works, &out, &mut next);
        }
        let last = planned(&quotes, &works, held, PlanPolicy::default());
        prop_assert!(last.is_empty() && !last.waits, "{last:?} with {works:?}");
    }
}
