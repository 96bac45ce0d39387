//! `oddsmith simulate`: seeds on threads, and what they held.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;

use oddsmith_backtest::simulate::{self, Broken, FLOOR, Plan, Tally};
use serde_json::json;

use crate::cli::SimulateArguments;
use crate::command::profile;
use crate::data::DataDir;
use crate::failure::Failure;

/// Carries the command out.
pub fn run(data: &DataDir, arguments: &SimulateArguments) -> Result<(), Failure> {
    #[cfg(feature = "planted")]
    if let Some(name) = &arguments.planted {
        oddsmith_domain::planted::plant(name).map_err(Failure::Usage)?;
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = arguments.jobs.map_or(cores, std::num::NonZero::get);
    let dir = free(&data.simulations_dir());
    if let Some(profile) = &arguments.profile {
        let told = profile::run(profile, arguments, &dir);
        // What is left of it are the journals of seeds that failed.
        let _ = std::fs::remove_dir(&dir);
        print(&told?)?;
        return if arguments.keep && !arguments.json { print(&kept(&dir)) } else { Ok(()) };
    }
    let began = Instant::now();
    let played = play(arguments, jobs, &dir)?;
    // What is left of it are the journals of seeds that failed.
    let _ = std::fs::remove_dir(&dir);
    let journals = arguments.keep.then_some(dir.as_path());
    summarize(&played, arguments.json, began.elapsed().as_secs_f64(), journals)
}

/// A folder that is not there yet: journals of an earlier process of the same number may have been kept.
fn free(folder: &Path) -> PathBuf {
    let process = std::process::id();
    let names = std::iter::once(process.to_string()).chain((2..).map(|n: u32| format!("{process}-{n}")));
    names.map(|name| folder.join(name)).find(|dir| !dir.exists()).unwrap_or_else(|| folder.to_owned())
}

fn kept(dir: &Path) -> String {
    format!("journals {}: one folder a seed, in it one a run; `oddsmith replay` takes its path\n", dir.display())
}

/// What came of the seeds, in the order in which they ended.
struct Played {
    total: Tally,
    shortfalls: Vec<String>,
    broken: Option<Box<Broken>>,
}

/// Plays every seed, until one fails.
fn play(arguments: &SimulateArguments, jobs: usize, dir: &Path) -> Result<Played, Failure> {
    let seeds = arguments.seeds();
    let next = AtomicU64::new(*seeds.start());
    let failed = AtomicBool::new(false);
    let (results, ended) = mpsc::channel();
    let results = Mutex::new(results);
    let mut played = Played { total: Tally::default(), shortfalls: Vec::new(), broken: None };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() || failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let began = Instant::now();
                    let plan = Plan::usual(seed, arguments.hours, dir.join(format!("seed-{seed}")));
                    let result = simulate::run(Plan { keep: arguments.keep, ..plan });
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    let sender = results.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    // Whoever listens is there for as long as this scope is.
                    let _ = sender.send((result, began.elapsed().as_secs_f64()));
                }
            });
        }
        let count = seeds.end() - seeds.start() + 1;
        for _ in 0..count {
            let Ok((result, seconds)) = ended.recv() else { break };
            match result {
                Ok(tally) => {
                    print(&line(&tally, seconds, arguments.json))?;
                    played.total.add(&tally);
                    played.shortfalls.extend(tally.below(&FLOOR));
                }
                Err(broken) => {
                    played.broken = Some(broken);
                    break;
                }
            }
        }
        Ok(played)
    })
}

fn line(tally: &Tally, seconds: f64, json: bool) -> String {
    if json {
        let mut value = json!(tally);
        value["seconds"] = json!(seconds);
        return format!("{value}\n");
    }
    format!(
        "seed {:>5}: {:>7} frames {:>6} orders {:>5} fills {:>3} faults of {:>2} kinds {:>2} restarts {:>2} comparisons {seconds:>6.1} s  {}\n",
        tally.seed,
        tally.frames,
        tally.orders,
        tally.fills,
        tally.fault_count(),
        tally.faults.len(),
        tally.restarts,
        tally.comparisons,
        tally.digest.get(..16).unwrap_or_default(),
    )
}

fn summarize(played: &Played, json: bool, seconds: f64, journals: Option<&Path>) -> Result<(), Failure> {
    let total = &played.total;
    if json {
        print(&format!(
            "{}\n",
            json!({ "totals": total, "floor_per_seed_hour": FLOOR, "seconds": seconds, "journals": journals })
        ))?;
    } else {
        print(&format!(
            "{} seed-hours in {seconds:.1} s: {} inputs, {} market frames, {} own orders, {} fills, {} faults, {} restarts, {} comparisons, {} records audited\n",
            total.hours,
            total.inputs,
            total.frames,
            total.orders,
            total.fills,
            total.fault_count(),
            total.restarts,
            total.comparisons,
            total.audited,
        ))?;
        for (kind, count) in &total.faults {
            print(&format!("  {count:>7}  {}\n", kind.words()))?;
        }
        journals.map_or(Ok(()), |dir| print(&kept(dir)))?;
    }
    match (&played.broken, played.shortfalls.first()) {
        (Some(broken), _) => Err(Failure::Answer(broken.to_string())),
        (None, Some(first)) => Err(Failure::Answer(format!("too little happened to mean something: {first}"))),
        (None, None) => Ok(()),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}
