//! What is known of a match, traded against a book that has not heard of it: in the engine, with scripted truth.

mod common;

use common::{Desk, Taking, card};
use oddsmith_domain::{
    Competitor, Event, Input, InstanceId, MarketCard, MarketId, MatchState, OrderType, Outcome, Reason, Settlement,
    Side, SourceTier, StateCause, Time, TradingState, TruthReport,
};
use oddsmith_engine::{Engine, EngineConfig, InstanceConfig};
use oddsmith_strategy::StrategyConfig;
use oddsmith_strategy::temporal::Parameters;

fn parameters() -> Parameters {
    Parameters { enabled: true, max_truth_age_ms: 5_000, ..Parameters::default() }
}

fn config(parameters: Parameters) -> EngineConfig {
    let strategy = StrategyConfig::Temporal(parameters);
    let markets = vec!["*".to_owned()];
    let instance = InstanceConfig {
        name: "early".to_owned(),
        markets,
        strategy,
        listener: Default::default(),
        sharing: Default::default(),
    };
    EngineConfig { instances: vec![instance], ..EngineConfig::default() }
}

/// A desk in the markets of two matches, whose books stand at half, and of which nothing is known yet.
fn desk_of(parameters: Parameters) -> Desk {
    let mut desk = Desk::new(config(parameters));
    let end_wall_s = Some(desk.now.wall_s() + 10_000);
    desk.add_market(1);
    for n in 0..2 {
        let settlement = Settlement::Words { clear: true };
        desk.put(&Input::Card(Box::new(MarketCard { settlement, end_wall_s, ..card(n) })));
    }
    desk.run_for(12_000);
    desk
}

fn report(desk: &mut Desk, market: u8, event: u64, first_ppm: u32) {
    report_of(desk, market, event, first_ppm, desk.now.wall_ns / Time::MILLI);
}

/// A report of an event that happened at a wall time, in milliseconds.
fn report_of(desk: &mut Desk, market: u8, event: u64, first_ppm: u32, source_wall_ms: u64) {
    let report = TruthReport {
        match_id: format!("match-{market}"),
        market: format!("market-{market}"),
        yes: Competitor::First,
        source: "script".to_owned(),
        tier: SourceTier::Official,
        state: MatchState::Live,
        first_ppm,
        confidence_ppm: 950_000,
        event,
        source_wall_ms,
    };
    desk.put(&Input::Truth(Box::new(report)));
}

/// The first reason of the last decision in a market.
fn reason(desk: &Desk, of: u32) -> Option<Reason> {
    desk.events().into_iter().rev().find_map(|event| match event {
        Event::Decision { market: MarketId(market), reasons, .. } if *market == of => reasons.first().copied(),
        _ => None,
    })
}

fn moved(desk: &Desk, wanted: (TradingState, TradingState, StateCause)) -> bool {
    let is_it = |event: &&Event| match event {
        Event::State { instance: Some(InstanceId(0)), from, to, cause, .. } => (*from, *to, *cause) == wanted,
        _ => false,
    };
    desk.events().iter().any(is_it)
}

#[test]
fn a_signal_is_traded_once_and_what_is_not_had_at_once_is_dropped() {
    let mut desk = desk_of(parameters());
    desk.fates.push_back(Taking::Gets(20));
    report(&mut desk, 0, 2, 900_000);
    desk.run_for(1_000);
    let taken: Vec<_> =
        desk.taken.iter().map(|o| (o.side(), o.asset.outcome(), o.order_type, o.price.to_string())).collect();
    assert_eq!(taken, [(Side::Buy, Outcome::Yes, OrderType::Fak, "0.52".to_owned())], "{:?}", reason(&desk, 0));
    assert!(moved(&desk, (TradingState::Idle, TradingState::TemporalActive, StateCause::TemporalSignal)));
    assert!(moved(&desk, (TradingState::TemporalActive, TradingState::Idle, StateCause::SignalOver)));
    // The same event again, and nothing rests.
    for _ in 0..10 {
        report(&mut desk, 0, 2, 900_000);
        desk.run_for(500);
    }
    assert_eq!((desk.taken.len(), desk.resting.len()), (1, 0));
    let mut engine = Engine::new();
    let mut out = Vec::new();
    for (now, bytes) in &desk.tape {
        engine.handle(&postcard::from_bytes(bytes).expect("an input"), *now, &mut out);
    }
    assert_eq!(out, desk.outputs, "the same inputs lead to the same outputs");
}

#[test]
fn the_other_token_is_bought_when_the_second_competitor_is_ahead() {
    let mut desk = desk_of(parameters());
    desk.fates.push_back(Taking::Gets(20));
    report(&mut desk, 0, 2, 80_000);
    desk.run_for(1_000);
    assert_eq!(desk.taken.iter().map(|order| order.asset.outcome()).collect::<Vec<_>>(), [Outcome::No]);
}

#[test]
fn it_trades_nothing_until_it_is_switched_on() {
    let mut desk = desk_of(Parameters { enabled: false, ..parameters() });
    assert!(!Parameters::default().enabled);
    report(&mut desk, 0, 2, 900_000);
    desk.run_for(1_000);
    assert_eq!((desk.taken.len(), reason(&desk, 0)), (0, Some(Reason::Disabled)));
}

#[test]
fn a_stale_source_stops_its_own_match_alone() {
    // An event may be old here, but not the last word of its source.
    let patient = Parameters { signal_ttl_ms: 600_000, cold_window_ms: 600_000, ..parameters() };
    let mut desk = desk_of(patient);
    for market in 0..2 {
        desk.book(market, "0.90", "0.95");
        report(&mut desk, market, 2, 900_000);
    }
    for _ in 0..7 {
        report(&mut desk, 1, 2, 900_000);
        desk.run_for(1_000);
    }
    assert_eq!(desk.taken, [], "there is no edge in either");
    desk.fates.push_back(Taking::Gets(20));
    for market in 0..2 {
        desk.book(market, "0.48", "0.52");
    }
    desk.run_for(1_000);
    assert_eq!(desk.taken.iter().map(|order| order.asset.market()).collect::<Vec<_>>(), [MarketId(1)]);
}

#[test]
fn an_event_that_is_told_late_is_not_traded() {
    let mut desk = desk_of(parameters());
    report(&mut desk, 0, 1, 500_000);
    let happened = desk.now.wall_ns / Time::MILLI;
    desk.run_for(3_000);
    report_of(&mut desk, 0, 2, 900_000, happened);
    desk.run_for(1_000);
    assert_eq!(desk.taken, [], "others know of it by now");
}
