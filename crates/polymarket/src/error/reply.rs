//! From the status and the body of an answer to the one result of a request.

use oddsmith_domain::{
    CancelOutcome, CanceledOrders, Millis, OrderId, PlaceOutcome, RefusalCode, TradeId, UnknownCause, VenueMode,
    VenueOrderStatus, parse_fixed,
};
use serde::de::DeserializeOwned;

use super::text::{is_doubtful, refusal_code, venue_mode};
use crate::wire::{CancelReply, ErrorBody, HeartbeatReply, PostOrderReply};

/// The parts of an HTTP answer that count.
#[derive(Clone, Copy, Debug)]
pub struct HttpReply<'a> {
    /// The status.
    pub status: u16,
    /// The `Retry-After` header, if there is one.
    pub retry_after: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// A result, and what the answer says of the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<T> {
    /// What became of the request.
    pub outcome: T,
    /// How long the venue wants not to be asked again.
    pub retry_after_ms: Option<Millis>,
    /// The mode that the venue is in, if the answer tells of one.
    pub mode: Option<VenueMode>,
}

/// What became of a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeartbeatOutcome {
    /// It counted; the next one carries this id.
    Accepted(String),
    /// It did not count, because this is the id that was expected.
    Expected(String),
    /// Nobody knows whether it counted.
    Unknown(UnknownCause),
}

/// The answer to `POST /order`.
#[must_use]
pub fn place(reply: &HttpReply<'_>, order: &OrderId) -> Reply<PlaceOutcome> {
    let error = ErrorText::read(reply);
    let outcome = if is_success(reply.status) {
        match read::<PostOrderReply>(reply.body) {
            Some(body) => placed(&body, order, reply.status),
            None => PlaceOutcome::Unknown(UnknownCause::Undecodable),
        }
    } else {
        error.placement()
    };
    error.with(outcome)
}

/// The answer to `POST /orders`: one result for every order, in the order in which they were sent.
#[must_use]
pub fn place_batch(reply: &HttpReply<'_>, orders: &[OrderId]) -> Reply<Vec<PlaceOutcome>> {
    let error = ErrorText::read(reply);
    if !is_success(reply.status) {
        return error.with(orders.iter().map(|_| error.placement()).collect());
    }
    let entries = read::<Vec<serde_json::Value>>(reply.body).filter(|entries| entries.len() == orders.len());
    let outcomes = match entries {
        Some(entries) => orders
            .iter()
            .zip(entries)
            .map(|(order, entry)| match serde_json::from_value::<PostOrderReply>(entry) {
                Ok(body) => placed(&body, order, reply.status),
                Err(_) => PlaceOutcome::Unknown(UnknownCause::Undecodable),
            })
            .collect(),
        // without one entry for each order nobody can say which entry is whose
        None => orders.iter().map(|_| PlaceOutcome::Unknown(UnknownCause::Undecodable)).collect(),
    };
    error.with(outcomes)
}

fn placed(body: &PostOrderReply, order: &OrderId, status: u16) -> PlaceOutcome {
    let id = OrderId::parse(&body.order_id).ok();
    let ours = id == Some(*order);
    if body.error_msg.is_empty() {
        if !body.success || !ours {
            return PlaceOutcome::Unknown(UnknownCause::Undecodable);
        }
        let trades = body.trade_ids.iter().filter_map(|id| TradeId::parse(id).ok()).collect();
        return PlaceOutcome::Accepted { status: placement_status(&body.status), trades };
    }
    // An error beside a success and our own id is a contradiction: only a query can tell.
    if is_doubtful(&body.error_msg) || (body.success && id.is_some()) {
        return PlaceOutcome::Unknown(UnknownCause::Status(status));
    }
    PlaceOutcome::Refused { code: refusal_code(status, &body.error_msg), text: body.error_msg.clone() }
}

/// How the venue's word in the answer to a placement, an order report or a listing says that an order stands.
#[must_use]
pub fn placement_status(word: &str) -> VenueOrderStatus {
    let word = word.to_ascii_uppercase();
    match word.strip_prefix("ORDER_STATUS_").unwrap_or(&word) {
        "LIVE" => VenueOrderStatus::Live,
        "MATCHED" => VenueOrderStatus::Matched,
        "DELAYED" => VenueOrderStatus::Delayed,
        "UNMATCHED" => VenueOrderStatus::Unmatched,
        // "CANCELED_MARKET_RESOLVED", "CANCELED_order couldn't be fully filled. …", the British spelling
        other if other.starts_with("CANCELED") || other.starts_with("CANCELLED") => VenueOrderStatus::Canceled,
        _ => VenueOrderStatus::Other,
    }
}

/// The answer to `DELETE /order`.
#[must_use]
pub fn cancel(reply: &HttpReply<'_>, order: &OrderId) -> Reply<CancelOutcome> {
    let error = ErrorText::read(reply);
    let outcome = if is_success(reply.status) {
        match read::<CancelReply>(reply.body) {
            Some(body) => canceled(&body, order),
            None => CancelOutcome::Unknown(UnknownCause::Undecodable),
        }
    } else {
        match error.verdict() {
            Verdict::Refused(_) if is_gone(&error.text) => CancelOutcome::Gone(error.text.clone()),
            Verdict::Refused(_) => CancelOutcome::Refused(error.text.clone()),
            Verdict::Unknown(cause) => CancelOutcome::Unknown(cause),
        }
    };
    error.with(outcome)
}

