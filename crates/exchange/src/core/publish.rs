//! From touched levels to public events.

use std::sync::Arc;

use oddsmith_domain::{MarketId, Outcome, Price, Shares, VenueHash};

use super::Core;
use super::book::{Ladder, price_of};
use super::event::{CoreEvent, LevelDelta, OrderChange, OrderEvent, PublicEvent};
use super::order::Order;

/// A level of the unified book after a change, with the top as it then stood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch {
    ladder: Ladder,
    units: u16,
    size: Shares,
    bid: Option<u16>,
    ask: Option<u16>,
}

impl Touch {
    fn delta(&self, outcome: Outcome, hash: VenueHash) -> LevelDelta {
        let (best_bid, best_ask) = top(outcome, self.bid, self.ask);
        LevelDelta {
            outcome,
            side: self.ladder.side_of(outcome),
            price: price_of(outcome, self.units),
            size: self.size,
            hash,
            best_bid,
            best_ask,
        }
    }
}

/// The top of an outcome's book as it is stated: zero and one where a side is empty.
fn top(outcome: Outcome, bid: Option<u16>, ask: Option<u16>) -> (Price, Price) {
    let price = |units: Option<u16>, none| units.map_or(none, |units| price_of(outcome, units));
    match outcome {
        Outcome::Yes => (price(bid, Price::ZERO), price(ask, Price::ONE)),
        Outcome::No => (price(ask, Price::ZERO), price(bid, Price::ONE)),
    }
}

impl Core {
    /// Notes that a level has changed.
    pub(crate) fn touch(&mut self, market: MarketId, ladder: Ladder, units: u16) {
        let Some(listed) = self.markets.get(market.index()) else { return };
        let touch = Touch {
            ladder,
            units,
            size: listed.book.size_at(ladder, units),
            bid: listed.book.best(Ladder::Bid),
            ask: listed.book.best(Ladder::Ask),
        };
        self.touched.push(touch);
    }

    /// Publishes all noted changes of one market: the changes, then after a match both whole books, then the new tops.
    pub(crate) fn publish(&mut self, market: MarketId, after_match: bool) {
        let touched = std::mem::take(&mut self.touched);
        let now_ns = self.now_ns;
        let Some(listed) = self.markets.get_mut(market.index()) else { return };
        if touched.is_empty() {
            return;
        }
        listed.restamp(now_ns);
        let timestamp_ms = listed.book_changed_ms();
        let both = Outcome::BOTH.map(|outcome| (outcome, listed.book_hash(outcome)));
        let mut changes = Vec::with_capacity(touched.len() * 2);
        for touch in &touched {
            changes.extend(both.iter().map(|(outcome, hash)| touch.delta(*outcome, *hash)));
        }
        self.events.push(CoreEvent::Public(PublicEvent::PriceChange { market, timestamp_ms, changes }));
        if after_match && self.config.books_after_match {
            for outcome in Outcome::BOTH {
                let book = Arc::new(listed.snapshot(outcome));
                self.events.push(CoreEvent::Public(PublicEvent::Book { market, outcome, book }));
            }
        }
        let now_top = (listed.book.best(Ladder::Bid), listed.book.best(Ladder::Ask));
        if std::mem::replace(&mut listed.published_top, now_top) != now_top {
            for outcome in Outcome::BOTH {
                let (best_bid, best_ask) = top(outcome, now_top.0, now_top.1);
                let event = PublicEvent::BestBidAsk { market, outcome, best_bid, best_ask, timestamp_ms };
                self.events.push(CoreEvent::Public(event));
            }
        }
    }

    /// Tells an outside owner what happened to an order.
    pub(crate) fn tell(&mut self, change: OrderChange, order: &Order) {
        if self.is_internal(order.user) {
            return;
        }
        let timestamp_ms = self.now_ms();
        self.events.push(CoreEvent::Order(Box::new(OrderEvent { change, order: order.clone(), timestamp_ms })));
    }
}
