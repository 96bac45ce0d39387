//! Who cancels when the engine cannot, as processes over real sockets; and one engine for one wallet.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oddsmith_exchange::core::KNOWN_SECRETS;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_polymarket::AssetTable;
use support::live::{Live, account, assert_replays, figure, venue_flags};
use support::{command, oddsmith, root, rust_files};

fn quoting(data: &Path, exchange: &Running) -> Live {
    let live = Live::start(data, &venue_flags(exchange).each_ref().map(String::as_str));
    live.wait_for("order", |said| figure(said, " open ") > 0);
    live
}

fn open_orders(exchange: &Running) -> usize {
    account(exchange).open_orders(&AssetTable::new()).expect("open orders").len()
}

fn run_dir(data: &Path) -> PathBuf {
    let mut runs = std::fs::read_dir(data.join("runs")).expect("runs");
    runs.next().expect("a run").expect("an entry").path()
}

#[test]
fn a_stopped_engine_is_cancelled_for_from_outside_and_learns_of_it() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let live = quoting(data.path(), &exchange);
    let guard = command(data.path())
        .args(["guard", "latest", "--after", "2s"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the guard starts");
    std::thread::sleep(Duration::from_secs(3));
    assert!(open_orders(&exchange) > 0, "a run that works is left alone");
    live.signal("STOP");
    let began = Instant::now();
    let output = guard.wait_with_output().expect("it ends");
    let took = began.elapsed();
    assert_eq!(open_orders(&exchange), 0);
    live.signal("CONT");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("has written nothing for 2.") && out.contains("the venue shows no open order"), "{out}");
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(8), "{took:?}");
    let alerts = std::fs::read_to_string(run_dir(data.path()).join("alerts.jsonl")).expect("alerts");
    assert!(alerts.contains("\"who\":\"guard\""), "{alerts}");
    // The engine's own watchdog was stopped too: it sees that time is missing, and the engine is in doubt.
    let alerts = || std::fs::read_to_string(run_dir(data.path()).join("alerts.jsonl")).unwrap_or_default();
    live.wait_for("the watchdog's alert", |_| alerts().contains("\"who\":\"watchdog\""));
    let sent = figure(&live.said(), " sent,");
    live.wait_for("order after that", |said| figure(said, " sent,") > sent);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    let told = oddsmith(data.path(), &["journal", "cat", "latest", "--kind", "input.guard"]);
    assert!(told.out.contains("stalled_ms"), "{told:?}");
    assert_replays(data.path());
}

#[test]
fn a_killed_engine_is_cancelled_for_and_its_credentials_are_taken_away() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let mut live = quoting(data.path(), &exchange);
    let papers = run_dir(data.path()).join("guard.json");
    assert_eq!(std::fs::metadata(&papers).expect("papers").permissions().mode() & 0o777, 0o600);
    live.child.kill().expect("killed");
    live.child.wait().expect("dead");
    assert!(open_orders(&exchange) > 0, "nobody has cancelled");
    // The venue is away at first: the guard does not give up.
    exchange.faults().freeze_http(true);
    let guard = std::thread::spawn({
        let data = data.path().to_owned();
        move || oddsmith(&data, &["guard", "--after", "1s"])
    });
    std::thread::sleep(Duration::from_secs(5));
    exchange.faults().end();
    let guard = guard.join().expect("it ends");
    assert_eq!(guard.code, 1, "{guard:?}");
    assert!(guard.out.contains("the venue shows no open order") && guard.err.contains("trying again"), "{guard:?}");
    assert_eq!(open_orders(&exchange), 0);
    assert!(!papers.exists(), "nothing is left to guard");
}

#[test]
fn a_run_that_ends_well_needs_no_guardian() {
    let data = support::data();
    let live = Live::start(data.path(), &[]);
    live.wait_for("order", |said| figure(said, " sent,") > 0);
    let guard = command(data.path())
        .args(["guard", "--after", "5s"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the guard starts");
    std::thread::sleep(Duration::from_millis(500));
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    let output = guard.wait_with_output().expect("it ends");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.contains("has ended by itself and left nothing behind"), "{out}");
    assert!(!run_dir(data.path()).join("guard.json").exists());
    let again = oddsmith(data.path(), &["guard"]);
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn one_engine_for_one_wallet_and_the_lock_dies_with_it() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let mut live = quoting(data.path(), &exchange);
    let flags = venue_flags(&exchange);
    let mut arguments = vec!["run", "--for", "1s"];
    arguments.extend(flags.iter().map(String::as_str));
    let second = oddsmith(data.path(), &arguments);
    assert_eq!(second.code, 2, "{second:?}");
    let name = run_dir(data.path()).file_name().expect("a name").to_string_lossy().into_owned();
    let holder = format!("process {}, run {name}", live.child.id());
    assert!(second.err.contains(&holder), "{second:?}");
    assert_eq!(std::fs::read_dir(data.path().join("runs")).expect("runs").count(), 1, "nothing was begun");
    let mut other = arguments.clone();
    other.extend(["--set", "venue.account=1"]);
    assert_eq!(oddsmith(data.path(), &other).code, 0, "another wallet is free");
    live.child.kill().expect("killed");
    live.child.wait().expect("dead");
    let after = oddsmith(data.path(), &arguments);
    assert_eq!(after.code, 0, "{after:?}");
    assert_eq!(open_orders(&exchange), 0);
}

#[test]
fn a_guardian_knows_no_signing_key_and_a_run_writes_none_down() {
    let mut seen = 0;
    for file in rust_files(&root().join("crates/app/src/guard")) {
        seen += 1;
        for word in ["Signer", "Wallet", "secp256k1"] {
            assert_eq!(file.lines_naming(word), [0usize; 0], "{} names {word}", file.path);
        }
    }
    assert!(seen >= 4);
    let data = support::data();
    let mut live = Live::start(data.path(), &[]);
    live.wait_for("order", |said| figure(said, " sent,") > 0);
    live.child.kill().expect("killed");
    live.child.wait().expect("dead");
    let hex = KNOWN_SECRETS[0].trim_start_matches("0x");
    let raw: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect();
    let mut files = 0;
    for entry in std::fs::read_dir(run_dir(data.path())).expect("a run") {
        let path = entry.expect("an entry").path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        files += 1;
        for secret in [hex.as_bytes(), hex.to_uppercase().as_bytes(), &raw] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
        }
    }
    assert!(files >= 3, "{files}");
}
