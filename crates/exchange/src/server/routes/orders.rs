//! Placing and cancelling (protocol section 6.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, post};
use oddsmith_domain::{AssetId, ConditionId, MarketId, OrderId, TokenId, Usdc};
use oddsmith_polymarket::order::OrderSignature;
use oddsmith_polymarket::wire::{CancelMarket, CancelReply, ErrorBody, Number, PostOrder, PostOrderReply, Text};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::core::{self, PlaceRequest, Placed, PlacedStatus, RateReply, RateUse, Refusal};
use crate::server::app::{App, DelayResult, Desk};
use crate::server::auth::Signed;
use crate::server::dead_letter;
use crate::server::extract::decode;
use crate::server::reply::{Fault, Reply, json, set_header};
use crate::server::signature;

/// Orders of one `POST /orders`.
const MOST_ORDERS: usize = 15;
const BAD_PAYLOAD: &str = "Invalid order payload";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/order", post(place_one).delete(cancel_one))
        .route("/orders", post(place_many).delete(cancel_many))
        .route("/cancel-all", delete(cancel_all))
        .route("/cancel-market-orders", delete(cancel_market))
}

/// Why an order was not taken.
enum Refused {
    /// Before the exchange saw it.
    Early(&'static str),
    /// By the exchange.
    Core(Refusal),
}

impl Refused {
    fn text(&self) -> String {
        match self {
            Refused::Early(text) => (*text).to_owned(),
            Refused::Core(refusal) => refusal.text(),
        }
    }

    /// As the answer to a request of its own.
    fn fault(&self) -> Fault {
        match self {
            Refused::Early(text) => Fault::bad(text),
            Refused::Core(refusal) => refusal_fault(refusal),
        }
    }

    /// Whether the whole exchange refuses, so that a batch is refused as a whole.
    fn is_general(&self) -> bool {
        matches!(self, Refused::Core(refusal) if matches!(refusal.status(), 425 | 503))
    }
}

/// A refusal of the exchange as an answer.
fn refusal_fault(refusal: &Refusal) -> Fault {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let body = ErrorBody {
        error: refusal.text(),
        code: refusal.code().map(str::to_owned),
        // The header goes out with every refusal that passes; the field only with the one that has a code.
        retry_after_seconds: refusal.code().and(refusal.retry_after_s()).map(Number::of),
    };
    let fault = Fault::shaped(status, &body);
    match refusal.retry_after_s() {
        Some(seconds) => fault.retry_after(seconds),
        None => fault,
    }
}

/// An order that was taken, or is still being decided.
enum Taken {
    Now(Placed),
    Later(oneshot::Receiver<DelayResult>),
}

/// Checks one order in the order of protocol 13.3 and places it.
fn take(desk: &mut Desk, signed: &Signed, order: &PostOrder, now_ns: u64) -> Result<Taken, Refused> {
    let owner_is_key = desk.session.core.key(signed.key).is_some_and(|key| key.id.eq_ignore_ascii_case(&order.owner));
    if !owner_is_key {
        return Err(Refused::Early("the order owner has to be the owner of the API KEY"));
    }
    let fields = order.order.fields();
    desk.session.core.check_identity(signed.key, &fields).map_err(Refused::Core)?;
    let asset = desk.session.core.asset(&fields.token).ok_or(Refused::Core(Refusal::UnknownToken(fields.token)))?;
    let kind = desk.session.core.market(asset.market()).map(|market| market.spec.kind);
    let kind = kind.ok_or(Refused::Core(Refusal::UnknownToken(fields.token)))?;
    let parsed = OrderSignature::parse(&order.order.signature).map_err(|_| Refused::Early("invalid signature"))?;
    match signature::signed_by(kind, &fields, &parsed) {
        Ok(by) if by == signed.address => {}
        _ if signature::is_for_another_contract(kind, &fields, &parsed) => {
            return Err(Refused::Early("order_version_mismatch"));
        }
        _ => return Err(Refused::Early("invalid signature")),
    }
    let request = PlaceRequest {
        id: signature::order_id(kind, &fields),
        fields,
        order_type: order.order_type,
        post_only: order.post_only.unwrap_or(false),
        expiration_s: order.order.expiration,
    };
    let placed = desk.session.core.place(signed.key, &request, now_ns).map_err(Refused::Core)?;
    if placed.status == PlacedStatus::Delayed && desk.session.core.answers_wait() {
        return Ok(Taken::Later(desk.await_delay(placed.id)));
    }
    Ok(Taken::Now(placed))
}

/// Waits for an order that is still being decided.
async fn settle(taken: Result<Taken, Refused>) -> Result<Placed, Refused> {
    match taken? {
        Taken::Now(placed) => Ok(placed),
        Taken::Later(result) => {
            let lost = || Refused::Early("order match delayed due to market conditions");
            result.await.map_err(|_| lost())?.map_err(Refused::Core)
        }
    }
}

/// The reply to an accepted order.
fn accepted(placed: &Placed) -> PostOrderReply {
    // Dollars and shares are both millionths, and print alike.
    let amount = |micro: u64| {
        let value = Usdc::from_micros(i64::try_from(micro).unwrap_or(i64::MAX));
        if micro == 0 { Text::default() } else { Text::of(value) }
    };
    PostOrderReply {
        success: true,
        error_msg: String::new(),
        order_id: placed.id.to_string(),
        status: placed.status.as_str().to_owned(),
        making_amount: amount(placed.making_micro),
        taking_amount: amount(placed.taking_micro),
        trade_ids: placed.trades.iter().map(|trade| trade.as_str().to_owned()).collect(),
        transactions_hashes: Vec::new(),
    }
}

/// What an order is when it cannot be decoded: of the dead first version, or nonsense.
fn undecodable(body: &Value) -> &'static str {
    let order = body.get("order");
    let has = |name: &str| order.is_some_and(|order| order.get(name).is_some());
    let first_version = (has("feeRateBps") || has("nonce")) && !has("timestamp");
    if first_version { "order_version_mismatch" } else { BAD_PAYLOAD }
}

