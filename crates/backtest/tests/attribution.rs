//! The parts of a profit sum to what the engine itself says it earned, on runs in which everything goes wrong.

use std::path::{Path, PathBuf};

use oddsmith_backtest::simulate::{Plan, run};
use oddsmith_domain::{Input, InstanceId, Output, Time, Usdc};
use oddsmith_engine::Engine;
use oddsmith_journal::{Reader, decode_input, decode_output};
use oddsmith_report::{Attribution, Split};

/// The profit as the engine states it.
fn stated(engine: &Engine, now: Time) -> Usdc {
    let totals = engine.view(now).totals;
    totals.realized + totals.unrealized
}

/// The profit of an instance by the engine's accounts, at the marks of the attribution.
fn of_instance(engine: &Engine, attribution: &Attribution, instance: InstanceId) -> Usdc {
    engine
        .accounts()
        .filter(|(owner, _, _)| *owner == instance)
        .map(|(_, market, account)| {
            let mark = attribution.books().mark(market);
            account.realized + mark.map_or(Usdc::ZERO, |mark| account.unrealized(mark))
        })
        .sum()
}

struct Run {
    engine: Engine,
    attribution: Attribution,
    now: Time,
    compared: u64,
}

impl Run {
    /// The input before this moment is whole, with everything that came of it.
    fn compare(&mut self) {
        let split = self.attribution.split();
        let stated = stated(&self.engine, self.now);
        assert_eq!((split.sum(), split.total), (stated, stated), "{split:?}");
        let instances = (0..).map(InstanceId).take(self.attribution.names().len()).chain([InstanceId::WALLET]);
        for instance in instances {
            let own = self.attribution.instance(instance);
            let ledgers = of_instance(&self.engine, &self.attribution, instance);
            assert_eq!((own.sum(), own.total), (ledgers, ledgers), "instance {}", instance.0);
        }
        assert!(self.attribution.rounding() < 12, "{}", self.attribution.rounding());
        self.compared += 1;
    }
}

/// Reads a journal to its end, comparing all along.
fn read(dir: &Path) -> (Split, u64) {
    let mut reader = Reader::open(dir).expect("a journal");
    let (engine, attribution) = (Engine::new(), Attribution::new());
    let mut run = Run { engine, attribution, now: Time::default(), compared: 0 };
    let (mut inputs, mut outputs): (u64, Vec<Output>) = (0, Vec::new());
    while let Some(record) = reader.next().expect("valid") {
        if record.head.kind.is_input() {
            let input: Input<'_> = decode_input(record.payload).expect("an input");
            inputs += 1;
            if inputs > 2 && inputs.is_multiple_of(40) {
                run.compare();
            }
            run.now = record.head.time;
            outputs.clear();
            run.engine.handle(&input, run.now, &mut outputs);
            run.attribution.input(&input, run.now);
        } else if record.head.kind.is_output() {
            run.attribution.output(&decode_output(record.payload).expect("an output"));
        }
    }
    (run.attribution.split(), run.compared)
}

#[test]
fn the_parts_are_the_engines_own_profit_at_any_moment_of_a_run_with_faults() {
    let (mut sums, mut runs) = (Split::default(), 0);
    for seed in [11, 12] {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("journals");
        let mut plan = Plan::usual(seed, 1, dir.clone());
        (plan.parts, plan.part_s, plan.faults_per_hour, plan.keep) = (2, 120, 300, true);
        let tally = run(plan).unwrap_or_else(|broken| panic!("{broken}"));
        assert!(tally.fills > 10, "{tally:?}");
        let mut dirs: Vec<PathBuf> =
            std::fs::read_dir(&dir).expect("journals").map(|entry| entry.expect("an entry").path()).collect();
        dirs.sort();
        for dir in dirs {
            let (split, compared) = read(&dir);
            assert!(compared > 0, "{}", dir.display());
            sums += split;
            runs += 1;
        }
    }
    // Something must have happened in the parts that are tested here.
    assert!(runs > 2 && !sums.spread.is_zero() && !sums.adverse_selection.is_zero() && !sums.inventory.is_zero());
    assert!(!sums.carried.is_zero() && !sums.fees.is_positive());
}
