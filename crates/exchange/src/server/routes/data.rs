//! The Data API under `/data-api/`: positions, values and trades of any address (protocol section 10.2).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use oddsmith_domain::{Address, Outcome, Price, Shares, Side, Usdc};
use oddsmith_polymarket::wire::{
    DataEnvelope, DataPagination, DataTrade, DataValue, DataValueV2, Number, Position, PositionV2, Text,
};
use serde_json::{Value, json as value};

use super::account::address_text;
use super::prices::value_of;
use super::time::date;
use crate::core::{Core, Leg, Market, MarketState, Trade, TradeState};
use crate::server::app::{App, Desk};
use crate::server::cursor;
use crate::server::extract::Params;
use crate::server::reply::{Fault, Reply, json};

const MOST: u64 = 500;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(health))
        .route("/positions", get(positions))
        .route("/closed-positions", get(closed_positions))
        .route("/trades", get(trades))
        .route("/activity", get(activity))
        .route("/value", get(values))
        .route("/traded", get(traded))
        .route("/holders", get(holders))
        .route("/oi", get(open_interest))
        .route("/live-volume", get(live_volume))
        .route("/v2/status", get(health))
        .route("/v2/positions", get(positions_v2))
        .route("/v2/trades", get(trades_v2))
        .route("/v2/activity", get(trades_v2))
        .route("/v2/value", get(value_v2))
}

async fn health() -> Response {
    json(&value!({ "data": "OK" }))
}

fn user(params: &Params) -> Result<Address, Fault> {
    let text = params.get("user").ok_or_else(|| Fault::bad("required query param 'user' not provided"))?;
    Address::parse(text).map_err(|_| Fault::bad("invalid user address"))
}

/// A position with what it cost: bought shares less sold ones at their average price.
struct Stake<'d> {
    market: &'d Market,
    outcome: Outcome,
    size: Shares,
    bought: Shares,
    average: f64,
    realized: f64,
    price: Price,
}

impl Stake<'_> {
    fn cost(&self) -> f64 {
        self.size.to_f64() * self.average
    }

    fn value(&self) -> f64 {
        self.size.to_f64() * self.price.to_f64()
    }

    fn unrealized(&self) -> f64 {
        self.value() - self.cost()
    }

    fn is_redeemable(&self) -> bool {
        matches!(self.market.state, MarketState::Resolved(_)) && self.size.is_positive()
    }
}

/// Percent of a cost; nothing of nothing.
fn percent(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of * 100.0 } else { 0.0 }
}

/// What an account has or had in one token. The history that an average is made of is as long as the exchange remembers.
fn stake<'d>(core: &'d Core, holder: Address, market: &'d Market, outcome: Outcome) -> Option<Stake<'d>> {
    let id = core.account_at(&holder)?;
    let account = core.account(id)?;
    let mut trades: Vec<&Arc<Trade>> = core.trades_of(account.user).filter(|trade| trade.market == market.id).collect();
    trades.reverse();
    let (mut bought, mut cost, mut held, mut realized) = (Shares::ZERO, 0.0, 0.0, 0.0);
    for trade in trades.into_iter().filter(|trade| trade.state != TradeState::Failed) {
        for leg in trade.legs().filter(|leg| leg.account == id && leg.outcome == outcome) {
            let (shares, dollars, fee) = (leg.shares.to_f64(), leg.collateral.to_f64(), leg.fee.to_f64());
            match leg.side {
                Side::Buy => {
                    bought += leg.shares;
                    held += shares;
                    cost += dollars + fee;
                }
                Side::Sell => {
                    let average = if held > 0.0 { cost / held } else { 0.0 };
                    let sold = shares.min(held);
                    realized += dollars - fee - sold * average;
                    held -= sold;
                    cost -= sold * average;
                }
            }
        }
    }
    let size = account.holding(market.id.asset(outcome)).settled;
    if size.is_zero() && bought.is_zero() {
        return None;
    }
    let price = value_of(market, market.id.asset(outcome));
    // Shares that were split and never traded cost half a dollar each: a pair costs one.
    let average = if held > 1e-9 { cost / held } else { 0.5 };
    Some(Stake { market, outcome, size, bought, average, realized, price })
}

