//! A journal as lines of JSON, for people and for other programs.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oddsmith_domain::{Input, InstanceId, IntentId, MarketId, MarketSource, OrderId, RunId};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::codec::{CodecError, decode_input, decode_output};
use crate::damage::ReadError;
use crate::format::SCHEMA_VERSION;
use crate::reader::{Reader, Record};

/// Why an export stopped.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The journal cannot be read on.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record cannot be decoded.
    #[error("record {sequence}: {source}")]
    Codec {
        /// Its number.
        sequence: u64,
        /// Why.
        source: CodecError,
    },
    /// The lines cannot be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
}

/// One line: the versioned envelope of a record. Ids that do not apply are left out.
#[derive(Clone, Debug, Serialize)]
pub struct Envelope {
    /// The version of the journal's schema.
    pub schema_version: u32,
    /// The run.
    pub run_id: RunId,
    /// The record's number in the run.
    pub sequence: u64,
    /// When, on the monotonic clock.
    pub mono_ns: u64,
    /// When, on the wall clock.
    pub wall_ns: u64,
    /// What, in words.
    pub kind: String,
    /// Our number of the market.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market_id: Option<MarketId>,
    /// The strategy instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<InstanceId>,
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent_id: Option<IntentId>,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The input or output itself.
    pub payload: Value,
}

/// A record as an envelope.
///
/// # Errors
/// [`CodecError`] when its payload does not fit its kind.
pub fn envelope(run: RunId, record: &Record<'_>) -> Result<Envelope, CodecError> {
    let (head, ids) = (&record.head, &record.head.ids);
    let payload = if head.kind.is_input() {
        input_json(&decode_input(record.payload)?)
    } else if head.kind.is_output() {
        to_json(&decode_output(record.payload)?)
    } else {
        json!({ "base64": STANDARD.encode(record.payload) })
    };
    Ok(Envelope {
        schema_version: SCHEMA_VERSION,
        run_id: run,
        sequence: record.sequence,
        mono_ns: head.time.mono_ns,
        wall_ns: head.time.wall_ns,
        kind: head.kind.to_string(),
        market_id: ids.market,
        instance_id: ids.instance,
        intent_id: ids.intent,
        order_id: ids.order,
        payload,
    })
}

/// Writes every record that is left as a line, and says how many.
///
/// # Errors
/// [`ExportError`]; what was written before it is valid.
pub fn export(reader: &mut Reader, out: &mut impl Write) -> Result<u64, ExportError> {
    let run = reader.run();
    let mut lines = 0;
    while let Some(record) = reader.next()? {
        let sequence = record.sequence;
        let line = envelope(run, &record).map_err(|source| ExportError::Codec { sequence, source })?;
        serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        lines += 1;
    }
    out.flush()?;
    Ok(lines)
}

fn input_json(input: &Input<'_>) -> Value {
    match input {
        Input::Market { source, bytes } => {
            let source = match source {
                MarketSource::Shard(number) => json!({ "shard": number }),
                MarketSource::Rest => json!("rest"),
            };
            json!({ "Market": { "source": source, "frame": frame_json(bytes) } })
        }
        Input::User { bytes } => json!({ "User": { "frame": frame_json(bytes) } }),
        other => to_json(other),
    }
}

/// Frames are text, and shown as the text they are; what is not UTF-8 is shown in base64 and says so.
fn frame_json(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| json!({ "base64": STANDARD.encode(bytes) }), |text| json!(text))
}

fn to_json<T: Serialize>(value: &T) -> Value {
    // The domain's types have text keys only, so this cannot fail; if one ever has not, the export says so in its place.
    serde_json::to_value(value).unwrap_or_else(|error| json!({ "unprintable": error.to_string() }))
}
