//! Tables of level changes in columnar files.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};

use super::RecordingError;

/// One row: a level change or a trade of one token. What a row does not hold, or holds in another type, is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableRow {
    /// The row's number in the file, from 0.
    pub number: u64,
    /// The venue's time in milliseconds.
    pub timestamp_ms: Option<u64>,
    /// The price in dollars.
    pub price: Option<f64>,
    /// The new size of the level, or the size of the trade, in shares.
    pub size: Option<f64>,
    /// The best bid after the change.
    pub best_bid: Option<f64>,
    /// The best ask after the change.
    pub best_ask: Option<f64>,
    /// `BID` or `ASK`.
    pub side: String,
    /// `PRICE_CHANGE` or `LAST_TRADE`.
    pub event_type: String,
    /// The token.
    pub asset_id: String,
}

/// The columns without which a table is not one of level changes.
const COLUMNS: [&str; 6] = ["timestamp", "price", "size", "side", "event_type", "asset_id"];

/// Reads the rows of a table in order, one row group after the other.
pub struct Table {
    path: String,
    rows: RowIter<'static>,
    number: u64,
}

impl Table {
    /// Opens a file.
    ///
    /// # Errors
    /// [`RecordingError::Open`]; [`RecordingError::Table`] when it is damaged or has other columns.
    pub fn open(path: &Path) -> Result<Table, RecordingError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| RecordingError::Open { path: name.clone(), source })?;
        let refuse = |reason: String| RecordingError::Table { path: name.clone(), reason };
        let reader = guarded(|| SerializedFileReader::new(file)).map_err(refuse)?;
        let schema = reader.metadata().file_metadata().schema();
        let columns: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
        if let Some(missing) = COLUMNS.iter().find(|column| !columns.contains(column)) {
            return Err(refuse(format!("it has no column `{missing}`")));
        }
        let rows = RowIter::from_file_into(Box::new(reader));
        Ok(Table { path: name, rows, number: 0 })
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// [`RecordingError::Table`] when the file is damaged here: nothing comes after.
    pub fn next_row(&mut self) -> Result<Option<TableRow>, RecordingError> {
        let row = guarded(|| self.rows.next().transpose());
        let row = row.map_err(|reason| RecordingError::Table {
            path: self.path.clone(),
            reason: format!("damaged at row {}: {reason}", self.number),
        })?;
        let Some(row) = row else {
            return Ok(None);
        };
        let number = self.number;
        self.number += 1;
        Ok(Some(read(number, &row)))
    }
}

/// Runs the library's reader. It panics on some damaged files, and a damaged file must not end the process.
fn guarded<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(String::from("the columns contradict each other")),
    }
}

fn read(number: u64, row: &Row) -> TableRow {
    let mut out = TableRow { number, ..TableRow::default() };
    for (name, field) in row.get_column_iter() {
        match name.as_str() {
            "timestamp" => out.timestamp_ms = milliseconds(field),
            "price" => out.price = float(field),
            "size" => out.size = float(field),
            "best_bid" => out.best_bid = float(field),
            "best_ask" => out.best_ask = float(field),
            "side" => out.side = text(field),
            "event_type" => out.event_type = text(field),
            "asset_id" => out.asset_id = text(field),
            _ => {}
        }
    }
    out
}

fn milliseconds(field: &Field) -> Option<u64> {
    match field {
        Field::TimestampMillis(ms) | Field::Long(ms) => u64::try_from(*ms).ok(),
        Field::TimestampMicros(us) => u64::try_from(us / 1_000).ok(),
        Field::ULong(ms) => Some(*ms),
        _ => None,
    }
}

fn float(field: &Field) -> Option<f64> {
    match field {
        Field::Double(value) => Some(*value),
        Field::Float(value) => Some(f64::from(*value)),
        Field::Long(value) => Some(*value as f64),
        Field::Int(value) => Some(f64::from(*value)),
        Field::Str(text) => text.parse().ok(),
        _ => None,
    }
}

fn text(field: &Field) -> String {
    match field {
        Field::Str(text) => text.clone(),
        Field::Long(value) => value.to_string(),
        Field::ULong(value) => value.to_string(),
        _ => String::new(),
    }
}
