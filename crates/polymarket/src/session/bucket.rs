//! Rate budgets.

use oddsmith_domain::Time;

/// A token bucket: refilled steadily up to its size, emptied by requests. It may go below zero when something that must not
/// wait (a cancel-all) takes from it, as the venue's own does.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    per_second: u64,
    /// Billionths of a token, so that a rate of one per second accrues one for each nanosecond.
    level: i64,
    size: i64,
    refilled_at: u64,
}

const ONE: i64 = 1_000_000_000;

impl TokenBucket {
    /// A full bucket of `size` tokens, refilled at `per_second`.
    #[must_use]
    pub const fn new(per_second: u32, size: u32, now: Time) -> TokenBucket {
        let size = size as i64 * ONE;
        TokenBucket { per_second: per_second as u64, level: size, size, refilled_at: now.mono_ns }
    }

    /// Whole tokens there are now; negative when more was taken than there was.
    pub fn available(&mut self, now: Time) -> i64 {
        self.refill(now);
        self.level.div_euclid(ONE)
    }

    /// Takes tokens if there are enough.
    pub fn take(&mut self, tokens: u32, now: Time) -> bool {
        let enough = self.available(now) >= i64::from(tokens);
        if enough {
            self.force(tokens, now);
        }
        enough
    }

    /// Takes tokens whether there are enough or not.
    pub fn force(&mut self, tokens: u32, now: Time) {
        self.refill(now);
        self.level = self.level.saturating_sub(i64::from(tokens) * ONE);
    }

    /// When there will be this many tokens, on the monotonic clock; `None` if never.
    pub fn ready_at(&mut self, tokens: u32, now: Time) -> Option<u64> {
        self.refill(now);
        let wanted = i64::from(tokens) * ONE;
        let missing = u64::try_from(wanted.saturating_sub(self.level)).unwrap_or(0);
        if missing == 0 {
            return Some(now.mono_ns);
        }
        if self.per_second == 0 || wanted > self.size {
            return None;
        }
        Some(now.mono_ns.saturating_add(missing.div_ceil(self.per_second)))
    }

    fn refill(&mut self, now: Time) {
        let elapsed = now.mono_ns.saturating_sub(self.refilled_at);
        self.refilled_at = self.refilled_at.max(now.mono_ns);
        let gained = i64::try_from(elapsed.saturating_mul(self.per_second)).unwrap_or(i64::MAX);
        self.level = self.level.saturating_add(gained).min(self.size);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Time {
        Time::default().plus_ns(ms * Time::MILLI)
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut bucket = TokenBucket::new(40, 60, at(0));
        assert!(bucket.take(60, at(0)));
        assert!(!bucket.take(1, at(24)));
        assert_eq!(bucket.ready_at(1, at(24)), Some(25 * Time::MILLI));
        assert!(bucket.take(1, at(25)));
        assert_eq!(bucket.available(at(10_000)), 60);
        assert_eq!(bucket.ready_at(61, at(10_000)), None);
    }

    #[test]
    fn a_forced_debt_is_paid_back_first() {
        let mut bucket = TokenBucket::new(10, 10, at(0));
        bucket.force(30, at(0));
        assert_eq!(bucket.available(at(0)), -20);
        assert!(!bucket.take(1, at(2_000)));
        assert!(bucket.take(1, at(2_100)));
    }

    proptest! {
        #[test]
        fn never_more_than_rate_and_burst(takes in proptest::collection::vec((0u64..200, 1u32..5), 1..200)) {
            let mut bucket = TokenBucket::new(40, 60, at(0));
            let (mut now, mut taken) = (0, 0u64);
            for (pause, tokens) in takes {
                now += pause;
                if bucket.take(tokens, at(now)) {
                    taken += u64::from(tokens);
                }
                prop_assert!(taken <= 60 + now * 40 / 1_000);
            }
        }
    }
}
