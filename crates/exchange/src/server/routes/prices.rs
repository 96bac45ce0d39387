//! Books and prices (protocol section 6.3).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use oddsmith_domain::{AssetId, Price, Side, TokenId};
use oddsmith_polymarket::wire::{
    FeeRate, LastTradePrice, Midpoint, NegRisk, Number, PriceHistory, PricePoint, PriceReply, SpreadReply, Text,
    TickSize, TokenQuery,
};
use serde_json::{Value, json as value};

use crate::core::Market;
use crate::server::app::{App, Desk};
use crate::server::extract::{Params, Raw, Segment, decode};
use crate::server::reply::{Fault, Reply, json, json_text};

/// Items of a batch read.
const MOST_ITEMS: usize = 500;
const NO_BOOK: &str = "No orderbook exists for the requested token id";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/book", get(book))
        .route("/books", post(books).get(books))
        .route("/price", get(price))
        .route("/prices", post(prices).get(prices))
        .route("/midpoint", get(midpoint))
        .route("/midpoints", post(midpoints).get(midpoints))
        .route("/spread", get(spread))
        .route("/spreads", post(spreads).get(spreads))
        .route("/last-trade-price", get(last_trade))
        .route("/last-trades-prices", get(last_trades).post(last_trades))
        .route("/tick-size", get(tick_size))
        .route("/tick-size/{token}", get(tick_size_of))
        .route("/neg-risk", get(neg_risk))
        .route("/neg-risk/{token}", get(neg_risk_of))
        .route("/fee-rate", get(fee_rate))
        .route("/fee-rate/{token}", get(fee_rate_of))
        .route("/prices-history", get(history))
        .route("/batch-prices-history", post(histories))
        .route("/orderbook-history", get(book_history))
}

/// A market and which of its tokens is meant.
fn find(desk: &Desk, token: TokenId) -> Result<(&Market, AssetId), Fault> {
    let asset = desk.session.core.asset(&token).ok_or_else(|| Fault::missing(NO_BOOK))?;
    let market = desk.session.core.market(asset.market()).ok_or_else(|| Fault::missing(NO_BOOK))?;
    Ok((market, asset))
}

/// Answers a question about one token.
fn about<T>(app: &App, token: TokenId, answer: impl FnOnce(&Market, AssetId) -> Result<T, Fault>) -> Result<T, Fault> {
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let (market, asset) = find(desk, token)?;
        answer(market, asset)
    })
}

/// The items of a batch read.
fn items(body: &[u8]) -> Result<Vec<TokenQuery>, Fault> {
    let items: Vec<TokenQuery> = decode(body, "Invalid payload")?;
    if items.len() > MOST_ITEMS {
        return Err(Fault::bad("Payload exceeds the limit"));
    }
    Ok(items)
}

/// Answers a question about each known token of a batch; unknown ones are left out, as on the venue.
fn about_each<T>(
    app: &App,
    body: &[u8],
    mut answer: impl FnMut(&Market, AssetId, &TokenQuery) -> Result<Option<T>, Fault>,
) -> Result<Vec<(String, T)>, Fault> {
    let items = items(body)?;
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let mut answers = Vec::with_capacity(items.len());
        for item in &items {
            let token = TokenId::parse(item.token_id.as_str()).map_err(|_| Fault::bad("Invalid token id"))?;
            if let Ok((market, asset)) = find(desk, token)
                && let Some(found) = answer(market, asset, item)?
            {
                answers.push((token.to_string(), found));
            }
        }
        Ok(answers)
    })
}

/// A book as a read gives it: as it is, or as it was when reads began to stand still.
fn book_text(desk: &Desk, market: &Market, asset: AssetId) -> String {
    let stale = desk.stale_books.as_ref().and_then(|books| books.get(&asset));
    stale.cloned().unwrap_or_else(|| market.book_json(asset.outcome()))
}

