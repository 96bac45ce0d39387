//! Bodies of the venue's REST replies, from bytes to values of the domain.
//!
//! [`decode`] reads any object of [`crate::wire`]. It takes unknown fields, counts them and names the first; what is missing or
//! of the wrong type is an error that says what and where. [`account`] and [`markets`] turn the objects into orders, trades,
//! balances and cards of the domain.

pub mod account;
pub mod markets;

use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::wire::{Page, Version};

/// Something of the venue that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} was not understood: {why}")]
pub struct RestFault {
    /// What it should have been.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl RestFault {
    /// A fault in a field.
    #[must_use]
    pub fn field(what: &'static str, name: &str, why: impl std::fmt::Display, text: &str) -> RestFault {
        let shown: String = text.chars().take(80).collect();
        RestFault { what, why: format!("`{name}`: {why} (`{shown}`)") }
    }
}

/// A decoded object and what was unknown in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<T> {
    /// The object.
    pub value: T,
    /// How many fields of it are not known.
    pub unknown_fields: u32,
    /// Where the first of them stands.
    pub first_unknown: Option<String>,
}

/// Decodes an object of [`crate::wire`], or a list of them.
///
/// # Errors
/// [`RestFault`] with the position and the field.
pub fn decode<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<Decoded<T>, RestFault> {
    let mut unknown = Unknown::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_ignored::deserialize(&mut json, |path| unknown.note(path));
    let value = value.and_then(|value| json.end().map(|()| value));
    match value {
        Ok(value) => Ok(Decoded { value, unknown_fields: unknown.fields, first_unknown: unknown.first }),
        Err(fault) => Err(RestFault { what, why: fault.to_string() }),
    }
}

/// Fields that nobody asked for.
#[derive(Default)]
struct Unknown {
    fields: u32,
    first: Option<String>,
}

impl Unknown {
    fn note(&mut self, path: serde_ignored::Path<'_>) {
        self.fields = self.fields.saturating_add(1);
        self.first.get_or_insert_with(|| path.to_string());
    }
}

/// The items of a listing that could be decoded, and why others could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// What was understood.
    pub items: Vec<T>,
    /// Why the rest was not, one for each.
    pub faults: Vec<RestFault>,
    /// Where the next page begins; `None` after the last.
    pub next_cursor: Option<String>,
    /// How many fields of the items are not known.
    pub unknown_fields: u32,
    /// The first of them, within its item.
    pub first_unknown: Option<String>,
}

/// Decodes a page of independent items, such as markets: one that is not understood does not hide the others.
///
/// For anything that must be complete (orders, trades) use [`decode`], which takes all or nothing.
///
/// # Errors
/// [`RestFault`] when the page itself is not understood.
pub fn decode_listing<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<Listing<T>, RestFault> {
    let page: Page<serde_json::Value> = decode(what, body)?.value;
    let next_cursor = (!page.is_last()).then(|| page.next_cursor.clone());
    Ok(listing(what, page.data, next_cursor))
}

pub(super) fn listing<T: DeserializeOwned>(
    what: &'static str,
    items: Vec<serde_json::Value>,
    next_cursor: Option<String>,
) -> Listing<T> {
    let mut unknown = Unknown::default();
    let (mut decoded, mut faults) = (Vec::with_capacity(items.len()), Vec::new());
    for item in items {
        match serde_ignored::deserialize(item, |path| unknown.note(path)) {
            Ok(item) => decoded.push(item),
            Err(fault) => faults.push(RestFault { what, why: fault.to_string() }),
        }
    }
    Listing { items: decoded, faults, next_cursor, unknown_fields: unknown.fields, first_unknown: unknown.first }
}

/// `GET /time`: seconds since the Unix epoch.
///
/// # Errors
/// [`RestFault`].
pub fn server_time(body: &[u8]) -> Result<u64, RestFault> {
    let number = decode::<crate::wire::Number>("the server's time", body)?.value;
    number.count().map_err(|why| RestFault { what: "the server's time", why: why.to_string() })
}

/// What the venue's protocol version allows us to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The version that this code was written for.
    Supported,
    /// Another one: books may be read, orders must not be sent.
    ReadOnly {
        /// What the venue stated; `None` when it is not a number.
        version: Option<u64>,
    },
}

