//! One line of a recording.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oddsmith_book::Glance;
use oddsmith_domain::{Price, Shares};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Who says what the recorder itself says.
const RECORDER: &str = "recorder";

/// Where a frame came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'s> {
    /// A socket of the venue's market channel.
    Socket(u16),
    /// A book read by REST.
    Rest,
    /// Another feed, by its name.
    Feed(&'s str),
}

/// Appends a frame with its receive time, as one line of JSON: the frame as it is where it is JSON on one line, else as a text, else, where
/// it is no text, in base64 under `payload_base64`.
pub fn line(out: &mut Vec<u8>, source: Source<'_>, wall_ns: u64, frame: &[u8]) {
    head(out, source, wall_ns);
    // A JSON text would come back as what it says.
    let plain = matches!(frame.first(), Some(b'{' | b'[')) && !frame.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    if plain && serde_json::from_slice::<IgnoredAny>(frame).is_ok() {
        out.extend_from_slice(b",\"payload\":");
        out.extend_from_slice(frame);
    } else if let Ok(text) = std::str::from_utf8(frame) {
        out.extend_from_slice(b",\"payload\":");
        // A text always has a JSON form.
        out.extend_from_slice(serde_json::to_string(text).unwrap_or_default().as_bytes());
    } else {
        out.extend_from_slice(b",\"payload_base64\":\"");
        out.extend_from_slice(STANDARD.encode(frame).as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"}\n");
}

/// Appends a word of the recorder's own: a connection came or went.
pub fn mark(out: &mut Vec<u8>, source: Source<'_>, wall_ns: u64, did: &str, why: &str) {
    head(out, source, wall_ns);
    let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
    out.extend_from_slice(format!(",\"dir\":{},\"why\":{}}}\n", text(did), text(why)).as_bytes());
}

/// A market's book at one moment, in YES prices: those of NO are what is left of a dollar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BookNote {
    /// The market's slug.
    pub market: String,
    /// Its condition id.
    pub condition: String,
    /// The best bid, in dollars; none when nothing is bid.
    pub bid: Option<Price>,
    /// Shares there.
    pub bid_size: Option<Shares>,
    /// The best ask, in dollars; none when nothing is offered.
    pub ask: Option<Price>,
    /// Shares there.
    pub ask_size: Option<Shares>,
    /// From the best bid to the best ask, in dollars.
    pub spread: Option<Price>,
    /// Shares on the best levels of the bids.
    pub bid_depth: Shares,
    /// Shares on the best levels of the asks.
    pub ask_depth: Shares,
    /// Shares bid for each share offered, on these levels, to six places.
    pub depth_ratio: Option<f64>,
}

impl BookNote {
    /// What is to be seen of a book.
    #[must_use]
    pub fn of(market: &str, condition: &str, glance: &Glance) -> BookNote {
        let spread = glance.spread_units().and_then(|units| u16::try_from(units).ok());
        BookNote {
            market: market.to_owned(),
            condition: condition.to_owned(),
            bid: glance.bid.map(|top| top.price),
            bid_size: glance.bid.map(|top| top.size),
            ask: glance.ask.map(|top| top.price),
            ask_size: glance.ask.map(|top| top.size),
            spread: spread.and_then(Price::from_units),
            bid_depth: glance.bid_depth,
            ask_depth: glance.ask_depth,
            // Six places, which every reader of JSON reads as they were meant.
            depth_ratio: glance.depth_ratio().map(|ratio| (ratio * 1e6).round() / 1e6),
        }
    }
}

/// Appends a book as the recorder sees it, behind every frame that it was made of.
pub fn note(out: &mut Vec<u8>, wall_ns: u64, book: &BookNote) {
    head(out, Source::Feed(RECORDER), wall_ns);
    // Texts and numbers always have a JSON form.
    let text = serde_json::to_string(book).unwrap_or_default();
    out.extend_from_slice(format!(",\"dir\":\"book\",\"book\":{text}}}\n").as_bytes());
}

