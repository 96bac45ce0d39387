//! What the venue says beyond what is known: counted, and shown now and then, because it is how a change of the venue announces itself.

use oddsmith_domain::{Event, Output, Time};

use crate::core::Emitter;

/// A channel's news is told at most once in this time; what comes between is counted.
const TOLD_NS: u64 = 60 * Time::SECOND;
/// The most bytes of a frame that a sample shows.
const SAMPLE: usize = 200;

/// The counts of one channel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unfamiliar {
    events: u64,
    fields: u64,
    told_at: Option<u64>,
}

impl Unfamiliar {
    /// Elements of an unknown kind and unknown fields, all together.
    pub(crate) const fn total(&self) -> u64 {
        self.events + self.fields
    }

    /// Counts what a frame held. `at` is where in it the first unknown thing stands.
    pub(crate) fn note(
        &mut self,
        (events, fields): (u32, u32),
        (frame, at): (&[u8], Option<u32>),
        now: Time,
        (emit, out): (&mut Emitter, &mut Vec<Output>),
    ) {
        if events == 0 && fields == 0 {
            return;
        }
        self.events = self.events.saturating_add(u64::from(events));
        self.fields = self.fields.saturating_add(u64::from(fields));
        if self.told_at.is_some_and(|at| now.mono_ns.saturating_sub(at) < TOLD_NS) {
            return;
        }
        self.told_at = Some(now.mono_ns);
        let from = at.map_or(0, |at| at as usize).min(frame.len());
        let shown = frame.get(from..(from + SAMPLE).min(frame.len())).unwrap_or_default();
        let sample = String::from_utf8_lossy(shown).into_owned();
        emit.event(out, Event::Unfamiliar { events: self.events, fields: self.fields, sample });
    }
}
