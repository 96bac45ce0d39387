//! The user channel: what happened to our orders and our matches (protocol section 8.2).
//!
//! These frames are few and each may carry a fill, so this decoder is patient rather than fast: it takes every odd form that has
//! been captured (a cancel without `event_type`, empty sizes, times as digits or ISO text, words with a prefix), and an element
//! that it cannot understand is counted and explained, never passed over in silence.

use oddsmith_domain::{AccountTrade, AssetId, OrderId, Shares, VenueOrderStatus};
use serde::Deserialize;
use serde_json::Value;

use super::rest::RestFault;
use super::rest::account::{order_status, trade};
use crate::AssetTable;
use crate::wire::{Text, Trade};

const ORDER: &str = "an order event";
const TRADE: &str = "a trade event";

/// What an order event says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderEventKind {
    /// It was placed.
    Placement,
    /// Part of it was matched.
    Update,
    /// It was cancelled.
    Cancellation,
}

/// An order event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderReport {
    /// The order.
    pub id: OrderId,
    /// What happened.
    pub kind: OrderEventKind,
    /// Its token, when it is one of ours.
    pub asset: Option<AssetId>,
    /// Its size when it was placed; `None` when the venue left it empty.
    pub original_size: Option<Shares>,
    /// How much of it has been matched, cumulative; `None` when the venue left it empty.
    pub size_matched: Option<Shares>,
    /// How it stands.
    pub status: VenueOrderStatus,
    /// The venue's words for that, which can hold a reason.
    pub status_text: String,
}

/// One event of the user channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserEvent {
    /// An order was placed, matched or cancelled.
    Order(OrderReport),
    /// A match, or its settlement, moved on.
    Trade(AccountTrade),
}

/// What became of a frame of the user channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserReport {
    /// Elements that were understood.
    pub elements: u32,
    /// Elements with an event type that is not known.
    pub unknown_events: u32,
    /// Elements that should have been understood and were not.
    pub undecodable: u32,
    /// Why the first of them was not.
    pub first_fault: Option<RestFault>,
}

/// Decodes frames of the user channel.
#[derive(Debug, Default)]
pub struct UserDecoder {}

#[derive(Deserialize)]
struct OrderElement {
    id: String,
    #[serde(default)]
    asset_id: Text,
    #[serde(default, rename = "type")]
    kind: Text,
    #[serde(default)]
    status: Text,
    #[serde(default)]
    original_size: Text,
    #[serde(default)]
    size_matched: Text,
}

impl UserDecoder {
    /// A decoder.
    #[must_use]
    pub const fn new() -> UserDecoder {
        UserDecoder {}
    }

    /// Decodes one frame, an object or an array of objects, and appends its events in order.
    pub fn decode(&mut self, assets: &AssetTable, frame: &[u8], events: &mut Vec<UserEvent>) -> UserReport {
        let mut report = UserReport::default();
        let elements = match serde_json::from_slice(frame) {
            Ok(Value::Array(elements)) => elements,
            Ok(element) => vec![element],
            Err(why) => {
                report.fail(RestFault { what: "a frame of the user channel", why: why.to_string() });
                return report;
            }
        };
        for element in elements {
            match element_kind(&element) {
                Some(Kind::Trade) => match trade_event(element, assets) {
                    Ok(trade) => report.take(events, UserEvent::Trade(trade)),
                    Err(fault) => report.fail(fault),
                },
                Some(Kind::Order) => match order_event(element, assets) {
                    Ok(order) => report.take(events, UserEvent::Order(order)),
                    Err(fault) => report.fail(fault),
                },
                Some(Kind::Unknown) => report.unknown_events += 1,
                None => report.fail(RestFault {
                    what: "a frame of the user channel",
                    why: "neither an order nor a trade".to_owned(),
                }),
            }
        }
        report
    }
}

