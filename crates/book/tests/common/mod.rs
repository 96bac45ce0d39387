//! What the tests of books share: a card, levels from texts, and the venue's hash computed the slow way.
#![allow(dead_code, reason = "each test file uses its part")]

use oddsmith_book::PairBook;
use oddsmith_domain::{
    AssetId, BookLevel, ConditionId, LevelChange, MarketCard, MarketId, MarketSource, Outcome, Price, Shares, Side,
    SizeText, SnapshotHeader, Tick, Time, TokenId, VenueHash,
};
use sha1::{Digest, Sha1};

pub const CONDITION: &str = "0xb26d551b9a4455f7c20fd0d2332f5830a08e776c6df57c9641deba2dc3d3a1ab";
pub const TOKENS: [&str; 2] = [
    "96032845026589264419652263767853273417682663975879399135125885387803393541415",
    "64384800819997255425745149293621450616076016561538740277631743965307606232417",
];
pub const STREAM: MarketSource = MarketSource::Shard(0);

pub const BIDS: [(&str, &str); 3] = [("0.01", "1485.64"), ("0.3", "12.50"), ("0.49", "100")];
pub const ASKS: [(&str, &str); 2] = [("0.52", "50"), ("0.99", "7")];

pub fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(CONDITION).expect("condition"),
        slug: String::from("test"),
        question: String::from("Test?"),
        tokens: TOKENS.map(|text| TokenId::parse(text).expect("token")),
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

pub fn price(text: &str) -> Price {
    Price::parse(text.as_bytes()).expect("price")
}

pub fn level(at: &str, size: &str) -> BookLevel {
    let decimals = |text: &str| text.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u8);
    BookLevel {
        price: price(at),
        price_decimals: decimals(at),
        size: SizeText { shares: Shares::parse(size.as_bytes()).expect("size"), decimals: decimals(size) },
    }
}

pub fn levels(texts: &[(&str, &str)]) -> Vec<BookLevel> {
    texts.iter().map(|(price, size)| level(price, size)).collect()
}

pub fn at(ms: u64) -> Time {
    Time { mono_ns: ms * Time::MILLI, wall_ns: 0 }
}

pub fn asset(outcome: Outcome) -> AssetId {
    MarketId(0).asset(outcome)
}

pub fn header(outcome: Outcome, timestamp_ms: u64) -> SnapshotHeader {
    SnapshotHeader {
        asset: asset(outcome),
        timestamp_ms,
        hash: None,
        first_level: 0,
        bids: 0,
        asks: 0,
        tick: None,
        min_size: None,
        neg_risk: None,
        last_trade: None,
        last_trade_stated: true,
        version_v2: false,
        irregular_text: false,
    }
}

pub fn change(outcome: Outcome, side: Side, level: BookLevel, timestamp_ms: u64) -> LevelChange {
    LevelChange {
        asset: asset(outcome),
        side,
        level,
        timestamp_ms,
        hash: None,
        best_bid: None,
        best_ask: None,
        irregular_text: false,
    }
}

/// The venue's hash the slow way, from texts. Levels in any order.
pub fn venue_hash(outcome: Outcome, timestamp_ms: u64, bids: &[(&str, &str)], asks: &[(&str, &str)]) -> VenueHash {
    venue_hash_after(outcome, timestamp_ms, bids, asks, "")
}

pub fn venue_hash_after(
    outcome: Outcome,
    timestamp_ms: u64,
    bids: &[(&str, &str)],
    asks: &[(&str, &str)],
    last_trade: &str,
) -> VenueHash {
    let list = |levels: &[(&str, &str)], descending: bool| {
        let mut levels = levels.to_vec();
        levels.sort_by_key(|(at, _)| price(at));
        if descending {
            levels.reverse();
        }
        let texts: Vec<_> =
            levels.iter().map(|(at, size)| format!("{{\"price\":\"{at}\",\"size\":\"{size}\"}}")).collect();
        texts.join(",")
    };
    let text = format!(
        "{{\"market\":\"{CONDITION}\",\"asset_id\":\"{}\",\"timestamp\":\"{timestamp_ms}\",\"hash\":\"\",\"bids\":[{}],\
         \"asks\":[{}],\"min_order_size\":\"5\",\"tick_size\":\"0.01\",\"neg_risk\":false,\"last_trade_price\":\"{last_trade}\"}}",
        TOKENS[outcome.index()],
        list(bids, false),
        list(asks, true),
    );
    VenueHash(Sha1::digest(text.as_bytes()).into())
}

/// A book of YES bids and asks at `timestamp_ms`, proven by its hash.
pub fn book(bids: &[(&str, &str)], asks: &[(&str, &str)], timestamp_ms: u64) -> PairBook {
    let mut book = PairBook::new(&card());
    let header = SnapshotHeader {
        hash: Some(venue_hash(Outcome::Yes, timestamp_ms, bids, asks)),
        ..header(Outcome::Yes, timestamp_ms)
    };
    book.apply_snapshot(Outcome::Yes, &header, &levels(bids), &levels(asks), at(0), STREAM);
    book
}

/// A side as texts of price units and whole micros, best first.
pub fn side(book: &PairBook, outcome: Outcome, side: Side) -> Vec<(u16, i64)> {
    book.levels(outcome, side).map(|level| (level.price.units(), level.size.micros())).collect()
}
