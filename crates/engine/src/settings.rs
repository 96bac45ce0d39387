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
}

impl Default for Doubts {
    fn default() -> Doubts {
        Doubts {
            clock_jump_ms: 1_000,
            resync_failures: 3,
            balance_refusals: 3,
            venue_pause_ms: 2_000,
            post_only_ms: 120_000,
        }
    }
}

impl Doubts {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        check(
            "doubt",
            &[
                ("clock_jump_ms", self.clock_jump_ms, 10, 60_000, "10 … 60000"),
                ("resync_failures", self.resync_failures.into(), 1, 100, "1 … 100"),
                ("balance_refusals", self.balance_refusals.into(), 1, 100, "1 … 100"),
                ("venue_pause_ms", self.venue_pause_ms, 100, 60_000, "100 … 60000"),
                ("post_only_ms", self.post_only_ms, 0, 3_600_000, "0 … 3600000"),
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
        let wrong = Doubts { clock_jump_ms: 9, ..Doubts::default() };
        assert!(matches!(
            wrong.validate(),
            Err(ConfigError::Setting { section: "doubt", name: "clock_jump_ms", value: 9, .. })
        ));
    }
}
