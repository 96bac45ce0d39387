//! Connecting, as the side threads do it: resolve, connect, shake hands, hand the stream over.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::NetError;
use crate::buffer::ReadBuffer;
use crate::http::read_until_complete;
use crate::target::{Target, connect};

/// An established connection, and what came behind its handshake.
#[derive(Debug)]
pub struct Connected {
    /// The stream.
    pub stream: TcpStream,
    /// Bytes that were already read from it.
    pub leftover: Vec<u8>,
}

/// A plain connection.
///
/// # Errors
/// [`NetError`].
pub fn dial(target: &Target, timeout: Duration) -> Result<Connected, NetError> {
    Ok(Connected { stream: connect(target, timeout)?, leftover: Vec::new() })
}

/// A connection on which the server has agreed to speak WebSocket. `seed` makes the handshake's key.
///
/// # Errors
/// [`NetError::Handshake`] when the server refuses or does not know the protocol.
pub fn dial_websocket(target: &Target, seed: u64, timeout: Duration) -> Result<Connected, NetError> {
    use std::io::Write;

    let deadline = Instant::now() + timeout;
    let mut stream = connect(target, timeout)?;
    let mut nonce = [0u8; 16];
    nonce[..8].copy_from_slice(&seed.to_le_bytes());
    nonce[8..].copy_from_slice(&seed.rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    let key = STANDARD.encode(nonce);
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Version: 13\r\nUser-Agent: oddsmith\r\n\r\n",
        target.path_of(""),
        target.authority(),
    );
    stream.set_write_timeout(Some(timeout))?;
    stream.write_all(request.as_bytes())?;
    let mut buffer = ReadBuffer::with(&[]);
    let (response, _) = read_until_complete(&mut stream, &mut buffer, deadline)?;
    if response.status != 101 {
        return Err(NetError::Handshake(format!("the server answered {}", response.status)));
    }
    if response.websocket_accept.as_deref() != Some(accept_of(&key).as_str()) {
        return Err(NetError::Handshake("the server accepted another key".into()));
    }
    buffer.take(response.len);
    Ok(Connected { stream, leftover: buffer.unread().to_vec() })
}

fn accept_of(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_standard_is_accepted_as_the_standard_says() {
        assert_eq!(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
