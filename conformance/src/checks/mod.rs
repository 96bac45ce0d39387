//! The checks, by what they are about.

pub mod account;
pub mod catalogue;
pub mod fees;
pub mod keys;
pub mod markets;
pub mod matching;
pub mod orders;
pub mod service;
pub mod sockets;
pub mod wallets;

/// The name of the CLOB client in the table.
pub const CLOB: &str = "Rust SDK 0.9.0, clob";
/// The name of the socket client in the table.
pub const SOCKET: &str = "Rust SDK 0.9.0, ws";
