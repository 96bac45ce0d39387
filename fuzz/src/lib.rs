//! What is done with hostile bytes, and the seeds that fuzzing begins with.
//!
//! Each target is a plain function, so that the same code runs under the fuzzer and, over the corpora, in the tests. Besides
//! not panicking a target asserts what must hold whatever the bytes were.

mod seeds;
mod server;

use std::fs;

use oddsmith_book::PairBook;
use oddsmith_domain::{
    AssetId, ConditionId, ExchangeKind, MarketBatch, MarketCard, MarketId, MarketSource, OrderId, Outcome,
    PlaceOutcome, Shares, Tick, Time, TokenId,
};
use oddsmith_exchange::core::{Config, Core, MarketSpec, PlaceRequest};
use oddsmith_exchange::scenario::Scenario;
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::amounts::Amounts;
use oddsmith_polymarket::auth::HmacKey;
use oddsmith_polymarket::codec::market::MarketDecoder;
use oddsmith_polymarket::codec::user::UserDecoder;
use oddsmith_polymarket::codec::{calendar, data, gamma, rest};
use oddsmith_polymarket::error::{HttpReply, reply};
use oddsmith_polymarket::order::{OrderHasher, OrderSignature, POLYGON, Recoverer, verify_order};
use oddsmith_polymarket::session::{MarketSession, SessionSettings, UserSession};
use oddsmith_polymarket::wire;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use seeds::seeds;

/// A target: its name and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 6] = [
    ("scanner", scanner),
    ("rest", rest),
    ("order_endpoint", order_endpoint),
    ("socket_frames", socket_frames),
    ("journal", journal),
    ("configuration", configuration),
];

const CONDITION: &str = "0x00000000000000000000000000000000000000000000000000000000000000ab";
const TOKENS: [&str; 2] = [
    "48388091485466084032258596983551595414700058539322197443810535093166937854987",
    "61239215649395191360236665642361373285369855891601242399674202107726866894461",
];
const NOW: Time = Time { mono_ns: 1_000_000_000, wall_ns: 1_760_000_000_000_000_000 };

fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(CONDITION).expect("a constant"),
        slug: String::from("rain"),
        question: String::from("Rain?"),
        tokens: TOKENS.map(|text| TokenId::parse(text).expect("a constant")),
        outcomes: [String::from("Yes"), String::from("No")],
        tick: Some(Tick::Cent),
        min_size: Some(Shares::from_whole(5)),
        fee: None,
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

fn table() -> AssetTable {
    let mut table = AssetTable::new();
    table.insert(MarketId(0), &card());
    table
}

/// Frames of the market and the user channel, one on each line, decoded and applied to a book.
pub fn scanner(data: &[u8]) {
    let (table, mut decoder) = (table(), MarketDecoder::new());
    let mut book = PairBook::new(&card());
    let (mut batch, mut again) = (MarketBatch::default(), MarketBatch::default());
    for (number, frame) in data.split(|byte| *byte == b'\n').enumerate() {
        let report = decoder.decode(&table, frame, &mut batch);
        let second = MarketDecoder::new().decode(&table, frame, &mut again);
        assert_eq!((report, &batch.events, &batch.levels), (second, &again.events, &again.levels), "decoding is pure");
        assert!(report.undecodable == 0 || report.first_fault.is_some(), "what was not decoded is explained");
        let now = NOW.plus_ns(number as u64 * Time::MILLI);
        for event in &batch.events {
            book.apply_event(&batch, event, now, MarketSource::Shard(0));
        }
        book.idle_check(now);
        for outcome in Outcome::BOTH {
            let (bid, ask) = (book.best_bid(outcome), book.best_ask(outcome));
            assert!(bid.is_none_or(|top| top.size.is_positive()) && ask.is_none_or(|top| top.size.is_positive()));
        }
        let mut events = Vec::new();
        let report = UserDecoder::new().decode(&table, frame, &mut events);
        assert!(report.undecodable == 0 || report.first_fault.is_some(), "what was not decoded is explained");
    }
}

