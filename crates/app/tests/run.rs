//! `oddsmith run` as a process against a real exchange over real sockets.

mod support;

use std::time::{Duration, Instant};

use oddsmith_exchange::scenario::Channel;
use oddsmith_exchange::server::{Server, ServerConfig};
use oddsmith_polymarket::AssetTable;
use support::live::{Live, account, assert_replays, figure, venue_flags};
use support::oddsmith;
use support::replay::assert_replays_and_names_changes;

#[test]
fn quotes_on_the_built_in_exchange_and_leaves_nothing_behind() {
    let data = support::data();
    let live = Live::start(data.path(), &[]);
    live.wait_for("order", |said| figure(said, " sent,") > 0 && figure(said, " open ") > 0);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    for part in ["nothing of ours is left at the venue", "cash ", "tick to order: p50", "POST   /order", "journal: "] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let run = std::fs::read_dir(data.path().join("runs")).expect("runs").flatten().next().expect("a run").path();
    let spread = "engine.instances.0.strategy.skewed_maker.target_spread=0.09";
    assert_replays_and_names_changes(data.path(), &run, spread);
}

/// `kill -9` loses nothing: what was sent is written down, and can be run again.
#[test]
fn killed_in_the_middle_leaves_a_journal_that_replays() {
    let data = support::data();
    let mut live = Live::start(data.path(), &[]);
    live.wait_for("order", |said| figure(said, " sent,") > 20);
    live.child.kill().expect("killed");
    let (code, said) = live.end();
    assert_eq!(code, -1, "{said}");
    assert_eq!(oddsmith(data.path(), &["journal", "verify", "latest"]).code, 0);
    assert_replays(data.path());
}

/// The second half of the journal's room is for cancelling and for writing that down.
#[test]
fn a_journal_that_is_half_full_stops_the_trading() {
    let data = support::data();
    let live = Live::start(data.path(), &["--set", "journal.segment_mib=1", "--set", "journal.budget_mib=2"]);
    live.wait_for("order", |said| figure(said, " sent,") > 0);
    live.wait_for("stop", |said| said.contains("not quoting: [Operator]"));
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("nothing of ours is left at the venue"), "{said}");
    assert_replays(data.path());
}

#[test]
fn a_second_signal_ends_at_once() {
    // An exchange that has stopped answering would hold up the first.
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let live = Live::start(data.path(), &venue_flags(&exchange).each_ref().map(String::as_str));
    live.wait_for("order", |said| figure(said, " sent,") > 0);
    exchange.faults().freeze_http(true);
    live.interrupt();
    std::thread::sleep(Duration::from_millis(500));
    let before = Instant::now();
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("NOT shown"), "{said}");
    assert!(before.elapsed() < Duration::from_secs(10));
    exchange.faults().end();
}

#[test]
fn lives_through_lost_answers_frozen_channels_and_a_mute_venue() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let live = Live::start(data.path(), &venue_flags(&exchange).each_ref().map(String::as_str));
    live.wait_for("order", |said| figure(said, " open ") > 0);
    let faults = exchange.faults();
    faults.lose_answers(3);
    std::thread::sleep(Duration::from_secs(3));
    faults.freeze_channel(Channel::User, true);
    faults.freeze_http(true);
    // longer than the limit of a request
    std::thread::sleep(Duration::from_secs(4));
    faults.end();
    let sent = figure(&live.said(), " sent,");
    live.wait_for("order after the faults", |said| figure(said, " sent,") > sent && figure(said, " open ") > 0);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    let left = account(&exchange).account(&AssetTable::new(), &[], 0).expect("the account").orders;
    assert_eq!(left, [], "what the venue says itself");
    assert_replays(data.path());
}

#[test]
fn a_venue_that_is_not_there_or_not_here_is_said_so() {
    let data = support::data();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let flags =
        |host: &str| ["rest=http", "market_socket=ws", "user_socket=ws"].map(|key| format!("venue.{key}://{host}"));
    let run = |flags: &[String; 3]| {
        let [rest, market, user] = flags.each_ref().map(String::as_str);
        oddsmith(data.path(), &["run", "--set", rest, "--set", market, "--set", user])
    };
    let gone = run(&flags(&port.to_string()));
    assert_eq!(gone.code, 3, "{}", gone.err);
    let remote = run(&flags("192.0.2.1:80"));
    assert_eq!(remote.code, 2, "{}", remote.err);
    assert!(remote.err.contains("not on this machine"), "{}", remote.err);
}
