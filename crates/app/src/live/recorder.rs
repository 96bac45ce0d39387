//! The engine's sink: the journal first, then the actions for the edge.

use oddsmith_domain::{Action, ActionSeq, Input, Output, OutputBody, Time};
use oddsmith_engine::{Lanes, OwnedInput, Sink};
use oddsmith_net::{Clock, Intake};

use crate::pages::Pages;

/// Writes down what goes in and comes out, in order, and keeps the actions until they are handed to the edge.
///
/// After a fault of the journal nothing more is handed on: an action that is not written down is not taken.
pub struct Recorder {
    clock: Clock,
    pages: Pages,
    actions: Vec<(ActionSeq, Action)>,
}

impl Recorder {
    /// A recorder on an open journal.
    pub fn new(clock: Clock, pages: Pages) -> Recorder {
        Recorder { clock, pages, actions: Vec::new() }
    }

    /// The journal.
    pub fn pages(&mut self) -> &mut Pages {
        &mut self.pages
    }

    /// Gives the journal back, to be closed.
    pub fn into_pages(self) -> Pages {
        self.pages
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
}

impl Sink for Recorder {
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        if !self.pages.record(input, now, outputs) {
            return;
        }
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
