//! What a strategy can want, and why.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::{Outcome, Price, Shares, Side};

/// How a strategy wants to be in a market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// No order.
    #[default]
    Stop,
    /// Both sides, full size.
    Normal,
    /// Both sides, smaller and wider.
    Caution,
    /// Only buying YES exposure.
    OneSidedBuy,
    /// Only selling YES exposure.
    OneSidedSell,
}

/// How a desired quote becomes an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// By the cheaper of the two equivalent ways: selling what is held of the complement first, then buying (systems 4.1).
    Materialise,
    /// Exactly this token and side.
    Exact,
}

/// A quote that a strategy wants to have resting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredQuote {
    /// The outcome that the price speaks of.
    pub outcome: Outcome,
    /// The side.
    pub side: Side,
    /// The limit price, on the market's grid.
    pub price: Price,
    /// The size.
    pub size: Shares,
    /// How it becomes an order.
    pub route: Route,
}

/// Why a decision is as it is. Also for *not* quoting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing unusual.
    Quoting,
    /// No book, or a side of it is empty.
    NoBook,
    /// The book is not to be trusted.
    BookNotTrusted,
    /// The book is older than the strategy's limit.
    StaleBook,
    /// The spread is wider than the strategy's limit.
    WideSpread,
    /// The market's card lacks something that quoting needs.
    CardIncomplete,
    /// The market ends too soon.
    NearExpiry,
    /// The mid is outside the strategy's zone.
    OutsideZone,
    /// The quote is skewed because of inventory.
    InventorySkew,
    /// Inventory is at its limit: only the reducing side.
    InventoryLimit,
    /// The recent flow was one-sided.
    ToxicFlow,
    /// The size would be below the market's minimum.
    BelowMinSize,
    /// There is no order price left on the grid.
    NoPrice,
    /// Re-entering after doubt.
    Caution,
    /// The signal is too weak.
    WeakSignal,
    /// The last taking here was too short a while ago.
    CoolDown,
    /// As many positions as may be are held.
    MaxPositions,
    /// The position that the signal asks for is held already.
    AlreadyHeld,
    /// What it costs, fees included, leaves no edge.
    NoEdge,
    /// The market states no fee schedule: what a taking costs is not known.
    FeeUnknown,
    /// A basket is on its way.
    BasketRunning,
    /// Too little can be had at the price.
    ThinBook,
    /// The outcomes of the scope are not all that there are.
    IncompleteSet,
    /// Taking, on a signal.
    Taking,
    /// Closing a position: its time is over, or its aim is reached.
    Exit,
    /// How the market is decided is not known.
    SettlementUnknown,
    /// The reference price is too old, or too little of it is known.
    ReferenceStale,
    /// The reference price, or the book, jumped.
    Shock,
    /// The fair value moves more while we react than the widest spread allows for.
    TooFast,
    /// The strategy is switched off.
    Disabled,
    /// Nothing is known of the match.
    TruthUnknown,
    /// What is known of the match is too old.
    TruthStale,
    /// The event is too old: others know of it too.
    TooLate,
    /// The market's text does not say clearly how it is decided.
    RulesUnclear,
    /// Another own instance has something under way there, and pauses this one.
    Paused,
    /// It would pay only if the venue turned NO of some outcomes into YES of the others, which it does not, or has just refused.
    NoConversion,
}

/// The reasons of one decision.
pub type Reasons = ArrayVec<Reason, 8>;
