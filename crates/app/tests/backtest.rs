//! `oddsmith backtest`: the real binary over recordings, its journals, its refusals, and a sweep that is killed and goes on.

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{command, oddsmith};

const T0: u64 = 1_790_000_000_000;

fn books(at: u64, bid: u64) -> String {
    let condition = format!("0x{:064x}", 77);
    let mut text = String::new();
    for (token, bid, ask) in [(1, bid, bid + 3), (2, 97 - bid, 100 - bid)] {
        text += &format!(
            "{{\"recv_wall_ts\":{at},\"payload\":{{\"event_type\":\"book\",\"market\":\"{condition}\",\"asset_id\":\"{token}{}\",\
             \"timestamp\":\"{at}\",\"bids\":[{{\"price\":\"0.{bid}\",\"size\":\"50\"}}],\"asks\":[{{\"price\":\"0.{ask}\",\"size\":\"50\"}}],\
             \"tick_size\":\"0.01\",\"min_order_size\":\"5\",\"neg_risk\":false}}}}\n",
            "1234567890".repeat(7),
        );
    }
    text
}

fn recording(dir: &Path, seconds: u64) -> PathBuf {
    let path = dir.join("frames.jsonl");
    let mut state = 99_u64;
    let (mut bid, mut text) = (48, String::new());
    for step in 0..seconds * 2 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bid = (bid + (state >> 33) % 13).clamp(36, 70) - 6;
        text += &books(T0 + step * 500, bid);
    }
    std::fs::write(&path, text).expect("a file");
    path
}

fn results(out: &str) -> Value {
    serde_json::from_str(out.lines().last().unwrap_or_default()).expect("an object")
}

