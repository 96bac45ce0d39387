//! The engine over recordings at a venue on paper: nothing comes before its time, nobody runs across a hole, and what is decided pays.

use std::path::{Path, PathBuf};

use oddsmith_backtest::tape::{Assumptions, Form, Reel};
use oddsmith_backtest::trial::{
    Assumption, Client, Limits, Material, Measured, Recorder, Setting, Stretch, Survey, TrialError, run, run_laid_out,
    survey,
};
use oddsmith_domain::{Event, Input, Output, OutputBody, RunId, Time, Usdc};
use oddsmith_engine::{EngineConfig, InstanceConfig};
use oddsmith_paper::PaperSettings;
use oddsmith_report::Record;
use oddsmith_strategy::{StrategyConfig, skewed_maker::Parameters};
use std::cell::RefCell;
use std::rc::Rc;

const T0: u64 = 1_790_000_000_000;

fn token(name: u8) -> String {
    format!("{name}{}", "1234567890".repeat(7))
}

fn condition() -> String {
    format!("0x{:064x}", 77)
}

fn line(at: u64, frame: &str) -> String {
    format!("{{\"recv_wall_ts\":{at},\"payload\":{frame}}}\n")
}

/// Whole books of both tokens, in cents of YES.
fn books(at: u64, bid: u64, ask: u64) -> String {
    let book = |name: u8, bid: u64, ask: u64| {
        format!(
            "{{\"event_type\":\"book\",\"market\":\"{}\",\"asset_id\":\"{}\",\"timestamp\":\"{at}\",\
             \"bids\":[{{\"price\":\"0.{bid:02}\",\"size\":\"50\"}}],\"asks\":[{{\"price\":\"0.{ask:02}\",\"size\":\"50\"}}],\
             \"tick_size\":\"0.01\",\"min_order_size\":\"5\",\"neg_risk\":false}}",
            condition(),
            token(name),
        )
    };
    line(at, &format!("[{},{}]", book(1, bid, ask), book(2, 100 - ask, 100 - bid)))
}

/// Another size at the best bid of YES.
fn change(at: u64, bid: u64, ask: u64, size: u64) -> String {
    let frame = format!(
        "{{\"event_type\":\"price_change\",\"market\":\"{}\",\"timestamp\":\"{at}\",\"price_changes\":[{{\"asset_id\":\"{}\",\
         \"price\":\"0.{bid:02}\",\"size\":\"{size}\",\"side\":\"BUY\",\"best_bid\":\"0.{bid:02}\",\"best_ask\":\"0.{ask:02}\"}}]}}",
        condition(),
        token(1),
    );
    line(at, &frame)
}

fn resolved(at: u64, winner: u8) -> String {
    let frame = format!(
        "{{\"event_type\":\"market_resolved\",\"market\":\"{}\",\"assets_ids\":[\"{}\",\"{}\"],\"winning_asset_id\":\"{}\",\
         \"winning_outcome\":\"first\",\"timestamp\":\"{at}\"}}",
        condition(),
        token(1),
        token(2),
        token(winner),
    );
    line(at, &frame)
}

/// A book that wanders up and down, seen every 400 ms.
fn wandering(seconds: u64) -> Vec<String> {
    let mut state = 12_345_u64;
    let (mut bid, mut lines) = (48, Vec::new());
    for step in 0..seconds * 5 / 2 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bid = (bid + (state >> 33) % 13).clamp(36, 70) - 6;
        lines.push(books(T0 + step * 400, bid, bid + 3));
    }
    lines
}

/// Everything that came out of a session, with its time.
type Told = Rc<RefCell<Vec<(u64, Output)>>>;

struct Tape(Told);

impl Recorder for Tape {
    fn record(&mut self, _: &Input<'_>, now: Time, outputs: &[Output]) -> bool {
        self.0.borrow_mut().extend(outputs.iter().map(|output| (now.wall_ns, output.clone())));
        true
    }
}

struct Runs {
    paper: PaperSettings,
    told: Vec<Told>,
    measured: Vec<Measured>,
}

impl Client for Runs {
    fn begin(&mut self, session: usize) -> Result<(Setting, Box<dyn Recorder>), TrialError> {
        assert_eq!(session, self.told.len(), "sessions come one after the other");
        let strategy = StrategyConfig::SkewedMaker(Parameters { stop_before_end_s: 5, ..Parameters::default() });
        let instance = InstanceConfig {
            name: "maker".to_owned(),
            markets: vec!["*".to_owned()],
            strategy,
            listener: Default::default(),
            sharing: Default::default(),
        };
        let config = EngineConfig { instances: vec![instance], ..EngineConfig::default() };
        let told = Told::default();
        self.told.push(told.clone());
        let config = config.to_json().expect("json");
        let setting = Setting { run: RunId([2; 16]), seed: [5; 32], config, paper: self.paper.clone() };
        Ok((setting, Box::new(Tape(told))))
    }

