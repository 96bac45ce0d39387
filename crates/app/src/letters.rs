//! Frames that a run did not understand, read again by this build.
//!
//! Every frame is in the journal as it was received, whatever came of it. Which ones were not understood the events behind them tell;
//! they are decoded once more, with the markets numbered as they were.

use std::path::Path;

use oddsmith_domain::{Event, Input, MarketBatch, Output, OutputBody, Time};
use oddsmith_journal::{CodecError, Kind, Reader, decode_input, decode_output};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;
use oddsmith_polymarket::codec::user::UserDecoder;
use serde::Serialize;

use crate::failure::Failure;

/// A frame that was not understood, in whole or in part.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// The input's record.
    pub sequence: u64,
    /// When it came, in nanoseconds since the Unix epoch.
    pub wall_ns: u64,
    /// The channel: `market` or `user`.
    pub channel: &'static str,
    /// Elements that were not understood then, and why the first was not.
    pub then: Fault,
    /// The same today; nothing if all of it is understood.
    pub now: Option<Fault>,
    /// The frame; bytes that are no text are replaced.
    pub frame: String,
}

/// What was not understood.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// How many elements.
    pub elements: u32,
    /// Why the first of them was not.
    pub why: String,
}

/// A frame that may turn out not to have been understood.
struct Frame {
    sequence: u64,
    time: Time,
    channel: &'static str,
    bytes: Vec<u8>,
}

/// Decodes every frame of a run again that it did not understand, and hands each to `tell`.
///
/// # Errors
/// When the journal cannot be read, or `tell` fails.
pub fn again(dir: &Path, mut tell: impl FnMut(&Letter) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut reader = Reader::open(dir)?;
    let (mut table, mut last) = (AssetTable::new(), None);
    let undecodable = |sequence: u64, error: &CodecError| {
        Failure::Answer(format!("record {sequence}: {error}: use the build that wrote the journal"))
    };
    while let Some(record) = reader.next()? {
        let sequence = record.sequence;
        match record.head.kind {
            Kind::MARKET | Kind::USER => {
                let input = decode_input(record.payload).map_err(|error| undecodable(sequence, &error))?;
                last = frame(&input).map(|(channel, bytes)| Frame {
                    sequence,
                    time: record.head.time,
                    channel,
                    bytes: bytes.to_vec(),
                });
            }
            Kind::NUMBERED | Kind::UNDECODABLE => {
                let Output { body, .. } =
                    decode_output(record.payload).map_err(|error| undecodable(sequence, &error))?;
                match body {
                    OutputBody::Event(Event::Numbered { market, card }) => table.insert(market, &card),
                    OutputBody::Event(Event::Undecodable { elements, why }) => {
                        if let Some(frame) = last.take() {
                            tell(&letter(&table, frame, Fault { elements, why }))?;
                        }
                    }
                    _ => {}
                }
            }
            kind if kind.is_input() => last = None,
            _ => {}
        }
    }
    Ok(())
}

const fn frame<'a>(input: &Input<'a>) -> Option<(&'static str, &'a [u8])> {
    match input {
        Input::Market { bytes, .. } => Some(("market", bytes)),
        Input::User { bytes } => Some(("user", bytes)),
        _ => None,
    }
}

fn letter(table: &AssetTable, frame: Frame, then: Fault) -> Letter {
    let (elements, why) = if frame.channel == "user" {
        let report = UserDecoder::new().decode(table, &frame.bytes, &mut Vec::new());
        (report.undecodable, report.first_fault.map(|fault| fault.to_string()))
    } else {
        let report = MarketDecoder::default().decode(table, &frame.bytes, &mut MarketBatch::default());
        (report.undecodable, report.first_fault.map(|fault| fault.to_string()))
    };
    let now = (elements > 0).then(|| Fault { elements, why: why.unwrap_or_default() });
    Letter {
        sequence: frame.sequence,
        wall_ns: frame.time.wall_ns,
        channel: frame.channel,
        then,
        now,
        frame: String::from_utf8_lossy(&frame.bytes).into_owned(),
    }
}
