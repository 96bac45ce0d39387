//! A journal on its way into tables.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oddsmith_domain::{Action, Event, Input, MarketSource, Output, OutputBody};
use oddsmith_journal::{
    CodecError, Ending, Envelope, ReadError, Reader, Record, SCHEMA_VERSION, decode_input, decode_output, envelope,
};
use parquet::errors::ParquetError;
use serde::Serialize;
use thiserror::Error;

use crate::books::Books;
use crate::column::Table;
use crate::names::Names;
use crate::orders::{Fills, Orders, Place};
use crate::rows::{Cell, Rows};

/// The version of the tables and their columns, stated in every file.
const TABLES_VERSION: u32 = 1;

/// Why there are no tables.
#[derive(Debug, Error)]
pub enum TablesError {
    /// The journal cannot be opened.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A table cannot be written.
    #[error("cannot write the tables into {path}: {source}")]
    Write {
        /// Where.
        path: PathBuf,
        /// What was said.
        source: ParquetError,
    },
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The files, and how many rows each has.
    pub tables: Vec<(PathBuf, u64)>,
    /// Why the journal was not read further, if it was not read to its end.
    pub damage: Option<String>,
}

/// A value's name as it stands in JSON.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Writes the journal in `run` as one file for each of [`Table::ALL`] into the folder `out`, which is made if it is not there.
///
/// A damaged journal is written up to its damage, which is told.
///
/// # Errors
/// [`TablesError`]; then no table is left behind half.
pub fn export(run: &Path, out: &Path) -> Result<Written, TablesError> {
    let failed = |source| TablesError::Write { path: out.to_owned(), source };
    std::fs::create_dir_all(out).map_err(|error| failed(error.into()))?;
    let mut reader = Reader::open(run)?;
    let facts = facts(&reader);
    let path = |table: Table| out.join(format!("{}.parquet", table.name()));
    let rows = |table| Rows::create(table, &path(table), &facts);
    let mut desk = Desk {
        names: Names::default(),
        books: Books::default(),
        open: Orders::default(),
        unheld: Fills::default(),
        frames: rows(Table::Frames).map_err(failed)?,
        book_rows: rows(Table::Books).map_err(failed)?,
        orders: rows(Table::Orders).map_err(failed)?,
        fills: rows(Table::Fills).map_err(failed)?,
        decisions: rows(Table::Decisions).map_err(failed)?,
        events: rows(Table::Events).map_err(failed)?,
    };
    match through(&mut reader, |record, line| desk.record(record, line)) {
        Ok(damage) => {
            let rows = desk.finish().map_err(failed)?;
            let tables = Table::ALL.into_iter().zip(rows).map(|(table, rows)| (path(table), rows)).collect();
            Ok(Written { tables, damage })
        }
        Err(source) => {
            desk.abandon();
            Err(failed(source))
        }
    }
}

/// Writes every record of the journal in `run` as one table into `file`: the columns of [`Table::Records`].
///
/// # Errors
/// As [`export`].
pub fn export_records(run: &Path, file: &Path) -> Result<Written, TablesError> {
    let failed = |source| TablesError::Write { path: file.to_owned(), source };
    let mut reader = Reader::open(run)?;
    let mut rows = Rows::create(Table::Records, file, &facts(&reader)).map_err(failed)?;
    match through(&mut reader, |_, line| push_line(&mut rows, line)) {
        Ok(damage) => Ok(Written { tables: vec![(file.to_owned(), rows.finish().map_err(failed)?)], damage }),
        Err(source) => {
            // What is left of it lies beside the name that it would have had.
            let _ = rows.abandon();
            Err(failed(source))
        }
    }
}

