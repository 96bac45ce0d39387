//! Baskets: accepted once, carried through leg by leg, told at every change.
//!
//! A decision can ask for a basket. It is accepted when nothing speaks against any of its legs and none of the instance is on its way; from
//! then on the engine sends its legs, as orders that take what can be had and drop the rest, until it has come to an end. What became of
//! each is read from the order table, and from nothing else.

use std::collections::BTreeMap;

use oddsmith_domain::{
    Action, Basket, BasketId, BasketLeg, BasketState, Denial, DenialScope, DoubtCause, Event, InstanceId, IntentId,
    MarketId, OrderId, OrderState, OrderType, Output, PlaceOrder, Price, RequestKind, Side, Time, TradeId, Usdc,
    VenueOrderStatus, Withdrawal,
};
use oddsmith_execution::{BasketRun, Known, Ownership, Want};
use oddsmith_risk::OpenOrder;
use oddsmith_strategy::BasketView;

use crate::config::ns;
use crate::core::{Engine, MAX_PLACEMENTS, Purpose};

/// No basket has more legs.
const MOST_LEGS: usize = 128;
/// The longest rest after baskets that got nothing.
const MAX_REST_NS: u64 = 60 * Time::SECOND;

/// An instance's last basket, on its way or over.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) run: BasketRun,
    intent: IntentId,
    told: BasketState,
    /// Matches that the venue named when it took an order: it is over when all of them are counted.
    named: BTreeMap<OrderId, Vec<TradeId>>,
    /// When an order of it was last asked for.
    asked_at: BTreeMap<OrderId, u64>,
}

/// After baskets that got nothing the next one waits, longer each time in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    until: u64,
    failures: u32,
}

impl Carried {
    pub(crate) fn view(&self) -> BasketView {
        BasketView { id: self.run.id, state: self.run.state(), matched: self.run.matched() }
    }

    /// Whether it has a leg in a market and has not come to an end.
    pub(crate) fn is_on_its_way_in(&self, market: MarketId) -> bool {
        self.is_running() && self.run.parts().any(|part| part.market == market)
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.run.state().is_final()
    }
}

/// Whether a denial may pass while the basket waits.
fn passes(denial: Denial, begun: bool) -> bool {
    // Own quotes are being cancelled; nothing else is worth waiting for before anything was bought.
    denial == Denial::SelfTrade || (begun && denial.scope() != DenialScope::Order)
}

impl Engine {
    /// Whether an order takes what can be had and drops the rest.
    pub(crate) fn takes(&self, id: &OrderId) -> bool {
        self.orders.get(id).is_some_and(|order| !order.place.order_type.rests())
    }

    /// Fees that orders on their way, all of them or one instance's, may cost beyond what they reserve.
    pub(crate) fn fees_at_stake(&self, of: Option<InstanceId>) -> Usdc {
        let owned = |order: &oddsmith_execution::Order| of.is_none_or(|of| order.place.instance == of);
        let taking = self.orders.open().filter(|o| !o.place.order_type.rests() && o.place.side() == Side::Buy);
        let taking = taking.filter(|order| owned(order));
        let fee = |order: &oddsmith_execution::Order| {
            let card = self.markets.get(order.place.asset.market().index()).map(|m| &m.card);
            card.and_then(|card| card.fee).map(|fee| fee.taker_fee(order.remaining(), order.place.price))
        };
        taking.filter_map(fee).sum()
    }

    /// Takes a basket over that the last evaluation asked for, if nothing speaks against it.
    pub(crate) fn accept_basket(&mut self, index: usize, now: Time, out: &mut Vec<Output>) {
        let Some(basket) = self.scratch.decision.basket().cloned() else { return };
        let Some(instance) = self.instances.get(index) else { return };
        let id = instance.id;
        let outside = |leg: &BasketLeg| !instance.wants.contains_key(&leg.market);
        if basket.legs.is_empty() || basket.legs.len() > MOST_LEGS || basket.legs.iter().any(outside) {
            let text = format!("instance {} asks for a basket that is empty or reaches beyond its markets", id.0);
            return self.emit.event(out, Event::Alert { text });
        }
        if let Err((market, denial)) = self.check_basket(index, &basket, now, out) {
            return self.tell_denial(id, market, denial, out);
        }
        (self.intents, self.baskets) = (self.intents + 1, self.baskets + 1);
        let (intent, basket_id) = (IntentId(self.intents), BasketId(self.baskets));
        let run = BasketRun::new(basket_id, &basket, now);
        let told = run.state();
        let carried = Carried { run, intent, told, named: BTreeMap::new(), asked_at: BTreeMap::new() };
        if let Some(instance) = self.instances.get_mut(index) {
            instance.basket = Some(carried);
        }
        self.emit.event(out, Event::BasketTaken { instance: id, basket: basket_id, intent, what: Box::new(basket) });
    }

