//! From wishes to orders: planning, the permit, building, cancelling.

use oddsmith_domain::{
    Action, Denial, Event, InstanceId, MarketId, OrderId, OrderState, OrderType, Outcome, Output, RequestKind, Shares,
    Time, Usdc,
};
use oddsmith_execution::{Leg, Ownership, PlanInput, WorkingOrder, plan};
use oddsmith_risk::OpenOrder;

use crate::config::ns;
use crate::core::{Engine, MAX_PLACEMENTS, Purpose};
use crate::instance::Wanted;
use crate::market::Market;

impl Engine {
    /// When a plan may be made, on the monotonic clock.
    pub(crate) fn plan_at(&self, instance: InstanceId, market: MarketId) -> u64 {
        let wanted = self.instances.get(usize::from(instance.0)).and_then(|i| i.wants.get(&market));
        let Some(wanted) = wanted else { return 0 };
        let interval = ns(self.config.timing.replace_interval_ms);
        let next = wanted.planned_at.map_or(0, |at| at.saturating_add(interval));
        match wanted.held {
            // Whatever lets placements out again wakes the plan.
            true if self.breakers.room(RequestKind::Place) == 0 => u64::MAX,
            true => next.max(wanted.paused_until),
            false => next,
        }
    }

    /// Something changed for an instance in a market: what is to be placed or cancelled there is planned anew.
    pub(crate) fn replan(&mut self, instance: InstanceId, market: MarketId) {
        self.plans.insert((instance, market), ());
        if let Some(wanted) = self.instances.get_mut(usize::from(instance.0)).and_then(|i| i.wants.get_mut(&market)) {
            wanted.held = false;
        }
    }

    /// Makes the plans that are due, until this tick has placed as much as it may.
    pub(crate) fn plan_due(&mut self, now: Time, out: &mut Vec<Output>) {
        if !self.wallet.may_quote() {
            return;
        }
        let mut budget = MAX_PLACEMENTS;
        let mut due = std::mem::take(&mut self.scratch.due);
        due.clear();
        due.extend(self.plans.keys().copied().filter(|&(i, m)| self.plan_at(i, m) <= now.mono_ns));
        due.sort_unstable_by_key(|&(instance, market)| (self.rank(instance), market));
        for &(instance, market) in &due {
            if budget == 0 {
                break;
            }
            self.plans.remove(&(instance, market));
            let quotable =
                self.markets.get(market.index()).is_some_and(|m| m.doubt.may_quote() && !m.resolved && !m.crossed);
            if quotable {
                self.plan_one(instance, market, &mut budget, now, out);
            }
        }
        self.scratch.due = due;
    }

    fn plan_one(&mut self, id: InstanceId, market: MarketId, budget: &mut usize, now: Time, out: &mut Vec<Output>) {
        let mut working = std::mem::take(&mut self.scratch.working);
        let mut made = std::mem::take(&mut self.scratch.plan);
        working.clear();
        let shaped = self.shaped(id, market, now, out);
        let wanted = self.instances.get(usize::from(id.0)).and_then(|i| i.wants.get(&market));
        let rest = wanted.and_then(|w| w.rest.as_ref()).filter(|_| wanted.is_some_and(Wanted::is_free));
        let keep = rest.map_or(&[][..], |rest| &rest.keep);
        working.extend(self.orders.open_in(market).filter(|o| o.place.instance == id).map(|o| WorkingOrder {
            id: o.place.id,
            open: o.open(),
            // A basket's leg is neither kept nor cancelled; it only stands in the way of what would meet it.
            settled: o.is_settled() && o.place.order_type.rests(),
            keep: keep.iter().any(|w| w.id == o.place.id),
        }));
        let available = Outcome::BOTH.map(|outcome| self.ledger.available(id, market.asset(outcome)));
        let card = self.markets.get(market.index()).map(|m| (m.card.min_size, m.card.tick));
        let wanted = self.instances.get_mut(usize::from(id.0)).and_then(|i| i.wants.get_mut(&market));
        if let (Some((Some(min_size), Some(tick))), Some(wanted)) = (card, wanted) {
            let quotes = wanted.rest.as_ref().map_or(&[][..], |rest| &rest.quotes);
            let quotes = shaped.as_deref().unwrap_or(quotes);
            let repelled = wanted.repelled(quotes, tick, now);
            let quotes = repelled.as_deref().unwrap_or(quotes);
            let policy = self.config.planning.policy();
            plan(&PlanInput { quotes, working: &working, available, min_size, tick, policy }, &mut made);
            wanted.claims.clear();
            wanted.claim = Default::default();
            *budget = (*budget).min(self.breakers.room(RequestKind::Place));
            let paused = now.mono_ns < wanted.paused_until || self.breakers.room(RequestKind::Place) == 0;
            let waits_for_pause = paused && !made.places.is_empty();
            if !made.is_empty() && !waits_for_pause {
                wanted.planned_at = Some(now.mono_ns);
            }
            let intent = wanted.intent;
            wanted.held = waits_for_pause;
            if waits_for_pause {
                self.plans.insert((id, market), ());
            }
            for order in &made.cancels {
                self.cancel(order, now, out);
            }
            for &(side, size) in &made.residuals {
                self.tell_residual(id, market, side, size, out);
            }
            if !paused {
                for leg in &made.places {
                    if *budget == 0 {
                        let shut = self.breakers.room(RequestKind::Place) == 0;
                        if let Some(wanted) = self.wanted_mut(id, market).filter(|_| shut) {
                            wanted.held = true;
                        }
                        self.plans.insert((id, market), ());
                        break;
                    }
                    if self.place(leg, Ownership { instance: id, intent }, market, now, out) {
                        *budget -= 1;
                    }
                }
            }
        }
        self.scratch.working = working;
        self.scratch.plan = made;
    }

