//! Markets as the CLOB describes them (protocol section 6.2).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use oddsmith_domain::{ConditionId, Outcome, Price, TokenId};
use oddsmith_polymarket::wire::{
    ClobMarket, ClobToken, FeeDetails, Market as WireMarket, MarketByToken, MarketToken, Number, Page, RewardRate,
    Rewards, SimplifiedMarket, Text,
};
use serde::Serialize;
use serde_json::json as value;
use sha2::{Digest as _, Sha256};

use super::prices::value_of;
use super::time::iso;
use crate::core::{Market, MarketState};
use crate::server::app::{App, Desk};
use crate::server::cursor;
use crate::server::extract::{Params, Segment};
use crate::server::reply::{Fault, Reply, json};

const NO_MARKET: &str = "market not found";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/markets", get(markets))
        .route("/simplified-markets", get(simplified))
        .route("/sampling-markets", get(sampling))
        .route("/sampling-simplified-markets", get(sampling_simplified))
        .route("/markets/{condition}", get(market))
        .route("/markets-by-token/{token}", get(by_token))
        .route("/clob-markets/{condition}", get(clob_market))
        .route("/markets/live-activity/{condition}", get(activity).post(activity))
}

/// The id of a neg-risk group, made from its name.
pub(super) fn group_id(name: &str) -> String {
    format!("0x{}", hex::encode(Sha256::digest(name.as_bytes())))
}

/// The token that rewards are stated in.
pub(super) const COLLATERAL: &str = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB";

/// The venue states distances from the mid in cents.
pub(super) fn in_cents(distance: Price) -> Number {
    Number::of(f64::from(distance.units()) / 100.0)
}

pub(super) fn rewards(market: &Market) -> Rewards {
    let Some(terms) = market.spec.rewards else { return Rewards::default() };
    let rate = RewardRate { asset_address: COLLATERAL.to_owned(), rewards_daily_rate: Number::of(terms.daily) };
    Rewards { rates: Some(vec![rate]), min_size: Number::of(terms.min_size), max_spread: in_cents(terms.max_spread) }
}

fn tokens(market: &Market) -> Vec<MarketToken> {
    Outcome::BOTH
        .into_iter()
        .map(|outcome| MarketToken {
            token_id: Text::from(market.token_texts[outcome.index()].as_str()),
            outcome: market.spec.outcomes[outcome.index()].clone(),
            price: Number::of(value_of(market, market.id.asset(outcome))),
            winner: market.payout(outcome) == Some(oddsmith_domain::Price::ONE),
        })
        .collect()
}

fn is_closed(market: &Market) -> bool {
    matches!(market.state, MarketState::Resolved(_))
}

fn full(market: &Market) -> WireMarket {
    let spec = &market.spec;
    WireMarket {
        enable_order_book: true,
        active: true,
        closed: is_closed(market),
        archived: false,
        accepting_orders: market.accepts_orders(),
        accepting_order_timestamp: Some(iso(market.listed_s)),
        minimum_order_size: Number::of(spec.min_size),
        minimum_tick_size: Number::of(market.tick),
        condition_id: market.condition.to_string(),
        question_id: market.question_id.to_string(),
        question: spec.question.clone(),
        description: spec.description.clone(),
        market_slug: spec.slug.clone(),
        end_date_iso: spec.end_s.map(iso),
        game_start_time: spec.game_start_s.map(iso),
        seconds_delay: Number::of(spec.seconds_delay),
        fpmm: String::new(),
        maker_base_fee: Number::of(0),
        taker_base_fee: Number::of(0),
        notifications_enabled: true,
        neg_risk: market.neg_risk(),
        neg_risk_market_id: spec.neg_risk_group.as_deref().map(group_id).unwrap_or_default(),
        neg_risk_request_id: String::new(),
        icon: String::new(),
        image: String::new(),
        rewards: rewards(market),
        is_50_50_outcome: false,
        tokens: tokens(market),
        tags: spec.tags.clone(),
    }
}

fn brief(market: &Market) -> SimplifiedMarket {
    SimplifiedMarket {
        condition_id: market.condition.to_string(),
        tokens: tokens(market),
        rewards: rewards(market),
        active: true,
        closed: is_closed(market),
        archived: false,
        accepting_orders: market.accepts_orders(),
    }
}