fn read_order(body: Value) -> Result<PostOrder, Refused> {
    let reason = undecodable(&body);
    if reason != BAD_PAYLOAD {
        return Err(Refused::Early(reason));
    }
    PostOrder::deserialize(&body).map_err(|why| {
        dead_letter::keep("order", body.to_string().as_bytes(), &why);
        Refused::Early(reason)
    })
}

async fn place_one(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    let standing = draw(&app, &signed, RateUse::Orders, 1)?;
    // The plain way first: a value tree is only built for bodies that are no order.
    let order = match serde_json::from_slice::<PostOrder>(&signed.body) {
        Ok(order) => Ok(order),
        Err(_) => decode::<Value>(&signed.body, BAD_PAYLOAD).map(read_order)?,
    };
    let taken = match order {
        Ok(order) => app.with(|desk, now| take(desk, &signed, &order, now)),
        Err(refused) => Err(refused),
    };
    let response = match settle(taken).await {
        Ok(placed) => json(&accepted(&placed)),
        Err(refused) => refused.fault().into_response(),
    };
    Ok(stamped(response, standing))
}

async fn place_many(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    let bodies: Vec<Value> = decode(&signed.body, BAD_PAYLOAD)?;
    if bodies.is_empty() {
        return Err(Fault::bad(BAD_PAYLOAD));
    }
    if bodies.len() > MOST_ORDERS {
        let count = bodies.len();
        return Err(Fault::bad(format!("Too many orders in payload: {count}, max allowed: {MOST_ORDERS}")));
    }
    let standing = draw(&app, &signed, RateUse::Orders, bodies.len())?;
    let mut taken = Vec::with_capacity(bodies.len());
    for body in bodies {
        // One turn at the desk per order: a batch is no transaction, and nobody waits for fifteen signatures.
        taken.push(read_order(body).and_then(|order| app.with(|desk, now| take(desk, &signed, &order, now))));
    }
    if let Some(Err(refused)) = taken.first().filter(|_| taken.iter().all(|t| matches!(t, Err(r) if r.is_general()))) {
        return Ok(stamped(refused.fault().into_response(), standing));
    }
    let mut replies = Vec::with_capacity(taken.len());
    for taken in taken {
        replies.push(match settle(taken).await {
            Ok(placed) => accepted(&placed),
            Err(refused) => PostOrderReply { error_msg: refused.text(), ..PostOrderReply::default() },
        });
    }
    Ok(stamped(json(&replies), standing))
}

async fn cancel_one(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    let standing = draw(&app, &signed, RateUse::Cancels, 1)?;
    let body: Value = decode(&signed.body, BAD_PAYLOAD)?;
    let id = body.get("orderID").and_then(Value::as_str).ok_or_else(|| Fault::bad(BAD_PAYLOAD))?;
    let id = OrderId::parse(id).map_err(|_| Fault::bad("Invalid orderID"))?;
    let reply = app.with(|desk, now| desk.session.core.cancel(signed.key, &[id], now));
    Ok(stamped(canceled(reply), standing))
}

