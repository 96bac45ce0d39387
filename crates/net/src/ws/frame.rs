//! WebSocket framing (RFC 6455) as a client needs it: headers read in place, payloads masked.

use thiserror::Error;

/// Why a WebSocket connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Error)]
pub enum WsFault {
    /// Reserved bits are set, although no extension was agreed on.
    #[error("reserved bits are set")]
    ReservedBits,
    /// An opcode that does not exist.
    #[error("unknown opcode {0}")]
    Opcode(u8),
    /// A server must not mask.
    #[error("a masked frame from a server")]
    Masked,
    /// Larger than the limit.
    #[error("a message larger than the limit")]
    TooLarge,
    /// A control frame in parts, or longer than 125 bytes.
    #[error("a control frame in parts or too long")]
    Control,
    /// A continuation of nothing, or a new message within another.
    #[error("fragments out of order")]
    Fragments,
    /// The peer ended the stream in the middle of a frame.
    #[error("the stream ends within a frame")]
    Truncated,
    /// The peer does not read what we send.
    #[error("the peer does not read")]
    Backlog,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// The next part of a message.
    Continuation,
    /// A text.
    Text,
    /// Bytes.
    Binary,
    /// The end.
    Close,
    /// A question for a sign of life.
    Ping,
    /// Its answer.
    Pong,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Opcode::Continuation => 0,
            Opcode::Text => 1,
            Opcode::Binary => 2,
            Opcode::Close => 8,
            Opcode::Ping => 9,
            Opcode::Pong => 10,
        }
    }

    /// Whether it may stand between the parts of a message.
    pub(super) const fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether the message ends with this frame.
    pub fin: bool,
    /// What it is.
    pub opcode: Opcode,
    /// Bytes of the head.
    pub head_len: usize,
    /// Bytes of the payload, which follow the head.
    pub payload_len: usize,
}

/// Reads the head of the frame at the start of `bytes`; `None` when more bytes are needed.
///
/// # Errors
/// [`WsFault`] when it is not a head that a server may send, or the payload is longer than `limit`.
#[inline]
pub fn read_head(bytes: &[u8], limit: usize) -> Result<Option<FrameHead>, WsFault> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(WsFault::ReservedBits);
    }
    let opcode = Opcode::from_bits(first & 0x0f).ok_or(WsFault::Opcode(first & 0x0f))?;
    if second & 0x80 != 0 {
        return Err(WsFault::Masked);
    }
    let fin = first & 0x80 != 0;
    let (head_len, payload_len) = match second & 0x7f {
        126 => match rest.first_chunk() {
            Some(len) => (4, u64::from(u16::from_be_bytes(*len))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(len) => (10, u64::from_be_bytes(*len)),
            None => return Ok(None),
        },
        short => (2, u64::from(short)),
    };
    if opcode.is_control() && (!fin || payload_len > 125) {
        return Err(WsFault::Control);
    }
    let payload_len = usize::try_from(payload_len).ok().filter(|len| *len <= limit).ok_or(WsFault::TooLarge)?;
    Ok(Some(FrameHead { fin, opcode, head_len, payload_len }))
}

/// Appends a whole message in one masked frame.
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    out.reserve(payload.len() + 14);
    out.push(0x80 | opcode.bits());
    match payload.len() {
        short @ 0..=125 => out.push(0x80 | short as u8),
        medium @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_of_every_length() {
        assert_eq!(read_head(&[0x81], 100), Ok(None));
        let head = |fin, opcode, head_len, payload_len| Ok(Some(FrameHead { fin, opcode, head_len, payload_len }));
        assert_eq!(read_head(&[0x81, 5], 100), head(true, Opcode::Text, 2, 5));
        assert_eq!(read_head(&[0x01, 126, 1, 0], 300), head(false, Opcode::Text, 4, 256));
        assert_eq!(read_head(&[0x81, 126, 1], 300), Ok(None));
        assert_eq!(read_head(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], 70_000), head(true, Opcode::Binary, 10, 65_536));
        assert_eq!(read_head(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0], 70_000), Ok(None));
    }

    #[test]
    fn what_a_server_must_not_send() {
        assert_eq!(read_head(&[0xc1, 0], 100), Err(WsFault::ReservedBits));
        assert_eq!(read_head(&[0x83, 0], 100), Err(WsFault::Opcode(3)));
        assert_eq!(read_head(&[0x81, 0x85], 100), Err(WsFault::Masked));
        assert_eq!(read_head(&[0x81, 101], 100), Err(WsFault::TooLarge));
        assert_eq!(read_head(&[0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255], 100), Err(WsFault::TooLarge));
        assert_eq!(read_head(&[0x89, 126, 0, 126], 1_000), Err(WsFault::Control));
        assert_eq!(read_head(&[0x09, 1], 100), Err(WsFault::Control));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_a_fault_or_too_few(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(Some(head)) = read_head(&bytes, 1 << 20) {
                prop_assert!(head.head_len <= bytes.len() && head.payload_len <= 1 << 20);
            }
        }

        #[test]
        fn what_is_written_unmasks_to_itself(payload in proptest::collection::vec(any::<u8>(), 0..70_000), mask: [u8; 4]) {
            let mut out = Vec::new();
            write_frame(&mut out, Opcode::Text, &payload, mask);
            prop_assert_eq!(out[1] & 0x80, 0x80);
            out[1] &= 0x7f;
            let head = read_head(&out, 70_000).expect("a head").expect("complete");
            let body: Vec<u8> = out[head.head_len + 4..].iter().zip(mask.iter().cycle()).map(|(b, k)| b ^ k).collect();
            prop_assert_eq!(body, payload);
        }
    }
}