/// The protocol version that this code speaks.
pub const PROTOCOL_VERSION: u64 = 2;

/// `GET /version`: whether we may trade.
///
/// # Errors
/// [`RestFault`].
pub fn protocol(body: &[u8]) -> Result<Protocol, RestFault> {
    let version = decode::<Version>("the protocol version", body)?.value.version.count().ok();
    Ok(if version == Some(PROTOCOL_VERSION) { Protocol::Supported } else { Protocol::ReadOnly { version } })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{ClobMarket, MarketByToken, NegRisk, OpenOrder, TickSize, Trade};

    #[test]
    fn only_version_2_may_trade() {
        assert_eq!(protocol(b"{\"version\":2}"), Ok(Protocol::Supported));
        assert_eq!(protocol(b"{\"version\":\"2\",\"build\":1}"), Ok(Protocol::Supported));
        assert_eq!(protocol(b"{\"version\":3}"), Ok(Protocol::ReadOnly { version: Some(3) }));
        assert_eq!(protocol(b"{\"version\":\"two\"}"), Ok(Protocol::ReadOnly { version: None }));
        assert_eq!(protocol(b"{\"version\":2.5}"), Ok(Protocol::ReadOnly { version: None }));
        assert!(protocol(b"{}").is_err() && protocol(b"<html>").is_err());
    }

    #[test]
    fn times() {
        assert_eq!(server_time(b"1760000000"), Ok(1_760_000_000));
        assert_eq!(server_time(b"\"1760000000\""), Ok(1_760_000_000));
        for bad in [&b""[..], b"-1", b"null", b"1 2", b"{}", b"1.5"] {
            assert!(server_time(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn unknown_fields_are_counted_and_named() {
        let body = b"{\"minimum_tick_size\":0.01,\"a\":{\"b\":1},\"c\":[]}";
        let decoded = decode::<TickSize>("a tick size", body).expect("an object");
        assert_eq!((decoded.unknown_fields, decoded.first_unknown.as_deref()), (2, Some("a")));
        let nested = decode::<Page<MarketByToken>>(
            "a page",
            b"{\"next_cursor\":\"\",\"data\":[{\"condition_id\":\"0x1\",\"primary_token_id\":1,\"secondary_token_id\":2,\"x\":0}]}",
        );
        assert_eq!(nested.expect("a page").first_unknown.as_deref(), Some("data.0.x"));
    }

    #[test]
    fn faults_say_what_and_where() {
        let fault = decode::<NegRisk>("the neg-risk flag", b"{\"neg_risk\":\"maybe\"}").expect_err("a wrong type");
        let text = fault.to_string();
        assert!(text.starts_with("the neg-risk flag was not understood: invalid type"), "{text}");
        assert!(text.contains("line 1 column"), "{text}");
        assert!(decode::<NegRisk>("x", b"{\"neg_risk\":true} trailing").is_err());
    }

    #[test]
    fn one_bad_item_does_not_hide_the_others() {
        let body = b"{\"limit\":2,\"count\":3,\"next_cursor\":\"Mg==\",\"data\":[{\"neg_risk\":true},{\"neg_risk\":7},{\"neg_risk\":false,\"a\":1}]}";
        let listing = decode_listing::<NegRisk>("a flag", body).expect("a page");
        assert_eq!(listing.items.iter().map(|item| item.neg_risk).collect::<Vec<_>>(), [true, false]);
        assert_eq!((listing.faults.len(), listing.next_cursor.as_deref()), (1, Some("Mg==")));
        assert_eq!((listing.unknown_fields, listing.first_unknown.as_deref()), (1, Some("a")));
        let last = decode_listing::<NegRisk>("a flag", b"{\"next_cursor\":\"LTE=\",\"data\":[]}").expect("a page");
        assert_eq!(last.next_cursor, None);
        assert!(decode_listing::<NegRisk>("a flag", b"{\"data\":[]}").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_decoded(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (decode::<OpenOrder>("x", &body), decode::<Page<Trade>>("x", &body), decode::<ClobMarket>("x", &body));
            let _ = (protocol(&body), server_time(&body), decode_listing::<ClobMarket>("x", &body));
        }
    }
}
