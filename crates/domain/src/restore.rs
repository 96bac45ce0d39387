//! What a run takes over from the run before it.

use serde::{Deserialize, Serialize};

use crate::{
    Address, AssetId, BasketId, BasketPart, BasketState, InstanceId, Latched, MarketCard, MarketId, Movement, OrderId,
    OrderState, PlaceOrder, Price, ProfitMark, RunId, Shares, Side, SubAccount, TradeId, TradeStatus, Usdc,
};

/// The facts with which a run of the same account ended: taken from the events of its journal, never decided again.
///
/// Numbers of instances and markets are those of this list: an instance's is its place in `instances`, a market's its place in
/// `markets`. A run gives the markets the same numbers, because it takes them in before any other; its instances it finds by their
/// names. Its size is bounded by whoever makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The run before.
    pub run: RunId,
    /// The account that pays; another one's facts are refused.
    pub account: Address,
    /// When the run before ended, as far as its journal tells, in nanoseconds since the Unix epoch.
    pub ended_wall_ns: u64,
    /// The venue's matches are to be read from this second since the Unix epoch on: every older one is in `fills`, or so old that
    /// it was forgotten when it was final.
    pub trades_since_s: u64,
    /// The names of the instances.
    pub instances: Vec<String>,
    /// The markets in which something happened.
    pub markets: Vec<RestoredMarket>,
    /// Orders that may be alive, and the latest of those that are not.
    pub orders: Vec<RestoredOrder>,
    /// Our parts in matches: all whose settlement is open, and the latest of those that are final. The oldest come first.
    pub fills: Vec<RestoredFill>,
    /// The sub-accounts. [`InstanceId::WALLET`] and [`MarketId::CLOSED`] stand for themselves.
    pub accounts: Vec<RestoredAccount>,
    /// The capital that profit is counted from; `None` if the venue had not told it.
    pub capital: Option<Usdc>,
    /// What stops or narrows trading.
    pub latches: Vec<Latched>,
    /// How the profit stood, and what the day's loss is counted from.
    pub profit: Option<ProfitMark>,
    /// The operator said stop, and neither took it back nor ended the run.
    pub stopped: bool,
    /// Baskets that were on their way. They are told and not taken up again.
    pub baskets: Vec<RestoredBasket>,
}

/// A basket that was on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredBasket {
    /// Whose it was.
    pub instance: InstanceId,
    /// Its number in its run.
    pub basket: BasketId,
    /// How it stood.
    pub state: BasketState,
    /// What had come of its legs when that was told last.
    pub parts: Vec<BasketPart>,
}

/// A market of the run before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredMarket {
    /// Its card as it was when it was taken up.
    pub card: MarketCard,
    /// What a YES share pays, if it is decided.
    pub resolved: Option<Price>,
}

/// An order of the run before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredOrder {
    /// What was sent.
    pub place: PlaceOrder,
    /// Where it stood. What was not final then may be anything now.
    pub state: OrderState,
    /// How much of it the fills account for.
    pub filled: Shares,
}

/// Our part in a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredFill {
    /// The match.
    pub trade: TradeId,
    /// Our order.
    pub order: OrderId,
    /// What was booked; `None` for a match that had failed before it was heard of.
    pub booked: Option<RestoredBooking>,
}

/// What was booked for our part in a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredBooking {
    /// Whose it is.
    pub owner: InstanceId,
    /// The token.
    pub asset: AssetId,
    /// The side.
    pub side: Side,
    /// The size.
    pub size: Shares,
    /// How far its settlement had come.
    pub status: TradeStatus,
    /// What it did to the sub-account, so that it can be undone.
    pub movement: Movement,
    /// When it was matched, in seconds since the Unix epoch.
    pub matched_s: u64,
}

/// A sub-account of the run before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredAccount {
    /// Whose it is.
    pub instance: InstanceId,
    /// The market.
    pub market: MarketId,
    /// The whole of it.
    pub account: SubAccount,
}

impl RestoredBooking {
    /// Whether its settlement can change no more.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self.status, TradeStatus::Confirmed | TradeStatus::Failed)
    }
}
