//! The whole edge against a small venue over loopback sockets: subscriptions, orders, and what breaks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oddsmith_domain::{
    Action, ActionSeq, Address, AssetId, CancelOutcome, ConditionId, ExchangeKind, GatewayOutcome, Input, InstanceId,
    IntentId, Link, LinkState, MarketCard, MarketId, MarketSource, OrderFields, OrderId, OrderType, PlaceOrder,
    PlaceOutcome, Price, Shares, Side, SignatureType, TokenId, UnknownCause,
};
use oddsmith_net::{Clock, Edge, EdgeSettings, Intake, NetError, Wallet};
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::order::{OrderHasher, POLYGON, Signer};
use oddsmith_polymarket::wire::ApiKeyCreds;
use tokio_tungstenite::tungstenite;

const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// How long a late venue takes to answer.
const ROUND_TRIP: Duration = Duration::from_millis(250);

/// What the small venue does with orders.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Accept,
    AcceptLate,
    CloseWithoutAnswer,
    StayMute,
    Nonsense,
}

/// A venue of two threads: a market and user channel that sends two snapshots, and an order endpoint.
struct SmallVenue {
    rest: String,
    sockets: String,
    subscriptions: Arc<AtomicUsize>,
    /// Sockets of the market channel, to be killed.
    open: Arc<Mutex<Vec<TcpStream>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

fn small_venue(manner: Manner) -> SmallVenue {
    let (rest, sockets) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
    let (rest, sockets) = (rest.expect("a port"), sockets.expect("a port"));
    let venue = SmallVenue {
        rest: format!("http://{}", rest.local_addr().expect("bound")),
        sockets: format!("ws://{}", sockets.local_addr().expect("bound")),
        subscriptions: Arc::default(),
        open: Arc::default(),
        requests: Arc::default(),
    };
    let requests = Arc::clone(&venue.requests);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = rest.accept() {
            let requests = Arc::clone(&requests);
            std::thread::spawn(move || serve_orders(stream, manner, &requests));
        }
    });
    let (subscriptions, open) = (Arc::clone(&venue.subscriptions), Arc::clone(&venue.open));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = sockets.accept() {
            let (subscriptions, open) = (Arc::clone(&subscriptions), Arc::clone(&open));
            std::thread::spawn(move || serve_channel(stream, &subscriptions, &open));
        }
    });
    venue
}

fn serve_channel(stream: TcpStream, subscriptions: &AtomicUsize, open: &Mutex<Vec<TcpStream>>) {
    let kill = stream.try_clone().expect("a handle");
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    while let Ok(message) = socket.read() {
        let tungstenite::Message::Text(text) = message else { continue };
        let reply = if text.as_str() == "PING" {
            "PONG".to_owned()
        } else if text.contains("\"type\":\"market\"") {
            subscriptions.fetch_add(1, Ordering::SeqCst);
            open.lock().expect("held briefly").push(kill.try_clone().expect("a handle"));
            let book = |token: &str| {
                format!(
                    r#"{{"event_type":"book","asset_id":"{token}","market":"0x01","timestamp":"1","hash":"","bids":[],"asks":[]}}"#
                )
            };
            format!("[{},{}]", book("11"), book("22"))
        } else {
            continue;
        };
        if socket.send(tungstenite::Message::text(reply)).is_err() {
            return;
        }
    }
}

