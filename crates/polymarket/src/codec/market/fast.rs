//! The fast way through an element that looks as it usually does.
//!
//! Values are read where they stand, straight to numbers, and keys are guessed: they most often come in the order of the element
//! before. Another order, white space and unknown fields only cost time. Everything else (escapes, missing or doubled fields, values
//! that cannot be read) is left to the general way, which knows what is wrong; so nothing is ever decided here that is not also
//! decided there.

use oddsmith_domain::{
    AssetId, BookLevel, LevelChange, MarketEvent, Price, Shares, Side, SizeText, SnapshotHeader, Tick, VenueHash,
};

use super::element::is_usual_last_trade;
use super::fields::{self, Key};
use super::read::{self, chunk, past_space};
use super::what::{CHANGE, What};
use super::{Frame, Levels, Mark, Unknown};
use crate::codec::number;
use crate::codec::scan::{Kind, Scanner};

/// The keys of the last objects, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    element: Habit,
    change: Habit,
}

/// The keys of one kind of object, in the order of the last one.
#[derive(Clone, Debug, Default)]
struct Habit {
    keys: [Option<Key>; 12],
}

/// What was read of an object. A value counts only when its key's bit is in `seen`.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    seen: u64,
    asset: Option<AssetId>,
    price: Price,
    price_decimals: u8,
    size: SizeText,
    irregular: bool,
    side: Option<Side>,
    hash: Option<VenueHash>,
    best_bid: Option<Price>,
    best_ask: Option<Price>,
}

/// What an element has besides: its nature, its time, and what only books have.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    what: Option<What>,
    timestamp_ms: u64,
    bids: Levels,
    asks: Levels,
    tick: Option<Tick>,
    min_size: Option<Shares>,
    neg_risk: Option<bool>,
    last_trade: Option<Price>,
    version_v2: bool,
    irregular: bool,
}

/// Decodes the element under the cursor and moves behind it; or says that it needs the general way, and leaves everything as it was.
#[inline]
pub(super) fn decode(frame: &mut Frame<'_>, habits: &mut Habits, scanner: &mut Scanner<'_>) -> Option<()> {
    let (mark, report, start) = (frame.mark(), frame.report, scanner.at());
    let bytes = scanner.bytes();
    let at = past_space(bytes, start);
    let mut way = Way { bytes, at, scanner, frame, habits, unknown: Unknown::default(), strange: 0 };
    if way.element(mark).is_some() {
        let at = way.at;
        scanner.seek(at);
        return Some(());
    }
    frame.roll_back(mark);
    frame.report = report;
    scanner.seek(start);
    None
}

struct Way<'w, 'a, 'f> {
    bytes: &'a [u8],
    at: usize,
    /// For skipping what is not known.
    scanner: &'w mut Scanner<'a>,
    frame: &'w mut Frame<'f>,
    habits: &'w mut Habits,
    /// Keys that nobody knows.
    unknown: Unknown,
    /// Known keys in changes which should not be there.
    strange: u32,
}

/// A key, or one that nobody knows and whose value has been skipped.
enum Next {
    Key(Key),
    Skipped,
}

