//! A WebSocket on an established stream.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::frame::{Opcode, WsFault, read_head, write_frame};
use crate::buffer::{ReadBuffer, WriteBuffer};

/// The longest message that is taken. A first dump of 200 deep books is a few million bytes.
pub const MESSAGE_LIMIT: usize = 16 * 1024 * 1024;
/// More than this unsent, and the peer counts as not reading.
const BACKLOG_LIMIT: usize = 1024 * 1024;

/// A message of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text, whose bytes have not been checked to be UTF-8: the codecs do that, and tell where they are not.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
    /// The peer closes.
    Close,
}

/// A client's WebSocket: reads into one buffer and hands out messages where they lie.
///
/// Ask [`WsSocket::poll_fill`] to read what there is, then [`WsSocket::next_message`] until there is none.
#[derive(Debug)]
pub struct WsSocket {
    stream: TcpStream,
    inbound: ReadBuffer,
    outbound: WriteBuffer,
    /// The parts of a message that comes in fragments.
    assembled: Vec<u8>,
    fragmented: Option<Opcode>,
    mask: u32,
    ended: bool,
}

impl WsSocket {
    /// Takes a stream after its handshake, with the bytes that came behind it.
    ///
    /// # Errors
    /// When the runtime does not take the stream.
    pub fn new(stream: StdTcpStream, leftover: &[u8], seed: u64) -> io::Result<WsSocket> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(WsSocket {
            stream: TcpStream::from_std(stream)?,
            inbound: ReadBuffer::with(leftover),
            outbound: WriteBuffer::default(),
            assembled: Vec::new(),
            fragmented: None,
            mask: (seed as u32) | 1,
            ended: false,
        })
    }

    /// Reads once. Ready when bytes came or the stream ended; pending when there is nothing, with the task registered.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Pending;
        }
        self.inbound.poll_fill(&mut self.stream, cx).map_ok(|count| {
            self.ended = count == 0;
        })
    }

    /// Whether the peer has ended the stream and everything before that has been taken.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// The next message that has arrived completely; control frames are answered on the way.
    ///
    /// # Errors
    /// [`WsFault`]: the connection cannot go on.
    pub fn next_message(&mut self) -> Option<Result<Incoming<'_>, WsFault>> {
        loop {
            let head = match read_head(self.inbound.unread(), MESSAGE_LIMIT) {
                Ok(Some(head)) if self.inbound.len() >= head.head_len + head.payload_len => head,
                Ok(_) if self.ended && !self.inbound.is_empty() => return Some(Err(WsFault::Truncated)),
                Ok(_) => return None,
                Err(fault) => return Some(Err(fault)),
            };
            self.inbound.take(head.head_len);
            let payload = self.inbound.take(head.payload_len);
            match (head.opcode, self.fragmented) {
                (Opcode::Ping, _) => {
                    let mask = self.next_mask();
                    write_frame(self.outbound.tail(), Opcode::Pong, self.inbound.taken(payload), mask);
                    if self.outbound.unwritten().len() > BACKLOG_LIMIT {
                        return Some(Err(WsFault::Backlog));
                    }
                }
                (Opcode::Pong, _) => {}
                (Opcode::Close, _) => return Some(Ok(Incoming::Close)),
                (Opcode::Text, None) if head.fin => return Some(Ok(Incoming::Text(self.inbound.taken(payload)))),
                (Opcode::Binary, None) if head.fin => return Some(Ok(Incoming::Binary(self.inbound.taken(payload)))),
                (opcode @ (Opcode::Text | Opcode::Binary), None) => {
                    self.fragmented = Some(opcode);
                    self.assembled.clear();
                    self.assembled.extend_from_slice(self.inbound.taken(payload));
                }
                (Opcode::Continuation, Some(opcode)) => {
                    if self.assembled.len() + payload.len() > MESSAGE_LIMIT {
                        return Some(Err(WsFault::TooLarge));
                    }
                    self.assembled.extend_from_slice(self.inbound.taken(payload));
                    if head.fin {
                        self.fragmented = None;
                        return Some(Ok(match opcode {
                            Opcode::Binary => Incoming::Binary(&self.assembled),
                            _ => Incoming::Text(&self.assembled),
                        }));
                    }
                }
                (Opcode::Continuation, None) | (Opcode::Text | Opcode::Binary, Some(_)) => {
                    return Some(Err(WsFault::Fragments));
                }
            }
        }
    }

    /// Sends a text, now or with the next [`WsSocket::poll_flush`].
    ///
    /// # Errors
    /// Those of the stream; [`WsFault::Backlog`] as an error when the peer has stopped reading.
    pub fn send_text(&mut self, text: &str) -> io::Result<()> {
        let mask = self.next_mask();
        write_frame(self.outbound.tail(), Opcode::Text, text.as_bytes(), mask);
        if self.outbound.unwritten().len() > BACKLOG_LIMIT {
            return Err(io::Error::other(WsFault::Backlog));
        }
        self.flush_now()
    }

    fn flush_now(&mut self) -> io::Result<()> {
        while !self.outbound.unwritten().is_empty() {
            match self.stream.try_write(self.outbound.unwritten()) {
                Ok(count) => self.outbound.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what is left to write; pending, with the task registered, when the stream takes no more.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbound.unwritten().is_empty() {
            let count = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, self.outbound.unwritten()))?;
            self.outbound.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    /// Masking protects proxies, not secrets: a sequence that does not repeat soon is enough.
    const fn next_mask(&mut self) -> [u8; 4] {
        self.mask ^= self.mask << 13;
        self.mask ^= self.mask >> 17;
        self.mask ^= self.mask << 5;
        self.mask.to_le_bytes()
    }
}
