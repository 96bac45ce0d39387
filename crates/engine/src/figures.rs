//! What limits are set on, kept from order to order: it is added up anew only where a fill, an order, a card or the book has changed.

use std::cell::Cell;

use oddsmith_domain::{InstanceId, MarketId, Outcome, Price, Shares, Side, Usdc};
use oddsmith_execution::{Ledger, Orders};
use oddsmith_risk::{Elsewhere, GroupLoss, GroupStanding, Limits, MarketExposure};

use crate::core::Engine;
use crate::market::Market;

/// How many levels of a side count as its depth.
const DEPTH_LEVELS: usize = 5;

/// What the holdings and open orders of a market come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// The last changes of the market's accounts and orders that are counted in.
    of: (u64, u64),
    /// Whether its outcome is known: what is held there can lose nothing any more, and counts as nothing.
    decided: bool,
    /// All instances together.
    pub(crate) all: MarketExposure,
    /// What that is for the limits of the wallet.
    part: Elsewhere,
    /// Each instance that holds something or has an order open.
    own: Vec<Own>,
    /// What everything held has cost, decided or not.
    cost: Usdc,
    /// What own orders are worth, by their side in YES terms.
    worth: [Usdc; 2],
}

/// What an instance's part of a market comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Own {
    of: InstanceId,
    exposure: MarketExposure,
    /// What it has at work, see [`crate::share`]. What a decided market pays is not free before it is redeemed.
    at_work: Usdc,
}

impl Figures {
    /// Adds a market up, decided or not.
    pub(crate) fn of(ledger: &Ledger, orders: &Orders, (market, decided): (MarketId, bool)) -> Figures {
        Figures::default().anew(ledger, orders, (market, decided))
    }

    /// Adds a market up again, in the memory that it has.
    fn anew(self, ledger: &Ledger, orders: &Orders, (market, decided): (MarketId, bool)) -> Figures {
        let mut own = self.own;
        own.clear();
        let of = (ledger.changed(market), orders.changed(market));
        let mut figures = Figures { of, decided, own, ..Figures::default() };
        let (mut held, mut cost) = ([Shares::ZERO; 2], [Usdc::ZERO; 2]);
        for (of, account) in ledger.market(market) {
            let mut exposure = MarketExposure::default();
            if !decided {
                held = [held[0] + account.shares[0], held[1] + account.shares[1]];
                cost = [cost[0] + account.cost[0], cost[1] + account.cost[1]];
                exposure = MarketExposure::new(account.shares, account.cost);
            }
            figures.cost += account.cost_basis();
            figures.own.push(Own { of, exposure, at_work: account.cost_basis() + account.incoming });
        }
        figures.all = MarketExposure::new(held, cost);
        for order in orders.open_in(market) {
            let (instance, open) = (order.place.instance, order.open());
            // What may still fill counts also after the decision, until the venue has shown that it is gone.
            figures.all.add_owned(&open, &figures.own(instance));
            let own = figures.own.iter().position(|own| own.of == instance);
            let own = own.unwrap_or_else(|| {
                figures.own.push(Own { of: instance, exposure: MarketExposure::default(), at_work: Usdc::ZERO });
                figures.own.len() - 1
            });
            if let Some(own) = figures.own.get_mut(own) {
                own.exposure.add(&open);
                own.at_work += if open.side == Side::Buy { open.size.cost_ceil(open.price) } else { Usdc::ZERO };
            }
            let (side, price) = open.in_yes_terms();
            figures.worth[side as usize] += worth(side, price, open.size);
        }
        figures.part = Elsewhere::of(&figures.all);
        figures
    }

    /// What one instance holds and has open.
    pub(crate) fn own(&self, instance: InstanceId) -> MarketExposure {
        self.own.iter().find(|own| own.of == instance).map(|own| own.exposure).unwrap_or_default()
    }

    /// What one instance has at work, without the fees of what takes.
    fn at_work(&self, instance: InstanceId) -> Usdc {
        self.own.iter().find(|own| own.of == instance).map_or(Usdc::ZERO, |own| own.at_work)
    }
}

/// What an order is worth to whoever rests there.
fn worth(side: Side, yes: Price, size: Shares) -> Usdc {
    match side {
        Side::Buy => size.cost_floor(yes),
        Side::Sell => size.cost_floor(yes.complement()),
    }
}

/// What the best levels of both sides of a book are worth, as long as the book stays as it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Depth(Cell<Option<(u64, [Usdc; 2])>>);

