//! Outside feeds: each a session machine and a codec.
//!
//! This crate owns how a source of prices or reports is spoken to, and how its words become inputs of the engine. It never decides what
//! they mean, opens a socket, reads a clock or draws a random number: frames, times and seeds come in as arguments, and what there is to
//! do comes out.
//!
//! [`binance`] reads the best bid and ask of Binance's spot market, or of whoever speaks its language: the local exchange does, with its
//! world's price. [`truth`] reads reports of matches.
//!
//! ```
//! use oddsmith_domain::{Symbol, Time};
//! use oddsmith_feeds::{FeedOutput, FeedSettings, binance::BinanceSession};
//!
//! let symbols = vec![(Symbol::new("btc").expect("a symbol"), "btcusdt".to_owned())];
//! let now = Time { mono_ns: 1, wall_ns: 1_790_000_000_000_000_000 };
//! let mut session = BinanceSession::new(symbols, FeedSettings::default(), 7, now);
//! session.on_time(now);
//! assert_eq!(session.poll_output(), Some(FeedOutput::Connect { attempt: 0 }));
//! session.on_open(now);
//! assert!(matches!(session.poll_output(), Some(FeedOutput::SendText(text)) if text.contains("btcusdt@bookTicker")));
//! session.on_text(br#"{"u":91,"s":"BTCUSDT","b":"84600.10","B":"2.1","a":"84600.11","A":"0.4"}"#, now);
//! # assert!(matches!(session.poll_output(), Some(FeedOutput::LinkChange { .. })));
//! let tick = session.take_ticks().next().expect("a price");
//! assert_eq!((tick.bid.to_string(), tick.update), ("84600.1".to_owned(), 91));
//! ```

pub mod binance;
mod session;
pub mod truth;

pub use session::{FeedCounts, FeedOutput, FeedSettings};
