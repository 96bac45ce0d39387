//! The recorder's driver: sockets, clock and signals around the rooms that know what to write.

mod desk;
mod feeds;
mod start;
mod status;

pub use status::summary;

use std::time::Duration;

use oddsmith_domain::Time;
use oddsmith_net::{EdgeSettings, Listener};
use oddsmith_recorder::{Certificate, CoverageSettings, Layout, Limits, PenState, Totals};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;
use crate::live::Sources;
use desk::Desk;
use start::Started;
use status::Status;

/// Frames that are taken from one socket before the others are looked at.
const INTAKE_FRAMES: usize = 1_024;
/// How often lines go to the disk, at the latest.
const FLUSH_NS: u64 = 200 * Time::MILLI;
/// How often books, timers and the disk are looked at.
const LOOK_NS: u64 = 250 * Time::MILLI;
/// How often everything that is certified goes to the disk, at the latest.
const CHECKPOINT_NS: u64 = 5 * Time::SECOND;

/// Everything that a recording needs to know.
pub struct RecordPlan {
    /// Whom to listen to, and to which markets.
    pub edge: EdgeSettings,
    /// What is written down besides, of what is outside of the venue.
    pub sources: Sources,
    /// How often books are noted; never if zero.
    pub books_every: Duration,
    /// How many markets share a socket.
    pub markets_per_socket: usize,
    /// Where the files are, and when new ones begin.
    pub layout: Layout,
    /// How coverage is proven.
    pub coverage: CoverageSettings,
    /// What may be taken of the disk.
    pub limits: Limits,
    /// Ends by itself after this time.
    pub record_for: Option<Duration>,
    /// How often the status line is printed; never if zero.
    pub status_every: Duration,
}

/// How a recording ended.
pub struct RecordEnd {
    /// The folder.
    pub root: std::path::PathBuf,
    /// What the hours under way come to.
    pub under_way: Vec<Certificate>,
    /// All markets together.
    pub totals: Totals,
    /// What was written.
    pub pen: PenState,
    /// Why it ended before it was meant to.
    pub fault: Option<String>,
}

/// Records until somebody ends it, the time is over, or the disk takes no more.
///
/// # Errors
/// [`Failure`] when it could not begin.
pub fn run(plan: RecordPlan) -> Result<RecordEnd, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Running(format!("no runtime: {error}")))?;
    runtime.block_on(async { record(start::start(plan)?).await })
}

async fn record(started: Started) -> Result<RecordEnd, Failure> {
    let Started { clock, mut listener, mut feeds, mut desk, record_for, status_every } = started;
    let no_signal = |error: std::io::Error| Failure::Running(format!("no signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signal)?;
    let begun = clock.now();
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let stop_at = record_for.map_or(u64::MAX, |time| begun.mono_ns.saturating_add(ns(time)));
    let mut status = Status::every(ns(status_every), begun);
    let (mut flush_at, mut look_at, mut checkpoint_at) = (begun.mono_ns, begun.mono_ns, begun.mono_ns);
    let fault = loop {
        let until = [flush_at, look_at, stop_at, feeds.next_deadline()].into_iter().min().unwrap_or(look_at);
        tokio::select! {
            biased;
            _ = interrupt.recv() => break None,
            _ = terminate.recv() => break None,
            () = listener.wait(until) => {}
            () = feeds.wait() => {}
        }
        feeds.drain(&mut desk, clock.now()).await;
        listener.drain(INTAKE_FRAMES, &mut desk);
        let now = clock.now();
        desk.settle(&mut listener, now);
        if flush_at <= now.mono_ns {
            flush_at = now.mono_ns + FLUSH_NS;
            desk.flush();
        }
        if look_at <= now.mono_ns {
            look_at = now.mono_ns + LOOK_NS;
            look(&mut desk, &mut listener, now);
            if checkpoint_at <= now.mono_ns || desk.take_change() {
                checkpoint_at = now.mono_ns + CHECKPOINT_NS;
                desk.checkpoint(now);
            }
            let pen = desk.pen_state();
            if pen.fault.is_some() {
                break pen.fault;
            }
            status.show(now, &desk.totals(), &pen, (listener.sockets(), desk.markets()))?;
        }
        if stop_at <= now.mono_ns {
            break None;
        }
    };
    Ok(desk.close(clock.now(), fault))
}

fn look(desk: &mut Desk, listener: &mut Listener, now: Time) {
    desk.on_time(now);
    desk.rotate_if_due(listener, now);
    for asset in desk.wanted() {
        listener.fetch(asset);
    }
}
