//! Orders, trades, balances, notifications and the heartbeat of one user (protocol sections 6.4 to 6.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use oddsmith_domain::{Address, ConditionId, ExchangeKind, OrderId, SignatureType, TokenId};
use oddsmith_polymarket::order::{checksum_address, exchange_contract};
use oddsmith_polymarket::wire::{
    BalanceAllowance, Heartbeat, HeartbeatReply, MakerOrder, OpenOrder, OrderScoring, Page, Text, Trade as WireTrade,
};
use serde::Serialize;
use serde_json::{Value, json as value};

use crate::core::{Core, Leg, Order, OrderStatus, Trade, UserId};
use crate::frames::{Names, transaction_text};
use crate::server::app::{App, Desk};
use crate::server::auth::{Reader, Signed};
use crate::server::cursor;
use crate::server::extract::{Params, Segment, decode};
use crate::server::reply::{Fault, Reply, json};
use crate::server::signature::CHAIN;

/// What an allowance without limit looks like.
const UNLIMITED: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
const BAD_ORDER_PARAMS: &str = "invalid order params payload";
const BAD_TRADE_PARAMS: &str = "Invalid trade params payload";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/data/order/{id}", get(order))
        .route("/data/orders", get(orders))
        .route("/data/trades", get(trades))
        .route("/data/pre-migration-orders", get(pre_migration))
        .route("/order-scoring", get(scoring))
        .route("/orders-scoring", post(scorings))
        .route("/balance-allowance", get(balance).put(update_balance))
        .route("/balance-allowance/update", get(update_balance))
        .route("/notifications", get(notifications).delete(drop_notifications))
        .route("/v1/heartbeats", post(heartbeat))
        .route("/heartbeats", post(heartbeat))
}

/// An address as the venue writes it.
pub(super) fn address_text(address: Address) -> String {
    checksum_address(address).to_string()
}

fn open_order(core: &Core, order: &Order) -> Option<OpenOrder> {
    let market = core.market(order.market)?;
    Some(OpenOrder {
        id: order.id.to_string(),
        status: order.status.as_str().to_owned(),
        owner: Names::key(core, order.key),
        maker_address: Names::account(core, order.account),
        market: market.condition.to_string(),
        asset_id: Text::from(market.token_texts[order.outcome.index()].as_str()),
        side: order.side.as_str().to_owned(),
        original_size: Text::of(order.size),
        size_matched: Text::of(order.matched),
        price: Text::of(order.price),
        associate_trades: order.trades.iter().map(|trade| trade.as_str().to_owned()).collect(),
        outcome: market.spec.outcomes[order.outcome.index()].clone(),
        created_at: oddsmith_polymarket::wire::Number::of(order.created_ms / 1_000),
        expiration: Text::of(order.expiration_s),
        order_type: order.order_type.as_str().to_owned(),
    })
}

async fn order(State(app): State<Arc<App>>, Segment(id): Segment, reader: Reader) -> Reply {
    let id = OrderId::parse(&id).map_err(|_| Fault::bad("Invalid orderID"))?;
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let order = desk.session.core.order(&id).filter(|order| order.user == reader.user);
        let order = order.and_then(|order| open_order(&desk.session.core, order));
        Ok(json(&order.ok_or_else(|| Fault::missing("order not found"))?))
    })
}

/// The market and the token that a list is narrowed to.
struct Narrow {
    id: Option<String>,
    market: Option<ConditionId>,
    token: Option<TokenId>,
}

impl Narrow {
    fn read(params: &Params, text: &str) -> Result<Narrow, Fault> {
        let market = params.get("market").map(|market| ConditionId::parse(&market.to_ascii_lowercase())).transpose();
        let token = params.get("asset_id").map(TokenId::parse).transpose();
        Ok(Narrow {
            id: params.get("id").map(str::to_ascii_lowercase),
            market: market.map_err(|_| Fault::bad(text))?,
            token: token.map_err(|_| Fault::bad(text))?,
        })
    }
}

/// One page of a list.
fn page<T: Serialize>(desk: &Desk, params: &Params, all: Vec<T>) -> Reply {
    let limit = desk.settings.page;
    let page =
        cursor::page(params.get("next_cursor"), all.len(), limit).map_err(|_| Fault::bad("invalid next_cursor"))?;
    let data: Vec<T> = all.into_iter().take(page.end).skip(page.start).collect();
    Ok(json(&Page::of(data, limit, page.next)))
}

