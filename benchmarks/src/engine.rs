//! The whole engine between a frame and the bytes of an order: time, allocations, and a burst.

use std::time::Instant;

use oddsmith_domain::{Action, Input, MarketSource, Output, Time};
use oddsmith_engine::{Lanes, Sink};
use oddsmith_net::Wallet;
use oddsmith_net::http::write_request;
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::error::HttpReply;
use oddsmith_polymarket::order::order_body;
use oddsmith_polymarket::session::{FreeConnections, Outbox, OutboxSettings, RequestBody};

use crate::counting::allocations;
use crate::desk::{Desk, accepted, idle_frame, move_frame};
use crate::frames;
use crate::harness::{Effort, Figures, median};
use crate::orders::{bare_signature, wallet};
use crate::report::{Bar, Row};

/// The edge without its sockets: outbox, signature, body, headers, request.
struct Desktop {
    desk: Desk,
    outbox: Outbox,
    wallet: Wallet,
    table: AssetTable,
    body: Vec<u8>,
    headers: Vec<u8>,
    bytes: Vec<u8>,
}

/// What one tick took.
struct Tick {
    whole_ns: f64,
    signature_ns: f64,
    /// Allocations after the frame, after the ticks, after the outbox, and at the end.
    allocations: [u64; 4],
}

impl Desktop {
    fn new() -> Desktop {
        let desk = Desk::new();
        let settings = OutboxSettings { orders: (1_000_000, 1_000_000), ..OutboxSettings::default() };
        Desktop {
            outbox: Outbox::new(settings, 1, desk.now),
            desk,
            wallet: wallet(),
            table: frames::table(),
            body: Vec::with_capacity(4_096),
            headers: Vec::with_capacity(4_096),
            bytes: Vec::with_capacity(8_192),
        }
    }

    /// From a frame to the bytes of its order; then the venue accepts, the market becomes wide, and the order goes.
    fn tick(&mut self) -> Tick {
        self.desk.pass(20);
        let frame = move_frame(true, self.desk.now.wall_ms());
        let (before, start) = (allocations(), Instant::now());
        self.desk.frame(&frame);
        let applied = allocations();
        while self.desk.places.is_empty() && self.desk.engine.needs_tick() {
            self.desk.put(&Input::Tick);
        }
        let planned = allocations();
        let (seq, action) = self.desk.places.pop().expect("the engine quotes a tight market");
        self.outbox.submit(seq, action, self.desk.now);
        let free = FreeConnections { orders: 1, cancels: 1 };
        let request = self.outbox.next_request(free, self.desk.now).expect("the order may leave");
        let RequestBody::Order(order) = &request.body else { panic!("one order: {request:?}") };
        let queued = allocations();
        let signing = Instant::now();
        let signature = self.wallet.signer.sign_order(&self.wallet.hasher, order);
        let signature_ns = signing.elapsed().as_nanos() as f64;
        let credentials = &self.wallet.credentials;
        order_body(order, &signature, credentials.api_key(), &mut self.body);
        self.headers.clear();
        credentials.write_headers(self.desk.now.wall_s(), "POST", "/order", &self.body, &mut self.headers);
        self.bytes.clear();
        write_request(&mut self.bytes, "POST", "/order", "127.0.0.1:1", &self.headers, &self.body);
        let (whole_ns, after) = (start.elapsed().as_nanos() as f64, allocations());
        assert!(self.bytes.len() > 1_000, "a whole request");
        let reply = format!(r#"{{"success":true,"errorMsg":"","orderID":"{}","status":"live"}}"#, order.id);
        let reply = HttpReply { status: 200, retry_after: None, body: reply.as_bytes() };
        self.outbox.on_response(request.id, &reply, &self.table, self.desk.now);
        let result = self.outbox.poll_result().expect("one result for the action");
        assert_eq!(result.outcome, accepted());
        self.desk.put(&Input::Gateway(Box::new(result)));
        self.desk.withdraw();
        Tick { whole_ns, signature_ns, allocations: [applied, planned, queued, after].map(|count| count - before) }
    }
}

/// Time of a burst: a thousand frames wait, and the last of them calls for an order.
struct Burst {
    desk: Desk,
    lanes: Lanes,
}

struct BurstSink {
    clock: Instant,
    origin: Time,
    placed: Vec<Output>,
}

impl Sink for BurstSink {
    fn record(&mut self, _: &Input<'_>, _: Time, outputs: &[Output]) {
        for output in outputs {
            if matches!(&output.body, oddsmith_domain::OutputBody::Action(Action::Place(_))) {
                self.placed.push(output.clone());
            }
        }
    }

