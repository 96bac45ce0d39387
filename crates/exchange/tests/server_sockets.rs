//! Both sockets over real loopback connections.

mod client;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use client::{Trader, control, market, start, strike};
use futures_util::{SinkExt as _, StreamExt as _};
use oddsmith_domain::Side;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A connection, with the objects of received frames still to be looked at.
struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    objects: VecDeque<Value>,
    frames: Vec<String>,
}

impl Socket {
    async fn open(addr: SocketAddr, channel: &str) -> Socket {
        let (stream, _) = connect_async(format!("ws://{addr}/ws/{channel}")).await.expect("the exchange listens");
        Socket { stream, objects: VecDeque::new(), frames: Vec::new() }
    }

    async fn send(&mut self, frame: Value) {
        self.stream.send(Message::text(frame.to_string())).await.expect("open");
    }

    /// The next text frame; `None` when the connection has ended.
    async fn frame(&mut self) -> Option<String> {
        loop {
            let next =
                tokio::time::timeout(Duration::from_secs(10), self.stream.next()).await.expect("within ten seconds");
            match next {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next object of this kind; others are skipped.
    async fn next(&mut self, event_type: &str) -> Value {
        loop {
            while let Some(object) = self.objects.pop_front() {
                if object["event_type"] == event_type {
                    return object;
                }
            }
            let text = self.frame().await.expect("open");
            match serde_json::from_str(&text).expect("JSON") {
                Value::Array(list) => self.objects.extend(list),
                object => self.objects.push_back(object),
            }
            self.frames.push(text);
        }
    }

    /// Waits until everything sent so far has been looked at.
    async fn settle(&mut self) {
        self.stream.send(Message::text("PING")).await.expect("open");
        while let Some(text) = self.frame().await {
            if text == "PONG" {
                return;
            }
            match serde_json::from_str(&text).expect("JSON") {
                Value::Array(list) => self.objects.extend(list),
                object => self.objects.push_back(object),
            }
            self.frames.push(text);
        }
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    // Requests of the tests block their thread, so that the sockets need another one.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(test)
}

fn tokens(market: &Value) -> (String, String) {
    let token = |index: usize| market["tokens"][index].as_str().expect("a token").to_owned();
    (token(0), token(1))
}

#[test]
fn a_snapshot_comes_first_as_an_array_and_then_every_change_of_both_tokens() {
    let running = start();
    let (yes, no) = tokens(&market(&running, "quiet-"));
    let trader = Trader::new(running.addr(), 0);
    run(async {
        let mut socket = Socket::open(running.addr(), "market").await;
        socket.send(json!({ "type": "market", "assets_ids": [yes, no, "1234"], "custom_feature_enabled": true })).await;
        let books = [socket.next("book").await, socket.next("book").await];
        assert!(socket.frames[0].starts_with('['), "{}", socket.frames[0]);
        assert_eq!([&books[0]["asset_id"], &books[1]["asset_id"]], [&json!(yes), &json!(no)]);
        assert_eq!(books[0]["hash"].as_str().map(str::len), Some(40));

        trader.limit(&yes, Side::Buy, 37, 10, "GTC");
        let change = socket.next("price_change").await;
        let entries = change["price_changes"].as_array().expect("a list");
        assert_eq!(entries.len(), 2);
        for (entry, asset, price, side) in [(&entries[0], &yes, "0.37", "BUY"), (&entries[1], &no, "0.63", "SELL")] {
            assert_eq!(
                (&entry["asset_id"], &entry["price"], &entry["side"]),
                (&json!(asset), &json!(price), &json!(side))
            );
            assert_eq!(entry["size"], "10");
        }
        assert_eq!((&entries[0]["best_bid"], &entries[0]["best_ask"]), (&json!("0.37"), &json!("1")));
        let top = socket.next("best_bid_ask").await;
        assert_eq!((&top["best_bid"], &top["spread"]), (&json!("0.37"), &json!("0.63")));
        trader.call("DELETE", "/cancel-all", "");
        assert_eq!(socket.next("price_change").await["price_changes"][0]["size"], "0");
    });
}

#[test]
fn a_match_is_printed_and_both_books_come_again() {
    let running = start();
    let (yes, no) = tokens(&market(&running, "quiet-"));
    let (maker, taker) = (Trader::new(running.addr(), 0), Trader::new(running.addr(), 1));
    run(async {
        let mut socket = Socket::open(running.addr(), "market").await;
        socket.send(json!({ "type": "market", "assets_ids": [yes, no] })).await;
        socket.next("book").await;
        socket.next("book").await;
        maker.limit(&no, Side::Buy, 40, 10, "GTC");
        taker.limit(&yes, Side::Buy, 60, 6, "GTC");
        let trade = socket.next("last_trade_price").await;
        assert_eq!((&trade["asset_id"], &trade["price"], &trade["size"]), (&json!(yes), &json!("0.6"), &json!("6")));
        let book = socket.next("book").await;
        assert_eq!(book["asks"], json!([{ "price": "0.6", "size": "4" }]));
        assert_eq!(socket.next("book").await["asset_id"], json!(no));
        assert!(
            !socket.frames.iter().any(|frame| frame.contains("best_bid_ask")),
            "the custom feature was not asked for"
        );
    });
}

#[test]
fn subscriptions_grow_and_shrink_without_repeating_snapshots() {
    let running = start();
    let (yes, no) = tokens(&market(&running, "quiet-"));
    let trader = Trader::new(running.addr(), 0);
    run(async {
        let mut socket = Socket::open(running.addr(), "market").await;
        socket.send(json!({ "type": "market", "assets_ids": [yes], "initial_dump": false })).await;
        socket.send(json!({ "operation": "subscribe", "assets_ids": [yes] })).await;
        socket.settle().await;
        assert!(socket.frames.is_empty(), "{:?}", socket.frames);
        socket.send(json!({ "operation": "subscribe", "assets_ids": [no] })).await;
        assert_eq!(socket.next("book").await["asset_id"], json!(no));
        socket.send(json!({ "operation": "unsubscribe", "assets_ids": [yes, no] })).await;
        socket.settle().await;
        trader.limit(&yes, Side::Buy, 37, 10, "GTC");
        socket.settle().await;
        assert!(socket.objects.is_empty(), "{:?}", socket.objects);
        for nonsense in ["{", "[]", "\"text\"", "{\"operation\":\"dance\",\"assets_ids\":[]}", "{}"] {
            socket.stream.send(Message::text(nonsense)).await.expect("open");
            assert_eq!(socket.frame().await.as_deref(), Some("INVALID OPERATION"), "{nonsense}");
        }
    });
}

#[test]
fn listings_resolutions_and_ticks() {
    let running = start();
    let quiet = market(&running, "quiet-");
    let (yes, no) = tokens(&quiet);
    let slug = quiet["slug"].as_str().expect("a slug");
    run(async {
        let mut plain = Socket::open(running.addr(), "market").await;
        let mut custom = Socket::open(running.addr(), "market").await;
        plain.send(json!({ "type": "market", "assets_ids": [yes] })).await;
        custom.send(json!({ "type": "market", "assets_ids": [yes], "custom_feature_enabled": true })).await;
        plain.next("book").await;
        custom.next("book").await;
        strike(running.addr(), json!({ "tick": { "market": slug, "tick": "0.001" } }));
        assert_eq!(plain.next("tick_size_change").await["new_tick_size"], "0.001");
        control(running.addr(), "markets", json!({ "slug": "new-one" }));
        let listed = custom.next("new_market").await;
        assert_eq!((&listed["slug"], listed["assets_ids"].as_array().map(Vec::len)), (&json!("new-one"), Some(2)));
        strike(running.addr(), json!({ "resolve": { "market": slug, "yes": "0" } }));
        let decided = custom.next("market_resolved").await;
        assert_eq!((&decided["winning_asset_id"], &decided["winning_outcome"]), (&json!(no), &json!("No")));
        plain.settle().await;
        assert!(!plain.frames.iter().any(|frame| frame.contains("new_market") || frame.contains("market_resolved")));
    });
}

#[test]
fn a_user_sees_orders_and_trades_of_the_markets_that_were_asked_for() {
    let running = start();
    let quiet = market(&running, "quiet-");
    let (yes, no) = tokens(&quiet);
    let (maker, taker) = (Trader::new(running.addr(), 0), Trader::new(running.addr(), 1));
    let auth = json!({ "apiKey": maker.key, "secret": maker.secret, "passphrase": maker.passphrase });
    run(async {
        let mut socket = Socket::open(running.addr(), "user").await;
        socket.send(json!({ "type": "user", "auth": auth, "markets": [quiet["condition"]] })).await;
        let mut elsewhere = Socket::open(running.addr(), "user").await;
        let other = format!("0x{}", "1".repeat(64));
        elsewhere.send(json!({ "type": "user", "auth": auth, "markets": [other] })).await;
        socket.settle().await;
        elsewhere.settle().await;
        maker.limit(&no, Side::Buy, 40, 10, "GTC");
        let placed = socket.next("order").await;
        assert_eq!(
            (&placed["type"], &placed["status"], &placed["size_matched"]),
            (&json!("PLACEMENT"), &json!("LIVE"), &json!("0"))
        );
        taker.limit(&yes, Side::Buy, 60, 6, "GTC");
        let updated = socket.next("order").await;
        assert_eq!((&updated["type"], &updated["size_matched"]), (&json!("UPDATE"), &json!("6")));
        socket.objects.clear();
        let mut steps = Vec::new();
        let frames: Vec<Value> = socket.frames.iter().map(|frame| serde_json::from_str(frame).expect("JSON")).collect();
        steps.extend(frames.iter().filter(|frame| frame["event_type"] == "trade").map(|frame| frame["status"].clone()));
        while steps.last() != Some(&json!("CONFIRMED")) {
            let trade = socket.next("trade").await;
            assert_eq!((&trade["trader_side"], &trade["owner"]), (&json!("MAKER"), &json!(maker.key)));
            assert_eq!(trade["maker_orders"][0]["matched_amount"], "6");
            steps.push(trade["status"].clone());
        }
        assert_eq!(steps, [json!("MATCHED"), json!("MINED"), json!("CONFIRMED")]);
        maker.call("DELETE", "/cancel-all", "");
        assert_eq!(socket.next("order").await["type"], "CANCELLATION");
        elsewhere.settle().await;
        assert!(elsewhere.frames.is_empty(), "{:?}", elsewhere.frames);
    });
}

#[test]
fn bad_credentials_close_the_user_socket() {
    let running = start();
    let trader = Trader::new(running.addr(), 0);
    run(async {
        for auth in [
            json!({ "apiKey": trader.key, "secret": trader.secret, "passphrase": "wrong" }),
            json!({ "apiKey": trader.key, "secret": "AAAA", "passphrase": trader.passphrase }),
            json!({ "apiKey": "nobody", "secret": "", "passphrase": "" }),
            json!(null),
        ] {
            let mut socket = Socket::open(running.addr(), "user").await;
            socket.send(json!({ "type": "user", "auth": auth })).await;
            assert_eq!(socket.frame().await, None);
        }
    });
}

#[test]
fn transport_faults_strike_as_told() {
    let running = start();
    let addr = running.addr();
    let (yes, _) = tokens(&market(&running, "quiet-"));
    let trader = Trader::new(addr, 0);
    run(async {
        strike(addr, json!({ "skip_snapshots": { "count": 1 } }));
        let mut socket = Socket::open(addr, "market").await;
        socket.send(json!({ "type": "market", "assets_ids": [yes] })).await;
        socket.settle().await;
        assert!(socket.frames.is_empty());
        strike(addr, json!({ "frames": { "channel": "market", "drop": 1, "duplicate": 1, "reorder": 1 } }));
        for cents in [10, 11, 12, 13] {
            trader.limit(&yes, Side::Buy, cents, 10, "GTC");
        }
        let mut prices = Vec::new();
        for _ in 0..4 {
            prices.push(socket.next("price_change").await["price_changes"][0]["price"].clone());
        }
        assert_eq!(prices, ["0.11", "0.11", "0.13", "0.12"], "dropped, doubled, and the last two exchanged");
        // Silence while PING is answered: `settle` returns although nothing else comes.
        strike(addr, json!({ "freeze_channel": { "channel": "market", "for_ms": 60_000 } }));
        trader.limit(&yes, Side::Buy, 14, 10, "GTC");
        socket.settle().await;
        assert!(socket.objects.is_empty());
        strike(addr, json!({ "disconnect": { "channel": "market" } }));
        assert_eq!(socket.frame().await, None);
    });
}
