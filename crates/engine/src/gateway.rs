//! Results of actions: accepted, refused, or unknown. Never guessed.

use oddsmith_domain::{
    AccountOrder, CancelOutcome, CanceledOrders, DifferenceKind, DoubtCause, Event, GatewayInput, GatewayOutcome,
    OrderId, OrderState, Output, PlaceOutcome, RequestKind, Scope, Time, UnknownCause, VenueOrderStatus, planted,
};

use crate::breaker::{verdict, verdict_of_book};
use crate::config::ns;
use crate::core::{Engine, Purpose};
use crate::tick::RETRY_NS;

/// The longest pause after refusals in a row.
const MAX_PAUSE_NS: u64 = 60 * Time::SECOND;

impl Engine {
    pub(crate) fn on_gateway(&mut self, result: &GatewayInput, now: Time, out: &mut Vec<Output>) {
        let Some(purpose) = self.awaited.remove(&result.action) else {
            let text = format!("a result came for action {}, which nobody awaits", result.action.0);
            return self.emit.event(out, Event::Alert { text });
        };
        let judged = match (purpose, &result.outcome) {
            (Purpose::Book(_), GatewayOutcome::Done(outcome)) => Some((RequestKind::Book, verdict_of_book(*outcome))),
            (_, outcome) => verdict(outcome),
        };
        if let Some((kind, verdict)) = judged {
            self.judge(kind, verdict, now, out);
        }
        match (purpose, &result.outcome) {
            (Purpose::Place(id), GatewayOutcome::Place(outcome)) => self.on_placed(&id, outcome, now, out),
            (Purpose::Cancel(id), GatewayOutcome::Cancel(outcome)) => self.on_canceled(&id, outcome, now, out),
            (Purpose::Query(id, arrived), GatewayOutcome::Query(outcome)) => {
                self.on_queried((&id, arrived), outcome, now, out);
            }
            (Purpose::Doubt(scope), GatewayOutcome::CancelScope(outcome)) => {
                self.on_scope_canceled(scope, result, outcome, now, out);
            }
            (Purpose::Doubt(_), GatewayOutcome::Account(outcome)) => {
                if self.wallet.awaits(result.action) {
                    self.on_account_in_doubt(outcome, now, out);
                }
            }
            (Purpose::Reconcile, GatewayOutcome::Account(outcome)) => self.on_reconciled(outcome, now, out),
            (Purpose::Poll, GatewayOutcome::Activity(outcome)) => self.on_polled(result.action, outcome, now, out),
            (Purpose::Resolution(market), GatewayOutcome::Resolution(outcome)) => {
                self.on_resolution(market, outcome, now, out);
            }
            (Purpose::Conversion(market), GatewayOutcome::Tokens(outcome)) => {
                self.on_converted(market, result.action, outcome, now, out);
            }
            (Purpose::EventConversion, GatewayOutcome::Tokens(outcome)) => {
                self.on_event_converted(result.action, outcome, now, out);
            }
            (Purpose::Heartbeat, GatewayOutcome::Heartbeat(outcome)) => match outcome {
                Ok(()) => self.wallet.resolve(DoubtCause::Heartbeat),
                Err(cause) => self.on_heartbeat_missed(*cause, now, out),
            },
            (Purpose::Book(_) | Purpose::Other, GatewayOutcome::Done(_)) => {}
            (purpose, outcome) => {
                let text =
                    format!("the result of action {} does not fit it: {purpose:?}, {outcome:?}", result.action.0);
                self.emit.event(out, Event::Alert { text });
            }
        }
    }