async fn book(State(app): State<Arc<App>>, params: Params) -> Reply {
    let token = params.token()?;
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let (market, asset) = find(desk, token)?;
        Ok(json_text(book_text(desk, market, asset)))
    })
}

async fn books(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let assets = about_each(&app, &body, |_, asset, _| Ok(Some(asset)))?;
    let bodies: Vec<String> = app.with(|desk, _| {
        let text = |(_, asset): &(String, AssetId)| {
            let market = desk.session.core.market(asset.market())?;
            Some(book_text(desk, market, *asset))
        };
        assets.iter().filter_map(text).collect()
    });
    Ok(json_text(format!("[{}]", bodies.join(","))))
}

fn side(text: Option<&str>) -> Result<Side, Fault> {
    match text.map(str::to_ascii_uppercase).as_deref() {
        Some("BUY") => Ok(Side::Buy),
        Some("SELL") => Ok(Side::Sell),
        _ => Err(Fault::bad("Invalid side")),
    }
}

/// The best price of a side: BUY is the best bid, SELL the best ask, as the venue's API description has it.
fn best(market: &Market, asset: AssetId, side: Side) -> Option<Price> {
    market.best(asset.outcome(), side)
}

async fn price(State(app): State<Arc<App>>, params: Params) -> Reply {
    let (token, side) = (params.token()?, side(params.get("side"))?);
    about(&app, token, |market, asset| {
        // An empty side has the price at which it would begin.
        let none = if side == Side::Buy { Price::ZERO } else { Price::ONE };
        Ok(json(&PriceReply { price: Text::of(best(market, asset, side).unwrap_or(none)) }))
    })
}

async fn prices(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let found = about_each(&app, &body, |market, asset, item| {
        let sides = match item.side.as_deref() {
            None | Some("") => vec![Side::Buy, Side::Sell],
            stated => vec![side(stated)?],
        };
        let prices = sides.into_iter().filter_map(|side| Some((side.as_str(), best(market, asset, side)?.to_string())));
        Ok(Some(prices.collect::<Vec<_>>()))
    })?;
    let mut by_token: BTreeMap<String, BTreeMap<&str, String>> = BTreeMap::new();
    for (token, prices) in found {
        by_token.entry(token).or_default().extend(prices);
    }
    Ok(json(&by_token))
}

/// Best bid and ask as counts of 0.0001 dollars; zero and one where a side is empty.
fn top(market: &Market, asset: AssetId) -> (u32, u32) {
    let bid = best(market, asset, Side::Buy).unwrap_or(Price::ZERO);
    let ask = best(market, asset, Side::Sell).unwrap_or(Price::ONE);
    (u32::from(bid.units()), u32::from(ask.units()))
}

/// A count of 0.00005 dollars as a decimal: mids lie between prices.
fn half_units(count: u32) -> String {
    oddsmith_domain::Usdc::from_micros(i64::from(count) * 50).to_string()
}

fn mid_text(market: &Market, asset: AssetId) -> String {
    let (bid, ask) = top(market, asset);
    half_units(bid + ask)
}

fn spread_text(market: &Market, asset: AssetId) -> String {
    let (bid, ask) = top(market, asset);
    half_units(ask.saturating_sub(bid) * 2)
}

async fn midpoint(State(app): State<Arc<App>>, params: Params) -> Reply {
    about(&app, params.token()?, |market, asset| Ok(json(&Midpoint { mid: Text::of(mid_text(market, asset)) })))
}

async fn midpoints(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let mids = about_each(&app, &body, |market, asset, _| Ok(Some(mid_text(market, asset))))?;
    Ok(json(&mids.into_iter().collect::<BTreeMap<_, _>>()))
}

async fn spread(State(app): State<Arc<App>>, params: Params) -> Reply {
    about(&app, params.token()?, |market, asset| {
        Ok(json(&SpreadReply { spread: Text::of(spread_text(market, asset)) }))
    })
}

async fn spreads(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let spreads = about_each(&app, &body, |market, asset, _| Ok(Some(spread_text(market, asset))))?;
    Ok(json(&spreads.into_iter().collect::<BTreeMap<_, _>>()))
}