fn canceled(body: &CancelReply, order: &OrderId) -> CancelOutcome {
    let is_ours = |text: &str| OrderId::parse(text).is_ok_and(|id| id == *order);
    if body.canceled.iter().any(|text| is_ours(text)) {
        return CancelOutcome::Canceled;
    }
    match body.not_canceled.iter().find(|(text, _)| is_ours(text)) {
        Some((_, why)) if is_gone(why) => CancelOutcome::Gone(why.clone()),
        Some((_, why)) => CancelOutcome::Refused(why.clone()),
        // not a word about the order
        None => CancelOutcome::Unknown(UnknownCause::Undecodable),
    }
}

/// Whether the venue's reason says that there is nothing left to cancel.
#[must_use]
pub fn is_gone(why: &str) -> bool {
    let why = why.to_ascii_lowercase();
    ["already canceled", "already cancelled", "already matched", "or matched", "not found", "does not exist"]
        .iter()
        .any(|part| why.contains(part))
}

/// The answer to a cancel of a scope: `DELETE /orders`, `/cancel-all` or `/cancel-market-orders`.
#[must_use]
pub fn cancel_scope(reply: &HttpReply<'_>) -> Reply<Result<CanceledOrders, UnknownCause>> {
    let error = ErrorText::read(reply);
    let outcome = if is_success(reply.status) {
        read::<CancelReply>(reply.body).and_then(|body| scope(&body)).ok_or(UnknownCause::Undecodable)
    } else {
        Err(UnknownCause::Status(reply.status))
    };
    error.with(outcome)
}

fn scope(body: &CancelReply) -> Option<CanceledOrders> {
    let canceled = body.canceled.iter().map(|id| OrderId::parse(id).ok()).collect::<Option<Vec<_>>>()?;
    let not_canceled = body
        .not_canceled
        .iter()
        .map(|(id, why)| OrderId::parse(id).ok().map(|id| (id, why.clone())))
        .collect::<Option<Vec<_>>>()?;
    Some(CanceledOrders { canceled, not_canceled })
}

/// The answer to a heartbeat.
#[must_use]
pub fn heartbeat(reply: &HttpReply<'_>) -> Reply<HeartbeatOutcome> {
    let error = ErrorText::read(reply);
    let body = read::<HeartbeatReply>(reply.body).filter(|body| !body.heartbeat_id.is_empty());
    let outcome = match (reply.status, body) {
        (200, Some(body)) if body.error.is_none() && body.error_msg.is_none() => {
            HeartbeatOutcome::Accepted(body.heartbeat_id)
        }
        (200 | 400, Some(body)) => HeartbeatOutcome::Expected(body.heartbeat_id),
        (200, None) => HeartbeatOutcome::Unknown(UnknownCause::Undecodable),
        (status, _) => HeartbeatOutcome::Unknown(UnknownCause::Status(status)),
    };
    error.with(outcome)
}

/// What a status other than success proves.
enum Verdict {
    Refused(RefusalCode),
    Unknown(UnknownCause),
}

/// The text of an error and what comes with it.
struct ErrorText {
    status: u16,
    text: String,
    retry_after_ms: Option<Millis>,
    mode: Option<VenueMode>,
}

impl ErrorText {
    fn read(reply: &HttpReply<'_>) -> ErrorText {
        let stated = reply.retry_after.and_then(retry_after_ms);
        if is_success(reply.status) {
            return ErrorText { status: reply.status, text: String::new(), retry_after_ms: stated, mode: None };
        }
        let body = read::<ErrorBody>(reply.body).unwrap_or_default();
        let in_body = body.retry_after_seconds.as_ref().and_then(|seconds| retry_after_ms(seconds.as_str()));
        let text = if body.error.is_empty() { excerpt(reply.body) } else { body.error };
        let mode = match body.code.as_deref() {
            Some("post_only_mode") => Some(VenueMode::PostOnly),
            _ => venue_mode(reply.status, &text),
        };
        ErrorText { status: reply.status, text, retry_after_ms: stated.or(in_body), mode }
    }

    fn verdict(&self) -> Verdict {
        let code = refusal_code(self.status, &self.text);
        match self.status {
            425 | 429 => Verdict::Refused(code),
            408 | 499 => Verdict::Unknown(UnknownCause::Status(self.status)),
            400..=498 if !is_doubtful(&self.text) => Verdict::Refused(code),
            503 => match self.mode {
                Some(VenueMode::PostOnly) => Verdict::Refused(RefusalCode::PostOnlyMode),
                Some(_) => Verdict::Refused(code),
                None => Verdict::Unknown(UnknownCause::Status(503)),
            },
            other => Verdict::Unknown(UnknownCause::Status(other)),
        }
    }

    fn placement(&self) -> PlaceOutcome {
        match self.verdict() {
            Verdict::Refused(code) => PlaceOutcome::Refused { code, text: self.text.clone() },
            Verdict::Unknown(cause) => PlaceOutcome::Unknown(cause),
        }
    }

    fn with<T>(&self, outcome: T) -> Reply<T> {
        Reply { outcome, retry_after_ms: self.retry_after_ms, mode: self.mode }
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// The beginning of a body that is not the venue's JSON (a proxy's page), for people to read.
fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..200).unwrap_or(body)).chars().filter(|c| !c.is_control()).collect()
}

/// The seconds of a `Retry-After`, in milliseconds and at most an hour. A date needs a clock to mean something: no answer.
#[must_use]
pub fn retry_after_ms(text: &str) -> Option<Millis> {
    const HOUR_MS: u64 = 3_600_000;
    let ms = parse_fixed(text.trim().as_bytes(), 3).ok()?;
    u64::try_from(ms).ok().map(|ms| ms.min(HOUR_MS))
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