fn serve_orders(stream: TcpStream, manner: Manner, requests: &Mutex<Vec<String>>) {
    let mut writer = stream.try_clone().expect("a handle");
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().expect("a length");
            }
            head.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        let body = String::from_utf8(body).expect("text");
        requests.lock().expect("held briefly").push(format!("{head}{body}"));
        let first = head.lines().next().unwrap_or_default().to_owned();
        let reply = match manner {
            Manner::CloseWithoutAnswer => return,
            Manner::StayMute => continue,
            Manner::Nonsense => "\0\0what".to_owned(),
            Manner::Accept | Manner::AcceptLate => {
                std::thread::sleep(if manner == Manner::AcceptLate { ROUND_TRIP } else { Duration::ZERO });
                let json = if first.starts_with("POST /order ") {
                    format!(r#"{{"success":true,"errorMsg":"","orderID":"{}","status":"live"}}"#, OrderId([7; 32]))
                } else if first.starts_with("GET /book?token_id=11 ") {
                    r#"{"market":"0x01","asset_id":"11","timestamp":"2","hash":"","bids":[],"asks":[]}"#.into()
                } else {
                    format!(r#"{{"canceled":["{}"],"not_canceled":{{}}}}"#, OrderId([7; 32]))
                };
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{json}", json.len())
            }
        };
        if writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

#[derive(Default)]
struct Seen {
    frames: Vec<(MarketSource, Vec<u8>)>,
    links: Vec<(Link, LinkState)>,
    results: Vec<(u64, GatewayOutcome)>,
}

impl Intake for Seen {
    fn frame(&mut self, source: MarketSource, bytes: &[u8]) {
        self.frames.push((source, bytes.to_vec()));
    }
    fn user(&mut self, _: &[u8]) {}
    fn input(&mut self, input: Input<'static>) {
        match input {
            Input::Link { link, state } => self.links.push((link, state)),
            Input::Gateway(result) => self.results.push((result.action.0, result.outcome)),
            other => panic!("unexpected {other:?}"),
        }
    }
}

fn edge(venue: &SmallVenue, tune: impl FnOnce(&mut EdgeSettings)) -> Edge {
    let signer = Signer::from_hex(KEY).expect("a key");
    let creds = ApiKeyCreds { api_key: "key".into(), secret: "AAAA".into(), passphrase: "pass".into() };
    let wallet = Wallet {
        credentials: Arc::new(Credentials::new(signer.address(), creds).expect("credentials")),
        signer,
        hasher: OrderHasher::new(POLYGON).expect("a chain"),
    };
    let (market, user) = (format!("{}/ws/market", venue.sockets), format!("{}/ws/user", venue.sockets));
    let mut settings = EdgeSettings::at(&venue.rest, &market, &user, 5);
    settings.session.backoff_cap_ms = 40;
    tune(&mut settings);
    let mut edge = Edge::new(settings, wallet, Clock::start()).expect("an edge");
    edge.learn(MarketId(0), &card());
    edge
}

fn card() -> MarketCard {
    MarketCard {
        condition: ConditionId::parse("0x01").expect("a condition"),
        slug: "small".into(),
        question: String::new(),
        tokens: ["11", "22"].map(|token| TokenId::parse(token).expect("a token")),
        outcomes: ["Yes".into(), "No".into()],
        tick: None,
        min_size: None,
        fee: None,
        end_wall_s: None,
        neg_risk: false,
        accepting_orders: true,
        taker_delay_ms: 0,
        settlement: Default::default(),
    }
}

fn order(clock: &Clock) -> Action {
    Action::Place(Box::new(PlaceOrder {
        id: OrderId([7; 32]),
        fields: OrderFields {
            salt: 1,
            maker: Address::default(),
            signer: Address::default(),
            token: TokenId::parse("11").expect("a token"),
            maker_amount: 5_000_000,
            taker_amount: 10_000_000,
            side: Side::Buy,
            signature_type: SignatureType::Eoa,
            timestamp_ms: 1,
            metadata: [0; 32],
            builder: [0; 32],
        },
        exchange: ExchangeKind::Ctf,
        order_type: OrderType::Gtc,
        post_only: true,
        expiration_s: 0,
        asset: AssetId(0),
        price: Price::ZERO,
        size: Shares::ZERO,
        instance: InstanceId(0),
        intent: IntentId(0),
        deadline_mono_ns: clock.now().mono_ns + 5_000_000_000,
    }))
}

/// Runs the driver's loop until the condition holds.
async fn run_until(edge: &mut Edge, seen: &mut Seen, clock: &Clock, mut done: impl FnMut(&Seen, &Edge) -> bool) {
    let give_up = Instant::now() + Duration::from_secs(10);
    while !done(seen, edge) {
        assert!(Instant::now() < give_up, "links {:?}, results {:?}", seen.links, seen.results);
        edge.flush(clock.now());
        edge.wait(Some(clock.now().mono_ns + 50_000_000)).await;
        edge.drain_lossless(seen, clock.now());
        edge.drain_market(64, seen, clock.now());
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future);
}

#[test]
fn subscribes_trades_and_comes_back_after_kills() {
    block_on(async {
        let (venue, clock) = (small_venue(Manner::Accept), Clock::start());
        let (mut edge, mut seen) = (edge(&venue, |_| {}), Seen::default());
        edge.submit(ActionSeq(1), Action::Subscribe { markets: vec![MarketId(0)] }, clock.now());
        let up = |seen: &Seen, link| seen.links.iter().filter(|change| **change == (link, LinkState::Up)).count();
        run_until(&mut edge, &mut seen, &clock, |seen, _| {
            [Link::Market(0), Link::User, Link::Orders].iter().all(|link| up(seen, *link) == 1)
        })
        .await;
        assert_eq!(seen.results, [(1, GatewayOutcome::Done(Ok(())))]);
        assert_eq!(seen.frames[0].0, MarketSource::Shard(0));
        edge.submit(ActionSeq(2), order(&clock), clock.now());
        assert_eq!(edge.flush(clock.now()).placements, 1, "written without waiting for anything");
        run_until(&mut edge, &mut seen, &clock, |seen, _| seen.results.len() == 2).await;
        assert!(matches!(seen.results[1], (2, GatewayOutcome::Place(PlaceOutcome::Accepted { .. }))));
        let sent = venue.requests.lock().expect("held briefly")[0].clone();
        assert!(sent.starts_with("POST /order HTTP/1.1\r\n") && sent.contains("POLY_SIGNATURE: "), "{sent}");
        edge.submit(ActionSeq(3), Action::Cancel { order: OrderId([7; 32]), asset: AssetId(0) }, clock.now());
        run_until(&mut edge, &mut seen, &clock, |seen, _| seen.results.len() == 3).await;
        assert_eq!(seen.results[2], (3, GatewayOutcome::Cancel(CancelOutcome::Canceled)));
        for kill in 1..=5 {
            let socket = venue.open.lock().expect("held briefly").pop().expect("a socket");
            socket.shutdown(std::net::Shutdown::Both).expect("killed");
            run_until(&mut edge, &mut seen, &clock, |seen, _| up(seen, Link::Market(0)) == kill + 1).await;
            assert_eq!(venue.subscriptions.load(Ordering::SeqCst), kill + 1, "one full subscription for each kill");
        }
        assert_eq!(edge.counts().ws_ends, 5);
        assert_eq!(up(&seen, Link::User), 1, "the other connections were not touched");
        let line = edge.latencies().lines().next().expect("figures");
        assert_eq!((line.status, line.count), (200, 1));
    });
}

/// GW06: cancels of one moment share a request, so that many take no longer than one.
#[test]
fn twenty_cancels_take_less_than_three_round_trips() {
    block_on(async {
        let (venue, clock) = (small_venue(Manner::AcceptLate), Clock::start());
        let (mut edge, mut seen) = (edge(&venue, |_| {}), Seen::default());
        run_until(&mut edge, &mut seen, &clock, |_, edge| edge.status().order_connections == 6).await;
        let begun = Instant::now();
        for n in 1..=20u8 {
            let cancel = Action::Cancel { order: OrderId([n; 32]), asset: AssetId(0) };
            edge.submit(ActionSeq(u64::from(n)), cancel, clock.now());
        }
        run_until(&mut edge, &mut seen, &clock, |seen, _| seen.results.len() == 20).await;
        let took = begun.elapsed();
        assert!(took >= ROUND_TRIP && took < ROUND_TRIP * 3, "{took:?}");
        let requests = venue.requests.lock().expect("held briefly").clone();
        assert!(requests.len() == 1 && requests[0].starts_with("DELETE /orders "), "{requests:?}");
        assert_eq!(requests[0].matches("\"0x").count(), 20);
    });
}

/// Fifteen orders of one moment, as one request and one by one over four connections.
#[test]
fn a_batch_saves_round_trips() {
    for (place_batch, requests, round_trips) in [(15, 1, 1), (1, 15, 4)] {
        block_on(async {
            let (venue, clock) = (small_venue(Manner::AcceptLate), Clock::start());
            let (mut edge, mut seen) = (edge(&venue, |s| s.outbox.place_batch = place_batch), Seen::default());
            run_until(&mut edge, &mut seen, &clock, |_, edge| edge.status().order_connections == 6).await;
            let begun = Instant::now();
            for n in 1..=15u8 {
                let Action::Place(mut place) = order(&clock) else { unreachable!("a placement") };
                place.id = OrderId([n; 32]);
                edge.submit(ActionSeq(u64::from(n)), Action::Place(place), clock.now());
            }
            run_until(&mut edge, &mut seen, &clock, |seen, _| seen.results.len() == 15).await;
            let took = begun.elapsed();
            assert_eq!(venue.requests.lock().expect("held briefly").len(), requests);
            assert!(took >= ROUND_TRIP * round_trips, "{place_batch} a request: {took:?}");
            assert!(took < ROUND_TRIP * (round_trips + 2), "{place_batch} a request: {took:?}");
            eprintln!("15 orders, {place_batch} a request, {ROUND_TRIP:?} a round trip: {took:?}");
        });
    }
}

#[test]
fn a_book_is_read_on_the_side() {
    block_on(async {
        let (venue, clock) = (small_venue(Manner::Accept), Clock::start());
        let (mut edge, mut seen) = (edge(&venue, |_| {}), Seen::default());
        let book = |outcome| Action::Fetch(oddsmith_domain::FetchWhat::Book(MarketId(0).asset(outcome)));
        edge.submit(ActionSeq(1), book(oddsmith_domain::Outcome::Yes), clock.now());
        edge.submit(ActionSeq(2), Action::Fetch(oddsmith_domain::FetchWhat::Book(AssetId(99))), clock.now());
        run_until(&mut edge, &mut seen, &clock, |seen, _| seen.results.len() == 2).await;
        assert!(seen.results.contains(&(1, GatewayOutcome::Done(Ok(())))));
        assert!(seen.results.contains(&(2, GatewayOutcome::Done(Err(UnknownCause::NoConnection)))));
        assert_eq!(seen.frames[0].0, MarketSource::Rest);
    });
}

#[test]
fn orders_without_an_answer_are_unknown_and_the_connections_come_back() {
    let cases = [
        (Manner::CloseWithoutAnswer, UnknownCause::Broken),
        (Manner::Nonsense, UnknownCause::Broken),
        (Manner::StayMute, UnknownCause::Timeout),
    ];
    for (manner, cause) in cases {
        block_on(async {
            let (venue, clock) = (small_venue(manner), Clock::start());
            let (mut edge, mut seen) = (edge(&venue, |s| s.outbox.place_timeout_ms = 200), Seen::default());
            run_until(&mut edge, &mut seen, &clock, |_, edge| edge.status().order_connections == 6).await;
            edge.submit(ActionSeq(1), order(&clock), clock.now());
            run_until(&mut edge, &mut seen, &clock, |seen, _| !seen.results.is_empty()).await;
            assert_eq!(seen.results, [(1, GatewayOutcome::Place(PlaceOutcome::Unknown(cause)))], "{manner:?}");
            run_until(&mut edge, &mut seen, &clock, |_, edge| edge.status().order_connections == 6).await;
            assert_eq!(edge.counts().order_faults, 1);
        });
    }
}

#[test]
fn a_venue_that_closes_what_it_accepts_is_not_dialled_in_a_circle() {
    block_on(async {
        let (venue, clock) = (small_venue(Manner::Accept), Clock::start());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let accepted = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&accepted);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                drop(stream);
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let (mut edge, mut seen) = (edge(&venue, |settings| settings.rest_url = url), Seen::default());
        let end = Instant::now() + Duration::from_millis(800);
        run_until(&mut edge, &mut seen, &clock, |_, _| Instant::now() >= end).await;
        assert_eq!(accepted.load(Ordering::SeqCst), 6, "once for each connection; the next is a second away");
    });
}

#[test]
fn without_a_venue_orders_are_not_sent_and_the_link_stays_down() {
    block_on(async {
        let venue = small_venue(Manner::Accept);
        let unused = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let clock = Clock::start();
        let (mut edge, mut seen) =
            (edge(&venue, |settings| settings.rest_url = format!("http://{unused}")), Seen::default());
        let mut late = order(&clock);
        if let Action::Place(order) = &mut late {
            order.deadline_mono_ns = clock.now().mono_ns + 100_000_000;
        }
        edge.submit(ActionSeq(1), late, clock.now());
        run_until(&mut edge, &mut seen, &clock, |seen, _| !seen.results.is_empty()).await;
        assert_eq!(seen.results, [(1, GatewayOutcome::Place(PlaceOutcome::NotSent(UnknownCause::Deadline)))]);
        assert!(!edge.status().orders);
    });
}

#[test]
fn another_machine_is_refused() {
    block_on(async {
        let venue = small_venue(Manner::Accept);
        let signer = Signer::from_hex(KEY).expect("a key");
        let creds = ApiKeyCreds { api_key: "key".into(), secret: "AAAA".into(), passphrase: "pass".into() };
        let wallet = Wallet {
            credentials: Arc::new(Credentials::new(signer.address(), creds).expect("credentials")),
            signer,
            hasher: OrderHasher::new(POLYGON).expect("a chain"),
        };
        let settings = EdgeSettings::at("http://203.0.113.9:80", &venue.sockets, &venue.sockets, 1);
        let refused = Edge::new(settings, wallet, Clock::start()).map(|_| ());
        assert!(matches!(refused, Err(NetError::NotLoopback(_))));
    });
}
