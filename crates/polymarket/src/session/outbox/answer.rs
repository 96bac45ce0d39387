//! What became of what was sent, and of what was not.

use std::collections::VecDeque;

use oddsmith_domain::{
    AccountPart, ActionSeq, CancelOutcome, FetchWhat, GatewayOutcome, Omission, OrderId, PlaceOutcome, Time,
    TokenOutcome, UnknownCause,
};

use super::super::wire::ns;
use super::{Flight, InFlight, Outbox, OutboxOutput, QueuedService, Remembered, RequestId, SendFailure};
use crate::AssetTable;
use crate::codec::rest::account::open_order;
use crate::error::{HeartbeatOutcome, HttpReply, Reply, reply};
use crate::wire::OpenOrder;

impl Outbox {
    /// The venue answered. `table` names the token of a queried order.
    pub fn on_response(&mut self, id: RequestId, answer: &HttpReply<'_>, table: &AssetTable, now: Time) {
        let Some(InFlight { flight, .. }) = self.in_flight.remove(&id) else { return };
        match flight {
            Flight::Places(parts) => self.on_places_reply(&parts, answer, now),
            Flight::Cancels(parts) => {
                for part in parts {
                    let Reply { outcome, retry_after_ms, .. } = reply::cancel(answer, &part.order);
                    self.cancel_pause.follow(answer.status, retry_after_ms, now);
                    self.result(part.action, GatewayOutcome::Cancel(outcome));
                }
            }
            Flight::Scope(scope) => {
                let outcome = reply::cancel_scope(answer).outcome;
                if let Ok(canceled) = &outcome {
                    self.cancel_budget.force(u32::try_from(canceled.canceled.len()).unwrap_or(u32::MAX), now);
                }
                self.scope_result(&scope, &outcome);
            }
            Flight::Heartbeat { action, corrected } => self.on_heartbeat_reply(action, corrected, answer, now),
            Flight::Query { action, order } => {
                self.result(action, GatewayOutcome::Query(queried(answer, order, table)));
            }
        }
    }

    fn on_places_reply(&mut self, parts: &[(ActionSeq, OrderId)], answer: &HttpReply<'_>, now: Time) {
        let (outcomes, retry_after_ms) = match parts {
            [(_, order)] => {
                let reply = reply::place(answer, order);
                (vec![reply.outcome], reply.retry_after_ms)
            }
            many => {
                let orders: Vec<OrderId> = many.iter().map(|(_, order)| *order).collect();
                let reply = reply::place_batch(answer, &orders);
                (reply.outcome, reply.retry_after_ms)
            }
        };
        self.order_pause.follow(answer.status, retry_after_ms, now);
        for ((action, order), outcome) in parts.iter().zip(outcomes) {
            self.place_result(*action, *order, outcome);
        }
    }

    /// A wrong id is answered with the right one: it is adopted, and the heartbeat sent once more.
    fn on_heartbeat_reply(&mut self, action: ActionSeq, corrected: bool, answer: &HttpReply<'_>, now: Time) {
        let outcome = match reply::heartbeat(answer).outcome {
            HeartbeatOutcome::Accepted(next) => {
                self.heartbeat_id = next;
                Ok(())
            }
            HeartbeatOutcome::Expected(id) => {
                self.heartbeat_id = id;
                if !corrected {
                    let give_up_at = now.mono_ns.saturating_add(ns(self.settings.queue_limit_ms));
                    self.services.push_front((action, QueuedService::Heartbeat { corrected: true }, give_up_at));
                    return;
                }
                Err(UnknownCause::Status(answer.status))
            }
            HeartbeatOutcome::Unknown(cause) => Err(cause),
        };
        self.result(action, GatewayOutcome::Heartbeat(outcome));
    }

    /// A request got no answer.
    pub fn on_failure(&mut self, id: RequestId, failure: SendFailure, now: Time) {
        let Some(InFlight { flight, .. }) = self.in_flight.remove(&id) else { return };
        match failure {
            SendFailure::Broken => self.fail(flight, UnknownCause::Broken),
            SendFailure::NotWritten => self.fail_unsent(flight, now),
        }
    }

