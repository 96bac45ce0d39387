//! What goes wrong, and when.

use std::collections::VecDeque;

use oddsmith_domain::{Address, Price, Tick, Usdc};
use serde::{Deserialize, Serialize};

use crate::core::{Core, Mode, Nanos, Settlement};
use crate::world::World;

use super::ScenarioError;

const MILLI: Nanos = 1_000_000;

/// One of the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// `/ws/market`.
    Market,
    /// `/ws/user`.
    User,
    /// `/binance/stream` and `/truth`: prices and reports from outside of the venue.
    Feed,
}

/// A mode by its name; see [`Mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModeName {
    /// Everything is taken.
    Normal,
    /// Post-only orders and cancels.
    PostOnly,
    /// Cancels.
    CancelOnly,
    /// Nothing.
    Disabled,
}

/// Which requests a fault is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requests {
    /// Placements and cancels.
    #[default]
    Orders,
    /// Everything else.
    Reads,
    /// Everything.
    All,
}

/// Answers with an error status, whatever was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// The status.
    pub status: u16,
    /// To which requests.
    pub requests: Requests,
    /// Whether the exchange has acted on the request first.
    pub acted: bool,
}

/// Something that goes wrong, or an event that one waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// What becomes of the next matches of outside accounts.
    Settlements(Vec<Settlement>),
    /// The exchange takes less for a while.
    Mode {
        /// What it takes.
        mode: ModeName,
        /// How long; until further notice if left out.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// The matching engine restarts (status 425) and is post-only afterwards.
    Restart {
        /// How long nothing is taken.
        for_ms: u64,
        /// How long only post-only orders are taken after that.
        post_only_ms: u64,
    },
    /// A market's grid becomes finer.
    Tick {
        /// The market's slug.
        market: String,
        /// The new grid.
        tick: Tick,
    },
    /// A market is decided.
    Resolve {
        /// The market's slug.
        market: String,
        /// What a YES share pays.
        yes: Price,
    },
    /// A market stops or resumes taking orders.
    Pause {
        /// The market's slug.
        market: String,
        /// How long; until further notice if left out.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// The true value of a market jumps.
    Shock {
        /// The market's slug.
        market: String,
        /// The new value, between 0 and 1.
        to: f64,
    },
    /// Collateral leaves an account without an order.
    MoveBalance {
        /// The account.
        from: Address,
        /// How many dollars.
        amount: Usdc,
    },
    /// Collateral of an account is locked for no reason.
    PhantomLock {
        /// The account.
        account: Address,
        /// How many dollars.
        amount: Usdc,
        /// How long; until further notice if left out.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// A socket stays open and answers PING, but says nothing.
    FreezeChannel {
        /// The socket.
        channel: Channel,
        /// How long.
        for_ms: u64,
    },
    /// Requests are taken and not answered.
    FreezeHttp {
        /// How long.
        for_ms: u64,
    },
    /// Every request waits before it is looked at.
    DelayRequests {
        /// How long each of them waits.
        by_ms: u64,
        /// How long this lasts; until further notice if left out.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// Answers to placements and cancels are lost after the exchange has acted.
    LoseAnswers {
        /// How many.
        count: u64,
    },
    /// New connections are closed at once.
    RefuseConnections {
        /// How long.
        for_ms: u64,
    },
    /// All connections of a socket are closed.
    Disconnect {
        /// The socket.
        channel: Channel,
    },
    /// All connections of a socket are closed again and again.
    DisconnectStorm {
        /// The socket.
        channel: Channel,
        /// How often.
        times: u32,
        /// How long after one time the next one comes.
        every_ms: u64,
    },
    /// Requests are answered with an error: 429 with its headers, or a 5xx.
    Errors {
        /// The status: 429 or 500 … 599.
        status: u16,
        /// To which requests; placements and cancels if left out.
        #[serde(default)]
        requests: Requests,
        /// Whether the exchange acts on the request first; no if left out.
        #[serde(default)]
        acted: bool,
        /// How long.
        for_ms: u64,
    },
    /// Reads of books by REST give the books as they were when this began.
    StaleBooks {
        /// How long.
        for_ms: u64,
    },
    /// The clock by which the venue answers `/time` and judges signed timestamps is wrong.
    ClockSkew {
        /// By how much; negative is behind.
        by_ms: i64,
        /// How long; until further notice if left out.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// Every armed dead man's switch runs out now, as if no heartbeat had come.
    ExpireHeartbeats,
    /// Subscriptions get no book to begin with.
    SkipSnapshots {
        /// How many.
        count: u64,
    },
    /// Something happens to the next frames of a socket.
    Frames {
        /// The socket.
        channel: Channel,
        /// This many are not sent.
        #[serde(default)]
        drop: u32,
        /// This many are sent twice.
        #[serde(default)]
        duplicate: u32,
        /// This many change places with the next one.
        #[serde(default)]
        reorder: u32,
    },
}

/// A fault with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedFault {
    /// When it begins, in milliseconds from the start.
    pub after_ms: u64,
    /// It happens again and again with this distance; once if left out.
    #[serde(default)]
    pub every_ms: Option<u64>,
    /// What happens.
    pub fault: Fault,
}

/// What the server does to its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Every request waits so many milliseconds.
    DelayRequests(u64),
    /// Requests hang, or go on.
    FreezeHttp(bool),
    /// A socket says nothing, or speaks again.
    FreezeChannel(Channel, bool),
    /// So many answers are lost.
    LoseAnswers(u64),
    /// New connections are closed at once, or not.
    RefuseConnections(bool),
    /// All connections of a socket are closed.
    Disconnect(Channel),
    /// So many first books are not sent.
    SkipSnapshots(u64),
    /// Requests are answered with an error, or no longer.
    Errors(Option<Errors>),
    /// Books read by REST stand still, or go on.
    StaleBooks(bool),
    /// The venue's clock is wrong by so many milliseconds.
    ClockSkew(i64),
    /// What happens to the next frames of a socket.
    Frames {
        /// The socket.
        channel: Channel,
        /// This many are not sent.
        drop: u32,
        /// This many are sent twice.
        duplicate: u32,
        /// This many change places with the next one.
        reorder: u32,
    },
}

impl Fault {
    /// The slug of the market that it is about.
    #[must_use]
    pub fn market(&self) -> Option<&str> {
        match self {
            Fault::Tick { market, .. }
            | Fault::Resolve { market, .. }
            | Fault::Pause { market, .. }
            | Fault::Shock { market, .. } => Some(market),
            _ => None,
        }
    }

    /// Whether its numbers make sense.
    ///
    /// # Errors
    /// [`ScenarioError::Sense`].
    pub fn check(&self) -> Result<(), ScenarioError> {
        let wrong = match self {
            Fault::Shock { to, .. } if !(*to > 0.0 && *to < 1.0) => "`to` must lie between 0 and 1",
            Fault::MoveBalance { amount, .. } if !amount.is_positive() => "`amount` must be positive",
            Fault::PhantomLock { amount, .. } if amount.is_negative() => "`amount` must not be negative",
            Fault::Errors { status, .. } if *status != 429 && !(500..=599).contains(status) => {
                "`status` must be 429 or 500 to 599"
            }
            _ => return Ok(()),
        };
        Err(ScenarioError::Sense(format!("a fault: {wrong}")))
    }

    /// How long it lasts before it is undone.
    fn lasts_ms(&self) -> Option<u64> {
        match self {
            Fault::Pause { for_ms, .. }
            | Fault::PhantomLock { for_ms, .. }
            | Fault::DelayRequests { for_ms, .. }
            | Fault::ClockSkew { for_ms, .. } => *for_ms,
            Fault::Mode { mode: ModeName::CancelOnly | ModeName::Disabled, for_ms } => *for_ms,
            Fault::FreezeChannel { for_ms, .. }
            | Fault::FreezeHttp { for_ms }
            | Fault::Errors { for_ms, .. }
            | Fault::StaleBooks { for_ms }
            | Fault::RefuseConnections { for_ms } => Some(*for_ms),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Step {
    at_ns: Nanos,
    fault: Fault,
    undo: bool,
    every_ns: Option<Nanos>,
}

/// What is still to go wrong, in order of time.
#[derive(Clone, Debug, Default)]
pub struct Script {
    steps: VecDeque<Step>,
}

impl Script {
    /// A script that begins at a time.
    #[must_use]
    pub fn new(faults: &[TimedFault], start_ns: Nanos) -> Script {
        let mut script = Script::default();
        for timed in faults {
            script.add(Step {
                at_ns: start_ns.saturating_add(timed.after_ms.saturating_mul(MILLI)),
                fault: timed.fault.clone(),
                undo: false,
                every_ns: timed.every_ms.map(|ms| ms.max(1).saturating_mul(MILLI)),
            });
        }
        script
    }

    /// Adds a fault that begins at a time: the way of a control endpoint.
    pub fn strike(&mut self, fault: Fault, at_ns: Nanos) {
        self.add(Step { at_ns, fault, undo: false, every_ns: None });
    }

    fn add(&mut self, step: Step) {
        let place = self.steps.partition_point(|other| other.at_ns <= step.at_ns);
        self.steps.insert(place, step);
    }

    /// When something happens next.
    #[must_use]
    pub fn next_event(&self) -> Option<Nanos> {
        self.steps.front().map(|step| step.at_ns)
    }

    /// Does everything that is due. What concerns sockets is added to `transport` in order.
    pub fn run(&mut self, core: &mut Core, world: &mut World, now_ns: Nanos, transport: &mut Vec<Transport>) {
        while let Some(step) = self.steps.pop_front_if(|step| step.at_ns <= now_ns) {
            if let Some(lasts_ms) = step.fault.lasts_ms().filter(|_| !step.undo) {
                let at_ns = step.at_ns.saturating_add(lasts_ms.saturating_mul(MILLI));
                self.add(Step { at_ns, fault: step.fault.clone(), undo: true, every_ns: None });
            }
            if let Fault::DisconnectStorm { channel, times: times @ 2.., every_ms } = step.fault {
                let at_ns = step.at_ns.saturating_add(every_ms.max(1).saturating_mul(MILLI));
                let fault = Fault::DisconnectStorm { channel, times: times - 1, every_ms };
                self.add(Step { at_ns, fault, undo: false, every_ns: None });
            }
            if let Some(every_ns) = step.every_ns {
                self.add(Step { at_ns: step.at_ns.saturating_add(every_ns), ..step.clone() });
            }
            match socket(&step.fault, step.undo) {
                Some(action) => transport.push(action),
                None => strike(core, world, &step, step.at_ns),
            }
        }
    }
}

/// What a fault does to the server's sockets, if it is one of those.
fn socket(fault: &Fault, undo: bool) -> Option<Transport> {
    Some(match fault {
        Fault::FreezeChannel { channel, .. } => Transport::FreezeChannel(*channel, !undo),
        Fault::FreezeHttp { .. } => Transport::FreezeHttp(!undo),
        Fault::DelayRequests { by_ms, .. } => Transport::DelayRequests(if undo { 0 } else { *by_ms }),
        Fault::LoseAnswers { count } => Transport::LoseAnswers(*count),
        Fault::RefuseConnections { .. } => Transport::RefuseConnections(!undo),
        Fault::Disconnect { channel } => Transport::Disconnect(*channel),
        Fault::DisconnectStorm { channel, times: 1.., .. } => Transport::Disconnect(*channel),
        Fault::Errors { status, requests, acted, .. } => {
            let errors = Errors { status: *status, requests: *requests, acted: *acted };
            Transport::Errors((!undo).then_some(errors))
        }
        Fault::StaleBooks { .. } => Transport::StaleBooks(!undo),
        Fault::ClockSkew { by_ms, .. } => Transport::ClockSkew(if undo { 0 } else { *by_ms }),
        Fault::SkipSnapshots { count } => Transport::SkipSnapshots(*count),
        Fault::Frames { channel, drop, duplicate, reorder } => {
            Transport::Frames { channel: *channel, drop: *drop, duplicate: *duplicate, reorder: *reorder }
        }
        _ => return None,
    })
}

/// What a fault does to the exchange and the world.
fn strike(core: &mut Core, world: &mut World, step: &Step, now_ns: Nanos) {
    let undo = step.undo;
    let listed = step.fault.market().and_then(|slug| core.market_by_slug(slug)).map(|market| market.id);
    match (&step.fault, listed) {
        (Fault::ExpireHeartbeats, _) => core.expire_heartbeats(now_ns),
        (Fault::Settlements(outcomes), _) => core.script_settlements(outcomes.iter().copied()),
        (Fault::Mode { mode, for_ms }, _) => {
            let until_ns = for_ms.map(|ms| now_ns.saturating_add(ms.saturating_mul(MILLI)));
            let mode = match mode {
                _ if undo => Mode::Normal,
                ModeName::Normal => Mode::Normal,
                ModeName::PostOnly => Mode::PostOnly { until_ns },
                ModeName::CancelOnly => Mode::CancelOnly,
                ModeName::Disabled => Mode::Disabled,
            };
            core.set_mode(mode, now_ns);
        }
        (Fault::Restart { for_ms, post_only_ms }, _) => {
            let until_ns = now_ns.saturating_add(for_ms.saturating_mul(MILLI));
            core.set_mode(Mode::Restarting { until_ns, post_only_ns: post_only_ms.saturating_mul(MILLI) }, now_ns);
        }
        (Fault::Tick { tick, .. }, Some(market)) => core.change_tick(market, *tick, now_ns),
        (Fault::Resolve { yes, .. }, Some(market)) => core.resolve(market, *yes, now_ns),
        (Fault::Pause { .. }, Some(market)) => core.pause_market(market, !undo),
        (Fault::Shock { to, .. }, Some(market)) => world.shock(market, *to, now_ns),
        (Fault::MoveBalance { from, amount }, _) => {
            if let Some(account) = core.account_at(from) {
                // More than there is cannot be moved; then the account simply keeps what it has.
                let _too_much = core.transfer(account, elsewhere(), *amount, now_ns);
            }
        }
        (Fault::PhantomLock { account, amount, .. }, _) => {
            if let Some(account) = core.account_at(account) {
                core.set_phantom_lock(account, if undo { Usdc::ZERO } else { *amount });
            }
        }
        _ => {}
    }
}

/// Where moved collateral goes: an address that nobody holds a key of.
fn elsewhere() -> Address {
    Address([0xee; 20])
}
