//! The thin edge: sockets, HTTP and timers for the session machines of `polymarket`.
//!
//! This crate owns every socket of the engine and the only clock. It never decides: when to connect, what to send and what an
//! answer means is said by [`oddsmith_polymarket::session`]; here are the bytes. Until paper and live trading are built, every
//! address that is not on this machine is refused by [`Target`].
//!
//! - [`Edge`] is what a driver talks to: it reads what is readable into reused buffers, hands frames on where they lie, and
//!   writes signed requests, all on the driver's one thread.
//! - [`Listener`] is the market channel alone, for whoever records it.
//! - [`SideThreads`] do what may block: resolve, connect, shake hands, and read what is large by [`Venue`].

mod buffer;
mod clock;
mod dial;
mod edge;
mod error;
mod face;
mod finder;
pub mod http;
mod latency;
mod links;
mod listener;
mod orders;
mod scout;
mod side;
mod target;
mod venue;
pub mod ws;

pub use buffer::{ReadBuffer, WriteBuffer};
pub use clock::Clock;
pub use dial::{Connected, dial, dial_websocket};
pub use edge::Edge;
pub use error::NetError;
pub use face::{EdgeCounts, EdgeSettings, EdgeStatus, Intake};
pub use finder::Finder;
pub use latency::{Latencies, LatencyLine};
pub use links::{End, Wire};
pub use listener::{Hearer, Listener, MARKETS_PER_SOCKET};
pub use orders::{Flushed, RequestPen, Wallet};
pub use scout::stated;
pub use side::SideThreads;
pub use target::{Target, connect};
pub use venue::{Venue, cause_of};