    /// Nothing of it was written, so nothing happened. What may still wait waits again, at the head of its queue; placements
    /// were handed out with their orders and are not ours to repeat.
    fn fail_unsent(&mut self, flight: Flight, now: Time) {
        match flight {
            Flight::Places(parts) => {
                for (action, order) in parts {
                    self.place_result(action, order, PlaceOutcome::NotSent(UnknownCause::NoConnection));
                }
            }
            Flight::Cancels(parts) => {
                for part in parts.into_iter().rev() {
                    self.cancels.push_front(part);
                }
            }
            Flight::Scope(scope) => self.scopes.push_front(scope),
            Flight::Heartbeat { action, corrected } => {
                self.service_failed(action, QueuedService::Heartbeat { corrected }, UnknownCause::NoConnection);
            }
            Flight::Query { action, order } => {
                self.service_failed(action, QueuedService::Query(order), UnknownCause::NoConnection);
            }
        }
        self.on_time(now);
    }

    fn fail(&mut self, flight: Flight, cause: UnknownCause) {
        match flight {
            Flight::Places(parts) => {
                for (action, order) in parts {
                    self.place_result(action, order, PlaceOutcome::Unknown(cause));
                }
            }
            Flight::Cancels(parts) => {
                for part in parts {
                    self.result(part.action, GatewayOutcome::Cancel(CancelOutcome::Unknown(cause)));
                }
            }
            Flight::Scope(scope) => self.scope_result(&scope, &Err(cause)),
            Flight::Heartbeat { action, corrected } => {
                self.service_failed(action, QueuedService::Heartbeat { corrected }, cause);
            }
            Flight::Query { action, order } => self.service_failed(action, QueuedService::Query(order), cause),
        }
    }

    /// A read on the side ended. What it read, if it is an input of its own, has gone to the engine before.
    pub fn on_fetched(&mut self, action: ActionSeq, outcome: GatewayOutcome) {
        if self.fetches.remove(&action).is_some() {
            self.result(action, outcome);
        }
    }

    /// A conversion of tokens ended.
    pub fn on_converted(&mut self, action: ActionSeq, outcome: TokenOutcome) {
        if self.conversions.remove(&action).is_some() {
            self.result(action, GatewayOutcome::Tokens(outcome));
        }
    }

    /// Time passed.
    pub fn on_time(&mut self, now: Time) {
        self.expire_placements(now);
        let overdue: Vec<RequestId> =
            self.in_flight.iter().filter(|(_, r)| r.timeout_at <= now.mono_ns).map(|(id, _)| *id).collect();
        for id in overdue {
            if let Some(InFlight { flight, .. }) = self.in_flight.remove(&id) {
                self.outputs.push_back(OutboxOutput::Abandon(id));
                self.fail(flight, UnknownCause::Timeout);
            }
        }
        for cancel in drain_due(&mut self.cancels, |cancel| cancel.give_up_at, now) {
            let outcome = CancelOutcome::NotSent(UnknownCause::Deadline);
            self.result(cancel.action, GatewayOutcome::Cancel(outcome));
        }
        for scope in drain_due(&mut self.scopes, |scope| scope.give_up_at, now) {
            self.scope_result(&scope, &Err(UnknownCause::NoConnection));
        }
        for (action, service, _) in drain_due(&mut self.services, |service| service.2, now) {
            self.service_failed(action, service, UnknownCause::NoConnection);
        }
        let late = self.fetches.iter().filter(|(_, (by, _))| *by <= now.mono_ns);
        for (action, what) in late.map(|(action, (_, what))| (*action, what.clone())).collect::<Vec<_>>() {
            self.on_fetched(action, fetch_failed(&what, UnknownCause::Timeout));
        }
        let late = self.conversions.iter().filter(|(_, by)| **by <= now.mono_ns).map(|(action, _)| *action);
        for action in late.collect::<Vec<_>>() {
            self.on_converted(action, TokenOutcome::Unknown(UnknownCause::Timeout));
        }
        self.forget(now);
    }

    pub(super) fn expire_placements(&mut self, now: Time) {
        // Without enough budget before its deadline a placement need not wait for it.
        let budget_at = self.order_budget.ready_at(1, now).unwrap_or(u64::MAX);
        let mut at = 0;
        while let Some(place) = self.places.get(at) {
            let deadline = place.order.deadline_mono_ns;
            let cause = match () {
                () if deadline <= now.mono_ns => UnknownCause::Deadline,
                () if deadline <= budget_at => UnknownCause::RateBudget,
                () => {
                    at += 1;
                    continue;
                }
            };
            if let Some(place) = self.places.remove(at) {
                self.place_result(place.action, place.order.id, PlaceOutcome::NotSent(cause));
            }
        }
    }

