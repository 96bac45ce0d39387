//! What the exchange tells the world, and what it tells its customers.

use std::sync::Arc;

use oddsmith_domain::{MarketId, Outcome, Price, Shares, Side, Tick, VenueHash};

use super::account::KeyId;
use super::book::BookSnapshot;
use super::order::{Order, Placed, Refusal};
use super::trade::{Trade, TradeState};

/// One thing that happened, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum CoreEvent {
    /// For everybody who listens to the market.
    Public(PublicEvent),
    /// For the owner of an order.
    Order(Box<OrderEvent>),
    /// For one party of a match.
    Trade(TradeEvent),
    /// A delayed order was decided: the answer that a server which waits can now give.
    DelayOver {
        /// The result.
        result: Box<Result<Placed, Refusal>>,
        /// The order.
        order: oddsmith_domain::OrderId,
    },
}

/// A change of one level of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelDelta {
    /// The token's outcome.
    pub outcome: Outcome,
    /// The side of the token's book.
    pub side: Side,
    /// The level.
    pub price: Price,
    /// Its new size; zero when it is gone.
    pub size: Shares,
    /// The hash of the token's whole book after all changes of the event.
    pub hash: VenueHash,
    /// The best bid after this change; zero when there is none.
    pub best_bid: Price,
    /// The best ask after this change; one when there is none.
    pub best_ask: Price,
}

/// A public event (protocol 8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicEvent {
    /// A token's whole book, after a match.
    Book {
        /// The market.
        market: MarketId,
        /// The token's outcome.
        outcome: Outcome,
        /// The book.
        book: Arc<BookSnapshot>,
    },
    /// Levels changed, by one order or one cancel: always both tokens.
    PriceChange {
        /// The market.
        market: MarketId,
        /// When, in milliseconds since the Unix epoch.
        timestamp_ms: u64,
        /// The changes.
        changes: Vec<LevelDelta>,
    },
    /// A match at one price.
    LastTrade {
        /// The market.
        market: MarketId,
        /// The taker's outcome.
        outcome: Outcome,
        /// The price in that outcome's terms.
        price: Price,
        /// The size matched at that price.
        size: Shares,
        /// The taker's side.
        side: Side,
        /// When, in milliseconds since the Unix epoch.
        timestamp_ms: u64,
    },
    /// The grid became finer; one event for each token.
    TickChange {
        /// The market.
        market: MarketId,
        /// The token's outcome.
        outcome: Outcome,
        /// The grid before.
        old: Tick,
        /// The grid now.
        new: Tick,
        /// When, in milliseconds since the Unix epoch.
        timestamp_ms: u64,
    },
    /// The top of a token's book changed (custom feature).
    BestBidAsk {
        /// The market.
        market: MarketId,
        /// The token's outcome.
        outcome: Outcome,
        /// The best bid; zero when there is none.
        best_bid: Price,
        /// The best ask; one when there is none.
        best_ask: Price,
        /// When, in milliseconds since the Unix epoch.
        timestamp_ms: u64,
    },
    /// A market was listed (custom feature, goes to everybody).
    NewMarket {
        /// The market.
        market: MarketId,
        /// When, in milliseconds since the Unix epoch.
        timestamp_ms: u64,
    },
    /// A market was decided (custom feature).
    MarketResolved {
        /// The market.
        market: MarketId,
        /// The winner; none when both halves are paid.
        winner: Option<Outcome>,
        /// When, in milliseconds since the Unix epoch.
        timestamp_ms: u64,
    },
}

impl PublicEvent {
    /// The market that it is about.
    #[must_use]
    pub const fn market(&self) -> MarketId {
        match self {
            PublicEvent::Book { market, .. }
            | PublicEvent::PriceChange { market, .. }
            | PublicEvent::LastTrade { market, .. }
            | PublicEvent::TickChange { market, .. }
            | PublicEvent::BestBidAsk { market, .. }
            | PublicEvent::NewMarket { market, .. }
            | PublicEvent::MarketResolved { market, .. } => *market,
        }
    }
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderChange {
    /// It was accepted.
    Placement,
    /// More of it is matched.
    Update,
    /// It is gone.
    Cancellation,
}

impl OrderChange {
    /// The venue's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OrderChange::Placement => "PLACEMENT",
            OrderChange::Update => "UPDATE",
            OrderChange::Cancellation => "CANCELLATION",
        }
    }
}

/// A change of an order, for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    /// What happened.
    pub change: OrderChange,
    /// The order after it.
    pub order: Order,
    /// When, in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
}

/// A step of a match, for one of its parties.
#[derive(Clone, Debug)]
pub struct TradeEvent {
    /// The key that is told. A key that is both taker and maker is told twice.
    pub receiver: KeyId,
    /// Whether it is told as the taker.
    pub as_taker: bool,
    /// The match.
    pub trade: Arc<Trade>,
    /// Its step.
    pub state: TradeState,
    /// When, in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
}
