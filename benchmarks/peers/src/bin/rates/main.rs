//! Event rates of backtests: ours beside hftbacktest's and, with the feature `nautilus`, nautilus-backtest's. See benchmarks/README.md.

mod clock;
mod core;
mod hft;
#[cfg(feature = "nautilus")]
mod nautilus;
mod ours;
mod script;
mod stream;

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Result;
use clap::Parser;

use clock::Watch;
use script::Outcome;

/// Runs one synthetic stream through our backtest and the peers', in turns, and prints ratios.
#[derive(Parser)]
struct Arguments {
    /// Only contenders whose name holds one of these.
    names: Vec<String>,
    /// Events of the stream.
    #[arg(long, default_value_t = 400_000)]
    events: usize,
    /// Events in a second of the stream, on average.
    #[arg(long, default_value_t = 1_000)]
    per_second: u64,
    /// Rounds; in every second one the contenders run in the opposite order.
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// The seed of the stream.
    #[arg(long, default_value_t = 2_026)]
    seed: u64,
    /// Write the stream and the orders into this folder, for peers of other languages, and do nothing else.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Fail when a bar is missed.
    #[arg(long)]
    check: bool,
}

type Work<'a> = Box<dyn Fn(&mut Watch) -> Result<Outcome> + 'a>;

/// Somebody who runs the stream.
struct Contender<'a> {
    name: &'static str,
    work: Work<'a>,
    outcome: Outcome,
    /// Nanoseconds for one event, by round.
    times: Vec<f64>,
}

impl<'a> Contender<'a> {
    fn new(name: &'static str, work: impl Fn() -> Result<Outcome> + 'a) -> Contender<'a> {
        Contender::with_own_watch(name, move |watch| watch.time(&work))
    }

    /// One that cannot be set up before its run, and lets only the run be timed.
    fn with_own_watch(name: &'static str, work: impl Fn(&mut Watch) -> Result<Outcome> + 'a) -> Contender<'a> {
        Contender { name, work: Box::new(work), outcome: Outcome::default(), times: Vec::new() }
    }
}

const WHOLE: &str = "oddsmith: backtest";
const FILE: &str = "oddsmith: backtest, from the file";
const BOTH: &str = "oddsmith: the same, both tokens told";
const CORE: &str = "oddsmith: books and matching";
const ROI: &str = "hftbacktest: ROIVector";
const HASH: &str = "hftbacktest: HashMap";
const BARE: &str = "nautilus: bare";
const SCRIPTED: &str = "nautilus: with a strategy";
const QUEUED: &str = "nautilus: strategy, queue positions";

/// Whose rate must be at least so many times whose.
const BARS: &[(&str, &str, f64)] = &[
    (CORE, ROI, 0.5),
    (WHOLE, ROI, 0.5),
    (CORE, BARE, 4.0),
    (CORE, QUEUED, 4.0),
    (WHOLE, BARE, 4.0),
    (WHOLE, SCRIPTED, 4.0),
    (WHOLE, QUEUED, 4.0),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match go(&arguments) {
        Ok(missed) if missed > 0 && arguments.check => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the rates could not be measured: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn go(arguments: &Arguments) -> Result<usize> {
    let stream = stream::Stream::new(arguments.seed, arguments.events, arguments.per_second);
    let dir = tempfile::tempdir()?;
    let whole = ours::Ours::write(&stream, false, &dir.path().join("yes"))?;
    let both = ours::Ours::write(&stream, true, &dir.path().join("both"))?;
    let script = Rc::new(whole.script()?);
    both.script()?;
    if let Some(dir) = &arguments.write {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("events.csv"), stream.table())?;
        std::fs::write(dir.join("orders.csv"), script.table())?;
        return Ok(0);
    }
    println!("{} events, {} orders of ours to follow", stream.events.len(), script.orders.len());
    let reel = whole.lay_out()?;
    let core = core::Core::new(&stream)?;
    let hft = hft::Peer::new(&stream);
    #[cfg(feature = "nautilus")]
    let nautilus = nautilus::Peer::new(&stream);
    let mut contenders = vec![
        Contender::new(WHOLE, || whole.run(Some(&reel))),
        Contender::new(FILE, || whole.run(None)),
        Contender::new(BOTH, || both.run(None)),
        Contender::new(CORE, || Ok(core.run(&script))),
        Contender::new(ROI, || hft.run(&script, hft::Depth::RoiVector)),
        Contender::new(HASH, || hft.run(&script, hft::Depth::HashMap)),
        #[cfg(feature = "nautilus")]
        Contender::with_own_watch(BARE, |watch| nautilus.run(&script, nautilus::Scope::Bare, watch)),
        #[cfg(feature = "nautilus")]
        Contender::with_own_watch(SCRIPTED, |watch| nautilus.run(&script, nautilus::Scope::Strategy, watch)),
        #[cfg(feature = "nautilus")]
        Contender::with_own_watch(QUEUED, |watch| nautilus.run(&script, nautilus::Scope::Queue, watch)),
    ];
    let wanted = |name: &str| arguments.names.is_empty() || arguments.names.iter().any(|part| name.contains(part));
    contenders.retain(|contender| wanted(contender.name));
    race(&mut contenders, arguments.rounds, stream.events.len())?;
    contenders.iter().for_each(print);
    Ok(BARS.iter().filter(|bar| !judge(bar, &contenders)).count())
}

fn race(contenders: &mut [Contender<'_>], rounds: usize, events: usize) -> Result<()> {
    for contender in contenders.iter_mut() {
        (contender.work)(&mut Watch::default())?;
    }
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let contender = &mut contenders[index];
            let mut watch = Watch::default();
            contender.outcome = (contender.work)(&mut watch)?;
            contender.times.push(watch.spent().as_nanos() as f64 / events as f64);
        }
    }
    Ok(())
}

/// The value below which this share of the values lies.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn print(contender: &Contender<'_>) {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(&contender.times, share));
    let Outcome { placed, filled, shares, .. } = contender.outcome;
    println!(
        "{:36} {:>8.3} M events/s  {median:>7.0} ns ({low:.0} to {high:.0})  {placed} orders, {filled} filled, {shares:.2} shares",
        contender.name,
        1e3 / median,
    );
}

/// Whether the bar is met; the ratio is the median of the rounds' own ratios.
fn judge((ours, theirs, least): &(&str, &str, f64), contenders: &[Contender<'_>]) -> bool {
    let times = |name: &str| contenders.iter().find(|contender| contender.name == name).map(|found| &found.times);
    let (Some(ours_ns), Some(theirs_ns)) = (times(ours), times(theirs)) else { return true };
    let ratios: Vec<f64> = theirs_ns.iter().zip(ours_ns).map(|(theirs, ours)| theirs / ours).collect();
    let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(&ratios, share));
    let word = if median >= *least { "met" } else { "MISSED" };
    println!("{word}: {ours} is {median:.2} ({low:.2} to {high:.2}) times as fast as {theirs} (must be {least})");
    median >= *least
}
