//! The parts of a profit are what the reference's worked numbers say, and always sum to the ledger's.

mod common;

use common::{Desk, MAKER, MARKET, price, usd};
use oddsmith_domain::{
    Booking, Event, InstanceId, Link, LinkState, Listing, MarketId, Outcome, Shares, Side, TradeStatus, Usdc,
};
use oddsmith_domain::{Input, Price};
use oddsmith_report::Split;
use proptest::prelude::*;

const PLACE: (InstanceId, MarketId) = (MAKER, MARKET);

fn parts(split: &Split) -> [Usdc; 4] {
    [split.spread, split.adverse_selection, split.inventory, split.settlement]
}

/// Quant reference 12: BUY at .52 with the mid at .53, then .532, .526, .518 after 1, 5 and 30 s.
#[test]
fn the_worked_fill_of_the_reference() {
    let mut desk = Desk::new(1);
    desk.mid(MARKET, 5_300);
    desk.fill(PLACE, (Outcome::Yes, Side::Buy), Shares::from_whole(100), price(5_200), Usdc::ZERO);
    let zero = Usdc::ZERO;
    assert_eq!(parts(&desk.split()), [usd("1"), zero, zero, zero]);
    for (ms, units, adverse) in [(1_000, 5_320, "0.2"), (4_000, 5_260, "-0.4"), (25_000, 5_180, "-1.2")] {
        desk.pass_ms(ms);
        desk.mid(MARKET, units);
        assert_eq!(parts(&desk.split()), [usd("1"), usd(adverse), zero, zero]);
    }
    // Exactly at the horizon still counts; what comes later is inventory.
    desk.pass_ms(1);
    desk.mid(MARKET, 5_500);
    assert_eq!(parts(&desk.split()), [usd("1"), usd("-1.2"), usd("3.2"), zero]);
    desk.resolve(MARKET, Price::ONE);
    assert_eq!(parts(&desk.split()), [usd("1"), usd("-1.2"), usd("3.2"), usd("45")]);
    assert_eq!(desk.split().total, usd("48"));
}

/// The same exposure through the other token is the same profit from the same sources.
#[test]
fn the_complement_is_the_mirror_image() {
    let play = |way, at| {
        let mut desk = Desk::new(1);
        desk.mid(MARKET, 5_300);
        desk.fill(PLACE, way, Shares::from_whole(40), price(at), Usdc::ZERO);
        desk.pass_ms(2_000);
        desk.mid(MARKET, 5_100);
        desk.pass_ms(40_000);
        desk.mid(MARKET, 4_800);
        desk.split()
    };
    let [no, yes] = [play((Outcome::No, Side::Buy), 4_600), play((Outcome::Yes, Side::Sell), 5_400)];
    assert_eq!(no, yes);
    assert_eq!(parts(&no), [usd("0.4"), usd("0.8"), usd("1.2"), Usdc::ZERO]);
}

/// Quant reference 6.1: two buys, a merge, a mark at .55, and the settlement at YES.
#[test]
fn the_worked_ledger_of_the_reference() {
    let mut desk = Desk::new(1);
    desk.mid(MARKET, 4_900);
    desk.fill(PLACE, (Outcome::Yes, Side::Buy), Shares::from_whole(100), price(4_800), Usdc::ZERO);
    let fee = usd("1.04958");
    desk.fill(PLACE, (Outcome::No, Side::Buy), Shares::from_whole(60), price(4_900), fee);
    desk.settle(0, TradeStatus::Confirmed);
    desk.settle(1, TradeStatus::Confirmed);
    let pairs = Shares::from_whole(60);
    desk.ledger.reserve(PLACE, [pairs, pairs]).expect("free");
    let movement = desk.ledger.merge(PLACE, pairs).expect("reserved");
    desk.book(PLACE, Booking::Merge, movement);
    assert_eq!(desk.ledger.account(MAKER, MARKET).realized, usd("0.75042"));
    desk.pass_ms(31_000);
    desk.mid(MARKET, 5_500);
    assert_eq!(desk.split().total, usd("3.55042"));
    desk.resolve(MARKET, Price::ONE);
    let split = desk.split();
    // Captured: 100 x .01 and 60 x .02; carried 40 shares from .49 to .55 and then to 1.
    assert_eq!(parts(&split), [usd("2.2"), Usdc::ZERO, usd("2.4"), usd("18")]);
    assert_eq!((split.fees, split.total), (usd("-1.04958"), usd("21.55042")));
}

