//! The order outbox: which request leaves when, and what became of each action.
//!
//! The only caller of the venue's trading endpoints. It keeps these promises, whatever the venue and the network do:
//!
//! - every action gets exactly one result, also one that was dropped;
//! - a cancel leaves before a placement; a cancel of a scope leaves before everything, ignores budgets and pauses, and removes
//!   the queued placements of its scope;
//! - a placement never overtakes a cancel of its scope, and a cancel never overtakes the placement that it is meant for;
//! - nothing is sent twice: a request of which one byte was written and that has no answer is *unknown*.

mod answer;
mod dispatch;
mod request;

use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasherDefault;

use indexmap::IndexMap;
use oddsmith_domain::{
    Action, ActionSeq, CancelOutcome, CanceledOrders, ConditionId, DigestHasher, FetchWhat, GatewayInput,
    GatewayOutcome, MarketId, Millis, OrderId, PlaceOrder, PlaceOutcome, Shares, Time, UnknownCause, planted,
};

use super::wire::ns;
use super::{Backoff, TokenBucket};
pub use answer::fetch_failed;
use dispatch::covers;
pub use request::{
    Channel, Endpoint, FreeConnections, OutboxOutput, OutboxSettings, Request, RequestBody, RequestId, SendFailure,
};

/// A placement that waits.
#[derive(Debug)]
struct QueuedPlace {
    action: ActionSeq,
    order: Box<PlaceOrder>,
}

/// A single cancel that waits.
#[derive(Clone, Copy, Debug)]
struct QueuedCancel {
    action: ActionSeq,
    order: OrderId,
    give_up_at: u64,
}

/// A cancel of a scope that waits. Several wishes for the same scope are one request.
#[derive(Debug)]
struct QueuedScope {
    actions: Vec<ActionSeq>,
    /// `None` is the whole wallet.
    market: Option<MarketId>,
    give_up_at: u64,
}

#[derive(Clone, Copy, Debug)]
enum QueuedService {
    /// `corrected` once the venue has named the id that it expects.
    Heartbeat {
        corrected: bool,
    },
    Query(OrderId),
}

/// The most orders of one request (protocol section 6.4).
const MAX_BATCH: usize = 15;

/// What a request in flight decides.
#[derive(Debug)]
enum Flight {
    Places(Vec<(ActionSeq, OrderId)>),
    Cancels(Vec<QueuedCancel>),
    Scope(QueuedScope),
    Heartbeat { action: ActionSeq, corrected: bool },
    Query { action: ActionSeq, order: OrderId },
}

#[derive(Debug)]
struct InFlight {
    flight: Flight,
    timeout_at: u64,
}

/// A placement that was handed in before, so that it is never sent twice.
#[derive(Debug)]
struct Remembered {
    outcome: Option<PlaceOutcome>,
    waiting: Vec<ActionSeq>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Outbox {
    settings: OutboxSettings,
    conditions: BTreeMap<MarketId, ConditionId>,
    scopes: VecDeque<QueuedScope>,
    cancels: VecDeque<QueuedCancel>,
    services: VecDeque<(ActionSeq, QueuedService, u64)>,
    places: VecDeque<QueuedPlace>,
    in_flight: BTreeMap<RequestId, InFlight>,
    fetches: BTreeMap<ActionSeq, (u64, FetchWhat)>,
    conversions: BTreeMap<ActionSeq, u64>,
    remembered: IndexMap<OrderId, Remembered, BuildHasherDefault<DigestHasher>>,
    remembered_since: VecDeque<(u64, OrderId)>,
    order_budget: TokenBucket,
    cancel_budget: TokenBucket,
    order_pause: Pause,
    cancel_pause: Pause,
    heartbeat_id: String,
    last_request: u64,
    results: VecDeque<GatewayInput>,
    outputs: VecDeque<OutboxOutput>,
}

/// A stop after the venue said that there were too many requests.
#[derive(Debug)]
struct Pause {
    until: u64,
    backoff: Backoff,
}

impl Pause {
    /// Begins when the venue says that there are too many requests, or that it restarts; what it states counts, a minute at most.
    fn follow(&mut self, status: u16, retry_after_ms: Option<Millis>, now: Time) {
        match status {
            425 | 429 if !self.is_on(now) => {
                let wait = self.backoff.fail();
                let stated = ns(retry_after_ms.unwrap_or(0).min(Backoff::CAP_S * 1_000));
                self.until = now.mono_ns.saturating_add(wait.max(stated));
            }
            200 => self.backoff.reset(),
            _ => {}
        }
    }

