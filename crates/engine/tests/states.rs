//! Where trading stands in a market is told, and what goes wrong in one place stays there.

mod common;

use common::{Desk, card, config};
use oddsmith_domain::{
    Action, Command, DoubtCause, Event, FetchWhat, Input, InstanceId, MarketCard, MarketId, MarketSource, Scope,
    StateCause, TradingState,
};
use oddsmith_engine::EngineConfig;

/// Two instances, each with a market of its own.
fn two() -> Desk {
    let mut config = config();
    let mut other = config.instances[0].clone();
    config.instances[0].markets = vec!["market-0".to_owned()];
    (other.name, other.markets) = ("other".to_owned(), vec!["market-1".to_owned()]);
    config.instances.push(other);
    let mut desk = Desk::new(EngineConfig { ..config });
    desk.add_market(1);
    desk.run_for(9_000);
    desk
}

fn resting_in(desk: &Desk, market: u32) -> usize {
    desk.resting.iter().filter(|o| o.asset.market() == MarketId(market)).count()
}

/// The way of a market, as it was told.
fn way(desk: &Desk, market: u32) -> Vec<(TradingState, StateCause, TradingState)> {
    let of = |e: &&Event| match e {
        Event::State { market: m, instance: None, from, to, cause } if *m == MarketId(market) => {
            Some((*from, *cause, *to))
        }
        _ => None,
    };
    desk.events().iter().filter_map(of).collect()
}

#[test]
fn a_markets_states_are_told_and_a_known_outcome_does_not_wait_for_a_halt_to_end() {
    use StateCause as C;
    use TradingState as S;
    let mut desk = two();
    let start = vec![(S::Idle, C::Halted, S::Halt), (S::Halt, C::Recovered, S::Idle)];
    assert_eq!(way(&desk, 0), start, "the start is a halt");
    desk.command(Command::Halt(Scope::Market(MarketId(0))));
    desk.run_for(3_000);
    desk.put(&Input::Card(Box::new(MarketCard { accepting_orders: false, ..card(0) })));
    desk.run_for(3_000);
    let mut expected = start.clone();
    expected.extend([(S::Idle, C::Halted, S::Halt), (S::Halt, C::Final, S::Finalizing)]);
    assert_eq!(way(&desk, 0), expected);
    assert_eq!(way(&desk, 1), start, "the other market stays where it is");
    assert!(resting_in(&desk, 0) == 0 && resting_in(&desk, 1) > 0);
}

#[test]
fn nothing_is_placed_after_the_end_is_known() {
    let mut desk = two();
    // The end comes between an evaluation and its plan.
    desk.book(0, "0.40", "0.44");
    desk.put(&Input::Card(Box::new(MarketCard { accepting_orders: false, ..card(0) })));
    let before = desk.outputs.len();
    desk.run_for(5_000);
    let late = desk.outputs.iter().skip(before).any(|output| {
        matches!(&output.body, oddsmith_domain::OutputBody::Action(Action::Place(p)) if p.asset.market() == MarketId(0))
    });
    assert!(!late && resting_in(&desk, 0) == 0);
}

#[test]
fn three_slow_evaluations_in_a_row_put_one_instance_away_and_no_other() {
    let mut desk = two();
    let slow = |evaluation| Input::Evaluated { instance: InstanceId(0), evaluation, took_us: 2_001 };
    let quarantined =
        |desk: &Desk| -> Vec<bool> { desk.engine.view(desk.now).instances.iter().map(|i| i.quarantined).collect() };
    for evaluation in [1, 2, 4, 5] {
        desk.put(&slow(evaluation));
    }
    desk.run_for(1_000);
    assert_eq!(quarantined(&desk), [false, false], "not in a row");
    desk.put(&Input::Evaluated { instance: InstanceId(0), evaluation: 6, took_us: 2_000 });
    assert_eq!(quarantined(&desk), [false, false], "as long as it may take");
    desk.put(&slow(6));
    desk.run_for(2_000);
    assert_eq!(quarantined(&desk), [true, false]);
    assert!(resting_in(&desk, 0) == 0 && resting_in(&desk, 1) > 0, "its orders are cancelled, the other's work");
    let told = |e: &&&Event| matches!(e, Event::SlowEvaluation { instance: InstanceId(0), .. });
    assert_eq!(desk.events().iter().filter(told).count(), 5);
    desk.put(&Input::Evaluated { instance: InstanceId(9), evaluation: 1, took_us: 9_000 });
    desk.put(&Input::Evaluated { instance: InstanceId(1), evaluation: u64::MAX, took_us: 9_000 });
    assert_eq!(quarantined(&desk), [true, false], "what was never evaluated was never slow");
}

#[test]
fn a_dead_letter_has_the_exposed_books_of_its_connection_compared_and_stops_nothing() {
    let mut desk = two();
    let doubts = |desk: &Desk| {
        let began = |e: &&&Event| matches!(e, Event::DoubtBegan { cause, .. } if *cause != DoubtCause::Start);
        desk.events().iter().filter(began).count()
    };
    let before = doubts(&desk);
    desk.put(&Input::Market { source: MarketSource::Shard(0), bytes: b"{\"event_type\":\"book\",\"asset_id\":" });
    let read: Vec<_> = desk
        .waiting
        .iter()
        .filter_map(|(_, action)| match action {
            Action::Fetch(FetchWhat::Book(asset)) => Some(asset.market()),
            _ => None,
        })
        .collect();
    for market in [MarketId(0), MarketId(1)] {
        assert_eq!(read.iter().filter(|m| **m == market).count(), 2, "{read:?}");
    }
    desk.run_for(2_000);
    assert_eq!(doubts(&desk), before);
    assert!(resting_in(&desk, 0) > 0 && resting_in(&desk, 1) > 0);
}
