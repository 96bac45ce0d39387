//! What Binance's spot streams say, as far as it is followed, and how the local exchange says it.

use std::collections::BTreeMap;

use oddsmith_domain::ReferencePrice;
use serde::Deserialize;
use serde::de::IgnoredAny;
use thiserror::Error;

/// Why a message was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Not the JSON that it should be.
    #[error("not a message: {0}")]
    Json(String),
    /// A price that is no decimal of eight digits behind the point.
    #[error("`{0}` is not a price")]
    Price(String),
}

/// A best bid and ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookTicker {
    /// Binance's name of the pair, in upper case.
    pub symbol: String,
    /// The number of the update.
    pub update: u64,
    /// The best bid.
    pub bid: ReferencePrice,
    /// The best ask.
    pub ask: ReferencePrice,
    /// When it was so, in milliseconds since the Unix epoch; the spot market does not say.
    pub event_ms: Option<u64>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A price.
    Ticker(BookTicker),
    /// A request was taken.
    Taken,
    /// A request was refused, with the source's words.
    Refused(String),
    /// The source is about to close its connections.
    Shutdown,
    /// An event of a kind that is not followed.
    Unknown,
}

/// Everything that a message can be, told apart by the fields that it has.
#[derive(Deserialize)]
struct Wire {
    /// Of a combined stream: what was said on it.
    data: Option<Box<Wire>>,
    /// The event's kind; a spot `bookTicker` has none.
    e: Option<String>,
    u: Option<u64>,
    s: Option<String>,
    b: Option<serde_json::Value>,
    a: Option<serde_json::Value>,
    #[serde(rename = "E")]
    event_ms: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    result: Option<IgnoredAny>,
    error: Option<Refusal>,
    #[serde(flatten)]
    more: BTreeMap<String, IgnoredAny>,
}

/// Fields of a price that say nothing that is followed: sizes, the time of the last change.
const PASSED_OVER: [&str; 3] = ["B", "A", "T"];

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    msg: String,
}

/// A field that is there counts as there, `null` or not.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(deserializer).map(Some)
}

/// Reads a frame: one message or an array of them. Says how many fields of prices were not known.
pub fn decode(text: &[u8], into: &mut Vec<Result<Message, Fault>>) -> u64 {
    let fault = |error: serde_json::Error| Fault::Json(error.to_string());
    let mut unknown = 0;
    if text.trim_ascii_start().first() == Some(&b'[') {
        match serde_json::from_slice::<Vec<Wire>>(text) {
            Ok(wires) => into.extend(wires.into_iter().map(|wire| message(wire, &mut unknown))),
            Err(error) => into.push(Err(fault(error))),
        }
    } else {
        into.push(serde_json::from_slice::<Wire>(text).map_err(fault).and_then(|wire| message(wire, &mut unknown)));
    }
    unknown
}

fn message(wire: Wire, unknown: &mut u64) -> Result<Message, Fault> {
    if let Some(data) = wire.data {
        return message(*data, unknown);
    }
    if let Some(refusal) = wire.error {
        return Ok(Message::Refused(refusal.msg));
    }
    match (wire.e.as_deref(), wire.s, wire.u, wire.b, wire.a) {
        (Some("serverShutdown"), ..) => Ok(Message::Shutdown),
        (None | Some("bookTicker"), Some(symbol), Some(update), Some(bid), Some(ask)) => {
            *unknown += wire.more.keys().filter(|name| !PASSED_OVER.contains(&name.as_str())).count() as u64;
            let (bid, ask) = (price(&bid)?, price(&ask)?);
            Ok(Message::Ticker(BookTicker { symbol, update, bid, ask, event_ms: wire.event_ms }))
        }
        (None, ..) if wire.result.is_some() => Ok(Message::Taken),
        _ => Ok(Message::Unknown),
    }
}

fn price(value: &serde_json::Value) -> Result<ReferencePrice, Fault> {
    let fault = || Fault::Price(value.to_string());
    let text = value.as_str().ok_or_else(fault)?;
    ReferencePrice::parse(text.as_bytes()).map_err(|_| fault())
}

/// A price as a combined stream says it, for who stands in for Binance: one of everything on each side.
#[must_use]
pub fn encode(ticker: &BookTicker) -> String {
    let BookTicker { symbol, update, bid, ask, .. } = ticker;
    let stream = symbol.to_ascii_lowercase();
    format!(
        "{{\"stream\":\"{stream}@bookTicker\",\"data\":{{\"u\":{update},\"s\":\"{symbol}\",\"b\":\"{bid}\",\"B\":\"1\",\"a\":\"{ask}\",\"A\":\"1\"}}}}"
    )
}