impl UserReport {
    fn fail(&mut self, fault: RestFault) {
        self.undecodable = self.undecodable.saturating_add(1);
        self.first_fault.get_or_insert(fault);
    }

    fn take(&mut self, events: &mut Vec<UserEvent>, event: UserEvent) {
        self.elements += 1;
        events.push(event);
    }
}

enum Kind {
    Trade,
    Order,
    Unknown,
}

/// What an element is: by its event type, or by its shape where the venue left that out. `None` for what is no event at all.
fn element_kind(element: &Value) -> Option<Kind> {
    let object = element.as_object()?;
    Some(match object.get("event_type").and_then(Value::as_str) {
        Some("trade") => Kind::Trade,
        Some("order") => Kind::Order,
        Some(_) => Kind::Unknown,
        None if object.contains_key("taker_order_id") => Kind::Trade,
        None if object.contains_key("id") && object.contains_key("original_size") => Kind::Order,
        None => return None,
    })
}

fn trade_event(mut element: Value, assets: &AssetTable) -> Result<AccountTrade, RestFault> {
    let fault = |why: serde_json::Error| RestFault { what: TRADE, why: why.to_string() };
    if let Some(object) = element.as_object_mut() {
        if let Some(time) = object.remove("matchtime") {
            object.entry("match_time").or_insert(time);
        }
        // Older frames do not say which side is ours: the one whose key received the event.
        if object.get("trader_side").and_then(Value::as_str).is_none_or(str::is_empty) {
            let owner = object.get("owner").and_then(Value::as_str).unwrap_or_default();
            let legs = object.get("maker_orders").and_then(Value::as_array);
            let is_maker = legs.is_some_and(|legs| legs.iter().any(|leg| leg["owner"].as_str() == Some(owner)));
            let side = if is_maker { "MAKER" } else { "TAKER" };
            object.insert("trader_side".to_owned(), Value::from(side));
        }
    }
    trade(&serde_json::from_value::<Trade>(element).map_err(fault)?, assets)
}

