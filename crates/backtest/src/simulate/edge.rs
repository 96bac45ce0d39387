//! The edge of the simulated process: the session machines, the outbox and the order connections as the live edge drives them, with
//! wishes for a simulated network where the live one has sockets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use oddsmith_domain::{
    Action, ActionSeq, AssetId, ConditionId, FetchWhat, GatewayOutcome, Input, Link, LinkState, MarketCard, MarketId,
    MarketSource, Outcome, Shares, Time, TokenId, TokenOutcome,
};
use oddsmith_engine::{Lanes, OwnedInput};
use oddsmith_net::http::read_response;
use oddsmith_net::{RequestPen, Wallet};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::error::HttpReply;
use oddsmith_polymarket::session::{
    Channel, FreeConnections, MarketSession, Outbox, OutboxOutput, OutboxSettings, RequestId, SendFailure,
    SessionOutput, SessionSettings, UserSession, fetch_failed,
};

use super::outside::Source;
use super::read::ReadEnd;

/// Connections for anything, and connections reserved for cancels, as the live edge has them.
const CONNECTIONS: [Channel; 6] =
    [Channel::Orders, Channel::Orders, Channel::Orders, Channel::Orders, Channel::Cancels, Channel::Cancels];
/// From the loss of an order connection to the next attempt.
const REDIAL_NS: u64 = 100 * Time::MILLI;
/// An answer to a request of an order connection is never longer.
const ANSWER_LIMIT: usize = 1 << 20;

/// One of the process's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    Market(usize),
    User,
    Orders(usize),
    /// A source outside of the venue, which [`super::outside`] follows.
    Outside(Source),
}

/// Something that the network is to do.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    Dial { line: Line, generation: u64 },
    Text { line: Line, generation: u64, text: String },
    HangUp { line: Line, generation: u64 },
    Request { line: Line, generation: u64, bytes: Vec<u8> },
    Read { number: u64, what: ReadWhat },
}

/// What a side thread is to read.
#[derive(Clone, Debug)]
pub(super) enum ReadWhat {
    Book(TokenId),
    Account { tokens: Vec<(AssetId, TokenId)>, trades_since_s: u64 },
    Activity { trades_since_s: u64 },
    Resolution(ConditionId),
    Convert { slug: String, pairs: Option<Shares> },
    ConvertEvent { from: Vec<String>, into: Vec<String>, shares: Shares },
}

/// A read that is going on: the book of an asset, or something for an action alone.
#[derive(Clone, Copy, Debug)]
struct Reading {
    asset: Option<AssetId>,
    action: Option<ActionSeq>,
}

struct Shard {
    session: MarketSession,
    generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Down { retry_at: u64 },
    Dialing,
    Idle,
    Busy(RequestId),
}

pub(super) struct Edge {
    wallet: Wallet,
    pub(super) table: Arc<AssetTable>,
    cards: BTreeMap<MarketId, MarketCard>,
    shards: Vec<Shard>,
    user: UserSession,
    user_generation: u64,
    outbox: Outbox,
    slots: Vec<(Slot, u64)>,
    orders_up: bool,
    pen: RequestPen,
    reads: BTreeMap<u64, Reading>,
    last_read: u64,
    seed: u64,
    inputs: VecDeque<Input<'static>>,
    pub(super) wishes: Vec<Wish>,
}

impl Edge {
    pub(super) fn new(wallet: Wallet, seed: u64, now: Time) -> Edge {
        let user = UserSession::new(wallet.credentials.triple(), SessionSettings::default(), seed ^ 0x75, now);
        Edge {
            wallet,
            table: Arc::new(AssetTable::new()),
            cards: BTreeMap::new(),
            shards: Vec::new(),
            user,
            user_generation: 0,
            outbox: Outbox::new(OutboxSettings::default(), seed ^ 0x62, now),
            slots: vec![(Slot::Down { retry_at: now.mono_ns }, 0); CONNECTIONS.len()],
            orders_up: false,
            pen: RequestPen::default(),
            reads: BTreeMap::new(),
            last_read: 0,
            seed,
            inputs: VecDeque::new(),
            wishes: Vec::new(),
        }
    }

