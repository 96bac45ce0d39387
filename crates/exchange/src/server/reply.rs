//! Answers: JSON bodies, and refusals with the venue's words (protocol section 7).

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A refusal: a status and the text that goes with it. Every error that leaves the server is one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    status: StatusCode,
    body: String,
    retry_after_s: Option<u64>,
}

impl Fault {
    /// `{"error":"…"}` with a status.
    pub(super) fn new(status: StatusCode, text: impl AsRef<str>) -> Fault {
        let body = serde_json::json!({ "error": text.as_ref() }).to_string();
        Fault { status, body, retry_after_s: None }
    }

    /// 400.
    pub(super) fn bad(text: impl AsRef<str>) -> Fault {
        Fault::new(StatusCode::BAD_REQUEST, text)
    }

    /// 404.
    pub(super) fn missing(text: impl AsRef<str>) -> Fault {
        Fault::new(StatusCode::NOT_FOUND, text)
    }

    /// 401 of a level 2 endpoint.
    pub(super) fn unauthorized() -> Fault {
        Fault::new(StatusCode::UNAUTHORIZED, "Unauthorized/Invalid api key")
    }

    /// 401 of a level 1 endpoint.
    pub(super) fn bad_l1() -> Fault {
        Fault::new(StatusCode::UNAUTHORIZED, "Invalid L1 Request headers")
    }

    /// A body of its own shape.
    pub(super) fn shaped(status: StatusCode, body: &impl Serialize) -> Fault {
        Fault { status, body: encode(body), retry_after_s: None }
    }

    /// Tells the client when to come back.
    pub(super) fn retry_after(mut self, seconds: u64) -> Fault {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = json_text(self.body);
        *response.status_mut() = self.status;
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What every handler gives back.
pub(super) type Reply = Result<Response, Fault>;

/// 200 with a JSON body.
pub(super) fn json(body: &impl Serialize) -> Response {
    json_text(encode(body))
}

/// 200 with a body that is JSON already.
pub(super) fn json_text(body: impl Into<Body>) -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// Sets a header whose value is made of visible ASCII.
pub(super) fn set_header(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

fn encode(body: &impl Serialize) -> String {
    // Only maps with keys that are not strings fail, and no body of this server has one.
    serde_json::to_string(body).unwrap_or_else(|_| r#"{"error":"Internal server error"}"#.to_owned())
}
