//! What is done with what the listener hears.

use std::collections::BTreeMap;

use oddsmith_domain::{AssetId, ConditionId, LinkState, MarketCard, MarketId, Outcome, Time};
use oddsmith_net::{Clock, Hearer, Listener, NetError};
use oddsmith_recorder::{Coverage, Followed, Layout, Pen, PenState, Source, Totals, line, mark, note};
use serde_json::json;

use super::RecordEnd;

/// Lines are handed to the pen at this size, at the latest.
const BLOCK_BYTES: usize = 128 << 10;
/// A market that takes no orders any more is followed for this long.
const FAREWELL_NS: u64 = 600 * Time::SECOND;

/// A market that is followed.
struct Market {
    id: MarketId,
    card: MarketCard,
    /// When it is left, on the monotonic clock.
    leave_at: Option<u64>,
}

/// See the [module](self).
pub struct Desk {
    clock: Clock,
    coverage: Coverage,
    pen: Pen,
    layout: Layout,
    period_ns: u64,
    block: Vec<u8>,
    lines: u64,
    markets: BTreeMap<ConditionId, Market>,
    next_market: u32,
    /// Cards that were heard of and not looked at yet.
    cards: Vec<MarketCard>,
    /// Something happened that must not be forgotten.
    changed: bool,
    gaps: usize,
    /// How often books are noted, and when next, on the monotonic clock.
    notes: (u64, u64),
}

impl Desk {
    /// A desk that follows nothing yet.
    pub fn new(clock: Clock, coverage: Coverage, pen: Pen, layout: Layout, books_every_ns: u64) -> Desk {
        let period_ns = layout.period(clock.now().wall_ns);
        let first = if books_every_ns == 0 { u64::MAX } else { clock.now().mono_ns };
        Desk {
            clock,
            coverage,
            pen,
            layout,
            period_ns,
            block: Vec::with_capacity(BLOCK_BYTES * 2),
            lines: 0,
            markets: BTreeMap::new(),
            next_market: 0,
            cards: Vec::new(),
            changed: true,
            gaps: 0,
            notes: (books_every_ns, first),
        }
    }

    /// Follows markets, with what an earlier recorder knew of them and when it wrote the last frame of their socket.
    pub fn follow(
        &mut self,
        cards: &[MarketCard],
        listener: &mut Listener,
        mut before: impl FnMut(&ConditionId) -> Option<(Followed, u64)>,
    ) {
        let now = self.clock.now();
        for card in cards {
            let id = self.markets.get(&card.condition).map_or(MarketId(self.next_market), |market| market.id);
            if id.0 == self.next_market {
                self.next_market += 1;
            }
            let socket = listener.follow(id, card);
            self.coverage.follow(id, card, socket, before(&card.condition), now);
            let leave_at = (!card.accepting_orders).then(|| now.mono_ns.saturating_add(FAREWELL_NS));
            self.markets.insert(card.condition, Market { id, card: card.clone(), leave_at });
        }
        self.pen.cards(cards.iter().map(card_line).collect());
        self.changed = true;
    }

    /// What is known of coverage.
    pub fn coverage(&mut self) -> &mut Coverage {
        &mut self.coverage
    }

    /// Takes up new markets, and leaves those that are over.
    pub fn settle(&mut self, listener: &mut Listener, now: Time) {
        if !self.cards.is_empty() {
            let cards = std::mem::take(&mut self.cards);
            self.follow(&cards, listener, |_| None);
        }
        let over = |market: &Market| market.leave_at.is_some_and(|at| at <= now.mono_ns);
        let leaving: Vec<ConditionId> =
            self.markets.iter().filter(|(_, market)| over(market)).map(|(condition, _)| *condition).collect();
        for condition in leaving {
            if let Some(market) = self.markets.remove(&condition) {
                listener.forget(market.id);
                self.coverage.forget(market.id, now);
                self.changed = true;
            }
        }
    }

