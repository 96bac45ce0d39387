//! What goes wrong, and when: drawn from the seed.

use oddsmith_domain::{Price, Tick, Time, Usdc};
use oddsmith_exchange::core::{KNOWN_ADDRESSES, Settlement};
use oddsmith_exchange::scenario::{Channel, Fault as Strike, ModeName};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::disk::Tear;

/// The market that is decided in the middle of things.
pub(super) const DECIDED_MARKET: &str = "will-it-be-void";
/// The market whose grid becomes finer.
pub(super) const FINER_MARKET: &str = "will-the-grid-change";
/// A market that stops taking orders for a while.
pub(super) const PAUSED_MARKET: &str = "will-the-budget-pass";

macro_rules! kinds {
    ($($name:ident = $word:literal,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FaultKind {
            $(#[doc = $word] $name,)*
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &[FaultKind] = &[$(FaultKind::$name,)*];

            /// What happens, in words.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self {
                    $(FaultKind::$name => $word,)*
                }
            }
        }
    };
}

kinds! {
    MarketDisconnect = "the market connections are closed",
    UserDisconnect = "the user connection is closed",
    RefusedConnections = "connections are closed, and new ones refused for a while",
    MarketFreeze = "the market channel says nothing, and answers PING",
    UserFreeze = "the user channel says nothing, and answers PING",
    MissingSnapshots = "a new market connection gets no books to begin with",
    MarketFrames = "market frames are dropped, doubled and exchanged",
    UserFrames = "user frames are dropped, doubled and exchanged",
    LostRequests = "requests never arrive",
    LostAnswers = "answers are lost after the exchange has acted",
    SlowRequests = "requests and answers take longer than anybody waits",
    ServerErrors = "a server in front answers 500, having passed on half of the requests",
    RateLimited = "a server in front answers 429",
    Restarting = "the matching engine restarts: 425, then post-only",
    CancelOnly = "only cancels are taken: 503",
    Disabled = "nothing is taken: 503",
    Settlements = "matches fail to settle, are tried again, or take long",
    StaleBooks = "books are read from an old cache",
    TickChange = "a market's grid becomes finer",
    MarketVoid = "a market is decided at half a dollar",
    MarketPaused = "a market takes no orders",
    Shock = "the true value of a market jumps",
    ClockJump = "the wall clock of the process jumps",
    SlowDisk = "the journal's disk holds the process up",
    Standstill = "the process stands still for longer than the venue waits for a heartbeat",
    BalanceMoved = "collateral leaves the account without an order",
    PhantomLock = "collateral is locked for no reason",
    Kill = "the process is killed at a write of its journal",
}

/// A fault that strikes.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) kind: FaultKind,
    pub(super) doing: Vec<Doing>,
}

/// What a fault does.
#[derive(Clone, Debug)]
pub(super) enum Doing {
    /// Something at the exchange.
    Strike(Strike),
    LoseRequests(u32),
    LoseAnswers(u32),
    Slow(u64),
    Errors(u64),
    Limit(u64),
    StaleBooks(u64),
    /// The process does nothing for so long.
    Stall(u64),
    /// Its wall clock moves by so many seconds.
    JumpClock(i64),
    /// It dies when so many more records have been written.
    Kill(u64, Tear),
}

/// Draws faults.
pub(super) struct Fate {
    pub(super) rng: ChaCha8Rng,
    once: Vec<FaultKind>,
    kinds: Vec<FaultKind>,
}

impl Fate {
    pub(super) fn new(rng: ChaCha8Rng, kinds: Vec<FaultKind>) -> Fate {
        Fate { rng, once: Vec::new(), kinds }
    }

    /// The next fault, of a kind that can still happen.
    pub(super) fn draw(&mut self) -> Option<Drawn> {
        let possible: Vec<_> = self.kinds.iter().copied().filter(|kind| !self.once.contains(kind)).collect();
        if possible.is_empty() {
            return None;
        }
        let kind = possible[self.rng.random_range(0..possible.len())];
        if matches!(kind, FaultKind::MarketVoid | FaultKind::TickChange) {
            self.once.push(kind);
        }
        Some(Drawn { kind, doing: self.doing(kind) })
    }

    /// A kill, whatever is drawn otherwise.
    pub(super) fn kill(&mut self) -> Drawn {
        Drawn { kind: FaultKind::Kill, doing: self.doing(FaultKind::Kill) }
    }

    fn seconds(&mut self, from: u64, to: u64) -> u64 {
        self.rng.random_range(from * 1_000..to * 1_000) * Time::MILLI
    }

