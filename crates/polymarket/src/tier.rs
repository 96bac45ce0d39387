//! The venue's rate tiers.

use serde::{Deserialize, Serialize};

/// How fast orders and cancels of a signer may come: requests per second, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Tokens that come back per second.
    pub per_second: u32,
    /// Tokens of a full bucket.
    pub burst: u32,
}

/// A rate tier of the venue, by the wallet's volume of the last thirty days (protocol section 11.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Any wallet.
    #[default]
    Standard,
    /// From 30,000 dollars.
    Copper,
    /// From 50,000 dollars.
    Bronze,
    /// From 100,000 dollars.
    Silver,
    /// From 500,000 dollars.
    Gold,
    /// From 2.5 million dollars.
    Platinum,
    /// From 5 million dollars.
    Diamond,
    /// From 10 million dollars.
    Elite,
}

impl Tier {
    /// The venue's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Tier::Standard => "Standard",
            Tier::Copper => "Copper",
            Tier::Bronze => "Bronze",
            Tier::Silver => "Silver",
            Tier::Gold => "Gold",
            Tier::Platinum => "Platinum",
            Tier::Diamond => "Diamond",
            Tier::Elite => "Elite",
        }
    }

    /// For placements: one token for each order.
    #[must_use]
    pub const fn orders(self) -> Budget {
        let (per_second, burst) = match self {
            Tier::Standard => (40, 60),
            Tier::Copper => (60, 90),
            Tier::Bronze => (80, 120),
            Tier::Silver => (200, 300),
            Tier::Gold => (400, 600),
            Tier::Platinum => (450, 675),
            Tier::Diamond => (525, 787),
            Tier::Elite => (600, 900),
        };
        Budget { per_second, burst }
    }

    /// For cancels: one token for each named order; for a scope, one, and one more for each order that was cancelled.
    #[must_use]
    pub const fn cancels(self) -> Budget {
        let Budget { per_second, burst } = self.orders();
        // The venue's table has 1575 for one tier, which is not twice 787.
        let burst = if matches!(self, Tier::Diamond) { 1_575 } else { burst * 2 };
        Budget { per_second: per_second * 2, burst }
    }

    /// Whether what a cancel of a scope turns out to cost may bring the bucket below zero.
    #[must_use]
    pub const fn may_owe(self) -> bool {
        matches!(self, Tier::Standard | Tier::Copper | Tier::Bronze | Tier::Silver | Tier::Gold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancels_have_twice_as_much_as_orders() {
        let pair = |tier: Tier| [tier.orders(), tier.cancels()].map(|budget| (budget.per_second, budget.burst));
        assert_eq!(pair(Tier::Standard), [(40, 60), (80, 120)]);
        assert_eq!(pair(Tier::Diamond), [(525, 787), (1_050, 1_575)]);
        assert_eq!(pair(Tier::Elite), [(600, 900), (1_200, 1_800)]);
        assert!(Tier::Gold.may_owe() && !Tier::Platinum.may_owe());
    }
}
