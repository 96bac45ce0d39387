//! Everything that a driver talks to: one object, one thread.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use oddsmith_domain::{
    Action, ActionSeq, AssetId, EventConversion, FetchWhat, GatewayOutcome, Input, Link, LinkState, MarketCard,
    MarketId, MarketSource, Outcome, Shares, Time, TokenId, TokenOutcome, UnknownCause,
};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::session::{MarketSession, Outbox, OutboxOutput, SessionOutput, UserSession, fetch_failed};
use tokio::time::Sleep;

use crate::face::{EdgeCounts, EdgeSettings, EdgeStatus, Intake};
use crate::latency::Latencies;
use crate::links::{End, Shard, UserLink, Wire};
use crate::orders::{Flushed, OrderConnections, Wallet};
use crate::scout::{Report, Scout};
use crate::side::SideThreads;
use crate::venue::{Venue, cause_of};
use crate::{Clock, Connected, NetError, Target, dial, dial_websocket};

enum SideEvent {
    Shard {
        number: usize,
        generation: u64,
        result: Result<Connected, NetError>,
    },
    User {
        generation: u64,
        result: Result<Connected, NetError>,
    },
    Order {
        slot: usize,
        generation: u64,
        result: Result<Connected, NetError>,
    },
    /// A book for a shard that misses a snapshot, or for the engine.
    Book {
        asset: AssetId,
        action: Option<ActionSeq>,
        result: Result<Vec<u8>, NetError>,
    },
    Read {
        action: ActionSeq,
        outcome: GatewayOutcome,
    },
    Scouted(Report),
    Converted {
        action: ActionSeq,
        outcome: TokenOutcome,
    },
}

/// The edge of the engine: market shards, user channel, order connections and side threads, polled by one task.
///
/// The driver's loop: [`Edge::wait`]; then [`Edge::drain_lossless`] and [`Edge::drain_market`] into the lanes; run a slice;
/// [`Edge::submit`] its actions and [`Edge::flush`]; between slices [`Edge::glance`] and `drain_lossless`. No other task and no
/// channel lies between the read of a tick and the write of its order.
pub struct Edge {
    clock: Clock,
    settings: EdgeSettings,
    rest: Target,
    market: Target,
    user_target: Target,
    wallet: Wallet,
    table: Arc<AssetTable>,
    cards: BTreeMap<MarketId, MarketCard>,
    shards: Vec<Shard>,
    user: UserLink,
    orders: OrderConnections,
    outbox: Outbox,
    side: SideThreads<SideEvent>,
    scout: Scout,
    events: VecDeque<SideEvent>,
    inputs: VecDeque<Input<'static>>,
    books: VecDeque<Vec<u8>>,
    sleep: Pin<Box<Sleep>>,
    sleeping_until: u64,
    /// Whether market frames may be left that have been read already.
    buffered: bool,
    counts: EdgeCounts,
}

