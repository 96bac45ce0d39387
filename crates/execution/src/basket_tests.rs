//! The basket machine: its steps one by one, its state table, and what holds in any order of events.

use std::collections::BTreeMap;

use oddsmith_domain::{Outcome, Price};
use proptest::prelude::*;

use super::*;

fn basket(legs: usize, sequence: Sequence, unwind: Unwind) -> Basket {
    let leg = |n: usize| BasketLeg {
        market: MarketId(n as u32),
        outcome: Outcome::Yes,
        side: Side::Buy,
        limit: Price::from_units(3_000).expect("in range"),
        size: Shares::from_whole(50),
    };
    let legs = (0..legs).map(leg).collect();
    Basket { legs, sequence, deadline_ms: 500, unwind, reasons: Default::default() }
}

fn at(ms: u64) -> Time {
    Time { mono_ns: ms * Time::MILLI, wall_ns: 0 }
}

fn whole(shares: i64) -> Shares {
    Shares::from_whole(shares)
}

/// A basket and the order table that it looks at.
struct Desk {
    run: BasketRun,
    table: BTreeMap<OrderId, Known>,
    /// Every order in turn: leg, whether it is a sale, its size.
    log: Vec<(usize, bool, Shares)>,
    sellable: Shares,
    now: Time,
}

impl Desk {
    fn new(basket: &Basket) -> Desk {
        let run = BasketRun::new(BasketId(1), basket, at(0));
        Desk { run, table: BTreeMap::new(), log: Vec::new(), sellable: whole(1_000_000), now: at(0) }
    }

    fn id(n: usize) -> OrderId {
        OrderId([u8::try_from(n + 1).expect("few orders"); 32])
    }

    fn learn(&mut self) {
        self.run.learn(|id| self.table.get(id).copied(), self.now);
    }

    /// Sends whatever is wanted; returns leg, whether it is a sale, and whole shares.
    fn send(&mut self) -> Vec<(usize, bool, i64)> {
        self.learn();
        let from = self.log.len();
        while let Some(Want { leg, order, sale, .. }) = self.run.want(self.now, |_, _| self.sellable) {
            let id = Desk::id(self.log.len());
            self.table.insert(id, Known { filled: Shares::ZERO, over: false });
            self.log.push((leg, sale, order.size));
            self.run.sent(leg, id);
        }
        self.log[from..].iter().map(|(leg, sale, size)| (*leg, *sale, size.micros() / 1_000_000)).collect()
    }

    /// The n-th order was filled by so much and is over.
    fn end(&mut self, n: usize, filled: i64) {
        self.table.insert(Desk::id(n), Known { filled: whole(filled), over: true });
        self.learn();
    }
}

#[test]
fn legs_one_by_one_take_no_more_than_the_ones_before_got() {
    let mut desk = Desk::new(&basket(3, Sequence::OneByOne, Unwind::SellBack(300)));
    assert_eq!(desk.send(), [(0, false, 50)]);
    desk.end(0, 30);
    assert_eq!(desk.send(), [(1, false, 30)]);
    desk.end(1, 30);
    assert_eq!(desk.send(), [(2, false, 30)]);
    desk.end(2, 30);
    assert_eq!((desk.run.state(), desk.run.matched()), (BasketState::Complete, whole(30)));
    assert_eq!(desk.run.wakes_at(), None);
}

#[test]
fn each_leg_failing_in_turn_leaves_nothing_without_a_counterpart() {
    for failing in 0..3 {
        let mut desk = Desk::new(&basket(3, Sequence::OneByOne, Unwind::SellBack(300)));
        for leg in 0..failing {
            assert_eq!(desk.send(), [(leg, false, 50)]);
            desk.end(leg, 50);
        }
        assert_eq!(desk.send(), [(failing, false, 50)]);
        desk.end(failing, 0);
        if failing == 0 {
            assert_eq!(desk.run.state(), BasketState::Nothing);
            continue;
        }
        assert_eq!(desk.run.state(), BasketState::Unwinding);
        let sales: Vec<_> = (0..failing).map(|leg| (leg, true, 50)).collect();
        assert_eq!(desk.send(), sales);
        for leg in 0..failing {
            desk.end(failing + 1 + leg, 50);
        }
        assert_eq!(desk.run.state(), BasketState::Nothing, "leg {failing}");
        assert!(desk.run.parts().take(failing).all(|part| (part.got, part.undone) == (whole(50), whole(50))));
    }
}

