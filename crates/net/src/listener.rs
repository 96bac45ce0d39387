//! The market channel without an engine: for whoever only listens.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use oddsmith_domain::{AssetId, Input, LinkState, MarketCard, MarketId, Outcome, Time};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::session::{MarketSession, SHARD_LIMIT, SessionOutput};
use tokio::time::Sleep;

use crate::links::{Shard, Wire};
use crate::scout::{Report, Scout};
use crate::side::SideThreads;
use crate::venue::Venue;
use crate::{Clock, Connected, EdgeSettings, NetError, Target, dial_websocket};

/// The most markets of one socket: both tokens of each count.
pub const MARKETS_PER_SOCKET: usize = SHARD_LIMIT / 2;

/// Who is told what a [`Listener`] hears.
pub trait Hearer {
    /// A data frame of a socket.
    fn frame(&mut self, socket: u16, bytes: &[u8]);
    /// A connection changed.
    fn link(&mut self, socket: u16, state: &LinkState);
    /// The first book of a token did not come in time; it is read by REST.
    fn missing(&mut self, asset: AssetId);
    /// A book was read by REST, or could not be. `asked` is when it was asked for: what it says is that old at most.
    fn book(&mut self, asset: AssetId, asked: Time, book: Result<&[u8], &NetError>);
    /// A market is new, or its card has changed.
    fn card(&mut self, card: MarketCard);
}

enum SideEvent {
    Socket { number: usize, generation: u64, result: Result<Connected, NetError> },
    Book { asset: AssetId, asked: Time, result: Result<Vec<u8>, NetError> },
    Scouted(Report),
}

/// What has been heard and not been told yet.
enum Heard {
    Link(u16, LinkState),
    Missing(AssetId),
    Book(AssetId, Time, Result<Vec<u8>, NetError>),
    Card(Box<MarketCard>),
}

/// Market sockets, each with so many markets, over the session machines that an engine uses too; polled by one task.
///
/// [`Listener::wait`], then [`Listener::drain`]; again.
pub struct Listener {
    clock: Clock,
    settings: EdgeSettings,
    per_socket: usize,
    rest: Target,
    market: Target,
    table: Arc<AssetTable>,
    cards: BTreeMap<MarketId, (MarketCard, usize)>,
    sockets: Vec<Shard>,
    side: SideThreads<SideEvent>,
    scout: Scout,
    heard: VecDeque<Heard>,
    sleep: Pin<Box<Sleep>>,
    buffered: bool,
}