fn facts(reader: &Reader) -> [(&'static str, String); 3] {
    [
        ("oddsmith.run_id", reader.run().to_string()),
        ("oddsmith.tables_version", TABLES_VERSION.to_string()),
        ("oddsmith.journal_schema_version", SCHEMA_VERSION.to_string()),
    ]
}

/// Hands over every record with its line, and says why it stopped before the journal's end, if it did.
fn through(
    reader: &mut Reader,
    mut each: impl FnMut(&Record<'_>, &Envelope) -> parquet::errors::Result<()>,
) -> parquet::errors::Result<Option<String>> {
    let run = reader.run();
    loop {
        let record = match reader.next() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(error) => return Ok(Some(error.to_string())),
        };
        match envelope(run, &record) {
            Ok(line) => each(&record, &line)?,
            Err(error) => return Ok(Some(format!("record {}: {error}", record.sequence))),
        }
    }
    Ok(match reader.ending() {
        Ok(Ending::Torn(damage)) => {
            Some(format!("the journal's end is damaged and {} bytes are lost: {damage}", damage.lost_bytes))
        }
        Ok(Ending::Sealed | Ending::Open) => None,
        Err(error) => Some(error.to_string()),
    })
}

fn push_line(rows: &mut Rows, line: &Envelope) -> parquet::errors::Result<()> {
    rows.push([
        Cell::count(line.sequence),
        Cell::count(line.wall_ns),
        Cell::count(line.mono_ns),
        Cell::text(&line.kind),
        Cell::maybe(line.market_id, |id| Cell::count(id.0)),
        Cell::maybe(line.instance_id, |id| Cell::count(id.0)),
        Cell::maybe(line.intent_id, |id| Cell::count(id.0)),
        Cell::maybe(line.order_id, Cell::text),
        Cell::text(&line.payload),
    ])
}

struct Desk {
    names: Names,
    books: Books,
    open: Orders,
    unheld: Fills,
    frames: Rows,
    book_rows: Rows,
    orders: Rows,
    fills: Rows,
    decisions: Rows,
    events: Rows,
}

impl Desk {
    fn record(&mut self, record: &Record<'_>, line: &Envelope) -> parquet::errors::Result<()> {
        let at = Place { sequence: record.sequence, time: record.head.time };
        // The envelope has decoded it once: what cannot be decoded does not come so far.
        let unreadable = |error: CodecError| ParquetError::General(error.to_string());
        if record.head.kind.is_input() {
            let input = decode_input(record.payload).map_err(unreadable)?;
            self.unheld.input(&self.names, &mut self.fills)?;
            return self.input(at, &input);
        }
        if record.head.kind.is_output() {
            let output = decode_output(record.payload).map_err(unreadable)?;
            return self.output(at, &output, line);
        }
        Ok(())
    }

    fn input(&mut self, at: Place, input: &Input<'_>) -> parquet::errors::Result<()> {
        let (source, shard, bytes) = match input {
            Input::Market { source, bytes } => {
                self.books.frame(at.sequence, at.time, (*source, bytes), &mut self.book_rows)?;
                match source {
                    MarketSource::Shard(number) => ("shard", Some(*number), bytes),
                    MarketSource::Rest => ("rest", None, bytes),
                }
            }
            Input::User { bytes } => ("user", None, bytes),
            _ => return Ok(()),
        };
        let (text, packed) = match std::str::from_utf8(bytes) {
            Ok(text) => (Cell::text(text), Cell::Nothing),
            Err(_) => (Cell::Nothing, Cell::Text(STANDARD.encode(bytes))),
        };
        self.frames.push([
            Cell::count(at.sequence),
            Cell::count(at.time.wall_ns),
            Cell::count(at.time.mono_ns),
            Cell::text(source),
            Cell::maybe(shard, Cell::count),
            text,
            packed,
        ])
    }

    fn output(&mut self, at: Place, output: &Output, line: &Envelope) -> parquet::errors::Result<()> {
        let event = match &output.body {
            OutputBody::Action(Action::Place(place)) => {
                self.open.placed(at, **place);
                return Ok(());
            }
            OutputBody::Action(_) => return Ok(()),
            OutputBody::Event(event) => event,
        };
        self.names.learn(event);
        if let Event::Numbered { market, card } = event {
            self.books.learn(*market, card);
        }
        self.open.event(at, event, &self.names, &mut self.orders)?;
        self.unheld.event(at, event, &self.names, &mut self.fills)?;
        self.decision(at, event)?;
        push_line(&mut self.events, line)
    }

    fn decision(&mut self, at: Place, event: &Event) -> parquet::errors::Result<()> {
        let Event::Decision { instance, market, intent, mode, keep, quotes, reasons } = event else { return Ok(()) };
        self.decisions.push([
            Cell::count(at.sequence),
            Cell::count(at.time.wall_ns),
            Cell::count(at.time.mono_ns),
            Cell::count(instance.0),
            self.names.instance(*instance),
            Cell::count(market.0),
            self.names.market(*market),
            Cell::count(intent.0),
            Cell::Text(word(mode)),
            Cell::count(keep.len()),
            Cell::Text(word(quotes)),
            Cell::Text(word(reasons)),
        ])
    }

    /// Finishes the files, in the order of [`Table::ALL`].
    fn finish(self) -> parquet::errors::Result<Vec<u64>> {
        let Desk { names, open, mut unheld, frames, book_rows, mut orders, mut fills, decisions, events, .. } = self;
        open.finish(&names, &mut orders)?;
        unheld.input(&names, &mut fills)?;
        [frames, book_rows, orders, fills, decisions, events].into_iter().map(Rows::finish).collect()
    }

    fn abandon(self) {
        for rows in [self.frames, self.book_rows, self.orders, self.fills, self.decisions, self.events] {
            // What is left of them lies beside the names that they would have had.
            let _ = rows.abandon();
        }
    }
}
