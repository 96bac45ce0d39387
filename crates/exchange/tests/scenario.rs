//! Scenario files: strict, and they do what they say.

mod support;

use oddsmith_domain::{Address, Tick};
use oddsmith_exchange::core::{KNOWN_ADDRESSES, Mode};
use oddsmith_exchange::scenario::{Channel, Errors, Requests, Scenario, Transport};
use support::{MS, S, START, price, usdc};

const FULL: &str = r#"
seed: 9
activity: 0.5
exchange:
  mined_after_ms: 50
  confirmed_after_ms: 60
  usable_at: matched
  self_fill: cancel_resting
  min_marketable: "0"
standard_markets: true
markets:
  - slug: quiet-corner
    tick: 0.001
    min_size: 15
    fee: { rate: 0.05 }
  - slug: rain-tomorrow
    process:
      opinion: { start: 0.3, volatility: 0.01 }
    traders: { noise_rate: 3.0, makers: 2 }
faults:
  - after_ms: 1000
    fault: { freeze_channel: { channel: market, for_ms: 500 } }
  - after_ms: 2000
    fault: { tick: { market: rain-tomorrow, tick: "0.001" } }
  - after_ms: 2500
    fault: { mode: { mode: cancel_only, for_ms: 1000 } }
  - after_ms: 4000
    every_ms: 1000
    fault: { lose_answers: { count: 2 } }
  - after_ms: 4500
    fault: { move_balance: { from: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", amount: 9000 } }
  - after_ms: 5000
    fault: { resolve: { market: quiet-corner, yes: 0.5 } }
"#;

#[test]
fn a_full_scenario_is_played() {
    let scenario = Scenario::parse(FULL).expect("a valid scenario");
    let mut session = scenario.open(None, START);
    assert_eq!(session.core.config().mined_after_ms, 50);
    assert!(session.core.market_by_slug("quiet-will-nobody-trade-here").is_some(), "the standard markets are there");
    let mut transport = Vec::new();
    session.step(START + 1_600 * MS, &mut transport);
    assert_eq!(
        transport,
        [Transport::FreezeChannel(Channel::Market, true), Transport::FreezeChannel(Channel::Market, false)]
    );
    session.step(START + 3 * S, &mut transport);
    assert_eq!(session.core.mode(), Mode::CancelOnly);
    assert_eq!(session.core.market_by_slug("rain-tomorrow").expect("a market").tick, Tick::Thousandth);
    transport.clear();
    session.step(START + 6_500 * MS, &mut transport);
    assert_eq!(session.core.mode(), Mode::Normal);
    assert_eq!(transport, [Transport::LoseAnswers(2); 3]);
    let account = session.core.account_at(&Address::parse(KNOWN_ADDRESSES[0]).expect("an address")).expect("known");
    assert_eq!(session.core.account(account).expect("an account").collateral, usdc("1000"));
    let corner = session.core.market_by_slug("quiet-corner").expect("a market");
    assert_eq!(corner.payout(oddsmith_domain::Outcome::No), Some(price("0.5")));
}

#[test]
fn faults_of_requests_last_as_long_as_they_say() {
    const FAULTS: &str = r#"
faults:
  - { after_ms: 100, fault: { errors: { status: 500, for_ms: 200 } } }
  - { after_ms: 400, fault: { errors: { status: 429, requests: all, acted: true, for_ms: 100 } } }
  - { after_ms: 600, fault: { stale_books: { for_ms: 50 } } }
  - { after_ms: 700, fault: { clock_skew: { by_ms: -400000, for_ms: 50 } } }
  - { after_ms: 800, fault: { disconnect_storm: { channel: user, times: 3, every_ms: 20 } } }
"#;
    let mut session = Scenario::parse(FAULTS).expect("a valid scenario").open(None, START);
    let mut transport = Vec::new();
    session.step(START + S, &mut transport);
    let errors = |status, requests, acted| Transport::Errors(Some(Errors { status, requests, acted }));
    assert_eq!(
        transport,
        [
            errors(500, Requests::Orders, false),
            Transport::Errors(None),
            errors(429, Requests::All, true),
            Transport::Errors(None),
            Transport::StaleBooks(true),
            Transport::StaleBooks(false),
            Transport::ClockSkew(-400_000),
            Transport::ClockSkew(0),
            Transport::Disconnect(Channel::User),
            Transport::Disconnect(Channel::User),
            Transport::Disconnect(Channel::User),
        ]
    );
    let wrong = Scenario::parse("faults: [{after_ms: 1, fault: {errors: {status: 200, for_ms: 1}}}]\n");
    assert!(wrong.expect_err("no error").to_string().contains("429 or 500 to 599"));
}

#[test]
fn an_empty_scenario_is_the_standard_session() {
    for text in ["", "# nothing\n\n", "{}"] {
        let scenario = Scenario::parse(text).expect("nothing is a scenario");
        assert_eq!(scenario, Scenario::default());
        let session = scenario.open(Some(4), START);
        assert!(session.core.markets().iter().any(|market| market.spec.slug.starts_with("quiet-")));
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, line, words) in [
        ("activity: 1\nspeed: 3\n", "2", "speed"),
        ("exchange:\n  usable_at: never\n", "2", "never"),
        ("markets:\n  - slug: a\n    tick: \"0.02\"\n", "3", "0.02"),
        ("faults:\n  - after_ms: 3\n    fault: { explode: {} }\n", "3", "explode"),
        ("faults:\n  - after_ms: -3\n    fault: { lose_answers: { count: 1 } }\n", "2", ""),
    ] {
        let error = Scenario::parse(text).expect_err(text).to_string();
        assert!(error.contains(&format!("line {line}")) || error.contains(&format!("{line}:")), "{text}: {error}");
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("activity: -1\n", "activity"),
        ("markets: [{slug: \"a b\"}]\n", "slug"),
        ("markets: [{slug: a}, {slug: a}]\n", "two markets"),
        ("faults: [{after_ms: 1, fault: {shock: {market: nowhere, to: 0.5}}}]\n", "nowhere"),
        ("markets: [{slug: a, kind: neg_risk}]\n", "group"),
        ("markets: [{slug: a, process: {opinion: {start: 1.5, volatility: 0.1}}}]\n", "start"),
    ] {
        let error = Scenario::parse(text).expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn the_profiles_are_valid_and_can_be_played() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/scenarios");
    let mut played = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder of the profiles") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut session = scenario.open(None, START);
        let total = session.core.total_collateral();
        session.step(START + 70 * S, &mut Vec::new());
        assert_eq!(session.core.total_collateral(), total, "{}", path.display());
        played += 1;
    }
    assert!(played >= 2);
}

#[test]
fn the_spelled_out_standard_is_the_standard() {
    let text = include_str!("../../../profiles/scenarios/standard.yaml");
    let spelled = Scenario::parse(text).expect("a valid scenario").open(None, START);
    let silent = Scenario::default().open(None, START);
    assert_eq!(spelled.core.config(), silent.core.config());
    let slugs = |core: &oddsmith_exchange::core::Core| {
        core.markets().iter().map(|market| market.spec.slug.clone()).collect::<Vec<_>>()
    };
    assert_eq!(slugs(&spelled.core), slugs(&silent.core));
}

#[test]
fn the_scenario_in_the_documentation_is_valid() {
    let page = include_str!("../../../docs/concepts/exchange.md");
    let block = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    Scenario::parse(block).expect("a valid scenario");
}
