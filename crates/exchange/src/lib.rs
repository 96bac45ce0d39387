//! A local exchange that speaks the venue's protocol.
//!
//! This crate owns the venue on the desk: [`core`] matches, settles and keeps accounts as a pure state machine, [`world`]
//! holds simulated traders who act on it, [`scenario`] reads what both should do from a file. It is never linked into the
//! engine, and nothing in `core`, `world` or `scenario` opens a socket, reads a clock or draws randomness that a seed does
//! not fix: time comes in as an argument, events go out as values.
//!
//! The story of a session: make a [`core::Core`], list markets with [`core::Core::list_market`], create an API key with
//! [`core::Core::create_key`], hand orders to [`core::Core::place`], let time pass with [`core::Core::advance`], and read
//! what happened with [`core::Core::drain_events`].

pub mod core;
pub mod frames;
pub mod scenario;
pub mod server;
pub mod world;
