//! The state behind every handler: one desk, one writer at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use oddsmith_domain::{AssetId, OrderId, Outcome};
use tokio::sync::{Notify, oneshot};

use super::faults::{Faults, FrameFaults};
use super::history::History;
use super::notices::Notices;
use super::settings::Settings;
use super::socket::Hub;
use crate::core::{CoreEvent, Market, Nanos, Placed, Refusal};
use crate::frames;
use crate::scenario::{Session, Transport};

/// The result of a delayed order.
pub(super) type DelayResult = Result<Placed, Refusal>;

/// Everything that changes: the exchange with its traders and its script, and who listens.
pub(super) struct Desk {
    pub(super) session: Session,
    pub(super) hub: Hub,
    pub(super) history: History,
    pub(super) notices: Notices,
    pub(super) settings: Settings,
    /// Every book as it was when reads of books began to stand still.
    pub(super) stale_books: Option<BTreeMap<AssetId, String>>,
    waiting: HashMap<OrderId, oneshot::Sender<DelayResult>>,
    events: Vec<CoreEvent>,
}

impl Desk {
    /// A desk with nobody at it.
    pub(super) fn new(session: Session, settings: Settings) -> Desk {
        Desk {
            session,
            hub: Hub::default(),
            history: History::default(),
            notices: Notices::default(),
            settings,
            stale_books: None,
            waiting: HashMap::new(),
            events: Vec::new(),
        }
    }

    /// Every book as a read would give it now.
    fn books(&self) -> BTreeMap<AssetId, String> {
        let assets =
            |market: &Market| Outcome::BOTH.map(|outcome| (market.id.asset(outcome), market.book_json(outcome)));
        self.session.core.markets().iter().flat_map(assets).collect()
    }

    /// Promises the result of a delayed order.
    pub(super) fn await_delay(&mut self, order: OrderId) -> oneshot::Receiver<DelayResult> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(order, sender);
        receiver
    }

    /// Hands everything that has happened to whoever listens.
    fn pump(&mut self, faults: &Faults) {
        for price in self.session.world.take_prices() {
            self.hub.tell_price(&price, faults);
        }
        for report in self.session.world.take_reports() {
            self.hub.tell_report(&report, faults);
        }
        self.session.core.drain_events(&mut self.events);
        for event in self.events.drain(..) {
            match event {
                CoreEvent::Public(event) => {
                    self.history.note(&event);
                    if self.hub.wants(&event)
                        && let Some(market) = self.session.core.market(event.market())
                    {
                        let frame = frames::public(&event, market);
                        self.hub.publish(&event, frame, faults);
                    }
                }
                CoreEvent::Order(event) => {
                    self.notices.note_order(&self.session.core, &event);
                    let Some(market) = self.session.core.market(event.order.market) else { continue };
                    if self.hub.hears(event.order.user, &market.condition) {
                        let frame = frames::order(&event, market, &self.session.core);
                        self.hub.tell(event.order.user, &market.condition, frame, faults);
                    }
                }
                CoreEvent::Trade(event) => {
                    self.notices.note_trade(&self.session.core, &event);
                    let Some(market) = self.session.core.market(event.trade.market) else { continue };
                    let Some(user) = self.session.core.key(event.receiver).map(|key| key.user) else { continue };
                    if self.hub.hears(user, &market.condition) {
                        let frame = frames::trade(&event, market, &self.session.core);
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

    /// Lets everything happen that is due: in the exchange, among the traders, and of the script's faults.
    pub(super) fn pass_time(&mut self, now: Nanos, faults: &Faults) {
        let mut transport = Vec::new();
        self.session.step(now, &mut transport);
        for action in transport {
            match action {
                Transport::DelayRequests(ms) => faults.set_delay_ms(ms),
                Transport::FreezeHttp(frozen) => faults.freeze_http(frozen),
                Transport::FreezeChannel(channel, frozen) => faults.freeze_channel(channel, frozen),
                Transport::LoseAnswers(count) => faults.lose_answers(count),
                Transport::RefuseConnections(refuse) => faults.refuse_connections(refuse),
                Transport::Disconnect(channel) => self.hub.kick(channel),
                Transport::SkipSnapshots(count) => faults.skip_snapshots(count),
                Transport::Errors(errors) => faults.set_errors(errors),
                Transport::ClockSkew(ms) => faults.set_skew_ms(ms),
                Transport::StaleBooks(stale) => self.stale_books = stale.then(|| self.books()),
                Transport::Frames { channel, drop, duplicate, reorder } => {
                    faults.set_frames(channel, FrameFaults { drop, duplicate, reorder });
                }
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Nanos> {
        self.session.next_event()
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
                desk.pass_time(now, &self.faults);
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

/// The time of the exchange.
#[derive(Clone, Debug)]
pub(super) enum Clock {
    /// The wall clock as it was at the start, moved on by the monotonic clock.
    Running {
        /// The wall clock at the start.
        wall_ns: Nanos,
        /// The monotonic clock at the start.
        started: Instant,
    },
    /// A time that somebody else sets.
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// Reads both clocks.
    pub(super) fn start() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock::Running { wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX), started: Instant::now() }
    }

    pub(super) fn now_ns(&self) -> Nanos {
        match self {
            Clock::Running { wall_ns, started } => {
                wall_ns.saturating_add(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX))
            }
            Clock::Set(now_ns) => now_ns.load(Ordering::Relaxed),
        }
    }
}
