//! One trial of a fault: a real exchange with one lively market, a real run that quotes on it, and what both say afterwards.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use oddsmith_domain::{
    Event, Input, InstanceId, MarketCard, MarketId, OrderState, OutputBody, Scope, Shares, SubAccount, Usdc,
};
use oddsmith_exchange::core::KNOWN_ADDRESSES;
use oddsmith_exchange::scenario::Scenario;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_journal::{Reader, decode_input, decode_output};
use serde_json::{Value, json};

use super::Data;
use super::live::{Live, assert_replays, venue_flags};

/// The market that is traded.
pub const MARKET: &str = "rain-tomorrow";
const WAIT: Duration = Duration::from_secs(40);
/// One market in which a maker is filled every second or so, and settlements that take a moment.
const SCENARIO: &str = "
exchange: { mined_after_ms: 150, confirmed_after_ms: 150 }
markets:
  - slug: rain-tomorrow
    fee: { rate: 0.05 }
    process: { opinion: { start: 0.5, volatility: 0.01, pull: 0.05 } }
    traders: { noise_rate: 8.0, maker_rate: 2.0, half_spread: 0.03 }
";
/// The default profile, impatient: a test should not wait for what a trader would.
const PROFILE: &str = "
engine:
  timing:
    replace_interval_ms: 250
    wallet_cooldown_ms: 300
    market_cooldown_ms: 300
    caution_ms: 500
    stale_book_ms: 1500
    unknown_order_ms: 1000
    missing_fill_ms: 1500
    reconcile_ms: 1500
    cross_check_ms: 1000
  doubt:
    venue_pause_ms: 500
    post_only_ms: 1000
  sending:
    defence_ms: 500
    breaker_pause_ms: 500
  limits:
    breakers: { halt_s: 1 }
  instances:
    - name: maker
      markets: [\"*\"]
      strategy:
        skewed_maker: { base_usdc: 10, target_spread: 0.02 }
";

/// What the journal holds so far, read behind the run.
#[derive(Default)]
struct Told {
    reader: Option<Reader>,
    /// Runs that are over.
    older: Vec<PathBuf>,
    cards: Vec<MarketCard>,
    events: Vec<Event>,
    /// The last word on every sub-account, over all runs: a run goes on where the one before it ended.
    accounts: BTreeMap<(InstanceId, MarketId), SubAccount>,
}

/// See the module.
pub struct Trial {
    exchange: Running,
    data: Data,
    live: RefCell<Option<Live>>,
    told: RefCell<Told>,
    before: Usdc,
    moved: RefCell<Usdc>,
}

/// A place among the events.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl Trial {
    /// A run that quotes and has been filled.
    pub fn begin() -> Trial {
        Trial::begin_with(SCENARIO, &[])
    }

    /// The same with faults of a scenario file, or settings of the run.
    pub fn begin_with(scenario: &str, settings: &[&str]) -> Trial {
        let scenario = Scenario::parse(scenario).expect("a valid scenario");
        let exchange = Server::start(ServerConfig { scenario, ..ServerConfig::default() }).expect("an exchange");
        let data = super::data();
        let before = cash(&holdings(exchange.addr()));
        let trial = Trial {
            exchange,
            data,
            live: RefCell::default(),
            told: RefCell::default(),
            before,
            moved: RefCell::new(Usdc::ZERO),
        };
        trial.start(settings);
        trial
    }

    /// The built-in markets and a fault of the scenario's own.
    pub fn scenario(more: &str) -> String {
        format!("{SCENARIO}{more}")
    }

    /// Starts a run: the first one, or the one after.
    pub fn start(&self, settings: &[&str]) {
        let profile = self.data.path().join("profile.yaml");
        std::fs::write(&profile, PROFILE).expect("a profile");
        let accounts = std::mem::take(&mut self.told.borrow_mut().accounts);
        *self.told.borrow_mut() = Told { older: self.runs(), accounts, ..Told::default() };
        let flags = venue_flags(&self.exchange);
        let mut arguments = vec![profile.to_str().expect("a path"), "--status", "0"];
        arguments.extend(flags.iter().map(String::as_str));
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        *self.live.borrow_mut() = Some(Live::start(self.data.path(), &arguments));
        let begin = Mark(0);
        self.sees(begin, "a quote that works", is_working);
        self.sees(begin, "a fill", |event| matches!(event, Event::Fill { .. }));
    }

    /// Strikes with a fault through the control endpoint.
    pub fn strike(&self, fault: Value) -> Mark {
        let mark = self.mark();
        self.control("faults", fault);
        mark
    }

    /// A command of the exchange.
    pub fn control(&self, path: &str, body: Value) {
        let (status, answer) = http(self.exchange.addr(), "POST", &format!("/control/{path}"), &body.to_string());
        assert_eq!(status, 200, "{path}: {answer}");
    }

    /// Money that leaves the account without an order.
    pub fn move_balance(&self, dollars: i64) -> Mark {
        *self.moved.borrow_mut() += Usdc::from_whole(dollars);
        self.strike(json!({ "move_balance": { "from": KNOWN_ADDRESSES[0], "amount": dollars.to_string() } }))
    }

    /// The end of what the journal holds now.
    pub fn mark(&self) -> Mark {
        self.read();
        Mark(self.told.borrow().events.len())
    }

    /// Waits for an event after a mark; the place after it.
    pub fn sees(&self, from: Mark, what: &str, is_it: impl Fn(&Event) -> bool) -> Mark {
        if let Some(seen) = self.sees_within(WAIT, from, is_it) {
            return seen;
        }
        let told = &mut *self.told.borrow_mut();
        let recent: Vec<_> = told.events.iter().rev().take(30).collect();
        let ending = told.reader.as_mut().map(Reader::ending);
        panic!("no {what} in time; the journal is {ending:?}, the last events, newest first: {recent:#?}");
    }

    /// Waits for an event after a mark for so long; the place after it if it came.
    pub fn sees_within(&self, limit: Duration, from: Mark, is_it: impl Fn(&Event) -> bool) -> Option<Mark> {
        let give_up = Instant::now() + limit;
        loop {
            self.read();
            let found = self.told.borrow().events.iter().skip(from.0).position(&is_it);
            if let Some(place) = found {
                return Some(Mark(from.0 + place + 1));
            }
            if Instant::now() >= give_up {
                return None;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Waits until doubt of one of some causes has begun.
    pub fn doubts(&self, from: Mark, causes: &[oddsmith_domain::DoubtCause]) -> Mark {
        let what = format!("doubt because of {causes:?}");
        self.sees(from, &what, |event| matches!(event, Event::DoubtBegan { cause, .. } if causes.contains(cause)))
    }

    /// Waits until doubt about the wallet has begun, whatever the cause.
    pub fn stops_the_wallet(&self, from: Mark) -> Mark {
        let is_it = |event: &Event| matches!(event, Event::DoubtBegan { scope: Scope::Wallet, .. });
        self.sees(from, "doubt about the wallet", is_it)
    }

    /// Waits until the venue has shown that nothing of ours is left in the scope of a doubt.
    pub fn is_cleared(&self, from: Mark) -> Mark {
        self.sees(from, "a cancel that was verified", |event| matches!(event, Event::DoubtCleared { .. }))
    }

    /// Waits until the engine quotes again, as after every fault that ends.
    pub fn quotes_again(&self, from: Mark) -> Mark {
        self.sees(from, "a new quote that works", is_working)
    }

    /// How many events there are after a mark.
    pub fn count(&self, from: Mark, is_it: impl Fn(&Event) -> bool) -> usize {
        self.read();
        self.told.borrow().events.iter().skip(from.0).filter(|event| is_it(event)).count()
    }

    /// Kills the run without a word.
    pub fn kill(&self) {
        let mut live = self.live.borrow_mut().take().expect("a run");
        live.child.kill().expect("killed");
        let (code, _) = live.end();
        assert_eq!(code, -1);
        self.read();
    }

    /// Open orders of the account, as the exchange has them.
    pub fn open_orders(&self) -> u64 {
        holdings(self.exchange.addr())["open_orders"].as_u64().expect("a number")
    }

    /// Waits until the exchange has no order of the account any more, by itself.
    pub fn waits_for_no_orders(&self) {
        let give_up = Instant::now() + WAIT;
        while self.open_orders() > 0 {
            assert!(Instant::now() < give_up, "the dead man's switch does not cancel");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the run as Ctrl-C does; nothing is left, both books agree to the millionth, and the journal replays.
    pub fn ends_in_agreement(self) {
        self.control("thaw", json!({}));
        let live = self.live.borrow_mut().take().expect("a run");
        live.interrupt();
        let (code, said) = live.end();
        assert_eq!(code, 0, "{said}");
        assert_eq!(self.open_orders(), 0, "{said}");
        self.agrees();
        assert_replays(self.data.path());
    }

    /// The journal's last word on cash and tokens is the exchange's.
    fn agrees(&self) {
        self.read();
        let told = self.told.borrow();
        let accounts = &told.accounts;
        assert!(!accounts.is_empty(), "nothing was traded");
        let theirs = holdings(self.exchange.addr());
        let ours: Usdc = accounts.values().map(|account| account.cash).sum();
        assert_eq!(self.before - *self.moved.borrow() + ours, cash(&theirs), "collateral");
        for (index, card) in told.cards.iter().enumerate() {
            let market = MarketId(u32::try_from(index).expect("few markets"));
            for outcome in 0..2 {
                let held =
                    accounts.iter().filter(|((_, at), _)| *at == market).map(|(_, account)| account.shares[outcome]);
                let ours: Shares = held.sum();
                let row = theirs["tokens"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .find(|row| row["market"] == json!(card.slug) && row["outcome"] == json!(outcome));
                let theirs = row.map_or(0, |row| row["matched"].as_i64().expect("millionths"));
                assert_eq!(ours.micros(), theirs, "outcome {outcome} of {}", card.slug);
            }
        }
    }

    fn read(&self) {
        let told = &mut *self.told.borrow_mut();
        if told.reader.is_none() {
            let run = self.runs().into_iter().find(|run| !told.older.contains(run));
            told.reader = run.and_then(|dir| Reader::open(&dir).ok());
        }
        let Some(reader) = &mut told.reader else { return };
        while let Some(record) = reader.next().expect("a journal without damage") {
            if record.head.kind.is_output() {
                if let OutputBody::Event(event) = decode_output(record.payload).expect("an output").body {
                    if let Event::Ledger { instance, market, account } = &event {
                        told.accounts.insert((*instance, *market), *account);
                    }
                    told.events.push(event);
                }
            } else if record.head.kind.is_input()
                && let Input::Card(card) = decode_input(record.payload).expect("an input")
            {
                told.cards.push(*card);
            }
        }
    }

    fn runs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.data.path().join("runs")).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    }
}

fn is_working(event: &Event) -> bool {
    matches!(event, Event::Order { to: OrderState::Working, .. })
}

fn holdings(addr: SocketAddr) -> Value {
    let (status, body) = http(addr, "GET", &format!("/control/account/{}", KNOWN_ADDRESSES[0]), "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

fn cash(holdings: &Value) -> Usdc {
    Usdc::from_micros(holdings["matched"].as_i64().expect("millionths"))
}

/// Asks the exchange something.
pub fn http(addr: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).expect("the exchange listens");
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").expect("a body").1.to_owned())
}
