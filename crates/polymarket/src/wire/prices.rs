#![allow(missing_docs, reason = "field names are the venue's own words")]
//! Books and prices by REST (protocol section 6.3).

use serde::{Deserialize, Serialize};

use super::text::{Number, Text, or_default};

/// A level of a [`Book`], in the venue's texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookLevelText {
    pub price: Text,
    pub size: Text,
}

/// `GET /book`. Levels go from the worst to the best on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    pub market: String,
    pub asset_id: Text,
    pub timestamp: Text,
    #[serde(default, deserialize_with = "or_default")]
    pub hash: String,
    #[serde(default, deserialize_with = "or_default")]
    pub bids: Vec<BookLevelText>,
    #[serde(default, deserialize_with = "or_default")]
    pub asks: Vec<BookLevelText>,
    #[serde(default)]
    pub min_order_size: Text,
    #[serde(default)]
    pub tick_size: Text,
    #[serde(default, deserialize_with = "or_default")]
    pub neg_risk: bool,
    #[serde(default)]
    pub last_trade_price: Text,
    /// `v2` for a position market, absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// An item of a batch read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenQuery {
    #[serde(default)]
    pub token_id: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
}

/// `GET /price`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceReply {
    pub price: Text,
}

/// `GET /midpoint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Midpoint {
    pub mid: Text,
}

/// `GET /spread`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpreadReply {
    pub spread: Text,
}

/// `GET /last-trade-price`, and with its token an item of `/last-trades-prices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTradePrice {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<Text>,
    pub price: Text,
    pub side: String,
}

/// `GET /prices-history`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceHistory {
    pub history: Vec<PricePoint>,
}

/// A point of a [`PriceHistory`]: seconds since the Unix epoch and a price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricePoint {
    pub t: Number,
    pub p: Number,
}
