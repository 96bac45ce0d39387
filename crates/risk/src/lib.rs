//! Limits, latches, and the permit without which no order can be built.
//!
//! This crate owns what may be risked: the [`Limits`], the [`Gate`] that checks a proposed order against them, the [`Latches`]
//! that stop trading until something undoes them, and the [`Permit`] that proves the check. It never knows a strategy by name, and never sends anything.
//!
//! `execution` builds an order only from a [`Permit`], and a permit can only come from [`Gate::check`]: an order that no limit
//! has seen cannot be expressed.

mod exposure;
mod gate;
mod latches;
mod limits;
mod profit;

pub use exposure::{MarketExposure, OpenOrder, Worst};
pub use gate::{Gate, Permit, Proposal, Standing};
pub use latches::Latches;
pub use limits::{DailyLossReset, LimitError, Limits};
pub use profit::{day_ends_s, day_loss, day_of, drawdown, marked};
