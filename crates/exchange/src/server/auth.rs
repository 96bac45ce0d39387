//! Who is asking: level 1 and level 2 headers (protocol section 3).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use oddsmith_domain::Address;
use oddsmith_polymarket::auth::{HmacKey, same_secret};

use super::app::App;
use super::extract::Raw;
use super::reply::Fault;
use crate::core::{Core, KeyId, KeyKind, UserId};

/// A request under a full key's signature.
pub(super) struct Signed {
    pub(super) key: KeyId,
    pub(super) user: UserId,
    pub(super) address: Address,
    /// The body as it came.
    pub(super) body: Bytes,
}

/// A request under a full key's signature, or one that presents a readonly key.
pub(super) struct Reader {
    pub(super) user: UserId,
}

/// A request that a wallet's own key signed.
pub(super) struct Attested {
    pub(super) address: Address,
    pub(super) nonce: u64,
}

/// The five headers of level 2.
struct Level2<'h> {
    address: Address,
    signature: &'h str,
    timestamp: &'h str,
    key: &'h str,
    passphrase: &'h str,
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty())
}

/// An address in any case: Rust clients send it in lower case, the others with its checksum.
pub(super) fn address(text: &str) -> Option<Address> {
    Address::parse(text).ok()
}

fn is_near(timestamp: &str, now_ns: u64, tolerance_s: u64) -> bool {
    let now_s = now_ns / 1_000_000_000;
    timestamp.parse::<u64>().is_ok_and(|stated| stated.abs_diff(now_s) <= tolerance_s)
}

