//! What holds whatever is done.

mod support;

use std::collections::BTreeMap;

use oddsmith_domain::{FeeSchedule, OrderId, OrderType, Outcome, Price, Shares, Side, Tick, Usdc};
use oddsmith_exchange::core::{
    Config, Core, CoreEvent, LevelDelta, MarketSpec, PublicEvent, Refusal, SelfFill, Settlement, UsableAt,
};
use proptest::prelude::*;
use support::{Desk, MS, S, Want};

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Doing {
    Place(Want),
    CancelNewest(usize),
    CancelAll(usize),
    Wait(u64),
    Split(usize, i64),
    Merge(usize, i64),
    Move(usize, usize, i64),
    Settle(Settlement),
}

fn order() -> impl Strategy<Value = Want> {
    let kinds = prop_oneof![
        4 => Just(OrderType::Gtc),
        1 => Just(OrderType::Fok),
        1 => Just(OrderType::Fak),
    ];
    // Sizes in micros, so that fills finer than a lot happen; prices near the middle, so that orders meet.
    let size = prop_oneof![(500i64..30_000).prop_map(|lots| lots * 10_000), 5_000_000i64..300_000_000];
    (0usize..4, any::<bool>(), any::<bool>(), 40u16..60, size, kinds, any::<bool>()).prop_map(
        |(who, yes, buy, cents, micros, order_type, post)| Want {
            who,
            outcome: if yes { Outcome::Yes } else { Outcome::No },
            side: if buy { Side::Buy } else { Side::Sell },
            price: Price::from_units(cents * 100).expect("in range"),
            size: Shares::from_micros(micros),
            order_type,
            post_only: post && order_type.rests() && micros % 3 == 0,
            expiration_s: 0,
        },
    )
}

