//! `oddsmith backtest`: recordings and configurations in, brackets of results out.

mod arguments;
mod identity;
mod job;
mod overview;
mod plan;
mod progress;
mod store;
mod tell;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use oddsmith_backtest::sweep::disjoint;
use oddsmith_backtest::tape::Reel;
use oddsmith_backtest::trial::{Assumption, Material, Stretch};

use crate::data::DataDir;
use crate::failure::Failure;
pub use arguments::BacktestArguments;
use job::Job;
use plan::Plan;
use progress::Progress;
use store::{Done, Store};

/// Recordings are laid out in memory, for all tasks together, when they take no more than this many bytes of it.
const LAID_OUT: usize = 512 << 20;

/// One piece of work: a cell under an assumption, over stretches that do not overlap.
struct Task {
    cell: usize,
    assumption: Assumption,
    stretches: Vec<Stretch>,
    /// Under what its result is kept.
    name: String,
}

/// What came of all tasks: for each cell and assumption, every stretch.
type Results = BTreeMap<(usize, Assumption), Outcome>;

/// What a cell came to under an assumption.
#[derive(Default)]
struct Outcome {
    sessions: Vec<store::Session>,
    equity: Vec<(f64, f64)>,
    page: Option<PathBuf>,
    mostly: Option<String>,
}

/// How much was read, and how fast.
struct Effort {
    seconds: f64,
    entries: u64,
    jobs: usize,
    done: usize,
    reused: usize,
}

/// Carries the command out.
pub fn run(data: &DataDir, arguments: &BacktestArguments) -> Result<(), Failure> {
    let plan = Plan::make(arguments)?;
    if !arguments.json {
        tell::print(&tell::beginning(&plan))?;
    }
    refuse_holes(&plan, arguments)?;
    if plan.survey.sessions.is_empty() {
        return Err(Failure::Answer("the recordings hold no session that could be run".to_owned()));
    }
    if arguments.walk_forward.is_some() && plan.windows.is_empty() {
        return Err(Failure::Answer("no session is as long as one window of the walk forward".to_owned()));
    }
    let store = Store::open(&data.backtests_dir(), &plan.identity.id)?;
    let tasks = tasks(&plan);
    let (results, effort) = carry_out(&plan, &tasks, &store, arguments, data)?;
    overview::write(&plan, &results, &store)?;
    let text = if arguments.json {
        tell::json(&plan, &results, &store, &effort)
    } else {
        tell::ending(&plan, &results, &store, &effort, data)
    };
    tell::print(&text)
}

/// Nobody runs across a hole without having been told of it.
fn refuse_holes(plan: &Plan, arguments: &BacktestArguments) -> Result<(), Failure> {
    let holes = &plan.survey.holes;
    if holes.is_empty() || arguments.across_gaps {
        return Ok(());
    }
    let mut text = format!("updates are missing in {} places of the recordings:\n", holes.len());
    for hole in holes.iter().take(20) {
        text += &format!("  {}: {}: {}\n", hole.market, tell::when(hole.stretch), hole.evidence.words());
    }
    if holes.len() > 20 {
        text += &format!("  and {} more (--json lists all)\n", holes.len() - 20);
    }
    if arguments.json {
        tell::print(&tell::json_of_refusal(plan))?;
    }
    text += "--across-gaps runs the parts between them as sessions of their own, each with books from a snapshot";
    Err(Failure::Answer(text))
}

fn tasks(plan: &Plan) -> Vec<Task> {
    let lists: Vec<Vec<Stretch>> = if plan.windows.is_empty() {
        vec![plan.survey.sessions.clone()]
    } else {
        let parts = [|w: &oddsmith_backtest::sweep::Window| w.train, |w: &oddsmith_backtest::sweep::Window| w.test];
        let stretches = parts.map(|part| plan.windows.iter().map(part).collect::<Vec<Stretch>>());
        let of = |all: &Vec<Stretch>| -> Vec<Vec<Stretch>> {
            let lists = disjoint(all).into_iter();
            lists.map(|list| list.into_iter().filter_map(|at| all.get(at).copied()).collect()).collect()
        };
        stretches.iter().flat_map(of).collect()
    };
    let mut tasks = Vec::new();
    for cell in 0..plan.cells.len() {
        for assumption in Assumption::ALL {
            for (part, stretches) in lists.iter().enumerate() {
                let label = plan.cells.get(cell).map(plan::Cell::name).unwrap_or_default();
                let name = format!("{}-{}-{part}", identity::short(&label), assumption.name());
                tasks.push(Task { cell, assumption, stretches: stretches.clone(), name });
            }
        }
    }
    tasks
}

