//! Engine and exchange agree to the millionth, whatever goes wrong between them.

use oddsmith_backtest::simulate::{Plan, Simulation};
use oddsmith_engine::{EngineConfig, InstanceConfig, Timing};
use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};

fn plan(seed: u64, seconds: u64, faults_per_hour: u32) -> Plan {
    let strategy = StrategyConfig::SkewedMaker(Parameters { stop_before_end_s: 60, ..Parameters::default() });
    let instance = InstanceConfig { name: "maker".to_owned(), markets: vec!["*".to_owned()], strategy };
    let timing = Timing { wallet_cooldown_ms: 1_000, caution_ms: 1_000, ..Timing::default() };
    let config = EngineConfig { instances: vec![instance], timing, ..EngineConfig::default() };
    Plan { seed, seconds, faults_per_hour, activity: 1.0, config }
}

#[test]
fn without_faults_the_books_agree_and_orders_fill() {
    let tally = Simulation::new(plan(1, 120, 0)).run().unwrap_or_else(|broken| panic!("{broken}"));
    assert!(tally.orders > 20 && tally.fills > 5, "{tally:?}");
}

#[test]
fn with_faults_of_every_kind_the_books_still_agree() {
    let mut kinds = 0;
    for seed in 1..=4 {
        let tally = Simulation::new(plan(seed, 90, 1_000)).run().unwrap_or_else(|broken| panic!("{broken}"));
        kinds = kinds.max(tally.fault_kinds);
        assert!(tally.faults >= 10, "{tally:?}");
    }
    assert!(kinds >= 5, "{kinds} kinds");
}

#[test]
fn a_seed_reproduces_exactly() {
    let run = || Simulation::new(plan(3, 40, 900)).run().unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(run(), run());
}
