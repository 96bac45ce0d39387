//! Markets that come and go during a run, and accounts of every kind, as a process against a real exchange over real sockets.

mod support;

use std::collections::BTreeMap;

use support::live::{Live, assert_replays, figure};
use support::oddsmith;

const SERIES: &str = "
markets:
  - slug: series
    process: { up_down: { coin: btc, price: 100000.0, volatility: 0.0001, window_s: 10 } }
    traders: { maker_rate: 4.0 }
";

const PROFILE: &str = "
venue:
  discovery: { every_ms: 1000 }
engine:
  limits: { times: { no_orders_before_end_s: 0, reduce_only_before_end_s: 0, scale_before_end_s: 0 } }
  timing: { wallet_cooldown_ms: 200, market_cooldown_ms: 100, replace_interval_ms: 250 }
  instances:
    - name: maker
      markets: ['btc-updown-*']
      strategy: { skewed_maker: { stop_before_end_s: 0, min_mid: 0.0, max_mid: 1.0, max_book_spread: 0.9 } }
";

/// The journal's records of a kind, each a line of JSON.
fn records(data: &std::path::Path, kind: &str) -> Vec<serde_json::Value> {
    let cat = oddsmith(data, &["journal", "cat", "latest", "--kind", kind]);
    assert_eq!(cat.code, 0, "{}", cat.err);
    cat.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Finds a value anywhere in a record by its key.
fn find<'v>(value: &'v serde_json::Value, key: &str) -> Option<&'v serde_json::Value> {
    match value {
        serde_json::Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|v| find(v, key))),
        serde_json::Value::Array(list) => list.iter().find_map(|v| find(v, key)),
        _ => None,
    }
}

#[test]
fn a_series_is_followed_from_window_to_window() {
    let data = tempfile::tempdir().expect("a folder");
    let (scenario, profile) = (data.path().join("series.yaml"), data.path().join("profile.yaml"));
    std::fs::write(&scenario, SERIES).expect("written");
    std::fs::write(&profile, PROFILE).expect("written");
    let (scenario, profile) = (scenario.display().to_string(), profile.display().to_string());
    let set = format!("exchange.scenario={scenario}");
    let live = Live::start(data.path(), &[profile.as_str(), "--set", &set, "--for", "45s"]);
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert!(figure(&said, " sent,") > 0, "{said}");

    // What was told of each market's life, and when.
    let mut lives: BTreeMap<u64, Vec<(usize, String)>> = BTreeMap::new();
    let (mut present, mut most) = (0usize, 0usize);
    for (at, record) in records(data.path(), "event.listing").iter().enumerate() {
        let market = find(record, "market").and_then(serde_json::Value::as_u64).expect("a market");
        let listing = find(record, "listing").and_then(serde_json::Value::as_str).expect("a word").to_owned();
        match listing.as_str() {
            "joined" => present += 1,
            "left" => present -= 1,
            _ => {}
        }
        most = most.max(present);
        lives.entry(market).or_default().push((at, listing));
    }
    assert!(lives.len() >= 5, "four rotations at least: {lives:?}");
    assert!(most <= 3, "the present window, the next one, and at most one that ends: {lives:?}");
    let at = |market: u64, word: &str| lives[&market].iter().find(|(_, listing)| listing == word).map(|(at, _)| *at);
    let ended: Vec<u64> = lives.keys().copied().filter(|market| at(*market, "ended").is_some()).collect();
    assert!(ended.len() >= 4, "{lives:?}");
    for market in ended {
        assert!(at(market + 1, "joined") < at(market, "ended"), "window {market} has a successor in time: {lives:?}");
    }
    let placed: std::collections::BTreeSet<u64> = records(data.path(), "action.place")
        .iter()
        .filter_map(|record| find(record, "asset").and_then(serde_json::Value::as_u64))
        .map(|asset| asset / 2)
        .collect();
    assert!(placed.len() >= 4, "windows that were quoted: {placed:?} of {lives:?}");
    assert_replays(data.path());
}

#[test]
fn accounts_of_every_kind_trade_every_contract() {
    for (kind, number) in [("proxy", 1), ("safe", 2), ("poly1271", 3)] {
        let data = tempfile::tempdir().expect("a folder");
        let kind = format!("venue.signature_type={kind}");
        // A CTF market, one of a neg-risk event, and a position market.
        let markets = "engine.instances.0.markets=[will-the-budget-pass-this-year, will-alder-win-the-mayoral-election, \
                       will-the-bridge-open-on-time]";
        let live = Live::start(data.path(), &["--set", &kind, "--set", markets]);
        live.wait_for("order in each", |said| figure(said, " open ") >= 5);
        live.interrupt();
        let (code, said) = live.end();
        assert_eq!(code, 0, "{kind}: {said}");
        assert_eq!(figure(&said, " refused"), 0, "{kind}: {said}");
        let placed = records(data.path(), "action.place");
        let contracts: std::collections::BTreeSet<&str> =
            placed.iter().filter_map(|place| find(place, "exchange").and_then(serde_json::Value::as_str)).collect();
        assert_eq!(contracts.into_iter().collect::<Vec<_>>(), ["ctf", "neg_risk", "position"], "{kind}");
        for place in &placed {
            let word = find(place, "signature_type").and_then(serde_json::Value::as_str).expect("a type");
            assert!(kind.ends_with(word), "{number}: {word}");
            let (maker, signer) = (find(place, "maker"), find(place, "signer"));
            // A deposit wallet signs for itself; the others are signed for by their key.
            assert_eq!(maker == signer, number == 3, "{kind}: {place}");
        }
        assert_replays(data.path());
    }
}
