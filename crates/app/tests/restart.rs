//! Restarts of the binary: killed at any moment, it goes on after its own journal and agrees with the exchange to the millionth.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use oddsmith_domain::{MarketId, Outcome, RunId, Shares, TokenId, Usdc};
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_polymarket::AssetTable;
use support::chain::{assert_every_run_replays, assert_the_chain_is_one_report, facts, ours, predecessor, runs};
use support::live::{Live, account, cards, figure, venue_flags};
use support::oddsmith;
use support::replay::assert_replays_and_names_changes;

fn start(data: &Path, exchange: &Running, more: &[&str]) -> Live {
    let flags = venue_flags(exchange);
    let arguments: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Live::start(data, &arguments)
}

/// Collateral and tokens as the exchange counts them.
fn theirs(exchange: &Running) -> (Usdc, BTreeMap<TokenId, Shares>) {
    let mut venue = account(exchange);
    let (mut table, mut asked, mut names) = (AssetTable::new(), Vec::new(), BTreeMap::new());
    for (market, card) in (0u32..).map(MarketId).zip(&cards(exchange)) {
        table.insert(market, card);
        for outcome in Outcome::BOTH {
            asked.push((market.asset(outcome), card.token(outcome)));
            names.insert(market.asset(outcome), card.token(outcome));
        }
    }
    let snapshot = venue.account(&table, &asked, 0).expect("the account");
    assert!(snapshot.orders.is_empty(), "orders are left: {:?}", snapshot.orders);
    let held = snapshot.tokens.into_iter().filter(|(_, size)| !size.is_zero());
    (snapshot.collateral, held.map(|(asset, size)| (names[&asset], size)).collect())
}

/// Waits until everything has settled and both books agree.
fn assert_agrees(data: &Path, exchange: &Running) {
    let ours = ours(&facts(&runs(data).last().expect("a run").0));
    let give_up = Instant::now() + Duration::from_secs(30);
    while theirs(exchange) != ours {
        assert!(Instant::now() < give_up, "the exchange counts {:?}, our books {ours:?}", theirs(exchange));
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn killed_again_and_again_it_agrees_with_the_exchange_to_the_millionth() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let mut chance = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").subsec_nanos();
    for life in 0..5 {
        let mut live = start(data.path(), &exchange, &[]);
        // Once before it has traded at all, perhaps before it has begun; else in the middle of it.
        if life != 2 {
            live.wait_for("fills", |said| figure(said, " sent,") > 20 && figure(said, " open ") > 0);
        }
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(u64::from(chance >> 16) % 1_500));
        live.child.kill().expect("killed");
        live.child.wait().expect("dead");
    }
    let live = start(data.path(), &exchange, &[]);
    live.wait_for("quotes", |said| figure(said, " sent,") > 20 && figure(said, " open ") > 0);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    let runs = runs(data.path());
    assert!(runs.len() >= 5, "{} runs", runs.len());
    for pair in runs.windows(2) {
        let before: RunId = pair[0].1["run_id"].as_str().expect("an id").parse().expect("a run id");
        assert_eq!(predecessor(&pair[1].1), Some(before));
    }
    let end = facts(&runs.last().expect("a run").0);
    assert!(end.fills.len() > 3, "{} fills", end.fills.len());
    assert_agrees(data.path(), &exchange);
    assert_every_run_replays(data.path());
    assert_the_chain_is_one_report(data.path(), runs.len());
    // Any of them names what was changed.
    let spread = "engine.instances.0.strategy.skewed_maker.target_spread=0.09";
    assert_replays_and_names_changes(data.path(), &runs.last().expect("a run").0, spread);
}

#[test]
fn a_torn_end_is_asked_for_at_the_venue() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let mut live = start(data.path(), &exchange, &[]);
    live.wait_for("orders", |said| figure(said, " sent,") > 30);
    live.child.kill().expect("killed");
    live.child.wait().expect("dead");
    let dir = runs(data.path()).remove(0).0;
    // A record that was being written when the power went.
    let segment = dir.join("00000000.segment");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("records");
    bytes[last] ^= 0x55;
    std::fs::write(&segment, bytes).expect("written");
    assert_eq!(oddsmith(data.path(), &["journal", "verify", "latest"]).code, 1, "the end is torn");
    let live = start(data.path(), &exchange, &[]);
    live.wait_for("quotes", |said| figure(said, " sent,") > 5 && figure(said, " open ") > 0);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert_agrees(data.path(), &exchange);
}

#[test]
fn a_kill_switch_survives_and_only_a_reset_undoes_it() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let mut live = start(data.path(), &exchange, &[]);
    live.wait_for("order", |said| figure(said, " open ") > 0);
    assert_eq!(oddsmith(data.path(), &["kill"]).code, 0);
    live.child.kill().expect("killed");
    live.child.wait().expect("dead");

    let flags = venue_flags(&exchange);
    let fresh: Vec<&str> = ["run", "--fresh"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    let refused = oddsmith(data.path(), &fresh);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("oddsmith reset"), "a start without memory is no reset: {refused:?}");

    let live = start(data.path(), &exchange, &[]);
    live.wait_for("the kill switch", |said| said.contains("KillSwitch"));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(figure(&live.said(), " sent,"), 0, "{}", live.said());
    assert_eq!(oddsmith(data.path(), &["reset"]).code, 0);
    live.wait_for("an order after the reset", |said| figure(said, " sent,") > 0);
    live.interrupt();
    assert_eq!(live.end().0, 0);
    assert_agrees(data.path(), &exchange);
    assert_every_run_replays(data.path());
}

#[test]
fn a_past_that_cannot_be_read_stops_the_start_until_it_is_given_up() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = support::data();
    let live = start(data.path(), &exchange, &[]);
    live.wait_for("orders", |said| figure(said, " sent,") > 20);
    live.interrupt();
    assert_eq!(live.end().0, 0);
    let segment = runs(data.path()).remove(0).0.join("00000000.segment");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes[64 + 100] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let flags = venue_flags(&exchange);
    let arguments = |first: &[&'static str]| -> Vec<String> {
        first.iter().map(ToString::to_string).chain(flags.iter().cloned()).collect()
    };
    let plain = arguments(&["run"]);
    let refused = oddsmith(data.path(), &plain.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("cannot be read") && refused.err.contains("--fresh"), "{refused:?}");
    assert_eq!(runs(data.path()).len(), 1, "a run that did not begin leaves nothing");
    let fresh = arguments(&["run", "--fresh", "--for", "6s", "--status", "0"]);
    let ran = oddsmith(data.path(), &fresh.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("given up"), "{ran:?}");
    assert_eq!(predecessor(&runs(data.path())[1].1), None);
}
