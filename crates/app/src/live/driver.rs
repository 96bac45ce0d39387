//! The loop.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use hdrhistogram::Histogram;
use oddsmith_domain::{Action, Command, GuardReport, Input, MarketId, Time};
use oddsmith_engine::{Engine, Lanes, OwnedInput};
use oddsmith_journal::Pressure;
use oddsmith_net::{Clock, Edge};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use super::LiveEnd;
use super::attend::{self, Attendance};
use super::end;
use super::outside::Outside;
use super::paper::{IntoLanes, PaperDesk};
use super::recorder::Recorder;
use super::start::Started;
use super::stopwatch;
use super::table::Screen;
use crate::control::{Answer, Ask, Asks};
use crate::failure::Failure;
use crate::guard::{Pulse, Watchdog};

/// How many market frames are taken from the sockets before the engine sees them.
const INTAKE_FRAMES: usize = 1_024;
/// How often the journal is looked at.
const LOOK_NS: u64 = Time::MILLI * 1_000;
/// How long the venue may take to show that nothing of ours is left.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(20);
/// How long the last resort may go on cancelling.
const LAST_RESORT_LIMIT: Duration = Duration::from_secs(10);

/// What the loop works on.
struct Driver {
    clock: Clock,
    engine: Engine,
    lanes: Lanes,
    recorder: Recorder,
    edge: Edge,
    outside: Outside,
    /// Where orders go if not to the venue.
    paper: Option<PaperDesk>,
    tick_to_order: Histogram<u64>,
    screen: Screen,
    halted_for_space: bool,
    /// Why the last finished segment was not packed, if so.
    not_packed: Option<String>,
    asks: Asks,
    attendance: Attendance,
    /// Evaluations that took too long.
    slow: Receiver<Input<'static>>,
    pulse: Pulse,
    /// What the watchdog did while this thread stood still.
    stalls: UnboundedReceiver<GuardReport>,
    /// When a shutdown under way is given up, on the monotonic clock.
    give_up_at: Option<u64>,
}

/// Why the loop ended.
enum Ended {
    /// The venue has shown that nothing of ours is left.
    Clean,
    /// It was forced, or the venue did not show it in time.
    Forced(String),
    /// The journal failed.
    Broken(String),
}

/// Drives a run to its end.
pub fn drive(started: Started) -> Result<LiveEnd, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Running(format!("no runtime: {error}")))?;
    // Made before anything can go wrong.
    let guardian = started.guardian()?;
    let dir = started.dir.clone();
    let driven = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(started))));
    let (why, limit, result) = match driven {
        Ok(Ok((end, Ended::Clean))) => {
            end::cleanly(&dir);
            return Ok(end);
        }
        // Whoever forces the end wants it now.
        Ok(Ok((end, Ended::Forced(why)))) => (why, Duration::ZERO, Ok(end)),
        Ok(Ok((_, Ended::Broken(why)))) => {
            let why = format!("the journal in {} cannot be written: {why}", dir.display());
            (why.clone(), LAST_RESORT_LIMIT, Err(Failure::Running(why)))
        }
        Ok(Err(failure)) => (failure.to_string(), LAST_RESORT_LIMIT, Err(failure)),
        Err(panic) => {
            let why = format!("the engine failed ({}); its journal is in {}", end::said(&*panic), dir.display());
            (why.clone(), LAST_RESORT_LIMIT, Err(Failure::Running(why)))
        }
    };
    end::badly(&dir, guardian, &why, limit);
    result
}

async fn run(started: Started) -> Result<(LiveEnd, Ended), Failure> {
    let guardian = started.guardian()?;
    let Started {
        known,
        clock,
        settings,
        sources,
        wallet,
        lanes,
        recorder,
        operator,
        asks,
        stall,
        dir,
        status_every,
        run_for,
        paper,
    } = started;
    let seed = settings.seed;
    let mut edge = Edge::new(settings, wallet, clock).map_err(|error| Failure::Usage(error.to_string()))?;
    let outside = Outside::new(sources, seed, clock.now()).map_err(|error| Failure::Usage(error.to_string()))?;
    for (market, card) in (0u32..).map(MarketId).zip(&known) {
        edge.learn(market, card);
    }
    let tick_to_order = Histogram::new_with_bounds(1, 60_000_000, 3)
        .map_err(|error| Failure::Running(format!("no histogram: {error}")))?;
    let mut engine = Engine::new();
    let slow = stopwatch::watch(&mut engine);
    let pulse = Pulse::default();
    let (watchdog, stalls) = Watchdog::start(pulse.clone(), guardian, stall, dir.clone())
        .map_err(|error| Failure::Running(format!("no watchdog: {error}")))?;
    let mut driver = Driver {
        clock,
        engine,
        slow,
        lanes,
        recorder,
        edge,
        outside,
        paper,
        tick_to_order,
        screen: Screen::start(),
        halted_for_space: false,
        not_packed: None,
        asks,
        attendance: Attendance::default(),
        pulse,
        stalls,
        give_up_at: None,
    };
    let ended = driver.until_the_end(status_every, run_for).await?;
    drop(watchdog);
    driver.attendance.dismiss(&driver.engine);
    let Driver { engine, recorder, tick_to_order, clock, edge, .. } = driver;
    let view = engine.view(clock.now());
    operator.close();
    if let Err(error) = recorder.into_pages().close() {
        tracing::error!(%error, "the journal could not be closed");
    }
    let figures = (
        tick_to_order.len(),
        tick_to_order.value_at_quantile(0.5),
        tick_to_order.value_at_quantile(0.99),
        tick_to_order.max(),
    );
    if let Ended::Forced(why) = &ended {
        tracing::error!(why, "ended without the venue's word that nothing is left");
    }
    let clean = matches!(ended, Ended::Clean);
    let (counts, requests) = (edge.counts(), edge.latencies().lines().collect());
    Ok((LiveEnd { dir, view, counts, requests, clean, tick_to_order_us: figures }, ended))
}