#[test]
fn a_result_is_a_bracket_and_its_journals_replay_and_hold() {
    let dir = support::data();
    let file = recording(dir.path(), 60);
    let ran = oddsmith(dir.path(), &["backtest", &file.to_string_lossy(), "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = results(&ran.out);
    let cell = &told["cells"][0]["results"];
    for assumption in ["pessimistic", "realistic", "optimistic"] {
        let result = &cell[assumption];
        assert!(result["profit"].is_string() && result["measured"]["orders"].as_u64() > Some(5), "{result}");
        let measured = &result["measured"];
        assert!(measured["curve"]["drawdown"].is_string() && measured["profit"]["fees"].is_string(), "{measured}");
        assert!(measured["instances"]["maker"]["fills"].is_u64() && result.get("hit_rate").is_some(), "{result}");
        let run = result["sessions"][0]["run"].as_str().expect("a journal");
        for verb in ["replay", "audit"] {
            let checked = oddsmith(dir.path(), &[verb, run]);
            assert_eq!(checked.code, 0, "{verb} of the {assumption} run: {checked:?}");
        }
    }
    assert!(ran.err.contains("3 of 3: as configured"), "progress without a terminal: {}", ran.err);
    assert_reports(&told);
    let identity = &told["identity"];
    assert_eq!(identity["inputs"][0]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(identity["version"], env!("CARGO_PKG_VERSION"));
    // A run's journal is a recording, too.
    let run = cell["realistic"]["sessions"][0]["run"].as_str().expect("a journal");
    let journal = dir.path().join("runs").join(run);
    let again = oddsmith(dir.path(), &["backtest", &journal.to_string_lossy()]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("the journal of a run") && again.out.contains("pessimistic"), "{again:?}");
}

/// At its end there is a page over all trials, one for each, and the same as JSON and tables; they say what was printed.
fn assert_reports(told: &Value) {
    let dir = PathBuf::from(told["effort"]["results"].as_str().expect("a folder"));
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let overview: Value = serde_json::from_str(&read("overview.json")).expect("an object");
    let outcomes = overview["trials"][0]["outcomes"].as_array().expect("three outcomes");
    let page = read("overview.html");
    for (outcome, assumption) in outcomes.iter().zip(["pessimistic", "realistic", "optimistic"]) {
        assert_eq!(outcome["assumption"], assumption);
        let printed = &told["cells"][0]["results"][assumption];
        assert_eq!(outcome["split"]["total"], printed["profit"]);
        assert_eq!(outcome["fills"], printed["measured"]["profit"]["fills"]);
        let own = outcome["page"].as_str().expect("a page");
        assert!(page.contains(own), "{own} is linked");
        let own = read(own);
        assert!(own.contains("Where the profit came from") && own.contains("they agree"), "{assumption}");
    }
    for part in ["What was assumed", "1000 pUSD", "60 ms to the venue", "Holes", "None is known", "<svg"] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["src=", "@import", "http://", "https://", "<script"] {
        assert!(!page.contains(outside), "a page needs nothing else: {outside}");
    }
    assert_eq!(read("trials.csv").lines().count(), 4);
    assert!(read("equity.csv").lines().count() > 6 && read("markets.csv").lines().count() > 3);
}

#[test]
fn nobody_runs_across_a_hole_without_being_told() {
    let dir = support::data();
    let path = dir.path().join("hole.jsonl");
    let change = |at: u64, size: u64| {
        format!(
            "{{\"recv_wall_ts\":{at},\"payload\":{{\"event_type\":\"price_change\",\"market\":\"0x{:064x}\",\"timestamp\":\"{at}\",\
             \"price_changes\":[{{\"asset_id\":\"1{}\",\"price\":\"0.48\",\"size\":\"{size}\",\"side\":\"BUY\"}}]}}}}\n",
            77,
            "1234567890".repeat(7)
        )
    };
    let mut text = books(T0, 48);
    text += &(1..50).map(|n| change(T0 + n * 200, 50 + n)).collect::<String>();
    text += &books(T0 + 30_000, 40);
    text += &(1..50).map(|n| books(T0 + 30_000 + n * 200, 40)).collect::<String>();
    std::fs::write(&path, text).expect("a file");
    let file = path.to_string_lossy().into_owned();
    let refused = oddsmith(dir.path(), &["backtest", &file]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("--across-gaps") && refused.err.contains("2026-09-21T14:13:"), "{refused:?}");
    let told = oddsmith(dir.path(), &["backtest", &file, "--across-gaps", "--json", "--no-journals"]);
    assert_eq!(told.code, 0, "{told:?}");
    let told = results(&told.out);
    assert_eq!(told["survey"]["sessions"].as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!(told["cells"][0]["results"]["realistic"]["sessions"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_sweep_that_is_killed_goes_on_where_it_stopped() {
    let dir = support::data();
    let file = recording(dir.path(), 60).to_string_lossy().into_owned();
    let key = "engine.instances.0.strategy.skewed_maker.target_spread";
    let sweep = format!("{key}=0.02,0.03,0.04,0.05");
    let arguments = ["backtest", &file, "--sweep", &sweep, "--jobs", "1", "--json"];
    let kept = || {
        let folder = std::fs::read_dir(dir.path().join("backtests")).ok()?.flatten().next()?.path();
        let done = std::fs::read_dir(folder).ok()?.flatten();
        Some(done.filter(|entry| entry.path().extension().is_some_and(|e| e == "json")).count())
    };
    let mut child = command(dir.path()).args(arguments).stdout(std::process::Stdio::null()).spawn().expect("it runs");
    let until = Instant::now() + Duration::from_secs(120);
    while kept().unwrap_or(0) < 2 && child.try_wait().expect("a child").is_none() {
        assert!(Instant::now() < until, "no result within two minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    let survived = kept().expect("results") as u64;
    assert!((2..12).contains(&survived), "killed in the middle: {survived} of 12 results");
    let resumed = results(&oddsmith(dir.path(), &arguments).out);
    assert!(resumed["effort"]["reused"].as_u64() >= Some(survived), "{}", resumed["effort"]);
    let mut anew: Vec<&str> = arguments.to_vec();
    anew.push("--again");
    let whole = results(&oddsmith(dir.path(), &anew).out);
    assert_eq!(whole["effort"]["reused"], 0);
    assert_eq!(resumed["cells"], whole["cells"], "what was kept is what is found anew");
    assert_eq!(whole["cells"].as_array().map(Vec::len), Some(4));
}

#[test]
fn a_walk_forward_tries_what_it_has_learned_right_behind() {
    let dir = support::data();
    let file = recording(dir.path(), 60).to_string_lossy().into_owned();
    let sweep = "engine.instances.0.strategy.skewed_maker.target_spread=0.02,0.06";
    let ran = oddsmith(dir.path(), &["backtest", &file, "--sweep", sweep, "--walk-forward", "30s:10s", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = results(&ran.out);
    let windows = told["walk_forward"]["windows"].as_array().expect("windows");
    assert_eq!(windows.len(), 2, "{windows:?}");
    for window in windows {
        assert_eq!(window["window"]["train"]["to_ns"], window["window"]["test"]["from_ns"]);
        assert!(window["chosen"].as_str().is_some_and(|chosen| chosen.contains("target_spread")));
    }
    let tests = &told["walk_forward"]["tests"];
    assert_eq!(tests["pessimistic"]["measured"]["lasted_ns"].as_u64(), Some(20_000_000_000), "{tests}");
    let short = oddsmith(dir.path(), &["backtest", &file, "--sweep", sweep, "--walk-forward", "2h:1h"]);
    assert_eq!(short.code, 1, "{short:?}");
}

#[test]
fn what_cannot_be_run_is_named() {
    let dir = support::data();
    let file = recording(dir.path(), 5).to_string_lossy().into_owned();
    let empty = dir.path().join("notes.txt");
    std::fs::write(&empty, "nothing\n").expect("a file");
    let empty = empty.to_string_lossy().into_owned();
    let copy = dir.path().join("copy.jsonl").to_string_lossy().into_owned();
    std::fs::copy(&file, &copy).expect("a copy");
    for (arguments, code, word) in [
        (vec!["backtest", empty.as_str()], 1, "no recording"),
        (vec!["backtest", file.as_str(), copy.as_str()], 2, "the same recording"),
        (vec!["backtest", "missing.jsonl"], 2, "missing.jsonl"),
        (vec!["backtest", file.as_str(), "--strategies", "magic"], 2, "there is no strategy `magic`"),
        (vec!["backtest", file.as_str(), "--sweep", "engine.nothing=1,2"], 2, "unknown key"),
        (vec!["backtest", file.as_str(), "--latency", "rows.csv"], 2, "rows.csv"),
    ] {
        let ran = oddsmith(dir.path(), &arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(word), "{arguments:?}: {ran:?}");
    }
}
