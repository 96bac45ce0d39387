//! What leaves for the venue.

use std::borrow::Cow;

use oddsmith_domain::{ActionSeq, EventConversion, FetchWhat, MarketId, Millis, OrderId, PlaceOrder, Shares};

use super::super::TokenBucket;

/// The number of a request of this process, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What a request is for. Rates, timeouts and latencies are kept by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// `POST /order`
    Place,
    /// `POST /orders`
    PlaceBatch,
    /// `DELETE /order`
    Cancel,
    /// `DELETE /orders`
    CancelBatch,
    /// `DELETE /cancel-all`
    CancelAll,
    /// `DELETE /cancel-market-orders`
    CancelMarket,
    /// `GET /data/order/{id}`
    Query,
    /// `POST /v1/heartbeats`
    Heartbeat,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Endpoint; 8] = [
        Endpoint::Place,
        Endpoint::PlaceBatch,
        Endpoint::Cancel,
        Endpoint::CancelBatch,
        Endpoint::CancelAll,
        Endpoint::CancelMarket,
        Endpoint::Query,
        Endpoint::Heartbeat,
    ];

    /// The HTTP method.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Endpoint::Place | Endpoint::PlaceBatch | Endpoint::Heartbeat => "POST",
            Endpoint::Cancel | Endpoint::CancelBatch | Endpoint::CancelAll | Endpoint::CancelMarket => "DELETE",
            Endpoint::Query => "GET",
        }
    }

    /// The path, or what all of its paths begin with.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Endpoint::Place => "/order",
            Endpoint::PlaceBatch => "/orders",
            Endpoint::Cancel => "/order",
            Endpoint::CancelBatch => "/orders",
            Endpoint::CancelAll => "/cancel-all",
            Endpoint::CancelMarket => "/cancel-market-orders",
            Endpoint::Query => "/data/order/",
            Endpoint::Heartbeat => "/v1/heartbeats",
        }
    }
}

/// The kind of connection that a request travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Placements, queries, heartbeats; cancels when none of the others is free.
    Orders,
    /// Reserved for cancels; the last free one for cancels of a scope.
    Cancels,
}

/// How many connections of each kind can take a request now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FreeConnections {
    /// For anything.
    pub orders: usize,
    /// For cancels only.
    pub cancels: usize,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestBody {
    /// Nothing.
    Empty,
    /// This JSON.
    Json(String),
    /// An order, to be signed now.
    Order(Box<PlaceOrder>),
    /// Orders in an array, to be signed now.
    Orders(Vec<Box<PlaceOrder>>),
}

/// A request that may leave now. What only the edge can add (signatures, authentication) is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its number; the answer names it.
    pub id: RequestId,
    /// What it is for.
    pub endpoint: Endpoint,
    /// The path, without a query.
    pub path: Cow<'static, str>,
    /// The connection that it was meant for.
    pub channel: Channel,
    /// The body.
    pub body: RequestBody,
    /// The actions that its answer decides, in order.
    pub actions: Vec<ActionSeq>,
}

/// Something else for the driver to do.
#[derive(Clone, Debug, PartialEq)]
pub enum OutboxOutput {
    /// Nobody waits for this request's answer any more: close its connection, so that the answer is not taken for another's.
    Abandon(RequestId),
    /// Read something whole on the side; answered by [`super::Outbox::on_fetched`].
    Fetch {
        /// The action.
        action: ActionSeq,
        /// What to read.
        what: FetchWhat,
    },
    /// Receive these markets; already answered.
    Subscribe(Vec<MarketId>),
    /// Receive these markets no more; already answered.
    Unsubscribe(Vec<MarketId>),
    /// Turn tokens into collateral, then say [`super::Outbox::on_converted`].
    Convert {
        /// The action.
        action: ActionSeq,
        /// The market.
        market: MarketId,
        /// So many pairs; everything of a decided market if `None`.
        pairs: Option<Shares>,
    },
    /// Turn NO of some outcomes of an event into collateral and YES of its others, then say [`super::Outbox::on_converted`].
    ConvertEvent {
        /// The action.
        action: ActionSeq,
        /// What against what.
        what: Box<EventConversion>,
    },
}

/// How a request failed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailure {
    /// Not one byte of it was written: nothing happened, and it may be sent again.
    NotWritten,
    /// The connection broke after its first byte was written.
    Broken,
}

/// Limits and times of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxSettings {
    /// Orders per second, and the burst. The default is the venue's tier Standard (protocol 11.2) with a burst that is two smaller,
    /// because requests do not arrive as evenly as they leave.
    pub orders: (u32, u32),
    /// Cancels per second, and the burst.
    pub cancels: (u32, u32),
    /// No order is placed while fewer cancels than this are left: what cannot be cancelled is not placed.
    pub cancel_reserve: u32,
    /// Placements that may wait.
    pub max_queued_placements: usize,
    /// Everything else that may wait.
    pub max_queued: usize,
    /// Orders of one `POST /orders`; the venue takes 15.
    pub place_batch: usize,
    /// Orders of one `DELETE /orders`.
    pub cancel_batch: usize,
    /// From writing a placement to its answer.
    pub place_timeout_ms: Millis,
    /// From writing any other request to its answer.
    pub request_timeout_ms: Millis,
    /// For everything but placements, which have their own deadline: the longest wait for the wire.
    pub queue_limit_ms: Millis,
    /// For a read on the side.
    pub fetch_timeout_ms: Millis,
    /// How long a placement is remembered, so that the same order is never sent twice.
    pub remember_ms: Millis,
}

impl Default for OutboxSettings {
    fn default() -> OutboxSettings {
        OutboxSettings {
            orders: (40, 58),
            cancels: (80, 118),
            cancel_reserve: 20,
            max_queued_placements: 100,
            max_queued: 1_000,
            place_batch: 15,
            cancel_batch: 60,
            place_timeout_ms: 3_000,
            request_timeout_ms: 3_000,
            queue_limit_ms: 5_000,
            fetch_timeout_ms: 20_000,
            remember_ms: 300_000,
        }
    }
}

impl OutboxSettings {
    pub(super) fn buckets(&self, now: oddsmith_domain::Time) -> (TokenBucket, TokenBucket) {
        (TokenBucket::new(self.orders.0, self.orders.1, now), TokenBucket::new(self.cancels.0, self.cancels.1, now))
    }
}

pub(super) fn cancel_body(orders: &[OrderId]) -> RequestBody {
    match orders {
        [one] => RequestBody::Json(format!(r#"{{"orderID":"{one}"}}"#)),
        many => {
            let ids: Vec<String> = many.iter().map(|id| format!("\"{id}\"")).collect();
            RequestBody::Json(format!("[{}]", ids.join(",")))
        }
    }
}
