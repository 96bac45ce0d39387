//! What traffic a connection may be expected to carry.

use oddsmith_domain::Time;

/// Learns the longest pauses of a connection's data, and from them how long a pause is suspicious.
///
/// The longest pause of each of the last five minutes is remembered. Four times the longest of them is more than the
/// connection has any reason to be quiet; a connection without history (a quiet market) is given the whole cap.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    floor_ns: u64,
    cap_ns: u64,
    window_start: u64,
    last_data: u64,
    longest: [u64; 5],
    windows: u32,
    frames: u32,
}

/// Frames that must have come before anything is expected of a connection.
const ENOUGH_FRAMES: u32 = 50;
const WINDOW_NS: u64 = 60 * Time::SECOND;

impl Traffic {
    pub(super) const fn new(now: Time, floor_ns: u64, cap_ns: u64) -> Traffic {
        Traffic {
            floor_ns,
            cap_ns,
            window_start: now.mono_ns,
            last_data: now.mono_ns,
            longest: [0; 5],
            windows: 0,
            frames: 0,
        }
    }

    /// Data arrived.
    pub(super) fn on_data(&mut self, now: Time) {
        let pause = now.mono_ns.saturating_sub(self.last_data);
        self.last_data = now.mono_ns;
        self.frames = self.frames.saturating_add(1);
        if now.mono_ns.saturating_sub(self.window_start) >= WINDOW_NS {
            self.window_start = now.mono_ns;
            self.longest.rotate_right(1);
            self.longest[0] = 0;
            self.windows = self.windows.saturating_add(1);
        }
        self.longest[0] = self.longest[0].max(pause);
    }

    /// How long a pause is still nothing unusual.
    pub(super) fn limit_ns(&self) -> u64 {
        let observed = self.last_data.saturating_sub(self.window_start);
        // A short acquaintance proves little: a burst after subscribing is no promise of traffic.
        if self.frames < ENOUGH_FRAMES || (self.windows == 0 && observed < self.floor_ns) {
            return self.cap_ns;
        }
        let longest = self.longest.iter().copied().max().unwrap_or(0);
        longest.saturating_mul(4).clamp(self.floor_ns, self.cap_ns.max(self.floor_ns))
    }

    /// When the pause becomes suspicious, on the monotonic clock.
    pub(super) fn suspicious_at(&self) -> u64 {
        self.last_data.saturating_add(self.limit_ns())
    }

    /// When data last came.
    pub(super) const fn last_data(&self) -> u64 {
        self.last_data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: u64 = 5 * Time::SECOND;
    const CAP: u64 = 300 * Time::SECOND;

    fn at(ms: u64) -> Time {
        Time::default().plus_ns(ms * Time::MILLI)
    }

    #[test]
    fn a_quiet_connection_is_given_the_cap() {
        let mut traffic = Traffic::new(at(0), FLOOR, CAP);
        for ms in 0..100 {
            traffic.on_data(at(ms));
        }
        assert_eq!(traffic.limit_ns(), CAP, "the first burst is the snapshots");
    }

    #[test]
    fn a_busy_connection_is_expected_to_stay_busy() {
        let mut traffic = Traffic::new(at(0), FLOOR, CAP);
        for n in 0..200 {
            traffic.on_data(at(n * 100));
        }
        assert_eq!(traffic.limit_ns(), FLOOR);
        assert_eq!(traffic.suspicious_at(), 19_900 * Time::MILLI + FLOOR);
    }

    #[test]
    fn bursts_with_long_pauses_are_not_silence() {
        let mut traffic = Traffic::new(at(0), FLOOR, CAP);
        for burst in 0..20u64 {
            for n in 0..50 {
                traffic.on_data(at(burst * 10_000 + n));
            }
        }
        assert!(traffic.limit_ns() >= 39 * Time::SECOND);
    }

    #[test]
    fn old_pauses_are_forgotten() {
        let mut traffic = Traffic::new(at(0), FLOOR, CAP);
        traffic.on_data(at(50_000));
        for n in 0..6_000u64 {
            traffic.on_data(at(50_000 + n * 100));
        }
        assert_eq!(traffic.limit_ns(), FLOOR);
    }
}