    pub(super) fn learn(&mut self, market: MarketId, card: &MarketCard) {
        Arc::make_mut(&mut self.table).insert(market, card);
        self.outbox.set_market(market, card.condition);
        self.cards.insert(market, card.clone());
    }

    pub(super) fn submit(&mut self, action: ActionSeq, what: Action, now: Time) {
        self.outbox.submit(action, what, now);
    }

    /// Whether every action has its result.
    pub(super) fn is_idle(&self) -> bool {
        self.outbox.is_idle()
    }

    pub(super) fn next_deadline(&mut self, now: Time) -> u64 {
        let shards = self.shards.iter().filter_map(|shard| shard.session.next_deadline());
        let dials = self.slots.iter().filter_map(|(slot, _)| match slot {
            Slot::Down { retry_at } => Some(*retry_at),
            _ => None,
        });
        let next = shards.chain(dials).chain(self.outbox.next_deadline(now)).min().unwrap_or(u64::MAX);
        next.min(self.user.next_deadline())
    }

    pub(super) fn on_time(&mut self, now: Time) {
        self.outbox.on_time(now);
        for (number, (slot, generation)) in self.slots.iter_mut().enumerate() {
            if matches!(slot, Slot::Down { retry_at } if *retry_at <= now.mono_ns) {
                *generation += 1;
                *slot = Slot::Dialing;
                self.wishes.push(Wish::Dial { line: Line::Orders(number), generation: *generation });
            }
        }
        for number in 0..self.shards.len() {
            self.shards[number].session.on_time(now);
            self.pump_shard(number, now);
        }
        self.user.on_time(now);
        self.pump_user();
        self.carry_out(now);
    }

    /// Signs and writes every request that may leave now.
    pub(super) fn flush(&mut self, now: Time) {
        while let Some(request) = self.outbox.next_request(self.free(), now) {
            let idle = |n: &usize| self.slots[*n].0 == Slot::Idle && CONNECTIONS[*n] == request.channel;
            let Some(number) = (0..self.slots.len()).find(idle) else {
                self.outbox.on_failure(request.id, SendFailure::NotWritten, now);
                continue;
            };
            let mut bytes = Vec::new();
            self.pen.write(&mut bytes, &request, &self.wallet, "exchange", now);
            let (slot, generation) = &mut self.slots[number];
            *slot = Slot::Busy(request.id);
            self.wishes.push(Wish::Request { line: Line::Orders(number), generation: *generation, bytes });
        }
        self.carry_out(now);
    }

    fn free(&self) -> FreeConnections {
        let count = |channel| {
            let slots = self.slots.iter().zip(CONNECTIONS);
            slots.filter(|((slot, _), its)| *slot == Slot::Idle && *its == channel).count()
        };
        FreeConnections { orders: count(Channel::Orders), cancels: count(Channel::Cancels) }
    }

    fn carry_out(&mut self, now: Time) {
        while let Some(output) = self.outbox.poll_output() {
            match output {
                OutboxOutput::Abandon(request) => {
                    if let Some(number) = self.slots.iter().position(|(slot, _)| *slot == Slot::Busy(request)) {
                        self.drop_slot(number, now);
                    }
                }
                OutboxOutput::Fetch { action, what } => self.fetch(action, &what),
                OutboxOutput::Subscribe(markets) => self.subscribe(&markets, now),
                OutboxOutput::Unsubscribe(markets) => self.unsubscribe(&markets, now),
                OutboxOutput::Convert { action, market, pairs } => {
                    let Some(slug) = self.cards.get(&market).map(|card| card.slug.clone()) else {
                        let outcome = TokenOutcome::NotSent(oddsmith_domain::UnknownCause::NoConnection);
                        self.outbox.on_converted(action, outcome);
                        continue;
                    };
                    self.read(Reading { asset: None, action: Some(action) }, ReadWhat::Convert { slug, pairs });
                }
                OutboxOutput::ConvertEvent { action, what } => {
                    let slugs = |markets: &[MarketId]| -> Option<Vec<String>> {
                        markets.iter().map(|market| self.cards.get(market).map(|card| card.slug.clone())).collect()
                    };
                    let (Some(from), Some(into)) = (slugs(&what.from), slugs(&what.into)) else {
                        let outcome = TokenOutcome::NotSent(oddsmith_domain::UnknownCause::NoConnection);
                        self.outbox.on_converted(action, outcome);
                        continue;
                    };
                    let what = ReadWhat::ConvertEvent { from, into, shares: what.shares };
                    self.read(Reading { asset: None, action: Some(action) }, what);
                }
            }
        }
    }

