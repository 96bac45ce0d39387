//! Recordings as people make them, as a stream of frames with receive times.
//!
//! A recording is read from its first byte to its last with memory that does not grow with its length: JSON lines (each a frame,
//! an array of frames, or an envelope with the frame under `payload`), or one JSON array over many lines; plain, gzip or Zstandard,
//! which its first bytes tell; from a file or from standard input.

mod document;
mod envelope;
mod lines;
mod needle;
mod table;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use thiserror::Error;

use document::Document;
pub use envelope::{Source, Unwrapped, unwrap};
use lines::Lines;
pub(crate) use needle::Needle;
pub use table::{Table, TableRow};

/// A frame, or another piece of a recording, is not kept beyond this size; a longer one is skipped and counted.
pub const MAX_PIECE_BYTES: usize = 64 << 20;

/// Why a recording cannot be read.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// It cannot be opened.
    #[error("cannot open `{path}`: {source}")]
    Open {
        /// Which one.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Reading stopped before its end: a damaged or truncated compressed file, a failing disk.
    #[error("cannot read `{path}` beyond byte {offset} of its contents: {source}")]
    Read {
        /// Which one.
        path: String,
        /// How far it could be read, in decompressed bytes.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A columnar file that is not a table of level changes.
    #[error("`{path}` is not a table of level changes: {reason}")]
    Table {
        /// Which one.
        path: String,
        /// Why.
        reason: String,
    },
}

/// One piece of a recording: a line, or an element of an array that spans the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'r> {
    /// Where it begins, in decompressed bytes.
    pub offset: u64,
    /// Its bytes. Of one that is longer than [`MAX_PIECE_BYTES`], the beginning.
    pub bytes: &'r [u8],
    /// Whether bytes are missing because it is too long.
    pub clipped: bool,
}

/// Reads the pieces of a recording in order.
pub struct Recording {
    path: String,
    pieces: Pieces,
}

enum Pieces {
    Lines(Lines),
    Document(Document),
}

/// The first bytes of a columnar file.
const PARQUET: &[u8] = b"PAR1";

/// Whether the file is columnar. `false` also when it cannot be opened: opening it as a recording will say why.
#[must_use]
pub fn is_parquet(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == PARQUET
}

/// Whether a frame is one of the market channel, or a book: what the engine understands. A recording may hold other feeds too.
#[must_use]
pub fn is_market_frame(frame: &[u8]) -> bool {
    static NAMES: [Needle; 4] = [
        Needle::new("\"asset_id\""),
        Needle::new("\"price_changes\""),
        Needle::new("\"event_type\""),
        Needle::new("\"assets_ids\""),
    ];
    NAMES.iter().any(|name| name.is_in(frame)) || std::str::from_utf8(frame).is_err()
}

