//! What keeps sending in order: late answers, an order's age, quotes that the venue's book repels, and own orders that would meet.

use oddsmith_domain::{
    Denial, DesiredQuote, Event, InstanceId, IntentId, MarketId, OrderId, OrderState, Outcome, Output, RefusalCode,
    Side, Tick, Time, Withdrawal,
};
use oddsmith_risk::OpenOrder;

use crate::config::ns;
use crate::core::Engine;
use crate::instance::Wanted;

/// How far the venue's post-only refusals have pushed an instance's quotes back on one side of a market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repel {
    /// Refusals in a row.
    tries: u32,
    /// Ticks by which quotes stand further away, as long as the same is wanted.
    ticks: u16,
    /// What was wanted when the last refusal came.
    intent: IntentId,
    /// Nothing is quoted on the side until this monotonic time; 0 for no defence.
    defence_until: u64,
}

/// Side and price of a quote in YES terms.
fn in_yes_terms(quote: &DesiredQuote) -> Side {
    match quote.outcome {
        Outcome::Yes => quote.side,
        Outcome::No => quote.side.opposite(),
    }
}

impl Wanted {
    /// The quotes as they may be sent after post-only refusals; `None` when they may be sent as they are wanted.
    pub(crate) fn repelled(&self, quotes: &[DesiredQuote], tick: Tick, now: Time) -> Option<Vec<DesiredQuote>> {
        if self.repel == [Repel::default(); 2] {
            return None;
        }
        let sent = |quote: &DesiredQuote| {
            let repel = self.repel[in_yes_terms(quote) as usize];
            if now.mono_ns < repel.defence_until {
                return None;
            }
            let ticks = if repel.intent == self.intent { repel.ticks } else { 0 };
            let away = i32::from(tick.units()) * i32::from(ticks);
            let away = if quote.side == Side::Buy { -away } else { away };
            let price = quote.price.saturating_add_units(away);
            tick.admits(price).then_some(DesiredQuote { price, ..*quote })
        };
        Some(quotes.iter().filter_map(sent).collect())
    }
}

impl Engine {
    /// The venue took an order. One that it took too late is cancelled; one that is not wanted any more is looked at at once.
    pub(crate) fn on_taken(&mut self, id: &OrderId, now: Time, out: &mut Vec<Output>) {
        let Some(order) = self.orders.get(id) else { return };
        let (place, since) = (order.place, order.since);
        if now.since(since) > ns(self.config.sending.late_answer_ms) {
            self.withdraw(id, Withdrawal::LateAnswer, now, out);
        }
        let side = order_side(&place);
        let Some(wanted) = self.wanted_mut(place.instance, place.asset.market()) else { return };
        wanted.repel[side as usize].tries = 0;
        if wanted.intent != place.intent {
            wanted.planned_at = None;
        }
    }

    /// Cancels an order for a reason of its own.
    pub(crate) fn withdraw(&mut self, id: &OrderId, why: Withdrawal, now: Time, out: &mut Vec<Output>) {
        if self.orders.get(id).is_some_and(|o| o.state != OrderState::PendingCancel && o.is_open()) {
            self.emit.event(out, Event::Withdrawn { order: *id, why });
            self.cancel(id, now, out);
        }
    }

    /// Cancels what has rested for too long: the venue's own expiry cannot be short.
    pub(crate) fn watch_age(&mut self, now: Time, out: &mut Vec<Output>) {
        let ttl = ns(self.config.sending.order_ttl_ms);
        if ttl == 0 {
            return;
        }
        let rests = self.orders.open().filter(|o| o.is_settled() && o.place.order_type.rests());
        let old: Vec<_> = rests.filter(|o| now.since(o.since) > ttl).map(|o| o.place.id).collect();
        for id in old {
            self.withdraw(&id, Withdrawal::TooOld, now, out);
        }
    }

