//! Whether the figures that are kept are those that are added up anew.

use oddsmith_domain::{
    Address, ConditionId, ExchangeKind, FeeSchedule, Input, IntentId, MarketCard, OrderFields, OrderId, OrderState,
    OrderType, Payer, PlaceOrder, RunId, Setup, SignatureType, Tick, Time, TokenId,
};
use oddsmith_execution::ALL_STATES;
use oddsmith_risk::GroupLimit;
use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};
use proptest::prelude::*;

use super::*;
use crate::{EngineConfig, InstanceConfig};

const NOW: Time = Time { mono_ns: 1_000, wall_ns: 1_790_000_000 * Time::SECOND };

fn card(n: u8) -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(&format!("0x0{n}")).expect("a condition"),
        slug: format!("market-{n}"),
        question: String::new(),
        tokens: [TokenId::from_be_bytes([1 + n; 32]), TokenId::from_be_bytes([101 + n; 32])],
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: Some(Tick::Cent),
        min_size: Some(Shares::from_whole(5)),
        fee: Some(FeeSchedule::FREE),
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

/// Three markets, two instances, a group of all markets and one of two.
fn engine() -> Engine {
    let strategy = StrategyConfig::SkewedMaker(Parameters::default());
    let instance = |name: &str, markets: &str| InstanceConfig {
        name: name.to_owned(),
        markets: vec![markets.to_owned()],
        strategy: strategy.clone(),
        listener: Default::default(),
        sharing: Default::default(),
    };
    let group = |name: &str, markets: &[&str], exclusive| GroupLimit {
        name: name.to_owned(),
        markets: markets.iter().map(|m| (*m).to_owned()).collect(),
        exclusive,
        max_loss_usdc: Usdc::from_whole(100),
    };
    let mut config =
        EngineConfig { instances: vec![instance("a", "*"), instance("b", "market-1")], ..EngineConfig::default() };
    config.limits.groups = vec![group("all", &["*"], true), group("two", &["market-0", "market-1"], false)];
    let account = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266".parse().expect("an address");
    let setup = Setup {
        run: RunId([7; 16]),
        seed: [3; 32],
        account,
        payer: Payer::own(account),
        chain_id: 137,
        config: config.to_json().expect("json"),
    };
    let (mut engine, mut out) = (Engine::new(), Vec::new());
    engine.handle(&Input::Setup(Box::new(setup)), NOW, &mut out);
    (0..3).for_each(|n| engine.handle(&Input::Card(Box::new(card(n))), NOW, &mut out));
    engine
}

