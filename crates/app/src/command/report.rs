//! `oddsmith report`, `oddsmith compare` and `oddsmith calibrate`: what journals tell.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use oddsmith_domain::RunId;
use oddsmith_report::calibrate::{self, Family, Fit, Outcome, Survival};
use oddsmith_report::{Comparison, Identity, Joined, Record, RecordError, Report, page, tables};

use crate::data::{DataDir, Run};
use crate::failure::Failure;
use crate::whole;

/// What to report.
#[derive(Debug, clap::Args)]
pub struct ReportArguments {
    /// A run: its id or the start of it, a path, or `latest`.
    #[arg(default_value = "latest")]
    pub run: String,
    /// Report the run and those that it went on after, back to the first that is here, as one.
    #[arg(long)]
    pub chain: bool,
    /// Write the page here; `report.html` in the run's directory if not given (`chain.html` of a chain), `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print the report as one JSON object instead of writing a page.
    #[arg(long)]
    pub json: bool,
    /// Write tables into this directory instead of a page: attribution, equity, inventory, fills, orders, statistics.
    #[arg(long, value_name = "DIR")]
    pub csv: Option<PathBuf>,
}

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct CompareArguments {
    /// The first run: its id or the start of it, a path, or `latest`.
    #[arg(value_name = "RUN")]
    pub first: String,
    /// The second.
    #[arg(value_name = "RUN")]
    pub second: String,
    /// Write the page here; `compare.html` in the second run's directory if not given, `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print the comparison as one JSON object instead of writing a page.
    #[arg(long)]
    pub json: bool,
}

