//! The order connections: pre-opened, one request at a time on each, some reserved for cancels.

use std::task::{Context, Poll};

use oddsmith_domain::{Link, LinkState, Time};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::error::HttpReply;
use oddsmith_polymarket::order::{OrderHasher, OrderSignature, Signer, order_body, orders_body};
use oddsmith_polymarket::session::{
    Backoff, Channel, Endpoint, FreeConnections, Outbox, Request, RequestBody, RequestId, SendFailure,
};

use crate::http::{HttpConnection, write_request};
use crate::latency::Latencies;
use crate::{Connected, NetError};

/// What signs and authenticates. The one place at the hot side that holds secrets.
#[derive(Debug)]
pub struct Wallet {
    /// The wallet's key.
    pub signer: Signer,
    /// The domains of the chain.
    pub hasher: OrderHasher,
    /// The API key.
    pub credentials: std::sync::Arc<Credentials>,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    request: RequestId,
    endpoint: Endpoint,
    sent_at: Time,
}

#[derive(Debug)]
enum SlotState {
    Down { retry_at: u64 },
    Dialing { give_up_at: u64 },
    Open { connection: Box<HttpConnection>, waiting: Option<Waiting>, since: Time, served: bool },
}

#[derive(Debug)]
struct Slot {
    channel: Channel,
    generation: u64,
    backoff: Backoff,
    state: SlotState,
}

/// A connection that lived this long, or carried an answer, was a good one: its successor is dialled at once.
const GOOD_LIFE_NS: u64 = 5 * Time::SECOND;

impl Slot {
    /// The connection is gone. A venue that closes what it has just accepted is not dialled in a circle.
    fn lose(&mut self, now: Time) {
        let good = match self.state {
            SlotState::Open { since, served, .. } => served || now.since(since) >= GOOD_LIFE_NS,
            SlotState::Down { .. } | SlotState::Dialing { .. } => false,
        };
        let wait = if good {
            self.backoff.reset();
            0
        } else {
            self.backoff.fail()
        };
        self.state = SlotState::Down { retry_at: now.mono_ns.saturating_add(wait) };
    }
}

/// How long a dial may take before the slot stops waiting for it.
const DIAL_LIMIT_NS: u64 = 10 * Time::SECOND;

/// All connections that carry orders.
#[derive(Debug)]
pub(crate) struct OrderConnections {
    slots: Vec<Slot>,
    host: String,
    up: bool,
    last_fault: String,
    pen: RequestPen,
    pub(crate) latencies: Latencies,
    pub(crate) faults: u64,
}

/// How many requests were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// With placements.
    pub placements: usize,
    /// All of them.
    pub requests: usize,
}

impl OrderConnections {
    pub(crate) fn new(orders: usize, cancels: usize, host: &str, seed: u64, now: Time) -> OrderConnections {
        let channels =
            std::iter::repeat_n(Channel::Orders, orders).chain(std::iter::repeat_n(Channel::Cancels, cancels));
        let slots = channels.zip(0u64..).map(|(channel, n)| Slot {
            channel,
            generation: 0,
            backoff: Backoff::new(seed.wrapping_add(n)),
            state: SlotState::Down { retry_at: now.mono_ns },
        });
        OrderConnections {
            slots: slots.collect(),
            host: host.to_owned(),
            up: false,
            last_fault: "not connected yet".into(),
            pen: RequestPen::default(),
            latencies: Latencies::default(),
            faults: 0,
        }
    }

