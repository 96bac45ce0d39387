//! When a change is worth an evaluation: each instance's price listener.
//!
//! A book change wakes an instance if the mid has moved far enough since the instance last looked at it, and then at most once in the
//! debounce time: the first change after a rest is followed at once, the last one of a burst when the time is over, and the ones between
//! are one. Whatever happens, the instance looks again every synchronisation interval, and with every beat if it has a heartbeat.

use oddsmith_domain::{Millis, Outcome, Time};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, Timing, ns};
use crate::market::Market;

/// An instance's own listening; what is left out is as in `timing`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listener {
    /// In place of `timing.debounce_ms`. 0 … 60000.
    pub debounce_ms: Option<Millis>,
    /// In place of `timing.sync_interval_ms`. 100 … 600000.
    pub sync_interval_ms: Option<Millis>,
    /// A mid that moved by fewer ticks since the instance last looked does not wake it. 0 … 1000.
    pub min_move_ticks: u16,
    /// A mid that moved by less than this share of it, in percent, does not wake it. 0 … 100.
    pub min_move_percent: f64,
    /// It is evaluated so many times a second, whatever happens; 0 for never. 0, 20 … 50.
    pub heartbeat_hz: u32,
}

impl Listener {
    pub(crate) fn validate(&self, instance: &str) -> Result<(), ConfigError> {
        let fault = |name, value: String, range| {
            Err(ConfigError::Listener { instance: instance.to_owned(), name, value, range })
        };
        if let Some(value) = self.debounce_ms.filter(|value| *value > 60_000) {
            return fault("debounce_ms", value.to_string(), "0 … 60000");
        }
        if let Some(value) = self.sync_interval_ms.filter(|value| !(100..=600_000).contains(value)) {
            return fault("sync_interval_ms", value.to_string(), "100 … 600000");
        }
        if self.min_move_ticks > 1_000 {
            return fault("min_move_ticks", self.min_move_ticks.to_string(), "0 … 1000");
        }
        if !(0.0..=100.0).contains(&self.min_move_percent) {
            return fault("min_move_percent", self.min_move_percent.to_string(), "0 … 100");
        }
        if self.heartbeat_hz != 0 && !(20..=50).contains(&self.heartbeat_hz) {
            return fault("heartbeat_hz", self.heartbeat_hz.to_string(), "0 (never) or 20 … 50");
        }
        Ok(())
    }

    /// When the instance looks next after it did at `last`, by how much has changed since.
    pub(crate) fn next(&self, last: u64, (dirty, urgent): (bool, bool), timing: &Timing) -> u64 {
        let debounce = ns(self.debounce_ms.unwrap_or(timing.debounce_ms));
        let sync = ns(self.sync_interval_ms.unwrap_or(timing.sync_interval_ms));
        let beat = match self.heartbeat_hz {
            0 => u64::MAX,
            hz => Time::SECOND / u64::from(hz),
        };
        let wait = match (dirty, urgent) {
            (true, true) => return 0,
            (true, false) => debounce,
            (false, _) => sync,
        };
        last.saturating_add(wait.min(beat))
    }

    /// Whether a mid is far enough from the one that was last looked at. A side that came or went always is.
    pub(crate) fn hears(&self, last: Option<Mid>, now: Option<Mid>) -> bool {
        let (Some(last), Some(now)) = (last, now) else { return true };
        let moved = last.twice.abs_diff(now.twice);
        let ticks = 2 * u32::from(self.min_move_ticks) * u32::from(now.tick);
        moved >= ticks && f64::from(moved) * 100.0 >= self.min_move_percent * f64::from(last.twice)
    }
}

/// A mid, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mid {
    /// Bid and ask together, in price units.
    twice: u32,
    /// The grid, in price units.
    tick: u16,
}

impl Market {
    /// The YES mid, when both sides are there.
    pub(crate) fn mid(&self) -> Option<Mid> {
        let bid = self.book.best_bid(Outcome::Yes)?.price.units();
        let ask = self.book.best_ask(Outcome::Yes)?.price.units();
        Some(Mid { twice: u32::from(bid) + u32::from(ask), tick: self.card.tick?.units() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mid(twice: u32) -> Option<Mid> {
        Some(Mid { twice, tick: 100 })
    }

    #[test]
    fn below_at_and_above_the_threshold() {
        let by_ticks = Listener { min_move_ticks: 2, ..Listener::default() };
        let by_percent = Listener { min_move_percent: 4.0, ..Listener::default() };
        // A mid of 0.50 that moves by less than two cents, by two, by more: four percent of it are the same.
        for (twice, heard) in [(10_399, false), (10_400, true), (10_401, true), (9_601, false), (9_600, true)] {
            assert_eq!(by_ticks.hears(mid(10_000), mid(twice)), heard, "{twice}");
            assert_eq!(by_percent.hears(mid(10_000), mid(twice)), heard, "{twice}");
        }
        assert!(Listener::default().hears(mid(10_000), mid(10_000)), "without a threshold every change counts");
        assert!(by_ticks.hears(None, mid(10_000)) && by_ticks.hears(mid(10_000), None), "a side came or went");
    }

    #[test]
    fn when_an_instance_looks_next() {
        let timing = Timing::default();
        let usual = Listener::default();
        let last = 7 * Time::SECOND;
        assert_eq!(usual.next(last, (true, false), &timing), last + 100 * Time::MILLI);
        assert_eq!(usual.next(last, (true, true), &timing), 0);
        assert_eq!(usual.next(last, (false, false), &timing), last + Time::SECOND);
        let own = Listener { debounce_ms: Some(500), sync_interval_ms: Some(30_000), ..Listener::default() };
        assert_eq!(own.next(last, (true, false), &timing), last + 500 * Time::MILLI);
        assert_eq!(own.next(last, (false, false), &timing), last + 30 * Time::SECOND);
        let beating = Listener { heartbeat_hz: 50, ..own };
        assert_eq!(beating.next(last, (false, false), &timing), last + 20 * Time::MILLI);
        assert_eq!(beating.next(last, (true, false), &timing), last + 20 * Time::MILLI);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let wrong = [
            (Listener { debounce_ms: Some(60_001), ..Listener::default() }, "debounce_ms"),
            (Listener { sync_interval_ms: Some(99), ..Listener::default() }, "sync_interval_ms"),
            (Listener { min_move_ticks: 1_001, ..Listener::default() }, "min_move_ticks"),
            (Listener { min_move_percent: f64::NAN, ..Listener::default() }, "min_move_percent"),
            (Listener { heartbeat_hz: 19, ..Listener::default() }, "heartbeat_hz"),
        ];
        for (listener, setting) in wrong {
            assert!(matches!(listener.validate("a"), Err(ConfigError::Listener { name, .. }) if name == setting));
        }
        assert_eq!(Listener { heartbeat_hz: 20, ..Listener::default() }.validate("a"), Ok(()));
    }
}