fn stakes(core: &Core, holder: Address) -> Vec<Stake<'_>> {
    let places = core.markets().iter().flat_map(|market| Outcome::BOTH.map(|outcome| (market, outcome)));
    places.filter_map(|(market, outcome)| stake(core, holder, market, outcome)).collect()
}

/// Whether a market is one of those that the query names.
fn in_markets(params: &Params, market: &Market) -> bool {
    let mut named = params.all("market").chain(params.all("condition_id")).peekable();
    named.peek().is_none() || named.any(|id| id.eq_ignore_ascii_case(market.condition.as_str()))
}

/// A decimal of a signal value, to the millionth.
fn decimal(value: f64) -> Usdc {
    Usdc::from_micros((value * 1e6).round() as i64)
}

fn position(holder: Address, stake: &Stake<'_>) -> Position {
    let (market, spec) = (stake.market, &stake.market.spec);
    let other = stake.outcome.complement();
    let invested = stake.bought.to_f64() * stake.average;
    Position {
        proxy_wallet: address_text(holder),
        asset: Text::from(market.token_texts[stake.outcome.index()].as_str()),
        condition_id: market.condition.to_string(),
        size: Number::of(stake.size),
        avg_price: Number::of(decimal(stake.average)),
        initial_value: Number::of(decimal(stake.cost())),
        current_value: Number::of(decimal(stake.value())),
        cash_pnl: Number::of(decimal(stake.unrealized())),
        percent_pnl: Number::of(decimal(percent(stake.unrealized(), stake.cost()))),
        total_bought: Number::of(stake.bought),
        realized_pnl: Number::of(decimal(stake.realized)),
        percent_realized_pnl: Number::of(decimal(percent(stake.realized, invested))),
        cur_price: Number::of(stake.price),
        redeemable: stake.is_redeemable(),
        mergeable: false,
        title: spec.question.clone(),
        slug: spec.slug.clone(),
        icon: String::new(),
        event_slug: spec.event_slug.clone(),
        outcome: spec.outcomes[stake.outcome.index()].clone(),
        outcome_index: Number::of(stake.outcome.index()),
        opposite_outcome: spec.outcomes[other.index()].clone(),
        opposite_asset: Text::from(market.token_texts[other.index()].as_str()),
        end_date: spec.end_s.map(date).unwrap_or_default(),
        negative_risk: market.neg_risk(),
    }
}

/// Marks positions of which the holder has both tokens.
fn open_positions(core: &Core, holder: Address, params: &Params) -> Vec<Position> {
    let open: Vec<Stake<'_>> = stakes(core, holder)
        .into_iter()
        .filter(|stake| stake.size.is_positive() && in_markets(params, stake.market))
        .collect();
    let pairs: BTreeSet<_> = paired(&open);
    open.iter()
        .map(|stake| Position { mergeable: pairs.contains(&stake.market.id), ..position(holder, stake) })
        .collect()
}

fn paired(open: &[Stake<'_>]) -> BTreeSet<oddsmith_domain::MarketId> {
    let has = |stake: &Stake<'_>, outcome| {
        open.iter().any(|other| other.market.id == stake.market.id && other.outcome == outcome)
    };
    open.iter().filter(|s| Outcome::BOTH.into_iter().all(|o| has(s, o))).map(|s| s.market.id).collect()
}

fn limited<T>(params: &Params, all: Vec<T>) -> Result<Vec<T>, Fault> {
    let limit = params.number("limit", "invalid limit")?.unwrap_or(100).min(MOST) as usize;
    let offset = params.number("offset", "invalid offset")?.unwrap_or(0);
    Ok(all.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).take(limit).collect())
}