impl Recording {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    /// [`RecordingError::Open`], or [`RecordingError::Read`] when not even its first bytes can be had.
    pub fn open(path: &Path) -> Result<Recording, RecordingError> {
        let name = path.display().to_string();
        let open = |source| RecordingError::Open { path: name.clone(), source };
        let raw: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            let file = File::open(path).map_err(open)?;
            if file.metadata().map_err(open)?.is_dir() {
                return Err(open(io::Error::from(io::ErrorKind::IsADirectory)));
            }
            Box::new(file)
        };
        Recording::from_reader(name, raw)
    }

    /// Reads a recording from anywhere. `name` is for messages.
    ///
    /// # Errors
    /// [`RecordingError::Read`] when its first bytes cannot be had.
    pub fn from_reader(name: String, raw: Box<dyn Read>) -> Result<Recording, RecordingError> {
        let read = |source| RecordingError::Read { path: name.clone(), offset: 0, source };
        let mut raw = BufReader::with_capacity(1 << 16, raw);
        let magic = peek(&mut raw).map_err(read)?;
        let mut text: Box<dyn BufRead> = if magic.starts_with(&[0x1f, 0x8b]) {
            Box::new(BufReader::with_capacity(1 << 16, flate2::bufread::MultiGzDecoder::new(raw)))
        } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let decoder = zstd::Decoder::with_buffer(raw).map_err(read)?;
            Box::new(BufReader::with_capacity(1 << 16, decoder))
        } else {
            Box::new(raw)
        };
        let head = peek(&mut text).map_err(read)?;
        let pieces = if document::begins(&head) {
            Pieces::Document(Document::new(text))
        } else {
            Pieces::Lines(Lines::new(text))
        };
        Ok(Recording { path: name, pieces })
    }

    /// The next piece; `None` at the end. Empty lines are left out.
    ///
    /// # Errors
    /// [`RecordingError::Read`]: what came before it has been handed out, nothing comes after.
    pub fn next_piece(&mut self) -> Result<Option<Piece<'_>>, RecordingError> {
        let path = &self.path;
        match &mut self.pieces {
            Pieces::Lines(lines) => {
                let offset = lines.position();
                lines.next_piece().map_err(|source| RecordingError::Read { path: path.clone(), offset, source })
            }
            Pieces::Document(document) => {
                let offset = document.position();
                document.next_piece().map_err(|source| RecordingError::Read { path: path.clone(), offset, source })
            }
        }
    }
}

/// The first bytes, without taking them.
fn peek(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    loop {
        match reader.fill_buf() {
            Ok(bytes) => return Ok(bytes.get(..bytes.len().min(4_096)).unwrap_or_default().to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pieces(bytes: Vec<u8>) -> Vec<(u64, String)> {
        let mut recording = Recording::from_reader("test".into(), Box::new(io::Cursor::new(bytes))).expect("readable");
        let mut pieces = Vec::new();
        while let Some(piece) = recording.next_piece().expect("readable") {
            pieces.push((piece.offset, String::from_utf8_lossy(piece.bytes).into_owned()));
        }
        pieces
    }

    #[test]
    fn lines_are_the_same_however_they_are_packed() {
        let text = b"{\"a\":1}\r\n\n  [2]\n{\"cut".to_vec();
        let expected: Vec<(u64, String)> = vec![(0, "{\"a\":1}".into()), (10, "  [2]".into()), (16, "{\"cut".into())];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).expect("memory");
        let zstd = zstd::encode_all(text.as_slice(), 1).expect("memory");
        assert_eq!(pieces(text), expected);
        assert_eq!(pieces(gzip.finish().expect("memory")), expected);
        assert_eq!(pieces(zstd), expected);
        assert_eq!(pieces(Vec::new()), []);
    }

    #[test]
    fn an_array_over_many_lines_is_its_elements() {
        let text = b" [\n  {\"a\": \"}]\\\"\",\n \"b\": [1]},\n 2 ,\n{}\n]\n".to_vec();
        let texts: Vec<String> = pieces(text).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["{\"a\": \"}]\\\"\",\n \"b\": [1]}", "2", "{}"]);
    }

    #[test]
    fn damaged_files_say_how_far_they_could_be_read() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        gzip.write_all(&b"{}\n".repeat(100_000)).expect("memory");
        let mut bytes = gzip.finish().expect("memory");
        bytes.truncate(bytes.len() / 2);
        let mut recording = Recording::from_reader("cut.gz".into(), Box::new(io::Cursor::new(bytes))).expect("a start");
        let mut count = 0;
        let error = loop {
            match recording.next_piece() {
                Ok(Some(_)) => count += 1,
                Ok(None) => panic!("the end of a truncated file is not its end"),
                Err(error) => break error,
            }
        };
        assert!(count > 10_000, "{count}");
        assert!(error.to_string().contains("cut.gz"), "{error}");
        let missing = Recording::open(Path::new("/nonexistent/recording.jsonl"));
        assert!(matches!(missing, Err(RecordingError::Open { .. })));
        assert!(matches!(Recording::open(Path::new("/")), Err(RecordingError::Open { .. })));
    }
}
