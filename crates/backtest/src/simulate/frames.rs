//! What the exchange's events look like on the wire.

use std::fmt::Write;

use oddsmith_domain::Outcome;
use oddsmith_exchange::core::{Core, LevelDelta, Market, OrderEvent, PublicEvent, TradeEvent};

/// A frame of the market channel; `None` for what plain subscribers do not get.
pub(super) fn public(core: &Core, event: &PublicEvent) -> Option<String> {
    let market = core.market(event.market())?;
    let condition = market.condition;
    let token = |outcome: Outcome| &market.token_texts[outcome.index()];
    let mut frame = String::new();
    match event {
        PublicEvent::Book { book, .. } => book.write_json(Some("book"), &mut frame),
        PublicEvent::PriceChange { timestamp_ms, changes, .. } => {
            let changes: Vec<_> = changes.iter().map(|change| level(market, change)).collect();
            let changes = changes.join(",");
            let _infallible = write!(
                frame,
                r#"{{"market":"{condition}","price_changes":[{changes}],"timestamp":"{timestamp_ms}","event_type":"price_change"}}"#
            );
        }
        PublicEvent::LastTrade { outcome, price, size, side, timestamp_ms, .. } => {
            let (token, side) = (token(*outcome), side.as_str());
            let _infallible = write!(
                frame,
                r#"{{"market":"{condition}","asset_id":"{token}","price":"{price}","size":"{size}","fee_rate_bps":"0","side":"{side}","timestamp":"{timestamp_ms}","event_type":"last_trade_price"}}"#
            );
        }
        PublicEvent::TickChange { outcome, old, new, timestamp_ms, .. } => {
            let token = token(*outcome);
            let _infallible = write!(
                frame,
                r#"{{"market":"{condition}","asset_id":"{token}","old_tick_size":"{old}","new_tick_size":"{new}","timestamp":"{timestamp_ms}","event_type":"tick_size_change"}}"#
            );
        }
        PublicEvent::MarketResolved { winner, timestamp_ms, .. } => {
            let [yes, no] = &market.token_texts;
            let winner = winner.map(token).map_or("", String::as_str);
            let _infallible = write!(
                frame,
                r#"{{"id":"1","market":"{condition}","assets_ids":["{yes}","{no}"],"winning_asset_id":"{winner}","winning_outcome":"","timestamp":"{timestamp_ms}","event_type":"market_resolved"}}"#
            );
        }
        PublicEvent::BestBidAsk { .. } | PublicEvent::NewMarket { .. } => return None,
    }
    Some(frame)
}

fn level(market: &Market, change: &LevelDelta) -> String {
    format!(
        r#"{{"asset_id":"{}","price":"{}","size":"{}","side":"{}","hash":"{}","best_bid":"{}","best_ask":"{}"}}"#,
        market.token_texts[change.outcome.index()],
        change.price,
        change.size,
        change.side.as_str(),
        change.hash,
        change.best_bid,
        change.best_ask
    )
}

/// An order event of the user channel.
pub(super) fn order(core: &Core, event: &OrderEvent) -> String {
    let order = &event.order;
    let (condition, token) = named(core, order.market, order.outcome);
    format!(
        r#"{{"event_type":"order","type":"{}","id":"{}","market":"{condition}","asset_id":"{token}","side":"{}","price":"{}","original_size":"{}","size_matched":"{}","status":"{}","timestamp":"{}"}}"#,
        event.change.as_str(),
        order.id,
        order.side.as_str(),
        order.price,
        order.size,
        order.matched,
        order.status.as_str(),
        event.timestamp_ms
    )
}

/// A trade event of the user channel.
pub(super) fn trade(core: &Core, event: &TradeEvent) -> String {
    trade_json(core, event, event.state.as_str())
}

fn trade_json(core: &Core, event: &TradeEvent, status: &str) -> String {
    let trade = &event.trade;
    let (condition, token) = named(core, trade.market, trade.taker.outcome);
    let legs: Vec<_> = trade
        .makers
        .iter()
        .map(|(leg, _)| {
            let (_, token) = named(core, trade.market, leg.outcome);
            format!(
                r#"{{"order_id":"{}","matched_amount":"{}","price":"{}","asset_id":"{token}","side":"{}","outcome":""}}"#,
                leg.order,
                leg.shares,
                leg.price,
                leg.side.as_str()
            )
        })
        .collect();
    format!(
        r#"{{"event_type":"trade","type":"TRADE","id":"{}","taker_order_id":"{}","market":"{condition}","asset_id":"{token}","side":"{}","size":"{}","price":"{}","status":"{status}","trader_side":"{}","match_time":"{}","maker_orders":[{}]}}"#,
        trade.id,
        trade.taker.order,
        trade.taker.side.as_str(),
        trade.taker.shares,
        trade.taker.price,
        if event.as_taker { "TAKER" } else { "MAKER" },
        trade.matched_ms / 1_000,
        legs.join(",")
    )
}

fn named(core: &Core, market: oddsmith_domain::MarketId, outcome: Outcome) -> (String, String) {
    core.market(market)
        .map_or_else(Default::default, |m| (m.condition.to_string(), m.token_texts[outcome.index()].clone()))
}
