//! Notifications: what a user is told of fills and of orders that the exchange took away (protocol section 6.5).

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::core::{CancelReason, Core, Leg, OrderEvent, OrderStatus, TradeEvent, TradeState, UserId};
use crate::frames::transaction_text;

/// Notifications that are kept per user.
const MOST: usize = 100;
/// An order was cancelled.
const CANCEL: u8 = 1;
/// An order was filled.
const FILL: u8 = 2;
/// A fill failed.
const FILL_FAILED: u8 = 8;

/// The notifications of all users.
#[derive(Debug, Default)]
pub(super) struct Notices {
    last_id: u64,
    by_user: BTreeMap<UserId, VecDeque<(u64, Value)>>,
}

impl Notices {
    /// A match, or its failure, for each order of the receiver that took part.
    pub(super) fn note_trade(&mut self, core: &Core, event: &TradeEvent) {
        let kind = match event.state {
            TradeState::Matched => FILL,
            TradeState::Failed => FILL_FAILED,
            _ => return,
        };
        let trade = &event.trade;
        let legs: Vec<&Leg> = if event.as_taker {
            vec![&trade.taker]
        } else {
            trade.makers.iter().map(|(leg, _)| leg).filter(|leg| leg.key == event.receiver).collect()
        };
        for leg in legs {
            let transaction = transaction_text(event.state, trade.transaction.as_ref());
            let Some(mut payload) = order_payload(core, leg.order) else { continue };
            payload["matched_size"] = json!(leg.shares.to_string());
            payload["price"] = json!(leg.price.to_string());
            payload["trade_id"] = json!(trade.id.as_str());
            // The Rust client needs 32 bytes here even before there is a transaction.
            let none = format!("0x{}", "0".repeat(64));
            payload["transaction_hash"] = json!(if transaction.is_empty() { none } else { transaction });
            self.push(leg.user, kind, payload, event.timestamp_ms);
        }
    }

    /// An order that left without its owner's doing.
    pub(super) fn note_order(&mut self, core: &Core, event: &OrderEvent) {
        let OrderStatus::Canceled(reason) = event.order.status else { return };
        if matches!(reason, CancelReason::User | CancelReason::FakRest | CancelReason::FokKilled) {
            return;
        }
        let Some(mut payload) = order_payload(core, event.order.id) else { return };
        payload["matched_size"] = json!(event.order.matched.to_string());
        payload["trade_id"] = json!("");
        payload["transaction_hash"] = json!(format!("0x{}", "0".repeat(64)));
        self.push(event.order.user, CANCEL, payload, event.timestamp_ms);
    }

    /// A user's notifications, oldest first.
    pub(super) fn list(&self, user: UserId) -> Vec<&Value> {
        self.by_user.get(&user).into_iter().flatten().map(|(_, notice)| notice).collect()
    }

    /// Forgets some of them.
    pub(super) fn remove(&mut self, user: UserId, ids: &[u64]) {
        if let Some(notices) = self.by_user.get_mut(&user) {
            notices.retain(|(id, _)| !ids.contains(id));
        }
    }

    fn push(&mut self, user: UserId, kind: u8, payload: Value, timestamp_ms: u64) {
        self.last_id += 1;
        let owner = payload["owner"].clone();
        let id = self.last_id;
        let notice =
            json!({ "id": id, "type": kind, "owner": owner, "payload": payload, "timestamp": timestamp_ms / 1_000 });
        let notices = self.by_user.entry(user).or_default();
        if notices.len() == MOST {
            notices.pop_front();
        }
        notices.push_back((id, notice));
    }
}

fn order_payload(core: &Core, order: oddsmith_domain::OrderId) -> Option<Value> {
    let order = core.order(&order)?;
    let market = core.market(order.market)?;
    let spec = &market.spec;
    Some(json!({
        "asset_id": market.token_texts[order.outcome.index()],
        "condition_id": market.condition.as_str(),
        "eventSlug": spec.event_slug,
        "icon": "",
        "image": "",
        "market": market.condition.as_str(),
        "market_slug": spec.slug,
        "order_id": order.id,
        "original_size": order.size.to_string(),
        "outcome": spec.outcomes[order.outcome.index()],
        "outcome_index": order.outcome.index(),
        "owner": core.key(order.key).map(|key| key.id.clone()).unwrap_or_default(),
        "price": order.price.to_string(),
        "question": spec.question,
        "remaining_size": order.remaining().to_string(),
        "seriesSlug": "",
        "side": order.side.as_str(),
        "type": order.order_type.as_str(),
    }))
}