async fn orders(State(app): State<Arc<App>>, params: Params, reader: Reader) -> Reply {
    let narrow = Narrow::read(&params, BAD_ORDER_PARAMS)?;
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let core = &desk.session.core;
        let wanted = |order: &&Order| {
            let market = core.market(order.market);
            let token = market.map(|market| market.tokens[order.outcome.index()]);
            order.status == OrderStatus::Live
                && narrow.id.as_ref().is_none_or(|id| *id == order.id.to_string())
                && narrow.market.is_none_or(|wanted| market.is_some_and(|market| market.condition == wanted))
                && narrow.token.is_none_or(|wanted| token == Some(wanted))
        };
        let open = core.open_orders(reader.user).filter(wanted).filter_map(|order| open_order(core, order)).collect();
        page(desk, &params, open)
    })
}

/// The venue lists orders here that lived before its change of April 2026; there are none.
async fn pre_migration(State(app): State<Arc<App>>, params: Params, _: Reader) -> Reply {
    app.with(|desk, _| page::<OpenOrder>(desk, &params, Vec::new()))
}

fn maker_order(core: &Core, trade: &Trade, leg: &Leg) -> Option<MakerOrder> {
    let market = core.market(trade.market)?;
    Some(MakerOrder {
        order_id: leg.order.to_string(),
        owner: Names::key(core, leg.key),
        maker_address: Names::account(core, leg.account),
        matched_amount: Text::of(leg.shares),
        price: Text::of(leg.price),
        fee_rate_bps: Text::from("0"),
        asset_id: Text::from(market.token_texts[leg.outcome.index()].as_str()),
        outcome: market.spec.outcomes[leg.outcome.index()].clone(),
        side: leg.side.as_str().to_owned(),
        builder_fee: None,
        builder_code: None,
    })
}

/// A match as one of its parties reads it: the head describes the taker, `owner` and `trader_side` the reader.
fn wire_trade(core: &Core, trade: &Trade, reader: UserId) -> Option<WireTrade> {
    let market = core.market(trade.market)?;
    let taker = &trade.taker;
    let is_taker = taker.user == reader;
    let own = trade.legs().find(|leg| leg.user == reader).unwrap_or(taker);
    Some(WireTrade {
        id: trade.id.as_str().to_owned(),
        taker_order_id: taker.order.to_string(),
        market: market.condition.to_string(),
        asset_id: Text::from(market.token_texts[taker.outcome.index()].as_str()),
        side: taker.side.as_str().to_owned(),
        size: Text::of(taker.shares),
        fee_rate_bps: Text::from("0"),
        price: Text::of(taker.price),
        status: trade.state.as_str().to_owned(),
        match_time: Text::of(trade.matched_ms / 1_000),
        match_time_nano: Some(Text::of(trade.matched_ms.saturating_mul(1_000_000))),
        last_update: Text::of(trade.updated_ms / 1_000),
        outcome: market.spec.outcomes[taker.outcome.index()].clone(),
        bucket_index: oddsmith_polymarket::wire::Number::of(0),
        owner: Names::key(core, own.key),
        maker_address: Names::account(core, taker.account),
        maker_orders: trade.makers.iter().filter_map(|(leg, _)| maker_order(core, trade, leg)).collect(),
        transaction_hash: transaction_text(trade.state, trade.transaction.as_ref()),
        error_msg: None,
        trader_side: if is_taker { "TAKER" } else { "MAKER" }.to_owned(),
    })
}

async fn trades(State(app): State<Arc<App>>, params: Params, reader: Reader) -> Reply {
    let narrow = Narrow::read(&params, BAD_TRADE_PARAMS)?;
    // One client calls it `maker`, the others and the documentation `maker_address`.
    let party = |name: &str| params.get(name).map(Address::parse).transpose().map_err(|_| Fault::bad(BAD_TRADE_PARAMS));
    let maker = match party("maker_address")? {
        Some(address) => Some(address),
        None => party("maker")?,
    };
    let taker = party("taker")?;
    let (before, after) = (params.number("before", BAD_TRADE_PARAMS)?, params.number("after", BAD_TRADE_PARAMS)?);
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let core = &desk.session.core;
        let is = |leg: &Leg, address: Address| core.account(leg.account).is_some_and(|a| a.address == address);
        let wanted = |trade: &&Arc<Trade>| {
            let market = core.market(trade.market);
            let matched_s = trade.matched_ms / 1_000;
            let touches = |token: TokenId| {
                trade.legs().any(|leg| market.is_some_and(|market| market.tokens[leg.outcome.index()] == token))
            };
            narrow.id.as_ref().is_none_or(|id| id == trade.id.as_str())
                && narrow.market.is_none_or(|wanted| market.is_some_and(|market| market.condition == wanted))
                && narrow.token.is_none_or(touches)
                && maker.is_none_or(|address| trade.legs().any(|leg| is(leg, address)))
                && taker.is_none_or(|address| is(&trade.taker, address))
                && before.is_none_or(|before| matched_s < before)
                && after.is_none_or(|after| matched_s > after)
        };
        let own = core.trades_of(reader.user).filter(wanted);
        let own = own.filter_map(|trade| wire_trade(core, trade, reader.user)).collect();
        page(desk, &params, own)
    })
}

