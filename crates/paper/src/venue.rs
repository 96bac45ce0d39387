//! The venue: actions of the engine in, and whatever a venue would say to them out, each at its time.

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{
    Action, ActionSeq, AssetId, FetchWhat, GatewayInput, GatewayOutcome, Input, MarketBatch, MarketCard, MarketEvent,
    MarketId, OrderId, OrderType, Price, Shares, Time, TradeStatus, Usdc,
};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;

use crate::answers::{instead, refused};
use crate::held::Held;
use crate::latency::{Latency, Way};
use crate::listed::Listed;
use crate::matches::Match;
use crate::matching::Fill;
use crate::noise::Noise;
use crate::purse::Purse;
use crate::settings::PaperSettings;

/// Orders and cancels that travel in one request at most (protocol sections 6.4 and 6.5).
const BATCH: u32 = 15;
/// A key that has sent a heartbeat once and then is silent for so long has its orders cancelled (protocol section 6.6).
const HEARTBEAT_NS: u64 = 10 * Time::SECOND;
/// Orders and matches that have ended are remembered for queries and reads: at most so many.
pub(crate) const REMEMBERED: usize = 50_000;

/// Something for the engine, at its time.
#[derive(Clone, Debug, PartialEq)]
pub enum PaperInput {
    /// A frame of the user channel, in the venue's own form.
    User(Vec<u8>),
    /// The result of an action.
    Gateway(GatewayInput),
}

impl PaperInput {
    /// As the engine's input.
    #[must_use]
    pub fn as_input(&self) -> Input<'_> {
        match self {
            PaperInput::User(bytes) => Input::User { bytes },
            PaperInput::Gateway(result) => Input::Gateway(Box::new(result.clone())),
        }
    }
}

/// What has happened on paper so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaperCounts {
    /// Placements that arrived.
    pub placed: u64,
    /// Of them, those that were refused.
    pub refused: u64,
    /// Fills of resting orders.
    pub made: u64,
    /// Matches that took from the displayed book.
    pub taken: u64,
    /// Orders that were cancelled, for whatever reason.
    pub canceled: u64,
    /// Matches that failed to settle.
    pub failed: u64,
}

/// Something that the venue does by itself.
#[derive(Debug)]
pub(crate) enum Job {
    /// A request arrives at the venue; its answer is with us at this time.
    Arrive { seq: ActionSeq, what: Box<Action>, answer_at: u64 },
    /// A taker delay ends.
    DelayOver(OrderId),
    /// An order's stated life ends.
    Expire(OrderId),
    /// A match's settlement moves on.
    Settle(u64, TradeStatus),
    /// The heartbeat may have ceased.
    Heartbeat,
    /// Something is with us.
    Deliver(PaperInput),
}

/// A venue on paper. See the crate's first page.
#[derive(Debug)]
pub struct PaperVenue {
    pub(crate) settings: PaperSettings,
    assets: AssetTable,
    pub(crate) markets: BTreeMap<MarketId, Listed>,
    decoder: MarketDecoder,
    batch: MarketBatch,
    /// The markets of a frame, in memory that is reused.
    touched: Vec<MarketId>,
    pub(crate) purse: Purse,
    pub(crate) orders: BTreeMap<OrderId, Held>,
    pub(crate) keys: BTreeMap<u64, OrderId>,
    pub(crate) last_key: u64,
    pub(crate) finished_orders: VecDeque<OrderId>,
    pub(crate) matches: BTreeMap<u64, Match>,
    pub(crate) finished_matches: VecDeque<u64>,
    pub(crate) last_match: u64,
    agenda: BTreeMap<(u64, u64), Job>,
    last_job: u64,
    ready: VecDeque<PaperInput>,
    pub(crate) latency: Latency,
    pub(crate) noise: Noise,
    /// The user channel is one connection: what it says keeps its order.
    news_at: u64,
    heartbeat_due: Option<u64>,
    /// The request that placements of this instant still fit into: when it left, how many it has, how it travels.
    request: Option<(u64, u32, Way)>,
    pub(crate) counts: PaperCounts,
}

