//! The network between the simulated process and the exchange: latencies, order of arrival, and what gets lost on the way.

use std::collections::BTreeMap;

use oddsmith_domain::Time;
use oddsmith_exchange::server::{SocketId, Ticket};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::edge::Line;

/// One way, in nanoseconds.
const LATENCY: std::ops::Range<u64> = 2 * Time::MILLI..25 * Time::MILLI;
/// A request of the side that gets no answer is given up after this time.
const SIDE_TIMEOUT_NS: u64 = 5 * Time::SECOND;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asker {
    /// An order connection, of this generation.
    Orders { line: Line, generation: u64 },
    /// A read of the side.
    Read(u64),
}

/// Something that arrives.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    /// At the exchange: a wish to connect.
    Dial { line: Line, generation: u64 },
    /// At the exchange: a text.
    Text { socket: SocketId, text: String },
    /// At the exchange: the end of a connection.
    HangUp { socket: SocketId },
    /// At the exchange: a request.
    Request { asker: Asker, bytes: Vec<u8>, fate: Fate },
    /// At the process: the outcome of a dial.
    Dialed { line: Line, generation: u64, open: bool },
    /// At the process: a text.
    Frame { line: Line, generation: u64, text: Vec<u8> },
    /// At the process: the end of a connection.
    Ended { line: Line, generation: u64 },
    /// At the process: an answer, or that there will be none.
    Answer { asker: Asker, bytes: Option<Vec<u8>> },
}

impl Arrival {
    /// Whether it arrives at the process, rather than at the exchange.
    pub(super) const fn is_for_process(&self) -> bool {
        matches!(self, Arrival::Dialed { .. } | Arrival::Frame { .. } | Arrival::Ended { .. } | Arrival::Answer { .. })
    }
}

/// What becomes of a request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing special.
    Served,
    /// It is acted upon, and the connection breaks before the answer.
    AnswerLost,
    /// It is acted upon, and the answer takes so long.
    AnswerLate(u64),
    /// It is acted upon, and answered with this status instead.
    AnsweredAs(u16),
    /// It is not acted upon, and answered with this status.
    TurnedAway(u16),
}

/// What is wrong with the network for a while, as faults have it.
#[derive(Clone, Debug, Default)]
pub(super) struct Troubles {
    /// So many requests of the order connections never arrive, and nothing is said.
    pub(super) lose_requests: u32,
    /// So many are acted upon, and their connections break before the answer.
    pub(super) lose_answers: u32,
    /// Until then requests and answers take two seconds each way.
    pub(super) slow_until: u64,
    /// Until then a server in front answers with status 500, having passed on half of the requests.
    pub(super) errors_until: u64,
    /// Until then a server in front turns every request away with status 429.
    pub(super) limited_until: u64,
    /// Until then books are read from a cache that was filled before.
    pub(super) stale_until: u64,
}

/// A socket of the exchange and the line that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plug {
    pub(super) line: Line,
    pub(super) generation: u64,
    pub(super) socket: SocketId,
}

/// Everything that is on its way.
pub(super) struct Wire {
    rng: ChaCha8Rng,
    queue: BTreeMap<(u64, u64), Arrival>,
    sent: u64,
    /// The last arrival of each line in each direction: what is sent on one connection arrives in order.
    last: BTreeMap<(Line, bool), u64>,
    pub(super) plugs: Vec<Plug>,
    pub(super) tickets: BTreeMap<Ticket, (Asker, Fate)>,
    pub(super) troubles: Troubles,
    cached_books: BTreeMap<Vec<u8>, Vec<u8>>,
    asked_books: BTreeMap<Asker, Vec<u8>>,
}

impl Wire {
    pub(super) fn new(seed: u64) -> Wire {
        Wire {
            rng: ChaCha8Rng::seed_from_u64(seed ^ 0x5157_4952_4544),
            queue: BTreeMap::new(),
            sent: 0,
            last: BTreeMap::new(),
            plugs: Vec::new(),
            tickets: BTreeMap::new(),
            troubles: Troubles::default(),
            cached_books: BTreeMap::new(),
            asked_books: BTreeMap::new(),
        }
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next thing that has arrived by now. What arrives at a process that stands still waits until `process_at`.
    pub(super) fn due(&mut self, now: u64, process_at: u64) -> Option<Arrival> {
        loop {
            let ((at, number), arrival) = self.queue.pop_first()?;
            if at > now {
                self.queue.insert((at, number), arrival);
                return None;
            }
            if process_at > now && arrival.is_for_process() {
                self.queue.insert((process_at, number), arrival);
                continue;
            }
            return Some(arrival);
        }
    }

    /// Whether nothing that changes anything is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.tickets.is_empty()
            && self.queue.values().all(|arrival| match arrival {
                Arrival::Frame { line, text, .. } => *line != Line::User || text == b"PONG",
                Arrival::Text { .. } => true,
                _ => false,
            })
    }

    fn put(&mut self, at: u64, arrival: Arrival) {
        self.sent += 1;
        self.queue.insert((at, self.sent), arrival);
    }

    fn latency(&mut self, now: Time) -> u64 {
        let slow = if now.mono_ns < self.troubles.slow_until { 2 * Time::SECOND } else { 0 };
        slow + self.rng.random_range(LATENCY)
    }

    /// When something sent now arrives on a line, in order behind everything sent before.
    fn in_order(&mut self, line: Line, to_exchange: bool, now: Time) -> u64 {
        let at = now.mono_ns + self.rng.random_range(LATENCY);
        let last = self.last.entry((line, to_exchange)).or_default();
        *last = at.max(*last);
        *last
    }

