//! How old the knowledge is.

use oddsmith_domain::{MarketSource, Outcome, Time};

use crate::PairBook;

/// When what was learned of a token, on the monotonic clock; a wall clock that jumps changes nothing here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The last frame for the token, when it arrived.
    pub last_frame: Option<Time>,
    /// Where that frame came from.
    pub source: Option<MarketSource>,
    /// Frames for the token so far: the feed's sequence number, given by us because the venue has none.
    pub sequence: u64,
    /// The last proof that the book is the venue's: a frame for it, or a REST book equal to ours.
    pub last_proof: Option<Time>,
    /// The venue's time of the newest statement, in milliseconds.
    pub timestamp_ms: u64,
}

/// How the connection that carries a token stands: what a quiet token's freshness may rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardProof {
    /// Nothing may be concluded: not connected, or its last rotating REST cross-check did not agree.
    None,
    /// Its last sign of life (data on any token, or a PONG in time), with a last cross-check that agreed.
    Alive(Time),
    /// Silent beyond its expected traffic: all its tokens are stale, whatever else was seen.
    Silent,
}

impl PairBook {
    /// What is known of a token, and when it was learned.
    #[must_use]
    pub fn times(&self, outcome: Outcome) -> &Times {
        &self.times[outcome.index()]
    }

    /// Nanoseconds since the last proof of a token's book; `None` when there was none, or the shard is silent.
    ///
    /// A market that does not trade is not stale: a shard that lives proves its quiet books too.
    #[must_use]
    pub fn proof_age_ns(&self, outcome: Outcome, now: Time, shard: ShardProof) -> Option<u64> {
        let own = self.times(outcome).last_proof?;
        match shard {
            ShardProof::Silent => None,
            ShardProof::None => Some(now.since(own)),
            ShardProof::Alive(at) => Some(now.since(own).min(now.since(at))),
        }
    }

    /// Whether the last proof is older than `limit_ns`. A token that was never seen is stale.
    #[must_use]
    pub fn is_stale(&self, outcome: Outcome, now: Time, limit_ns: u64, shard: ShardProof) -> bool {
        self.proof_age_ns(outcome, now, shard).is_none_or(|age| age > limit_ns)
    }

    /// Whether a frame for the token arrived within the last `window_ns`: only tokens with traffic are held to the limits on
    /// processing lag.
    #[must_use]
    pub fn had_traffic(&self, outcome: Outcome, now: Time, window_ns: u64) -> bool {
        self.times(outcome).last_frame.is_some_and(|at| now.since(at) <= window_ns)
    }

    /// Notes a frame for the token.
    pub(crate) fn note_frame(&mut self, outcome: Outcome, now: Time, timestamp_ms: u64, source: Option<MarketSource>) {
        let times = &mut self.times[outcome.index()];
        times.last_frame = Some(now);
        times.source = source.or(times.source);
        times.sequence += 1;
        times.timestamp_ms = times.timestamp_ms.max(timestamp_ms);
    }

    pub(crate) fn note_proof(&mut self, outcome: Outcome, now: Time) {
        self.times[outcome.index()].last_proof = Some(now);
    }
}
