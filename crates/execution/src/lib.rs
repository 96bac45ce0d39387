//! Own orders, fills, positions and the ledger; and the planner that turns wanted quotes into orders.
//!
//! This crate owns the truth about what is ours: which orders exist and in which state ([`Orders`]), which fills happened, each
//! exactly once ([`Fills`]), what they did to shares and cash ([`Ledger`]), and which orders to cancel and to place so that what
//! works becomes what is wanted ([`plan`]). It never reads a market's book to learn about its own orders, never decides what is
//! wanted, and builds an order only from a risk permit.

mod basket;
mod convert;
pub mod facts;
mod fills;
mod ledger;
mod orders;
mod planner;
mod split;
mod transition;

pub use basket::{BasketRun, Known, Want};
pub use fills::{Applied, Booked, FillKey, Fills, OwnLeg, own_legs};
pub use ledger::{Ledger, LedgerError, Place, booking_id};
pub use orders::{BuilderError, Change, Order, OrderBuilder, Orders, Ownership};
pub use planner::{Leg, Plan, PlanInput, PlanPolicy, WorkingOrder, plan};
pub use split::{MinSizePolicy, Split, split};
pub use transition::{ALL_STATES, ALL_STATUSES, Settlement, is_legal, settlement};