    /// Hands the lines over.
    pub fn flush(&mut self) {
        if self.lines > 0 {
            let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK_BYTES * 2));
            self.pen.lines(block, std::mem::take(&mut self.lines));
        }
    }

    /// Time passed.
    pub fn on_time(&mut self, now: Time) {
        self.coverage.on_time(now);
        let totals = self.coverage.totals();
        self.changed |= std::mem::replace(&mut self.gaps, totals.gaps + totals.open_gaps) != self.gaps;
        if self.notes.1 <= now.mono_ns {
            self.notes.1 = now.mono_ns.saturating_add(self.notes.0);
            self.note(now);
        }
        let over = self.coverage.over();
        if !over.is_empty() {
            self.flush();
            self.pen.certificates(over);
            self.changed = true;
        }
    }

    /// Begins new files when their time has come. They begin with a book of every token, so that they can be read by themselves.
    pub fn rotate_if_due(&mut self, listener: &mut Listener, now: Time) {
        let period_ns = self.layout.period(now.wall_ns);
        // A wall clock that was set back writes on where it is.
        if period_ns <= self.period_ns {
            return;
        }
        self.flush();
        self.period_ns = period_ns;
        self.pen.rotate(period_ns, self.markets.values().map(|market| card_line(&market.card)).collect());
        for market in self.markets.values() {
            Outcome::BOTH.into_iter().for_each(|outcome| listener.fetch(market.id.asset(outcome)));
        }
        self.changed = true;
    }

    /// Books to be read by REST.
    pub fn wanted(&mut self) -> Vec<AssetId> {
        self.coverage.wanted()
    }

    /// Whether something has happened since the last time that must not be forgotten.
    pub fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Writes down what is known, behind all lines.
    pub fn checkpoint(&mut self, now: Time) {
        self.flush();
        self.pen.checkpoint(self.coverage.checkpoint(now), self.coverage.under_way(now));
    }

    /// How the writing stands.
    pub fn pen_state(&self) -> PenState {
        self.pen.state()
    }

    /// What all markets come to.
    pub fn totals(&self) -> Totals {
        self.coverage.totals()
    }

    /// How many markets are followed.
    pub fn markets(&self) -> usize {
        self.markets.len()
    }

    /// Finishes the files.
    pub fn close(mut self, now: Time, fault: Option<String>) -> RecordEnd {
        self.on_time(now);
        self.checkpoint(now);
        let (under_way, totals) = (self.coverage.under_way(now), self.coverage.totals());
        let pen = self.pen.close();
        let fault = fault.or_else(|| pen.fault.clone());
        RecordEnd { root: self.layout.root, under_way, totals, pen, fault }
    }

    fn note(&mut self, now: Time) {
        for book in self.coverage.notes() {
            note(&mut self.block, now.wall_ns, &book);
            self.wrote();
        }
    }

    /// A message of a source outside of the venue.
    pub fn heard(&mut self, source: &'static str, bytes: &[u8]) {
        line(&mut self.block, Source::Feed(source), self.clock.now().wall_ns, bytes);
        self.wrote();
    }

    /// A connection to a source outside of the venue changed.
    pub fn feed_link(&mut self, source: &'static str, state: &LinkState) {
        if let Some((did, why)) = changed(state) {
            tracing::info!(source, did, why, "connection");
            mark(&mut self.block, Source::Feed(source), self.clock.now().wall_ns, did, why);
            self.wrote();
        }
    }

    fn wrote(&mut self) {
        self.lines += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.flush();
        }
    }
}

impl Hearer for Desk {
    fn frame(&mut self, socket: u16, bytes: &[u8]) {
        let now = self.clock.now();
        line(&mut self.block, Source::Socket(socket), now.wall_ns, bytes);
        self.wrote();
        self.coverage.on_frame(socket, bytes, now);
    }

    fn link(&mut self, socket: u16, state: &LinkState) {
        let now = self.clock.now();
        let Some((did, why)) = changed(state) else { return };
        tracing::info!(socket, did, why, "connection");
        mark(&mut self.block, Source::Socket(socket), now.wall_ns, did, why);
        self.wrote();
        self.coverage.on_link(socket, state, now);
        self.changed = true;
    }

    fn missing(&mut self, asset: AssetId) {
        self.coverage.on_missing(asset);
    }

    fn book(&mut self, asset: AssetId, asked: Time, book: Result<&[u8], &NetError>) {
        let now = self.clock.now();
        match book {
            Ok(bytes) => {
                line(&mut self.block, Source::Rest, now.wall_ns, bytes);
                self.wrote();
                self.coverage.on_book(asset, asked, Some(bytes), now);
            }
            Err(why) => {
                tracing::warn!(%why, "a book could not be read");
                self.coverage.on_book(asset, asked, None, now);
            }
        }
    }

    fn card(&mut self, card: MarketCard) {
        self.cards.push(card);
    }
}

/// What a recording says of a change, if it is one.
fn changed(state: &LinkState) -> Option<(&'static str, &str)> {
    match state {
        LinkState::Alive => None,
        LinkState::Up => Some(("up", "")),
        LinkState::Silent => Some(("silent", "")),
        LinkState::Down(why) => Some(("down", why)),
    }
}

/// A card as a line of `markets.jsonl`: what readers of recordings look for, and all that is known.
fn card_line(card: &MarketCard) -> Vec<u8> {
    let outcomes = Outcome::BOTH.map(|outcome| {
        let name = card.outcomes.get(outcome.index()).map_or("", String::as_str);
        json!({ "token_id": card.token(outcome).to_string(), "outcome": name })
    });
    let line = json!({
        "condition_id": card.condition.to_string(),
        "slug": card.slug,
        "title": card.question,
        "outcomes": outcomes,
        "end_ts": card.end_wall_s.map(|seconds| seconds.saturating_mul(1_000)),
        "card": card,
    });
    line.to_string().into_bytes()
}
