//! What stands on a tape.

use oddsmith_domain::{Input, MarketSource, Price};

/// The number of a market on a tape: the order in which its name was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarketNo(pub u32);

impl MarketNo {
    /// Its place in a dense table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One thing that was received at one moment.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// When it was received, in nanoseconds since the Unix epoch. Never before that of the entry in front of it.
    pub at_ns: u64,
    /// What it is.
    pub what: What,
    /// The frame's bytes; empty for anything else.
    pub bytes: Vec<u8>,
    /// The markets that it is about, each once.
    pub markets: Vec<MarketNo>,
    /// Whether it brought a fact to light that a card states.
    pub news: bool,
}

/// What an entry is.
#[derive(Clone, Debug)]
pub enum What {
    /// A frame of the market channel, or a book read by REST.
    Frame(MarketSource),
    /// The card of the entry's market became known, or changed.
    Card,
    /// Something else that the engine takes as it is: a reference price, a report on a match.
    Input(Box<Input<'static>>),
    /// The entry's market was decided, and its YES share pays this.
    Decided(Price),
}

impl Default for What {
    fn default() -> What {
        What::Frame(MarketSource::Shard(0))
    }
}

/// What a source hands over, before the tape has looked at it.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// When it was received, if that was written down.
    pub at_ns: Option<u64>,
    pub entry: Entry,
}

impl Draft {
    pub(super) fn frame(&mut self, at_ns: Option<u64>, source: MarketSource, bytes: &[u8]) {
        self.at_ns = at_ns;
        self.entry.what = What::Frame(source);
        self.entry.bytes.clear();
        self.entry.bytes.extend_from_slice(bytes);
        self.entry.markets.clear();
    }

    pub(super) fn other(&mut self, at_ns: Option<u64>, what: What, market: Option<MarketNo>) {
        self.at_ns = at_ns;
        self.entry.what = what;
        self.entry.bytes.clear();
        self.entry.markets.clear();
        self.entry.markets.extend(market);
    }
}
