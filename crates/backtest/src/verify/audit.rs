//! Going through a recording.

use std::collections::BTreeMap;

use oddsmith_book::HashCheck;
use oddsmith_domain::{AssetId, MarketBatch, MarketEvent, MarketSource, Outcome, SnapshotHeader, Time};
use oddsmith_polymarket::codec::DecodeReport;
use oddsmith_polymarket::codec::market::MarketDecoder;
use serde_json::value::RawValue;

use super::dead_letter::DeadLetters;
use super::gaps::Gaps;
use super::markets::{Market, Markets};
use super::peek::{Kind, Peek};
use super::report::{Agreement, FileReport, HashesByKind, Proofs};
use super::{Options, VerifyError};
use crate::recording::{MAX_PIECE_BYTES, Piece, unwrap};

/// Event types that are counted under their own name; a file with more has invented them.
const NAMES: usize = 256;

/// The state of one file's verification.
pub(crate) struct Audit {
    file: String,
    frames: BTreeMap<String, u64>,
    kinds: HashesByKind,
    top: Agreement,
    crossed_published: u64,
    undecodable: u64,
    not_comparable: u64,
    gaps: Gaps,
    markets: Markets,
    decoder: MarketDecoder,
    batch: MarketBatch,
    letters: DeadLetters,
    now: Time,
    touched: Vec<AssetId>,
}

/// Where a message stands.
#[derive(Clone, Copy)]
struct Place<'p> {
    offset: u64,
    source: &'p str,
    /// Received in an array: what a connection begins with.
    in_array: bool,
}

impl Audit {
    pub fn new(file: &str, options: &Options) -> Result<Audit, VerifyError> {
        Ok(Audit {
            file: file.to_owned(),
            frames: BTreeMap::new(),
            kinds: HashesByKind::default(),
            top: Agreement::default(),
            crossed_published: 0,
            undecodable: 0,
            not_comparable: 0,
            gaps: Gaps::default(),
            markets: Markets::default(),
            decoder: MarketDecoder::new(),
            batch: MarketBatch::default(),
            letters: DeadLetters::open(options.dead_letter.as_deref())?,
            now: Time::default(),
            touched: Vec::new(),
        })
    }

    /// Takes one piece of the recording.
    pub fn piece(&mut self, piece: &Piece<'_>) -> Result<(), VerifyError> {
        if piece.clipped {
            let reason = format!("longer than {MAX_PIECE_BYTES} bytes");
            return self.refuse(piece.offset, &reason, piece.bytes);
        }
        let unwrapped = unwrap(piece.bytes);
        self.frame(piece.offset, &unwrapped.source, &unwrapped.frame, unwrapped.received_ns)
    }

    /// Takes a frame without what was around it.
    pub(crate) fn frame(
        &mut self,
        offset: u64,
        source: &str,
        frame: &[u8],
        received_ns: Option<u64>,
    ) -> Result<(), VerifyError> {
        if let Some(ns) = received_ns {
            self.now = Time { mono_ns: self.now.mono_ns.max(ns), wall_ns: ns };
        }
        let frame = frame.trim_ascii();
        let mut place = Place { offset, source, in_array: false };
        match std::str::from_utf8(frame) {
            Ok("PING" | "\"PING\"") => self.count("ping"),
            Ok("PONG" | "\"PONG\"") => self.count("pong"),
            Ok(text) if text.starts_with('[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
                Ok(elements) => {
                    place.in_array = true;
                    self.connection_may_begin(&elements);
                    for element in elements {
                        self.message(element.get(), place)?;
                    }
                }
                // The decoder takes what stands before the place where it stops being JSON, and says what is wrong there.
                Err(_) => self.decode(frame, None, place)?,
            },
            Ok(text) => self.message(text, place)?,
            Err(_) => self.decode(frame, None, place)?,
        }
        Ok(())
    }

