//! The frames of both channels (protocol sections 8.1 and 8.2): compact JSON, keys always in the same order.

use std::fmt::Write as _;

use oddsmith_domain::{Outcome, Price};
use oddsmith_polymarket::wire::{LegFrame, OrderFrame, TradeFrame};

use crate::core::{AccountId, Core, KeyId, LevelDelta, Market, OrderEvent, PublicEvent, TradeEvent, TradeState};

/// The frame of a public event.
#[must_use]
pub fn public(event: &PublicEvent, market: &Market) -> String {
    let mut out = String::with_capacity(512);
    match event {
        PublicEvent::Book { book, .. } => book.write_json(Some("book"), &mut out),
        PublicEvent::PriceChange { timestamp_ms, changes, .. } => {
            price_change(&mut out, market, *timestamp_ms, changes);
        }
        PublicEvent::LastTrade { outcome, price, size, side, timestamp_ms, .. } => {
            let asset = token(market, *outcome);
            let condition = &market.condition;
            let side = side.as_str();
            put(
                &mut out,
                format_args!(
                    "{{\"market\":\"{condition}\",\"asset_id\":\"{asset}\",\"price\":\"{price}\",\"size\":\"{size}\",\
                     \"fee_rate_bps\":\"0\",\"side\":\"{side}\",\"timestamp\":\"{timestamp_ms}\",\
                     \"event_type\":\"last_trade_price\"}}"
                ),
            );
        }
        PublicEvent::TickChange { outcome, old, new, timestamp_ms, .. } => {
            let (asset, condition) = (token(market, *outcome), &market.condition);
            put(
                &mut out,
                format_args!(
                    "{{\"market\":\"{condition}\",\"asset_id\":\"{asset}\",\"old_tick_size\":\"{old}\",\
                     \"new_tick_size\":\"{new}\",\"timestamp\":\"{timestamp_ms}\",\"event_type\":\"tick_size_change\"}}"
                ),
            );
        }
        PublicEvent::BestBidAsk { outcome, best_bid, best_ask, timestamp_ms, .. } => {
            let (asset, condition) = (token(market, *outcome), &market.condition);
            let spread = Price::from_units(best_ask.units().saturating_sub(best_bid.units())).unwrap_or_default();
            put(
                &mut out,
                format_args!(
                    "{{\"market\":\"{condition}\",\"asset_id\":\"{asset}\",\"best_bid\":\"{best_bid}\",\
                     \"best_ask\":\"{best_ask}\",\"spread\":\"{spread}\",\"timestamp\":\"{timestamp_ms}\",\
                     \"event_type\":\"best_bid_ask\"}}"
                ),
            );
        }
        PublicEvent::NewMarket { timestamp_ms, .. } => return new_market(market, *timestamp_ms),
        PublicEvent::MarketResolved { winner, timestamp_ms, .. } => return resolved(market, *winner, *timestamp_ms),
    }
    out
}

fn token(market: &Market, outcome: Outcome) -> &str {
    &market.token_texts[outcome.index()]
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes any text.
    let _infallible = out.write_fmt(text);
}

fn price_change(out: &mut String, market: &Market, timestamp_ms: u64, changes: &[LevelDelta]) {
    put(out, format_args!("{{\"market\":\"{}\",\"price_changes\":[", market.condition));
    for (index, change) in changes.iter().enumerate() {
        let LevelDelta { outcome, side, price, size, hash, best_bid, best_ask } = change;
        let (asset, side) = (token(market, *outcome), side.as_str());
        let comma = if index > 0 { "," } else { "" };
        put(
            out,
            format_args!(
                "{comma}{{\"asset_id\":\"{asset}\",\"price\":\"{price}\",\"size\":\"{size}\",\"side\":\"{side}\",\
                 \"hash\":\"{hash}\",\"best_bid\":\"{best_bid}\",\"best_ask\":\"{best_ask}\"}}"
            ),
        );
    }
    put(out, format_args!("],\"timestamp\":\"{timestamp_ms}\",\"event_type\":\"price_change\"}}"));
}

fn event_message(market: &Market) -> serde_json::Value {
    let spec = &market.spec;
    serde_json::json!({
        "id": market.event_id,
        "ticker": spec.event_slug,
        "slug": spec.event_slug,
        "title": spec.event_title,
        "description": spec.description,
    })
}

