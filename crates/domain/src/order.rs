//! Orders as they are signed, sent and tracked.

use serde::{Deserialize, Serialize};

use crate::{Address, AssetId, InstanceId, IntentId, OrderId, Price, Shares, Side, TokenId};

/// Which contract an order is signed for (protocol section 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeKind {
    /// CTFExchangeV2, domain version "2".
    Ctf,
    /// NegRiskCTFExchangeV2, domain version "2".
    NegRisk,
    /// ExchangeV3 of position markets, domain version "3".
    Position,
}

/// How an order's signature is checked (protocol section 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SignatureType {
    /// 0: the key's own account.
    #[default]
    Eoa = 0,
    /// 1: a proxy wallet of the key.
    Proxy = 1,
    /// 2: a Gnosis Safe of the key.
    Safe = 2,
    /// 3: a deposit wallet, checked by ERC-1271.
    Poly1271 = 3,
}

/// How long an order lives (protocol section 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderType {
    /// Rests until it is filled or cancelled.
    Gtc,
    /// Rests until a stated time; the venue lets go one minute earlier, and refuses less than three minutes.
    Gtd,
    /// All of it at once, or nothing.
    Fok,
    /// What can be had at once; the rest is dropped.
    Fak,
}

impl OrderType {
    /// The venue's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OrderType::Gtc => "GTC",
            OrderType::Gtd => "GTD",
            OrderType::Fok => "FOK",
            OrderType::Fak => "FAK",
        }
    }

    /// Whether what is not filled at once stays in the book.
    #[must_use]
    pub const fn rests(self) -> bool {
        matches!(self, OrderType::Gtc | OrderType::Gtd)
    }
}

/// The signed fields of an order, in the order of the type string (protocol section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFields {
    /// Makes the order unique; below 2^53 so that JSON numbers hold it.
    pub salt: u64,
    /// The account that pays.
    pub maker: Address,
    /// The account that signs.
    pub signer: Address,
    /// The outcome token.
    pub token: TokenId,
    /// Millionths of what the maker gives.
    pub maker_amount: u64,
    /// Millionths of what the maker receives.
    pub taker_amount: u64,
    /// The side.
    pub side: Side,
    /// How the signature is checked.
    pub signature_type: SignatureType,
    /// When the order was made, in milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
    /// Free bytes; zero by default.
    pub metadata: [u8; 32],
    /// Builder code; zero by default.
    pub builder: [u8; 32],
}

/// An order to be signed and sent, with everything that the venue and our own books must know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// The digest of `fields` under the contract of `exchange`: the venue's id of the order.
    pub id: OrderId,
    /// What is signed.
    pub fields: OrderFields,
    /// The contract it is signed for.
    pub exchange: ExchangeKind,
    /// How long it lives.
    pub order_type: OrderType,
    /// Whether it must not match at once.
    pub post_only: bool,
    /// Stated expiry in seconds since the Unix epoch, for GTD; 0 otherwise.
    pub expiration_s: u64,
    /// The token, by our number.
    pub asset: AssetId,
    /// Its limit price.
    pub price: Price,
    /// Its size in shares.
    pub size: Shares,
    /// The instance that owns it.
    pub instance: InstanceId,
    /// The decision that wants it.
    pub intent: IntentId,
    /// After this monotonic time (in nanoseconds) it must not be written to the wire any more.
    pub deadline_mono_ns: u64,
}

/// Where an order stands. Which transition is legal is one table in `execution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderState {
    /// Emitted; the venue has not answered.
    PendingNew,
    /// Rests at the venue, nothing filled.
    Working,
    /// Rests at the venue, part of it filled.
    PartiallyFilled,
    /// All of it filled.
    Filled,
    /// A cancel is on its way.
    PendingCancel,
    /// Gone, what was filled stays filled.
    Canceled,
    /// The venue proved that it never took it.
    Rejected,
    /// Nobody knows: counts against every limit as if alive.
    Unknown,
}

impl OrderState {
    /// Whether nothing can happen to the order any more (a late fill apart).
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, OrderState::Filled | OrderState::Canceled | OrderState::Rejected)
    }
}

impl PlaceOrder {
    /// Whether it buys or sells its token.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.fields.side
    }
}