#[test]
fn w_unwinding_is_not_forgotten_and_what_cannot_be_sold_is_named_exactly() {
    let mut desk = Desk::new(&basket(2, Sequence::Together, Unwind::SellBack(0)));
    assert_eq!(desk.send(), [(0, false, 50), (1, false, 50)]);
    desk.end(0, 50);
    assert_eq!(desk.run.state(), BasketState::Entering, "the other leg is still out");
    desk.end(1, 20);
    for round in 0..10 {
        assert_eq!(desk.run.state(), BasketState::Unwinding, "round {round}");
        assert_eq!(desk.send(), [(0, true, 30 - i64::try_from(round).expect("few"))]);
        desk.end(2 + round, 1);
        assert!(desk.send().is_empty(), "not at once again");
        desk.now = desk.now.plus_ns(Time::SECOND);
    }
    desk.now = desk.now.plus_ns(UNWIND_NS);
    desk.learn();
    assert_eq!(desk.run.state(), BasketState::Residual);
    let parts: Vec<_> = desk.run.parts().map(|part| (part.got, part.undone)).collect();
    assert_eq!(parts, [(whole(50), whole(10)), (whole(20), Shares::ZERO)]);
}

#[test]
fn nothing_is_offered_before_it_is_settled_and_the_offer_is_made_when_it_is() {
    let mut desk = Desk::new(&basket(2, Sequence::OneByOne, Unwind::SellBack(100)));
    desk.send();
    desk.end(0, 50);
    desk.send();
    desk.sellable = Shares::ZERO;
    desk.end(1, 0);
    for _ in 0..100 {
        assert!(desk.send().is_empty());
        assert!(desk.run.wakes_at().is_some_and(|at| at > desk.now.mono_ns), "it does not ask for time that is over");
        desk.now = desk.now.plus_ns(100 * Time::MILLI);
    }
    desk.sellable = whole(50);
    assert_eq!(desk.send(), [(0, true, 50)]);
    assert_eq!(desk.run.want(desk.now, |_, _| whole(50)), None);
}

#[test]
fn after_the_deadline_nothing_is_sent_and_an_open_order_is_waited_for() {
    let mut desk = Desk::new(&basket(2, Sequence::OneByOne, Unwind::Keep));
    assert_eq!(desk.run.wakes_at(), Some(500 * Time::MILLI));
    desk.send();
    desk.now = at(60_000);
    assert!(desk.send().is_empty());
    assert_eq!((desk.run.state(), desk.run.wakes_at()), (BasketState::Entering, None), "its fate is not known");
    desk.end(0, 5);
    assert!(desk.send().is_empty());
    assert_eq!(desk.run.state(), BasketState::Residual);
}

#[test]
fn a_basket_that_no_limit_lets_pass_ends_at_once() {
    for sequence in [Sequence::OneByOne, Sequence::Together] {
        let mut run = BasketRun::new(BasketId(1), &basket(2, sequence, Unwind::Keep), at(0));
        while let Some(want) = run.want(at(0), |_, _| Shares::ZERO) {
            run.refused(want.leg, at(0));
        }
        assert_eq!(run.state(), BasketState::Nothing);
    }
    let none = BasketRun::new(BasketId(1), &basket(0, Sequence::Together, Unwind::Keep), at(0));
    assert_eq!(none.state(), BasketState::Nothing);
}

#[test]
fn a_fill_that_is_taken_back_counts_no_more_and_its_counterpart_is_sold() {
    let mut desk = Desk::new(&basket(2, Sequence::Together, Unwind::SellBack(100)));
    desk.send();
    desk.end(0, 50);
    // The other one's match fails before its order is over.
    desk.table.insert(Desk::id(1), Known { filled: whole(50), over: false });
    desk.learn();
    assert_eq!(desk.run.matched(), whole(50));
    desk.end(1, 0);
    assert_eq!((desk.run.state(), desk.run.matched()), (BasketState::Unwinding, Shares::ZERO));
    assert_eq!(desk.send(), [(0, true, 50)]);
}

