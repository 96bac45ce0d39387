//! The thin edge: sockets, HTTP and timers for the session machines of `polymarket`.
//!
//! This crate owns every socket of the engine and the only clock. It never decides: when to connect, what to send and what an
//! answer means is said by [`oddsmith_polymarket::session`]; here are the bytes. Until paper and live trading are built, every
//! address that is not on this machine is refused by [`Target`].

mod buffer;
mod clock;
mod dial;
mod error;
pub mod http;
mod target;
pub mod ws;

pub use buffer::{ReadBuffer, WriteBuffer};
pub use clock::Clock;
pub use dial::{Connected, dial, dial_websocket};
pub use error::NetError;
pub use target::{Target, connect};
