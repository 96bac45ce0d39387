//! What a recorder remembers beyond its own end.

use oddsmith_domain::MarketCard;
use serde::{Deserialize, Serialize};

use crate::certificate::Gap;
use crate::hours::Hours;

/// A market as it was followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    /// The market.
    pub card: MarketCard,
    /// The socket that carried it.
    pub socket: u16,
    /// What is counted of it.
    pub hours: Hours,
    /// Up to when nothing is missing; `None` before its first books.
    pub right_ns: Option<u64>,
    /// The gap under way.
    pub gap: Option<Gap>,
}

/// Everything that is certified at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The version of its layout.
    pub schema_version: u32,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub wall_ns: u64,
    /// When each socket's last data frame came; 0 before the first.
    pub sockets: Vec<u64>,
    /// The markets.
    pub markets: Vec<Followed>,
}
