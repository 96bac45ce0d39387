//! Restarts of the binary: killed at any moment, it goes on after its own journal and agrees with the exchange to the millionth.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use oddsmith_domain::{MarketId, Outcome, Restore, RunId, Shares, TokenId, Usdc};
use oddsmith_engine::Facts;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_journal::{Kind, Reader, decode_input, decode_output};
use oddsmith_polymarket::AssetTable;
use support::live::{Live, account, cards, figure, venue_flags};
use support::oddsmith;
use support::replay::assert_replays_and_names_changes;

fn start(data: &Path, exchange: &Running, more: &[&str]) -> Live {
    let flags = venue_flags(exchange);
    let arguments: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Live::start(data, &arguments)
}

/// The runs in the order in which they began: each one's folder and manifest.
fn runs(data: &Path) -> Vec<(PathBuf, serde_json::Value)> {
    let entries = std::fs::read_dir(data.join("runs")).expect("runs");
    let mut runs: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|dir| {
            let text = std::fs::read_to_string(dir.join("manifest.json")).expect("a manifest");
            (dir, serde_json::from_str::<serde_json::Value>(&text).expect("JSON"))
        })
        .collect();
    runs.sort_by_key(|(_, manifest)| manifest["started_wall_ns"].as_u64());
    runs
}

/// What a run's journal says in the end.
fn facts(dir: &Path) -> Restore {
    let (mut reader, mut facts) = (Reader::open(dir).expect("a journal"), Facts::default());
    while let Some(record) = reader.next().expect("a record") {
        if record.head.kind == Kind::RESTORE {
            facts.input(&decode_input(record.payload).expect("an input"));
        } else if record.head.kind.is_output() {
            facts.apply(&decode_output(record.payload).expect("an output"), record.head.time);
        }
    }
    facts.into_restore()
}

/// Collateral and tokens by our books.
fn ours(restore: &Restore) -> (Usdc, BTreeMap<TokenId, Shares>) {
    let cash = restore.capital.expect("a capital") + restore.accounts.iter().map(|a| a.account.cash).sum();
    let mut tokens = BTreeMap::new();
    for line in restore.accounts.iter().filter(|line| line.market != MarketId::CLOSED) {
        let card = &restore.markets[line.market.index()].card;
        for outcome in Outcome::BOTH {
            *tokens.entry(card.token(outcome)).or_insert(Shares::ZERO) += line.account.shares[outcome.index()];
        }
    }
    tokens.retain(|_, size| !size.is_zero());
    (cash, tokens)
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

fn assert_every_run_replays(data: &Path) {
    for (dir, _) in runs(data) {
        let replay = oddsmith(data, &["replay", &dir.to_string_lossy()]);
        assert_eq!(replay.code, 0, "{}{}", replay.out, replay.err);
        assert!(replay.out.contains("identical"), "{}", replay.out);
        let audit = oddsmith(data, &["audit", &dir.to_string_lossy()]);
        assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
    }
}

fn predecessor(manifest: &serde_json::Value) -> Option<RunId> {
    manifest["predecessor"].as_str().map(|text| text.parse().expect("a run id"))
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

/// The report of all runs together sums to the ledger that the last of them ended with.
fn assert_the_chain_is_one_report(data: &Path, runs: usize) {
    let report = |more: &[&str]| -> serde_json::Value {
        let said = oddsmith(data, &[&["report", "latest", "--json"], more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        serde_json::from_str(&said.out).expect("an object")
    };
    let (chain, last) = (report(&["--chain"]), report(&[]));
    let amount = |value: &serde_json::Value| -> Usdc { value.as_str().expect("an amount").parse().expect("an amount") };
    let total = &chain["attribution"]["total"];
    assert_eq!(total["total"], last["attribution"]["total"]["total"]);
    let parts: Usdc =
        total.as_object().expect("parts").iter().filter(|(name, _)| *name != "total").map(|(_, v)| amount(v)).sum();
    assert_eq!(parts, amount(&total["total"]), "{total}");
    assert_eq!(chain["joined"][0], "chain");
    let own = chain["joined"][1].as_array().expect("runs");
    assert_eq!(own.len(), runs);
    let earned: Usdc = own.iter().map(|run| amount(&run["profit"])).sum();
    assert_eq!(earned + amount(&total["carried"]), amount(&total["total"]));
    let page = oddsmith(data, &["report", "latest", "--chain", "--out", "-"]);
    assert!(page.out.contains(&format!("{runs} runs")) && page.out.contains("they agree"), "{}", page.err);
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
