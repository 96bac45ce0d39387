//! Sides of an order and outcomes of a market.

use serde::{Deserialize, Serialize};

/// Whether an order gives collateral for shares or shares for collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Pays collateral, receives shares. Signed as 0.
    Buy,
    /// Gives shares, receives collateral. Signed as 1.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// The venue's word: `BUY` or `SELL`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        }
    }
}

/// One of the two outcomes of a binary market, in the order of the venue's token list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// The first token ("Yes", "Up", the first team).
    Yes,
    /// The second token ("No", "Down", the second team).
    No,
}

impl Outcome {
    /// Both outcomes, in token order.
    pub const BOTH: [Outcome; 2] = [Outcome::Yes, Outcome::No];

    /// The other outcome.
    #[must_use]
    pub const fn complement(self) -> Outcome {
        match self {
            Outcome::Yes => Outcome::No,
            Outcome::No => Outcome::Yes,
        }
    }

    /// 0 for [`Outcome::Yes`], 1 for [`Outcome::No`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Outcome::Yes => 0,
            Outcome::No => 1,
        }
    }
}