/// The last trade in a token's own terms. Before the first one the price is a half and the side is empty on the venue,
/// which the Rust client cannot read; ours says BUY there.
fn last_trade_of(market: &Market, asset: AssetId) -> LastTradePrice {
    let (price, side) = match market.last_trade {
        None => ("0.5".to_owned(), Side::Buy),
        Some(trade) if trade.outcome == asset.outcome() => (trade.price.to_string(), trade.side),
        Some(trade) => (trade.price.complement().to_string(), trade.side.opposite()),
    };
    LastTradePrice { token_id: None, price: Text::from(price), side: side.as_str().to_owned() }
}

async fn last_trade(State(app): State<Arc<App>>, params: Params) -> Reply {
    about(&app, params.token()?, |market, asset| Ok(json(&last_trade_of(market, asset))))
}

async fn last_trades(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let trades = about_each(&app, &body, |market, asset, _| Ok(Some(last_trade_of(market, asset))))?;
    let trades: Vec<LastTradePrice> = trades
        .into_iter()
        .map(|(token, trade)| LastTradePrice { token_id: Some(Text::from(token)), ..trade })
        .collect();
    Ok(json(&trades))
}

fn token_of(text: &str) -> Result<TokenId, Fault> {
    TokenId::parse(text).map_err(|_| Fault::bad("Invalid token id"))
}

fn tick_reply(app: &App, token: TokenId) -> Reply {
    let tick = about(app, token, |market, _| Ok(market.tick))?;
    Ok(json(&TickSize { minimum_tick_size: Number::of(tick) }))
}

async fn tick_size(State(app): State<Arc<App>>, params: Params) -> Reply {
    tick_reply(&app, params.token()?)
}

async fn tick_size_of(State(app): State<Arc<App>>, Segment(token): Segment) -> Reply {
    tick_reply(&app, token_of(&token)?)
}

fn neg_risk_reply(app: &App, token: TokenId) -> Reply {
    let neg_risk = about(app, token, |market, _| Ok(market.neg_risk()))?;
    Ok(json(&NegRisk { neg_risk }))
}

async fn neg_risk(State(app): State<Arc<App>>, params: Params) -> Reply {
    neg_risk_reply(&app, params.token()?)
}

async fn neg_risk_of(State(app): State<Arc<App>>, Segment(token): Segment) -> Reply {
    neg_risk_reply(&app, token_of(&token)?)
}

/// The fee of the dead first version: zero in every market.
fn fee_reply(app: &App, token: TokenId) -> Reply {
    about(app, token, |_, _| Ok(json(&FeeRate { base_fee: Number::of(0) })))
}

async fn fee_rate(State(app): State<Arc<App>>, params: Params) -> Reply {
    fee_reply(&app, params.token()?)
}

async fn fee_rate_of(State(app): State<Arc<App>>, Segment(token): Segment) -> Reply {
    fee_reply(&app, token_of(&token)?)
}

/// The span and step of a history: an interval that ends now, or two times; the fidelity is in minutes.
fn span(params: &Params, now_ns: u64) -> Result<(u64, u64, u64), Fault> {
    let now_s = now_ns / 1_000_000_000;
    let bad = "invalid filters";
    let from_s = match params.get("interval") {
        None => None,
        Some("1m") => Some(now_s.saturating_sub(60)),
        Some("1h") => Some(now_s.saturating_sub(3_600)),
        Some("6h") => Some(now_s.saturating_sub(6 * 3_600)),
        Some("1d") => Some(now_s.saturating_sub(86_400)),
        Some("1w") => Some(now_s.saturating_sub(7 * 86_400)),
        Some("max" | "all") => Some(0),
        Some(_) => return Err(Fault::bad(bad)),
    };
    let from_s = params.number("startTs", bad)?.or(from_s).unwrap_or(0);
    let to_s = params.number("endTs", bad)?.unwrap_or(now_s);
    let minutes = params.number("fidelity", bad)?.unwrap_or(1);
    let ms = |seconds: u64| seconds.saturating_mul(1_000);
    Ok((ms(from_s), ms(to_s).saturating_add(999), ms(minutes.saturating_mul(60))))
}

