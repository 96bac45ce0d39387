//! Where trading stands in a market.

use serde::{Deserialize, Serialize};

/// Where trading stands: [`TradingState::Halt`], [`TradingState::Finalizing`] and [`TradingState::Resolved`] belong to the market and
/// override; the others belong to an instance in a market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TradingState {
    /// Nothing is under way beyond resting quotes.
    #[default]
    Idle,
    /// Both outcomes are being bought for less than a dollar together.
    BuildingPair,
    /// As much YES as NO is held, for less than it will pay.
    LockedPair,
    /// The outcome that is about to win is being bought.
    TemporalActive,
    /// Risk or doubt stops the market.
    Halt,
    /// The outcome is known, or the market has ended: everything is cancelled.
    Finalizing,
    /// The venue has decided, or nothing of ours is left.
    Resolved,
}

impl TradingState {
    /// Every state.
    pub const ALL: [TradingState; 7] = [
        TradingState::Idle,
        TradingState::BuildingPair,
        TradingState::LockedPair,
        TradingState::TemporalActive,
        TradingState::Halt,
        TradingState::Finalizing,
        TradingState::Resolved,
    ];

    /// Whether the state belongs to the market, whatever its instances do.
    #[must_use]
    pub const fn is_markets(self) -> bool {
        matches!(self, TradingState::Halt | TradingState::Finalizing | TradingState::Resolved)
    }
}

/// What moves a trading state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateCause {
    /// A strategy sees a pair that is worth building.
    PairOpportunity,
    /// A strategy knows the winner before the book does.
    TemporalSignal,
    /// What is held pays more than it cost whoever wins, with nothing naked.
    PairLocked,
    /// The opportunity was not there for a hundred evaluations.
    OpportunityGone,
    /// The signal is too old, or was followed.
    SignalOver,
    /// What was locked was sold, merged or added to.
    PairOpened,
    /// Risk or doubt stops the market.
    Halted,
    /// Risk and doubt let it go on.
    Recovered,
    /// The outcome is known, or the market has ended.
    Final,
    /// It goes on after all: a later card takes orders again.
    Reopened,
    /// The venue has decided, or a minute has passed and nothing of ours is left.
    Settled,
}

impl StateCause {
    /// Every cause.
    pub const ALL: [StateCause; 11] = [
        StateCause::PairOpportunity,
        StateCause::TemporalSignal,
        StateCause::PairLocked,
        StateCause::OpportunityGone,
        StateCause::SignalOver,
        StateCause::PairOpened,
        StateCause::Halted,
        StateCause::Recovered,
        StateCause::Final,
        StateCause::Reopened,
        StateCause::Settled,
    ];
}
