//! `oddsmith run --input`: the engine over recorded frames. Nothing is sent; everything is journaled.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use oddsmith_backtest::dry_run::{DryReport, DryRun, DryRunError, DrySink};
use oddsmith_domain::{Action, Event, Input, Output, OutputBody, RunId, Time};
use oddsmith_engine::{Engine, EngineConfig};
use oddsmith_paper::PaperSettings;

use crate::data::DataDir;
use crate::failure::Failure;
use crate::pages::{NewRun, Pages};

/// What the salts of orders are made from is fixed: the same recording leads to the same order ids.
const SEED: [u8; 32] = [0; 32];

/// What a run over recordings needs to know.
pub struct RecordedPlan {
    /// The recordings, in order.
    pub files: Vec<PathBuf>,
    /// Whether time passes as it did when they were made; otherwise as fast as possible.
    pub at_recorded_speed: bool,
    /// The engine's configuration.
    pub engine: EngineConfig,
    /// The venue that fills its orders.
    pub paper: PaperSettings,
    /// The effective configuration, for the run's manifest.
    pub config: serde_json::Value,
    /// The journal's sizes and times.
    pub journal: oddsmith_journal::Options,
}

/// How a run over recordings ended.
pub struct RecordedEnd {
    /// Where its journal is.
    pub dir: PathBuf,
    /// What was gone through.
    pub report: DryReport,
    /// Decisions that differed from the one before.
    pub decisions: u64,
    /// Orders that would have been sent.
    pub orders: u64,
    /// Cancels that would have been sent.
    pub cancels: u64,
    /// Frames, or parts of them, that were not understood.
    pub undecodable: u64,
    /// How long it took.
    pub took: Duration,
}

/// Runs a fresh engine over the recordings.
///
/// # Errors
/// [`Failure`] when a recording cannot be read, holds no market, or the journal cannot be written.
pub fn run(data: &DataDir, plan: RecordedPlan) -> Result<RecordedEnd, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let config = plan.engine.to_json().map_err(|error| usage(&error))?;
    if plan.files.iter().any(|file| file.as_os_str() == "-") {
        return Err(usage(
            &"a recording is read twice, for its markets and for its frames: standard input cannot be, name a file",
        ));
    }
    if let Some(missing) = plan.files.iter().find(|file| !file.exists()) {
        return Err(Failure::Usage(format!("there is no {}", missing.display())));
    }
    let new = NewRun {
        id: RunId(rand::random()),
        command: "run --input",
        config: plan.config,
        seed: SEED,
        journal: plan.journal,
        account: None,
        venue: None,
        predecessor: None,
    };
    let run = new.id;
    let mut sink = Tape {
        pages: Pages::begin(data, new)?,
        at_recorded_speed: plan.at_recorded_speed,
        last: Time::default(),
        decisions: 0,
        orders: 0,
        cancels: 0,
    };
    let dry = DryRun { files: plan.files, run, seed: SEED, config, paper: plan.paper };
    let mut engine = Engine::new();
    let began = Instant::now();
    let report = match dry.run(&mut engine, &mut sink) {
        Ok(report) => report,
        Err(error) => {
            sink.pages.discard();
            return Err(match error {
                DryRunError::Recording(_) => Failure::Answer(error.to_string()),
                error => usage(&error),
            });
        }
    };
    let took = began.elapsed();
    let undecodable = engine.view(sink.last).totals.undecodable;
    let Tape { pages, decisions, orders, cancels, .. } = sink;
    let dir = pages.close()?;
    Ok(RecordedEnd { dir, report, decisions, orders, cancels, undecodable, took })
}

/// The summary, for people.
pub fn summary(end: &RecordedEnd) -> String {
    let RecordedEnd { report, decisions, orders, cancels, undecodable, .. } = end;
    let seconds = report.span_ns / Time::SECOND;
    let rate = report.frames as f64 / end.took.as_secs_f64().max(1e-9);
    format!(
        "dry run: nothing was sent\n\
         frames      {} handed to the engine ({} pieces of other feeds left out, {undecodable} not understood)\n\
         time        {seconds} s of recording with {} holes, in {:.2} s ({rate:.0} frames/s)\n\
         markets     {} with both tokens, {} with one only\n\
         decisions   {decisions}\n\
         orders      {orders} would have been sent, {cancels} cancels\n\
         journal     {}\n",
        report.frames,
        report.others,
        report.gaps,
        end.took.as_secs_f64(),
        report.markets,
        report.half_markets,
        end.dir.display(),
    )
}

struct Tape {
    pages: Pages,
    at_recorded_speed: bool,
    last: Time,
    decisions: u64,
    orders: u64,
    cancels: u64,
}

impl DrySink for Tape {
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        self.last = now;
        self.pages.record(input, now, outputs);
        for output in outputs {
            match &output.body {
                OutputBody::Event(Event::Decision { .. }) => self.decisions += 1,
                OutputBody::Action(Action::Place(_)) => self.orders += 1,
                OutputBody::Action(Action::Cancel { .. }) => self.cancels += 1,
                _ => {}
            }
        }
    }

    fn pass(&mut self, ns: u64) -> bool {
        if self.at_recorded_speed {
            std::thread::sleep(Duration::from_nanos(ns));
        }
        self.pages.fault().is_none()
    }
}
