//! How many signed orders per second the exchange takes, and how long each waits, while many listen.
//!
//! ```text
//! cargo run --release --manifest-path conformance/Cargo.toml --bin load -- --exchange target/release/oddsmith [--rate 5000]
//! ```
//!
//! Signs everything beforehand, then sends orders at a steady rate over keep-alive connections of ten accounts, with fifty
//! subscribers on the market. Prints the answers per second, the percentiles of their latency counted from the moment at which
//! each was due, how many frames the subscribers got of those that they should have got, and how much of the exchange's
//! processor time went into checking signatures, by the same code measured alone.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use oddsmith_domain::{Address, ExchangeKind, OrderFields, Side, SignatureType, TokenId};
use oddsmith_polymarket::auth::{HmacKey, L1Headers};
use oddsmith_polymarket::order::{OrderHasher, POLYGON, Recoverer, Signer, verify_order};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

const SUBSCRIBERS: usize = 50;
const SECONDS: u64 = 5;
/// Public development keys, accounts 0 to 3 of the exchange's mnemonic.
const SECRETS: [&str; 4] = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
];

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Sends a request on a connection that stays open; the body of its answer.
async fn ask(stream: &mut TcpStream, bytes: &[u8], buffer: &mut Vec<u8>) -> anyhow::Result<String> {
    stream.write_all(bytes).await?;
    buffer.clear();
    loop {
        anyhow::ensure!(stream.read_buf(buffer).await? > 0, "the exchange hung up");
        let text = std::str::from_utf8(buffer)?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
        if body.len() >= length.parse()? {
            anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{text}");
            return Ok(body.to_owned());
        }
    }
}

fn http(method: &str, path: &str, headers: &[(&str, String)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    format!("{text}\r\n{body}").into_bytes()
}

/// Requests of one account: buys of ten shares far below any seller, at one of ten prices.
async fn requests(host: &str, secret: &str, token: &str, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let signer = Signer::from_hex(secret)?;
    let mut stream = TcpStream::connect(host).await?;
    let l1: Vec<_> = L1Headers::sign(&signer, POLYGON, now_s(), 1).pairs.into_iter().collect();
    let body = ask(&mut stream, &http("POST", "/auth/api-key", &l1, ""), &mut Vec::new()).await?;
    let creds: Value = serde_json::from_str(&body)?;
    let text = |name: &str| creds[name].as_str().unwrap_or_default().to_owned();
    let (hmac, hasher) = (HmacKey::from_secret(&text("secret"))?, OrderHasher::new(POLYGON)?);
    let (timestamp, address): (String, Address) = (now_s().to_string(), signer.address());
    let zeros = format!("0x{}", "0".repeat(64));
    let order = |salt: usize| {
        let fields = OrderFields {
            salt: salt as u64,
            maker: address,
            signer: address,
            token: TokenId::parse(token).expect("the exchange's own token"),
            maker_amount: 100_000 * (1 + salt as u64 % 10),
            taker_amount: 10_000_000,
            side: Side::Buy,
            signature_type: SignatureType::Eoa,
            timestamp_ms: now_s() * 1_000,
            metadata: [0; 32],
            builder: [0; 32],
        };
        let signature = signer.sign_fields(&hasher, ExchangeKind::Ctf, &fields);
        let body = json!({ "order": {
            "salt": fields.salt, "maker": address, "signer": address, "tokenId": token,
            "makerAmount": fields.maker_amount.to_string(), "takerAmount": fields.taker_amount.to_string(),
            "side": "BUY", "expiration": "0", "signatureType": 0, "timestamp": fields.timestamp_ms.to_string(),
            "metadata": zeros, "builder": zeros, "signature": signature.to_string() },
            "owner": text("apiKey"), "orderType": "GTC" })
        .to_string();
        let code = hmac.sign(&timestamp, "POST", "/order", body.as_bytes());
        let headers = [
            ("POLY_ADDRESS", address.to_string()),
            ("POLY_SIGNATURE", String::from_utf8_lossy(&code).into_owned()),
            ("POLY_TIMESTAMP", timestamp.clone()),
            ("POLY_API_KEY", text("apiKey")),
            ("POLY_PASSPHRASE", text("passphrase")),
        ];
        http("POST", "/order", &headers, &body)
    };
    Ok((0..count).map(order).collect())
}

/// How long the exchange's own check of an order's signature takes here, alone.
fn signature_check() -> anyhow::Result<Duration> {
    const CHECKS: u64 = 2_001;
    let (signer, hasher, recoverer) = (Signer::from_hex(SECRETS[0])?, OrderHasher::new(POLYGON)?, Recoverer::new());
    let mut fields = OrderFields {
        salt: 0,
        maker: signer.address(),
        signer: signer.address(),
        token: TokenId::parse("1234")?,
        maker_amount: 1_000_000,
        taker_amount: 10_000_000,
        side: Side::Buy,
        signature_type: SignatureType::Eoa,
        timestamp_ms: now_s() * 1_000,
        metadata: [0; 32],
        builder: [0; 32],
    };
    let mut taken = Vec::new();
    for salt in 0..CHECKS {
        fields.salt = salt;
        let signature = signer.sign_fields(&hasher, ExchangeKind::Ctf, &fields);
        let start = std::time::Instant::now();
        let by = verify_order(&recoverer, &hasher, ExchangeKind::Ctf, &fields, &signature);
        taken.push(start.elapsed());
        anyhow::ensure!(by == Ok(signer.address()), "{by:?}");
    }
    // The median: the machine may have other things to do in between.
    taken.sort();
    Ok(taken[taken.len() / 2])
}

/// Processor time that a process has used, as Linux counts it; `None` elsewhere.
fn processor_time(pid: Option<u32>) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", pid?)).ok()?;
    // After the name in parentheses: user and system time are the 12th and 13th fields, in hundredths of a second.
    let mut fields = text.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((next()? + next()?) * 10))
}

