//! `oddsmith replay` and `oddsmith journal` on journals that this test writes with the real engine.

mod support;

use std::fs;
use std::path::Path;

use oddsmith_backtest::simulate;
use oddsmith_domain::{Address, Input, MarketCard, Payer, RunId, Setup, Shares, Tick, Time, TokenId};
use oddsmith_domain::{ConditionId, FeeSchedule, MarketSource};
use oddsmith_engine::{Engine, EngineConfig};
use oddsmith_journal::{Encoder, Kind, Options, RecordHead, Writer};
use support::oddsmith;
use support::replay::{alter, assert_replays_and_names_changes};

const CONDITION: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";

fn options() -> Options {
    Options { segment_bytes: 1 << 16, ..Options::default() }
}

/// Writes what a driver would: every input, then everything that came out of it.
struct Recorder {
    engine: Engine,
    writer: Writer,
    encoder: Encoder,
    now: Time,
}

impl Recorder {
    fn hand(&mut self, input: &Input<'_>) {
        self.now = self.now.plus_ns(10 * Time::MILLI);
        let record = self.encoder.input(input).expect("encodes");
        self.writer
            .append(&RecordHead { time: self.now, kind: record.kind, ids: record.ids }, record.payload)
            .expect("room");
        let mut outputs = Vec::new();
        self.engine.handle(input, self.now, &mut outputs);
        for output in &outputs {
            let record = self.encoder.output(output).expect("encodes");
            self.writer
                .append(&RecordHead { time: self.now, kind: record.kind, ids: record.ids }, record.payload)
                .expect("room");
        }
    }
}

fn config() -> EngineConfig {
    serde_json::from_str(
        r#"{"instances":[{"name":"maker","markets":["*"],"strategy":{"skewed_maker":{"base_usdc":"10"}}}]}"#,
    )
    .expect("a configuration")
}

/// A short run in a data directory of its own.
fn record(data: &Path) -> std::path::PathBuf {
    let run = RunId([0x5a; 16]);
    let dir = data.join("runs").join("5a".repeat(16));
    let mut recorder = Recorder {
        engine: Engine::new(),
        writer: Writer::create(&dir, run, &options()).expect("a journal"),
        encoder: Encoder::default(),
        now: Time { mono_ns: 1, wall_ns: 1_790_000_000 * Time::SECOND },
    };
    let setup = Setup {
        run,
        seed: [7; 32],
        account: Address([1; 20]),
        payer: Payer::own(Address([1; 20])),
        chain_id: 137,
        config: config().to_json().expect("JSON"),
    };
    recorder.hand(&Input::Setup(Box::new(setup)));
    let card = MarketCard {
        condition: ConditionId::parse(CONDITION).expect("a condition"),
        slug: "a-market".to_owned(),
        question: "Will it?".to_owned(),
        tokens: [TokenId::parse("11").expect("a token"), TokenId::parse("12").expect("a token")],
        outcomes: ["Yes".to_owned(), "No".to_owned()],
        tick: Some(Tick::Cent),
        min_size: Some(Shares::from_whole(5)),
        fee: None::<FeeSchedule>,
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    };
    recorder.hand(&Input::Card(Box::new(card)));
    for price in ["0.47", "0.46"] {
        let frame = format!(
            r#"{{"event_type":"book","market":"{CONDITION}","asset_id":"11","timestamp":"1790000000000","hash":"00","bids":[{{"price":"{price}","size":"100"}}],"asks":[{{"price":"0.52","size":"100"}}]}}"#
        );
        recorder.hand(&Input::Market { source: MarketSource::Shard(0), bytes: frame.as_bytes() });
        recorder.hand(&Input::Tick);
    }
    recorder.hand(&Input::Market { source: MarketSource::Shard(0), bytes: b"{not a frame" });
    recorder.hand(&Input::Tick);
    recorder.writer.close().expect("closes");
    dir
}

