//! Limits, latches, and the permit without which no order can be built.
//!
//! This crate owns what may be risked: the [`Limits`], the [`Gate`] that checks a proposed order against them, the [`Latches`]
//! that stop trading until something undoes them, and the [`Permit`] that proves the check. It never knows a strategy by name, and never sends anything.
//!
//! `execution` builds an order only from a [`Permit`], and a permit can only come from [`Gate::check`]: an order that no limit
//! has seen cannot be expressed.

mod book;
mod breaker;
mod capital;
mod exposure;
mod factor;
mod gate;
mod group;
mod latches;
mod limits;
mod permit;
mod profit;
mod times;

pub use book::{BookRules, BookStanding};
pub use breaker::{Breaker, BreakerRules, Went};
pub use capital::{CapitalPart, CapitalShare};
pub use exposure::{MarketExposure, OpenOrder, Worst};
pub use factor::Factor;
pub use gate::Gate;
pub use group::{GroupLimit, GroupLoss, GroupStanding};
pub use latches::Latches;
pub use limits::{DailyLossReset, DrawdownRules, KillRules, LimitError, Limits};
pub use permit::{Elsewhere, Permit, Proposal, Standing, paid};
pub use profit::{day_ends_s, day_loss, day_of, drawdown, marked};
pub use times::{HourRule, TimeRules};
