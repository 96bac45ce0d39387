//! The vocabulary of the engine, and nothing else.
//!
//! This crate owns the types that every other room speaks: prices, sizes and dollars as integers, the tick grid,
//! identifiers, market cards, time, decoded market data, orders, and the engine's inputs and outputs. It never *does*
//! anything: no I/O, no clock, no randomness, no decision.
//!
//! # Units
//!
//! | type | unit | range |
//! |---|---|---|
//! | [`Price`] | 0.0001 dollars per share | 0 ..= 10 000 |
//! | [`Shares`] | millionths of a share | `i64` |
//! | [`Usdc`] | millionths of a dollar | `i64` |
//! | [`Time`] | nanoseconds, monotonic and wall | `u64` |
//!
//! Types that carry money print as decimals and serialise as decimal strings in human-readable formats, as integers in
//! binary ones. Floats do not appear here: a signal becomes a price through [`Tick::floor`] or [`Tick::ceil`] and a size through
//! [`Shares::floor_lots`], each of which rounds against ourselves.

mod account;
mod amount;
mod basket;
mod card;
mod cause;
mod decimal;
mod decision;
mod denial;
mod event;
mod fee;
mod id;
mod input;
mod latch;
mod listing;
mod market;
mod order;
mod output;
mod outside;
#[cfg(feature = "planted")]
pub mod planted;
mod price;
mod restore;
mod settlement;
mod side;
mod state;
mod tick;
mod time;

pub use account::{
    AccountPart, Booking, BookingId, CapitalCause, DifferenceKind, EventConversion, Movement, ReadReason,
    ResolutionSource, SubAccount,
};
pub use amount::{Shares, Usdc};
pub use basket::{Basket, BasketId, BasketLeg, BasketPart, BasketState, Sequence, Unwind};
pub use card::MarketCard;
pub use cause::{BookHealth, BreakerState, DoubtCause, Listing, PauseCause, RequestKind, Scope, VenueMode, Withdrawal};
pub use decimal::{DecimalError, parse_fixed, write_fixed};
pub use decision::{DesiredQuote, Mode, Reason, Reasons, Route};
pub use denial::{Denial, DenialScope};
pub use event::Event;
pub use fee::{FEE_QUANTUM_MICRO, FeeError, FeeSchedule};
pub use id::{
    Address, AssetId, ConditionId, DigestHasher, IdError, InstanceId, IntentId, MarketId, OrderId, RunId, TokenId,
    TradeId,
};
pub use input::{
    AccountOrder, AccountSnapshot, AccountTrade, ActionSeq, Activity, CancelOutcome, CanceledOrders, Command,
    GatewayInput, GatewayOutcome, GuardReport, Input, Link, LinkState, MakerLeg, MarketSource, Omission, Payer,
    PlaceOutcome, RefusalCode, Setup, TokenOutcome, TradeStatus, UnknownCause, VenueOrderStatus, VenueProtocol,
};
pub use latch::{KillReason, Latch, LatchScope, Latched, ProfitMark, TradingMode, TripCause};
pub use listing::{Fit, MarketChoice, MarketFacts, RewardTerms, Unfit, Verdict};
pub use market::{BookLevel, LevelChange, MarketBatch, MarketEvent, SizeText, SnapshotHeader, VenueHash};
pub use order::{ExchangeKind, OrderFields, OrderState, OrderType, PlaceOrder, SignatureType};
pub use output::{Action, FetchWhat, Output, OutputBody};
pub use outside::{
    Competitor, MatchState, PriceSource, ReferencePrice, ReferenceTick, SourceTier, Symbol, SymbolError, TruthReport,
};
pub use price::Price;
pub use restore::{
    Restore, RestoredAccount, RestoredBasket, RestoredBooking, RestoredFill, RestoredMarket, RestoredOrder,
};
pub use settlement::{RuleRefusal, Settlement, SettlementFeed, UpDownRule};
pub use side::{Outcome, Side};
pub use state::{StateCause, TradingState};
pub use tick::Tick;
pub use time::{Millis, Time};

/// Whether a bug is switched on that was put here on purpose; see the module `planted`, which only a build with that feature has.
#[cfg(feature = "planted")]
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is($crate::planted::Bug::$bug)
    };
}

/// Whether a bug is switched on that was put here on purpose: never, in this build.
#[cfg(not(feature = "planted"))]
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}
