//! How long to wait before trying again.

use oddsmith_domain::Time;

/// Exponential backoff with jitter: attempt `n` waits min(2^n, 60) seconds, of which between half and all is really waited, so
/// that many clients do not come back at the same moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    attempt: u32,
    cap_ns: u64,
    random: u64,
}

impl Backoff {
    /// The longest wait by default.
    pub const CAP_S: u64 = 60;

    /// A backoff that has not failed yet. `seed` decides the jitter.
    #[must_use]
    pub const fn new(seed: u64) -> Backoff {
        Backoff { attempt: 0, cap_ns: Backoff::CAP_S * Time::SECOND, random: seed }
    }

    /// Waits at most `cap_ns` in place of a minute.
    #[must_use]
    pub const fn with_cap_ns(mut self, cap_ns: u64) -> Backoff {
        self.cap_ns = cap_ns;
        self
    }

    /// How many attempts have failed since the last healthy period.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// A healthy period: the next failure waits briefly again.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }

    /// Counts a failure and says how long to wait, in nanoseconds.
    pub fn fail(&mut self) -> u64 {
        self.attempt = self.attempt.saturating_add(1);
        let full = self.full_ns();
        full / 2 + next_random(&mut self.random) % (full / 2 + 1)
    }

    /// The wait of the current attempt before jitter.
    #[must_use]
    pub const fn full_ns(&self) -> u64 {
        let seconds = if self.attempt < 32 { 1u64 << self.attempt } else { u64::MAX };
        let full = seconds.saturating_mul(Time::SECOND);
        if full < self.cap_ns { full } else { self.cap_ns }
    }
}

/// SplitMix64: enough to spread waits, and the same on every machine.
const fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_double_up_to_a_minute() {
        let mut backoff = Backoff::new(1);
        let mut waits = Vec::new();
        for _ in 0..7 {
            let waited = backoff.fail();
            waits.push(backoff.full_ns() / Time::SECOND);
            assert!(waited >= backoff.full_ns() / 2 && waited <= backoff.full_ns());
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.attempt(), 7);
        backoff.reset();
        backoff.fail();
        assert_eq!(backoff.full_ns(), 2 * Time::SECOND);
    }

    #[test]
    fn jitter_spreads_over_the_upper_half_and_follows_the_seed() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..200).map(|_| backoff.fail()).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        let late = &waits(7)[6..];
        let (low, high) = (late.iter().min().expect("some"), late.iter().max().expect("some"));
        assert!(*low < 33 * Time::SECOND && *high > 57 * Time::SECOND);
    }

    #[test]
    fn never_giving_up_does_not_overflow() {
        let mut backoff = Backoff::new(0);
        backoff.attempt = u32::MAX - 1;
        for _ in 0..3 {
            assert!(backoff.fail() <= Backoff::CAP_S * Time::SECOND);
        }
    }
}
