//! Numbers and pages made from a run's journal.
//!
//! This crate reads what a run wrote down, inputs and outputs in their order, and says what it earned and why: it never trades, never
//! decides, and never opens a connection.
//!
//! # Where profit came from
//!
//! [`Attribution`] is a fold over the records of a run. Hand it every input with its time and every output, and ask at any moment:
//!
//! ```
//! use oddsmith_domain::{Input, Time};
//! use oddsmith_report::Attribution;
//!
//! let mut attribution = Attribution::new();
//! attribution.input(&Input::Tick, Time { mono_ns: 1, wall_ns: 2 });
//! // … then each output of that input: `attribution.output(&output)`.
//! let split = attribution.split();
//! assert_eq!(split.sum(), split.total);
//! ```
//!
//! Its parts sum to the ledger's profit, realised and not realised, to the millionth, because every part is a difference of the same
//! quantity before and after something that happened; see [`Split`].

//! Several runs become one report with [`Record::join`]: the runs of a chain of restarts, or the sessions of a backtest.
//!
//! # Reports
//!
//! [`Record::read`] gathers a journal, [`Report::new`] makes plain data of it, and the data becomes a page ([`page`]), JSON (it is
//! [`serde::Serialize`]) or tables ([`tables`]).

mod account;
mod attribution;
mod books;
pub mod calibrate;
mod chart;
mod compare;
mod fills;
mod html;
mod join;
mod notes;
mod orders;
pub mod overview;
mod page;
mod reasons;
mod record;
mod report;
mod series;
mod split;
pub mod stats;
mod tables;

pub use attribution::{Attribution, HORIZON_NS};
pub use books::Books;
pub use compare::{Comparison, Differing, Pair, differing};
pub use fills::{FillRow, HORIZONS_S, MarkoutRow, SETTLEMENT};
pub use join::{Joined, Part};
pub use notes::Stop;
pub use orders::{AheadRow, OrderRow, OrderSums, Uptime};
pub use page::page;
pub use record::{Record, RecordError};
pub use report::{Attributed, Identity, Latency, Line, MarketLine, Opinion, Report, UptimeLine, WishLine};
pub use series::Series;
pub use split::Split;
pub use tables::tables;
