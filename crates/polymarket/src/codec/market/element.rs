//! The general way through an element: any order of keys, any white space, escapes, unknown and missing fields.

use oddsmith_domain::{BookLevel, LevelChange, MarketEvent, SnapshotHeader};

use super::fields::{Field, Fields, Key, Unescaped};
use super::what::{CHANGE, What};
use super::{Frame, Levels, Mark, Unknown};
use crate::codec::number::Decimal;
use crate::codec::scan::{Broken, Kind, Raw, Scan, Scanner, unescape};
use crate::codec::{DecodeReport, Fault, FaultKind};

/// What the lists of an element held. Their contents are already in the batch; a fault makes the element worthless.
#[derive(Default)]
struct Lists {
    bids: Option<Levels>,
    asks: Option<Levels>,
    changes: bool,
    irregular: bool,
    /// The first level that could not be decoded, or a list that is none.
    fault: Option<Fault>,
    /// Known keys in changes which should not be there.
    strange: u32,
    /// What happened to the changes; counts only if the element is a price change.
    report: DecodeReport,
}

/// Decodes one element, which is any JSON value, and leaves the cursor behind it.
pub(super) fn decode(frame: &mut Frame<'_>, scanner: &mut Scanner<'_>) -> Scan<()> {
    let mark = frame.mark();
    scanner.validate();
    let (fields, mut lists, unknown) = match collect(frame, scanner) {
        Ok(collected) => collected,
        Err(broken) => {
            frame.roll_back(mark);
            return Err(broken);
        }
    };
    let judge = Judge { frame: &mut *frame, bytes: scanner.bytes(), fields: &fields, lists: &mut lists, mark };
    match judge.judge() {
        Ok(Verdict::Understood(what)) => {
            let strange = (fields.seen & !what.known()).count_ones();
            let strange = strange + if what == What::PriceChange { lists.strange } else { 0 };
            frame.understood(strange, unknown, fields.start);
        }
        Ok(Verdict::Unknown) => {
            frame.roll_back(mark);
            frame.report.unknown_events += 1;
            frame.report.first_unknown.get_or_insert(fields.start);
        }
        Err(fault) => {
            frame.roll_back(mark);
            frame.report.fail(fault);
        }
    }
    Ok(())
}

fn key_of(bytes: &[u8], raw: Raw) -> Option<Key> {
    if raw.kind == Kind::Text {
        return Key::of(raw.slice(bytes));
    }
    let mut buffer = Unescaped::new();
    unescape(raw.slice(bytes), &mut buffer)?;
    Key::of(buffer.as_bytes())
}

fn collect(frame: &mut Frame<'_>, scanner: &mut Scanner<'_>) -> Scan<(Fields, Lists, Unknown)> {
    scanner.skip_space();
    let (mut fields, mut lists, mut unknown) = (Fields::default(), Lists::default(), Unknown::default());
    fields.begin(scanner.at());
    if scanner.peek() != Some(b'{') {
        let raw = scanner.value()?;
        lists.fault = Some(Fault { at: raw.start, field: None, kind: FaultKind::NotAnEvent });
        return Ok((fields, lists, unknown));
    }
    let mut more = scanner.opens(b'{', b'}')?;
    while more {
        let raw = scanner.key()?;
        match key_of(scanner.bytes(), raw) {
            Some(key) if fields.note(key, raw.start) => match key {
                Key::Bids => lists.bids = levels(frame, scanner, &mut lists, Key::Bids)?,
                Key::Asks => lists.asks = levels(frame, scanner, &mut lists, Key::Asks)?,
                Key::PriceChanges => changes(frame, scanner, &mut lists, &mut unknown)?,
                _ => fields.set(key, scanner.value()?),
            },
            known => {
                if known.is_none() {
                    unknown.note(raw);
                }
                scanner.value()?;
            }
        }
        more = scanner.another(b'}')?;
    }
    Ok((fields, lists, unknown))
}

