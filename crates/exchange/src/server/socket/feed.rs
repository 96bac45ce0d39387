//! What the world tells from outside of the venue: prices in Binance's form, and reports of matches.
//!
//! `/binance/stream` speaks as Binance's combined stream does: names of streams in the address or by `SUBSCRIBE`, answers with the
//! request's id, a ping every twenty seconds. `/truth` says every report of a match as one JSON object, from the first frame on.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use axum::extract::{RawQuery, State};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at};

use super::hub::{Inlet, SessionId};
use super::session::{Answered, Handshake, Leave, bounded};
use crate::scenario::Channel;
use crate::server::app::App;
use crate::server::reply::Reply;

/// Between two pings (feeds 1).
const PING_EVERY: Duration = Duration::from_secs(20);
/// The longest request.
const MOST_REQUEST_BYTES: usize = 64 * 1024;
/// Streams of one connection.
pub(super) const MOST_STREAMS: usize = 1_024;

/// A request on a combined stream.
#[derive(Debug, Deserialize)]
struct Request {
    method: String,
    #[serde(default)]
    params: Vec<String>,
    #[serde(default)]
    id: Value,
}

/// A text on a connection of the price feed.
pub(in crate::server) fn feed_text(app: &App, id: SessionId, text: &[u8]) -> Answered {
    let refused = |id: &Value| {
        let text = json!({"error": {"code": 2, "msg": "Invalid request"}, "id": id}).to_string();
        Answered::Text(Utf8Bytes::from(text))
    };
    if text.len() > MOST_REQUEST_BYTES {
        return Answered::Close;
    }
    let Ok(request) = serde_json::from_slice::<Request>(text) else { return refused(&Value::Null) };
    let subscribes = match request.method.as_str() {
        "SUBSCRIBE" => true,
        "UNSUBSCRIBE" => false,
        _ => return refused(&request.id),
    };
    app.with(|desk, _| desk.hub.follow(id, subscribes, &request.params));
    Answered::Text(Utf8Bytes::from(json!({"result": null, "id": request.id}).to_string()))
}

/// `/binance/stream`.
pub(in crate::server) async fn price_socket(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    upgrade: Handshake,
) -> Reply {
    let streams = query.as_deref().and_then(|query| query.strip_prefix("streams=")).map(str::to_owned);
    Ok(bounded(upgrade, &app, Channel::Feed)?.on_upgrade(move |socket| async move {
        let inlet = app.with(|desk, _| desk.hub.join_feed(false));
        let id = inlet.id;
        let _leave = Leave { app: Arc::clone(&app), id };
        if let Some(streams) = streams {
            let names: Vec<String> = streams.split('/').map(str::to_owned).collect();
            app.with(|desk, _| desk.hub.follow(id, true, &names));
        }
        run(socket, inlet, &app).await;
    }))
}

/// `/truth`.
pub(in crate::server) async fn truth_socket(State(app): State<Arc<App>>, upgrade: Handshake) -> Reply {
    Ok(bounded(upgrade, &app, Channel::Feed)?.on_upgrade(move |socket| async move {
        let inlet = app.with(|desk, _| desk.hub.join_feed(true));
        let _leave = Leave { app: Arc::clone(&app), id: inlet.id };
        run(socket, inlet, &app).await;
    }))
}

async fn run(mut socket: WebSocket, mut inlet: Inlet, app: &App) {
    let kicked = Arc::clone(&inlet.kicked);
    let serving = async {
        let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        loop {
            let message = tokio::select! {
                frame = inlet.frames.recv() => match frame {
                    Some(frame) => Message::Text(frame),
                    None => return,
                },
                _ = pings.tick() => Message::Ping(axum::body::Bytes::new()),
                said = socket.recv() => match said {
                    Some(Ok(Message::Text(text))) => match feed_text(app, inlet.id, text.as_bytes()) {
                        Answered::Text(text) => Message::Text(text),
                        Answered::Nothing => continue,
                        Answered::Close => return,
                    },
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                },
            };
            if socket.send(message).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = serving => {}
        () = kicked.notified() => {}
    }
}
