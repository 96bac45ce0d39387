//! What lies between an engine and its venue: latency, loss, repetition, silence.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{
    AccountOrder, AccountSnapshot, AccountTrade, Action, ActionSeq, Address, CancelOutcome, CanceledOrders, FetchWhat,
    GatewayInput, GatewayOutcome, Link, LinkState, MakerLeg, MarketId, PlaceOutcome, RefusalCode, Time, TradeStatus,
    UnknownCause, VenueOrderStatus,
};
use oddsmith_exchange::core::{
    Core, KeyId, Leg, Mode, Order, OrderStatus, PlaceRequest, PlacedStatus, Refusal, Settlement, Trade, TradeState,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A request that is not answered in this time has no known outcome.
const TIMEOUT_NS: u64 = 3 * Time::SECOND;
/// How often a connection that lives shows it.
const ALIVE_NS: u64 = Time::SECOND;

/// Something that arrives.
#[derive(Debug)]
pub(super) enum Delivery {
    Frame(Vec<u8>),
    Book(Vec<u8>),
    User(Vec<u8>),
    Reply(Box<GatewayInput>),
    Request(ActionSeq, Action),
    Link(Link, LinkState),
    Alive,
}

/// The kinds of faults that are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// The next request arrives, its answer does not.
    LoseAnswer,
    /// The next request does not arrive.
    LoseRequest,
    /// The next request arrives after its sender has given up.
    LateRequest,
    /// The user channel is down for a while; what it would have said is never said.
    UserDown,
    /// The market channel is down for a while.
    MarketDown,
    /// The next market frame is lost, and nobody says so.
    DropFrame,
    /// The next user frames come twice.
    RepeatUser,
    /// The next user frames overtake each other.
    ShuffleUser,
    /// The next match of ours does not settle as it should.
    BadSettlement,
    /// The matching engine restarts.
    Restart,
}

const FAULTS: [Fault; 10] = [
    Fault::LoseAnswer,
    Fault::LoseRequest,
    Fault::LateRequest,
    Fault::UserDown,
    Fault::MarketDown,
    Fault::DropFrame,
    Fault::RepeatUser,
    Fault::ShuffleUser,
    Fault::BadSettlement,
    Fault::Restart,
];

/// The wire, and the venue's front door behind it.
pub(super) struct Wire {
    key: KeyId,
    account: Address,
    rng: ChaCha8Rng,
    queue: BTreeMap<(u64, u64), Delivery>,
    sent: u64,
    /// Nothing of a channel arrives before what was sent earlier on it.
    frames_until: u64,
    user_until: u64,
    heartbeat: String,
    next_fault: u64,
    mean_fault_ns: u64,
    armed: BTreeSet<Fault>,
    user_down_until: u64,
    market_down_until: u64,
    repeat_until: u64,
    shuffle_until: u64,
    faults: u64,
    kinds: BTreeSet<Fault>,
}

impl Wire {
    pub(super) fn new(key: KeyId, account: Address, seed: u64, faults_per_hour: u32) -> Wire {
        let mean_fault_ns = (3_600 * Time::SECOND).checked_div(u64::from(faults_per_hour)).unwrap_or(u64::MAX);
        let mut wire = Wire {
            key,
            account,
            rng: ChaCha8Rng::seed_from_u64(seed ^ 0x5157_4952_4544),
            queue: BTreeMap::new(),
            sent: 0,
            frames_until: 0,
            user_until: 0,
            heartbeat: String::new(),
            next_fault: mean_fault_ns.min(30 * Time::SECOND),
            mean_fault_ns,
            armed: BTreeSet::new(),
            user_down_until: 0,
            market_down_until: 0,
            repeat_until: 0,
            shuffle_until: 0,
            faults: 0,
            kinds: BTreeSet::new(),
        };
        wire.put(ALIVE_NS, Delivery::Alive);
        wire
    }

    pub(super) const fn key(&self) -> KeyId {
        self.key
    }