async fn positions(State(app): State<Arc<App>>, params: Params) -> Reply {
    let holder = user(&params)?;
    app.with(|desk, now| {
        desk.session.core.advance(now);
        Ok(json(&limited(&params, open_positions(&desk.session.core, holder, &params))?))
    })
}

async fn closed_positions(State(app): State<Arc<App>>, params: Params) -> Reply {
    let holder = user(&params)?;
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let closed = stakes(&desk.session.core, holder).into_iter().filter(|stake| stake.size.is_zero());
        let shown: Vec<Value> = closed
            .map(|stake| {
                let mut shown = value!(position(holder, &stake));
                shown["timestamp"] = value!(now / 1_000_000_000);
                shown["endDate"] = value!(super::time::iso(stake.market.spec.end_s.unwrap_or(0)));
                shown
            })
            .collect();
        Ok(json(&limited(&params, shown)?))
    })
}

fn total_value(core: &Core, holder: Address, params: &Params) -> Usdc {
    let open = stakes(core, holder).into_iter().filter(|stake| in_markets(params, stake.market));
    decimal(open.map(|stake| stake.value()).sum())
}

async fn values(State(app): State<Arc<App>>, params: Params) -> Reply {
    let holder = user(&params)?;
    let total = app.with(|desk, _| total_value(&desk.session.core, holder, &params));
    Ok(json(&[DataValue { user: address_text(holder), value: Number::of(total) }]))
}

async fn value_v2(State(app): State<Arc<App>>, params: Params) -> Reply {
    let holder = user(&params)?;
    let total = app.with(|desk, _| total_value(&desk.session.core, holder, &params));
    let value = DataValueV2 { proxy_wallet: address_text(holder), value: Text::of(total) };
    Ok(json(&DataEnvelope { data: value, pagination: None }))
}

/// A party's leg of a match, with the words that go with it.
struct Print<'d> {
    market: &'d Market,
    trade: &'d Trade,
    leg: &'d Leg,
    holder: Address,
}

/// The legs of outside accounts, newest match first: of one holder, or of everybody.
fn prints<'d>(core: &'d Core, params: &Params) -> Result<Vec<Print<'d>>, Fault> {
    let holder = params.get("user").map(Address::parse).transpose().map_err(|_| Fault::bad("invalid user address"))?;
    let side = params.get("side").map(str::to_ascii_uppercase);
    let accounts = core.accounts().iter().filter(|account| holder.is_none_or(|holder| account.address == holder));
    let users: BTreeSet<_> = accounts.map(|account| account.user).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for trade in users.into_iter().flat_map(|user| core.trades_of(user)) {
        let Some(market) = core.market(trade.market).filter(|market| in_markets(params, market)) else { continue };
        if !seen.insert(trade.sequence) || trade.state == TradeState::Failed {
            continue;
        }
        for leg in trade.legs() {
            let Some(address) = core.account(leg.account).map(|account| account.address) else { continue };
            let wanted = holder.is_none_or(|holder| address == holder)
                && side.as_deref().is_none_or(|side| side == leg.side.as_str());
            if wanted {
                found.push(Print { market, trade, leg, holder: address });
            }
        }
    }
    found.sort_by_key(|print| std::cmp::Reverse(print.trade.sequence));
    Ok(found)
}

/// The transaction of a match. Clients need 32 bytes even before there is one.
fn transaction(trade: &Trade) -> String {
    format!("0x{}", hex::encode(trade.transaction.unwrap_or_default()))
}

fn data_trade(print: &Print<'_>) -> DataTrade {
    let spec = &print.market.spec;
    DataTrade {
        proxy_wallet: address_text(print.holder),
        side: print.leg.side.as_str().to_owned(),
        asset: Text::from(print.market.token_texts[print.leg.outcome.index()].as_str()),
        condition_id: print.market.condition.to_string(),
        size: Number::of(print.leg.shares),
        price: Number::of(print.leg.price),
        timestamp: Number::of(print.trade.matched_ms / 1_000),
        title: spec.question.clone(),
        slug: spec.slug.clone(),
        icon: String::new(),
        event_slug: spec.event_slug.clone(),
        outcome: spec.outcomes[print.leg.outcome.index()].clone(),
        outcome_index: Number::of(print.leg.outcome.index()),
        transaction_hash: transaction(print.trade),
    }
}