/// Whether the value that follows is a list; if not it is skipped, and a fault noted.
fn begins_list(scanner: &mut Scanner<'_>, lists: &mut Lists, key: Key) -> Scan<bool> {
    scanner.skip_space();
    if scanner.peek() == Some(b'[') {
        return Ok(true);
    }
    let raw = scanner.value()?;
    lists.fault.get_or_insert(Fault { at: raw.start, field: Some(key.text()), kind: FaultKind::WrongType });
    Ok(false)
}

fn levels(frame: &mut Frame<'_>, scanner: &mut Scanner<'_>, lists: &mut Lists, key: Key) -> Scan<Option<Levels>> {
    if !begins_list(scanner, lists, key)? {
        return Ok(None);
    }
    let first = frame.batch.levels.len();
    let mut fields = Fields::default();
    let mut more = scanner.opens(b'[', b']')?;
    while more {
        match entry(scanner, &mut fields, &mut Unknown::default())?.and_then(|()| level(scanner.bytes(), &fields)) {
            Ok((level, regular)) => {
                frame.batch.levels.push(level);
                lists.irregular |= !regular;
            }
            Err(fault) => {
                lists.fault.get_or_insert(fault);
            }
        }
        more = scanner.another(b']')?;
    }
    Ok(Some(Levels { first, count: frame.batch.levels.len() - first }))
}

/// One level: a price, a size, and whether their texts are regular.
fn level(bytes: &[u8], fields: &Fields) -> Field<(BookLevel, bool)> {
    let (price, text) = fields.price(bytes, Key::Price)?;
    let (size, regular) = fields.size(bytes)?;
    Ok((BookLevel { price, price_decimals: text.decimals, size }, regular && text.regular))
}

/// Collects the fields of an object inside a list; a fault when it is none.
fn entry(scanner: &mut Scanner<'_>, fields: &mut Fields, unknown: &mut Unknown) -> Scan<Field<()>> {
    scanner.skip_space();
    fields.begin(scanner.at());
    if scanner.peek() != Some(b'{') {
        let raw = scanner.value()?;
        return Ok(Err(Fault { at: raw.start, field: None, kind: FaultKind::WrongType }));
    }
    let mut more = scanner.opens(b'{', b'}')?;
    while more {
        let raw = scanner.key()?;
        let key = key_of(scanner.bytes(), raw);
        let value = scanner.value()?;
        match key {
            Some(key) => {
                if fields.note(key, raw.start) {
                    fields.set(key, value);
                }
            }
            None => unknown.note(raw),
        }
        more = scanner.another(b'}')?;
    }
    Ok(fields.duplicate.map_or(Ok(()), Err))
}

fn changes(frame: &mut Frame<'_>, scanner: &mut Scanner<'_>, lists: &mut Lists, unknown: &mut Unknown) -> Scan<()> {
    if !begins_list(scanner, lists, Key::PriceChanges)? {
        return Ok(());
    }
    lists.changes = true;
    let mut fields = Fields::default();
    let mut more = scanner.opens(b'[', b']')?;
    while more {
        match entry(scanner, &mut fields, unknown)? {
            Ok(()) => {
                lists.strange += (fields.seen & !CHANGE).count_ones();
                change(frame, scanner.bytes(), &fields, &mut lists.report);
            }
            Err(fault) => lists.report.fail(fault),
        }
        more = scanner.another(b']')?;
    }
    Ok(())
}

/// Adds a change to the batch, still without its time, or counts why not.
fn change(frame: &mut Frame<'_>, bytes: &[u8], fields: &Fields, report: &mut DecodeReport) {
    let asset = match fields.text(bytes, Key::AssetId, |text| Ok(frame.table.lookup(text))) {
        Ok(Some(asset)) => asset,
        Ok(None) => {
            report.unknown_assets += 1;
            return;
        }
        Err(fault) => return report.fail(fault),
    };
    let read = || {
        let (price, text) = fields.price(bytes, Key::Price)?;
        let (size, regular) = fields.size(bytes)?;
        Ok(LevelChange {
            asset,
            side: fields.side(bytes)?,
            level: BookLevel { price, price_decimals: text.decimals, size },
            timestamp_ms: 0,
            hash: fields.hash(bytes)?,
            best_bid: fields.optional_price(bytes, Key::BestBid)?.map(|(price, _)| price),
            best_ask: fields.optional_price(bytes, Key::BestAsk)?.map(|(price, _)| price),
            irregular_text: !regular || !text.regular,
        })
    };
    match read() {
        Ok(change) => frame.batch.events.push(MarketEvent::Change(change)),
        Err(fault) => report.fail(fault),
    }
}

