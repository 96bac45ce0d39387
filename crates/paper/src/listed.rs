//! A market as the paper venue knows it: its card, and the book that others display, from the frames of both tokens.

use oddsmith_domain::{
    AssetId, BookLevel, LevelChange, MarketBatch, MarketCard, Outcome, Price, Side, SnapshotHeader, Tick,
};

use crate::half::Half;
use crate::matching::{Fill, Matching};
use crate::queue::QueueModel;

/// Bits for every price of the grid.
const WORDS: usize = crate::half::PRICES.div_ceil(64);

/// One market.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) card: MarketCard,
    /// The tokens as the venue writes them.
    pub(crate) tokens: [String; 2],
    pub(crate) tick: Option<Tick>,
    /// None when nobody follows the market any more.
    pub(crate) book: Option<Box<Matching>>,
    /// Whether a snapshot has been seen: before it nobody knows what is displayed.
    pub(crate) is_known: bool,
    /// Whether the market takes orders.
    pub(crate) is_open: bool,
    /// What a share of YES pays, once that is decided.
    pub(crate) paid: Option<Price>,
    /// The venue's time of the newest snapshot, and of the newest frame.
    floor_ms: u64,
    newest_ms: u64,
}

impl Listed {
    pub(crate) fn new(card: &MarketCard, model: QueueModel) -> Listed {
        Listed {
            card: card.clone(),
            tokens: card.tokens.map(|token| token.to_string()),
            tick: card.tick,
            book: Some(Box::new(Matching::new(model))),
            is_known: false,
            is_open: card.accepting_orders,
            paid: None,
            floor_ms: 0,
            newest_ms: 0,
        }
    }

    /// A refreshed card: what the stream has said since stays.
    pub(crate) fn refresh(&mut self, card: &MarketCard, model: QueueModel) {
        self.tick = card.tick.or(self.tick);
        self.is_open = card.accepting_orders && self.paid.is_none();
        self.card = card.clone();
        if self.book.is_none() {
            (self.book, self.is_known) = (Some(Box::new(Matching::new(model))), false);
        }
    }

    /// The side and the price of YES at which an order of a token stands.
    pub(crate) fn stand(asset: AssetId, side: Side, price: Price) -> (Half, u16) {
        match (asset.outcome(), side) {
            (Outcome::Yes, Side::Buy) => (Half::Bids, price.units()),
            (Outcome::Yes, Side::Sell) => (Half::Asks, price.units()),
            (Outcome::No, Side::Buy) => (Half::Asks, price.complement().units()),
            (Outcome::No, Side::Sell) => (Half::Bids, price.complement().units()),
        }
    }

    pub(crate) fn change(&mut self, change: &LevelChange) {
        let stamp = change.timestamp_ms;
        let micros = change.level.size.shares.micros();
        // Older than the newest snapshot: that had it.
        if stamp < self.floor_ms || micros < 0 {
            return;
        }
        self.newest_ms = self.newest_ms.max(stamp);
        let (half, units) = Listed::stand(change.asset, change.side, change.level.price);
        if let Some(book) = &mut self.book {
            book.depth(half, units, micros, stamp);
        }
    }

    /// Somebody traded. Which side of the book it took is seen from the book where that is clear, and only then from the feed, whose
    /// word on it is weak (protocol section 8.1).
    pub(crate) fn trade(
        &mut self,
        (asset, side): (AssetId, Side),
        price: Price,
        micros: i64,
        stamp_ms: u64,
        fills: &mut Vec<Fill>,
    ) {
        let (stated, units) = Listed::stand(asset, side.opposite(), price);
        let Some(book) = &mut self.book else { return };
        let hits_bids = book.best(Half::Bids).is_some_and(|best| units <= best);
        let hits_asks = book.best(Half::Asks).is_some_and(|best| units >= best);
        let half = match (hits_bids, hits_asks) {
            (true, false) => Half::Bids,
            (false, true) => Half::Asks,
            _ => stated,
        };
        book.trade(half, units, micros, stamp_ms, fills);
    }

    /// Displays a snapshot in place of what is known, unless that is newer.
    pub(crate) fn snapshot(&mut self, header: &SnapshotHeader, batch: &MarketBatch) {
        let stamp = header.timestamp_ms;
        if stamp < self.newest_ms.max(self.floor_ms) && self.is_known {
            return;
        }
        (self.floor_ms, self.newest_ms) = (stamp, self.newest_ms.max(stamp));
        self.is_known = true;
        self.tick = header.tick.or(self.tick);
        self.replace(header.asset, Side::Buy, batch.bids(header), stamp);
        self.replace(header.asset, Side::Sell, batch.asks(header), stamp);
    }

    fn replace(&mut self, asset: AssetId, side: Side, levels: &[BookLevel], stamp_ms: u64) {
        let Some(book) = &mut self.book else { return };
        let half = Listed::stand(asset, side, Price::ZERO).0;
        let mut stated = [0u64; WORDS];
        for level in levels {
            let (_, units) = Listed::stand(asset, side, level.price);
            stated[usize::from(units) / 64] |= 1 << (units % 64);
            book.depth(half, units, level.size.shares.micros().max(0), stamp_ms);
        }
        let is_stated = |units: u16| stated[usize::from(units) / 64] & (1 << (units % 64)) != 0;
        let gone: Vec<u16> = book.prices(half).filter(|units| !is_stated(*units)).collect();
        for units in gone {
            book.depth(half, units, 0, stamp_ms);
        }
    }
}