fn order(id: u8, (market, instance): (u32, u16), (yes, buys): (bool, bool), cents: u16, whole: i64) -> PlaceOrder {
    let (outcome, side) = (if yes { Outcome::Yes } else { Outcome::No }, if buys { Side::Buy } else { Side::Sell });
    PlaceOrder {
        id: OrderId([id; 32]),
        fields: OrderFields {
            salt: u64::from(id),
            maker: Address::default(),
            signer: Address::default(),
            token: TokenId::from_be_bytes([1; 32]),
            maker_amount: 0,
            taker_amount: 0,
            side,
            signature_type: SignatureType::Eoa,
            timestamp_ms: 0,
            metadata: [0; 32],
            builder: [0; 32],
        },
        exchange: ExchangeKind::Ctf,
        order_type: OrderType::Gtc,
        post_only: true,
        expiration_s: 0,
        asset: MarketId(market).asset(outcome),
        price: Price::from_units(cents * 100).expect("in range"),
        size: Shares::from_whole(whole),
        instance: InstanceId(instance),
        intent: IntentId(1),
        deadline_mono_ns: u64::MAX,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Place(u8, (u32, u16), (bool, bool), u16, i64),
    Move(u8, OrderState),
    Fill(u8, i64),
    Undo(u8, i64),
    Split(u32, u16, i64),
    Rename(u32, u8),
    /// The venue says what a YES share pays, in cents.
    Decide(u32, u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = ((0u32..3, 0u16..2), (any::<bool>(), any::<bool>()), 1u16..100, 1i64..40);
    let step = prop_oneof![
        4 => (0u8..12, place).prop_map(|(id, (at, what, cents, whole))| Step::Place(id, at, what, cents, whole)),
        3 => (0u8..12, 0..ALL_STATES.len()).prop_map(|(id, state)| Step::Move(id, ALL_STATES[state])),
        3 => (0u8..12, 1i64..30).prop_map(|(id, whole)| Step::Fill(id, whole)),
        1 => (0u8..12, 1i64..10).prop_map(|(id, whole)| Step::Undo(id, whole)),
        1 => (0u32..3, 0u16..2, 1i64..30).prop_map(|(market, owner, whole)| Step::Split(market, owner, whole)),
        1 => (0u32..3, 0u8..5).prop_map(|(market, name)| Step::Rename(market, name)),
        1 => (0u32..3, prop_oneof![Just(0u16), Just(50), Just(100)]).prop_map(|(market, pays)| Step::Decide(market, pays)),
    ];
    prop::collection::vec(step, 1..40)
}

/// Takes a step; the market that it concerns.
fn take(engine: &mut Engine, step: &Step) -> Option<MarketId> {
    let of = |engine: &Engine, id: &u8| engine.orders.get(&OrderId([*id; 32])).map(|order| order.place);
    match step {
        Step::Place(id, at, what, cents, whole) => {
            if of(engine, id).is_some() {
                return None;
            }
            engine.orders.insert(order(*id, *at, *what, *cents, *whole), NOW);
            Some(MarketId(at.0))
        }
        Step::Move(id, to) => {
            let place = of(engine, id)?;
            engine.orders.transition(&place.id, *to, NOW);
            Some(place.asset.market())
        }
        Step::Fill(id, whole) => {
            let (place, size) = (of(engine, id)?, Shares::from_whole(*whole));
            engine.orders.filled(&place.id, size, NOW);
            let owner = (place.instance, place.asset.market());
            let notional = size.cost_ceil(place.price);
            let what = (place.asset.outcome(), place.side());
            engine.ledger.fill(owner, what, size, notional, Usdc::ZERO).expect("a size");
            Some(owner.1)
        }
        Step::Undo(id, whole) => {
            let place = of(engine, id)?;
            engine.orders.unfilled(&place.id, Shares::from_whole(*whole));
            Some(place.asset.market())
        }
        Step::Split(market, owner, whole) => {
            let place = (InstanceId(*owner), MarketId(*market));
            engine.ledger.split(place, Shares::from_whole(*whole)).expect("a size");
            Some(place.1)
        }
        Step::Rename(market, name) => {
            let renamed = MarketCard { slug: format!("market-{name}"), ..card(u8::try_from(*market).expect("small")) };
            engine.handle(&Input::Card(Box::new(renamed)), NOW, &mut Vec::new());
            None
        }
        Step::Decide(market, cents) => {
            let (id, yes) = (MarketId(*market), Price::from_units(cents * 100).expect("in range"));
            engine.on_resolution(id, &Ok(Some(yes)), NOW, &mut Vec::new());
            None
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// What is kept is what is added up anew, whatever happens to orders, accounts and cards.
    #[test]
    fn figures_that_are_kept_are_those_that_are_added_up_anew(steps in steps()) {
        let mut engine = engine();
        prop_assert_eq!(engine.check_figures(), Ok(()));
        for step in &steps {
            if let Some(market) = take(&mut engine, step) {
                engine.recount(market);
            }
            prop_assert_eq!(engine.check_figures(), Ok(()), "after {:?}", step);
        }
    }

    /// Nothing that changes a figure is missed: without being added up again, each step that the check objects to has changed
    /// the number of the last change.
    #[test]
    fn a_change_shows_in_its_number(steps in steps()) {
        let mut engine = engine();
        for step in &steps {
            let market = take(&mut engine, step);
            if let Some(market) = market {
                let known = engine.markets.get(market.index()).expect("a market");
                let now = (engine.ledger.changed(market), engine.orders.changed(market));
                let decided = known.pays.is_some();
                let anew = Figures::of(&engine.ledger, &engine.orders, (market, decided));
                let anew = Figures { of: known.figures.of, ..anew };
                prop_assert!(known.figures == anew || known.figures.of != now, "after {:?}", step);
                engine.recount(market);
            }
        }
    }
}

#[test]
fn what_is_held_in_a_decided_market_counts_as_nothing() {
    let (first, owner) = (MarketId(0), InstanceId(0));
    for pays in [Price::ONE, Price::ZERO, Price::from_units(5_000).expect("in range")] {
        let mut engine = engine();
        let bought = (Outcome::Yes, Side::Buy);
        let cost = Usdc::from_whole(16);
        engine.ledger.fill((owner, first), bought, Shares::from_whole(40), cost, Usdc::ZERO).expect("a size");
        engine.recount(first);
        engine.regroup(MarketId(1));
        let before = engine.markets.get(0).expect("a market").figures.clone();
        assert_eq!((before.all.worst().loss, engine.instances[0].loss), (cost, cost));
        assert_eq!((engine.sums.everywhere.losses, engine.sums.everywhere.markets), (cost, 1));

        engine.on_resolution(first, &Ok(Some(pays)), NOW, &mut Vec::new());
        let known = engine.markets.get(0).expect("a market");
        assert_eq!(known.figures.all, MarketExposure::default(), "order and market: YES pays {pays}");
        assert_eq!(known.figures.own(owner), MarketExposure::default());
        assert_eq!((engine.instances[0].loss, engine.sums.everywhere), (Usdc::ZERO, Elsewhere::default()));
        engine.regroup(MarketId(1));
        let other = engine.markets.get(1).expect("a market");
        assert!(
            engine
                .group_standings(other)
                .iter()
                .all(|group| group.others == GroupLoss::default().with([Usdc::ZERO; 2]))
        );
        // A bid that may still fill counts as before.
        engine.orders.insert(order(1, (0, 0), (true, true), 40, 10), NOW);
        engine.recount(first);
        assert_eq!(engine.markets.get(0).expect("a market").figures.all.worst().loss, Usdc::from_whole(4));
        assert_eq!(engine.check_figures(), Ok(()));
    }
}

#[test]
fn what_was_not_added_up_again_is_found() {
    let mut engine = engine();
    engine.orders.insert(order(1, (0, 0), (true, true), 40, 10), NOW);
    assert!(engine.check_figures().is_err());
    engine.recount(MarketId(0));
    assert_eq!(engine.check_figures(), Ok(()));
}
