//! Recorded outcomes, as comma-separated values.

use oddsmith_domain::Shares;
use thiserror::Error;

use super::{Level, Outcome};

/// A line that is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OutcomeError {
    /// There is no such column.
    #[error("there is no column `{0}`: the first line must name the columns")]
    Column(&'static str),
    /// A value is not what it should be.
    #[error("line {line}, column `{column}`: `{value}` is not {wanted}")]
    Value {
        /// The line, from 1.
        line: usize,
        /// The column.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        wanted: &'static str,
    },
    /// A line contradicts itself.
    #[error("line {line}: {what}")]
    Contradiction {
        /// The line, from 1.
        line: usize,
        /// In what.
        what: &'static str,
    },
}

/// The columns of a file of outcomes: see docs/guides/report.md. The first five must be there.
pub const COLUMNS: [&str; 9] =
    ["placed_ms", "ended_ms", "queue_ahead", "filled", "result", "first_fill_ms", "behind", "cancelled", "traded"];

/// Reads outcomes from comma-separated values. Columns are found by their names; others are passed over.
///
/// # Errors
/// [`OutcomeError`], with the line.
pub fn read(text: &str) -> Result<Vec<Outcome>, OutcomeError> {
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let (head, _) = lines.next().unwrap_or_default();
    let names: Vec<&str> = head.trim_start_matches('\u{feff}').split(',').map(str::trim).collect();
    let places = COLUMNS.map(|column| names.iter().position(|name| *name == column));
    if let Some((column, _)) = COLUMNS.iter().zip(&places).take(5).find(|(_, place)| place.is_none()) {
        return Err(OutcomeError::Column(column));
    }
    lines
        .map(|(line, number)| outcome(&Row { cells: line.split(',').map(str::trim).collect(), places, number }))
        .collect()
}

struct Row<'a> {
    cells: Vec<&'a str>,
    places: [Option<usize>; 9],
    number: usize,
}

impl<'a> Row<'a> {
    fn text(&self, column: usize) -> Option<&'a str> {
        self.cells.get(self.places[column]?).copied().filter(|text| !text.is_empty())
    }

    fn wrong(&self, column: usize, wanted: &'static str) -> OutcomeError {
        let value = self.text(column).unwrap_or_default().chars().take(40).collect();
        OutcomeError::Value { line: self.number, column: COLUMNS[column], value, wanted }
    }

    fn ms(&self, column: usize) -> Result<Option<f64>, OutcomeError> {
        let Some(text) = self.text(column) else { return Ok(None) };
        let number = text.parse::<f64>().ok().filter(|ms| ms.is_finite() && *ms >= 0.0);
        number.map(Some).ok_or_else(|| self.wrong(column, "a time in milliseconds"))
    }

    fn shares(&self, column: usize) -> Result<Option<Shares>, OutcomeError> {
        let Some(text) = self.text(column) else { return Ok(None) };
        let shares = text.parse::<Shares>().ok().filter(|shares| !shares.is_negative());
        shares.map(Some).ok_or_else(|| self.wrong(column, "a number of shares with at most six decimals"))
    }

    fn must<T>(&self, column: usize, value: Option<T>) -> Result<T, OutcomeError> {
        value.ok_or_else(|| self.wrong(column, "there, and every order needs it"))
    }
}

fn outcome(row: &Row<'_>) -> Result<Outcome, OutcomeError> {
    let (placed, ended) = (row.must(0, row.ms(0)?)?, row.must(1, row.ms(1)?)?);
    let (ahead, filled) = (row.must(2, row.shares(2)?)?, row.must(3, row.shares(3)?)?);
    let contradiction = |what| OutcomeError::Contradiction { line: row.number, what };
    if ended < placed {
        return Err(contradiction("it ended before it was placed"));
    }
    match row.text(4).unwrap_or_default() {
        "filled" | "partial" if filled.is_zero() => {
            return Err(contradiction("its result says filled, but nothing of it was"));
        }
        "filled" | "partial" | "cancelled" | "expired" => {}
        _ => return Err(row.wrong(4, "filled, partial, cancelled or expired")),
    }
    let first = row.ms(5)?;
    if first.is_some_and(|first| first < placed || first > ended) {
        return Err(contradiction("its first fill is not between its begin and its end"));
    }
    let level = match (row.shares(6)?, row.shares(7)?, row.shares(8)?) {
        (Some(behind), Some(cancelled), Some(traded)) => Some(Level { behind, cancelled, traded }),
        _ => None,
    };
    let rested_s = (ended - placed) / 1e3;
    // Without the time of its first fill, it is taken for filled at its end.
    let filled_s = filled.is_positive().then(|| first.map_or(rested_s, |first| (first - placed) / 1e3));
    Ok(Outcome { ahead, level, rested_s, filled_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(value: f64) -> Shares {
        Shares::floor_from(value)
    }

    #[test]
    fn a_file_is_read_by_its_columns_and_faults_are_named() {
        let text = "order,result,filled,queue_ahead,placed_ms,ended_ms,first_fill_ms,behind,cancelled,traded\n\
                    a,filled,10,100.5,1000,4000,2500,40,20,130\n\nb,cancelled,0,0,1000,2000,,,,\n";
        let read_text = read(text).expect("two outcomes");
        assert_eq!(read_text.len(), 2);
        assert_eq!((read_text[0].filled_s, read_text[0].rested_s), (Some(1.5), 3.0));
        assert_eq!(read_text[0].level.map(|level| level.traded), Some(shares(130.0)));
        assert_eq!(read_text[1], Outcome { rested_s: 1.0, ..Outcome::default() });
        assert_eq!(read("a,b\n1,2\n"), Err(OutcomeError::Column("placed_ms")));
        assert_eq!(read(""), Err(OutcomeError::Column("placed_ms")));
        let head = "placed_ms,ended_ms,queue_ahead,filled,result\n";
        for (line, part) in [
            ("x,2,1,0,cancelled", "line 2, column `placed_ms`: `x`"),
            ("5,2,1,0,cancelled", "ended before"),
            ("1,2,-1,0,cancelled", "`queue_ahead`"),
            ("1,2,1,0,filled", "nothing of it was"),
            ("1,2,1,0,lost", "filled, partial, cancelled or expired"),
            ("1,2", "every order needs it"),
        ] {
            let error = read(&format!("{head}{line}\n")).expect_err("wrong").to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
