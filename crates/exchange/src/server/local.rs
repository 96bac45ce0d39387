//! The server without sockets, under a time that its owner sets: the same router, handlers and hub, fed with the same bytes.
//!
//! [`crate::server::Server`] reads requests from sockets and lets time pass by itself; a [`Local`] gets both from its owner, so that
//! a simulation decides when which byte arrives. It reads no clock, and the same calls lead to the same bytes.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use futures_util::FutureExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::runtime::Runtime;

use super::app::{App, Clock, Desk};
use super::faults::Faults;
use super::settings::Settings;
use super::socket::{Answered, Inlet, Login, feed_text, login, market_text, user_text};
use super::{listener, routes};
use crate::core::{Core, Nanos};
use crate::scenario::{Channel, Fault, Scenario};

/// The number of a connection to one of the two channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(u64);

/// The number of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What a connection says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A text frame.
    Text(Vec<u8>),
    /// It is closed; nothing follows.
    Closed,
}

enum Socket {
    Market(Inlet),
    /// Not authenticated yet.
    Stranger,
    User(Inlet),
    Feed(Inlet),
}

struct Line {
    socket: Socket,
    answers: VecDeque<Said>,
    open: bool,
}

type Answer = Pin<Box<dyn Future<Output = Vec<u8>>>>;

/// See the [module](self).
pub struct Local {
    app: Arc<App>,
    faults: Arc<Faults>,
    now: Arc<AtomicU64>,
    router: TowerToHyperService<Router>,
    // Handlers bound their waits for a body by a timer of the runtime, which never fires: bodies are there at once.
    runtime: Runtime,
    lines: BTreeMap<SocketId, Line>,
    waiting: BTreeMap<Ticket, Answer>,
    answered: VecDeque<(Ticket, Option<Vec<u8>>)>,
    last: u64,
}

