//! One instance's profit in one market, and what each change of it is put down to.
//!
//! Profit is counted here in ten-thousandths of a millionth of a dollar, [`FINE`] to the millionth: shares in millionths times a price in
//! units of 0.0001 is a whole number of these, so that nothing is rounded before the end.

use oddsmith_domain::{Movement, Price, SubAccount, Usdc};

use crate::split::Split;

/// Fine units in a millionth of a dollar.
pub(crate) const FINE: i128 = Price::ONE.units() as i128;

/// What a change of profit is put down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Spread,
    AdverseSelection,
    Inventory,
    Settlement,
    Other,
    Carried,
}

/// An account, and its profit so far by part, in fine units.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) held: SubAccount,
    /// YES less NO of the fills within their horizon, in millionths of a share.
    pub(crate) young: i128,
    parts: [i128; 6],
    fees: i128,
    rebates: i128,
}

impl Account {
    /// Realised profit and what is held at this price of YES; without one, what is held counts at its cost.
    fn worth(&self, mark: Option<Price>) -> i128 {
        worth(&self.held, mark)
    }

    pub(crate) fn put(&mut self, part: Part, fine: i128) {
        self.parts[part as usize] += fine;
    }

    /// The price of YES changed. What moved with the fills within their horizon is adverse selection, the rest inventory.
    pub(crate) fn remark(&mut self, before: Option<Price>, after: Option<Price>) {
        let change = self.worth(after) - self.worth(before);
        let adverse = match (before, after) {
            (Some(before), Some(after)) => self.young * steps(before, after),
            _ => 0,
        };
        self.put(Part::AdverseSelection, adverse);
        self.put(Part::Inventory, change - adverse);
    }

    /// The market is decided, or decided otherwise. Nothing that comes later is adverse selection.
    pub(crate) fn decide(&mut self, before: Option<Price>, pays: Price) {
        self.put(Part::Settlement, self.worth(Some(pays)) - self.worth(before));
        self.young = 0;
    }

    /// Moves the account. Fees are put down to fees, or to rebates if they are below zero; what else it changes is returned and put down
    /// to nothing yet. An `undone` movement is the reverse of one that was applied, and its fees go back to where they came from.
    pub(crate) fn apply(&mut self, movement: &Movement, undone: bool, mark: Option<Price>) -> i128 {
        let before = self.worth(mark);
        let held = &mut self.held;
        held.cash += movement.cash;
        held.realized += movement.realized;
        held.fees += movement.fee;
        for i in 0..2 {
            held.cost[i] += movement.cost[i];
            held.shares[i] += movement.shares[i];
        }
        let charged = -i128::from(movement.fee.micros()) * FINE;
        if movement.fee.is_negative() == undone {
            self.fees += charged
        } else {
            self.rebates += charged
        }
        self.worth(mark) - before - charged
    }

    /// The account as the ledger tells it. Where our sum differs, the difference is returned.
    pub(crate) fn told(&mut self, account: &SubAccount, mark: Option<Price>) -> i128 {
        let before = self.worth(mark);
        self.held = *account;
        self.worth(mark) - before
    }

    /// The parts in millionths. What rounding leaves is in the inventory.
    pub(crate) fn split(&self, mark: Option<Price>) -> Split {
        let of = |part: Part| micros(self.parts[part as usize]);
        let held = &self.held;
        let total = held.realized + mark.map_or(Usdc::ZERO, |mark| held.unrealized(mark));
        let mut split = Split {
            spread: of(Part::Spread),
            adverse_selection: of(Part::AdverseSelection),
            inventory: Usdc::ZERO,
            settlement: of(Part::Settlement),
            fees: micros(self.fees),
            rebates: micros(self.rebates),
            other: of(Part::Other),
            carried: of(Part::Carried),
            total,
        };
        split.inventory = total - split.sum();
        split
    }

    /// By how much the inventory of [`Account::split`] differs from its own sum, in fine units: rounding alone.
    pub(crate) fn rounding(&self, mark: Option<Price>) -> i128 {
        i128::from(self.split(mark).inventory.micros()) * FINE - self.parts[Part::Inventory as usize]
    }
}

/// See [`Account::worth`].
fn worth(held: &SubAccount, mark: Option<Price>) -> i128 {
    let fine = |amount: Usdc| i128::from(amount.micros()) * FINE;
    let Some(mark) = mark else { return fine(held.realized) };
    let [yes, no] = held.shares.map(|shares| i128::from(shares.micros()));
    fine(held.realized) - fine(held.cost_basis())
        + yes * i128::from(mark.units())
        + no * i128::from(mark.complement().units())
}

/// By how many price units a price moved.
pub(crate) fn steps(before: Price, after: Price) -> i128 {
    i128::from(after.units()) - i128::from(before.units())
}

fn micros(fine: i128) -> Usdc {
    let whole = fine.div_euclid(FINE).clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    // The clamp keeps it in range.
    Usdc::from_micros(i64::try_from(whole).unwrap_or(i64::MAX))
}
