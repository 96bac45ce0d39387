//! What becomes of journals: finished segments are packed while the run goes on, packed ones answer every question as plain ones do, what
//! a later run needs stays, and what a run says of itself is checked.

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oddsmith_domain::{RunId, Time};
use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Server, ServerConfig};
use oddsmith_journal::{Ids, Kind, Options, RecordHead, Writer, verify};
use serde_json::{Value, json};
use support::live::{Live, assert_replays, venue_flags};
use support::{Ran, command, data, oddsmith};

fn runs(data: &std::path::Path) -> Vec<String> {
    let listed = oddsmith(data, &["journal", "ls"]);
    listed.out.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Answers to everything that is asked of a journal.
fn answers(data: &std::path::Path, run: &str) -> Vec<(i32, String)> {
    let asked: [&[&str]; 4] = [&["journal", "verify"], &["journal", "cat"], &["replay"], &["audit"]];
    let told = |Ran { code, out, .. }: Ran| (code, out);
    asked.iter().map(|words| told(oddsmith(data, &[words, &[run][..]].concat()))).collect()
}

#[test]
fn a_packed_run_is_verified_printed_replayed_audited_and_gone_on_after() {
    let data = data();
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let flags = venue_flags(&exchange);
    let run = || {
        let mut words = vec!["run", "--for", "3s", "--status", "0"];
        words.extend(flags.iter().map(String::as_str));
        let ran = oddsmith(data.path(), &words);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    };
    run();
    let first = runs(data.path()).remove(0);
    let plain = answers(data.path(), &first);
    assert!(plain.iter().all(|(code, _)| *code == 0), "{plain:?}");
    let packed = oddsmith(data.path(), &["journal", "pack", &first]);
    assert!(packed.code == 0 && packed.out.contains("1 segments packed"), "{}{}", packed.out, packed.err);
    assert!(data.path().join("runs").join(&first).join("00000000.segment.zst").exists());
    assert_eq!(answers(data.path(), &first), plain);

    // The next run goes on after the packed one, and then nobody needs that one any more.
    run();
    let second = runs(data.path()).remove(1);
    let manifest =
        std::fs::read_to_string(data.path().join("runs").join(&second).join("manifest.json")).expect("a manifest");
    assert!(manifest.contains(&first), "{manifest}");
    let look = oddsmith(data.path(), &["journal", "prune", "--keep-mib", "0", "--dry-run"]);
    assert!(look.out.contains("would go") && runs(data.path()).len() == 2, "{}", look.out);
    let pruned = oddsmith(data.path(), &["journal", "prune", "--keep-mib", "0"]);
    assert_eq!(pruned.code, 0, "{}{}", pruned.out, pruned.err);
    assert!(pruned.out.contains("is gone") && pruned.out.contains("goes on after it"), "{}", pruned.out);
    assert_eq!(runs(data.path()), [second.as_str()]);
    run();
    let nothing = oddsmith(data.path(), &["journal", "prune"]);
    assert!(nothing.code == 2 && nothing.err.contains("--older-than"), "{}", nothing.err);
    let young = oddsmith(data.path(), &["journal", "prune", "--older-than", "1h"]);
    assert!(young.code == 0 && young.out.is_empty() && runs(data.path()).len() == 2, "{}", young.out);
}

/// A market in which so much happens that a small segment is full within seconds.
const LIVELY: &str = "
markets:
  - slug: rain-tomorrow
    process: { opinion: { start: 0.5, volatility: 0.01, pull: 0.05 } }
    traders: { noise_rate: 60.0, maker_rate: 40.0, half_spread: 0.03 }
  - slug: snow-tomorrow
    process: { opinion: { start: 0.3, volatility: 0.01, pull: 0.05 } }
    traders: { noise_rate: 60.0, maker_rate: 40.0, half_spread: 0.03 }
";

fn wait_for(what: &str, live: &Live, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(90);
    while !condition() {
        assert!(Instant::now() < give_up, "no {what} in time:\n{}", live.said());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn names(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[test]
fn segments_of_a_live_run_are_packed_behind_it_and_all_of_it_replays() {
    let data = data();
    let scenario = Scenario::parse(LIVELY).expect("a scenario");
    let exchange = Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("an exchange");
    let flags = venue_flags(&exchange);
    let mut words = vec!["--set", "journal.segment_mib=1", "--status", "0"];
    words.extend(flags.iter().map(String::as_str));
    let live = Live::start(data.path(), &words);
    let packed = || runs(data.path()).first().map_or(0, |run| names(&data.path().join("runs").join(run), ".zst").len());
    wait_for("packed segments", &live, || packed() >= 2);
    let run = runs(data.path()).remove(0);
    assert_eq!(listed(data.path(), &run)["standing"], "alive");
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(names(&data.path().join("runs").join(&run), ".packing"), [] as [PathBuf; 0]);
    assert_eq!(oddsmith(data.path(), &["journal", "verify"]).code, 0);
    assert_replays(data.path());
}

/// What `journal ls` says of a run.
fn listed(data: &Path, run: &str) -> Value {
    let all = oddsmith(data, &["journal", "ls", "--json"]);
    let lines = all.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.into_iter().find(|line| line["run"] == run).unwrap_or_else(|| panic!("{run} in {}", all.out))
}

#[test]
fn a_run_says_what_it_was_made_of_and_what_has_changed_since_is_named() {
    let data = data();
    let ran = oddsmith(data.path(), &["run", "--for", "2s", "--status", "0"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let run = runs(data.path()).remove(0);
    let shown = listed(data.path(), &run);
    let manifest = &shown["manifest"];
    for key in ["program", "config_sha256", "seed"] {
        assert_eq!(manifest[key].as_str().map(str::len), Some(64), "{key}: {manifest}");
    }
    assert_eq!((&manifest["schema_version"], &manifest["journal_schema"]), (&json!(2), &json!(1)));
    assert_eq!(manifest["strategies"][0]["strategy"], "skewed_maker");
    assert!(manifest["strategies"][0]["version"].as_u64() >= Some(1));
    let line = oddsmith(data.path(), &["journal", "ls"]).out;
    let config = &manifest["config_sha256"].as_str().expect("a hash")[..8];
    assert!(line.contains(config) && line.contains("maker=skewed_maker/") && line.contains("closed"), "{line}");

    // The first line of all lines is the manifest, in the envelope of the others.
    let first = oddsmith(data.path(), &["journal", "cat", "--kind", "manifest"]).out;
    let first: Value = serde_json::from_str(first.trim()).expect("one line");
    assert_eq!((&first["sequence"], &first["kind"]), (&json!(0), &json!("manifest")));
    assert_eq!(first["payload"]["seed"], manifest["seed"]);
    let setup = oddsmith(data.path(), &["journal", "cat", "--kind", "input.setup"]).out;
    assert_eq!(setup.lines().count(), 1);
    let verified = oddsmith(data.path(), &["journal", "verify"]);
    assert!(verified.code == 0 && !verified.out.contains("note:"), "{verified:?}");

    // Another build is named by verify and replay, and stops neither.
    let path = data.path().join("runs").join(&run).join("manifest.json");
    let text = std::fs::read_to_string(&path).expect("a manifest");
    let other = text.replace(manifest["program"].as_str().expect("a hash"), &"ab".repeat(32));
    std::fs::write(&path, &other).expect("written");
    for asked in [&["journal", "verify"][..], &["replay"], &["replay", "--json"]] {
        let told = oddsmith(data.path(), asked);
        assert!(told.code == 0 && told.out.contains("program abababab; this is"), "{told:?}");
    }
    // A manifest that is not what the run wrote is named, and replay still replays.
    std::fs::write(&path, other.replace("\"flush_ms\": 100", "\"flush_ms\": 101")).expect("written");
    let told = oddsmith(data.path(), &["journal", "verify"]);
    assert!(told.code == 1 && told.err.contains("somebody has changed it"), "{told:?}");
    let told = oddsmith(data.path(), &["replay"]);
    assert!(told.code == 0 && told.out.contains("identical") && told.out.contains("somebody"), "{told:?}");
    std::fs::write(&path, text).expect("written");
}

/// A run that somebody made long ago.
fn made(data: &Path, number: u8, days_ago: u64, records: u64, close: bool) -> PathBuf {
    let dir = data.join("runs").join(format!("{number:02x}").repeat(16));
    let options = Options { segment_bytes: 4_096, ..Options::default() };
    let mut writer = Writer::create(&dir, RunId([number; 16]), &options).expect("a journal");
    for number in 1..=records {
        let time = Time { mono_ns: number, wall_ns: number };
        let head = RecordHead { time, kind: Kind::TICK, ids: Ids::default() };
        writer.append(&head, &[7; 300]).expect("room");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let started = now - Duration::from_secs(days_ago * 86_400);
    let manifest = json!({
        "schema_version": 1, "run_id": RunId([number; 16]), "version": "0", "started_wall_ns": started.as_nanos() as u64,
        "command": "backtest", "config": null,
    });
    std::fs::write(dir.join("manifest.json"), manifest.to_string()).expect("a manifest");
    if close {
        writer.close().expect("closes")
    } else {
        std::mem::forget(writer)
    }
    dir
}

#[test]
fn a_live_run_packs_what_is_over_and_deletes_what_is_older_than_it_may_be() {
    let data = tempfile::tempdir().expect("a folder");
    let old = made(data.path(), 1, 9, 20, true);
    let young = made(data.path(), 3, 1, 20, true);
    // Its writer lives in this process, which is as good as a run that was not closed.
    let unclosed = made(data.path(), 2, 9, 20, false);
    let sets = ["--set=journal.tidy_s=1", "--set=journal.keep_days=7", "--status=0"];
    let live = Live::start(data.path(), &sets);
    wait_for("tidiness", &live, || !old.exists() && names(&young, ".segment").is_empty());
    assert_eq!(verify(&young).expect("whole").records, 20);
    assert!(!names(&unclosed, ".segment").is_empty(), "what was not closed stays as it is");
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(runs(data.path()).len(), 3);
    // By a person's word it stays, too, until that says more.
    let prune =
        |more: &[&str]| oddsmith(data.path(), &[&["journal", "prune", "--older-than", "48h"], more].concat()).out;
    assert!(prune(&[]).contains("stays: it"), "{}", prune(&[]));
    assert!(unclosed.exists() && !data.path().join("pruned").join("x").exists());
}

#[test]
fn a_prune_that_is_killed_leaves_whole_runs_only() {
    let data = tempfile::tempdir().expect("a folder");
    let mut all: Vec<PathBuf> = (1..=40).map(|number| made(data.path(), number, 9, 240, true)).collect();
    for round in 0..6u64 {
        let mut child = command(data.path())
            .args(["journal", "prune", "--older-than", "24h"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("the binary runs");
        std::thread::sleep(Duration::from_millis(30 + round * 17));
        child.kill().expect("SIGKILL");
        child.wait().expect("gone");
        all.retain(|dir| dir.exists());
        for dir in &all {
            assert_eq!(verify(dir).expect("whole").records, 240);
        }
        assert_eq!(runs(data.path()).len(), all.len());
    }
    let last = oddsmith(data.path(), &["journal", "prune", "--older-than", "24h"]);
    assert_eq!(last.code, 0, "{last:?}");
    // Where nothing was left to do, the folder of what is out of sight is gone too.
    let out_of_sight = std::fs::read_dir(data.path().join("pruned")).map_or(0, Iterator::count);
    assert_eq!((runs(data.path()).len(), out_of_sight), (0, 0));
}
