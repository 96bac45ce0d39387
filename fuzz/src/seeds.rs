//! What fuzzing begins with: small samples that our own code makes, one of each shape.

use std::fs;
use std::sync::OnceLock;

use oddsmith_domain::{
    AssetId, ExchangeKind, Input, InstanceId, IntentId, OrderFields, OrderType, PlaceOrder, Price, RunId, Shares, Side,
    SignatureType, Time, TokenId,
};
use oddsmith_journal::{Encoder, Options, RecordHead, Writer};
use oddsmith_polymarket::order::{OrderHasher, POLYGON, Signer, order_body, orders_body};
use oddsmith_polymarket::wire::{
    BalanceAllowance, ClobMarket, ClobToken, FeeDetails, GammaMarket, MakerOrder, Market, MarketToken, Number,
    OpenOrder, Page, PostOrderReply, StringList, Text, Trade,
};
use serde::Serialize;

use crate::{CONDITION, NOW, TOKENS};

pub(crate) const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// The seeds of a target; none for a name that is no target's.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "scanner" => frames().into_iter().chain([frames().join(&b'\n')]).collect(),
        "socket_frames" => frames().into_iter().chain(requests()).collect(),
        "rest" => bodies(),
        "order_endpoint" => orders(),
        "journal" => vec![journal_segment().to_vec(), journal_segment().get(64..).unwrap_or_default().to_vec()],
        "configuration" => SCENARIOS.iter().map(|text| text.as_bytes().to_vec()).collect(),
        _ => Vec::new(),
    }
}

