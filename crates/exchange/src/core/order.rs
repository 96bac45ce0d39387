//! Orders as the exchange holds them, and the replies to placing and cancelling them.

use oddsmith_domain::{
    Address, ExchangeKind, MarketId, OrderFields, OrderId, OrderType, Outcome, Price, Shares, Side, Tick, TokenId,
    TradeId, Usdc,
};

use super::account::{AccountId, KeyId, UserId};
use super::book::{Ladder, yes_units};

/// A signed order as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceRequest {
    /// The EIP-712 digest of `fields` under the market's contract.
    pub id: OrderId,
    /// What was signed.
    pub fields: OrderFields,
    /// How long it lives.
    pub order_type: OrderType,
    /// Whether it must not match at once.
    pub post_only: bool,
    /// Stated expiration in seconds since the Unix epoch; 0 for none.
    pub expiration_s: u64,
}

/// How an accepted order stands when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacedStatus {
    /// Rests.
    Live,
    /// Matched, wholly or in part.
    Matched,
    /// Waits for the market's taker delay.
    Delayed,
    /// Was delayed, found nothing, rests now.
    Unmatched,
}

impl PlacedStatus {
    /// The venue's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PlacedStatus::Live => "live",
            PlacedStatus::Matched => "matched",
            PlacedStatus::Delayed => "delayed",
            PlacedStatus::Unmatched => "unmatched",
        }
    }
}

/// The answer to an accepted order (protocol 4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The order.
    pub id: OrderId,
    /// How it stands.
    pub status: PlacedStatus,
    /// What the order gave in immediate matches, in millionths of collateral (BUY) or shares (SELL), without fees.
    pub making_micro: u64,
    /// What the order received in immediate matches, in millionths of shares (BUY) or collateral (SELL), without fees.
    pub taking_micro: u64,
    /// The matches.
    pub trades: Vec<TradeId>,
}

/// Why an order was not accepted. [`Refusal::status`] and [`Refusal::text`] are what the venue answers (protocol 7.2, 7.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A field is out of any range that can be an order.
    InvalidPayload,
    /// The signer is not the key's address.
    SignerMismatch,
    /// The paying account is not the signer's.
    MakerNotAllowed,
    /// The account may not trade.
    Banned(Address),
    /// The account may only reduce its position.
    ClosedOnly(Address),
    /// No market trades this token.
    UnknownToken(TokenId),
    /// The market takes no orders yet, or no more.
    MarketNotReady,
    /// A post-only order would match.
    PostOnlyCrosses,
    /// The price is off the grid.
    BreaksTick {
        /// The order.
        id: OrderId,
        /// Its implied price, in millionths.
        price_micro: i64,
        /// The market's grid.
        tick: Tick,
    },
    /// Smaller than the market's minimum.
    TooSmall {
        /// The order.
        id: OrderId,
        /// Its size.
        size: Shares,
        /// The minimum.
        min: Shares,
    },
    /// Would match at once, and is worth less than the venue matches.
    MarketableTooSmall {
        /// Its side.
        side: Side,
        /// Its value.
        value: Usdc,
        /// The minimum.
        min: Usdc,
    },
    /// The same digest was here before.
    Duplicated(OrderId),
    /// Balance or allowance is too small.
    NotEnoughBalance {
        /// What is there, in millionths.
        balance_micro: i64,
        /// What open orders already need, in millionths.
        open_micro: i64,
        /// What this order needs, in millionths.
        needed_micro: i64,
        /// Whether it is the allowance that is too small.
        allowance: bool,
    },
    /// An expiration that is too near, or one on an order that has none.
    InvalidExpiration,
    /// A fill-or-kill order could not be filled.
    FokNotFilled,
    /// A fill-and-kill order found nothing.
    FakNotFilled,
    /// Trading is off.
    TradingDisabled,
    /// Only cancels are taken.
    CancelOnly,
    /// Only post-only orders and cancels are taken, for so many more seconds.
    PostOnlyMode(u64),
    /// The matching engine restarts.
    Restarting,
}

impl Refusal {
    /// The HTTP status of a single placement.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Refusal::TradingDisabled | Refusal::CancelOnly | Refusal::PostOnlyMode(_) => 503,
            Refusal::Restarting => 425,
            Refusal::UnknownToken(_) => 404,
            _ => 400,
        }
    }

    /// The venue's words.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Refusal::InvalidPayload => "Invalid order payload".to_owned(),
            Refusal::SignerMismatch => "the order signer address has to be the address of the API KEY".to_owned(),
            Refusal::MakerNotAllowed => "maker address not allowed, please use the deposit wallet flow".to_owned(),
            Refusal::Banned(address) => format!("'{address}' address banned"),
            Refusal::ClosedOnly(address) => format!("'{address}' address in closed only mode"),
            Refusal::UnknownToken(_) => "No orderbook exists for the requested token id".to_owned(),
            Refusal::MarketNotReady => "the market is not yet ready to process new orders".to_owned(),
            Refusal::PostOnlyCrosses => "invalid post-only order: order crosses book".to_owned(),
            Refusal::BreaksTick { id, price_micro, tick } => {
                let price = Usdc::from_micros(*price_micro);
                format!("order {id} is invalid. Price ({price}) breaks minimum tick size rule: {tick}")
            }
            Refusal::TooSmall { id, size, min } => {
                format!("order {id} is invalid. Size ({size}) lower than the minimum: {min}")
            }
            Refusal::MarketableTooSmall { side, value, min } => {
                format!("invalid amount for a marketable {} order (${value}), min size: ${min}", side.as_str())
            }
            Refusal::Duplicated(id) => format!("order {id} is invalid. Duplicated."),
            Refusal::NotEnoughBalance { balance_micro, open_micro, needed_micro, allowance } => {
                let which = if *allowance { "allowance" } else { "balance" };
                format!(
                    "not enough balance / allowance: the {which} is not enough -> {which}: {balance_micro}, sum of active \
                     orders: {open_micro}, order amount: {needed_micro}"
                )
            }
            Refusal::InvalidExpiration => "invalid expiration".to_owned(),
            Refusal::FokNotFilled => {
                "order couldn't be fully filled. FOK orders are fully filled or killed.".to_owned()
            }
            Refusal::FakNotFilled => "no orders found to match with FAK order. FAK orders are partially filled or \
                                      killed if no match is found."
                .to_owned(),
            Refusal::TradingDisabled => "Trading is currently disabled. Check polymarket.com for updates".to_owned(),
            Refusal::CancelOnly => "Trading is currently cancel-only. New orders are not accepted, but cancels are \
                                    allowed."
                .to_owned(),
            Refusal::PostOnlyMode(_) => "post-only mode: only post-only orders and cancels are allowed".to_owned(),
            Refusal::Restarting => "the matching engine is restarting".to_owned(),
        }
    }

    /// The machine-readable code that the venue adds, if any.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Refusal::PostOnlyMode(_) => Some("post_only_mode"),
            _ => None,
        }
    }

    /// After how many seconds trying again makes sense, if the venue says so.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u64> {
        match self {
            Refusal::PostOnlyMode(seconds) => Some(*seconds),
            Refusal::Restarting => Some(1),
            _ => None,
        }
    }
}

