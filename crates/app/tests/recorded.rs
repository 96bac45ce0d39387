//! `oddsmith run --input`: the real binary over a recording, and its replay.

mod support;

use std::process::Command;

fn recording(dir: &std::path::Path) -> std::path::PathBuf {
    let path = dir.join("frames.jsonl");
    let condition = format!("0x{:064x}", 77);
    let mut text = String::new();
    for second in 0..30u64 {
        let at = 1_790_000_000_000 + second * 1_000;
        let cents = 45 + second % 7;
        for (token, bid, ask) in [(1, cents, cents + 4), (2, 96 - cents, 100 - cents)] {
            text.push_str(&format!(
                r#"{{"recv_wall_ts":{at},"payload":{{"event_type":"book","market":"{condition}","asset_id":"{token}{}","timestamp":"{at}","bids":[{{"price":"0.{bid}","size":"50"}}],"asks":[{{"price":"0.{ask}","size":"50"}}],"tick_size":"0.01","min_order_size":"5","neg_risk":false}}}}"#,
                "1234567890".repeat(7),
            ));
            text.push('\n');
        }
    }
    std::fs::write(&path, text).expect("a file");
    path
}

fn oddsmith(data: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oddsmith"));
    command.arg("--data").arg(data);
    command
}

#[test]
fn a_dry_run_says_what_it_would_have_sent_and_replays() {
    let dir = support::data();
    let data = dir.path().to_owned();
    let file = recording(dir.path());
    let run = oddsmith(&data).args(["run", "--input"]).arg(&file).output().expect("it runs");
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{text} {}", String::from_utf8_lossy(&run.stderr));
    assert!(text.contains("nothing was sent") && text.contains("60 handed to the engine"), "{text}");
    assert!(!text.contains(" 0 would have been sent"), "{text}");

    let replay = oddsmith(&data).args(["replay", "latest"]).output().expect("it runs");
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stdout));
    let constant = "engine.instances.0.strategy.skewed_maker.target_spread=0.05";
    let changed = oddsmith(&data).args(["replay", "latest", "--set", constant]).output().expect("it runs");
    assert_eq!(changed.status.code(), Some(1));
    let told = String::from_utf8_lossy(&changed.stdout).into_owned();
    assert!(told.contains("target_spread") && told.contains("event.decision"), "{told}");
    let run = std::fs::read_dir(data.join("runs")).expect("runs").flatten().next().expect("a run").path();
    support::replay::assert_replays_and_names_changes(&data, &run, constant);
}

#[test]
fn recordings_that_cannot_be_run_are_named() {
    let dir = support::data();
    let empty = dir.path().join("empty.jsonl");
    std::fs::write(&empty, "").expect("a file");
    for (file, code, word) in [
        (empty, 2, "no market"),
        (dir.path().join("missing.jsonl"), 2, "missing.jsonl"),
        ("-".into(), 2, "standard input"),
    ] {
        let run = oddsmith(&dir.path().join("data")).args(["run", "--input"]).arg(&file).output().expect("it runs");
        let told = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(code), "{told}");
        assert!(told.contains(word), "{told}");
        let runs = std::fs::read_dir(dir.path().join("data/runs")).map_or(0, Iterator::count);
        assert_eq!(runs, 0, "nothing is left behind");
    }
}
