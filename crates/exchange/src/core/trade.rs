//! Matches and their settlement.

use oddsmith_domain::{FeeSchedule, MarketId, OrderId, Outcome, Price, Shares, Side, TradeId, Usdc};

use super::account::{AccountId, KeyId, UserId};

/// How two orders met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FillKind {
    /// A buyer and a seller of one token.
    Complementary,
    /// Two buyers of opposite tokens: a pair is minted.
    Mint,
    /// Two sellers of opposite tokens: a pair is merged.
    Merge,
}

/// How far a match is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeState {
    /// Matched.
    Matched,
    /// In a block: balances have moved.
    Mined,
    /// Final.
    Confirmed,
    /// Failed once.
    Retrying,
    /// Undone: no balance has moved.
    Failed,
}

impl TradeState {
    /// The venue's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TradeState::Matched => "MATCHED",
            TradeState::Mined => "MINED",
            TradeState::Confirmed => "CONFIRMED",
            TradeState::Retrying => "RETRYING",
            TradeState::Failed => "FAILED",
        }
    }
}

/// One party's part in a match, in its own token's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Its order.
    pub order: OrderId,
    /// Its key.
    pub key: KeyId,
    /// Whose key that is.
    pub user: UserId,
    /// The account that pays.
    pub account: AccountId,
    /// Its token's outcome.
    pub outcome: Outcome,
    /// Its side.
    pub side: Side,
    /// Its price; the average for a taker that matched at several.
    pub price: Price,
    /// Shares.
    pub shares: Shares,
    /// Collateral that moves: paid by a BUY, received by a SELL, without the fee.
    pub collateral: Usdc,
    /// The fee, on top of a BUY and out of a SELL.
    pub fee: Usdc,
}

impl Leg {
    /// Collateral that leaves the account.
    pub(crate) fn collateral_out(&self) -> Usdc {
        if self.side == Side::Buy { self.collateral + self.fee } else { Usdc::ZERO }
    }

    /// Collateral that reaches the account.
    pub(crate) fn collateral_in(&self) -> Usdc {
        if self.side == Side::Sell { self.collateral - self.fee } else { Usdc::ZERO }
    }
}

/// One order meeting one or more resting orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Its id, a UUID.
    pub id: TradeId,
    /// The order of matching.
    pub sequence: u64,
    /// The market.
    pub market: MarketId,
    /// The taker.
    pub taker: Leg,
    /// The makers, with how each met the taker.
    pub makers: Vec<(Leg, FillKind)>,
    /// Where it stands.
    pub state: TradeState,
    /// When it was matched, in milliseconds since the Unix epoch.
    pub matched_ms: u64,
    /// When it changed last, in milliseconds since the Unix epoch.
    pub updated_ms: u64,
    /// The transaction that carries it, once it is in a block.
    pub transaction: Option<[u8; 32]>,
    /// The market's fee schedule when it was matched.
    pub schedule: FeeSchedule,
}

impl Trade {
    /// Every leg, the taker's first.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        std::iter::once(&self.taker).chain(self.makers.iter().map(|(leg, _)| leg))
    }

    /// Whether an account of this user takes part.
    #[must_use]
    pub fn involves(&self, user: UserId) -> bool {
        self.legs().any(|leg| leg.user == user)
    }
}
