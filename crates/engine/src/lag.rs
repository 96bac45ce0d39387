//! How far a connection's frames are behind.
//!
//! The venue writes its own time into every change. How much later a change is taken in here is the way of the network, the wait in this
//! process, and the difference of two clocks. The last is not known, but it hardly changes: what counts is by how much a
//! frame is later than the quickest one of the last minute or two.

use oddsmith_domain::{DoubtCause, MarketBatch, MarketEvent, MarketSource, Output, Time};

use crate::core::Engine;

/// How long the quickest frame counts, at least; at most twice as long.
const WINDOW_NS: u64 = 60 * Time::SECOND;
/// A connection that was late and then carries nothing for this long has nothing waiting: it is quiet.
const QUIET_NS: u64 = 5 * Time::SECOND;

/// How far one connection is behind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag {
    /// The venue's newest time, in milliseconds.
    newest_ms: u64,
    /// The quickest frame of this window and of the one before: our time less the venue's, in milliseconds.
    quickest: [Option<i64>; 2],
    /// When this window ends, on the monotonic clock.
    window_ends: u64,
    /// When the last frame was taken in, on the monotonic clock.
    noted_at: u64,
    /// Whether what it carries is too late to quote by.
    pub(crate) late: bool,
}

impl Lag {
    /// Takes note of a frame. It is late from `limit_ms` on, and in time again below `resume_ms`; 0 as limit is never late. A frame that is
    /// older than one before it was overtaken on its way and says nothing.
    fn note(&mut self, stamp_ms: u64, now: Time, (limit_ms, resume_ms): (u64, u64)) {
        if limit_ms == 0 || stamp_ms < self.newest_ms {
            return;
        }
        (self.newest_ms, self.noted_at) = (stamp_ms, now.mono_ns);
        if now.mono_ns >= self.window_ends {
            self.quickest = [None, self.quickest[0]];
            self.window_ends = now.mono_ns.saturating_add(WINDOW_NS);
        }
        let difference =
            i64::try_from(i128::from(now.wall_ns / Time::MILLI) - i128::from(stamp_ms)).unwrap_or(i64::MAX);
        let [this, _] = &mut self.quickest;
        *this = Some(this.map_or(difference, |quickest| quickest.min(difference)));
        let quickest = self.quickest.into_iter().flatten().min().unwrap_or(difference);
        let behind = difference.saturating_sub(quickest).unsigned_abs();
        self.late = behind >= if self.late { resume_ms } else { limit_ms };
    }
}

/// The newest time that the venue wrote into a frame. A snapshot may bear the time of a change that was long ago.
fn stamp_of(batch: &MarketBatch) -> Option<u64> {
    let stamps = batch.events.iter().filter_map(|event| match event {
        MarketEvent::Change(change) => Some(change.timestamp_ms),
        MarketEvent::LastTrade { timestamp_ms, .. } | MarketEvent::BestBidAsk { timestamp_ms, .. } => {
            Some(*timestamp_ms)
        }
        _ => None,
    });
    stamps.max()
}

impl Engine {
    /// Frames that come too late stop the markets of their connection until they come in time again.
    pub(crate) fn watch_lag(&mut self, source: MarketSource, batch: &MarketBatch, now: Time, out: &mut Vec<Output>) {
        let MarketSource::Shard(id) = source else { return };
        let Some(stamp_ms) = stamp_of(batch) else { return };
        let limits = (self.config.doubt.feed_lag_ms, self.config.doubt.feed_lag_resume_ms);
        let Some(shard) = self.shards.get_mut(&id) else { return };
        let before = shard.lag.late;
        shard.lag.note(stamp_ms, now, limits);
        let late = shard.lag.late;
        if before || late {
            self.tell_lag(id, late, now, out);
        }
    }

    /// Looks for connections that were late and have gone quiet.
    pub(crate) fn watch_quiet(&mut self, now: Time, out: &mut Vec<Output>) {
        let quiet = |lag: &Lag| lag.late && now.mono_ns.saturating_sub(lag.noted_at) >= QUIET_NS;
        while let Some((id, shard)) = self.shards.iter_mut().find(|(_, shard)| quiet(&shard.lag)) {
            let id = *id;
            shard.lag.late = false;
            self.tell_lag(id, false, now, out);
        }
    }

    fn tell_lag(&mut self, shard: u16, late: bool, now: Time, out: &mut Vec<Output>) {
        for n in 0..self.markets.count() {
            let Some(market) = self.markets.nth_mut(n).filter(|market| market.id.shard() == shard) else { continue };
            let id = market.id;
            if late {
                self.doubt_market(id, DoubtCause::FeedLag, now, out);
            } else {
                market.doubt.resolve(DoubtCause::FeedLag);
            }
        }
    }

    /// The wall clock was set: what was measured with it says nothing any more.
    pub(crate) fn forget_lag(&mut self) {
        self.shards.values_mut().for_each(|shard| shard.lag = Lag::default());
        self.markets.iter_mut().for_each(|market| market.doubt.resolve(DoubtCause::FeedLag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time { mono_ns: ms * Time::MILLI, wall_ns: (1_000_000 + ms) * Time::MILLI }
    }

    /// Frames as (when it was taken in, the venue's time), the same clock on both sides but for `skew`.
    fn late(frames: &[(u64, u64)], skew: i64) -> Vec<bool> {
        let mut lag = Lag::default();
        let stamp = |ms: u64| (1_000_000 + ms).saturating_add_signed(skew);
        frames.iter().map(|(now, ms)| (lag.note(stamp(*ms), at(*now), (500, 200)), lag.late).1).collect()
    }

    #[test]
    fn late_from_the_limit_on_and_in_time_again_below_the_lower_one() {
        let frames = [(100, 80), (700, 181), (800, 280), (900, 679), (1_000, 780), (1_100, 880), (1_200, 981)];
        let expected = [false, false, true, true, true, true, false];
        for skew in [0, -5_000, 5_000] {
            assert_eq!(late(&frames, skew), expected, "a clock that is {skew} ms off changes nothing");
        }
    }

    #[test]
    fn a_frame_that_was_overtaken_says_nothing() {
        assert_eq!(late(&[(100, 80), (700, 690), (710, 90)], 0), [false; 3]);
    }

    #[test]
    fn a_clock_that_was_set_is_believed_after_two_windows() {
        let mut frames = vec![(100, 80)];
        frames.extend((1..=12).map(|n| (10_000 * n + 1_000, 10_000 * n)));
        let late = late(&frames, 0);
        assert!(late[1..=11].iter().all(|late| *late), "the quickest frame of the last minute still counts");
        assert!(!late[12], "it does not after two");
    }

    #[test]
    fn without_a_limit_nothing_is_late() {
        let mut lag = Lag::default();
        for (now, ms) in [(0, 0), (60_000, 1)] {
            lag.note(1_000_000 + ms, at(now), (0, 0));
            assert!(!lag.late);
        }
    }
}
