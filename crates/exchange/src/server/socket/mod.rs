//! The two WebSocket channels (protocol section 8).

mod frames;
mod hub;
mod session;

pub(super) use frames::{Names, transaction_text};
pub(super) use hub::Hub;
pub(super) use session::{market_socket, user_socket};

use crate::core::{Market, OrderEvent, PublicEvent, TradeEvent};

/// The frame of a public event.
pub(super) fn public_frame(event: &PublicEvent, market: &Market) -> String {
    frames::public(event, market)
}

/// The frame of an order event.
pub(super) fn order_frame(event: &OrderEvent, market: &Market, names: &impl Names) -> String {
    frames::order(event, market, names)
}

/// The frame of a trade event.
pub(super) fn trade_frame(event: &TradeEvent, market: &Market, names: &impl Names) -> String {
    frames::trade(event, market, names)
}
