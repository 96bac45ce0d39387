//! A run whose trading thread stands still or fails, against a real exchange over real sockets.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oddsmith_exchange::core::KNOWN_SECRETS;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_journal::{Kind, Reader, decode_output};
use oddsmith_net::{EdgeSettings, Target, Venue};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::order::{POLYGON, Signer};

use super::{LiveEnd, LivePlan, run};
use crate::config;
use crate::control::{Call, Request, Word};
use crate::data::DataDir;
use crate::failure::Failure;
use crate::guard::Ended;

/// What the trading thread of whichever run looks here next does: stand still for so many milliseconds, or fail.
static PRANK: AtomicU64 = AtomicU64::new(0);
const FAIL: u64 = u64::MAX;
/// One run at a time may be played with.
static STAGE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Called by the trading thread before each slice.
pub fn prank() {
    match PRANK.swap(0, Ordering::AcqRel) {
        0 => {}
        FAIL => panic!("the ledger does not balance"),
        ms => std::thread::sleep(Duration::from_millis(ms)),
    }
}

struct Play {
    exchange: Running,
    data: DataDir,
    _folder: tempfile::TempDir,
    run: Option<JoinHandle<Result<LiveEnd, Failure>>>,
}

impl Play {
    fn begin() -> Play {
        let exchange = Server::start(ServerConfig::default()).expect("an exchange");
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::find(Some(folder.path()));
        let config = config::load(None, &[]).expect("the default profile");
        let address = exchange.addr();
        let (rest, market) = (format!("http://{address}"), format!("ws://{address}/ws/market"));
        let signer = Signer::from_hex(KNOWN_SECRETS[0]).expect("a key");
        let plan = LivePlan {
            sources: super::Sources::default(),
            fresh: false,
            edge: config.venue.tune(
                EdgeSettings::at(&rest, &market, &format!("ws://{address}/ws/user"), 1),
                (config.patterns(), Vec::new()),
            ),
            payer: config.venue.payer(signer.address()).expect("a payer"),
            signer,
            chain_id: POLYGON,
            engine: config.engine,
            data: data.clone(),
            config: serde_json::Value::Null,
            journal: oddsmith_journal::Options { segment_bytes: 4 << 20, ..oddsmith_journal::Options::default() },
            tidy: config.journal,
            guard: config.guard,
            built_in: false,
            paper: None,
            status_every: Duration::ZERO,
            run_for: None,
            pin_core: None,
        };
        let run = Some(std::thread::spawn(move || run(plan)));
        let play = Play { exchange, data, _folder: folder, run };
        play.wait_for("an order at the venue", |play| play.open_orders() > 0);
        play
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&Play) -> bool) {
        let give_up = Instant::now() + Duration::from_secs(60);
        while !condition(self) {
            assert!(Instant::now() < give_up, "no {what} in time");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn open_orders(&self) -> usize {
        let target = Target::parse(&format!("http://{}", self.exchange.addr())).expect("a target");
        let signer = Signer::from_hex(KNOWN_SECRETS[0]).expect("a key");
        let mut venue = Venue::new(target, Duration::from_secs(5));
        let creds = venue.api_key(&signer, POLYGON).expect("an API key");
        let credentials = Credentials::new(signer.address(), creds).expect("credentials");
        venue.with_credentials(Arc::new(credentials)).open_orders(&AssetTable::new()).expect("open orders").len()
    }

    fn dir(&self) -> PathBuf {
        self.data.resolve("latest").expect("a run").dir
    }

    fn end(&mut self) -> Result<LiveEnd, Failure> {
        self.run.take().expect("still running").join().expect("no panic gets out")
    }
}

#[test]
fn a_loop_that_stands_still_is_cancelled_for_and_told() {
    let _stage = STAGE.lock();
    let mut play = Play::begin();
    let began = Instant::now();
    PRANK.store(4_000, Ordering::Release);
    play.wait_for("empty venue", |play| play.open_orders() == 0);
    let took = began.elapsed();
    assert!(took < Duration::from_millis(2_500), "cancelled after {took:?}, while the loop still stands");
    let dir = play.dir();
    play.wait_for("alert", |_| std::fs::read_to_string(dir.join("alerts.jsonl")).is_ok_and(|t| t.contains("watchdog")));
    // The loop comes back, learns of it, and quotes again when the venue has shown that nothing is left.
    play.wait_for("quote after the stall", |play| began.elapsed() > Duration::from_secs(4) && play.open_orders() > 0);
    let request = Request { command: Word::Shutdown, market: None, instance: None, wait_ms: 0 };
    Call::place(&dir, &request).expect("called").hear().expect("answered");
    assert!(play.end().expect("ends well").clean);
    assert_eq!(Ended::read(&dir).map(|ended| ended.clean), Some(true));
    let (mut told, mut alerts) = (0, Vec::new());
    let mut reader = Reader::open(&dir).expect("a journal");
    while let Some(record) = reader.next().expect("readable") {
        told += u32::from(record.head.kind == Kind::GUARD);
        if record.head.kind == Kind::ALERT {
            alerts.push(format!("{:?}", decode_output(record.payload).expect("an alert")));
        }
    }
    assert!(told >= 1, "the engine was told");
    assert!(alerts.iter().any(|text| text.contains("the loop stood still for")), "{alerts:?}");
}

#[test]
fn a_failure_in_the_loop_cancels_everything_and_ends_the_run() {
    let _stage = STAGE.lock();
    let mut play = Play::begin();
    let dir = play.dir();
    PRANK.store(FAIL, Ordering::Release);
    let failure = play.end().expect_err("it failed").to_string();
    assert!(failure.contains("the ledger does not balance"), "{failure}");
    assert_eq!(play.open_orders(), 0);
    let ended = Ended::read(&dir).expect("it said how it ended");
    assert!(!ended.clean && ended.why.contains("the venue shows no open order"), "{ended:?}");
    assert!(!Call::is_answered(&dir), "nobody is to be called any more");
}
