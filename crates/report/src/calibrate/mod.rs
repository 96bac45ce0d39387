//! Fill models fitted to what became of real orders.
//!
//! Each [`Outcome`] is one resting order: what stood before it when it joined, what joined behind it, what was cancelled and what was
//! traded at its price while it rested, and whether it was filled. Two things are made of them:
//!
//! - [`survival`]: how likely a fill is within a time, by what stood ahead (Kaplan and Meier, 1958). An order that was cancelled before
//!   is one of which no more is known, not one that would not have been filled.
//! - [`fit`]: the exponent of a queue model of [`oddsmith_paper`]. The model says what still stood ahead after the cancels; the chance of
//!   a fill is a logistic function of what was traded beyond that, with a width of its own, and both are found by maximum likelihood.
//!   Standard errors are those of the observed information.

mod fit;
mod read;
mod survival;

use oddsmith_domain::Shares;
use serde::Serialize;

pub use fit::{Family, Fit, FitError, Fitted, LEAST, fit, front};
pub use read::{COLUMNS, OutcomeError, read};
pub use survival::{Chance, Survival, WITHIN_S, survival};

/// What became of one resting order. Sizes are shares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What stood before it when it joined.
    pub ahead: Shares,
    /// What joined behind it, what was cancelled and what was traded at its price while it rested; `None` when that is not known.
    pub level: Option<Level>,
    /// How long it rested, in seconds.
    pub rested_s: f64,
    /// When it was filled first, in seconds after it joined; `None` if it was not.
    pub filled_s: Option<f64>,
}

/// What happened at an order's price while it rested, in shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Level {
    /// Joined behind it.
    pub behind: Shares,
    /// Went without a trade.
    pub cancelled: Shares,
    /// Was traded, its own fills included.
    pub traded: Shares,
}
