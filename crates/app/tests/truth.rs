//! Scripted truth, as a process against a real exchange that plays matches: who hears of a round first buys, before the market knows.

mod support;

use std::time::{Duration, Instant};

use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Server, ServerConfig};
use support::live::{Live, assert_replays, venue_flags};
use support::oddsmith;

/// Short matches, whose rounds the traders learn of four seconds late.
const SCENARIO: &str = "
markets:
  - slug: harbour-northfield
    outcomes: [Harbour, Northfield]
    process: { contest: { rounds: 3, strength: 0.5, round_s: 8, lag_s: 4 } }
    traders: { maker_rate: 2.0, half_spread: 0.02 }
";

const PROFILE: &str = "
venue: { discovery: { every_ms: 1000 } }
engine:
  timing: { wallet_cooldown_ms: 300, market_cooldown_ms: 200, caution_ms: 500 }
  instances:
    - name: early
      markets: ['harbour-*']
      strategy: { temporal: { enabled: true, cold_window_ms: 3000, min_stake_usdc: 2, max_stake_usdc: 10 } }
";

fn count(data: &std::path::Path, kind: &str, word: &str) -> usize {
    let cat = oddsmith(data, &["journal", "cat", "latest", "--kind", kind]);
    assert_eq!(cat.code, 0, "{}", cat.err);
    cat.out.lines().filter(|line| line.contains(word)).count()
}

#[test]
fn what_is_heard_of_a_match_is_bought_before_the_market_knows() {
    let scenario = Scenario::parse(SCENARIO).expect("a scenario");
    let exchange = Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("an exchange");
    let data = support::data();
    let profile = data.path().join("profile.yaml");
    std::fs::write(&profile, PROFILE).expect("written");
    let truth = format!("feeds.truth=ws://{}/truth", exchange.addr());
    let flags = venue_flags(&exchange);
    let mut arguments = vec![profile.to_str().expect("a path"), "--status", "0", "--set", truth.as_str()];
    arguments.extend(flags.iter().map(String::as_str));
    let live = Live::start(data.path(), &arguments);
    let give_up = Instant::now() + Duration::from_secs(90);
    std::thread::sleep(Duration::from_secs(5));
    while count(data.path(), "event.fill", "") == 0 {
        assert!(Instant::now() < give_up, "nothing was bought:\n{}", live.said());
        std::thread::sleep(Duration::from_secs(1));
    }
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert!(count(data.path(), "input.truth", "harbour-northfield") >= 2);
    assert!(count(data.path(), "event.state", "TEMPORAL_ACTIVE") >= 1);
    assert_replays(data.path());
    let audit = oddsmith(data.path(), &["audit", "latest"]);
    assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
}
