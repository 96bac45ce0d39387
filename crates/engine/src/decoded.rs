//! Market frames that were decoded before: a recording is decoded once and run over many times.

use oddsmith_book::ShardProof;
use oddsmith_domain::{MarketBatch, MarketSource, Output, Time};

use crate::core::Engine;

/// A frame, and what it says.
#[derive(Clone, Copy, Debug)]
pub struct DecodedFrame<'f> {
    /// Where it comes from.
    pub source: MarketSource,
    /// The frame itself.
    pub bytes: &'f [u8],
    /// What decoding it with the engine's cards and numbers gives, and nothing in it was strange.
    pub batch: &'f MarketBatch,
}

impl Engine {
    /// [`Engine::handle`] for a market frame that was decoded already.
    pub fn handle_decoded(&mut self, frame: &DecodedFrame<'_>, now: Time, out: &mut Vec<Output>) {
        self.watch_clock(now, out);
        self.hear_frame(frame.source, now);
        self.on_batch(frame.source, frame.batch, now, out);
        self.pending = true;
    }

    /// A frame came: its connection lives.
    pub(crate) fn hear_frame(&mut self, source: MarketSource, now: Time) {
        self.counts.frames += 1;
        if let MarketSource::Shard(shard) = source {
            self.shards.entry(shard).or_default().proof = ShardProof::Alive(now);
        }
    }
}
