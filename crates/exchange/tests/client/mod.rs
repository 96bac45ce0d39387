//! A client for the tests of the server: raw HTTP/1.1 over loopback, so that a test can send what no client would.
#![allow(dead_code, reason = "every test file is a program of its own and uses a part of this")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oddsmith_domain::{Address, ExchangeKind, OrderFields, Side, SignatureType, TokenId};
use oddsmith_exchange::core::KNOWN_SECRETS;
use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_polymarket::auth::{HmacKey, L1Headers};
use oddsmith_polymarket::order::{OrderHasher, POLYGON, Signer};
use serde_json::{Value, json};

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }

    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }
}

/// Starts an exchange in which nobody trades by himself.
pub fn start() -> Running {
    let scenario = Scenario { activity: Some(0.0), ..Scenario::default() };
    Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("a free loopback port")
}

/// The market of the information line with this beginning of a slug.
pub fn market(running: &Running, slug: &str) -> Value {
    let info: Value = serde_json::from_str(running.info()).expect("one line of JSON");
    let markets = info["markets"].as_array().expect("a list").clone();
    markets.into_iter().find(|m| m["slug"].as_str().is_some_and(|s| s.starts_with(slug))).expect("the market is listed")
}

/// Sends bytes and reads the answer, if one comes before the peer closes or falls silent.
pub fn exchange_bytes(addr: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(addr).expect("the exchange listens");
    stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a timeout");
    // A server that refuses early may close before everything is written.
    let _early = stream.write_all(bytes);
    let mut received = Vec::new();
    let mut chunk = [0u8; 16 * 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => received.extend_from_slice(&chunk[..count]),
        }
        if let Some(answer) = complete(&received) {
            return Some(answer);
        }
    }
    complete(&received)
}

fn complete(received: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(received);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.unwrap_or(0);
    let status = head.split(' ').nth(1)?.parse().ok()?;
    (body.len() >= length).then(|| Answer { status, head: head.to_owned(), body: body[..length].to_owned() })
}

/// Sends a request.
pub fn request(addr: SocketAddr, method: &str, path: &str, headers: &[(String, String)], body: &str) -> Answer {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: exchange\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    exchange_bytes(addr, text.as_bytes()).unwrap_or_else(|| panic!("no answer to {method} {path}"))
}

/// A GET without authentication.
pub fn get(addr: SocketAddr, path: &str) -> Answer {
    request(addr, "GET", path, &[], "")
}

/// Strikes with a fault of scenario files.
pub fn strike(addr: SocketAddr, fault: Value) {
    control(addr, "faults", fault);
}

/// A command of `/control`.
pub fn control(addr: SocketAddr, path: &str, body: Value) {
    let answer = request(addr, "POST", &format!("/control/{path}"), &[], &body.to_string());
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// One of the known accounts with an API key.
pub struct Trader {
    pub addr: SocketAddr,
    pub signer: Signer,
    pub key: String,
    pub secret: String,
    pub passphrase: String,
    pub hasher: OrderHasher,
    salt: std::cell::Cell<u64>,
}

impl Trader {
    /// Account number `index`, with a key of nonce 0.
    pub fn new(addr: SocketAddr, index: usize) -> Trader {
        let signer = Signer::from_hex(KNOWN_SECRETS[index]).expect("a known key");
        let headers = l1(&signer, now_s(), 0);
        let mut answer = request(addr, "POST", "/auth/api-key", &headers, "");
        if answer.status != 200 {
            answer = request(addr, "GET", "/auth/derive-api-key", &headers, "");
        }
        let creds = answer.json();
        let text = |name: &str| creds[name].as_str().expect("a credential").to_owned();
        Trader {
            addr,
            signer,
            key: text("apiKey"),
            secret: text("secret"),
            passphrase: text("passphrase"),
            hasher: OrderHasher::new(POLYGON).expect("a known chain"),
            salt: std::cell::Cell::new(now_s()),
        }
    }

    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// The level 2 headers of a request.
    pub fn headers_at(&self, timestamp: u64, method: &str, path: &str, body: &str) -> Vec<(String, String)> {
        let path = path.split('?').next().unwrap_or(path);
        let hmac = HmacKey::from_secret(&self.secret).expect("a secret");
        let signature = hmac.sign(&timestamp.to_string(), method, path, body.as_bytes());
        [
            ("POLY_ADDRESS", self.address().to_string()),
            ("POLY_SIGNATURE", String::from_utf8(signature.to_vec()).expect("base64")),
            ("POLY_TIMESTAMP", timestamp.to_string()),
            ("POLY_API_KEY", self.key.clone()),
            ("POLY_PASSPHRASE", self.passphrase.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// A signed request.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        request(self.addr, method, path, &self.headers_at(now_s(), method, path, body), body)
    }

    /// An order of this account: dollars for a BUY, shares for a SELL come first.
    pub fn fields(&self, token: &str, side: Side, maker_amount: u64, taker_amount: u64) -> OrderFields {
        self.salt.set(self.salt.get() + 1);
        OrderFields {
            salt: self.salt.get(),
            maker: self.address(),
            signer: self.address(),
            token: TokenId::parse(token).expect("a token"),
            maker_amount,
            taker_amount,
            side,
            signature_type: SignatureType::Eoa,
            timestamp_ms: now_s() * 1_000,
            metadata: [0; 32],
            builder: [0; 32],
        }
    }

    /// The body of a signed order.
    pub fn body(&self, fields: &OrderFields, kind: ExchangeKind, order_type: &str) -> Value {
        let signature = self.signer.sign_fields(&self.hasher, kind, fields);
        json!({
            "order": {
                "salt": fields.salt, "maker": fields.maker, "signer": fields.signer, "tokenId": fields.token,
                "makerAmount": fields.maker_amount.to_string(), "takerAmount": fields.taker_amount.to_string(),
                "side": fields.side, "expiration": "0", "signatureType": fields.signature_type as u8,
                "timestamp": fields.timestamp_ms.to_string(), "metadata": format!("0x{}", "0".repeat(64)),
                "builder": format!("0x{}", "0".repeat(64)), "signature": signature.to_string(),
            },
            "owner": self.key, "orderType": order_type, "deferExec": false,
        })
    }

    /// Places a limit order at a price in cents for whole shares.
    pub fn limit(&self, token: &str, side: Side, cents: u64, shares: u64, order_type: &str) -> Answer {
        let (dollars, tokens) = (cents * shares * 10_000, shares * 1_000_000);
        let fields = match side {
            Side::Buy => self.fields(token, side, dollars, tokens),
            Side::Sell => self.fields(token, side, tokens, dollars),
        };
        self.call("POST", "/order", &self.body(&fields, ExchangeKind::Ctf, order_type).to_string())
    }

    /// Collateral, or shares of a token, on the chain, in millionths.
    pub fn balance(&self, token: Option<&str>) -> i64 {
        let path = match token {
            None => "/balance-allowance?asset_type=COLLATERAL&signature_type=0".to_owned(),
            Some(token) => format!("/balance-allowance?asset_type=CONDITIONAL&token_id={token}&signature_type=0"),
        };
        let answer = self.call("GET", &path, "");
        answer.json()["balance"].as_str().and_then(|text| text.parse().ok()).expect("a balance")
    }
}

/// Level 1 headers.
pub fn l1(signer: &Signer, timestamp: u64, nonce: u64) -> Vec<(String, String)> {
    let headers = L1Headers::sign(signer, POLYGON, timestamp, nonce);
    headers.pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Waits until something is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..200 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{what} did not come to be");
}
