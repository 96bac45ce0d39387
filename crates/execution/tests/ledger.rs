//! The ledger's identities under every interleaving of what can happen to it.

use oddsmith_domain::{
    InstanceId, MarketId, OrderId, Outcome, Price, Shares, Side, SubAccount, TradeId, TradeStatus, Usdc,
};
use oddsmith_execution::{Applied, Fills, Ledger, OwnLeg};
use proptest::prelude::*;

const MARKET: MarketId = MarketId(0);
const INSTANCES: [InstanceId; 3] = [InstanceId(0), InstanceId(1), InstanceId::WALLET];

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A report of match number `.0`.
    Report(usize, TradeStatus),
    Split(usize, i64),
    Reserve(usize, i64),
    Release(usize, i64),
    Merge(usize, i64),
    Transfer(usize, usize, bool, i64, u16),
    TakeIn(usize, bool, i64, u16),
    Correct(usize, bool, i64),
    Decide(u16),
    Redeem(bool),
}

#[derive(Clone, Debug)]
struct Match {
    owner: usize,
    yes: bool,
    buy: bool,
    micros: i64,
    units: u16,
    fee: i64,
}

fn status() -> impl Strategy<Value = TradeStatus> {
    prop_oneof![
        3 => Just(TradeStatus::Matched),
        3 => Just(TradeStatus::Mined),
        2 => Just(TradeStatus::Confirmed),
        1 => Just(TradeStatus::Retrying),
        1 => Just(TradeStatus::Failed),
    ]
}

fn a_match() -> impl Strategy<Value = Match> {
    (0usize..2, any::<bool>(), any::<bool>(), 1i64..50_000_000, 1u16..10_000, 0i64..5_000)
        .prop_map(|(owner, yes, buy, micros, units, fee)| Match { owner, yes, buy, micros, units, fee })
}

fn step(matches: usize) -> impl Strategy<Value = Step> {
    let size = 1i64..20_000_000;
    prop_oneof![
        12 => (0..matches, status()).prop_map(|(i, s)| Step::Report(i, s)),
        1 => (0usize..3, size.clone()).prop_map(|(i, n)| Step::Split(i, n)),
        1 => (0usize..3, size.clone()).prop_map(|(i, n)| Step::Reserve(i, n)),
        1 => (0usize..3, size.clone()).prop_map(|(i, n)| Step::Release(i, n)),
        1 => (0usize..3, size.clone()).prop_map(|(i, n)| Step::Merge(i, n)),
        1 => (0usize..3, 0usize..3, any::<bool>(), size.clone(), 0u16..=10_000)
            .prop_map(|(a, b, yes, n, p)| Step::Transfer(a, b, yes, n, p)),
        1 => (0usize..3, any::<bool>(), size.clone(), 0u16..=10_000).prop_map(|(i, y, n, p)| Step::TakeIn(i, y, n, p)),
        1 => (0usize..3, any::<bool>(), -20_000_000i64..20_000_000).prop_map(|(i, y, n)| Step::Correct(i, y, n)),
        1 => prop_oneof![Just(0u16), Just(5_000), Just(10_000)].prop_map(Step::Decide),
        1 => any::<bool>().prop_map(Step::Redeem),
    ]
}

fn outcome(yes: bool) -> Outcome {
    if yes { Outcome::Yes } else { Outcome::No }
}

fn report(fills: &mut Fills, ledger: &mut Ledger, all: &[Match], i: usize, status: TradeStatus) -> Applied {
    let m = &all[i];
    let (price, size) = (Price::from_units(m.units).expect("in range"), Shares::from_micros(m.micros));
    let asset = MARKET.asset(outcome(m.yes));
    let leg = OwnLeg {
        order: OrderId([u8::try_from(i).expect("few"); 32]),
        asset: Some(asset),
        side: if m.buy { Side::Buy } else { Side::Sell },
        price,
        size,
        notional: size.cost_floor(price),
        fee: Usdc::from_micros(m.fee * 10),
        taker: m.fee > 0,
    };
    fills.apply(ledger, TradeId::parse(&i.to_string()).expect("short"), status, &leg, (INSTANCES[m.owner], asset))
}

/// Carries a step out; what a ledger refuses changes nothing.
fn carry_out(step: &Step, fills: &mut Fills, ledger: &mut Ledger, all: &[Match], decided: &mut Option<Price>) {
    let place = |i: usize| (INSTANCES[i], MARKET);
    let shares = Shares::from_micros;
    let price = |units: u16| Price::from_units(units).expect("in range");
    match *step {
        Step::Report(i, status) => {
            report(fills, ledger, all, i, status);
        }
        Step::Split(i, n) => {
            let _ = ledger.split(place(i), shares(n));
        }
        Step::Reserve(i, n) => {
            let _ = ledger.reserve(place(i), [shares(n); 2]);
        }
        Step::Release(i, n) => ledger.release(place(i), [shares(n); 2]),
        Step::Merge(i, n) => {
            let _ = ledger.merge(place(i), shares(n));
        }
        Step::Transfer(a, b, yes, n, p) => {
            let pair = (INSTANCES[a], INSTANCES[b]);
            let _ = ledger.transfer(pair, MARKET.asset(outcome(yes)), shares(n), price(p));
        }
        Step::TakeIn(i, yes, n, p) => {
            ledger.take_in(place(i), outcome(yes), shares(n), shares(n).cost_floor(price(p)));
        }
        Step::Correct(i, yes, n) => {
            ledger.correct(place(i), outcome(yes), shares(n));
        }
        Step::Decide(units) => *decided = Some(decided.unwrap_or(price(units))),
        Step::Redeem(yes) => {
            if let Some(pays) = *decided {
                for instance in INSTANCES {
                    ledger.redeem((instance, MARKET), outcome(yes), pays);
                }
            }
        }
    }
    if let Some(pays) = *decided {
        for instance in INSTANCES {
            ledger.decide((instance, MARKET), pays);
        }
    }
}