fn doing() -> impl Strategy<Value = Doing> {
    let way = prop_oneof![
        Just(Settlement::Normal),
        Just(Settlement::RetryThenMine),
        Just(Settlement::RetryThenFail),
        Just(Settlement::Fail),
        Just(Settlement::Late),
    ];
    prop_oneof![
        20 => order().prop_map(Doing::Place),
        2 => (0usize..4).prop_map(Doing::CancelNewest),
        1 => (0usize..4).prop_map(Doing::CancelAll),
        3 => (1u64..2_000).prop_map(Doing::Wait),
        1 => (0usize..4, 1i64..500_000_000).prop_map(|(who, micros)| Doing::Split(who, micros)),
        1 => (0usize..4, 1i64..500_000_000).prop_map(|(who, micros)| Doing::Merge(who, micros)),
        1 => (0usize..4, 0usize..4, 1i64..8_000_000_000).prop_map(|(a, b, micros)| Doing::Move(a, b, micros)),
        1 => way.prop_map(Doing::Settle),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    (any::<bool>(), any::<bool>()).prop_map(|(early, cancel)| Config {
        usable_at: if early { UsableAt::Matched } else { UsableAt::Mined },
        self_fill: if cancel { SelfFill::CancelResting } else { SelfFill::Allow },
        ..Config::default()
    })
}

fn desk(config: Config) -> Desk {
    let fee = FeeSchedule::new(70_000, 1, true).expect("a schedule");
    let spec = MarketSpec { fee, ..MarketSpec::ordinary("any", "?") };
    let mut desk = Desk::with(config, spec);
    for who in 0..4 {
        desk.split(who, "2000");
    }
    desk.events();
    desk
}

fn act(desk: &mut Desk, doing: &Doing, placed: &mut Vec<(usize, OrderId)>) {
    match doing {
        Doing::Place(want) => {
            if let Ok(reply) = desk.place(*want) {
                placed.push((want.who, reply.id));
            }
        }
        Doing::CancelNewest(who) => {
            if let Some((_, id)) = placed.iter().rev().find(|(owner, _)| owner == who) {
                let key = desk.key(*who);
                desk.core.cancel(key, &[*id], desk.now).expect("cancels are on");
            }
        }
        Doing::CancelAll(who) => {
            let key = desk.key(*who);
            desk.core.cancel_scope(key, None, None, desk.now).expect("cancels are on");
        }
        Doing::Wait(ms) => desk.wait(ms * MS),
        Doing::Split(who, micros) => {
            let _poor = desk.core.split(desk.account(*who), desk.market, Usdc::from_micros(*micros), desk.now);
        }
        Doing::Merge(who, micros) => {
            let _poor = desk.core.merge(desk.account(*who), desk.market, Shares::from_micros(*micros), desk.now);
        }
        Doing::Move(from, to, micros) => {
            let account = desk.account(*from);
            let _poor = desk.core.transfer(account, Desk::address(*to), Usdc::from_micros(*micros), desk.now);
        }
        Doing::Settle(way) => desk.core.script_settlements([*way]),
    }
}

fn sound(core: &Core, market: oddsmith_domain::MarketId, total: Usdc) {
    assert_eq!(core.total_collateral(), total, "collateral is neither made nor lost");
    let listed = core.market(market).expect("a market");
    let mut held = [Shares::ZERO; 2];
    for account in core.accounts() {
        assert!(!account.collateral.is_negative(), "nobody owes");
        for outcome in Outcome::BOTH {
            let holding = account.holding(market.asset(outcome));
            assert!(!holding.settled.is_negative(), "nobody is short");
            held[outcome.index()] += holding.settled;
        }
    }
    assert_eq!(held, listed.outstanding, "all tokens are somewhere");
    assert_eq!(held.map(Shares::micros), [listed.locked.micros(); 2], "each pair has its dollar");
    let (bid, ask) = (listed.best(Outcome::Yes, Side::Buy), listed.best(Outcome::Yes, Side::Sell));
    assert!(bid.zip(ask).is_none_or(|(bid, ask)| bid < ask), "never crossed after matching");
    let yes: Vec<_> = listed.levels(Outcome::Yes, Side::Buy).map(|(price, size)| (price.complement(), size)).collect();
    assert_eq!(listed.levels(Outcome::No, Side::Sell).collect::<Vec<_>>(), yes, "the books mirror each other");
}

/// What each account has reserved is what its open orders need.
fn reserved(core: &Core, market: oddsmith_domain::MarketId) {
    for account in core.accounts() {
        let open: Vec<_> = core.open_orders(account.user).collect();
        let needs: Usdc = open.iter().map(|order| order.needs_collateral()).sum();
        assert_eq!(account.open, needs);
        for outcome in Outcome::BOTH {
            let offered: Shares = open.iter().filter(|o| o.outcome == outcome).map(|o| o.needs_shares()).sum();
            assert_eq!(account.holding(market.asset(outcome)).open, offered);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_made_or_lost(config in config(), doings in prop::collection::vec(doing(), 1..120)) {
        let mut desk = desk(config);
        let total = desk.core.total_collateral();
        let mut placed = Vec::new();
        for doing in &doings {
            act(&mut desk, doing, &mut placed);
            sound(&desk.core, desk.market, total);
            reserved(&desk.core, desk.market);
        }
        desk.wait(60 * S);
        sound(&desk.core, desk.market, total);
        for account in desk.core.accounts() {
            prop_assert_eq!((account.pending_in, account.pending_out), (Usdc::ZERO, Usdc::ZERO), "all is settled");
        }
        // Once decided, every dollar comes back.
        desk.core.resolve(desk.market, Price::ONE, desk.now);
        for who in 0..4 {
            let account = desk.account(who);
            desk.core.redeem(account, desk.market, desk.now).expect("decided");
        }
        prop_assert_eq!(desk.core.market(desk.market).expect("a market").locked, Usdc::ZERO);
        let cash: Usdc = desk.core.accounts().iter().map(|account| account.collateral).sum();
        prop_assert_eq!(cash + desk.core.fees_collected(), total);
    }

    #[test]
    fn fok_is_all_or_nothing_and_nobody_gets_worse_than_his_limit(doings in prop::collection::vec(order(), 1..80)) {
        let mut desk = desk(Config::default());
        for want in doings {
            let ladder_before = desk.ladder(Outcome::Yes, Side::Buy);
            let reply = desk.place(want);
            let Ok(placed) = reply else {
                if want.order_type == OrderType::Fok {
                    prop_assert_eq!(desk.ladder(Outcome::Yes, Side::Buy), ladder_before, "a killed order leaves no trace");
                }
                continue;
            };
            let (shares, dollars) = match want.side {
                Side::Buy => (placed.taking_micro, placed.making_micro),
                Side::Sell => (placed.making_micro, placed.taking_micro),
            };
            if want.order_type == OrderType::Fok {
                prop_assert_eq!(shares as i64, want.size.micros());
            }
            // One millionth of a dollar for each fill is the rounding of fills finer than a lot.
            let limit = i128::from(shares) * i128::from(want.price.units());
            let exact = i128::from(dollars) * 10_000;
            let fills = placed.trades.iter().filter_map(|id| desk.core.trade(id)).map(|t| t.makers.len()).sum::<usize>();
            let slack = 10_000 * fills as i128;
            match want.side {
                Side::Buy => prop_assert!(exact <= limit + slack),
                Side::Sell => prop_assert!(exact + slack >= limit),
            }
        }
    }

    #[test]
    fn price_comes_first_and_then_time(orders in prop::collection::vec(order(), 1..80)) {
        let mut desk = desk(Config::default());
        let mut arrived: BTreeMap<OrderId, u64> = BTreeMap::new();
        for (sequence, want) in orders.into_iter().enumerate() {
            let Ok(placed) = desk.place(want) else { continue };
            arrived.insert(placed.id, sequence as u64);
            for trade in placed.trades.iter().filter_map(|id| desk.core.trade(id)) {
                let rank = |leg: &oddsmith_exchange::core::Leg| {
                    let yes = if leg.outcome == Outcome::Yes { leg.price } else { leg.price.complement() };
                    let bids = (leg.outcome == Outcome::Yes) == (leg.side == Side::Buy);
                    let away = if bids { yes.complement() } else { yes };
                    (away, arrived[&leg.order])
                };
                let ranks: Vec<_> = trade.makers.iter().map(|(leg, _)| rank(leg)).collect();
                prop_assert!(ranks.is_sorted(), "{ranks:?}");
            }
        }
    }

    #[test]
    fn the_public_changes_rebuild_the_book(doings in prop::collection::vec(doing(), 1..80)) {
        let mut desk = desk(Config::default());
        let mut rebuilt: BTreeMap<(usize, bool, Price), Shares> = BTreeMap::new();
        let mut placed = Vec::new();
        for doing in &doings {
            act(&mut desk, doing, &mut placed);
            for event in desk.events() {
                let CoreEvent::Public(PublicEvent::PriceChange { changes, .. }) = event else { continue };
                for LevelDelta { outcome, side, price, size, .. } in changes {
                    let key = (outcome.index(), side == Side::Buy, price);
                    if size.is_zero() { rebuilt.remove(&key); } else { rebuilt.insert(key, size); }
                }
            }
        }
        let listed = desk.core.market(desk.market).expect("a market");
        let mut shown = BTreeMap::new();
        for outcome in Outcome::BOTH {
            for side in [Side::Buy, Side::Sell] {
                let levels = listed.levels(outcome, side);
                shown.extend(levels.map(|(price, size)| ((outcome.index(), side == Side::Buy, price), size)));
            }
        }
        prop_assert_eq!(rebuilt, shown);
    }

    #[test]
    fn no_content_of_a_request_makes_it_panic(
        amounts in any::<(u64, u64)>(), expiration_s in any::<u64>(), post_only in any::<bool>(), kind in 0usize..4,
        sell in any::<bool>(), tick in 0usize..6, now in any::<u64>(), known in any::<bool>(),
    ) {
        let spec = MarketSpec { tick: Tick::ALL[tick], ..MarketSpec::ordinary("any", "?") };
        let mut desk = Desk::with(Config::default(), spec);
        let mut request = desk.request(support::want(0, "BUY YES 10 @ 0.4"));
        (request.fields.maker_amount, request.fields.taker_amount) = amounts;
        (request.expiration_s, request.post_only) = (expiration_s, post_only);
        request.order_type = [OrderType::Gtc, OrderType::Gtd, OrderType::Fok, OrderType::Fak][kind];
        request.fields.side = if sell { Side::Sell } else { Side::Buy };
        if !known {
            request.fields.token = oddsmith_domain::TokenId::from_be_bytes([0xff; 32]);
        }
        let key = desk.key(0);
        let refusal = desk.core.place(key, &request, now).err();
        prop_assert!(refusal.as_ref().is_none_or(|refusal| !refusal.text().is_empty()));
        prop_assert!(refusal != Some(Refusal::Duplicated(request.id)));
        desk.core.advance(u64::MAX);
    }
}
