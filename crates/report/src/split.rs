//! The parts of a profit.

use std::iter::Sum;
use std::ops::AddAssign;

use oddsmith_domain::Usdc;
use serde::{Deserialize, Serialize};

/// Where a profit came from. The parts always sum to the total.
///
/// The total is the ledger's: realised profit, and what is held valued at the last mid. Between two moments it changes because
/// something happened (a fill, a booking) or because the mid moved, and each change is one of these parts. Mids are whole price units
/// (0.0001), rounded half up, as the engine values holdings. The inventory part also has what is lost to rounding: less than ten
/// millionths an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Spread captured at fills: the distance between the mid and what was paid or received, fees apart. Negative when taking.
    pub spread: Usdc,
    /// How the mid moved for or against each fill until the horizon after it. Negative is adverse.
    pub adverse_selection: Usdc,
    /// How the mid moved what was held longer than that; what was filled before any mid was known; rounding.
    pub inventory: Usdc,
    /// The jump from the last mid to what the shares pay, and fills that were told after it.
    pub settlement: Usdc,
    /// Fees, as a negative amount.
    pub fees: Usdc,
    /// Fees below zero: what the venue paid for a fill. Rebates that come as a daily payment are deposits and not in the ledger.
    pub rebates: Usdc,
    /// What came or went without a match, at the mid of that moment: tokens held before, transfers between instances, corrections,
    /// fills of a run before that were undone.
    pub other: Usdc,
    /// What the runs before this one had earned when it took over from them.
    pub carried: Usdc,
    /// The ledger's profit.
    pub total: Usdc,
}

impl Split {
    /// The sum of the parts: the total.
    #[must_use]
    pub fn sum(&self) -> Usdc {
        self.parts().into_iter().map(|(_, amount)| amount).sum()
    }

    /// The parts with their names, in the order in which they are shown.
    #[must_use]
    pub const fn parts(&self) -> [(&'static str, Usdc); 8] {
        [
            ("spread", self.spread),
            ("adverse selection", self.adverse_selection),
            ("inventory", self.inventory),
            ("settlement", self.settlement),
            ("fees", self.fees),
            ("rebates", self.rebates),
            ("other", self.other),
            ("carried over", self.carried),
        ]
    }
}

impl AddAssign for Split {
    fn add_assign(&mut self, other: Split) {
        self.spread += other.spread;
        self.adverse_selection += other.adverse_selection;
        self.inventory += other.inventory;
        self.settlement += other.settlement;
        self.fees += other.fees;
        self.rebates += other.rebates;
        self.other += other.other;
        self.carried += other.carried;
        self.total += other.total;
    }
}

impl Sum for Split {
    fn sum<I: Iterator<Item = Split>>(iter: I) -> Split {
        let mut sum = Split::default();
        iter.for_each(|split| sum += split);
        sum
    }
}
