//! Our books and matching alone, on events in memory: the work that hftbacktest does, without an engine around it.

use std::collections::VecDeque;

use anyhow::{Result, ensure};
use oddsmith_book::PairBook;
use oddsmith_domain::{MarketBatch, MarketEvent, MarketId, MarketSource, Outcome as Token, Side, Time};
use oddsmith_paper::queue::QueueModel;
use oddsmith_paper::{Fill, Half, Matching};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;

use crate::ours::{ENTRY_MS, card};
use crate::script::{Deed, Outcome, Script};
use crate::stream::{FEED_MS, Stream, frames};

/// One event, decoded.
struct Event {
    received_ms: u64,
    what: MarketEvent,
}

/// The stream in our own form, in memory.
pub struct Core {
    opening: MarketBatch,
    events: Vec<Event>,
}

impl Core {
    pub fn new(stream: &Stream) -> Result<Core> {
        let (mut table, mut decoder) = (AssetTable::new(), MarketDecoder::new());
        table.insert(MarketId(0), &card());
        let (mut opening, mut events) = (MarketBatch::default(), Vec::new());
        for (at_ms, frame) in frames(stream, false) {
            let mut batch = MarketBatch::default();
            let report = decoder.decode(&table, frame.as_bytes(), &mut batch);
            ensure!(report.undecodable == 0, "a frame of the stream is not understood");
            if opening.events.is_empty() {
                opening = batch;
            } else {
                events.extend(batch.events.into_iter().map(|what| Event { received_ms: at_ms + FEED_MS, what }));
            }
        }
        Ok(Core { opening, events })
    }

    pub fn run(&self, script: &Script) -> Outcome {
        let mut desk = Desk::new(script);
        desk.open(&self.opening);
        let batch = MarketBatch::default();
        for event in &self.events {
            let now_ns = event.received_ms * Time::MILLI;
            if desk.due_ns <= now_ns {
                desk.act(now_ns);
            }
            desk.event(&batch, event, now_ns);
        }
        desk.act(u64::MAX);
        desk.outcome.filled = desk.filled.iter().filter(|filled| **filled).count();
        desk.outcome
    }
}

/// Book, matching, and the orders that are under way.
struct Desk<'s> {
    script: &'s Script,
    book: PairBook,
    matching: Matching,
    /// What arrives at the venue, and when by the clock of receipt. The way is equally long for everything.
    under_way: VecDeque<(u64, Deed)>,
    next: usize,
    due_ns: u64,
    fills: Vec<Fill>,
    filled: Vec<bool>,
    outcome: Outcome,
}

fn half(buys: bool) -> Half {
    if buys { Half::Bids } else { Half::Asks }
}

impl<'s> Desk<'s> {
    fn new(script: &'s Script) -> Desk<'s> {
        Desk {
            script,
            book: PairBook::new(&card()),
            matching: Matching::new(QueueModel::RiskAverse),
            under_way: VecDeque::new(),
            next: 0,
            due_ns: 0,
            fills: Vec::new(),
            filled: vec![false; script.orders.len()],
            outcome: Outcome::default(),
        }
    }

    fn open(&mut self, batch: &MarketBatch) {
        let now = Time { mono_ns: 1, wall_ns: 1 };
        for event in &batch.events {
            self.book.apply_event(batch, event, now, MarketSource::Shard(0));
            if let MarketEvent::Snapshot(header) = event
                && header.asset.outcome() == Token::Yes
            {
                for (side, levels) in [(Half::Bids, batch.bids(header)), (Half::Asks, batch.asks(header))] {
                    for level in levels {
                        self.matching.depth(side, level.price.units(), level.size.shares.micros(), header.timestamp_ms);
                    }
                }
            }
        }
        self.book.end_of_frame(now);
    }

    fn event(&mut self, batch: &MarketBatch, event: &Event, now_ns: u64) {
        let now = Time { mono_ns: now_ns, wall_ns: now_ns };
        self.book.apply_event(batch, &event.what, now, MarketSource::Shard(0));
        self.book.end_of_frame(now);
        match &event.what {
            MarketEvent::Change(change) => {
                let (side, units) = (half(change.side == Side::Buy), change.level.price.units());
                self.matching.depth(side, units, change.level.size.shares.micros(), change.timestamp_ms);
            }
            MarketEvent::LastTrade { price, size, side, timestamp_ms, .. } => {
                // Whoever buys takes from the asks.
                let taken = half(*side == Side::Sell);
                self.matching.trade(taken, price.units(), size.micros(), *timestamp_ms, &mut self.fills);
            }
            _ => {}
        }
        self.matching.end_of_frame(&mut self.fills);
        if !self.fills.is_empty() {
            self.hear();
        }
    }

    fn hear(&mut self) {
        for fill in self.fills.drain(..) {
            self.filled[fill.key as usize] = true;
            self.outcome.shares += fill.micros as f64 / 1e6;
        }
    }

    /// Sends what is due, and takes in what has arrived by now.
    fn act(&mut self, now_ns: u64) {
        let way_ns = (ENTRY_MS + FEED_MS) * Time::MILLI;
        let deeds = &self.script.deeds;
        loop {
            let leaves = deeds.get(self.next).map_or(u64::MAX, |(at, _)| *at);
            let arrives = self.under_way.front().map_or(u64::MAX, |(at, _)| *at);
            self.due_ns = leaves.min(arrives);
            if self.due_ns > now_ns || self.due_ns == u64::MAX {
                return;
            }
            if arrives <= leaves {
                if let Some((_, deed)) = self.under_way.pop_front() {
                    self.arrive(deed);
                }
            } else {
                std::hint::black_box((self.book.best_bid(Token::Yes), self.book.best_ask(Token::Yes)));
                self.under_way.push_back((leaves + way_ns, deeds[self.next].1));
                self.next += 1;
            }
        }
    }

    fn arrive(&mut self, deed: Deed) {
        match deed {
            Deed::Place(number) => {
                let order = self.script.orders[number];
                let (side, units, micros) = (half(order.buys), order.cents as u16 * 100, order.lots as i64 * 10_000);
                let mut takes = Vec::new();
                let taken = self.matching.plan(side, units, micros, &mut takes);
                self.outcome.placed += 1;
                if taken > 0 && order.post_only {
                    return;
                }
                self.matching.commit(side, &takes);
                if taken > 0 {
                    self.filled[number] = true;
                    self.outcome.shares += taken as f64 / 1e6;
                }
                if taken < micros {
                    self.matching.rest(side, number as u64, units, micros - taken);
                }
            }
            Deed::Cancel(number) => {
                let order = self.script.orders[number];
                self.matching.remove(half(order.buys), number as u64);
            }
        }
    }
}