/// Whether an order earns liquidity rewards: the local exchange pays none.
async fn scoring(params: Params, _: Reader) -> Reply {
    params.get("order_id").ok_or_else(|| Fault::bad("Invalid orderID"))?;
    Ok(json(&OrderScoring { scoring: false }))
}

async fn scorings(signed: Signed) -> Reply {
    let ids: Vec<String> = decode(&signed.body, "Invalid order payload")?;
    Ok(json(&ids.into_iter().map(|id| (id, false)).collect::<BTreeMap<_, _>>()))
}

/// The wallet type that a query names.
fn signature_type(params: &Params) -> Result<SignatureType, Fault> {
    match params.get("signature_type") {
        None | Some("0") => Ok(SignatureType::Eoa),
        Some("1") => Ok(SignatureType::Proxy),
        Some("2") => Ok(SignatureType::Safe),
        Some("3") => Ok(SignatureType::Poly1271),
        Some(_) => Err(Fault::bad("Invalid signature_type")),
    }
}

async fn balance(State(app): State<Arc<App>>, params: Params, signed: Signed) -> Reply {
    let wallet = signature_type(&params)?;
    let conditional = match params.get("asset_type").map(str::to_ascii_uppercase).as_deref() {
        Some("COLLATERAL") => false,
        Some("CONDITIONAL" | "CONDITIONAL-V2") => true,
        _ => return Err(Fault::bad("Invalid asset type")),
    };
    let token = if conditional { Some(params.token()?) } else { None };
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let id = desk.session.core.account_of(signed.key, wallet).ok_or_else(Fault::unauthorized)?;
        let account = desk.session.core.account(id).ok_or_else(Fault::unauthorized)?;
        let micros = match token {
            None => account.collateral.micros(),
            Some(token) => {
                let asset = desk.session.core.asset(&token).ok_or_else(|| Fault::bad("Invalid token id"))?;
                account.holding(asset).settled.micros()
            }
        };
        let mut allowances = BTreeMap::new();
        for kind in [ExchangeKind::Ctf, ExchangeKind::NegRisk, ExchangeKind::Position] {
            let Ok(contract) = exchange_contract(CHAIN, kind) else { continue };
            let allowance = account.allowance(kind);
            let text = match (token, allowance.collateral, allowance.tokens) {
                (None, Some(limit), _) => limit.micros().to_string(),
                (None, None, _) | (Some(_), _, true) => UNLIMITED.to_owned(),
                (Some(_), _, false) => "0".to_owned(),
            };
            allowances.insert(address_text(contract), Text::from(text));
        }
        Ok(json(&BalanceAllowance { balance: Text::of(micros), allowances, allowance: None }))
    })
}

/// Reads balances again; ours are always up to date.
async fn update_balance(params: Params, _: Signed) -> Reply {
    signature_type(&params)?;
    Ok(json(&value!({})))
}

async fn notifications(State(app): State<Arc<App>>, signed: Signed) -> Response {
    app.with(|desk, _| json(&desk.notices.list(signed.user)))
}

async fn drop_notifications(State(app): State<Arc<App>>, params: Params, signed: Signed) -> Response {
    let ids: Vec<u64> = params.all("ids").filter_map(|id| id.parse().ok()).collect();
    app.with(|desk, _| desk.notices.remove(signed.user, &ids));
    json(&"OK")
}

async fn heartbeat(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    let call: Heartbeat =
        if signed.body.is_empty() { Heartbeat::default() } else { decode(&signed.body, "Invalid payload")? };
    let given = call.heartbeat_id.as_str();
    match app.with(|desk, now| desk.session.core.heartbeat(signed.key, given, now)) {
        Ok(heartbeat_id) => Ok(json(&HeartbeatReply { heartbeat_id, error: None, error_msg: None })),
        Err(expected) => {
            let body: Value = value!({ "error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected });
            Err(Fault::shaped(StatusCode::BAD_REQUEST, &body))
        }
    }
}