    fn on_placed(&mut self, id: &OrderId, outcome: &PlaceOutcome, now: Time, out: &mut Vec<Output>) {
        self.note_placement(id, outcome, now, out);
        match outcome {
            PlaceOutcome::Accepted { status, trades } if self.takes(id) => {
                self.on_taking_accepted(id, *status, trades, now, out);
            }
            PlaceOutcome::Accepted { .. } => {
                self.orders.note(id, |order| order.arrived = true);
                // A fill or a cancel may have overtaken the answer; then it says nothing new.
                if self.state_of(id) == Some(OrderState::PendingNew) {
                    self.change(id, OrderState::Working, now, out);
                }
                self.venue_took_an_order(now, out);
                self.on_taken(id, now, out);
                self.forgive(id);
                self.replan_for(id);
            }
            PlaceOutcome::Refused { code, text } => {
                self.counts.refused += 1;
                self.emit.event(out, Event::Refused { order: *id, text: text.clone() });
                if !self.reprices(id, *code, now, out) {
                    self.pause(id, now);
                }
                self.rejected(id, now, out);
                self.on_refusal_code(*code, now, out);
            }
            PlaceOutcome::NotSent(_) => {
                self.pause(id, now);
                self.rejected(id, now, out);
            }
            PlaceOutcome::Unknown(_) if planted!(UnknownForgotten) => self.rejected(id, now, out),
            // The user channel, or a cancel of everything, may have told its fate before the answer failed.
            PlaceOutcome::Unknown(cause) if self.awaits_fate(id) => {
                self.change(id, OrderState::Unknown, now, out);
                self.alert_unknown("placement", id, *cause, out);
                self.query(*id, out);
            }
            PlaceOutcome::Unknown(_) => {}
        }
    }

    fn on_canceled(&mut self, id: &OrderId, outcome: &CancelOutcome, now: Time, out: &mut Vec<Output>) {
        self.note_cancel(id, outcome, now, out);
        match outcome {
            CancelOutcome::Canceled => self.gone(id, now, out),
            CancelOutcome::Unknown(_) if planted!(CancelAssumed) => self.gone(id, now, out),
            // Matched, or cancelled before: its own report says which.
            CancelOutcome::Gone(_) => self.query(*id, out),
            CancelOutcome::Refused(_) | CancelOutcome::NotSent(_) => {
                if self.state_of(id) == Some(OrderState::PendingCancel) {
                    self.back_to_work(id, now, out);
                    self.pause(id, now);
                }
                self.replan_for(id);
            }
            CancelOutcome::Unknown(cause) => {
                if self.state_of(id) == Some(OrderState::PendingCancel) {
                    self.change(id, OrderState::Unknown, now, out);
                }
                self.alert_unknown("cancel", id, *cause, out);
                self.query(*id, out);
            }
        }
    }

    fn on_queried(
        &mut self,
        (id, arrived): (&OrderId, bool),
        outcome: &Result<Option<AccountOrder>, UnknownCause>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        self.orders.note(id, |order| order.asked = None);
        match outcome {
            Ok(Some(report)) => {
                let taken_for = self.state_of(id).filter(|s| *s == OrderState::Canceled || *s == OrderState::Rejected);
                if let (Some(state), true) = (taken_for, is_alive(report.status)) {
                    // What we took for dead is alive: nothing about the wallet is certain.
                    let what = format!("order {id} is alive at the venue although it was taken for {state:?}");
                    self.differ(DifferenceKind::UndeadOrder, None, what, out);
                    return self.doubt_wallet(DoubtCause::Mismatch, now, out);
                }
                self.on_order_standing(id, report.status, report.size_matched, now, out);
                // It outlived a cancel that is not on its way any more.
                let outlived = self.state_of(id) == Some(OrderState::PendingCancel) && is_alive(report.status);
                if outlived && !self.is_being_canceled(id) {
                    self.back_to_work(id, now, out);
                    self.replan_for(id);
                }
            }
            // One that was there when it was asked about is gone; a fill that is still on its way will be counted. Any other may have
            // been overtaken by the question, even if the venue has told of it meanwhile.
            Ok(None) if self.state_of(id) == Some(OrderState::PendingCancel) => {
                self.change(id, if arrived { OrderState::Canceled } else { OrderState::Unknown }, now, out);
            }
            // It worked, and neither a list nor the venue knows it any more: nobody can say what became of it.
            Ok(None)
                if arrived && matches!(self.state_of(id), Some(OrderState::Working | OrderState::PartiallyFilled)) =>
            {
                let what = format!("order {id} is in our books and not at the venue");
                self.differ(DifferenceKind::MissingOrder, None, what, out);
                self.change(id, OrderState::Unknown, now, out);
            }
            // It may still arrive at the venue, or nobody knows: asked again, and in the end a cancel-all decides.
            Ok(None) | Err(_) => {}
        }
    }

