//! Strategies: what an owner of a view of some markets wants to have resting there, and why.
//!
//! This crate owns the [`Strategy`] trait, the [`View`] that a strategy gets, the [`Decision`] that it returns, and one
//! module per strategy. It never places an order, knows a limit of the wallet, or keeps anything but the strategy's own state: a
//! strategy is a pure function of its view and that state.
//!
//! # A strategy of one's own
//!
//! Implement [`Strategy`] in one file, as `examples/own_strategy.rs` does, and let [`testing::check`] look for what every strategy must hold
//! to. To name it in configurations, give it a parameter struct with [`serde::Deserialize`] and validated ranges, and add it to
//! [`StrategyConfig`].

pub mod amm;
pub mod bands;
mod config;
mod decision;
pub mod fair;
pub mod features;
mod flow;
pub mod imbalance;
pub mod lock;
pub mod markout;
pub mod model;
pub mod multi;
pub mod pair;
mod recycle;
pub mod reference_maker;
pub mod skewed_maker;
pub mod temporal;
pub mod testing;
mod unwind;
mod view;

pub use config::{ParameterError, StrategyConfig};
pub use decision::{Decision, Figures, Opportunity, Rest};
pub use flow::{OwnFill, OwnFills};
pub use view::{
    BasketView, LadderPrice, MarketView, OwnOrder, Position, SettlementRule, Truth, Underlying, View, Working,
};

/// A trading idea, as a pure function of what it sees and its own state.
pub trait Strategy {
    /// The name under which decisions, reports and configurations know it.
    fn name(&self) -> &'static str;

    /// Rises whenever the same view could lead to another decision than before.
    fn version(&self) -> u32;

    /// Looks at the view and writes what it wants into `decision`, which arrives empty: a market that is not mentioned keeps
    /// what it has.
    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision);
}