    /// Asks the gate, builds the order and sends it on its way; `false` when a limit, an own order or the grid was against it.
    fn place(&mut self, leg: &Leg, owner: Ownership, market: MarketId, now: Time, out: &mut Vec<Output>) -> bool {
        let built = self
            .make_way(&leg.order, owner.instance, market, now, out)
            .and_then(|()| self.permitted(&leg.order, owner, market, now));
        let place = match built {
            Ok(place) => place,
            Err(denial) => {
                if denial == Denial::Collateral {
                    let cost = leg.order.size.cost_ceil(leg.order.price);
                    self.claim_collateral((owner.instance, market), cost, now, out);
                }
                self.tell_denial(owner.instance, market, denial, out);
                return false;
            }
        };
        self.send(place, now, out);
        true
    }

    fn permitted(
        &mut self,
        order: &OpenOrder,
        owner: Ownership,
        market: MarketId,
        now: Time,
    ) -> Result<oddsmith_domain::PlaceOrder, Denial> {
        let permit = self.permit(order, owner.instance, market, OrderType::Gtc, now)?;
        let known = self.markets.get(market.index()).ok_or(Denial::MarketHalted)?;
        let deadline = now.mono_ns.saturating_add(ns(self.config.timing.order_deadline_ms));
        let builder = self.builder.as_mut().ok_or(Denial::Halted)?;
        builder
            .build(permit, (market, &known.card), (OrderType::Gtc, true), owner, now, deadline)
            .map_err(|_| Denial::OffGrid)
    }

    /// Asks for the cancel of one order, unless one is on its way or it is gone.
    pub(crate) fn cancel(&mut self, id: &OrderId, now: Time, out: &mut Vec<Output>) {
        let Some(order) = self.orders.get(id) else { return };
        if order.state == OrderState::PendingCancel || order.state.is_final() {
            return;
        }
        let asset = order.place.asset;
        self.change(id, OrderState::PendingCancel, now, out);
        self.counts.canceled += 1;
        let action = self.emit.action(out, Action::Cancel { order: *id, asset });
        self.awaited.insert(action, Purpose::Cancel(*id));
    }

    /// Asks how an order stands, unless that has failed again and again; [`Engine::watch_orders`] asks later.
    pub(crate) fn query(&mut self, id: OrderId, out: &mut Vec<Output>) {
        if self.breakers.room(RequestKind::Query) == 0 {
            return;
        }
        self.breakers.sent(RequestKind::Query);
        let action = self.emit.action(out, Action::Query { order: id });
        let arrived = self.orders.get(&id).is_some_and(|order| order.arrived);
        self.awaited.insert(action, Purpose::Query(id, arrived));
        self.orders.note(&id, |order| order.asked = Some(action));
    }

    /// Brings an order to a state and tells it.
    pub(crate) fn change(&mut self, id: &OrderId, to: OrderState, now: Time, out: &mut Vec<Output>) {
        let change = self.orders.transition(id, to, now);
        self.tell_change(change, out);
    }

    pub(crate) fn tell_change(&mut self, change: Option<oddsmith_execution::Change>, out: &mut Vec<Output>) {
        let Some(change) = change else { return };
        let oddsmith_execution::Change { order, from, to, filled, legal } = change;
        self.emit.event(
            out,
            if legal { Event::Order { order, from, to, filled } } else { Event::IllegalTransition { order, from, to } },
        );
        if let (true, Some(order)) = (legal && to.is_final(), self.orders.get(&order)) {
            let market = order.place.asset.market();
            self.recount(market);
            self.wake(market, false);
            self.wake_claims();
        }
    }

    pub(crate) fn tell_denial(
        &mut self,
        instance: InstanceId,
        market: MarketId,
        denial: Denial,
        out: &mut Vec<Output>,
    ) {
        let wanted = self.instances.get_mut(usize::from(instance.0)).and_then(|i| i.wants.get_mut(&market));
        if wanted.is_some_and(|w| w.told.replace(denial) != Some(denial)) {
            self.emit.event(out, Event::Denied { instance, market, denial });
        }
    }

    fn tell_residual(
        &mut self,
        instance: InstanceId,
        market: MarketId,
        side: oddsmith_domain::Side,
        size: Shares,
        out: &mut Vec<Output>,
    ) {
        let wanted = self.instances.get_mut(usize::from(instance.0)).and_then(|i| i.wants.get_mut(&market));
        if wanted.is_some_and(|w| w.residual.replace((side, size)) != Some((side, size))) {
            self.emit.event(out, Event::Residual { instance, market, side, size });
        }
    }

    /// Collateral that no order has reserved and no settlement can take back. Nothing before the venue has told the balance.
    pub(crate) fn free_collateral(&self) -> Usdc {
        let Some(opening) = self.opening else { return Usdc::ZERO };
        opening + self.ledger.cash() - self.ledger.incoming() - self.orders.reserved() - self.fees_at_stake(None)
    }

    /// Profit since the start of the run: realised, and not realised at the last known mids.
    pub(crate) fn profit(&self) -> Usdc {
        self.ledger
            .accounts()
            .map(|(_, market, account)| {
                let mark = self.markets.get(market.index()).and_then(Market::mark);
                account.realized + mark.map_or(Usdc::ZERO, |mark| account.unrealized(mark))
            })
            .sum()
    }
}