/// Reads what [`note`] wrote: when, and what; `None` for any other line.
#[must_use]
pub fn read_note(line: &[u8]) -> Option<(u64, BookNote)> {
    #[derive(Deserialize)]
    struct Noted {
        recv_wall_ns: u64,
        dir: String,
        book: BookNote,
    }
    let noted: Noted = serde_json::from_slice(line).ok()?;
    (noted.dir == "book").then_some((noted.recv_wall_ns, noted.book))
}

fn head(out: &mut Vec<u8>, source: Source<'_>, wall_ns: u64) {
    let text = match source {
        Source::Socket(number) => format!("{{\"source\":\"polymarket\",\"socket\":{number}"),
        Source::Rest => "{\"source\":\"polymarket.rest\"".to_owned(),
        Source::Feed(name) => format!("{{\"source\":{}", serde_json::to_string(name).unwrap_or_default()),
    };
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(format!(",\"recv_wall_ns\":{wall_ns}").as_bytes());
}

/// A line as it is read again.
#[derive(Debug)]
pub struct Kept<'l> {
    /// The name of where it came from.
    pub source: String,
    /// The socket, if it was one of the venue's.
    pub socket: Option<u16>,
    /// When it was received.
    pub wall_ns: u64,
    /// The frame; `None` for a word of the recorder's own.
    pub frame: Option<std::borrow::Cow<'l, [u8]>>,
}

#[derive(Deserialize)]
struct Read<'l> {
    source: String,
    socket: Option<u16>,
    recv_wall_ns: u64,
    #[serde(borrow)]
    payload: Option<&'l RawValue>,
    payload_base64: Option<String>,
}

/// Reads a line; `None` when it is none of a recorder.
#[must_use]
pub fn read_line(line: &[u8]) -> Option<Kept<'_>> {
    let read: Read<'_> = serde_json::from_slice(line).ok()?;
    let frame = match (read.payload, read.payload_base64) {
        (Some(payload), _) if payload.get().starts_with('"') => {
            Some(serde_json::from_str::<String>(payload.get()).ok()?.into_bytes().into())
        }
        (Some(payload), _) => Some(payload.get().as_bytes().into()),
        (None, Some(packed)) => Some(STANDARD.decode(packed).ok()?.into()),
        (None, None) => None,
    };
    Some(Kept { source: read.source, socket: read.socket, wall_ns: read.recv_wall_ns, frame })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_received_comes_back() {
        let frames: [&[u8]; 7] =
            [br#"[{"a":1}]"#, b"{\"a\":\n1}", b"{\"cut", b"PONG", b"", b"\"a text\"", &[0xff, 0x00, b'\n']];
        for frame in frames {
            let mut out = Vec::new();
            line(&mut out, Source::Socket(3), 7, frame);
            assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
            let kept = read_line(&out).expect("a line");
            assert_eq!((kept.source.as_str(), kept.wall_ns), ("polymarket", 7));
            assert_eq!(kept.frame.as_deref(), Some(frame));
        }
    }

    #[test]
    fn a_note_is_no_frame_and_comes_back() {
        let book = BookNote::of("rain", "0xaa", &Glance::default());
        let mut out = Vec::new();
        note(&mut out, 9, &book);
        assert_eq!(read_note(&out), Some((9, book)));
        let kept = read_line(&out).expect("a line");
        assert_eq!((kept.source.as_str(), kept.frame.is_none()), ("recorder", true));
        mark(&mut out, Source::Socket(0), 9, "down", "");
        assert!(read_note(&out).is_none());
    }

    #[test]
    fn a_word_of_the_recorder_is_no_frame() {
        let mut out = Vec::new();
        mark(&mut out, Source::Socket(0), 9, "down", "the venue \"closed\"");
        let kept = read_line(&out).expect("a line");
        assert_eq!((kept.wall_ns, kept.frame.is_none()), (9, true));
        assert!(read_line(b"{\"source\":1}").is_none() && read_line(b"{\"sour").is_none());
    }
}
