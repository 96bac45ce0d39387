//! The life of API keys (protocol section 3.3).

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use oddsmith_polymarket::wire::{ApiKeyCreds, ApiKeys, BanStatus, ReadonlyApiKey, ReadonlyApiKeys};
use serde_json::{Value, json as value};

use crate::core::{ApiKey, KeyId, KeyKind};
use crate::server::app::{App, Desk};
use crate::server::auth::{Attested, Signed, builder_key};
use crate::server::extract::{Raw, decode};
use crate::server::reply::{Fault, Reply, json};

/// Keys that one wallet may have of each kind: a bound on what a loop can make us remember.
const MOST_KEYS: usize = 200;
const CANNOT_CREATE: &str = "Could not create api key";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/auth/api-key", post(create).delete(revoke))
        .route("/auth/derive-api-key", get(derive))
        .route("/auth/api-keys", get(list))
        .route("/auth/readonly-api-key", post(create_readonly).delete(revoke_readonly))
        .route("/auth/readonly-api-keys", get(list_readonly))
        .route("/auth/builder-api-key", post(create_builder).get(list_builder).delete(revoke_builder))
        .route("/auth/ban-status/closed-only", get(closed_only))
}

fn creds(key: &ApiKey) -> ApiKeyCreds {
    ApiKeyCreds { api_key: key.id.clone(), secret: key.secret.clone(), passphrase: key.passphrase.clone() }
}

async fn create(State(app): State<Arc<App>>, who: Attested) -> Reply {
    app.with(|desk, now| {
        desk.session.core.advance(now);
        let made = desk.session.core.create_key(who.address, who.nonce).ok();
        let key = made.and_then(|id| desk.session.core.key(id)).ok_or_else(|| Fault::bad(CANNOT_CREATE))?;
        Ok(json(&creds(key)))
    })
}

async fn derive(State(app): State<Arc<App>>, who: Attested) -> Reply {
    app.with(|desk, _| {
        let id = desk.session.core.derive_key(who.address, who.nonce);
        let key = id.and_then(|id| desk.session.core.key(id)).ok_or_else(|| Fault::bad("Could not derive api key!"))?;
        Ok(json(&creds(key)))
    })
}

fn ids(desk: &Desk, owner: KeyId, kind: KeyKind) -> Vec<String> {
    desk.session.core.keys_of(owner, kind).map(|(_, key)| key.id.clone()).collect()
}

async fn list(State(app): State<Arc<App>>, signed: Signed) -> Response {
    json(&ApiKeys { api_keys: app.with(|desk, _| ids(desk, signed.key, KeyKind::Full)) })
}

async fn revoke(State(app): State<Arc<App>>, signed: Signed) -> Response {
    app.with(|desk, now| {
        desk.session.core.advance(now);
        desk.session.core.revoke_key(signed.key);
    });
    json(&"OK")
}

/// Makes a further key for the owner of a key.
fn make(desk: &mut Desk, owner: KeyId, kind: KeyKind, now: u64) -> Result<ApiKey, Fault> {
    desk.session.core.advance(now);
    let room = desk.session.core.keys_of(owner, kind).count() < MOST_KEYS;
    let made = if room { desk.session.core.create_sub_key(owner, kind) } else { None };
    made.and_then(|id| desk.session.core.key(id)).cloned().ok_or_else(|| Fault::bad(CANNOT_CREATE))
}

async fn create_readonly(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    let key = app.with(|desk, now| make(desk, signed.key, KeyKind::ReadOnly, now))?;
    Ok(json(&ReadonlyApiKey { api_key: key.id }))
}

async fn list_readonly(State(app): State<Arc<App>>, signed: Signed) -> Response {
    json(&ReadonlyApiKeys { readonly_api_keys: app.with(|desk, _| ids(desk, signed.key, KeyKind::ReadOnly)) })
}

async fn revoke_readonly(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    let body: Value = decode(&signed.body, "Invalid payload")?;
    let id = body.get("key").and_then(Value::as_str).ok_or_else(|| Fault::bad("Invalid payload"))?;
    let done = app.with(|desk, now| {
        desk.session.core.advance(now);
        let own =
            desk.session.core.keys_of(signed.key, KeyKind::ReadOnly).find(|(_, key)| key.id == id).map(|(id, _)| id);
        own.is_some_and(|id| desk.session.core.revoke_key(id))
    });
    Ok(json(&done))
}

async fn create_builder(State(app): State<Arc<App>>, signed: Signed) -> Reply {
    let key = app.with(|desk, now| make(desk, signed.key, KeyKind::Builder, now))?;
    Ok(json(&value!({ "key": key.id, "secret": key.secret, "passphrase": key.passphrase })))
}

async fn list_builder(State(app): State<Arc<App>>, signed: Signed) -> Response {
    let keys: Vec<Value> = app.with(|desk, _| {
        let keys = desk.session.core.keys_of(signed.key, KeyKind::Builder);
        keys.map(|(_, key)| value!({ "key": key.id, "createdAt": super::time::iso(key.created_s), "revokedAt": null }))
            .collect()
    });
    json(&keys)
}

async fn revoke_builder(State(app): State<Arc<App>>, request: Request) -> Reply {
    let (parts, body) = request.into_parts();
    let Raw(body) = Raw::from_request(Request::from_parts(parts.clone(), body), &app).await?;
    let key = builder_key(&app, &parts, &body).ok_or_else(Fault::unauthorized)?;
    app.with(|desk, now| {
        desk.session.core.advance(now);
        desk.session.core.revoke_key(key);
    });
    Ok(json(&"OK"))
}

async fn closed_only(State(app): State<Arc<App>>, signed: Signed) -> Response {
    json(&BanStatus { closed_only: app.with(|desk, _| desk.session.core.is_closed_only(signed.user)) })
}
