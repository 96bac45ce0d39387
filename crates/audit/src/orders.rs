//! The run's own orders, as its actions and events tell of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use oddsmith_domain::{InstanceId, MarketId, OrderId, OrderState, PlaceOrder, Shares, Side, Usdc};
use oddsmith_execution::is_legal;
use oddsmith_risk::OpenOrder;

use crate::report::{Findings, Rule};

/// How many finished orders are remembered: more than the engine does, so that what it forgets is noticed.
const REMEMBERED: usize = 100_000;

/// An order of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub place: PlaceOrder,
    pub state: OrderState,
    pub filled: Shares,
}

impl Own {
    pub fn open(&self) -> OpenOrder {
        OpenOrder {
            outcome: self.place.asset.outcome(),
            side: self.place.side(),
            price: self.place.price,
            size: (self.place.size - self.filled).max(Shares::ZERO),
        }
    }
}

/// All orders of the run.
#[derive(Debug, Default)]
pub(crate) struct OwnOrders {
    all: BTreeMap<OrderId, Own>,
    open: BTreeSet<(MarketId, OrderId)>,
    finished: VecDeque<OrderId>,
}

impl OwnOrders {
    pub fn get(&self, id: &OrderId) -> Option<&Own> {
        self.all.get(id)
    }

    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// The orders of a market that may be alive.
    pub fn open_in(&self, market: MarketId) -> impl Iterator<Item = &Own> {
        let range = (market, OrderId([0; 32]))..=(market, OrderId([0xff; 32]));
        self.open.range(range).filter_map(|(_, id)| self.all.get(id))
    }

    /// Markets in which something may be alive.
    pub fn open(&self) -> impl Iterator<Item = &Own> {
        self.open.iter().filter_map(|(_, id)| self.all.get(id))
    }

    pub fn placed(&mut self, place: &PlaceOrder, found: &mut Findings) {
        let known = self.all.contains_key(&place.id);
        found.check(Rule::WellFormed, !known, || format!("order {} is placed a second time", place.id));
        self.adopt(Own { place: *place, state: OrderState::PendingNew, filled: Shares::ZERO });
    }

    /// Takes an order in as it stands.
    pub fn adopt(&mut self, own: Own) {
        let key = (own.place.asset.market(), own.place.id);
        if own.state.is_final() {
            self.finish(own.place.id);
        } else {
            self.open.insert(key);
        }
        self.all.insert(own.place.id, own);
    }

    pub fn moved(&mut self, (id, from, to): (OrderId, OrderState, OrderState), filled: Shares, found: &mut Findings) {
        let Some(own) = self.all.get_mut(&id) else {
            return found.check(Rule::Transition, false, || format!("order {id} was never placed, and goes to {to:?}"));
        };
        found.check(Rule::Transition, own.state == from, || {
            format!("order {id} is said to go from {from:?}, and stood at {:?}", own.state)
        });
        found.check(Rule::Transition, is_legal(from, to), || format!("order {id} may not go from {from:?} to {to:?}"));
        found.check(Rule::Transition, own.filled == filled, || {
            format!("order {id} is said to be filled by {filled}, its fills say {}", own.filled)
        });
        own.state = to;
        if to.is_final() && self.open.remove(&(own.place.asset.market(), id)) {
            self.finish(id);
        }
    }

    fn finish(&mut self, id: OrderId) {
        self.finished.push_back(id);
        if self.finished.len() > REMEMBERED
            && let Some(oldest) = self.finished.pop_front()
        {
            self.all.remove(&oldest);
        }
    }

    /// A fill was counted on an order, or taken back.
    pub fn fill(&mut self, id: &OrderId, size: Shares) {
        if let Some(own) = self.all.get_mut(id) {
            own.filled = (own.filled + size).max(Shares::ZERO);
        }
    }

    /// Shares that an instance's open sells have promised.
    pub fn promised(&self, instance: InstanceId, asset: oddsmith_domain::AssetId) -> Shares {
        let sells = |o: &&Own| o.place.instance == instance && o.place.asset == asset && o.place.side() == Side::Sell;
        self.open_in(asset.market()).filter(sells).map(|own| own.open().size).sum()
    }

    /// What the open buys cost if all of them fill.
    pub fn reserved(&self) -> Usdc {
        let buys = self.open().filter(|own| own.place.side() == Side::Buy).map(Own::open);
        buys.map(|order| order.size.cost_ceil(order.price)).sum()
    }
}