impl Driver {
    async fn until_the_end(&mut self, status_every: Duration, run_for: Option<Duration>) -> Result<Ended, Failure> {
        let no_signal = |error: std::io::Error| Failure::Running(format!("no signals: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signal)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(no_signal)?;
        let status_ns = u64::try_from(status_every.as_nanos()).unwrap_or(u64::MAX);
        let begun = self.clock.now();
        let mut next_status = if status_ns == 0 { u64::MAX } else { begun.mono_ns + status_ns };
        let mut next_look = begun.mono_ns;
        let mut stop_at = run_for.map(|time| begun.plus_ns(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).mono_ns);
        loop {
            self.pulse.beat();
            while let Ok(report) = self.stalls.try_recv() {
                self.lanes.push(OwnedInput::Other(Input::Guard(report)));
            }
            self.turn().await;
            while let Ok(ask) = self.asks.try_recv() {
                self.on_ask(ask).await;
            }
            if let Some(why) = self.recorder.pages().fault() {
                return Ok(Ended::Broken(why.to_owned()));
            }
            let now = self.clock.now();
            self.attendance.look(&self.engine, now);
            let idle = self.edge.is_idle() && self.paper.as_ref().is_none_or(PaperDesk::is_idle);
            if self.give_up_at.is_some() && self.engine.is_shut_down() && idle {
                return Ok(Ended::Clean);
            }
            if self.give_up_at.is_some_and(|at| at <= now.mono_ns) {
                return Ok(Ended::Forced("the venue did not show in time that nothing is left".into()));
            }
            if stop_at.is_some_and(|at| at <= now.mono_ns) {
                stop_at = None;
                self.shut_down(now);
                continue;
            }
            if next_look <= now.mono_ns {
                next_look = now.mono_ns + LOOK_NS;
                self.look_at_journal();
            }
            if next_status <= now.mono_ns {
                next_status = now.mono_ns + status_ns;
                let on_paper = self.paper.is_some();
                self.screen.show(self.engine.view(now), self.edge.status(), on_paper, &self.tick_to_order);
            }
            let own = [Some(next_look), Some(next_status), stop_at, self.give_up_at];
            let paper = self.paper.as_ref().and_then(PaperDesk::next_due);
            let others = [self.engine.next_deadline(), self.outside.next_deadline(), paper];
            let until = others.into_iter().chain(own).flatten().min();
            // People first: under a burst the edge is always ready.
            tokio::select! {
                biased;
                _ = either(&mut interrupt, &mut terminate) => match self.give_up_at {
                    None => self.shut_down(self.clock.now()),
                    Some(_) => return Ok(Ended::Forced("forced by a second signal".into())),
                },
                Some(ask) = self.asks.recv() => self.on_ask(ask).await,
                () = self.edge.wait(until) => {}
                () = self.outside.wait() => {}
            }
        }
    }

    /// Everything that has arrived, to its last order.
    async fn turn(&mut self) {
        let woken = self.clock.now();
        self.drain_lossless(woken);
        self.outside.glance().await;
        let mut into = IntoLanes { lanes: &mut self.lanes, paper: self.paper.as_mut(), now: woken };
        self.outside.drain(&mut into, |_, _| {}, woken);
        self.edge.drain_market(INTAKE_FRAMES, &mut into, woken);
        self.hear_paper(woken);
        loop {
            #[cfg(test)]
            super::tests::prank();
            let more = self.lanes.slice(&mut self.engine, &mut self.recorder);
            self.slow.try_iter().for_each(|input| self.lanes.push(OwnedInput::Other(input)));
            self.pulse.beat();
            self.hand_on(woken);
            let more = more || self.lanes.waiting() != (0, 0);
            if !more || self.recorder.pages().fault().is_some() {
                return;
            }
            self.edge.glance().await;
            self.drain_lossless(self.clock.now());
        }
    }

    fn drain_lossless(&mut self, now: Time) {
        let mut into = IntoLanes { lanes: &mut self.lanes, paper: self.paper.as_mut(), now };
        self.edge.drain_lossless(&mut into, now);
        self.hear_paper(now);
    }

    fn hear_paper(&mut self, now: Time) {
        if let Some(paper) = &mut self.paper {
            paper.hear(&mut self.lanes, now);
        }
    }

    /// Hands the actions of the last slice to the edge and writes what may leave.
    fn hand_on(&mut self, woken: Time) {
        let now = self.clock.now();
        let mut actions = self.recorder.take_actions();
        for (seq, action) in actions.drain(..) {
            if let Action::Subscribe { markets } = &action {
                // The engine numbers the markets; the edge is told what the numbers stand for.
                for (market, card) in markets.iter().filter_map(|id| Some((*id, self.engine.card(*id)?))) {
                    self.edge.learn(market, card);
                    if let Some(paper) = &mut self.paper {
                        paper.learn(market, card);
                    }
                }
            }
            if !self.paper.as_mut().is_some_and(|paper| paper.takes(seq, &action, now)) {
                self.edge.submit(seq, action, now);
            }
        }
        self.recorder.reuse(actions);
        self.hear_paper(now);
        if self.edge.flush(now).placements > 0 {
            let took = self.clock.now().since(woken) / 1_000;
            self.tick_to_order.saturating_record(took.max(1));
        }
        self.recorder.secure();
    }

    fn shut_down(&mut self, now: Time) {
        tracing::info!("shutting down: cancelling everything; once more to force");
        self.lanes.push(OwnedInput::Other(Input::Command(Command::Shutdown)));
        let limit = u64::try_from(SHUTDOWN_LIMIT.as_nanos()).unwrap_or(u64::MAX);
        self.give_up_at.get_or_insert(now.plus_ns(limit).mono_ns);
    }

    /// An operator's request: into the journal and through the engine like every other input; answered when its record is on the disk,
    /// which comes after the cancels have left.
    async fn on_ask(&mut self, ask: Ask) {
        let now = self.clock.now();
        let wanted = match attend::wanted(&ask.request, &self.engine) {
            Ok(wanted) => wanted,
            Err(why) => return attend::answer(&ask.reply, Answer::Refused(why)),
        };
        let Some(command) = wanted.command else {
            return attend::answer(&ask.reply, Answer::Status(Box::new(self.engine.view(now))));
        };
        let open = wanted.cancels.map(|scope| (scope, self.engine.open_orders(scope)));
        let record = self.recorder.pages().next_sequence();
        if command == Command::Shutdown {
            self.shut_down(now);
        } else {
            self.lanes.push(OwnedInput::Other(Input::Command(command)));
        }
        self.turn().await;
        if !self.recorder.pages().sync() {
            return attend::answer(&ask.reply, Answer::Refused("the journal cannot be written".to_owned()));
        }
        let view = self.engine.view(now);
        attend::answer(&ask.reply, Answer::Handled { record, quoting: view.quoting, doubts: view.doubts });
        if let Some((scope, orders)) = open {
            self.attendance.add(&ask, scope, orders, now);
        }
    }

    /// Once a second, whether tables are printed or not: the room that is left for the journal, and its disk.
    fn look_at_journal(&mut self) {
        let why = match self.recorder.pages().pressure() {
            Pressure::Ample => None,
            Pressure::HalfFull => Some("half of the journal's budget is used".to_owned()),
            Pressure::Disk(error) => Some(format!("the journal's disk fails: {error}")),
            Pressure::Behind(by) => Some(format!("the journal's disk is {} s behind", by.as_secs())),
        };
        if why.is_none() {
            self.halted_for_space = false;
        }
        // A segment that is not packed is no worse for it: people are told, and trading goes on.
        let packing = self.recorder.pages().packing().fault;
        if packing != self.not_packed {
            packing.iter().for_each(|why| tracing::warn!("{why}; it stays as it is"));
            self.not_packed = packing;
        }
        // What room is left is for cancelling, and for writing that down.
        if let Some(why) = why
            && !self.halted_for_space
        {
            self.halted_for_space = true;
            tracing::error!("{why}: everything is cancelled and nothing quoted any more");
            self.lanes.push(OwnedInput::Other(Input::Command(Command::Stop)));
        }
    }
}

/// Either signal.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
