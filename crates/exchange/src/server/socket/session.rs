//! One connection of either channel: its requests, and the writing of what the hub has for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use futures_util::SinkExt as _;
use oddsmith_domain::{ConditionId, MarketId, Outcome, TokenId};
use oddsmith_polymarket::wire::Text;
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::hub::{Inlet, SessionId};
use crate::core::UserId;
use crate::scenario::Channel;
use crate::server::app::App;
use crate::server::dead_letter;
use crate::server::reply::{Fault, Reply};

/// The largest request frame: a subscription to a few thousand tokens fits.
const MOST_FRAME_BYTES: usize = 1024 * 1024;
/// Without a frame from the client for so long, the connection is dropped (protocol 8.1 observed 10 to 60 s).
const IDLE: Duration = Duration::from_secs(60);
/// How long a user connection may take to authenticate.
const AUTH_TIMEOUT: Duration = Duration::from_secs(15);
/// Frames written before the socket is flushed: under load many share one write.
const BURST: usize = 256;
/// What the venue answers to a frame that it does not understand.
const INVALID: Utf8Bytes = Utf8Bytes::from_static("INVALID OPERATION");
const PONG: Utf8Bytes = Utf8Bytes::from_static("PONG");

/// A request frame of either channel. Fields that we do not know are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    operation: Option<String>,
    #[serde(alias = "asset_ids")]
    assets_ids: Option<Vec<Text>>,
    markets: Option<Vec<String>>,
    initial_dump: Option<bool>,
    custom_feature_enabled: Option<bool>,
    auth: Option<Credentials>,
}

#[derive(Debug, Deserialize)]
struct Credentials {
    #[serde(rename = "apiKey")]
    api_key: String,
    secret: String,
    passphrase: String,
}

/// What a text frame of a client is.
enum Asked {
    Ping,
    Request(Box<Request>),
    Nonsense,
}

/// What a text of a client is answered with.
pub(in crate::server) enum Answered {
    /// Nothing.
    Nothing,
    /// This text.
    Text(Utf8Bytes),
    /// The end of the connection.
    Close,
}

/// Follows a text of a connection that stands.
fn answer(app: &App, text: &[u8], handle: &mut impl FnMut(&App, Request) -> Result<(), Refused>) -> Answered {
    match understand(text) {
        Asked::Ping => Answered::Text(PONG),
        Asked::Nonsense => Answered::Text(INVALID),
        Asked::Request(request) => match handle(app, *request) {
            Ok(()) => Answered::Nothing,
            Err(Refused::Invalid) => Answered::Text(INVALID),
            Err(Refused::Close) => Answered::Close,
        },
    }
}

/// A text on a connection of the market channel.
pub(in crate::server) fn market_text(app: &App, id: SessionId, text: &[u8]) -> Answered {
    answer(app, text, &mut |app, request| market_request(app, id, request))
}

/// A text on an authenticated connection of the user channel.
pub(in crate::server) fn user_text(app: &App, id: SessionId, text: &[u8]) -> Answered {
    answer(app, text, &mut |app, request| user_request(app, id, request))
}

/// What the first texts of a user connection lead to.
pub(in crate::server) enum Login {
    /// A PING came first.
    Pong(Utf8Bytes),
    /// The user, and the markets that it asks for.
    In(UserId, Option<BTreeSet<ConditionId>>),
    /// Bad credentials, or none.
    Out,
}

/// A text on a user connection that is not authenticated yet.
pub(in crate::server) fn login(app: &App, text: &[u8]) -> Login {
    let request = match understand(text) {
        Asked::Ping => return Login::Pong(PONG),
        Asked::Request(request) => request,
        Asked::Nonsense => return Login::Out,
    };
    let user = app.with(|desk, _| check(&desk.session.core, request.auth.as_ref()?));
    let markets = request.markets.filter(|markets| !markets.is_empty());
    user.map_or(Login::Out, |user| Login::In(user, markets.map(|markets| conditions(&markets).into_iter().collect())))
}

