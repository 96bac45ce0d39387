//! What handlers take out of a request, with refusals in the venue's shape instead of the framework's.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use oddsmith_domain::TokenId;
use serde::de::DeserializeOwned;

use super::app::App;
use super::dead_letter;
use super::reply::Fault;

/// The largest body: three thousand ids to cancel fit.
pub(super) const MOST_BODY_BYTES: usize = 256 * 1024;
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body as it came, to the byte: the HMAC covers it.
pub(super) struct Raw(pub(super) Bytes);

impl FromRequest<Arc<App>> for Raw {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Raw, Fault> {
        match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, app)).await {
            Ok(Ok(bytes)) => Ok(Raw(bytes)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload exceeds the limit"))
            }
            Ok(Err(_)) => Err(Fault::bad("Invalid payload")),
            Err(_) => Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "the request body did not arrive in time")),
        }
    }
}

/// The query's fields in the order in which they came; a field may be repeated.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// The first value of a field; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a field: repeated, with `[]` after the name, or separated by commas.
    pub(super) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> + 'p {
        self.0
            .iter()
            .filter(move |(key, _)| key == name || key.strip_suffix("[]") == Some(name))
            .flat_map(|(_, value)| value.split(','))
            .filter(|value| !value.is_empty())
    }

    /// The query without some of its fields.
    pub(super) fn without(&self, names: &[&str]) -> Params {
        Params(self.0.iter().filter(|(key, _)| !names.contains(&key.as_str())).cloned().collect())
    }

    /// A field that is a whole number; `None` when absent.
    ///
    /// # Errors
    /// 400 with `text` when it is something else.
    pub(super) fn number(&self, name: &str, text: &str) -> Result<Option<u64>, Fault> {
        self.get(name).map(|value| value.parse().map_err(|_| Fault::bad(text))).transpose()
    }

    /// A field that is `true` or `false`; `None` when absent or something else.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            "true" | "True" | "1" => Some(true),
            "false" | "False" | "0" => Some(false),
            _ => None,
        }
    }

    /// `token_id`.
    ///
    /// # Errors
    /// 400 when it is missing or no number of 256 bits.
    pub(super) fn token(&self) -> Result<TokenId, Fault> {
        self.get("token_id").and_then(|text| TokenId::parse(text).ok()).ok_or_else(|| Fault::bad("Invalid token id"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Params, Fault> {
        match Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Params(pairs)),
            Err(_) => Err(Fault::bad("Invalid query")),
        }
    }
}

/// The one free segment of a path.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Segment, Fault> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Segment(text)),
            // A segment that is not UTF-8 names nothing that there is.
            Err(_) => Err(Fault::missing("Not Found")),
        }
    }
}

/// Decodes a JSON body.
///
/// # Errors
/// 400 with `text` for anything that is not what is wanted.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8], text: &str) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|why| {
        dead_letter::keep("rest", body, &why);
        Fault::bad(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        let uri = format!("/x?{query}").parse().expect("a uri");
        Params(Query::<Vec<(String, String)>>::try_from_uri(&uri).expect("a query").0)
    }

    #[test]
    fn repeated_and_joined_fields_are_the_same() {
        for query in ["id=1&id=2", "id=1,2", "id%5B%5D=1&id[]=2"] {
            assert_eq!(params(query).all("id").collect::<Vec<_>>(), ["1", "2"], "{query}");
        }
        assert_eq!(params("id=&x=1").get("id"), None);
        assert!(params("limit=-1").number("limit", "no").is_err());
        assert_eq!(params("closed=false").flag("closed"), Some(false));
    }
}