fn new_market(market: &Market, timestamp_ms: u64) -> String {
    let spec = &market.spec;
    serde_json::json!({
        "id": market.gamma_id,
        "question": spec.question,
        "market": market.condition.as_str(),
        "slug": spec.slug,
        "description": spec.description,
        "assets_ids": market.token_texts,
        "outcomes": spec.outcomes,
        "event_message": event_message(market),
        "timestamp": timestamp_ms.to_string(),
        "event_type": "new_market",
        "tags": spec.tags,
        "condition_id": market.condition.as_str(),
        "active": true,
        "clob_token_ids": market.token_texts,
        "order_price_min_tick_size": market.tick.as_str(),
        "group_item_title": spec.group_item_title,
        "taker_base_fee": "0",
        "fees_enabled": spec.fee.rate_micro() > 0,
    })
    .to_string()
}

fn resolved(market: &Market, winner: Option<Outcome>, timestamp_ms: u64) -> String {
    let spec = &market.spec;
    // A market that pays both halves has no winner; clients still need an id here, and the first token stands for "none".
    let (asset, outcome) = match winner {
        Some(winner) => (token(market, winner), spec.outcomes[winner.index()].as_str()),
        None => (token(market, Outcome::Yes), ""),
    };
    serde_json::json!({
        "id": market.gamma_id,
        "question": spec.question,
        "market": market.condition.as_str(),
        "slug": spec.slug,
        "description": spec.description,
        "assets_ids": market.token_texts,
        "outcomes": spec.outcomes,
        "winning_asset_id": asset,
        "winning_outcome": outcome,
        "event_message": event_message(market),
        "timestamp": timestamp_ms.to_string(),
        "event_type": "market_resolved",
        "tags": spec.tags,
    })
    .to_string()
}

/// Who is behind a key or an account: what frames and bodies call `owner` and `maker_address`.
pub trait Names {
    /// The UUID of a key.
    fn key(&self, key: KeyId) -> String;
    /// The address of an account.
    fn account(&self, account: AccountId) -> String;
}

impl Names for Core {
    fn key(&self, key: KeyId) -> String {
        Core::key(self, key).map(|key| key.id.clone()).unwrap_or_default()
    }

    fn account(&self, account: AccountId) -> String {
        Core::account(self, account).map(|account| account.address.to_string()).unwrap_or_default()
    }
}

/// The frame of an order event.
#[must_use]
pub fn order(event: &OrderEvent, market: &Market, names: &impl Names) -> String {
    let order = &event.order;
    let (owner, maker) = (names.key(order.key), names.account(order.account));
    OrderFrame {
        change: event.change.as_str(),
        id: order.id,
        owner: &owner,
        market: market.condition.as_str(),
        asset: token(market, order.outcome),
        outcome: &market.spec.outcomes[order.outcome.index()],
        side: order.side,
        price: order.price,
        size: order.size,
        matched: order.matched,
        trades: &order.trades,
        created_s: order.created_ms / 1_000,
        expiration_s: order.expiration_s,
        order_type: order.order_type.as_str(),
        maker: &maker,
        status: order.status.as_str(),
        timestamp_ms: event.timestamp_ms,
    }
    .to_json()
}

/// The frame of a trade event.
#[must_use]
pub fn trade(event: &TradeEvent, market: &Market, names: &impl Names) -> String {
    let trade = &event.trade;
    let (taker, receiver) = (&trade.taker, names.key(event.receiver));
    let people: Vec<_> = trade.makers.iter().map(|(leg, _)| (names.key(leg.key), names.account(leg.account))).collect();
    let legs = trade.makers.iter().zip(&people).map(|((leg, _), (owner, maker))| LegFrame {
        order: leg.order,
        owner,
        maker,
        asset: token(market, leg.outcome),
        outcome: &market.spec.outcomes[leg.outcome.index()],
        outcome_index: leg.outcome.index(),
        side: leg.side,
        price: leg.price,
        size: leg.shares,
    });
    let legs: Vec<LegFrame<'_>> = legs.collect();
    TradeFrame {
        id: trade.id.as_str(),
        taker_order: taker.order,
        market: market.condition.as_str(),
        asset: token(market, taker.outcome),
        outcome: &market.spec.outcomes[taker.outcome.index()],
        side: taker.side,
        size: taker.shares,
        price: taker.price,
        status: event.state.as_str(),
        owner: &receiver,
        maker: &names.account(taker.account),
        as_taker: event.as_taker,
        legs: &legs,
        transaction: &transaction_text(event.state, trade.transaction.as_ref()),
        matched_ms: trade.matched_ms,
        timestamp_ms: event.timestamp_ms,
    }
    .to_json()
}

/// A trade's transaction as it is written; empty until it is in a block.
pub fn transaction_text(state: TradeState, transaction: Option<&[u8; 32]>) -> String {
    match (state, transaction) {
        (TradeState::Matched | TradeState::Retrying, _) | (_, None) => String::new(),
        (_, Some(bytes)) => format!("0x{}", hex::encode(bytes)),
    }
}
