//! Tables of level changes as frames of the market channel.
//!
//! A table names neither markets nor whole books. Two tokens are taken for the two of a market once their changes have mirrored each
//! other [`PROOFS`] times, and hardly ever those of a third. A market's books begin with a snapshot made of the changes so far,
//! at the first moment at which they agree with the best prices that the table states for both tokens; levels that nobody
//! has touched by then are missing in it. What comes before that is left out. A level that is better than the best price stated
//! beside a later change was removed without the table's saying so: it is removed at that moment, and counted.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::path::Path;

use oddsmith_book::PairBook;
use oddsmith_domain::{
    AssetId, BookLevel, ConditionId, LevelChange, MarketBatch, MarketCard, MarketEvent, MarketSource, Outcome, Price,
    Shares, Side, SizeText, Tick, Time, TokenId,
};
use sha2::{Digest, Sha256};

use super::entry::Draft;
use super::roster::finer;
use super::{Reading, Source, TapeError};
use crate::recording::{Table, TableRow};
use crate::verify::row_event;

/// How often two tokens must have mirrored each other.
const PROOFS: u32 = 16;
/// How many times more often than any other.
const LEAD: u32 = 8;

/// A table of level changes.
pub(super) struct Changes {
    table: Table,
    tokens: Vec<Token>,
    by_name: HashMap<String, usize>,
    markets: Vec<Market>,
    /// Changes of this millisecond, by which tokens find each other.
    recent: Vec<(usize, LevelChange)>,
    /// Changes of one market and millisecond, which become one frame.
    group: Vec<(usize, LevelChange)>,
    out: VecDeque<Draft>,
    ended: bool,
}

struct Token {
    id: TokenId,
    /// Its book so far.
    book: Box<PairBook>,
    agrees: bool,
    market: Option<usize>,
    /// How often it was mirrored by others.
    mirrored: Vec<(usize, u32)>,
}

struct Market {
    condition: ConditionId,
    tokens: [usize; 2],
    tick: Option<Tick>,
    whole: bool,
}

impl Changes {
    pub(super) fn open(path: &Path) -> Result<Changes, TapeError> {
        Ok(Changes {
            table: Table::open(path)?,
            tokens: Vec::new(),
            by_name: HashMap::new(),
            markets: Vec::new(),
            recent: Vec::new(),
            group: Vec::new(),
            out: VecDeque::new(),
            ended: false,
        })
    }

    fn row(&mut self, row: &TableRow, reading: &mut Reading) {
        let Ok(id) = TokenId::parse(&row.asset_id) else {
            reading.counts.refused += 1;
            return;
        };
        let Ok(event) = row_event(row, AssetId(0)) else {
            reading.counts.refused += 1;
            return;
        };
        let token = match self.by_name.get(&row.asset_id) {
            Some(token) => *token,
            None => self.add(id, &row.asset_id),
        };
        match event {
            MarketEvent::Change(change) => self.change(token, change, reading),
            MarketEvent::LastTrade { price, size, side, timestamp_ms, .. } => {
                self.flush(reading);
                let Some(market) = self.tokens[token].market.map(|at| &self.markets[at]).filter(|m| m.whole) else {
                    reading.counts.unproven += 1;
                    return;
                };
                let text = format!(
                    r#"{{"event_type":"last_trade_price","market":"{}","asset_id":"{id}","price":"{price}","size":"{size}","side":"{}","timestamp":"{timestamp_ms}"}}"#,
                    market.condition,
                    side.as_str(),
                );
                self.emit(timestamp_ms, &text);
            }
            _ => {}
        }
    }

    fn add(&mut self, id: TokenId, name: &str) -> usize {
        let token = self.tokens.len();
        // What no token of the venue is stands for the other one.
        let other = TokenId::from_be_bytes([0xff; 32]);
        let condition = named(&[&id.to_be_bytes()]);
        let book = PairBook::without_card(condition, [id, other]);
        self.tokens.push(Token { id, book: Box::new(book), agrees: false, market: None, mirrored: Vec::new() });
        self.by_name.insert(name.to_owned(), token);
        token
    }

    fn change(&mut self, token: usize, change: LevelChange, reading: &mut Reading) {
        let market = self.tokens[token].market;
        let same = self.group.first().is_some_and(|(first, before)| {
            before.timestamp_ms == change.timestamp_ms && market.is_some() && self.tokens[*first].market == market
        });
        if !same {
            self.flush(reading);
        }
        for stale in stale(&self.tokens[token].book, &change) {
            reading.counts.mended += 1;
            self.follow(token, stale);
            if market.is_some() {
                self.group.push((token, stale));
            }
        }
        self.follow(token, change);
        if market.is_none() {
            self.look_for_mirror(token, change, reading);
        }
        match market {
            Some(_) => self.group.push((token, change)),
            None => reading.counts.unproven += 1,
        }
    }

