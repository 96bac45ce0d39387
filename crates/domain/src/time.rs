//! Time as an argument.

use serde::{Deserialize, Serialize};

/// A duration in milliseconds, as configurations and the venue state it.
pub type Millis = u64;

/// A moment on both clocks. The engine never reads a clock: its driver hands it one of these with every input.
///
/// Ages and deadlines are computed from `mono_ns`, which only grows; what the venue must understand, and what outlives a
/// process, uses `wall_ns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Time {
    /// Nanoseconds on a clock that never goes back; its zero is arbitrary.
    pub mono_ns: u64,
    /// Nanoseconds since the Unix epoch; may jump.
    pub wall_ns: u64,
}

impl Time {
    /// Nanoseconds in a millisecond.
    pub const MILLI: u64 = 1_000_000;
    /// Nanoseconds in a second.
    pub const SECOND: u64 = 1_000_000_000;

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn wall_ms(self) -> u64 {
        self.wall_ns / Time::MILLI
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn wall_s(self) -> u64 {
        self.wall_ns / Time::SECOND
    }

    /// Nanoseconds from `earlier` to now on the monotonic clock; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Time) -> u64 {
        self.mono_ns.saturating_sub(earlier.mono_ns)
    }

    /// The moment `ns` nanoseconds later on both clocks.
    #[must_use]
    pub const fn plus_ns(self, ns: u64) -> Time {
        Time { mono_ns: self.mono_ns.saturating_add(ns), wall_ns: self.wall_ns.saturating_add(ns) }
    }
}
