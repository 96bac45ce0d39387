#![allow(missing_docs, reason = "field names are the venue's own words")]
//! Markets and their parameters (protocol sections 6.1 to 6.3).

use serde::{Deserialize, Serialize};

use super::text::{Number, Text, or_default};

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    #[serde(default)]
    pub limit: Number,
    #[serde(default)]
    pub count: Number,
    pub next_cursor: String,
    pub data: Vec<T>,
}

impl<T> Page<T> {
    /// A page of at most `limit` items with the cursor of the next one.
    #[must_use]
    pub fn of(data: Vec<T>, limit: usize, next_cursor: String) -> Page<T> {
        Page { limit: Number::of(limit), count: Number::of(data.len()), next_cursor, data }
    }

    /// Whether there is no further page.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.next_cursor.is_empty() || self.next_cursor == super::LAST_CURSOR
    }
}

/// `GET /version`: the protocol version that the venue speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub version: Number,
}

/// A market of `GET /markets` and `GET /markets/{condition}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    #[serde(default, deserialize_with = "or_default")]
    pub enable_order_book: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub closed: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub archived: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub accepting_orders: bool,
    #[serde(default)]
    pub accepting_order_timestamp: Option<String>,
    #[serde(default)]
    pub minimum_order_size: Number,
    #[serde(default)]
    pub minimum_tick_size: Number,
    pub condition_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub question_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub question: String,
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    #[serde(default, deserialize_with = "or_default")]
    pub market_slug: String,
    #[serde(default)]
    pub end_date_iso: Option<String>,
    #[serde(default)]
    pub game_start_time: Option<String>,
    #[serde(default)]
    pub seconds_delay: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub fpmm: String,
    #[serde(default)]
    pub maker_base_fee: Number,
    #[serde(default)]
    pub taker_base_fee: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub notifications_enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub neg_risk: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub neg_risk_market_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub neg_risk_request_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub icon: String,
    #[serde(default, deserialize_with = "or_default")]
    pub image: String,
    #[serde(default, deserialize_with = "or_default")]
    pub rewards: Rewards,
    #[serde(default, deserialize_with = "or_default")]
    pub is_50_50_outcome: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub tokens: Vec<MarketToken>,
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Vec<String>,
}

/// An outcome token of a market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketToken {
    pub token_id: Text,
    pub outcome: String,
    #[serde(default)]
    pub price: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub winner: bool,
}

/// A market's liquidity rewards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewards {
    #[serde(default)]
    pub rates: Option<Vec<RewardRate>>,
    pub min_size: Number,
    pub max_spread: Number,
}

impl Default for Rewards {
    fn default() -> Rewards {
        Rewards { rates: None, min_size: Number::from("0"), max_spread: Number::from("0") }
    }
}

/// A daily reward.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewardRate {
    pub asset_address: String,
    pub rewards_daily_rate: Number,
}

/// A market of `GET /simplified-markets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimplifiedMarket {
    pub condition_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub tokens: Vec<MarketToken>,
    #[serde(default, deserialize_with = "or_default")]
    pub rewards: Rewards,
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub closed: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub archived: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub accepting_orders: bool,
}

/// `GET /clob-markets/{condition}`, with the venue's one-letter keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClobMarket {
    #[serde(rename = "c")]
    pub condition_id: String,
    #[serde(rename = "t", default, deserialize_with = "or_default")]
    pub tokens: Vec<Option<ClobToken>>,
    #[serde(rename = "mts", default)]
    pub min_tick_size: Number,
    #[serde(rename = "mos", default)]
    pub min_order_size: Number,
    #[serde(rename = "nr", default, deserialize_with = "or_default")]
    pub neg_risk: bool,
    #[serde(rename = "fd", default)]
    pub fee_details: Option<FeeDetails>,
    /// Legacy, without meaning today.
    #[serde(rename = "mbf", default)]
    pub maker_base_fee: Number,
    /// Legacy, without meaning today.
    #[serde(rename = "tbf", default)]
    pub taker_base_fee: Number,
    #[serde(rename = "r", default)]
    pub rewards: Option<serde_json::Value>,
    /// `None` when the venue left it out.
    #[serde(rename = "ao", default, skip_serializing_if = "Option::is_none")]
    pub accepting_orders: Option<bool>,
    #[serde(rename = "aot", default, skip_serializing_if = "Option::is_none")]
    pub accepting_orders_time: Option<String>,
    #[serde(rename = "sd", default)]
    pub seconds_delay: Number,
    #[serde(rename = "itode", default, deserialize_with = "or_default")]
    pub taker_delay_enabled: bool,
    #[serde(rename = "gst", default, skip_serializing_if = "Option::is_none")]
    pub game_start_time: Option<String>,
    #[serde(rename = "cbos", default, deserialize_with = "or_default")]
    pub clear_book_on_start: bool,
    #[serde(rename = "rfqe", default, deserialize_with = "or_default")]
    pub rfq_enabled: bool,
    #[serde(rename = "ibce", default, skip_serializing_if = "Option::is_none")]
    pub internal_flag: Option<bool>,
    #[serde(rename = "oas", default, skip_serializing_if = "Option::is_none")]
    pub min_order_age_s: Option<Number>,
}

/// An outcome token in a [`ClobMarket`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClobToken {
    #[serde(rename = "t")]
    pub token_id: Text,
    #[serde(rename = "o")]
    pub outcome: String,
}

/// The fee data of a [`ClobMarket`]: the only source of fees besides Gamma's `feeSchedule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeDetails {
    #[serde(rename = "r", default)]
    pub rate: Number,
    #[serde(rename = "e", default)]
    pub exponent: Number,
    #[serde(rename = "to", default, deserialize_with = "or_default")]
    pub taker_only: bool,
}

/// `GET /markets-by-token/{token}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketByToken {
    pub condition_id: String,
    pub primary_token_id: Text,
    pub secondary_token_id: Text,
}

/// `GET /tick-size`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickSize {
    pub minimum_tick_size: Number,
}

/// `GET /neg-risk`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NegRisk {
    pub neg_risk: bool,
}

/// `GET /fee-rate`: legacy basis points that say nothing about today's fees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRate {
    pub base_fee: Number,
}
