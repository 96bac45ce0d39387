//! What part of the wallet's capital an instance may have at work.

use oddsmith_domain::Usdc;
use serde::{Deserialize, Serialize};

/// A part of the wallet's capital.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapitalPart {
    /// A part of whatever the wallet's capital is at the time, in millionths.
    Share(CapitalShare),
    /// So many dollars, whatever the capital is.
    Amount(Usdc),
}

/// A part of a whole, exact to the millionth; a decimal number in a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Usdc", into = "Usdc")]
pub struct CapitalShare(i64);

impl CapitalShare {
    /// All of it.
    pub const ALL: CapitalShare = CapitalShare(1_000_000);

    /// So many millionths.
    #[must_use]
    pub const fn millionths(self) -> i64 {
        self.0
    }

    /// Whether it is more than nothing, and not more than all.
    #[must_use]
    pub const fn is_part(self) -> bool {
        self.0 > 0 && self.0 <= CapitalShare::ALL.0
    }

    /// The share of a capital, rounded down; nothing of a debt.
    #[must_use]
    pub fn of(self, capital: Usdc) -> Usdc {
        let part = i128::from(capital.max(Usdc::ZERO).micros()) * i128::from(self.0) / i128::from(CapitalShare::ALL.0);
        Usdc::from_micros(i64::try_from(part).unwrap_or(i64::MAX))
    }
}

// A decimal number with six decimals is read as an amount is: of one dollar, so many millionths.
impl From<Usdc> for CapitalShare {
    fn from(of_a_dollar: Usdc) -> CapitalShare {
        CapitalShare(of_a_dollar.micros())
    }
}

impl From<CapitalShare> for Usdc {
    fn from(share: CapitalShare) -> Usdc {
        Usdc::from_micros(share.0)
    }
}

impl CapitalPart {
    /// How much that is of a wallet's capital.
    #[must_use]
    pub fn of(&self, capital: Usdc) -> Usdc {
        match self {
            CapitalPart::Share(share) => share.of(capital),
            CapitalPart::Amount(amount) => *amount,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_is_read_as_a_decimal_number() {
        let read = |text: &str| serde_json::from_str::<CapitalPart>(text);
        let quarter = read(r#"{"share": "0.25"}"#).expect("a share");
        assert_eq!(quarter, CapitalPart::Share(CapitalShare(250_000)));
        assert_eq!(read(r#"{"amount": "250"}"#).expect("an amount"), CapitalPart::Amount(Usdc::from_whole(250)));
        assert!(read(r#"{"part": 1}"#).is_err());
        let again = serde_json::to_string(&quarter).expect("json");
        assert_eq!(read(&again).expect("a share"), quarter);
        assert_eq!(quarter.of(Usdc::from_whole(1_000)), Usdc::from_whole(250));
        assert_eq!(quarter.of(Usdc::from_whole(-1)), Usdc::ZERO);
        assert!(!CapitalShare(0).is_part() && CapitalShare::ALL.is_part() && !CapitalShare(1_000_001).is_part());
    }

    proptest! {
        /// Shares that sum to no more than all never give away more than there is.
        #[test]
        fn shares_together_are_never_more_than_the_whole(cuts in prop::collection::vec(0i64..=1_000_000, 1..6), capital in 0i64..1_000_000_000_000) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut before = 0;
            let given: i64 = cuts.into_iter().map(|cut| {
                let share = CapitalShare(cut - std::mem::replace(&mut before, cut));
                share.of(Usdc::from_micros(capital)).micros()
            }).sum();
            prop_assert!(given <= capital);
        }
    }
}
