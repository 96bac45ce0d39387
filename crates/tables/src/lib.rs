//! Runs as columnar tables (Parquet), for programs that read those.
//!
//! This crate owns what the tables are called, what their columns are, and how a journal becomes their rows. It reads journals and writes
//! files; it never decides anything and changes no journal.
//!
//! Prices, sizes and money stand in each table twice: exact, as whole millionths (`price_micros`), and as a decimal of six places
//! (`price`), which readers take for an exact decimal as well. Times are nanoseconds since the Unix epoch. The names and types of the columns
//! are [`Table::columns`]; the reference of the journal explains them.
//!
//! A table has its name only when it is whole: it is written beside and renamed.

mod books;
mod column;
mod export;
mod names;
mod orders;
mod rows;

pub use column::{Column, Kind, Table};
pub use export::{TablesError, Written, export, export_records};
