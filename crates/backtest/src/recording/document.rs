//! One JSON array that spans a file: its elements, without holding the file in memory.

use std::io::{self, BufRead};

use super::{MAX_PIECE_BYTES, Piece};

/// Whether the text begins as an array that does not end on its first line. Lines that are whole arrays are frames.
pub(super) fn begins(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    head.split(|byte| *byte == b'\n').next().is_some_and(|line| line.trim_ascii() == b"[")
}

/// Splits the array at the commas of its outermost level. What stands between them is not looked at: that is for the decoder.
pub(super) struct Document {
    reader: Box<dyn BufRead>,
    element: Vec<u8>,
    position: u64,
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl Document {
    pub fn new(reader: Box<dyn BufRead>) -> Document {
        Document { reader, element: Vec::new(), position: 0, depth: 0, in_text: false, escaped: false }
    }

    /// Decompressed bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.element.clear();
        let mut offset = self.position;
        let mut clipped = false;
        loop {
            let bytes = match self.reader.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                break;
            }
            let (mut used, mut ended) = (0, false);
            for &byte in bytes {
                used += 1;
                if self.element.is_empty() && (byte.is_ascii_whitespace() || (self.depth == 0 && byte == b'[')) {
                    self.depth = self.depth.max(u32::from(byte == b'['));
                    continue;
                }
                if ends(&mut self.depth, &mut self.in_text, &mut self.escaped, byte) {
                    ended = true;
                    break;
                }
                if self.element.is_empty() {
                    offset = self.position + used as u64 - 1;
                }
                if self.element.len() < MAX_PIECE_BYTES {
                    self.element.push(byte);
                } else {
                    clipped = true;
                }
            }
            self.reader.consume(used);
            self.position += used as u64;
            if ended && !self.element.is_empty() {
                break;
            }
        }
        while self.element.last().is_some_and(u8::is_ascii_whitespace) {
            self.element.pop();
        }
        Ok((!self.element.is_empty()).then_some(Piece { offset, bytes: &self.element, clipped }))
    }
}

/// Follows the nesting by one byte; says whether it ends an element of the outermost array.
fn ends(depth: &mut u32, in_text: &mut bool, escaped: &mut bool, byte: u8) -> bool {
    if *in_text {
        match byte {
            _ if *escaped => *escaped = false,
            b'\\' => *escaped = true,
            b'"' => *in_text = false,
            _ => {}
        }
        return false;
    }
    match byte {
        b'"' => *in_text = true,
        b'{' | b'[' => *depth = depth.saturating_add(1),
        b',' if *depth <= 1 => return true,
        b'}' | b']' => {
            *depth = depth.saturating_sub(1);
            return *depth == 0;
        }
        _ => {}
    }
    false
}