impl Edge {
    /// An edge that begins to connect. Must be made inside of a runtime.
    ///
    /// # Errors
    /// [`NetError`] for an address that is not allowed, or when there are no threads.
    pub fn new(settings: EdgeSettings, wallet: Wallet, clock: Clock) -> Result<Edge, NetError> {
        let now = clock.now();
        let (rest, market) = (Target::parse(&settings.rest_url)?, Target::parse(&settings.market_url)?);
        let user_target = Target::parse(&settings.user_url)?;
        let user = UserSession::new(wallet.credentials.triple(), settings.session, settings.seed ^ 0x75, now);
        let (host, seed) = (rest.authority().to_owned(), settings.seed ^ 0x6f);
        let (orders, cancels) = match settings.public_only {
            true => (0, 0),
            false => (settings.order_connections.max(1), settings.cancel_connections.max(1)),
        };
        let orders = OrderConnections::new(orders, cancels, &host, seed, now);
        let mut edge = Edge {
            clock,
            outbox: Outbox::new(settings.outbox, settings.seed ^ 0x62, now),
            side: SideThreads::start(3)?,
            scout: Scout::new(&settings, now)?,
            rest,
            market,
            user_target,
            wallet,
            table: Arc::new(AssetTable::new()),
            cards: BTreeMap::new(),
            shards: Vec::new(),
            user: UserLink { session: user, wire: Wire::default() },
            orders,
            events: VecDeque::new(),
            inputs: VecDeque::new(),
            books: VecDeque::new(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            sleeping_until: 0,
            buffered: false,
            counts: EdgeCounts::default(),
            settings,
        };
        edge.on_time(now);
        Ok(edge)
    }

    /// Learns a market, so that it can be subscribed to, fetched and cancelled.
    pub fn learn(&mut self, market: MarketId, card: &MarketCard) {
        Arc::make_mut(&mut self.table).insert(market, card);
        self.outbox.set_market(market, card.condition);
        self.scout.follow(card);
        self.cards.insert(market, card.clone());
    }

    /// Takes an action of the engine; its one result comes by [`Edge::drain_lossless`].
    pub fn submit(&mut self, action: ActionSeq, what: Action, now: Time) {
        self.outbox.submit(action, what, now);
    }

    /// Writes every request that may leave now, and carries out whatever else the actions want.
    pub fn flush(&mut self, now: Time) -> Flushed {
        let flushed = self.orders.flush(&mut self.outbox, &self.wallet, now);
        self.carry_out(now);
        flushed
    }

    fn carry_out(&mut self, now: Time) {
        while let Some(output) = self.outbox.poll_output() {
            match output {
                OutboxOutput::Abandon(request) => self.orders.abandon(request, &mut self.outbox, now),
                OutboxOutput::Fetch { action, what } => self.fetch(action, what),
                OutboxOutput::Subscribe(markets) => self.subscribe(&markets, now),
                OutboxOutput::Unsubscribe(markets) => self.unsubscribe(&markets, now),
                OutboxOutput::Convert { action, market, pairs } => self.convert(action, market, pairs),
                OutboxOutput::ConvertEvent { action, what } => self.convert_event(action, &what),
            }
        }
    }

    /// Waits until something has arrived, or until this time on the monotonic clock, or until the edge itself has something to do.
    pub async fn wait(&mut self, until: Option<u64>) {
        if self.buffered || !self.inputs.is_empty() || !self.books.is_empty() || self.outbox.has_result() {
            self.glance().await;
            return;
        }
        let now = self.clock.now();
        let until = self.next_deadline(now).into_iter().chain(until).min().unwrap_or(u64::MAX);
        if until != self.sleeping_until {
            self.sleeping_until = until;
            let instant = self.clock.instant(until);
            self.sleep.as_mut().reset(instant.into());
        }
        std::future::poll_fn(|cx| {
            let lossless = self.poll_lossless(cx);
            let market = self.shards.iter_mut().fold(false, |any, shard| shard.wire.poll_io(cx) | any);
            let waited = self.sleep.as_mut().poll(cx).is_ready();
            if lossless || market || waited { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Looks, without waiting, whether anything lossless has arrived: the user channel and the order connections.
    pub async fn glance(&mut self) {
        // The runtime looks at its sockets when the task steps back.
        tokio::task::yield_now().await;
        std::future::poll_fn(|cx| {
            self.poll_lossless(cx);
            Poll::Ready(())
        })
        .await;
    }

    fn poll_lossless(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        let mut progress = false;
        while let Poll::Ready(Some(event)) = self.side.poll_event(cx) {
            self.events.push_back(event);
            progress = true;
        }
        progress |= self.user.wire.poll_io(cx);
        progress | self.orders.poll_io(cx)
    }

    /// Hands over everything lossless that has arrived, in the order of its arrival where that can be known.
    pub fn drain_lossless(&mut self, intake: &mut impl Intake, now: Time) {
        self.on_time(now);
        self.carry_out(now);
        while let Some(event) = self.events.pop_front() {
            self.on_side_event(event, now);
        }
        self.drain_user(intake, now);
        self.orders.drain(&mut self.outbox, &self.table, now);
        self.orders_link();
        while let Some(bytes) = self.books.pop_front() {
            intake.frame(MarketSource::Rest, &bytes);
        }
        while let Some(input) = self.inputs.pop_front() {
            intake.input(input);
        }
        while let Some(result) = self.outbox.poll_result() {
            intake.input(Input::Gateway(Box::new(result)));
        }
    }

    fn drain_user(&mut self, intake: &mut impl Intake, now: Time) {
        let UserLink { session, wire } = &mut self.user;
        let (_, end) = wire.drain(usize::MAX, |text| {
            if session.on_text(text) {
                intake.user(text);
            }
        });
        if let Some(end) = end {
            session.on_closed(&end.why, now);
            self.count_end(&end);
        }
        self.pump_user();
    }

    /// Hands over market frames that have arrived, at most about `limit`. Says how many. What changed about their connections
    /// comes with the next [`Edge::drain_lossless`], behind them.
    pub fn drain_market(&mut self, limit: usize, intake: &mut impl Intake, now: Time) -> usize {
        let mut total = 0;
        for number in 0..self.shards.len() {
            let Some(Shard { session, wire }) = self.shards.get_mut(number) else { break };
            let source = MarketSource::Shard(number as u16);
            let (table, counts) = (&self.table, &mut self.counts);
            let (count, end) = wire.drain(limit.saturating_sub(total).max(1), |text| {
                if session.on_text(text, now) {
                    session.look_for_snapshots(text, table, now);
                    counts.market_frames += 1;
                    counts.market_bytes += text.len() as u64;
                    intake.frame(source, text);
                }
            });
            total += count;
            if let Some(end) = end {
                session.on_closed(&end.why, now);
                self.count_end(&end);
            }
            self.pump_shard(number, now);
        }
        self.buffered = total >= limit;
        total
    }

    /// When [`Edge::wait`] comes back by itself at the latest, on the monotonic clock.
    pub fn next_deadline(&mut self, now: Time) -> Option<u64> {
        let shards = self.shards.iter().filter_map(|shard| shard.session.next_deadline());
        let others = [self.outbox.next_deadline(now), self.orders.next_deadline(), self.scout.next_deadline()];
        let others = others.into_iter().flatten();
        let user = Some(self.user.session.next_deadline()).filter(|_| !self.settings.public_only);
        shards.chain(others).chain(user).min()
    }

    /// How the connections stand.
    #[must_use]
    pub fn status(&self) -> EdgeStatus {
        EdgeStatus {
            shards: (self.shards.len(), self.shards.iter().filter(|shard| shard.session.is_live()).count()),
            user: self.user.session.is_live(),
            orders: self.orders.is_up(),
            order_connections: self.orders.open(),
        }
    }

    /// What has been counted.
    #[must_use]
    pub fn counts(&self) -> EdgeCounts {
        EdgeCounts { order_faults: self.orders.faults, discovery: self.scout.counts(), ..self.counts.clone() }
    }

    /// How long requests took.
    #[must_use]
    pub const fn latencies(&self) -> &Latencies {
        &self.orders.latencies
    }

    /// Whether every action has its result.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.outbox.is_idle()
    }

    /// A client of the same venue for the side, with the same key.
    #[must_use]
    pub fn venue(&self) -> Venue {
        let timeout = Duration::from_millis(self.settings.side_timeout_ms);
        Venue::new(self.rest.clone(), timeout)
            .with_credentials(Arc::clone(&self.wallet.credentials))
            .for_payer(self.settings.signature_type)
    }

    fn on_time(&mut self, now: Time) {
        self.outbox.on_time(now);
        for (slot, generation) in self.orders.due_dials(now) {
            let (target, timeout) = (self.rest.clone(), self.side_timeout());
            self.side.run(move || SideEvent::Order { slot, generation, result: dial(&target, timeout) });
        }
        for number in 0..self.shards.len() {
            if let Some(shard) = self.shards.get_mut(number) {
                shard.session.on_time(now);
            }
            self.pump_shard(number, now);
        }
        if !self.settings.public_only {
            self.user.session.on_time(now);
        }
        self.pump_user();
        while let Some(errand) = self.scout.due(now) {
            let job = self.scout.job(errand);
            self.side.run(move || SideEvent::Scouted(job()));
        }
    }

    const fn side_timeout(&self) -> Duration {
        Duration::from_millis(self.settings.side_timeout_ms)
    }

    fn on_side_event(&mut self, event: SideEvent, now: Time) {
        match event {
            SideEvent::Shard { number, generation, result } => {
                let Some(Shard { session, wire }) = self.shards.get_mut(number) else { return };
                match wire.on_dialed(generation, result) {
                    Some(Ok(())) => session.on_open(now),
                    Some(Err(error)) => session.on_closed(&error.to_string(), now),
                    None => {}
                }
                self.pump_shard(number, now);
            }
            SideEvent::User { generation, result } => {
                match self.user.wire.on_dialed(generation, result) {
                    Some(Ok(())) => self.user.session.on_open(now),
                    Some(Err(error)) => self.user.session.on_closed(&error.to_string(), now),
                    None => {}
                }
                self.pump_user();
            }
            SideEvent::Order { slot, generation, result } => self.orders.on_dialed(slot, generation, result, now),
            SideEvent::Book { asset, action, result } => self.on_book(asset, action, result, now),
            SideEvent::Read { action, outcome } => self.outbox.on_fetched(action, outcome),
            SideEvent::Converted { action, outcome } => self.outbox.on_converted(action, outcome),
            SideEvent::Scouted(report) => self.inputs.extend(self.scout.on_report(report, now)),
        }
    }

    fn on_book(&mut self, asset: AssetId, action: Option<ActionSeq>, result: Result<Vec<u8>, NetError>, now: Time) {
        let number = usize::from(asset.market().shard());
        let outcome = match result {
            Ok(bytes) => {
                if let Some(shard) = self.shards.get_mut(number) {
                    shard.session.look_for_snapshots(&bytes, &self.table, now);
                }
                self.books.push_back(bytes);
                Ok(())
            }
            Err(error) => {
                if let Some(shard) = self.shards.get_mut(number) {
                    shard.session.on_book_missing(asset, now);
                }
                Err(cause_of(&error))
            }
        };
        self.pump_shard(number, now);
        if let Some(action) = action {
            self.outbox.on_fetched(action, GatewayOutcome::Done(outcome));
        }
    }

    fn fetch(&mut self, action: ActionSeq, what: FetchWhat) {
        match what {
            FetchWhat::Book(asset) => {
                if !self.fetch_book(asset, Some(action)) {
                    self.outbox.on_fetched(action, fetch_failed(&what, UnknownCause::NoConnection));
                }
            }
            FetchWhat::Account { trades_since_s, assets } => {
                let (mut venue, table) = (self.venue(), Arc::clone(&self.table));
                let token = |asset: AssetId| Some((asset, self.cards.get(&asset.market())?.token(asset.outcome())));
                let tokens: Vec<(AssetId, TokenId)> = assets.into_iter().filter_map(token).collect();
                self.side.run(move || {
                    let outcome = GatewayOutcome::Account(venue.account(&table, &tokens, trades_since_s));
                    SideEvent::Read { action, outcome }
                });
            }
            FetchWhat::Activity { trades_since_s } => {
                let (mut venue, table) = (self.venue(), Arc::clone(&self.table));
                self.side.run(move || {
                    let outcome = GatewayOutcome::Activity(venue.activity(&table, trades_since_s));
                    SideEvent::Read { action, outcome }
                });
            }
            FetchWhat::Resolution(market) => {
                let Some(condition) = self.cards.get(&market).map(|card| card.condition) else {
                    return self.outbox.on_fetched(action, fetch_failed(&what, UnknownCause::NoConnection));
                };
                let mut venue = self.venue();
                self.side.run(move || {
                    let outcome = venue.resolution(&condition).map_err(|error| cause_of(&error));
                    SideEvent::Read { action, outcome: GatewayOutcome::Resolution(outcome) }
                });
            }
        }
    }

    fn convert(&mut self, action: ActionSeq, market: MarketId, pairs: Option<Shares>) {
        let Some(slug) = self.cards.get(&market).map(|card| card.slug.clone()) else {
            return self.outbox.on_converted(action, TokenOutcome::NotSent(UnknownCause::NoConnection));
        };
        let (mut venue, account) = (self.venue(), self.wallet.signer.address());
        self.side.run(move || SideEvent::Converted { action, outcome: venue.convert(account, &slug, pairs) });
    }

    fn convert_event(&mut self, action: ActionSeq, what: &EventConversion) {
        let slugs = |markets: &[MarketId]| -> Option<Vec<String>> {
            markets.iter().map(|market| self.cards.get(market).map(|card| card.slug.clone())).collect()
        };
        let (Some(from), Some(into)) = (slugs(&what.from), slugs(&what.into)) else {
            return self.outbox.on_converted(action, TokenOutcome::NotSent(UnknownCause::NoConnection));
        };
        let (mut venue, account, shares) = (self.venue(), self.wallet.signer.address(), what.shares);
        self.side
            .run(move || SideEvent::Converted { action, outcome: venue.convert_event(account, &from, &into, shares) });
    }

    fn fetch_book(&mut self, asset: AssetId, action: Option<ActionSeq>) -> bool {
        let Some(card) = self.cards.get(&asset.market()) else { return false };
        let (mut venue, token) = (self.venue(), card.token(asset.outcome()));
        self.side.run(move || SideEvent::Book { asset, action, result: venue.book(&token) });
        true
    }

    fn subscribe(&mut self, markets: &[MarketId], now: Time) {
        let mut conditions = Vec::new();
        for market in markets {
            let Some(card) = self.cards.get(market) else { continue };
            conditions.push(card.condition);
            let number = usize::from(market.shard());
            while self.shards.len() <= number {
                let next = self.shards.len() as u16;
                let seed = self.settings.seed.wrapping_add(u64::from(next));
                let session = MarketSession::new(next, self.settings.session, seed, now);
                self.shards.push(Shard { session, wire: Wire::default() });
            }
            if let Some(shard) = self.shards.get_mut(number) {
                // A shard's markets are counted so that they always fit (`MarketId::PER_SHARD`).
                shard.session.add(&both(*market, card), now);
            }
        }
        self.user.session.add(&conditions);
        self.on_time(now);
    }

    /// The engine has left these markets: nothing of ours rests there, and nothing is read of them any more.
    fn unsubscribe(&mut self, markets: &[MarketId], now: Time) {
        let mut conditions = Vec::new();
        for market in markets {
            let Some(card) = self.cards.remove(market) else { continue };
            conditions.push(card.condition);
            self.outbox.forget_market(*market);
            self.scout.forget(&card.condition);
            Arc::make_mut(&mut self.table).remove(&card);
            let number = usize::from(market.shard());
            if let Some(shard) = self.shards.get_mut(number) {
                shard.session.remove(&Outcome::BOTH.map(|outcome| market.asset(outcome)), now);
            }
            self.pump_shard(number, now);
        }
        self.user.session.remove(&conditions);
        self.pump_user();
    }

    fn pump_shard(&mut self, number: usize, now: Time) {
        while let Some(output) = self.shards.get_mut(number).and_then(|shard| shard.session.poll_output()) {
            let Some(shard) = self.shards.get_mut(number) else { return };
            match output {
                SessionOutput::Connect { .. } => {
                    let generation = shard.wire.begin_dial();
                    let (target, timeout, seed) = (self.market.clone(), self.side_timeout(), self.settings.seed);
                    self.side.run(move || {
                        let result = dial_websocket(&target, seed.wrapping_add(generation), timeout);
                        SideEvent::Shard { number, generation, result }
                    });
                }
                SessionOutput::SendText(text) => shard.wire.send(&text),
                SessionOutput::Close => shard.wire.close(),
                SessionOutput::LinkChange { link, state } => self.change(link, state),
                SessionOutput::FetchBook(asset) => {
                    if !self.fetch_book(asset, None)
                        && let Some(shard) = self.shards.get_mut(number)
                    {
                        shard.session.on_book_missing(asset, now);
                    }
                }
            }
        }
    }

    fn pump_user(&mut self) {
        while let Some(output) = self.user.session.poll_output() {
            match output {
                // Nobody is told who asks.
                _ if self.settings.public_only => {}
                SessionOutput::Connect { .. } => {
                    let generation = self.user.wire.begin_dial();
                    let (target, timeout, seed) = (self.user_target.clone(), self.side_timeout(), self.settings.seed);
                    self.side.run(move || {
                        let result = dial_websocket(&target, seed.rotate_left(7).wrapping_add(generation), timeout);
                        SideEvent::User { generation, result }
                    });
                }
                SessionOutput::SendText(text) => self.user.wire.send(&text),
                SessionOutput::Close => self.user.wire.close(),
                SessionOutput::LinkChange { link, state } => self.change(link, state),
                SessionOutput::FetchBook(_) => {}
            }
        }
    }

    fn orders_link(&mut self) {
        if let Some((link, state)) = self.orders.link_change() {
            self.change(link, state);
        }
    }

    fn change(&mut self, link: Link, state: LinkState) {
        match &state {
            LinkState::Alive => tracing::trace!(?link, "alive"),
            LinkState::Up => tracing::info!(?link, "up"),
            other => tracing::warn!(?link, state = ?other, "connection"),
        }
        self.inputs.push_back(Input::Link { link, state });
    }

    fn count_end(&mut self, end: &End) {
        self.counts.ws_ends += 1;
        if let Some(fault) = end.fault {
            *self.counts.ws_faults.entry(fault).or_default() += 1;
        }
    }
}

fn both(market: MarketId, card: &MarketCard) -> [(AssetId, TokenId); 2] {
    Outcome::BOTH.map(|outcome| (market.asset(outcome), card.token(outcome)))
}
