//! What is known of a market before it is traded.

use serde::{Deserialize, Serialize};

use crate::{ConditionId, ExchangeKind, FeeSchedule, Outcome, Settlement, Shares, Tick, TokenId};

/// A market's card: the metadata that trading needs. What the venue did not state stays `None`, and nothing is assumed in
/// its place: without a fee schedule nobody takes, without a tick or a minimum size nobody quotes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketCard {
    /// The venue's id of the market.
    pub condition: ConditionId,
    /// The venue's short name.
    pub slug: String,
    /// The question in words.
    pub question: String,
    /// The outcome tokens in the venue's order; the first is our YES.
    pub tokens: [TokenId; 2],
    /// The names of the outcomes in the same order.
    pub outcomes: [String; 2],
    /// The price grid.
    pub tick: Option<Tick>,
    /// The smallest order.
    pub min_size: Option<Shares>,
    /// The fee schedule.
    pub fee: Option<FeeSchedule>,
    /// When the market is stated to end, in seconds since the Unix epoch.
    pub end_wall_s: Option<u64>,
    /// Whether it settles through the neg-risk exchange.
    pub neg_risk: bool,
    /// Whether the venue takes orders for it.
    pub accepting_orders: bool,
    /// How long a marketable order waits before it matches, in milliseconds; 0 when there is no delay.
    pub taker_delay_ms: u64,
    /// How it is decided.
    pub settlement: Settlement,
}

impl MarketCard {
    /// The token of an outcome.
    #[must_use]
    pub const fn token(&self, outcome: Outcome) -> TokenId {
        self.tokens[outcome.index()]
    }

    /// The contract that its orders are signed for (protocol section 1.1). A position market is known by its tokens: a module's
    /// number in front, and 64 bits in the middle that are zero, which no drawn token has.
    #[must_use]
    pub fn exchange(&self) -> ExchangeKind {
        let is_position = self.tokens.iter().all(|token| {
            let bytes = token.to_be_bytes();
            matches!(bytes[0], 1..=3) && bytes[19..27] == [0; 8]
        });
        match (is_position, self.neg_risk) {
            (true, _) => ExchangeKind::Position,
            (false, true) => ExchangeKind::NegRisk,
            (false, false) => ExchangeKind::Ctf,
        }
    }
}