    /// Whether every leg could be sent now, and all of them be paid for.
    fn check_basket(
        &mut self,
        index: usize,
        basket: &Basket,
        now: Time,
        out: &mut Vec<Output>,
    ) -> Result<(), (MarketId, Denial)> {
        let Some(first) = basket.legs.first() else { return Ok(()) };
        let Some(instance) = self.instances.get(index) else { return Ok(()) };
        let owner = instance.id;
        if instance.basket.as_ref().is_some_and(Carried::is_running) || now.mono_ns < instance.patience.until {
            return Err((first.market, Denial::Basket));
        }
        let mut cost = Usdc::ZERO;
        for leg in &basket.legs {
            let BasketLeg { market, outcome, side, limit, size } = *leg;
            if self.is_paused(owner, market) {
                return Err((market, Denial::Paused));
            }
            let order = OpenOrder { outcome, side, price: limit, size };
            match self.check_taking(&order, owner, market, now) {
                // What of ours is in its way can be cancelled.
                Ok(_) | Err(Denial::SelfTrade) => {}
                Err(denial) => return Err((market, denial)),
            }
            if side == Side::Buy {
                let fee = self.taker_fee(&order, market).unwrap_or(Usdc::ZERO);
                cost += size.cost_ceil(limit) + fee;
            }
        }
        if cost > self.free_for(owner, now) {
            self.claim_collateral((owner, first.market), cost, now, out);
            return Err((first.market, Denial::Collateral));
        }
        match self.own_capital(owner) {
            Some(left) if cost > left => Err((first.market, Denial::Capital)),
            _ => Ok(()),
        }
    }

    /// What taking an order would cost in fees at most; `None` when the market states none.
    pub(crate) fn taker_fee(&self, order: &OpenOrder, market: MarketId) -> Option<Usdc> {
        let fee = self.markets.get(market.index())?.card.fee?;
        Some(fee.taker_fee(order.size, order.price))
    }

    /// Asks the gate for an order that takes.
    fn check_taking(
        &mut self,
        order: &OpenOrder,
        instance: InstanceId,
        market: MarketId,
        now: Time,
    ) -> Result<oddsmith_risk::Permit, Denial> {
        let known = self.markets.get(market.index()).ok_or(Denial::MarketHalted)?;
        if self.wallet.is_cautious() || known.doubt.is_cautious() || known.reads.on || self.is_post_only(now) {
            return Err(Denial::NoTaking);
        }
        let age = known.book_age_ns(now, Engine::proof_of(&self.shards, market));
        if age.is_none_or(|age| age > ns(self.config.timing.stale_book_ms)) {
            return Err(Denial::StaleBook);
        }
        if self.breakers.room(RequestKind::Place) == 0 {
            return Err(Denial::Halted);
        }
        self.permit(order, instance, market, OrderType::Fak, now)
    }

    /// Brings every basket as far as it comes now.
    pub(crate) fn step_baskets(&mut self, now: Time, out: &mut Vec<Output>) {
        let mut room = MAX_PLACEMENTS;
        for place in 0..self.order.len() {
            let Some(index) = self.order.get(place).copied() else { break };
            let Some(mut carried) = self.instances.get_mut(index).and_then(|i| i.basket.take_if(|b| b.is_running()))
            else {
                continue;
            };
            self.learn_of(&mut carried, now, out);
            if self.clear_ways(index, &carried, now, out) {
                while room > 0 && self.send_next(index, &mut carried, now, out) {
                    room -= 1;
                }
            }
            self.pending |= room == 0;
            self.tell_basket(index, &mut carried, now, out);
            if let Some(instance) = self.instances.get_mut(index) {
                instance.basket = Some(carried);
            }
        }
    }

    /// Looks at what became of a basket's orders, and asks where that is not known.
    fn learn_of(&mut self, carried: &mut Carried, now: Time, out: &mut Vec<Output>) {
        let open: Vec<OrderId> = carried.run.open_orders().collect();
        for id in &open {
            self.review_taking(id, carried, now, out);
        }
        let Carried { run, named, .. } = carried;
        let known = |id: &OrderId| {
            let order = self.orders.get(id)?;
            let over = order.state.is_final() && self.all_counted(id, named);
            Some(Known { filled: order.filled, over })
        };
        run.learn(known, now);
    }

    /// Whether every fill that the venue has spoken of is counted.
    fn all_counted(&self, id: &OrderId, named: &BTreeMap<OrderId, Vec<TradeId>>) -> bool {
        let named = named.get(id).is_none_or(|t| t.iter().all(|t| self.fills.get(*t, *id).is_some()));
        named && self.orders.get(id).is_none_or(|order| order.venue_matched.floor_lots() <= order.filled)
    }