impl Market {
    /// What other people's orders on the best levels of the thinner side are worth. All of ours are taken off, wherever they rest:
    /// rather too little than too much.
    pub(crate) fn depth(&self) -> Usdc {
        let version = self.book.levels_version();
        let all = match self.depth.0.get() {
            Some((of, all)) if of == version => all,
            _ => {
                let all = [Side::Buy, Side::Sell].map(|side| {
                    let levels = self.book.takeable(Outcome::Yes, side).take(DEPTH_LEVELS);
                    levels.map(|level| worth(side, level.price, level.size)).sum::<Usdc>()
                });
                self.depth.0.set(Some((version, all)));
                all
            }
        };
        let [bids, asks] = [Side::Buy, Side::Sell].map(|side| all[side as usize] - self.figures.worth[side as usize]);
        bids.min(asks)
    }
}

/// Sums over markets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// All markets together.
    everywhere: Elsewhere,
    /// What everything held everywhere has cost.
    cost: Usdc,
    /// Each configured group: its markets, and how often the figures of one of them have changed, or it came or went.
    groups: Vec<(Vec<MarketId>, u64)>,
}

impl Sums {
    pub(crate) const fn cost(&self) -> Usdc {
        self.cost
    }
}

/// A group that a market is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership {
    /// Its number in the configuration.
    group: usize,
    /// What its other markets can lose, and the number of their last change that is counted in.
    others: Option<(u64, GroupLoss)>,
}

impl Engine {
    /// Adds a market up again if its orders or holdings have changed, or it was decided.
    pub(crate) fn recount(&mut self, market: MarketId) {
        let now = (self.ledger.changed(market), self.orders.changed(market));
        let stale = |known: &&mut Market| (known.figures.of, known.figures.decided) != (now, known.pays.is_some());
        let Some(known) = self.markets.get_mut(market.index()).filter(stale) else { return };
        let (figures, everywhere) = (std::mem::take(&mut known.figures), &mut self.sums.everywhere);
        *everywhere = everywhere.without(&figures.part);
        self.sums.cost -= figures.cost;
        for own in &figures.own {
            if let Some(instance) = self.instances.get_mut(usize::from(own.of.0)) {
                instance.at_work -= own.at_work;
            }
        }
        known.figures = figures.anew(&self.ledger, &self.orders, (market, known.pays.is_some()));
        *everywhere = everywhere.plus(&known.figures.part);
        self.sums.cost += known.figures.cost;
        for own in &known.figures.own {
            if let Some(instance) = self.instances.get_mut(usize::from(own.of.0)) {
                instance.at_work += own.at_work;
            }
        }
        known.recounts += 1;
        for membership in &known.groups {
            if let Some((_, changes)) = self.sums.groups.get_mut(membership.group) {
                *changes += 1;
            }
        }
        for instance in &mut self.instances {
            if let Some(wanted) = instance.wants.get_mut(&market) {
                let loss = known.figures.own(instance.id).worst().loss;
                instance.loss += loss - std::mem::replace(&mut wanted.loss, loss);
            }
        }
    }

    /// What all other markets come to.
    pub(crate) fn elsewhere(&self, known: &Market) -> Elsewhere {
        self.sums.everywhere.without(&known.figures.part)
    }

    /// Finds the groups that a market is in: when it gets its number, or another name.
    pub(crate) fn join_groups(&mut self, market: MarketId) {
        self.leave_groups(market);
        let limits = self.gate.limits();
        self.sums.groups.resize_with(limits.groups.len(), Default::default);
        let Some(known) = self.markets.get_mut(market.index()) else { return };
        known.groups = groups_of(limits, &known.card.slug).map(|group| Membership { group, others: None }).collect();
        for membership in &known.groups {
            if let Some((members, changes)) = self.sums.groups.get_mut(membership.group) {
                let at = members.partition_point(|member| *member < market);
                members.insert(at, market);
                *changes += 1;
            }
        }
    }

    fn leave_groups(&mut self, market: MarketId) {
        for (members, changes) in &mut self.sums.groups {
            if let Some(at) = members.iter().position(|member| *member == market) {
                members.remove(at);
                *changes += 1;
            }
        }
    }

    /// A market is followed no more.
    pub(crate) fn uncount(&mut self, market: &Market) {
        self.leave_groups(market.id);
        self.sums.everywhere = self.sums.everywhere.without(&market.figures.part);
        self.sums.cost -= market.figures.cost;
        for instance in &mut self.instances {
            instance.at_work -= market.figures.at_work(instance.id);
        }
    }

