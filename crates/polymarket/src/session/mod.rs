//! Session machines: when to connect, subscribe, ping, send, wait and give up.
//!
//! A machine owns no socket and reads no clock. Its driver tells it what happened and what time it is, asks for its outputs
//! until there are none, carries them out, and comes back no later than [`MarketSession::next_deadline`]:
//!
//! 1. [`MarketSession`], one for each shard of at most 200 assets, and [`UserSession`] begin with `Connect`. When the socket
//!    stands, `on_open` gives the texts to send; every text that arrives goes through `on_text`; a socket that closes goes to
//!    `on_closed`, which waits and connects again, for ever.
//! 2. [`Outbox`] takes the engine's actions and says which request may leave now, on which kind of connection; answers,
//!    broken connections and silence come back to it. Each action gets exactly one result.
//!
//! What differs at this venue: there is no acknowledgement of a subscription and no sequence number. A market shard is up only
//! when the snapshot of every asset has arrived (or was read by REST); a user channel is up when the venue answered the PING
//! that followed the authentication, because refused keys are answered by silence and a closed connection.

mod backoff;
mod bucket;
mod market;
mod outbox;
mod traffic;
mod user;
mod wire;

pub use backoff::Backoff;
pub use bucket::TokenBucket;
pub use market::{MarketSession, SHARD_LIMIT, shard_assets};
pub use outbox::{
    Channel, Endpoint, FreeConnections, Outbox, OutboxOutput, OutboxSettings, Request, RequestBody, RequestId,
    SendFailure, fetch_failed,
};
pub use user::UserSession;
pub use wire::{SessionOutput, SessionSettings};
