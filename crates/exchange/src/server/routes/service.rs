//! Whether it lives, what time it is, which version it speaks (protocol section 6.1).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use oddsmith_polymarket::wire::{Number, Version};

use crate::server::app::App;
use crate::server::reply::json;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(ok))
        .route("/ok", get(ok))
        .route("/time", get(time))
        .route("/version", get(version))
        .route("/api/geoblock", get(geoblock))
}

async fn ok() -> Response {
    json(&"OK")
}

async fn time(State(app): State<Arc<App>>) -> Response {
    json(&(app.faults.skewed(app.now_ns()) / 1_000_000_000))
}

async fn version() -> Response {
    json(&Version { version: Number::of(2) })
}

/// On the venue this is on the website's host; here everybody is on the same machine and nobody is blocked.
async fn geoblock() -> Response {
    json(&serde_json::json!({ "blocked": false, "ip": "127.0.0.1", "country": "", "region": "" }))
}
