//! One book for both tokens of a market, and its wire texts.
//!
//! Everything is kept in YES coordinates: BUY YES at p and SELL NO at 1 - p are bids at p, SELL YES at p and BUY NO at 1 - p
//! are asks at p. Orders at one price queue by arrival. Each level keeps its wire text for both tokens, so that hashing a
//! book is a walk over ready bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arrayvec::ArrayString;
use oddsmith_domain::{Outcome, Price, Shares, Side, VenueHash};
use sha1::{Digest, Sha1};

use super::market::Market;

/// The place of an order in the core's table.
pub(crate) type Slot = u32;

/// All orders at one price.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    size: Shares,
    queue: BTreeMap<u64, Slot>,
    texts: [ArrayString<64>; 2],
}

impl Level {
    pub(crate) fn size(&self) -> Shares {
        self.size
    }

    pub(crate) fn queue(&self) -> impl Iterator<Item = Slot> + '_ {
        self.queue.values().copied()
    }

    fn write_texts(&mut self, yes_units: u16) {
        for (text, units) in self.texts.iter_mut().zip([yes_units, Price::ONE.units() - yes_units]) {
            text.clear();
            // A level's text is at most 55 bytes: a price of 6 and a size of 20 characters.
            let price = Price::from_units(units).unwrap_or_default();
            let _fits = write!(text, "{{\"price\":\"{price}\",\"size\":\"{}\"}}", self.size);
        }
    }
}

/// The unified book.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    sides: [BTreeMap<u16, Level>; 2],
    hashes: [VenueHash; 2],
    changed_ms: u64,
}

/// A side of the unified book, in YES coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ladder {
    Bid,
    Ask,
}

impl Ladder {
    pub(crate) fn of(outcome: Outcome, side: Side) -> Ladder {
        if (outcome == Outcome::Yes) == (side == Side::Buy) { Ladder::Bid } else { Ladder::Ask }
    }

    pub(crate) fn opposite(self) -> Ladder {
        match self {
            Ladder::Bid => Ladder::Ask,
            Ladder::Ask => Ladder::Bid,
        }
    }

    /// The side that this ladder is in the book of an outcome.
    pub(crate) fn side_of(self, outcome: Outcome) -> Side {
        if (outcome == Outcome::Yes) == (self == Ladder::Bid) { Side::Buy } else { Side::Sell }
    }
}

/// A price of an outcome, in YES coordinates.
pub(crate) fn yes_units(outcome: Outcome, price: Price) -> u16 {
    match outcome {
        Outcome::Yes => price.units(),
        Outcome::No => price.complement().units(),
    }
}

/// A price in YES coordinates, as a price of an outcome.
pub(crate) fn price_of(outcome: Outcome, yes_units: u16) -> Price {
    let price = Price::from_units(yes_units).unwrap_or(Price::ONE);
    match outcome {
        Outcome::Yes => price,
        Outcome::No => price.complement(),
    }
}

impl Book {
    pub(crate) fn new() -> Book {
        Book::default()
    }

    fn ladder(&self, ladder: Ladder) -> &BTreeMap<u16, Level> {
        match ladder {
            Ladder::Bid => &self.sides[0],
            Ladder::Ask => &self.sides[1],
        }
    }

    fn ladder_mut(&mut self, ladder: Ladder) -> &mut BTreeMap<u16, Level> {
        match ladder {
            Ladder::Bid => &mut self.sides[0],
            Ladder::Ask => &mut self.sides[1],
        }
    }

    /// Puts an order at the end of its level's queue.
    pub(crate) fn insert(&mut self, ladder: Ladder, units: u16, sequence: u64, slot: Slot, size: Shares) {
        let level = self.ladder_mut(ladder).entry(units).or_default();
        level.queue.insert(sequence, slot);
        level.size += size;
        level.write_texts(units);
    }

    /// Takes `size` away from a level; `gone` says that the order leaves the queue.
    pub(crate) fn reduce(&mut self, ladder: Ladder, units: u16, sequence: u64, size: Shares, gone: bool) {
        let side = self.ladder_mut(ladder);
        let Some(level) = side.get_mut(&units) else { return };
        level.size -= size;
        if gone {
            level.queue.remove(&sequence);
        }
        if level.queue.is_empty() {
            side.remove(&units);
        } else {
            level.write_texts(units);
        }
    }

