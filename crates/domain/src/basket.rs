//! Several takings that belong together: what a strategy asks for once, and the engine carries through to an end.

use serde::{Deserialize, Serialize};

use crate::{MarketId, Millis, Outcome, Price, Reasons, Shares, Side};

/// The number of a basket within a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BasketId(pub u64);

/// One taking: what can be had at once at the limit price or better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasketLeg {
    /// The market.
    pub market: MarketId,
    /// The token.
    pub outcome: Outcome,
    /// The side.
    pub side: Side,
    /// The worst price, on the market's grid.
    pub limit: Price,
    /// The size.
    pub size: Shares,
}

/// In which order the legs are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sequence {
    /// One after the other, each for no more than the one before got: nothing is bought that has no counterpart.
    #[default]
    OneByOne,
    /// All at once.
    Together,
}

/// What becomes of a leg's part that has no counterpart in the other legs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unwind {
    /// It is kept.
    #[default]
    Keep,
    /// It is sold again, at no less than the leg's limit less so many units of 0.0001 dollars.
    SellBack(u16),
}

/// Legs that are worth something together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basket {
    /// The legs, in the order in which they are sent.
    pub legs: Vec<BasketLeg>,
    /// How they are sent.
    pub sequence: Sequence,
    /// What has not been filled this long after the basket was accepted is given up, in milliseconds.
    pub deadline_ms: Millis,
    /// What becomes of parts without a counterpart.
    pub unwind: Unwind,
    /// Why.
    pub reasons: Reasons,
}

/// What came of a leg so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasketPart {
    /// The market.
    pub market: MarketId,
    /// The token.
    pub outcome: Outcome,
    /// The side.
    pub side: Side,
    /// What was bought, or sold: the sum of the fills.
    pub got: Shares,
    /// What of it was sold again.
    pub undone: Shares,
}

/// How a basket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BasketState {
    /// Its legs are being taken.
    Entering,
    /// Parts without a counterpart are being sold again.
    Unwinding,
    /// It ended with every leg filled to the same size, if not to the whole.
    Complete,
    /// It ended with nothing.
    Nothing,
    /// It ended with parts that have no counterpart.
    Residual,
}

impl BasketState {
    /// Whether it is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, BasketState::Complete | BasketState::Nothing | BasketState::Residual)
    }
}
