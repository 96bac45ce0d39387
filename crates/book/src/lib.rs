//! The order book of a market: both outcome tokens in one ladder.
//!
//! This crate owns [`PairBook`]: the levels, the venue's hash and what it proves, how fresh the book is, the signals that are
//! read from it, and its recent mids and trades. It never does I/O, never reads a clock and never decides what a bad book means
//! for an order.
//!
//! # A book's day
//!
//! 1. [`PairBook::new`] makes an empty book from a market's card.
//! 2. Decoded events go in: [`PairBook::apply_snapshot`], [`PairBook::apply_change`], [`PairBook::apply_trade`],
//!    [`PairBook::apply_best`], [`PairBook::tick_change`]; or all of them through [`PairBook::apply_event`].
//! 3. [`PairBook::end_of_frame`] compares the book with the best prices that the venue stated, repairs it, and publishes the
//!    top. Between two such calls the published top does not move, so a half-applied frame is never seen.
//! 4. In idle time [`PairBook::idle_check`] recomputes the venue's hash; [`PairBook::next_check_mono_ns`] says when that is due.
//! 5. Readers ask [`PairBook::best_bid`], [`PairBook::levels`], [`PairBook::health`], the signals, or take a [`BookView`].
//!
//! # One ladder, two tokens
//!
//! A bid for NO at `p` is an ask for YES at `1 - p`; the venue sends both. The book keeps YES prices only, and each price
//! remembers the venue time at which its size was stated. A statement older than what is known is ignored, whichever of the two
//! tokens, a delta, a snapshot or a REST read it comes from: an old answer never undoes a newer one, and the order in which
//! frames of the two tokens arrive does not matter.

mod apply;
mod check;
mod depth;
mod fresh;
mod glance;
mod health;
mod ladder;
mod learn;
mod pair;
mod publish;
mod ring;
pub mod signal;
mod stamp;
mod text;
mod view;

pub use apply::{Applied, HashCheck};
pub use check::{HashCounts, HashPolicy, SILENCE_NS};
pub use depth::Sweep;
pub use fresh::{ShardProof, Times};
pub use glance::{DEPTH_LEVELS, Glance};
pub use pair::{Level, PairBook, Top};
pub use publish::FrameEnd;
pub use ring::{MidSample, Ring, TradePrint};
pub use view::BookView;