proptest! {
    /// Fills, their undoing, splits, merges, transfers, corrections, decisions and redemptions in any order.
    #[test]
    fn both_identities_hold_after_every_event(
        matches in prop::collection::vec(a_match(), 6),
        steps in prop::collection::vec(step(6), 1..60),
    ) {
        let (mut fills, mut ledger, mut decided) = (Fills::default(), Ledger::default(), None);
        for step in &steps {
            let before: Vec<_> = ledger.accounts().map(|(i, m, a)| ((i, m), *a)).collect();
            carry_out(step, &mut fills, &mut ledger, &matches, &mut decided);
            prop_assert!(ledger.balances(), "{step:?}");
            for (instance, market, account) in ledger.accounts() {
                let was = before.iter().find(|(p, _)| *p == (instance, market)).map(|(_, a)| *a).unwrap_or_default();
                prop_assert!(account.cost.iter().all(|cost| !cost.is_negative()), "{step:?} {account:?}");
                prop_assert!(account.reserved.iter().all(|r| !r.is_negative()), "{step:?} {account:?}");
                if let (Some(pays), true) = (decided, was != *account) {
                    let worth = account.shares[0].max(Shares::ZERO).cost_floor(pays)
                        + account.shares[1].max(Shares::ZERO).cost_floor(pays.complement());
                    prop_assert_eq!(account.cost_basis(), worth, "a decided market is held at what it pays");
                }
            }
            // A ledger that is taken up from its parts is the same ledger.
            let parts: Vec<_> = ledger.accounts().map(|(i, m, a)| ((i, m), *a)).collect();
            prop_assert_eq!(&Ledger::from_accounts(parts), &ledger);
        }
    }

    /// The same matches, reported in any order, repeated, on two ways, with and without a settlement that fails: one ledger in the end.
    #[test]
    fn any_order_and_any_repetition_give_the_same_ledger(
        matches in prop::collection::vec(a_match(), 2..8),
        noise in prop::collection::vec((0usize..8, status()), 0..50),
        fails in prop::collection::vec(any::<bool>(), 8),
        order in Just((0usize..8).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let last = |i: usize| if fails[i] { TradeStatus::Failed } else { TradeStatus::Confirmed };
        let (mut clean_fills, mut clean) = (Fills::default(), Ledger::default());
        for i in 0..matches.len() {
            report(&mut clean_fills, &mut clean, &matches, i, last(i));
        }
        let (mut noisy_fills, mut noisy) = (Fills::default(), Ledger::default());
        for (i, status) in noise {
            let (i, confirmed) = (i % matches.len(), status == TradeStatus::Confirmed || status == TradeStatus::Failed);
            let status = if confirmed { last(i) } else { status };
            report(&mut noisy_fills, &mut noisy, &matches, i, status);
        }
        for i in order.into_iter().filter(|i| *i < matches.len()) {
            report(&mut noisy_fills, &mut noisy, &matches, i, last(i));
        }
        // What a sale leaves at cost depends on the order of the purchases; everything else does not, and once the market is
        // decided nothing does.
        let facts = |l: &Ledger, i| {
            let a: SubAccount = l.account(i, MARKET);
            (a.cash, a.shares, a.settled, a.arriving, a.leaving, a.fees, a.incoming, a.outgoing, a.realized - a.cost_basis())
        };
        for instance in INSTANCES {
            prop_assert_eq!(facts(&noisy, instance), facts(&clean, instance));
        }
        prop_assert_eq!((noisy_fills.unsettled(), clean_fills.unsettled()), (0, 0));
        for ledger in [&mut noisy, &mut clean] {
            for instance in INSTANCES {
                ledger.decide((instance, MARKET), Price::ONE);
            }
        }
        for instance in INSTANCES {
            prop_assert_eq!(noisy.account(instance, MARKET), clean.account(instance, MARKET));
        }
    }

    /// Nothing is sold or promised twice: what is available never exceeds what is on the chain and not leaving.
    #[test]
    fn a_promise_is_kept(
        held in 1i64..50_000_000,
        promises in prop::collection::vec((1i64..20_000_000, any::<bool>()), 1..20),
    ) {
        let mut ledger = Ledger::default();
        let place = (INSTANCES[0], MARKET);
        ledger.split(place, Shares::from_micros(held)).expect("positive");
        let mut promised = Shares::ZERO;
        for (n, keep) in promises {
            let n = Shares::from_micros(n);
            if ledger.reserve(place, [n, n]).is_ok() {
                promised += n;
                if keep {
                    prop_assert!(ledger.merge(place, n).is_ok());
                    promised -= n;
                }
            }
            let account = ledger.account(place.0, MARKET);
            prop_assert_eq!(account.reserved, [promised; 2]);
            prop_assert!(promised <= account.settled[0]);
            prop_assert_eq!(account.available(Outcome::Yes), account.settled[0] - promised);
        }
    }
}
