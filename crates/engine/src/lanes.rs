//! Inputs that wait, in their classes.
//!
//! Lossless inputs come first, in the order in which they arrived, and none is ever dropped. Market frames are all applied, in
//! order, but in slices: after each slice whatever lossless input has arrived meanwhile is served. Ticks do not queue at all: that time
//! has passed is one flag.

use std::collections::VecDeque;

use oddsmith_domain::{Input, MarketSource, Output, Time};

use crate::{DecodedFrame, Engine};

/// The most market frames of one slice.
pub const SLICE_FRAMES: usize = 64;

/// The longest a slice of market frames lasts, in nanoseconds.
pub const SLICE_NS: u64 = 50_000;

/// An input that has to wait, and therefore owns its bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedInput {
    /// A frame of the user channel.
    User(Vec<u8>),
    /// Anything else that is lossless.
    Other(Input<'static>),
}

/// Where inputs and what came of them go, in order: the journal, and whoever carries out actions.
pub trait Sink {
    /// Takes one input that was handled, and its outputs.
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]);

    /// The time now.
    fn now(&mut self) -> Time;
}

/// The waiting room before an [`Engine`].
#[derive(Debug, Default)]
pub struct Lanes {
    lossless: VecDeque<OwnedInput>,
    frames: VecDeque<(MarketSource, usize)>,
    /// The bytes of all waiting frames, one after the other; the front ones up to `consumed` are done with.
    bytes: Vec<u8>,
    consumed: usize,
    outputs: Vec<Output>,
}

impl Lanes {
    /// Empty lanes.
    #[must_use]
    pub fn new() -> Lanes {
        Lanes::default()
    }

    /// A lossless input arrives. Market frames and ticks do not belong here; [`Lanes::push_frame`] takes the former.
    pub fn push(&mut self, input: OwnedInput) {
        self.lossless.push_back(input);
    }

    /// A market frame arrives. Its bytes are copied into memory that is reused.
    pub fn push_frame(&mut self, source: MarketSource, frame: &[u8]) {
        self.frames.push_back((source, frame.len()));
        self.bytes.extend_from_slice(frame);
    }

    /// How many inputs wait: lossless ones, and market frames.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        (self.lossless.len(), self.frames.len())
    }

    /// Runs one slice: every lossless input that waits; then market frames, up to [`SLICE_FRAMES`] or [`SLICE_NS`]; then one tick
    /// if the engine wants one or its deadline has come. Returns whether anything is left to do at once.
    pub fn slice(&mut self, engine: &mut Engine, sink: &mut impl Sink) -> bool {
        self.slice_of_lossless(engine, sink);
        self.slice_of_frames(engine, sink);
        self.end_slice(engine, sink)
    }

    /// Runs the slice that [`Lanes::push_frame`] and [`Lanes::slice`] would run, with a frame that was decoded already. Frames that wait
    /// come first.
    pub fn slice_with(&mut self, engine: &mut Engine, sink: &mut impl Sink, frame: &DecodedFrame<'_>) -> bool {
        if !self.frames.is_empty() {
            self.push_frame(frame.source, frame.bytes);
            return self.slice(engine, sink);
        }
        self.slice_of_lossless(engine, sink);
        let now = sink.now();
        self.outputs.clear();
        let input = Input::Market { source: frame.source, bytes: frame.bytes };
        let handle = |outputs: &mut Vec<Output>| engine.handle_decoded(frame, now, outputs);
        recorded(sink, &input, now, &mut self.outputs, handle);
        self.end_slice(engine, sink)
    }

    fn slice_of_lossless(&mut self, engine: &mut Engine, sink: &mut impl Sink) {
        while let Some(input) = self.lossless.pop_front() {
            match &input {
                OwnedInput::User(bytes) => self.hand_over(engine, sink, &Input::User { bytes }),
                OwnedInput::Other(input) => self.hand_over(engine, sink, input),
            };
        }
    }

    fn end_slice(&mut self, engine: &mut Engine, sink: &mut impl Sink) -> bool {
        let now = sink.now();
        if engine.needs_tick() || engine.next_deadline().is_some_and(|at| at <= now.mono_ns) {
            self.hand_over(engine, sink, &Input::Tick);
        }
        !self.lossless.is_empty() || !self.frames.is_empty() || engine.needs_tick()
    }

    fn slice_of_frames(&mut self, engine: &mut Engine, sink: &mut impl Sink) {
        let mut until = None;
        let bytes = std::mem::take(&mut self.bytes);
        for _ in 0..SLICE_FRAMES {
            let Some((source, len)) = self.frames.pop_front() else { break };
            let frame = bytes.get(self.consumed..self.consumed + len).unwrap_or_default();
            self.consumed += len;
            let now = self.hand_over(engine, sink, &Input::Market { source, bytes: frame });
            if now.mono_ns >= *until.get_or_insert(now.mono_ns.saturating_add(SLICE_NS)) {
                break;
            }
        }
        self.bytes = bytes;
        if self.frames.is_empty() {
            self.bytes.clear();
            self.consumed = 0;
        } else if self.consumed > self.bytes.len() / 2 {
            self.bytes.drain(..self.consumed);
            self.consumed = 0;
        }
    }

    fn hand_over(&mut self, engine: &mut Engine, sink: &mut impl Sink, input: &Input<'_>) -> Time {
        let now = sink.now();
        self.outputs.clear();
        recorded(sink, input, now, &mut self.outputs, |outputs| engine.handle(input, now, outputs));
        now
    }
}

/// Handles an input and records it with what came of it. If the handling fails, the input that it failed on is the last thing that is
/// recorded: whoever looks for the fault needs nothing more.
fn recorded(
    sink: &mut impl Sink,
    input: &Input<'_>,
    now: Time,
    outputs: &mut Vec<Output>,
    handle: impl FnOnce(&mut Vec<Output>),
) {
    struct LastWords<'a, 'b, S: Sink>(&'a mut S, &'a Input<'b>, Time);
    impl<S: Sink> Drop for LastWords<'_, '_, S> {
        fn drop(&mut self) {
            self.0.record(self.1, self.2, &[]);
        }
    }
    let last_words = LastWords(sink, input, now);
    handle(outputs);
    let mut done = std::mem::ManuallyDrop::new(last_words);
    done.0.record(input, now, outputs);
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{Event, OutputBody};

    use super::*;

    #[derive(Default)]
    struct Pages(Vec<(String, usize)>);

    impl Sink for Pages {
        fn record(&mut self, input: &Input<'_>, _: Time, outputs: &[Output]) {
            self.0.push((input.kind().to_owned(), outputs.len()));
        }

        fn now(&mut self) -> Time {
            Time::default()
        }
    }

    #[test]
    fn the_input_that_the_engine_fails_on_is_recorded() {
        let (mut pages, mut outputs) = (Pages::default(), Vec::new());
        let alert = || Output { seq: 1, body: OutputBody::Event(Event::Alert { text: "x".to_owned() }) };
        recorded(&mut pages, &Input::Tick, Time::default(), &mut outputs, |out| out.push(alert()));
        let stop = Input::Command(oddsmith_domain::Command::Stop);
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            recorded(&mut pages, &stop, Time::default(), &mut outputs, |_| panic!("out of balance"));
        }));
        assert!(failed.is_err());
        assert_eq!(pages.0, [("tick".to_owned(), 1), ("command".to_owned(), 0)]);
    }
}
