//! The deterministic engine.
//!
//! This crate composes the rooms below it into one state machine: [`Engine::handle`] takes an [`Input`] and the time, and appends what
//! comes out of it, actions and events, to a list. It owns modes, doubt, schedules and the order in which things happen. It never reads
//! a clock, opens a socket or a file, spawns a thread, or draws a random number: whoever drives it does, and writes down what went
//! in, so that the same inputs lead to the same outputs, byte for byte.
//!
//! # The story of a tick
//!
//! A driver reads frames and hands them over as they are:
//!
//! ```
//! use oddsmith_domain::{Command, Input, Time};
//! use oddsmith_engine::Engine;
//!
//! let mut engine = Engine::new();
//! let mut out = Vec::new();
//! let now = Time { mono_ns: 1, wall_ns: 1_790_000_000_000_000_000 };
//! engine.handle(&Input::Command(Command::Stop), now, &mut out);
//! // Inputs only change state and mark what is affected. `Tick` looks at timers, evaluates and plans.
//! engine.handle(&Input::Tick, now, &mut out);
//! assert!(!engine.needs_tick());
//! ```
//!
//! - A market frame is decoded and applied to its books, at once and always; the markets that it touched become due.
//! - A user frame or a gateway result changes orders, fills and the ledger.
//! - A tick walks timers, cancels what the book has moved through, evaluates *one* due instance, and plans for it: at most
//!   [`MAX_PLACEMENTS`] orders. If more is due, [`Engine::needs_tick`] stays true, and the driver looks at lossless inputs before
//!   it ticks again.
//!
//! [`Lanes`] keeps that order between inputs for a driver that has many of them waiting.
//!
//! [`Input`]: oddsmith_domain::Input

mod account;
mod basket;
mod breaker;
mod causes;
mod config;
mod convert;
mod core;
mod decoded;
mod discipline;
mod doubt;
pub mod eval;
mod evaluate;
mod fair_value;
mod figures;
mod gateway;
mod guard;
mod instance;
mod lag;
mod lanes;
mod lifecycle;
mod links;
mod listen;
mod lists;
mod market;
mod markets;
mod own;
mod pause;
mod permit;
mod place;
mod poll;
mod reconcile;
mod reference;
mod restore;
mod selection;
mod settings;
mod settle;
mod share;
mod sharing;
mod slow;
mod states;
mod tick;
mod tokens;
mod truth;
mod unfamiliar;
mod view;
mod watchdog;

pub use config::{ConfigError, EngineConfig, InstanceConfig, Planning, Timing};
pub use core::{Engine, MAX_PLACEMENTS};
pub use decoded::DecodedFrame;
pub use lanes::{Lanes, OwnedInput, SLICE_FRAMES, SLICE_NS, Sink};
pub use listen::Listener;
pub use oddsmith_execution::facts::Facts;
pub use selection::Selecting;
pub use settings::{Doubts, Sending};
pub use sharing::{Pauses, Sharing};
pub use slow::Stage;
pub use states::{Act, allows, next_state};
pub use tokens::Tokens;
pub use view::{EngineView, InstanceView, MarketLine, QuoteView, Totals};