impl Listener {
    /// A listener that follows nothing yet. Must be made inside of a runtime.
    ///
    /// # Errors
    /// [`NetError`] for an address that is not allowed, or when there are no threads.
    pub fn new(settings: EdgeSettings, per_socket: usize, clock: Clock) -> Result<Listener, NetError> {
        let now = clock.now();
        Ok(Listener {
            clock,
            per_socket: per_socket.clamp(1, MARKETS_PER_SOCKET),
            rest: Target::parse(&settings.rest_url)?,
            market: Target::parse(&settings.market_url)?,
            table: Arc::new(AssetTable::new()),
            cards: BTreeMap::new(),
            sockets: Vec::new(),
            side: SideThreads::start(3)?,
            scout: Scout::new(&settings, now)?,
            heard: VecDeque::new(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            buffered: false,
            settings,
        })
    }

    /// Follows a market, and says on which socket.
    pub fn follow(&mut self, market: MarketId, card: &MarketCard) -> u16 {
        let now = self.clock.now();
        Arc::make_mut(&mut self.table).insert(market, card);
        self.scout.follow(card);
        let held = |number: usize| self.cards.values().filter(|(_, at)| *at == number).count();
        let number = match self.cards.get(&market) {
            Some((_, number)) => *number,
            None => {
                (0..self.sockets.len()).find(|number| held(*number) < self.per_socket).unwrap_or(self.sockets.len())
            }
        };
        if number == self.sockets.len() {
            let label = u16::try_from(number).unwrap_or(u16::MAX);
            let seed = self.settings.seed.wrapping_add(number as u64);
            let session = MarketSession::new(label, self.settings.session, seed, now);
            self.sockets.push(Shard { session, wire: Wire::default() });
        }
        self.cards.insert(market, (card.clone(), number));
        if let Some(shard) = self.sockets.get_mut(number) {
            let assets = Outcome::BOTH.map(|outcome| (market.asset(outcome), card.token(outcome)));
            shard.session.add(&assets, now);
        }
        self.pump(number, now);
        u16::try_from(number).unwrap_or(u16::MAX)
    }

    /// Follows a market no more.
    pub fn forget(&mut self, market: MarketId) {
        let now = self.clock.now();
        let Some((card, number)) = self.cards.remove(&market) else { return };
        self.scout.forget(&card.condition);
        Arc::make_mut(&mut self.table).remove(&card);
        if let Some(shard) = self.sockets.get_mut(number) {
            shard.session.remove(&Outcome::BOTH.map(|outcome| market.asset(outcome)), now);
        }
        self.pump(number, now);
    }

    /// Reads a book by REST; it comes by [`Hearer::book`].
    pub fn fetch(&mut self, asset: AssetId) {
        let Some((card, _)) = self.cards.get(&asset.market()) else { return };
        let (token, asked) = (card.token(asset.outcome()), self.clock.now());
        let mut venue = Venue::new(self.rest.clone(), self.timeout());
        self.side.run(move || SideEvent::Book { asset, asked, result: venue.book(&token) });
    }

    /// How many sockets there are, and how many of them have all their first books.
    #[must_use]
    pub fn sockets(&self) -> (usize, usize) {
        (self.sockets.len(), self.sockets.iter().filter(|shard| shard.session.is_live()).count())
    }

    /// Waits until something has arrived, or until this time on the monotonic clock, or until the listener has something to do.
    pub async fn wait(&mut self, until: u64) {
        if self.buffered || !self.heard.is_empty() {
            // The runtime looks at its sockets when the task steps back.
            return tokio::task::yield_now().await;
        }
        let sessions = self.sockets.iter().filter_map(|shard| shard.session.next_deadline());
        let due = sessions.chain(self.scout.next_deadline()).min().unwrap_or(u64::MAX).min(until);
        self.sleep.as_mut().reset(self.clock.instant(due).into());
        std::future::poll_fn(|cx| {
            let mut progress = false;
            while let Poll::Ready(Some(event)) = self.side.poll_event(cx) {
                self.on_side_event(event);
                progress = true;
            }
            progress |= self.sockets.iter_mut().fold(false, |any, shard| shard.wire.poll_io(cx) | any);
            progress |= self.sleep.as_mut().poll(cx).is_ready();
            if progress { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Tells everything that has arrived, of each socket at most `limit` frames. What changed about a socket is told behind its frames.
    pub fn drain(&mut self, limit: usize, hearer: &mut impl Hearer) {
        let now = self.clock.now();
        while let Some(errand) = self.scout.due(now) {
            let job = self.scout.job(errand);
            self.side.run(move || SideEvent::Scouted(job()));
        }
        self.buffered = false;
        for number in 0..self.sockets.len() {
            let Some(Shard { session, wire }) = self.sockets.get_mut(number) else { break };
            let (table, label) = (&self.table, u16::try_from(number).unwrap_or(u16::MAX));
            session.on_time(now);
            let (count, end) = wire.drain(limit, |text| {
                if session.on_text(text, now) {
                    session.look_for_snapshots(text, table, now);
                    hearer.frame(label, text);
                }
            });
            self.buffered |= count >= limit;
            if let Some(end) = end {
                session.on_closed(&end.why, now);
            }
            self.pump(number, now);
        }
        while let Some(heard) = self.heard.pop_front() {
            match heard {
                Heard::Link(socket, state) => hearer.link(socket, &state),
                Heard::Missing(asset) => hearer.missing(asset),
                Heard::Book(asset, asked, result) => hearer.book(asset, asked, result.as_deref()),
                Heard::Card(card) => hearer.card(*card),
            }
        }
    }

    const fn timeout(&self) -> Duration {
        Duration::from_millis(self.settings.side_timeout_ms)
    }

    fn on_side_event(&mut self, event: SideEvent) {
        let now = self.clock.now();
        match event {
            SideEvent::Socket { number, generation, result } => {
                let Some(Shard { session, wire }) = self.sockets.get_mut(number) else { return };
                match wire.on_dialed(generation, result) {
                    Some(Ok(())) => session.on_open(now),
                    Some(Err(error)) => session.on_closed(&error.to_string(), now),
                    None => {}
                }
                self.pump(number, now);
            }
            SideEvent::Book { asset, asked, result } => {
                let Some((_, number)) = self.cards.get(&asset.market()) else { return };
                let number = *number;
                if let Some(Shard { session, .. }) = self.sockets.get_mut(number) {
                    match &result {
                        Ok(bytes) => session.look_for_snapshots(bytes, &self.table, now),
                        Err(_) => session.on_book_missing(asset, now),
                    }
                }
                self.heard.push_back(Heard::Book(asset, asked, result));
                self.pump(number, now);
            }
            SideEvent::Scouted(report) => {
                for input in self.scout.on_report(report, now) {
                    if let Input::Card(card) = input {
                        self.heard.push_back(Heard::Card(card));
                    }
                }
            }
        }
    }

    fn pump(&mut self, number: usize, now: Time) {
        if let Some(shard) = self.sockets.get_mut(number) {
            shard.session.on_time(now);
        }
        while let Some(output) = self.sockets.get_mut(number).and_then(|shard| shard.session.poll_output()) {
            let Some(shard) = self.sockets.get_mut(number) else { return };
            match output {
                SessionOutput::Connect { .. } => {
                    let generation = shard.wire.begin_dial();
                    let (target, timeout, seed) = (self.market.clone(), self.timeout(), self.settings.seed);
                    self.side.run(move || {
                        let result = dial_websocket(&target, seed.wrapping_add(generation), timeout);
                        SideEvent::Socket { number, generation, result }
                    });
                }
                SessionOutput::SendText(text) => shard.wire.send(&text),
                SessionOutput::Close => shard.wire.close(),
                SessionOutput::LinkChange { state, .. } => {
                    self.heard.push_back(Heard::Link(u16::try_from(number).unwrap_or(u16::MAX), state));
                }
                SessionOutput::FetchBook(asset) => {
                    self.heard.push_back(Heard::Missing(asset));
                    self.fetch(asset);
                }
            }
        }
    }
}