#[test]
fn a_sale_that_is_refused_for_good_ends_the_unwinding_with_its_residual() {
    let mut desk = Desk::new(&basket(2, Sequence::OneByOne, Unwind::SellBack(100)));
    desk.send();
    desk.end(0, 3);
    desk.send();
    desk.end(1, 0);
    let want = desk.run.want(desk.now, |_, _| whole(3)).expect("a sale");
    assert!(want.sale && want.order.size == whole(3));
    desk.run.refused(want.leg, desk.now);
    assert_eq!((desk.run.state(), desk.run.wakes_at()), (BasketState::Residual, None));
}

/// Every state against everything that can happen to it.
#[test]
fn what_leads_out_of_each_state() {
    type Act = fn(&mut Desk);
    let entering = |desk: &mut Desk| drop(desk.send());
    let unwinding = |desk: &mut Desk| {
        desk.send();
        desk.end(0, 50);
        desk.send();
        desk.end(1, 20);
    };
    let complete: Act = |desk| {
        desk.send();
        desk.end(0, 50);
        desk.send();
        desk.end(1, 50);
    };
    use BasketState as S;
    let rows: [(&str, Act, Act, BasketState); 12] = [
        ("nothing happens", entering, |desk| desk.learn(), S::Entering),
        ("the deadline passes, an order is out", entering, |desk| desk.now = at(501), S::Entering),
        ("the first gets nothing", entering, |desk| desk.end(0, 0), S::Nothing),
        ("the first gets a part", entering, |desk| desk.end(0, 5), S::Entering),
        (
            "the second is refused",
            |desk| {
                desk.send();
                desk.end(0, 50);
            },
            |desk| desk.run.refused(1, at(1)),
            S::Unwinding,
        ),
        (
            "the deadline passes in between",
            |desk| {
                desk.send();
                desk.end(0, 50);
            },
            |desk| desk.now = at(501),
            S::Unwinding,
        ),
        ("nothing is sold yet", unwinding, |desk| drop(desk.send()), S::Unwinding),
        (
            "all is sold",
            unwinding,
            |desk| {
                desk.send();
                desk.end(2, 30);
            },
            S::Complete,
        ),
        (
            "a part is sold",
            unwinding,
            |desk| {
                desk.send();
                desk.end(2, 10);
            },
            S::Unwinding,
        ),
        ("the time for it is over", unwinding, |desk| desk.now = at(400_000), S::Residual),
        ("it is over", complete, |desk| desk.now = at(400_000), S::Complete),
        ("a late fill of what is over", complete, |desk| desk.end(0, 60), S::Complete),
    ];
    for (what, before, act, state) in rows {
        let mut desk = Desk::new(&basket(2, Sequence::OneByOne, Unwind::SellBack(300)));
        before(&mut desk);
        act(&mut desk);
        desk.learn();
        assert_eq!(desk.run.state(), state, "{what}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// An open order is filled by so much.
    Fill {
        order: usize,
        cents: i64,
    },
    /// A fill is taken back.
    Undo {
        order: usize,
        cents: i64,
    },
    /// An open order is over.
    End {
        order: usize,
    },
    Pass {
        ms: u64,
    },
    Sellable {
        whole: i64,
    },
    Refuse,
    Send,
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0usize..40, 1i64..6_000).prop_map(|(order, cents)| Step::Fill { order, cents }),
        1 => (0usize..40, 1i64..6_000).prop_map(|(order, cents)| Step::Undo { order, cents }),
        3 => (0usize..40).prop_map(|order| Step::End { order }),
        1 => (0u64..2_000).prop_map(|ms| Step::Pass { ms }),
        1 => (0i64..60).prop_map(|whole| Step::Sellable { whole }),
        1 => Just(Step::Refuse),
        6 => Just(Step::Send),
    ];
    prop::collection::vec(step, 0..120)
}

