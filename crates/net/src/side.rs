//! The side threads: whatever may block, so that the hot thread never does.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Job<E> = Box<dyn FnOnce() -> E + Send>;

/// A few threads that run blocking jobs; what each returns wakes the task that polls for it.
///
/// The queues are bounded by who fills them: a session dials once at a time, and the outbox limits what may be fetched.
#[derive(Debug)]
pub struct SideThreads<E> {
    jobs: Sender<Job<E>>,
    events: UnboundedReceiver<E>,
}

impl<E: Send + 'static> SideThreads<E> {
    /// Starts `count` threads. They end when this is dropped and their jobs are done.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(count: usize) -> std::io::Result<SideThreads<E>> {
        let (jobs, receiver) = channel();
        let (sender, events) = unbounded_channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for n in 0..count.max(1) {
            let (receiver, sender) = (Arc::clone(&receiver), sender.clone());
            std::thread::Builder::new().name(format!("side-{n}")).spawn(move || work(&receiver, &sender))?;
        }
        Ok(SideThreads { jobs, events })
    }

    /// Runs a job on one of the threads. A job that panics brings no event; whoever waits has a limit of his own.
    pub fn run(&self, job: impl FnOnce() -> E + Send + 'static) {
        // The threads outlive the sender; nobody else can hang up.
        let _ = self.jobs.send(Box::new(job));
    }

    /// The next event; pending, with the task registered, when there is none.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<E>> {
        self.events.poll_recv(cx)
    }
}

fn work<E>(jobs: &Mutex<Receiver<Job<E>>>, events: &UnboundedSender<E>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        match std::panic::catch_unwind(AssertUnwindSafe(job)) {
            Ok(event) => {
                if events.send(event).is_err() {
                    return;
                }
            }
            Err(_) => tracing::error!("a job of the side threads panicked; its result is missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_bring_events_and_a_panic_brings_none() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut side = SideThreads::start(2).expect("threads");
        std::panic::set_hook(Box::new(|_| {}));
        side.run(|| panic!("a fault in a job"));
        for n in 0..3 {
            side.run(move || n);
        }
        let mut events: Vec<i32> = runtime.block_on(async {
            let mut events = Vec::new();
            while events.len() < 3 {
                events.push(std::future::poll_fn(|cx| side.poll_event(cx)).await.expect("an event"));
            }
            events
        });
        let _ = std::panic::take_hook();
        events.sort_unstable();
        assert_eq!(events, [0, 1, 2]);
    }
}