    /// The venue refused an order. Whether that is answered by another price; if not, the instance pauses.
    pub(crate) fn reprices(&mut self, id: &OrderId, code: RefusalCode, now: Time, out: &mut Vec<Output>) -> bool {
        if code != RefusalCode::PostOnlyWouldCross {
            return false;
        }
        let Some(order) = self.orders.get(id) else { return false };
        let (instance, market, side, intent) =
            (order.place.instance, order.place.asset.market(), order_side(&order.place), order.place.intent);
        let sending = &self.config.sending;
        let (tries, defence_ns) = (sending.reprice_tries, ns(sending.defence_ms));
        let Some(wanted) = self.wanted_mut(instance, market) else { return false };
        let repel = &mut wanted.repel[side as usize];
        repel.tries += 1;
        let defence = repel.tries > tries;
        if defence {
            *repel = Repel { defence_until: now.mono_ns.saturating_add(defence_ns), ..Repel::default() };
        } else {
            repel.ticks = u16::try_from(repel.tries).unwrap_or(u16::MAX);
            repel.intent = intent;
        }
        let ticks = repel.ticks;
        self.emit.event(out, Event::Repelled { instance, market, side, ticks, defence });
        if defence {
            self.defences.insert((instance, market), ());
        }
        self.replan(instance, market);
        true
    }

    /// Ends defences whose time is over.
    pub(crate) fn watch_defences(&mut self, now: Time, out: &mut Vec<Output>) {
        let under: Vec<_> = self.defences.keys().copied().collect();
        for (instance, market) in under {
            let Some(wanted) = self.wanted_mut(instance, market) else { continue };
            let mut left = false;
            let mut over = Vec::new();
            for side in [Side::Buy, Side::Sell] {
                let repel = &mut wanted.repel[side as usize];
                match repel.defence_until {
                    0 => {}
                    until if now.mono_ns < until => left = true,
                    _ => {
                        *repel = Repel::default();
                        over.push(side);
                    }
                }
            }
            if !left {
                self.defences.remove(&(instance, market));
            }
            for side in over {
                self.emit.event(out, Event::Repelled { instance, market, side, ticks: 0, defence: false });
                self.replan(instance, market);
            }
        }
    }

    /// Whether an order may be sent although other instances have orders in its way. An order of an instance with a lower priority
    /// makes way: it is cancelled now, and the place is claimed until its cancel is known.
    ///
    /// # Errors
    /// [`Denial::SelfTrade`] as long as the order has to wait.
    pub(crate) fn make_way(
        &mut self,
        order: &OpenOrder,
        owner: InstanceId,
        market: MarketId,
        now: Time,
        out: &mut Vec<Output>,
    ) -> Result<(), Denial> {
        let rank = self.rank(owner);
        let claimed =
            self.instances.iter().filter(|i| i.rank < rank).any(|i| {
                i.wants.get(&market).is_some_and(|wanted| wanted.claims.iter().any(|claim| claim.meets(order)))
            });
        let mut meeting = Vec::new();
        let mut yields = claimed;
        for other in self.orders.open_in(market).filter(|o| o.place.instance != owner && o.open().meets(order)) {
            // What takes is not cancelled: it is over soon.
            yields |= self.rank(other.place.instance) < rank || !other.place.order_type.rests();
            meeting.push(other.place.id);
        }
        if yields {
            return Err(Denial::SelfTrade);
        }
        if meeting.is_empty() {
            return Ok(());
        }
        if let Some(wanted) = self.wanted_mut(owner, market) {
            wanted.claims.push(*order);
        }
        for id in meeting {
            self.withdraw(&id, Withdrawal::SelfTrade, now, out);
        }
        Err(Denial::SelfTrade)
    }

    pub(crate) fn wanted_mut(&mut self, instance: InstanceId, market: MarketId) -> Option<&mut Wanted> {
        self.instances.get_mut(usize::from(instance.0))?.wants.get_mut(&market)
    }
}

fn order_side(place: &oddsmith_domain::PlaceOrder) -> Side {
    let (outcome, side, price, size) = (place.asset.outcome(), place.side(), place.price, place.size);
    OpenOrder { outcome, side, price, size }.in_yes_terms().0
}
