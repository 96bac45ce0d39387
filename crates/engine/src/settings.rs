//! Settings of doubt and of sending, with their ranges.

use oddsmith_domain::Millis;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// When something is in doubt, and how the engine tries again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Doubts {
    /// Wall clock and monotonic clock may disagree by this much about the time between two inputs; more stops the wallet.
    /// 10 … 60000.
    pub clock_jump_ms: Millis,
    /// So many failed reads of the account in a row stop the wallet. 1 … 100.
    pub resync_failures: u32,
    /// So many orders in a row refused for want of balance stop the wallet, so that the account is read. 1 … 100.
    pub balance_refusals: u32,
    /// After the venue said that it takes no orders, the wallet rests this long before it tries again; doubled each time in a
    /// row, up to a minute. 100 … 60000.
    pub venue_pause_ms: Millis,
    /// After a restart of the venue, or its word that it is post-only, only post-only orders are sent for this long.
    /// 0 … 3600000.
    pub post_only_ms: Millis,
    /// A market whose connection is missing for this long lives on books read by REST; 0 for never. 0, 1000 … 600000.
    pub degraded_after_ms: Millis,
    /// How often these books are read. 1000 … 60000.
    pub degraded_poll_ms: Millis,
    /// Two reads agree when their best prices are no further apart than this. 0 … 100.
    pub degraded_tolerance_ticks: u16,
    /// Frames of a market connection that are taken in this much later than its quickest of the last minute or two stop its
    /// markets; 0 for never. 0, 50 … 60000.
    pub feed_lag_ms: Millis,
    /// Its markets are quoted again when frames are late by less than this. 1 … `feed_lag_ms`.
    pub feed_lag_resume_ms: Millis,
}

impl Default for Doubts {
    fn default() -> Doubts {
        Doubts {
            clock_jump_ms: 1_000,
            resync_failures: 3,
            balance_refusals: 3,
            venue_pause_ms: 2_000,
            post_only_ms: 120_000,
            degraded_after_ms: 10_000,
            degraded_poll_ms: 1_000,
            degraded_tolerance_ticks: 1,
            feed_lag_ms: 500,
            feed_lag_resume_ms: 200,
        }
    }
}

impl Doubts {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let after = if self.degraded_after_ms == 0 { 1_000 } else { self.degraded_after_ms };
        let (lag, resume) = match self.feed_lag_ms {
            0 => (50, 1),
            lag => (lag, self.feed_lag_resume_ms),
        };
        check(
            "doubt",
            &[
                ("clock_jump_ms", self.clock_jump_ms, 10, 60_000, "10 … 60000"),
                ("resync_failures", self.resync_failures.into(), 1, 100, "1 … 100"),
                ("balance_refusals", self.balance_refusals.into(), 1, 100, "1 … 100"),
                ("venue_pause_ms", self.venue_pause_ms, 100, 60_000, "100 … 60000"),
                ("post_only_ms", self.post_only_ms, 0, 3_600_000, "0 … 3600000"),
                ("degraded_after_ms", after, 1_000, 600_000, "0 (never) or 1000 … 600000"),
                ("degraded_poll_ms", self.degraded_poll_ms, 1_000, 60_000, "1000 … 60000"),
                ("degraded_tolerance_ticks", self.degraded_tolerance_ticks.into(), 0, 100, "0 … 100"),
                ("feed_lag_ms", lag, 50, 60_000, "0 (never) or 50 … 60000"),
                ("feed_lag_resume_ms", resume, 1, lag, "1 … feed_lag_ms"),
            ],
        )
    }
}

/// How orders are sent, and when they are taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sending {
    /// An order that the venue takes later than this after it was made is cancelled. 10 … 60000.
    pub late_answer_ms: Millis,
    /// An order that has rested for this long is cancelled, and placed anew if it is still wanted; 0 for never.
    /// 0, 1000 … 86400000.
    pub order_ttl_ms: Millis,
    /// After a post-only refusal a quote is tried this many times, one tick further away each time. 0 … 10.
    pub reprice_tries: u32,
    /// After the last of these tries the side is not quoted for this long. 0 … 3600000.
    pub defence_ms: Millis,
    /// So many failures of one kind of request in a row open its breaker. Cancels have none. 1 … 100.
    pub breaker_failures: u32,
    /// An open breaker lets nothing out for this long. 100 … 600000.
    pub breaker_pause_ms: Millis,
    /// So many requests may then go out; when all of them are answered the breaker closes. 1 … 100.
    pub breaker_probes: u32,
}

impl Default for Sending {
    fn default() -> Sending {
        Sending {
            late_answer_ms: 2_000,
            order_ttl_ms: 300_000,
            reprice_tries: 3,
            defence_ms: 60_000,
            breaker_failures: 5,
            breaker_pause_ms: 30_000,
            breaker_probes: 3,
        }
    }
}

impl Sending {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let ttl = if self.order_ttl_ms == 0 { 1_000 } else { self.order_ttl_ms };
        check(
            "sending",
            &[
                ("late_answer_ms", self.late_answer_ms, 10, 60_000, "10 … 60000"),
                ("order_ttl_ms", ttl, 1_000, 86_400_000, "0 (never) or 1000 … 86400000"),
                ("reprice_tries", self.reprice_tries.into(), 0, 10, "0 … 10"),
                ("defence_ms", self.defence_ms, 0, 3_600_000, "0 … 3600000"),
                ("breaker_failures", self.breaker_failures.into(), 1, 100, "1 … 100"),
                ("breaker_pause_ms", self.breaker_pause_ms, 100, 600_000, "100 … 600000"),
                ("breaker_probes", self.breaker_probes.into(), 1, 100, "1 … 100"),
            ],
        )
    }
}

/// A number with its name, its lowest and highest value, and its range in words.
type Row = (&'static str, u64, u64, u64, &'static str);

fn check(section: &'static str, rows: &[Row]) -> Result<(), ConfigError> {
    match rows.iter().find(|(_, value, low, high, _)| !(low..=high).contains(&value)) {
        Some(&(name, value, _, _, range)) => Err(ConfigError::Setting { section, name, value, range }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_what_is_not_is_named() {
        assert_eq!(Doubts::default().validate(), Ok(()));
        assert_eq!(Sending::default().validate(), Ok(()));
        assert_eq!(Sending { order_ttl_ms: 0, ..Sending::default() }.validate(), Ok(()));
        let brief = Sending { order_ttl_ms: 999, ..Sending::default() };
        assert!(matches!(brief.validate(), Err(ConfigError::Setting { name: "order_ttl_ms", value: 999, .. })));
        let never = Doubts { feed_lag_ms: 0, ..Doubts::default() };
        assert_eq!(never.validate(), Ok(()));
        let upside_down = Doubts { feed_lag_resume_ms: 501, ..Doubts::default() };
        assert!(matches!(
            upside_down.validate(),
            Err(ConfigError::Setting { name: "feed_lag_resume_ms", value: 501, .. })
        ));
        let wrong = Doubts { clock_jump_ms: 9, ..Doubts::default() };
        assert!(matches!(
            wrong.validate(),
            Err(ConfigError::Setting { section: "doubt", name: "clock_jump_ms", value: 9, .. })
        ));
    }
}
