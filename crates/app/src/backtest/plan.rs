//! What a backtest is to do: recordings, sessions, and the configurations to be tried.

use std::path::{Path, PathBuf};

use oddsmith_backtest::sweep::{Axis, Window, grid, walk_forward};
use oddsmith_backtest::tape::{Assumptions, Catalogued, Form, catalog};
use oddsmith_backtest::trial::{Limits, Material, Survey, survey};
use oddsmith_domain::Usdc;
use oddsmith_engine::{EngineConfig, InstanceConfig};
use oddsmith_paper::PaperSettings;
use oddsmith_paper::latency::{LatencyModel, Measured, MeasuredRows};
use oddsmith_strategy::StrategyConfig;
use serde_json::{Value, json};

use super::arguments::{BacktestArguments, Latency};
use super::identity::Identity;
use super::progress::Progress;
use crate::config::{self, Config};
use crate::failure::Failure;

/// One configuration that is tried.
pub struct Cell {
    /// What tells it from the others: keys and values.
    pub label: Vec<(String, String)>,
    /// The engine's part.
    pub engine: EngineConfig,
    /// The whole, for the manifests of its runs.
    pub config: Value,
}

impl Cell {
    /// Its label as one text.
    pub fn name(&self) -> String {
        let parts: Vec<String> = self.label.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if parts.is_empty() { "as configured".to_owned() } else { parts.join(" ") }
    }

    /// The same for a heading: a strategy by itself goes by its name.
    pub fn title(&self) -> String {
        match self.label.as_slice() {
            [(key, value)] if key == "strategy" => value.clone(),
            _ => self.name(),
        }
    }
}

/// Everything that is decided before anything is run.
pub struct Plan {
    /// What lies at the named paths, and what is done with it.
    pub files: Vec<Catalogued>,
    /// What is run over.
    pub material: Material,
    /// What the recordings cover.
    pub survey: Survey,
    /// The configurations.
    pub cells: Vec<Cell>,
    /// Strategies that were asked for and cannot be run, and why.
    pub left_out: Vec<(String, String)>,
    /// The windows of a walk forward; none without one.
    pub windows: Vec<Window>,
    /// The venue as configured.
    pub paper: PaperSettings,
    /// What the results depend on.
    pub identity: Identity,
}

impl Plan {
    /// Reads configuration and recordings.
    pub fn make(arguments: &BacktestArguments) -> Result<Plan, Failure> {
        let mut config = config::load(arguments.config.as_deref(), &arguments.set)?;
        // What was recorded is the choice: there is no list that a rule could be held against.
        config.engine.selection = oddsmith_engine::Selecting::default();
        let axes: Vec<Axis> = arguments.sweep.clone();
        let (bases, left_out) = bases(&config, arguments.strategies.as_deref())?;
        let mut cells = Vec::new();
        for (label, base) in &bases {
            cells.extend(combinations(label, base, &axes)?);
        }
        if let Some(path) = arguments.paths.iter().find(|path| !path.exists()) {
            return Err(Failure::Usage(format!("there is no {}", path.display())));
        }
        let files = catalog(&arguments.paths).map_err(|error| Failure::Answer(error.to_string()))?;
        let recordings: Vec<(PathBuf, Form)> =
            files.iter().filter_map(|file| Some((file.path.clone(), file.form?))).collect();
        if recordings.is_empty() {
            let reasons: Vec<String> =
                files.iter().take(5).map(|file| format!("{}: {}", file.path.display(), file.why)).collect();
            return Err(Failure::Answer(format!("no recording of books is there; {}", reasons.join("; "))));
        }
        let paper = paper(arguments)?;
        let assumptions = assumptions(arguments);
        let limits = Limits { silence_ns: duration_ns(arguments.silence), ..Limits::default() };
        let survey = look_through(&recordings, assumptions, limits, &cells)?;
        let windows = match arguments.walk_forward {
            None => Vec::new(),
            Some((train, test)) => walk_forward(&survey.sessions, duration_ns(train), duration_ns(test)),
        };
        let asked = json!({
            "engine": config.engine, "assumptions": assumptions, "limits": limits, "paper": format!("{paper:?}"),
            "windows": windows,
        });
        let identity = Identity::of(&recordings, &asked)?;
        let material = Material { recordings, assumptions, limits, holes: survey.holes.clone() };
        Ok(Plan { files, material, survey, cells, left_out, windows, paper, identity })
    }
}