    /// A connection begins with an array of books. Whatever was under way on the one before it will not be completed.
    fn connection_may_begin(&mut self, elements: &[&RawValue]) {
        let book = |element: &&RawValue| Peek::at(element.get()).map(|peek| peek.kind(""));
        if elements.is_empty() || !elements.iter().all(|e| book(e) == Some(Kind::Stream(String::from("book")))) {
            return;
        }
        for market in self.markets.iter_mut().filter(|market| market.waiting) {
            market.book.finish_batch();
            market.waiting = false;
        }
    }

    /// The number of a token of a market, which is made known if it was not.
    pub fn asset(&mut self, condition: &str, token: &str) -> Option<AssetId> {
        self.markets.learn(condition, token, &mut self.gaps);
        self.markets.table.lookup(token.as_bytes())
    }

    /// Takes one message.
    fn message(&mut self, json: &str, place: Place<'_>) -> Result<(), VerifyError> {
        let Some(peek) = Peek::at(json) else {
            return self.decode(json.as_bytes(), None, place);
        };
        match peek.kind(place.source) {
            Kind::Other(name) => {
                self.count(&name);
                Ok(())
            }
            Kind::NamelessBook => self.nameless(json, place),
            Kind::Nothing => self.decode(json.as_bytes(), None, place),
            kind @ (Kind::Stream(_) | Kind::Rest) => {
                if let Some(market) = &peek.market {
                    for asset in peek.assets() {
                        self.markets.learn(market, &asset, &mut self.gaps);
                    }
                }
                self.decode(json.as_bytes(), Some(&kind), place)
            }
        }
    }

    /// A book that does not say whose it is: all such books of a file are taken for one token's.
    fn nameless(&mut self, json: &str, place: Place<'_>) -> Result<(), VerifyError> {
        let (condition, token) = ("0x0", "0");
        let Some(fields) = json.trim_start().strip_prefix('{') else {
            return self.refuse(place.offset, "not an object", json.as_bytes());
        };
        self.markets.learn(condition, token, &mut self.gaps);
        let named = format!("{{\"market\":\"{condition}\",\"asset_id\":\"{token}\",{fields}");
        self.decode(named.as_bytes(), Some(&Kind::NamelessBook), place)
    }

    /// Decodes a message, applies what it held, and counts it under its kind.
    fn decode(&mut self, frame: &[u8], kind: Option<&Kind>, place: Place<'_>) -> Result<(), VerifyError> {
        let mut batch = std::mem::take(&mut self.batch);
        let report = self.decoder.decode(&self.markets.table, frame, &mut batch);
        self.count_decoded(kind, &report, &batch);
        let rest = matches!(kind, Some(Kind::Rest | Kind::NamelessBook));
        self.apply(&batch, rest, place.in_array);
        self.batch = batch;
        if report.undecodable == 0 {
            return Ok(());
        }
        let reason = report.first_fault.map_or_else(|| String::from("unknown"), |fault| fault.to_string());
        self.undecodable += u64::from(report.undecodable);
        self.letters.keep(&self.file, place.offset, &reason, frame)
    }

    fn count_decoded(&mut self, kind: Option<&Kind>, report: &DecodeReport, batch: &MarketBatch) {
        match kind {
            Some(Kind::Stream(name)) if report.elements + report.unknown_events > 0 => self.count(name),
            Some(Kind::Rest) if report.elements > 0 => self.count("rest"),
            Some(Kind::NamelessBook) if report.elements > 0 => self.count("book"),
            Some(_) => {}
            // Part of an array that breaks off: what was decoded says what it was.
            None => {
                let mut changes = false;
                for event in &batch.events {
                    let is_change = matches!(event, MarketEvent::Change(_));
                    if !(is_change && changes) {
                        self.count(event_name(event));
                    }
                    changes = is_change;
                }
            }
        }
    }

