//! The way from an operator to a running engine: a Unix domain socket in the run's directory, one line of JSON for each message.
//!
//! Only the user who runs the engine can open the socket. A connection carries one request; the answer is one line when the engine
//! has handled the command, and for commands that cancel a second one when the venue has shown what is left.

mod client;
mod server;
mod socket;

pub use client::{Call, CallError};
pub use server::{Answer, Ask, Asks, Operator, Settled};

use oddsmith_domain::{DoubtCause, OrderId, OrderState};
use serde::{Deserialize, Serialize};

/// The socket's name in the run's directory.
const SOCKET: &str = "control.sock";

/// The longest request that is read, in bytes.
const REQUEST_LIMIT: u64 = 4_096;

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The command.
    pub command: Word,
    /// The market that it is about, by slug; everything if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
    /// The strategy instance that it is about, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// How long the second answer may take, in milliseconds. Zero: no second answer.
    #[serde(default)]
    pub wait_ms: u64,
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Cancel everything, quote nothing until resumed.
    Stop,
    /// Quote again after a stop.
    Resume,
    /// Cancel everything and end the run.
    Shutdown,
    /// How the engine stands.
    Status,
    /// Throw the kill switch, which outlives the run.
    Kill,
    /// Undo the kill switch, a reached loss limit and open breakers.
    Reset,
    /// Only orders that reduce what is held.
    Reduce,
    /// No orders.
    Halt,
    /// Undo `reduce` and `halt`.
    Activate,
}

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// It was not done.
    Refused {
        /// Why.
        why: String,
    },
    /// The engine has handled the command, and its record is on the disk.
    Handled {
        /// The number of its record in the journal.
        record: u64,
        /// Whether the engine may quote now.
        quoting: bool,
        /// Why not.
        doubts: Vec<DoubtCause>,
    },
    /// What became of the orders that were open when the command came.
    Settled {
        /// Whether the venue has shown that nothing of ours is left in the command's scope.
        shown: bool,
        /// Each order and where it stands now.
        orders: Vec<(OrderId, OrderState)>,
    },
    /// How the engine stands.
    Status {
        /// The engine's view, as a JSON object.
        view: serde_json::Value,
    },
}
