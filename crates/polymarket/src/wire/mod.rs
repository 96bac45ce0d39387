//! The venue's JSON objects, one definition for both directions: what our client decodes is what the local exchange
//! encodes.
//!
//! Ids, words and numbers stay *texts* here. A number of the venue may arrive as a JSON number or as a string, may be empty,
//! `null` or absent; [`Text`] and [`Number`] take all of these and differ only in how they are written. What a text means,
//! and whether it is acceptable, is decided where it becomes a value of the domain (see [`crate::codec`]), with an error that
//! names the field. Fields that we do not know are ignored by these types and counted by [`crate::codec::rest::decode`].
//!
//! Field names are the venue's own, so that a reader finds them in its documentation (protocol section 6).

mod account;
mod data;
mod gamma;
mod keys;
mod markets;
mod orders;
mod prices;
mod text;
mod user;

pub use account::{
    BalanceAllowance, Heartbeat, HeartbeatReply, MakerOrder, Notification, OpenOrder, OrderScoring, Trade,
};
pub use data::{DataEnvelope, DataPagination, DataTrade, DataValue, DataValueV2, Position, PositionV2};
pub use gamma::{
    ClobReward, CryptoMarketConfig, EventMetadata, EventOfMarket, FeeScheduleJson, GammaEvent, GammaEventsPage,
    GammaMarket, GammaMarketsPage, GammaTag, SeriesOfEvent, StringList,
};
pub use keys::{ApiKeyCreds, ApiKeys, BanStatus, BuilderApiKey, ReadonlyApiKey, ReadonlyApiKeys};
pub use markets::{
    ClobMarket, ClobToken, FeeDetails, FeeRate, Market, MarketByToken, MarketToken, NegRisk, Page, RewardRate, Rewards,
    SimplifiedMarket, TickSize, Version,
};
pub use orders::{CancelMarket, CancelOrder, CancelReply, ErrorBody, PostOrder, PostOrderReply, SignedOrder};
pub use prices::{
    Book, BookLevelText, LastTradePrice, Midpoint, PriceHistory, PricePoint, PriceReply, SpreadReply, TokenQuery,
};
pub use text::{Number, Text};
pub use user::{LegFrame, OrderFrame, TradeFrame};

/// The cursor of the first page.
pub const FIRST_CURSOR: &str = "MA==";
/// The cursor that says that there is no further page.
pub const LAST_CURSOR: &str = "LTE=";
