//! The WebSocket connections: each a session machine and, while it is connected, its socket.

use std::task::{Context, Poll};

use oddsmith_polymarket::session::{MarketSession, UserSession};

use crate::ws::{Incoming, WsFault, WsSocket};
use crate::{Connected, NetError};

/// A socket that may be there or not, and the number of its dial, so that a connection that comes too late is known as such.
#[derive(Debug, Default)]
pub struct Wire {
    socket: Option<WsSocket>,
    generation: u64,
    broken: Option<String>,
}

impl Wire {
    /// A new dial begins; says its number.
    pub fn begin_dial(&mut self) -> u64 {
        self.close();
        self.generation
    }

    /// Drops the socket, and whatever dial is under way.
    pub fn close(&mut self) {
        self.socket = None;
        self.broken = None;
        self.generation += 1;
    }

    /// A dial ended. `None` when nobody waits for it any more.
    pub fn on_dialed(&mut self, generation: u64, result: Result<Connected, NetError>) -> Option<Result<(), NetError>> {
        if generation != self.generation {
            return None;
        }
        let opened = result.and_then(|connected| {
            let seed = generation.wrapping_mul(0x9e37_79b9).wrapping_add(0x51);
            WsSocket::new(connected.stream, &connected.leftover, seed).map_err(NetError::from)
        });
        Some(opened.map(|socket| self.socket = Some(socket)))
    }

    /// Sends a text, if there is a socket; a failure is the end of the connection.
    pub fn send(&mut self, text: &str) {
        if let Some(socket) = &mut self.socket
            && let Err(error) = socket.send_text(text)
        {
            self.broken = Some(error.to_string());
        }
    }

    /// Reads and writes what is ready. Says whether anything came, the end included.
    pub fn poll_io(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        if self.broken.is_some() {
            return true;
        }
        if let Poll::Ready(Err(error)) = socket.poll_flush(cx) {
            self.broken = Some(error.to_string());
            return true;
        }
        match socket.poll_fill(cx) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                self.broken = Some(error.to_string());
                true
            }
            Poll::Pending => false,
        }
    }

    /// Hands over up to `limit` messages. Says how many there were, and why the connection is at its end, if it is: the socket
    /// is gone then.
    pub fn drain(&mut self, limit: usize, mut each: impl FnMut(&[u8])) -> (usize, Option<End>) {
        let Some(socket) = &mut self.socket else { return (0, None) };
        let mut count = 0;
        let end = loop {
            if count == limit {
                return (count, None);
            }
            match socket.next_message() {
                Some(Ok(Incoming::Text(text) | Incoming::Binary(text))) => {
                    count += 1;
                    each(text);
                }
                Some(Ok(Incoming::Close)) => break End { why: "the venue closed the connection".into(), fault: None },
                Some(Err(fault)) => break End { why: fault.to_string(), fault: Some(fault) },
                None => match self.broken.take() {
                    Some(why) => break End { why, fault: None },
                    None if socket.is_ended() => break End { why: "the venue ended the stream".into(), fault: None },
                    None => return (count, None),
                },
            }
        };
        self.close();
        (count, Some(end))
    }
}

/// How a connection ended.
#[derive(Debug)]
pub struct End {
    /// For people.
    pub why: String,
    /// What the peer did that it must not do.
    pub fault: Option<WsFault>,
}

/// A shard of the market channel.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) session: MarketSession,
    pub(crate) wire: Wire,
}

/// The user channel.
#[derive(Debug)]
pub(crate) struct UserLink {
    pub(crate) session: UserSession,
    pub(crate) wire: Wire,
}
