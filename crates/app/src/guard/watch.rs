//! The watchdog: a thread with a connection of its own that cancels everything when the loop stands still.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oddsmith_domain::GuardReport;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Guardian, alert};

/// A counter that the loop moves on at each turn and between slices.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The loop works.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The watchdog of a run. It ends with the value.
#[derive(Debug)]
pub struct Watchdog {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Begins to watch. What it does it tells the loop, in `alerts.jsonl` of the run's directory, and on standard error.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        pulse: Pulse,
        guardian: Guardian,
        limit: Duration,
        dir: PathBuf,
    ) -> std::io::Result<(Watchdog, UnboundedReceiver<GuardReport>)> {
        let (reports, receiver) = unbounded_channel();
        let done = Arc::new(AtomicBool::new(false));
        let watch = Watch { pulse, guardian, limit, dir, reports, done: Arc::clone(&done) };
        let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || watch.run())?;
        Ok((Watchdog { done, thread: Some(thread) }, receiver))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // Not joined: it may be waiting for a venue that does not answer, and the end of the run must not.
        }
    }
}

struct Watch {
    pulse: Pulse,
    guardian: Guardian,
    limit: Duration,
    dir: PathBuf,
    reports: UnboundedSender<GuardReport>,
    done: Arc<AtomicBool>,
}

impl Watch {
    fn run(mut self) {
        let look = (self.limit / 10).max(Duration::from_millis(1));
        let (mut last, mut moved) = (self.pulse.count(), Instant::now());
        let mut looked = moved;
        loop {
            std::thread::park_timeout(look);
            if self.is_done() {
                return;
            }
            let count = self.pulse.count();
            // When this thread was not let run either, the whole process stood still: the loop may be back already, but what it knows is old.
            if looked.elapsed() >= self.limit || (count == last && moved.elapsed() >= self.limit) {
                self.act(last, moved);
                (last, moved) = (self.pulse.count(), Instant::now());
            } else if count != last {
                (last, moved) = (count, Instant::now());
            }
            looked = Instant::now();
        }
    }

    /// Cancels until the venue shows nothing. If the loop comes back meanwhile, the rest is its own: it is told, and in doubt.
    fn act(&mut self, last: u64, moved: Instant) {
        let stalled_ms = millis(moved);
        let (pulse, done) = (self.pulse.clone(), Arc::clone(&self.done));
        let cleared = self.guardian.clear(|_| pulse.count() == last && !done.load(Ordering::Acquire));
        let report = GuardReport { stalled_ms, cancels: cleared.attempts, shown_empty: cleared.shown_empty };
        // Sent before anything that could block: whoever holds up the loop may hold up the disk and the terminal too.
        let _ = self.reports.send(report);
        let end = match &cleared.trouble {
            None => "the venue shows no open order".to_owned(),
            Some(trouble) => format!("not yet shown to be empty: {trouble}"),
        };
        let what = format!(
            "the loop stood still for {stalled_ms} ms; everything was cancelled ({} times): {end}",
            cleared.attempts
        );
        alert(&self.dir, "watchdog", &what);
        tracing::error!("{what}");
        // One stall is told once, however long it lasts; what is placed after it is the next stall's.
        while self.pulse.count() == last && !self.is_done() {
            std::thread::park_timeout(self.limit);
        }
    }

    fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
