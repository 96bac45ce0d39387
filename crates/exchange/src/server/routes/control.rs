//! `/control/…`: what no venue has. Faults, and the doings of operators and of the chain, so that tests need not wait for
//! them. Everything here is a POST with a JSON body, except `GET /control`, which lists it all and shows
//! the state, and `GET /control/account/ADDRESS`.
//! `/control/faults` takes any fault of a scenario file (see [`crate::scenario::Fault`]).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use oddsmith_domain::{Address, AssetId, ConditionId, ExchangeKind, MarketId, Shares, Usdc};
use oddsmith_polymarket::Tier;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json as value};

use crate::core::{AccountId, ActionError, Allowance};
use crate::scenario::{self, MarketEntry};
use crate::server::app::{App, Desk};
use crate::server::dead_letter;
use crate::server::extract::{Raw, Segment};
use crate::server::reply::{Fault, Reply, json};

/// Path, body and meaning of everything here.
const HELP: [(&str, &str, &str); 12] = [
    ("faults", r#"{"lose_answers":{"count":1}}"#, "any fault of a scenario file, now"),
    (
        "markets",
        r#"{"slug":"…","tick":"0.01","fee":{"rate":0.07}}"#,
        "lists a market as in a scenario file, without traders",
    ),
    ("split", r#"{"address":"0x…","market":"SLUG","amount":"10"}"#, "collateral into both tokens"),
    ("merge", r#"{"address":"0x…","market":"SLUG","amount":"10"}"#, "both tokens into collateral"),
    ("redeem", r#"{"address":"0x…","market":"SLUG"}"#, "tokens of a decided market into collateral"),
    (
        "convert",
        r#"{"address":"0x…","markets":["SLUG"],"others":["SLUG"],"amount":"10"}"#,
        "neg-risk NO tokens into YES of the others, which may be named to be checked",
    ),
    ("transfer", r#"{"from":"0x…","to":"0x…","amount":"10"}"#, "moves collateral"),
    ("allowance", r#"{"address":"0x…","exchange":"ctf","collateral":"10"|null,"tokens":true}"#, "changes approvals"),
    ("restrict", r#"{"address":"0x…","banned":false,"closed_only":true}"#, "bans, or lets only reduce"),
    ("tier", r#"{"address":"0x…","tier":"elite"}"#, "rate tier of a signer"),
    ("account/0x…", "", "GET: what an account holds, in millionths"),
    ("thaw", "", "ends the transport faults"),
];

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(overview))
        .route("/account/{address}", get(holdings))
        .route("/faults", post(fault))
        .route("/markets", post(list_market))
        .route("/split", post(split))
        .route("/merge", post(merge))
        .route("/redeem", post(redeem))
        .route("/convert", post(convert))
        .route("/transfer", post(transfer))
        .route("/allowance", post(allowance))
        .route("/restrict", post(restrict))
        .route("/tier", post(tier))
        .route("/thaw", post(thaw))
}

async fn overview(State(app): State<Arc<App>>) -> Response {
    let commands: Vec<Value> =
        HELP.iter().map(|(path, body, does)| value!({ "path": path, "body": body, "does": does })).collect();
    let (mode, sockets) = app.with(|desk, _| (format!("{:?}", desk.session.core.mode()), desk.hub.counts()));
    json(&value!({
        "mode": mode,
        "market_connections": sockets.0,
        "user_connections": sockets.1,
        "faults": app.faults.state(),
        "undecodable": dead_letter::counted(),
        "commands": commands,
    }))
}

/// What an account holds, to the millionth: what is on the chain, and what it comes to once every match is settled.
async fn holdings(State(app): State<Arc<App>>, Segment(address): Segment) -> Reply {
    let address = Address::parse(&address).map_err(|error| Fault::bad(error.to_string()))?;
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let (id, core) = (account(desk, address)?, &desk.session.core);
        let held = core.account(id).ok_or_else(|| Fault::missing("account not found"))?;
        let of = |asset: &AssetId| {
            let market = core.market(asset.market())?;
            let (holding, outcome) = (held.holding(*asset), asset.outcome());
            let coming = holding.settled + holding.pending_in - holding.pending_out;
            let token = &market.token_texts[outcome.index()];
            Some(value!({
                "market": market.spec.slug, "condition": market.condition.as_str(), "token": token,
                "outcome": outcome.index(), "settled": holding.settled.micros(), "matched": coming.micros(),
            }))
        };
        Ok(json(&value!({
            "settled": held.collateral.micros(),
            "matched": (held.collateral + held.pending_in - held.pending_out).micros(),
            "open_orders": core.open_of(held.user).count(),
            "tokens": held.holdings.keys().filter_map(of).collect::<Vec<_>>(),
        })))
    })
}

/// Strikes with a fault as scenario files write them.
async fn fault(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let fault: scenario::Fault = read(&body)?;
    fault.check().map_err(|error| Fault::bad(error.to_string()))?;
    app.with(|desk, now| {
        if let Some(slug) = fault.market() {
            market(desk, slug)?;
        }
        desk.session.script.strike(fault, now);
        desk.pass_time(now, &app.faults);
        done()
    })
}

/// Ends what a script, or a command, has done to the sockets.
async fn thaw(State(app): State<Arc<App>>) -> Reply {
    app.faults.end();
    done()
}

/// Reads a command; here, errors may say what is wrong.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(if body.is_empty() { b"{}" } else { body }).map_err(|error| Fault::bad(error.to_string()))
}

fn done() -> Reply {
    Ok(json(&value!({ "ok": true })))
}

fn market(desk: &Desk, name: &str) -> Result<MarketId, Fault> {
    let by_slug = desk.session.core.market_by_slug(name);
    let by_condition = || desk.session.core.market_by_condition(&ConditionId::parse(name).ok()?);
    by_slug.or_else(by_condition).map(|market| market.id).ok_or_else(|| Fault::missing("market not found"))
}

fn account(desk: &Desk, address: Address) -> Result<AccountId, Fault> {
    desk.session.core.account_at(&address).ok_or_else(|| Fault::missing("account not found"))
}

fn acted<T>(result: Result<T, ActionError>) -> Result<T, Fault> {
    result.map_err(|error| Fault::new(StatusCode::CONFLICT, error.to_string()))
}

/// Lists a market as scenario files write them. Nobody trades there by himself.
async fn list_market(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let wanted: MarketEntry = read(&body)?;
    wanted.check().map_err(|error| Fault::bad(error.to_string()))?;
    if wanted.process.is_some() {
        return Err(Fault::bad("a market with a process can only be listed by a scenario file"));
    }
    app.with(|desk, now| {
        if desk.session.core.market_by_slug(&wanted.slug).is_some() {
            return Err(Fault::new(StatusCode::CONFLICT, "there is a market of that slug"));
        }
        let id = desk.session.core.list_market(wanted.spec(now / 1_000_000_000), now);
        let market = desk.session.core.market(id).ok_or_else(|| Fault::missing("market not found"))?;
        Ok(json(&crate::server::info::market(market)))
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
        acted(desk.session.core.split(holder, market, amount, now))?;
        done()
    })
}

async fn merge(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let ChainBody { address, market: name, amount } = read(&body)?;
    app.with(|desk, now| {
        let (holder, market) = (account(desk, address)?, market(desk, &name)?);
        acted(desk.session.core.merge(holder, market, Shares::from_micros(amount.micros()), now))?;
        done()
    })
}

async fn redeem(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let ChainBody { address, market: name, .. } = read(&body)?;
    app.with(|desk, now| {
        let (holder, market) = (account(desk, address)?, market(desk, &name)?);
        let paid = acted(desk.session.core.redeem(holder, market, now))?;
        Ok(json(&value!({ "ok": true, "paid": paid.to_string() })))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConvertBody {
    address: Address,
    markets: Vec<String>,
    /// The other members of the group, as the caller knows them; nothing is done if these are not all.
    #[serde(default)]
    others: Option<Vec<String>>,
    amount: Shares,
}

async fn convert(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let ConvertBody { address, markets, others, amount } = read(&body)?;
    app.with(|desk, now| {
        let holder = account(desk, address)?;
        let numbers =
            |names: &[String]| names.iter().map(|name| market(desk, name)).collect::<Result<Vec<MarketId>, _>>();
        let markets = numbers(&markets)?;
        if let Some(others) = others {
            let all = [markets.clone(), numbers(&others)?].concat();
            if !desk.session.core.is_whole_group(&all) {
                return Err(Fault::new(StatusCode::CONFLICT, "the markets are not all members of one neg-risk group"));
            }
        }
        acted(desk.session.core.convert(holder, &markets, amount, now))?;
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
        acted(desk.session.core.transfer(from, to, amount, now))?;
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
        desk.session.core.set_allowance(holder, exchange, Allowance { collateral, tokens }, now);
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
    app.with(|desk, _| desk.session.core.restrict(address, banned, closed_only));
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierBody {
    address: Address,
    tier: Tier,
}

async fn tier(State(app): State<Arc<App>>, Raw(body): Raw) -> Reply {
    let TierBody { address, tier } = read(&body)?;
    app.with(|desk, _| desk.session.core.set_tier(address, tier));
    done()
}