    /// Applies the events of one message.
    pub fn apply(&mut self, batch: &MarketBatch, rest: bool, in_array: bool) {
        let venue_ms = batch.events.iter().filter_map(timestamp_of).max();
        if self.now.wall_ns == 0
            && let Some(ms) = venue_ms
        {
            // Without receive times the venue's own time is the clock.
            self.now.mono_ns = self.now.mono_ns.max(ms.saturating_mul(Time::MILLI));
        }
        if !rest && !in_array && !batch.events.is_empty() {
            self.silences_end();
        }
        let source = if rest { MarketSource::Rest } else { MarketSource::Shard(0) };
        self.touched.clear();
        for event in &batch.events {
            self.event(batch, event, source);
        }
        let touched = std::mem::take(&mut self.touched);
        for asset in &touched {
            self.frame_ended(*asset);
        }
        self.touched = touched;
    }

    /// A frame of the living stream: whoever was silent until now has been silent in truth.
    fn silences_end(&mut self) {
        let now = self.now;
        for market in self.markets.iter_mut().filter(|market| market.waiting) {
            if market.book.next_check_mono_ns().is_some_and(|due| due <= now.mono_ns) {
                market.book.idle_check(now);
                judge(market, &mut self.gaps);
            }
            market.waiting = market.book.next_check_mono_ns().is_some();
        }
    }

    fn event(&mut self, batch: &MarketBatch, event: &MarketEvent, source: MarketSource) {
        let (Some(asset), Some(ms)) = (asset_of(event), timestamp_of(event)) else {
            return;
        };
        let now = self.now;
        let Some(market) = self.markets.of(asset) else {
            return;
        };
        match event {
            MarketEvent::Snapshot(header) => {
                let (hash, differs) = snapshot(market, batch, header, now, source);
                market.whole = true;
                for (track, name) in market.tracks.iter_mut().zip(&market.names).filter(|(_, name)| !name.is_empty()) {
                    track.snapshot(name, ms, differs, &mut self.gaps);
                }
                let kind = if source == MarketSource::Rest { &mut self.kinds.rest } else { &mut self.kinds.snapshot };
                match hash {
                    HashCheck::None => {}
                    HashCheck::Reproduced => kind.add(1, 1),
                    HashCheck::Differs => kind.add(1, 0),
                    HashCheck::Unverifiable => self.not_comparable += 1,
                }
            }
            _ => {
                let is_change = matches!(event, MarketEvent::Change(_));
                market.book.apply_event(batch, event, now, source);
                for (track, name) in market.tracks.iter_mut().zip(&market.names).filter(|(_, name)| !name.is_empty()) {
                    track.streamed(name, ms, is_change, &mut self.gaps);
                }
            }
        }
        if !self.touched.iter().any(|known| known.market() == asset.market()) {
            self.touched.push(asset);
        }
    }

    fn frame_ended(&mut self, asset: AssetId) {
        let now = self.now;
        let Some(market) = self.markets.of(asset) else {
            return;
        };
        let end = market.book.end_of_frame(now);
        if let (Some(before), Some(after)) = (end.agreed_before_repair, end.agreed) {
            if after && !market.whole {
                market.whole = true;
                market.book.adopt();
            }
            if market.whole {
                self.top.checked += 1;
                self.top.agreed += u64::from(after);
                self.top.agreed_before_repair += u64::from(before);
            }
        }
        let [bid, ask] = [market.book.best_bid(Outcome::Yes), market.book.best_ask(Outcome::Yes)];
        if bid.zip(ask).is_some_and(|(bid, ask)| bid.price >= ask.price) {
            self.crossed_published += 1;
        }
        market.waiting = market.book.next_check_mono_ns().is_some();
        judge(market, &mut self.gaps);
    }