fn frames() -> Vec<Vec<u8>> {
    let [yes, no] = TOKENS;
    let order = format!("0x{}", "ab".repeat(32));
    [
        format!(
            "[{{\"market\":\"{CONDITION}\",\"asset_id\":\"{yes}\",\"timestamp\":\"1760000000000\",\"hash\":\"{}\",\
             \"bids\":[{{\"price\":\"0.48\",\"size\":\"30\"}},{{\"price\":\".49\",\"size\":\"20.50\"}}],\
             \"asks\":[{{\"price\":\"0.53\",\"size\":\"60\"}}],\"tick_size\":\"0.01\",\"event_type\":\"book\",\
             \"last_trade_price\":\"0.500\"}}]",
            "3f".repeat(20)
        ),
        format!(
            "{{\"market\":\"{CONDITION}\",\"price_changes\":[{{\"asset_id\":\"{yes}\",\"price\":\"0.5\",\"size\":\"200\",\
             \"side\":\"BUY\",\"hash\":\"{0}\",\"best_bid\":\"0.5\",\"best_ask\":\"0.53\"}},{{\"asset_id\":\"{no}\",\
             \"price\":\"0.5\",\"size\":\"0\",\"side\":\"SELL\",\"hash\":\"{0}\",\"best_bid\":\"0\",\"best_ask\":\"1\"}}],\
             \"timestamp\":\"1760000000100\",\"event_type\":\"price_change\"}}",
            "aa".repeat(20)
        ),
        format!(
            "{{\"event_type\":\"last_trade_price\",\"asset_id\":\"{yes}\",\"market\":\"{CONDITION}\",\"price\":\"0.52\",\
             \"size\":\"5\",\"side\":\"BUY\",\"fee_rate_bps\":\"0\",\"timestamp\":\"1760000000200\"}}"
        ),
        format!(
            "{{\"event_type\":\"tick_size_change\",\"asset_id\":\"{no}\",\"market\":\"{CONDITION}\",\"old_tick_size\":\"0.01\",\
             \"new_tick_size\":\"0.001\",\"timestamp\":\"1760000000300\"}}"
        ),
        format!(
            "{{\"event_type\":\"market_resolved\",\"id\":\"77\",\"market\":\"{CONDITION}\",\"assets_ids\":[\"{yes}\",\"{no}\"],\
             \"winning_asset_id\":\"{no}\",\"winning_outcome\":\"No\",\"timestamp\":\"1760000000400\"}}"
        ),
        format!(
            "{{\"event_type\":\"order\",\"type\":\"UPDATE\",\"id\":\"{order}\",\"owner\":\"k\",\"market\":\"{CONDITION}\",\
             \"asset_id\":\"{yes}\",\"side\":\"BUY\",\"price\":\"0.5\",\"original_size\":\"10\",\"size_matched\":\"2.5\",\
             \"associate_trades\":null,\"status\":\"LIVE\",\"timestamp\":\"1760000000500\"}}"
        ),
        format!("{{\"event_type\":\"trade\",\"type\":\"TRADE\",{}", trade_tail()),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// What clients send on the venue's sockets.
fn requests() -> Vec<Vec<u8>> {
    let [yes, no] = TOKENS;
    [
        String::from("PING"),
        String::from("PONG\nPING\n[]"),
        format!("{{\"type\":\"market\",\"assets_ids\":[\"{yes}\",\"{no}\"],\"initial_dump\":true,\"custom_feature_enabled\":true}}"),
        format!("{{\"operation\":\"subscribe\",\"assets_ids\":[\"{yes}\"],\"level\":2}}\n{{\"operation\":\"unsubscribe\",\"assets_ids\":[\"{yes}\"]}}"),
        format!("{{\"type\":\"user\",\"auth\":{{\"apiKey\":\"k\",\"secret\":\"AAAA\",\"passphrase\":\"p\"}},\"markets\":[\"{CONDITION}\"]}}"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn trade_tail() -> String {
    json(&trade()).split_at(1).1.to_owned()
}

fn trade() -> Trade {
    let order = |digits: &str| format!("0x{}", digits.repeat(32));
    Trade {
        id: String::from("t-1"),
        taker_order_id: order("cd"),
        market: CONDITION.to_owned(),
        asset_id: Text::from(TOKENS[0]),
        side: String::from("BUY"),
        size: Text::from("10"),
        price: Text::from("0.58"),
        status: String::from("MATCHED"),
        match_time: Text::from("1760000000"),
        trader_side: String::from("MAKER"),
        maker_orders: vec![MakerOrder {
            order_id: order("ab"),
            matched_amount: Text::from("10"),
            price: Text::from("0.42"),
            asset_id: Text::from(TOKENS[1]),
            side: String::from("BUY"),
            ..MakerOrder::default()
        }],
        ..Trade::default()
    }
}

fn bodies() -> Vec<Vec<u8>> {
    let order = format!("0x{}", "ab".repeat(32));
    let open = OpenOrder {
        id: order.clone(),
        status: String::from("LIVE"),
        market: CONDITION.to_owned(),
        asset_id: Text::from(TOKENS[0]),
        side: String::from("SELL"),
        original_size: Text::from("10"),
        size_matched: Text::from("2.5"),
        price: Text::from("0.5"),
        ..OpenOrder::default()
    };
    let placed = PostOrderReply {
        success: true,
        order_id: order.clone(),
        status: String::from("live"),
        ..PostOrderReply::default()
    };
    let tokens = || {
        TOKENS.map(|id| MarketToken { token_id: Text::from(id), outcome: String::from("A"), ..MarketToken::default() })
    };
    let market = Market {
        condition_id: CONDITION.to_owned(),
        minimum_tick_size: Number::from("0.01"),
        minimum_order_size: Number::from("5"),
        end_date_iso: Some(String::from("2026-06-24T07:55:00.123+02:00")),
        tokens: tokens().to_vec(),
        ..Market::default()
    };
    let clob = ClobMarket {
        condition_id: CONDITION.to_owned(),
        tokens: TOKENS.map(|id| Some(ClobToken { token_id: Text::from(id), outcome: String::from("A") })).to_vec(),
        min_tick_size: Number::from("0.0025"),
        fee_details: Some(FeeDetails { rate: Number::from("0.07"), exponent: Number::from("1"), taker_only: true }),
        ..ClobMarket::default()
    };
    let gamma = GammaMarket {
        condition_id: CONDITION.to_owned(),
        outcomes: StringList(vec![String::from("Up"), String::from("Down")]),
        clob_token_ids: StringList(TOKENS.map(String::from).to_vec()),
        ..GammaMarket::default()
    };
    let balance = BalanceAllowance { balance: Text::from("12500000"), ..BalanceAllowance::default() };
    let texts = [
        json(&open),
        json(&trade()),
        json(&Page::of(vec![open.clone()], 100, String::from("LTE="))),
        json(&Page::of(vec![trade()], 100, String::from("Mg=="))),
        json(&placed),
        json(&[&placed, &placed]),
        json(&market),
        json(&clob),
        json(&gamma),
        format!("{{\"markets\":[{}],\"next_cursor\":\"x\"}}", json(&gamma)),
        json(&balance),
        format!("{{\"canceled\":[\"{order}\"],\"not_canceled\":{{\"{order}\":\"already canceled or matched\"}}}}"),
        String::from(
            "{\"error\":\"order 0xab is invalid. Duplicated.\",\"code\":\"post_only_mode\",\"retry_after_seconds\":1}",
        ),
        String::from("{\"error_msg\":\"Invalid Heartbeat ID\",\"heartbeat_id\":\"b\"}"),
        String::from(
            "[{\"proxyWallet\":\"0x1\",\"asset\":\"222\",\"conditionId\":\"0xab\",\"size\":262.98,\"avgPrice\":0.6}]",
        ),
        String::from("{\"version\":2}"),
        String::from("1760000000"),
    ];
    let with_status = texts.iter().map(|text| [&400u16.to_be_bytes()[..], text.as_bytes()].concat());
    with_status.chain(texts.iter().map(|text| text.clone().into_bytes())).collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an object that can be written")
}

fn orders() -> Vec<Vec<u8>> {
    let signer = Signer::from_hex(KEY).expect("a key");
    let hasher = OrderHasher::new(POLYGON).expect("a known chain");
    let order = |side, order_type, signature_type| {
        let fields = OrderFields {
            salt: 7,
            maker: signer.address(),
            signer: signer.address(),
            token: TokenId::parse(TOKENS[0]).expect("a token"),
            maker_amount: 5_700_000,
            taker_amount: 10_000_000,
            side,
            signature_type,
            timestamp_ms: NOW.wall_ms(),
            metadata: [0; 32],
            builder: [0; 32],
        };
        let id = hasher.digest(ExchangeKind::Ctf, &fields);
        let place = PlaceOrder {
            id,
            fields,
            exchange: ExchangeKind::Ctf,
            order_type,
            post_only: order_type == OrderType::Gtc,
            expiration_s: if order_type == OrderType::Gtd { NOW.wall_s() + 600 } else { 0 },
            asset: AssetId(0),
            price: Price::ZERO,
            size: Shares::ZERO,
            instance: InstanceId(0),
            intent: IntentId(0),
            deadline_mono_ns: 0,
        };
        (place, signer.sign_order(&hasher, &place))
    };
    let signed = [
        order(Side::Buy, OrderType::Gtc, SignatureType::Eoa),
        order(Side::Sell, OrderType::Gtd, SignatureType::Safe),
        order(Side::Buy, OrderType::Fok, SignatureType::Poly1271),
        order(Side::Buy, OrderType::Fak, SignatureType::Proxy),
    ];
    let mut bodies = Vec::new();
    for (order, signature) in &signed {
        let mut body = Vec::new();
        order_body(order, signature, "00000000-0000-0000-0000-000000000001", &mut body);
        bodies.push(body);
    }
    let mut batch = Vec::new();
    orders_body(signed.iter().map(|(order, signature)| (order, signature)), "k", &mut batch);
    bodies.push(batch);
    bodies
}

/// A sealed segment with three records.
pub(crate) fn journal_segment() -> &'static [u8] {
    static SEGMENT: OnceLock<Vec<u8>> = OnceLock::new();
    SEGMENT.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let run = dir.path().join("run");
        let options = Options { segment_bytes: 4_096, ..Options::default() };
        let mut writer = Writer::create(&run, RunId([7; 16]), &options).expect("a journal");
        let mut encoder = Encoder::default();
        let frame = frames().remove(0);
        let inputs = [
            Input::Tick,
            Input::User { bytes: &frame },
            Input::Market { source: oddsmith_domain::MarketSource::Rest, bytes: &frame },
        ];
        for (number, input) in inputs.iter().enumerate() {
            let record = encoder.input(input).expect("a record");
            let time = Time { mono_ns: number as u64, wall_ns: NOW.wall_ns };
            writer.append(&RecordHead { time, kind: record.kind, ids: record.ids }, record.payload).expect("room");
        }
        writer.close().expect("a sealed journal");
        fs::read(run.join("00000000.segment")).expect("the segment")
    })
}

const SCENARIOS: [&str; 3] = [
    "",
    "activity: 2.0\nexchange:\n  mined_after_ms: 100\nfaults:\n  - after_ms: 5000\n    fault: { freeze_channel: { channel: market, for_ms: 3000 } }\n  - after_ms: 9000\n    fault: { settlements: [retry_then_fail, normal] }\n",
    "seed: 7\nstandard_markets: false\n",
];
