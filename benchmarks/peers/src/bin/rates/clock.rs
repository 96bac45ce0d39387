//! Time on the processor.
//!
//! On a busy machine a run of a second is interrupted a hundred times. What counts is how long the thread was on the processor, where the
//! system tells; all contenders run on one thread.

use std::time::{Duration, Instant};

/// A point in time.
struct Clock {
    wall: Instant,
    on_processor_ns: Option<u64>,
}

fn on_processor_ns() -> Option<u64> {
    // The system adds up when a thread gives way.
    std::thread::yield_now();
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Instant::now(), on_processor_ns: on_processor_ns() }
    }

    /// How long this thread has worked since.
    fn elapsed(&self) -> Duration {
        match (self.on_processor_ns, on_processor_ns()) {
            (Some(before), Some(now)) => Duration::from_nanos(now.saturating_sub(before)),
            _ => self.wall.elapsed(),
        }
    }
}

/// Adds up the time of what is to be timed.
#[derive(Default)]
pub struct Watch {
    spent: Duration,
}

impl Watch {
    /// Does something, and counts how long that took.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let clock = Clock::start();
        let result = work();
        self.spent += clock.elapsed();
        result
    }

    /// What has been counted.
    pub fn spent(&self) -> Duration {
        self.spent
    }
}
