//! Every outcome of a request in every state of its order.

use oddsmith_domain::{
    AccountOrder, AccountPart, Action, ActionSeq, CancelOutcome, CanceledOrders, ConditionId, ExchangeKind,
    FeeSchedule, GatewayInput, GatewayOutcome, Input, InstanceId, IntentId, MarketCard, MarketId, Omission,
    OrderFields, OrderState, OrderType, OutputBody, Payer, PlaceOrder, PlaceOutcome, Price, RefusalCode, RunId, Setup,
    Shares, Side, Tick, TokenId, VenueOrderStatus,
};
use oddsmith_execution::ALL_STATES;
use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};

use super::*;
use crate::{EngineConfig, InstanceConfig};

const ID: OrderId = OrderId([1; 32]);
const ACTION: ActionSeq = ActionSeq(900);
const NOW: Time = Time { mono_ns: 1_000, wall_ns: 1_790_000_000 * Time::SECOND };

fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse("0x01").expect("a condition"),
        slug: "one".to_owned(),
        question: String::new(),
        tokens: [TokenId::from_be_bytes([1; 32]), TokenId::from_be_bytes([2; 32])],
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

fn order(setup: &Setup) -> PlaceOrder {
    PlaceOrder {
        id: ID,
        fields: OrderFields {
            salt: 1,
            maker: setup.account,
            signer: setup.account,
            token: card().tokens[0],
            maker_amount: 4_000_000,
            taker_amount: 10_000_000,
            side: Side::Buy,
            signature_type: oddsmith_domain::SignatureType::Eoa,
            timestamp_ms: NOW.wall_ms(),
            metadata: [0; 32],
            builder: [0; 32],
        },
        exchange: ExchangeKind::Ctf,
        order_type: OrderType::Gtc,
        post_only: true,
        expiration_s: 0,
        asset: MarketId(0).asset(oddsmith_domain::Outcome::Yes),
        price: Price::from_units(4_000).expect("in range"),
        size: Shares::from_whole(10),
        instance: InstanceId(0),
        intent: IntentId(1),
        deadline_mono_ns: u64::MAX,
    }
}

/// An engine with one order in this state, which waits for the result of one action.
fn engine(state: OrderState, purpose: Purpose) -> Engine {
    let strategy = StrategyConfig::SkewedMaker(Parameters::default());
    let instance = InstanceConfig {
        name: "maker".to_owned(),
        markets: vec!["*".to_owned()],
        strategy,
        listener: Default::default(),
        sharing: Default::default(),
    };
    let config = EngineConfig { instances: vec![instance], ..EngineConfig::default() };
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
    engine.handle(&Input::Setup(Box::new(setup.clone())), NOW, &mut out);
    engine.handle(&Input::Card(Box::new(card())), NOW, &mut out);
    engine.orders.insert(order(&setup), NOW);
    if state != OrderState::PendingNew {
        let change = engine.orders.transition(&ID, state, NOW).expect("a change");
        assert!(change.legal, "every state can be had from the first");
    }
    engine.awaited.insert(ACTION, purpose);
    engine
}

/// Where the outcome leaves the order, and whether an illegal step was reported.
fn leads(state: OrderState, purpose: Purpose, outcome: &GatewayOutcome) -> (OrderState, bool) {
    let mut engine = engine(state, purpose);
    let mut out = Vec::new();
    let result = GatewayInput { action: ACTION, outcome: outcome.clone() };
    engine.handle(&Input::Gateway(Box::new(result)), NOW, &mut out);
    let illegal = |o: &Output| matches!(o.body, OutputBody::Event(Event::IllegalTransition { .. }));
    (engine.orders.get(&ID).expect("remembered").state, out.iter().any(illegal))
}

fn report(status: VenueOrderStatus) -> GatewayOutcome {
    GatewayOutcome::Query(Ok(Some(AccountOrder {
        id: ID,
        asset: Some(MarketId(0).asset(oddsmith_domain::Outcome::Yes)),
        side: Side::Buy,
        price: Price::from_units(4_000).expect("in range"),
        original_size: Shares::from_whole(10),
        size_matched: Shares::ZERO,
        status,
    })))
}

