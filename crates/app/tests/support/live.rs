//! A run as a process of its own, and what is asked of the exchange that it trades on.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oddsmith_domain::MarketCard;
use oddsmith_exchange::core::KNOWN_SECRETS;
use oddsmith_exchange::server::Running;
use oddsmith_net::{Finder, Target, Venue};
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::discovery::{DiscoverySettings, Sweep};
use oddsmith_polymarket::order::{POLYGON, Signer};

use super::{command, oddsmith};

const WAIT: Duration = Duration::from_secs(60);

/// A run under way, and what it has said so far.
pub struct Live {
    pub child: Child,
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Live {
    pub fn start(data: &std::path::Path, arguments: &[&str]) -> Live {
        Live::command(data, "run", arguments)
    }

    /// Any command that goes on until it is ended.
    pub fn command(data: &std::path::Path, name: &str, arguments: &[&str]) -> Live {
        let mut child = command(data)
            .arg(name)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let said = Arc::new(Mutex::new(String::new()));
        let (mut out, heard) = (child.stdout.take().expect("piped"), Arc::clone(&said));
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4_096];
            while let Ok(count @ 1..) = out.read(&mut chunk) {
                heard.lock().expect("held briefly").push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
        });
        Live { child, said, reader: Some(reader) }
    }

    pub fn said(&self) -> String {
        self.said.lock().expect("held briefly").clone()
    }

    /// Waits until what it says satisfies the condition.
    pub fn wait_for(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let give_up = Instant::now() + WAIT;
        while !condition(&self.said()) {
            assert!(Instant::now() < give_up, "no {what} in time:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let kill = format!("kill -{name} \"$0\"");
        let sent = std::process::Command::new("sh").args(["-c", &kill, &pid]).status().expect("a shell");
        assert!(sent.success());
    }

    pub fn end(mut self) -> (i32, String) {
        let give_up = Instant::now() + WAIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if Instant::now() >= give_up {
                let _ = self.child.kill();
                panic!("it does not end:\n{}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        if let Some(reader) = self.reader.take() {
            reader.join().expect("read to the end");
        }
        (status.code().unwrap_or(-1), self.said())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A test that failed must not leave a trader behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number before a word in the last table: `orders: 12 sent`.
pub fn figure(said: &str, word: &str) -> u64 {
    let at = said.rfind(word).unwrap_or(0);
    let digits = said[..at].trim_end().rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

pub fn assert_replays(data: &std::path::Path) {
    let replay = oddsmith(data, &["replay", "latest"]);
    assert_eq!(replay.code, 0, "{}{}", replay.out, replay.err);
    assert!(replay.out.contains("identical"), "{}", replay.out);
}

/// What makes a run send its orders to an exchange.
pub fn venue_flags(exchange: &Running) -> [String; 9] {
    let [a, b, c, d, e, f] = paper_flags(exchange);
    [a, b, c, d, e, f, "--set".to_owned(), "venue.mode=live".to_owned(), "--live".to_owned()]
}

/// What makes a run read an exchange, and trade on paper.
pub fn paper_flags(exchange: &Running) -> [String; 6] {
    let address = exchange.addr();
    let set = || "--set".to_owned();
    [
        set(),
        format!("venue.rest=http://{address}"),
        set(),
        format!("venue.market_socket=ws://{address}/ws/market"),
        set(),
        format!("venue.user_socket=ws://{address}/ws/user"),
    ]
}

/// A client of the trader's account that asks the venue itself.
pub fn account(exchange: &Running) -> Venue {
    let target = Target::parse(&format!("http://{}", exchange.addr())).expect("a target");
    let signer = Signer::from_hex(KNOWN_SECRETS[0]).expect("a key");
    let mut venue = Venue::new(target, Duration::from_secs(5));
    let creds = venue.api_key(&signer, POLYGON).expect("a key");
    venue.with_credentials(Arc::new(Credentials::new(signer.address(), creds).expect("credentials")))
}

/// The cards of all markets that the exchange lists.
pub fn cards(exchange: &Running) -> Vec<MarketCard> {
    let target = |path: &str| Target::parse(&format!("http://{}{path}", exchange.addr())).expect("a target");
    let mut finder = Finder::new(target("/gamma"), target(""), Duration::from_secs(5));
    let every = DiscoverySettings { patterns: vec!["*".to_owned()], ..DiscoverySettings::default() };
    let swept = finder.sweep(Sweep::new(every, BTreeMap::new(), 0)).expect("a list");
    swept.found.into_iter().map(|found| found.card).collect()
}
