//! The market channel as the venue sends it, as it might send it, and as nobody should.

mod common;

use std::fs;

use common::{reference, shared, table_of};
use oddsmith_domain::{MarketBatch, MarketEvent, MarketId, Outcome, Price, Shares, Side, Tick};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;
use oddsmith_polymarket::codec::{DecodeReport, FaultKind};
use proptest::prelude::*;

const MARKET: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";
const YES: &str = "48388091485466084032258596983551595414700058539322197443810535093166937854987";
const NO: &str = "61239215649395191360236665642361373285369855891601242399674202107726866894461";

fn table() -> AssetTable {
    table_of(&[YES.to_owned(), NO.to_owned()])
}

fn decode(frame: &[u8]) -> (MarketBatch, DecodeReport) {
    let mut batch = MarketBatch::default();
    let report = MarketDecoder::new().decode(&table(), frame, &mut batch);
    (batch, report)
}

fn same(ours: &MarketBatch, theirs: &MarketBatch) -> Result<(), TestCaseError> {
    prop_assert_eq!(&ours.events, &theirs.events);
    prop_assert_eq!(&ours.levels, &theirs.levels);
    Ok(())
}

fn change(token: &str, extra: &str) -> String {
    format!(r#"{{"asset_id":"{token}","price":"0.27","size":"12.50","side":"BUY"{extra}}}"#)
}

fn price_change(entries: &[String]) -> String {
    format!(
        r#"{{"event_type":"price_change","market":"{MARKET}","timestamp":"1760000000100","price_changes":[{}]}}"#,
        entries.join(",")
    )
}

#[test]
fn one_of_each_event() {
    let frame = format!(
        r#"[{{"event_type":"book","asset_id":"{YES}","market":"{MARKET}","timestamp":"1760000000000","hash":"3f",
              "asks":[{{"price":"0.53","size":"60"}}],"bids":[{{"price":"0.48","size":"30"}},{{"price":".49","size":"20"}}],
              "min_order_size":"5","tick_size":"0.01","neg_risk":false,"last_trade_price":""}},
            {},
            {{"event_type":"last_trade_price","asset_id":"{NO}","market":"{MARKET}","price":"0.52","size":"5","side":"SELL",
              "fee_rate_bps":"0","timestamp":"1760000000200","transaction_hash":"0x1"}},
            {{"event_type":"tick_size_change","asset_id":"{YES}","market":"{MARKET}","old_tick_size":"0.01",
              "new_tick_size":"0.001","timestamp":1760000000300}},
            {{"event_type":"best_bid_ask","market":"{MARKET}","asset_id":"{YES}","best_bid":"0","best_ask":"1","spread":"1",
              "timestamp":"1760000000310"}},
            {{"event_type":"new_market","market":"{MARKET}","id":"7","tags":[],"event_message":{{"id":"1"}}}},
            {{"event_type":"market_resolved","id":"77","market":"{MARKET}","assets_ids":["{YES}","{NO}"],
              "winning_asset_id":"{NO}","winning_outcome":"No","timestamp":"1760000000400"}},
            {{"event_type":"weather","degrees":21}}]"#,
        price_change(&[change(NO, r#","best_bid":"","later":true"#)])
    );
    let (batch, report) = decode(frame.as_bytes());
    let [yes, no] = Outcome::BOTH.map(|outcome| MarketId(0).asset(outcome));
    let price = |text: &str| text.parse::<Price>().expect("a price");
    let [MarketEvent::Snapshot(book), MarketEvent::Change(change), rest @ ..] = batch.events.as_slice() else {
        panic!("{:?}", batch.events)
    };
    assert_eq!((book.asset, book.bids, book.asks, book.hash), (yes, 2, 1, None));
    assert_eq!((book.tick, book.neg_risk, book.last_trade), (Some(Tick::Cent), Some(false), None));
    assert!(book.last_trade_stated && book.irregular_text && !book.version_v2);
    assert_eq!(book.min_size, Some(Shares::from_whole(5)));
    assert_eq!(batch.bids(book).iter().map(|level| level.price).collect::<Vec<_>>(), [price("0.48"), price("0.49")]);
    assert_eq!(batch.asks(book).first().map(|level| level.price), Some(price("0.53")));
    assert_eq!((change.asset, change.side, change.best_bid), (no, Side::Buy, None));
    assert_eq!((change.level.size.decimals, change.timestamp_ms), (2, 1_760_000_000_100));
    assert_eq!(
        rest,
        [
            MarketEvent::LastTrade {
                asset: no,
                price: price("0.52"),
                size: Shares::from_whole(5),
                side: Side::Sell,
                timestamp_ms: 1_760_000_000_200,
            },
            MarketEvent::TickChange { asset: yes, tick: Tick::Thousandth, timestamp_ms: 1_760_000_000_300 },
            MarketEvent::BestBidAsk {
                asset: yes,
                best_bid: Price::ZERO,
                best_ask: Price::ONE,
                timestamp_ms: 1_760_000_000_310,
            },
            MarketEvent::Resolved { market: MarketId(0), winner: Some(no), timestamp_ms: 1_760_000_000_400 },
        ]
    );
    assert_eq!((report.elements, report.listings, report.undecodable), (7, 1, 0));
    assert_eq!((report.unknown_events, report.unknown_fields, report.unknown_assets), (1, 1, 0));
    assert!(report.first_unknown.is_some());
}

#[test]
fn a_bad_element_leaves_its_neighbours() {
    let good = price_change(&[change(YES, "")]);
    let bad = price_change(&[change(YES, "")]).replace(r#""timestamp":"1760000000100","#, "");
    let frame = format!("[{good}, {bad}, 17, {good}]");
    let (batch, report) = decode(frame.as_bytes());
    assert_eq!(batch.events.len(), 2);
    assert_eq!((report.elements, report.undecodable), (2, 2));
    let fault = report.first_fault.expect("a fault");
    assert_eq!((fault.kind, fault.field), (FaultKind::Missing, Some("timestamp")));
    assert_eq!(fault.at as usize, good.len() + 3);

    let frame = price_change(&[change(YES, ""), change(YES, "").replace("0.27", "abc"), change(NO, "")]);
    let (batch, report) = decode(frame.as_bytes());
    assert_eq!((batch.events.len(), report.elements, report.undecodable), (2, 1, 1));
    assert_eq!(report.first_fault.map(|fault| fault.kind), Some(FaultKind::NotDecimal));
}

#[test]
fn tokens_that_are_not_ours_are_counted_and_left_out() {
    let frame = price_change(&[change("12345", ""), change(YES, "")]);
    let (batch, report) = decode(frame.as_bytes());
    assert_eq!((batch.events.len(), report.unknown_assets, report.undecodable), (1, 1, 0));
    let (batch, report) =
        decode(br#"{"market":"0x1","asset_id":"5","timestamp":"1","bids":[{"price":"0.1","size":"1"}],"asks":[]}"#);
    assert_eq!((batch.events.len(), batch.levels.len()), (0, 0));
    assert_eq!((report.elements, report.unknown_assets), (1, 1));
}

#[test]
fn hostile_frames_have_clear_faults() {
    let good = price_change(&[change(YES, "")]);
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to).into_bytes()
    };
    let cases: Vec<(Vec<u8>, FaultKind)> = vec![
        (Vec::new(), FaultKind::Truncated),
        (b"PONG".to_vec(), FaultKind::Syntax),
        (b"null".to_vec(), FaultKind::NotAnEvent),
        (b"{}".to_vec(), FaultKind::NotAnEvent),
        (b"{\"error\":\"No orderbook exists for the requested token id\"}".to_vec(), FaultKind::NotAnEvent),
        (format!("{good}{good}").into_bytes(), FaultKind::Trailing),
        (with("\"0.27\"", "0.27"), FaultKind::WrongType),
        (with("\"0.27\"", "\"NaN\""), FaultKind::NotDecimal),
        (with("\"0.27\"", "\"1e-2\""), FaultKind::NotDecimal),
        (with("\"0.27\"", "\"-0.27\""), FaultKind::OutOfRange),
        (with("\"0.27\"", "\"1.27\""), FaultKind::OutOfRange),
        (with("\"0.27\"", "\"0.27001\""), FaultKind::TooFine),
        (with("\"12.50\"", "\"-12.50\""), FaultKind::OutOfRange),
        (with("\"12.50\"", &format!("\"{}\"", "9".repeat(5_000))), FaultKind::OutOfRange),
        (with("\"12.50\"", "null"), FaultKind::WrongType),
        (with("\"BUY\"", "\"HOLD\""), FaultKind::UnknownWord),
        (with("\"BUY\"", "[]"), FaultKind::WrongType),
        (with("\"1760000000100\"", "\"yesterday\""), FaultKind::NotDecimal),
        (with("\"1760000000100\"", "1e13"), FaultKind::NotDecimal),
        (with("\"1760000000100\"", "\"99999999999999999999\""), FaultKind::OutOfRange),
        (with("\"1760000000100\"", "{}"), FaultKind::WrongType),
        (with("\"price_change\"", "5"), FaultKind::WrongType),
        (with("\"market\"", "\"markets\""), FaultKind::Missing),
        (with("\"price_changes\":[", "\"price_changes\":null,\"x\":["), FaultKind::WrongType),
        (with("\"side\":\"BUY\"", "\"side\":\"BUY\",\"side\":\"SELL\""), FaultKind::Duplicate),
        (with("0.27", &format!("{}0.27", "\\\\u0000")), FaultKind::NotDecimal),
        (with("{\"asset_id\"", &format!("{}{{\"asset_id\"", "[".repeat(90_000))), FaultKind::TooDeep),
        ([&good.as_bytes()[..50], b"\xff", &good.as_bytes()[50..]].concat(), FaultKind::NotUtf8),
        (with("0.27", "0.\n27"), FaultKind::Syntax),
    ];
    for (frame, kind) in cases {
        let (batch, report) = decode(&frame);
        let shown = String::from_utf8_lossy(&frame).chars().take(300).collect::<String>();
        let fault = report.first_fault.unwrap_or_else(|| panic!("no fault in {shown}"));
        assert_eq!(fault.kind, kind, "{shown}");
        assert!(fault.at as usize <= frame.len());
        assert!(batch.events.is_empty() || kind == FaultKind::Trailing, "{shown}");
        assert!(!fault.to_string().is_empty());
    }
}

#[test]
fn escapes_in_keys_and_values_are_read() {
    let frame = price_change(&[change(YES, "")])
        .replace("price_changes", "\\u0070rice_changes")
        .replace("\"BUY\"", "\"B\\u0055Y\"")
        .replace("0.27", "0\\u002e27");
    let (batch, report) = decode(frame.as_bytes());
    assert_eq!(report.undecodable, 0, "{report:?}");
    let plain = decode(price_change(&[change(YES, "")]).as_bytes()).0;
    assert_eq!(batch.events, plain.events);
}

#[test]
fn every_cut_of_a_frame_is_survived() {
    let book = format!(
        r#"{{"market":"{MARKET}","asset_id":"{YES}","timestamp":"1","bids":[{{"price":"0.1","size":"1"}}],"asks":[]}}"#
    );
    let frame = format!(
        "[{}, {book}, {{\"event_type\":\"x\",\"y\":[1,{{}}]}}]",
        price_change(&[change(YES, ""), change(NO, "")])
    );
    let mut decoder = MarketDecoder::new();
    let mut batch = MarketBatch::default();
    for _ in 0..2 {
        for end in 0..frame.len() {
            let report = decoder.decode(&table(), &frame.as_bytes()[..end], &mut batch);
            assert_eq!(report.undecodable, 1, "cut at {end}");
            assert_eq!(report.first_fault.map(|fault| fault.kind), Some(FaultKind::Truncated), "cut at {end}");
        }
        let report = decoder.decode(&table(), frame.as_bytes(), &mut batch);
        assert_eq!((report.undecodable, report.elements, report.unknown_events), (0, 2, 1));
    }
}

/// Every frame of the recordings equals what the reference makes of it, first in the general way and then in the fast one.
#[test]
fn recorded_frames_equal_the_reference() {
    let Some(folder) = shared("data/polymarket/raw-frames") else { return };
    let mut frames = Vec::new();
    for run in fs::read_dir(folder).expect("a folder") {
        let path = run.expect("an entry").path().join("raw_messages.jsonl");
        let Ok(lines) = fs::read_to_string(path) else { continue };
        for line in lines.lines() {
            let envelope: serde_json::Value = serde_json::from_str(line).expect("an envelope");
            if envelope["source"] == "polymarket_clob" {
                frames.push(envelope["payload"].as_str().expect("a frame").to_owned());
            }
        }
    }
    assert!(frames.len() > 250, "{} frames", frames.len());
    let mut tokens: Vec<String> = Vec::new();
    for frame in &frames {
        for part in frame.split("\"asset_id\":\"").skip(1) {
            tokens.extend(part.split('"').next().map(str::to_owned));
        }
    }
    tokens.sort();
    tokens.dedup();
    let table = table_of(&tokens);
    let (mut decoder, mut batch) = (MarketDecoder::new(), MarketBatch::default());
    for _ in 0..2 {
        for frame in &frames {
            let report = decoder.decode(&table, frame.as_bytes(), &mut batch);
            assert_eq!((report.undecodable, report.unknown_events, report.unknown_fields), (0, 0, 0), "{frame}");
            let expected = reference(&table, frame.as_bytes());
            assert_eq!(batch.events, expected.events, "{frame}");
            assert_eq!(batch.levels, expected.levels, "{frame}");
        }
    }
}

/// A JSON object to be written in any order, with any space, and with escapes.
#[derive(Clone, Debug)]
struct Shape {
    pairs: Vec<(String, String)>,
    space: &'static str,
    escape: bool,
}

impl Shape {
    fn write(&self) -> String {
        let space = self.space;
        let pairs: Vec<String> = self
            .pairs
            .iter()
            .map(|(key, value)| {
                let key = if self.escape { key.replacen('a', "\\u0061", 1) } else { key.clone() };
                format!("\"{key}\":{space}{value}")
            })
            .collect();
        format!("{{{space}{}{space}}}", pairs.join(&format!(",{space}")))
    }
}

fn shape(pairs: Vec<(&'static str, BoxedStrategy<String>)>) -> impl Strategy<Value = String> {
    let (keys, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let extras = prop::collection::vec(
        (
            "zz[a-z]{1,6}",
            prop::sample::select(vec!["null", "-1.5e3", "[{\"a\":[]}]", "\"\\\\\\\"\"", "{\"price\":\"1\"}"]),
        ),
        0..2,
    );
    let spaces = prop::sample::select(vec!["", "", " ", "\n\t "]);
    let orders = prop::sample::select(vec![false, true]);
    (values, extras, spaces, any::<bool>(), orders).prop_flat_map(move |(values, extras, space, escape, shuffle)| {
        let mut pairs: Vec<(String, String)> = keys.iter().map(|key| (*key).to_owned()).zip(values).collect();
        for (key, value) in extras {
            if !pairs.iter().any(|(known, _)| *known == key) {
                pairs.push((key, value.to_owned()));
            }
        }
        let ordered = if shuffle { Just(pairs).prop_shuffle().boxed() } else { Just(pairs).boxed() };
        ordered.prop_map(move |pairs| Shape { pairs, space, escape: escape && shuffle }.write())
    })
}

fn quoted(text: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    text.prop_map(|text| format!("\"{text}\"")).boxed()
}

fn word(words: &[&'static str]) -> BoxedStrategy<String> {
    quoted(prop::sample::select(words.to_vec()).prop_map(str::to_owned))
}

fn price_text() -> BoxedStrategy<String> {
    quoted(prop_oneof!["0\\.[0-9]{1,4}", "0?\\.[0-9]{1,3}0", Just("1".to_owned()), Just("0".to_owned())])
}

fn size_text() -> BoxedStrategy<String> {
    quoted("[0-9]{1,9}(\\.[0-9]{1,6}0?)?")
}

fn time() -> BoxedStrategy<String> {
    quoted("[1-9][0-9]{0,14}")
}

fn token() -> BoxedStrategy<String> {
    word(&[YES, NO, YES, NO, "12345", "9"])
}

fn hash() -> BoxedStrategy<String> {
    quoted(prop_oneof!["[0-9a-f]{40}", "0x[0-9a-f]{4}"])
}

fn list(entry: impl Strategy<Value = String>, space: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(entry, 0..6).prop_map(move |entries| format!("[{}]", entries.join(&format!(",{space}"))))
}

fn any_element() -> BoxedStrategy<String> {
    let market = || quoted(Just(MARKET.to_owned()));
    let levels = || list(shape(vec![("price", price_text()), ("size", size_text())]), " ").boxed();
    let changes = list(
        shape(vec![
            ("asset_id", token()),
            ("price", price_text()),
            ("size", size_text()),
            ("side", word(&["BUY", "SELL"])),
            ("hash", hash()),
            ("best_bid", price_text()),
            ("best_ask", price_text()),
        ]),
        "",
    );
    prop_oneof![
        4 => shape(vec![
            ("market", market()), ("price_changes", changes.boxed()), ("timestamp", time()),
            ("event_type", word(&["price_change"])),
        ]),
        2 => shape(vec![
            ("market", market()), ("asset_id", token()), ("timestamp", time()), ("hash", hash()), ("bids", levels()),
            ("asks", levels()), ("min_order_size", word(&["5", "15", "0.5"])), ("tick_size", word(&["0.01", "0.0025"])),
            ("neg_risk", prop::sample::select(vec!["true".to_owned(), "false".to_owned()]).boxed()),
            ("last_trade_price", word(&["", "0.130", "0.5", "0.0025"])),
        ]),
        1 => shape(vec![
            ("event_type", word(&["book"])), ("market", market()), ("asset_id", token()), ("timestamp", time()),
            ("bids", levels()), ("asks", levels()), ("version", word(&["v2", "v1"])),
        ]),
        1 => shape(vec![
            ("event_type", word(&["last_trade_price"])), ("asset_id", token()), ("market", market()),
            ("price", price_text()), ("size", size_text()), ("side", word(&["BUY", "SELL"])),
            ("fee_rate_bps", word(&["0"])), ("timestamp", time()),
        ]),
        1 => shape(vec![
            ("event_type", word(&["best_bid_ask"])), ("market", market()), ("asset_id", token()),
            ("best_bid", price_text()), ("best_ask", price_text()), ("spread", price_text()), ("timestamp", time()),
        ]),
        1 => shape(vec![
            ("event_type", word(&["tick_size_change"])), ("asset_id", token()), ("market", market()),
            ("old_tick_size", word(&["0.01"])), ("new_tick_size", word(&["0.001", "0.010"])), ("timestamp", time()),
        ]),
        1 => shape(vec![
            ("event_type", word(&["market_resolved"])), ("market", market()), ("winning_asset_id", token()),
            ("timestamp", time()),
        ]),
    ]
    .boxed()
}

fn any_frame() -> impl Strategy<Value = String> {
    prop_oneof![any_element(), list(any_element(), " "), list(any_element(), "")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_frame_equals_the_reference(frames in prop::collection::vec(any_frame(), 1..6)) {
        let table = table();
        let (mut decoder, mut batch) = (MarketDecoder::new(), MarketBatch::default());
        // Twice, because a decoder learns.
        for frame in frames.iter().chain(&frames) {
            let report = decoder.decode(&table, frame.as_bytes(), &mut batch);
            prop_assert_eq!(report.undecodable, 0, "{:?} {}", report, frame);
            same(&batch, &reference(&table, frame.as_bytes()))?;
        }
    }

    #[test]
    fn a_decoder_that_learned_decodes_as_one_that_did_not(
        lessons in prop::collection::vec(any_element(), 1..4),
        pick in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let table = table();
        let (mut decoder, mut batch) = (MarketDecoder::new(), MarketBatch::default());
        for lesson in &lessons {
            decoder.decode(&table, lesson.as_bytes(), &mut batch);
        }
        let mut frame = pick.get(&lessons).clone().into_bytes();
        let at = at.index(frame.len());
        if cut { frame.truncate(at) } else { frame[at] = byte }
        let report = decoder.decode(&table, &frame, &mut batch);
        let mut fresh = MarketBatch::default();
        let expected = MarketDecoder::new().decode(&table, &frame, &mut fresh);
        prop_assert_eq!(report, expected);
        same(&batch, &fresh)?;
        if serde_json::from_slice::<serde::de::IgnoredAny>(&frame).is_err() {
            prop_assert!(report.undecodable > 0);
        }
    }

    #[test]
    fn garbage_is_survived(frame in prop::collection::vec(any::<u8>(), 0..300)) {
        let (_, report) = decode(&frame);
        prop_assert!(report.undecodable + report.elements + report.unknown_events > 0 || frame.len() < 20);
    }
}
