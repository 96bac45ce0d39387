//! Lines of bounded length.

use std::io::{self, BufRead};

use memchr::memchr;

use super::{MAX_PIECE_BYTES, Piece};

/// Reads lines. One that lies whole in the reader's buffer is handed out where it is; any other is put together in a buffer of its own, and
/// its bytes beyond [`MAX_PIECE_BYTES`] are passed over without being kept.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    position: u64,
    /// Bytes of the reader's buffer that were handed out.
    lent: usize,
}

/// A line that was found.
struct Found {
    offset: u64,
    /// Its length, when it lies whole in the reader's buffer.
    whole: Option<usize>,
    clipped: bool,
}

impl Lines {
    pub fn new(reader: Box<dyn BufRead>) -> Lines {
        Lines { reader, line: Vec::new(), position: 0, lent: 0 }
    }

    /// Decompressed bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        let found = loop {
            let Some(found) = self.find()? else { return Ok(None) };
            if !self.found(&found)?.trim_ascii().is_empty() {
                break found;
            }
        };
        let Found { offset, clipped, .. } = found;
        Ok(Some(Piece { offset, bytes: self.found(&found)?, clipped }))
    }

    /// Moves on to the next line; `None` at the end.
    fn find(&mut self) -> io::Result<Option<Found>> {
        self.reader.consume(std::mem::take(&mut self.lent));
        let offset = self.position;
        let whole = memchr(b'\n', fill(&mut self.reader)?);
        let clipped = match whole {
            Some(place) => {
                self.lent = place + 1;
                self.position += self.lent as u64;
                false
            }
            None => self.read_line()?,
        };
        Ok((self.position > offset).then_some(Found { offset, whole, clipped }))
    }

    /// The line that was found last, without its end.
    fn found(&mut self, found: &Found) -> io::Result<&[u8]> {
        let line = match found.whole {
            // What was filled is still there.
            Some(place) => self.reader.fill_buf()?.get(..place).unwrap_or_default(),
            None => &self.line,
        };
        let ends = line.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        Ok(&line[..line.len() - ends])
    }

    /// Reads up to and including the next newline; says whether bytes were passed over.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let mut clipped = false;
        loop {
            let bytes = fill(&mut self.reader)?;
            if bytes.is_empty() {
                return Ok(clipped);
            }
            let newline = memchr(b'\n', bytes);
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

/// What the reader has, or reads next.
fn fill(reader: &mut Box<dyn BufRead>) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    reader.fill_buf()
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

    #[test]
    fn lines_are_the_same_wherever_the_buffer_ends() {
        let text: &'static [u8] = b"\n{\"a\":1}\r\n \n\n{\"b\":[2,3]}\nlast, and without an end";
        let pieces = |capacity: usize| {
            let mut lines = Lines::new(Box::new(io::BufReader::with_capacity(capacity, text)));
            let mut all = Vec::new();
            while let Some(piece) = lines.next_piece().expect("readable") {
                all.push((piece.offset, piece.bytes.to_vec()));
            }
            assert_eq!(lines.position(), text.len() as u64);
            all
        };
        let whole = pieces(1 << 16);
        assert_eq!(whole.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 13, 25]);
        for capacity in 1..text.len() {
            assert_eq!(pieces(capacity), whole, "{capacity}");
        }
    }

    use std::io::Read;
}
