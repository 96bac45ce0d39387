//! Frames to numbers, and numbers into books: ours, the SDK's, and a plain JSON tree's.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;

use oddsmith_book::PairBook;
use oddsmith_domain::{MarketBatch, MarketSource, Time};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;
use polymarket_client_sdk_v2::clob::types::Side;
use polymarket_client_sdk_v2::clob::ws::WsMessage;
use polymarket_client_sdk_v2::clob::ws::interest::MessageInterest;
use polymarket_client_sdk_v2::clob::ws::types::response::parse_if_interested;
use polymarket_client_sdk_v2::types::{Decimal, U256};

use crate::frames::{self, Style, book, price_change};
use crate::harness::{Effort, Figures, race};
use crate::report::{Bar, Row};

/// How many different frames a bench goes round in. Time only goes forward in them: when they begin again, so does our book,
/// because it would rightly ignore what is older than what it knows.
const FRAMES: u64 = 2_048;

/// Our side: table, decoder and book.
pub struct Ours {
    table: AssetTable,
    decoder: MarketDecoder,
    batch: MarketBatch,
    book: PairBook,
    now: Time,
}

impl Ours {
    pub fn new() -> Ours {
        let now = Time { mono_ns: 1_000_000_000, wall_ns: 1_777_366_999_000_000_000 };
        Ours {
            table: frames::table(),
            decoder: MarketDecoder::new(),
            batch: MarketBatch::default(),
            book: PairBook::new(&frames::card()),
            now,
        }
    }

    pub fn parse(&mut self, frame: &[u8]) {
        let report = self.decoder.decode(&self.table, frame, &mut self.batch);
        assert_eq!((report.undecodable, report.elements), (0, 1), "{report:?}");
        black_box(&self.batch);
    }

    /// Forgets the book and takes a full one.
    fn begin_again(&mut self, start: &[u8]) {
        self.book.reset();
        self.apply(start);
    }

    /// Parses and applies, as a driver does: every event, then the end of the frame. What is not taken is not measured.
    pub fn apply(&mut self, frame: &[u8]) {
        self.parse(frame);
        self.now = self.now.plus_ns(1_000);
        for event in &self.batch.events {
            let applied = self.book.apply_event(&self.batch, event, self.now, MarketSource::Shard(0));
            assert!(applied.is_some_and(|applied| applied.fresh), "a frame that the book ignores is no measurement");
        }
        self.book.end_of_frame(self.now);
    }
}

/// A book such as users of the SDK write.
#[derive(Default)]
struct SdkBook {
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
}

#[derive(Default)]
struct Sdk {
    books: HashMap<U256, SdkBook>,
}

impl Sdk {
    fn parse(frame: &[u8]) -> Vec<WsMessage> {
        let messages = parse_if_interested(frame, &MessageInterest::ALL).expect("the SDK understands the frame");
        assert_eq!(messages.len(), 1);
        messages
    }

    fn apply(&mut self, frame: &[u8]) {
        for message in Sdk::parse(frame) {
            match message {
                WsMessage::PriceChange(change) => {
                    for entry in change.price_changes {
                        let book = self.books.entry(entry.asset_id).or_default();
                        let side = if entry.side == Side::Buy { &mut book.bids } else { &mut book.asks };
                        match entry.size {
                            Some(size) if !size.is_zero() => side.insert(entry.price, size),
                            _ => side.remove(&entry.price),
                        };
                    }
                }
                WsMessage::Book(update) => {
                    let book = self.books.entry(update.asset_id).or_default();
                    book.bids = update.bids.into_iter().map(|level| (level.price, level.size)).collect();
                    book.asks = update.asks.into_iter().map(|level| (level.price, level.size)).collect();
                }
                _ => {}
            }
        }
        black_box(&self.books);
    }
}

fn round<'f>(frames: &'f [String], mut work: impl FnMut(&'f [u8]) + 'f) -> Box<dyn FnMut(u64) + 'f> {
    round_again(frames, move |frame, _| work(frame))
}

/// Hands the frames over one after the other, and tells when they begin again.
fn round_again<'f>(frames: &'f [String], mut work: impl FnMut(&'f [u8], bool) + 'f) -> Box<dyn FnMut(u64) + 'f> {
    let mut frames = frames.iter().enumerate().cycle();
    Box::new(move |times| {
        for (index, frame) in frames.by_ref().take(times as usize) {
            work(black_box(frame.as_bytes()), index == 0);
        }
    })
}

