//! Prices from outside of the venue, as a process against a real exchange that tells its world's price in Binance's form.

mod support;

use std::time::{Duration, Instant};

use oddsmith_exchange::scenario::{Channel, Scenario};
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_polymarket::AssetTable;
use support::live::{Live, account, assert_replays, venue_flags};
use support::oddsmith;

/// One up-or-down market that lasts a day, and one that no price decides.
const SCENARIO: &str = "
markets:
  - slug: series
    process: { up_down: { coin: btc, price: 100000.0, volatility: 0.00005, window_s: 86400 } }
  - slug: rain-tomorrow
    process: { opinion: { start: 0.5, volatility: 0.005, pull: 0.05 } }
";

/// The follower is patient with its price, and its market's end may be near or far.
const PROFILE: &str = "
engine:
  timing: { wallet_cooldown_ms: 300, market_cooldown_ms: 200, replace_interval_ms: 250, caution_ms: 500 }
  instances:
    - name: follower
      markets: ['btc-updown-*']
      strategy: { reference_maker: { half_max: 0.3 } }
    - name: maker
      markets: ['rain-*']
      strategy: { skewed_maker: { base_usdc: 10 } }
";

/// How many orders of ours rest in the market of each outcome pair: the one that follows, and the other.
fn resting(exchange: &Running) -> (usize, usize) {
    let mut table = AssetTable::new();
    let cards = support::live::cards(exchange);
    for (n, card) in cards.iter().enumerate() {
        table.insert(oddsmith_domain::MarketId(n as u32), card);
    }
    let follows = |asset: Option<oddsmith_domain::AssetId>| {
        let card = asset.and_then(|asset| cards.get(asset.market().index()));
        card.is_some_and(|card| card.slug.starts_with("btc-updown-"))
    };
    let orders = account(exchange).open_orders(&table).expect("a listing");
    let followed = orders.iter().filter(|order| follows(order.asset)).count();
    (followed, orders.len() - followed)
}

fn wait_until(exchange: &Running, what: &str, is_it: impl Fn((usize, usize)) -> bool) {
    let give_up = Instant::now() + Duration::from_secs(90);
    loop {
        let now = resting(exchange);
        if is_it(now) {
            return;
        }
        assert!(Instant::now() < give_up, "{what}: {now:?} orders rest");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn count(data: &std::path::Path, kind: &str, word: &str) -> usize {
    let cat = oddsmith(data, &["journal", "cat", "latest", "--kind", kind]);
    assert_eq!(cat.code, 0, "{}", cat.err);
    cat.out.lines().filter(|line| line.contains(word)).count()
}

#[test]
fn quotes_follow_a_price_and_go_when_it_is_frozen_or_lost() {
    let scenario = Scenario::parse(SCENARIO).expect("a scenario");
    let exchange = Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("an exchange");
    let data = support::data();
    let profile = data.path().join("profile.yaml");
    std::fs::write(&profile, PROFILE).expect("written");
    let feed = format!("feeds.binance=ws://{}/binance/stream", exchange.addr());
    let flags = venue_flags(&exchange);
    let mut arguments = vec![profile.to_str().expect("a path"), "--status", "0", "--set", feed.as_str()];
    arguments.extend(flags.iter().map(String::as_str));
    let live = Live::start(data.path(), &arguments);

    wait_until(&exchange, "both quote", |(followed, other)| followed > 0 && other > 0);
    exchange.faults().freeze_channel(Channel::Feed, true);
    wait_until(&exchange, "a frozen price takes its quotes away", |(followed, _)| followed == 0);
    std::thread::sleep(Duration::from_millis(2_500));
    let (followed, other) = resting(&exchange);
    assert!(followed == 0 && other > 0, "and no others: {followed} {other}");
    exchange.faults().freeze_channel(Channel::Feed, false);
    wait_until(&exchange, "they are back", |(followed, _)| followed > 0);

    exchange.faults().refuse_channel(Channel::Feed, true);
    let disconnect = r#"{"disconnect":{"channel":"feed"}}"#;
    let (status, answer) = support::trial::http(exchange.addr(), "POST", "/control/faults", disconnect);
    assert_eq!(status, 200, "{answer}");
    wait_until(&exchange, "a lost price takes its quotes away", |(followed, _)| followed == 0);
    exchange.faults().refuse_channel(Channel::Feed, false);
    wait_until(&exchange, "they are back again", |(followed, _)| followed > 0);

    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert!(count(data.path(), "event.doubt_began", "reference_feed") >= 2);
    assert!(count(data.path(), "input.reference", "btc") > 100);
    assert!(count(data.path(), "event.fair_value", "fair_value") >= 1, "what the model says is written down");
    assert_replays(data.path());
    let audit = oddsmith(data.path(), &["audit", "latest"]);
    assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
}
