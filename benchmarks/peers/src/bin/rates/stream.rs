//! The stream: one book that wanders, the same for everybody, from a seed.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// The first moment, in milliseconds since the Unix epoch.
pub const BEGIN_MS: u64 = 1_790_000_000_000;
/// How long the feed is under way, for everybody.
pub const FEED_MS: u64 = 40;
/// Levels that are kept on each side.
const DEPTH: u64 = 20;
/// The mid stays between these, in cents.
const RANGE: (u64, u64) = (35, 65);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A level displays a new size; none at all when it is zero.
    Level {
        /// Whether it is a bid.
        bid: bool,
    },
    /// Somebody took.
    Trade {
        /// Whether they bought.
        buyer: bool,
    },
}

/// One event of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened at the venue, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What it is.
    pub kind: Kind,
    /// The price, in cents.
    pub cents: u64,
    /// The size, in hundredths of a share.
    pub lots: u64,
    /// The best prices after it, in cents.
    pub best: (u64, u64),
}

/// Chance from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }
}

/// The book that wanders. Never crossed, never empty.
struct Book {
    sizes: [[u64; 101]; 2],
    best: [u64; 2],
    draw: Draw,
    /// Follows of what was done, to be handed out before anything else.
    owed: VecDeque<(Kind, u64, u64)>,
}

const BID: usize = 0;
const ASK: usize = 1;

impl Book {
    fn new(seed: u64) -> Book {
        let mut book = Book { sizes: [[0; 101]; 2], best: [49, 51], draw: Draw(seed | 1), owed: VecDeque::new() };
        for far in 0..DEPTH {
            for (side, cents) in [(BID, 49 - far), (ASK, 51 + far)] {
                let lots = book.some_lots();
                book.set(side, cents, lots);
            }
        }
        book
    }

    fn some_lots(&mut self) -> u64 {
        1_000 + self.draw.below(40_000)
    }

    /// A new size at a level, and at the far end a level more or less where the best price moved.
    fn set(&mut self, side: usize, cents: u64, lots: u64) {
        self.sizes[side][cents as usize] = lots;
        self.owed.push_back((Kind::Level { bid: side == BID }, cents, lots));
        let occupied = |cents: &u64| self.sizes[side][*cents as usize] > 0;
        let best = if side == BID { (1..100).rev().find(occupied) } else { (1..100).find(occupied) };
        self.best[side] = best.unwrap_or(self.best[side]);
    }

    /// The far end of a side is kept `DEPTH` levels from its best price.
    fn tend_far_end(&mut self, side: usize) {
        let best = self.best[side];
        let (last, beyond) =
            if side == BID { (best - DEPTH + 1, best - DEPTH) } else { (best + DEPTH - 1, best + DEPTH) };
        if self.sizes[side][last as usize] == 0 {
            let lots = self.some_lots();
            self.set(side, last, lots);
        }
        if self.sizes[side][beyond as usize] > 0 {
            self.set(side, beyond, 0);
        }
    }

    /// Something happens: nine times of ten a level changes, else somebody takes.
    fn step(&mut self) {
        let side = self.draw.below(2) as usize;
        let best = self.best[side];
        if self.draw.below(10) == 0 {
            let there = self.sizes[side][best as usize];
            let lots = (there * (1 + self.draw.below(4)) / 3).clamp(1, there);
            self.owed.push_back((Kind::Trade { buyer: side == ASK }, best, lots));
            if there > lots || self.may_retreat(side) {
                self.set(side, best, there - lots);
            } else {
                let lots = self.some_lots();
                self.set(side, best, lots);
            }
        } else {
            let far = self.draw.below(DEPTH).min(self.draw.below(DEPTH));
            let cents = if side == BID { best - far } else { best + far };
            let inside = if side == BID { best + 1 } else { best - 1 };
            if far == 0 && inside != self.best[1 - side] && self.draw.below(4) != 0 {
                let lots = self.some_lots();
                self.set(side, inside, lots);
            } else if far == 0 && self.draw.below(6) == 0 && self.may_retreat(side) {
                self.set(side, best, 0);
            } else {
                let lots = self.some_lots();
                self.set(side, cents, lots);
            }
        }
        self.tend_far_end(BID);
        self.tend_far_end(ASK);
    }

    /// Whether the best price of a side may go: the spread stays small, and the mid near the middle.
    fn may_retreat(&self, side: usize) -> bool {
        let spread = self.best[ASK] - self.best[BID];
        spread < 4 && if side == BID { self.best[BID] > RANGE.0 } else { self.best[ASK] < RANGE.1 }
    }
}

/// The stream, and the book that it begins with.
pub struct Stream {
    /// The levels of the first moment: whether a bid, price, size.
    pub opening: Vec<(bool, u64, u64)>,
    /// What happens then.
    pub events: Vec<Event>,
}

impl Stream {
    /// So many events, with so many in a second on average.
    pub fn new(seed: u64, count: usize, per_second: u64) -> Stream {
        let mut book = Book::new(seed);
        let opening = book.owed.drain(..).filter_map(|(kind, cents, lots)| match kind {
            Kind::Level { bid } => Some((bid, cents, lots)),
            Kind::Trade { .. } => None,
        });
        let opening = opening.collect();
        let mut events = Vec::with_capacity(count);
        // What belongs together has one time; the times between are even up to twice their mean.
        let mut at_us = BEGIN_MS * 1_000 + 1_000_000;
        while events.len() < count {
            let before = events.len();
            book.step();
            while let Some((kind, cents, lots)) = book.owed.pop_front() {
                events.push(Event { at_ms: at_us / 1_000, kind, cents, lots, best: (book.best[BID], book.best[ASK]) });
            }
            let several = (events.len() - before) as u64;
            at_us += book.draw.below(1 + 2_000_000 * several / per_second);
        }
        events.truncate(count);
        Stream { opening, events }
    }

