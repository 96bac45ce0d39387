//! Lines of bounded length.

use std::io::{self, BufRead};

use super::{MAX_PIECE_BYTES, Piece};

/// Reads lines into one buffer. Bytes beyond [`MAX_PIECE_BYTES`] of a line are passed over without being kept.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    position: u64,
}

impl Lines {
    pub fn new(reader: Box<dyn BufRead>) -> Lines {
        Lines { reader, line: Vec::new(), position: 0 }
    }

    /// Decompressed bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        loop {
            let offset = self.position;
            let clipped = self.read_line()?;
            if self.position == offset {
                return Ok(None);
            }
            while matches!(self.line.last(), Some(b'\n' | b'\r')) {
                self.line.pop();
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(Piece { offset, bytes: &self.line, clipped }));
            }
        }
    }

    /// Reads up to and including the next newline; says whether bytes were passed over.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let mut clipped = false;
        loop {
            let bytes = match self.reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                return Ok(clipped);
            }
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            let used = newline.map_or(bytes.len(), |place| place + 1);
            let kept = used.min(MAX_PIECE_BYTES.saturating_sub(self.line.len()));
            self.line.extend_from_slice(bytes.get(..kept).unwrap_or_default());
            clipped |= kept < used;
            self.reader.consume(used);
            self.position += used as u64;
            if newline.is_some() {
                return Ok(clipped);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let endless = io::repeat(b'x').take(MAX_PIECE_BYTES as u64 + 1_000);
        let text = io::Read::chain(endless, &b"\nnext\n"[..]);
        let mut lines = Lines::new(Box::new(io::BufReader::new(text)));
        let long = lines.next_piece().expect("readable").expect("a line");
        assert_eq!((long.bytes.len(), long.clipped), (MAX_PIECE_BYTES, true));
        let next = lines.next_piece().expect("readable").expect("a line");
        assert_eq!((next.bytes, next.clipped), (&b"next"[..], false));
    }

    use std::io::Read;
}
