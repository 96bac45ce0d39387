//! Trading over real loopback sockets: keys, orders, matches, cancels, and what the lists say afterwards.

mod client;

use client::{Trader, eventually, get, market, now_s, request, start, strike};
use oddsmith_domain::Side;
use serde_json::{Value, json};

#[test]
fn the_sequence_of_one_limit_order() {
    let running = start();
    let addr = running.addr();
    let quiet = market(&running, "quiet-");
    let (yes, no) = (quiet["tokens"][0].as_str().expect("a token"), quiet["tokens"][1].as_str().expect("a token"));
    assert_eq!(get(addr, "/ok").body, "\"OK\"");
    assert_eq!(get(addr, "/version").json(), json!({ "version": 2 }));
    assert!(get(addr, "/time").json().as_u64().is_some_and(|time| time.abs_diff(now_s()) <= 1));
    assert_eq!(get(addr, &format!("/tick-size?token_id={yes}")).json(), json!({ "minimum_tick_size": 0.01 }));
    assert_eq!(get(addr, &format!("/neg-risk?token_id={yes}")).json(), json!({ "neg_risk": false }));

    let trader = Trader::new(addr, 0);
    let placed = trader.limit(yes, Side::Buy, 57, 10, "GTC");
    assert_eq!(placed.status, 200, "{}", placed.body);
    let placed = placed.json();
    assert_eq!(
        (&placed["success"], &placed["status"], &placed["errorMsg"]),
        (&json!(true), &json!("live"), &json!(""))
    );
    assert_eq!((&placed["makingAmount"], &placed["takingAmount"]), (&json!(""), &json!("")));
    let id = placed["orderID"].as_str().expect("an id").to_owned();

    let open = trader.call("GET", "/data/orders?next_cursor=MA%3D%3D", "").json();
    assert_eq!((&open["next_cursor"], &open["count"]), (&json!("LTE="), &json!(1)));
    let order = &open["data"][0];
    assert_eq!(order["id"], json!(id));
    assert_eq!((&order["original_size"], &order["price"]), (&json!("10"), &json!("0.57")));
    assert!(order["created_at"].is_u64() && order["expiration"] == "0" && order["owner"] == json!(trader.key));

    let mirrored = get(addr, &format!("/book?token_id={no}")).json();
    assert_eq!(mirrored["asks"], json!([{ "price": "0.43", "size": "10" }]));
    let canceled = trader.call("DELETE", "/order", &json!({ "orderID": id }).to_string()).json();
    assert_eq!(canceled, json!({ "canceled": [id], "not_canceled": {} }));
    assert_eq!(get(addr, &format!("/book?token_id={yes}")).json()["bids"], json!([]));
    running.stop();
}

#[test]
fn a_mint_moves_exact_balances() {
    let running = start();
    let quiet = market(&running, "quiet-");
    let (yes, no) = (quiet["tokens"][0].as_str().expect("a token"), quiet["tokens"][1].as_str().expect("a token"));
    let (maker, taker) = (Trader::new(running.addr(), 0), Trader::new(running.addr(), 1));
    assert_eq!(maker.limit(no, Side::Buy, 42, 10, "GTC").json()["status"], "live");
    let placed = taker.limit(yes, Side::Buy, 60, 10, "GTC").json();
    assert_eq!(placed["status"], "matched");
    assert_eq!((&placed["makingAmount"], &placed["takingAmount"]), (&json!("5.8"), &json!("10")));
    let trade = placed["tradeIDs"][0].as_str().expect("a trade").to_owned();
    eventually("the settlement", || {
        let page = maker.call("GET", &format!("/data/trades?id={trade}"), "").json();
        page["data"][0]["status"] == "CONFIRMED"
    });
    assert_eq!((maker.balance(None), maker.balance(Some(no))), (10_000_000_000 - 4_200_000, 10_000_000));
    assert_eq!((taker.balance(None), taker.balance(Some(yes))), (10_000_000_000 - 5_800_000, 10_000_000));
    let seen = maker.call("GET", &format!("/data/trades?id={trade}"), "").json()["data"][0].clone();
    assert_eq!((&seen["trader_side"], &seen["price"], &seen["side"]), (&json!("MAKER"), &json!("0.58"), &json!("BUY")));
    let leg = &seen["maker_orders"][0];
    assert_eq!((&leg["asset_id"], &leg["price"], &leg["side"]), (&json!(no), &json!("0.42"), &json!("BUY")));
    assert!(seen["transaction_hash"].as_str().is_some_and(|hash| hash.len() == 66));
}

