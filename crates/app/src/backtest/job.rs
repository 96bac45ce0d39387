//! One job: an engine's configuration under one assumption, through its sessions.

use std::time::Instant;

use oddsmith_backtest::tape::Reel;
use oddsmith_backtest::trial::{self, Client, Material, Measured, Recorder, Setting, Stretch, TrialError, Unrecorded};
use oddsmith_domain::{Input, Output, RunId, Time};
use oddsmith_paper::PaperSettings;
use oddsmith_report::{Joined, Record};
use serde_json::Value;

use super::progress::Counter;
use super::store::{Done, Session};
use crate::data::DataDir;
use crate::failure::Failure;
use crate::pages::{NewRun, Pages};

/// What the salts of orders are made from is fixed: the same recording leads to the same order ids.
const SEED: [u8; 32] = [0; 32];
/// A segment of a session's journal: sessions can be short and many.
const SEGMENT_BYTES: usize = 4 << 20;

/// What is to be run.
pub struct Job<'j> {
    /// The recordings.
    pub material: &'j Material,
    /// They, if they were laid out in memory.
    pub reel: Option<&'j Reel>,
    /// The stretches of time, in order.
    pub sessions: &'j [Stretch],
    /// The engine's configuration as canonical JSON.
    pub engine: &'j str,
    /// The venue.
    pub paper: PaperSettings,
    /// The effective configuration, for the manifests of its runs.
    pub config: &'j Value,
    /// Where journals are kept, if they are wanted.
    pub journals: Option<&'j DataDir>,
}

/// Carries a job out: what it came to, and the record of all its sessions laid end to end.
///
/// # Errors
/// [`Failure`] when a recording cannot be read or a journal cannot be written.
pub fn carry_out(job: &Job<'_>, counter: &Counter) -> Result<(Done, Option<Record>), Failure> {
    let began = Instant::now();
    let mut steps = Steps { job, counter, sessions: Vec::new(), record: None, run: None, failure: None };
    let ended = match job.reel {
        Some(reel) => trial::run_laid_out(reel, job.material, job.sessions, &mut steps),
        None => trial::run(job.material, job.sessions, &mut steps),
    };
    if let Some(failure) = steps.failure {
        return Err(failure);
    }
    match ended {
        Ok(()) => {
            let (seconds, entries) = (began.elapsed().as_secs_f64(), counter.count());
            let done =
                Done { sessions: steps.sessions, seconds, entries, equity: Vec::new(), page: None, mostly: None };
            Ok((done, steps.record))
        }
        Err(error @ (TrialError::Tape(_) | TrialError::Verify(_) | TrialError::Certificate { .. })) => {
            Err(Failure::Answer(error.to_string()))
        }
        Err(error) => Err(Failure::Running(error.to_string())),
    }
}

struct Steps<'s, 'j> {
    job: &'s Job<'j>,
    counter: &'s Counter,
    sessions: Vec<Session>,
    record: Option<Record>,
    run: Option<String>,
    failure: Option<Failure>,
}

impl Client for Steps<'_, '_> {
    fn begin(&mut self, _: usize) -> Result<(Setting, Box<dyn Recorder>), TrialError> {
        let job = self.job;
        let run = RunId(rand::random());
        let recorder: Box<dyn Recorder> = match job.journals {
            None => Box::new(Unrecorded),
            Some(data) => {
                let new = NewRun {
                    id: run,
                    command: "backtest",
                    config: job.config.clone(),
                    seed: SEED,
                    journal: oddsmith_journal::Options {
                        segment_bytes: SEGMENT_BYTES,
                        ..oddsmith_journal::Options::default()
                    },
                    account: None,
                    venue: None,
                    predecessor: None,
                };
                match Pages::begin(data, new) {
                    Ok(pages) => {
                        self.run = Some(run.to_string().trim_start_matches("0x").to_owned());
                        Box::new(Written(Some(pages)))
                    }
                    Err(failure) => {
                        self.failure = Some(failure);
                        return Err(TrialError::Journal);
                    }
                }
            }
        };
        let setting = Setting { run, seed: SEED, config: job.engine.to_owned(), paper: job.paper.clone() };
        Ok((setting, recorder))
    }

    fn end(&mut self, session: usize, measured: Measured, record: Record) {
        match &mut self.record {
            None => self.record = Some(record),
            Some(all) => all.join(record, Joined::EndToEnd),
        }
        let Some(stretch) = self.job.sessions.get(session) else { return };
        let Stretch { from_ns, to_ns } = *stretch;
        self.sessions.push(Session { from_ns, to_ns, run: self.run.take(), measured });
    }

    fn go_on(&mut self) -> bool {
        self.counter.one();
        true
    }
}

/// A session's journal.
struct Written(Option<Pages>);

impl Recorder for Written {
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) -> bool {
        self.0.as_mut().is_some_and(|pages| pages.record(input, now, outputs))
    }

    fn close(&mut self) -> bool {
        self.0.take().is_some_and(|pages| pages.close().is_ok())
    }
}