    /// Counts a message under its name.
    pub fn count(&mut self, name: &str) {
        if let Some(count) = self.frames.get_mut(name) {
            *count += 1;
        } else {
            let name = if self.frames.len() < NAMES { name } else { "other" };
            *self.frames.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Counts and keeps something that cannot be decoded.
    pub fn refuse(&mut self, offset: u64, reason: &str, bytes: &[u8]) -> Result<(), VerifyError> {
        self.undecodable += 1;
        self.letters.keep(&self.file, offset, reason, bytes)
    }

    /// The end of the recording.
    pub fn finish(mut self) -> FileReport {
        let counted = self.markets.finish(&mut self.gaps);
        let mut kinds = self.kinds;
        kinds.delta.add(counted.hashes.checked, counted.hashes.reproduced);
        let mut hashes = Proofs::default();
        for kind in [kinds.rest, kinds.snapshot, kinds.delta] {
            hashes.add(kind.checked, kind.reproduced);
        }
        self.gaps.all.sort_by(|a, b| (a.from, &a.asset_id).cmp(&(b.from, &b.asset_id)));
        FileReport {
            file: self.file,
            frames: self.frames,
            hashes,
            hashes_by_kind: kinds,
            top_of_book: self.top,
            repaired: counted.repaired,
            crossed_published: self.crossed_published,
            dirty: counted.dirty,
            gaps: self.gaps.all,
            undecodable: self.undecodable,
            not_comparable: self.not_comparable + counted.hashes.unverifiable + counted.hashes.unfinished,
        }
    }
}

/// Applies a snapshot; where facts are missing for its hash, tries to learn them from it. Says what became of its hash, and
/// whether it changed the book.
fn snapshot(
    market: &mut Market,
    batch: &MarketBatch,
    header: &SnapshotHeader,
    now: Time,
    source: MarketSource,
) -> (HashCheck, bool) {
    let (outcome, bids, asks) = (header.asset.outcome(), batch.bids(header), batch.asks(header));
    let applied = market.book.apply_snapshot(outcome, header, bids, asks, now, source);
    let differs = applied.fresh && applied.changed > 0;
    if applied.hash == HashCheck::Unverifiable && market.book.learn_facts(outcome, header, bids, asks) {
        let again = market.book.apply_snapshot(outcome, header, bids, asks, now, source);
        return (again.hash, differs);
    }
    (applied.hash, differs)
}

fn judge(market: &mut Market, gaps: &mut Gaps) {
    let waiting = market.book.next_check_mono_ns().is_some();
    for outcome in Outcome::BOTH {
        let at = outcome.index();
        if !market.names[at].is_empty() {
            market.tracks[at].judged(&market.names[at], market.book.health(outcome), waiting, gaps);
        }
    }
}

fn asset_of(event: &MarketEvent) -> Option<AssetId> {
    match event {
        MarketEvent::Snapshot(header) => Some(header.asset),
        MarketEvent::Change(change) => Some(change.asset),
        MarketEvent::LastTrade { asset, .. }
        | MarketEvent::TickChange { asset, .. }
        | MarketEvent::BestBidAsk { asset, .. } => Some(*asset),
        MarketEvent::Resolved { .. } => None,
    }
}

fn timestamp_of(event: &MarketEvent) -> Option<u64> {
    match event {
        MarketEvent::Snapshot(header) => Some(header.timestamp_ms),
        MarketEvent::Change(change) => Some(change.timestamp_ms),
        MarketEvent::LastTrade { timestamp_ms, .. }
        | MarketEvent::TickChange { timestamp_ms, .. }
        | MarketEvent::BestBidAsk { timestamp_ms, .. }
        | MarketEvent::Resolved { timestamp_ms, .. } => Some(*timestamp_ms),
    }
}

fn event_name(event: &MarketEvent) -> &'static str {
    match event {
        MarketEvent::Snapshot(_) => "book",
        MarketEvent::Change(_) => "price_change",
        MarketEvent::LastTrade { .. } => "last_trade_price",
        MarketEvent::TickChange { .. } => "tick_size_change",
        MarketEvent::BestBidAsk { .. } => "best_bid_ask",
        MarketEvent::Resolved { .. } => "market_resolved",
    }
}