fn compact(market: &Market) -> ClobMarket {
    let spec = &market.spec;
    let fee = FeeDetails {
        rate: Number::of(oddsmith_domain::Usdc::from_micros(i64::from(spec.fee.rate_micro()))),
        exponent: Number::of(spec.fee.exponent()),
        taker_only: spec.fee.taker_only,
    };
    let tokens = market.token_texts.iter().zip(&spec.outcomes);
    ClobMarket {
        condition_id: market.condition.to_string(),
        tokens: tokens
            .map(|(token, outcome)| Some(ClobToken { token_id: Text::from(token.as_str()), outcome: outcome.clone() }))
            .collect(),
        min_tick_size: Number::of(market.tick),
        min_order_size: Number::of(spec.min_size),
        neg_risk: market.neg_risk(),
        fee_details: (fee.rate.as_str() != "0").then_some(fee),
        maker_base_fee: Number::of(0),
        taker_base_fee: Number::of(0),
        rewards: None,
        accepting_orders: Some(market.accepts_orders()),
        accepting_orders_time: Some(iso(market.listed_s)),
        seconds_delay: Number::of(spec.seconds_delay),
        taker_delay_enabled: spec.taker_delay_ms > 0,
        game_start_time: spec.game_start_s.map(iso),
        clear_book_on_start: spec.clear_on_start,
        rfq_enabled: false,
        internal_flag: None,
        min_order_age_s: None,
    }
}

/// One page of the markets that are wanted.
fn page<T: Serialize>(
    app: &App,
    params: &Params,
    wanted: impl Fn(&Market) -> bool,
    shape: impl Fn(&Market) -> T,
) -> Reply {
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let markets: Vec<&Market> = desk.session.core.markets().iter().filter(|market| wanted(market)).collect();
        let limit = desk.settings.page;
        let page = cursor::page(params.get("next_cursor"), markets.len(), limit)
            .map_err(|_| Fault::bad("invalid next_cursor"))?;
        let data: Vec<T> = markets.iter().take(page.end).skip(page.start).map(|market| shape(market)).collect();
        Ok(json(&Page::of(data, limit, page.next)))
    })
}

async fn markets(State(app): State<Arc<App>>, params: Params) -> Reply {
    page(&app, &params, |_| true, full)
}

async fn simplified(State(app): State<Arc<App>>, params: Params) -> Reply {
    page(&app, &params, |_| true, brief)
}

/// Markets with liquidity rewards.
async fn sampling(State(app): State<Arc<App>>, params: Params) -> Reply {
    page(&app, &params, |market| market.spec.rewards.is_some(), full)
}

async fn sampling_simplified(State(app): State<Arc<App>>, params: Params) -> Reply {
    page(&app, &params, |market| market.spec.rewards.is_some(), brief)
}

fn by_condition<'d>(desk: &'d Desk, text: &str) -> Result<&'d Market, Fault> {
    let condition = ConditionId::parse(&text.to_ascii_lowercase()).ok();
    condition.and_then(|id| desk.session.core.market_by_condition(&id)).ok_or_else(|| Fault::missing(NO_MARKET))
}

async fn market(State(app): State<Arc<App>>, Segment(condition): Segment) -> Reply {
    app.with(|desk, _| Ok(json(&full(by_condition(desk, &condition)?))))
}

async fn clob_market(State(app): State<Arc<App>>, Segment(condition): Segment) -> Reply {
    app.with(|desk, _| Ok(json(&compact(by_condition(desk, &condition)?))))
}

async fn by_token(State(app): State<Arc<App>>, Segment(token): Segment) -> Reply {
    let token = TokenId::parse(&token).map_err(|_| Fault::bad("Invalid token id"))?;
    app.with(|desk, _| {
        let asset = desk.session.core.asset(&token);
        let market = asset.and_then(|asset| desk.session.core.market(asset.market()));
        let market = market.ok_or_else(|| Fault::missing(NO_MARKET))?;
        Ok(json(&MarketByToken {
            condition_id: market.condition.to_string(),
            primary_token_id: Text::from(market.token_texts[0].as_str()),
            secondary_token_id: Text::from(market.token_texts[1].as_str()),
        }))
    })
}

/// What was traded lately in a market.
async fn activity(State(app): State<Arc<App>>, Segment(condition): Segment) -> Reply {
    app.with(|desk, _| {
        let market = by_condition(desk, &condition)?;
        let trades: Vec<_> = desk.history.prints(market.id).map(|print| {
            value!({
                "event_type": "trade",
                "market": { "condition_id": market.condition.as_str(), "asset_id": market.token_texts[print.outcome.index()],
                            "question": market.spec.question, "slug": market.spec.slug },
                "side": print.side.as_str(),
                "size": print.size.to_string(),
                "price": print.price.to_string(),
                "outcome": market.spec.outcomes[print.outcome.index()],
                "outcome_index": print.outcome.index(),
                "timestamp": (print.at_ms / 1_000).to_string(),
            })
        })
        .collect();
        Ok(json(&trades))
    })
}