    fn doing(&mut self, kind: FaultKind) -> Vec<Doing> {
        use FaultKind as K;
        let ms = self.rng.random_range(1_000..12_000u64);
        let few = self.rng.random_range(1..4u32);
        let market = Channel::Market;
        match kind {
            K::Kill => vec![Doing::Kill(self.rng.random_range(1..2_000), self.tear())],
            K::LostRequests => vec![Doing::LoseRequests(few)],
            K::LostAnswers => vec![Doing::LoseAnswers(few)],
            K::SlowRequests => vec![Doing::Slow(self.seconds(1, 8))],
            K::ServerErrors => vec![Doing::Errors(self.seconds(1, 6))],
            K::RateLimited => vec![Doing::Limit(self.seconds(1, 6))],
            K::StaleBooks => vec![Doing::StaleBooks(self.seconds(5, 40))],
            K::SlowDisk => vec![Doing::Stall(self.rng.random_range(50..800) * Time::MILLI)],
            K::Standstill => vec![Doing::Stall(self.seconds(11, 16))],
            K::ClockJump => {
                let by = self.rng.random_range(2..30);
                vec![Doing::JumpClock(if self.rng.random_bool(0.5) { by } else { -by })]
            }
            K::MissingSnapshots => {
                let count = u64::from(few) * 2;
                strikes([Strike::SkipSnapshots { count }, Strike::Disconnect { channel: market }])
            }
            K::RefusedConnections => {
                let channel = if self.rng.random_bool(0.5) { market } else { Channel::User };
                strikes([Strike::RefuseConnections { for_ms: ms }, Strike::Disconnect { channel }])
            }
            other => strikes([self.strike(other, ms, few)]),
        }
    }

    fn tear(&mut self) -> Tear {
        if self.rng.random_bool(0.7) { Tear::Last } else { Tear::Unsynced(self.rng.random_range(2..8)) }
    }

    fn strike(&mut self, kind: FaultKind, ms: u64, few: u32) -> Strike {
        use FaultKind as K;
        let (market, user) = (Channel::Market, Channel::User);
        let address = oddsmith_domain::Address::parse(KNOWN_ADDRESSES[0]).unwrap_or_default();
        match kind {
            K::UserDisconnect => Strike::Disconnect { channel: user },
            K::MarketFreeze => Strike::FreezeChannel { channel: market, for_ms: ms * 4 },
            K::UserFreeze => Strike::FreezeChannel { channel: user, for_ms: ms },
            K::MarketFrames => Strike::Frames { channel: market, drop: few, duplicate: few, reorder: few },
            K::UserFrames => Strike::Frames { channel: user, drop: few, duplicate: few, reorder: few },
            K::Restarting => Strike::Restart { for_ms: ms, post_only_ms: 5_000 },
            K::CancelOnly => Strike::Mode { mode: ModeName::CancelOnly, for_ms: Some(ms) },
            K::Disabled => Strike::Mode { mode: ModeName::Disabled, for_ms: Some(ms) },
            K::Settlements => {
                let all = [Settlement::Fail, Settlement::RetryThenFail, Settlement::RetryThenMine, Settlement::Late];
                Strike::Settlements((0..few + 1).map(|_| all[self.rng.random_range(0..all.len())]).collect())
            }
            K::TickChange => Strike::Tick { market: FINER_MARKET.to_owned(), tick: Tick::Thousandth },
            K::MarketVoid => {
                let yes = Price::from_units(5_000).unwrap_or(Price::ONE);
                Strike::Resolve { market: DECIDED_MARKET.to_owned(), yes }
            }
            K::MarketPaused => Strike::Pause { market: PAUSED_MARKET.to_owned(), for_ms: Some(ms) },
            K::Shock => {
                let to = self.rng.random_range(0.25..0.75);
                Strike::Shock { market: PAUSED_MARKET.to_owned(), to }
            }
            K::BalanceMoved => Strike::MoveBalance { from: address, amount: Usdc::from_whole(i64::from(few)) },
            K::PhantomLock => Strike::PhantomLock { account: address, amount: Usdc::from_whole(50), for_ms: Some(ms) },
            // Everything else is not a strike of its own; the nearest thing is a lost connection.
            _ => Strike::Disconnect { channel: market },
        }
    }
}

fn strikes<const N: usize>(all: [Strike; N]) -> Vec<Doing> {
    all.into_iter().map(Doing::Strike).collect()
}
