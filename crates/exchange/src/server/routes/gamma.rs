//! Gamma, the catalogue, under `/gamma/` (protocol section 10.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use oddsmith_domain::{Outcome, Price, RewardTerms, Side, Usdc};
use oddsmith_polymarket::wire::{
    ClobReward, CryptoMarketConfig, EventMetadata, FeeScheduleJson, GammaEvent, GammaMarket, Number, StringList, Text,
};
use serde_json::{Value, json as value};

use super::markets::{COLLATERAL, group_id, in_cents};
use super::prices::{last_price, value_of};
use super::time::{iso, parse};
use crate::core::{Market, MarketSpec, MarketState};
use crate::server::app::{App, Desk};
use crate::server::cursor;
use crate::server::extract::{Params, Segment};
use crate::server::reply::{Fault, Reply, json};

/// Entries of a keyset page.
const MOST_KEYSET: usize = 100;
/// Entries of an offset page.
const MOST_OFFSET: usize = 500;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(status))
        .route("/status", get(status))
        .route("/markets", get(markets))
        .route("/markets/keyset", get(markets_keyset))
        .route("/markets/{id}", get(market))
        .route("/markets/{id}/tags", get(market_tags))
        .route("/markets/slug/{slug}", get(market_by_slug))
        .route("/events", get(events))
        .route("/events/keyset", get(events_keyset))
        .route("/events/{id}", get(event))
        .route("/events/{id}/tags", get(event_tags))
        .route("/events/slug/{slug}", get(event_by_slug))
        .route("/tags", get(tags))
        .route("/tags/{id}", get(tag))
        .route("/tags/slug/{slug}", get(tag_by_slug))
        .route("/series", get(nothing))
        .route("/sports", get(nothing))
        .route("/sports/market-types", get(market_types))
        .route("/teams", get(nothing))
        .route("/comments", get(nothing))
        .route("/public-search", get(search))
}

/// The Rust client reads this as a text, not as JSON.
async fn status() -> &'static str {
    "OK"
}

/// The local exchange has no series, sports, teams and comments.
async fn nothing() -> Response {
    json(&Vec::<Value>::new())
}

async fn market_types() -> Response {
    json(&value!({ "marketTypes": [] }))
}

fn price_number(price: Option<Price>) -> Number {
    price.map(Number::of).unwrap_or_default()
}

/// What rests in a market's book, in dollars.
fn liquidity(market: &Market) -> Usdc {
    let bids = market.levels(Outcome::Yes, Side::Buy).map(|(price, size)| size.cost_floor(price));
    let asks = market.levels(Outcome::No, Side::Buy).map(|(price, size)| size.cost_floor(price));
    bids.chain(asks).sum()
}

