//! The state behind every handler: one desk, one writer at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use oddsmith_domain::OrderId;
use tokio::sync::{Notify, oneshot};

use super::faults::Faults;
use super::history::History;
use super::notices::Notices;
use super::settings::Settings;
use super::socket::{Hub, Names, order_frame, public_frame, trade_frame};
use crate::core::{AccountId, Core, CoreEvent, KeyId, Nanos, Placed, Refusal};
use crate::world::World;

/// The result of a delayed order.
pub(super) type DelayResult = Result<Placed, Refusal>;

/// Everything that changes: the exchange, the simulated traders on it, and who listens.
pub(super) struct Desk {
    pub(super) core: Core,
    pub(super) world: World,
    pub(super) hub: Hub,
    pub(super) history: History,
    pub(super) notices: Notices,
    pub(super) settings: Settings,
    waiting: HashMap<OrderId, oneshot::Sender<DelayResult>>,
    events: Vec<CoreEvent>,
}

impl Desk {
    /// A desk with nobody at it.
    pub(super) fn new(core: Core, world: World, settings: Settings) -> Desk {
        Desk {
            core,
            world,
            hub: Hub::default(),
            history: History::default(),
            notices: Notices::default(),
            settings,
            waiting: HashMap::new(),
            events: Vec::new(),
        }
    }

    /// Promises the result of a delayed order.
    pub(super) fn await_delay(&mut self, order: OrderId) -> oneshot::Receiver<DelayResult> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(order, sender);
        receiver
    }

    /// Hands everything that has happened to whoever listens.
    fn pump(&mut self, faults: &Faults) {
        self.core.drain_events(&mut self.events);
        for event in self.events.drain(..) {
            match event {
                CoreEvent::Public(event) => {
                    self.history.note(&event);
                    if self.hub.wants(&event)
                        && let Some(market) = self.core.market(event.market())
                    {
                        let frame = public_frame(&event, market);
                        self.hub.publish(&event, frame, faults);
                    }
                }
                CoreEvent::Order(event) => {
                    self.notices.note_order(&self.core, &event);
                    let Some(market) = self.core.market(event.order.market) else { continue };
                    if self.hub.hears(event.order.user, &market.condition) {
                        let frame = order_frame(&event, market, &self.core);
                        self.hub.tell(event.order.user, &market.condition, frame, faults);
                    }
                }
                CoreEvent::Trade(event) => {
                    self.notices.note_trade(&self.core, &event);
                    let Some(market) = self.core.market(event.trade.market) else { continue };
                    let Some(user) = self.core.key(event.receiver).map(|key| key.user) else { continue };
                    if self.hub.hears(user, &market.condition) {
                        let frame = trade_frame(&event, market, &self.core);
                        self.hub.tell(user, &market.condition, frame, faults);
                    }
                }
                CoreEvent::DelayOver { result, order } => {
                    if let Some(sender) = self.waiting.remove(&order) {
                        // Whoever asked may have hung up; the order stands all the same.
                        let _gone = sender.send(*result);
                    }
                }
            }
        }
    }

    /// When time must pass for the desk although nobody asks for anything.
    fn next_deadline(&self) -> Option<Nanos> {
        let (core, world) = (self.core.next_timer(), self.world.next_event());
        core.into_iter().chain(world).min()
    }
}

impl Names for Core {
    fn key(&self, key: KeyId) -> String {
        Core::key(self, key).map(|key| key.id.clone()).unwrap_or_default()
    }

    fn account(&self, account: AccountId) -> String {
        Core::account(self, account).map(|account| account.address.to_string()).unwrap_or_default()
    }
}

/// What handlers share.
pub(super) struct App {
    desk: Mutex<Desk>,
    pub(super) faults: Arc<Faults>,
    clock: Clock,
    sooner: Notify,
}

impl App {
    /// An app around a desk.
    pub(super) fn new(desk: Desk, faults: Arc<Faults>, clock: Clock) -> App {
        App { desk: Mutex::new(desk), faults, clock, sooner: Notify::new() }
    }

    /// Does one thing at the desk, now, and tells the world what came of it. The lock is never held across a wait, so
    /// requests are served one after the other in the order in which they arrive.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Desk, Nanos) -> T) -> T {
        // A panic of another request must not take the exchange down with it.
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let before = desk.next_deadline();
        let result = act(&mut desk, self.clock.now_ns());
        desk.pump(&self.faults);
        let after = desk.next_deadline();
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.sooner.notify_one();
        }
        result
    }

    /// Nanoseconds since the Unix epoch, never going back.
    pub(super) fn now_ns(&self) -> Nanos {
        self.clock.now_ns()
    }

    /// Lets time pass for ever: settlements, delays, expiries, heartbeats and the simulated traders.
    pub(super) async fn keep_time(self: Arc<App>) {
        loop {
            let due = self.with(|desk, now| {
                desk.core.advance(now);
                desk.world.step(&mut desk.core, now);
                desk.next_deadline()
            });
            let wait = due.map(|due| std::time::Duration::from_nanos(due.saturating_sub(self.clock.now_ns())));
            match wait {
                Some(wait) => tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.sooner.notified() => {}
                },
                None => self.sooner.notified().await,
            }
        }
    }
}

/// The wall clock as it was at the start, moved on by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    wall_ns: Nanos,
    started: Instant,
}

impl Clock {
    /// Reads both clocks.
    pub(super) fn start() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX), started: Instant::now() }
    }

    pub(super) fn now_ns(&self) -> Nanos {
        self.wall_ns.saturating_add(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}