impl PaperVenue {
    /// A venue that knows no market yet.
    #[must_use]
    pub fn new(settings: PaperSettings) -> PaperVenue {
        let mut noise = Noise::new(settings.seed);
        let latency = Latency::new(settings.latency.clone(), settings.uneven, settings.feed_ns, noise.bits());
        PaperVenue {
            purse: Purse::new(settings.collateral, settings.allowance, settings.tokens_allowed),
            settings,
            assets: AssetTable::new(),
            markets: BTreeMap::new(),
            decoder: MarketDecoder::new(),
            batch: MarketBatch::default(),
            touched: Vec::new(),
            orders: BTreeMap::new(),
            keys: BTreeMap::new(),
            last_key: 0,
            finished_orders: VecDeque::new(),
            matches: BTreeMap::new(),
            finished_matches: VecDeque::new(),
            last_match: 0,
            agenda: BTreeMap::new(),
            last_job: 0,
            ready: VecDeque::new(),
            latency,
            noise,
            news_at: 0,
            heartbeat_due: None,
            request: None,
            counts: PaperCounts::default(),
        }
    }

    /// Learns a market by the engine's number, or a new card of one: before its frames and orders come.
    pub fn learn(&mut self, market: MarketId, card: &MarketCard) {
        self.assets.insert(market, card);
        let model = self.settings.queue;
        match self.markets.get_mut(&market) {
            Some(listed) => listed.refresh(card, model),
            None => {
                self.markets.insert(market, Listed::new(card, model));
            }
        }
    }

    /// Nobody follows the market any more: its frames are passed over, and orders in it are refused. What is matched settles.
    pub fn forget(&mut self, market: MarketId) {
        if let Some(listed) = self.markets.get_mut(&market) {
            (listed.book, listed.is_known) = (None, false);
            self.assets.remove(&listed.card);
        }
    }

    /// Tokens that the account has from before.
    pub fn give(&mut self, asset: AssetId, shares: Shares) {
        let _always = self.purse.change(asset, shares.max(Shares::ZERO));
    }

    /// Turns collateral into pairs of both tokens; whether there was enough of it.
    pub fn split(&mut self, market: MarketId, pairs: Shares) -> bool {
        let cost = Usdc::from_micros(pairs.micros());
        if !pairs.is_positive() || self.purse.free_collateral() < cost {
            return false;
        }
        self.purse.pay(-cost);
        for outcome in oddsmith_domain::Outcome::BOTH {
            self.give(market.asset(outcome), pairs);
        }
        true
    }

    /// The venue has decided a market: a share of YES pays this much. Its orders are cancelled.
    pub fn resolve(&mut self, market: MarketId, yes_pays: Price, now: Time) {
        self.advance(now);
        if let Some(listed) = self.markets.get_mut(&market) {
            (listed.paid, listed.is_open) = (Some(yes_pays), false);
        }
        self.close(market, now);
    }

    /// Whether this venue, and not one with market data, has to carry an action out.
    #[must_use]
    pub const fn takes(action: &Action) -> bool {
        !matches!(
            action,
            Action::Subscribe { .. }
                | Action::Unsubscribe { .. }
                | Action::Fetch(FetchWhat::Book(_) | FetchWhat::Resolution(_))
        )
    }

    /// An action leaves the engine now. Its one result comes by [`PaperVenue::next_input`]. What needs market data
    /// ([`PaperVenue::takes`] says no) is answered at once, with nothing: a recording cannot be asked.
    pub fn act(&mut self, seq: ActionSeq, what: &Action, now: Time) {
        self.advance(now);
        if !PaperVenue::takes(what) {
            let outcome = match what {
                Action::Fetch(FetchWhat::Resolution(market)) => {
                    GatewayOutcome::Resolution(Ok(self.markets.get(market).and_then(|listed| listed.paid)))
                }
                _ => GatewayOutcome::Done(Ok(())),
            };
            return self.ready.push_back(PaperInput::Gateway(GatewayInput { action: seq, outcome }));
        }
        match self.way(what, now) {
            Way::Refused { after_ns } => {
                let result = GatewayInput { action: seq, outcome: instead(what) };
                self.at(now.mono_ns.saturating_add(after_ns), Job::Deliver(PaperInput::Gateway(result)));
            }
            Way::Arrives { entry_ns, response_ns } => {
                // What the venue displays when the order arrives is seen here a feed leg later.
                let there = now.mono_ns.saturating_add(entry_ns);
                let answer_at = there.saturating_add(response_ns);
                let seen = there.saturating_add(self.latency.feed_ns());
                self.at(seen, Job::Arrive { seq, what: Box::new(what.clone()), answer_at });
            }
        }
        self.advance(now);
    }

