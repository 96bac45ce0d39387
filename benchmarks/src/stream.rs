//! A stream of raw frames of several markets, drawn from a seed: what a recording of the market channel holds.
//!
//! Every hash in it is the venue's hash of the book at that moment, so that whoever checks it finds it right. Proportions and where they
//! come from stand in README.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha1::{Digest, Sha1};

use crate::frames::Draw;

/// Of a thousand changes, those of each market, the busiest first.
const SHARES_OF_MARKETS: [u64; 6] = [373, 252, 206, 140, 19, 10];
/// Nanoseconds between two frames, on average.
const APART_NS: u64 = 8_200_000;
/// Of a thousand frames of a market, those in the same millisecond as the one before.
const SAME_MILLISECOND: u64 = 170;
/// Of ten thousand frames, those that begin with a trade.
const TRADES: u64 = 47;
/// Of ten thousand frames, announcements of markets that nobody asked for.
const ANNOUNCEMENTS: u64 = 10;
/// Of a thousand changes, those that remove a level.
const REMOVALS: u64 = 112;
/// Of a thousand sizes, those that are whole.
const WHOLE_SIZES: u64 = 748;
/// Levels of a side that are in reach of a change; one in ten of them is empty at any moment.
const REACH: u64 = 20;
/// The moment at which the stream begins.
const BEGIN_MS: u64 = 1_777_366_900_000;

/// A frame, and when it was received.
pub struct Received {
    pub at_ns: u64,
    pub frame: String,
}

/// Prices in cents and sizes in hundredths: one side of a book.
type Levels = BTreeMap<u64, u64>;

struct Market {
    condition: String,
    tokens: [String; 2],
    /// In prices of YES.
    bids: Levels,
    asks: Levels,
    /// The lowest price at which something may be asked.
    anchor: u64,
    last_trade: Option<u64>,
    newest_ms: u64,
}

