//! Markets that a rule chooses, as one process against a real exchange over real sockets: one appears and is traded, one ends and is
//! unsubscribed, one that does not fit any more is kept until nothing is held there.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::live::{Live, assert_replays, figure};
use support::oddsmith;

/// Times are from the start of the exchange. With the rule's cut-off, `fading` is refused after 25 seconds, while something is held there:
/// whatever is held can be sold, since the smallest order is a hundredth of a share.
const SCENARIO: &str = "
markets:
  - slug: steady
    tags: [Politics]
    ends_in_s: 3600
    rewards: { daily: '120', max_spread: '0.035', min_size: '50' }
    process: { opinion: { start: 0.5, volatility: 0.002 } }
  - slug: brief
    tags: [Politics]
    ends_in_s: 3600
    rewards: { daily: '120', max_spread: '0.035', min_size: '50' }
    process: { opinion: { start: 0.5, volatility: 0.002 } }
  - slug: fading
    tags: [Politics]
    ends_in_s: 325
    min_size: '0.01'
    rewards: { daily: '120', max_spread: '0.035', min_size: '50' }
    process: { opinion: { start: 0.5, volatility: 0.002 } }
    traders: { noise_rate: 8.0 }
  - slug: late
    tags: [Politics]
    opens_in_s: 12
    ends_in_s: 3600
    rewards: { daily: '120', max_spread: '0.035', min_size: '50' }
    process: { opinion: { start: 0.5, volatility: 0.002 } }
  - slug: unpaid
    tags: [Politics]
    ends_in_s: 3600
    process: { opinion: { start: 0.5, volatility: 0.002 } }
  - slug: foreign
    tags: [Sports]
    ends_in_s: 3600
    rewards: { daily: '120', max_spread: '0.035', min_size: '50' }
    process: { opinion: { start: 0.5, volatility: 0.002 } }
faults:
  - after_ms: 22000
    fault: { resolve: { market: brief, yes: '1' } }
";

const PROFILE: &str = "
venue:
  discovery: { every_ms: 1000 }
engine:
  limits: { times: { no_orders_before_end_s: 0, reduce_only_before_end_s: 0, scale_before_end_s: 0 } }
  timing: { wallet_cooldown_ms: 200, market_cooldown_ms: 100, replace_interval_ms: 250 }
  tokens: { merge_pairs: true, merge_min: '0.01', redeem: true }
  instances:
    - name: maker
      markets: ['*']
      strategy: { skewed_maker: { stop_before_end_s: 0, min_mid: 0.0, max_mid: 1.0, max_book_spread: 0.9 } }
  selection:
    instances:
      maker:
        tags: [politics]
        max_to_close_s: 7200
        min_to_close_s: 300
        min_reward_usdc: '100'
        min_reward_spread: '0.03'
        max_reward_size: '100'
";

fn records(data: &Path, kind: &str) -> Vec<Value> {
    let cat = oddsmith(data, &["journal", "cat", "latest", "--kind", kind]);
    assert_eq!(cat.code, 0, "{}", cat.err);
    cat.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Every value under a key, anywhere in a record.
fn under<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key));
            map.values().for_each(|value| under(value, key, found));
        }
        Value::Array(list) => list.iter().for_each(|value| under(value, key, found)),
        _ => {}
    }
}

fn first<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    let mut found = Vec::new();
    under(value, key, &mut found);
    found.first().copied()
}

/// What the rule said of a market, in order, as JSON texts.
fn said(data: &Path, slug: &str) -> Vec<String> {
    let mut told = Vec::new();
    for record in records(data, "event.selection") {
        let mut lists = Vec::new();
        under(&record, "choices", &mut lists);
        for choice in lists.into_iter().filter_map(Value::as_array).flatten() {
            if choice["slug"] == slug {
                told.push(choice["verdict"].to_string());
            }
        }
    }
    told
}

/// The number of a market.
fn number(data: &Path, slug: &str) -> u64 {
    let of = |record: &&Value| first(record, "slug").is_some_and(|named| named == slug);
    let numbered = records(data, "event.numbered");
    let record = numbered.iter().find(of).unwrap_or_else(|| panic!("{slug} has no number"));
    first(record, "market").and_then(Value::as_u64).expect("a number")
}

fn life(data: &Path, slug: &str) -> Vec<String> {
    let market = number(data, slug);
    let of = |record: &&Value| first(record, "market").and_then(Value::as_u64) == Some(market);
    let listings = records(data, "event.listing");
    listings.iter().filter(of).filter_map(|r| first(r, "listing")?.as_str().map(str::to_owned)).collect()
}

fn placed(data: &Path) -> BTreeSet<u64> {
    let asset = |record: &Value| first(record, "asset").and_then(Value::as_u64).map(|asset| asset / 2);
    records(data, "action.place").iter().filter_map(asset).collect()
}

fn unsubscribed(data: &Path) -> BTreeSet<u64> {
    let markets = |record: &Value| -> Vec<u64> {
        let list = first(record, "markets").and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_u64).collect()
    };
    records(data, "action.unsubscribe").iter().flat_map(markets).collect()
}

fn wait_for(data: &Path, what: &str, seconds: u64, mut is: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(seconds);
    while !is() {
        assert!(Instant::now() < give_up, "no {what} in time; {:?}", records(data, "event.selection"));
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn one_appears_and_is_traded_one_ends_and_is_unsubscribed_one_is_kept_until_it_is_flat() {
    let data = tempfile::tempdir().expect("a folder");
    let (scenario, profile) = (data.path().join("scenario.yaml"), data.path().join("profile.yaml"));
    std::fs::write(&scenario, SCENARIO).expect("written");
    std::fs::write(&profile, PROFILE).expect("written");
    let (scenario, profile) = (scenario.display().to_string(), profile.display().to_string());
    let set = format!("exchange.scenario={scenario}");
    let live = Live::start(data.path(), &[profile.as_str(), "--set", &set]);
    live.wait_for("order", |said| figure(said, " sent,") > 0);
    let data = data.path();
    let chosen = r#"{"chosen":"rule"}"#;

    let is_chosen = |slug: &str| said(data, slug).last().is_some_and(|word| word == chosen);
    wait_for(data, "order in the market that came late", 60, || {
        is_chosen("late") && placed(data).contains(&number(data, "late"))
    });
    // It was decided while something was held: it is let go a minute after that was redeemed.
    wait_for(data, "end of the brief market", 150, || unsubscribed(data).contains(&number(data, "brief")));
    wait_for(data, "way out of the fading market", 200, || unsubscribed(data).contains(&number(data, "fading")));
    live.interrupt();
    let (code, told) = live.end();
    assert_eq!(code, 0, "{told}");

    let brief = life(data, "brief");
    assert!(brief.contains(&"ended".to_owned()) && brief.contains(&"left".to_owned()), "{brief:?}");
    let soon = |verdict: &str| format!(r#"{{"{verdict}":"ends_too_soon"}}"#);
    assert_eq!(said(data, "fading"), [chosen.to_owned(), soon("leaving"), soon("refused")], "something was held");
    assert_eq!(life(data, "fading")[..3], ["joined", "dropped", "left"]);
    assert_eq!(said(data, "unpaid"), [r#"{"refused":"reward"}"#]);
    assert_eq!(said(data, "foreign"), [r#"{"refused":"tag"}"#]);
    assert_eq!(records(data, "action.subscribe").len(), 4, "steady, brief, fading and late, once each");
    assert!(placed(data).contains(&number(data, "steady")));
    assert_eq!(life(data, "steady"), ["joined"]);
    assert_replays(data);
}
