//! `/control/…`: what no venue has. Faults, and the doings of operators and of the chain, so that tests need not wait for
//! them. Everything here is a POST with a JSON body, except `GET /control`, which lists it all and shows the state.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use oddsmith_domain::{Address, ConditionId, ExchangeKind, MarketId, Price, Shares, Tick, Usdc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json as value};

use crate::core::{AccountId, ActionError, Allowance, MarketSpec, Mode, Settlement, Tier};
use crate::server::app::{App, Desk};
use crate::server::extract::Raw;
use crate::server::faults::{Channel, FrameFaults};
use crate::server::reply::{Fault, Reply, json};

const SECOND: u64 = 1_000_000_000;

/// Path, body and meaning of everything here.
const HELP: [(&str, &str, &str); 24] = [
    ("mode", r#"{"mode":"normal|post_only|cancel_only|disabled|restarting","seconds":N}"#, "what the exchange takes"),
    ("markets", r#"{"slug":"…","question":"…","tick":"0.01","kind":"ctf|neg_risk|position"}"#, "lists a market"),
    ("markets/SLUG/resolve", r#"{"yes":"1"}"#, "decides it: 1, 0 or 0.5"),
    ("markets/SLUG/tick", r#"{"tick":"0.001"}"#, "makes its grid finer"),
    ("markets/SLUG/pause", r#"{"paused":true}"#, "stops or resumes the taking of orders"),
    ("markets/SLUG/shock", r#"{"to":"0.8"}"#, "makes the value that the simulated traders see jump"),
    ("split", r#"{"address":"0x…","market":"SLUG","amount":"10"}"#, "collateral into both tokens"),
    ("merge", r#"{"address":"0x…","market":"SLUG","amount":"10"}"#, "both tokens into collateral"),
    ("redeem", r#"{"address":"0x…","market":"SLUG"}"#, "tokens of a decided market into collateral"),
    ("convert", r#"{"address":"0x…","markets":["SLUG"],"amount":"10"}"#, "neg-risk NO tokens into YES of the others"),
    ("transfer", r#"{"from":"0x…","to":"0x…","amount":"10"}"#, "moves collateral"),
    ("allowance", r#"{"address":"0x…","exchange":"ctf","collateral":"10"|null,"tokens":true}"#, "changes approvals"),
    ("restrict", r#"{"address":"0x…","banned":false,"closed_only":true}"#, "bans, or lets only reduce"),
    ("phantom-lock", r#"{"address":"0x…","amount":"10"}"#, "locks collateral for no reason"),
    ("tier", r#"{"address":"0x…","tier":"elite"}"#, "rate tier of a signer"),
    ("settlements", r#"{"next":["retry_then_fail","late"]}"#, "what becomes of the next matches"),
    ("delay", r#"{"ms":200}"#, "every request waits"),
    ("freeze-http", r#"{"frozen":true}"#, "requests hang until thawed"),
    ("freeze-socket", r#"{"channel":"market|user","frozen":true}"#, "no data, but PONG"),
    ("disconnect", r#"{"channel":"market|user"}"#, "closes every connection of a channel"),
    ("refuse-connections", r#"{"refuse":true}"#, "closes new connections at once"),
    ("frames", r#"{"channel":"market","drop":1,"duplicate":1,"reorder":1}"#, "spoils the next frames"),
    ("skip-snapshots", r#"{"count":1}"#, "the next initial books are not sent"),
    ("lose-answers", r#"{"count":1}"#, "the next orders and cancels are done, but not answered"),
];

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(overview))
        .route("/mode", post(mode))
        .route("/markets", post(list_market))
        .route("/markets/{slug}/resolve", post(resolve))
        .route("/markets/{slug}/tick", post(tick))
        .route("/markets/{slug}/pause", post(pause))
        .route("/markets/{slug}/shock", post(shock))
        .route("/split", post(split))
        .route("/merge", post(merge))
        .route("/redeem", post(redeem))
        .route("/convert", post(convert))
        .route("/transfer", post(transfer))
        .route("/allowance", post(allowance))
        .route("/restrict", post(restrict))
        .route("/phantom-lock", post(phantom_lock))
        .route("/tier", post(tier))
        .route("/settlements", post(settlements))
        .merge(transport())
}

fn transport() -> Router<Arc<App>> {
    Router::new()
        .route("/delay", post(delay))
        .route("/freeze-http", post(freeze_http))
        .route("/freeze-socket", post(freeze_socket))
        .route("/disconnect", post(disconnect))
        .route("/refuse-connections", post(refuse_connections))
        .route("/frames", post(frames))
        .route("/skip-snapshots", post(skip_snapshots))
        .route("/lose-answers", post(lose_answers))
}

async fn overview(State(app): State<Arc<App>>) -> Response {
    let commands: Vec<Value> =
        HELP.iter().map(|(path, body, does)| value!({ "path": path, "body": body, "does": does })).collect();
    let (mode, sockets) = app.with(|desk, _| (format!("{:?}", desk.core.mode()), desk.hub.counts()));
    json(&value!({
        "mode": mode,
        "market_connections": sockets.0,
        "user_connections": sockets.1,
        "faults": app.faults.state(),
        "commands": commands,
    }))
}

/// Reads a command; here, errors may say what is wrong.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(if body.is_empty() { b"{}" } else { body }).map_err(|error| Fault::bad(error.to_string()))
}

fn done() -> Reply {
    Ok(json(&value!({ "ok": true })))
}

fn market(desk: &Desk, name: &str) -> Result<MarketId, Fault> {
    let by_slug = desk.core.market_by_slug(name);
    let by_condition = || desk.core.market_by_condition(&ConditionId::parse(name).ok()?);
    by_slug.or_else(by_condition).map(|market| market.id).ok_or_else(|| Fault::missing("market not found"))
}

fn account(desk: &Desk, address: Address) -> Result<AccountId, Fault> {
    desk.core.account_at(&address).ok_or_else(|| Fault::missing("account not found"))
}

fn acted<T>(result: Result<T, ActionError>) -> Result<T, Fault> {
    result.map_err(|error| Fault::new(StatusCode::CONFLICT, error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModeBody {
    mode: String,
    seconds: Option<u64>,
    post_only_seconds: Option<u64>,
}

async fn mode(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let ModeBody { mode, seconds, post_only_seconds } = read(&body)?;
    app.with(|desk, now| {
        let until = |seconds: u64| now.saturating_add(seconds.saturating_mul(SECOND));
        let mode = match mode.as_str() {
            "normal" => Mode::Normal,
            "post_only" => Mode::PostOnly { until_ns: seconds.map(until) },
            "cancel_only" => Mode::CancelOnly,
            "disabled" => Mode::Disabled,
            "restarting" => Mode::Restarting {
                until_ns: until(seconds.unwrap_or(90)),
                post_only_ns: post_only_seconds.unwrap_or(120).saturating_mul(SECOND),
            },
            _ => return Err(Fault::bad("mode: normal, post_only, cancel_only, disabled or restarting")),
        };
        desk.core.set_mode(mode, now);
        done()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MarketBody {
    slug: String,
    question: Option<String>,
    tick: Option<Tick>,
    kind: Option<ExchangeKind>,
    min_size: Option<Shares>,
}

async fn list_market(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let wanted: MarketBody = read(&body)?;
    app.with(|desk, now| {
        if desk.core.market_by_slug(&wanted.slug).is_some() {
            return Err(Fault::new(StatusCode::CONFLICT, "there is a market of that slug"));
        }
        let question = wanted.question.unwrap_or_else(|| wanted.slug.clone());
        let mut spec = MarketSpec::ordinary(&wanted.slug, &question);
        spec.tick = wanted.tick.unwrap_or(spec.tick);
        spec.kind = wanted.kind.unwrap_or(spec.kind);
        spec.min_size = wanted.min_size.unwrap_or(spec.min_size);
        let id = desk.core.list_market(spec, now);
        let market = desk.core.market(id).ok_or_else(|| Fault::missing("market not found"))?;
        Ok(json(&crate::server::info::market(market)))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    yes: Price,
}

async fn resolve(State(app): State<Arc<App>>, Path(slug): Path<String>, Raw(body): Raw) -> Reply {
    let ResolveBody { yes } = read(&body)?;
    app.with(|desk, now| {
        let market = market(desk, &slug)?;
        desk.core.resolve(market, yes, now);
        done()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TickBody {
    tick: Tick,
}

async fn tick(State(app): State<Arc<App>>, Path(slug): Path<String>, Raw(body): Raw) -> Reply {
    let TickBody { tick } = read(&body)?;
    app.with(|desk, now| {
        let market = market(desk, &slug)?;
        desk.core.change_tick(market, tick, now);
        done()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseBody {
    paused: bool,
}

async fn pause(State(app): State<Arc<App>>, Path(slug): Path<String>, Raw(body): Raw) -> Reply {
    let PauseBody { paused } = read(&body)?;
    app.with(|desk, _| {
        let market = market(desk, &slug)?;
        desk.core.pause_market(market, paused);
        done()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShockBody {
    to: Price,
}

async fn shock(State(app): State<Arc<App>>, Path(slug): Path<String>, Raw(body): Raw) -> Reply {
    let ShockBody { to } = read(&body)?;
    app.with(|desk, _| {
        let market = market(desk, &slug)?;
        desk.world.shock(market, to.to_f64());
        done()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainBody {
    address: Address,
    market: String,
    #[serde(default)]
    amount: Usdc,
}

async fn split(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let ChainBody { address, market: name, amount } = read(&body)?;
    app.with(|desk, now| {
        let (holder, market) = (account(desk, address)?, market(desk, &name)?);
        acted(desk.core.split(holder, market, amount, now))?;
        done()
    })
}

async fn merge(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let ChainBody { address, market: name, amount } = read(&body)?;
    app.with(|desk, now| {
        let (holder, market) = (account(desk, address)?, market(desk, &name)?);
        acted(desk.core.merge(holder, market, Shares::from_micros(amount.micros()), now))?;
        done()
    })
}

async fn redeem(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let ChainBody { address, market: name, .. } = read(&body)?;
    app.with(|desk, now| {
        let (holder, market) = (account(desk, address)?, market(desk, &name)?);
        let paid = acted(desk.core.redeem(holder, market, now))?;
        Ok(json(&value!({ "ok": true, "paid": paid.to_string() })))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConvertBody {
    address: Address,
    markets: Vec<String>,
    amount: Shares,
}

async fn convert(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let ConvertBody { address, markets, amount } = read(&body)?;
    app.with(|desk, now| {
        let holder = account(desk, address)?;
        let markets: Vec<MarketId> = markets.iter().map(|name| market(desk, name)).collect::<Result<_, _>>()?;
        acted(desk.core.convert(holder, &markets, amount, now))?;
        done()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferBody {
    from: Address,
    to: Address,
    amount: Usdc,
}

async fn transfer(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let TransferBody { from, to, amount } = read(&body)?;
    app.with(|desk, now| {
        let from = account(desk, from)?;
        acted(desk.core.transfer(from, to, amount, now))?;
        done()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowanceBody {
    address: Address,
    exchange: ExchangeKind,
    collateral: Option<Usdc>,
    tokens: bool,
}

async fn allowance(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let AllowanceBody { address, exchange, collateral, tokens } = read(&body)?;
    app.with(|desk, now| {
        let holder = account(desk, address)?;
        desk.core.set_allowance(holder, exchange, Allowance { collateral, tokens }, now);
        done()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestrictBody {
    address: Address,
    #[serde(default)]
    banned: bool,
    #[serde(default)]
    closed_only: bool,
}

async fn restrict(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let RestrictBody { address, banned, closed_only } = read(&body)?;
    app.with(|desk, _| desk.core.restrict(address, banned, closed_only));
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockBody {
    address: Address,
    amount: Usdc,
}

async fn phantom_lock(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let LockBody { address, amount } = read(&body)?;
    app.with(|desk, _| {
        let holder = account(desk, address)?;
        desk.core.set_phantom_lock(holder, amount);
        done()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierBody {
    address: Address,
    tier: Tier,
}

async fn tier(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let TierBody { address, tier } = read(&body)?;
    app.with(|desk, _| desk.core.set_tier(address, tier));
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettlementsBody {
    next: Vec<Settlement>,
}

async fn settlements(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let SettlementsBody { next } = read(&body)?;
    app.with(|desk, _| desk.core.script_settlements(next));
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DelayBody {
    ms: u64,
}

async fn delay(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let DelayBody { ms } = read(&body)?;
    app.faults.set_delay_ms(ms);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FreezeBody {
    channel: Option<Channel>,
    frozen: bool,
}

async fn freeze_http(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let FreezeBody { frozen, .. } = read(&body)?;
    app.faults.freeze_http(frozen);
    done()
}

async fn freeze_socket(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let FreezeBody { channel, frozen } = read(&body)?;
    for channel in channel.map_or(vec![Channel::Market, Channel::User], |channel| vec![channel]) {
        app.faults.freeze_channel(channel, frozen);
    }
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelBody {
    channel: Option<Channel>,
}

async fn disconnect(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let ChannelBody { channel } = read(&body)?;
    let channels = channel.map_or(vec![Channel::Market, Channel::User], |channel| vec![channel]);
    let kicked: usize = app.with(|desk, _| channels.into_iter().map(|channel| desk.hub.kick(channel)).sum());
    Ok(json(&value!({ "ok": true, "disconnected": kicked })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefuseBody {
    refuse: bool,
}

async fn refuse_connections(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let RefuseBody { refuse } = read(&body)?;
    app.faults.refuse_connections(refuse);
    done()
}

#[derive(Deserialize)]
struct FramesBody {
    channel: Channel,
    #[serde(flatten)]
    faults: FrameFaults,
}

async fn frames(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let FramesBody { channel, faults } = read(&body)?;
    app.faults.set_frames(channel, faults);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountBody {
    count: u64,
}

async fn skip_snapshots(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let CountBody { count } = read(&body)?;
    app.faults.skip_snapshots(count);
    done()
}

async fn lose_answers(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let CountBody { count } = read(&body)?;
    app.faults.lose_answers(count);
    done()
}
