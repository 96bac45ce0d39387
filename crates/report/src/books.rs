//! The books as the engine had them, made again from the frames that it received.

use std::collections::BTreeMap;

use oddsmith_book::PairBook;
use oddsmith_domain::{Link, LinkState, Listing, MarketBatch, MarketCard, MarketId, MarketSource, Price, Time};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;

/// One market's card and book.
#[derive(Debug)]
struct Followed {
    card: MarketCard,
    book: PairBook,
    /// What a YES share pays, once that is known.
    pays: Option<Price>,
    /// Whether its books come from REST reads, because its connection cannot be had.
    by_rest: bool,
}

/// The books of a run. See the [module](self).
#[derive(Debug, Default)]
pub struct Books {
    table: AssetTable,
    decoder: MarketDecoder,
    markets: BTreeMap<MarketId, Followed>,
    touched: Vec<MarketId>,
}

impl Books {
    /// Takes a market in, under the number that the engine gave it.
    pub fn number(&mut self, market: MarketId, card: &MarketCard, pays: Option<Price>) {
        self.table.insert(market, card);
        let followed = Followed { card: card.clone(), book: PairBook::new(card), pays, by_rest: false };
        self.markets.insert(market, followed);
    }

    /// What a frame says of the markets that were taken in.
    pub fn decode(&mut self, bytes: &[u8], batch: &mut MarketBatch) {
        self.decoder.decode(&self.table, bytes, batch);
    }

    /// Applies a frame as the engine does.
    pub fn frame(&mut self, source: MarketSource, batch: &MarketBatch, now: Time) {
        self.touched.clear();
        let mut last = None;
        for event in &batch.events {
            let id = event.market();
            let Some(followed) = self.markets.get_mut(&id) else { continue };
            followed.book.apply_event(batch, event, now, source);
            if last != Some(id)
                && let Some(before) = last.replace(id)
            {
                end(&mut self.markets, before, now, &mut self.touched);
            }
        }
        if let Some(id) = last {
            end(&mut self.markets, id, now, &mut self.touched);
        }
    }

    /// The markets whose books the last frame touched: each once.
    #[must_use]
    pub fn touched(&self) -> &[MarketId] {
        &self.touched
    }

    /// A connection changed: what it had told counts no more when it is lost.
    pub fn link(&mut self, link: Link, state: &LinkState) {
        let Link::Market(shard) = link else { return };
        let lost = matches!(state, LinkState::Down(_) | LinkState::Silent);
        for (_, followed) in self.markets.iter_mut().filter(|(market, _)| market.shard() == shard) {
            if lost && !followed.by_rest {
                followed.book.reset();
            }
            followed.by_rest &= lost;
        }
    }

    /// A market's books come from REST reads from now on, or again from its connection.
    pub fn degraded(&mut self, market: MarketId, on: bool) {
        if let Some(followed) = self.markets.get_mut(&market) {
            followed.by_rest = on;
            if on {
                followed.book.reset();
            }
        }
    }

    /// A market came or went.
    pub fn listing(&mut self, market: MarketId, listing: Listing) {
        match listing {
            Listing::Left => {
                if let Some(followed) = self.markets.get_mut(&market) {
                    followed.book.reset();
                }
            }
            Listing::Forgotten => {
                if let Some(followed) = self.markets.remove(&market) {
                    self.table.remove(&followed.card);
                }
            }
            Listing::Joined | Listing::Ended | Listing::Resumed | Listing::Dropped => {}
        }
    }

    /// A market is decided.
    pub fn decide(&mut self, market: MarketId, yes: Price) {
        if let Some(followed) = self.markets.get_mut(&market) {
            followed.pays = Some(yes);
        }
    }

    /// What a YES share counts as: what it pays, once that is known, else the last known mid.
    #[must_use]
    pub fn mark(&self, market: MarketId) -> Option<Price> {
        let followed = self.markets.get(&market)?;
        followed.pays.or_else(|| followed.book.mark())
    }

    /// Whether a market is decided.
    #[must_use]
    pub fn is_decided(&self, market: MarketId) -> bool {
        self.markets.get(&market).is_some_and(|followed| followed.pays.is_some())
    }

    /// A market's book.
    #[must_use]
    pub fn book(&self, market: MarketId) -> Option<&PairBook> {
        self.markets.get(&market).map(|followed| &followed.book)
    }

    /// The card with which a market was numbered.
    #[must_use]
    pub fn card(&self, market: MarketId) -> Option<&MarketCard> {
        self.markets.get(&market).map(|followed| &followed.card)
    }
}

fn end(markets: &mut BTreeMap<MarketId, Followed>, id: MarketId, now: Time, touched: &mut Vec<MarketId>) {
    if let Some(followed) = markets.get_mut(&id) {
        followed.book.end_of_frame(now);
        if !touched.contains(&id) {
            touched.push(id);
        }
    }
}