impl Way<'_, '_, '_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes the first byte of a list or an object, and says whether it is not empty (if it is, its end is taken too).
    #[inline]
    fn opens(&mut self, open: u8, close: u8) -> Option<bool> {
        if self.peek() != Some(open) {
            return None;
        }
        self.at = past_space(self.bytes, self.at + 1);
        let filled = self.peek() != Some(close);
        self.at += usize::from(!filled);
        Some(filled)
    }

    /// After an entry: whether another one follows.
    #[inline]
    fn another(&mut self, close: u8) -> Option<bool> {
        if !matches!(self.peek(), Some(b',' | b'}' | b']')) {
            self.at = past_space(self.bytes, self.at);
        }
        let byte = self.peek()?;
        self.at += 1;
        if byte == b',' {
            self.at = past_space(self.bytes, self.at);
            return Some(true);
        }
        (byte == close).then_some(false)
    }

    /// Takes a key that is new to `seen`, with its colon, and stops where its value begins.
    #[inline(always)]
    fn key(&mut self, guess: Option<Key>, seen: &mut u64) -> Option<Next> {
        let start = self.at + 1;
        let key = match chunk::<16>(self.bytes, start) {
            Some(word) => {
                let word = u128::from_le_bytes(*word);
                match guess.filter(|key| key.begins(word) && self.bytes.get(start + key.len()) == Some(&b'"')) {
                    Some(key) => Some(key),
                    None => Key::in_word(word),
                }
            }
            None => None,
        };
        let Some(key) = key.filter(|_| self.peek() == Some(b'"')) else { return self.other_key(seen) };
        self.at = start + key.len() + 1;
        if self.peek() != Some(b':') {
            self.at = past_space(self.bytes, self.at);
            if self.peek() != Some(b':') {
                return None;
            }
        }
        self.at = past_space(self.bytes, self.at + 1);
        note(key, seen).map(Next::Key)
    }

    /// A key that is long, near the end of the frame, or not known.
    #[cold]
    fn other_key(&mut self, seen: &mut u64) -> Option<Next> {
        self.scanner.validate();
        self.scanner.seek(self.at);
        let raw = self.scanner.key().ok()?;
        self.scanner.skip_space();
        if raw.kind != Kind::Text {
            return None;
        }
        let key = Key::of(raw.slice(self.bytes));
        if key.is_none() {
            self.unknown.note(raw);
            self.scanner.value().ok()?;
        }
        self.at = self.scanner.at();
        match key {
            Some(key) => note(key, seen).map(Next::Key),
            None => Some(Next::Skipped),
        }
    }

    /// Skips a value that is of no use.
    fn skip(&mut self) -> Option<()> {
        self.scanner.validate();
        self.scanner.seek(self.at);
        self.scanner.value().ok()?;
        self.at = self.scanner.at();
        Some(())
    }

    fn element(&mut self, mark: Mark) -> Option<()> {
        let start = self.at as u32;
        let (mut parts, mut whole) = (Parts::default(), Whole::default());
        let mut more = self.opens(b'{', b'}')?;
        let mut place = 0;
        while more {
            let guess = self.habits.element.guess(place);
            if let Next::Key(key) = self.key(guess, &mut parts.seen)? {
                self.habits.element.learn(place, guess, key);
                match key {
                    Key::PriceChanges => self.changes()?,
                    Key::Bids => whole.bids = self.levels(&mut whole.irregular)?,
                    Key::Asks => whole.asks = self.levels(&mut whole.irregular)?,
                    Key::Market => self.at = read::plain(self.bytes, self.at)?.1,
                    Key::Timestamp => (whole.timestamp_ms, self.at) = read::timestamp(self.bytes, self.at)?,
                    Key::EventType => {
                        let (text, end) = read::plain(self.bytes, self.at)?;
                        whole.what = Some(What::named(text)?);
                        self.at = end;
                    }
                    _ if CHANGE & key.bit() != 0 => self.part(key, &mut parts)?,
                    _ => self.detail(key, &mut whole)?,
                }
            }
            more = self.another(b'}')?;
            place += 1;
        }
        self.finish(mark, start, &parts, &whole)
    }

    /// Reads a value that changes have, and other elements too.
    #[inline(always)]
    fn part(&mut self, key: Key, parts: &mut Parts) -> Option<()> {
        let (bytes, at) = (self.bytes, self.at);
        match key {
            Key::AssetId => (parts.asset, self.at) = read::asset(self.frame.table, bytes, at)?,
            Key::Hash => (parts.hash, self.at) = read::hash(bytes, at)?,
            Key::Price => {
                let (text, end) = read::price(bytes, at)?;
                (parts.price, parts.price_decimals, self.at) = (text.price, text.decimals, end);
                parts.irregular |= !text.regular;
            }
            Key::Size => {
                let regular;
                (parts.size, regular, self.at) = read::size(bytes, at)?;
                parts.irregular |= !regular;
            }
            Key::Side => {
                let (side, end) = read::side(bytes, at)?;
                (parts.side, self.at) = (Some(side), end);
            }
            Key::BestBid => {
                let (text, end) = read::price(bytes, at)?;
                (parts.best_bid, self.at) = (Some(text.price), end);
            }
            Key::BestAsk => {
                let (text, end) = read::price(bytes, at)?;
                (parts.best_ask, self.at) = (Some(text.price), end);
            }
            _ => self.skip()?,
        }
        Some(())
    }

    /// Reads a value that books have, or passes over one that nobody needs.
    fn detail(&mut self, key: Key, whole: &mut Whole) -> Option<()> {
        if key == Key::NegRisk {
            let (value, len) = match self.peek() {
                Some(b't') if chunk(self.bytes, self.at) == Some(b"true") => (true, 4),
                Some(b'f') if chunk(self.bytes, self.at) == Some(b"false") => (false, 5),
                _ => return None,
            };
            (whole.neg_risk, self.at) = (Some(value), self.at + len);
            return Some(());
        }
        let Some((text, end)) = read::plain(self.bytes, self.at) else {
            let of_use = matches!(
                key,
                Key::TickSize | Key::MinOrderSize | Key::LastTradePrice | Key::Version | Key::NewTickSize
            );
            return if of_use { None } else { self.skip() };
        };
        self.at = end;
        match key {
            Key::TickSize => {
                let (tick, regular) = fields::tick(text).ok()?;
                whole.tick = Some(tick);
                whole.irregular |= !regular;
            }
            Key::MinOrderSize => {
                let (size, regular) = fields::min_size(text).ok()?;
                whole.min_size = Some(size);
                whole.irregular |= !regular;
            }
            Key::LastTradePrice if !text.is_empty() => {
                let (price, shape) = number::price(text).ok()?;
                whole.last_trade = Some(price);
                whole.irregular |= !is_usual_last_trade(shape);
            }
            Key::Version => whole.version_v2 = text == b"v2",
            _ => {}
        }
        Some(())
    }

    fn levels(&mut self, irregular: &mut bool) -> Option<Levels> {
        let first = self.frame.batch.levels.len();
        let mut more = self.opens(b'[', b']')?;
        while more {
            let (level, regular) = match self.usual_level() {
                Some(level) => level,
                None => self.unusual_level()?,
            };
            self.frame.batch.levels.push(level);
            *irregular |= !regular;
            more = self.another(b']')?;
        }
        Some(Levels { first, count: self.frame.batch.levels.len() - first })
    }

    /// A level as books have had it since there are books.
    #[inline]
    fn usual_level(&mut self) -> Option<(BookLevel, bool)> {
        let bytes = self.bytes;
        if chunk(bytes, self.at) != Some(b"{\"price\":") {
            return None;
        }
        let (text, at) = read::price(bytes, self.at + 9)?;
        if chunk(bytes, at) != Some(b",\"size\":") {
            return None;
        }
        let (size, regular, at) = read::size(bytes, at + 8)?;
        if bytes.get(at) != Some(&b'}') {
            return None;
        }
        self.at = at + 1;
        Some((BookLevel { price: text.price, price_decimals: text.decimals, size }, regular && text.regular))
    }

    /// A level with other keys, another order, or space.
    fn unusual_level(&mut self) -> Option<(BookLevel, bool)> {
        let mut parts = Parts::default();
        let mut more = self.opens(b'{', b'}')?;
        let unknown = self.unknown;
        while more {
            let guess = if parts.seen == 0 { Key::Price } else { Key::Size };
            if let Next::Key(key) = self.key(Some(guess), &mut parts.seen)? {
                match key {
                    Key::Price | Key::Size => self.part(key, &mut parts)?,
                    _ => self.skip()?,
                }
            }
            more = self.another(b'}')?;
        }
        // What else a level may have is not counted.
        self.unknown = unknown;
        let whole = parts.seen & LEVEL == LEVEL;
        let level = BookLevel { price: parts.price, price_decimals: parts.price_decimals, size: parts.size };
        whole.then_some((level, !parts.irregular))
    }

    fn changes(&mut self) -> Option<()> {
        let mut more = self.opens(b'[', b']')?;
        while more {
            self.change()?;
            more = self.another(b']')?;
        }
        Some(())
    }

    fn change(&mut self) -> Option<()> {
        let mut parts = Parts::default();
        let mut more = self.opens(b'{', b'}')?;
        let mut place = 0;
        while more {
            let guess = self.habits.change.guess(place);
            if let Next::Key(key) = self.key(guess, &mut parts.seen)? {
                self.habits.change.learn(place, guess, key);
                self.part(key, &mut parts)?;
            }
            more = self.another(b'}')?;
            place += 1;
        }
        if parts.seen & NEEDED != NEEDED {
            return None;
        }
        self.strange += (parts.seen & !CHANGE).count_ones();
        let Some(asset) = parts.asset else {
            self.frame.report.unknown_assets += 1;
            return Some(());
        };
        self.frame.batch.events.push(MarketEvent::Change(LevelChange {
            asset,
            side: parts.side?,
            level: BookLevel { price: parts.price, price_decimals: parts.price_decimals, size: parts.size },
            timestamp_ms: 0,
            hash: parts.hash,
            best_bid: parts.best_bid,
            best_ask: parts.best_ask,
            irregular_text: parts.irregular,
        }));
        Some(())
    }

    /// Makes events of what was read, if it is all that its kind needs and nothing that belongs to another.
    #[inline]
    fn finish(&mut self, mark: Mark, start: u32, parts: &Parts, whole: &Whole) -> Option<()> {
        const LISTS: u64 = Key::bits(&[Key::Bids, Key::Asks, Key::PriceChanges]);
        const COMMON: u64 = Key::bits(&[Key::Market, Key::Timestamp]);
        let what = whole.what.or_else(|| What::shaped(parts.seen))?;
        let (needed, lists) = match what {
            What::PriceChange => (COMMON | Key::PriceChanges.bit(), Key::PriceChanges.bit()),
            What::Book => {
                (COMMON | Key::bits(&[Key::AssetId, Key::Bids, Key::Asks]), Key::bits(&[Key::Bids, Key::Asks]))
            }
            What::LastTrade => (COMMON | NEEDED, 0),
            What::BestBidAsk => (COMMON | Key::bits(&[Key::AssetId, Key::BestBid, Key::BestAsk]), 0),
            What::TickSize | What::NewMarket | What::Resolved => return None,
        };
        if parts.seen & needed != needed || parts.seen & LISTS & !lists != 0 {
            return None;
        }
        let timestamp_ms = whole.timestamp_ms;
        match what {
            What::PriceChange => self.frame.date_changes(mark, timestamp_ms),
            What::Book => self.book(mark, parts, whole),
            _ => match (what, parts.asset) {
                (_, None) => self.frame.report.unknown_assets += 1,
                (What::LastTrade, Some(asset)) => self.frame.batch.events.push(MarketEvent::LastTrade {
                    asset,
                    price: parts.price,
                    size: parts.size.shares,
                    side: parts.side?,
                    timestamp_ms,
                }),
                (_, Some(asset)) => self.frame.batch.events.push(MarketEvent::BestBidAsk {
                    asset,
                    best_bid: parts.best_bid?,
                    best_ask: parts.best_ask?,
                    timestamp_ms,
                }),
            },
        }
        let strange = self.strange + (parts.seen & !what.known()).count_ones();
        self.frame.understood(strange, self.unknown, start);
        Some(())
    }

    fn book(&mut self, mark: Mark, parts: &Parts, whole: &Whole) {
        let Some(asset) = parts.asset else {
            self.frame.report.unknown_assets += 1;
            self.frame.roll_back(mark);
            return;
        };
        let first_level = self.frame.bids_first(whole.bids, whole.asks);
        self.frame.batch.events.push(MarketEvent::Snapshot(SnapshotHeader {
            asset,
            timestamp_ms: whole.timestamp_ms,
            hash: parts.hash,
            first_level,
            bids: whole.bids.count as u32,
            asks: whole.asks.count as u32,
            tick: whole.tick,
            min_size: whole.min_size,
            neg_risk: whole.neg_risk,
            last_trade: whole.last_trade,
            last_trade_stated: parts.seen & Key::LastTradePrice.bit() != 0,
            version_v2: whole.version_v2,
            irregular_text: whole.irregular,
        }));
    }
}

/// What a level needs.
const LEVEL: u64 = Key::bits(&[Key::Price, Key::Size]);

/// What a change and a trade need.
const NEEDED: u64 = Key::bits(&[Key::AssetId, Key::Price, Key::Size, Key::Side]);

/// Notes a key; `None` when it was there before.
#[inline]
fn note(key: Key, seen: &mut u64) -> Option<Key> {
    let new = *seen & key.bit() == 0;
    *seen |= key.bit();
    new.then_some(key)
}

impl Habit {
    #[inline]
    fn guess(&self, place: usize) -> Option<Key> {
        self.keys.get(place).copied().flatten()
    }

    #[inline]
    fn learn(&mut self, place: usize, guess: Option<Key>, key: Key) {
        if guess != Some(key)
            && let Some(habit) = self.keys.get_mut(place)
        {
            *habit = Some(key);
        }
    }
}
