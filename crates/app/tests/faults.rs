//! Every fault that the exchange can play, against the real binary over real sockets: it is noticed, the orders are safe, trading
//! goes on when the fault is over, and at the end the engine's books and the exchange's agree to the millionth.
//!
//! `docs/reference/faults.md` has a row for each of these.

mod support;

use std::time::Duration;

use oddsmith_domain::{BookHealth, DifferenceKind, DoubtCause, Event, OrderState, TradeStatus};
use serde_json::json;
use support::trial::{MARKET, Trial};

fn to_state(state: OrderState) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Order { to, .. } if *to == state)
}

fn settled(wanted: TradeStatus) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Settlement { status, .. } if *status == wanted)
}

fn is_fill(event: &Event) -> bool {
    matches!(event, Event::Fill { .. })
}

#[test]
fn a_market_channel_that_answers_ping_and_says_nothing() {
    let trial = Trial::begin();
    let struck = trial.strike(json!({ "freeze_channel": { "channel": "market", "for_ms": 5_000 } }));
    let seen = trial.is_cleared(trial.doubts(struck, &[DoubtCause::MarketLink, DoubtCause::StaleBook]));
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn a_user_channel_that_answers_ping_and_says_nothing() {
    let trial = Trial::begin();
    let struck = trial.strike(json!({ "freeze_channel": { "channel": "user", "for_ms": 6_000 } }));
    // What it does not say is read by REST.
    let seen = trial.sees(struck, "a fill that no frame told", is_fill);
    std::thread::sleep(Duration::from_secs(6));
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn first_books_that_do_not_come() {
    let trial = Trial::begin();
    trial.strike(json!({ "skip_snapshots": { "count": 2 } }));
    let struck = trial.strike(json!({ "disconnect": { "channel": "market" } }));
    let seen = trial.is_cleared(trial.doubts(struck, &[DoubtCause::MarketLink]));
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn market_frames_lost_twice_and_out_of_order() {
    // Whole books after every match would heal at once what a lost change has broken.
    let trial = Trial::begin_with(&Trial::scenario("").replace("{ mined", "{ books_after_match: false, mined"), &[]);
    let wrong = |event: &Event| {
        matches!(event, Event::Book { health: BookHealth::Suspect | BookHealth::Dirty, .. })
            || matches!(event, Event::DoubtBegan { cause: DoubtCause::DirtyBook | DoubtCause::StaleBook, .. })
    };
    // Hashes are checked by samples, and a level that was missed may be stated again before one is taken: it strikes until it hurts.
    let begin = trial.mark();
    let seen = (0..12).find_map(|_| {
        trial.strike(json!({ "frames": { "channel": "market", "drop": 40, "duplicate": 3, "reorder": 3 } }));
        trial.sees_within(Duration::from_secs(3), begin, wrong)
    });
    let seen = seen.expect("a book that is not believed");
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn user_frames_lost_twice_and_out_of_order() {
    let trial = Trial::begin();
    let mut seen = trial.mark();
    for _ in 0..3 {
        let struck = trial.strike(json!({ "frames": { "channel": "user", "drop": 3, "duplicate": 4, "reorder": 4 } }));
        seen = trial.sees(struck, "a fill", is_fill);
    }
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn a_storm_of_disconnects() {
    let trial = Trial::begin();
    trial.strike(json!({ "disconnect_storm": { "channel": "market", "times": 5, "every_ms": 300 } }));
    let struck = trial.strike(json!({ "disconnect_storm": { "channel": "user", "times": 5, "every_ms": 300 } }));
    let seen = trial.doubts(struck, &[DoubtCause::UserLink]);
    trial.control("faults", json!({ "refuse_connections": { "for_ms": 1_000 } }));
    let seen = trial.is_cleared(seen);
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn answers_that_are_lost_after_the_exchange_has_acted() {
    let trial = Trial::begin();
    // With the user channel silent nobody else tells what became of the orders.
    trial.strike(json!({ "freeze_channel": { "channel": "user", "for_ms": 3_000 } }));
    let struck = trial.strike(json!({ "lose_answers": { "count": 4 } }));
    let seen = trial.sees(struck, "an order of unknown fate", to_state(OrderState::Unknown));
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn requests_that_hang_and_requests_that_wait() {
    let trial = Trial::begin();
    let struck = trial.strike(json!({ "freeze_http": { "for_ms": 4_500 } }));
    let seen = trial.sees(struck, "an order of unknown fate", to_state(OrderState::Unknown));
    let seen = trial.is_cleared(trial.doubts(seen, &[DoubtCause::UnknownOrder]));
    let seen = trial.quotes_again(seen);
    trial.control("faults", json!({ "delay_requests": { "by_ms": 300, "for_ms": 1_500 } }));
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn a_restart_with_a_post_only_phase() {
    let trial = Trial::begin();
    let struck = trial.strike(json!({ "restart": { "for_ms": 3_000, "post_only_ms": 1_500 } }));
    let seen = trial.is_cleared(trial.doubts(struck, &[DoubtCause::VenueRestarting]));
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn server_errors_before_a_market_ends() {
    let more = "
faults:
  - { after_ms: 8000, fault: { errors: { status: 500, acted: true, for_ms: 3000 } } }
  - { after_ms: 11000, fault: { errors: { status: 502, for_ms: 2000 } } }
  - { after_ms: 13500, fault: { resolve: { market: rain-tomorrow, yes: 1 } } }
";
    let trial = Trial::begin_with(&Trial::scenario(more), &[]);
    let begin = trial.mark();
    let seen = trial.sees(begin, "an order of unknown fate", to_state(OrderState::Unknown));
    trial.sees(seen, "what became of it", |event| matches!(event, Event::Order { from: OrderState::Unknown, .. }));
    // What was ours when the market was decided, to the last fill.
    std::thread::sleep(Duration::from_secs(6));
    trial.ends_in_agreement();
}

#[test]
fn too_many_requests() {
    let trial = Trial::begin();
    let struck = trial.strike(json!({ "errors": { "status": 429, "for_ms": 2_000 } }));
    std::thread::sleep(Duration::from_secs(2));
    let refused = |event: &Event| matches!(event, Event::Refused { text, .. } if text == "Too Many Requests");
    let sent = trial.count(struck, refused);
    assert!((1..=20).contains(&sent), "{sent} orders were tried against 429");
    trial.quotes_again(trial.mark());
    trial.ends_in_agreement();
}

#[test]
fn modes_in_which_the_venue_takes_little_or_nothing() {
    let trial = Trial::begin();
    for mode in ["cancel_only", "disabled"] {
        let struck = trial.strike(json!({ "mode": { "mode": mode } }));
        // A cancel may meet the mode first: then it is what is not answered that stops the wallet.
        let seen = trial.stops_the_wallet(struck);
        trial.strike(json!({ "mode": { "mode": "normal" } }));
        let seen = trial.is_cleared(seen);
        trial.quotes_again(seen);
    }
    trial.ends_in_agreement();
}

#[test]
fn a_dead_mans_switch_that_runs_out() {
    let trial = Trial::begin();
    let struck = trial.strike(json!("expire_heartbeats"));
    let seen = trial.sees(struck, "an order that is gone", to_state(OrderState::Canceled));
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn settlements_that_are_retried_fail_or_are_late() {
    let trial = Trial::begin();
    let ways = json!(["retry_then_mine", "retry_then_fail", "fail", "late", "fail"]);
    let struck = trial.strike(json!({ "settlements": ways }));
    trial.sees(struck, "a settlement that is tried again", settled(TradeStatus::Retrying));
    let seen = trial.sees(struck, "a settlement that failed", settled(TradeStatus::Failed));
    let seen = trial.sees(seen, "another one", settled(TradeStatus::Failed));
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn money_that_leaves_the_account() {
    let trial = Trial::begin();
    let struck = trial.move_balance(100);
    trial.sees(struck, "a difference that is named", |event| {
        matches!(event, Event::Difference { kind: DifferenceKind::Collateral, .. })
    });
    trial.quotes_again(trial.mark());
    trial.ends_in_agreement();
}

#[test]
fn money_that_is_locked_for_no_reason() {
    let trial = Trial::begin();
    let account = oddsmith_exchange::core::KNOWN_ADDRESSES[0];
    let lock = |amount: &str| json!({ "phantom_lock": { "account": account, "amount": amount } });
    let struck = trial.strike(lock("9999"));
    let refused = |event: &Event| matches!(event, Event::Refused { text, .. } if text.contains("balance"));
    trial.sees(struck, "a refusal for want of balance", refused);
    let seen = trial.is_cleared(trial.doubts(struck, &[DoubtCause::Mismatch]));
    trial.strike(lock("0"));
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn books_that_stand_still_when_they_are_read() {
    let trial = Trial::begin();
    let struck = trial.strike(json!({ "stale_books": { "for_ms": 4_000 } }));
    std::thread::sleep(Duration::from_secs(4));
    // A read that is older than the stream proves nothing against it.
    let kept = trial.count(struck, |event| matches!(event, Event::Decision { quotes, .. } if !quotes.is_empty()));
    assert!(kept > 0, "it stopped quoting for good");
    trial.quotes_again(trial.mark());
    trial.ends_in_agreement();
}

#[test]
fn a_grid_that_becomes_finer_while_orders_are_under_way() {
    let trial = Trial::begin();
    let struck = trial.strike(json!({ "tick": { "market": MARKET, "tick": "0.001" } }));
    let seen = trial.quotes_again(struck);
    trial.sees(seen, "a fill on the new grid", is_fill);
    trial.ends_in_agreement();
}

#[test]
fn a_market_that_is_void() {
    let trial = Trial::begin();
    trial.strike(json!({ "resolve": { "market": MARKET, "yes": "0.5" } }));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(trial.open_orders(), 0);
    trial.ends_in_agreement();
}

#[test]
fn a_clock_that_is_wrong() {
    let trial = Trial::begin();
    let struck = trial.strike(json!({ "clock_skew": { "by_ms": -400_000 } }));
    let refused = |event: &Event| matches!(event, Event::Refused { text, .. } if text.contains("Unauthorized"));
    trial.sees(struck, "an order that is not accepted", refused);
    // The heartbeat or the account, whichever is refused first.
    let seen = trial.stops_the_wallet(struck);
    trial.strike(json!({ "clock_skew": { "by_ms": 0 } }));
    let seen = trial.is_cleared(seen);
    trial.quotes_again(seen);
    trial.ends_in_agreement();
}

#[test]
fn a_disk_that_is_too_slow() {
    let trial = Trial::begin_with(&Trial::scenario(""), &["journal.slow_disk_ms=7000"]);
    let begin = trial.mark();
    trial.is_cleared(trial.doubts(begin, &[DoubtCause::Operator]));
    assert_eq!(trial.open_orders(), 0);
    trial.ends_in_agreement();
}

/// `kill -9` in the middle of a burst, twice: once the next run begins at once, once the dead man's switch has cancelled what was left
/// before it does. The last run knows what all three have traded.
#[test]
fn killed_in_a_burst_then_started_again() {
    let patient = Trial::scenario("").replace("{ mined", "{ heartbeat_ms: 4000, mined");
    let trial = Trial::begin_with(&patient, &["engine.timing.heartbeat_ms=1000"]);
    for wait in [false, true] {
        let struck = trial.strike(json!({ "shock": { "market": MARKET, "to": if wait { 0.4 } else { 0.6 } } }));
        trial.sees(struck, "an order", to_state(OrderState::Working));
        trial.kill();
        if wait {
            trial.waits_for_no_orders();
        }
        trial.start(&["engine.timing.heartbeat_ms=1000"]);
    }
    trial.ends_in_agreement();
}