fn canceled(orders: &[OrderId]) -> GatewayOutcome {
    GatewayOutcome::CancelScope(Ok(CanceledOrders { canceled: orders.to_vec(), not_canceled: Vec::new() }))
}

/// The policy: a row for each outcome, a letter for each state in the order of [`ALL_STATES`] (new, working, partly filled, pending
/// cancel, unknown, filled, cancelled, rejected). The letter is the state that the order is in afterwards: N W P D U F C R; a small
/// letter says that the outcome contradicts the state, which is reported and changes nothing.
fn policy() -> Vec<(&'static str, Purpose, GatewayOutcome, &'static str)> {
    let (place, cancel, query) = (Purpose::Place(ID), Purpose::Cancel(ID), Purpose::Query(ID, true));
    let wallet = Purpose::Doubt(Scope::Wallet);
    let timeout = UnknownCause::Timeout;
    let unread = Omission { part: AccountPart::Orders, page: 1, cause: timeout, rejected: 0, rejects: Vec::new() };
    let placed = |outcome| GatewayOutcome::Place(outcome);
    let accepted = |status| placed(PlaceOutcome::Accepted { status, trades: Vec::new() });
    let refused = placed(PlaceOutcome::Refused { code: RefusalCode::MinSize, text: "too small".to_owned() });
    let text = || "why".to_owned();
    vec![
        ("accepted", place, accepted(VenueOrderStatus::Live), "WWPDUFCR"),
        ("accepted and matched", place, accepted(VenueOrderStatus::Matched), "WWPDUFCR"),
        ("accepted and delayed", place, accepted(VenueOrderStatus::Delayed), "WWPDUFCR"),
        ("refused", place, refused, "RwpRRFCR"),
        ("not sent", place, placed(PlaceOutcome::NotSent(UnknownCause::Deadline)), "RwpRRFCR"),
        ("placement unknown", place, placed(PlaceOutcome::Unknown(timeout)), "UWPUUFCR"),
        ("canceled", cancel, GatewayOutcome::Cancel(CancelOutcome::Canceled), "CCCCCFCR"),
        ("gone", cancel, GatewayOutcome::Cancel(CancelOutcome::Gone(text())), "NWPDUFCR"),
        ("cancel refused", cancel, GatewayOutcome::Cancel(CancelOutcome::Refused(text())), "NWPWUFCR"),
        ("cancel not sent", cancel, GatewayOutcome::Cancel(CancelOutcome::NotSent(timeout)), "NWPWUFCR"),
        ("cancel unknown", cancel, GatewayOutcome::Cancel(CancelOutcome::Unknown(timeout)), "NWPUUFCR"),
        ("found live", query, report(VenueOrderStatus::Live), "WWPWWFCR"),
        ("found unmatched", query, report(VenueOrderStatus::Unmatched), "WWPWWFCR"),
        ("found delayed", query, report(VenueOrderStatus::Delayed), "WWPWWFCR"),
        ("found matched", query, report(VenueOrderStatus::Matched), "NWPDUFCR"),
        ("found cancelled", query, report(VenueOrderStatus::Canceled), "CCCCCFCR"),
        ("found in a state not known", query, report(VenueOrderStatus::Other), "NWPDUFCR"),
        ("not found", query, GatewayOutcome::Query(Ok(None)), "NUUCUFCR"),
        ("not found, nor there before", Purpose::Query(ID, false), GatewayOutcome::Query(Ok(None)), "NWPUUFCR"),
        ("query unknown", query, GatewayOutcome::Query(Err(timeout)), "NWPDUFCR"),
        ("cancel-all names it", wallet, canceled(&[ID]), "CCCCCFCR"),
        ("cancel-all does not name it", wallet, canceled(&[]), "NWPDUFCR"),
        ("cancel-all unknown", wallet, GatewayOutcome::CancelScope(Err(timeout)), "NWPDUFCR"),
        ("account unknown", wallet, GatewayOutcome::Account(Err(unread)), "NWPDUFCR"),
        ("heartbeat", Purpose::Heartbeat, GatewayOutcome::Heartbeat(Ok(())), "NWPDUFCR"),
        ("heartbeat missed", Purpose::Heartbeat, GatewayOutcome::Heartbeat(Err(timeout)), "NWPDUFCR"),
        ("done", Purpose::Other, GatewayOutcome::Done(Err(timeout)), "NWPDUFCR"),
    ]
}

