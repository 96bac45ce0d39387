//! The side of the run: a thread that listens, and the questions that it hands to the loop.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use oddsmith_domain::{DoubtCause, OrderId, OrderState};
use oddsmith_engine::EngineView;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{REQUEST_LIMIT, Reply, Request, socket};

/// More operators than this at once are turned away.
const MAX_CONNECTIONS: usize = 32;
/// How long an operator may take to say what he wants, or to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the loop may take to handle a command.
const HANDLED_WITHIN: Duration = Duration::from_secs(10);
/// How long the end of a run waits for the last answers to be taken.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the loop says of a command.
#[derive(Debug)]
pub enum Answer {
    /// It was not done.
    Refused(String),
    /// The engine has handled it, and its record is on the disk.
    Handled {
        /// The number of its record.
        record: u64,
        /// Whether the engine may quote.
        quoting: bool,
        /// Why not.
        doubts: Vec<DoubtCause>,
    },
    /// What became of the orders.
    Settled(Settled),
    /// How the engine stands.
    Status(Box<EngineView>),
}

/// What became of the orders that were open when a command came.
#[derive(Debug)]
pub struct Settled {
    /// Whether the venue has shown that nothing is left.
    pub shown: bool,
    /// Each order and its state.
    pub orders: Vec<(OrderId, OrderState)>,
}

/// A request on its way to the loop.
#[derive(Debug)]
pub struct Ask {
    /// What is wanted.
    pub request: Request,
    /// Where the answers go.
    pub reply: Sender<Answer>,
}

/// The requests, as the loop takes them.
pub type Asks = UnboundedReceiver<Ask>;

/// The listening thread of a run.
#[derive(Debug)]
pub struct Operator {
    dir: PathBuf,
    busy: Arc<AtomicUsize>,
}

impl Operator {
    /// Begins to listen in a run's directory.
    ///
    /// # Errors
    /// What the system said.
    pub fn listen(dir: &Path) -> std::io::Result<(Operator, Asks)> {
        let listener = socket::listen(dir)?;
        let (sender, asks) = unbounded_channel();
        let busy = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&busy);
        std::thread::Builder::new().name("operator".to_owned()).spawn(move || serve(&listener, &sender, &counted))?;
        Ok((Operator { dir: dir.to_owned(), busy }, asks))
    }

    /// Stops being found, and gives the last answers a moment to be taken.
    pub fn close(self) {
        socket::remove(&self.dir);
        let give_up = Instant::now() + LAST_WORDS;
        while self.busy.load(Ordering::Acquire) > 0 && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        socket::remove(&self.dir);
    }
}

fn serve(listener: &UnixListener, asks: &UnboundedSender<Ask>, busy: &Arc<AtomicUsize>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Too many open files, for one: not a reason to be deaf for ever.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        if busy.load(Ordering::Acquire) >= MAX_CONNECTIONS {
            continue;
        }
        busy.fetch_add(1, Ordering::AcqRel);
        let (asks, leaving) = (asks.clone(), Arc::clone(busy));
        let spawned = std::thread::Builder::new().name("operator-call".to_owned()).spawn(move || {
            // An operator who hangs up has his answer in the journal.
            let _ = converse(&stream, &asks);
            leaving.fetch_sub(1, Ordering::AcqRel);
        });
        if spawned.is_err() {
            busy.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn converse(stream: &UnixStream, asks: &UnboundedSender<Ask>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(REQUEST_LIMIT)).read_line(&mut line)?;
    let request = match serde_json::from_str::<Request>(&line) {
        Ok(request) => request,
        Err(error) => return say(stream, &Reply::Refused { why: format!("not a request: {error}") }),
    };
    let wait = Duration::from_millis(request.wait_ms);
    let (reply, answers) = mpsc::channel();
    if asks.send(Ask { request, reply }).is_err() {
        return say(stream, &Reply::Refused { why: "the run is ending".to_owned() });
    }
    let first = said(&answers, HANDLED_WITHIN, "the engine does not answer: its loop stands still");
    say(stream, &first)?;
    if wait.is_zero() || !matches!(first, Reply::Handled { .. }) {
        return Ok(());
    }
    // The loop keeps the time; a little more is for a loop that stands still.
    match answers.recv_timeout(wait + PATIENCE) {
        Ok(answer) => say(stream, &written(answer)),
        // The command has no second answer.
        Err(RecvTimeoutError::Disconnected) => Ok(()),
        Err(RecvTimeoutError::Timeout) => say(stream, &Reply::Settled { shown: false, orders: Vec::new() }),
    }
}

fn said(answers: &Receiver<Answer>, within: Duration, late: &str) -> Reply {
    match answers.recv_timeout(within) {
        Ok(answer) => written(answer),
        Err(RecvTimeoutError::Timeout) => Reply::Refused { why: late.to_owned() },
        Err(RecvTimeoutError::Disconnected) => Reply::Refused { why: "the run ended first".to_owned() },
    }
}

fn written(answer: Answer) -> Reply {
    match answer {
        Answer::Refused(why) => Reply::Refused { why },
        Answer::Handled { record, quoting, doubts } => Reply::Handled { record, quoting, doubts },
        Answer::Settled(Settled { shown, orders }) => Reply::Settled { shown, orders },
        Answer::Status(view) => match serde_json::to_value(&*view) {
            Ok(view) => Reply::Status { view },
            Err(error) => Reply::Refused { why: error.to_string() },
        },
    }
}

fn say(mut stream: &UnixStream, reply: &Reply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line)
}