fn play(desk: &mut Desk, step: &Step, sent: &mut BTreeMap<usize, Shares>) {
    let cents = |cents: i64| Shares::from_micros(cents * 10_000);
    match step {
        Step::Fill { order, cents: c } => {
            let size = desk.log.get(*order).map_or(Shares::ZERO, |(_, _, size)| *size);
            if let Some(known) = desk.table.get_mut(&Desk::id(*order)).filter(|known| !known.over) {
                known.filled = (known.filled + cents(*c)).min(size);
            }
        }
        Step::Undo { order, cents: c } => {
            if let Some(known) = desk.table.get_mut(&Desk::id(*order)) {
                known.filled = (known.filled - cents(*c)).max(Shares::ZERO);
            }
        }
        Step::End { order } => {
            if let Some(known) = desk.table.get_mut(&Desk::id(*order)) {
                known.over = true;
            }
        }
        Step::Pass { ms } => desk.now = desk.now.plus_ns(ms * Time::MILLI),
        Step::Sellable { whole } => desk.sellable = Shares::from_whole(*whole),
        Step::Refuse => {
            if let Some(want) = desk.run.want(desk.now, |_, _| desk.sellable) {
                desk.run.refused(want.leg, desk.now);
            }
        }
        Step::Send => {
            desk.learn();
            let got: Vec<_> = desk.run.parts().map(|part| part.got).collect();
            let from = desk.log.len();
            if from < 40 {
                desk.send();
            }
            for (leg, _, size) in desk.log[from..].iter().filter(|(_, sale, _)| !sale) {
                let most = got.iter().take(*leg).copied().fold(Shares::from_whole(50), Shares::min);
                sent.insert(*leg, most.min(*size));
                assert!(*size <= most, "leg {leg} wants {size}, and the ones before got {most}");
            }
        }
    }
}

proptest! {
    /// Whatever order things happen in: no leg is sent for more than the ones before have got, what it says it got is what the orders
    /// say, and it comes to an end.
    #[test]
    fn one_by_one_in_any_order_of_events(steps in steps()) {
        let mut desk = Desk::new(&basket(3, Sequence::OneByOne, Unwind::SellBack(300)));
        let mut sent = BTreeMap::new();
        for step in &steps {
            play(&mut desk, step, &mut sent);
        }
        // Everything that is out ends, and time passes.
        for _ in 0..8 {
            desk.table.values_mut().for_each(|known| known.over = true);
            desk.now = desk.now.plus_ns(UNWIND_NS);
            desk.learn();
        }
        prop_assert!(desk.run.state().is_final(), "{:?}", desk.run);
        prop_assert_eq!(desk.run.wakes_at(), None);
        let matched = desk.run.matched();
        let lots = |shares: Shares| shares.floor_lots().is_positive();
        let residual = desk.run.parts().any(|part| lots(part.got - part.undone - matched));
        prop_assert_eq!(desk.run.state() == BasketState::Residual, residual);
        prop_assert_eq!(desk.run.state() == BasketState::Complete, !residual && lots(matched));
    }

    /// What a running basket says of its parts is the sum of its orders' fills, to the millionth.
    #[test]
    fn its_parts_are_the_sums_of_the_fills(steps in steps(), together: bool) {
        let sequence = if together { Sequence::Together } else { Sequence::OneByOne };
        let mut desk = Desk::new(&basket(3, sequence, Unwind::SellBack(300)));
        for step in &steps {
            if !matches!((step, together), (Step::Send, true)) {
                play(&mut desk, step, &mut BTreeMap::new());
            } else if desk.log.len() < 40 {
                desk.send();
            }
            let over = desk.run.state().is_final();
            desk.learn();
            if over {
                continue;
            }
            let mut sums = [(Shares::ZERO, Shares::ZERO); 3];
            for (index, (leg, sale, _)) in desk.log.iter().enumerate() {
                let filled = desk.table[&Desk::id(index)].filled;
                let sum = if *sale { &mut sums[*leg].1 } else { &mut sums[*leg].0 };
                *sum += filled;
            }
            let parts: Vec<_> = desk.run.parts().map(|part| (part.got, part.undone)).collect();
            prop_assert_eq!(parts, sums);
        }
    }
}
