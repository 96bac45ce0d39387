//! What the behaviour tests share: where the recorded data lies, and a slow reference decoder.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::PathBuf;

use oddsmith_domain::{
    BookLevel, ConditionId, LevelChange, MarketBatch, MarketCard, MarketEvent, MarketId, Price, Shares, Side, SizeText,
    SnapshotHeader, Tick, TokenId, VenueHash,
};
use oddsmith_polymarket::AssetTable;
use serde_json::Value;

/// The folder of shared recordings, or `None` (and a sentence on stderr) when it is not there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ODDSMITH_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let folder = root.join(path);
    if folder.exists() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

/// A card that knows nothing but its ids.
pub fn card(condition: &str, tokens: [&str; 2]) -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(condition).expect("a condition"),
        slug: String::new(),
        question: String::new(),
        tokens: tokens.map(|text| TokenId::parse(text).expect("a token")),
        outcomes: [String::from("Yes"), String::from("No")],
        tick: None,
        min_size: None,
        fee: None,
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

/// A table of these tokens, two by two, under made-up conditions.
pub fn table_of(tokens: &[String]) -> AssetTable {
    let mut table = AssetTable::new();
    for (n, pair) in (0u32..).zip(tokens.chunks(2)) {
        let other = pair.get(1).cloned().unwrap_or_else(|| (1_000 + n).to_string());
        table.insert(MarketId(n), &card(&format!("0x{n:064x}"), [&pair[0], &other]));
    }
    table
}

fn text<'v>(object: &'v Value, key: &str) -> Option<&'v str> {
    object.get(key)?.as_str()
}

fn decimals(text: &str) -> u8 {
    text.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u8)
}

fn regular(text: &str) -> bool {
    let whole = text.split('.').next().unwrap_or_default();
    !whole.is_empty() && (whole == "0" || !whole.starts_with('0')) && !text.ends_with('.')
}

fn level(object: &Value) -> Option<(BookLevel, bool)> {
    let (price, size) = (text(object, "price")?, text(object, "size")?);
    let shares: Shares = size.parse().ok().filter(|shares: &Shares| !size.starts_with('-') && shares.micros() >= 0)?;
    let level = BookLevel {
        price: price.parse().ok()?,
        price_decimals: decimals(price),
        size: SizeText { shares, decimals: decimals(size) },
    };
    Some((level, regular(price) && regular(size)))
}

fn side(object: &Value) -> Option<Side> {
    match text(object, "side")? {
        "BUY" => Some(Side::Buy),
        "SELL" => Some(Side::Sell),
        _ => None,
    }
}

fn hash(object: &Value) -> Option<VenueHash> {
    let bytes = hex::decode(text(object, "hash")?).ok()?;
    Some(VenueHash(bytes.try_into().ok()?))
}

fn price(object: &Value, key: &str) -> Option<Price> {
    text(object, key)?.parse().ok()
}

/// Decodes a well-formed element the slow way; `None` when it is none, or about a token that is not ours.
fn element(table: &AssetTable, object: &Value, batch: &mut MarketBatch) -> Option<()> {
    let timestamp_ms = text(object, "timestamp")?.parse().ok()?;
    let asset = |object| table.lookup(text(object, "asset_id")?.as_bytes());
    match text(object, "event_type").unwrap_or("book") {
        "book" => {
            let header = book(asset(object)?, timestamp_ms, object, batch)?;
            batch.events.push(MarketEvent::Snapshot(header));
        }
        "price_change" => {
            for change in object.get("price_changes")?.as_array()? {
                let Some(asset) = asset(change) else { continue };
                let (level, regular) = level(change)?;
                batch.events.push(MarketEvent::Change(LevelChange {
                    asset,
                    side: side(change)?,
                    level,
                    timestamp_ms,
                    hash: hash(change),
                    best_bid: price(change, "best_bid"),
                    best_ask: price(change, "best_ask"),
                    irregular_text: !regular,
                }));
            }
        }
        "last_trade_price" => batch.events.push(MarketEvent::LastTrade {
            asset: asset(object)?,
            price: price(object, "price")?,
            size: text(object, "size")?.parse().ok()?,
            side: side(object)?,
            timestamp_ms,
        }),
        "tick_size_change" => batch.events.push(MarketEvent::TickChange {
            asset: asset(object)?,
            tick: Tick::parse(text(object, "new_tick_size")?.as_bytes()).ok()?,
            timestamp_ms,
        }),
        "best_bid_ask" => batch.events.push(MarketEvent::BestBidAsk {
            asset: asset(object)?,
            best_bid: price(object, "best_bid")?,
            best_ask: price(object, "best_ask")?,
            timestamp_ms,
        }),
        "market_resolved" => batch.events.push(MarketEvent::Resolved {
            market: table.market(text(object, "market")?.as_bytes())?,
            winner: text(object, "winning_asset_id").and_then(|token| table.lookup(token.as_bytes())),
            timestamp_ms,
        }),
        _ => {}
    }
    Some(())
}

fn book(
    asset: oddsmith_domain::AssetId,
    timestamp_ms: u64,
    object: &Value,
    batch: &mut MarketBatch,
) -> Option<SnapshotHeader> {
    let first_level = batch.levels.len() as u32;
    let mut all_regular = true;
    let mut counts = [0u32; 2];
    for (count, key) in counts.iter_mut().zip(["bids", "asks"]) {
        for entry in object.get(key)?.as_array()? {
            let (level, regular) = level(entry)?;
            all_regular &= regular;
            batch.levels.push(level);
            *count += 1;
        }
    }
    let tick = text(object, "tick_size").map(|text| Tick::parse(text.as_bytes()).expect("a tick"));
    let last_trade = price(object, "last_trade_price");
    if let Some(text) = text(object, "last_trade_price").filter(|text| !text.is_empty()) {
        let usual = decimals(text) == 3 || (decimals(text) == 4 && !text.ends_with('0'));
        all_regular &= usual && regular(text);
    }
    Some(SnapshotHeader {
        asset,
        timestamp_ms,
        hash: hash(object),
        first_level,
        bids: counts[0],
        asks: counts[1],
        tick,
        min_size: text(object, "min_order_size").and_then(|text| text.parse().ok()),
        neg_risk: object.get("neg_risk").and_then(Value::as_bool),
        last_trade,
        last_trade_stated: object.get("last_trade_price").is_some(),
        version_v2: text(object, "version") == Some("v2"),
        irregular_text: !all_regular,
    })
}

/// Decodes a well-formed frame the slow way.
pub fn reference(table: &AssetTable, frame: &[u8]) -> MarketBatch {
    let mut batch = MarketBatch::default();
    let value: Value = serde_json::from_slice(frame).expect("well-formed");
    let elements = match value {
        Value::Array(elements) => elements,
        one => vec![one],
    };
    for object in &elements {
        element(table, object, &mut batch);
    }
    batch
}
