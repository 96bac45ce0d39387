//! A venue of a few lines: one market, both tokens, frames with hashes computed the slow way.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha1::{Digest, Sha1};

pub const MARKET: &str = "0xb26d551b9a4455f7c20fd0d2332f5830a08e776c6df57c9641deba2dc3d3a1ab";
pub const TOKENS: [&str; 2] = [
    "96032845026589264419652263767853273417682663975879399135125885387803393541415",
    "64384800819997255425745149293621450616076016561538740277631743965307606232417",
];

/// Sizes by price in cents of YES: bids and asks.
#[derive(Clone, Default)]
pub struct Venue {
    bids: BTreeMap<u32, String>,
    asks: BTreeMap<u32, String>,
    last_trade: String,
}

fn cents(price: u32) -> String {
    let text = format!("0.{price:02}");
    text.strip_suffix('0').filter(|_| price > 0).unwrap_or(&text).to_owned()
}

fn list(levels: impl Iterator<Item = (u32, String)>) -> String {
    let texts: Vec<_> =
        levels.map(|(price, size)| format!("{{\"price\":\"{}\",\"size\":\"{size}\"}}", cents(price))).collect();
    texts.join(",")
}

impl Venue {
    /// Bids and asks for YES, as cents and size.
    pub fn new(bids: &[(u32, &str)], asks: &[(u32, &str)]) -> Venue {
        let side = |levels: &[(u32, &str)]| levels.iter().map(|(price, size)| (*price, (*size).to_owned())).collect();
        Venue { bids: side(bids), asks: side(asks), last_trade: String::new() }
    }

    pub fn trade(&mut self, price: u32, ms: u64) -> String {
        self.last_trade = format!("0.{price:02}0");
        format!(
            "{{\"event_type\":\"last_trade_price\",\"asset_id\":\"{}\",\"market\":\"{MARKET}\",\"price\":\"{}\",\
             \"size\":\"5\",\"side\":\"BUY\",\"fee_rate_bps\":\"0\",\"timestamp\":\"{ms}\"}}",
            TOKENS[0],
            cents(price)
        )
    }

    /// Levels in the venue's order, worst first: bids then asks of one token.
    fn sides(&self, token: usize) -> [String; 2] {
        let yes = |side: &BTreeMap<u32, String>| side.iter().map(|(p, s)| (*p, s.clone())).collect::<Vec<_>>();
        let (bids, asks) = (yes(&self.bids), yes(&self.asks));
        let mirror = |levels: Vec<(u32, String)>| levels.into_iter().map(|(p, s)| (100 - p, s)).collect::<Vec<_>>();
        let (bids, asks) = if token == 0 { (bids, asks) } else { (mirror(asks), mirror(bids)) };
        let sorted = |mut levels: Vec<(u32, String)>| {
            levels.sort();
            levels
        };
        [list(sorted(bids).into_iter()), list(sorted(asks).into_iter().rev())]
    }

    pub fn hash(&self, token: usize, ms: u64) -> String {
        let [bids, asks] = self.sides(token);
        let text = format!(
            "{{\"market\":\"{MARKET}\",\"asset_id\":\"{}\",\"timestamp\":\"{ms}\",\"hash\":\"\",\"bids\":[{bids}],\
             \"asks\":[{asks}],\"min_order_size\":\"5\",\"tick_size\":\"0.01\",\"neg_risk\":false,\"last_trade_price\":\"{}\"}}",
            TOKENS[token], self.last_trade
        );
        Sha1::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes any text");
            hex
        })
    }

    /// A book as REST gives it.
    pub fn rest(&self, token: usize, ms: u64) -> String {
        let [bids, asks] = self.sides(token);
        format!(
            "{{\"market\":\"{MARKET}\",\"asset_id\":\"{}\",\"timestamp\":\"{ms}\",\"hash\":\"{}\",\"bids\":[{bids}],\
             \"asks\":[{asks}],\"min_order_size\":\"5\",\"tick_size\":\"0.01\",\"neg_risk\":false,\"last_trade_price\":\"{}\"}}",
            TOKENS[token],
            self.hash(token, ms),
            self.last_trade
        )
    }

    /// A book as the stream gives it, without minimum size and neg-risk.
    pub fn book(&self, token: usize, ms: u64) -> String {
        let [bids, asks] = self.sides(token);
        format!(
            "{{\"event_type\":\"book\",\"market\":\"{MARKET}\",\"asset_id\":\"{}\",\"timestamp\":\"{ms}\",\"hash\":\"{}\",\
             \"bids\":[{bids}],\"asks\":[{asks}],\"tick_size\":\"0.01\",\"last_trade_price\":\"{}\"}}",
            TOKENS[token],
            self.hash(token, ms),
            self.last_trade
        )
    }

    /// Both tokens' books, as a connection begins.
    pub fn dump(&self, ms: u64) -> String {
        format!("[{},{}]", self.book(0, ms), self.book(1, ms))
    }

    /// Changes one YES level and says so for both tokens, as the venue does.
    pub fn change(&mut self, bid: bool, price: u32, size: &str, ms: u64) -> String {
        let side = if bid { &mut self.bids } else { &mut self.asks };
        if size == "0" {
            side.remove(&price);
        } else {
            side.insert(price, size.to_owned());
        }
        let best = |price: Option<&u32>, empty: &str| price.map_or(empty.to_owned(), |price| cents(*price));
        let (bid_best, ask_best) =
            (self.bids.last_key_value().map(|l| *l.0), self.asks.first_key_value().map(|l| *l.0));
        let entry = |token: usize| {
            let (price, buy) = if token == 0 { (price, bid) } else { (100 - price, !bid) };
            let (high, low) = match token {
                0 => (bid_best, ask_best),
                _ => (ask_best.map(|p| 100 - p), bid_best.map(|p| 100 - p)),
            };
            format!(
                "{{\"asset_id\":\"{}\",\"price\":\"{}\",\"size\":\"{size}\",\"side\":\"{}\",\"hash\":\"{}\",\
                 \"best_bid\":\"{}\",\"best_ask\":\"{}\"}}",
                TOKENS[token],
                cents(price),
                if buy { "BUY" } else { "SELL" },
                self.hash(token, ms),
                best(high.as_ref(), "0"),
                best(low.as_ref(), "1")
            )
        };
        format!(
            "{{\"event_type\":\"price_change\",\"market\":\"{MARKET}\",\"timestamp\":\"{ms}\",\"price_changes\":[{},{}]}}",
            entry(0),
            entry(1)
        )
    }
}
