//! NO of some outcomes of an event that becomes collateral and YES of its others, in the books.

use oddsmith_domain::{EventConversion, InstanceId, MarketId, Movement, Outcome, Price, Usdc};

use crate::Ledger;
use crate::ledger::{LedgerError, share_of};

impl Ledger {
    /// Converts reserved NO of some markets of an event into YES of the others and collateral; what it did market by market.
    ///
    /// What the NO cost beyond the collateral is what the YES cost, divided by `worth`, the price of YES in each market that it comes
    /// from; equally where none is worth anything. What the collateral brings beyond the cost is realised, in equal parts where NO was given.
    /// The cash of all movements together is the collateral, to the millionth.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing has moved then.
    pub fn convert(
        &mut self,
        instance: InstanceId,
        what: &EventConversion,
        worth: impl Fn(MarketId) -> Option<Price>,
    ) -> Result<Vec<(MarketId, Movement)>, LedgerError> {
        let (size, no) = (what.shares, Outcome::No.index());
        if !what.is_sound() {
            return Err(LedgerError::Size(size));
        }
        let mut leaving = Vec::with_capacity(what.from.len());
        for market in &what.from {
            let account = self.account(instance, *market);
            if account.reserved[no] < size {
                return Err(LedgerError::NotFree { free: account.reserved[no], wanted: size });
            }
            leaving.push(share_of(account.cost[no], size, account.shares[no]));
        }
        let cost: Usdc = leaving.iter().copied().sum();
        let kept = if what.into.is_empty() { Usdc::ZERO } else { (cost - what.collateral()).max(Usdc::ZERO) };
        let profits = parts(what.collateral() + kept - cost, &vec![1; what.from.len()]);
        let weights: Vec<u16> = what.into.iter().map(|market| worth(*market).map_or(0, Price::units)).collect();
        let costs = parts(kept, &weights);
        let mut movements = Vec::with_capacity(what.from.len() + what.into.len());
        for ((market, leaving), profit) in what.from.iter().zip(leaving).zip(profits) {
            let mut given = Movement { cash: leaving + profit, realized: profit, ..Movement::default() };
            (given.cost[no], given.shares[no]) = (-leaving, -size);
            let given = self.post((instance, *market), given, |account| {
                account.settled[no] -= size;
                account.reserved[no] -= size;
            });
            movements.push((*market, given));
        }
        let yes = Outcome::Yes.index();
        for (market, cost) in what.into.iter().zip(costs) {
            let mut taken = Movement { cash: -cost, ..Movement::default() };
            (taken.cost[yes], taken.shares[yes]) = (cost, size);
            movements.push((*market, self.post((instance, *market), taken, |account| account.settled[yes] += size)));
        }
        Ok(movements)
    }
}