fn order_event(element: Value, assets: &AssetTable) -> Result<OrderReport, RestFault> {
    let order: OrderElement =
        serde_json::from_value(element).map_err(|why| RestFault { what: ORDER, why: why.to_string() })?;
    let size = |name, text: &Text| match text.is_empty() {
        true => Ok(None),
        false => text.shares().map(Some).map_err(|why| RestFault::field(ORDER, name, why, text.as_str())),
    };
    let kind = match order.kind.as_str() {
        "PLACEMENT" => OrderEventKind::Placement,
        "UPDATE" => OrderEventKind::Update,
        "CANCELLATION" => OrderEventKind::Cancellation,
        // A venue cancel was captured without a type, with its status only.
        "" if order_status(order.status.as_str()) == VenueOrderStatus::Canceled => OrderEventKind::Cancellation,
        other => return Err(RestFault::field(ORDER, "type", "no kind of order event", other)),
    };
    Ok(OrderReport {
        id: OrderId::parse(&order.id).map_err(|why| RestFault::field(ORDER, "id", why, &order.id))?,
        kind,
        asset: assets.lookup(order.asset_id.as_str().as_bytes()),
        original_size: size("original_size", &order.original_size)?,
        size_matched: size("size_matched", &order.size_matched)?,
        status: match kind {
            OrderEventKind::Cancellation => VenueOrderStatus::Canceled,
            _ if order.status.is_empty() => VenueOrderStatus::Live,
            _ => order_status(order.status.as_str()),
        },
        status_text: order.status.as_str().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{Side, TradeStatus};

    use super::*;

    const ID: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

    fn decode(frame: &str) -> (Vec<UserEvent>, UserReport) {
        let mut events = Vec::new();
        let report = UserDecoder::new().decode(&AssetTable::new(), frame.as_bytes(), &mut events);
        (events, report)
    }

    fn trade_frame(extra: &str) -> String {
        format!(
            r#"{{"event_type":"trade","id":"t-1","taker_order_id":"{ID}","market":"0xab","asset_id":"7","side":"BUY","size":"10","price":"0.58","status":"MATCHED","owner":"me","match_time":"1790000000","maker_orders":[{{"order_id":"{ID}","owner":"me","matched_amount":"10","price":"0.42","asset_id":"8","side":"BUY","outcome":"No"}}]{extra}}}"#
        )
    }

    #[test]
    fn a_match_with_and_without_its_trader_side() {
        for (extra, we_take) in [(r#","trader_side":"TAKER""#, true), (r#","trader_side":"MAKER""#, false), ("", false)]
        {
            let (events, report) = decode(&trade_frame(extra));
            let [UserEvent::Trade(trade)] = events.as_slice() else { panic!("{report:?}") };
            assert_eq!((trade.we_take, trade.status, trade.side), (we_take, TradeStatus::Matched, Side::Buy));
            assert_eq!((trade.legs.len(), trade.match_time_s), (1, 1_790_000_000));
        }
    }

    #[test]
    fn a_leg_without_a_side_has_the_one_that_its_token_implies() {
        for (token, implied) in [("7", Side::Sell), ("8", Side::Buy)] {
            let frame = trade_frame("").replace(r#""asset_id":"8","side":"BUY""#, &format!(r#""asset_id":"{token}""#));
            let (events, report) = decode(&frame);
            let [UserEvent::Trade(trade)] = events.as_slice() else { panic!("{report:?}") };
            assert_eq!(trade.legs.first().map(|leg| leg.side), Some(implied));
        }
    }

    #[test]
    fn an_order_event_in_its_captured_forms() {
        let order = |body: &str| decode(&format!(r#"{{"id":"{ID}","original_size":"10",{body}}}"#));
        for (body, kind, status, matched) in [
            (
                r#""event_type":"order","type":"PLACEMENT","status":"LIVE","size_matched":"0","asset_id":"7""#,
                OrderEventKind::Placement,
                VenueOrderStatus::Live,
                Some("0"),
            ),
            (
                r#""event_type":"order","type":"UPDATE","status":"MATCHED","size_matched":"10""#,
                OrderEventKind::Update,
                VenueOrderStatus::Matched,
                Some("10"),
            ),
            (
                r#""type":"CANCELLATION","status":"","size_matched":"","associate_trades":null"#,
                OrderEventKind::Cancellation,
                VenueOrderStatus::Canceled,
                None,
            ),
            (
                r#""status":"CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed.""#,
                OrderEventKind::Cancellation,
                VenueOrderStatus::Canceled,
                None,
            ),
        ] {
            let (events, report) = order(body);
            let [UserEvent::Order(order)] = events.as_slice() else { panic!("{body}: {report:?}") };
            assert_eq!((order.kind, order.status), (kind, status), "{body}");
            assert_eq!(order.size_matched, matched.map(|m| m.parse().expect("decimal")), "{body}");
        }
    }

    #[test]
    fn arrays_keep_what_can_be_understood() {
        let frame = format!(r#"[{},{{"event_type":"trade"}},{{"event_type":"weather"}},3]"#, trade_frame(""));
        let (events, report) = decode(&frame);
        assert_eq!((events.len(), report.elements, report.unknown_events, report.undecodable), (1, 1, 1, 2));
        assert!(report.first_fault.expect("explained").to_string().contains("trade"));
    }

    #[test]
    fn a_frame_cut_anywhere_is_a_fault_and_never_a_panic() {
        let frame = trade_frame("");
        for end in 0..frame.len() {
            let (events, report) = decode(&frame[..end]);
            assert!(events.is_empty() && report.undecodable == 1, "cut at {end}");
        }
        let mut events = Vec::new();
        assert_eq!(UserDecoder::new().decode(&AssetTable::new(), b"\xff\xfe{}", &mut events).undecodable, 1);
    }
}
