//! A fill behind ten thousand market frames, over sockets: it waits for the slice that is under way, not for the burst.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oddsmith_domain::{
    Action, ActionSeq, ConditionId, Input, MarketCard, MarketId, MarketSource, Output, Time, TokenId,
};
use oddsmith_engine::{Engine, Lanes, OwnedInput, SLICE_FRAMES, Sink};
use oddsmith_net::{Clock, Edge, EdgeSettings, Intake, Wallet};
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::order::{OrderHasher, POLYGON, Signer};
use oddsmith_polymarket::wire::ApiKeyCreds;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

const BURST: u64 = 10_000;

/// What the two sides tell each other.
#[derive(Default)]
struct Shared {
    /// Market frames that the engine has handled.
    handled: AtomicU64,
    /// How many it had handled when the user frame had been written; 0 before.
    handled_when_written: AtomicU64,
    /// Channels that have been subscribed.
    ready: AtomicUsize,
}

/// Answers PING until something else is asked for.
fn until_subscribed(socket: &mut WebSocket<TcpStream>) {
    loop {
        let Message::Text(text) = socket.read().expect("a client") else { continue };
        if text.as_str() != "PING" {
            return;
        }
        socket.send(Message::text("PONG")).expect("sent");
    }
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < give_up, "not in time");
        std::thread::yield_now();
    }
}

fn serve_market(stream: TcpStream, shared: &Shared) {
    let mut socket = tungstenite::accept(stream).expect("a handshake");
    until_subscribed(&mut socket);
    shared.ready.fetch_add(1, Ordering::SeqCst);
    wait_until(|| shared.ready.load(Ordering::SeqCst) == 2);
    let frame = r#"{"event_type":"price_change","market":"0x01","timestamp":"1","price_changes":[{"asset_id":"11","price":"0.50","size":"200","side":"BUY","hash":"","best_bid":"0.50","best_ask":"0.52"}]}"#;
    for _ in 0..BURST {
        socket.write(Message::text(frame)).expect("written");
    }
    socket.flush().expect("written");
    while socket.read().is_ok() {}
}

fn serve_user(stream: TcpStream, shared: &Shared) {
    let mut socket = tungstenite::accept(stream).expect("a handshake");
    until_subscribed(&mut socket);
    shared.ready.fetch_add(1, Ordering::SeqCst);
    // in the middle of the burst, as a fill comes
    wait_until(|| shared.handled.load(Ordering::SeqCst) > BURST / 10);
    socket.send(Message::text(r#"{"event_type":"trade"}"#)).expect("written");
    shared.handled_when_written.store(shared.handled.load(Ordering::SeqCst), Ordering::SeqCst);
    while socket.read().is_ok() {}
}

struct Watch {
    clock: Clock,
    shared: Arc<Shared>,
    /// Market frames handled before the user frame, once it came.
    user_after: Option<u64>,
}

impl Sink for Watch {
    fn record(&mut self, input: &Input<'_>, _: Time, _: &[Output]) {
        match input {
            Input::Market { .. } => {
                self.shared.handled.fetch_add(1, Ordering::SeqCst);
            }
            Input::User { .. } => self.user_after = Some(self.shared.handled.load(Ordering::SeqCst)),
            _ => {}
        }
    }

    fn now(&mut self) -> Time {
        self.clock.now()
    }
}

struct IntoLanes<'a>(&'a mut Lanes);

impl Intake for IntoLanes<'_> {
    fn frame(&mut self, source: MarketSource, bytes: &[u8]) {
        self.0.push_frame(source, bytes);
    }
    fn user(&mut self, bytes: &[u8]) {
        self.0.push(OwnedInput::User(bytes.to_vec()));
    }
    fn input(&mut self, input: Input<'static>) {
        self.0.push(OwnedInput::Other(input));
    }
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

fn wallet() -> Wallet {
    let signer = Signer::from_secret(&[7; 32]).expect("a key");
    let creds = ApiKeyCreds { api_key: "key".into(), secret: "AAAA".into(), passphrase: "pass".into() };
    Wallet {
        credentials: Arc::new(Credentials::new(signer.address(), creds).expect("credentials")),
        signer,
        hasher: OrderHasher::new(POLYGON).expect("a chain"),
    }
}

#[test]
fn a_user_frame_waits_for_a_slice_and_not_for_ten_thousand_market_frames() {
    let (market, user) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
    let (market, user) = (market.expect("a port"), user.expect("a port"));
    let url = |listener: &TcpListener| format!("ws://{}/ws", listener.local_addr().expect("bound"));
    let (market_url, user_url) = (url(&market), url(&user));
    let shared = Arc::new(Shared::default());
    let for_market = Arc::clone(&shared);
    std::thread::spawn(move || serve_market(market.accept().expect("a client").0, &for_market));
    let for_user = Arc::clone(&shared);
    std::thread::spawn(move || serve_user(user.accept().expect("a client").0, &for_user));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let clock = Clock::start();
        let mut settings = EdgeSettings::at("http://127.0.0.1:9", &market_url, &user_url, 1);
        // The burst is no snapshot; nobody is to be asked for one meanwhile.
        settings.session.snapshot_limit_ms = 60_000;
        let mut edge = Edge::new(settings, wallet(), clock).expect("an edge");
        edge.learn(MarketId(0), &card());
        edge.submit(ActionSeq(1), Action::Subscribe { markets: vec![MarketId(0)] }, clock.now());
        let (mut engine, mut lanes) = (Engine::new(), Lanes::new());
        let mut watch = Watch { clock, shared: Arc::clone(&shared), user_after: None };
        let give_up = Instant::now() + Duration::from_secs(20);
        while watch.user_after.is_none() || shared.handled.load(Ordering::SeqCst) < BURST {
            assert!(Instant::now() < give_up, "{} handled", shared.handled.load(Ordering::SeqCst));
            edge.flush(clock.now());
            edge.wait(Some(clock.now().mono_ns + 50_000_000)).await;
            edge.drain_lossless(&mut IntoLanes(&mut lanes), clock.now());
            edge.drain_market(1_024, &mut IntoLanes(&mut lanes), clock.now());
            while lanes.slice(&mut engine, &mut watch) {
                edge.glance().await;
                edge.drain_lossless(&mut IntoLanes(&mut lanes), clock.now());
            }
        }
        let written_after = shared.handled_when_written.load(Ordering::SeqCst);
        let user_after = watch.user_after.expect("it came");
        assert!(user_after < BURST, "it came in the middle of the burst");
        let waited = user_after.saturating_sub(written_after);
        assert!(waited <= SLICE_FRAMES as u64, "it waited for {waited} frames");
    });
}