/// Counts the frames of a subscriber by their heads.
async fn subscriber(host: String, token: String, frames: Arc<AtomicU64>) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(&host).await?;
    let handshake = "GET /ws/market HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(handshake.as_bytes()).await?;
    let body = json!({ "type": "market", "assets_ids": [token], "initial_dump": true, "markets": [] }).to_string();
    // A text frame of 126 to 65,535 bytes, masked with zeros.
    let mut frame = vec![0x81, 0xfe];
    frame.extend_from_slice(&u16::try_from(body.len())?.to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(body.as_bytes());
    anyhow::ensure!(body.len() > 125, "the subscription is shorter than its frame's head says");
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        if line == "\r\n" {
            break;
        }
    }
    reader.get_mut().write_all(&frame).await?;
    loop {
        let _kind = reader.read_u8().await?;
        let length = match reader.read_u8().await? {
            126 => u64::from(reader.read_u16().await?),
            127 => reader.read_u64().await?,
            short => u64::from(short),
        };
        tokio::io::copy(&mut (&mut reader).take(length), &mut tokio::io::sink()).await?;
        frames.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends every request when it is due; how long after that each was answered.
async fn send(host: String, requests: Vec<Vec<u8>>, start: Instant, every: Duration) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(&host).await?;
    stream.set_nodelay(true)?;
    let (mut taken, mut buffer) = (Vec::with_capacity(requests.len()), Vec::new());
    for (index, request) in requests.iter().enumerate() {
        let due = start + every * u32::try_from(index)?;
        tokio::time::sleep_until(due).await;
        ask(&mut stream, request, &mut buffer).await?;
        taken.push(due.elapsed());
    }
    Ok(taken)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let program = value("--exchange").context("--exchange PROGRAM is needed")?;
    let rate: usize = value("--rate").map_or(Ok(5_000), |text| text.parse())?;
    let mut child = tokio::process::Command::new(program)
        .args(["exchange", "--listen", "127.0.0.1:0", "--seed", "1"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line).await?;
    let info: Value = serde_json::from_str(&line)?;
    let host = info["urls"]["clob"].as_str().and_then(|url| url.strip_prefix("http://")).context("no URL")?.to_owned();
    let markets = info["markets"].as_array().context("no markets")?;
    let quiet = markets.iter().find(|market| market["slug"].as_str().is_some_and(|slug| slug.starts_with("quiet-")));
    let token = quiet.and_then(|market| market["tokens"][0].as_str()).context("no quiet market")?.to_owned();

    let check = signature_check()?;
    // Four accounts on three connections each. Latency includes the wait for the connection's earlier answer.
    let connections = SECRETS.len() * 3;
    let each = rate * SECONDS as usize / connections;
    let mut prepared = Vec::new();
    for secret in SECRETS {
        let mut all = requests(&host, secret, &token, each * 3).await?;
        for _ in 0..3 {
            prepared.push(all.split_off(all.len() - each));
        }
    }
    let frames = Arc::new(AtomicU64::new(0));
    for _ in 0..SUBSCRIBERS {
        tokio::spawn(subscriber(host.clone(), token.clone(), Arc::clone(&frames)));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let snapshots = frames.swap(0, Ordering::Relaxed);
    let used = processor_time(child.id());
    let start = Instant::now() + Duration::from_millis(100);
    let every = Duration::from_secs_f64(connections as f64 / rate as f64);
    let tasks: Vec<_> = prepared
        .into_iter()
        .enumerate()
        .map(|(index, requests)| {
            let offset = every * u32::try_from(index).unwrap_or(0) / u32::try_from(connections).unwrap_or(1);
            tokio::spawn(send(host.clone(), requests, start + offset, every))
        })
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await??);
    }
    let seconds = start.elapsed().as_secs_f64();
    let used = processor_time(child.id()).zip(used).map(|(after, before)| after.saturating_sub(before));
    tokio::time::sleep(Duration::from_millis(500)).await;
    taken.sort();
    let at =
        |part: f64| taken.get((taken.len() as f64 * part) as usize).copied().unwrap_or_default().as_secs_f64() * 1e3;
    println!("{} orders in {seconds:.2} s: {:.0} a second", taken.len(), taken.len() as f64 / seconds);
    println!("latency ms: p50 {:.2}, p99 {:.2}, p99.9 {:.2}", at(0.5), at(0.99), at(0.999));
    let (heard, should) = (frames.load(Ordering::Relaxed), taken.len() * SUBSCRIBERS);
    println!("{snapshots} snapshots; {heard} frames to {SUBSCRIBERS} subscribers, of {should} changes");
    let each = check.as_secs_f64() * 1e6;
    let share = |whole: f64| 100.0 * check.as_secs_f64() * taken.len() as f64 / whole;
    println!("signature check: {each:.1} us each, {:.0} % of one core at this rate", share(seconds));
    if let Some(used) = used.map(|used| used.as_secs_f64()).filter(|used| *used > 0.0) {
        let per_order = used * 1e6 / taken.len() as f64;
        println!("the exchange: {per_order:.0} us of processor time an order, {:.0} % of it signatures", share(used));
    }
    Ok(())
}
