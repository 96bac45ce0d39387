//! Which request leaves next.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use arrayvec::ArrayVec;
use oddsmith_domain::{ActionSeq, AssetId, MarketId, OrderId, Time};

use super::super::wire::ns;
use super::request::cancel_body;
use super::{
    Channel, Endpoint, Flight, FreeConnections, InFlight, MAX_BATCH, Outbox, QueuedScope, QueuedService, Request,
    RequestBody, RequestId,
};

impl Outbox {
    /// The next request that may leave now on one of the free connections; to be asked until there is none.
    pub fn next_request(&mut self, free: FreeConnections, now: Time) -> Option<Request> {
        self.next_scope_cancel(free, now)
            .or_else(|| self.next_cancel(free, now))
            .or_else(|| self.next_service(free, now))
            .or_else(|| self.next_place(free, now))
    }

    fn next_scope_cancel(&mut self, free: FreeConnections, now: Time) -> Option<Request> {
        let channel = match free {
            FreeConnections { cancels: 1.., .. } => Channel::Cancels,
            FreeConnections { orders: 1.., .. } => Channel::Orders,
            _ => return None,
        };
        let scope = self.scopes.pop_front()?;
        self.cancel_budget.force(1, now);
        let (endpoint, body) = match scope.market.and_then(|market| self.conditions.get(&market)) {
            Some(condition) => {
                (Endpoint::CancelMarket, RequestBody::Json(format!(r#"{{"market":"{condition}","asset_id":""}}"#)))
            }
            None => (Endpoint::CancelAll, RequestBody::Empty),
        };
        let actions = scope.actions.clone();
        Some(self.send(endpoint, endpoint.path().into(), channel, body, actions, Flight::Scope(scope), now))
    }

    fn next_cancel(&mut self, free: FreeConnections, now: Time) -> Option<Request> {
        // The last free connection of the reserve stays free for a cancel of a scope.
        let channel = match free {
            FreeConnections { cancels: 2.., .. } => Channel::Cancels,
            FreeConnections { orders: 1.., .. } => Channel::Orders,
            _ => return None,
        };
        if self.cancels.is_empty() || self.cancel_pause.is_on(now) {
            return None;
        }
        let tokens = usize::try_from(self.cancel_budget.available(now)).unwrap_or(0);
        let room = tokens.min(self.settings.cancel_batch.max(1));
        let mut batch = Vec::new();
        let mut held = VecDeque::new();
        while let Some(cancel) = self.cancels.pop_front() {
            if batch.len() < room && !self.is_being_placed(cancel.order) {
                batch.push(cancel);
            } else {
                held.push_back(cancel);
            }
        }
        self.cancels = held;
        if batch.is_empty() {
            return None;
        }
        self.cancel_budget.force(batch.len() as u32, now);
        let endpoint = if batch.len() == 1 { Endpoint::Cancel } else { Endpoint::CancelBatch };
        let ids: Vec<OrderId> = batch.iter().map(|cancel| cancel.order).collect();
        let actions = batch.iter().map(|cancel| cancel.action).collect();
        let body = cancel_body(&ids);
        Some(self.send(endpoint, endpoint.path().into(), channel, body, actions, Flight::Cancels(batch), now))
    }

    fn next_service(&mut self, free: FreeConnections, now: Time) -> Option<Request> {
        if free.orders == 0 {
            return None;
        }
        let (action, service, _) = self.services.pop_front()?;
        Some(self.send_service(action, service, now))
    }

    fn send_service(&mut self, action: ActionSeq, service: QueuedService, now: Time) -> Request {
        let (endpoint, path, body, flight) = match service {
            QueuedService::Heartbeat { corrected } => {
                let body = serde_json::json!({ "heartbeat_id": self.heartbeat_id }).to_string();
                let path = Cow::Borrowed(Endpoint::Heartbeat.path());
                (Endpoint::Heartbeat, path, RequestBody::Json(body), Flight::Heartbeat { action, corrected })
            }
            QueuedService::Query(order) => {
                let path = Cow::Owned(format!("{}{order}", Endpoint::Query.path()));
                (Endpoint::Query, path, RequestBody::Empty, Flight::Query { action, order })
            }
        };
        self.send(endpoint, path, Channel::Orders, body, vec![action], flight, now)
    }

    fn next_place(&mut self, free: FreeConnections, now: Time) -> Option<Request> {
        if free.orders == 0 || self.places.is_empty() {
            return None;
        }
        self.expire_placements(now);
        if self.order_pause.is_on(now)
            || self.cancel_budget.available(now) < i64::from(self.settings.cancel_reserve)
            || self.places.front().is_some_and(|place| self.is_being_cleared(place.order.asset))
        {
            return None;
        }
        let tokens = usize::try_from(self.order_budget.available(now)).unwrap_or(0);
        let room = tokens.min(self.settings.place_batch.clamp(1, MAX_BATCH));
        let mut actions = Vec::new();
        let mut parts = Vec::new();
        let mut orders = ArrayVec::<_, MAX_BATCH>::new();
        while orders.len() < room
            && let Some(place) = self.places.pop_front_if(|place| {
                !self.scopes.iter().any(|scope| covers(scope.market, place.order.asset))
                    && !flying_scopes(&self.in_flight).any(|scope| covers(scope.market, place.order.asset))
            })
        {
            actions.push(place.action);
            parts.push((place.action, place.order.id));
            orders.push(place.order);
        }
        self.order_budget.force(orders.len() as u32, now);
        let (endpoint, body) = match orders.len() {
            0 => return None,
            1 => (Endpoint::Place, RequestBody::Order(orders.pop()?)),
            _ => (Endpoint::PlaceBatch, RequestBody::Orders(orders.into_iter().collect())),
        };
        let path = endpoint.path().into();
        Some(self.send(endpoint, path, Channel::Orders, body, actions, Flight::Places(parts), now))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of a request, named once")]
    fn send(
        &mut self,
        endpoint: Endpoint,
        path: Cow<'static, str>,
        channel: Channel,
        body: RequestBody,
        actions: Vec<ActionSeq>,
        flight: Flight,
        now: Time,
    ) -> Request {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        let limit = match flight {
            Flight::Places(_) => self.settings.place_timeout_ms,
            _ => self.settings.request_timeout_ms,
        };
        self.in_flight.insert(id, InFlight { flight, timeout_at: now.mono_ns.saturating_add(ns(limit)) });
        Request { id, endpoint, path, channel, body, actions }
    }

    fn is_being_placed(&self, order: OrderId) -> bool {
        self.in_flight
            .values()
            .any(|request| matches!(&request.flight, Flight::Places(parts) if parts.iter().any(|(_, id)| *id == order)))
    }

    fn is_being_cleared(&self, asset: AssetId) -> bool {
        self.scopes.iter().chain(flying_scopes(&self.in_flight)).any(|scope| covers(scope.market, asset))
    }
}

pub(super) fn covers(scope: Option<MarketId>, asset: AssetId) -> bool {
    scope.is_none_or(|market| market == asset.market())
}

fn flying_scopes(in_flight: &BTreeMap<RequestId, InFlight>) -> impl Iterator<Item = &QueuedScope> {
    in_flight.values().filter_map(|request| match &request.flight {
        Flight::Scope(scope) => Some(scope),
        _ => None,
    })
}