fn describe(market: &Market) -> GammaMarket {
    let spec = &market.spec;
    let closed = matches!(market.state, MarketState::Resolved(_));
    let yes = market.id.asset(Outcome::Yes);
    let (bid, ask) = (market.best(Outcome::Yes, Side::Buy), market.best(Outcome::Yes, Side::Sell));
    let spread = match (bid, ask) {
        (Some(bid), Some(ask)) => Price::from_units(ask.units().saturating_sub(bid.units())),
        _ => None,
    };
    let charges = spec.fee.rate_micro() > 0;
    let prices = Outcome::BOTH.map(|outcome| value_of(market, market.id.asset(outcome)).to_string());
    GammaMarket {
        id: Text::from(market.gamma_id.as_str()),
        version: Some(if market.is_position() { "v2" } else { "v1" }.to_owned()),
        question: spec.question.clone(),
        condition_id: market.condition.to_string(),
        question_id: market.question_id.to_string(),
        slug: spec.slug.clone(),
        description: Some(spec.description.clone()),
        resolution_source: Some(spec.resolution_source.clone()),
        outcomes: StringList(spec.outcomes.to_vec()),
        outcome_prices: StringList(prices.to_vec()),
        clob_token_ids: StringList(market.token_texts.to_vec()),
        position_ids: market.is_position().then(|| market.token_texts.iter().map(|t| Text::from(t.as_str())).collect()),
        active: true,
        closed,
        archived: false,
        accepting_orders: market.accepts_orders(),
        accepting_orders_timestamp: Some(iso(market.listed_s)),
        enable_order_book: true,
        neg_risk: market.neg_risk(),
        neg_risk_market_id: spec.neg_risk_group.as_deref().map(group_id),
        neg_risk_request_id: None,
        start_date: Some(iso(spec.start_s.unwrap_or(market.listed_s))),
        end_date: spec.end_s.map(iso),
        closed_time: market.closed_s.map(iso),
        order_min_size: Number::of(spec.min_size),
        order_price_min_tick_size: Number::of(market.tick),
        seconds_delay: Number::of(spec.seconds_delay),
        fees_enabled: Some(charges),
        fee_type: charges.then(|| spec.fee_type.clone()),
        fee_schedule: charges.then(|| FeeScheduleJson {
            exponent: Number::of(spec.fee.exponent()),
            rate: Number::of(Usdc::from_micros(i64::from(spec.fee.rate_micro()))),
            taker_only: spec.fee.taker_only,
            rebate_rate: Number::of(0),
        }),
        best_bid: price_number(bid),
        best_ask: price_number(ask),
        last_trade_price: price_number(last_price(market, yes)),
        spread: price_number(spread),
        volume_num: Number::of(market.volume),
        volume24hr: Number::of(market.volume),
        liquidity_num: Number::of(liquidity(market)),
        rewards_min_size: spec.rewards.map_or_else(|| Number::of(0), |terms| Number::of(terms.min_size)),
        rewards_max_spread: spec.rewards.map_or_else(|| Number::of(0), |terms| in_cents(terms.max_spread)),
        clob_rewards: spec.rewards.iter().map(|terms| clob_reward(market, terms)).collect(),
        uma_resolution_status: closed.then(|| "resolved".to_owned()),
        resolved_by: None,
        game_start_time: spec.game_start_s.map(iso),
        event_start_time: spec.start_s.map(iso),
        group_item_title: (!spec.group_item_title.is_empty()).then(|| spec.group_item_title.clone()),
        crypto_market_config: market.average().map(|(twap_enabled, seconds)| CryptoMarketConfig {
            twap_enabled,
            twap_lookback_seconds: Number::of(seconds.unwrap_or(0)),
        }),
        // Shown with the market alone, by the whole event.
        events: Vec::new(),
        tags: Vec::new(),
    }
}

fn clob_reward(market: &Market, terms: &RewardTerms) -> ClobReward {
    let day = |at_s: u64| Some(iso(at_s).chars().take(10).collect());
    ClobReward {
        id: Text::from(market.gamma_id.as_str()),
        condition_id: market.condition.to_string(),
        asset_address: COLLATERAL.to_owned(),
        rewards_amount: Number::of(0),
        rewards_daily_rate: Number::of(terms.daily),
        start_date: day(market.listed_s),
        end_date: market.spec.end_s.and_then(day),
    }
}

/// The series of an event of windows: their name without the time at which one begins.
fn series(spec: &MarketSpec) -> Vec<Value> {
    let window = spec
        .event_slug
        .rsplit_once('-')
        .filter(|(name, start)| name.contains("-updown-") && start.bytes().all(|b| b.is_ascii_digit()));
    let shown = |(name, _): (&str, &str)| value!({ "id": name, "ticker": name, "slug": name, "title": name, "seriesType": "single", "active": true, "closed": false });
    window.map(shown).into_iter().collect()
}

/// The number of a tag, as text: tags are numbered in alphabetical order of all that there are.
fn tag_json(desk: &Desk, label: &str) -> Value {
    let id = all_tags(desk).iter().position(|tag| tag == label).map_or(0, |index| index + 1);
    value!({ "id": id.to_string(), "label": label, "slug": label.to_ascii_lowercase().replace(' ', "-") })
}

fn all_tags(desk: &Desk) -> Vec<String> {
    let mut all: Vec<String> = desk.session.core.markets().iter().flat_map(|market| market.spec.tags.clone()).collect();
    all.sort();
    all.dedup();
    all
}

/// A market as Gamma shows it alone: with its event and tags.
fn market_json(desk: &Desk, market: &Market) -> Value {
    let mut shown = value!(describe(market));
    let mut event = event_head(desk, &[market]);
    if let Some(price) = &market.price_to_beat {
        event["eventMetadata"] = value!(EventMetadata { price_to_beat: Number::of(price), ..EventMetadata::default() });
    }
    shown["events"] = value!([event]);
    shown["tags"] = tags_json(desk, &market.spec.tags);
    if let Some(ms) = Some(market.spec.taker_delay_ms).filter(|ms| *ms > 0) {
        shown["takerDelayMs"] = value!(ms);
    }
    shown["clearBookOnStart"] = value!(market.spec.clear_on_start);
    shown
}