    /// Brings up to date what the other markets of a market's groups can lose.
    pub(crate) fn regroup(&mut self, market: MarketId) {
        let Some(known) = self.markets.get(market.index()) else { return };
        for n in 0..known.groups.len() {
            let Some(known) = self.markets.get(market.index()) else { return };
            let (Some(membership), recounts) = (known.groups.get(n).copied(), known.recounts) else { return };
            let Some((members, changes)) = self.sums.groups.get(membership.group) else { return };
            // The market's own changes are none of the others'.
            let of_others = changes.wrapping_sub(recounts);
            if membership.others.is_some_and(|(of, _)| of == of_others) {
                continue;
            }
            let others = members.iter().filter(|member| **member != market);
            let others = others.filter_map(|member| self.markets.get(member.index()));
            let others = others.fold(GroupLoss::default(), |sum, other| sum.with(other.figures.all.losses()));
            if let Some(membership) = self.markets.get_mut(market.index()).and_then(|known| known.groups.get_mut(n)) {
                membership.others = Some((of_others, others));
            }
        }
    }

    /// The groups of a market with what their other markets can lose, as [`Engine::regroup`] has found it.
    pub(crate) fn group_standings(&self, market: &Market) -> Vec<GroupStanding<'_>> {
        let limits = self.gate.limits();
        let of = |membership: &Membership| {
            let limit = limits.groups.get(membership.group)?;
            Some(GroupStanding {
                limit,
                others: membership.others.map_or_else(GroupLoss::default, |(_, others)| others),
            })
        };
        market.groups.iter().filter_map(of).collect()
    }

    /// Compares everything that is kept here with what it is made of.
    ///
    /// # Errors
    /// The first figure that is not what it should be, which no input brings about.
    pub fn check_figures(&mut self) -> Result<(), String> {
        let mut everywhere = Elsewhere::default();
        let ids: Vec<MarketId> = self.markets.iter().map(|market| market.id).collect();
        for &id in &ids {
            self.regroup(id);
            let Some(known) = self.markets.get(id.index()) else { continue };
            let decided = known.pays.is_some();
            let anew = Figures { of: known.figures.of, ..Figures::of(&self.ledger, &self.orders, (id, decided)) };
            if known.figures != anew {
                return Err(format!("market {}: kept {:?}, anew {anew:?}", id.0, known.figures));
            }
            everywhere.add(&anew.all);
            let slug = &known.card.slug;
            let groups: Vec<usize> = groups_of(self.gate.limits(), slug).collect();
            if !known.groups.iter().map(|membership| membership.group).eq(groups.iter().copied()) {
                return Err(format!("market {} is in other groups than {groups:?}", id.0));
            }
            for standing in self.group_standings(known) {
                let others = self.markets.iter().filter(|m| m.id != id && standing.limit.covers(&m.card.slug));
                let others = others.fold(GroupLoss::default(), |sum, other| sum.with(other.figures.all.losses()));
                if standing.others != others {
                    return Err(format!("market {}, group {}: the others' losses", id.0, standing.limit.name));
                }
            }
        }
        if everywhere != self.sums.everywhere {
            return Err(format!("kept {:?} of all markets, anew {everywhere:?}", self.sums.everywhere));
        }
        let cost: Usdc = self.markets.iter().map(|market| market.figures.cost).sum();
        if cost != self.sums.cost {
            return Err(format!("kept {} as the cost of everything held, anew {cost}", self.sums.cost));
        }
        for instance in &self.instances {
            let at_work: Usdc = self.markets.iter().map(|market| market.figures.at_work(instance.id)).sum();
            if instance.at_work != at_work {
                let kept = instance.at_work;
                return Err(format!("instance {}: kept {kept} at work, anew {at_work}", instance.name));
            }
            let loss: Usdc = instance.wants.values().map(|wanted| wanted.loss).sum();
            let anew: Usdc = instance
                .wants
                .keys()
                .filter_map(|id| self.markets.get(id.index()))
                .map(|market| market.figures.own(instance.id).worst().loss)
                .sum();
            if instance.loss != loss || loss != anew {
                return Err(format!("instance {}: kept {} and {loss}, anew {anew}", instance.name, instance.loss));
            }
        }
        let buys = |o: &&oddsmith_execution::Order| o.place.side() == Side::Buy;
        let reserved: Usdc = self.orders.open().filter(buys).map(|o| o.remaining().cost_ceil(o.place.price)).sum();
        if reserved != self.orders.reserved() {
            return Err(format!("kept {} reserved, anew {reserved}", self.orders.reserved()));
        }
        Ok(())
    }
}

fn groups_of<'a>(limits: &'a Limits, slug: &'a str) -> impl Iterator<Item = usize> + 'a {
    limits.groups.iter().enumerate().filter(move |(_, group)| group.covers(slug)).map(|(number, _)| number)
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
