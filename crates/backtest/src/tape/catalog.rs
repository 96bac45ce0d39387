//! What lies in files and directories: which of it is a recording, and why the rest is not.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::TapeError;
use super::books::Name;
use super::listed;
use crate::recording::{Recording, is_market_frame, is_parquet, unwrap};

/// How many pieces of a file are looked at to tell what it is.
const LOOKED_AT: usize = 400;

/// The form of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Frames as they were received, with or without an envelope, packed or not.
    Frames,
    /// The directory of a run of ours.
    Journal,
    /// A table of level changes in a columnar file.
    Table,
    /// Whole books or trades of one token, named by file names.
    Books,
}

/// One file or run, and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Catalogued {
    /// Where it is.
    pub path: PathBuf,
    /// What it is read as; `None` when it is left out.
    pub form: Option<Form>,
    /// What it is, or why it is left out.
    pub why: String,
}

/// Tells what lies at the paths: files, directories of runs, and everything below other directories, in the order of names.
/// Below a directory only what looks like a recording by itself is read; a file that was named also when it holds prices alone, or frames
/// without a time of receipt.
///
/// # Errors
/// [`TapeError::List`] when a directory cannot be listed.
pub fn catalog(paths: &[PathBuf]) -> Result<Vec<Catalogued>, TapeError> {
    let mut all = Vec::new();
    for path in paths {
        look(path, true, &mut all)?;
    }
    Ok(all)
}

fn look(path: &Path, named: bool, all: &mut Vec<Catalogued>) -> Result<(), TapeError> {
    if !path.is_dir() {
        all.push(file(path, named));
        return Ok(());
    }
    if oddsmith_journal::Reader::open(path).is_ok() {
        all.push(Catalogued {
            path: path.to_owned(),
            form: Some(Form::Journal),
            why: "the journal of a run".to_owned(),
        });
        return Ok(());
    }
    let list = |source| TapeError::List { path: path.display().to_string(), source };
    let mut entries = std::fs::read_dir(path)
        .map_err(list)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(list)?;
    entries.sort();
    entries.iter().try_for_each(|entry| look(entry, false, all))
}

fn file(path: &Path, named: bool) -> Catalogued {
    let (form, why) = tell(path, named);
    Catalogued { path: path.to_owned(), form, why }
}

fn tell(path: &Path, named: bool) -> (Option<Form>, String) {
    let leave = |why: &str| (None, why.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if name == listed::NAME {
        return leave("a list of markets: read with the recordings beside it");
    }
    if is_parquet(path) {
        return (Some(Form::Table), "a table of level changes".to_owned());
    }
    let seen = match Seen::of(path) {
        Ok(seen) => seen,
        Err(error) => return if named { (Some(Form::Frames), error) } else { (None, error) },
    };
    if Name::of(path).is_some() && (seen.books > 0 || seen.trades > 0) {
        let orderbooks = path.parent().and_then(Path::parent).map(|asset| asset.join("orderbooks"));
        let has_books = seen.books > 0 || orderbooks.is_some_and(|folder| folder.is_dir());
        return if has_books {
            (Some(Form::Books), "books and trades of one token, named by its file".to_owned())
        } else {
            leave("trades without books: nothing can be quoted against them")
        };
    }
    if seen.frames > 0 && (named || seen.timed > 0) {
        return (Some(Form::Frames), "frames of the market channel and books".to_owned());
    }
    if seen.frames > 0 {
        return leave("single answers without a time of receipt: examples, not a recording");
    }
    if named && seen.pieces == 0 {
        return (Some(Form::Frames), "empty".to_owned());
    }
    if named && seen.kind == "prices" {
        return (Some(Form::Frames), "prices outside of the venue".to_owned());
    }
    leave(match seen.kind.as_str() {
        "" => "not a recording of books",
        "kalshi" => "another venue's books (Kalshi), which are not supported",
        "settlement" => "how markets were decided, without their books",
        _ => "prices of other feeds without books",
    })
}

/// What the first pieces of a file are.
#[derive(Default)]
struct Seen {
    pieces: usize,
    frames: usize,
    timed: usize,
    books: usize,
    trades: usize,
    kind: String,
}

impl Seen {
    fn of(path: &Path) -> Result<Seen, String> {
        let mut recording = Recording::open(path).map_err(|error| error.to_string())?;
        let mut seen = Seen::default();
        while seen.pieces < LOOKED_AT {
            let Some(piece) = recording.next_piece().map_err(|error| error.to_string())? else { break };
            seen.pieces += 1;
            let unwrapped = unwrap(piece.bytes);
            let Ok(text) = std::str::from_utf8(&unwrapped.frame) else { continue };
            let has = |name: &str| text.contains(name);
            if has("\"bids\"") && has("\"asks\"") && !has("\"asset_id\"") && has("\"local_timestamp\"") {
                seen.books += 1;
            } else if has("\"price\"") && has("\"local_timestamp\"") && !has("\"asset_id\"") {
                seen.trades += 1;
            } else if is_market_frame(&unwrapped.frame) && text.starts_with(['{', '[']) && has("\"market\"") {
                seen.frames += 1;
                seen.timed += usize::from(unwrapped.received_ns.is_some());
            } else if has("\"ticker\"") && has("KX") {
                seen.kind = "kalshi".to_owned();
            } else if has("\"outcome_prices\"") && has("\"condition_id\"") {
                seen.kind = "settlement".to_owned();
            } else if has("\"stream\"") {
                seen.kind = "prices".to_owned();
            } else if has("\"recv_ts_ms\"") {
                seen.kind = "feed".to_owned();
            }
        }
        Ok(seen)
    }
}