/// Does what is not done yet, on as many threads as there are cores.
fn carry_out(
    plan: &Plan,
    tasks: &[Task],
    store: &Store,
    arguments: &BacktestArguments,
    data: &DataDir,
) -> Result<(Results, Effort), Failure> {
    let began = Instant::now();
    let many = plan.cells.len() > 1 || !plan.windows.is_empty();
    let journals = if many { arguments.journals } else { !arguments.no_journals };
    // A backtest of one configuration is made anew: whoever asks for it wants its journal.
    let earlier = |task: &Task| store.find(&task.name).filter(|_| many && !arguments.again);
    let reel = match tasks.iter().any(|task| earlier(task).is_none()) {
        true => lay_out(plan)?,
        false => None,
    };
    let progress = Progress::bar("backtest", plan.survey.counts.entries * tasks.len() as u64);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let collected =
        Mutex::new((Results::new(), Effort { seconds: 0.0, entries: 0, jobs: tasks.len(), done: 0, reused: 0 }, None));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.jobs.map_or(cores, std::num::NonZero::get).min(tasks.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let earlier = earlier(task);
                    let reused = earlier.is_some();
                    let done = match earlier {
                        Some(done) => {
                            progress.skip(plan.survey.counts.entries);
                            Ok(done)
                        }
                        None => one(plan, (task, reel.as_ref()), store, journals.then_some(data), &progress),
                    };
                    let mut all = collected.lock().unwrap_or_else(PoisonError::into_inner);
                    match done {
                        Ok(done) => {
                            all.1.reused += usize::from(reused);
                            all.1.entries += if reused { 0 } else { done.entries };
                            let name = format!("{}, {}", plan.cells[task.cell].name(), task.assumption.name());
                            let (at, of) = (all.1.done + 1, tasks.len());
                            all.1.done = at;
                            progress.done(&format!("{at} of {of}: {name}, {:.1} s", done.seconds));
                            let outcome = all.0.entry((task.cell, task.assumption)).or_default();
                            outcome.sessions.extend(done.sessions);
                            (outcome.equity, outcome.page, outcome.mostly) = (done.equity, done.page, done.mostly);
                        }
                        Err(failure) => {
                            failed.store(true, Ordering::Relaxed);
                            all.2.get_or_insert(failure);
                        }
                    }
                }
            });
        }
    });
    progress.end();
    let (mut results, mut effort, failure) = collected.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = failure {
        return Err(failure);
    }
    results.values_mut().for_each(|outcome| outcome.sessions.sort_by_key(|session| (session.from_ns, session.to_ns)));
    effort.seconds = began.elapsed().as_secs_f64();
    Ok((results, effort))
}

/// The recordings in memory, if they fit.
fn lay_out(plan: &Plan) -> Result<Option<Reel>, Failure> {
    let progress = Progress::bar("reading", plan.survey.counts.entries);
    let counter = progress.counter();
    let Material { recordings, assumptions, .. } = &plan.material;
    let reel = Reel::lay_out(recordings, *assumptions, LAID_OUT, &mut |_| counter.one());
    progress.end();
    reel.map_err(|error| Failure::Answer(error.to_string()))
}

fn one(
    plan: &Plan,
    (task, reel): (&Task, Option<&Reel>),
    store: &Store,
    journals: Option<&DataDir>,
    progress: &Progress,
) -> Result<Done, Failure> {
    let Some(cell) = plan.cells.get(task.cell) else {
        return Err(Failure::Running("a task without a configuration".to_owned()));
    };
    progress.say(format!("{} {}", cell.name(), task.assumption.name()));
    let engine = cell.engine.to_json().map_err(|error| Failure::Usage(error.to_string()))?;
    let job = Job {
        material: &plan.material,
        reel,
        sessions: &task.stretches,
        engine: &engine,
        paper: task.assumption.apply(&plan.paper),
        config: &cell.config,
        journals,
    };
    let (mut done, record) = job::carry_out(&job, &progress.counter())?;
    if let Some(record) = record.filter(|_| plan.windows.is_empty()) {
        overview::page_of(cell, task.assumption, record, store, &mut done)?;
    }
    store.keep(&task.name, &done)?;
    Ok(done)
}
