//! The engine's sink: the journal first, then the actions for the edge.

use oddsmith_domain::{Action, ActionSeq, Input, Output, OutputBody, Time};
use oddsmith_engine::{Lanes, OwnedInput, Sink};
use oddsmith_journal::{Encoder, Pressure, RecordHead, Writer};
use oddsmith_net::{Clock, Intake};

use super::dead_letter::DeadLetters;

/// Writes down what goes in and comes out, in order, and keeps the actions until they are handed to the edge.
///
/// After a fault of the journal nothing more is handed on: an action that is not written down is not taken.
pub struct Recorder {
    clock: Clock,
    writer: Writer,
    encoder: Encoder,
    dead_letters: DeadLetters,
    actions: Vec<(ActionSeq, Action)>,
    fault: Option<String>,
}

impl Recorder {
    /// A recorder on an open journal.
    pub fn new(clock: Clock, writer: Writer, dead_letters: DeadLetters) -> Recorder {
        Recorder { clock, writer, encoder: Encoder::default(), dead_letters, actions: Vec::new(), fault: None }
    }

    /// The actions that were written down and not yet handed on.
    pub fn take_actions(&mut self) -> Vec<(ActionSeq, Action)> {
        std::mem::take(&mut self.actions)
    }

    /// Gives the list back, so that its memory is used again.
    pub fn reuse(&mut self, mut actions: Vec<(ActionSeq, Action)>) {
        actions.clear();
        if self.actions.is_empty() {
            self.actions = actions;
        }
    }

    /// Why the journal cannot be written any more, if so.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// How full the journal is.
    pub fn pressure(&mut self) -> Pressure {
        self.writer.pressure()
    }

    /// Closes the journal.
    pub fn close(self) -> std::io::Result<()> {
        self.writer.close()
    }

    fn write(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) -> Result<(), String> {
        let record = self.encoder.input(input).map_err(|error| error.to_string())?;
        let head = RecordHead { time: now, kind: record.kind, ids: record.ids };
        self.writer.append(&head, record.payload).map_err(|error| error.to_string())?;
        for output in outputs {
            let record = self.encoder.output(output).map_err(|error| error.to_string())?;
            let head = RecordHead { time: now, kind: record.kind, ids: record.ids };
            self.writer.append(&head, record.payload).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Sink for Recorder {
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        if self.fault.is_some() {
            return;
        }
        if let Err(why) = self.write(input, now, outputs) {
            self.fault = Some(why);
            return;
        }
        self.dead_letters.watch(input, now, outputs);
        for output in outputs {
            if let OutputBody::Action(action) = &output.body {
                self.actions.push((ActionSeq(output.seq), action.clone()));
            }
        }
    }

    fn now(&mut self) -> Time {
        self.clock.now()
    }
}

/// The way from the edge into the lanes.
pub struct IntoLanes<'a>(pub &'a mut Lanes);

impl Intake for IntoLanes<'_> {
    fn frame(&mut self, source: oddsmith_domain::MarketSource, bytes: &[u8]) {
        self.0.push_frame(source, bytes);
    }

    fn user(&mut self, bytes: &[u8]) {
        self.0.push(OwnedInput::User(bytes.to_vec()));
    }

    fn input(&mut self, input: Input<'static>) {
        self.0.push(OwnedInput::Other(input));
    }
}