    /// How an action travels: placements and cancels of one instant share a request, up to its limit.
    fn way(&mut self, what: &Action, now: Time) -> Way {
        if !matches!(what, Action::Place(_) | Action::Cancel { .. }) {
            return self.latency.way(now);
        }
        if let Some((left, count, way)) = &mut self.request
            && *left == now.mono_ns
            && *count < BATCH
        {
            *count += 1;
            return *way;
        }
        let way = self.latency.way(now);
        self.request = Some((now.mono_ns, 1, way));
        way
    }

    /// A market frame, or a book read by REST, is with us now.
    pub fn frame(&mut self, bytes: &[u8], now: Time) {
        self.advance(now);
        let mut batch = std::mem::take(&mut self.batch);
        self.decoder.decode(&self.assets, bytes, &mut batch);
        self.apply(&batch, now);
        self.batch = batch;
        // A venue without delay answers at once.
        self.advance(now);
    }

    /// The same for a frame that somebody has decoded already, with the numbers under which markets were learned.
    pub fn decoded(&mut self, batch: &MarketBatch, now: Time) {
        self.advance(now);
        self.apply(batch, now);
        self.advance(now);
    }

    fn apply(&mut self, batch: &MarketBatch, now: Time) {
        let mut touched = std::mem::take(&mut self.touched);
        let mut fills: Vec<(MarketId, Fill)> = Vec::new();
        let (mut found, mut decided, mut newest_ms) = (Vec::new(), Vec::new(), 0);
        for event in &batch.events {
            let (market, stamp_ms) = place_of(event);
            newest_ms = newest_ms.max(stamp_ms);
            let Some(listed) = self.markets.get_mut(&market) else { continue };
            match event {
                MarketEvent::Change(change) => listed.change(change),
                MarketEvent::Snapshot(header) => listed.snapshot(header, batch),
                MarketEvent::LastTrade { asset, price, size, side, timestamp_ms } => {
                    listed.trade((*asset, *side), *price, size.micros(), *timestamp_ms, &mut found);
                    fills.extend(found.drain(..).map(|fill| (market, fill)));
                }
                MarketEvent::TickChange { tick, .. } => listed.tick = Some(*tick),
                MarketEvent::Resolved { winner, .. } => decided.push((market, *winner)),
                MarketEvent::BestBidAsk { .. } => {}
            }
            if !touched.contains(&market) {
                touched.push(market);
            }
        }
        for market in touched.drain(..) {
            if let Some(book) = self.markets.get_mut(&market).and_then(|listed| listed.book.as_mut()) {
                book.end_of_frame(&mut found);
                fills.extend(found.drain(..).map(|fill| (market, fill)));
            }
        }
        self.touched = touched;
        if newest_ms > 0 {
            self.latency.saw_feed(now.wall_ms().saturating_sub(newest_ms).saturating_mul(Time::MILLI));
        }
        for (market, fill) in fills {
            self.on_fill(market, fill, now);
        }
        for (market, winner) in decided {
            match winner {
                Some(asset) if asset == market.asset(oddsmith_domain::Outcome::Yes) => {
                    self.resolve(market, Price::ONE, now);
                }
                Some(_) => self.resolve(market, Price::ZERO, now),
                // Decided, but nobody says how: it takes no orders any more.
                None => self.close(market, now),
            }
        }
    }

