//! How long strategies take, in processor time: that another process had the core is nobody's fault.

use std::sync::mpsc::{Receiver, channel};

use oddsmith_domain::Input;
use oddsmith_engine::{Engine, Stage};
use rustix::time::{ClockId, clock_gettime};

/// Measures every evaluation of an engine that is driven by this thread. What took too long comes out as the inputs to give it.
pub fn watch(engine: &mut Engine) -> Receiver<Input<'static>> {
    let (sender, slow) = channel();
    let mut begun = 0;
    engine.watch_evaluations(move |stage| match stage {
        Stage::Begins => begun = thread_time_us(),
        Stage::Ends { instance, evaluation, limit_us } => {
            let took_us = thread_time_us().saturating_sub(begun);
            if limit_us > 0 && took_us > limit_us {
                // Nobody listens only when the run is over.
                let _ = sender.send(Input::Evaluated { instance, evaluation, took_us });
            }
        }
    });
    slow
}

/// Processor time of this thread so far, in microseconds.
fn thread_time_us() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}