#[test]
fn a_batch_answers_every_entry_in_order() {
    let running = start();
    let quiet = market(&running, "quiet-");
    let yes = quiet["tokens"][0].as_str().expect("a token");
    let trader = Trader::new(running.addr(), 2);
    let order = |cents: u64| {
        let fields = trader.fields(yes, Side::Buy, cents * 100_000, 10_000_000);
        trader.body(&fields, oddsmith_domain::ExchangeKind::Ctf, "GTC")
    };
    let mut small = order(10);
    small["order"]["takerAmount"] = json!("1");
    let batch = json!([order(10), { "nonsense": true }, small, order(11)]);
    let replies = trader.call("POST", "/orders", &batch.to_string()).json();
    let status: Vec<&Value> = replies.as_array().expect("a list").iter().map(|reply| &reply["status"]).collect();
    assert_eq!(status, [&json!("live"), &json!(""), &json!(""), &json!("live")]);
    assert_eq!(replies[1]["errorMsg"], "Invalid order payload");
    assert_eq!(replies[2]["errorMsg"], "invalid signature");
    let many: Vec<Value> = (0..16).map(|_| order(12)).collect();
    let refused = trader.call("POST", "/orders", &json!(many).to_string());
    assert_eq!((refused.status, refused.error().as_str()), (400, "Too many orders in payload: 16, max allowed: 15"));
    // One client sends `null`, others empty texts or nothing, for a scope that is not narrowed.
    let scope = json!({ "market": quiet["condition"], "asset_id": null });
    let canceled = trader.call("DELETE", "/cancel-market-orders", &scope.to_string()).json();
    assert_eq!(canceled["canceled"].as_array().map(Vec::len), Some(2));
    for body in [r#"{"market":"","asset_id":""}"#, r#"{"market":null,"asset_id":null}"#, "{}", ""] {
        assert_eq!(trader.call("DELETE", "/cancel-market-orders", body).status, 200, "{body}");
    }
}