    fn now(&mut self) -> Time {
        self.origin.plus_ns(self.clock.elapsed().as_nanos() as u64)
    }
}

impl Burst {
    fn run(&mut self) -> f64 {
        self.desk.pass(20);
        let wall_ms = self.desk.now.wall_ms();
        for n in 0..999 {
            self.lanes.push_frame(MarketSource::Shard(0), idle_frame(n, wall_ms).as_bytes());
        }
        self.lanes.push_frame(MarketSource::Shard(0), move_frame(true, wall_ms).as_bytes());
        let mut sink = BurstSink { clock: Instant::now(), origin: self.desk.now, placed: Vec::with_capacity(4) };
        while sink.placed.is_empty() {
            let more = self.lanes.slice(&mut self.desk.engine, &mut sink);
            assert!(more || !sink.placed.is_empty(), "the last frame calls for an order");
        }
        let took = sink.clock.elapsed().as_nanos() as f64;
        self.desk.pass(20);
        for output in sink.placed {
            self.desk.answer(oddsmith_domain::ActionSeq(output.seq), accepted());
        }
        self.desk.withdraw();
        took
    }
}

/// All benches of the engine.
pub fn run(effort: Effort) -> Vec<Row> {
    let (mut desktop, mut bare) = (Desktop::new(), bare_signature());
    let mut burst = Burst { desk: Desk::new(), lanes: Lanes::new() };
    let rounds = if effort.quick { 300 } else { 1_000 };
    for _ in 0..50 {
        desktop.tick();
    }
    let (mut whole, mut rest, mut signatures, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let tick = desktop.tick();
        whole.push(tick.whole_ns);
        rest.push(tick.whole_ns - tick.signature_ns);
        counts.push(tick.allocations);
        let start = Instant::now();
        bare(4);
        signatures.push(start.elapsed().as_nanos() as f64 / 4.0);
    }
    let bursts: Vec<f64> = (0..rounds / 10).map(|_| burst.run()).collect();
    let sign0 = median(signatures);
    let against = |ours: f64| {
        vec![
            Figures { name: "oddsmith".into(), median_ns: ours, over_first: 1.0 },
            Figures { name: "bare libsecp256k1 signature".into(), median_ns: sign0, over_first: sign0 / ours },
        ]
    };
    let most = counts.iter().copied().max_by_key(|counts| counts[3]).unwrap_or_default();
    let where_to = format!(
        "the most of any tick, warm: {} for the frame, {} for the evaluation, {} for the outbox, {} for the bytes; no journal",
        most[0],
        most[1] - most[0],
        most[2] - most[1],
        most[3] - most[2]
    );
    let note = "frame, book, evaluation, limits, plan, outbox, body, HMAC, request; no journal";
    vec![
        Row::new("frame to bytes through the engine", note, against(median(whole)), &[]),
        Row::new("the same without the signature", note, against(median(rest)), &[Bar::at_most(1, 0.25, 0.12)]),
        Row::count("allocations, frame to bytes", &where_to, most[3] as f64, "", 10.0, 0.0),
        Row::count(
            "burst: order behind 1,000 frames",
            "from the first slice to the placement",
            median(bursts),
            "ns",
            1_000_000.0,
            250_000.0,
        ),
    ]
}
