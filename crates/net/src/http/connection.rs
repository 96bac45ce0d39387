//! A kept connection that carries one request at a time.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::message::{HttpFault, Response, read_response};
use crate::buffer::{ReadBuffer, WriteBuffer};

/// The longest answer to a trading request that is taken.
pub const ORDER_BODY_LIMIT: usize = 1024 * 1024;

/// An established connection for requests. One at a time: an answer can then never be taken for another's.
#[derive(Debug)]
pub struct HttpConnection {
    stream: TcpStream,
    inbound: ReadBuffer,
    outbound: WriteBuffer,
    ended: bool,
    gathered: Vec<u8>,
}

impl HttpConnection {
    /// Takes an established stream.
    ///
    /// # Errors
    /// When the runtime does not take the stream.
    pub fn new(stream: StdTcpStream) -> io::Result<HttpConnection> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(HttpConnection {
            stream: TcpStream::from_std(stream)?,
            inbound: ReadBuffer::with(&[]),
            outbound: WriteBuffer::default(),
            ended: false,
            gathered: Vec::new(),
        })
    }

    /// Where to append the bytes of a request before [`HttpConnection::write_now`].
    pub fn request(&mut self) -> &mut Vec<u8> {
        self.outbound.tail()
    }

    /// Writes what the stream takes now.
    ///
    /// # Errors
    /// Those of the stream; the flag says whether anything of the request was written before.
    pub fn write_now(&mut self) -> Result<(), (io::Error, bool)> {
        let whole = self.outbound.unwritten().len();
        while !self.outbound.unwritten().is_empty() {
            match self.stream.try_write(self.outbound.unwritten()) {
                Ok(count) => self.outbound.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err((error, self.outbound.unwritten().len() < whole)),
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

    /// Whether all of the request has been handed to the system.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.outbound.unwritten().is_empty()
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

    /// After an error of the stream nothing more is read.
    pub(crate) const fn set_broken(&mut self) {
        self.ended = true;
    }

    /// Whether the peer has ended the stream, or it broke.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether bytes have arrived that nobody asked for.
    #[must_use]
    pub const fn has_unread(&self) -> bool {
        !self.inbound.is_empty()
    }

    /// The answer, once it has arrived completely, with its body.
    ///
    /// # Errors
    /// [`HttpFault`]; the connection cannot be used any more.
    pub fn next_response(&mut self) -> Option<Result<(Response, &[u8]), HttpFault>> {
        loop {
            if self.inbound.is_empty() {
                return None;
            }
            let response = match read_response(self.inbound.unread(), self.ended, ORDER_BODY_LIMIT) {
                Ok(Some(response)) => response,
                Ok(None) => return None,
                Err(fault) => return Some(Err(fault)),
            };
            let taken = self.inbound.take(response.len);
            if (100..200).contains(&response.status) {
                continue;
            }
            let body = response.body(self.inbound.taken(taken), &mut self.gathered);
            return Some(Ok((response.clone(), body)));
        }
    }
}
