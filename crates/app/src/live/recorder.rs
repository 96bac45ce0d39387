//! The engine's sink: the journal first, then the actions for the edge.

use oddsmith_domain::{Action, ActionSeq, Event, Input, Output, OutputBody, Time};
use oddsmith_engine::Sink;
use oddsmith_net::Clock;

use crate::pages::Pages;

/// Writes down what goes in and comes out, in order, and keeps the actions until they are handed to the edge.
///
/// After a fault of the journal nothing more is handed on: an action that is not written down is not taken.
pub struct Recorder {
    clock: Clock,
    pages: Pages,
    actions: Vec<(ActionSeq, Action)>,
    /// Something began or ceased to stop trading, and that is not known to be on the disk.
    latched: bool,
}

impl Recorder {
    /// A recorder on an open journal.
    pub fn new(clock: Clock, pages: Pages) -> Recorder {
        Recorder { clock, pages, actions: Vec::new(), latched: false }
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

    /// Brings to the disk what a power cut must not undo: that something stops trading, or does so no more. To be called when the
    /// cancels that follow from it have left.
    pub fn secure(&mut self) {
        if std::mem::take(&mut self.latched) {
            // A fault of the journal is seen by whoever asks for it next, and ends the run.
            let _ = self.pages.sync();
        }
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
            match &output.body {
                OutputBody::Action(action) => self.actions.push((ActionSeq(output.seq), action.clone())),
                OutputBody::Event(Event::Latched(_) | Event::Unlatched { .. }) => self.latched = true,
                OutputBody::Event(_) => {}
            }
        }
    }

    fn now(&mut self) -> Time {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{KillReason, Latch, LatchScope, Latched, RunId};
    use oddsmith_journal::{Options, Reader};

    use super::*;
    use crate::data::DataDir;
    use crate::pages::NewRun;

    fn recorder(folder: &std::path::Path, journal: Options) -> Recorder {
        let new = NewRun {
            id: RunId([1; 16]),
            command: "run",
            config: serde_json::Value::Null,
            seed: [1; 32],
            journal,
            account: None,
            venue: None,
            predecessor: None,
        };
        let pages = Pages::begin(&DataDir::find(Some(folder)), new).expect("a journal");
        Recorder::new(Clock::start(), pages)
    }

    fn output(seq: u64, body: OutputBody) -> Output {
        Output { seq, body }
    }

    #[test]
    fn an_action_is_in_the_journal_before_it_is_handed_on_and_never_without() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options { segment_bytes: 4_096, budget_bytes: 2_048, ..Options::default() };
        let mut recorder = recorder(folder.path(), options);
        let dir = recorder.pages().dir().to_owned();
        let (mut handed, mut written) = (0, 0);
        for seq in 1..100 {
            let outputs = [output(seq, OutputBody::Action(Action::CancelAll))];
            recorder.record(&Input::Tick, Time::default(), &outputs);
            handed += recorder.take_actions().len();
            let mut reader = Reader::open(&dir).expect("readable while it is written");
            written = 0;
            while let Some(record) = reader.next().expect("valid") {
                written += usize::from(record.head.kind.is_output());
            }
            assert!(handed <= written, "{handed} handed on, {written} written down");
        }
        assert!(recorder.pages().fault().is_some(), "the budget is used up");
        assert!(handed > 3 && handed <= written && handed < 99);
    }

    #[test]
    fn what_stops_trading_is_brought_to_the_disk_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recorder = recorder(folder.path(), Options { segment_bytes: 1 << 16, ..Options::default() });
        recorder.record(&Input::Tick, Time::default(), &[output(1, OutputBody::Action(Action::Heartbeat))]);
        assert!(!recorder.latched, "nothing to wait for");
        let latch =
            Latched { scope: LatchScope::Wallet, latch: Latch::Kill(KillReason::Operator), until_wall_ns: None };
        recorder.record(&Input::Tick, Time::default(), &[output(2, OutputBody::Event(Event::Latched(latch)))]);
        assert!(recorder.latched);
        recorder.secure();
        assert!(!recorder.latched && recorder.pages().fault().is_none());
    }
}
