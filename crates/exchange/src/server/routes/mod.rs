//! Every path of the server.

mod account;
mod auth;
mod control;
mod data;
mod gamma;
mod markets;
mod orders;
mod prices;
mod rewards;
mod service;
mod time;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;

use super::app::App;
use super::extract::MOST_BODY_BYTES;
use super::reply::Fault;
use super::socket;

/// The whole surface.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(service::routes())
        .merge(auth::routes())
        .merge(markets::routes())
        .merge(prices::routes())
        .merge(orders::routes())
        .merge(account::routes())
        .merge(rewards::routes())
        .nest("/gamma", gamma::routes())
        .nest("/data-api", data::routes())
        .nest("/control", control::routes())
        .route("/ws/market", axum::routing::get(socket::market_socket))
        .route("/ws/user", axum::routing::get(socket::user_socket))
        .route("/binance/stream", axum::routing::get(socket::price_socket))
        .route("/truth", axum::routing::get(socket::truth_socket))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .with_state(app)
}

async fn no_such_path() -> Fault {
    Fault::missing("Not Found")
}

async fn no_such_method() -> Fault {
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}
