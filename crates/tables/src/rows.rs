//! Rows on their way into a file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use crate::column::{Column, Kind, Table};

/// A group of rows is written when it has so many, or so many bytes of text.
const GROUP_ROWS: usize = 1 << 14;
const GROUP_BYTES: usize = 16 << 20;

/// What stands in one column of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Number(i64),
    Text(String),
    Flag(bool),
    Nothing,
}

impl Cell {
    pub fn maybe<T>(value: Option<T>, cell: impl Fn(T) -> Cell) -> Cell {
        value.map_or(Cell::Nothing, cell)
    }

    /// A number that is not negative; what no 64 bits with a sign hold is held at their end.
    pub fn count(value: impl TryInto<i64>) -> Cell {
        Cell::Number(value.try_into().unwrap_or(i64::MAX))
    }

    pub fn text(value: impl ToString) -> Cell {
        Cell::Text(value.to_string())
    }
}

enum Values {
    Numbers(Vec<i64>),
    Texts(Vec<ByteArray>),
    Flags(Vec<bool>),
}

struct Buffer {
    column: Column,
    values: Values,
    /// For a column that can be empty: 1 where it is not.
    levels: Vec<i16>,
}

impl Buffer {
    fn new(column: Column) -> Buffer {
        let values = match column.kind {
            Kind::Number | Kind::Moment | Kind::Decimal => Values::Numbers(Vec::new()),
            Kind::Text => Values::Texts(Vec::new()),
            Kind::Flag => Values::Flags(Vec::new()),
        };
        Buffer { column, values, levels: Vec::new() }
    }

    /// Takes a cell, and says how many bytes of text it has.
    fn push(&mut self, cell: Cell) -> Result<usize> {
        let mut bytes = 0;
        let there = cell != Cell::Nothing;
        match (&mut self.values, cell) {
            (Values::Numbers(values), Cell::Number(value)) => values.push(value),
            (Values::Flags(values), Cell::Flag(value)) => values.push(value),
            (Values::Texts(values), Cell::Text(text)) => {
                bytes = text.len();
                values.push(ByteArray::from(text.into_bytes()));
            }
            (_, Cell::Nothing) if self.column.optional => {}
            _ => return Err(ParquetError::General(format!("a cell does not fit column `{}`", self.column.name))),
        }
        if self.column.optional {
            self.levels.push(i16::from(there));
        }
        Ok(bytes)
    }

    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let levels = self.column.optional.then_some(self.levels.as_slice());
        match &mut self.values {
            Values::Numbers(values) => {
                column.typed::<Int64Type>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::Texts(values) => {
                column.typed::<ByteArrayType>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::Flags(values) => {
                column.typed::<BoolType>().write_batch(values, levels, None)?;
                values.clear();
            }
        }
        self.levels.clear();
        Ok(())
    }
}

/// A table that is being written, beside the place where it shall be.
pub(crate) struct Rows {
    writer: SerializedFileWriter<File>,
    buffers: Vec<Buffer>,
    waiting: usize,
    waiting_bytes: usize,
    rows: u64,
    beside: PathBuf,
    path: PathBuf,
}

impl Rows {
    /// A table without rows. `facts` are stated in the file beside them.
    pub fn create(table: Table, path: &Path, facts: &[(&str, String)]) -> Result<Rows> {
        let fields = table.columns().iter().map(|column| field(*column).map(Arc::new)).collect::<Result<Vec<_>>>()?;
        let schema = Type::group_type_builder(table.name()).with_fields(fields).build()?;
        let facts = facts.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_key_value_metadata(Some(facts))
            .build();
        let beside = path.with_extension("parquet.new");
        let writer = SerializedFileWriter::new(File::create(&beside)?, Arc::new(schema), Arc::new(properties))?;
        let buffers = table.columns().iter().map(|column| Buffer::new(*column)).collect();
        Ok(Rows { writer, buffers, waiting: 0, waiting_bytes: 0, rows: 0, beside, path: path.to_owned() })
    }

    /// Takes a row: a cell for each column, in their order.
    pub fn push<const N: usize>(&mut self, cells: [Cell; N]) -> Result<()> {
        if N != self.buffers.len() {
            return Err(ParquetError::General(format!(
                "a row has {N} cells, its table {} columns",
                self.buffers.len()
            )));
        }
        for (buffer, cell) in self.buffers.iter_mut().zip(cells) {
            self.waiting_bytes += buffer.push(cell)?;
        }
        self.waiting += 1;
        self.rows += 1;
        if self.waiting >= GROUP_ROWS || self.waiting_bytes >= GROUP_BYTES { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> Result<()> {
        if self.waiting == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for buffer in &mut self.buffers {
            let column = group.next_column()?;
            let mut column = column.ok_or_else(|| ParquetError::General("a column is missing".to_owned()))?;
            buffer.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        (self.waiting, self.waiting_bytes) = (0, 0);
        Ok(())
    }

    /// Finishes the file and gives it its name; says how many rows it has.
    pub fn finish(mut self) -> Result<u64> {
        self.write_group()?;
        let Rows { writer, rows, beside, path, .. } = self;
        writer.into_inner()?.sync_all()?;
        fs::rename(beside, path)?;
        Ok(rows)
    }

    /// Deletes what was written.
    pub fn abandon(self) -> io::Result<()> {
        fs::remove_file(self.beside)
    }
}

fn field(column: Column) -> Result<Type> {
    let physical = match column.kind {
        Kind::Number | Kind::Moment | Kind::Decimal => Physical::INT64,
        Kind::Text => Physical::BYTE_ARRAY,
        Kind::Flag => Physical::BOOLEAN,
    };
    let logical = match column.kind {
        Kind::Moment => Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
        Kind::Decimal => Some(LogicalType::decimal(6, 18)),
        Kind::Text => Some(LogicalType::String),
        Kind::Number | Kind::Flag => None,
    };
    let builder = Type::primitive_type_builder(column.name, physical)
        .with_repetition(if column.optional { Repetition::OPTIONAL } else { Repetition::REQUIRED })
        .with_logical_type(logical);
    match column.kind {
        Kind::Decimal => builder.with_precision(18).with_scale(6).build(),
        _ => builder.build(),
    }
}
