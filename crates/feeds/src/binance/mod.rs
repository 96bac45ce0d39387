//! Binance's spot market: the best bid and ask of some symbols over one combined stream.
//!
//! A `bookTicker` has no time of its own (the spot market's never says one), so the time of a price is when it was received. Its update
//! numbers rise; a message that is older than what is known is passed over. Between two looks of the driver the newest price of each
//! symbol is kept, and what it has overtaken is counted.

mod codec;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use oddsmith_domain::{Link, LinkState, PriceSource, ReferenceTick, Symbol, Time};

pub use codec::{BookTicker, Fault, Message, decode, encode};

use crate::session::{Due, FeedCounts, FeedOutput, FeedSettings, Line};

const LINK: Link = Link::Reference(PriceSource::Binance);

/// One connection to a combined stream, without its socket.
#[derive(Clone, Debug)]
pub struct BinanceSession {
    line: Line,
    /// What is followed, by Binance's own name in upper case.
    symbols: BTreeMap<String, Symbol>,
    /// Whether a price has come since the connection was made.
    up: bool,
    updates: BTreeMap<Symbol, u64>,
    latest: BTreeMap<Symbol, ReferenceTick>,
    outputs: VecDeque<FeedOutput>,
    counts: FeedCounts,
}

impl BinanceSession {
    /// A session that begins to connect. Each symbol comes with Binance's name for it, such as `btcusdt`. `seed` decides the jitter.
    #[must_use]
    pub fn new(symbols: Vec<(Symbol, String)>, settings: FeedSettings, seed: u64, now: Time) -> BinanceSession {
        BinanceSession {
            line: Line::new(settings, seed, now),
            symbols: symbols.into_iter().map(|(symbol, name)| (name.to_ascii_uppercase(), symbol)).collect(),
            up: false,
            updates: BTreeMap::new(),
            latest: BTreeMap::new(),
            outputs: VecDeque::new(),
            counts: FeedCounts::default(),
        }
    }

    /// The connection stands: everything is subscribed to with one message, because a connection may send only five a second.
    pub fn on_open(&mut self, now: Time) {
        self.line.on_open(now);
        let mut text = String::from("{\"method\":\"SUBSCRIBE\",\"params\":[");
        for (n, name) in self.symbols.keys().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}\"{}@bookTicker\"", name.to_ascii_lowercase());
        }
        text.push_str("],\"id\":1}");
        self.outputs.push_back(FeedOutput::SendText(text));
    }

    /// The connection is gone, or could not be made.
    pub fn on_closed(&mut self, why: &str, now: Time) {
        self.lose(why, now);
    }

    /// A text frame.
    pub fn on_text(&mut self, text: &[u8], now: Time) {
        let mut messages = Vec::new();
        let unknown_fields = decode(text, &mut messages);
        self.counts.unknown_fields += unknown_fields;
        for message in messages {
            match message {
                Ok(Message::Ticker(ticker)) => self.on_ticker(&ticker, now),
                Ok(Message::Taken) => {}
                Ok(Message::Refused(why)) => {
                    self.outputs.push_back(FeedOutput::Close);
                    return self.lose(&format!("the subscription was refused: {why}"), now);
                }
                // It will close: made anew before it does.
                Ok(Message::Shutdown) => return self.renew(now),
                Ok(Message::Unknown) => self.counts.unknown_events += 1,
                Err(_) => self.counts.undecodable += 1,
            }
        }
    }

    fn on_ticker(&mut self, ticker: &BookTicker, now: Time) {
        let Some(symbol) = self.symbols.get(&ticker.symbol).copied() else {
            self.counts.strangers += 1;
            return;
        };
        if ticker.bid.units() <= 0 || ticker.bid > ticker.ask {
            self.counts.undecodable += 1;
            return;
        }
        if self.updates.get(&symbol).is_some_and(|known| ticker.update <= *known) {
            self.counts.out_of_order += 1;
            return;
        }
        self.line.on_data(now);
        self.counts.prices += 1;
        self.updates.insert(symbol, ticker.update);
        if !std::mem::replace(&mut self.up, true) {
            self.outputs.push_back(FeedOutput::LinkChange { link: LINK, state: LinkState::Up });
        }
        let tick = ReferenceTick {
            symbol,
            source: PriceSource::Binance,
            bid: ticker.bid,
            ask: ticker.ask,
            update: ticker.update,
            source_wall_ms: ticker.event_ms,
        };
        if self.latest.insert(symbol, tick).is_some() {
            self.counts.coalesced += 1;
        }
    }

    /// The newest price of each symbol that has changed since this was last asked.
    pub fn take_ticks(&mut self) -> impl Iterator<Item = ReferenceTick> + use<> {
        std::mem::take(&mut self.latest).into_values()
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Time) {
        match self.line.due(now) {
            Some(Due::Connect { attempt }) => self.outputs.push_back(FeedOutput::Connect { attempt }),
            Some(Due::Lost(why)) => {
                self.outputs.push_back(FeedOutput::Close);
                self.lose(why, now);
            }
            Some(Due::Renew) => self.renew(now),
            None => {}
        }
    }

    /// When [`BinanceSession::on_time`] must be called at the latest, on the monotonic clock.
    #[must_use]
    pub const fn next_deadline(&self) -> u64 {
        self.line.next_deadline()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<FeedOutput> {
        self.outputs.pop_front()
    }

    /// What has been counted.
    #[must_use]
    pub const fn counts(&self) -> FeedCounts {
        self.counts
    }

    /// A new connection in place of one that still stands.
    fn renew(&mut self, now: Time) {
        self.outputs.push_back(FeedOutput::Close);
        self.line.renew(now);
        self.forget();
        self.on_time(now);
    }

    fn lose(&mut self, why: &str, now: Time) {
        self.line.on_lost(now);
        self.forget();
        let state = LinkState::Down(format!("{why} (attempt {})", self.line.attempt()));
        self.outputs.push_back(FeedOutput::LinkChange { link: LINK, state });
    }

    /// Another connection may count anew: the source may have begun anew behind it.
    fn forget(&mut self) {
        self.up = false;
        self.updates.clear();
        self.latest.clear();
    }

    /// Whether the connection stands and prices come.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.up && self.line.is_open()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