/// Why a resting order left the book without being filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// Its owner asked for it.
    User,
    /// It expired.
    Expired,
    /// The heartbeat switch cancelled it.
    Heartbeat,
    /// The account can no longer pay for it.
    NotEnoughBalance,
    /// The market is decided.
    MarketResolved,
    /// The game began and the book was cleared.
    GameStart,
    /// The rest of a fill-and-kill order.
    FakRest,
    /// A fill-or-kill order could not be filled.
    FokKilled,
    /// A post-only order would have matched after a delay, or a delayed order is no longer valid.
    Invalid,
}

impl CancelReason {
    /// The venue's status word (protocol 8.2).
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            CancelReason::User | CancelReason::Heartbeat | CancelReason::GameStart | CancelReason::FakRest => {
                "CANCELED"
            }
            CancelReason::Expired => "CANCELED_EXPIRED_ORDER",
            CancelReason::NotEnoughBalance => "CANCELED_NOT_ENOUGH_BALANCE",
            CancelReason::MarketResolved => "CANCELED_MARKET_RESOLVED",
            CancelReason::FokKilled => {
                "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
            }
            CancelReason::Invalid => "INVALID",
        }
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Waits for the taker delay.
    Delayed,
    /// Rests in the book.
    Live,
    /// Filled.
    Matched,
    /// Gone.
    Canceled(CancelReason),
}

impl OrderStatus {
    /// The venue's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OrderStatus::Delayed => "DELAYED",
            OrderStatus::Live => "LIVE",
            OrderStatus::Matched => "MATCHED",
            OrderStatus::Canceled(reason) => reason.status(),
        }
    }

    /// Whether it can still trade.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, OrderStatus::Delayed | OrderStatus::Live)
    }
}

/// An order that the exchange accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its digest.
    pub id: OrderId,
    /// The order of acceptance: time priority.
    pub sequence: u64,
    /// The API key that sent it.
    pub key: KeyId,
    /// Whose key that is.
    pub user: UserId,
    /// The account that pays.
    pub account: AccountId,
    /// The market.
    pub market: MarketId,
    /// The token's outcome.
    pub outcome: Outcome,
    /// Its side.
    pub side: Side,
    /// Its limit price, on the grid.
    pub price: Price,
    /// Its size.
    pub size: Shares,
    /// What is matched of it.
    pub matched: Shares,
    /// Collateral that the signer allowed in all, for a BUY.
    pub max_cost: Usdc,
    /// What it has cost so far, for a BUY.
    pub spent: Usdc,
    /// How long it lives.
    pub order_type: OrderType,
    /// Stated expiration in seconds since the Unix epoch; 0 for none.
    pub expiration_s: u64,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// Where it stands.
    pub status: OrderStatus,
    /// The matches that it took part in.
    pub trades: Vec<TradeId>,
    /// The contract that it was signed for.
    pub exchange: ExchangeKind,
    /// The builder code.
    pub builder: [u8; 32],
}

impl Order {
    /// What is still to be matched.
    #[must_use]
    pub fn remaining(&self) -> Shares {
        self.size - self.matched
    }

    /// What the rest of it needs: collateral of a BUY, nothing of a SELL.
    #[must_use]
    pub fn needs_collateral(&self) -> Usdc {
        match self.side {
            Side::Buy => self.remaining().cost_ceil(self.price),
            Side::Sell => Usdc::ZERO,
        }
    }

    /// What the rest of it needs: shares of a SELL, nothing of a BUY.
    #[must_use]
    pub fn needs_shares(&self) -> Shares {
        match self.side {
            Side::Buy => Shares::ZERO,
            Side::Sell => self.remaining(),
        }
    }

    pub(crate) fn ladder(&self) -> Ladder {
        Ladder::of(self.outcome, self.side)
    }

    pub(crate) fn yes_units(&self) -> u16 {
        yes_units(self.outcome, self.price)
    }
}

/// What became of a request to cancel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelReply {
    /// Cancelled now.
    pub canceled: Vec<OrderId>,
    /// Not cancelled, with the venue's reason.
    pub not_canceled: Vec<(OrderId, &'static str)>,
}