/// Bodies of REST replies: ours to read as a client, and error bodies with a status in front.
pub fn rest(data: &[u8]) {
    let table = table();
    if let Some((head, body)) = data.split_first_chunk::<2>() {
        answers(u16::from_be_bytes(*head) % 600, body);
    }
    answers(200, data);
    round_trip::<wire::Page<wire::OpenOrder>>(data);
    round_trip::<wire::Page<wire::Trade>>(data);
    round_trip::<wire::Market>(data);
    round_trip::<wire::ClobMarket>(data);
    round_trip::<wire::Book>(data);
    round_trip::<wire::BalanceAllowance>(data);
    round_trip::<wire::Notification>(data);
    round_trip::<wire::ApiKeyCreds>(data);
    if let Ok(order) = rest::decode::<wire::OpenOrder>("an order", data) {
        let _ = rest::account::open_order(&order.value, &table);
    }
    if let Ok(trade) = rest::decode::<wire::Trade>("a trade", data) {
        let _ = rest::account::trade(&trade.value, &table);
    }
    if let Ok(balance) = rest::decode::<wire::BalanceAllowance>("a balance", data) {
        assert!(rest::account::collateral(&balance.value).map_or(true, |usdc| !usdc.is_negative()), "nobody owes");
    }
    cards(data);
    let _ = (data::positions(data, &table), data::positions_v2(data, &table), data::value(data));
    let _ = (rest::server_time(data), rest::protocol(data));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = (calendar::unix_seconds(text), reply::retry_after_ms(text), HmacKey::from_secret(text));
    }
}

fn cards(data: &[u8]) {
    let market = rest::decode::<wire::Market>("a market", data).ok();
    let card = market.and_then(|market| rest::markets::market_card(&market.value).ok());
    if let Ok(clob) = rest::decode::<wire::ClobMarket>("parameters", data) {
        let alone = rest::markets::clob_card(&clob.value);
        if let (Some(card), Ok(_)) = (card, alone) {
            let _ = rest::markets::refine(card, &clob.value);
        }
    }
    let events = gamma::events(data).map(|page| page.items).unwrap_or_default();
    let markets = gamma::markets(data).map(|page| page.items).unwrap_or_default();
    for market in events.iter().flat_map(|event| &event.markets).chain(&markets) {
        if let Ok(card) = gamma::card(market) {
            assert_ne!(card.tokens[0], card.tokens[1], "two outcomes have two tokens");
        }
    }
}

/// An order that was never answered by its own id is never taken for accepted.
fn answers(status: u16, body: &[u8]) {
    let order = OrderId([0xab; 32]);
    let named = std::str::from_utf8(body).is_ok_and(|text| text.to_ascii_lowercase().contains(&order.to_string()));
    let answer = HttpReply { status, retry_after: None, body };
    if let PlaceOutcome::Accepted { .. } = reply::place(&answer, &order).outcome {
        // a JSON text can spell the id with escapes, so only a body without any can be judged by its bytes
        assert!((200..300).contains(&status) && (named || body.contains(&b'\\')), "accepted without our id");
    }
    assert_eq!(reply::place_batch(&answer, &[order, order]).outcome.len(), 2);
    let _ = (reply::cancel(&answer, &order), reply::cancel_scope(&answer), reply::heartbeat(&answer));
}

/// What was understood can be written, and what was written is understood.
fn round_trip<T: DeserializeOwned + Serialize>(data: &[u8]) {
    if let Ok(decoded) = rest::decode::<T>("anything", data) {
        let written = serde_json::to_vec(&decoded.value).expect("an object that can be written");
        let read = rest::decode::<T>("anything", &written).expect("an object of ours");
        assert_eq!(read.unknown_fields, 0, "{:?}", read.first_unknown);
    }
}

