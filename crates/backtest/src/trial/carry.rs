//! Books of a tape from its beginning on, from which a session that begins in its middle gets its first snapshots.

use oddsmith_book::PairBook;
use oddsmith_domain::{BookHealth, MarketBatch, MarketEvent, MarketId, MarketSource, Outcome, Side, Time, TokenId};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;

use crate::tape::{Entry, MarketNo, Roster, What, levels};

/// The books of everything that was received so far.
#[derive(Default)]
pub(crate) struct Carry {
    assets: AssetTable,
    decoder: MarketDecoder,
    batch: MarketBatch,
    /// By the tape's number of the market.
    books: Vec<Option<Book>>,
}

struct Book {
    book: PairBook,
    tokens: [TokenId; 2],
    /// The newest time that the venue stated, in milliseconds.
    stated_ms: u64,
}

impl Carry {
    /// Takes what was received.
    pub(crate) fn take(&mut self, entry: &Entry, roster: &Roster) {
        let What::Frame(source) = entry.what else { return };
        for no in &entry.markets {
            self.know(*no, roster);
        }
        let now = Time { mono_ns: entry.at_ns, wall_ns: entry.at_ns };
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        self.decoder.decode(&self.assets, &entry.bytes, &mut batch);
        for event in &batch.events {
            self.apply(&batch, event, source, now);
        }
        for no in &entry.markets {
            if let Some(Some(known)) = self.books.get_mut(no.index()) {
                known.book.end_of_frame(now);
            }
        }
        self.batch = batch;
    }

    fn know(&mut self, no: MarketNo, roster: &Roster) {
        if self.books.len() <= no.index() {
            self.books.resize_with(no.index() + 1, || None);
        }
        if self.books[no.index()].is_none()
            && let Some((card, _)) = roster.card(no)
        {
            self.assets.insert(MarketId(no.0), &card);
            self.books[no.index()] = Some(Book { book: PairBook::new(&card), tokens: card.tokens, stated_ms: 0 });
        }
    }

    fn apply(&mut self, batch: &MarketBatch, event: &MarketEvent, source: MarketSource, now: Time) {
        let (asset, ms) = match event {
            MarketEvent::Snapshot(header) => (header.asset, header.timestamp_ms),
            MarketEvent::Change(change) => (change.asset, change.timestamp_ms),
            MarketEvent::LastTrade { asset, timestamp_ms, .. }
            | MarketEvent::TickChange { asset, timestamp_ms, .. }
            | MarketEvent::BestBidAsk { asset, timestamp_ms, .. } => (*asset, *timestamp_ms),
            MarketEvent::Resolved { .. } => return,
        };
        if let Some(Some(known)) = self.books.get_mut(asset.market().index()) {
            known.book.apply_event(batch, event, now, source);
            known.stated_ms = known.stated_ms.max(ms);
        }
    }

    /// Forgets a market's book: what it holds is not to be trusted any more.
    pub(crate) fn forget(&mut self, no: MarketNo) {
        if let Some(book) = self.books.get_mut(no.index()) {
            *book = None;
        }
    }

    /// Forgets all books.
    pub(crate) fn clear(&mut self) {
        *self = Carry::default();
    }

    /// The books of a market as the venue would send them to somebody who comes now; `None` if they are not known to be right.
    pub(crate) fn snapshot(&self, no: MarketNo) -> Option<String> {
        let Book { book, tokens, stated_ms } = self.books.get(no.index())?.as_ref()?;
        let whole = Outcome::BOTH.iter().all(|outcome| {
            matches!(book.health(*outcome), BookHealth::Verified | BookHealth::Unverifiable | BookHealth::Suspect)
        });
        if !whole || book.best_bid(Outcome::Yes).is_none() && book.best_ask(Outcome::Yes).is_none() {
            return None;
        }
        let view = book.snapshot();
        let books = Outcome::BOTH.map(|outcome| {
            format!(
                r#"{{"event_type":"book","market":"{}","asset_id":"{}","timestamp":"{stated_ms}","bids":[{}],"asks":[{}]}}"#,
                view.condition,
                tokens[outcome.index()],
                levels(book, outcome, Side::Buy),
                levels(book, outcome, Side::Sell),
            )
        });
        Some(format!("[{}]", books.join(",")))
    }
}