fn duration_ns(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn assumptions(arguments: &BacktestArguments) -> Assumptions {
    Assumptions {
        tick: arguments.assume_tick,
        min_size: arguments.assume_min_size,
        fee: arguments.assume_fee,
        taker_delay_ms: arguments.assume_taker_delay_ms,
    }
}

fn paper(arguments: &BacktestArguments) -> Result<PaperSettings, Failure> {
    let collateral = Usdc::from_whole(i64::from(arguments.collateral));
    let mut paper = PaperSettings::with(collateral, arguments.seed);
    match &arguments.latency {
        Latency::Constant { entry_ms, response_ms } => {
            let ns = |ms: u32| i64::from(ms) * 1_000_000;
            paper.latency = LatencyModel::Constant { entry_ns: ns(*entry_ms), response_ns: ns(*response_ms) };
        }
        Latency::Feed { factor, extra_ms } => {
            let leg = (*factor, f64::from(*extra_ms) * 1e6);
            paper.latency = LatencyModel::FeedScaled { entry: leg, response: leg };
        }
        Latency::Measured(path) => paper.latency = LatencyModel::Measured(measured(path)?),
    }
    Ok(paper)
}

/// Measured requests: lines of `req_ts,exch_ts,resp_ts` in nanoseconds; a first line of words is passed over.
fn measured(path: &Path) -> Result<MeasuredRows, Failure> {
    let usage = |what: String| Failure::Usage(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| usage(error.to_string()))?;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let numbers: Option<Vec<i64>> = line.split(',').map(|part| part.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[req_ts, exch_ts, resp_ts]) => rows.push(Measured { req_ts, exch_ts, resp_ts }),
            _ if number == 0 => {}
            _ => return Err(usage(format!("line {} is not req_ts,exch_ts,resp_ts", number + 1))),
        }
    }
    MeasuredRows::try_from(rows).map_err(|error| usage(error.to_string()))
}

type Label = Vec<(String, String)>;
/// A configuration before the sweep, and what tells it from the others.
type Base = (Label, Config);

/// The configurations before any sweep: the configured instances together, or each named strategy by itself with its defaults.
fn bases(config: &Config, strategies: Option<&str>) -> Result<(Vec<Base>, Label), Failure> {
    let Some(strategies) = strategies else { return Ok((vec![(Vec::new(), config.clone())], Vec::new())) };
    let known = StrategyConfig::all();
    let names: Vec<&str> = if strategies == "all" {
        known.iter().map(StrategyConfig::name).collect()
    } else {
        strategies.split(',').map(str::trim).collect()
    };
    let (mut bases, mut left_out) = (Vec::new(), Vec::new());
    for name in names {
        let Some(strategy) = known.iter().find(|strategy| strategy.name() == name) else {
            let known: Vec<_> = known.iter().map(StrategyConfig::name).collect();
            return Err(Failure::Usage(format!("there is no strategy `{name}`: there are {}", known.join(", "))));
        };
        if let Some(needs) = strategy.needs() {
            left_out.push((name.to_owned(), needs.to_owned()));
            continue;
        }
        let instance = InstanceConfig {
            name: name.to_owned(),
            markets: vec!["*".to_owned()],
            strategy: strategy.clone(),
            listener: Default::default(),
            sharing: Default::default(),
        };
        let engine = EngineConfig { instances: vec![instance], ..config.engine.clone() };
        bases.push((vec![("strategy".to_owned(), name.to_owned())], Config { engine, ..config.clone() }));
    }
    Ok((bases, left_out))
}

/// A base under every combination of the swept values.
fn combinations(label: &Label, base: &Config, axes: &[Axis]) -> Result<Vec<Cell>, Failure> {
    let mut cells = Vec::new();
    for values in grid(axes) {
        let sets: Vec<String> = values.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let config = config::with(base.clone(), &sets)?;
        let whole = serde_json::to_value(&config).map_err(|error| Failure::Usage(error.to_string()))?;
        let label = label.iter().cloned().chain(values).collect();
        cells.push(Cell { label, engine: config.engine, config: whole });
    }
    Ok(cells)
}

fn look_through(
    recordings: &[(PathBuf, Form)],
    assumptions: Assumptions,
    limits: Limits,
    cells: &[Cell],
) -> Result<Survey, Failure> {
    let progress = Progress::spinner("looking through the recordings");
    let counter = progress.counter();
    let covers =
        |slug: &str| cells.iter().any(|cell| cell.engine.instances.iter().any(|instance| instance.covers(slug)));
    let survey = survey(recordings, assumptions, limits, &covers, &mut |_| counter.one());
    progress.end();
    survey.map_err(|error| Failure::Answer(error.to_string()))
}
