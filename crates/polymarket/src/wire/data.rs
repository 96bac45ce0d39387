#![allow(missing_docs, reason = "field names are the venue's own words")]
//! The Data API: positions, values and trades (protocol section 10.2).

use serde::{Deserialize, Serialize};

use super::text::{Number, Text, or_default};

/// A position of `GET /positions` (v1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    pub proxy_wallet: String,
    pub asset: Text,
    pub condition_id: String,
    pub size: Number,
    pub avg_price: Number,
    #[serde(default)]
    pub initial_value: Number,
    #[serde(default)]
    pub current_value: Number,
    #[serde(default)]
    pub cash_pnl: Number,
    #[serde(default)]
    pub percent_pnl: Number,
    #[serde(default)]
    pub total_bought: Number,
    #[serde(default)]
    pub realized_pnl: Number,
    #[serde(default)]
    pub percent_realized_pnl: Number,
    #[serde(default)]
    pub cur_price: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub redeemable: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub mergeable: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(default, deserialize_with = "or_default")]
    pub slug: String,
    #[serde(default, deserialize_with = "or_default")]
    pub icon: String,
    #[serde(default, deserialize_with = "or_default")]
    pub event_slug: String,
    #[serde(default, deserialize_with = "or_default")]
    pub outcome: String,
    #[serde(default)]
    pub outcome_index: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub opposite_outcome: String,
    #[serde(default)]
    pub opposite_asset: Text,
    #[serde(default, deserialize_with = "or_default")]
    pub end_date: String,
    #[serde(default, deserialize_with = "or_default")]
    pub negative_risk: bool,
}

/// An entry of `GET /value` (v1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataValue {
    pub user: String,
    pub value: Number,
}

/// The data of `GET /v2/value`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataValueV2 {
    pub proxy_wallet: String,
    pub value: Text,
}

/// A trade of `GET /trades` (v1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataTrade {
    pub proxy_wallet: String,
    pub side: String,
    pub asset: Text,
    pub condition_id: String,
    pub size: Number,
    pub price: Number,
    pub timestamp: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(default, deserialize_with = "or_default")]
    pub slug: String,
    #[serde(default, deserialize_with = "or_default")]
    pub icon: String,
    #[serde(default, deserialize_with = "or_default")]
    pub event_slug: String,
    #[serde(default, deserialize_with = "or_default")]
    pub outcome: String,
    #[serde(default)]
    pub outcome_index: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub transaction_hash: String,
}

/// The envelope of every v2 reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataEnvelope<T> {
    pub data: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagination: Option<DataPagination>,
}

/// Whether and where a v2 listing goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPagination {
    pub has_more: bool,
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// A position of `GET /v2/positions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionV2 {
    pub proxy_wallet: String,
    pub token_id: Text,
    pub condition_id: String,
    pub current_size: Text,
    #[serde(default)]
    pub total_size: Text,
    pub avg_price: Text,
    #[serde(default)]
    pub entry_cost_usdc: Text,
    #[serde(default)]
    pub entry_fees_usdc: Text,
    #[serde(default)]
    pub total_cost_usdc: Text,
    #[serde(default)]
    pub current_price: Text,
    #[serde(default)]
    pub current_value: Text,
    #[serde(default)]
    pub realized_pnl: Text,
    #[serde(default)]
    pub unrealized_pnl: Text,
    #[serde(default)]
    pub total_pnl: Text,
    #[serde(default)]
    pub percent_pnl: Text,
    #[serde(default)]
    pub percent_realized_pnl: Text,
    /// `OPEN`, `REDEEMABLE` or `CLOSED`.
    pub status: String,
    #[serde(default, deserialize_with = "or_default")]
    pub redeemable: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub mergeable: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub negative_risk: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub archived: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub verified: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub outcome: String,
    #[serde(default)]
    pub outcome_index: Number,
    #[serde(default)]
    pub opposite_token_id: Text,
    #[serde(default)]
    pub end_date: Option<String>,
}
