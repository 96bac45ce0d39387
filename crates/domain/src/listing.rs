//! What a venue's list says of a market beyond its card, and what a rule of selection makes of it.

use serde::{Deserialize, Serialize};

use crate::{ConditionId, Price, Shares, Usdc};

/// A market as the venue's list shows it at one moment. What the list does not state stays `None` and fits no bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketFacts {
    /// The venue's id of the market.
    pub condition: ConditionId,
    /// The venue's short name.
    pub slug: String,
    /// The series of windows that it is one of; empty for a market of its own.
    pub series: String,
    /// Its tags, in small letters: labels and short names.
    pub tags: Vec<String>,
    /// Whether the venue shows it as active.
    pub active: bool,
    /// Whether it is over.
    pub closed: bool,
    /// Whether it was put away.
    pub archived: bool,
    /// Whether orders are taken.
    pub accepting_orders: bool,
    /// Whether it is one of a group of which exactly one outcome wins.
    pub neg_risk: bool,
    /// When it is stated to end, in seconds since the Unix epoch.
    pub end_wall_s: Option<u64>,
    /// What was traded in it, in dollars.
    pub volume: Option<Usdc>,
    /// What rests in its books, in dollars.
    pub liquidity: Option<Usdc>,
    /// From the best bid to the best ask.
    pub spread: Option<Price>,
    /// What the venue pays for resting orders, if anything.
    pub rewards: Option<RewardTerms>,
}

/// What the venue pays for orders that rest near the mid (protocol sections 6.2 and 10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewardTerms {
    /// For all makers of the market together, in dollars a day.
    pub daily: Usdc,
    /// Orders further than this from the mid earn nothing.
    pub max_spread: Price,
    /// Smaller orders earn nothing.
    pub min_size: Shares,
}

/// What a rule of selection says of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is traded.
    Chosen(Fit),
    /// The rule refuses it for this reason, but something is held or open there: only what reduces it is sent until nothing is left.
    Leaving(Unfit),
    /// It is not traded.
    Refused(Unfit),
}

/// Why a market is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It is within every bound.
    Rule,
    /// It was chosen before, and is outside of a bound by less than the margin.
    Margin,
    /// It follows a market of its series that leaves soon, and is received before that.
    Successor,
}

/// Why a market is not chosen: the first bound that it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    /// It was put away.
    Archived,
    /// It is over.
    Closed,
    /// It is not active.
    Inactive,
    /// No orders are taken.
    NotAccepting,
    /// It has ended, or is decided.
    Ended,
    /// It has none of the tags that are asked for.
    Tag,
    /// It has a tag that is not wanted.
    UnwantedTag,
    /// It is neg-risk and must not be, or the other way round.
    NegRisk,
    /// It states no end, and one is asked for.
    NoEnd,
    /// It ends too soon.
    EndsTooSoon,
    /// It ends too late.
    EndsTooLate,
    /// Too little was traded.
    Volume,
    /// Too little rests in its books.
    Liquidity,
    /// Its spread is too wide, or a side of its book is empty.
    Spread,
    /// The venue pays too little for resting orders.
    Reward,
    /// The venue pays only for orders nearer to the mid.
    RewardSpread,
    /// The venue pays only for larger orders.
    RewardSize,
    /// Markets of its series that end earlier are taken.
    SeriesFull,
    /// Others come first, and there is room for no more.
    NoRoom,
}

/// A verdict about a market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketChoice {
    /// The venue's id of the market.
    pub condition: ConditionId,
    /// The venue's short name.
    pub slug: String,
    /// What the rule says.
    pub verdict: Verdict,
}
