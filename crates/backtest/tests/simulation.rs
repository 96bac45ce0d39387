//! Engine and exchange agree to the millionth, whatever goes wrong between them.

use oddsmith_backtest::simulate::{FLOOR, FaultKind, Plan, Tally, run};

fn play(seed: u64, change: impl FnOnce(&mut Plan)) -> Tally {
    let dir = tempfile::tempdir().expect("a folder");
    let mut plan = Plan::usual(seed, 1, dir.path().join("journals"));
    change(&mut plan);
    run(plan).unwrap_or_else(|broken| panic!("{broken}"))
}

#[test]
fn without_faults_the_books_agree_and_orders_fill() {
    let tally = play(1, |plan| (plan.parts, plan.part_s, plan.faults_per_hour, plan.kinds) = (1, 240, 0, Vec::new()));
    assert!(tally.orders > 60 && tally.fills > 10 && tally.comparisons == 1, "{tally:?}");
    assert_eq!((tally.fault_count(), tally.restarts), (0, 0));
}

#[test]
fn with_faults_of_every_kind_the_books_still_agree() {
    let tally = play(2, |plan| (plan.parts, plan.part_s, plan.faults_per_hour) = (2, 200, 300));
    assert!(tally.fault_count() >= 20 && tally.restarts >= 1 && tally.comparisons == 2, "{tally:?}");
    assert!(FaultKind::ALL.len() >= 20);
}

#[test]
fn a_seed_reproduces_exactly() {
    let short = |plan: &mut Plan| (plan.parts, plan.part_s, plan.faults_per_hour) = (2, 60, 300);
    let first = play(3, short);
    assert_eq!(first, play(3, short));
    assert_ne!(first.digest, play(4, short).digest);
}

#[test]
fn too_little_of_anything_is_named() {
    let empty = Tally { hours: 2, ..Tally::default() };
    assert_eq!(empty.below(&FLOOR).len(), 6);
    let enough = Tally {
        hours: 1,
        frames: 20_000,
        orders: 1_000,
        fills: 300,
        restarts: 1,
        faults: faults(10),
        ..Tally::default()
    };
    assert_eq!(enough.below(&FLOOR), Vec::<String>::new());
    let below = Tally { fills: 299, ..enough }.below(&FLOOR);
    assert!(below[0].contains("299 fills"), "{below:?}");
}

fn faults(count: u64) -> std::collections::BTreeMap<FaultKind, u64> {
    FaultKind::ALL.iter().take(5).map(|kind| (*kind, count / 5)).collect()
}