    /// The best level's price in YES coordinates.
    pub(crate) fn best(&self, ladder: Ladder) -> Option<u16> {
        match ladder {
            Ladder::Bid => self.sides[0].last_key_value().map(|(units, _)| *units),
            Ladder::Ask => self.sides[1].first_key_value().map(|(units, _)| *units),
        }
    }

    /// The levels of a ladder, best first.
    pub(crate) fn levels(&self, ladder: Ladder) -> Box<dyn Iterator<Item = (u16, &Level)> + '_> {
        let levels = self.ladder(ladder).iter().map(|(units, level)| (*units, level));
        match ladder {
            Ladder::Bid => Box::new(levels.rev()),
            Ladder::Ask => Box::new(levels),
        }
    }

    pub(crate) fn size_at(&self, ladder: Ladder, units: u16) -> Shares {
        self.ladder(ladder).get(&units).map_or(Shares::ZERO, Level::size)
    }

    /// The level texts of one side of an outcome's book, worst first.
    fn texts(&self, outcome: Outcome, side: Side) -> Box<dyn Iterator<Item = &str> + '_> {
        let index = outcome.index();
        match (outcome, side) {
            (Outcome::Yes, Side::Buy) => Box::new(self.sides[0].values().map(move |l| l.texts[index].as_str())),
            (Outcome::Yes, Side::Sell) => Box::new(self.sides[1].values().rev().map(move |l| l.texts[index].as_str())),
            (Outcome::No, Side::Buy) => Box::new(self.sides[1].values().rev().map(move |l| l.texts[index].as_str())),
            (Outcome::No, Side::Sell) => Box::new(self.sides[0].values().map(move |l| l.texts[index].as_str())),
        }
    }
}

/// The book of one token as it is published: bids ascending and asks descending, so that the best level stands last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookSnapshot {
    /// The condition's text.
    pub market: String,
    /// The token's decimal text.
    pub asset_id: String,
    /// When the book last changed, in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
    /// The venue's hash (protocol 5.5).
    pub hash: VenueHash,
    /// The bids as JSON text: `[{"price":"0.4","size":"12"},…]`.
    pub bids_json: String,
    /// The asks as JSON text.
    pub asks_json: String,
    /// The smallest resting order.
    pub min_size: Shares,
    /// The price grid.
    pub tick: oddsmith_domain::Tick,
    /// Whether it settles through the neg-risk exchange.
    pub neg_risk: bool,
    /// The last traded price's text: three decimals, empty before the first trade.
    pub last_trade_price: String,
    /// Whether it is a position market, whose book carries `"version":"v2"`.
    pub version_v2: bool,
}

impl BookSnapshot {
    /// Writes the book as JSON. `event_type` is the word for the market channel; REST bodies have none.
    pub fn write_json(&self, event_type: Option<&str>, out: &mut String) {
        let _infallible = write!(
            out,
            "{{\"market\":\"{}\",\"asset_id\":\"{}\",\"timestamp\":\"{}\",\"hash\":\"{}\",\"bids\":{},\"asks\":{},\
             \"min_order_size\":\"{}\",\"tick_size\":\"{}\",\"neg_risk\":{},",
            self.market,
            self.asset_id,
            self.timestamp_ms,
            self.hash,
            self.bids_json,
            self.asks_json,
            self.min_size,
            self.tick,
            self.neg_risk,
        );
        if let Some(word) = event_type {
            let _infallible = write!(out, "\"event_type\":\"{word}\",");
        }
        let _infallible = write!(out, "\"last_trade_price\":\"{}\"", self.last_trade_price);
        out.push_str(if self.version_v2 { ",\"version\":\"v2\"}" } else { "}" });
    }
}

/// A price as `last_trade_price` is printed: three decimals, or as many more as the price needs.
#[must_use]
pub fn last_trade_text(price: Price) -> String {
    let units = u32::from(price.units());
    if units.is_multiple_of(10) { format!("{}.{:03}", units / 10_000, units % 10_000 / 10) } else { price.to_string() }
}