impl Local {
    /// Opens a scenario at a time.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn open(scenario: &Scenario, seed: u64, settings: Settings, now_ns: Nanos) -> std::io::Result<Local> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let faults = Arc::new(Faults::default());
        let now = Arc::new(AtomicU64::new(now_ns));
        let desk = Desk::new(scenario.open(Some(seed), now_ns), settings);
        let app = Arc::new(App::new(desk, Arc::clone(&faults), Clock::Set(Arc::clone(&now))));
        let router = TowerToHyperService::new(routes::router(Arc::clone(&app)));
        let (lines, waiting, answered) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Ok(Local { app, faults, now, router, runtime, lines, waiting, answered, last: 0 })
    }

    /// Lets everything happen until a time, which must not lie before the last one.
    pub fn set_time(&mut self, now_ns: Nanos) {
        self.now.store(now_ns, Ordering::Relaxed);
        self.app.with(|desk, now| desk.pass_time(now, &self.faults));
        self.poll_waiting();
    }

    /// When something happens next by itself.
    #[must_use]
    pub fn next_event(&self) -> Option<Nanos> {
        self.app.with(|desk, _| desk.next_deadline())
    }

    /// Strikes with a fault, now.
    pub fn strike(&mut self, fault: Fault) {
        self.app.with(|desk, now| {
            desk.session.script.strike(fault, now);
            desk.pass_time(now, &self.faults);
        });
    }

    /// Ends the faults of sockets.
    pub fn thaw(&mut self) {
        self.faults.end();
    }

    /// Looks at the exchange itself, or does something to it that no request can.
    pub fn with_core<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        self.app.with(|desk, _| act(&mut desk.session.core))
    }

    /// Takes the bytes of one whole HTTP request. Its answer comes from [`Local::poll_answer`], at once or later.
    pub fn request(&mut self, bytes: &[u8]) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        let Some(request) = parse(bytes) else {
            self.answered.push_back((ticket, Some(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec())));
            return ticket;
        };
        let changes_orders = listener::is_order_path(request.method(), request.uri().path());
        let (router, faults) = (self.router.clone(), Arc::clone(&self.faults));
        let error = faults.error_for(changes_orders);
        let answer = async move {
            if let Some(error) = error.filter(|error| !error.acted) {
                return written(listener::refused(error)).await;
            }
            let Ok(response) = router.call(request).await;
            let response = error.map_or(response, listener::refused);
            if changes_orders && faults.takes_answer() { Vec::new() } else { written(response).await }
        };
        self.waiting.insert(ticket, Box::pin(answer));
        self.poll_waiting();
        ticket
    }

    /// The next answer: the bytes of a whole HTTP response, or `None` when the answer is lost and its connection closes.
    pub fn poll_answer(&mut self) -> Option<(Ticket, Option<Vec<u8>>)> {
        self.answered.pop_front()
    }

    fn poll_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let _timers = self.runtime.enter();
        let mut context = Context::from_waker(Waker::noop());
        let answered = &mut self.answered;
        self.waiting.retain(|ticket, answer| match answer.as_mut().poll(&mut context) {
            Poll::Ready(bytes) => {
                answered.push_back((*ticket, Some(bytes).filter(|bytes| !bytes.is_empty())));
                false
            }
            Poll::Pending => true,
        });
    }

    /// Whether new connections are closed at once.
    #[must_use]
    pub fn refuses_connections(&self) -> bool {
        self.faults.refuses_connections()
    }

    /// Opens a connection to a channel; `None` while connections are refused.
    pub fn connect(&mut self, channel: Channel) -> Option<SocketId> {
        if self.faults.refuses_connections() {
            return None;
        }
        let socket = match channel {
            Channel::Market => Socket::Market(self.app.with(|desk, _| desk.hub.join_market())),
            Channel::User => Socket::Stranger,
            Channel::Feed => Socket::Feed(self.app.with(|desk, _| desk.hub.join_feed(false))),
        };
        self.last += 1;
        let id = SocketId(self.last);
        self.lines.insert(id, Line { socket, answers: VecDeque::new(), open: true });
        Some(id)
    }

    /// A text frame of the client.
    pub fn text(&mut self, id: SocketId, text: &[u8]) {
        let Some(line) = self.lines.get_mut(&id).filter(|line| line.open) else { return };
        let answered = match &line.socket {
            Socket::Market(inlet) => market_text(&self.app, inlet.id, text),
            Socket::User(inlet) => user_text(&self.app, inlet.id, text),
            Socket::Feed(inlet) => feed_text(&self.app, inlet.id, text),
            Socket::Stranger => match login(&self.app, text) {
                Login::Pong(pong) => Answered::Text(pong),
                Login::In(user, markets) => {
                    line.socket = Socket::User(self.app.with(|desk, _| desk.hub.join_user(user, markets)));
                    Answered::Nothing
                }
                Login::Out => Answered::Close,
            },
        };
        match answered {
            Answered::Nothing => {}
            Answered::Text(text) => line.answers.push_back(Said::Text(text.as_bytes().to_vec())),
            Answered::Close => self.end(id),
        }
    }

    /// What a connection says next.
    pub fn poll_said(&mut self, id: SocketId) -> Option<Said> {
        let line = self.lines.get_mut(&id)?;
        if let Some(said) = line.answers.pop_front() {
            if said == Said::Closed {
                self.lines.remove(&id);
            }
            return Some(said);
        }
        let (Socket::Market(inlet) | Socket::User(inlet) | Socket::Feed(inlet)) = &mut line.socket else { return None };
        if let Ok(frame) = inlet.frames.try_recv() {
            return Some(Said::Text(frame.as_bytes().to_vec()));
        }
        if Arc::clone(&inlet.kicked).notified().now_or_never().is_some() {
            self.end(id);
            return self.poll_said(id);
        }
        None
    }

    /// A connection that hears reports of matches; `None` while connections are refused.
    pub fn connect_truth(&mut self) -> Option<SocketId> {
        let id = self.connect(Channel::Feed)?;
        let line = self.lines.get_mut(&id)?;
        if let Socket::Feed(prices) = &line.socket {
            let session = prices.id;
            line.socket = Socket::Feed(self.app.with(|desk, _| {
                desk.hub.leave(session);
                desk.hub.join_feed(true)
            }));
        }
        Some(id)
    }

    /// The client is gone.
    pub fn hang_up(&mut self, id: SocketId) {
        self.end(id);
        self.lines.remove(&id);
    }

    fn end(&mut self, id: SocketId) {
        let Some(line) = self.lines.get_mut(&id).filter(|line| line.open) else { return };
        line.open = false;
        line.answers.push_back(Said::Closed);
        if let Socket::Market(inlet) | Socket::User(inlet) | Socket::Feed(inlet) = &line.socket {
            let session = inlet.id;
            self.app.with(|desk, _| desk.hub.leave(session));
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Request<Body>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else { return None };
    let mut request = Request::builder().method(head.method?).uri(head.path?);
    for header in head.headers.iter() {
        request = request.header(header.name, header.value);
    }
    request.body(Body::from(bytes.get(length..)?.to_vec())).ok()
}

async fn written(response: Response<Body>) -> Vec<u8> {
    let (head, body) = response.into_parts();
    // A body of this server is in memory.
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let reason = head.status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16()).into_bytes();
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != axum::http::header::CONTENT_LENGTH) {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Nanos = 1_800_000_000_000_000_000;

    fn local() -> Local {
        Local::open(&Scenario::default(), 3, Settings::default(), START).expect("a runtime")
    }

    #[test]
    fn requests_are_answered_in_bytes() {
        let mut local = local();
        let ticket = local.request(b"GET /time HTTP/1.1\r\nhost: x\r\n\r\n");
        let (answered, bytes) = local.poll_answer().expect("an answer");
        let text = String::from_utf8(bytes.expect("not lost")).expect("text");
        assert_eq!(answered, ticket);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("1800000000"), "{text}");
        local.request(b"nonsense");
        assert!(local.poll_answer().is_some_and(|(_, bytes)| bytes.is_some_and(|b| b.starts_with(b"HTTP/1.1 400"))));
    }

    #[test]
    fn a_connection_hears_frames_as_time_passes_and_ends_when_it_is_kicked() {
        let mut local = local();
        let socket = local.connect(Channel::Market).expect("a connection");
        local.text(socket, b"PING");
        assert_eq!(local.poll_said(socket), Some(Said::Text(b"PONG".to_vec())));
        let token = local.with_core(|core| core.markets()[0].tokens[0].to_string());
        local.text(socket, format!(r#"{{"type":"market","assets_ids":["{token}"]}}"#).as_bytes());
        let Some(Said::Text(snapshot)) = local.poll_said(socket) else { panic!("a snapshot") };
        assert!(String::from_utf8_lossy(&snapshot).contains(&token));
        local.set_time(START + 20_000_000_000);
        assert!(matches!(local.poll_said(socket), Some(Said::Text(_))));
        local.strike(Fault::Disconnect { channel: Channel::Market });
        let last = std::iter::from_fn(|| local.poll_said(socket)).last();
        assert_eq!(last, Some(Said::Closed));
        local.strike(Fault::RefuseConnections { for_ms: 1_000 });
        assert!(local.connect(Channel::Market).is_none());
        local.set_time(START + 22_000_000_000);
        assert!(local.connect(Channel::User).is_some());
    }

    #[test]
    fn prices_are_told_in_binances_form_and_stop_when_the_feed_is_frozen() {
        let mut local = local();
        let feed = local.connect(Channel::Feed).expect("a connection");
        local.text(feed, br#"{"method":"SUBSCRIBE","params":["btcusdt@bookTicker"],"id":7}"#);
        assert_eq!(local.poll_said(feed), Some(Said::Text(br#"{"id":7,"result":null}"#.to_vec())));
        let heard = |local: &mut Local, ms: u64| {
            let now = local.now.load(Ordering::Relaxed);
            (1..=ms / 100).for_each(|n| local.set_time(now + n * 100_000_000));
            let said: Vec<Said> = std::iter::from_fn(|| local.poll_said(feed)).collect();
            said.into_iter()
                .map(|said| match said {
                    Said::Text(text) => String::from_utf8(text).expect("text"),
                    Said::Closed => panic!("closed"),
                })
                .collect::<Vec<_>>()
        };
        let told = heard(&mut local, 1_000);
        assert_eq!(told.len(), 10, "{told:?}");
        let first = r#"{"stream":"btcusdt@bookTicker","data":{"u":"#;
        assert!(told.iter().all(|text| text.starts_with(first)), "{told:?}");
        local.strike(Fault::FreezeChannel { channel: Channel::Feed, for_ms: 1_000 });
        assert_eq!(heard(&mut local, 900), [""; 0]);
        assert_eq!(heard(&mut local, 600).len(), 6, "it thaws");
        local.text(feed, b"nonsense");
        assert!(matches!(local.poll_said(feed), Some(Said::Text(text)) if text.starts_with(b"{\"error\"")));
    }
}
