//! The inputs: frames of the sizes that the reference figures were taken with.

use std::fmt::Write as _;

use sha1::{Digest, Sha1};

use oddsmith_domain::{ConditionId, MarketCard, MarketId, Shares, Tick, TokenId};
use oddsmith_polymarket::AssetTable;

pub const YES: &str = "48388091485466084032258596983551595414700058539322197443810535093166937854987";
pub const NO: &str = "61239215649395191360236665642361373285369855891601242399674202107726866894461";
pub const MARKET: &str = "0xd2d9b87685f3522db7ba4da4eb9caa802a8419b4bc52beeac2866ec1fb5a2b62";
const HASH: &str = "f3cc31114e050a10b3d72e6f8a2233f63b19489c";

/// The market that all frames are about.
pub fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse(MARKET).expect("a condition"),
        slug: "benchmark".into(),
        question: "Does it run?".into(),
        tokens: [YES, NO].map(|token| TokenId::parse(token).expect("a token")),
        outcomes: ["Yes".into(), "No".into()],
        tick: Some(Tick::Thousandth),
        min_size: Some(Shares::from_whole(5)),
        fee: None,
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

/// A table as a quoting engine has it: our market among a hundred others.
pub fn table() -> AssetTable {
    let mut table = AssetTable::new();
    table.insert(MarketId(0), &card());
    for n in 1..100u32 {
        let mut other = card();
        other.condition = ConditionId::parse(&format!("0x{n:064x}")).expect("a condition");
        other.tokens = [0u8, 1].map(|outcome| {
            let mut bytes = [0x5a; 32];
            bytes[24..28].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
            bytes[31] = outcome;
            TokenId::from_be_bytes(bytes)
        });
        table.insert(MarketId(n), &other);
    }
    table
}

/// How a frame is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No space, keys as in the protocol's samples.
    Compact,
    /// A space after every comma of an object, the event type last: as recorded from the venue.
    Recorded,
    /// Keys in an order drawn anew for every frame, space after colons, a field that nobody knows.
    Shuffled(u64),
}

/// Numbers that look random and are the same every time.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn object(pairs: &mut Vec<(&str, String)>, draw: Option<&mut Draw>, style: Style) -> String {
    if let Some(draw) = draw {
        pairs.push(("note", format!("\"n{}\"", draw.next() % 100)));
        for last in (1..pairs.len()).rev() {
            pairs.swap(last, draw.next() as usize % (last + 1));
        }
    }
    let (comma, colon) = match style {
        Style::Compact => (",", ":"),
        Style::Recorded => (", ", ":"),
        Style::Shuffled(_) => (", ", ": "),
    };
    let mut out = String::from("{");
    for (n, (key, value)) in pairs.iter().enumerate() {
        let _ = write!(out, "{}\"{key}\"{colon}{value}", if n == 0 { "" } else { comma });
    }
    out.push('}');
    out
}

fn quoted(text: impl std::fmt::Display) -> String {
    format!("\"{text}\"")
}

/// A `price_change` with one or two changes: 378 or 602 bytes in the recorded style.
pub fn price_change(changes: usize, n: u64, style: Style) -> String {
    let mut draw = if let Style::Shuffled(seed) = style { Some(Draw::new(seed)) } else { None };
    let cents = 40 + n % 10;
    let entries: Vec<String> = (0..changes)
        .map(|k| {
            let (token, cents, side) = if k == 0 { (YES, cents, "BUY") } else { (NO, 100 - cents, "SELL") };
            let mut pairs = vec![
                ("asset_id", quoted(token)),
                ("price", quoted(format_args!("0.{cents:02}"))),
                ("size", quoted(100 + n % 900)),
                ("side", quoted(side)),
                ("hash", quoted(HASH)),
                ("best_bid", quoted("0.49")),
                ("best_ask", quoted("0.51")),
            ];
            object(&mut pairs, draw.as_mut(), style)
        })
        .collect();
    let mut pairs = vec![
        ("market", quoted(MARKET)),
        ("price_changes", format!("[{}]", entries.join(if style == Style::Compact { "," } else { ", " }))),
        ("timestamp", quoted(1_777_366_994_943 + n)),
        ("event_type", quoted("price_change")),
    ];
    if style == Style::Compact {
        pairs.rotate_right(1);
    }
    object(&mut pairs, draw.as_mut(), style)
}

/// A `book` with 50 bids and 50 asks, worst first.
pub fn book(n: u64, style: Style) -> String {
    // Books are recorded without any space.
    let tight = if let Style::Shuffled(_) = style { style } else { Style::Compact };
    let mut draw = if let Style::Shuffled(seed) = style { Some(Draw::new(seed)) } else { None };
    let mut side = |first: u64, step: i64| {
        let levels: Vec<String> = (0..50i64)
            .map(|k| {
                let price = first as i64 + step * k;
                let size = (n * 31 + k as u64 * 977) % 9_000 + 100;
                let text = if k % 2 == 0 { format!("{size}.{:02}", 11 + k) } else { size.to_string() };
                let mut pairs = vec![("price", quoted(format_args!("0.{price:03}"))), ("size", quoted(text))];
                object(&mut pairs, draw.as_mut(), tight)
            })
            .collect();
        format!("[{}]", levels.join(","))
    };
    let (bids, asks) = (side(440, 1), side(560, -1));
    if draw.is_some() {
        // Whoever shuffles the text does not know its hash.
        let mut pairs = vec![
            ("market", quoted(MARKET)),
            ("asset_id", quoted(YES)),
            ("timestamp", quoted(1_777_366_994_943 + n)),
            ("bids", bids),
            ("asks", asks),
            ("event_type", quoted("book")),
        ];
        return object(&mut pairs, draw.as_mut(), tight);
    }
    let mut pairs = vec![
        ("market", quoted(MARKET)),
        ("asset_id", quoted(YES)),
        ("timestamp", quoted(1_777_366_994_943 + n)),
        ("hash", quoted(book_hash(n, &bids, &asks))),
        ("bids", bids),
        ("asks", asks),
        ("tick_size", quoted("0.001")),
        ("event_type", quoted("book")),
        ("last_trade_price", quoted("0.500")),
    ];
    object(&mut pairs, draw.as_mut(), tight)
}

/// The venue's hash of a book that is written without space (protocol section 5.5).
fn book_hash(n: u64, bids: &str, asks: &str) -> String {
    let text = format!(
        r#"{{"market":"{MARKET}","asset_id":"{YES}","timestamp":"{}","hash":"","bids":{bids},"asks":{asks},"min_order_size":"5","tick_size":"0.001","neg_risk":false,"last_trade_price":"0.500"}}"#,
        1_777_366_994_943 + n
    );
    Sha1::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
