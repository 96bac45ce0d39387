//! How a market is decided.

use serde::{Deserialize, Serialize};

use crate::{ReferencePrice, Symbol};

/// How a market is decided, as far as the venue's fields and its text say it. Nothing is assumed: a rule that is not one of these is
/// refused with a reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settlement {
    /// The source of the card says nothing of it.
    #[default]
    Unstated,
    /// By what happens, in words. Whether they say clearly how, and what follows if it does not happen.
    Words {
        /// They do.
        clear: bool,
    },
    /// By a price at two times: the first outcome wins if the later one is not lower.
    UpDown(UpDownRule),
    /// By a price, but in a way that is not known.
    Refused(RuleRefusal),
}

impl Settlement {
    /// The rule of a market that a price decides.
    #[must_use]
    pub const fn up_down(&self) -> Option<&UpDownRule> {
        match self {
            Settlement::UpDown(rule) => Some(rule),
            _ => None,
        }
    }
}

/// The rule of an up/down market: its first outcome wins if the final value is at or above the strike (protocol section 9.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpDownRule {
    /// What the price is of.
    pub symbol: Symbol,
    /// Whose price counts.
    pub feed: SettlementFeed,
    /// When the strike is taken, in seconds since the Unix epoch.
    pub start_wall_s: u64,
    /// When the final value is taken.
    pub end_wall_s: u64,
    /// Over how many seconds before each of them the price is averaged; 0 for a single print.
    pub average_s: u32,
    /// The strike, if the venue has stated it.
    pub strike: Option<ReferencePrice>,
}

/// Whose price decides an up/down market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettlementFeed {
    /// A stream of Chainlink.
    Chainlink,
    /// Binance's candles.
    Binance,
}

/// Why the rule of a market that a price decides is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleRefusal {
    /// Whose price counts is not stated, or nobody that is known.
    UnknownSource,
    /// What the price is of cannot be read.
    UnknownSymbol,
    /// The venue's fields contradict each other, or its text.
    Contradiction,
    /// When it begins or ends is not stated, or makes no sense.
    NoTimes,
    /// The text says something else than that Up wins at or above the price of the beginning.
    UnknownText,
}
