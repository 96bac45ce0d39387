//! Running a journal through the engine again.
//!
//! Every input is handed to a new engine with the time that it had; what comes out is encoded as the run encoded it and compared byte
//! for byte with the outputs that stand behind the input in the journal. The first difference ends the replay.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::path::Path;

use oddsmith_domain::{Input, Output, RunId};
use oddsmith_engine::Engine;
use oddsmith_journal::{
    CodecError, Encoder, Ending, Envelope, Kind, Reader, Record, RecordHead, decode_input, envelope,
};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// What a replay found.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The run.
    pub run_id: RunId,
    /// Inputs replayed.
    pub inputs: u64,
    /// Outputs compared and found equal.
    pub outputs: u64,
    /// Records by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Seconds from the first input to the last.
    pub seconds: f64,
    /// What was changed in the configuration, key by key.
    pub changed: Vec<Changed>,
    /// The first difference.
    pub difference: Option<Difference>,
    /// Why the journal's end is not proven, when it is not.
    pub open_end: Option<String>,
}

/// A setting that is not as it was in the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// The dotted key.
    pub key: String,
    /// In the run.
    pub then: Value,
    /// In the replay.
    pub now: Value,
}

/// Where a replay differs from its run.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// The number of the record that differs.
    pub sequence: u64,
    /// What the journal has there; nothing when the replay puts out more.
    pub expected: Option<Envelope>,
    /// What came out; nothing when the journal has more.
    pub got: Option<Envelope>,
    /// The input that it came from.
    pub input: Option<Envelope>,
}

/// Replays the journal in `dir`. `configure` may change the engine's configuration, which it gets and gives as JSON.
///
/// # Errors
/// When the journal cannot be read, or `configure` refuses.
pub fn replay(dir: &Path, configure: impl Fn(&str) -> Result<String, Failure>) -> Result<Outcome, Failure> {
    let mut reader = Reader::open(dir)?;
    let mut replay = Replay::new(reader.run());
    while let Some(record) = reader.next()? {
        *replay.outcome.kinds.entry(record.head.kind.to_string()).or_default() += 1;
        let step = if record.head.kind.is_input() {
            replay.input(&record, &configure)
        } else {
            replay.output(&record).map_err(|error| undecodable(record.sequence, &error))
        };
        if step?.is_some() {
            return Ok(replay.outcome);
        }
    }
    let ending = reader.ending()?;
    if replay.outcome.inputs == 0 {
        return Err(Failure::Answer(format!("the journal in {} holds no input: nothing was run", dir.display())));
    }
    replay.finish(&ending).map_err(|error| undecodable(reader.cursor().sequence, &error))?;
    Ok(replay.outcome)
}

fn undecodable(sequence: u64, error: &CodecError) -> Failure {
    Failure::Answer(format!("record {sequence}: {error}: use the build that wrote the journal"))
}

/// A record kept for comparison or for the report.
struct Kept {
    sequence: u64,
    head: RecordHead,
    payload: Vec<u8>,
}

impl Kept {
    fn envelope(&self, run: RunId) -> Result<Envelope, CodecError> {
        envelope(run, &Record { sequence: self.sequence, head: self.head, payload: &self.payload })
    }
}

struct Replay {
    engine: Engine,
    encoder: Encoder,
    outputs: Vec<Output>,
    /// What came out and has not been compared yet.
    waiting: VecDeque<(Kind, Vec<u8>)>,
    last_input: Option<Kept>,
    first_ns: Option<u64>,
    outcome: Outcome,
}

impl Replay {
    fn new(run_id: RunId) -> Replay {
        Replay {
            engine: Engine::new(),
            encoder: Encoder::default(),
            outputs: Vec::new(),
            waiting: VecDeque::new(),
            last_input: None,
            first_ns: None,
            outcome: Outcome {
                run_id,
                inputs: 0,
                outputs: 0,
                kinds: BTreeMap::new(),
                seconds: 0.0,
                changed: Vec::new(),
                difference: None,
                open_end: None,
            },
        }
    }

