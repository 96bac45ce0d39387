//! `oddsmith journal export`: a run for other programs.

use std::fs::File;
use std::io::{Write, stdout};
use std::path::Path;

use oddsmith_tables::{TablesError, Written, export, export_records};

use super::journal::print;
use crate::data::Run;
use crate::failure::Failure;

/// Carries the command out.
pub fn run(run: &Run, parquet: Option<&Path>, jsonl: Option<&Path>) -> Result<(), Failure> {
    if let Some(file) = jsonl {
        lines(run, file)?;
    }
    parquet.map_or(Ok(()), |place| tables(run, place))
}

fn lines(run: &Run, file: &Path) -> Result<(), Failure> {
    if file == Path::new("-") {
        return print(run, None, stdout().lock());
    }
    let unwritable = |error| Failure::Running(format!("cannot write {}: {error}", file.display()));
    // Whoever looks for the file finds it whole or not at all.
    let beside = file.with_added_extension("new");
    print(run, None, File::create(&beside).map_err(unwritable)?)?;
    std::fs::rename(beside, file).map_err(unwritable)
}

fn tables(run: &Run, place: &Path) -> Result<(), Failure> {
    let single = place.extension().is_some_and(|extension| extension == "parquet");
    let written = if single { export_records(&run.dir, place) } else { export(&run.dir, place) };
    let Written { tables, damage } = written.map_err(|error| match error {
        TablesError::Read(error) => error.into(),
        TablesError::Write { .. } => Failure::Running(error.to_string()),
    })?;
    let mut out = stdout().lock();
    for (path, rows) in tables {
        writeln!(out, "{}  {rows} rows", path.display()).map_err(|error| Failure::output(&error))?;
    }
    match damage {
        None => Ok(()),
        Some(why) => Err(Failure::Answer(format!("the tables end where the journal is damaged: {why}"))),
    }
}