fn tags_json(desk: &Desk, tags: &[String]) -> Value {
    tags.iter().map(|tag| tag_json(desk, tag)).collect()
}

/// An event without its markets.
fn event_head(desk: &Desk, markets: &[&Market]) -> Value {
    let Some(first) = markets.first() else { return Value::Null };
    let spec = &first.spec;
    let closed = markets.iter().all(|market| matches!(market.state, MarketState::Resolved(_)));
    let event = GammaEvent {
        id: Text::from(first.event_id.as_str()),
        slug: spec.event_slug.clone(),
        title: spec.event_title.clone(),
        active: true,
        closed,
        archived: false,
        neg_risk: first.neg_risk(),
        neg_risk_market_id: spec.neg_risk_group.as_deref().map(group_id),
        enable_neg_risk: first.neg_risk(),
        neg_risk_augmented: false,
        start_date: Some(iso(spec.start_s.unwrap_or(first.listed_s))),
        end_date: markets.iter().filter_map(|market| market.spec.end_s).max().map(iso),
        markets: Vec::new(),
    };
    let mut shown = value!(event);
    shown["ticker"] = value!(spec.event_slug);
    shown["tags"] = tags_json(desk, &spec.tags);
    shown["series"] = value!(series(spec));
    shown["volume"] = value!(Number::of(markets.iter().map(|market| market.volume).sum::<Usdc>()));
    shown
}

fn event_json(desk: &Desk, markets: &[&Market]) -> Value {
    let mut shown = event_head(desk, markets);
    shown["markets"] = markets.iter().map(|market| value!(describe(market))).collect();
    shown
}

/// The markets of each event, in the order of listing.
fn events_of<'d>(markets: &[&'d Market]) -> Vec<Vec<&'d Market>> {
    let mut order: Vec<Vec<&Market>> = Vec::new();
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    for market in markets {
        let index = *place.entry(market.event_id.as_str()).or_insert_with(|| {
            order.push(Vec::new());
            order.len() - 1
        });
        if let Some(event) = order.get_mut(index) {
            event.push(market);
        }
    }
    order
}

/// Whether a value is among those that a field of the query names; a field that is absent names all.
fn among(params: &Params, field: &str, is: impl Fn(&str) -> bool) -> bool {
    let mut named = params.all(field).peekable();
    named.peek().is_none() || named.any(is)
}

fn within(params: &Params, field: &str, at_s: Option<u64>) -> bool {
    let bound = |end: &str| params.get(&format!("{field}_{end}")).and_then(parse);
    let from = bound("min").is_none_or(|from| at_s.is_some_and(|at| at >= from));
    from && bound("max").is_none_or(|to| at_s.is_some_and(|at| at <= to))
}

fn amount_within(params: &Params, field: &str, amount: Usdc) -> bool {
    let bound = |end: &str| params.get(&format!("{field}_{end}")).and_then(|text| text.parse::<Usdc>().ok());
    bound("min").is_none_or(|from| amount >= from) && bound("max").is_none_or(|to| amount <= to)
}

/// Whether a market passes the query's filters. Closed ones are left out unless they are asked for.
fn passes(desk: &Desk, params: &Params, market: &Market) -> bool {
    let spec = &market.spec;
    let closed = matches!(market.state, MarketState::Resolved(_));
    let tag = |id: &str| spec.tags.iter().any(|tag| tag_json(desk, tag)["id"] == id);
    let status = if closed { "resolved" } else { "" };
    closed == params.flag("closed").unwrap_or(false)
        && params.flag("active").is_none_or(|active| active)
        && params.flag("archived").is_none_or(|archived| !archived)
        && among(params, "id", |id| id == market.gamma_id)
        && among(params, "slug", |slug| slug == spec.slug)
        && among(params, "condition_ids", |id| id.eq_ignore_ascii_case(market.condition.as_str()))
        && among(params, "question_ids", |id| id.eq_ignore_ascii_case(market.question_id.as_str()))
        && among(params, "clob_token_ids", |id| market.token_texts.iter().any(|token| token == id))
        && among(params, "position_ids", |id| market.is_position() && market.token_texts.iter().any(|t| t == id))
        && among(params, "tag_id", tag)
        && among(params, "version", |version| (version == "v2") == market.is_position())
        && params.get("resolution_status").is_none_or(|wanted| wanted == status)
        && params.get("uma_resolution_status").is_none_or(|wanted| wanted == status)
        && within(params, "end_date", spec.end_s)
        && within(params, "start_date", Some(spec.start_s.unwrap_or(market.listed_s)))
        && amount_within(params, "volume_num", market.volume)
        && amount_within(params, "liquidity_num", liquidity(market))
}