/// What to fit fill models to.
#[derive(Debug, clap::Args)]
pub struct CalibrateArguments {
    /// Runs whose own orders are taken: ids or their starts, paths, or `latest`.
    #[arg(value_name = "RUN", required_unless_present = "outcomes")]
    pub runs: Vec<String>,
    /// Files of recorded order outcomes, as comma-separated values.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub outcomes: Vec<PathBuf>,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Carries `report` out.
pub fn report(data: &DataDir, arguments: &ReportArguments) -> Result<(), Failure> {
    let run = data.resolve(&arguments.run)?;
    let report = if arguments.chain { gather_chain(data, &run)? } else { gather(data, &run)? };
    if let Some(dir) = &arguments.csv {
        for (name, text) in tables(&report) {
            whole::write(&dir.join(name), text.as_bytes())?;
        }
    }
    if arguments.json {
        return print(&json(&report)?);
    }
    if arguments.csv.is_some() && arguments.out.is_none() {
        return Ok(());
    }
    let name = if arguments.chain { "chain.html" } else { "report.html" };
    put(arguments.out.as_deref(), &run.dir.join(name), &page(&report))
}

/// Carries `compare` out.
pub fn compare(data: &DataDir, arguments: &CompareArguments) -> Result<(), Failure> {
    let (first, second) = (data.resolve(&arguments.first)?, data.resolve(&arguments.second)?);
    let reports = [gather(data, &first)?, gather(data, &second)?];
    let comparison = Comparison::new(&reports[0], &reports[1]);
    if arguments.json {
        return print(&json(&comparison)?);
    }
    let page = comparison.page(&reports[0], &reports[1]);
    put(arguments.out.as_deref(), &second.dir.join("compare.html"), &page)
}

/// The report of a run.
fn gather(data: &DataDir, run: &Run) -> Result<Report, Failure> {
    Ok(Report::new(record(run)?, identity(run, &before(data, run)?)))
}

/// The report of a run and of those that it went on after.
fn gather_chain(data: &DataDir, run: &Run) -> Result<Report, Failure> {
    let before = before(data, run)?;
    let mut runs = before.iter().filter_map(|(_, run)| run.as_ref()).rev().chain([run]);
    let Some(first) = runs.next() else { return gather(data, run) };
    let mut all = record(first)?;
    for next in runs {
        all.join(record(next)?, Joined::Chain);
    }
    Ok(Report::new(all, identity(run, &before)))
}

fn record(run: &Run) -> Result<Record, Failure> {
    Record::read(&run.dir).map_err(|error| match error {
        RecordError::Read(error) => error.into(),
        RecordError::Codec { .. } | RecordError::Empty => Failure::Answer(format!("{}: {error}", run.dir.display())),
    })
}

/// A run of a chain; nothing where it is not here any more.
type Earlier = (RunId, Option<Run>);

/// The runs that a run went on after, the nearest first, up to the first that is not here any more.
fn before(data: &DataDir, run: &Run) -> Result<Vec<Earlier>, Failure> {
    let (mut chain, mut next) =
        (Vec::<Earlier>::new(), run.manifest.as_ref().and_then(|manifest| manifest.predecessor));
    let runs = data.runs()?;
    while let Some(id) = next.filter(|id| chain.iter().all(|(known, _)| known != id)) {
        let of = |run: &&Run| run.manifest.as_ref().is_some_and(|manifest| manifest.run_id == id);
        let found = runs.iter().find(of).cloned();
        next = found.as_ref().and_then(|run| run.manifest.as_ref()).and_then(|manifest| manifest.predecessor);
        chain.push((id, found));
    }
    Ok(chain)
}

fn identity(run: &Run, before: &[Earlier]) -> Identity {
    let Some(manifest) = &run.manifest else { return Identity::default() };
    Identity {
        version: manifest.version.clone(),
        command: manifest.command.clone(),
        venue: manifest.venue.clone(),
        chain: before.iter().map(|(id, _)| *id).collect(),
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string(value).map_err(|error| Failure::Running(error.to_string()))? + "\n")
}

/// Writes a page where it shall be, and says where that is.
fn put(wanted: Option<&Path>, usual: &Path, page: &str) -> Result<(), Failure> {
    match wanted {
        Some(path) if path == Path::new("-") => print(page),
        path => {
            let path = path.unwrap_or(usual);
            whole::write(path, page.as_bytes())?;
            print(&format!("{}\n", path.display()))
        }
    }
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

/// What a calibration found.
#[derive(serde::Serialize)]
struct Calibrated {
    schema_version: u32,
    orders: usize,
    survival: Vec<Survival>,
    /// By the name of the model: what was fitted, or why nothing was.
    fits: Vec<(String, Result<Fit, String>)>,
}

/// Carries `calibrate` out.
pub fn calibrate(data: &DataDir, arguments: &CalibrateArguments) -> Result<(), Failure> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for name in &arguments.runs {
        let report = gather(data, &data.resolve(name)?)?;
        outcomes.extend(report.order_rows.iter().filter_map(oddsmith_report::OrderRow::outcome));
    }
    for path in &arguments.outcomes {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
        let rows = calibrate::read(&text).map_err(|error| Failure::Answer(format!("{}: {error}", path.display())))?;
        outcomes.extend(rows);
    }
    if outcomes.is_empty() {
        return Err(Failure::Answer("there is no order that rested: nothing can be fitted".to_owned()));
    }
    let fits = Family::ALL
        .map(|family| (family.to_string(), calibrate::fit(&outcomes, family).map_err(|error| error.to_string())));
    let found = Calibrated {
        schema_version: 1,
        orders: outcomes.len(),
        survival: calibrate::survival(&outcomes),
        fits: fits.into(),
    };
    print(&if arguments.json { json(&found)? } else { told(&found) })
}

fn told(found: &Calibrated) -> String {
    let mut text = format!(
        "{} orders that rested\n\nchance of a fill, with its standard error, by what stood ahead\n",
        found.orders
    );
    for bin in &found.survival {
        let name = if bin.above < 0.0 { "nothing".to_owned() } else { format!("more than {}", bin.above) };
        text += &format!("  {name:<16}{:>7} orders {:>6} filled", bin.orders, bin.filled);
        for chance in &bin.within {
            text += &match (chance.probability, chance.error) {
                (Some(p), Some(e)) => format!("   {} s: {p:.3} ±{e:.3} ({})", chance.within_s, chance.n),
                _ => format!("   {} s: not known", chance.within_s),
            };
        }
        text += "\n";
    }
    text += "\nqueue models, the best fit first; intervals hold the true number in nine of ten samples\n";
    let mut fits: Vec<_> = found.fits.iter().collect();
    let score = |fit: &Result<Fit, String>| fit.as_ref().map_or(f64::NEG_INFINITY, |fit| fit.log_likelihood);
    fits.sort_by(|a, b| score(&b.1).total_cmp(&score(&a.1)));
    for (name, fit) in fits {
        text += &match fit {
            Err(why) => format!("  {name:<12} not fitted: {why}\n"),
            Ok(fit) => {
                let n = fit.n.map_or_else(String::new, |n| format!("n {:.3} [{:.3}, {:.3}], ", n.value, n.low, n.high));
                let w = fit.width;
                format!(
                    "  {name:<12} {n}width {:.1} [{:.1}, {:.1}] shares, log-likelihood {:.2}, {} orders\n",
                    w.value, w.low, w.high, fit.log_likelihood, fit.orders
                )
            }
        };
    }
    text
}
