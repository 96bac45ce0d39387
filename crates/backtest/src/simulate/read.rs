//! Reads of the side: the live client of the venue on a thread of its own, whose every request waits for the simulated network.
//!
//! At any moment either the simulation runs or one of these threads does, never both: a thread is let go on with an answer, and the
//! simulation waits for its next request or its end. So the order of things is the seed's, not the machine's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use oddsmith_domain::{Address, GatewayOutcome, TokenOutcome, UnknownCause};
use oddsmith_exchange::server::Local;
use oddsmith_net::http::{Answer, Transport, read_response, write_request};
use oddsmith_net::{Finder, NetError, Venue, cause_of};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::discovery::{Sweep, Swept};

use super::edge::ReadWhat;

const ANSWER_LIMIT: usize = 16 << 20;

/// How a read ended.
#[derive(Debug)]
pub(super) enum ReadEnd {
    Book(Result<Vec<u8>, UnknownCause>),
    Of(GatewayOutcome),
    Converted(TokenOutcome),
}

/// What a reading thread says next.
pub(super) enum Next<T> {
    /// It sends these bytes and waits.
    Request(Vec<u8>),
    /// It is done.
    End(T),
}

/// A thread that reads.
pub(super) struct Thread<T> {
    said: Receiver<Next<T>>,
    answers: Sender<Result<Answer, NetError>>,
    wall_s: Arc<AtomicU64>,
}

struct Way<T> {
    say: Sender<Next<T>>,
    answers: Receiver<Result<Answer, NetError>>,
    wall_s: Arc<AtomicU64>,
}

impl<T: Send> Transport for Way<T> {
    fn request(&mut self, method: &str, path: &str, headers: &[u8], body: &[u8]) -> Result<Answer, NetError> {
        let mut bytes = Vec::new();
        write_request(&mut bytes, method, path, "exchange", headers, body);
        let gone = |_| NetError::Timeout;
        self.say.send(Next::Request(bytes)).map_err(|_| NetError::Timeout)?;
        self.answers.recv().map_err(gone)?
    }

    fn now_s(&self) -> u64 {
        self.wall_s.load(Ordering::Relaxed)
    }
}

/// One way that several clients share, one request at a time, and the path that everything asked on it begins with.
struct Shared<T>(Arc<Mutex<Way<T>>>, &'static str);

impl<T: Send> Transport for Shared<T> {
    fn request(&mut self, method: &str, path: &str, headers: &[u8], body: &[u8]) -> Result<Answer, NetError> {
        let path = format!("{}{path}", self.1);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).request(method, &path, headers, body)
    }

    fn now_s(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now_s()
    }
}

impl Thread<Result<Swept, NetError>> {
    /// Lets a sweep be carried out, as the live edge's finder does it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn sweep(wall_s: u64, sweep: Sweep) -> std::io::Result<Self> {
        Thread::spawn(wall_s, move |way| {
            let way = Arc::new(Mutex::new(way));
            let venue = Venue::over(Box::new(Shared(Arc::clone(&way), "")));
            Finder::over(Box::new(Shared(way, "/gamma")), venue).sweep(sweep)
        })
    }
}

impl<T: Send + 'static> Thread<T> {
    /// Lets a client of the venue do something on a thread of its own.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        credentials: Option<Arc<Credentials>>,
        wall_s: u64,
        act: impl FnOnce(Venue) -> T + Send + 'static,
    ) -> std::io::Result<Thread<T>> {
        Thread::spawn(wall_s, move |way| {
            let mut venue = Venue::over(Box::new(way));
            if let Some(credentials) = credentials {
                venue = venue.with_credentials(credentials);
            }
            act(venue)
        })
    }

    fn spawn(wall_s: u64, act: impl FnOnce(Way<T>) -> T + Send + 'static) -> std::io::Result<Thread<T>> {
        let (say, said) = channel();
        let (answer, answers) = channel();
        let wall_s = Arc::new(AtomicU64::new(wall_s));
        let way = Way { say: say.clone(), answers, wall_s: Arc::clone(&wall_s) };
        std::thread::Builder::new().name("read".to_owned()).spawn(move || {
            // Nobody listens any more if the simulated process was killed meanwhile.
            let _gone = say.send(Next::End(act(way)));
        })?;
        Ok(Thread { said, answers: answer, wall_s })
    }

    /// What it does next; `None` if it ended without a word.
    pub(super) fn next(&self) -> Option<Next<T>> {
        self.said.recv().ok()
    }

    /// Its request was answered with these bytes, or not at all.
    pub(super) fn answer(&self, bytes: Option<&[u8]>, wall_s: u64) {
        self.wall_s.store(wall_s, Ordering::Relaxed);
        let answer = match bytes {
            None => Err(NetError::Timeout),
            Some(bytes) => decoded(bytes),
        };
        // A thread that is gone is noticed when it is asked for its next word.
        let _gone = self.answers.send(answer);
    }
}

fn decoded(bytes: &[u8]) -> Result<Answer, NetError> {
    let response = read_response(bytes, true, ANSWER_LIMIT)?;
    let Some(response) = response else { return Err(NetError::Timeout) };
    let mut gathered = Vec::new();
    Ok(Answer { status: response.status, body: response.body(bytes, &mut gathered).to_vec() })
}

/// Starts a read of the edge.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn start(
    what: ReadWhat,
    table: Arc<AssetTable>,
    (credentials, account): (Arc<Credentials>, Address),
    wall_s: u64,
) -> std::io::Result<Thread<ReadEnd>> {
    Thread::start(Some(credentials), wall_s, move |mut venue| match what {
        ReadWhat::Book(token) => ReadEnd::Book(venue.book(&token).map_err(|error| cause_of(&error))),
        ReadWhat::Account { tokens, trades_since_s } => {
            ReadEnd::Of(GatewayOutcome::Account(venue.account(&table, &tokens, trades_since_s)))
        }
        ReadWhat::Activity { trades_since_s } => {
            ReadEnd::Of(GatewayOutcome::Activity(venue.activity(&table, trades_since_s)))
        }
        ReadWhat::Resolution(condition) => {
            let read = venue.resolution(&condition).map_err(|error| cause_of(&error));
            ReadEnd::Of(GatewayOutcome::Resolution(read))
        }
        ReadWhat::Convert { slug, pairs } => ReadEnd::Converted(venue.convert(account, &slug, pairs)),
        ReadWhat::ConvertEvent { from, into, shares } => {
            ReadEnd::Converted(venue.convert_event(account, &from, &into, shares))
        }
    })
}

/// Answers every request of a thread at once, until it ends.
pub(super) fn asked<T: Send + 'static>(local: &mut Local, thread: &Thread<T>, wall_s: u64) -> Result<T, String> {
    while let Some(next) = thread.next() {
        match next {
            Next::End(result) => return Ok(result),
            Next::Request(bytes) => {
                let ticket = local.request(&bytes);
                let mut answer = None;
                while let Some((answered, bytes)) = local.poll_answer() {
                    if answered == ticket {
                        answer = bytes;
                    }
                }
                thread.answer(answer.as_deref(), wall_s);
            }
        }
    }
    Err("a read ended without a word".to_owned())
}