fn parse(effort: Effort, frames: &[String]) -> Vec<Figures> {
    let mut ours = Ours::new();
    race(
        effort,
        vec![
            ("oddsmith", round(frames, move |frame| ours.parse(frame))),
            ("official SDK", round(frames, |frame| drop(black_box(Sdk::parse(frame))))),
        ],
    )
}

fn parse_and_apply(effort: Effort, frames: &[String]) -> Vec<Figures> {
    let (mut ours, mut sdk) = (Ours::new(), Sdk::default());
    // Both start from a full book.
    let start = book(0, Style::Compact);
    sdk.apply(start.as_bytes());
    race(
        effort,
        vec![
            (
                "oddsmith",
                round_again(frames, move |frame, again| {
                    if again {
                        ours.begin_again(start.as_bytes());
                    }
                    ours.apply(frame);
                }),
            ),
            ("official SDK", round(frames, move |frame| sdk.apply(frame))),
            (
                "JSON tree, parse only",
                round(frames, |frame| {
                    drop(black_box(serde_json::from_slice::<serde_json::Value>(frame).expect("JSON")));
                }),
            ),
        ],
    )
}

/// The frame with a text in place of its hash that is as long and no hash, so that nothing is there to check.
fn without_hash(frame: &str) -> String {
    let key = "\"hash\":\"";
    let at = frame.find(key).map_or(frame.len(), |at| at + key.len());
    let end = (at + 40).min(frame.len());
    format!("{}{}{}", &frame[..at], "z".repeat(end - at), &frame[end..])
}

fn frames_of(make: impl Fn(u64) -> String) -> Vec<String> {
    (1..=FRAMES).map(make).collect()
}

/// All benches of market data.
pub fn run(effort: Effort) -> Vec<Row> {
    let shuffled = |n: u64| Style::Shuffled(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let two = frames_of(|n| price_change(2, n, Style::Recorded));
    let compact = frames_of(|n| price_change(2, n, Style::Compact));
    let one = frames_of(|n| price_change(1, n, Style::Recorded));
    let books = frames_of(|n| book(n, Style::Compact));
    let any_order = frames_of(|n| price_change(2, n, shuffled(n)));
    let any_order_books = frames_of(|n| book(n, shuffled(n)));
    let bytes = |frames: &[String]| frames.first().map_or(0, String::len);
    let mut rows = Vec::new();
    let mut row = |name: &str, note: &str, frames: &[String], figures: Vec<Figures>, bars: &[Bar]| {
        rows.push(Row::new(name, &format!("{} B; {note}", bytes(frames)), figures, bars));
    };
    let later = "hash check not included (it runs off the path)";
    row("parse price_change, 2 changes", "as recorded", &two, parse(effort, &two), &[]);
    row("parse price_change, 1 change", "as recorded", &one, parse(effort, &one), &[]);
    row("parse book 50+50", "as recorded", &books, parse(effort, &books), &[]);
    let bars = [Bar::faster(1, 8.0, 15.0), Bar::faster(2, 3.0, 6.0)];
    row("parse+apply price_change, 2 changes", later, &two, parse_and_apply(effort, &two), &bars);
    let note = format!("other order, no space; {later}");
    row("parse+apply price_change, compact", &note, &compact, parse_and_apply(effort, &compact), &bars);
    row("parse+apply price_change, 1 change", later, &one, parse_and_apply(effort, &one), &bars);
    let bars = [Bar::faster(1, 12.0, 20.0)];
    row("parse+apply book 50+50", "hash check included", &books, parse_and_apply(effort, &books), &[]);
    // The peer checks nothing: the like for like. As long as before, but no hash.
    let unhashed: Vec<_> = books.iter().map(|frame| without_hash(frame)).collect();
    row("parse+apply book 50+50", "hash check not included", &unhashed, parse_and_apply(effort, &unhashed), &bars);
    let bars = [Bar::faster(1, 4.0, 7.0)];
    let note = format!("keys in a new order in each frame, space, unknown fields; {later}");
    row("parse+apply price_change, any order", &note, &any_order, parse_and_apply(effort, &any_order), &bars);
    let note = "the same for every level of a book; no hash in it";
    row("parse+apply book, any order", note, &any_order_books, parse_and_apply(effort, &any_order_books), &bars);
    rows
}
