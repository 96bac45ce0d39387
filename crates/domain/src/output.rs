//! What comes out of the engine: something to do, or something to know of.

use serde::{Deserialize, Serialize};

use crate::{AssetId, Event, EventConversion, MarketId, OrderId, PlaceOrder, Shares};

/// One thing that came out of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its number within the run, from 1; an action's result names it.
    pub seq: u64,
    /// What it is.
    pub body: OutputBody,
}

/// An action to carry out, or an event to know of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OutputBody {
    /// Something to do.
    Action(Action),
    /// Something that happened, and why.
    Event(Event),
}

/// Something for an edge to do. Each has exactly one result, a [`crate::GatewayInput`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Sign and send an order.
    Place(Box<PlaceOrder>),
    /// Cancel one order.
    Cancel {
        /// The order.
        order: OrderId,
        /// Its token.
        asset: AssetId,
    },
    /// Cancel every order of a market. Jumps the queue and removes queued placements of the market.
    CancelMarket {
        /// The market.
        market: MarketId,
    },
    /// Cancel every order of the key. Jumps the queue, removes every queued placement, ignores throttles.
    CancelAll,
    /// Ask how one order stands.
    Query {
        /// The order.
        order: OrderId,
    },
    /// Tell the venue that we live.
    Heartbeat,
    /// Receive these markets.
    Subscribe {
        /// The markets.
        markets: Vec<MarketId>,
    },
    /// Read something whole.
    Fetch(FetchWhat),
    /// Receive these markets no more: they have ended, and nothing of ours is left in them.
    Unsubscribe {
        /// The markets.
        markets: Vec<MarketId>,
    },
    /// Turn pairs of both tokens of a market into collateral.
    Merge {
        /// The market.
        market: MarketId,
        /// How many pairs.
        pairs: Shares,
    },
    /// Turn everything held in a decided market into what it pays.
    Redeem {
        /// The market.
        market: MarketId,
    },
    /// Turn NO of some outcomes of an event into collateral and YES of all its others.
    Convert(Box<EventConversion>),
}

/// What to read by REST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FetchWhat {
    /// The book of one token; it comes back as [`crate::Input::Market`].
    Book(AssetId),
    /// Open orders, trades since a time, balances.
    Account {
        /// Trades matched at or after this many seconds since the Unix epoch.
        trades_since_s: u64,
        /// The tokens whose balances are read.
        assets: Vec<AssetId>,
    },
    /// Open orders and trades since a time, without balances: what stands in for the user channel.
    Activity {
        /// As for the account.
        trades_since_s: u64,
    },
    /// How a market was decided.
    Resolution(MarketId),
}
