//! Identifiers, ours and the venue's.

use std::fmt;
use std::str::FromStr;

use arrayvec::ArrayString;
use ruint::aliases::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::Outcome;

/// Why a text is not the identifier that it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// Not the decimal number of a 256-bit token.
    #[error("`{0}` is not a token id: a decimal number below 2^256 is needed")]
    Token(String),
    /// Not `0x` and hexadecimal digits, 64 at most.
    #[error("`{0}` is not a condition id: 0x and up to 64 hexadecimal digits are needed")]
    Condition(String),
    /// Not `0x` and the stated number of hexadecimal digits.
    #[error("`{text}` is not {what}: 0x and {digits} hexadecimal digits are needed")]
    Hex {
        /// The text that was given.
        text: String,
        /// What it should have been.
        what: &'static str,
        /// How many hexadecimal digits it takes.
        digits: usize,
    },
    /// Longer than any id of the venue.
    #[error("`{0}` is too long for an id")]
    Long(String),
}

/// Our number of a market in this run: the order in which its card arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MarketId(pub u32);

impl MarketId {
    /// The asset of one of the market's outcomes.
    #[must_use]
    pub const fn asset(self, outcome: Outcome) -> AssetId {
        AssetId(self.0 * 2 + outcome.index() as u32)
    }

    /// No market: where what flat sub-accounts of markets that are behind us have earned is kept over restarts.
    pub const CLOSED: MarketId = MarketId(u32::MAX >> 1);

    /// How many markets one market-channel connection carries: a hundred, which are two hundred tokens.
    pub const PER_SHARD: u32 = 100;

    /// The market-channel connection that carries the market.
    #[must_use]
    pub const fn shard(self) -> u16 {
        (self.0 / MarketId::PER_SHARD) as u16
    }

    /// The market's place in a dense table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Our number of one outcome token of a market: `2 * market + outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AssetId(pub u32);

impl AssetId {
    /// The market that the token belongs to.
    #[must_use]
    pub const fn market(self) -> MarketId {
        MarketId(self.0 / 2)
    }

    /// Which of the market's outcomes it is.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        if self.0.is_multiple_of(2) { Outcome::Yes } else { Outcome::No }
    }

    /// The asset's place in a dense table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Our number of a strategy instance: its place in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub u16);

impl InstanceId {
    /// Nobody: what the wallet holds and no instance owns.
    pub const WALLET: InstanceId = InstanceId(u16::MAX);
}

/// The number of a decision of a strategy instance within a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(pub u64);

/// A number of up to 256 bits that the venue writes in decimal: an outcome token or a position.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(U256);

impl TokenId {
    /// Parses the venue's decimal text.
    ///
    /// # Errors
    /// [`IdError::Token`] for anything but digits, or more than 256 bits.
    pub fn parse(text: &str) -> Result<TokenId, IdError> {
        let refuse = || IdError::Token(clip(text));
        if text.is_empty() || text.len() > 78 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        U256::from_str_radix(text, 10).map(TokenId).map_err(|_| refuse())
    }

    /// A token from its 32 bytes, most significant first.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 32]) -> TokenId {
        TokenId(U256::from_be_bytes(bytes))
    }

    /// The 32 bytes, most significant first, as they are signed.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TokenId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<TokenId, IdError> {
        TokenId::parse(text)
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.to_be_bytes().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TokenId, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            TokenId::parse(&text).map_err(de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(TokenId::from_be_bytes)
        }
    }
}

/// A market's condition, as the venue writes it: `0x` and 64 hexadecimal digits (62 for a position market).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConditionId(ArrayString<66>);

impl ConditionId {
    /// Parses the venue's text. Its letters are kept as they are, because the book hash covers them.
    ///
    /// # Errors
    /// [`IdError::Condition`] for anything but `0x` and 1 to 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<ConditionId, IdError> {
        let refuse = || IdError::Condition(clip(text));
        let digits = text.strip_prefix("0x").ok_or_else(refuse)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        ArrayString::from(text).map(ConditionId).map_err(|_| refuse())
    }

    /// The venue's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConditionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ConditionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! hex_bytes {
    ($(#[$doc:meta])* $type:ident, $len:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(pub [u8; $len]);

        impl $type {
            /// Parses `0x` and the hexadecimal digits, in either case.
            ///
            /// # Errors
            /// [`IdError::Hex`] for any other text.
            pub fn parse(text: &str) -> Result<$type, IdError> {
                let refuse = || IdError::Hex { text: clip(text), what: $what, digits: $len * 2 };
                let digits = text.strip_prefix("0x").ok_or_else(refuse)?.as_bytes();
                if digits.len() != $len * 2 {
                    return Err(refuse());
                }
                let mut bytes = [0u8; $len];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let (high, low) = (hex_digit(pair[0]), hex_digit(pair[1]));
                    *byte = high.zip(low).map(|(h, l)| h << 4 | l).ok_or_else(refuse)?;
                }
                Ok($type(bytes))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = ArrayString::<{ $len * 2 + 2 }>::new();
                text.push_str("0x");
                for byte in self.0 {
                    text.push(HEX[usize::from(byte >> 4)] as char);
                    text.push(HEX[usize::from(byte & 15)] as char);
                }
                f.pad(&text)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<$type, IdError> {
                $type::parse(text)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                if deserializer.is_human_readable() {
                    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                    $type::parse(&text).map_err(de::Error::custom)
                } else {
                    <[u8; $len]>::deserialize(deserializer).map($type)
                }
            }
        }
    };
}

hex_bytes! {
    /// An order: the EIP-712 digest of its signed fields, known before it is sent.
    OrderId, 32, "an order id"
}

/// Hashes keys that are digests already, such as [`OrderId`], by taking eight of their bytes: the same on every machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct DigestHasher(u64);

impl std::hash::Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    // The length of an array is written before its bytes and tells nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

hex_bytes! {
    /// An account on the chain.
    Address, 20, "an address"
}

hex_bytes! {
    /// One process's run, drawn when it starts.
    RunId, 16, "a run id"
}

/// The venue's id of a match, as it writes it (a UUID today).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TradeId(ArrayString<66>);

impl TradeId {
    /// Takes the venue's text.
    ///
    /// # Errors
    /// [`IdError::Long`] beyond 66 bytes.
    pub fn parse(text: &str) -> Result<TradeId, IdError> {
        ArrayString::from(text).map(TradeId).map_err(|_| IdError::Long(clip(text)))
    }

    /// The venue's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_survives_its_texts() {
        let text = "96032845026589264419652263767853273417682663975879399135125885387803393541415";
        let token = TokenId::parse(text).expect("a token of the venue");
        assert_eq!(token.to_string(), text);
        assert_eq!(TokenId::from_be_bytes(token.to_be_bytes()), token);
        for bad in ["", "-1", "0x12", "1e3", &"9".repeat(78), &"1".repeat(90)] {
            assert!(TokenId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hexadecimal_ids_take_either_case_and_print_lower() {
        let text = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        let address = Address::parse(text).expect("an address");
        assert_eq!(address.to_string(), text.to_ascii_lowercase());
        assert!(Address::parse("0x12").is_err() && Address::parse(&text[2..]).is_err());
    }

    #[test]
    fn an_asset_is_one_side_of_its_market() {
        let market = MarketId(7);
        for outcome in Outcome::BOTH {
            let asset = market.asset(outcome);
            assert_eq!((asset.market(), asset.outcome()), (market, outcome));
        }
    }
}
