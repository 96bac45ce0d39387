//! What a driver hands to the edge, and what it is handed.

use std::collections::BTreeMap;

use oddsmith_domain::{Input, MarketSource, SignatureType};
use oddsmith_polymarket::discovery::{DiscoveryCounts, DiscoverySettings};
use oddsmith_polymarket::session::{OutboxSettings, SessionSettings};

use crate::ws::WsFault;

/// Whom to talk to, and how.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// The REST surface: `http://host:port`.
    pub rest_url: String,
    /// The market channel: `ws://host:port/ws/market`.
    pub market_url: String,
    /// The user channel: `ws://host:port/ws/user`.
    pub user_url: String,
    /// Gamma, where markets are found: `http://host:port/gamma`.
    pub gamma_url: String,
    /// Which markets are looked for, and how often.
    pub discovery: DiscoverySettings,
    /// Between two questions for the venue's protocol version.
    pub protocol_every_ms: u64,
    /// How orders are signed, and so whose balances are read.
    pub signature_type: SignatureType,
    /// Connections for placements, queries, heartbeats.
    pub order_connections: usize,
    /// Connections reserved for cancels.
    pub cancel_connections: usize,
    /// Times of the WebSocket sessions.
    pub session: SessionSettings,
    /// Limits and times of the outbox.
    pub outbox: OutboxSettings,
    /// How long a connection, a handshake or a read on the side may take, in milliseconds.
    pub side_timeout_ms: u64,
    /// Decides every jitter.
    pub seed: u64,
    /// Whether only what is public is read: no user channel, no order connection, and no request that a key signs.
    pub public_only: bool,
}

impl EdgeSettings {
    /// The usual settings for a venue with all of its surfaces at one address, as the local exchange has them.
    #[must_use]
    pub fn at(rest_url: &str, market_url: &str, user_url: &str, seed: u64) -> EdgeSettings {
        EdgeSettings {
            rest_url: rest_url.to_owned(),
            market_url: market_url.to_owned(),
            user_url: user_url.to_owned(),
            gamma_url: format!("{}/gamma", rest_url.trim_end_matches('/')),
            discovery: DiscoverySettings::default(),
            protocol_every_ms: 60_000,
            signature_type: SignatureType::Eoa,
            order_connections: 4,
            cancel_connections: 2,
            session: SessionSettings::default(),
            outbox: OutboxSettings::default(),
            side_timeout_ms: 5_000,
            seed,
            public_only: false,
        }
    }
}

/// Where inputs go: the engine's lanes.
pub trait Intake {
    /// A market frame, or a book read by REST.
    fn frame(&mut self, source: MarketSource, bytes: &[u8]);
    /// A frame of the user channel.
    fn user(&mut self, bytes: &[u8]);
    /// Anything else that is lossless.
    fn input(&mut self, input: Input<'static>);
}

/// What the edge counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeCounts {
    /// WebSocket faults of the venue, by kind.
    pub ws_faults: BTreeMap<WsFault, u64>,
    /// Connections of the market and user channel that ended.
    pub ws_ends: u64,
    /// Requests without an answer.
    pub order_faults: u64,
    /// Bytes of market frames handed over.
    pub market_bytes: u64,
    /// Market frames handed over.
    pub market_frames: u64,
    /// What discovery has seen.
    pub discovery: DiscoveryCounts,
}

/// How the connections stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeStatus {
    /// Market shards, and how many of them are live.
    pub shards: (usize, usize),
    /// Whether the user channel is live.
    pub user: bool,
    /// Whether orders can be sent.
    pub orders: bool,
    /// Order connections that stand.
    pub order_connections: usize,
}
