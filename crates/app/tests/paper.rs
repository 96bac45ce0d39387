//! `oddsmith run` on paper: market data from a real exchange, no order to it; and `oddsmith queue`.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oddsmith_exchange::server::{Server, ServerConfig};
use oddsmith_polymarket::AssetTable;
use support::live::{Live, account, assert_replays, paper_flags};
use support::oddsmith;
use support::replay::assert_replays_and_names_changes;

#[test]
fn a_paper_run_fills_and_nothing_reaches_the_exchange() {
    let data = support::data();
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let mut flags: Vec<String> = paper_flags(&exchange).to_vec();
    // Quick, and without chance, so that the test does not wait for a queue of others.
    for set in ["paper.entry_ms=5", "paper.response_ms=5", "paper.feed_ms=5", "paper.uneven.jitter_sd=0"] {
        flags.extend(["--set".to_owned(), set.to_owned()]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let live = Live::start(data.path(), &flags);
    let began = Instant::now();
    let filled =
        || oddsmith(data.path(), &["journal", "cat", "latest", "--kind", "event.fill"]).out.lines().count() > 0;
    while !filled() && began.elapsed() < Duration::from_secs(90) {
        std::thread::sleep(Duration::from_millis(500));
    }
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("orders on paper"), "{said}");
    let journal = oddsmith(data.path(), &["journal", "cat", "latest", "--kind", "event.fill"]);
    assert!(journal.out.lines().count() > 0, "no fill in {said}");
    let places = oddsmith(data.path(), &["journal", "cat", "latest", "--kind", "action.place"]);
    assert!(places.out.lines().count() > 0, "{}", places.err);
    // The exchange's own account of the trader: no order, no match, and what it was given untouched.
    let mut venue = account(&exchange);
    assert_eq!(venue.open_orders(&AssetTable::new()).expect("orders").len(), 0);
    let activity = venue.activity(&AssetTable::new(), 0).expect("its activity");
    assert_eq!((activity.orders.len(), activity.trades.len()), (0, 0));
    let snapshot = venue.account(&AssetTable::new(), &[], 0).expect("the account");
    assert_eq!(snapshot.collateral, oddsmith_domain::Usdc::from_whole(10_000));
    assert_replays(data.path());
    let run = std::fs::read_dir(data.path().join("runs")).expect("runs").flatten().next().expect("a run").path();
    let spread = "engine.instances.0.strategy.skewed_maker.target_spread=0.09";
    assert_replays_and_names_changes(data.path(), &run, spread);
    let audit = oddsmith(data.path(), &["audit", "latest"]);
    assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
}

#[test]
fn one_word_is_not_enough_for_real_orders() {
    let data = support::data();
    let addresses = ["rest=http", "market_socket=ws", "user_socket=ws"].map(|key| format!("venue.{key}://127.0.0.1:1"));
    let mut flags = vec!["run"];
    for address in &addresses {
        flags.extend(["--set", address.as_str()]);
    }
    let said = oddsmith(data.path(), &[flags.as_slice(), &["--live"]].concat());
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("venue.mode"), "{}", said.err);
    let said = oddsmith(data.path(), &[flags.as_slice(), &["--set", "venue.mode=live"]].concat());
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("--live"), "{}", said.err);
}

#[test]
fn a_queue_model_is_asked_for_many_sequences() {
    let data = support::data();
    let sequence = r#"{"id":ID,"displayed":"100","events":[{"type":"depth","new":"190"},{"type":"trade","size":"30"},{"type":"depth","new":"160"},{"type":"depth","new":"120"}]}"#;
    let mut child = Command::new(env!("CARGO_BIN_EXE_oddsmith"))
        .args(["--data".as_ref(), data.path().as_os_str()])
        .args(["queue", "--model", "power", "--n", "1", "--sequence", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    for id in 0..300 {
        writeln!(stdin, "{}", sequence.replace("ID", &id.to_string())).expect("taken");
    }
    drop(stdin);
    let out = child.wait_with_output().expect("it ends");
    assert!(out.status.success());
    let lines: Vec<serde_json::Value> =
        String::from_utf8_lossy(&out.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 300);
    assert_eq!(lines[299]["id"], 299);
    assert_eq!(lines[7]["steps"][3]["front"], 52.5);
    assert_eq!(lines[7]["steps"][1]["cum"], 30.0);
    assert_eq!(lines[7]["steps"][3]["reference"]["front"], 52.5);

    let file = data.path().join("one.json");
    std::fs::write(&file, sequence.replace("ID", "1").replace(",\"events\"", ",\n\"events\"")).expect("a file");
    let file = file.to_str().expect("a name");
    let said = oddsmith(data.path(), &["queue", "--model", "risk-averse", "--sequence", file]);
    assert_eq!((said.code, said.out.lines().count()), (0, 1), "{said:?}");
    assert!(said.out.contains("\"front\":70.0"), "{said:?}");
    let said = oddsmith(data.path(), &["queue", "--model", "fifo", "--sequence", file]);
    assert_eq!(said.code, 2, "{said:?}");
    let said = oddsmith(data.path(), &["queue", "--sequence", file]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("no model"), "{said:?}");
}

#[test]
fn a_queue_model_that_is_asked_nothing_says_so() {
    let data = support::data();
    let empty = data.path().join("empty.jsonl");
    std::fs::write(&empty, "\n").expect("a file");
    for (file, code, word) in [(empty, 1, "holds no sequence"), (data.path().join("missing.jsonl"), 2, "missing.jsonl")]
    {
        let said = oddsmith(data.path(), &["queue", "--sequence", &file.to_string_lossy()]);
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains(word) && said.out.is_empty(), "{said:?}");
    }
}