    fn end(&mut self, _: usize, measured: Measured, mut record: Record) {
        record.finish();
        assert_eq!(record.total(), measured.split, "the record tells what was measured");
        self.measured.push(measured);
    }
}

fn material(path: &Path) -> Material {
    Material {
        recordings: vec![(path.to_owned(), Form::Frames)],
        assumptions: Assumptions::default(),
        limits: Limits::default(),
        holes: Vec::new(),
    }
}

fn looked_through(path: &Path) -> Survey {
    let material = material(path);
    survey(&material.recordings, material.assumptions, material.limits, &|_| true, &mut |_| {}).expect("readable")
}

fn runs(material: &Material, sessions: &[Stretch], assumption: Assumption) -> Runs {
    let paper = assumption.apply(&PaperSettings::with(Usdc::from_whole(1_000), 3));
    let mut runs = Runs { paper, told: Vec::new(), measured: Vec::new() };
    run(material, sessions, &mut runs).expect("it runs");
    runs
}

fn written(dir: &Path, name: &str, lines: &[String]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, lines.concat()).expect("a file");
    path
}

const ALL: Stretch = Stretch { from_ns: T0 * Time::MILLI, to_ns: (T0 + 130_000) * Time::MILLI };

#[test]
fn what_comes_later_does_not_change_a_decision() {
    let dir = tempfile::tempdir().expect("a folder");
    let lines = wandering(90);
    let whole = runs(&material(&written(dir.path(), "whole.jsonl", &lines)), &[ALL], Assumption::Realistic);
    let whole = whole.told[0].borrow();
    let fills = whole.iter().filter(|(_, o)| matches!(&o.body, OutputBody::Event(Event::Fill { .. }))).count();
    assert!(fills > 3, "{fills} fills: a test without fills would show little");
    for kept in [40, 120, 200] {
        let cut_ns = (T0 + kept as u64 * 400) * Time::MILLI;
        let before = |told: &[(u64, Output)]| -> Vec<(u64, Output)> {
            told.iter().filter(|(at, _)| *at < cut_ns).cloned().collect()
        };
        let truncated = written(dir.path(), "truncated.jsonl", &lines[..kept]);
        let session = Stretch { to_ns: cut_ns, ..ALL };
        let early = runs(&material(&truncated), &[session], Assumption::Realistic);
        assert_eq!(before(&early.told[0].borrow()), before(&whole), "cut after {kept} frames");
        // The same beginning with another future.
        let mut other: Vec<String> = lines[..kept].to_vec();
        other.extend((kept..lines.len()).map(|step| books(T0 + step as u64 * 400, 20 + (step as u64 * 7) % 50, 80)));
        let other = runs(&material(&written(dir.path(), "other.jsonl", &other)), &[ALL], Assumption::Realistic);
        assert_eq!(before(&other.told[0].borrow()), before(&whole), "another future after {kept} frames");
    }
}

#[test]
fn a_hole_that_is_proven_ends_a_session_and_silence_alone_does_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut lines = vec![books(T0, 48, 52)];
    lines.extend((1..100).map(|n| change(T0 + n * 100, 48, 52, 50 + n)));
    // Half a minute of silence, and nothing was missed.
    lines.extend((0..100).map(|n| change(T0 + 40_000 + n * 100, 48, 52, 60 + n)));
    let quiet = looked_through(&written(dir.path(), "quiet.jsonl", &lines));
    assert_eq!((quiet.holes.len(), quiet.sessions.len()), (0, 1), "{quiet:?}");
    // Then a snapshot tells of changes that never came.
    lines.push(books(T0 + 55_000, 30, 34));
    lines.extend((1..100).map(|n| change(T0 + 55_000 + n * 100, 30, 34, 60 + n)));
    let path = written(dir.path(), "hole.jsonl", &lines);
    let found = looked_through(&path);
    assert_eq!((found.holes.len(), found.sessions.len()), (1, 2), "{found:?}");
    let ms = |ns: u64| ns / Time::MILLI - T0;
    assert_eq!((ms(found.holes[0].stretch.from_ns), ms(found.holes[0].stretch.to_ns)), (49_900, 55_000));
    let material = Material { holes: found.holes.clone(), ..material(&path) };
    let runs = runs(&material, &found.sessions, Assumption::Realistic);
    assert_eq!(runs.told.len(), 2);
    for (told, session) in runs.told.iter().zip(&found.sessions) {
        let told = told.borrow();
        assert!(matches!(&told[0].1.body, OutputBody::Event(Event::Began { .. })), "a fresh engine");
        assert!(
            told.iter()
                .any(|(at, o)| *at < session.to_ns && matches!(&o.body, OutputBody::Event(Event::Decision { .. })))
        );
    }
}

