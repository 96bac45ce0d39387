//! One wallet for several instances: what part of it each may have at work, and who comes first where it is short.
//!
//! What an instance has *at work* is what everything it holds has cost, what its sales bring that are not settled yet, and what its open
//! buys cost if all of them fill, taker fees included. The wallet's *capital* is its collateral with everything held at its cost: the
//! collateral that the venue counted at the beginning, what came and went since, and what was realised.

use oddsmith_domain::{InstanceId, MarketId, Output, Side, Time, Usdc, Withdrawal};
use oddsmith_execution::Order;

use crate::core::Engine;

/// A claim on collateral that could not be had ends by itself after this time, unless the plan makes it again.
const CLAIM_NS: u64 = 2 * Time::SECOND;

/// Collateral that an instance lacks in a market, and that those with a lower priority leave alone meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    amount: Usdc,
    /// On the monotonic clock.
    until: u64,
}

impl Claim {
    fn at(&self, now: Time) -> Usdc {
        if now.mono_ns < self.until { self.amount } else { Usdc::ZERO }
    }
}

impl Engine {
    /// What comes first has the smaller number; what is nobody's comes last.
    pub(crate) fn rank(&self, instance: InstanceId) -> usize {
        self.instances.get(usize::from(instance.0)).map_or(usize::MAX, |instance| instance.rank)
    }

    /// The wallet's collateral with everything held at its cost. Nothing before the venue has told the balance.
    pub(crate) fn capital(&self) -> Usdc {
        self.opening.map_or(Usdc::ZERO, |opening| opening + self.ledger.cash() + self.sums.cost())
    }

    /// What an instance may still put to work of its part of the capital; `None` when it has no part of its own.
    pub(crate) fn own_capital(&self, instance: InstanceId) -> Option<Usdc> {
        let owner = self.instances.get(usize::from(instance.0))?;
        let part = owner.capital?.of(self.capital());
        Some(part - owner.at_work - self.fees_at_stake(Some(instance)))
    }

    /// How many more markets, besides those in which it holds something or has an order open, an instance may enter; `None` when that is
    /// not limited. Decided markets count for nothing.
    pub(crate) fn own_markets(&self, instance: InstanceId, besides: MarketId) -> Option<u32> {
        let owner = self.instances.get(usize::from(instance.0))?;
        let most = owner.max_markets?;
        let others = owner.wants.keys().filter(|market| **market != besides);
        let entered = others.filter_map(|market| self.markets.get(market.index()));
        let entered = entered.filter(|market| !market.figures.own(instance).is_empty()).count();
        Some(most.saturating_sub(u32::try_from(entered).unwrap_or(u32::MAX)))
    }

    /// Collateral that an instance may spend now: what is free, less what instances with a higher priority wait for, and not more than
    /// its part of the capital has left.
    pub(crate) fn spendable(&self, instance: InstanceId, now: Time) -> Usdc {
        let free = self.free_for(instance, now);
        self.own_capital(instance).map_or(free, |left| free.min(left))
    }

    /// Free collateral, less what instances with a higher priority wait for.
    pub(crate) fn free_for(&self, instance: InstanceId, now: Time) -> Usdc {
        let free = self.free_collateral();
        let Some(priority) = self.instances.get(usize::from(instance.0)).map(|owner| owner.priority) else {
            return free;
        };
        let above = self.instances.iter().filter(|other| other.priority > priority);
        free - above.flat_map(|other| other.wants.values()).map(|wanted| wanted.claim.at(now)).sum::<Usdc>()
    }

    /// An instance lacks collateral for something that costs `cost`. If resting buys of instances with a lower priority reserve enough,
    /// as many of them as it takes are cancelled, those of the lowest priority first, and what they free is kept for it.
    pub(crate) fn claim_collateral(
        &mut self,
        (instance, market): (InstanceId, MarketId),
        cost: Usdc,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some(priority) = self.instances.get(usize::from(instance.0)).map(|owner| owner.priority) else { return };
        let priority_of = |order: &Order| self.instances.get(usize::from(order.place.instance.0)).map(|i| i.priority);
        let reserved = |order: &Order| order.remaining().cost_ceil(order.place.price);
        let buys = self.orders.open().filter(|o| o.place.side() == Side::Buy && o.place.order_type.rests());
        let below = buys.filter_map(|o| Some((priority_of(o).filter(|of| *of < priority)?, o.place.id, reserved(o))));
        let mut below: Vec<_> = below.collect();
        let missing = cost - self.free_for(instance, now);
        if below.iter().map(|(_, _, reserved)| *reserved).sum::<Usdc>() < missing {
            return;
        }
        if let Some(wanted) = self.wanted_mut(instance, market) {
            wanted.claim = Claim { amount: cost, until: now.mono_ns.saturating_add(CLAIM_NS) };
        }
        below.sort_unstable_by_key(|(priority, id, _)| (*priority, *id));
        let mut freed = Usdc::ZERO;
        for (_, id, reserved) in below {
            if freed >= missing {
                break;
            }
            freed += reserved;
            self.withdraw(&id, Withdrawal::Priority, now, out);
        }
    }

    /// Collateral has come free: who waits for it looks again.
    pub(crate) fn wake_claims(&mut self) {
        let first = self.instances.first().map(|instance| instance.priority);
        if self.instances.iter().all(|instance| Some(instance.priority) == first) {
            return;
        }
        for instance in &self.instances {
            for (market, wanted) in &instance.wants {
                if wanted.claim != Claim::default() {
                    self.plans.insert((instance.id, *market), ());
                }
            }
        }
    }
}