#[test]
fn a_run_replays_identically() {
    let data = tempfile::tempdir().expect("a folder");
    record(data.path());
    let replay = oddsmith(data.path(), &["replay", "latest"]);
    assert_eq!(replay.code, 0, "{replay:?}");
    assert!(replay.out.contains("identical: 8 inputs"), "{replay:?}");
    let json = oddsmith(data.path(), &["replay", "5a5a", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("one JSON object");
    assert_eq!((value["inputs"].as_u64(), value["difference"].is_null()), (Some(8), true), "{json:?}");
    assert!(value["outputs"].as_u64() > Some(2), "{json:?}");
}

#[test]
fn a_changed_input_is_named() {
    let data = tempfile::tempdir().expect("a folder");
    let dir = record(data.path());
    // One byte of one frame, with a checksum that fits: only the engine can tell.
    let other = data.path().join("altered");
    alter(&dir, &other, Kind::MARKET, |payload| {
        let text = String::from_utf8_lossy(payload);
        let at = text.find("bids");
        at.map(|at| payload[at] = b'x').is_some()
    });
    let replay = oddsmith(data.path(), &["replay", &other.to_string_lossy()]);
    assert_eq!(replay.code, 1, "{replay:?}");
    assert!(replay.out.contains("different at record"), "{replay:?}");
    assert!(replay.out.contains("after the input: input."), "{replay:?}");
}

#[test]
fn a_flipped_byte_in_the_file_is_named() {
    let data = tempfile::tempdir().expect("a folder");
    let dir = record(data.path());
    let path = dir.join("00000000.segment");
    let mut bytes = fs::read(&path).expect("a segment");
    let at = bytes.windows(4).position(|window| window == b"0.47").expect("the frame is there as it came");
    bytes[at] ^= 1;
    fs::write(&path, bytes).expect("writes");
    for command in [["replay", "latest"], ["journal", "verify"]] {
        let told = oddsmith(data.path(), &command);
        assert_eq!(told.code, 1, "{told:?}");
        assert!(told.err.contains("segment 0, offset") && told.err.contains("checksum"), "{told:?}");
    }
}

#[test]
fn a_changed_setting_is_named() {
    let data = tempfile::tempdir().expect("a folder");
    record(data.path());
    let set = "engine.timing.heartbeat_ms=0";
    let replay = oddsmith(data.path(), &["replay", "latest", "--set", set]);
    assert_eq!(replay.code, 1, "{replay:?}");
    assert!(replay.out.contains("changed: engine.timing.heartbeat_ms was 5000, is now 0"), "{replay:?}");
    assert!(replay.out.contains("different at record"), "{replay:?}");
    let wrong = oddsmith(data.path(), &["replay", "latest", "--set", "engine.timing.hartbeat_ms=0"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("did you mean `heartbeat_ms`?"), "{wrong:?}");
}

#[test]
fn a_cut_journal_replays_to_its_cut() {
    let data = tempfile::tempdir().expect("a folder");
    let dir = record(data.path());
    let path = dir.join("00000000.segment");
    let bytes = fs::read(&path).expect("a segment");
    fs::write(&path, &bytes[..bytes.len() - 300]).expect("writes");
    let replay = oddsmith(data.path(), &["replay"]);
    assert_eq!(replay.code, 0, "{replay:?}");
    assert!(replay.out.contains("identical") && replay.out.contains("bytes are lost"), "{replay:?}");
}

#[test]
fn a_journal_is_listed_printed_and_checked() {
    let data = tempfile::tempdir().expect("a folder");
    record(data.path());
    let list = oddsmith(data.path(), &["journal", "ls"]);
    assert!(list.out.contains(&"5a".repeat(16)), "{list:?}");
    let all = oddsmith(data.path(), &["journal", "cat"]);
    let first: serde_json::Value = serde_json::from_str(all.out.lines().next().expect("a line")).expect("JSON");
    assert_eq!((first["sequence"].as_u64(), first["kind"].as_str()), (Some(1), Some("input.setup")));
    let frames = oddsmith(data.path(), &["journal", "cat", "latest", "--kind", "input.market"]);
    assert_eq!(frames.out.lines().count(), 3, "{frames:?}");
    assert!(frames.out.contains("{not a frame"), "{frames:?}");
    let verify = oddsmith(data.path(), &["journal", "verify"]);
    assert!(verify.code == 0 && verify.out.contains("all valid; closed"), "{verify:?}");
}

/// A frame that an older build did not understand is in the journal, and this build can be asked about it.
#[test]
fn a_dead_letter_is_read_again() {
    let data = tempfile::tempdir().expect("a folder");
    let dir = record(data.path());
    let letters = oddsmith(data.path(), &["journal", "dead-letters", "latest"]);
    assert_eq!(letters.code, 1, "{letters:?}");
    let line: serde_json::Value = serde_json::from_str(letters.out.trim()).expect("one line of JSON");
    assert_eq!((&line["channel"], &line["frame"]), (&"market".into(), &"{not a frame".into()));
    assert_eq!(line["then"], line["now"], "the same build");
    assert!(letters.err.contains("1 of 1"), "{letters:?}");

    let mended = data.path().join("mended");
    alter(&dir, &mended, Kind::MARKET, |payload| {
        let Some(at) = payload.windows(12).position(|part| part == b"{not a frame") else { return false };
        payload[at..at + 12].copy_from_slice(b"[          ]");
        true
    });
    let letters = oddsmith(data.path(), &["journal", "dead-letters", &mended.to_string_lossy()]);
    assert_eq!(letters.code, 0, "{letters:?}");
    let line: serde_json::Value = serde_json::from_str(letters.out.trim()).expect("one line of JSON");
    assert!(line["now"].is_null() && line["then"]["elements"] == 1, "{line}");
}

#[test]
fn what_is_not_there_is_said() {
    let data = tempfile::tempdir().expect("a folder");
    for (arguments, told) in [
        (&["replay"][..], "there is no run in"),
        (&["replay", "abc"], "`abc` is no run in"),
        (&["replay", "."], "holds no journal"),
        (&["journal", "cat", "xyz"], "is no run"),
        (&["config", "show", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
    ] {
        let result = oddsmith(data.path(), arguments);
        assert_eq!(result.code, 2, "{arguments:?}: {result:?}");
        assert!(result.err.contains(told) && result.out.is_empty(), "{arguments:?}: {result:?}");
        assert_eq!(result.err.lines().count(), 1, "one sentence: {result:?}");
    }
}

const SPREAD: &str = "engine.instances.0.strategy.skewed_maker.target_spread=0.09";

/// A simulated run and each run of its chain of restarts: the process is killed in the middle of writes, and begun again.
#[test]
fn simulated_runs_and_their_restarts_replay() {
    let data = support::data();
    let dir = data.path().join("simulated");
    let plan =
        simulate::Plan { parts: 2, part_s: 120, faults_per_hour: 300, ..simulate::Plan::usual(5, 0, dir.clone()) };
    let kinds = plan.kinds.iter().copied().filter(|kind| kind.words().contains("kill")).collect();
    let tally = simulate::run(simulate::Plan { kinds, keep: true, ..plan }).unwrap_or_else(|broken| panic!("{broken}"));
    assert!(tally.restarts > 0, "{tally:?}");
    for run in 0..=tally.restarts {
        let run = dir.join(format!("run-{run:03}"));
        let path = run.to_string_lossy();
        let replay = oddsmith(data.path(), &["replay", &path]);
        assert!(replay.code == 0 && replay.out.contains("identical"), "{path}: {replay:?}");
        let audit = oddsmith(data.path(), &["audit", &path]);
        assert_eq!(audit.code, 0, "{path}: {audit:?}");
    }
    let last = dir.join(format!("run-{:03}", tally.restarts));
    assert_replays_and_names_changes(data.path(), &last, SPREAD);
}

/// What `simulate --keep` leaves is a run like any other.
#[test]
fn a_simulation_keeps_its_journals_when_told() {
    let data = support::data();
    let ran = oddsmith(data.path(), &["simulate", "--seeds", "1", "--hours", "0", "--keep"]);
    let folder = data.path().join("simulations");
    let process = std::fs::read_dir(&folder).expect("kept").flatten().next().expect("one process").path();
    assert!(ran.out.contains(&process.display().to_string()), "{ran:?}");
    let run = process.join("seed-1").join("run-000");
    let replay = oddsmith(data.path(), &["replay", &run.to_string_lossy()]);
    assert!(replay.code == 0 && replay.out.contains("identical"), "{replay:?}");
}
