//! Rewards, rebates and builders (protocol section 6.7). The local exchange runs none of these programs, so that every
//! list is empty and every rate zero; the paths exist because clients ask.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json as value};

use crate::server::app::App;
use crate::server::auth::Signed;
use crate::server::cursor;
use crate::server::extract::{Params, Segment};
use crate::server::reply::{Fault, Reply, json};

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/rewards/user", get(private_page))
        .route("/rewards/user/markets", get(private_page))
        .route("/rewards/user/total", get(private_list))
        .route("/rewards/user/percentages", get(percentages))
        .route("/rewards/markets/current", get(page))
        .route("/rewards/markets/multi", get(page))
        .route("/rewards/markets/{condition}", get(page))
        .route("/rebates/current", get(list))
        .route("/fees/builder-fees/{code}", get(builder_fees))
        .route("/builder/trades", get(page))
}

fn empty_page(app: &App, params: &Params) -> Reply {
    let limit = app.with(|desk, _| desk.settings.page);
    let page = cursor::page(params.get("next_cursor"), 0, limit).map_err(|_| Fault::bad("invalid next_cursor"))?;
    let none: [Value; 0] = [];
    Ok(json(&value!({ "limit": limit, "count": 0, "next_cursor": page.next, "data": none })))
}

async fn page(State(app): State<Arc<App>>, params: Params) -> Reply {
    empty_page(&app, &params)
}

async fn private_page(State(app): State<Arc<App>>, params: Params, _: Signed) -> Reply {
    empty_page(&app, &params)
}

async fn list() -> Response {
    json(&Vec::<Value>::new())
}

async fn private_list(_: Signed) -> Response {
    json(&Vec::<Value>::new())
}

async fn percentages(_: Signed) -> Response {
    json(&value!({}))
}

async fn builder_fees(Segment(_code): Segment) -> Response {
    json(&value!({ "builder_maker_fee_rate_bps": 0, "builder_taker_fee_rate_bps": 0 }))
}
