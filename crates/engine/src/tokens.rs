//! Settings of the account: what may differ, whose foreign tokens become, and what is converted.

use oddsmith_domain::{Shares, Usdc};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, InstanceConfig};

/// How the account is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// Tokens of the venue's count and of ours may differ by this much.
    pub tolerance: Shares,
    /// Collateral of the venue's count and of ours may differ by this much.
    pub cash_tolerance: Usdc,
    /// The instance that tokens from outside belong to, in its own markets; nobody's without one.
    pub adopt: Option<String>,
    /// Whether complete pairs of free tokens become collateral by themselves.
    pub merge_pairs: bool,
    /// The fewest pairs that are merged.
    pub merge_min: Shares,
    /// Whether a locked pair becomes collateral by itself, however small: nothing else is done in its market before.
    pub merge_locked: bool,
    /// Whether tokens of decided markets become collateral by themselves.
    pub redeem: bool,
    /// Whether the venue turns NO of some outcomes of an event into YES of the others: what needs it is not begun without.
    pub convert: bool,
}

impl Default for Tokens {
    fn default() -> Tokens {
        Tokens {
            tolerance: Shares::LOT,
            cash_tolerance: Usdc::from_micros(10_000),
            adopt: None,
            merge_pairs: false,
            merge_min: Shares::from_whole(5),
            merge_locked: true,
            redeem: false,
            convert: false,
        }
    }
}

impl Tokens {
    pub(crate) fn validate(&self, instances: &[InstanceConfig]) -> Result<(), ConfigError> {
        let wrong = |name: &'static str, why: &str| Err(ConfigError::Tokens { name, why: why.to_owned() });
        if self.tolerance.is_negative() {
            return wrong("tolerance", "0 or more is needed");
        }
        if self.cash_tolerance.is_negative() {
            return wrong("cash_tolerance", "0 or more is needed");
        }
        if !self.merge_min.is_positive() {
            return wrong("merge_min", "more than 0 is needed");
        }
        match &self.adopt {
            Some(name) if !instances.iter().any(|i| i.name == *name) => wrong("adopt", "no instance has this name"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(Tokens::default().validate(&[]), Ok(()));
        let negative = Tokens { tolerance: -Shares::LOT, ..Tokens::default() };
        let nothing = Tokens { merge_min: Shares::ZERO, ..Tokens::default() };
        let nobody = Tokens { adopt: Some("nobody".to_owned()), ..Tokens::default() };
        for (wrong, expected) in [(negative, "tolerance"), (nothing, "merge_min"), (nobody, "adopt")] {
            assert!(matches!(wrong.validate(&[]), Err(ConfigError::Tokens { name, .. }) if name == expected));
        }
    }
}