async fn trades(State(app): State<Arc<App>>, params: Params) -> Reply {
    app.with(|desk, _| {
        let found = limited(&params, prints(&desk.session.core, &params)?)?;
        Ok(json(&found.iter().map(data_trade).collect::<Vec<_>>()))
    })
}

async fn activity(State(app): State<Arc<App>>, params: Params) -> Reply {
    user(&params)?;
    app.with(|desk, _| {
        let found = limited(&params, prints(&desk.session.core, &params)?)?;
        let shown: Vec<Value> = found
            .iter()
            .map(|print| {
                let mut shown = value!(data_trade(print));
                shown["type"] = value!("TRADE");
                shown["usdcSize"] = value!(Number::of(print.leg.collateral));
                shown
            })
            .collect();
        Ok(json(&shown))
    })
}

/// One page in the envelope of the second version.
fn enveloped(params: &Params, all: Vec<Value>) -> Reply {
    let limit = params.number("limit", "invalid limit")?.unwrap_or(100).clamp(1, MOST) as usize;
    let given = params.get("cursor").or_else(|| params.get("next_cursor"));
    let page = cursor::page(given, all.len(), limit).map_err(|_| Fault::bad("invalid cursor"))?;
    let has_more = page.next != cursor::END;
    let data: Vec<Value> = all.into_iter().take(page.end).skip(page.start).collect();
    let pagination = DataPagination { has_more, next_cursor: has_more.then_some(page.next) };
    Ok(json(&DataEnvelope { data, pagination: Some(pagination) }))
}

fn position_v2(holder: Address, stake: &Stake<'_>, mergeable: bool) -> PositionV2 {
    let (market, spec) = (stake.market, &stake.market.spec);
    let text = |value: f64| Text::of(decimal(value));
    let total = stake.realized + stake.unrealized();
    let invested = stake.bought.to_f64() * stake.average;
    let status = match (stake.is_redeemable(), stake.size.is_positive()) {
        (true, _) => "REDEEMABLE",
        (false, true) => "OPEN",
        (false, false) => "CLOSED",
    };
    PositionV2 {
        proxy_wallet: address_text(holder),
        token_id: Text::from(market.token_texts[stake.outcome.index()].as_str()),
        condition_id: market.condition.to_string(),
        current_size: Text::of(stake.size),
        total_size: Text::of(stake.bought.max(stake.size)),
        avg_price: text(stake.average),
        entry_cost_usdc: text(stake.cost()),
        entry_fees_usdc: Text::from("0"),
        total_cost_usdc: text(stake.cost()),
        current_price: Text::of(stake.price),
        current_value: text(stake.value()),
        realized_pnl: text(stake.realized),
        unrealized_pnl: text(stake.unrealized()),
        total_pnl: text(total),
        percent_pnl: text(percent(total, invested)),
        percent_realized_pnl: text(percent(stake.realized, invested)),
        status: status.to_owned(),
        redeemable: stake.is_redeemable(),
        mergeable,
        negative_risk: market.neg_risk(),
        archived: false,
        verified: false,
        outcome: spec.outcomes[stake.outcome.index()].clone(),
        outcome_index: Number::of(stake.outcome.index()),
        opposite_token_id: Text::from(market.token_texts[stake.outcome.complement().index()].as_str()),
        end_date: spec.end_s.map(date),
    }
}