/// `/ws/market`.
pub(in crate::server) async fn market_socket(State(app): State<Arc<App>>, upgrade: Handshake) -> Reply {
    Ok(bounded(upgrade, &app, Channel::Market)?.on_upgrade(move |socket| async move {
        let inlet = app.with(|desk, _| desk.hub.join_market());
        let id = inlet.id;
        let _leave = Leave { app: Arc::clone(&app), id };
        run(socket, inlet, &app, |app, request| market_request(app, id, request)).await;
    }))
}

/// `/ws/user`.
pub(in crate::server) async fn user_socket(State(app): State<Arc<App>>, upgrade: Handshake) -> Reply {
    Ok(bounded(upgrade, &app, Channel::User)?.on_upgrade(move |mut socket| async move {
        // Bad credentials and no credentials end the same way: the connection closes without an explanation.
        let Ok(Some((user, markets))) = timeout(AUTH_TIMEOUT, authenticate(&mut socket, &app)).await else {
            let _best_effort = timeout(Duration::from_secs(1), socket.send(Message::Close(None))).await;
            return;
        };
        let inlet = app.with(|desk, _| desk.hub.join_user(user, markets));
        let id = inlet.id;
        let _leave = Leave { app: Arc::clone(&app), id };
        run(socket, inlet, &app, |app, request| user_request(app, id, request)).await;
    }))
}

/// A handshake, or why it is none.
pub(super) type Handshake = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

pub(super) fn bounded(upgrade: Handshake, app: &App, channel: Channel) -> Result<WebSocketUpgrade, Fault> {
    if app.faults.refuses_channel(channel) {
        return Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, "the channel is refused"));
    }
    let upgrade = upgrade.map_err(|rejection| Fault::new(rejection.status(), rejection.body_text()))?;
    Ok(upgrade.max_message_size(MOST_FRAME_BYTES).max_frame_size(MOST_FRAME_BYTES))
}

/// Takes the connection out of the hub, however it ends.
pub(super) struct Leave {
    pub(super) app: Arc<App>,
    pub(super) id: SessionId,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.app.with(|desk, _| desk.hub.leave(self.id));
    }
}

/// Serves a connection until it ends, is kicked, or falls silent.
async fn run(
    mut socket: WebSocket,
    mut inlet: Inlet,
    app: &Arc<App>,
    mut handle: impl FnMut(&App, Request) -> Result<(), Refused>,
) {
    let kicked = Arc::clone(&inlet.kicked);
    let serving = async {
        let mut burst = Vec::with_capacity(BURST);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                count = inlet.frames.recv_many(&mut burst, BURST) => {
                    if count == 0 || write(&mut socket, &mut burst).await.is_err() {
                        return;
                    }
                }
                message = socket.recv() => {
                    heard = Instant::now();
                    let Some(Ok(message)) = message else { return };
                    let reply = match message {
                        Message::Text(text) => match answer(app, text.as_bytes(), &mut handle) {
                            Answered::Text(text) => Some(text),
                            Answered::Nothing => None,
                            Answered::Close => return,
                        },
                        Message::Binary(_) => Some(INVALID),
                        Message::Ping(_) | Message::Pong(_) => None,
                        Message::Close(_) => return,
                    };
                    if let Some(reply) = reply
                        && socket.send(Message::Text(reply)).await.is_err()
                    {
                        return;
                    }
                }
                () = tokio::time::sleep_until(heard + IDLE) => return,
            }
        }
    };
    tokio::select! {
        () = serving => {}
        // Dropping the socket closes the connection at once: whoever is kicked may not even be reading.
        () = kicked.notified() => {}
    }
}

async fn write(socket: &mut WebSocket, burst: &mut Vec<Utf8Bytes>) -> Result<(), axum::Error> {
    for frame in burst.drain(..) {
        socket.feed(Message::Text(frame)).await?;
    }
    socket.flush().await
}