    fn drop_slot(&mut self, number: usize, now: Time) {
        let (slot, generation) = &mut self.slots[number];
        self.wishes.push(Wish::HangUp { line: Line::Orders(number), generation: *generation });
        *slot = Slot::Down { retry_at: now.mono_ns + REDIAL_NS };
    }

    fn fetch(&mut self, action: ActionSeq, what: &FetchWhat) {
        match what {
            FetchWhat::Book(asset) => {
                if !self.fetch_book(*asset, Some(action)) {
                    let cause = oddsmith_domain::UnknownCause::NoConnection;
                    self.outbox.on_fetched(action, fetch_failed(what, cause));
                }
            }
            FetchWhat::Account { trades_since_s, assets } => {
                let token = |asset: &AssetId| Some((*asset, self.cards.get(&asset.market())?.token(asset.outcome())));
                let tokens = assets.iter().filter_map(token).collect();
                let what = ReadWhat::Account { tokens, trades_since_s: *trades_since_s };
                self.read(Reading { asset: None, action: Some(action) }, what);
            }
            FetchWhat::Activity { trades_since_s } => {
                let what = ReadWhat::Activity { trades_since_s: *trades_since_s };
                self.read(Reading { asset: None, action: Some(action) }, what);
            }
            FetchWhat::Resolution(market) => match self.cards.get(market).map(|card| card.condition) {
                Some(condition) => {
                    self.read(Reading { asset: None, action: Some(action) }, ReadWhat::Resolution(condition));
                }
                None => {
                    let cause = oddsmith_domain::UnknownCause::NoConnection;
                    self.outbox.on_fetched(action, fetch_failed(what, cause));
                }
            },
        }
    }

    fn fetch_book(&mut self, asset: AssetId, action: Option<ActionSeq>) -> bool {
        let Some(token) = self.cards.get(&asset.market()).map(|card| card.token(asset.outcome())) else { return false };
        self.read(Reading { asset: Some(asset), action }, ReadWhat::Book(token));
        true
    }

    fn read(&mut self, reading: Reading, what: ReadWhat) {
        self.last_read += 1;
        self.reads.insert(self.last_read, reading);
        self.wishes.push(Wish::Read { number: self.last_read, what });
    }

    /// A read of the side ended.
    pub(super) fn on_read(&mut self, number: u64, end: ReadEnd, lanes: &mut Lanes, now: Time) {
        let Some(Reading { asset, action }) = self.reads.remove(&number) else { return };
        let outcome = match end {
            ReadEnd::Of(outcome) => outcome,
            ReadEnd::Converted(outcome) => {
                if let Some(action) = action {
                    self.outbox.on_converted(action, outcome);
                }
                return;
            }
            ReadEnd::Book(result) => {
                if let Some(asset) = asset {
                    self.on_book(asset, result.as_deref().ok(), lanes, now);
                }
                GatewayOutcome::Done(result.map(|_| ()))
            }
        };
        if let Some(action) = action {
            self.outbox.on_fetched(action, outcome);
        }
    }

    fn on_book(&mut self, asset: AssetId, bytes: Option<&[u8]>, lanes: &mut Lanes, now: Time) {
        let number = usize::from(asset.market().shard());
        if let Some(Shard { session, .. }) = self.shards.get_mut(number) {
            match bytes {
                Some(bytes) => session.look_for_snapshots(bytes, &self.table, now),
                None => session.on_book_missing(asset, now),
            }
        }
        if let Some(bytes) = bytes {
            lanes.push_frame(MarketSource::Rest, bytes);
        }
        self.pump_shard(number, now);
    }