async fn cancel_many(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    let ids: Vec<String> = decode(&signed.body, BAD_PAYLOAD)?;
    let most = app.with(|desk, _| desk.settings.most_cancels);
    if ids.len() > most {
        return Err(Fault::bad(format!("Too many orders in payload, max allowed: {most}")));
    }
    let ids: Result<Vec<OrderId>, _> = ids.iter().map(|id| OrderId::parse(id)).collect();
    let ids = ids.map_err(|_| Fault::bad("Invalid orderID"))?;
    let standing = draw(&app, &signed, RateUse::Cancels, ids.len())?;
    let reply = app.with(|desk, now| desk.session.core.cancel(signed.key, &ids, now));
    Ok(stamped(canceled(reply), standing))
}

async fn cancel_all(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    cancel_scope(&app, &signed, None, None)
}

async fn cancel_market(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    let wanted: CancelMarket =
        if signed.body.is_empty() { CancelMarket::default() } else { decode(&signed.body, BAD_PAYLOAD)? };
    let (market, asset) = app.with(|desk, _| scope(desk, &wanted))?;
    cancel_scope(&app, &signed, market, asset)
}

/// The market and the token that a cancel names; absent, empty and `null` mean every one.
fn scope(desk: &Desk, wanted: &CancelMarket) -> Result<(Option<MarketId>, Option<AssetId>), Fault> {
    let market = match wanted.market.as_str() {
        "" => None,
        text => {
            let id = ConditionId::parse(&text.to_ascii_lowercase()).ok();
            let id = id.and_then(|condition| desk.session.core.market_by_condition(&condition)).map(|market| market.id);
            Some(id.ok_or_else(|| Fault::bad("Invalid market"))?)
        }
    };
    let asset = match wanted.asset_id.as_str() {
        "" => None,
        text => {
            let id = TokenId::parse(text).ok().and_then(|token| desk.session.core.asset(&token));
            Some(id.ok_or_else(|| Fault::bad("Invalid token id"))?)
        }
    };
    Ok((market, asset))
}

fn cancel_scope(app: &App, signed: &Signed, market: Option<MarketId>, asset: Option<AssetId>) -> Reply {
    let before = draw(app, signed, RateUse::Cancels, 1)?;
    let (reply, after) = app.with(|desk, now| {
        let reply = desk.session.core.cancel_scope(signed.key, market, asset, now);
        let count = reply.as_ref().map_or(0, |done| done.canceled.len());
        let cost = u32::try_from(count).unwrap_or(u32::MAX);
        let after = (cost > 0).then(|| desk.session.core.charge_rate(signed.key, RateUse::Cancels, cost, now));
        (reply, after)
    });
    Ok(stamped(canceled(reply), after.unwrap_or(before)))
}

fn canceled(reply: Result<core::CancelReply, Refusal>) -> Response {
    match reply {
        Ok(done) => json(&CancelReply {
            canceled: done.canceled.iter().map(ToString::to_string).collect(),
            not_canceled: done
                .not_canceled
                .iter()
                .map(|(id, reason)| (id.to_string(), (*reason).to_owned()))
                .collect::<BTreeMap<_, _>>(),
        }),
        Err(refusal) => refusal_fault(&refusal).into_response(),
    }
}

/// Draws from a signer's bucket.
///
/// # Errors
/// 429 when the rates are enforced and the bucket does not hold so much.
fn draw(app: &App, signed: &Signed, usage: RateUse, cost: usize) -> Result<RateReply, Fault> {
    let cost = u32::try_from(cost).unwrap_or(u32::MAX);
    let rate = app.with(|desk, now| desk.session.core.use_rate(signed.key, usage, cost, now));
    if rate.allowed {
        return Ok(rate);
    }
    Err(Fault::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests").retry_after(rate.retry_after_s))
}

/// Adds the headers of the signer's bucket.
fn stamped(mut response: Response, rate: RateReply) -> Response {
    set_header(&mut response, "poly-ratelimit-remaining", &rate.remaining.to_string());
    set_header(&mut response, "poly-ratelimit-reset", &rate.reset_s.to_string());
    set_header(&mut response, "poly-ratelimit-tier", rate.tier.as_str());
    if rate.warning {
        set_header(&mut response, "poly-ratelimit-warning", "the limit of your tier is exceeded");
    }
    response
}