enum Verdict {
    Understood(What),
    Unknown,
}

/// Turns the collected fields of an element into events.
struct Judge<'j, 'f> {
    frame: &'j mut Frame<'f>,
    bytes: &'j [u8],
    fields: &'j Fields,
    lists: &'j mut Lists,
    mark: Mark,
}

impl Judge<'_, '_> {
    fn judge(mut self) -> Field<Verdict> {
        if let Some(fault) = self.fields.duplicate {
            return Err(fault);
        }
        let what = if self.fields.has(Key::EventType) {
            match self.fields.text(self.bytes, Key::EventType, |text| Ok(What::named(text)))? {
                Some(what) => what,
                None => return Ok(Verdict::Unknown),
            }
        } else {
            let nothing = Fault { at: self.fields.start, field: None, kind: FaultKind::NotAnEvent };
            What::shaped(self.fields.seen).ok_or(self.lists.fault.unwrap_or(nothing))?
        };
        // Whatever it is, it says which market it is about.
        self.fields.text(self.bytes, Key::Market, |_| Ok(()))?;
        // Lists that belong to another kind of element are nothing here.
        if what != What::PriceChange {
            self.frame.batch.events.truncate(self.mark.events);
        }
        if what != What::Book {
            self.frame.batch.levels.truncate(self.mark.levels);
        }
        match what {
            What::Book => self.book()?,
            What::PriceChange => self.price_change()?,
            What::LastTrade => self.last_trade()?,
            What::TickSize => self.tick_size()?,
            What::BestBidAsk => self.best_bid_ask()?,
            What::NewMarket => self.frame.report.listings += 1,
            What::Resolved => self.resolved()?,
        }
        Ok(Verdict::Understood(what))
    }

    /// The asset that the element is about. One that is not ours is counted, and nothing of the element is kept.
    fn asset(&mut self) -> Field<Option<oddsmith_domain::AssetId>> {
        let table = self.frame.table;
        let asset = self.fields.text(self.bytes, Key::AssetId, |text| Ok(table.lookup(text)))?;
        if asset.is_none() {
            self.frame.report.unknown_assets += 1;
            self.frame.roll_back(self.mark);
        }
        Ok(asset)
    }

    fn book(&mut self) -> Field<()> {
        let (bytes, fields) = (self.bytes, self.fields);
        let timestamp_ms = fields.timestamp(bytes)?;
        let Some(asset) = self.asset()? else { return Ok(()) };
        if let Some(fault) = self.lists.fault {
            return Err(fault);
        }
        let bids = self.lists.bids.ok_or_else(|| fields.fault(Key::Bids, FaultKind::Missing))?;
        let asks = self.lists.asks.ok_or_else(|| fields.fault(Key::Asks, FaultKind::Missing))?;
        let first_level = self.frame.bids_first(bids, asks);
        let mut irregular = self.lists.irregular;
        let mut tick = None;
        if fields.states(Key::TickSize) {
            let (stated, regular) = fields.tick(bytes, Key::TickSize)?;
            irregular |= !regular;
            tick = Some(stated);
        }
        let mut min_size = None;
        if fields.states(Key::MinOrderSize) {
            let (stated, regular) = fields.min_size(bytes)?;
            irregular |= !regular;
            min_size = Some(stated);
        }
        let neg_risk = if fields.states(Key::NegRisk) { Some(fields.flag(Key::NegRisk)?) } else { None };
        let last_trade = fields.optional_price(bytes, Key::LastTradePrice)?;
        if let Some((_, text)) = last_trade {
            irregular |= !is_usual_last_trade(text);
        }
        let header = SnapshotHeader {
            asset,
            timestamp_ms,
            hash: fields.hash(bytes)?,
            first_level,
            bids: bids.count as u32,
            asks: asks.count as u32,
            tick,
            min_size,
            neg_risk,
            last_trade: last_trade.map(|(price, _)| price),
            last_trade_stated: fields.states(Key::LastTradePrice),
            version_v2: fields.optional(bytes, Key::Version, |text| Ok(text == b"v2"))?.unwrap_or(false),
            irregular_text: irregular,
        };
        self.frame.batch.events.push(MarketEvent::Snapshot(header));
        Ok(())
    }