const fn letter(state: OrderState) -> char {
    match state {
        OrderState::PendingNew => 'N',
        OrderState::Working => 'W',
        OrderState::PartiallyFilled => 'P',
        OrderState::PendingCancel => 'D',
        OrderState::Unknown => 'U',
        OrderState::Filled => 'F',
        OrderState::Canceled => 'C',
        OrderState::Rejected => 'R',
    }
}

#[test]
fn every_outcome_in_every_state_is_as_the_policy_says() {
    for (name, purpose, outcome, row) in policy() {
        for (state, expected) in ALL_STATES.into_iter().zip(row.chars()) {
            let (after, illegal) = leads(state, purpose, &outcome);
            assert_eq!(letter(after), expected.to_ascii_uppercase(), "{name} in {state:?}");
            assert_eq!(illegal, expected.is_ascii_lowercase(), "{name} in {state:?}: reported");
        }
    }
}

/// A question can overtake the placement that it asks about: only of an order that was at the venue then, its absence says something,
/// whatever the venue has told meanwhile.
#[test]
fn an_order_that_is_being_canceled_and_not_found_is_gone_only_if_it_had_arrived_before_the_question() {
    for (before, meanwhile, expected) in
        [(true, false, OrderState::Canceled), (false, false, OrderState::Unknown), (false, true, OrderState::Unknown)]
    {
        let mut engine = engine(OrderState::PendingNew, Purpose::Other);
        if before {
            engine.orders.transition(&ID, OrderState::Working, NOW);
        }
        engine.orders.transition(&ID, OrderState::PendingCancel, NOW);
        let mut out = Vec::new();
        engine.query(ID, &mut out);
        let action =
            out.iter().find(|o| matches!(o.body, OutputBody::Action(Action::Query { .. }))).expect("asked").seq;
        if meanwhile {
            engine.on_order_standing(&ID, VenueOrderStatus::Live, Shares::ZERO, NOW, &mut out);
        }
        let result = GatewayInput { action: ActionSeq(action), outcome: GatewayOutcome::Query(Ok(None)) };
        engine.handle(&Input::Gateway(Box::new(result)), NOW, &mut Vec::new());
        assert_eq!(engine.orders.get(&ID).map(|o| o.state), Some(expected), "{before} {meanwhile}");
    }
}

/// An outcome that does not fit its action, for every pair of them: told, and nothing changes.
#[test]
fn an_outcome_of_another_kind_changes_nothing() {
    let fits = |purpose: Purpose, other: Purpose| std::mem::discriminant(&purpose) == std::mem::discriminant(&other);
    let rows = policy();
    for (_, purpose, _, _) in &rows {
        for (name, other, outcome, _) in rows.iter().filter(|(_, other, _, _)| !fits(*purpose, *other)) {
            for state in ALL_STATES {
                let (after, illegal) = leads(state, *purpose, outcome);
                assert_eq!((after, illegal), (state, false), "{name} of {other:?} for {purpose:?}");
            }
        }
    }
}

#[test]
fn a_result_that_nobody_awaits_is_told() {
    let mut engine = engine(OrderState::Working, Purpose::Other);
    let mut out = Vec::new();
    let result = GatewayInput { action: ActionSeq(7_777), outcome: canceled(&[ID]) };
    engine.handle(&Input::Gateway(Box::new(result)), NOW, &mut out);
    assert!(out.iter().any(|o| matches!(&o.body, OutputBody::Event(Event::Alert { text }) if text.contains("7777"))));
    assert_eq!(engine.orders.get(&ID).map(|o| o.state), Some(OrderState::Working));
}