    /// The slots that are to be dialled now, each with the generation that its connection must name.
    pub(crate) fn due_dials(&mut self, now: Time) -> Vec<(usize, u64)> {
        let mut due = Vec::new();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            match slot.state {
                SlotState::Down { retry_at } if retry_at <= now.mono_ns => {
                    slot.generation += 1;
                    slot.state = SlotState::Dialing { give_up_at: now.mono_ns.saturating_add(DIAL_LIMIT_NS) };
                    due.push((number, slot.generation));
                }
                SlotState::Dialing { give_up_at } if give_up_at <= now.mono_ns => {
                    slot.state = SlotState::Down { retry_at: now.mono_ns.saturating_add(slot.backoff.fail()) };
                }
                _ => {}
            }
        }
        due
    }

    pub(crate) fn on_dialed(&mut self, number: usize, generation: u64, result: Result<Connected, NetError>, now: Time) {
        let Some(slot) = self.slots.get_mut(number).filter(|slot| slot.generation == generation) else { return };
        if !matches!(slot.state, SlotState::Dialing { .. }) {
            return;
        }
        let opened = result.and_then(|connected| HttpConnection::new(connected.stream).map_err(NetError::from));
        match opened {
            Ok(connection) => {
                slot.state =
                    SlotState::Open { connection: Box::new(connection), waiting: None, since: now, served: false };
            }
            Err(error) => {
                self.last_fault = error.to_string();
                slot.state = SlotState::Down { retry_at: now.mono_ns.saturating_add(slot.backoff.fail()) };
            }
        }
    }

    /// When [`OrderConnections::due_dials`] has something to do at the latest.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let due = self.slots.iter().filter_map(|slot| match slot.state {
            SlotState::Down { retry_at } => Some(retry_at),
            SlotState::Dialing { give_up_at } => Some(give_up_at),
            SlotState::Open { .. } => None,
        });
        due.min()
    }

    /// A change of the link, if there is one: it is up while a connection of each kind stands.
    pub(crate) fn link_change(&mut self) -> Option<(Link, LinkState)> {
        let stands = |channel| {
            self.slots.iter().any(|slot| slot.channel == channel && matches!(slot.state, SlotState::Open { .. }))
        };
        let up = stands(Channel::Orders) && stands(Channel::Cancels);
        if up == self.up {
            return None;
        }
        self.up = up;
        let state = if up { LinkState::Up } else { LinkState::Down(self.last_fault.clone()) };
        Some((Link::Orders, state))
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.up
    }

    /// How many connections stand.
    pub(crate) fn open(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot.state, SlotState::Open { .. })).count()
    }

    fn free(&self) -> FreeConnections {
        let mut free = FreeConnections::default();
        for slot in &self.slots {
            if matches!(slot.state, SlotState::Open { waiting: None, .. }) {
                match slot.channel {
                    Channel::Orders => free.orders += 1,
                    Channel::Cancels => free.cancels += 1,
                }
            }
        }
        free
    }

    /// Signs and writes every request that may leave now.
    pub(crate) fn flush(&mut self, outbox: &mut Outbox, wallet: &Wallet, now: Time) -> Flushed {
        let mut flushed = Flushed::default();
        while let Some(request) = outbox.next_request(self.free(), now) {
            flushed.requests += 1;
            flushed.placements += usize::from(matches!(request.endpoint, Endpoint::Place | Endpoint::PlaceBatch));
            self.send(&request, outbox, wallet, now);
        }
        flushed
    }

    fn send(&mut self, request: &Request, outbox: &mut Outbox, wallet: &Wallet, now: Time) {
        let idle = self.slots.iter_mut().find_map(|slot| match &mut slot.state {
            SlotState::Open { connection, waiting: waiting @ None, .. } if slot.channel == request.channel => {
                Some((connection, waiting))
            }
            _ => None,
        });
        // The outbox sends only on connections that are free.
        let Some((connection, waiting)) = idle else {
            outbox.on_failure(request.id, SendFailure::NotWritten, now);
            return;
        };
        self.pen.write(connection.request(), request, wallet, &self.host, now);
        let written = connection.write_now();
        *waiting = Some(Waiting { request: request.id, endpoint: request.endpoint, sent_at: now });
        if let Err((error, partly)) = written {
            let failure = if partly { SendFailure::Broken } else { SendFailure::NotWritten };
            self.close(request.id, Some(failure), &error.to_string(), outbox, now);
        }
    }

    /// Nobody waits for this request any more: its connection is closed, so that the answer is not taken for another's.
    pub(crate) fn abandon(&mut self, request: RequestId, outbox: &mut Outbox, now: Time) {
        self.close(request, None, "no answer in time", outbox, now);
    }

    fn close(&mut self, request: RequestId, failure: Option<SendFailure>, why: &str, outbox: &mut Outbox, now: Time) {
        let of_request = |slot: &&mut Slot| match &slot.state {
            SlotState::Open { waiting: Some(waiting), .. } => waiting.request == request,
            _ => false,
        };
        let Some(slot) = self.slots.iter_mut().find(of_request) else { return };
        if let SlotState::Open { waiting: Some(waiting), .. } = &slot.state {
            self.latencies.record(waiting.endpoint, 0, now.since(waiting.sent_at));
        }
        slot.lose(now);
        self.faults += 1;
        why.clone_into(&mut self.last_fault);
        if let Some(failure) = failure {
            outbox.on_failure(request, failure, now);
        }
    }

    /// Reads and writes what the connections have ready. Says whether anything came.
    pub(crate) fn poll_io(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        for slot in &mut self.slots {
            if let SlotState::Open { connection, .. } = &mut slot.state {
                // An error of writing shows again at reading, where it is dealt with.
                let _ = connection.poll_flush(cx);
                progress |= match connection.poll_fill(cx) {
                    Poll::Ready(Ok(())) => true,
                    Poll::Ready(Err(_)) => {
                        connection.set_broken();
                        true
                    }
                    Poll::Pending => false,
                };
            }
        }
        progress
    }

    /// Hands what has arrived to the outbox, and lets go of connections that are of no use any more.
    pub(crate) fn drain(&mut self, outbox: &mut Outbox, table: &AssetTable, now: Time) {
        for slot in &mut self.slots {
            let SlotState::Open { connection, waiting, served, .. } = &mut slot.state else { continue };
            let mut usable = true;
            if let Some(pending) = *waiting {
                match connection.next_response() {
                    Some(Ok((response, body))) => {
                        self.latencies.record(pending.endpoint, response.status, now.since(pending.sent_at));
                        let retry_after = response.retry_after.as_deref();
                        let reply = HttpReply { status: response.status, retry_after, body };
                        outbox.on_response(pending.request, &reply, table, now);
                        *waiting = None;
                        *served = true;
                        usable = response.keep_alive;
                    }
                    Some(Err(fault)) => {
                        self.last_fault = fault.to_string();
                        usable = false;
                    }
                    None => {}
                }
            }
            // Bytes that nobody asked for would be taken for the next answer.
            let idle_and_talking = waiting.is_none() && connection.has_unread();
            if usable && !connection.is_ended() && !idle_and_talking {
                continue;
            }
            if let Some(pending) = waiting.take() {
                self.faults += 1;
                self.latencies.record(pending.endpoint, 0, now.since(pending.sent_at));
                "the connection broke before the answer".clone_into(&mut self.last_fault);
                outbox.on_failure(pending.request, SendFailure::Broken, now);
            }
            slot.lose(now);
        }
    }
}

