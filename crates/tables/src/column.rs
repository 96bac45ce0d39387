//! The tables and their columns.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of 64 bits.
    Number,
    /// Nanoseconds since the Unix epoch, UTC.
    Moment,
    /// Whole millionths, read as a decimal of six places.
    Decimal,
    /// A text in UTF-8.
    Text,
    /// Yes or no.
    Flag,
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it can be empty.
    pub optional: bool,
}

const fn always(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: false }
}

const fn maybe(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: true }
}

/// A table that a run becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Every record, with what it says as JSON.
    Records,
    /// What the venue sent.
    Frames,
    /// The books, whenever what is seen of them at a glance changes.
    Books,
    /// The run's own orders, each once, with its end.
    Orders,
    /// Fills of own orders, with what is held after each.
    Fills,
    /// What the strategies decided.
    Decisions,
    /// Everything that the engine said.
    Events,
}

use Kind::{Decimal, Flag, Moment, Number, Text};

const RECORDS: &[Column] = &[
    always("sequence", Number),
    always("wall_ns", Moment),
    always("mono_ns", Number),
    always("kind", Text),
    maybe("market_id", Number),
    maybe("instance_id", Number),
    maybe("intent_id", Number),
    maybe("order_id", Text),
    always("payload", Text),
];

const FRAMES: &[Column] = &[
    always("sequence", Number),
    always("wall_ns", Moment),
    always("mono_ns", Number),
    always("source", Text),
    maybe("shard", Number),
    maybe("frame", Text),
    maybe("frame_base64", Text),
];

const BOOKS: &[Column] = &[
    always("sequence", Number),
    always("wall_ns", Moment),
    always("mono_ns", Number),
    always("market_id", Number),
    always("market", Text),
    always("outcome", Text),
    maybe("bid_micros", Number),
    maybe("bid", Decimal),
    maybe("bid_size_micros", Number),
    maybe("bid_size", Decimal),
    maybe("ask_micros", Number),
    maybe("ask", Decimal),
    maybe("ask_size_micros", Number),
    maybe("ask_size", Decimal),
    maybe("spread_micros", Number),
    maybe("spread", Decimal),
    always("bid_depth_micros", Number),
    always("bid_depth", Decimal),
    always("ask_depth_micros", Number),
    always("ask_depth", Decimal),
    always("health", Text),
];

const ORDERS: &[Column] = &[
    always("sequence", Number),
    always("wall_ns", Moment),
    always("mono_ns", Number),
    always("order_id", Text),
    always("market_id", Number),
    maybe("market", Text),
    always("outcome", Text),
    always("instance_id", Number),
    maybe("instance", Text),
    always("intent_id", Number),
    always("side", Text),
    always("order_type", Text),
    always("post_only", Flag),
    always("price_micros", Number),
    always("price", Decimal),
    always("size_micros", Number),
    always("size", Decimal),
    always("filled_micros", Number),
    always("filled", Decimal),
    always("state", Text),
    always("last_sequence", Number),
    always("last_wall_ns", Moment),
    maybe("refusal", Text),
];

const FILLS: &[Column] = &[
    always("sequence", Number),
    always("wall_ns", Moment),
    always("mono_ns", Number),
    always("trade_id", Text),
    always("order_id", Text),
    always("market_id", Number),
    maybe("market", Text),
    always("outcome", Text),
    maybe("instance_id", Number),
    maybe("instance", Text),
    always("side", Text),
    always("taker", Flag),
    always("price_micros", Number),
    always("price", Decimal),
    always("size_micros", Number),
    always("size", Decimal),
    always("fee_micros", Number),
    always("fee", Decimal),
    always("cash_micros", Number),
    always("cash", Decimal),
    always("realized_micros", Number),
    always("realized", Decimal),
    always("matched_s", Number),
    maybe("yes_after_micros", Number),
    maybe("yes_after", Decimal),
    maybe("no_after_micros", Number),
    maybe("no_after", Decimal),
];

const DECISIONS: &[Column] = &[
    always("sequence", Number),
    always("wall_ns", Moment),
    always("mono_ns", Number),
    always("instance_id", Number),
    maybe("instance", Text),
    always("market_id", Number),
    maybe("market", Text),
    always("intent_id", Number),
    always("mode", Text),
    always("kept", Number),
    always("quotes", Text),
    always("reasons", Text),
];

impl Table {
    /// The tables that a run becomes in a folder.
    pub const ALL: [Table; 6] =
        [Table::Frames, Table::Books, Table::Orders, Table::Fills, Table::Decisions, Table::Events];

    /// Its name; in a folder its file is called so, with `.parquet` behind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Table::Records => "records",
            Table::Frames => "frames",
            Table::Books => "books",
            Table::Orders => "orders",
            Table::Fills => "fills",
            Table::Decisions => "decisions",
            Table::Events => "events",
        }
    }

    /// Its columns, in their order. What stands here does not change its meaning.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Table::Records | Table::Events => RECORDS,
            Table::Frames => FRAMES,
            Table::Books => BOOKS,
            Table::Orders => ORDERS,
            Table::Fills => FILLS,
            Table::Decisions => DECISIONS,
        }
    }
}
