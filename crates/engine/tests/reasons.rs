//! Why nothing changes is told as well: the reasons of a decision that stands.

mod common;

use common::Desk;
use oddsmith_domain::{Event, Mode, Reason};

/// Decisions to stop, and reasons told afterwards, in order.
fn told(desk: &Desk) -> Vec<(bool, Vec<Reason>)> {
    let of = |event: &&Event| match event {
        Event::Decision { mode: Mode::Stop, reasons, .. } => Some((true, reasons.to_vec())),
        Event::Reasons { reasons, .. } => Some((false, reasons.to_vec())),
        _ => None,
    };
    desk.events().iter().filter_map(of).collect()
}

#[test]
fn a_stop_that_stands_for_another_reason_tells_it_once() {
    let mut desk = Desk::quoting();
    desk.run_for(5_000);
    let before = told(&desk).len();
    desk.book(0, "0.10", "0.90");
    desk.run_for(5_000);
    desk.book(0, "0.0001", "0.0003");
    desk.run_for(5_000);
    let told = told(&desk)[before..].to_vec();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].0 && told[0].1.contains(&Reason::WideSpread), "{told:?}");
    assert!(!told[1].0 && !told[1].1.contains(&Reason::WideSpread) && !told[1].1.is_empty(), "{told:?}");
}

#[test]
fn reasons_that_flutter_are_told_once_a_second_and_the_last_one_in_the_end() {
    let mut desk = Desk::quoting();
    desk.book(0, "0.10", "0.90");
    desk.run_for(5_000);
    let before = told(&desk).len();
    for n in 0..100 {
        let (bid, ask) = if n % 2 == 0 { ("0.0001", "0.0003") } else { ("0.10", "0.90") };
        desk.book(0, bid, ask);
        desk.run_for(100);
    }
    let fluttered = told(&desk).len() - before;
    assert!((2..=11).contains(&fluttered), "{fluttered} in ten seconds");
    desk.run_for(3_000);
    let last = told(&desk).last().cloned().expect("one");
    assert!(last.1.contains(&Reason::WideSpread), "{last:?}");
}