    /// The venue says how an order stands: on the user channel, in a query or in a list.
    pub(crate) fn on_order_standing(
        &mut self,
        id: &OrderId,
        status: VenueOrderStatus,
        matched: oddsmith_domain::Shares,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        self.orders.note(id, |order| {
            order.arrived = true;
            if matched > order.venue_matched {
                order.venue_matched = matched;
                order.matched_since = now;
            }
        });
        let Some(state) = self.state_of(id) else { return };
        match status {
            status if is_alive(status) => match state {
                OrderState::PendingNew | OrderState::Unknown => {
                    self.back_to_work(id, now, out);
                    self.replan_for(id);
                }
                // An old report that was overtaken, or an order that lives although we took it for dead: the venue is asked.
                OrderState::Canceled | OrderState::Rejected
                    if self.orders.get(id).is_some_and(|order| !order.proven_gone && order.asked.is_none()) =>
                {
                    self.query(*id, out);
                }
                _ => {}
            },
            VenueOrderStatus::Canceled => {
                self.gone(id, now, out);
            }
            // The match used up what takes, or the rest of it is dropped.
            VenueOrderStatus::Matched if matched.is_positive() && self.takes(id) => {
                self.orders.note(id, |order| order.proven_gone = true);
            }
            // The fills say the rest.
            _ => {}
        }
    }

    fn on_scope_canceled(
        &mut self,
        scope: Scope,
        result: &GatewayInput,
        outcome: &Result<CanceledOrders, UnknownCause>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        match outcome {
            Ok(orders) => {
                for id in &orders.canceled {
                    if self.state_of(id).is_some_and(|s| !s.is_final()) {
                        self.counts.canceled += 1;
                    }
                    self.gone(id, now, out);
                }
                match scope {
                    Scope::Wallet if self.wallet.awaits(result.action) => {
                        self.emit.event(out, Event::DoubtCanceled { scope });
                        self.wallet.done(now, 0);
                    }
                    Scope::Market(market) => self.finish_market_cancel(market, result.action, now, out),
                    Scope::Wallet | Scope::Instance(_) => {}
                }
            }
            Err(cause) => {
                let text = format!("cancelling everything was not answered ({cause:?}); it is tried again");
                self.emit.event(out, Event::Alert { text });
                match scope {
                    Scope::Wallet if self.wallet.awaits(result.action) => self.wallet.retry_at(now.mono_ns + RETRY_NS),
                    // One market's cancel without an answer is doubt about the wallet.
                    Scope::Market(market) => {
                        if let Some(known) = self.markets.get_mut(market.index()) {
                            known.doubt.retry_at(now.mono_ns + RETRY_NS);
                        }
                        self.doubt_wallet(DoubtCause::UnknownOrder, now, out);
                    }
                    Scope::Wallet | Scope::Instance(_) => {}
                }
            }
        }
    }

    fn finish_market_cancel(
        &mut self,
        market: oddsmith_domain::MarketId,
        action: oddsmith_domain::ActionSeq,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let left: Vec<_> = self.orders.open_in(market).map(|o| (o.place.id, o.asked.is_some())).collect();
        let cooldown = ns(self.config.timing.market_cooldown_ms);
        let Some(known) = self.markets.get_mut(market.index()).filter(|m| m.doubt.awaits(action)) else { return };
        self.emit.event(out, Event::DoubtCanceled { scope: Scope::Market(market) });
        if left.is_empty() {
            known.doubt.done_without_reading(now, cooldown);
            self.emit.event(out, Event::DoubtCleared { scope: Scope::Market(market) });
            return;
        }
        // What the venue did not name is asked for one by one; the scope is cancelled again until it is empty.
        known.doubt.retry_at(now.mono_ns + RETRY_NS / 2);
        for (id, asked) in left {
            if !asked {
                self.query(id, out);
            }
        }
    }

