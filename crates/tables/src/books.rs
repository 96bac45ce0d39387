//! The books of a run, made again from the frames that it received.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_book::{Glance, HashPolicy, PairBook, Top};
use oddsmith_domain::{MarketBatch, MarketCard, MarketId, MarketSource, Outcome, Time};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;
use parquet::errors::Result;

use crate::export::word;
use crate::rows::{Cell, Rows};

struct Market {
    slug: String,
    book: PairBook,
    /// What was written last, by outcome.
    told: [Option<(Glance, String)>; 2],
}

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Books {
    table: AssetTable,
    decoder: MarketDecoder,
    batch: MarketBatch,
    markets: BTreeMap<MarketId, Market>,
}

impl Books {
    /// A market has a number, and this is its card.
    pub fn learn(&mut self, market: MarketId, card: &MarketCard) {
        self.table.insert(market, card);
        let fresh = || {
            let mut book = PairBook::new(card);
            // Hashes were compared by the run; here they say nothing new.
            book.set_hash_policy(HashPolicy::Sampled { one_in: 0 });
            Market { slug: card.slug.clone(), book, told: [None, None] }
        };
        self.markets.entry(market).or_insert_with(fresh).book.update_card(card);
    }

    /// Applies a frame, and writes what is to be seen of the books that it changed.
    pub fn frame(
        &mut self,
        sequence: u64,
        now: Time,
        (source, bytes): (MarketSource, &[u8]),
        rows: &mut Rows,
    ) -> Result<()> {
        let mut batch = std::mem::take(&mut self.batch);
        self.decoder.decode(&self.table, bytes, &mut batch);
        let mut touched = BTreeSet::new();
        for event in &batch.events {
            let id = event.market();
            if let Some(market) = self.markets.get_mut(&id) {
                market.book.apply_event(&batch, event, now, source);
                touched.insert(id);
            }
        }
        self.batch = batch;
        for id in touched {
            let Some(market) = self.markets.get_mut(&id) else { continue };
            market.book.end_of_frame(now);
            for outcome in Outcome::BOTH {
                let seen = (market.book.glance(outcome), word(&market.book.health(outcome)));
                let told = &mut market.told[outcome.index()];
                if told.as_ref() != Some(&seen) {
                    row(sequence, now, (id, &market.slug, outcome), &seen, rows)?;
                    *told = Some(seen);
                }
            }
        }
        Ok(())
    }
}

fn row(
    sequence: u64,
    now: Time,
    (market, slug, outcome): (MarketId, &str, Outcome),
    (glance, health): &(Glance, String),
    rows: &mut Rows,
) -> Result<()> {
    let price = |top: Option<Top>| Cell::maybe(top, |top| Cell::Number(i64::from(top.price.units()) * 100));
    let size = |top: Option<Top>| Cell::maybe(top, |top| Cell::Number(top.size.micros()));
    let spread = Cell::maybe(glance.spread_units(), |units| Cell::Number(i64::from(units) * 100));
    let (bid_depth, ask_depth) = (glance.bid_depth.micros(), glance.ask_depth.micros());
    rows.push([
        Cell::count(sequence),
        Cell::count(now.wall_ns),
        Cell::count(now.mono_ns),
        Cell::count(market.0),
        Cell::text(slug),
        Cell::Text(word(&outcome)),
        price(glance.bid),
        price(glance.bid),
        size(glance.bid),
        size(glance.bid),
        price(glance.ask),
        price(glance.ask),
        size(glance.ask),
        size(glance.ask),
        spread.clone(),
        spread,
        Cell::Number(bid_depth),
        Cell::Number(bid_depth),
        Cell::Number(ask_depth),
        Cell::Number(ask_depth),
        Cell::Text(health.clone()),
    ])
}