    pub(super) const fn address(&self) -> Address {
        self.account
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next thing that has arrived by now.
    pub(super) fn due(&mut self, now: Time) -> Option<Delivery> {
        if self.next()? > now.mono_ns {
            return None;
        }
        let (_, delivery) = self.queue.pop_first()?;
        if matches!(delivery, Delivery::Alive) {
            self.put(now.mono_ns + ALIVE_NS, Delivery::Alive);
            if now.mono_ns < self.market_down_until {
                return self.due(now);
            }
        }
        Some(delivery)
    }

    /// Whether nothing but signs of life is on its way.
    pub(super) fn is_empty_but_life(&self) -> bool {
        self.queue.values().all(|delivery| matches!(delivery, Delivery::Alive))
    }

    pub(super) fn faults(&self) -> (u64, u32) {
        (self.faults, u32::try_from(self.kinds.len()).unwrap_or(u32::MAX))
    }

    fn put(&mut self, at: u64, delivery: Delivery) {
        self.sent += 1;
        self.queue.insert((at, self.sent), delivery);
    }

    fn latency(&mut self) -> u64 {
        self.rng.random_range(2 * Time::MILLI..25 * Time::MILLI)
    }

    pub(super) fn frame(&mut self, bytes: Vec<u8>, now: Time) {
        if now.mono_ns < self.market_down_until || self.armed.remove(&Fault::DropFrame) {
            return;
        }
        self.frames_until = self.frames_until.max(now.mono_ns + self.latency());
        self.put(self.frames_until, Delivery::Frame(bytes));
    }

    pub(super) fn user(&mut self, bytes: Vec<u8>, now: Time) {
        if now.mono_ns < self.user_down_until {
            return;
        }
        if now.mono_ns < self.repeat_until {
            let at = now.mono_ns + self.rng.random_range(0..2 * Time::SECOND);
            self.put(at, Delivery::User(bytes.clone()));
        }
        let at = if now.mono_ns < self.shuffle_until {
            now.mono_ns + self.rng.random_range(0..Time::SECOND)
        } else {
            self.user_until = self.user_until.max(now.mono_ns + self.latency());
            self.user_until
        };
        self.put(at, Delivery::User(bytes));
    }

    /// An action sets out for the venue.
    pub(super) fn request(&mut self, seq: u64, action: Action, now: Time) {
        let seq = ActionSeq(seq);
        let timeout = now.mono_ns + TIMEOUT_NS;
        let at = now.mono_ns + self.latency();
        if matches!(action, Action::Place(_) | Action::Cancel { .. } | Action::CancelAll) {
            if self.armed.remove(&Fault::LoseRequest) {
                return self.put(timeout, Delivery::Reply(unknown(seq, &action)));
            }
            if self.armed.remove(&Fault::LateRequest) {
                self.put(timeout, Delivery::Reply(unknown(seq, &action)));
                // It arrives with a number that nobody awaits, so that its answer goes nowhere.
                return self.put(timeout - Time::SECOND / 2, Delivery::Request(ActionSeq(u64::MAX), action));
            }
        }
        self.put(at, Delivery::Request(seq, action));
    }

    /// The venue carries an action out and answers.
    pub(super) fn serve(
        &mut self,
        seq: ActionSeq,
        action: &Action,
        core: &mut Core,
        listed: &[Option<MarketId>],
        now: Time,
    ) {
        let outcome = self.carry_out(action, core, listed, now);
        if seq.0 == u64::MAX {
            return;
        }
        let at = now.mono_ns + self.latency();
        let lost = matches!(action, Action::Place(_) | Action::Cancel { .. } | Action::CancelAll)
            && self.armed.remove(&Fault::LoseAnswer);
        if lost {
            return self.put(now.mono_ns + TIMEOUT_NS, Delivery::Reply(unknown(seq, action)));
        }
        if let Action::Fetch(FetchWhat::Book(asset)) = action
            && let Some(book) = self.read_book(core, listed, *asset)
        {
            self.put(at, Delivery::Book(book));
        }
        self.put(at, Delivery::Reply(Box::new(GatewayInput { action: seq, outcome })));
    }

    fn carry_out(
        &mut self,
        action: &Action,
        core: &mut Core,
        listed: &[Option<MarketId>],
        now: Time,
    ) -> GatewayOutcome {
        let wall = now.wall_ns;
        match action {
            Action::Place(place) => {
                let request = PlaceRequest {
                    id: place.id,
                    fields: place.fields,
                    order_type: place.order_type,
                    post_only: place.post_only,
                    expiration_s: place.expiration_s,
                };
                GatewayOutcome::Place(placed(core.place(self.key, &request, wall)))
            }
            Action::Cancel { order, .. } => GatewayOutcome::Cancel(match core.cancel(self.key, &[*order], wall) {
                Ok(reply) if !reply.canceled.is_empty() => CancelOutcome::Canceled,
                Ok(reply) => CancelOutcome::Gone(reply.not_canceled.first().map_or("", |(_, why)| *why).to_owned()),
                Err(refusal) => CancelOutcome::Refused(refusal.text()),
            }),
            Action::CancelAll => GatewayOutcome::CancelScope(scope(core.cancel_scope(self.key, None, None, wall))),
            Action::CancelMarket { market } => {
                let theirs = exchange_market(listed, *market);
                GatewayOutcome::CancelScope(scope(core.cancel_scope(self.key, theirs, None, wall)))
            }
            Action::Query { order } => {
                let order = core.order(order).filter(|o| o.key == self.key);
                GatewayOutcome::Query(Ok(order.map(|order| account_order(order, listed))))
            }
            Action::Heartbeat => GatewayOutcome::Heartbeat(match core.heartbeat(self.key, &self.heartbeat, wall) {
                Ok(next) | Err(next) => {
                    self.heartbeat = next;
                    Ok(())
                }
            }),
            Action::Subscribe { .. } | Action::Unsubscribe { .. } | Action::Fetch(FetchWhat::Book(_)) => {
                GatewayOutcome::Done(Ok(()))
            }
            Action::Fetch(FetchWhat::Account { trades_since_s }) => {
                GatewayOutcome::Account(Ok(self.account(core, listed, *trades_since_s)))
            }
        }
    }

    fn read_book(&self, core: &Core, listed: &[Option<MarketId>], asset: oddsmith_domain::AssetId) -> Option<Vec<u8>> {
        let market = core.market(exchange_market(listed, asset.market())?)?;
        let mut body = String::new();
        market.snapshot(asset.outcome()).write_json(None, &mut body);
        Some(body.into_bytes())
    }

    fn account(&self, core: &Core, listed: &[Option<MarketId>], since_s: u64) -> AccountSnapshot {
        let Some(id) = core.account_at(&self.account) else { return AccountSnapshot::default() };
        let Some(account) = core.account(id) else { return AccountSnapshot::default() };
        AccountSnapshot {
            orders: core.open_orders(account.user).map(|order| account_order(order, listed)).collect(),
            trades: core
                .trades_of(account.user)
                .filter(|trade| trade.matched_ms / 1_000 >= since_s)
                .map(|trade| account_trade(trade, listed, (self.key, self.account)))
                .collect(),
            collateral: account.collateral,
            tokens: Vec::new(),
        }
    }

    /// Now and then something goes wrong.
    pub(super) fn draw_fault(&mut self, core: &mut Core, now: Time) {
        if self.mean_fault_ns == u64::MAX || now.mono_ns < self.next_fault {
            return;
        }
        self.next_fault = now.mono_ns + self.rng.random_range(self.mean_fault_ns / 2..self.mean_fault_ns * 3 / 2);
        let fault = FAULTS[self.rng.random_range(0..FAULTS.len())];
        self.faults += 1;
        self.kinds.insert(fault);
        let lasts = self.rng.random_range(Time::SECOND..10 * Time::SECOND);
        let until = now.mono_ns + lasts;
        match fault {
            Fault::LoseAnswer | Fault::LoseRequest | Fault::LateRequest | Fault::DropFrame => {
                self.armed.insert(fault);
            }
            Fault::UserDown => {
                self.user_down_until = until;
                self.queue.retain(|_, d| !matches!(d, Delivery::User(_)));
                self.down(Link::User, now.mono_ns, until);
            }
            Fault::MarketDown => {
                self.market_down_until = until;
                self.queue.retain(|_, d| !matches!(d, Delivery::Frame(_)));
                self.down(Link::Market(0), now.mono_ns, until);
            }
            Fault::RepeatUser => self.repeat_until = until,
            Fault::ShuffleUser => self.shuffle_until = until,
            Fault::BadSettlement => {
                let all = [Settlement::Fail, Settlement::RetryThenFail, Settlement::RetryThenMine, Settlement::Late];
                core.script_settlements([all[self.rng.random_range(0..all.len())]]);
            }
            Fault::Restart => {
                let mode = Mode::Restarting { until_ns: now.wall_ns + lasts, post_only_ns: 5 * Time::SECOND };
                core.set_mode(mode, now.wall_ns);
            }
        }
    }

    fn down(&mut self, link: Link, from: u64, until: u64) {
        self.put(from, Delivery::Link(link, LinkState::Down("a drawn fault".to_owned())));
        self.put(until, Delivery::Link(link, LinkState::Up));
    }

    /// No fault from now on.
    pub(super) fn heal(&mut self, now: Time) {
        self.armed.clear();
        (self.repeat_until, self.shuffle_until) = (now.mono_ns, now.mono_ns);
    }
}

fn exchange_market(listed: &[Option<MarketId>], market: MarketId) -> Option<MarketId> {
    let index = listed.iter().position(|ours| *ours == Some(market))?;
    u32::try_from(index).ok().map(MarketId)
}

fn placed(result: Result<oddsmith_exchange::core::Placed, Refusal>) -> PlaceOutcome {
    match result {
        Ok(placed) => PlaceOutcome::Accepted {
            status: match placed.status {
                PlacedStatus::Live => VenueOrderStatus::Live,
                PlacedStatus::Matched => VenueOrderStatus::Matched,
                PlacedStatus::Delayed => VenueOrderStatus::Delayed,
                PlacedStatus::Unmatched => VenueOrderStatus::Unmatched,
            },
            trades: placed.trades,
        },
        Err(refusal) => {
            let code = match refusal {
                Refusal::PostOnlyCrosses => RefusalCode::PostOnlyWouldCross,
                Refusal::Restarting => RefusalCode::EngineRestarting,
                Refusal::NotEnoughBalance { .. } => RefusalCode::InsufficientBalance,
                Refusal::MarketNotReady => RefusalCode::MarketNotReady,
                _ => RefusalCode::Other,
            };
            PlaceOutcome::Refused { code, text: refusal.text() }
        }
    }
}

fn scope(reply: Result<oddsmith_exchange::core::CancelReply, Refusal>) -> Result<CanceledOrders, UnknownCause> {
    match reply {
        Ok(reply) => Ok(CanceledOrders {
            canceled: reply.canceled,
            not_canceled: reply.not_canceled.into_iter().map(|(id, why)| (id, why.to_owned())).collect(),
        }),
        Err(refusal) => Err(UnknownCause::Status(refusal.status())),
    }
}

fn unknown(action: ActionSeq, what: &Action) -> Box<GatewayInput> {
    let cause = UnknownCause::Timeout;
    let outcome = match what {
        Action::Place(_) => GatewayOutcome::Place(PlaceOutcome::Unknown(cause)),
        Action::Cancel { .. } => GatewayOutcome::Cancel(CancelOutcome::Unknown(cause)),
        _ => GatewayOutcome::CancelScope(Err(cause)),
    };
    Box::new(GatewayInput { action, outcome })
}

fn account_order(order: &Order, listed: &[Option<MarketId>]) -> AccountOrder {
    AccountOrder {
        id: order.id,
        asset: our_market(listed, order.market).map(|market| market.asset(order.outcome)),
        side: order.side,
        price: order.price,
        original_size: order.size,
        size_matched: order.matched,
        status: match order.status {
            OrderStatus::Delayed => VenueOrderStatus::Delayed,
            OrderStatus::Live => VenueOrderStatus::Live,
            OrderStatus::Matched => VenueOrderStatus::Matched,
            OrderStatus::Canceled(_) => VenueOrderStatus::Canceled,
        },
    }
}

fn our_market(listed: &[Option<MarketId>], market: MarketId) -> Option<MarketId> {
    listed.get(market.index()).copied().flatten()
}

fn account_trade(trade: &Trade, listed: &[Option<MarketId>], (key, account): (KeyId, Address)) -> AccountTrade {
    let market = our_market(listed, trade.market);
    let asset = |leg: &Leg| market.map(|market| market.asset(leg.outcome));
    AccountTrade {
        id: trade.id,
        status: match trade.state {
            TradeState::Matched => TradeStatus::Matched,
            TradeState::Mined => TradeStatus::Mined,
            TradeState::Confirmed => TradeStatus::Confirmed,
            TradeState::Retrying => TradeStatus::Retrying,
            TradeState::Failed => TradeStatus::Failed,
        },
        taker_order: trade.taker.order,
        asset: asset(&trade.taker),
        side: trade.taker.side,
        size: trade.taker.shares,
        price: trade.taker.price,
        we_take: trade.taker.key == key,
        legs: trade
            .makers
            .iter()
            .map(|(leg, _)| MakerLeg {
                order: leg.order,
                maker: if leg.key == key { account } else { Address::default() },
                asset: asset(leg),
                side: leg.side,
                price: leg.price,
                size: leg.shares,
            })
            .collect(),
        match_time_s: trade.matched_ms / 1_000,
    }
}
