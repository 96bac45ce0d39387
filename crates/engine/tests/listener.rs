//! The price listener: which book changes lead to an evaluation, and when.

mod common;

use common::{Desk, config};
use oddsmith_engine::Listener;

fn evaluations(desk: &Desk) -> u64 {
    desk.engine.view(desk.now).totals.evaluations
}

fn desk(listener: Listener) -> Desk {
    let mut config = config();
    config.instances[0].listener = listener;
    config.timing.shock_ticks = 1_000;
    let mut desk = Desk::new(config);
    desk.run_for(9_000);
    desk
}

/// The listener of a slow machine: it looks by itself only every thirty seconds.
fn slow() -> Listener {
    Listener { sync_interval_ms: Some(30_000), ..Listener::default() }
}

#[test]
fn a_burst_leads_to_one_evaluation_at_once_and_one_when_it_is_over() {
    let mut desk = desk(Listener { debounce_ms: Some(100), ..slow() });
    desk.run_for(2_000);
    let before = evaluations(&desk);
    for n in 0..10 {
        desk.book(0, if n % 2 == 0 { "0.46" } else { "0.47" }, "0.52");
        desk.run_for(10);
    }
    assert_eq!(evaluations(&desk), before + 1, "ten changes in a tenth of a second");
    desk.run_for(100);
    assert_eq!(evaluations(&desk), before + 2, "the last of them is not lost");
    desk.run_for(5_000);
    assert_eq!(evaluations(&desk), before + 2);
}

#[test]
fn a_move_below_the_threshold_waits_until_it_has_added_up() {
    let mut desk = desk(Listener { min_move_ticks: 2, ..slow() });
    desk.run_for(2_000);
    let before = evaluations(&desk);
    desk.book(0, "0.49", "0.53");
    desk.run_for(1_000);
    assert_eq!(evaluations(&desk), before, "one tick");
    desk.book(0, "0.50", "0.54");
    desk.run_for(1_000);
    assert!(evaluations(&desk) > before, "two since it last looked");
}

#[test]
fn without_any_event_everything_is_looked_at_every_interval() {
    let mut desk = desk(slow());
    desk.run_for(25_000);
    let before = evaluations(&desk);
    for round in 1..=3 {
        desk.run_for(30_000);
        assert_eq!(evaluations(&desk), before + round);
    }
}

#[test]
fn a_heartbeat_looks_whatever_happens() {
    let mut desk = desk(Listener { heartbeat_hz: 20, ..slow() });
    let before = evaluations(&desk);
    desk.run_for(2_000);
    assert_eq!(evaluations(&desk), before + 40);
}
