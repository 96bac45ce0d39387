//! What stops trading until something undoes it: told by events, and carried over a restart.

use serde::{Deserialize, Serialize};

use crate::{ConditionId, Usdc};

/// How far a scope may trade. A later one is stricter; of several that cover an order the strictest holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradingMode {
    /// Everything that the limits allow.
    #[default]
    Active,
    /// Only orders that reduce what is held.
    Reducing,
    /// No order; what works is cancelled.
    Halted,
}

/// What a latch covers, by names that outlive a run: numbers of markets and instances do not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatchScope {
    /// Everything under the key.
    Wallet,
    /// One market.
    Market(ConditionId),
    /// One strategy instance, by its configured name.
    Instance(String),
}

/// Why the kill switch was thrown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillReason {
    /// A person threw it.
    Operator,
    /// The day's loss reached its limit, and only a person may go on after that.
    DailyLoss,
    /// The loss from the highest point reached its limit.
    Drawdown,
    /// Too many requests failed in a row, whatever the market.
    Errors,
    /// The venue was out of reach for too long.
    Disconnected,
}

/// Why a market's breaker opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripCause {
    /// Too many refused orders in a row.
    Rejects,
    /// Too many failed cancels in a row.
    CancelFailures,
    /// A request took too long.
    Latency,
}

/// Something that stops or narrows trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latch {
    /// The kill switch: only the operator's reset undoes it.
    Kill(KillReason),
    /// The day's loss reached its limit.
    DailyLoss,
    /// After the kill switch was thrown by the engine: for a while even a reset does not bring trading back.
    CoolDown,
    /// After the kill switch was thrown by the engine: orders have half their size until the next day.
    HalfSize,
    /// A market's breaker is open.
    Breaker(TripCause),
    /// The operator's word.
    Mode(TradingMode),
}

impl Latch {
    /// How far its scope may trade while it holds.
    #[must_use]
    pub const fn mode(self) -> TradingMode {
        match self {
            Latch::Mode(mode) => mode,
            Latch::HalfSize => TradingMode::Active,
            Latch::Kill(_) | Latch::DailyLoss | Latch::CoolDown | Latch::Breaker(_) => TradingMode::Halted,
        }
    }
}

/// A latch that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latched {
    /// What it covers.
    pub scope: LatchScope,
    /// What it is.
    pub latch: Latch,
    /// When it ends by itself, in nanoseconds since the Unix epoch; `None`: only a person ends it.
    pub until_wall_ns: Option<u64>,
}

/// The wallet's profit, and what the day's loss and the drawdown are counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfitMark {
    /// The day it belongs to: whole days since the Unix epoch, each beginning at the configured hour.
    pub day: u64,
    /// Profit when the day began.
    pub day_start: Usdc,
    /// The highest profit so far.
    pub peak: Usdc,
    /// Profit now, realised and unrealised, fees in.
    pub profit: Usdc,
}