async fn positions_v2(State(app): State<Arc<App>>, params: Params) -> Reply {
    let holder = user(&params)?;
    let status = params.get("status").map(str::to_ascii_uppercase);
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let all = stakes(&desk.session.core, holder);
        let open: Vec<Stake<'_>> = all.into_iter().filter(|stake| in_markets(&params, stake.market)).collect();
        let pairs = paired(&open);
        let shown = open
            .iter()
            .map(|stake| position_v2(holder, stake, pairs.contains(&stake.market.id)))
            .filter(|position| status.as_ref().is_none_or(|status| *status == position.status))
            .map(|position| value!(position))
            .collect();
        enveloped(&params, shown)
    })
}

async fn trades_v2(State(app): State<Arc<App>>, params: Params) -> Reply {
    app.with(|desk, _| {
        let shown = prints(&desk.session.core, &params)?
            .iter()
            .map(|print| {
                let spec = &print.market.spec;
                value!({
                    "type": "TRADE",
                    "proxy_wallet": address_text(print.holder),
                    "token_id": print.market.token_texts[print.leg.outcome.index()],
                    "condition_id": print.market.condition.as_str(),
                    "side": print.leg.side.as_str(),
                    "size": print.leg.shares.to_string(),
                    "price": print.leg.price.to_string(),
                    "usdc_size": print.leg.collateral.to_string(),
                    "timestamp": print.trade.matched_ms / 1_000,
                    "transaction_hash": transaction(print.trade),
                    "title": spec.question,
                    "slug": spec.slug,
                    "event_slug": spec.event_slug,
                    "outcome": spec.outcomes[print.leg.outcome.index()],
                    "outcome_index": print.leg.outcome.index(),
                })
            })
            .collect();
        enveloped(&params, shown)
    })
}

async fn traded(State(app): State<Arc<App>>, params: Params) -> Reply {
    let holder = user(&params)?;
    let count = app.with(|desk, _| stakes(&desk.session.core, holder).len());
    Ok(json(&value!({ "user": address_text(holder), "traded": count })))
}

async fn holders(State(app): State<Arc<App>>, params: Params) -> Reply {
    app.with(|desk, _| {
        let mut shown = Vec::new();
        for market in desk.session.core.markets().iter().filter(|market| in_markets(&params, market)) {
            for outcome in Outcome::BOTH {
                let held = |account: &&crate::core::Account| account.holding(market.id.asset(outcome)).settled;
                let mut holders: Vec<_> =
                    desk.session.core.accounts().iter().filter(|a| held(a).is_positive()).collect();
                holders.sort_by_key(|account| std::cmp::Reverse(held(account)));
                let list: Vec<Value> = holders
                    .iter()
                    .take(20)
                    .map(|account| {
                        value!({
                            "proxyWallet": address_text(account.address), "bio": "", "pseudonym": "", "name": "",
                            "asset": market.token_texts[outcome.index()], "amount": Number::of(held(account)),
                            "displayUsernamePublic": false, "outcomeIndex": outcome.index(), "profileImage": "",
                        })
                    })
                    .collect();
                shown.push(value!({ "token": market.token_texts[outcome.index()], "holders": list }));
            }
        }
        Ok(json(&shown))
    })
}

async fn open_interest(State(app): State<Arc<App>>, params: Params) -> Reply {
    app.with(|desk, _| {
        let markets = desk.session.core.markets().iter().filter(|market| in_markets(&params, market));
        let shown: Vec<Value> = markets
            .map(|market| value!({ "market": market.condition.as_str(), "value": Number::of(market.locked) }))
            .collect();
        Ok(json(&shown))
    })
}

async fn live_volume(State(app): State<Arc<App>>, params: Params) -> Reply {
    let id = params.get("id").unwrap_or_default();
    app.with(|desk: &mut Desk, _| {
        let markets: Vec<_> = desk.session.core.markets().iter().filter(|market| market.event_id == id).collect();
        let total: Usdc = markets.iter().map(|market| market.volume).sum();
        let each: Vec<Value> = markets
            .iter()
            .map(|market| value!({ "market": market.condition.as_str(), "value": Number::of(market.volume) }))
            .collect();
        Ok(json(&[value!({ "total": Number::of(total), "markets": each })]))
    })
}