    fn on_heartbeat_missed(&mut self, cause: UnknownCause, now: Time, out: &mut Vec<Output>) {
        self.emit.event(out, Event::Alert { text: format!("the venue did not hear our heartbeat ({cause:?})") });
        self.timers.heartbeat = now.mono_ns + RETRY_NS;
        self.doubt_wallet(DoubtCause::Heartbeat, now, out);
    }

    fn state_of(&self, id: &OrderId) -> Option<OrderState> {
        self.orders.get(id).map(|order| order.state)
    }

    /// The venue never took the order. A cancel of everything may have settled it before.
    fn rejected(&mut self, id: &OrderId, now: Time, out: &mut Vec<Output>) {
        if self.state_of(id).is_some_and(|state| !state.is_final()) {
            self.change(id, OrderState::Rejected, now, out);
        }
    }

    fn awaits_fate(&self, id: &OrderId) -> bool {
        matches!(self.state_of(id), Some(OrderState::PendingNew | OrderState::PendingCancel))
    }

    /// The venue says that an order is gone.
    fn gone(&mut self, id: &OrderId, now: Time, out: &mut Vec<Output>) {
        self.orders.note(id, |order| order.proven_gone = true);
        if self.state_of(id).is_some_and(|state| !state.is_final()) {
            self.change(id, OrderState::Canceled, now, out);
        }
    }

    fn back_to_work(&mut self, id: &OrderId, now: Time, out: &mut Vec<Output>) {
        let filled = self.orders.get(id).is_some_and(|order| order.filled.is_positive());
        let to = if filled { OrderState::PartiallyFilled } else { OrderState::Working };
        self.change(id, to, now, out);
    }

    fn replan_for(&mut self, id: &OrderId) {
        if let Some(order) = self.orders.get(id) {
            let (instance, market) = (order.place.instance, order.place.asset.market());
            self.replan(instance, market);
        }
    }

    /// After a refusal the instance waits in this market, longer each time in a row.
    fn pause(&mut self, id: &OrderId, now: Time) {
        // A basket has a patience of its own.
        if self.takes(id) {
            return;
        }
        let first = ns(self.config.timing.refusal_pause_ms);
        if let Some(wanted) = self.wanted_of(id) {
            let pause = first.saturating_mul(1 << wanted.refusals.min(16)).min(MAX_PAUSE_NS);
            wanted.refusals = wanted.refusals.saturating_add(1);
            wanted.paused_until = now.mono_ns.saturating_add(pause);
        }
    }

    fn forgive(&mut self, id: &OrderId) {
        if let Some(wanted) = self.wanted_of(id) {
            wanted.refusals = 0;
        }
    }

    fn wanted_of(&mut self, id: &OrderId) -> Option<&mut crate::instance::Wanted> {
        let order = self.orders.get(id)?;
        let (instance, market) = (order.place.instance, order.place.asset.market());
        self.instances.get_mut(usize::from(instance.0))?.wants.get_mut(&market)
    }

    fn alert_unknown(&mut self, what: &str, id: &OrderId, cause: UnknownCause, out: &mut Vec<Output>) {
        let text = format!("the {what} of order {id} has no known outcome ({cause:?}); the venue is asked");
        self.emit.event(out, Event::Alert { text });
    }
}

/// Whether an order that stands so rests at the venue, or may yet.
const fn is_alive(status: VenueOrderStatus) -> bool {
    matches!(status, VenueOrderStatus::Live | VenueOrderStatus::Unmatched | VenueOrderStatus::Delayed)
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
