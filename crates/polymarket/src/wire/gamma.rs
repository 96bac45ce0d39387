#![allow(missing_docs, reason = "field names are the venue's own words")]
//! Gamma: discovery of events and markets (protocol section 10.1).

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

use super::text::{Number, Text, or_default};

/// A list of texts that Gamma writes as a JSON *string* holding a JSON array. Real arrays are taken too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringList(pub Vec<String>);

impl Serialize for StringList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(&self.0).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for StringList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StringList, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape {
            Absent(()),
            Text(String),
            List(Vec<Text>),
        }
        let list = match Shape::deserialize(deserializer)? {
            Shape::Absent(()) => Vec::new(),
            Shape::Text(text) if text.trim().is_empty() => Vec::new(),
            Shape::Text(text) => serde_json::from_str::<Vec<Text>>(&text)
                .map_err(|_| de::Error::custom("a JSON array in a string is needed"))?,
            Shape::List(list) => list,
        };
        Ok(StringList(list.into_iter().map(|text| text.as_str().to_owned()).collect()))
    }
}

/// Gamma's fee schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeScheduleJson {
    #[serde(default)]
    pub exponent: Number,
    #[serde(default)]
    pub rate: Number,
    #[serde(default, deserialize_with = "or_default")]
    pub taker_only: bool,
    #[serde(default)]
    pub rebate_rate: Number,
}

/// A market of Gamma: the fields that trading needs and official clients read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GammaMarket {
    #[serde(default)]
    pub id: Text,
    /// `v1` for CTF tokens, `v2` for positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub question: String,
    #[serde(default, deserialize_with = "or_default")]
    pub condition_id: String,
    #[serde(rename = "questionID", alias = "questionId", default, deserialize_with = "or_default")]
    pub question_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub slug: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution_source: Option<String>,
    #[serde(default)]
    pub outcomes: StringList,
    #[serde(default)]
    pub outcome_prices: StringList,
    #[serde(default)]
    pub clob_token_ids: StringList,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_ids: Option<Vec<Text>>,
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub closed: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub archived: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub accepting_orders: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepting_orders_timestamp: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub enable_order_book: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub neg_risk: bool,
    #[serde(rename = "negRiskMarketID", default, skip_serializing_if = "Option::is_none")]
    pub neg_risk_market_id: Option<String>,
    #[serde(rename = "negRiskRequestID", default, skip_serializing_if = "Option::is_none")]
    pub neg_risk_request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_time: Option<String>,
    #[serde(default)]
    pub order_min_size: Number,
    #[serde(default)]
    pub order_price_min_tick_size: Number,
    #[serde(default)]
    pub seconds_delay: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees_enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_schedule: Option<FeeScheduleJson>,
    #[serde(default)]
    pub best_bid: Number,
    #[serde(default)]
    pub best_ask: Number,
    #[serde(default)]
    pub last_trade_price: Number,
    #[serde(default)]
    pub spread: Number,
    #[serde(default)]
    pub volume_num: Number,
    #[serde(default)]
    pub volume24hr: Number,
    #[serde(default)]
    pub liquidity_num: Number,
    #[serde(default)]
    pub rewards_min_size: Number,
    #[serde(default)]
    pub rewards_max_spread: Number,
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "Vec::is_empty")]
    pub clob_rewards: Vec<ClobReward>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uma_resolution_status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_start_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_start_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_item_title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crypto_market_config: Option<CryptoMarketConfig>,
    /// What the market's events say of it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventOfMarket>,
    /// Shown when they are asked for.
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<GammaTag>,
}

/// A list that trading can do without: in another shape than the known one it counts as empty.
fn or_none<'de, D: Deserializer<'de>, T: de::DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// A program of rewards for resting orders in a market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClobReward {
    #[serde(default)]
    pub id: Text,
    #[serde(default, deserialize_with = "or_default")]
    pub condition_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub asset_address: String,
    #[serde(default)]
    pub rewards_amount: Number,
    #[serde(default)]
    pub rewards_daily_rate: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
}

/// A tag of a market or an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GammaTag {
    #[serde(default)]
    pub id: Text,
    #[serde(default, deserialize_with = "or_default")]
    pub label: String,
    #[serde(default, deserialize_with = "or_default")]
    pub slug: String,
}

/// A series of events as one of them shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesOfEvent {
    #[serde(default, deserialize_with = "or_default")]
    pub slug: String,
}

/// How an up/down market is averaged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CryptoMarketConfig {
    #[serde(default, deserialize_with = "or_default")]
    pub twap_enabled: bool,
    #[serde(default)]
    pub twap_lookback_seconds: Number,
}

/// An event as a market of it shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventOfMarket {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_metadata: Option<EventMetadata>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub series_slug: String,
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<SeriesOfEvent>,
}

/// What an event states beyond its words, once it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventMetadata {
    #[serde(default)]
    pub price_to_beat: Number,
    #[serde(default)]
    pub final_price: Number,
}

/// An event of Gamma: markets that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GammaEvent {
    #[serde(default)]
    pub id: Text,
    #[serde(default, deserialize_with = "or_default")]
    pub slug: String,
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub closed: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub archived: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub neg_risk: bool,
    #[serde(rename = "negRiskMarketID", default, skip_serializing_if = "Option::is_none")]
    pub neg_risk_market_id: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub enable_neg_risk: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub neg_risk_augmented: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub markets: Vec<GammaMarket>,
}

/// A page of `GET /markets/keyset`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GammaMarketsPage {
    pub markets: Vec<GammaMarket>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A page of `GET /events/keyset`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GammaEventsPage {
    pub events: Vec<GammaEvent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