    fn is_on(&self, now: Time) -> bool {
        now.mono_ns < self.until
    }
}

impl Outbox {
    /// An empty outbox with full budgets. `seed` decides the jitter of its waits.
    #[must_use]
    pub fn new(settings: OutboxSettings, seed: u64, now: Time) -> Outbox {
        let (order_budget, cancel_budget) = settings.buckets(now);
        Outbox {
            settings,
            conditions: BTreeMap::new(),
            scopes: VecDeque::new(),
            cancels: VecDeque::new(),
            services: VecDeque::new(),
            places: VecDeque::new(),
            in_flight: BTreeMap::new(),
            fetches: BTreeMap::new(),
            conversions: BTreeMap::new(),
            remembered: IndexMap::default(),
            remembered_since: VecDeque::new(),
            order_budget,
            cancel_budget,
            order_pause: Pause { until: 0, backoff: Backoff::new(seed) },
            cancel_pause: Pause { until: 0, backoff: Backoff::new(seed ^ 1) },
            heartbeat_id: String::new(),
            last_request: 0,
            results: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Learns the venue's name of a market, without which its orders cannot be cancelled as a scope.
    pub fn set_market(&mut self, market: MarketId, condition: ConditionId) {
        self.conditions.insert(market, condition);
    }

    /// Forgets a market: nothing of ours is left there that could be cancelled.
    pub fn forget_market(&mut self, market: MarketId) {
        self.conditions.remove(&market);
    }

    /// How many placements wait for the wire.
    #[must_use]
    pub fn queued_placements(&self) -> usize {
        self.places.len()
    }

    /// How many requests wait for their answer.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether every action has its result.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.places.is_empty()
            && self.cancels.is_empty()
            && self.scopes.is_empty()
            && self.services.is_empty()
            && self.in_flight.is_empty()
            && self.fetches.is_empty()
            && self.conversions.is_empty()
    }

    /// Takes an action of the engine. Its result comes from [`Outbox::poll_result`], at once or later.
    pub fn submit(&mut self, action: ActionSeq, what: Action, now: Time) {
        let give_up_at = now.mono_ns.saturating_add(ns(self.settings.queue_limit_ms));
        match what {
            Action::Place(order) => self.submit_place(action, order, now),
            Action::Cancel { order, .. } => self.submit_cancel(QueuedCancel { action, order, give_up_at }),
            Action::CancelMarket { market } => self.submit_scope(action, Some(market), give_up_at),
            Action::CancelAll => self.submit_scope(action, None, give_up_at),
            Action::Query { order } => self.submit_service(action, QueuedService::Query(order), give_up_at),
            Action::Heartbeat => self.submit_service(action, QueuedService::Heartbeat { corrected: false }, give_up_at),
            Action::Subscribe { markets } => {
                self.outputs.push_back(OutboxOutput::Subscribe(markets));
                self.result(action, GatewayOutcome::Done(Ok(())));
            }
            Action::Unsubscribe { markets } => {
                self.outputs.push_back(OutboxOutput::Unsubscribe(markets));
                self.result(action, GatewayOutcome::Done(Ok(())));
            }
            Action::Fetch(what) => {
                let by = now.mono_ns.saturating_add(ns(self.settings.fetch_timeout_ms));
                self.fetches.insert(action, (by, what.clone()));
                self.outputs.push_back(OutboxOutput::Fetch { action, what });
            }
            Action::Merge { market, pairs } => self.submit_conversion(action, market, Some(pairs), now),
            Action::Redeem { market } => self.submit_conversion(action, market, None, now),
            Action::Convert(what) => {
                self.await_conversion(action, now);
                self.outputs.push_back(OutboxOutput::ConvertEvent { action, what });
            }
        }
    }

    /// What the chain does is asked for on the side; how it ended is one of this outbox's results.
    fn submit_conversion(&mut self, action: ActionSeq, market: MarketId, pairs: Option<Shares>, now: Time) {
        self.await_conversion(action, now);
        self.outputs.push_back(OutboxOutput::Convert { action, market, pairs });
    }

    fn await_conversion(&mut self, action: ActionSeq, now: Time) {
        self.conversions.insert(action, now.mono_ns.saturating_add(ns(self.settings.fetch_timeout_ms)));
    }

    fn submit_place(&mut self, action: ActionSeq, order: Box<PlaceOrder>, now: Time) {
        if let Some(earlier) = self.remembered.get_mut(&order.id) {
            match &earlier.outcome {
                Some(outcome) => {
                    let outcome = GatewayOutcome::Place(outcome.clone());
                    self.result(action, outcome);
                }
                None => earlier.waiting.push(action),
            }
            return;
        }
        self.remembered.insert(order.id, Remembered { outcome: None, waiting: Vec::new() });
        self.remembered_since.push_back((now.mono_ns, order.id));
        if self.places.len() >= self.settings.max_queued_placements {
            self.place_result(action, order.id, PlaceOutcome::NotSent(UnknownCause::QueueFull));
        } else {
            self.places.push_back(QueuedPlace { action, order });
        }
    }

    fn submit_cancel(&mut self, cancel: QueuedCancel) {
        // Cancelling what has not left yet is done here: sent ahead of its placement, the cancel would find nothing.
        if let Some(at) = self.places.iter().position(|place| place.order.id == cancel.order)
            && let Some(place) = self.places.remove(at)
        {
            self.place_result(place.action, place.order.id, PlaceOutcome::NotSent(UnknownCause::Cleared));
            let gone = CancelOutcome::Gone("the order had not been sent".into());
            self.result(cancel.action, GatewayOutcome::Cancel(gone));
        } else if self.cancels.len() >= self.settings.max_queued {
            let full = CancelOutcome::NotSent(UnknownCause::QueueFull);
            self.result(cancel.action, GatewayOutcome::Cancel(full));
        } else {
            self.cancels.push_back(cancel);
        }
    }

    fn submit_scope(&mut self, action: ActionSeq, market: Option<MarketId>, give_up_at: u64) {
        for place in std::mem::take(&mut self.places) {
            if covers(market, place.order.asset) && !planted!(QueueSurvives) {
                self.place_result(place.action, place.order.id, PlaceOutcome::NotSent(UnknownCause::Cleared));
            } else {
                self.places.push_back(place);
            }
        }
        if market.is_some_and(|market| !self.conditions.contains_key(&market)) {
            // Without the venue's name of the market nothing can be said to the venue; the engine must cancel all.
            self.result(action, GatewayOutcome::CancelScope(Err(UnknownCause::NoConnection)));
            return;
        }
        match self.scopes.iter_mut().find(|scope| scope.market == market) {
            Some(queued) => queued.actions.push(action),
            None if market.is_none() => {
                self.scopes.push_front(QueuedScope { actions: vec![action], market, give_up_at })
            }
            None => self.scopes.push_back(QueuedScope { actions: vec![action], market, give_up_at }),
        }
    }

    fn submit_service(&mut self, action: ActionSeq, service: QueuedService, give_up_at: u64) {
        if self.services.len() >= self.settings.max_queued {
            self.service_failed(action, service, UnknownCause::QueueFull);
        } else {
            self.services.push_back((action, service, give_up_at));
        }
    }

    /// Whether a result waits to be taken.
    #[must_use]
    pub fn has_result(&self) -> bool {
        !self.results.is_empty()
    }

    /// The next result, for the engine.
    pub fn poll_result(&mut self) -> Option<GatewayInput> {
        self.results.pop_front()
    }

    /// The next thing to do besides requests.
    pub fn poll_output(&mut self) -> Option<OutboxOutput> {
        self.outputs.pop_front()
    }

    fn result(&mut self, action: ActionSeq, outcome: GatewayOutcome) {
        self.results.push_back(GatewayInput { action, outcome });
    }

    fn place_result(&mut self, action: ActionSeq, order: OrderId, outcome: PlaceOutcome) {
        let mut waiting = Vec::new();
        if let Some(remembered) = self.remembered.get_mut(&order) {
            remembered.outcome = Some(outcome.clone());
            waiting = std::mem::take(&mut remembered.waiting);
        }
        for other in waiting {
            self.result(other, GatewayOutcome::Place(outcome.clone()));
        }
        self.result(action, GatewayOutcome::Place(outcome));
    }

    fn scope_result(&mut self, scope: &QueuedScope, outcome: &Result<CanceledOrders, UnknownCause>) {
        for action in &scope.actions {
            self.result(*action, GatewayOutcome::CancelScope(outcome.clone()));
        }
    }

    fn service_failed(&mut self, action: ActionSeq, service: QueuedService, cause: UnknownCause) {
        let outcome = match service {
            QueuedService::Heartbeat { .. } => GatewayOutcome::Heartbeat(Err(cause)),
            QueuedService::Query(_) => GatewayOutcome::Query(Err(cause)),
        };
        self.result(action, outcome);
    }
}

#[cfg(test)]
mod tests;
