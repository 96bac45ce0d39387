//! Polymarket's protocol as pure code.
//!
//! This crate owns what is said to the venue and how its words are understood: decoding of frames and bodies, amounts and
//! rounding, the digest and the signature of an order, authentication bytes, error texts as codes, and the session machines
//! that decide when to connect, subscribe, ping, send and give up. It never opens a socket, reads a clock, or draws a random
//! number: bytes and times come in as arguments, bytes and values go out.
//!
//! # The way of a frame
//!
//! 1. [`AssetTable`] learns the tokens of every market that we follow.
//! 2. [`codec`] turns a frame into numbers of the domain, and reports what it did not understand.
//!
//! [`discovery`] finds the markets, [`selection`] says which of them are worth trading, and [`rules`] reads how they are decided.
//!
//! The connections that frames and orders travel on are governed by the machines of [`session`].

pub mod amounts;
pub mod auth;
pub mod codec;
pub mod discovery;
pub mod error;
pub mod order;
pub mod rules;
pub mod selection;
pub mod session;
pub mod wire;

mod assets;
mod tier;

pub use assets::AssetTable;
pub use tier::{Budget, Tier};
