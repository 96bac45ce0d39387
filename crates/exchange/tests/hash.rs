//! What is published can be rebuilt: the client's book follows every event and reproduces every hash.

mod support;

use std::collections::BTreeMap;

use oddsmith_book::{HashPolicy, PairBook};
use oddsmith_domain::{
    BookHealth, BookLevel, LevelChange, MarketId, MarketSource, Outcome, Price, Shares, Side, SizeText, SnapshotHeader,
    Time,
};
use oddsmith_exchange::core::{BookSnapshot, Config, Core, CoreEvent, PublicEvent};
use oddsmith_exchange::world::{World, standard_rooms};
use serde_json::Value;
use support::{S, START};

const SHARD: MarketSource = MarketSource::Shard(0);

fn at(ns: u64) -> Time {
    Time { mono_ns: ns - START + S, wall_ns: ns }
}

fn decimals(text: &str) -> u8 {
    text.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u8)
}

fn level(price: &str, size: &str) -> BookLevel {
    let size_text = SizeText { shares: size.parse().expect("shares"), decimals: decimals(size) };
    BookLevel { price: price.parse().expect("a price"), price_decimals: decimals(price), size: size_text }
}

fn levels(json: &str) -> Vec<BookLevel> {
    let list: Vec<Value> = serde_json::from_str(json).expect("a JSON array");
    let text = |value: &Value, key: &str| value[key].as_str().expect("a string").to_owned();
    list.iter().map(|value| level(&text(value, "price"), &text(value, "size"))).collect()
}

fn snapshot(book: &mut PairBook, market: MarketId, outcome: Outcome, shown: &BookSnapshot, now: Time) {
    let (bids, asks) = (levels(&shown.bids_json), levels(&shown.asks_json));
    let header = SnapshotHeader {
        asset: market.asset(outcome),
        timestamp_ms: shown.timestamp_ms,
        hash: Some(shown.hash),
        first_level: 0,
        bids: bids.len() as u32,
        asks: asks.len() as u32,
        tick: Some(shown.tick),
        min_size: Some(shown.min_size),
        neg_risk: Some(shown.neg_risk),
        last_trade: shown.last_trade_price.parse().ok(),
        last_trade_stated: true,
        version_v2: shown.version_v2,
        irregular_text: false,
    };
    let applied = book.apply_snapshot(outcome, &header, &bids, &asks, now, SHARD);
    assert_eq!(format!("{:?}", applied.hash), "Reproduced", "{shown:?}");
    assert!(bids.windows(2).all(|pair| pair[0].price < pair[1].price), "bids go up");
    assert!(asks.windows(2).all(|pair| pair[0].price > pair[1].price), "asks go down");
}

fn follow(books: &mut BTreeMap<MarketId, PairBook>, event: &PublicEvent, now: Time) {
    let market = event.market();
    let Some(book) = books.get_mut(&market) else { return };
    match event {
        PublicEvent::Book { outcome, book: shown, .. } => snapshot(book, market, *outcome, shown, now),
        PublicEvent::PriceChange { timestamp_ms, changes, .. } => {
            for change in changes {
                let applied = LevelChange {
                    asset: market.asset(change.outcome),
                    side: change.side,
                    level: level(&change.price.to_string(), &change.size.to_string()),
                    timestamp_ms: *timestamp_ms,
                    hash: Some(change.hash),
                    best_bid: Some(change.best_bid),
                    best_ask: Some(change.best_ask),
                    irregular_text: false,
                };
                book.apply_change(&applied, now);
                let top = |side| book.levels(change.outcome, side).next().map(|level| level.price);
                assert_eq!(top(Side::Buy).unwrap_or(Price::ZERO), change.best_bid, "after each change");
                assert_eq!(top(Side::Sell).unwrap_or(Price::ONE), change.best_ask, "after each change");
            }
        }
        PublicEvent::LastTrade { outcome, price, size, side, timestamp_ms, .. } => {
            book.apply_trade(*outcome, *price, *size, *side, *timestamp_ms, now);
        }
        PublicEvent::TickChange { outcome, new, .. } => book.tick_change(*outcome, *new),
        _ => {}
    }
    book.end_of_frame(now);
}

#[test]
fn a_client_rebuilds_every_book_and_every_hash() {
    let mut core = Core::new(Config::default(), 21, START);
    let mut world = World::new(&mut core, standard_rooms(START / S), 3.0, 21, START);
    world.step(&mut core, START + S / 100);
    let mut events = Vec::new();
    core.drain_events(&mut events);
    let mut books: BTreeMap<MarketId, PairBook> = BTreeMap::new();
    let mut now = START + S / 100;
    for market in core.markets() {
        let mut book = PairBook::new(&market.card());
        book.set_hash_policy(HashPolicy::Every);
        for outcome in Outcome::BOTH {
            snapshot(&mut book, market.id, outcome, &market.snapshot(outcome), at(now));
        }
        books.insert(market.id, book);
    }
    for _ in 0..600 {
        now += S / 20;
        world.step(&mut core, now);
        events.clear();
        core.drain_events(&mut events);
        for event in &events {
            if let CoreEvent::Public(event) = event {
                follow(&mut books, event, at(now));
            }
        }
    }
    let mut checked = 0;
    for (market, book) in &mut books {
        book.finish_batch();
        let counts = book.hash_counts();
        assert_eq!((counts.checked, counts.unverifiable, counts.unfinished), (counts.reproduced, 0, 0), "{market:?}");
        assert_ne!(book.worst_health(), BookHealth::Dirty, "{market:?}");
        checked += counts.checked;
        let listed = core.market(*market).expect("a market");
        for (outcome, side) in [(Outcome::Yes, Side::Buy), (Outcome::No, Side::Sell)] {
            let mine: Vec<(Price, Shares)> =
                book.levels(outcome, side).map(|level| (level.price, level.size)).collect();
            assert_eq!(mine, listed.levels(outcome, side).collect::<Vec<_>>());
        }
    }
    assert!(checked > 5_000, "only {checked} hashes were checked");
}

#[test]
fn the_published_book_is_json_in_the_venues_order() {
    let mut desk = support::Desk::new();
    desk.put(0, "BUY YES 12.5 @ 0.4");
    desk.put(0, "BUY NO 7 @ 0.3");
    let market = desk.core.market(desk.market).expect("a market");
    let mut json = String::new();
    market.snapshot(Outcome::No).write_json(Some("book"), &mut json);
    let value: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["bids"], serde_json::json!([{"price": "0.3", "size": "7"}]));
    assert_eq!(value["asks"], serde_json::json!([{"price": "0.6", "size": "12.5"}]));
    assert_eq!((value["last_trade_price"].as_str(), value["event_type"].as_str()), (Some(""), Some("book")));
    assert_eq!(value["hash"].as_str().map(str::len), Some(40));
}
