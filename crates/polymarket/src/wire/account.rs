#![allow(missing_docs, reason = "field names are the venue's own words")]
//! Open orders, trades, balances, heartbeats (protocol sections 6.4 to 6.6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text::{Number, Text, or_default};

/// An order of `GET /data/orders` and `GET /data/order/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOrder {
    pub id: String,
    pub status: String,
    #[serde(default, deserialize_with = "or_default")]
    pub owner: String,
    #[serde(default, deserialize_with = "or_default")]
    pub maker_address: String,
    pub market: String,
    pub asset_id: Text,
    pub side: String,
    pub original_size: Text,
    #[serde(default)]
    pub size_matched: Text,
    pub price: Text,
    #[serde(default, deserialize_with = "or_default")]
    pub associate_trades: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub outcome: String,
    /// Seconds since the Unix epoch; some sources send milliseconds or an ISO time.
    #[serde(default)]
    pub created_at: Number,
    #[serde(default)]
    pub expiration: Text,
    #[serde(default, alias = "type", deserialize_with = "or_default")]
    pub order_type: String,
}

/// A match of `GET /data/trades`. Its top-level side, size, price and token are the taker's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    pub id: String,
    pub taker_order_id: String,
    pub market: String,
    pub asset_id: Text,
    pub side: String,
    pub size: Text,
    #[serde(default)]
    pub fee_rate_bps: Text,
    pub price: Text,
    pub status: String,
    #[serde(default)]
    pub match_time: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_time_nano: Option<Text>,
    #[serde(default)]
    pub last_update: Text,
    #[serde(default, deserialize_with = "or_default")]
    pub outcome: String,
    #[serde(default)]
    pub bucket_index: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub owner: String,
    #[serde(default, deserialize_with = "or_default")]
    pub maker_address: String,
    #[serde(default, deserialize_with = "or_default")]
    pub maker_orders: Vec<MakerOrder>,
    /// Empty until the match is broadcast; never `null`, which one official client refuses.
    #[serde(default, deserialize_with = "or_default")]
    pub transaction_hash: String,
    #[serde(default, alias = "err_msg", skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
    pub trader_side: String,
}

/// A resting order's part in a match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakerOrder {
    pub order_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub owner: String,
    #[serde(default, deserialize_with = "or_default")]
    pub maker_address: String,
    pub matched_amount: Text,
    pub price: Text,
    #[serde(default)]
    pub fee_rate_bps: Text,
    pub asset_id: Text,
    #[serde(default, deserialize_with = "or_default")]
    pub outcome: String,
    /// Empty in frames of 2024, which left it out.
    #[serde(default, deserialize_with = "or_default")]
    pub side: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder_fee: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder_code: Option<String>,
}

/// `GET /balance-allowance`: base units (millionths), without a point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceAllowance {
    pub balance: Text,
    /// Spender to amount.
    #[serde(default, deserialize_with = "or_default")]
    pub allowances: BTreeMap<String, Text>,
    /// The older single value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<Text>,
}

/// The body of `POST /v1/heartbeats`: the last id, `""` or `null` for the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    #[serde(default)]
    pub heartbeat_id: Text,
}

/// The reply to a heartbeat. With a wrong id it carries `error_msg` and the id that was expected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatReply {
    pub heartbeat_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_msg: Option<String>,
}

/// `GET /order-scoring`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderScoring {
    pub scoring: bool,
}

/// An entry of `GET /notifications`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    #[serde(default)]
    pub id: Number,
    #[serde(rename = "type")]
    pub kind: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub owner: String,
    #[serde(default)]
    pub payload: serde_json::Value,
    #[serde(default)]
    pub timestamp: Number,
}
