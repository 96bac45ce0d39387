//! What can go wrong at the edge.

use std::io;

use thiserror::Error;

use crate::http::HttpFault;

/// Why something could not be had from the venue.
#[derive(Debug, Error)]
pub enum NetError {
    /// Not an address that can be connected to.
    #[error("`{0}` is not an address: http://host:port or ws://host:port/path is needed")]
    Address(String),
    /// An encrypted connection.
    #[error("`{0}` is an encrypted address; only the local exchange can be traded on today, without encryption")]
    Encrypted(String),
    /// Not on this machine.
    #[error(
        "`{0}` is not on this machine: connections that leave it have to be encrypted, which is not built yet, so every other address is refused"
    )]
    NotLoopback(String),
    /// The system's error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not an answer.
    #[error("{0}")]
    Http(#[from] HttpFault),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The venue answered with this status.
    #[error("the venue answered {status}: {text}")]
    Status {
        /// The status code.
        status: u16,
        /// What it said, shortened.
        text: String,
    },
    /// An answer that could not be understood.
    #[error("the venue's answer to {what} could not be understood: {why}")]
    Undecodable {
        /// The request.
        what: String,
        /// What was wrong with the answer.
        why: String,
    },
    /// The server did not agree to a WebSocket.
    #[error("no WebSocket: {0}")]
    Handshake(String),
}