impl Market {
    /// Recomputes both hashes after a change of anything that they cover.
    pub(crate) fn restamp(&mut self, now_ns: u64) {
        self.book.changed_ms = now_ns / 1_000_000;
        let last = self.last_trade.map(|trade| last_trade_text(trade.price)).unwrap_or_default();
        for outcome in Outcome::BOTH {
            self.book.hashes[outcome.index()] = self.hash(outcome, &last);
        }
    }

    fn hash(&self, outcome: Outcome, last_trade_price: &str) -> VenueHash {
        let mut sha = Sha1::new();
        let mut head = ArrayString::<256>::new();
        let asset = &self.token_texts[outcome.index()];
        // 256 bytes hold the fixed text, 66 of the condition, 78 of the token and 20 of the time.
        let _fits = write!(
            head,
            "{{\"market\":\"{}\",\"asset_id\":\"{asset}\",\"timestamp\":\"{}\",\"hash\":\"\",\"bids\":[",
            self.condition, self.book.changed_ms
        );
        sha.update(head.as_bytes());
        for (side, separator) in [(Side::Buy, "],\"asks\":["), (Side::Sell, "],\"min_order_size\":\"")] {
            for (index, text) in self.book.texts(outcome, side).enumerate() {
                if index > 0 {
                    sha.update(b",");
                }
                sha.update(text.as_bytes());
            }
            sha.update(separator.as_bytes());
        }
        let mut tail = ArrayString::<256>::new();
        let _fits = write!(
            tail,
            "{}\",\"tick_size\":\"{}\",\"neg_risk\":{},\"last_trade_price\":\"{last_trade_price}\"{}}}",
            self.spec.min_size,
            self.tick,
            self.neg_risk(),
            if self.is_position() { ",\"version\":\"v2\"" } else { "" }
        );
        sha.update(tail.as_bytes());
        VenueHash(sha.finalize().into())
    }

    /// The hash of an outcome's book as it stands.
    #[must_use]
    pub fn book_hash(&self, outcome: Outcome) -> VenueHash {
        self.book.hashes[outcome.index()]
    }

    /// When the book last changed, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn book_changed_ms(&self) -> u64 {
        self.book.changed_ms
    }

    /// The published book of an outcome.
    #[must_use]
    pub fn snapshot(&self, outcome: Outcome) -> BookSnapshot {
        let list = |side| {
            let mut json = String::from("[");
            for (index, text) in self.book.texts(outcome, side).enumerate() {
                if index > 0 {
                    json.push(',');
                }
                json.push_str(text);
            }
            json.push(']');
            json
        };
        BookSnapshot {
            market: self.condition.to_string(),
            asset_id: self.token_texts[outcome.index()].clone(),
            timestamp_ms: self.book.changed_ms,
            hash: self.book_hash(outcome),
            bids_json: list(Side::Buy),
            asks_json: list(Side::Sell),
            min_size: self.spec.min_size,
            tick: self.tick,
            neg_risk: self.neg_risk(),
            last_trade_price: self.last_trade.map(|trade| last_trade_text(trade.price)).unwrap_or_default(),
            version_v2: self.is_position(),
        }
    }

    /// The published book of an outcome as a read by REST gives it.
    #[must_use]
    pub fn book_json(&self, outcome: Outcome) -> String {
        let mut body = String::new();
        self.snapshot(outcome).write_json(None, &mut body);
        body
    }

    /// The best price of a side of an outcome's book.
    #[must_use]
    pub fn best(&self, outcome: Outcome, side: Side) -> Option<Price> {
        self.book.best(Ladder::of(outcome, side)).map(|units| price_of(outcome, units))
    }

    /// The levels of a side of an outcome's book, best first.
    pub fn levels(&self, outcome: Outcome, side: Side) -> impl Iterator<Item = (Price, Shares)> + '_ {
        self.book.levels(Ladder::of(outcome, side)).map(move |(units, level)| (price_of(outcome, units), level.size()))
    }
}