    /// Keeps a token's own book, and notes whether it agrees with what is stated.
    fn follow(&mut self, token: usize, change: LevelChange) {
        let token = &mut self.tokens[token];
        let book = &mut token.book;
        let now = Time { mono_ns: change.timestamp_ms * Time::MILLI, wall_ns: change.timestamp_ms * Time::MILLI };
        let batch = MarketBatch { events: vec![MarketEvent::Change(change)], levels: Vec::new() };
        book.apply_event(&batch, &MarketEvent::Change(change), now, MarketSource::Shard(0));
        if let Some(agreed) = book.end_of_frame(now).agreed {
            let stated = change.best_bid.is_some() && change.best_ask.is_some();
            token.agrees = agreed && stated;
        }
    }

    fn look_for_mirror(&mut self, token: usize, change: LevelChange, reading: &mut Reading) {
        self.recent.retain(|(_, before)| before.timestamp_ms == change.timestamp_ms);
        let mirrors = |before: &LevelChange| {
            before.side != change.side
                && before.level.price == change.level.price.complement()
                && before.level.size.shares == change.level.size.shares
        };
        let found: Vec<usize> = self
            .recent
            .iter()
            .filter(|(other, before)| *other != token && mirrors(before) && self.tokens[*other].market.is_none())
            .map(|(other, _)| *other)
            .collect();
        self.recent.push((token, change));
        for other in found {
            for (one, two) in [(token, other), (other, token)] {
                match self.tokens[one].mirrored.iter_mut().find(|(known, _)| *known == two) {
                    Some((_, count)) => *count += 1,
                    None => self.tokens[one].mirrored.push((two, 1)),
                }
            }
            if self.leads(token, other) && self.leads(other, token) {
                self.pair([other, token], reading);
                return;
            }
        }
    }

    /// Whether `other` mirrors `token` often enough, and no third one does.
    fn leads(&self, token: usize, other: usize) -> bool {
        let mirrored = &self.tokens[token].mirrored;
        let count = |which: &dyn Fn(usize) -> bool| {
            mirrored.iter().filter(|(token, _)| which(*token)).map(|(_, count)| *count).max().unwrap_or(0)
        };
        let (own, next) = (count(&|token| token == other), count(&|token| token != other));
        own >= PROOFS && own >= next.saturating_mul(LEAD)
    }

    /// Makes a market of two tokens. The one that was seen first is its YES.
    fn pair(&mut self, mut tokens: [usize; 2], reading: &mut Reading) {
        tokens.sort_unstable();
        let ids = tokens.map(|token| self.tokens[token].id);
        let condition = named(&[&ids[0].to_be_bytes(), &ids[1].to_be_bytes()]);
        let tick = tokens.iter().fold(None, |tick, token| {
            let book = &self.tokens[*token].book;
            let levels = [Side::Buy, Side::Sell].into_iter().flat_map(|side| book.levels(Outcome::Yes, side));
            levels.fold(tick, |tick, level| finer(tick, level.price).or(tick))
        });
        for token in tokens {
            self.tokens[token].market = Some(self.markets.len());
        }
        let name = ids[0].to_string();
        reading.roster.state(&MarketCard {
            condition,
            slug: format!("pair-{}", name.get(name.len().saturating_sub(8)..).unwrap_or(&name)),
            question: String::new(),
            tokens: ids,
            outcomes: ["first".to_owned(), "second".to_owned()],
            tick,
            min_size: None,
            fee: None,
            end_wall_s: None,
            neg_risk: false,
            accepting_orders: true,
            taker_delay_ms: 0,
            settlement: Default::default(),
        });
        self.markets.push(Market { condition, tokens, tick, whole: false });
    }

    /// Ends a group of changes: a frame, if the books are whole, or the snapshot with which they become so.
    fn flush(&mut self, reading: &mut Reading) {
        let Some((first, last)) = self.group.first().copied().zip(self.group.last().copied()) else { return };
        let at = self.tokens[first.0].market;
        let Some(market) = at.and_then(|at| self.markets.get_mut(at)) else { return self.group.clear() };
        let ms = last.1.timestamp_ms;
        let tick = self.group.iter().fold(market.tick, |tick, (_, change)| finer(tick, change.level.price).or(tick));
        let finer_than = market.tick.filter(|before| Some(*before) != tick);
        market.tick = tick;
        let text = if market.whole {
            changes(market, &self.tokens, &self.group)
        } else if market.tokens.iter().all(|token| self.tokens[*token].agrees) {
            market.whole = true;
            snapshots(market, &self.tokens, ms)
        } else {
            reading.counts.unproven += self.group.len() as u64;
            self.group.clear();
            return;
        };
        let told = finer_than.zip(tick).map(|(old, new)| ticks(market, &self.tokens, (old, new), ms));
        self.group.clear();
        for text in told.iter().flatten().chain(std::iter::once(&text)) {
            self.emit(ms, text);
        }
    }

