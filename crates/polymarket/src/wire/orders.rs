#![allow(missing_docs, reason = "field names are the venue's own words")]
//! Placing and cancelling (protocol sections 4.2, 4.5, 6.4 and 7.1).

use std::collections::BTreeMap;

use oddsmith_domain::{Address, OrderFields, OrderId, OrderType, Side, SignatureType, TokenId};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

use super::Number;
use super::text::{Text, or_default};

/// The `order` object of a placement: the signed fields, the unsigned expiry, the signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedOrder {
    #[serde(with = "as_number")]
    pub salt: u64,
    pub maker: Address,
    pub signer: Address,
    pub token_id: TokenId,
    #[serde(with = "as_digits")]
    pub maker_amount: u64,
    #[serde(with = "as_digits")]
    pub taker_amount: u64,
    pub side: Side,
    /// Seconds since the Unix epoch, 0 for none. Not signed.
    #[serde(with = "as_digits", default)]
    pub expiration: u64,
    #[serde(with = "signature_type")]
    pub signature_type: SignatureType,
    /// Milliseconds since the Unix epoch.
    #[serde(with = "as_digits")]
    pub timestamp: u64,
    #[serde(with = "bytes32", default)]
    pub metadata: [u8; 32],
    #[serde(with = "bytes32", default)]
    pub builder: [u8; 32],
    pub signature: String,
}

impl SignedOrder {
    /// What is signed.
    #[must_use]
    pub const fn fields(&self) -> OrderFields {
        OrderFields {
            salt: self.salt,
            maker: self.maker,
            signer: self.signer,
            token: self.token_id,
            maker_amount: self.maker_amount,
            taker_amount: self.taker_amount,
            side: self.side,
            signature_type: self.signature_type,
            timestamp_ms: self.timestamp,
            metadata: self.metadata,
            builder: self.builder,
        }
    }
}

/// The body of `POST /order`, and an element of `POST /orders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostOrder {
    pub order: SignedOrder,
    pub owner: String,
    pub order_type: OrderType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defer_exec: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_only: Option<bool>,
}

/// The reply to a placement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostOrderReply {
    pub success: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub error_msg: String,
    #[serde(rename = "orderID", default, deserialize_with = "or_default")]
    pub order_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    #[serde(default)]
    pub making_amount: Text,
    #[serde(default)]
    pub taking_amount: Text,
    #[serde(rename = "tradeIDs", default, deserialize_with = "or_default")]
    pub trade_ids: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub transactions_hashes: Vec<String>,
}

/// The body of `DELETE /order`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    #[serde(rename = "orderID")]
    pub order_id: OrderId,
}

/// The body of `DELETE /cancel-market-orders`. Clients leave fields out, send `""` or `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelMarket {
    #[serde(default)]
    pub market: Text,
    #[serde(default)]
    pub asset_id: Text,
}

/// The reply to every kind of cancel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelReply {
    #[serde(default, deserialize_with = "or_default")]
    pub canceled: Vec<String>,
    #[serde(default, alias = "notCanceled", deserialize_with = "or_default")]
    pub not_canceled: BTreeMap<String, String>,
}

/// What the venue sends with a status other than 200.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    #[serde(default, alias = "error_msg", alias = "errorMsg", deserialize_with = "or_default")]
    pub error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<Number>,
}

impl ErrorBody {
    /// A body that only carries a text.
    #[must_use]
    pub fn of(text: impl Into<String>) -> ErrorBody {
        ErrorBody { error: text.into(), code: None, retry_after_seconds: None }
    }
}

/// A whole number that is written as a JSON number; strings are taken too.
mod as_number {
    use super::{Deserialize, Deserializer, Number, Serializer, de};

    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(*value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Number::deserialize(deserializer)?.as_str().parse().map_err(de::Error::custom)
    }
}

/// A whole number that is written as a string of digits; JSON numbers are taken too.
mod as_digits {
    use super::{Deserialize, Deserializer, Number, Serializer, de};

    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = Number::deserialize(deserializer)?;
        if text.as_str().bytes().all(|b| b.is_ascii_digit()) {
            text.as_str().parse().map_err(de::Error::custom)
        } else {
            Err(de::Error::custom("digits are needed"))
        }
    }
}

/// The venue's number of a signature type.
mod signature_type {
    use super::{Deserialize, Deserializer, Number, Serializer, SignatureType, de};

    pub fn serialize<S: Serializer>(value: &SignatureType, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*value as u8)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignatureType, D::Error> {
        match Number::deserialize(deserializer)?.as_str() {
            "0" => Ok(SignatureType::Eoa),
            "1" => Ok(SignatureType::Proxy),
            "2" => Ok(SignatureType::Safe),
            "3" => Ok(SignatureType::Poly1271),
            _ => Err(de::Error::custom("a signature type from 0 to 3 is needed")),
        }
    }
}

/// 32 bytes as `0x` and 64 hexadecimal digits.
mod bytes32 {
    use super::{Deserialize, Deserializer, OrderId, Serializer};

    pub fn serialize<S: Serializer>(value: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&OrderId(*value))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        OrderId::deserialize(deserializer).map(|bytes| bytes.0)
    }
}
