//! Evaluations that take too long, and instances that are put away.

use oddsmith_domain::{Event, InstanceId, Output, Time};

use crate::core::Engine;

/// So many evaluations in a row that are too slow put an instance into quarantine.
const PATIENCE: u32 = 3;

/// A moment of an evaluation, told to whoever measures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It begins.
    Begins,
    /// It has ended. If it took longer than `limit_us` microseconds, an [`oddsmith_domain::Input::Evaluated`] with the same instance
    /// and number is due. 0 asks for none.
    Ends {
        /// The instance.
        instance: InstanceId,
        /// Which of its evaluations, from 1.
        evaluation: u64,
        /// How long it may take, in microseconds.
        limit_us: u64,
    },
}

/// Whoever measures evaluations. It is told and has no say: a replay without one comes to the same outputs.
pub(crate) type Stopwatch = Box<dyn FnMut(Stage) + Send>;

impl Engine {
    /// Has every evaluation's begin and end told. The engine has no clock: what took too long comes back as an input.
    pub fn watch_evaluations(&mut self, stopwatch: impl FnMut(Stage) + Send + 'static) {
        self.stopwatch = Some(Box::new(stopwatch));
    }

    /// Evaluates an instance and tells the stopwatch; `false` if it panicked.
    pub(crate) fn evaluate_watched(&mut self, index: usize, now: Time) -> bool {
        let Some(instance) = self.instances.get_mut(index) else { return true };
        instance.evaluations += 1;
        let (id, evaluation) = (instance.id, instance.evaluations);
        if let Some(stopwatch) = &mut self.stopwatch {
            stopwatch(Stage::Begins);
        }
        let whole = self.evaluate(index, now);
        let limit_us = self.config.timing.max_evaluation_us;
        if let Some(stopwatch) = &mut self.stopwatch {
            stopwatch(Stage::Ends { instance: id, evaluation, limit_us });
        }
        whole
    }

    pub(crate) fn on_evaluated(&mut self, id: InstanceId, evaluation: u64, took_us: u64, out: &mut Vec<Output>) {
        let limit_us = self.config.timing.max_evaluation_us;
        let index = usize::from(id.0);
        let Some(instance) = self.instances.get_mut(index).filter(|i| evaluation <= i.evaluations) else {
            let text = format!("evaluation {evaluation} of instance {} was measured, but never made", id.0);
            return self.emit.event(out, Event::Alert { text });
        };
        if limit_us == 0 || took_us <= limit_us || instance.quarantined {
            return;
        }
        let (last, in_a_row) = instance.slow;
        instance.slow = (evaluation, if last + 1 == evaluation { in_a_row + 1 } else { 1 });
        let in_a_row = instance.slow.1;
        self.emit.event(out, Event::SlowEvaluation { instance: id, took_us, in_a_row });
        if in_a_row >= PATIENCE {
            self.put_away(index, "was too slow three times in a row", out);
        }
    }

    /// Puts an instance into quarantine and says why.
    pub(crate) fn put_away(&mut self, index: usize, why: &str, out: &mut Vec<Output>) {
        let Some(instance) = self.instances.get(index) else { return };
        let text = format!("strategy instance `{}` {why} and is in quarantine until the next run", instance.name);
        self.emit.event(out, Event::Alert { text });
        self.quarantine(index, out);
    }
}
