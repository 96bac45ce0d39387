//! A byte buffer that sockets are read into and messages are taken from, without copying or allocating once warm.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Received bytes that have not been used yet.
#[derive(Debug, Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

impl ReadBuffer {
    /// A buffer that already holds what a handshake read too much.
    #[must_use]
    pub fn with(leftover: &[u8]) -> ReadBuffer {
        let mut bytes = vec![0; CHUNK.max(leftover.len())];
        bytes[..leftover.len()].copy_from_slice(leftover);
        ReadBuffer { bytes, start: 0, end: leftover.len() }
    }

    /// What has not been used yet.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// How many bytes have not been used yet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether all has been used.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Uses the next `count` bytes; the range can be read until the next fill.
    pub(crate) fn take(&mut self, count: usize) -> std::ops::Range<usize> {
        let count = count.min(self.len());
        let taken = self.start..self.start + count;
        self.start += count;
        taken
    }

    /// Bytes that were taken before.
    pub(crate) fn taken(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Reads once from the stream; ready with the number of bytes, 0 at its end.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn poll_fill(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let mut target = ReadBuf::new(&mut self.bytes[self.end..]);
        ready!(std::pin::Pin::new(stream).poll_read(cx, &mut target))?;
        let count = target.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Reads once from a blocking stream.
    pub(crate) fn fill(&mut self, stream: &mut impl io::Read) -> io::Result<usize> {
        self.make_room();
        let count = stream.read(&mut self.bytes[self.end..])?;
        self.end += count;
        Ok(count)
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.bytes.len() - self.end < CHUNK / 4 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.bytes.len() - self.end < CHUNK / 4 {
                let size = (self.bytes.len() * 2).max(CHUNK);
                self.bytes.resize(size, 0);
            }
        }
    }
}

/// Bytes that wait to be written.
#[derive(Debug, Default)]
pub struct WriteBuffer {
    bytes: Vec<u8>,
    written: usize,
}

impl WriteBuffer {
    /// Where to append what is to be written.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
        &mut self.bytes
    }

    /// What has not been written yet.
    #[must_use]
    pub fn unwritten(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// Counts bytes as written.
    pub fn advance(&mut self, count: usize) {
        self.written = (self.written + count).min(self.bytes.len());
    }
}