fn points(desk: &Desk, asset: AssetId, (from_ms, to_ms, step_ms): (u64, u64, u64)) -> PriceHistory {
    let points = desk.history.between(asset, from_ms, to_ms, step_ms);
    let point = |at_ms: u64, price: Price| PricePoint { t: Number::of(at_ms / 1_000), p: Number::of(price) };
    PriceHistory { history: points.into_iter().map(|p| point(p.at_ms, p.price)).collect() }
}

async fn history(State(app): State<Arc<App>>, params: Params) -> Reply {
    let token = params.get("market").ok_or_else(|| Fault::bad("Invalid market")).and_then(token_of)?;
    let span = span(&params, app.now_ns())?;
    app.with(|desk, _| {
        let (_, asset) = find(desk, token)?;
        Ok(json(&points(desk, asset, span)))
    })
}

async fn histories(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let body: Value = decode(&body, "Invalid payload")?;
    let markets = body.get("markets").and_then(Value::as_array).ok_or_else(|| Fault::bad("Invalid payload"))?;
    if markets.len() > MOST_ITEMS {
        return Err(Fault::bad("Payload exceeds the limit"));
    }
    let seconds = |name: &str| body.get(name).and_then(Value::as_u64);
    let to_ms = seconds("end_ts").map_or(u64::MAX, |s| s.saturating_mul(1_000));
    let step_ms = seconds("fidelity").unwrap_or(1).saturating_mul(60_000);
    let span = (seconds("start_ts").unwrap_or(0).saturating_mul(1_000), to_ms, step_ms);
    app.with(|desk, _| {
        let mut found = BTreeMap::new();
        for text in markets.iter().filter_map(Value::as_str) {
            if let Ok((_, asset)) = find(desk, token_of(text)?) {
                found.insert(text.to_owned(), points(desk, asset, span).history);
            }
        }
        Ok(json(&value!({ "history": found })))
    })
}

/// The venue's undocumented history of books; only the current one is kept here.
async fn book_history(State(app): State<Arc<App>>, params: Params) -> Response {
    let wanted = params.get("asset_id").and_then(|text| TokenId::parse(text).ok());
    let data: Vec<Value> = app.with(|desk, _| {
        let found = wanted.and_then(|token| find(desk, token).ok());
        found
            .into_iter()
            .filter_map(|(market, asset)| {
                let mut body = String::new();
                market.snapshot(asset.outcome()).write_json(None, &mut body);
                serde_json::from_str(&body).ok()
            })
            .collect()
    });
    json(&value!({ "count": data.len(), "data": data }))
}

/// The last traded price of a token as Gamma shows it; `None` before the first trade.
pub(super) fn last_price(market: &Market, asset: AssetId) -> Option<Price> {
    market.last_trade.map(|trade| if trade.outcome == asset.outcome() { trade.price } else { trade.price.complement() })
}

/// The price that stands for a token's value: the middle of the book, else the last trade, else one half.
pub(super) fn value_of(market: &Market, asset: AssetId) -> Price {
    if let Some(payout) = market.payout(asset.outcome()) {
        return payout;
    }
    let (bid, ask) = (best(market, asset, Side::Buy), best(market, asset, Side::Sell));
    if let (Some(bid), Some(ask)) = (bid, ask) {
        return Price::from_units((bid.units() + ask.units()) / 2).unwrap_or(bid);
    }
    last_price(market, asset).unwrap_or_else(|| Price::from_units(5_000).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middles_between_two_prices_are_exact() {
        assert_eq!(half_units(5_100 + 5_300), "0.52");
        assert_eq!(half_units(5_100 + 5_201), "0.51505");
        assert_eq!(half_units(10_000), "0.5");
    }
}
