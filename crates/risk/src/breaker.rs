//! Counting what goes wrong in one market, so that this market alone is halted.

use oddsmith_domain::TripCause;
use serde::{Deserialize, Serialize};

/// When a market's breaker opens, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerRules {
    /// Refused orders in a row. 1 … 1000.
    pub max_rejects: u32,
    /// Failed cancels in a row. 1 … 1000.
    pub max_cancel_failures: u32,
    /// A request that took longer than this, in milliseconds. 100 … 600000.
    pub max_latency_ms: u64,
    /// For how long the market is halted, in seconds. 1 … 86400.
    pub halt_s: u64,
}

impl Default for BreakerRules {
    fn default() -> BreakerRules {
        BreakerRules { max_rejects: 3, max_cancel_failures: 3, max_latency_ms: 5_000, halt_s: 300 }
    }
}

/// How a request in a market went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    /// The venue took the order.
    Accepted,
    /// The venue refused the order.
    Rejected,
    /// The venue cancelled the order.
    Canceled,
    /// The venue did not cancel the order.
    CancelFailed,
    /// Neither: nothing is counted but the time it took.
    Unclear,
}

/// What has gone wrong in a row in one market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    rejects: u32,
    cancel_failures: u32,
}

impl Breaker {
    /// Counts a request. Returns why the breaker opens, if it does; it then counts from the beginning.
    pub fn note(&mut self, went: Went, took_ms: u64, rules: &BreakerRules) -> Option<TripCause> {
        match went {
            Went::Accepted => self.rejects = 0,
            Went::Rejected => self.rejects = self.rejects.saturating_add(1),
            Went::Canceled => self.cancel_failures = 0,
            Went::CancelFailed => self.cancel_failures = self.cancel_failures.saturating_add(1),
            Went::Unclear => {}
        }
        let cause = if self.rejects >= rules.max_rejects {
            TripCause::Rejects
        } else if self.cancel_failures >= rules.max_cancel_failures {
            TripCause::CancelFailures
        } else if took_ms > rules.max_latency_ms {
            TripCause::Latency
        } else {
            return None;
        };
        *self = Breaker::default();
        Some(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_row_open_it_and_a_success_in_between_does_not() {
        let (mut breaker, rules) = (Breaker::default(), BreakerRules::default());
        let mut note = |went, took| breaker.note(went, took, &rules);
        for (bad, good, cause) in [
            (Went::Rejected, Went::Accepted, TripCause::Rejects),
            (Went::CancelFailed, Went::Canceled, TripCause::CancelFailures),
        ] {
            assert_eq!([note(bad, 1), note(bad, 1), note(good, 1), note(bad, 1), note(bad, 1)], [None; 5]);
            assert_eq!(note(Went::Unclear, 1), None);
            assert_eq!(note(bad, 1), Some(cause));
            assert_eq!(note(bad, 1), None, "it counts from the beginning");
            note(good, 1);
        }
        assert_eq!(note(Went::Accepted, 5_000), None);
        assert_eq!(note(Went::Accepted, 5_001), Some(TripCause::Latency));
    }
}