    /// Closes an order that is over by all that is known, and asks for one of which too little is.
    fn review_taking(&mut self, id: &OrderId, carried: &mut Carried, now: Time, out: &mut Vec<Output>) {
        let Some(order) = self.orders.get(id) else { return };
        let (state, gone, asked) = (order.state, order.proven_gone, order.asked.is_some());
        let quiet = now.since(order.state_since).min(now.since(order.matched_since));
        let (unknown_ns, missing_ns) =
            (ns(self.config.timing.unknown_order_ms), ns(self.config.timing.missing_fill_ms));
        let counted = self.all_counted(id, &carried.named);
        match state {
            state if state.is_final() && !counted && quiet > missing_ns => {
                self.doubt_wallet(DoubtCause::Mismatch, now, out);
            }
            state if state.is_final() => {}
            // Its answer says more.
            OrderState::PendingNew => {}
            // What it did not find is dropped.
            _ if gone && counted => self.change(id, OrderState::Canceled, now, out),
            OrderState::Working | OrderState::PartiallyFilled if !asked && quiet > unknown_ns / 4 => {
                let asked_at = carried.asked_at.entry(*id).or_insert(0);
                if now.mono_ns.saturating_sub(*asked_at) > unknown_ns / 4 {
                    *asked_at = now.mono_ns;
                    self.query(*id, out);
                }
            }
            _ => {}
        }
    }

    /// Sends the next order of a basket. Whether there was something to do, and more may follow.
    fn send_next(&mut self, index: usize, carried: &mut Carried, now: Time, out: &mut Vec<Output>) -> bool {
        let Some(owner) = self.instances.get(index).map(|i| i.id) else { return false };
        let sellable = |leg: &BasketLeg, price: Price| {
            let bid = self.markets.get(leg.market.index()).and_then(|m| m.book.best_bid(leg.outcome));
            let asset = leg.market.asset(leg.outcome);
            let free = self.ledger.available(owner, asset) - self.orders.promised(owner, asset);
            // An offer that nobody takes is not made.
            if bid.is_some_and(|bid| bid.price >= price) { free } else { oddsmith_domain::Shares::ZERO }
        };
        let Some(want) = carried.run.want(now, sellable) else { return false };
        match self.send_leg(&want, Ownership { instance: owner, intent: carried.intent }, carried, now, out) {
            Ok(id) => carried.run.sent(want.leg, id),
            Err(denial) => {
                self.tell_denial(owner, want.market, denial, out);
                if passes(denial, want.sale || carried.run.has_begun()) {
                    return false;
                }
                carried.run.refused(want.leg, now);
            }
        }
        true
    }

    /// Whether the way of all legs is clear that leave together; what of ours stands in it is cancelled first.
    fn clear_ways(&mut self, index: usize, carried: &Carried, now: Time, out: &mut Vec<Output>) -> bool {
        let Some(owner) = self.instances.get(index).map(|i| i.id) else { return false };
        let mut clear = true;
        for leg in carried.run.leaving_together() {
            let BasketLeg { market, outcome, side, limit, size } = *leg;
            let order = OpenOrder { outcome, side, price: limit, size };
            if let Err(denial) = self.clear_way(&order, owner, market, now, out) {
                self.tell_denial(owner, market, denial, out);
                clear = false;
            }
        }
        clear
    }

    fn send_leg(
        &mut self,
        want: &Want,
        owner: Ownership,
        carried: &Carried,
        now: Time,
        out: &mut Vec<Output>,
    ) -> Result<OrderId, Denial> {
        let order = self.on_grid(want)?;
        self.clear_way(&order, owner.instance, want.market, now, out)?;
        let place = self.build_taking(&order, owner, want, carried, now)?;
        self.send(place, now, out);
        Ok(place.id)
    }

    /// A sale's lowest price is the next one of the market's grid.
    fn on_grid(&self, want: &Want) -> Result<OpenOrder, Denial> {
        if !want.sale {
            return Ok(want.order);
        }
        let tick = self.markets.get(want.market.index()).and_then(|m| m.card.tick).ok_or(Denial::CardIncomplete)?;
        let price = tick.ceil_price(want.order.price.max(tick.min_price())).ok_or(Denial::OffGrid)?;
        Ok(OpenOrder { price, ..want.order })
    }