    fn subscribe(&mut self, markets: &[MarketId], now: Time) {
        let mut conditions = Vec::new();
        for market in markets {
            let Some(card) = self.cards.get(market) else { continue };
            conditions.push(card.condition);
            let number = usize::from(market.shard());
            while self.shards.len() <= number {
                let next = self.shards.len() as u16;
                let seed = self.seed.wrapping_add(u64::from(next));
                let session = MarketSession::new(next, SessionSettings::default(), seed, now);
                self.shards.push(Shard { session, generation: 0 });
            }
            self.shards[number].session.add(&both(*market, card), now);
        }
        self.user.add(&conditions);
        self.on_time(now);
    }

    fn unsubscribe(&mut self, markets: &[MarketId], now: Time) {
        let mut conditions = Vec::new();
        for market in markets {
            let Some(card) = self.cards.remove(market) else { continue };
            conditions.push(card.condition);
            self.outbox.forget_market(*market);
            Arc::make_mut(&mut self.table).remove(&card);
            let number = usize::from(market.shard());
            if let Some(shard) = self.shards.get_mut(number) {
                shard.session.remove(&Outcome::BOTH.map(|outcome| market.asset(outcome)), now);
            }
            self.pump_shard(number, now);
        }
        self.user.remove(&conditions);
        self.pump_user();
    }

    fn pump_shard(&mut self, number: usize, now: Time) {
        let line = Line::Market(number);
        while let Some(output) = self.shards.get_mut(number).and_then(|shard| shard.session.poll_output()) {
            let Shard { session, generation } = &mut self.shards[number];
            match output {
                SessionOutput::Connect { .. } => {
                    *generation += 1;
                    self.wishes.push(Wish::Dial { line, generation: *generation });
                }
                SessionOutput::SendText(text) => {
                    self.wishes.push(Wish::Text { line, generation: *generation, text });
                }
                SessionOutput::Close => self.wishes.push(Wish::HangUp { line, generation: *generation }),
                SessionOutput::LinkChange { link, state } => self.inputs.push_back(Input::Link { link, state }),
                SessionOutput::FetchBook(asset) => {
                    if !self.cards.contains_key(&asset.market()) {
                        session.on_book_missing(asset, now);
                    } else {
                        self.fetch_book(asset, None);
                    }
                }
            }
        }
    }

    fn pump_user(&mut self) {
        let line = Line::User;
        while let Some(output) = self.user.poll_output() {
            match output {
                SessionOutput::Connect { .. } => {
                    self.user_generation += 1;
                    self.wishes.push(Wish::Dial { line, generation: self.user_generation });
                }
                SessionOutput::SendText(text) => {
                    self.wishes.push(Wish::Text { line, generation: self.user_generation, text });
                }
                SessionOutput::Close => self.wishes.push(Wish::HangUp { line, generation: self.user_generation }),
                SessionOutput::LinkChange { link, state } => self.inputs.push_back(Input::Link { link, state }),
                SessionOutput::FetchBook(_) => {}
            }
        }
    }

    fn is_current(&self, line: Line, generation: u64) -> bool {
        match line {
            Line::Market(number) => self.shards.get(number).is_some_and(|shard| shard.generation == generation),
            Line::User => self.user_generation == generation,
            Line::Outside(_) => false,
            Line::Orders(number) => self.slots.get(number).is_some_and(|(_, current)| *current == generation),
        }
    }

    /// A dial ended.
    pub(super) fn on_dialed(&mut self, line: Line, generation: u64, open: bool, now: Time) {
        if !self.is_current(line, generation) {
            return;
        }
        match (line, open) {
            (Line::Market(number), true) => self.shards[number].session.on_open(now),
            (Line::User, true) => self.user.on_open(now),
            (Line::Outside(_), true) => {}
            (Line::Orders(number), true) => self.slots[number].0 = Slot::Idle,
            (_, false) => return self.on_ended(line, generation, "the connection was refused", now),
        }
        self.pump(line, now);
    }