fn understand(text: &[u8]) -> Asked {
    if text.trim_ascii() == b"PING" {
        return Asked::Ping;
    }
    match serde_json::from_slice(text) {
        Ok(request) => Asked::Request(Box::new(request)),
        Err(why) => {
            dead_letter::keep("socket", text, &why);
            Asked::Nonsense
        }
    }
}

/// Why a request frame is not followed.
enum Refused {
    Invalid,
    Close,
}

/// `subscribe` (also when no operation is named) or `unsubscribe`.
fn is_subscription(request: &Request) -> Result<bool, Refused> {
    match request.operation.as_deref() {
        None | Some("" | "subscribe") => Ok(true),
        Some("unsubscribe") => Ok(false),
        Some(_) => Err(Refused::Invalid),
    }
}

fn market_request(app: &App, id: SessionId, request: Request) -> Result<(), Refused> {
    let subscribes = is_subscription(&request)?;
    let Some(texts) = request.assets_ids else {
        return Err(Refused::Invalid);
    };
    app.with(|desk, _| {
        // Tokens that nobody has listed are passed over, as on the venue: there is no acknowledgement.
        let assets: Vec<(MarketId, Outcome)> = texts
            .iter()
            .filter_map(|text| TokenId::parse(text.as_str()).ok())
            .filter_map(|token| desk.session.core.asset(&token))
            .map(|asset| (asset.market(), asset.outcome()))
            .collect();
        if !subscribes {
            desk.hub.unsubscribe(id, &assets);
            return;
        }
        let added = desk.hub.subscribe(id, &assets, request.custom_feature_enabled);
        if request.initial_dump == Some(false) || app.faults.is_frozen(Channel::Market) {
            return;
        }
        let mut dump = String::from("[");
        for (market, outcome) in added {
            let Some(market) = desk.session.core.market(market) else { continue };
            if app.faults.takes_snapshot() {
                continue;
            }
            if dump.len() > 1 {
                dump.push(',');
            }
            market.snapshot(outcome).write_json(Some("book"), &mut dump);
        }
        if dump.len() > 1 {
            dump.push(']');
            desk.hub.send(id, dump);
        }
    });
    Ok(())
}

fn user_request(app: &App, id: SessionId, request: Request) -> Result<(), Refused> {
    let subscribes = is_subscription(&request)?;
    if let Some(auth) = &request.auth
        && app.with(|desk, _| check(&desk.session.core, auth)).is_none()
    {
        return Err(Refused::Close);
    }
    let markets = conditions(request.markets.as_deref().unwrap_or_default());
    app.with(|desk, _| desk.hub.filter_user(id, subscribes, &markets));
    Ok(())
}

/// Reads frames until one carries credentials; the user and the markets that it asks for.
async fn authenticate(socket: &mut WebSocket, app: &App) -> Option<(UserId, Option<BTreeSet<ConditionId>>)> {
    loop {
        let text = match socket.recv().await?.ok()? {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Binary(_) | Message::Close(_) => return None,
        };
        match login(app, text.as_bytes()) {
            Login::Pong(pong) => socket.send(Message::Text(pong)).await.ok()?,
            Login::In(user, markets) => return Some((user, markets)),
            Login::Out => return None,
        }
    }
}

fn conditions(texts: &[String]) -> Vec<ConditionId> {
    texts.iter().filter_map(|text| ConditionId::parse(&text.to_ascii_lowercase()).ok()).collect()
}

fn check(core: &crate::core::Core, auth: &Credentials) -> Option<UserId> {
    let key = core.key(core.find_key(&auth.api_key)?)?;
    let same_secret = crate::server::auth::is_secret(&key.secret, &auth.secret);
    (same_secret && key.passphrase == auth.passphrase).then_some(key.user)
}
