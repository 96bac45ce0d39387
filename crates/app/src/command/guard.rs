//! `oddsmith guard`: a process of its own that cancels everything when a run stands still.

use std::io::{Write, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::GuardArguments;
use crate::data::{DataDir, Run};
use crate::failure::Failure;
use crate::guard::{Followed, Papers, alert, follow};

/// How long the head may stand still if neither the command line nor the run's configuration says otherwise.
const DEFAULT_LIMIT: Duration = Duration::from_secs(5);
/// How often an attempt that failed is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Carries the command out.
pub fn run(data: &DataDir, arguments: &GuardArguments) -> Result<(), Failure> {
    let run = data.resolve(&arguments.run)?;
    let limit = arguments.after.or_else(|| configured(&run)).unwrap_or(DEFAULT_LIMIT);
    let place = arguments.credentials.as_deref().unwrap_or(&run.dir);
    let papers = match Papers::read(place) {
        Ok(papers) => papers,
        Err(error) if arguments.credentials.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return without_papers(&run);
        }
        Err(error) => {
            return Err(Failure::Usage(format!("no credentials can be read from {}: {error}", place.display())));
        }
    };
    let name = run.name();
    eprintln!("oddsmith: guarding run {name}: everything is cancelled when its journal stands still for {limit:?}");
    let reason = match follow(&run.dir, limit)? {
        Followed::EndedCleanly => return print(&format!("run {name} has ended by itself and left nothing behind\n")),
        Followed::EndedBadly(why) => format!("run {name} has ended badly ({why})"),
        Followed::StandsStill { silence, record } => {
            format!("run {name} has written nothing for {:.1} s after record {record}", silence.as_secs_f64())
        }
    };
    clear(&run.dir, &papers, &reason)
}

/// A run that has no credentials for its guardian: either there is nothing to guard, or they must be named.
fn without_papers(run: &Run) -> Result<(), Failure> {
    match crate::guard::Ended::read(&run.dir) {
        Some(ended) if ended.clean => {
            print(&format!("run {} has ended by itself and left nothing behind\n", run.name()))
        }
        _ => Err(Failure::Usage(format!(
            "run {} has left no credentials for its guardian (it sends no orders, or they are kept elsewhere): name the file with \
             --credentials",
            run.name()
        ))),
    }
}

/// What the run's own configuration says.
fn configured(run: &Run) -> Option<Duration> {
    let config = &run.manifest.as_ref()?.config;
    config["guard"]["head_ms"].as_u64().map(Duration::from_millis)
}

fn clear(dir: &Path, papers: &Papers, reason: &str) -> Result<(), Failure> {
    let mut guardian = papers.guardian().map_err(Failure::Usage)?;
    alert(dir, "guard", &format!("{reason}: everything is being cancelled"));
    eprintln!("oddsmith: {reason}: cancelling everything");
    let mut told: Option<Instant> = None;
    let cleared = guardian.clear(|so_far| {
        let trouble = so_far.trouble.as_deref().unwrap_or_default();
        if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            told = Some(Instant::now());
            eprintln!("oddsmith: attempt {}: {trouble}; trying again", so_far.attempts);
        }
        // The built-in exchange lives in the run's process: when nobody listens there, its orders are gone with it.
        !(papers.built_in && so_far.attempts >= 3)
    });
    let end = match (cleared.shown_empty, papers.built_in) {
        (true, _) => {
            format!("everything was cancelled at attempt {}, and the venue shows no open order", cleared.attempts)
        }
        (false, true) => "the built-in exchange went with the run, or stands still with it".to_owned(),
        (false, false) => "orders may be left at the venue".to_owned(),
    };
    let report = format!("{reason}: {end}");
    alert(dir, "guard", &report);
    if cleared.shown_empty || papers.built_in {
        Papers::remove(dir);
    }
    print(&format!("{report}\n"))?;
    Err(Failure::Answer("the run did not end well: look at its journal before you start another".to_owned()))
}

fn print(text: &str) -> Result<(), Failure> {
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}
