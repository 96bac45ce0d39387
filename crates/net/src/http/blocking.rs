//! The blocking client of the side threads: whatever is large, rare, or both.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::message::{read_response, write_request};
use crate::buffer::ReadBuffer;
use crate::target::Target;
use crate::{NetError, target};

/// The longest answer that is taken: a page of markets is some hundred kilobytes.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What carries a request of the side and waits for its answer: [`HttpClient`] over a socket, or a simulation over its own time.
pub trait Transport: Send {
    /// Sends a request and waits for its answer. `headers` are complete lines, each ended with CR and LF.
    ///
    /// # Errors
    /// [`NetError`].
    fn request(&mut self, method: &str, path: &str, headers: &[u8], body: &[u8]) -> Result<Answer, NetError>;

    /// Seconds since the Unix epoch, for the signature of a request.
    fn now_s(&self) -> u64;
}

impl Transport for HttpClient {
    fn request(&mut self, method: &str, path: &str, headers: &[u8], body: &[u8]) -> Result<Answer, NetError> {
        HttpClient::request(self, method, path, headers, body)
    }

    fn now_s(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}

/// A client that keeps one connection and waits for each answer.
#[derive(Debug)]
pub struct HttpClient {
    target: Target,
    timeout: Duration,
    kept: Option<(TcpStream, ReadBuffer)>,
}

impl HttpClient {
    /// A client of this server; each request may take `timeout`.
    #[must_use]
    pub const fn new(target: Target, timeout: Duration) -> HttpClient {
        HttpClient { target, timeout, kept: None }
    }

    /// The server.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Sends a request and waits for its answer. A GET on a kept connection that the server has closed is tried once more on
    /// a new one; anything else is not repeated.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn request(&mut self, method: &str, path: &str, headers: &[u8], body: &[u8]) -> Result<Answer, NetError> {
        let deadline = Instant::now() + self.timeout;
        let kept = self.kept.is_some();
        match self.attempt(method, path, headers, body, deadline) {
            Err(NetError::Io(_) | NetError::Http(_)) if kept && method == "GET" => {
                self.kept = None;
                self.attempt(method, path, headers, body, deadline)
            }
            other => other,
        }
    }

    fn attempt(
        &mut self,
        method: &str,
        path: &str,
        headers: &[u8],
        body: &[u8],
        deadline: Instant,
    ) -> Result<Answer, NetError> {
        let (mut stream, mut buffer) = match self.kept.take() {
            Some(kept) => kept,
            None => (target::connect(&self.target, remaining(deadline)?)?, ReadBuffer::with(&[])),
        };
        let mut bytes = Vec::new();
        let path = self.target.path_of(path);
        write_request(&mut bytes, method, &path, self.target.authority(), headers, body);
        stream.set_write_timeout(Some(remaining(deadline)?))?;
        stream.write_all(&bytes)?;
        let (response, ended) = read_until_complete(&mut stream, &mut buffer, deadline)?;
        let range = buffer.take(response.len);
        let mut gathered = Vec::new();
        let body = response.body(buffer.taken(range), &mut gathered).to_vec();
        if response.keep_alive && !ended {
            self.kept = Some((stream, buffer));
        }
        Ok(Answer { status: response.status, body })
    }
}

/// Reads until a response is complete; says also whether the stream has ended.
pub(crate) fn read_until_complete(
    stream: &mut TcpStream,
    buffer: &mut ReadBuffer,
    deadline: Instant,
) -> Result<(super::Response, bool), NetError> {
    let mut ended = false;
    loop {
        match read_response(buffer.unread(), ended, BODY_LIMIT)? {
            Some(response) if (100..200).contains(&response.status) && response.status != 101 => {
                buffer.take(response.len);
                continue;
            }
            Some(response) => return Ok((response, ended)),
            None => {}
        }
        stream.set_read_timeout(Some(remaining(deadline)?))?;
        ended = match buffer.fill(stream) {
            Ok(count) => count == 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(NetError::Timeout),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
            Err(error) => return Err(error.into()),
        };
    }
}

fn remaining(deadline: Instant) -> Result<Duration, NetError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(NetError::Timeout) } else { Ok(left) }
}