#[test]
fn a_fill_that_fails_leaves_no_trace() {
    for after_ms in [500, 31_000] {
        for decided in [false, true] {
            let mut desk = Desk::new(1);
            desk.mid(MARKET, 5_000);
            let fill = desk.fill(PLACE, (Outcome::No, Side::Buy), Shares::from_whole(30), price(5_200), usd("0.3"));
            desk.pass_ms(100);
            desk.mid(MARKET, 5_170);
            desk.pass_ms(after_ms);
            desk.mid(MARKET, 4_440);
            if decided {
                desk.resolve(MARKET, Price::ZERO);
            }
            assert_ne!(desk.split(), Split::default());
            desk.settle(fill, TradeStatus::Failed);
            assert_eq!(desk.split(), Split::default(), "{after_ms} {decided}");
            desk.pass_ms(60_000);
            desk.mid(MARKET, 7_000);
            assert_eq!(desk.split(), Split::default());
        }
    }
}

#[test]
fn fees_below_zero_are_rebates_and_go_back_with_their_fill() {
    let mut desk = Desk::new(1);
    desk.mid(MARKET, 5_000);
    let fill = desk.fill(PLACE, (Outcome::Yes, Side::Buy), Shares::from_whole(10), price(4_900), usd("-0.02"));
    let split = desk.split();
    assert_eq!((split.spread, split.fees, split.rebates), (usd("0.1"), Usdc::ZERO, usd("0.02")));
    desk.settle(fill, TradeStatus::Failed);
    assert_eq!(desk.split(), Split::default());
}

#[test]
fn a_fill_before_any_mid_is_inventory_and_a_lost_book_keeps_its_mark() {
    let mut desk = Desk::new(1);
    desk.fill(PLACE, (Outcome::Yes, Side::Buy), Shares::from_whole(10), price(4_000), Usdc::ZERO);
    assert_eq!(desk.split(), Split::default());
    desk.mid(MARKET, 4_500);
    assert_eq!(desk.split(), Split { inventory: usd("0.5"), total: usd("0.5"), ..Split::default() });
    let down = Input::Link { link: Link::Market(0), state: LinkState::Down("gone".to_owned()) };
    desk.attribution.input(&down, desk.now);
    assert_eq!(desk.split().total, usd("0.5"));
    // A market that is forgotten has no mark any more: its accounts keep what they have realised.
    desk.fill(PLACE, (Outcome::Yes, Side::Sell), Shares::from_whole(10), price(4_600), Usdc::ZERO);
    desk.tell(Event::Listing { market: MARKET, listing: Listing::Forgotten });
    desk.marks.clear();
    assert_eq!(
        desk.split(),
        Split { spread: usd("0.1"), inventory: usd("0.5"), total: usd("0.6"), ..Split::default() }
    );
}

#[test]
fn what_comes_without_a_match_is_told_apart() {
    let mut desk = Desk::new(1);
    desk.mid(MARKET, 6_000);
    let opening = desk.ledger.take_in(PLACE, Outcome::Yes, Shares::from_whole(10), usd("5"));
    desk.book(PLACE, Booking::Opening, opening);
    assert_eq!(desk.split(), Split { other: usd("1"), total: usd("1"), ..Split::default() });
    let correction = desk.ledger.correct(PLACE, Outcome::Yes, Shares::from_whole(-4));
    desk.book(PLACE, Booking::Correction, correction);
    assert_eq!(desk.split(), Split { other: usd("-1.4"), total: usd("-1.4"), ..Split::default() });
}

/// Something that can happen to a run.
#[derive(Clone, Debug)]
enum Step {
    Mid(u32, u16),
    Pass(u64),
    Fill { instance: u16, market: u32, no: bool, sell: bool, micros: i64, units: u16, fee: i64 },
    Settle(usize, bool),
    Split(u16, u32, i64),
    Merge(u16, u32, i64),
    TakeIn(u16, u32, bool, i64, i64),
    Transfer(u32, i64, u16),
    Correct(u16, u32, bool, i64),
    Resolve(u32, u16),
    Redeem(u16, u32),
}

fn step() -> impl Strategy<Value = Step> {
    let (instance, market) = (0u16..3, 0u32..2);
    prop_oneof![
        8 => (market.clone(), 20u16..9_980).prop_map(|(m, u)| Step::Mid(m, u)),
        5 => (1u64..40_000).prop_map(Step::Pass),
        10 => (instance.clone(), market.clone(), any::<bool>(), any::<bool>(), 1i64..90_000_000, 1u16..10_000, -50_000i64..90_000)
            .prop_map(|(instance, market, no, sell, micros, units, fee)| Step::Fill {
                instance, market, no, sell, micros, units, fee,
            }),
        6 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(i, fails)| Step::Settle(i.index(1 << 20), fails)),
        1 => (instance.clone(), market.clone(), 1i64..9_000_000).prop_map(|(i, m, n)| Step::Split(i, m, n)),
        2 => (instance.clone(), market.clone(), 1i64..90_000_000).prop_map(|(i, m, n)| Step::Merge(i, m, n)),
        1 => (instance.clone(), market.clone(), any::<bool>(), 1i64..9_000_000, 0i64..9_000_000)
            .prop_map(|(i, m, no, n, cost)| Step::TakeIn(i, m, no, n, cost)),
        1 => (market.clone(), 1i64..9_000_000, 1u16..10_000).prop_map(|(m, n, u)| Step::Transfer(m, n, u)),
        1 => (instance.clone(), market.clone(), any::<bool>(), -900_000i64..900_000)
            .prop_map(|(i, m, no, n)| Step::Correct(i, m, no, n)),
        1 => (market.clone(), prop_oneof![Just(0u16), Just(10_000), Just(5_000)]).prop_map(|(m, u)| Step::Resolve(m, u)),
        1 => (instance, market).prop_map(|(i, m)| Step::Redeem(i, m)),
    ]
}