/// Sorts by the field that the query names; by listing otherwise.
fn sorted<'d>(params: &Params, mut markets: Vec<&'d Market>) -> Vec<&'d Market> {
    match params.get("order") {
        Some("volume" | "volumeNum" | "volume24hr" | "volume_num") => markets.sort_by_key(|market| market.volume),
        Some("liquidity" | "liquidityNum" | "liquidity_num") => markets.sort_by_key(|market| liquidity(market)),
        Some("endDate" | "end_date") => markets.sort_by_key(|market| market.spec.end_s),
        Some("startDate" | "start_date") => markets.sort_by_key(|m| m.spec.start_s.unwrap_or(m.listed_s)),
        Some("slug") => markets.sort_by(|a, b| a.spec.slug.cmp(&b.spec.slug)),
        _ => {}
    }
    if params.flag("ascending") == Some(false) {
        markets.reverse();
    }
    markets
}

fn chosen<'d>(desk: &'d Desk, params: &Params) -> Vec<&'d Market> {
    sorted(params, desk.session.core.markets().iter().filter(|market| passes(desk, params, market)).collect())
}

/// The events that pass: filters by id and slug are of the event itself, the others of any of its markets.
fn chosen_events<'d>(desk: &'d Desk, params: &Params) -> Vec<Vec<&'d Market>> {
    let all: Vec<&Market> = desk.session.core.markets().iter().collect();
    let without = params.without(&["id", "slug"]);
    let mut events: Vec<Vec<&Market>> = events_of(&all)
        .into_iter()
        .filter(|markets| markets.iter().any(|market| passes(desk, &without, market)))
        .filter(|markets| {
            markets.first().is_some_and(|first| {
                among(params, "id", |id| id == first.event_id)
                    && among(params, "slug", |slug| slug == first.spec.event_slug)
            })
        })
        .collect();
    if params.flag("ascending") == Some(false) {
        events.reverse();
    }
    events
}

/// One page by limit and offset.
fn offset_page(params: &Params, all: Vec<Value>) -> Reply {
    let bad = "invalid pagination";
    let limit = params.number("limit", bad)?.unwrap_or(20).min(MOST_OFFSET as u64) as usize;
    let offset = params.number("offset", bad)?.unwrap_or(0);
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    Ok(json(&all.into_iter().skip(offset).take(limit).collect::<Vec<_>>()))
}

/// One page by cursor; the last one has none.
fn keyset_page(params: &Params, name: &str, all: Vec<Value>) -> Reply {
    let limit = params.number("limit", "invalid limit")?.unwrap_or(20);
    if limit == 0 || limit > MOST_KEYSET as u64 {
        return Err(Fault::bad(format!("limit must be between 1 and {MOST_KEYSET}")));
    }
    let page = cursor::page(params.get("after_cursor"), all.len(), limit as usize)
        .map_err(|_| Fault::bad("invalid after_cursor"))?;
    let shown: Vec<Value> = all.into_iter().take(page.end).skip(page.start).collect();
    let mut body = value!({ name: shown });
    if page.next != cursor::END {
        body["next_cursor"] = value!(page.next);
    }
    Ok(json(&body))
}

fn market_list(desk: &Desk, params: &Params) -> Vec<Value> {
    chosen(desk, params).into_iter().map(|market| market_json(desk, market)).collect()
}

fn event_list(desk: &Desk, params: &Params) -> Vec<Value> {
    chosen_events(desk, params).into_iter().map(|markets| event_json(desk, &markets)).collect()
}

async fn markets(State(app): State<Arc<App>>, params: Params) -> Reply {
    app.with(|desk, _| offset_page(&params, market_list(desk, &params)))
}

