//! Real lines of Binance: every best bid and ask is read exactly.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use oddsmith_domain::{Symbol, Time};
use oddsmith_feeds::binance::{BinanceSession, Message, decode};
use oddsmith_feeds::{FeedCounts, FeedSettings};

/// The lines of a recording with the recorder's time; `None`, with a sentence, where it is missing.
fn lines(name: &str, most: usize) -> Option<Vec<(u64, String)>> {
    let folder = std::env::var_os("ODDSMITH_SHARED").map_or_else(|| PathBuf::from("../../../shared"), PathBuf::from);
    let path = folder.join("data/binance").join(name);
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("skipped: {name} is not in the recordings");
        return None;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines().take(most).map_while(Result::ok);
    Some(
        lines
            .filter_map(|line| {
                let (ns, json) = line.split_once(' ')?;
                Some((ns.parse().ok()?, json.to_owned()))
            })
            .collect(),
    )
}

#[test]
fn every_price_of_the_spot_market_is_read_to_its_last_digit() {
    let Some(lines) = lines("spot-btcusdt_20240808.gz", 40_000) else { return };
    let mut tickers = 0;
    for (_, json) in &lines {
        let mut messages = Vec::new();
        let unknown = decode(json.as_bytes(), &mut messages);
        match &messages[..] {
            [Ok(Message::Ticker(ticker))] => {
                tickers += 1;
                assert!(json.contains("@bookTicker") && unknown == 0, "{json}");
                let data = &serde_json::from_str::<serde_json::Value>(json).expect("json")["data"];
                let same = |price: String, text: &serde_json::Value| {
                    let text = text.as_str().expect("a text");
                    price == text.trim_end_matches('0').trim_end_matches('.')
                };
                assert!(same(ticker.bid.to_string(), &data["b"]) && same(ticker.ask.to_string(), &data["a"]), "{json}");
                assert!(ticker.bid < ticker.ask);
            }
            [Ok(Message::Unknown)] => assert!(!json.contains("@bookTicker"), "{json}"),
            other => panic!("{json}: {other:?}"),
        }
    }
    assert!(tickers > 1_000, "{tickers} of {}", lines.len());
}

#[test]
fn a_session_takes_the_futures_form_too_and_its_updates_rise() {
    let Some(lines) = lines("usdm-btcusdt_20240718.gz", 40_000) else { return };
    let start = Time { mono_ns: 1, wall_ns: 1 };
    let symbols = vec![(Symbol::new("btc").expect("a symbol"), "btcusdt".to_owned())];
    let mut session = BinanceSession::new(symbols, FeedSettings::default(), 1, start);
    session.on_time(start);
    session.on_open(start);
    let (mut last, mut taken) = (0, 0);
    for (ns, json) in lines.iter().filter(|(_, json)| json.contains("@bookTicker")) {
        session.on_text(json.as_bytes(), Time { mono_ns: *ns, wall_ns: *ns });
        for tick in session.take_ticks() {
            assert!(tick.update > last && tick.source_wall_ms.is_some());
            (last, taken) = (tick.update, taken + 1);
        }
    }
    let FeedCounts { prices, unknown_fields, undecodable, .. } = session.counts();
    assert_eq!((prices, unknown_fields, undecodable), (taken, 0, 0));
    assert!(prices > 1_000, "{prices}");
}