    /// All of it, the opening first: time, whether a trade, whether a bid or a buyer, price, size.
    pub fn table(&self) -> String {
        let mut text = String::from("at_ms,trade,buy,cents,lots\n");
        let mut line = |at_ms: u64, trade: bool, buy: bool, cents: u64, lots: u64| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{at_ms},{},{},{cents},{lots}", u8::from(trade), u8::from(buy));
        };
        for (bid, cents, lots) in &self.opening {
            line(BEGIN_MS, false, *bid, *cents, *lots);
        }
        for Event { at_ms, kind, cents, lots, .. } in &self.events {
            match kind {
                Kind::Level { bid } => line(*at_ms, false, *bid, *cents, *lots),
                Kind::Trade { buyer } => line(*at_ms, true, *buyer, *cents, *lots),
            }
        }
        text
    }

    /// When the last event is with us, in milliseconds since the Unix epoch.
    pub fn end_ms(&self) -> u64 {
        self.events.last().map_or(BEGIN_MS, |event| event.at_ms) + FEED_MS
    }
}

pub const CONDITION: &str = "0xd2d9b87685f3522db7ba4da4eb9caa802a8419b4bc52beeac2866ec1fb5a2b62";
pub const YES: &str = "48388091485466084032258596983551595414700058539322197443810535093166937854987";
pub const NO: &str = "61239215649395191360236665642361373285369855891601242399674202107726866894461";

fn price(cents: u64) -> String {
    format!("0.{cents:02}")
}

fn size(lots: u64) -> String {
    format!("{}.{:02}", lots / 100, lots % 100)
}

/// The list that lies beside the recording: what the venue states of the market.
pub fn listing() -> String {
    format!(
        r#"{{"condition_id":"{CONDITION}","slug":"wandering","title":"Does it wander?","outcomes":[{{"token_id":"{YES}","outcome":"Yes"}},{{"token_id":"{NO}","outcome":"No"}}],"tick_size":0.01,"min_order_size":5,"fee_parameters":{{"fees_enabled":false}}}}"#
    ) + "\n"
}

/// The stream as the venue sends it: a frame for each event, with the time at which it happened. `both`: every change is told for NO,
/// too, as the venue does; else for YES alone.
pub fn frames(stream: &Stream, both: bool) -> impl Iterator<Item = (u64, String)> + '_ {
    let rest = stream.events.iter().map(move |event| (event.at_ms, frame(event, both)));
    std::iter::once((BEGIN_MS, opening(stream))).chain(rest)
}

/// The frames in a recorder's envelopes.
pub fn recording(stream: &Stream, both: bool) -> String {
    let mut text = String::with_capacity(stream.events.len() * 450);
    for (at_ms, frame) in frames(stream, both) {
        // Writing into a String cannot fail.
        let _ = writeln!(text, r#"{{"recv_wall_ts":{},"payload":{frame}}}"#, at_ms + FEED_MS);
    }
    text
}

fn opening(stream: &Stream) -> String {
    let side = |want: bool, mirrored: bool| {
        let mut levels: Vec<_> = stream.opening.iter().filter(|level| level.0 == want).copied().collect();
        // Worst first, as the venue has it.
        levels.reverse();
        let text = |(_, cents, lots): (bool, u64, u64)| {
            let cents = if mirrored { 100 - cents } else { cents };
            format!(r#"{{"price":"{}","size":"{}"}}"#, price(cents), size(lots))
        };
        levels.into_iter().map(text).collect::<Vec<_>>().join(",")
    };
    let book = |token: &str, bids: String, asks: String| {
        format!(
            r#"{{"event_type":"book","market":"{CONDITION}","asset_id":"{token}","timestamp":"{BEGIN_MS}","bids":[{bids}],"asks":[{asks}],"tick_size":"0.01","min_order_size":"5"}}"#
        )
    };
    format!("[{},{}]", book(YES, side(true, false), side(false, false)), book(NO, side(false, true), side(true, true)))
}

fn frame(event: &Event, both: bool) -> String {
    let (bid, ask) = event.best;
    let Event { at_ms, cents, lots, .. } = *event;
    match event.kind {
        Kind::Level { bid: is_bid } => {
            let entry = |token: &str, cents: u64, buys: bool, (bid, ask): (u64, u64)| {
                format!(
                    r#"{{"asset_id":"{token}", "price":"{}", "size":"{}", "side":"{}", "best_bid":"{}", "best_ask":"{}"}}"#,
                    price(cents),
                    size(lots),
                    if buys { "BUY" } else { "SELL" },
                    price(bid),
                    price(ask)
                )
            };
            let mut entries = entry(YES, cents, is_bid, (bid, ask));
            if both {
                entries = format!("{entries}, {}", entry(NO, 100 - cents, !is_bid, (100 - ask, 100 - bid)));
            }
            format!(
                r#"{{"market":"{CONDITION}", "price_changes":[{entries}], "timestamp":"{at_ms}", "event_type":"price_change"}}"#
            )
        }
        Kind::Trade { buyer } => format!(
            r#"{{"market":"{CONDITION}", "asset_id":"{YES}", "price":"{}", "size":"{}", "fee_rate_bps":"0", "side":"{}", "timestamp":"{at_ms}", "event_type":"last_trade_price"}}"#,
            price(cents),
            size(lots),
            if buyer { "BUY" } else { "SELL" }
        ),
    }
}