async fn markets_keyset(State(app): State<Arc<App>>, params: Params) -> Reply {
    app.with(|desk, _| keyset_page(&params, "markets", market_list(desk, &params)))
}

async fn events(State(app): State<Arc<App>>, params: Params) -> Reply {
    app.with(|desk, _| offset_page(&params, event_list(desk, &params)))
}

async fn events_keyset(State(app): State<Arc<App>>, params: Params) -> Reply {
    app.with(|desk, _| keyset_page(&params, "events", event_list(desk, &params)))
}

fn one_market<T>(app: &App, is: impl Fn(&Market) -> bool, show: impl Fn(&Desk, &Market) -> T) -> Result<T, Fault> {
    app.with(|desk, _| {
        let market = desk.session.core.markets().iter().find(|market| is(market));
        Ok(show(desk, market.ok_or_else(|| Fault::missing("market not found"))?))
    })
}

async fn market(State(app): State<Arc<App>>, Segment(id): Segment) -> Reply {
    one_market(&app, |market| market.gamma_id == id, |desk, market| json(&market_json(desk, market)))
}

async fn market_by_slug(State(app): State<Arc<App>>, Segment(slug): Segment) -> Reply {
    one_market(&app, |market| market.spec.slug == slug, |desk, market| json(&market_json(desk, market)))
}

async fn market_tags(State(app): State<Arc<App>>, Segment(id): Segment) -> Reply {
    one_market(&app, |market| market.gamma_id == id, |desk, market| json(&tags_json(desk, &market.spec.tags)))
}

fn one_event(app: &App, is: impl Fn(&Market) -> bool, show: impl Fn(&Desk, &[&Market]) -> Value) -> Reply {
    app.with(|desk, _| {
        let markets: Vec<&Market> = desk.session.core.markets().iter().filter(|market| is(market)).collect();
        if markets.is_empty() {
            return Err(Fault::missing("event not found"));
        }
        Ok(json(&show(desk, &markets)))
    })
}

async fn event(State(app): State<Arc<App>>, Segment(id): Segment) -> Reply {
    one_event(&app, |market| market.event_id == id, event_json)
}

async fn event_by_slug(State(app): State<Arc<App>>, Segment(slug): Segment) -> Reply {
    one_event(&app, |market| market.spec.event_slug == slug, event_json)
}

async fn event_tags(State(app): State<Arc<App>>, Segment(id): Segment) -> Reply {
    let tags = |desk: &Desk, markets: &[&Market]| {
        markets.first().map_or(Value::Null, |market| tags_json(desk, &market.spec.tags))
    };
    one_event(&app, |market| market.event_id == id, tags)
}

async fn tags(State(app): State<Arc<App>>, params: Params) -> Reply {
    app.with(|desk, _| offset_page(&params, all_tags(desk).iter().map(|tag| tag_json(desk, tag)).collect()))
}

fn one_tag(app: &App, field: &str, wanted: &str) -> Reply {
    app.with(|desk, _| {
        let mut shown = all_tags(desk).into_iter().map(|tag| tag_json(desk, &tag));
        let tag = shown.find(|tag| tag[field] == wanted).ok_or_else(|| Fault::missing("tag not found"))?;
        Ok(json(&tag))
    })
}

async fn tag(State(app): State<Arc<App>>, Segment(id): Segment) -> Reply {
    one_tag(&app, "id", &id)
}

async fn tag_by_slug(State(app): State<Arc<App>>, Segment(slug): Segment) -> Reply {
    one_tag(&app, "slug", &slug)
}

/// Events whose words contain the searched ones.
async fn search(State(app): State<Arc<App>>, params: Params) -> Reply {
    let wanted = params.get("q").unwrap_or_default().to_lowercase();
    app.with(|desk, _| {
        let all: Vec<&Market> = desk.session.core.markets().iter().collect();
        let says = |market: &&Market| {
            let spec = &market.spec;
            [&spec.slug, &spec.question, &spec.event_title].iter().any(|text| text.to_lowercase().contains(&wanted))
        };
        let events: Vec<Value> = events_of(&all)
            .into_iter()
            .filter(|markets| !wanted.is_empty() && markets.iter().any(says))
            .map(|markets| event_json(desk, &markets))
            .collect();
        let total = events.len();
        Ok(json(&value!({
            "events": events, "tags": [], "profiles": [],
            "pagination": { "hasMore": false, "totalResults": total },
        })))
    })
}
