//! The engine over recordings: our own, and the real ones when they are there.

use std::io::Write;
use std::path::PathBuf;

use oddsmith_backtest::dry_run::{DryReport, DryRun, DryRunError, DrySink};
use oddsmith_domain::{Action, Event, Input, Output, OutputBody, RunId, Time, Usdc};
use oddsmith_engine::{Engine, EngineConfig, InstanceConfig};
use oddsmith_paper::PaperSettings;
use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};

#[derive(Default)]
struct Tape {
    orders: usize,
    undecodable: usize,
    outputs: Vec<Output>,
    waited_ns: u64,
}

impl DrySink for Tape {
    fn record(&mut self, _input: &Input<'_>, _now: Time, outputs: &[Output]) {
        for output in outputs {
            match &output.body {
                OutputBody::Action(Action::Place(_)) => self.orders += 1,
                OutputBody::Event(Event::Undecodable { .. }) => self.undecodable += 1,
                _ => {}
            }
        }
        self.outputs.extend_from_slice(outputs);
    }

    fn pass(&mut self, ns: u64) -> bool {
        self.waited_ns += ns;
        true
    }
}

fn dry(files: Vec<PathBuf>) -> Result<(DryReport, Tape), DryRunError> {
    let strategy = StrategyConfig::SkewedMaker(Parameters { stop_before_end_s: 30, ..Parameters::default() });
    let instance = InstanceConfig {
        name: "maker".to_owned(),
        markets: vec!["*".to_owned()],
        strategy,
        listener: Default::default(),
        sharing: Default::default(),
    };
    let config = EngineConfig { instances: vec![instance], ..EngineConfig::default() };
    let run = DryRun {
        files,
        run: RunId([2; 16]),
        seed: [5; 32],
        config: config.to_json().expect("json"),
        paper: PaperSettings::with(Usdc::from_whole(1_000), 1),
    };
    let (mut engine, mut tape) = (Engine::new(), Tape::default());
    run.run(&mut engine, &mut tape).map(|report| (report, tape))
}

/// A recording of our own: one market, a book each second that wanders, a line of garbage, a line of another feed.
fn recording(seconds: u64) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("frames.jsonl");
    let mut file = std::fs::File::create(&path).expect("a file");
    let condition = format!("0x{:064x}", 77);
    for second in 0..seconds {
        let at = 1_790_000_000_000 + second * 1_000;
        let bid = 4_800 + (second % 7) as u16 * 100;
        let side = |units: u16| format!("0.{units:04}");
        let book = |token: u8, bid: u16, ask: u16| {
            format!(
                r#"{{"event_type":"book","market":"{condition}","asset_id":"{token}{}","timestamp":"{at}","bids":[{{"price":"{}","size":"50"}}],"asks":[{{"price":"{}","size":"50"}}],"tick_size":"0.01","min_order_size":"5","neg_risk":false}}"#,
                "1234567890".repeat(7),
                side(bid),
                side(ask),
            )
        };
        let (yes, no) = (book(1, bid, bid + 400), book(2, 10_000 - bid - 400, 10_000 - bid));
        writeln!(file, r#"{{"recv_wall_ts":{at},"payload":[{yes},{no}]}}"#).expect("a line");
    }
    writeln!(file, r#"{{"recv_wall_ts":1790000000000,"payload":{{"stream":"btcusdt@trade","data":{{}}}}}}"#)
        .expect("a line");
    writeln!(file, r#"{{"event_type":"book","market":17}}"#).expect("a line");
    (dir, path)
}

#[test]
fn decisions_and_orders_come_out_of_a_recording_and_time_is_its_own() {
    let (_dir, path) = recording(60);
    let (report, tape) = dry(vec![path.clone()]).expect("a dry run");
    assert_eq!((report.markets, report.frames, report.others, report.gaps), (1, 61, 1, 0));
    assert!(tape.orders > 4, "{} orders", tape.orders);
    assert_eq!(tape.undecodable, 1);
    assert_eq!(tape.waited_ns, 59 * Time::SECOND);
    let (_, again) = dry(vec![path]).expect("a dry run");
    assert_eq!(again.outputs, tape.outputs, "the same recording leads to the same decisions");
}

#[test]
fn what_cannot_be_run_is_named() {
    let missing = dry(vec![PathBuf::from("no-such-recording.jsonl")]);
    assert!(matches!(missing, Err(DryRunError::Recording(_))));
    let dir = tempfile::tempdir().expect("a folder");
    let empty = dir.path().join("empty.jsonl");
    std::fs::write(&empty, "").expect("a file");
    assert!(matches!(dry(vec![empty]), Err(DryRunError::NoMarket(_))));
}

#[test]
fn the_real_recordings_run() {
    let shared = std::env::var_os("ODDSMITH_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let folder = shared.join("data/polymarket/raw-frames");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: the recordings are not beside the repository");
        return;
    };
    let mut files: Vec<_> =
        entries.flatten().map(|e| e.path().join("raw_messages.jsonl")).filter(|p| p.is_file()).collect();
    files.sort();
    let (report, tape) = dry(files).expect("a dry run");
    assert!(report.markets >= 3 && report.frames >= 291, "{report:?}");
    assert!(tape.outputs.iter().any(|o| matches!(&o.body, OutputBody::Event(Event::Decision { .. }))));
}