/// Signs requests and makes their bytes. Its memory is used again from request to request.
#[derive(Debug, Default)]
pub struct RequestPen {
    headers: Vec<u8>,
    body: Vec<u8>,
}

impl RequestPen {
    /// Appends a whole HTTP request: orders signed, the body authenticated for the time `now`.
    pub fn write(&mut self, out: &mut Vec<u8>, request: &Request, wallet: &Wallet, host: &str, now: Time) {
        write_body(&mut self.body, request, wallet);
        let method = request.endpoint.method();
        self.headers.clear();
        wallet.credentials.write_headers(now.wall_s(), method, &request.path, &self.body, &mut self.headers);
        write_request(out, method, &request.path, host, &self.headers, &self.body);
    }
}

fn write_body(out: &mut Vec<u8>, request: &Request, wallet: &Wallet) {
    let owner = wallet.credentials.api_key();
    match &request.body {
        RequestBody::Empty => out.clear(),
        RequestBody::Json(text) => {
            out.clear();
            out.extend_from_slice(text.as_bytes());
        }
        RequestBody::Order(order) => {
            order_body(order, &wallet.signer.sign_order(&wallet.hasher, order), owner, out);
        }
        RequestBody::Orders(orders) => {
            let signed: Vec<OrderSignature> =
                orders.iter().map(|order| wallet.signer.sign_order(&wallet.hasher, order)).collect();
            orders_body(orders.iter().map(AsRef::as_ref).zip(&signed), owner, out);
        }
    }
}
