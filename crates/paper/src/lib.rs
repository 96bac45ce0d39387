//! A venue that exists on paper: our own orders against everybody else's frames.
//!
//! This crate owns the models of what would have become of an order that was never sent: where it stands in its queue, how long it
//! is under way, whom it meets, and what the venue would have said to it. It never has a clock, a socket or chance of its own: times are
//! arguments, and what looks like chance follows from a seed. So paper trading, backtests and their replays agree.
//!
//! - [`PaperVenue`] is driven like a venue: [`PaperVenue::learn`] its markets, give it every market frame ([`PaperVenue::frame`]) and
//!   every action ([`PaperVenue::act`]), let time pass to [`PaperVenue::next_due`] ([`PaperVenue::advance`]), and hand the engine what
//!   comes out ([`PaperVenue::next_input`]). [`PaperVenue::after`] makes one that goes on after another run.
//! - [`Matching`] is its core, driven by numbers, without frames, money or memory from the heap.
//! - [`queue`], [`latency`]: the models; [`sequence`]: a queue model on a stated history.

mod answers;
mod half;
mod held;
pub mod latency;
mod listed;
mod matches;
mod matching;
mod noise;
mod purse;
pub mod queue;
mod restore;
mod rules;
pub mod sequence;
mod settings;
mod venue;

pub use half::Half;
pub use matching::{Fill, Matching, Take};
pub use noise::Noise;
pub use settings::{PaperSettings, Settlement};
pub use venue::{PaperCounts, PaperInput, PaperVenue};