impl<'h> Level2<'h> {
    fn read(headers: &'h HeaderMap) -> Option<Level2<'h>> {
        Some(Level2 {
            address: address(text(headers, "poly_address")?)?,
            signature: text(headers, "poly_signature")?,
            timestamp: text(headers, "poly_timestamp")?,
            key: text(headers, "poly_api_key")?,
            passphrase: text(headers, "poly_passphrase")?,
        })
    }

    /// The key, if everything about the request is right.
    fn verify(&self, core: &Core, kind: KeyKind, method: &Method, path: &str, body: &[u8]) -> Option<KeyId> {
        let id = core.find_key(self.key)?;
        let key = core.key(id).filter(|key| key.kind == kind)?;
        let genuine = key.address == self.address
            && key.passphrase == self.passphrase
            && verify_hmac(&key.secret, self.signature, self.timestamp, method, path, body);
        genuine.then_some(id)
    }
}

/// Whether the signature is the HMAC of the request under the secret. The query string is not covered.
fn verify_hmac(secret: &str, signature: &str, timestamp: &str, method: &Method, path: &str, body: &[u8]) -> bool {
    HmacKey::from_secret(secret).is_ok_and(|key| key.verify(timestamp, method.as_str(), path, body, signature))
}

/// Whether a client's secret is ours; clients differ in whether they keep the padding.
pub(super) fn is_secret(ours: &str, theirs: &str) -> bool {
    same_secret(ours.trim_end_matches('='), theirs.trim_end_matches('='))
}

/// Checks level 2 headers against a body.
fn check_level2(app: &App, kind: KeyKind, parts: &Parts, body: &[u8]) -> Result<(KeyId, UserId, Address), Fault> {
    let headers = Level2::read(&parts.headers).ok_or_else(Fault::unauthorized)?;
    app.with(|desk, now| {
        if !is_near(headers.timestamp, app.faults.skewed(now), desk.settings.timestamp_tolerance_s) {
            return Err(Fault::unauthorized());
        }
        let id = headers
            .verify(&desk.session.core, kind, &parts.method, parts.uri.path(), body)
            .ok_or_else(Fault::unauthorized)?;
        let key = desk.session.core.key(id).ok_or_else(Fault::unauthorized)?;
        Ok((id, key.user, key.address))
    })
}

impl FromRequest<Arc<App>> for Signed {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Signed, Fault> {
        let (parts, body) = request.into_parts();
        if Level2::read(&parts.headers).is_none() {
            return Err(Fault::unauthorized());
        }
        let Raw(body) = Raw::from_request(Request::from_parts(parts.clone(), body), app).await?;
        let (key, user, address) = check_level2(app, KeyKind::Full, &parts, &body)?;
        Ok(Signed { key, user, address, body })
    }
}

impl FromRequest<Arc<App>> for Reader {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Reader, Fault> {
        let (parts, body) = request.into_parts();
        let presented = text(&parts.headers, "poly_api_key").ok_or_else(Fault::unauthorized)?;
        // A readonly key comes without a secret, so presenting it is all that its holder can do.
        let readonly = app.with(|desk, _| {
            let id = desk.session.core.find_key(presented)?;
            desk.session.core.key(id).filter(|key| key.kind == KeyKind::ReadOnly).map(|key| key.user)
        });
        if let Some(user) = readonly {
            return Ok(Reader { user });
        }
        let Raw(body) = Raw::from_request(Request::from_parts(parts.clone(), body), app).await?;
        let (_, user, _) = check_level2(app, KeyKind::Full, &parts, &body)?;
        Ok(Reader { user })
    }
}

impl FromRequestParts<Arc<App>> for Attested {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Attested, Fault> {
        let headers = &parts.headers;
        let read = || {
            let address = address(text(headers, "poly_address")?)?;
            let signature = text(headers, "poly_signature")?;
            let timestamp = text(headers, "poly_timestamp")?;
            let nonce: u64 = text(headers, "poly_nonce").unwrap_or("0").parse().ok()?;
            Some((address, signature, timestamp, nonce))
        };
        let (address, signature, timestamp, nonce) = read().ok_or_else(Fault::bad_l1)?;
        let tolerance_s = app.with(|desk, _| desk.settings.timestamp_tolerance_s);
        if !is_near(timestamp, app.faults.skewed(app.now_ns()), tolerance_s) {
            return Err(Fault::bad_l1());
        }
        match super::signature::attested_by(timestamp, nonce, address, signature) {
            true => Ok(Attested { address, nonce }),
            false => Err(Fault::bad_l1()),
        }
    }
}

/// The builder key that signed a request, by its own four headers (protocol section 3.4).
pub(super) fn builder_key(app: &App, parts: &Parts, body: &[u8]) -> Option<KeyId> {
    let headers = &parts.headers;
    let key = text(headers, "poly_builder_api_key")?;
    let passphrase = text(headers, "poly_builder_passphrase")?;
    let signature = text(headers, "poly_builder_signature")?;
    let timestamp = text(headers, "poly_builder_timestamp")?;
    app.with(|desk, now| {
        let id = desk.session.core.find_key(key)?;
        let key =
            desk.session.core.key(id).filter(|key| key.kind == KeyKind::Builder && key.passphrase == passphrase)?;
        let genuine = is_near(timestamp, app.faults.skewed(now), desk.settings.timestamp_tolerance_s)
            && verify_hmac(&key.secret, signature, timestamp, &parts.method, parts.uri.path(), body);
        genuine.then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn the_published_hmac_vectors() {
        let sign = Method::from_bytes(b"test-sign").expect("a token");
        for (timestamp, method, path, body, expected) in [
            ("1000000", &sign, "/orders", r#"{"hash": "0x123"}"#, "ZwAdJKvoYRlEKDkNMwd5BuwNNtg93kNaR_oU2HrfVvc="),
            ("1000000", &sign, "/orders", r#"{"hash":"0x123"}"#, "4gJVbox-R6XlDK4nlaicig0_ANVL1qdcahiL8CXfXLM="),
            ("1", &Method::GET, "/", "", "eHaylCwqRSOa2LFD77Nt_SaTpbsxzN8eTEI3LryhEj4="),
        ] {
            assert!(verify_hmac(SECRET, expected, timestamp, method, path, body.as_bytes()), "{body}");
            assert!(!verify_hmac(SECRET, expected, timestamp, method, "/other", body.as_bytes()));
        }
    }

    #[test]
    fn padding_is_no_part_of_a_secret() {
        assert!(is_secret(SECRET, SECRET.trim_end_matches('=')) && !is_secret(SECRET, "AQ=="));
    }

    #[test]
    fn a_day_off_is_too_far() {
        let now = 1_760_000_000_000_000_000;
        assert!(is_near("1760000299", now, 300) && is_near("1759999701", now, 300));
        assert!(!is_near("1760086400", now, 300) && !is_near("1759913600", now, 300));
        assert!(!is_near("-1", now, 300) && !is_near("1e9", now, 300));
    }
}