/// A number of hundredths as the venue writes it.
fn decimal(hundredths: u64) -> String {
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Market {
    fn new(draw: &mut Draw) -> Market {
        let mut hex = || format!("{:016x}{:016x}{:016x}{:016x}", draw.next(), draw.next(), draw.next(), draw.next());
        let condition = format!("0x{}", hex());
        // Nine in ten tokens of the venue have 77 digits.
        let tokens = [1, 2].map(|first| {
            let digits: String = (0..4).map(|_| format!("{:019}", draw.next() % 10_000_000_000_000_000_000)).collect();
            format!("{first}{digits}")
        });
        let anchor = 35 + draw.next() % 30;
        let mut market = Market {
            condition,
            tokens,
            bids: Levels::new(),
            asks: Levels::new(),
            anchor,
            last_trade: None,
            newest_ms: 0,
        };
        for distance in 0..REACH {
            if draw.next() % 10 > 0 {
                market.bids.insert(anchor - 1 - distance, size(draw));
            }
            if draw.next() % 10 > 0 {
                market.asks.insert(anchor + distance, size(draw));
            }
        }
        market
    }

    /// The levels of a token's side, worst first.
    fn levels(&self, token: usize, bids: bool) -> String {
        let text = |price: u64, size: u64| format!(r#"{{"price":"{}","size":"{}"}}"#, decimal(price), decimal(size));
        let levels: Vec<String> = match (token, bids) {
            (0, true) => self.bids.iter().map(|(price, size)| text(*price, *size)).collect(),
            (0, false) => self.asks.iter().rev().map(|(price, size)| text(*price, *size)).collect(),
            (_, true) => self.asks.iter().rev().map(|(price, size)| text(100 - price, *size)).collect(),
            (_, false) => self.bids.iter().map(|(price, size)| text(100 - price, *size)).collect(),
        };
        format!("[{}]", levels.join(","))
    }

    fn last_trade(&self) -> String {
        self.last_trade.map_or(String::new(), |cents| format!("0.{cents:02}0"))
    }

    /// The book as the venue hashes it, with this hash in it.
    fn text(&self, token: usize, ms: u64, hash: &str) -> String {
        format!(
            r#"{{"market":"{}","asset_id":"{}","timestamp":"{ms}","hash":"{hash}","bids":{},"asks":{},"min_order_size":"5","tick_size":"0.01","neg_risk":false,"last_trade_price":"{}"}}"#,
            self.condition,
            self.tokens[token],
            self.levels(token, true),
            self.levels(token, false),
            self.last_trade(),
        )
    }

    fn hash(&self, token: usize, ms: u64) -> String {
        Sha1::digest(self.text(token, ms, "")).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// What REST answers.
    fn read(&self, token: usize, ms: u64) -> String {
        self.text(token, ms, &self.hash(token, ms))
    }

    /// What the channel says of a whole book.
    fn book(&self, token: usize, ms: u64) -> String {
        format!(
            r#"{{"market":"{}","asset_id":"{}","timestamp":"{ms}","hash":"{}","bids":{},"asks":{},"tick_size":"0.01","event_type":"book","last_trade_price":"{}"}}"#,
            self.condition,
            self.tokens[token],
            self.hash(token, ms),
            self.levels(token, true),
            self.levels(token, false),
            self.last_trade(),
        )
    }

    /// Changes one level, never so that bids and asks meet, and tells it for both tokens.
    fn change(&mut self, draw: &mut Draw, ms: u64) -> String {
        let bid = draw.next().is_multiple_of(2);
        let distance = draw.next() % REACH;
        let (side, price) =
            if bid { (&mut self.bids, self.anchor - 1 - distance) } else { (&mut self.asks, self.anchor + distance) };
        let removed = side.len() > 3 && side.contains_key(&price) && draw.next() % 1_000 < REMOVALS;
        let size = if removed { 0 } else { size(draw) };
        if removed {
            side.remove(&price);
        } else {
            side.insert(price, size);
        }
        let best_bid = self.bids.last_key_value().map_or(0, |(price, _)| *price);
        let best_ask = self.asks.first_key_value().map_or(100, |(price, _)| *price);
        let entry = |token: usize| {
            let (price, bid, best) = match token {
                0 => (price, bid, [best_bid, best_ask]),
                _ => (100 - price, !bid, [100 - best_ask, 100 - best_bid]),
            };
            let [best_bid, best_ask] = best.map(decimal);
            format!(
                r#"{{"asset_id":"{}", "price":"{}", "size":"{}", "side":"{}", "hash":"{}", "best_bid":"{best_bid}", "best_ask":"{best_ask}"}}"#,
                self.tokens[token],
                decimal(price),
                decimal(size),
                if bid { "BUY" } else { "SELL" },
                self.hash(token, ms),
            )
        };
        format!(
            r#"{{"market":"{}", "price_changes":[{}, {}], "timestamp":"{ms}", "event_type":"price_change"}}"#,
            self.condition,
            entry(0),
            entry(1),
        )
    }

    /// A trade takes something of the best ask, and both books are told anew.
    fn trade(&mut self, draw: &mut Draw, ms: u64) -> Vec<String> {
        let Some((price, size)) = self.asks.first_key_value().map(|(price, size)| (*price, *size)) else {
            return Vec::new();
        };
        let taken = size / 3 + 1;
        self.asks.insert(price, size + 100 - taken);
        self.last_trade = Some(price);
        let trade = format!(
            r#"{{"market":"{}", "asset_id":"{}", "price":"{}", "size":"{}", "fee_rate_bps":"0", "side":"BUY", "timestamp":"{ms}", "event_type":"last_trade_price", "transaction_hash":"0x{:016x}{:016x}{:016x}{:016x}"}}"#,
            self.condition,
            self.tokens[0],
            decimal(price),
            decimal(taken),
            draw.next(),
            draw.next(),
            draw.next(),
            draw.next(),
        );
        vec![trade, self.book(0, ms), self.book(1, ms)]
    }
}

/// A size: hundredths of a share, most of them whole.
fn size(draw: &mut Draw) -> u64 {
    let whole = 100 * (5 + draw.next() % 900);
    if draw.next() % 1_000 < WHOLE_SIZES { whole } else { whole + 1 + draw.next() % 99 }
}

/// An announcement of a market.
fn announcement(draw: &mut Draw, ms: u64) -> String {
    let Market { condition, tokens: [yes, no], .. } = Market::new(draw);
    let words = "This market will be decided by the first of two numbers that a named source publishes after its end. ";
    let (description, number) = (words.repeat(6), draw.next() % 1_000_000);
    let event = format!(
        r#"{{"id":"{number}", "ticker":"up-or-down-{number}", "slug":"up-or-down-{number}", "title":"Up or down?", "description":"{description}"}}"#
    );
    format!(
        r#"{{"id":"{number}", "question":"Up or down?", "market":"{condition}", "slug":"up-or-down-{number}", "description":"{description}", "assets_ids":["{yes}", "{no}"], "outcomes":["Up", "Down"], "event_message":{event}, "timestamp":"{ms}", "event_type":"new_market", "tags":[], "condition_id":"{condition}", "active":false, "clob_token_ids":["{yes}", "{no}"], "sports_market_type":"", "line":"", "game_start_time":"", "order_price_min_tick_size":"0.01", "group_item_title":"", "taker_base_fee":"1000", "fees_enabled":true, "fee_schedule":{{"exponent":"1", "rate":"0.072", "taker_only":true, "rebate_rate":"0.2"}}}}"#
    )
}

/// So many frames: each book read by REST, an array of all of them, and then what happens.
pub fn stream(seed: u64, frames: usize) -> Vec<Received> {
    let mut draw = Draw::new(seed);
    let mut markets: Vec<Market> = SHARES_OF_MARKETS.iter().map(|_| Market::new(&mut draw)).collect();
    let mut at_ns = BEGIN_MS * 1_000_000;
    let books = markets.iter().flat_map(|market| [0, 1].map(|token| (market, token)));
    let mut out: Vec<Received> =
        books.clone().map(|(market, token)| Received { at_ns, frame: market.read(token, BEGIN_MS - 50) }).collect();
    let all: Vec<String> = books.map(|(market, token)| market.book(token, BEGIN_MS - 40)).collect();
    out.push(Received { at_ns, frame: format!("[{}]", all.join(",")) });
    while out.len() < frames {
        at_ns += draw.next() % (2 * APART_NS);
        let ms = at_ns / 1_000_000 - 40;
        let mut place = draw.next() % 1_000;
        let busy = SHARES_OF_MARKETS.iter().position(|share| {
            let here = place < *share;
            place = place.saturating_sub(*share);
            here
        });
        let market = &mut markets[busy.unwrap_or(0)];
        let chance = draw.next() % 10_000;
        if chance < ANNOUNCEMENTS {
            out.push(Received { at_ns, frame: announcement(&mut draw, ms) });
        } else if chance < ANNOUNCEMENTS + TRADES {
            market.newest_ms = ms.max(market.newest_ms + 1);
            let told = market.trade(&mut draw, market.newest_ms);
            out.extend(told.into_iter().map(|frame| Received { at_ns, frame }));
        } else {
            let same = draw.next() % 1_000 < SAME_MILLISECOND && market.newest_ms > 0;
            market.newest_ms = if same { market.newest_ms } else { ms.max(market.newest_ms + 1) };
            let frame = market.change(&mut draw, market.newest_ms);
            out.push(Received { at_ns, frame });
        }
    }
    out
}
