//! Strategies: what an owner of a view of some markets wants to have resting there, and why.
//!
//! This crate owns the [`Strategy`] trait, the [`View`] that a strategy gets, the [`Decision`] that it returns, and one
//! module per strategy. It never places an order, knows a limit of the wallet, or keeps anything but the strategy's own state: a
//! strategy is a pure function of its view and that state.
//!
//! # A strategy of one's own
//!
//! Implement [`Strategy`] in one file, give it a parameter struct with [`serde::Deserialize`] and validated ranges, and add it to
//! [`StrategyConfig`]:
//!
//! ```
//! use oddsmith_domain::{DesiredQuote, Mode, Outcome, Reason, Route, Shares, Side};
//! use oddsmith_strategy::{Decision, Strategy, View};
//!
//! /// Always wants to buy five YES shares one tick under the best bid.
//! struct Patient;
//!
//! impl Strategy for Patient {
//!     fn name(&self) -> &'static str {
//!         "patient"
//!     }
//!     fn version(&self) -> u32 {
//!         1
//!     }
//!     fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
//!         for market in view.markets {
//!             let rest = decision.set(market.id, Mode::Normal);
//!             let (Some(tick), Some(best)) = (market.card.tick, market.book.best_bid(Outcome::Yes)) else {
//!                 rest.stop(Reason::NoBook);
//!                 continue;
//!             };
//!             let below = best.price.saturating_add_units(-i32::from(tick.units()));
//!             if tick.admits(below) {
//!                 rest.quotes.push(DesiredQuote {
//!                     outcome: Outcome::Yes,
//!                     side: Side::Buy,
//!                     price: below,
//!                     size: Shares::from_whole(5),
//!                     route: Route::Materialise,
//!                 });
//!             }
//!         }
//!     }
//! }
//! ```

pub mod amm;
pub mod bands;
mod config;
mod decision;
mod flow;
pub mod skewed_maker;
mod view;

pub use config::{ParameterError, StrategyConfig};
pub use decision::{Decision, Rest};
pub use flow::{OwnFill, OwnFills};
pub use view::{MarketView, OwnOrder, Position, View, Working};

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