fn outcome(no: bool) -> Outcome {
    if no { Outcome::No } else { Outcome::Yes }
}

fn take(desk: &mut Desk, step: &Step) {
    match *step {
        Step::Mid(market, units) => desk.mid(MarketId(market), units),
        Step::Pass(ms) => desk.pass_ms(ms),
        Step::Fill { instance, market, no, sell, micros, units, fee } => {
            let owner = if instance == 2 { InstanceId::WALLET } else { InstanceId(instance) };
            let side = if sell { Side::Sell } else { Side::Buy };
            let place = (owner, MarketId(market));
            desk.fill(
                place,
                (outcome(no), side),
                Shares::from_micros(micros),
                price(units),
                Usdc::from_micros(fee / 10 * 10),
            );
        }
        Step::Settle(index, fails) if !desk.fills.is_empty() => {
            let status = if fails { TradeStatus::Failed } else { TradeStatus::Confirmed };
            desk.settle(index % desk.fills.len(), status);
        }
        Step::Settle(..) => {}
        Step::Split(i, m, n) => {
            let place = (InstanceId(i), MarketId(m));
            let movement = desk.ledger.split(place, Shares::from_micros(n)).expect("more than none");
            desk.book(place, Booking::Split, movement);
        }
        Step::Merge(i, m, n) => {
            let place = (InstanceId(i), MarketId(m));
            let free = Outcome::BOTH.map(|o| desk.ledger.available(place.0, place.1.asset(o)));
            let pairs = Shares::from_micros(n).min(free[0]).min(free[1]);
            if desk.ledger.reserve(place, [pairs, pairs]).is_ok()
                && let Ok(movement) = desk.ledger.merge(place, pairs)
            {
                desk.book(place, Booking::Merge, movement);
            }
        }
        Step::TakeIn(i, m, no, n, cost) => {
            let place = (InstanceId(i), MarketId(m));
            let movement = desk.ledger.take_in(place, outcome(no), Shares::from_micros(n), Usdc::from_micros(cost));
            desk.book(place, Booking::Opening, movement);
        }
        Step::Transfer(m, n, units) => {
            let (from, to, market) = (InstanceId(0), InstanceId(1), MarketId(m));
            let asset = market.asset(Outcome::Yes);
            let size = Shares::from_micros(n).min(desk.ledger.available(from, asset));
            if let Ok([given, taken]) = desk.ledger.transfer((from, to), asset, size, price(units)) {
                desk.book((from, market), Booking::Transfer, given);
                desk.book((to, market), Booking::Transfer, taken);
            }
        }
        Step::Correct(i, m, no, n) => {
            let place = (InstanceId(i), MarketId(m));
            let movement = desk.ledger.correct(place, outcome(no), Shares::from_micros(n));
            desk.book(place, Booking::Correction, movement);
        }
        Step::Resolve(m, units) => desk.resolve(MarketId(m), price(units)),
        Step::Redeem(i, m) => {
            let place = (InstanceId(i), MarketId(m));
            if let Some(yes) = desk.decided.get(&place.1).copied() {
                let movement = desk.ledger.redeem(place, Outcome::Yes, yes);
                desk.book(place, Booking::Redeem, movement);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever happens, in whatever order: after every step the parts are the ledger's profit, for each instance and in all, and the
    /// part that takes the rounding is off its own sum by rounding alone.
    #[test]
    fn the_parts_always_sum_to_the_ledger(steps in prop::collection::vec(step(), 1..60)) {
        let mut desk = Desk::new(2);
        for step in &steps {
            take(&mut desk, step);
            let split = desk.attribution.split();
            prop_assert_eq!((split.sum(), split.total), (desk.profit(None), desk.profit(None)), "{:?}", step);
            for instance in [InstanceId(0), InstanceId(1), InstanceId(2), InstanceId::WALLET] {
                prop_assert_eq!(desk.attribution.instance(instance).sum(), desk.profit(Some(instance)));
            }
            prop_assert!(desk.attribution.rounding() < 12, "{}", desk.attribution.rounding());
        }
        // What fails last of all takes everything back that its fills were put down to.
        for number in 0..desk.fills.len() {
            desk.settle(number, TradeStatus::Failed);
        }
        prop_assert_eq!(desk.attribution.split().sum(), desk.profit(None));
    }
}