    fn forget(&mut self, now: Time) {
        let keep = ns(self.settings.remember_ms);
        while let Some((since, order)) = self.remembered_since.front().copied()
            && now.mono_ns.saturating_sub(since) >= keep
        {
            self.remembered_since.pop_front();
            match self.remembered.get(&order) {
                Some(Remembered { outcome: None, .. }) => self.remembered_since.push_back((now.mono_ns, order)),
                _ => {
                    self.remembered.swap_remove(&order);
                }
            }
        }
    }

    /// When [`Outbox::on_time`] or [`Outbox::next_request`] has something to do at the latest, on the monotonic clock.
    pub fn next_deadline(&mut self, now: Time) -> Option<u64> {
        let mut next = u64::MAX;
        for request in self.in_flight.values() {
            next = next.min(request.timeout_at);
        }
        for place in &self.places {
            next = next.min(place.order.deadline_mono_ns);
        }
        for cancel in &self.cancels {
            next = next.min(cancel.give_up_at);
        }
        for scope in &self.scopes {
            next = next.min(scope.give_up_at);
        }
        for (_, _, give_up_at) in &self.services {
            next = next.min(*give_up_at);
        }
        for by in self.fetches.values().map(|(by, _)| by).chain(self.conversions.values()) {
            next = next.min(*by);
        }
        let later = |at: u64| if at > now.mono_ns { at } else { u64::MAX };
        if !self.places.is_empty() {
            let reserve = self.cancel_budget.ready_at(self.settings.cancel_reserve, now).unwrap_or(u64::MAX);
            let budget = self.order_budget.ready_at(1, now).unwrap_or(u64::MAX);
            next = next.min(later(budget)).min(later(reserve)).min(later(self.order_pause.until));
        }
        if !self.cancels.is_empty() {
            let budget = self.cancel_budget.ready_at(1, now).unwrap_or(u64::MAX);
            next = next.min(later(budget)).min(later(self.cancel_pause.until));
        }
        (next != u64::MAX).then_some(next)
    }
}

fn drain_due<T>(queue: &mut VecDeque<T>, due_at: impl Fn(&T) -> u64, now: Time) -> Vec<T> {
    let mut due = Vec::new();
    if queue.iter().any(|item| due_at(item) <= now.mono_ns) {
        for item in std::mem::take(queue) {
            if due_at(&item) <= now.mono_ns {
                due.push(item);
            } else {
                queue.push_back(item);
            }
        }
    }
    due
}

/// The result of a read on the side that failed.
#[must_use]
pub const fn fetch_failed(what: &FetchWhat, cause: UnknownCause) -> GatewayOutcome {
    match what {
        FetchWhat::Book(_) => GatewayOutcome::Done(Err(cause)),
        FetchWhat::Account { .. } => GatewayOutcome::Account(Err(unread(cause))),
        FetchWhat::Activity { .. } => GatewayOutcome::Activity(Err(unread(cause))),
        FetchWhat::Resolution(_) => GatewayOutcome::Resolution(Err(cause)),
    }
}

/// A read of which nothing came.
const fn unread(cause: UnknownCause) -> Omission {
    Omission { part: AccountPart::Orders, page: 1, cause, rejected: 0, rejects: Vec::new() }
}

/// An order that the venue does not know is answered by 404, or by `null`.
fn queried(
    answer: &HttpReply<'_>,
    order: OrderId,
    table: &AssetTable,
) -> Result<Option<oddsmith_domain::AccountOrder>, UnknownCause> {
    match answer.status {
        200 => {
            let found: Option<OpenOrder> =
                serde_json::from_slice(answer.body).map_err(|_| UnknownCause::Undecodable)?;
            let found = found.map(|found| open_order(&found, table)).transpose();
            match found.map_err(|_| UnknownCause::Undecodable)? {
                Some(other) if other.id != order => Err(UnknownCause::Undecodable),
                found => Ok(found),
            }
        }
        404 => Ok(None),
        status => Err(UnknownCause::Status(status)),
    }
}