    /// Hands an input to the engine; before that, everything that came out of the one before must have been in the journal.
    fn input(
        &mut self,
        record: &Record<'_>,
        configure: &impl Fn(&str) -> Result<String, Failure>,
    ) -> Result<Option<()>, Failure> {
        if !self.waiting.is_empty() {
            return self.differs(record.sequence, None).map_err(|error| undecodable(record.sequence, &error));
        }
        let now = record.head.time;
        let mut input = decode_input(record.payload).map_err(|error| undecodable(record.sequence, &error))?;
        if let Input::Setup(setup) = &mut input {
            let config = configure(&setup.config)?;
            self.outcome.changed = changes(&setup.config, &config);
            setup.config = config;
        }
        self.outputs.clear();
        let (engine, outputs) = (&mut self.engine, &mut self.outputs);
        let handled = std::panic::catch_unwind(AssertUnwindSafe(|| engine.handle(&input, now, outputs)));
        if handled.is_err() {
            let at = record.sequence;
            return Err(Failure::Answer(format!("the engine fails at record {at}, an {}", record.head.kind)));
        }
        for output in &self.outputs {
            let encoded = self.encoder.output(output).map_err(|error| undecodable(record.sequence, &error))?;
            self.waiting.push_back((encoded.kind, encoded.payload.to_vec()));
        }
        let mut payload = self.last_input.take().map(|kept| kept.payload).unwrap_or_default();
        payload.clear();
        payload.extend_from_slice(record.payload);
        self.last_input = Some(Kept { sequence: record.sequence, head: record.head, payload });
        self.outcome.inputs += 1;
        let first = *self.first_ns.get_or_insert(now.mono_ns);
        self.outcome.seconds = now.mono_ns.saturating_sub(first) as f64 / 1e9;
        Ok(None)
    }

    /// Compares an output of the journal with the next that came out.
    fn output(&mut self, record: &Record<'_>) -> Result<Option<()>, CodecError> {
        match self.waiting.front() {
            Some((kind, payload)) if *kind == record.head.kind && payload == record.payload => {
                self.waiting.pop_front();
                self.outcome.outputs += 1;
                Ok(None)
            }
            _ => self.differs(record.sequence, Some(record)),
        }
    }

    fn finish(&mut self, ending: &Ending) -> Result<(), CodecError> {
        match ending {
            Ending::Sealed if self.waiting.is_empty() => {}
            Ending::Sealed => {
                let after = self.last_input.as_ref().map_or(0, |input| input.sequence) + self.outcome.outputs;
                self.differs(after, None)?;
            }
            // A run that was killed may have died between an input and what came out of it.
            Ending::Open => {
                self.outcome.open_end = Some("the run was not closed: it still works, or was killed".to_owned())
            }
            Ending::Torn(damage) => {
                let text = format!("the journal's end is damaged, {} bytes are lost: {damage}", damage.lost_bytes);
                self.outcome.open_end = Some(text);
            }
        }
        Ok(())
    }

    fn differs(&mut self, sequence: u64, expected: Option<&Record<'_>>) -> Result<Option<()>, CodecError> {
        let run = self.outcome.run_id;
        let time = self.last_input.as_ref().map(|input| input.head.time).unwrap_or_default();
        let got = match self.waiting.front() {
            None => None,
            Some((kind, payload)) => {
                let ids = expected.map(|record| record.head.ids).unwrap_or_default();
                let head = RecordHead { time, kind: *kind, ids };
                let mut got = envelope(run, &Record { sequence, head, payload })?;
                // The ids stand in the payload; those beside it are the journal's and would only mislead here.
                (got.market_id, got.instance_id, got.intent_id, got.order_id) = (None, None, None, None);
                Some(got)
            }
        };
        self.outcome.difference = Some(Difference {
            sequence,
            expected: expected.map(|record| envelope(run, record)).transpose()?,
            got,
            input: self.last_input.as_ref().map(|input| input.envelope(run)).transpose()?,
        });
        Ok(Some(()))
    }
}

/// The settings in which two configurations differ.
fn changes(then: &str, now: &str) -> Vec<Changed> {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let differing = oddsmith_report::differing(&read(then), &read(now)).into_iter();
    differing.map(|setting| Changed { key: setting.key, then: setting.first, now: setting.second }).collect()
}
