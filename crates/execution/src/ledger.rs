//! Double-entry accounts of shares and cash, in millionths.

use std::collections::BTreeMap;

use oddsmith_domain::{InstanceId, MarketId, Outcome, Price, Shares, Side, Usdc};
use thiserror::Error;

/// Why a movement was not booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// Its size is zero or negative.
    #[error("a movement of {0} shares is none")]
    Size(Shares),
}

/// What a movement did to a sub-account, so that it can be undone exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Movement {
    /// Change of cash.
    pub cash: Usdc,
    /// Change of the cost of the shares held, by outcome.
    pub cost: [Usdc; 2],
    /// Change of the realised profit.
    pub realized: Usdc,
    /// Change of the shares held, by outcome.
    pub shares: [Shares; 2],
    /// Fees contained in it.
    pub fee: Usdc,
}

impl Movement {
    /// Whether it keeps the identity: cash and cost together change by what was realised.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.cash + self.cost[0] + self.cost[1] == self.realized
    }

    fn reversed(self) -> Movement {
        Movement {
            cash: -self.cash,
            cost: self.cost.map(|c| -c),
            realized: -self.realized,
            shares: self.shares.map(|s| -s),
            fee: -self.fee,
        }
    }
}

/// What one instance has in one market. Cash is counted from zero: the wallet's opening balance is nobody's profit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubAccount {
    /// Net cash since the start.
    pub cash: Usdc,
    /// What the shares held have cost, entry fees included, by outcome.
    pub cost: [Usdc; 2],
    /// Profit realised since the start, fees included.
    pub realized: Usdc,
    /// Shares held by every match so far, by outcome.
    pub shares: [Shares; 2],
    /// Fees paid since the start.
    pub fees: Usdc,
}

impl SubAccount {
    /// What all shares held have cost.
    #[must_use]
    pub fn cost_basis(&self) -> Usdc {
        self.cost[0] + self.cost[1]
    }

    /// The identity of the books: `cash = realized - cost basis`, exactly.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.cash == self.realized - self.cost_basis()
    }

    /// Whether more has been sold than was held.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.shares.iter().any(|s| s.is_negative())
    }

    /// Profit not realised if YES is worth `mid` and NO the rest.
    #[must_use]
    pub fn unrealized(&self, mid: Price) -> Usdc {
        self.shares[0].cost_floor(mid) + self.shares[1].cost_floor(mid.complement()) - self.cost_basis()
    }

    fn apply(&mut self, m: &Movement) {
        self.cash += m.cash;
        self.realized += m.realized;
        self.fees += m.fee;
        for i in 0..2 {
            self.cost[i] += m.cost[i];
            self.shares[i] += m.shares[i];
        }
    }
}

/// The sub-accounts of all instances. They sum to the wallet's change since the start.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<(MarketId, InstanceId), SubAccount>,
}

impl Ledger {
    /// One instance's account in one market.
    #[must_use]
    pub fn account(&self, instance: InstanceId, market: MarketId) -> SubAccount {
        self.accounts.get(&(market, instance)).copied().unwrap_or_default()
    }

    /// Every account that has ever moved.
    pub fn accounts(&self) -> impl Iterator<Item = (InstanceId, MarketId, &SubAccount)> {
        self.accounts.iter().map(|(&(market, instance), account)| (instance, market, account))
    }

    /// The accounts of one market.
    pub fn market(&self, market: MarketId) -> impl Iterator<Item = (InstanceId, &SubAccount)> {
        let range = (market, InstanceId(0))..=(market, InstanceId(u16::MAX));
        self.accounts.range(range).map(|(&(_, instance), account)| (instance, account))
    }

    /// Books a fill: `notional` is what was paid or received for the shares, `fee` what was charged besides.
    ///
    /// A buy's fee becomes part of what the shares cost; a sell's fee comes off what is realised. The cost that leaves with a sale
    /// is rounded down, and the last share takes what is left, so that nothing is lost to rounding.
    ///
    /// A fill is a fact: a sale of more than is held is booked too and leaves the account short of shares, which the caller must
    /// report ([`SubAccount::is_short`]).
    ///
    /// # Errors
    /// [`LedgerError::Size`] for no shares. Nothing is booked then.
    pub fn fill(
        &mut self,
        (instance, market): (InstanceId, MarketId),
        (outcome, side): (Outcome, Side),
        size: Shares,
        notional: Usdc,
        fee: Usdc,
    ) -> Result<Movement, LedgerError> {
        if !size.is_positive() {
            return Err(LedgerError::Size(size));
        }
        let account = self.accounts.entry((market, instance)).or_default();
        let i = outcome.index();
        let mut movement = Movement { fee, ..Movement::default() };
        match side {
            Side::Buy => {
                movement.cash = -(notional + fee);
                movement.cost[i] = notional + fee;
                movement.shares[i] = size;
            }
            Side::Sell => {
                let leaving = share_of(account.cost[i], size, account.shares[i]);
                movement.cash = notional - fee;
                movement.cost[i] = -leaving;
                movement.realized = notional - fee - leaving;
                movement.shares[i] = -size;
            }
        }
        account.apply(&movement);
        Ok(movement)
    }

