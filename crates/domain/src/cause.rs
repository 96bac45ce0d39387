//! What stops, narrows or withdraws something, and what it covers.

use serde::{Deserialize, Serialize};

use crate::{InstanceId, MarketId};

/// How far a market's book can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookHealth {
    /// No snapshot yet.
    #[default]
    Empty,
    /// Proven by the venue's hash.
    Verified,
    /// Nothing speaks against it, but the card lacks what the hash needs.
    Unverifiable,
    /// One check failed: compared by REST, still quoted.
    Suspect,
    /// Wrong: quotes are pulled until a fresh snapshot is there.
    Dirty,
}

/// What doubt, or a command, covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One market.
    Market(MarketId),
    /// Everything under the key.
    Wallet,
    /// One strategy instance. Doubt never covers one: what is uncertain is uncertain for all who trade there.
    Instance(InstanceId),
}

/// Why there is doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtCause {
    /// The run has just begun.
    Start,
    /// A person said stop.
    Operator,
    /// The process ends.
    Shutdown,
    /// A market connection is down or silent.
    MarketLink,
    /// The user channel is down or silent.
    UserLink,
    /// A book is dirty.
    DirtyBook,
    /// A book is older than the limit.
    StaleBook,
    /// An order's fate has been unknown for too long.
    UnknownOrder,
    /// The venue does not hear our heartbeat.
    Heartbeat,
    /// The daily loss limit is reached.
    DailyLoss,
    /// Own state and the venue's do not agree.
    Mismatch,
    /// The kill switch is thrown, or cools down.
    KillSwitch,
    /// The market's breaker is open.
    Breaker,
    /// The operator halted the scope.
    Halted,
    /// The venue's matching engine restarts.
    VenueRestarting,
    /// The venue takes only cancels.
    VenueCancelOnly,
    /// The venue takes nothing, cancels neither.
    VenueDisabled,
    /// The wall clock and the monotonic clock disagree about how much time has passed.
    ClockJump,
    /// The venue speaks a version of its protocol that is not known: nothing is signed for it.
    ProtocolVersion,
    /// The account could not be read whole several times in a row.
    Resync,
    /// The loop stood still, and the watchdog has cancelled everything without it.
    Guardian,
    /// The market has ended, was closed, or takes no orders.
    MarketEnded,
    /// The price outside of the venue that decides the market is too old, or its feed is down.
    ReferenceFeed,
    /// Frames of the market's connection are taken in too late.
    FeedLag,
    /// No instance's rule of selection wants the market any more.
    Unselected,
}

/// A state of the venue in which it takes less than everything (protocol section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VenueMode {
    /// The matching engine restarts: try again soon, post-only at first.
    Restarting,
    /// Nothing is taken, cancels neither.
    Disabled,
    /// Only cancels are taken.
    CancelOnly,
    /// Only post-only orders and cancels are taken.
    PostOnly,
}

/// Why a working order is cancelled although the plan has not asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawal {
    /// The book has moved through its price.
    MovedThrough,
    /// The venue took it later than the limit allows.
    LateAnswer,
    /// It has rested longer than an order may.
    TooOld,
    /// It stands in the way of an order of an instance with a higher priority.
    SelfTrade,
    /// The price outside of the venue that it was quoted by jumped.
    Shock,
    /// Another own instance pauses its instance in the market.
    Paused,
    /// An instance with a higher priority needs the collateral that it reserves.
    Priority,
}

/// What an instance has under way in a market while it pauses others there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseCause {
    /// A basket with a leg there.
    Basket,
    /// It is building a pair there.
    BuildingPair,
    /// It is buying the winner there.
    TemporalActive,
}

/// A kind of request that a breaker watches. Cancels and heartbeats have none: they are never held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// Placing orders.
    Place,
    /// Asking for one order.
    Query,
    /// Reading the account.
    Account,
    /// Reading a book.
    Book,
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Requests go out.
    #[default]
    Closed,
    /// Nothing goes out until the pause is over.
    Open,
    /// A few requests may go out and decide.
    HalfOpen,
}

/// Where a market stands in its life with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    /// Taken up: subscribed to, and in the scope of the instances that cover it.
    Joined,
    /// It has ended by its card or by the venue's word, or takes no orders: what rests there is cancelled.
    Ended,
    /// A later card says that it goes on after all.
    Resumed,
    /// Nothing of ours is left there, or it is decided: out of every scope, and no longer received.
    Left,
    /// Nothing more is expected of it: its card and its books are dropped. Its accounts stay.
    Forgotten,
    /// No instance's rule of selection wants it any more, and nothing is held there: what may rest is cancelled, and it is left.
    Dropped,
}