    /// When something happens by itself next, on the monotonic clock.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        if self.ready.is_empty() { self.agenda.keys().next().map(|(at, _)| *at) } else { Some(0) }
    }

    /// Lets time pass up to now.
    pub fn advance(&mut self, now: Time) {
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= now.mono_ns
        {
            let ((at, _), job) = entry.remove_entry();
            let earlier = now.mono_ns - at;
            let then = Time { mono_ns: at, wall_ns: now.wall_ns.saturating_sub(earlier) };
            self.run(job, then);
        }
    }

    /// The next input that is with the engine by now, in order.
    pub fn next_input(&mut self) -> Option<PaperInput> {
        self.ready.pop_front()
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counts(&self) -> PaperCounts {
        self.counts
    }

    /// Whether nothing is under way: no request, no answer, no news.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let moves = |job: &Job| matches!(job, Job::Arrive { .. } | Job::Deliver(_));
        self.ready.is_empty() && !self.agenda.values().any(moves)
    }

    /// What is estimated to stand before an order of ours, in shares; none if it does not rest.
    #[must_use]
    pub fn ahead(&self, order: &OrderId) -> Option<f64> {
        let held = self.orders.get(order)?;
        let (half, _) = Listed::stand(held.place.asset, held.place.side(), held.place.price);
        self.markets.get(&held.place.asset.market())?.book.as_ref()?.ahead(half, held.key)
    }

    /// Settled collateral of the account.
    #[must_use]
    pub const fn collateral(&self) -> Usdc {
        self.purse.collateral()
    }

    fn run(&mut self, job: Job, now: Time) {
        match job {
            Job::Arrive { seq, what, answer_at } => {
                let outcome = self.answer(&what, now);
                let result = PaperInput::Gateway(GatewayInput { action: seq, outcome });
                self.at(answer_at.max(now.mono_ns), Job::Deliver(result));
            }
            Job::DelayOver(order) => self.delay_over(&order, now),
            Job::Expire(order) => self.cancel_open(&order, "CANCELED_EXPIRED_ORDER", now),
            Job::Settle(number, status) => self.settle(number, status, now),
            Job::Heartbeat => {
                if self.heartbeat_due.is_some_and(|due| due <= now.mono_ns) {
                    self.heartbeat_due = None;
                    for order in self.open_orders(|_| true) {
                        self.cancel_open(&order, "CANCELED", now);
                    }
                }
            }
            Job::Deliver(input) => self.ready.push_back(input),
        }
    }

    fn answer(&mut self, what: &Action, now: Time) -> GatewayOutcome {
        match what {
            Action::Place(place) => {
                self.counts.placed += 1;
                let placed = match self.latency.rejects() {
                    true => Err(refused()),
                    false => self.place(place, now),
                };
                self.counts.refused += u64::from(placed.is_err());
                GatewayOutcome::Place(placed.unwrap_or_else(|refusal| refusal))
            }
            Action::Heartbeat => {
                let due = now.mono_ns.saturating_add(HEARTBEAT_NS);
                self.heartbeat_due = Some(due);
                self.at(due, Job::Heartbeat);
                GatewayOutcome::Heartbeat(Ok(()))
            }
            other => self.look_up(other, now),
        }
    }

    /// Puts something on the agenda.
    pub(crate) fn at(&mut self, mono_ns: u64, job: Job) {
        self.last_job += 1;
        self.agenda.insert((mono_ns, self.last_job), job);
    }

    /// News on the user channel: it is with us after the response leg, and not before what was said earlier.
    pub(crate) fn tell(&mut self, frame: String, now: Time) {
        let under_way = self.latency.news(now);
        // The frame that it follows from was under way as well.
        let later = under_way.saturating_sub(self.latency.feed_ns());
        self.news_at = self.news_at.max(now.mono_ns.saturating_add(later));
        self.at(self.news_at, Job::Deliver(PaperInput::User(frame.into_bytes())));
    }

    /// Lets an order go when its stated life ends.
    pub(crate) fn expire_later(&mut self, order: &Held, now: Time) {
        const EARLY_S: u64 = 60;
        if order.place.order_type == OrderType::Gtd {
            let leaves_ns = order.place.expiration_s.saturating_sub(EARLY_S).saturating_mul(Time::SECOND);
            let in_ns = leaves_ns.saturating_sub(now.wall_ns);
            self.at(now.mono_ns.saturating_add(in_ns), Job::Expire(order.place.id));
        }
    }
}

fn place_of(event: &MarketEvent) -> (MarketId, u64) {
    match event {
        MarketEvent::Snapshot(header) => (header.asset.market(), header.timestamp_ms),
        MarketEvent::Change(change) => (change.asset.market(), change.timestamp_ms),
        MarketEvent::LastTrade { asset, timestamp_ms, .. }
        | MarketEvent::TickChange { asset, timestamp_ms, .. }
        | MarketEvent::BestBidAsk { asset, timestamp_ms, .. } => (asset.market(), *timestamp_ms),
        MarketEvent::Resolved { market, timestamp_ms, .. } => (*market, *timestamp_ms),
    }
}