#[test]
fn refusals_have_the_venues_words() {
    let running = start();
    let quiet = market(&running, "quiet-");
    let yes = quiet["tokens"][0].as_str().expect("a token");
    let trader = Trader::new(running.addr(), 3);
    let refused = |maker: u64, taker: u64, order_type: &str| {
        let fields = trader.fields(yes, Side::Buy, maker, taker);
        let body = trader.body(&fields, oddsmith_domain::ExchangeKind::Ctf, order_type).to_string();
        let answer = trader.call("POST", "/order", &body);
        assert_eq!(answer.status, 400, "{}", answer.body);
        let error = answer.error();
        // Ids differ from run to run.
        match (error.find("0x"), error.find(" is invalid")) {
            (Some(from), Some(to)) => format!("{}ID{}", &error[..from], &error[to..]),
            _ => error,
        }
    };
    for (maker, taker, order_type, text) in [
        (5_750_000, 10_000_000, "GTC", "order ID is invalid. Price (0.575) breaks minimum tick size rule: 0.01"),
        (500_000, 1_000_000, "GTC", "order ID is invalid. Size (1) lower than the minimum: 5"),
        (5_000_000, 10_000_000, "FOK", "order couldn't be fully filled. FOK orders are fully filled or killed."),
        (
            5_000_000,
            10_000_000,
            "FAK",
            "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        ),
        (5_000_000, 10_000_000, "GTD", "invalid expiration"),
        (0, 10_000_000, "GTC", "Invalid order payload"),
    ] {
        assert_eq!(refused(maker, taker, order_type), text);
    }
    assert!(refused(50_000_000_000, 100_000_000_000, "GTC").starts_with("not enough balance / allowance"));
    let fields = trader.fields(yes, Side::Buy, 5_000_000, 10_000_000);
    let body = trader.body(&fields, oddsmith_domain::ExchangeKind::Ctf, "GTC").to_string();
    assert_eq!(trader.call("POST", "/order", &body).status, 200);
    assert!(trader.call("POST", "/order", &body).error().ends_with("is invalid. Duplicated."));
    let other = Trader::new(running.addr(), 4);
    assert_eq!(other.call("POST", "/order", &body).error(), "the order owner has to be the owner of the API KEY");
    let mut own = trader.body(&fields, oddsmith_domain::ExchangeKind::Ctf, "GTC");
    own["owner"] = json!(other.key);
    let answer = other.call("POST", "/order", &own.to_string());
    assert_eq!(answer.error(), "the order signer address has to be the address of the API KEY");
    let neg_risk = trader.body(
        &trader.fields(yes, Side::Buy, 5_000_000, 10_000_000),
        oddsmith_domain::ExchangeKind::NegRisk,
        "GTC",
    );
    assert_eq!(trader.call("POST", "/order", &neg_risk.to_string()).error(), "order_version_mismatch");
}

#[test]
fn modes_of_the_exchange() {
    let running = start();
    let addr = running.addr();
    let quiet = market(&running, "quiet-");
    let yes = quiet["tokens"][0].as_str().expect("a token");
    let trader = Trader::new(addr, 5);
    for (mode, status, text) in [
        ("cancel_only", 503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."),
        ("disabled", 503, "Trading is currently disabled. Check polymarket.com for updates"),
        ("post_only", 503, "post-only mode: only post-only orders and cancels are allowed"),
    ] {
        strike(addr, json!({ "mode": { "mode": mode, "for_ms": 60_000 } }));
        let answer = trader.limit(yes, Side::Buy, 10, 10, "GTC");
        assert_eq!((answer.status, answer.error().as_str()), (status, text));
        let cancel = trader.call("DELETE", "/cancel-all", "");
        assert_eq!(cancel.status, if mode == "disabled" { 503 } else { 200 });
        if mode == "post_only" {
            assert_eq!(answer.json()["code"], "post_only_mode");
            assert!(answer.head.to_ascii_lowercase().contains("retry-after: 60"));
        }
    }
    strike(addr, json!({ "restart": { "for_ms": 60_000, "post_only_ms": 1_000 } }));
    assert_eq!(trader.limit(yes, Side::Buy, 10, 10, "GTC").status, 425);
    strike(addr, json!({ "mode": { "mode": "normal" } }));
    assert_eq!(trader.limit(yes, Side::Buy, 10, 10, "GTC").status, 200);
}

#[test]
fn an_answer_can_be_lost_after_the_order_was_taken() {
    let running = start();
    let addr = running.addr();
    let quiet = market(&running, "quiet-");
    let yes = quiet["tokens"][0].as_str().expect("a token");
    let trader = Trader::new(addr, 6);
    strike(addr, json!({ "lose_answers": { "count": 1 } }));
    let fields = trader.fields(yes, Side::Buy, 1_000_000, 10_000_000);
    let body = trader.body(&fields, oddsmith_domain::ExchangeKind::Ctf, "GTC").to_string();
    let mut bytes = format!("POST /order HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in trader.headers_at(now_s(), "POST", "/order", &body) {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    assert!(client::exchange_bytes(addr, format!("{bytes}\r\n{body}").as_bytes()).is_none());
    assert_eq!(trader.call("GET", "/data/orders", "").json()["count"], 1);
}

#[test]
fn keys_live_and_die() {
    let running = start();
    let addr = running.addr();
    let trader = Trader::new(addr, 7);
    let headers = client::l1(&trader.signer, now_s(), 0);
    let again = request(addr, "POST", "/auth/api-key", &headers, "");
    assert_eq!((again.status, again.error().as_str()), (400, "Could not create api key"));
    assert_eq!(request(addr, "GET", "/auth/derive-api-key", &headers, "").json()["apiKey"], json!(trader.key));
    let old = client::l1(&trader.signer, now_s() - 86_400, 0);
    let refused = request(addr, "GET", "/auth/derive-api-key", &old, "");
    assert_eq!((refused.status, refused.error().as_str()), (401, "Invalid L1 Request headers"));
    assert_eq!(trader.call("GET", "/auth/api-keys", "").json(), json!({ "apiKeys": [trader.key] }));

    let stale = trader.headers_at(now_s() - 86_400, "GET", "/data/orders", "");
    let refused = request(addr, "GET", "/data/orders", &stale, "");
    assert_eq!((refused.status, refused.error().as_str()), (401, "Unauthorized/Invalid api key"));

    let readonly =
        trader.call("POST", "/auth/readonly-api-key", "").json()["apiKey"].as_str().expect("a key").to_owned();
    let shown = [("POLY_API_KEY".to_owned(), readonly.clone())];
    assert_eq!(request(addr, "GET", "/data/orders", &shown, "").status, 200);
    assert_eq!(request(addr, "DELETE", "/cancel-all", &shown, "").status, 401);
    let list = trader.call("GET", "/auth/readonly-api-keys", "").json();
    assert_eq!(list, json!({ "readonlyApiKeys": [readonly] }));
    let gone = trader.call("DELETE", "/auth/readonly-api-key", &json!({ "key": readonly }).to_string());
    assert_eq!(gone.json(), json!(true));
    assert_eq!(request(addr, "GET", "/data/orders", &shown, "").status, 401);

    assert_eq!(trader.call("DELETE", "/auth/api-key", "").json(), json!("OK"));
    assert_eq!(trader.call("GET", "/auth/api-keys", "").status, 401);
    let derived = request(addr, "GET", "/auth/derive-api-key", &headers, "");
    assert_eq!((derived.status, derived.error().as_str()), (400, "Could not derive api key!"));
}