/// Bodies of `POST /order` and `POST /orders`: sent to a running exchange with good headers, and decoded, checked and brought
/// to a matching core as if they were signed.
pub fn order_endpoint(data: &[u8]) {
    let path = if data.trim_ascii_start().starts_with(b"[") { "/orders" } else { "/order" };
    server::request("POST", path, data);
    let orders = match serde_json::from_slice::<wire::PostOrder>(data) {
        Ok(order) => vec![order],
        Err(_) => serde_json::from_slice::<Vec<wire::PostOrder>>(data).unwrap_or_default(),
    };
    if orders.is_empty() {
        return;
    }
    let (recoverer, hasher) = (Recoverer::new(), OrderHasher::new(POLYGON).expect("a known chain"));
    let mut core = Core::new(Config::default(), 1, NOW.wall_ns);
    let market = core.list_market(MarketSpec::ordinary("any", "?"), NOW.wall_ns);
    let token = core.market(market).map(|market| market.tokens[0]);
    for (number, order) in orders.iter().take(15).enumerate() {
        let mut fields = order.order.fields();
        let amounts = Amounts { maker: fields.maker_amount, taker: fields.taker_amount };
        let _ = (amounts.implied_price(fields.side), amounts.on_grid(fields.side, Tick::Cent));
        if let Ok(signature) = OrderSignature::parse(&order.order.signature) {
            let _ = verify_order(&recoverer, &hasher, ExchangeKind::Ctf, &fields, &signature);
        }
        let key = core.create_key(fields.signer, number as u64).unwrap_or_else(|existing| existing);
        // an order for a token that nobody lists would be refused at once
        fields.token = token.unwrap_or(fields.token);
        let request = PlaceRequest {
            id: hasher.digest(ExchangeKind::Ctf, &fields),
            fields,
            order_type: order.order_type,
            post_only: order.post_only.unwrap_or(false),
            expiration_s: order.order.expiration,
        };
        let _ = core.place(key, &request, NOW.wall_ns + number as u64);
    }
    core.advance(NOW.wall_ns + 60 * Time::SECOND);
}

/// Texts on sockets, one on each line: those that arrive on ours, and those that a running exchange gets on its own.
pub fn socket_frames(data: &[u8]) {
    let texts: Vec<&[u8]> = data.split(|byte| *byte == b'\n').take(64).collect();
    let path = if data.len().is_multiple_of(2) { "/ws/market" } else { "/ws/user" };
    server::frames(path, &texts);
    let table = table();
    let creds =
        wire::ApiKeyCreds { api_key: String::from("k"), secret: String::from("AAAA"), passphrase: String::from("p") };
    let settings = SessionSettings::default();
    let mut market = MarketSession::new(0, settings, 1, NOW);
    let mut user = UserSession::new(creds, settings, 1, NOW);
    let assets: Vec<(AssetId, TokenId)> =
        Outcome::BOTH.map(|outcome| (MarketId(0).asset(outcome), card().token(outcome))).to_vec();
    market.add(&assets, NOW);
    market.on_open(NOW);
    user.on_open(NOW);
    for (number, text) in data.split(|byte| *byte == b'\n').enumerate() {
        let now = NOW.plus_ns(number as u64 * Time::SECOND);
        if market.on_text(text, now) {
            market.look_for_snapshots(text, &table, now);
        }
        user.on_text(text);
        market.on_time(now);
        user.on_time(now);
        while market.poll_output().is_some() {}
        while user.poll_output().is_some() {}
    }
}

/// Segments of a journal: the bytes as they are, and behind a valid header.
pub fn journal(data: &[u8]) {
    let _ = (oddsmith_journal::decode_input(data), oddsmith_journal::decode_output(data));
    let Ok(dir) = tempfile::tempdir() else { return };
    let segment = dir.path().join("00000000.segment");
    let Some((header, _)) = seeds::journal_segment().split_at_checked(64).map(|(h, r)| (h.to_vec(), r.len())) else {
        return;
    };
    for bytes in [data.to_vec(), [&header, data].concat()] {
        if fs::write(&segment, bytes).is_err() {
            return;
        }
        let verified = oddsmith_journal::verify(dir.path());
        if let Ok(mut reader) = oddsmith_journal::Reader::open(dir.path()) {
            let mut records = 0;
            while let Ok(Some(_)) = reader.next() {
                records += 1;
            }
            assert!(verified.is_err() || verified.is_ok_and(|whole| whole.records == records), "both readers agree");
        }
    }
}

/// Scenario files.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Scenario::parse(text) {
        Ok(scenario) => {
            // a scenario that was accepted can be opened
            let mut session = scenario.open(Some(1), NOW.wall_ns);
            let mut transport = Vec::new();
            session.step(NOW.wall_ns + 1, &mut transport);
        }
        Err(why) => assert!(!why.to_string().is_empty(), "a refusal says why"),
    }
}