    fn emit(&mut self, ms: u64, text: &str) {
        let mut draft = Draft::default();
        draft.frame(ms.checked_mul(Time::MILLI), MarketSource::Shard(0), text.as_bytes());
        self.out.push_back(draft);
    }
}

impl Source for Changes {
    fn next(&mut self, draft: &mut Draft, reading: &mut Reading) -> Result<bool, TapeError> {
        loop {
            if let Some(next) = self.out.pop_front() {
                *draft = next;
                return Ok(true);
            }
            if self.ended {
                return Ok(false);
            }
            match self.table.next_row()? {
                Some(row) => self.row(&row, reading),
                None => {
                    self.ended = true;
                    self.flush(reading);
                }
            }
        }
    }
}

/// A condition id of our own making.
pub(super) fn named(parts: &[&[u8]]) -> ConditionId {
    let digest = parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part)).finalize();
    let text: String = digest.iter().fold("0x".to_owned(), |mut text, byte| {
        // A String takes any text.
        let _ = write!(text, "{byte:02x}");
        text
    });
    ConditionId::parse(&text).unwrap_or_else(|_| unreachable!("sixty-four hexadecimal digits are a condition id"))
}

fn changes(market: &Market, tokens: &[Token], group: &[(usize, LevelChange)]) -> String {
    let mut text = format!(r#"{{"event_type":"price_change","market":"{}","price_changes":["#, market.condition);
    for (at, (token, change)) in group.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let (id, price, size) = (tokens[*token].id, change.level.price, change.level.size.shares);
        let _ = write!(
            text,
            r#"{comma}{{"asset_id":"{id}","price":"{price}","size":"{size}","side":"{}""#,
            change.side.as_str()
        );
        for (name, price) in [("best_bid", change.best_bid), ("best_ask", change.best_ask)] {
            if let Some(price) = price {
                let _ = write!(text, r#","{name}":"{price}""#);
            }
        }
        text.push('}');
    }
    let ms = group.last().map_or(0, |(_, change)| change.timestamp_ms);
    let _ = write!(text, r#"],"timestamp":"{ms}"}}"#);
    text
}

fn snapshots(market: &Market, tokens: &[Token], ms: u64) -> String {
    let mut text = String::from("[");
    for (at, token) in market.tokens.iter().map(|token| &tokens[*token]).enumerate() {
        let side = |side: Side| levels(&token.book, Outcome::Yes, side);
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(
            text,
            r#"{comma}{{"event_type":"book","market":"{}","asset_id":"{}","timestamp":"{ms}","bids":[{}],"asks":[{}]}}"#,
            market.condition,
            token.id,
            side(Side::Buy),
            side(Side::Sell),
        );
    }
    text + "]"
}

/// The levels of a token's side as the venue writes them, the best last.
pub(crate) fn levels(book: &PairBook, outcome: Outcome, side: Side) -> String {
    let text = |level: oddsmith_book::Level| format!(r#"{{"price":"{}","size":"{}"}}"#, level.price, level.size);
    let mut levels: Vec<String> = book.levels(outcome, side).map(text).collect();
    levels.reverse();
    levels.join(",")
}

/// Removals of the levels that are better than the best prices stated beside a change.
fn stale(book: &PairBook, change: &LevelChange) -> Vec<LevelChange> {
    let mut all = Vec::new();
    for (side, best) in [(Side::Buy, change.best_bid), (Side::Sell, change.best_ask)] {
        let Some(best) = best else { continue };
        let better = |price: Price| if side == Side::Buy { price > best } else { price < best };
        let gone = book.levels(Outcome::Yes, side).take_while(|level| better(level.price));
        all.extend(gone.filter(|level| (side, level.price) != (change.side, change.level.price)).map(|level| {
            let size = SizeText { shares: Shares::ZERO, decimals: 0 };
            let level = BookLevel { price: level.price, price_decimals: 0, size };
            LevelChange { side, level, best_bid: None, best_ask: None, ..*change }
        }));
    }
    all
}

fn ticks(market: &Market, tokens: &[Token], (old, new): (Tick, Tick), ms: u64) -> Vec<String> {
    let told = |token: &usize| {
        format!(
            r#"{{"event_type":"tick_size_change","market":"{}","asset_id":"{}","old_tick_size":"{}","new_tick_size":"{}","timestamp":"{ms}"}}"#,
            market.condition,
            tokens[*token].id,
            old.as_str(),
            new.as_str(),
        )
    };
    market.tokens.iter().map(told).collect()
}
