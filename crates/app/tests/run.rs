//! `oddsmith run` as a process against a real exchange over real sockets.

mod support;

use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oddsmith_exchange::core::KNOWN_SECRETS;
use oddsmith_exchange::scenario::Channel;
use oddsmith_exchange::server::{Running, Server, ServerConfig};
use oddsmith_net::{Target, Venue};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::order::{POLYGON, Signer};
use support::{command, oddsmith};

const WAIT: Duration = Duration::from_secs(60);

/// A run under way, and what it has said so far.
struct Live {
    child: Child,
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Live {
    fn start(data: &std::path::Path, arguments: &[&str]) -> Live {
        let mut child = command(data)
            .arg("run")
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

    fn said(&self) -> String {
        self.said.lock().expect("held briefly").clone()
    }

    /// Waits until what it says satisfies the condition.
    fn wait_for(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let give_up = Instant::now() + WAIT;
        while !condition(&self.said()) {
            assert!(Instant::now() < give_up, "no {what} in time:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("sh").args(["-c", "kill -INT \"$0\"", &pid]).status().expect("a shell");
        assert!(sent.success());
    }

    fn end(mut self) -> (i32, String) {
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
fn figure(said: &str, word: &str) -> u64 {
    let at = said.rfind(word).unwrap_or(0);
    let digits = said[..at].trim_end().rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

fn assert_replays(data: &std::path::Path) {
    let replay = oddsmith(data, &["replay", "latest"]);
    assert_eq!(replay.code, 0, "{}{}", replay.out, replay.err);
    assert!(replay.out.contains("identical"), "{}", replay.out);
}

#[test]
fn quotes_on_the_built_in_exchange_and_leaves_nothing_behind() {
    let data = tempfile::tempdir().expect("a folder");
    let live = Live::start(data.path(), &[]);
    live.wait_for("order", |said| figure(said, " sent,") > 0 && figure(said, " open ") > 0);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    for part in ["nothing of ours is left at the venue", "cash ", "tick to order: p50", "POST   /order", "journal: "] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_replays(data.path());
}

/// `kill -9` loses nothing: what was sent is written down, and can be run again.
#[test]
fn killed_in_the_middle_leaves_a_journal_that_replays() {
    let data = tempfile::tempdir().expect("a folder");
    let mut live = Live::start(data.path(), &[]);
    live.wait_for("order", |said| figure(said, " sent,") > 20);
    live.child.kill().expect("killed");
    let (code, said) = live.end();
    assert_eq!(code, -1, "{said}");
    assert_eq!(oddsmith(data.path(), &["journal", "verify", "latest"]).code, 0);
    assert_replays(data.path());
}

/// The second half of the journal's room is for cancelling and for writing that down.
#[test]
fn a_journal_that_is_half_full_stops_the_trading() {
    let data = tempfile::tempdir().expect("a folder");
    let live = Live::start(data.path(), &["--set", "journal.segment_mib=1", "--set", "journal.budget_mib=2"]);
    live.wait_for("order", |said| figure(said, " sent,") > 0);
    live.wait_for("stop", |said| said.contains("not quoting: [Operator]"));
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("nothing of ours is left at the venue"), "{said}");
    assert_replays(data.path());
}

#[test]
fn a_second_signal_ends_at_once() {
    // An exchange that has stopped answering would hold up the first.
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = tempfile::tempdir().expect("a folder");
    let live = Live::start(data.path(), &venue_flags(&exchange).each_ref().map(String::as_str));
    live.wait_for("order", |said| figure(said, " sent,") > 0);
    exchange.faults().freeze_http(true);
    live.interrupt();
    std::thread::sleep(Duration::from_millis(500));
    let before = Instant::now();
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("NOT shown"), "{said}");
    assert!(before.elapsed() < Duration::from_secs(10));
    exchange.faults().end();
}

fn venue_flags(exchange: &Running) -> [String; 6] {
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
fn account(exchange: &Running) -> Venue {
    let target = Target::parse(&format!("http://{}", exchange.addr())).expect("a target");
    let signer = Signer::from_hex(KNOWN_SECRETS[0]).expect("a key");
    let mut venue = Venue::new(target, Duration::from_secs(5));
    let creds = venue.api_key(&signer, POLYGON).expect("a key");
    venue.with_credentials(Arc::new(Credentials::new(signer.address(), creds).expect("credentials")))
}

#[test]
fn lives_through_lost_answers_frozen_channels_and_a_mute_venue() {
    let exchange = Server::start(ServerConfig::default()).expect("an exchange");
    let data = tempfile::tempdir().expect("a folder");
    let live = Live::start(data.path(), &venue_flags(&exchange).each_ref().map(String::as_str));
    live.wait_for("order", |said| figure(said, " open ") > 0);
    let faults = exchange.faults();
    faults.lose_answers(3);
    std::thread::sleep(Duration::from_secs(3));
    faults.freeze_channel(Channel::User, true);
    faults.freeze_http(true);
    // longer than the limit of a request
    std::thread::sleep(Duration::from_secs(4));
    faults.end();
    let sent = figure(&live.said(), " sent,");
    live.wait_for("order after the faults", |said| figure(said, " sent,") > sent && figure(said, " open ") > 0);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    let left = account(&exchange).account(&AssetTable::new(), &[], 0).expect("the account").orders;
    assert_eq!(left, [], "what the venue says itself");
    assert_replays(data.path());
}

#[test]
fn a_venue_that_is_not_there_or_not_here_is_said_so() {
    let data = tempfile::tempdir().expect("a folder");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let flags =
        |host: &str| ["rest=http", "market_socket=ws", "user_socket=ws"].map(|key| format!("venue.{key}://{host}"));
    let run = |flags: &[String; 3]| {
        let [rest, market, user] = flags.each_ref().map(String::as_str);
        oddsmith(data.path(), &["run", "--set", rest, "--set", market, "--set", user])
    };
    let gone = run(&flags(&port.to_string()));
    assert_eq!(gone.code, 3, "{}", gone.err);
    let remote = run(&flags("192.0.2.1:80"));
    assert_eq!(remote.code, 2, "{}", remote.err);
    assert!(remote.err.contains("not on this machine"), "{}", remote.err);
}