/// An amount in parts by weight, equal ones if all weights are nothing. Each is rounded towards nothing; the first takes what is left.
fn parts(amount: Usdc, weights: &[u16]) -> Vec<Usdc> {
    let sum: i128 = weights.iter().map(|w| i128::from(*w)).sum();
    let count = i128::try_from(weights.len()).unwrap_or(1).max(1);
    let part = |weight: &u16| {
        let (weight, of) = if sum == 0 { (1, count) } else { (i128::from(*weight), sum) };
        Usdc::from_micros(i64::try_from(i128::from(amount.micros()) * weight / of).unwrap_or(0))
    };
    let mut parts: Vec<Usdc> = weights.iter().map(part).collect();
    let given: Usdc = parts.iter().copied().sum();
    if let Some(first) = parts.first_mut() {
        *first += amount - given;
    }
    parts
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{Shares, Side};

    use super::*;

    const OWNER: InstanceId = InstanceId(3);

    fn whole(shares: i64) -> Shares {
        Shares::from_whole(shares)
    }

    fn dollars(text: &str) -> Usdc {
        text.parse().expect("dollars")
    }

    /// NO of the first markets, bought for these dollars a hundred shares and settled, promised to a conversion of ten.
    fn held(costs: &[&str]) -> Ledger {
        let mut ledger = Ledger::default();
        for (n, cost) in (0u32..).zip(costs) {
            let (place, what) = ((OWNER, MarketId(n)), (Outcome::No, Side::Buy));
            let bought = ledger.fill(place, what, whole(100), dollars(cost), Usdc::ZERO).expect("a size");
            ledger.settle(place, what, &bought, false);
            ledger.reserve(place, [Shares::ZERO, whole(10)]).expect("free");
        }
        ledger
    }

    fn conversion(from: u32, into: u32) -> EventConversion {
        let markets = |range: std::ops::Range<u32>| range.map(MarketId).collect();
        EventConversion { from: markets(0..from), into: markets(from..from + into), shares: whole(10) }
    }

    fn cash(text: &str) -> i64 {
        dollars(text).micros()
    }

    #[test]
    fn two_of_three_outcomes_by_hand() {
        // Ten NO for 6.20 and ten for 7.10 become ten dollars and ten YES of the third: they cost 3.30 a ten.
        let mut ledger = held(&["62", "71"]);
        let before = ledger.cash();
        let moved = ledger.convert(OWNER, &conversion(2, 1), |_| Price::from_units(3_550)).expect("reserved");
        let rows: Vec<_> = moved
            .iter()
            .map(|(m, x)| (m.0, x.cash.micros(), x.cost.map(Usdc::micros), x.realized.micros(), x.shares))
            .collect();
        let none = Shares::ZERO;
        assert_eq!(
            rows,
            [
                (0, cash("6.2"), [0, -cash("6.2")], 0, [none, -whole(10)]),
                (1, cash("7.1"), [0, -cash("7.1")], 0, [none, -whole(10)]),
                (2, -cash("3.3"), [cash("3.3"), 0], 0, [whole(10), none]),
            ]
        );
        assert_eq!(ledger.cash() - before, dollars("10"));
        assert!(ledger.balances() && moved.iter().all(|(_, movement)| movement.balances()));
        assert_eq!(ledger.account(OWNER, MarketId(0)).reserved, [none; 2]);
        assert_eq!(ledger.available(OWNER, MarketId(2).asset(Outcome::Yes)), whole(10), "it can be sold at once");
    }

    #[test]
    fn all_outcomes_are_their_number_less_one_in_collateral() {
        // 6.20 + 7.10 + 6.40 were paid for what is twenty dollars: thirty cents, ten for each market.
        let mut ledger = held(&["62", "71", "64"]);
        let moved = ledger.convert(OWNER, &conversion(3, 0), |_| None).expect("reserved");
        assert_eq!(moved.iter().map(|(_, m)| m.realized).collect::<Vec<_>>(), [dollars("0.1"); 3]);
        assert_eq!(moved.iter().map(|(_, m)| m.cash).sum::<Usdc>(), dollars("20"));
        assert!(ledger.balances());
    }

    #[test]
    fn a_cost_beyond_the_collateral_goes_to_what_comes_by_its_worth() {
        // One NO alone brings no collateral: its 4 dollars are what the others' YES cost, one to three.
        let mut ledger = held(&["40"]);
        let price = |market: MarketId| Price::from_units(if market.0 == 1 { 1_000 } else { 3_000 });
        let moved = ledger.convert(OWNER, &conversion(1, 2), price).expect("reserved");
        assert_eq!(moved.iter().map(|(_, m)| m.cash).collect::<Vec<_>>(), [dollars("4"), dollars("-1"), dollars("-3")]);
        // What cost less than the collateral leaves YES that cost nothing, and a profit.
        let mut ledger = held(&["40", "50"]);
        let moved = ledger.convert(OWNER, &conversion(2, 2), price).expect("reserved");
        assert_eq!(moved.iter().map(|(_, m)| m.realized).sum::<Usdc>(), dollars("1"));
        assert_eq!((moved[2].1.cost, moved[3].1.cash), ([Usdc::ZERO; 2], Usdc::ZERO));
    }

    #[test]
    fn what_was_not_promised_is_not_converted() {
        let mut ledger = held(&["62", "71"]);
        let before = ledger.clone();
        let more = EventConversion { shares: whole(11), ..conversion(2, 1) };
        let twice = EventConversion { into: vec![MarketId(0)], ..conversion(2, 0) };
        let nothing = EventConversion { shares: Shares::ZERO, ..conversion(2, 1) };
        for what in [more, twice, nothing, conversion(0, 2), conversion(3, 0)] {
            assert!(ledger.convert(OWNER, &what, |_| None).is_err());
            assert!(ledger == before);
        }
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn nothing_is_made_or_lost(
                bought in proptest::collection::vec((1i64..200_000_000, 0i64..200_000_000), 1..6),
                worth in proptest::collection::vec(0u16..10_000, 0..5),
                share in 1i64..=100,
            ) {
                let mut ledger = Ledger::default();
                let least = bought.iter().map(|(size, _)| *size).min().unwrap_or(1);
                let shares = Shares::from_micros((least * share / 100).max(1));
                let from: Vec<MarketId> = (0u32..).zip(&bought).map(|(n, _)| MarketId(n)).collect();
                for (market, (size, paid)) in from.iter().zip(&bought) {
                    let (place, what) = ((OWNER, *market), (Outcome::No, Side::Buy));
                    let moved = ledger.fill(place, what, Shares::from_micros(*size), Usdc::from_micros(*paid), Usdc::ZERO);
                    ledger.settle(place, what, &moved.expect("a size"), false);
                    ledger.reserve(place, [Shares::ZERO, shares]).expect("free");
                }
                let into: Vec<MarketId> = (10u32..).zip(&worth).map(|(n, _)| MarketId(n)).collect();
                let what = EventConversion { from, into, shares };
                let price = |market: MarketId| Price::from_units(worth[market.0 as usize - 10]);
                let before = ledger.cash();
                let moved = ledger.convert(OWNER, &what, price).expect("reserved");
                prop_assert!(ledger.balances());
                prop_assert_eq!(ledger.cash() - before, what.collateral());
                prop_assert_eq!(moved.iter().map(|(_, m)| m.cash).sum::<Usdc>(), what.collateral());
                for (_, movement) in &moved {
                    prop_assert!(movement.balances());
                    prop_assert!(movement.shares[0].is_zero() || movement.realized.is_zero());
                }
            }
        }
    }
}