    fn build_taking(
        &mut self,
        order: &OpenOrder,
        owner: Ownership,
        want: &Want,
        carried: &Carried,
        now: Time,
    ) -> Result<PlaceOrder, Denial> {
        let permit = self.check_taking(order, owner.instance, want.market, now)?;
        let known = self.markets.get(want.market.index()).ok_or(Denial::MarketHalted)?;
        let usual = now.mono_ns.saturating_add(ns(self.config.timing.order_deadline_ms));
        // A leg must not leave after its basket has given it up.
        let deadline = if want.sale { usual } else { usual.min(carried.run.deadline()) };
        let builder = self.builder.as_mut().ok_or(Denial::Halted)?;
        builder
            .build(permit, (want.market, &known.card), (OrderType::Fak, false), owner, now, deadline)
            .map_err(|_| Denial::OffGrid)
    }

    /// Whether a leg may be sent although own orders are in its way. Those of the instance itself and of lower priority are cancelled first.
    ///
    /// # Errors
    /// [`Denial::SelfTrade`] as long as the leg has to wait.
    fn clear_way(
        &mut self,
        order: &OpenOrder,
        owner: InstanceId,
        market: MarketId,
        now: Time,
        out: &mut Vec<Output>,
    ) -> Result<(), Denial> {
        let meeting: Vec<_> = self.orders.open_in(market).filter(|o| o.open().meets(order)).collect();
        if meeting.is_empty() {
            return Ok(());
        }
        let rank = self.rank(owner);
        let yields = meeting.iter().any(|o| self.rank(o.place.instance) < rank);
        let rests: Vec<OrderId> = meeting.iter().filter(|o| o.place.order_type.rests()).map(|o| o.place.id).collect();
        if !yields {
            for id in rests {
                self.withdraw(&id, Withdrawal::SelfTrade, now, out);
            }
        }
        Err(Denial::SelfTrade)
    }

    /// Counts an order and hands it over.
    pub(crate) fn send(&mut self, place: PlaceOrder, now: Time, out: &mut Vec<Output>) {
        self.orders.insert(place, now);
        self.counts.placed += 1;
        let action = self.emit.action(out, Action::Place(Box::new(place)));
        self.awaited.insert(action, Purpose::Place(place.id));
        self.breakers.sent(RequestKind::Place);
        self.recount(place.asset.market());
    }

    /// Tells how a basket stands, if that has changed, and lets its instance look again.
    fn tell_basket(&mut self, index: usize, carried: &mut Carried, now: Time, out: &mut Vec<Output>) {
        let state = carried.run.state();
        if state == carried.told {
            return;
        }
        carried.told = state;
        let first = ns(self.config.timing.refusal_pause_ms);
        let Some(instance) = self.instances.get_mut(index) else { return };
        (instance.dirty, instance.urgent) = (true, true);
        let patience = &mut instance.patience;
        match state {
            BasketState::Nothing => {
                let rest = first.saturating_mul(1 << patience.failures.min(16)).min(MAX_REST_NS);
                patience.until = now.mono_ns.saturating_add(rest);
                patience.failures = patience.failures.saturating_add(1);
            }
            state if state.is_final() => patience.failures = 0,
            _ => {}
        }
        let (id, name) = (instance.id, instance.name.clone());
        let (basket, matched) = (carried.run.id, carried.run.matched());
        let parts: Vec<_> = carried.run.parts().collect();
        if state == BasketState::Residual {
            let text = format!("basket {} of instance `{name}` ended with parts that have no counterpart", basket.0);
            self.emit.event(out, Event::Alert { text });
        }
        self.emit.event(out, Event::Basket { instance: id, basket, state, matched, parts });
        self.pending = true;
    }

    /// The venue took an order that takes.
    pub(crate) fn on_taking_accepted(
        &mut self,
        id: &OrderId,
        status: VenueOrderStatus,
        trades: &[TradeId],
        now: Time,
        out: &mut Vec<Output>,
    ) {
        if self.orders.get(id).is_some_and(|order| order.state == OrderState::PendingNew) {
            self.change(id, OrderState::Working, now, out);
        }
        self.venue_took_an_order(now, out);
        if status != VenueOrderStatus::Matched || trades.is_empty() {
            // Delayed, or matched by what will be told: the user channel, or a question, says how it ended.
            return;
        }
        self.orders.note(id, |order| order.proven_gone = true);
        let owner = self.orders.get(id).map(|order| order.place.instance);
        let carried = owner.and_then(|o| self.instances.get_mut(usize::from(o.0))).and_then(|i| i.basket.as_mut());
        if let Some(carried) = carried {
            carried.named.insert(*id, trades.to_vec());
        }
    }

    /// The account was read whole: matches that it does not show are not awaited any more.
    pub(crate) fn await_no_matches(&mut self) {
        self.instances.iter_mut().filter_map(|i| i.basket.as_mut()).for_each(|basket| basket.named.clear());
    }

    /// When the next basket does something by itself, on the monotonic clock.
    pub(crate) fn next_basket(&self) -> Option<u64> {
        self.instances.iter().filter_map(|i| i.basket.as_ref()?.run.wakes_at()).min()
    }
}
