//! Socket payloads of others, market and user channel: each decodes, or stands here with the reason why it does not.

mod common;

use std::fs;
use std::path::Path;

use common::shared;
use oddsmith_domain::{MarketBatch, MarketId};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;
use oddsmith_polymarket::codec::user::UserDecoder;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Market,
    User,
}

use Channel::*;

/// File, channel, how many elements decode, and a part of the fault of the one that does not; `""` when there is none.
const FILES: &[(&str, Channel, u32, &str)] = &[
    ("nautilus/unit/clob_book_response.json", Market, 1, ""),
    ("nautilus/unit/ws_book_snapshot.json", Market, 1, ""),
    ("nautilus/unit/ws_last_trade.json", Market, 1, ""),
    ("nautilus/unit/ws_market_best_bid_ask_msg.json", Market, 1, ""),
    ("nautilus/unit/ws_market_book_msg.json", Market, 1, ""),
    ("nautilus/unit/ws_market_last_trade_msg.json", Market, 1, ""),
    ("nautilus/unit/ws_market_new_market_msg.json", Market, 1, ""),
    ("nautilus/unit/ws_market_price_change_msg.json", Market, 1, ""),
    ("nautilus/unit/ws_market_resolved_msg.json", Market, 1, ""),
    ("nautilus/unit/ws_market_tick_size_msg.json", Market, 1, ""),
    ("nautilus/unit/ws_quotes.json", Market, 1, ""),
    ("nautilus/unit/ws_tick_size_change.json", Market, 1, ""),
    ("nautilus/ws/book.json", Market, 1, ""),
    ("nautilus/ws/last_trade_price.json", Market, 1, ""),
    ("nautilus/ws/price_change.json", Market, 1, ""),
    ("nautilus/ws/price_change_v2.json", Market, 1, ""),
    ("nautilus/ws/tick_size_change.json", Market, 1, ""),
    ("nautilus/http/book.json", Market, 1, ""),
    ("hugompt/clob_book.json", Market, 1, ""),
    ("chaddy/polymarket-market-channel.jsonl", Market, 2, ""),
    ("adriancova/ws-market-v2-session.excerpt.jsonl", Market, 1, ""),
    ("nautilus/unit/ws_user_order_cancellation.json", User, 0, "order id"),
    ("nautilus/unit/ws_user_order_fok_killed.json", User, 0, "order id"),
    ("nautilus/unit/ws_user_order_matched.json", User, 0, "order id"),
    ("nautilus/unit/ws_user_order_msg.json", User, 0, "order id"),
    ("nautilus/unit/ws_user_order_placement.json", User, 0, "order id"),
    ("nautilus/unit/ws_user_order_update.json", User, 0, "order id"),
    ("nautilus/unit/ws_user_order_venue_cancel.json", User, 0, "order id"),
    ("nautilus/unit/ws_user_trade.json", User, 0, "order id"),
    ("nautilus/unit/ws_user_trade_msg.json", User, 0, "order id"),
    ("nautilus/ws/order_cancel.json", User, 1, ""),
    ("nautilus/ws/order_placement.json", User, 1, ""),
    ("nautilus/ws/trades.json", User, 1, ""),
    ("nautilus/ws/user_trade1.json", User, 1, ""),
    ("nautilus/ws/user_trade2.json", User, 1, ""),
    ("nautilus/ws/user_trade3.json", User, 1, ""),
    ("nautilus/ws/user_trade4.json", User, 1, ""),
    ("chaddy/polymarket-user-channel.jsonl", User, 0, "order id"),
];

/// The frames of a file: the whole of it, or its lines; of a recorded session, what was received and is not a PONG.
fn frames(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a file");
    if path.extension().is_none_or(|extension| extension != "jsonl") {
        return vec![text];
    }
    let frame = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        match value.get("dir").and_then(serde_json::Value::as_str) {
            None => Some(line.to_owned()),
            Some("recv") => value["data"].as_str().filter(|data| *data != "PONG").map(str::to_owned),
            Some(_) => None,
        }
    };
    text.lines().filter(|line| !line.is_empty()).filter_map(frame).collect()
}

#[test]
fn every_socket_fixture_decodes_or_has_its_reason() {
    let Some(folder) = shared("data/polymarket/fixtures") else { return };
    // Every token that the market files speak of is ours, so that nothing is passed over as foreign.
    let (mut table, mut markets) = (AssetTable::new(), 0);
    let (mut decoder, mut batch) = (MarketDecoder::new(), MarketBatch::default());
    for (file, channel, decoded, reason) in FILES {
        let (mut elements, mut undecodable, mut fault) = (0, 0, String::new());
        for frame in frames(&folder.join(file)) {
            if *channel == User {
                let report = UserDecoder::new().decode(&table, frame.as_bytes(), &mut Vec::new());
                elements += report.elements;
                undecodable += report.undecodable;
                fault = report.first_fault.map_or(fault, |fault| fault.to_string());
                continue;
            }
            for part in frame.split("\"asset_id\"").skip(1) {
                let token = part.split('"').nth(1).expect("a token");
                if table.lookup(token.as_bytes()).is_none() {
                    let card = common::card(&format!("0x{markets:x}"), [token, &(markets + 1).to_string()]);
                    table.insert(MarketId(markets), &card);
                    markets += 1;
                }
            }
            let report = decoder.decode(&table, frame.as_bytes(), &mut batch);
            assert_eq!(
                (report.unknown_assets, report.unknown_events),
                (u32::from(file.contains("resolved")), 0),
                "{file}"
            );
            elements += report.elements;
            undecodable += report.undecodable;
            fault = report.first_fault.map_or(fault, |fault| fault.to_string());
        }
        eprintln!("{file:55} {channel:?} {elements} decoded, {undecodable} not {fault}");
        assert_eq!(elements, *decoded, "{file}: {fault}");
        assert_eq!(undecodable > 0, !reason.is_empty(), "{file}: {fault}");
        assert!(fault.contains(reason), "{file}: {fault}");
    }
}

#[test]
fn no_socket_fixture_is_forgotten() {
    let Some(folder) = shared("data/polymarket/fixtures") else { return };
    for place in ["nautilus/ws", "nautilus/unit"] {
        for entry in fs::read_dir(folder.join(place)).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            let file = format!("{place}/{name}");
            let socket = place.ends_with("/ws") || name.starts_with("ws_");
            assert!(!socket || FILES.iter().any(|(known, ..)| *known == file), "{file}");
        }
    }
}