    fn price_change(&mut self) -> Field<()> {
        let timestamp = self.fields.timestamp(self.bytes)?;
        if let Some(fault) = self.lists.fault {
            return Err(fault);
        }
        if !self.lists.changes {
            if !self.fields.has(Key::AssetId) {
                return Err(self.fields.fault(Key::PriceChanges, FaultKind::Missing));
            }
            // The first protocol had one change, its fields beside the time.
            change(self.frame, self.bytes, self.fields, &mut self.lists.report);
        }
        self.frame.date_changes(self.mark, timestamp);
        self.frame.report.absorb(&self.lists.report);
        Ok(())
    }

    fn last_trade(&mut self) -> Field<()> {
        let (bytes, fields) = (self.bytes, self.fields);
        let timestamp_ms = fields.timestamp(bytes)?;
        let (price, _) = fields.price(bytes, Key::Price)?;
        let (size, _) = fields.size(bytes)?;
        let side = fields.side(bytes)?;
        if let Some(asset) = self.asset()? {
            let event = MarketEvent::LastTrade { asset, price, size: size.shares, side, timestamp_ms };
            self.frame.batch.events.push(event);
        }
        Ok(())
    }

    fn tick_size(&mut self) -> Field<()> {
        let timestamp_ms = self.fields.timestamp(self.bytes)?;
        let (tick, _) = self.fields.tick(self.bytes, Key::NewTickSize)?;
        if let Some(asset) = self.asset()? {
            self.frame.batch.events.push(MarketEvent::TickChange { asset, tick, timestamp_ms });
        }
        Ok(())
    }

    fn best_bid_ask(&mut self) -> Field<()> {
        let timestamp_ms = self.fields.timestamp(self.bytes)?;
        let (best_bid, _) = self.fields.price(self.bytes, Key::BestBid)?;
        let (best_ask, _) = self.fields.price(self.bytes, Key::BestAsk)?;
        if let Some(asset) = self.asset()? {
            self.frame.batch.events.push(MarketEvent::BestBidAsk { asset, best_bid, best_ask, timestamp_ms });
        }
        Ok(())
    }

    fn resolved(&mut self) -> Field<()> {
        let table = self.frame.table;
        let timestamp_ms = self.fields.timestamp(self.bytes)?;
        let market = self.fields.text(self.bytes, Key::Market, |text| Ok(table.market(text)))?;
        let winner = self.fields.optional(self.bytes, Key::WinningAssetId, |text| Ok(table.lookup(text)))?;
        let outcome = self.fields.optional(self.bytes, Key::WinningOutcome, |_| Ok(()))?;
        let stated = self.fields.is_stated(Key::WinningOutcome);
        match market {
            Some(market) => {
                // A market that pays both halves names a token all the same, and an empty outcome.
                let unnamed = stated && outcome.is_none();
                let winner = winner.flatten().filter(|_| !unnamed);
                let event = MarketEvent::Resolved { market, winner, timestamp_ms };
                self.frame.batch.events.push(event);
            }
            None => self.frame.report.unknown_assets += 1,
        }
        Ok(())
    }
}

/// Whether a last trade price is written the way that the venue writes it: three decimals, or four when it must.
pub(super) const fn is_usual_last_trade(text: Decimal) -> bool {
    text.regular && (text.decimals == 3 || (text.decimals == 4 && !text.value.is_multiple_of(10)))
}

/// The fault that a broken text is.
pub(super) const fn fault_of(broken: Broken) -> Fault {
    Fault { at: broken.at, field: None, kind: broken.kind }
}