    /// A connection ended.
    pub(super) fn on_ended(&mut self, line: Line, generation: u64, why: &str, now: Time) {
        if !self.is_current(line, generation) {
            return;
        }
        match line {
            Line::Market(number) => self.shards[number].session.on_closed(why, now),
            Line::User => self.user.on_closed(why, now),
            Line::Outside(_) => {}
            Line::Orders(number) => {
                if let Slot::Busy(request) = self.slots[number].0 {
                    self.outbox.on_failure(request, SendFailure::Broken, now);
                }
                self.slots[number].0 = Slot::Down { retry_at: now.mono_ns + REDIAL_NS };
            }
        }
        self.pump(line, now);
    }

    fn pump(&mut self, line: Line, now: Time) {
        match line {
            Line::Market(number) => self.pump_shard(number, now),
            Line::User => self.pump_user(),
            Line::Orders(_) | Line::Outside(_) => {}
        }
    }

    /// A text frame arrived. Says whether it was data of the market channel.
    pub(super) fn on_text(&mut self, line: Line, generation: u64, text: &[u8], lanes: &mut Lanes, now: Time) -> bool {
        if !self.is_current(line, generation) {
            return false;
        }
        let mut is_market_data = false;
        match line {
            Line::Market(number) => {
                let session = &mut self.shards[number].session;
                if session.on_text(text, now) {
                    session.look_for_snapshots(text, &self.table, now);
                    lanes.push_frame(MarketSource::Shard(number as u16), text);
                    is_market_data = true;
                }
            }
            Line::User => {
                if self.user.on_text(text) {
                    lanes.push(OwnedInput::User(text.to_vec()));
                }
            }
            Line::Orders(_) | Line::Outside(_) => {}
        }
        self.pump(line, now);
        is_market_data
    }

    /// The bytes of an answer arrived on an order connection.
    pub(super) fn on_answer(&mut self, line: Line, generation: u64, bytes: &[u8], now: Time) {
        let Line::Orders(number) = line else { return };
        let Slot::Busy(request) = self.slots[number].0 else { return };
        if !self.is_current(line, generation) {
            return;
        }
        match read_response(bytes, true, ANSWER_LIMIT) {
            Ok(Some(response)) => {
                let mut gathered = Vec::new();
                let body = response.body(bytes, &mut gathered);
                let reply = HttpReply { status: response.status, retry_after: response.retry_after.as_deref(), body };
                self.outbox.on_response(request, &reply, &self.table, now);
                self.slots[number].0 = Slot::Idle;
            }
            Ok(None) | Err(_) => self.on_ended(line, generation, "not an answer", now),
        }
    }

    /// Hands over everything lossless that has arrived.
    pub(super) fn drain(&mut self, lanes: &mut Lanes) {
        self.orders_link();
        while let Some(input) = self.inputs.pop_front() {
            lanes.push(OwnedInput::Other(input));
        }
        while let Some(result) = self.outbox.poll_result() {
            lanes.push(OwnedInput::Other(Input::Gateway(Box::new(result))));
        }
    }

    fn orders_link(&mut self) {
        let stands = |channel| {
            let open = |slot: &Slot| matches!(slot, Slot::Idle | Slot::Busy(_));
            self.slots.iter().zip(CONNECTIONS).any(|((slot, _), its)| open(slot) && its == channel)
        };
        let up = stands(Channel::Orders) && stands(Channel::Cancels);
        if up != self.orders_up {
            self.orders_up = up;
            let state = if up { LinkState::Up } else { LinkState::Down("no order connection stands".to_owned()) };
            self.inputs.push_back(Input::Link { link: Link::Orders, state });
        }
    }
}

fn both(market: MarketId, card: &MarketCard) -> [(AssetId, TokenId); 2] {
    Outcome::BOTH.map(|outcome| (market.asset(outcome), card.token(outcome)))
}