    /// Undoes a movement, because its settlement failed.
    pub fn undo(&mut self, (instance, market): (InstanceId, MarketId), movement: &Movement) {
        self.accounts.entry((market, instance)).or_default().apply(&movement.reversed());
    }

    /// Whether every account balances.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.accounts.values().all(SubAccount::balances)
    }

    /// Cash of all accounts together: the wallet's change since the start.
    #[must_use]
    pub fn cash(&self) -> Usdc {
        self.accounts.values().map(|a| a.cash).sum()
    }
}

/// The part of `cost` that belongs to `size` of `held` shares, rounded down; all of it when all leave.
fn share_of(cost: Usdc, size: Shares, held: Shares) -> Usdc {
    if size >= held {
        return cost;
    }
    let part = i128::from(cost.micros()) * i128::from(size.micros()) / i128::from(held.micros().max(1));
    Usdc::from_micros(i64::try_from(part).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHERE: (InstanceId, MarketId) = (InstanceId(0), MarketId(0));

    fn usdc(text: &str) -> Usdc {
        text.parse().expect("decimal")
    }

    #[test]
    fn the_worked_example() {
        // quant 6.1: buy 100 YES at 0.48, buy 60 NO at 0.49 as a taker, mid 0.55.
        let mut ledger = Ledger::default();
        let buy = |outcome| (outcome, Side::Buy);
        ledger.fill(WHERE, buy(Outcome::Yes), Shares::from_whole(100), usdc("48"), Usdc::ZERO).expect("a fill");
        ledger.fill(WHERE, buy(Outcome::No), Shares::from_whole(60), usdc("29.4"), usdc("1.04958")).expect("a fill");
        let account = ledger.account(WHERE.0, WHERE.1);
        assert_eq!(account.cash, usdc("-78.44958"));
        assert_eq!(account.cost, [usdc("48"), usdc("30.44958")]);
        let mid = "0.55".parse().expect("price");
        // 100 * 0.55 + 60 * 0.45 - 78.44958
        assert_eq!(account.unrealized(mid), usdc("3.55042"));
        ledger.fill(WHERE, (Outcome::Yes, Side::Sell), Shares::from_whole(60), usdc("33"), Usdc::ZERO).expect("a sale");
        assert_eq!(ledger.account(WHERE.0, WHERE.1).realized, usdc("4.2"));
        assert!(ledger.balances());
    }

    #[test]
    fn a_sale_of_what_is_not_there_is_booked_and_seen() {
        let mut ledger = Ledger::default();
        ledger.fill(WHERE, (Outcome::Yes, Side::Sell), Shares::from_whole(1), usdc("0.4"), Usdc::ZERO).expect("a fact");
        let account = ledger.account(WHERE.0, WHERE.1);
        assert!(account.is_short() && account.balances());
        assert_eq!(
            ledger.fill(WHERE, (Outcome::Yes, Side::Sell), Shares::ZERO, usdc("1"), Usdc::ZERO),
            Err(LedgerError::Size(Shares::ZERO))
        );
    }

    proptest! {
        /// Any sequence of fills, some of them undone later in any order, keeps the identity exactly.
        #[test]
        fn the_identity_holds_after_every_event(
            events in prop::collection::vec(
                (any::<bool>(), any::<bool>(), 1i64..100_000_000, 1u16..10_000, 0i64..50_000, any::<bool>()), 1..80),
        ) {
            let mut ledger = Ledger::default();
            let mut done = Vec::new();
            for (yes, buy, micros, units, fee, undo) in events {
                let outcome = if yes { Outcome::Yes } else { Outcome::No };
                let side = if buy { Side::Buy } else { Side::Sell };
                let (size, price) = (Shares::from_micros(micros), Price::from_units(units).expect("in range"));
                let notional = if buy { size.cost_ceil(price) } else { size.cost_floor(price) };
                if let Ok(m) = ledger.fill(WHERE, (outcome, side), size, notional, Usdc::from_micros(fee * 10)) {
                    prop_assert!(m.balances());
                    done.push(m);
                }
                if undo && !done.is_empty() {
                    let m = done.swap_remove(done.len() / 2);
                    ledger.undo(WHERE, &m);
                }
                prop_assert!(ledger.balances());
            }
            while let Some(m) = done.pop() {
                ledger.undo(WHERE, &m);
            }
            prop_assert_eq!(ledger.account(WHERE.0, WHERE.1), SubAccount::default());
        }
    }
}
