//! Faults by the control endpoint, over real loopback sockets: what a client sees of each, and that it ends.

mod client;

use client::{Trader, eventually, get, market, now_s, start, strike};
use oddsmith_domain::Side;
use oddsmith_exchange::server::Running;
use serde_json::{Value, json};

fn quiet(running: &Running) -> (String, String) {
    let market = market(running, "quiet-");
    let token = |index: usize| market["tokens"][index].as_str().expect("a token").to_owned();
    (token(0), token(1))
}

#[test]
fn errors_are_answered_before_or_after_the_exchange_has_acted() {
    let running = start();
    let (yes, _) = quiet(&running);
    let trader = Trader::new(running.addr(), 0);
    strike(running.addr(), json!({ "errors": { "status": 500, "for_ms": 60_000 } }));
    assert_eq!(trader.limit(&yes, Side::Buy, 30, 10, "GTC").status, 500);
    let open = || trader.call("GET", "/data/orders?next_cursor=MA%3D%3D", "").json()["count"].clone();
    assert_eq!(open(), json!(0), "reads go on, and nothing was placed");
    strike(running.addr(), json!({ "errors": { "status": 503, "acted": true, "for_ms": 60_000 } }));
    assert_eq!(trader.limit(&yes, Side::Buy, 30, 10, "GTC").status, 503);
    assert_eq!(open(), json!(1), "it was placed all the same");
    strike(running.addr(), json!({ "errors": { "status": 429, "requests": "all", "for_ms": 300 } }));
    let limited = get(running.addr(), "/time");
    assert_eq!((limited.status, limited.error().as_str()), (429, "Too Many Requests"));
    for header in ["retry-after: 1", "poly-ratelimit-remaining: 0", "poly-ratelimit-reset: 1"] {
        assert!(limited.head.contains(header), "{header} in {}", limited.head);
    }
    eventually("the end of the fault", || get(running.addr(), "/time").status == 200);
    let wrong =
        client::request(running.addr(), "POST", "/control/faults", &[], r#"{"errors":{"status":404,"for_ms":1}}"#);
    assert_eq!(wrong.status, 400);
}

#[test]
fn books_read_by_rest_stand_still() {
    let running = start();
    let (yes, no) = quiet(&running);
    let trader = Trader::new(running.addr(), 0);
    strike(running.addr(), json!({ "stale_books": { "for_ms": 400 } }));
    assert_eq!(trader.limit(&yes, Side::Buy, 30, 10, "GTC").status, 200);
    let bids = || get(running.addr(), &format!("/book?token_id={yes}")).json()["bids"].clone();
    let body = json!([{ "token_id": no }]).to_string();
    let many = client::request(running.addr(), "POST", "/books", &[], &body).json();
    assert_eq!((bids(), many[0]["asks"].clone()), (json!([]), json!([])));
    eventually("the end of the fault", || bids() == json!([{ "price": "0.3", "size": "10" }]));
}

#[test]
fn a_wrong_clock_refuses_right_timestamps() {
    let running = start();
    let trader = Trader::new(running.addr(), 0);
    strike(running.addr(), json!({ "clock_skew": { "by_ms": -400_000, "for_ms": 400 } }));
    assert!(get(running.addr(), "/time").json().as_u64().is_some_and(|time| time.abs_diff(now_s() - 400) <= 1));
    let orders = "/data/orders?next_cursor=MA%3D%3D";
    assert_eq!(trader.call("GET", orders, "").status, 401);
    eventually("the end of the fault", || trader.call("GET", orders, "").status == 200);
}

#[test]
fn every_switch_runs_out_at_once() {
    let running = start();
    let (yes, no) = quiet(&running);
    let trader = Trader::new(running.addr(), 0);
    assert_eq!(trader.call("POST", "/v1/heartbeats", r#"{"heartbeat_id":""}"#).status, 200);
    trader.limit(&yes, Side::Buy, 30, 10, "GTC");
    let held = || get(running.addr(), &format!("/control/account/{}", trader.address())).json();
    assert_eq!(held()["open_orders"], json!(1));
    let expired = client::request(running.addr(), "POST", "/control/faults", &[], r#""expire_heartbeats""#);
    assert_eq!(expired.status, 200, "{}", expired.body);
    assert_eq!(held()["open_orders"], json!(0));
    // what an account holds, while a match is on its way to the chain
    let other = Trader::new(running.addr(), 1);
    assert_eq!(other.limit(&no, Side::Buy, 40, 10, "GTC").json()["status"], "live");
    assert_eq!(trader.limit(&yes, Side::Buy, 60, 10, "GTC").json()["status"], "matched");
    let now = held();
    let tokens: Vec<&Value> = now["tokens"].as_array().expect("a list").iter().collect();
    assert_eq!(now["matched"], json!(9_994_000_000_i64));
    assert_eq!((tokens.len(), &tokens[0]["matched"], &tokens[0]["outcome"]), (1, &json!(10_000_000), &json!(0)));
    assert_eq!(get(running.addr(), "/control/account/0x00000000000000000000000000000000000000ff").status, 404);
}
