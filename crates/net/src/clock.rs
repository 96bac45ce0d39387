//! The one place that reads clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use oddsmith_domain::Time;

/// Both clocks of this process. The monotonic one counts from when this was made, plus one second, so that zero is always past.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Time {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time { mono_ns: nanos(self.origin.elapsed()).saturating_add(Time::SECOND), wall_ns: nanos(wall) }
    }

    /// The runtime's name for a moment of the monotonic clock.
    #[must_use]
    pub fn instant(&self, mono_ns: u64) -> Instant {
        let since = std::time::Duration::from_nanos(mono_ns.saturating_sub(Time::SECOND));
        // A moment beyond what the system can express is as far away as it gets.
        self.origin.checked_add(since).unwrap_or_else(|| self.origin + std::time::Duration::from_secs(1 << 30))
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