#[test]
fn a_session_in_the_middle_begins_with_the_books_of_that_moment() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut lines = vec![books(T0, 48, 52)];
    lines.extend((1..400).map(|n| change(T0 + n * 100, 48, 52, 50 + n)));
    let path = written(dir.path(), "deltas.jsonl", &lines);
    let session = |from: u64, to: u64| Stretch { from_ns: (T0 + from) * Time::MILLI, to_ns: (T0 + to) * Time::MILLI };
    let runs = runs(&material(&path), &[session(0, 15_000), session(15_000, 30_000)], Assumption::Realistic);
    for measured in &runs.measured {
        assert!(measured.orders > 0, "only the first of these has a snapshot in its recording: {measured:?}");
        assert_eq!(measured.undecodable, 0);
    }
}

#[test]
fn what_is_decided_pays_and_what_is_not_is_unrealized() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut lines = wandering(90);
    let open = runs(&material(&written(dir.path(), "open.jsonl", &lines)), &[ALL], Assumption::Optimistic);
    lines.push(resolved(T0 + 90_500, 1));
    lines.push(line(T0 + 110_000, "{\"event_type\":\"new_market\",\"market\":\"0x1\"}"));
    let decided = runs(&material(&written(dir.path(), "decided.jsonl", &lines)), &[ALL], Assumption::Optimistic);
    let (open, decided) = (&open.measured[0], &decided.measured[0]);
    assert!(open.profit.fills > 0 && open.decided.is_empty());
    assert_eq!(decided.decided.len(), 1, "{decided:?}");
    assert!(decided.profit.unrealized.is_zero(), "{:?}", decided.profit);
    assert!(!open.profit.unrealized.is_zero(), "{:?}", open.profit);
}

#[test]
fn the_parts_of_a_profit_sum_to_it_under_every_assumption() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = written(dir.path(), "wandering.jsonl", &wandering(120));
    for assumption in Assumption::ALL {
        let runs = runs(&material(&path), &[ALL], assumption);
        let measured = &runs.measured[0];
        assert_eq!(measured.split.total, measured.profit.total(), "{}", assumption.name());
        assert_eq!(measured.split.sum(), measured.split.total);
        let markets: Usdc = measured.markets.values().map(oddsmith_backtest::trial::Profit::total).sum();
        assert_eq!(markets, measured.profit.total());
        assert!(measured.curve.drawdown >= Usdc::ZERO && measured.orders > 10, "{measured:?}");
    }
}

#[test]
fn a_recording_laid_out_in_memory_says_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut lines = wandering(90);
    // Something strange, something of another market, half a market, and an end.
    let strange = format!("{{\"event_type\":\"later\",\"market\":\"{}\"}}", condition());
    lines.insert(30, line(T0 + 29 * 400 + 1, &strange));
    let other = change(T0 + 59 * 400 + 1, 40, 60, 5).replace(&token(1), &token(3)).replace(&condition(), "0x1f");
    lines.insert(60, other);
    lines.push(resolved(T0 + 90_500, 1));
    let path = written(dir.path(), "whole.jsonl", &lines);
    let material = material(&path);
    let sessions = [
        Stretch { to_ns: ALL.from_ns + 40 * Time::SECOND, ..ALL },
        Stretch { from_ns: ALL.from_ns + 45 * Time::SECOND, ..ALL },
    ];
    let lay_out =
        |most| Reel::lay_out(&material.recordings, material.assumptions, most, &mut |_| {}).expect("readable");
    let reel = lay_out(1 << 30).expect("it is small");
    assert!(lay_out(10_000).is_none(), "more than that");
    for assumption in Assumption::ALL {
        let read = runs(&material, &sessions, assumption);
        let paper = assumption.apply(&PaperSettings::with(Usdc::from_whole(1_000), 3));
        let mut played = Runs { paper, told: Vec::new(), measured: Vec::new() };
        run_laid_out(&reel, &material, &sessions, &mut played).expect("it runs");
        assert_eq!(played.measured, read.measured);
        assert!(read.measured.iter().map(|measured| measured.profit.fills).sum::<u64>() > 0);
        for (played, read) in played.told.iter().zip(&read.told) {
            assert!(read.borrow().len() > 100);
            assert_eq!(*played.borrow(), *read.borrow(), "{}", assumption.name());
        }
    }
}