    pub(super) fn dial(&mut self, line: Line, generation: u64, now: Time) {
        let at = now.mono_ns + self.rng.random_range(LATENCY);
        self.put(at, Arrival::Dial { line, generation });
    }

    pub(super) fn dialed(&mut self, line: Line, generation: u64, socket: Option<SocketId>, open: bool, now: Time) {
        if let Some(socket) = socket {
            self.plugs.push(Plug { line, generation, socket });
        }
        let at = self.in_order(line, false, now);
        self.put(at, Arrival::Dialed { line, generation, open });
    }

    pub(super) fn text(&mut self, line: Line, generation: u64, text: String, now: Time) {
        let at = self.in_order(line, true, now);
        if let Some(socket) = self.socket(line, generation) {
            self.put(at, Arrival::Text { socket, text });
        }
    }

    pub(super) fn hang_up(&mut self, line: Line, generation: u64, now: Time) {
        let at = self.in_order(line, true, now);
        if let Some(socket) = self.socket(line, generation) {
            self.put(at, Arrival::HangUp { socket });
        }
    }

    fn socket(&self, line: Line, generation: u64) -> Option<SocketId> {
        self.plugs.iter().find(|plug| plug.line == line && plug.generation == generation).map(|plug| plug.socket)
    }

    pub(super) fn frame(&mut self, plug: Plug, text: Vec<u8>, now: Time) {
        let at = self.in_order(plug.line, false, now);
        self.put(at, Arrival::Frame { line: plug.line, generation: plug.generation, text });
    }

    pub(super) fn ended(&mut self, plug: Plug, now: Time) {
        self.plugs.retain(|other| other.socket != plug.socket);
        let at = self.in_order(plug.line, false, now);
        self.put(at, Arrival::Ended { line: plug.line, generation: plug.generation });
    }

    /// A request sets out. Says what goes wrong with it, if something does.
    pub(super) fn request(&mut self, asker: Asker, bytes: Vec<u8>, now: Time) {
        let at = now.mono_ns + self.latency(now);
        let is_order = matches!(asker, Asker::Orders { .. });
        if is_order && self.troubles.lose_requests > 0 {
            self.troubles.lose_requests -= 1;
            return;
        }
        let mut fate = Fate::Served;
        if now.mono_ns < self.troubles.limited_until {
            fate = Fate::TurnedAway(429);
        } else if now.mono_ns < self.troubles.errors_until {
            fate = if self.rng.random_bool(0.5) { Fate::AnsweredAs(500) } else { Fate::TurnedAway(500) };
        } else if is_order && self.troubles.lose_answers > 0 {
            self.troubles.lose_answers -= 1;
            fate = Fate::AnswerLost;
        } else if now.mono_ns < self.troubles.slow_until {
            fate = Fate::AnswerLate(2 * Time::SECOND);
        }
        if let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n")
            && bytes.starts_with(b"GET /book?")
        {
            self.asked_books.insert(asker, bytes[..end].to_vec());
        }
        self.put(at, Arrival::Request { asker, bytes, fate });
    }

    /// A server in front answers by itself.
    pub(super) fn turned_away(&mut self, asker: Asker, status: u16, now: Time) {
        self.asked_books.remove(&asker);
        let at = now.mono_ns + self.latency(now);
        self.put(at, Arrival::Answer { asker, bytes: Some(plain(status)) });
    }

    /// The exchange has answered a request, or closed its connection.
    pub(super) fn answer(&mut self, asker: Asker, fate: Fate, bytes: Option<Vec<u8>>, now: Time) {
        let at = now.mono_ns + self.latency(now);
        let asked_book = self.asked_books.remove(&asker);
        let (at, bytes) = match fate {
            Fate::AnswerLost => (at, None),
            Fate::AnswerLate(by) => (at + by, bytes),
            Fate::AnsweredAs(status) => (at, Some(plain(status))),
            Fate::Served | Fate::TurnedAway(_) => (at, bytes),
        };
        let bytes = match (asked_book, bytes) {
            (Some(path), Some(fresh)) if now.mono_ns < self.troubles.stale_until => {
                Some(self.cached_books.get(&path).cloned().unwrap_or(fresh))
            }
            (Some(path), Some(fresh)) => {
                self.cached_books.insert(path, fresh.clone());
                Some(fresh)
            }
            (_, bytes) => bytes,
        };
        match (bytes, asker) {
            (None, Asker::Orders { line, generation }) => self.put(at, Arrival::Ended { line, generation }),
            (None, Asker::Read(_)) => self.put(at + SIDE_TIMEOUT_NS, Arrival::Answer { asker, bytes: None }),
            (bytes, _) => self.put(at, Arrival::Answer { asker, bytes }),
        }
    }

    /// The process is gone: everything to it is lost, its connections end, and what it has sent still arrives.
    pub(super) fn cut(&mut self, now: Time) {
        self.queue.retain(|_, arrival| !arrival.is_for_process() && !matches!(arrival, Arrival::Dial { .. }));
        for plug in std::mem::take(&mut self.plugs) {
            let at = self.in_order(plug.line, true, now);
            self.put(at, Arrival::HangUp { socket: plug.socket });
        }
        self.tickets.clear();
        self.asked_books.clear();
    }

    /// Nothing is wrong from now on.
    pub(super) fn heal(&mut self) {
        self.troubles = Troubles::default();
    }
}

fn plain(status: u16) -> Vec<u8> {
    let retry = if status == 429 { "retry-after: 1\r\n" } else { "" };
    let body = r#"{"error":"the server in front could not"}"#;
    format!("HTTP/1.1 {status} X\r\n{retry}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
