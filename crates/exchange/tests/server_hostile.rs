//! Hostile requests and frames: the exchange answers each with a refusal in JSON, or closes, and keeps serving. Never a 5xx,
//! never a hang, and memory stays flat.

mod client;

use std::net::SocketAddr;
use std::time::Duration;

use client::{Trader, exchange_bytes, get, market, now_s, request, start};
use futures_util::{SinkExt as _, StreamExt as _};
use oddsmith_domain::{ExchangeKind, Side};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// How often each kind of request is repeated: together more than a thousand.
const ROUNDS: usize = 16;

/// Bytes that no client would send; each must be refused or the connection closed.
fn raw_kinds() -> Vec<(&'static str, Vec<u8>)> {
    let huge_header = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(200_000));
    let many_headers = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(500));
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "a/".repeat(10_000));
    vec![
        ("bytes that are not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello hello\r\n\r\n".to_vec()),
        ("a head that never ends", huge_header.into_bytes()),
        ("five hundred headers", many_headers.into_bytes()),
        ("a path of twenty thousand characters", long_path.into_bytes()),
        (
            "two lengths",
            b"POST /order HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello".to_vec(),
        ),
        ("a negative length", b"POST /order HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_vec()),
        (
            "a length beyond 64 bits",
            b"POST /order HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        ),
        (
            "a chunk that is none",
            b"POST /books HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        ),
        ("an unknown version", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_vec()),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        (
            "a header that is not text",
            b"GET /data/orders HTTP/1.1\r\nHost: x\r\nPOLY_API_KEY: \xff\xfe\r\nConnection: close\r\n\r\n".to_vec(),
        ),
        (
            "a handshake without a key",
            b"GET /ws/market HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec(),
        ),
    ]
}

/// Method, path and body of requests that need no authentication.
fn open_kinds() -> Vec<(&'static str, &'static str, String, String)> {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let many = json!(vec![json!({ "token_id": "1" }); 501]).to_string();
    let kinds: [(&str, &str, &str, &str); 22] = [
        ("an unknown path", "GET", "/no/such/path", ""),
        ("a wrong method", "PATCH", "/order", ""),
        ("a wrong method of a socket", "POST", "/ws/market", ""),
        ("a socket without upgrade", "GET", "/ws/user", ""),
        ("a token that is no number", "GET", "/book?token_id=abc", ""),
        ("a token beyond 256 bits", "GET", &format!("/book?token_id={}", "9".repeat(79)), ""),
        ("a negative token", "GET", "/midpoint?token_id=-1", ""),
        ("no token", "GET", "/price?side=BUY", ""),
        ("an unknown token", "GET", "/book?token_id=1", ""),
        ("a side that is none", "GET", "/price?token_id=1&side=HOLD", ""),
        ("percent signs that mean nothing", "GET", "/book?token_id=%zz%ff%00", ""),
        ("a path that is not UTF-8", "GET", "/markets/%ff%fe", ""),
        ("a cursor that is none", "GET", "/markets?next_cursor=%F0%9F%92%A9", ""),
        ("a cursor beyond the end", "GET", "/markets?next_cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", ""),
        ("JSON cut off", "POST", "/books", "[{\"token_id\":\"1\""),
        ("JSON of another type", "POST", "/books", "{\"token_id\":7}"),
        ("numbers that are none", "POST", "/midpoints", "[{\"token_id\":NaN}]"),
        ("a history that never was", "GET", "/prices-history?market=1&interval=1y", ""),
        ("times beyond all clocks", "GET", "/prices-history?market=1&startTs=99999999999999999999", ""),
        ("an order without a key", "POST", "/order", "{}"),
        ("a page of less than nothing", "GET", "/gamma/markets?limit=-5&offset=-1", ""),
        ("a user who is none", "GET", "/data-api/positions?user=0x12", ""),
    ];
    let mut kinds: Vec<_> =
        kinds.into_iter().map(|(kind, method, path, body)| (kind, method, path.to_owned(), body.to_owned())).collect();
    let as_owned = |kind, method, path: &str, body: String| (kind, method, path.to_owned(), body);
    kinds.push(as_owned("nesting a hundred thousand deep", "POST", "/books", deep));
    kinds.push(as_owned("five hundred and one tokens", "POST", "/books", many));
    kinds.push(as_owned("a body beyond the limit", "POST", "/books", "x".repeat(300_000)));
    kinds.push(as_owned("a keyset of ten thousand", "GET", "/gamma/markets/keyset?limit=10000", String::new()));
    kinds.push(as_owned("a fault that is none", "POST", "/control/faults", "{\"explode\":true}".to_owned()));
    kinds
}

/// Bodies of `POST /order` under a right signature of the request.
fn order_kinds(trader: &Trader, token: &str) -> Vec<(&'static str, String)> {
    let order = || trader.body(&trader.fields(token, Side::Buy, 5_000_000, 10_000_000), ExchangeKind::Ctf, "GTC");
    let with = |field: &str, value: Value| {
        let mut body = order();
        body["order"][field] = value;
        body.to_string()
    };
    vec![
        ("an empty body", String::new()),
        ("null", "null".to_owned()),
        ("a list where an order should be", "[]".to_owned()),
        ("no order in the order", "{\"order\":null,\"owner\":\"x\",\"orderType\":\"GTC\"}".to_owned()),
        ("an amount that is negative", with("makerAmount", json!("-1"))),
        ("an amount with a point", with("makerAmount", json!("5.5"))),
        ("an amount of a thousand digits", with("takerAmount", json!("9".repeat(1_000)))),
        ("an amount that is the largest", with("makerAmount", json!(u64::MAX.to_string()))),
        ("amounts of nothing", with("takerAmount", json!("0"))),
        ("a salt beyond 64 bits", with("salt", json!(1e300))),
        ("a side of its own", with("side", json!("BOTH"))),
        ("a side as a list", with("side", json!([[["BUY"]]]))),
        ("a signature type of nine", with("signatureType", json!(9))),
        ("a signature that is short", with("signature", json!("0x1234"))),
        ("a signature that is no text", with("signature", json!({ "r": 1 }))),
        ("a signature of zeros", with("signature", json!(format!("0x{}", "0".repeat(130))))),
        ("a signature of a megabit", with("signature", json!(format!("0x{}", "f".repeat(100_000))))),
        ("a maker who is none", with("maker", json!("0x1"))),
        ("another's maker", with("maker", json!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"))),
        ("an expiration before all time", with("expiration", json!("-5"))),
        ("a token that is unknown", with("tokenId", json!("12345"))),
        ("text that is not UTF-8 when unescaped", "{\"order\":\"\\ud800\"}".to_owned()),
        ("an order type of its own", order().to_string().replace("\"GTC\"", "\"IOC\"")),
    ]
}

/// Paths and bodies of other signed requests.
fn signed_kinds() -> Vec<(&'static str, &'static str, &'static str, String)> {
    let ids: Vec<String> = (0..1_001).map(|n| format!("0x{n:064x}")).collect();
    vec![
        ("a batch of nothing", "POST", "/orders", "[]".to_owned()),
        ("a batch of nonsense", "POST", "/orders", json!(vec![0; 16]).to_string()),
        ("a cancel of nothing", "DELETE", "/order", "{}".to_owned()),
        ("a cancel of no id", "DELETE", "/order", "{\"orderID\":\"0xzz\"}".to_owned()),
        ("a thousand and one cancels", "DELETE", "/orders", json!(ids).to_string()),
        ("a market that is none", "DELETE", "/cancel-market-orders", "{\"market\":\"0x12\"}".to_owned()),
        ("a token that is none", "DELETE", "/cancel-market-orders", "{\"asset_id\":\"x\"}".to_owned()),
        ("an order id that is none", "GET", "/data/order/latest", String::new()),
        ("a filter that is none", "GET", "/data/trades?before=yesterday", String::new()),
        ("an asset type of its own", "GET", "/balance-allowance?asset_type=GOLD", String::new()),
        ("a wallet of its own", "GET", "/balance-allowance?asset_type=COLLATERAL&signature_type=7", String::new()),
        ("a heartbeat of another shape", "POST", "/v1/heartbeats", "[1,2]".to_owned()),
        ("a readonly key that is no text", "DELETE", "/auth/readonly-api-key", "{\"key\":7}".to_owned()),
    ]
}

fn must_refuse(kind: &str, answer: &client::Answer) {
    assert!((400..500).contains(&answer.status), "{kind}: {} {}", answer.status, answer.body);
    let body: Value =
        serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{kind}: {:?} is no JSON", answer.body));
    assert!(body["error"].is_string(), "{kind}: {body}");
}

/// Memory of this process, in kilobytes; the exchange runs in it.
fn memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn a_thousand_hostile_requests_change_nothing() {
    let running = start();
    let addr = running.addr();
    let quiet = market(&running, "quiet-");
    let token = quiet["tokens"][0].as_str().expect("a token");
    let trader = Trader::new(addr, 0);
    let mut sent = 0;
    let mut before = None;
    for round in 0..ROUNDS {
        for (kind, bytes) in raw_kinds() {
            sent += 1;
            if let Some(answer) = exchange_bytes(addr, &bytes) {
                assert!((400..500).contains(&answer.status) || answer.status == 505, "{kind}: {}", answer.status);
            }
        }
        for (kind, method, path, body) in open_kinds() {
            sent += 1;
            must_refuse_or_nothing(kind, &request(addr, method, &path, &[], &body));
        }
        for (kind, body) in order_kinds(&trader, token) {
            sent += 1;
            must_refuse(kind, &trader.call("POST", "/order", &body));
        }
        for (kind, method, path, body) in signed_kinds() {
            sent += 1;
            let answer = trader.call(method, path, &body);
            if kind != "a batch of nonsense" {
                must_refuse(kind, &answer);
            }
        }
        assert_eq!(get(addr, "/ok").status, 200);
        // The first rounds warm the allocator up.
        if round == 3 {
            before = memory_kb();
        }
    }
    assert!(sent > 1_000, "{sent} requests");
    assert_eq!(trader.call("GET", "/data/orders", "").json()["count"], 0);
    assert_eq!(trader.balance(None), 10_000_000_000);
    if let (Some(before), Some(after)) = (before, memory_kb()) {
        assert!(after < before + 32 * 1_024, "memory grew from {before} to {after} kB");
    }
}

/// As [`must_refuse`], but a list for an unknown user or page may be empty.
fn must_refuse_or_nothing(kind: &str, answer: &client::Answer) {
    if answer.status == 200 {
        let empty = ["a cursor beyond the end"];
        assert!(empty.contains(&kind), "{kind} was accepted: {}", answer.body);
        return;
    }
    must_refuse(kind, answer);
}

#[test]
fn headers_that_are_almost_right_are_refused_alike() {
    let running = start();
    let trader = Trader::new(running.addr(), 1);
    let good = trader.headers_at(now_s(), "GET", "/data/orders", "");
    let spoil = |name: &str, value: &str| {
        let mut headers = good.clone();
        for (header, text) in &mut headers {
            if header == name {
                *text = value.to_owned();
            }
        }
        headers
    };
    let kinds = [
        spoil("POLY_ADDRESS", "0x70997970C51812dc3A010C7d01b50e0d17dc79C9"),
        spoil("POLY_ADDRESS", "nobody"),
        spoil("POLY_SIGNATURE", "AAAA"),
        spoil("POLY_SIGNATURE", "%%%"),
        spoil("POLY_TIMESTAMP", "0"),
        spoil("POLY_TIMESTAMP", "1e99"),
        spoil("POLY_TIMESTAMP", "99999999999999999999999"),
        spoil("POLY_API_KEY", "00000000-0000-0000-0000-000000000000"),
        spoil("POLY_PASSPHRASE", "wrong"),
        good[1..].to_vec(),
        Vec::new(),
    ];
    for headers in kinds {
        let answer = request(running.addr(), "GET", "/data/orders", &headers, "");
        assert_eq!((answer.status, answer.error().as_str()), (401, "Unauthorized/Invalid api key"), "{headers:?}");
    }
    // Python and JavaScript send the checksum address, Rust the lower case one: both are right.
    assert_eq!(request(running.addr(), "GET", "/data/orders", &good, "").status, 200);
    // The query is not part of what is signed.
    assert_eq!(request(running.addr(), "GET", "/data/orders?next_cursor=MA==", &good, "").status, 200);
}

#[test]
fn hostile_frames_leave_the_socket_or_at_least_the_exchange_alive() {
    let running = start();
    let addr: SocketAddr = running.addr();
    let frames = [
        Message::text("{"),
        Message::text("\u{0}\u{1}\u{2}"),
        Message::text("[".repeat(100_000)),
        Message::text("{\"assets_ids\":\"all\"}"),
        Message::text("{\"assets_ids\":[{\"a\":1}]}"),
        Message::text("{\"type\":\"market\",\"assets_ids\":[\"-1\",\"x\",\"\",\"99999999999999999999\"]}"),
        Message::text(json!({ "type": "market", "assets_ids": vec!["1"; 10_000] }).to_string()),
        Message::text("{\"operation\":\"unsubscribe\",\"assets_ids\":[\"1\"]}"),
        Message::text("{\"operation\":7,\"assets_ids\":[]}"),
        Message::text("ping"),
        Message::binary(vec![0xff; 10_000]),
        Message::Ping(Bytes::from_static(b"hello")),
        Message::Pong(Bytes::from_static(b"unasked")),
        Message::text("x".repeat(900_000)),
        Message::text("x".repeat(2_000_000)),
    ];
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for channel in ["market", "user"] {
            for frame in &frames {
                let (mut socket, _) = connect_async(format!("ws://{addr}/ws/{channel}")).await.expect("it listens");
                // The exchange may close in the middle of a frame that is too long.
                let _closed = socket.send(frame.clone()).await;
                let _closed = socket.send(Message::text("PING")).await;
                let pong = async {
                    while let Some(Ok(message)) = socket.next().await {
                        if message == Message::text("PONG") {
                            return true;
                        }
                    }
                    false
                };
                let answered = tokio::time::timeout(Duration::from_secs(10), pong).await.expect("an end, or PONG");
                let expected = channel == "market" && frame.len() < 1_000_000;
                assert!(answered || !expected, "{channel}: {:.60?}", frame);
            }
        }
    });
    assert_eq!(get(addr, "/ok").status, 200);
}

#[test]
fn silence_after_a_heartbeat_cancels() {
    let scenario = oddsmith_exchange::scenario::Scenario::parse("activity: 0\nexchange:\n  heartbeat_ms: 700\n");
    let config = oddsmith_exchange::server::ServerConfig {
        scenario: scenario.expect("a scenario"),
        ..oddsmith_exchange::server::ServerConfig::default()
    };
    let running = oddsmith_exchange::server::Server::start(config).expect("a free port");
    let quiet = market(&running, "quiet-");
    let token = quiet["tokens"][0].as_str().expect("a token");
    let trader = Trader::new(running.addr(), 2);
    let beat = |id: Value| trader.call("POST", "/v1/heartbeats", &json!({ "heartbeat_id": id }).to_string());
    let first = beat(json!(null)).json()["heartbeat_id"].clone();
    assert_eq!(trader.limit(token, Side::Buy, 20, 10, "GTC").status, 200);
    let wrong = beat(json!(""));
    assert_eq!(wrong.status, 400);
    assert_eq!(wrong.json(), json!({ "error_msg": "Invalid Heartbeat ID", "heartbeat_id": first }));
    std::thread::sleep(Duration::from_millis(400));
    let second = beat(first).json()["heartbeat_id"].clone();
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(trader.call("GET", "/data/orders", "").json()["count"], 1, "refreshed half a second ago");
    client::eventually("the cancel", || trader.call("GET", "/data/orders", "").json()["count"] == 0);
    // Expiry has disarmed the switch: a first call arms it again, the old id would be refused by a strict venue.
    assert_ne!(beat(json!("")).json()["heartbeat_id"], second);
}

#[test]
fn what_is_not_understood_is_counted_and_kept() {
    let file = std::env::temp_dir().join(format!("dead-letter-{}.jsonl", std::process::id()));
    let _absent = std::fs::remove_file(&file);
    let config = oddsmith_exchange::server::ServerConfig {
        scenario: oddsmith_exchange::scenario::Scenario::parse("activity: 0\n").expect("a scenario"),
        dead_letter: Some(file.clone()),
        ..oddsmith_exchange::server::ServerConfig::default()
    };
    let running = oddsmith_exchange::server::Server::start(config).expect("a free port");
    let trader = Trader::new(running.addr(), 3);
    for body in ["[{\"token_id\":", "[{\"token_id\":NaN}]", "{\"orders\":-1", "\u{fffd}"] {
        assert_eq!(request(running.addr(), "POST", "/books", &[], body).status, 400, "{body}");
    }
    assert_eq!(trader.call("POST", "/order", "{\"order\":{\"salt\":\"many\"}}").status, 400);
    let kept = std::fs::read_to_string(&file).expect("a file");
    let lines: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 5, "{kept}");
    assert_eq!((&lines[0]["channel"], &lines[1]["body"]), (&json!("rest"), &json!("[{\"token_id\":NaN}]")));
    assert!(lines[4]["channel"] == "order" && lines[4]["why"].as_str().is_some_and(|why| !why.is_empty()), "{kept}");
    assert_eq!(get(running.addr(), "/control").json()["undecodable"], 5);
    running.stop();
    std::fs::remove_file(&file).expect("the file is ours");
}
