//! The configuration: strict, with the place of every mistake.
//!
//! What holds, from the weakest to the strongest: the defaults, the file, the environment (`ODDSMITH_ENGINE__TIMING__DEBOUNCE_MS=50`),
//! the flags (`--set engine.timing.debounce_ms=50`). Without a file the profile `profiles/default.yaml` is used, which is built in.

mod feeds;
mod layers;
mod locate;
mod paper;
mod problem;
mod venue;

use std::fs;
use std::path::{Path, PathBuf};

use oddsmith_engine::{ConfigError, EngineConfig};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
pub use feeds::Feeds;
use layers::Override;
use locate::Places;
pub use paper::Paper;
pub use problem::{Place, Problem};
pub use venue::{Mode, Venue};

/// The profile that is used when no file is named.
const DEFAULT_PROFILE: &str = include_str!("../../../../profiles/default.yaml");

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where orders go.
    pub venue: Venue,
    /// The venue that exists on paper.
    pub paper: Paper,
    /// The built-in exchange.
    pub exchange: Exchange,
    /// Prices and match reports from outside of the venue.
    pub feeds: Feeds,
    /// What is written down.
    pub journal: Journal,
    /// Who cancels when the engine cannot.
    pub guard: Guard,
    /// What decides.
    pub engine: EngineConfig,
}

impl Config {
    /// The slugs and patterns of all instances.
    pub fn patterns(&self) -> Vec<String> {
        self.engine.instances.iter().flat_map(|instance| instance.markets.iter().cloned()).collect()
    }
}

/// The built-in exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exchange {
    /// A scenario file; the built-in world if there is none.
    pub scenario: Option<PathBuf>,
    /// Seeds prices and simulated traders.
    pub seed: u64,
}

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange { scenario: None, seed: 1 }
    }
}

/// What is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// Size of a segment in MiB; taken from the disk before it is used. 1 … 1024.
    pub segment_mib: u64,
    /// What a run may write, in MiB. At half of it the engine cancels and halts. 2 … 1048576.
    pub budget_mib: u64,
    /// How long a record may wait for the disk: what a power cut can lose, in milliseconds. 1 … 10000.
    pub flush_ms: u64,
    /// For tests: the disk takes this much longer than it does, in milliseconds. 0 … 60000.
    pub slow_disk_ms: u64,
    /// Whether finished segments are packed while the run goes on, and those of other runs that are over.
    pub pack: bool,
    /// Runs that began longer ago than this many days are deleted; 0 for none. 0 … 36500.
    pub keep_days: u64,
    /// Of all runs together no more than this many MiB are kept, the newest; 0 for all. 0 … 1048576.
    pub keep_mib: u64,
    /// How often a run looks for what is to be packed or deleted, in seconds. 1 … 86400.
    pub tidy_s: u64,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal {
            segment_mib: 64,
            budget_mib: 16_384,
            flush_ms: 100,
            slow_disk_ms: 0,
            pack: true,
            keep_days: 0,
            keep_mib: 0,
            tidy_s: 600,
        }
    }
}

/// Who cancels when the engine cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// How long the trading thread may stand still before the watchdog cancels everything, in milliseconds. 50 … 60000.
    pub stall_ms: u64,
    /// How long the journal may stand still before `oddsmith guard` cancels everything, in milliseconds. 500 … 600000.
    pub head_ms: u64,
    /// Whether the run leaves its API credentials in its directory for `oddsmith guard`, readable by its own user only.
    pub credentials_file: bool,
}

impl Default for Guard {
    fn default() -> Guard {
        Guard { stall_ms: 500, head_ms: 5_000, credentials_file: true }
    }
}

/// Reads the configuration from a file, or the default profile, with the environment and the flags on top.
///
/// # Errors
/// A sentence that names the place of the first mistake.
pub fn load(file: Option<&Path>, sets: &[String]) -> Result<Config, Failure> {
    let (name, text) = match file {
        None => (None, DEFAULT_PROFILE.to_owned()),
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::Usage(format!("cannot read the configuration {}: {error}", path.display()))
            })?;
            (Some(path.to_owned()), text)
        }
    };
    let overrides = layers::from_environment(std::env::vars_os())
        .and_then(|mut overrides| {
            overrides.extend(layers::from_flags(sets)?);
            Ok(overrides)
        })
        .map_err(|problem| Failure::Usage(problem.to_string()))?;
    parse(name.as_deref(), &text, &overrides).map_err(|problem| Failure::Usage(problem.to_string()))
}

/// The engine's configuration for a replay: the one that the run had, or a file's, with the flags on top. As canonical JSON, in and
/// out.
///
/// # Errors
/// As [`load`].
pub fn for_replay(recorded: &str, file: Option<&Path>, sets: &[String]) -> Result<String, Failure> {
    let config = match file {
        Some(_) => load(file, sets)?,
        None if sets.is_empty() => return Ok(recorded.to_owned()),
        None => {
            let usage = |problem: Problem| Failure::Usage(problem.to_string());
            let engine = EngineConfig::from_json(recorded).map_err(|error| Failure::Answer(error.to_string()))?;
            let overrides = layers::from_flags(sets).map_err(usage)?;
            let config = layers::apply(Config { engine, ..Config::default() }, &overrides).map_err(usage)?;
            config.engine.validate().map_err(|error| Failure::Usage(error.to_string()))?;
            config
        }
    };
    config.engine.to_json().map_err(|error| Failure::Usage(error.to_string()))
}

/// A configuration with flags on top.
///
/// # Errors
/// As [`load`].
pub fn with(config: Config, sets: &[String]) -> Result<Config, Failure> {
    let usage = |problem: Problem| Failure::Usage(problem.to_string());
    let overrides = layers::from_flags(sets).map_err(usage)?;
    let config = layers::apply(config, &overrides).map_err(usage)?;
    config.engine.validate().map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(config)
}

fn parse(file: Option<&Path>, text: &str, overrides: &[Override]) -> Result<Config, Problem> {
    let places = Places::of(text);
    let place = |line, column| match file {
        Some(path) => Place::File { path: path.to_owned(), line, column },
        None => Place::DefaultProfile { line, column },
    };
    let config: Config =
        serde_saphyr::from_str(text).map_err(|error| problem::from_yaml(&error, text, &places, place))?;
    let config = layers::apply(config, overrides)?;
    validate(&config).map_err(|(key, message)| {
        let origin = overrides.iter().rev().find(|o| key == o.path || key.starts_with(&format!("{}.", o.path)));
        let place = match (origin, places.find(&key)) {
            (Some(origin), _) => origin.place.clone(),
            (None, Some((line, column))) => place(line, column),
            (None, None) => place(1, 1),
        };
        Problem { place, message, help: None }
    })?;
    Ok(config)
}

/// Checks what the types alone do not: the key that is wrong, and why.
fn validate(config: &Config) -> Result<(), (String, String)> {
    let range = |key: &str, value: u64, low: u64, high: u64| {
        let message = || (key.to_owned(), format!("`{key}` is {value}: {low} … {high} is needed"));
        (low..=high).contains(&value).then_some(()).ok_or_else(message)
    };
    range("journal.segment_mib", config.journal.segment_mib, 1, 1_024)?;
    range("journal.budget_mib", config.journal.budget_mib, 2, 1_048_576)?;
    range("journal.flush_ms", config.journal.flush_ms, 1, 10_000)?;
    range("journal.slow_disk_ms", config.journal.slow_disk_ms, 0, 60_000)?;
    range("journal.keep_days", config.journal.keep_days, 0, 36_500)?;
    range("journal.keep_mib", config.journal.keep_mib, 0, 1_048_576)?;
    range("journal.tidy_s", config.journal.tidy_s, 1, 86_400)?;
    range("guard.stall_ms", config.guard.stall_ms, 50, 60_000)?;
    range("guard.head_ms", config.guard.head_ms, 500, 600_000)?;
    config.venue.validate()?;
    config.feeds.validate()?;
    config.paper.validate()?;
    config.engine.validate().map_err(|error| (engine_key(&config.engine, &error), error.to_string()))
}

/// The key of what is wrong in the engine's part.
fn engine_key(config: &EngineConfig, error: &ConfigError) -> String {
    let instance = |name: &str, last: bool| {
        let mut found = config.instances.iter().enumerate().filter(|(_, i)| i.name == name).map(|(index, _)| index);
        format!("engine.instances.{}", if last { found.next_back() } else { found.next() }.unwrap_or(0))
    };
    match error {
        ConfigError::Syntax(_) => "engine".to_owned(),
        ConfigError::Empty => "engine.instances".to_owned(),
        ConfigError::SameName(name) => format!("{}.name", instance(name, true)),
        ConfigError::NoMarket(name) => format!("{}.markets", instance(name, false)),
        ConfigError::Parameter { instance: name, source } => {
            let place = instance(name, false);
            let strategy = config.instances.iter().find(|i| i.name == *name).map_or("", |i| i.strategy.name());
            format!("{place}.strategy.{strategy}.{}", source.name)
        }
        ConfigError::Listener { instance: of, name, .. } => format!("{}.listener.{name}", instance(of, false)),
        ConfigError::Sharing { instance: of, name, .. } => format!("{}.sharing.{name}", instance(of, false)),
        ConfigError::Shares { instances, .. } => {
            let last = instances.last().map_or("", String::as_str);
            format!("{}.sharing.capital.share", instance(last, false))
        }
        ConfigError::Limit(source) => format!("engine.limits.{}", source.name),
        ConfigError::Selection { instance, source } => {
            let rule = instance.as_ref().map_or("all".to_owned(), |name| format!("instances.{name}"));
            format!("engine.selection.{rule}.{}", source.name)
        }
        ConfigError::SelectionOf(name) => format!("engine.selection.instances.{name}"),
        ConfigError::Tokens { name, .. } => format!("engine.tokens.{name}"),
        ConfigError::Timing { name, .. } => format!("engine.timing.{name}"),
        ConfigError::Setting { section, name, .. } => format!("engine.{section}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str, overrides: &[&str]) -> String {
        let sets: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        let overrides = match layers::from_flags(&sets) {
            Ok(overrides) => overrides,
            Err(problem) => return problem.to_string(),
        };
        match parse(Some(Path::new("my.yaml")), text, &overrides) {
            Ok(config) => panic!("accepted: {config:?}"),
            Err(problem) => problem.to_string(),
        }
    }

    const ONE: &str = "engine:\n  instances:\n    - name: a\n      markets: ['*']\n      strategy:\n        skewed_maker:\n          target_spread: 0.02\n";

    #[test]
    fn the_default_profile_is_valid_and_survives_its_own_printing() {
        let config = parse(None, DEFAULT_PROFILE, &[]).expect("the built-in profile");
        assert!(!config.engine.instances.is_empty());
        let printed = serde_saphyr::to_string(&config).expect("YAML");
        assert_eq!(parse(None, &printed, &[]).expect("its own YAML"), config);
    }

    #[test]
    fn how_instances_share_is_read_and_refused_by_name() {
        let with = |sharing: &str| {
            let second = ONE.split_once("instances:\n").map_or("", |(_, list)| list).replace("name: a", "name: b");
            format!("{ONE}{second}      sharing: {sharing}\n")
        };
        for good in [
            "{ capital: { share: 0.25 } }",
            "{ capital: { amount: 250 }, priority: -3 }",
            "{ pauses: others }",
            "{ pauses: [a] }",
        ] {
            let config = parse(None, &with(good), &[]).expect(good);
            let printed = serde_saphyr::to_string(&config).expect("YAML");
            assert_eq!(parse(None, &printed, &[]).expect("its own YAML"), config, "{printed}");
        }
        let both = with("{ capital: { share: 0.6 } }").replacen(
            "      markets",
            "      sharing: { capital: { share: 0.5 } }\n      markets",
            1,
        );
        let told = problem(&both, &[]);
        assert!(told.contains("`a`, `b`") && told.contains("1.1"), "{told}");
        assert!(told.starts_with("my.yaml:14:"), "the place of the last share: {told}");
        let told = problem(&with("{ pauses: [c] }"), &[]);
        assert!(told.starts_with("my.yaml:13:") && told.contains("`b`") && told.contains("`c`"), "{told}");
        let told = problem(&with("{ capitel: { share: 1 } }"), &[]);
        assert!(told.contains("did you mean `capital`"), "{told}");
    }

    #[test]
    fn an_unknown_key_has_its_place_and_a_suggestion() {
        let text = format!("{ONE}  timing:\n    debouce_ms: 50\n");
        let told = problem(&text, &[]);
        assert_eq!(told, "my.yaml:9:5: unknown key `engine.timing.debouce_ms`: did you mean `debounce_ms`?");
        let far = problem(&format!("{ONE}colour: red\n"), &[]);
        let sections = "venue, paper, exchange, feeds, journal, guard, engine";
        assert!(far.contains("my.yaml:8:1") && far.contains(sections), "{far}");
        let strategy = problem(&ONE.replace("skewed_maker", "skewed_taker"), &[]);
        assert!(strategy.contains("my.yaml:6:9") && strategy.contains("did you mean `skewed_maker`?"), "{strategy}");
        let parameter = problem(&ONE.replace("target_spread", "target_spred"), &[]);
        assert!(parameter.contains("my.yaml:7:11") && parameter.contains("`target_spread`?"), "{parameter}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_has_its_place() {
        for (line, told) in [
            (
                "  timing:\n    debounce_ms: soon\n",
                "my.yaml:9:18: `engine.timing.debounce_ms` is `soon`: a whole number",
            ),
            ("  timing:\n    debounce_ms: -1\n", "my.yaml:9:18: `engine.timing.debounce_ms` is `-1`: a whole number"),
            (
                "  limits:\n    max_order_usdc: much\n",
                "my.yaml:9:21: `engine.limits.max_order_usdc` is `much`: not a decimal",
            ),
            ("  timing: 7\n", "my.yaml:8:11: `engine.timing` is `7`"),
        ] {
            let found = problem(&format!("{ONE}{line}"), &[]);
            assert!(found.starts_with(told), "{found}");
        }
        let missing = problem("engine:\n  instances:\n    - name: a\n", &[]);
        assert!(missing.contains("my.yaml:3:7") && missing.contains("markets"), "{missing}");
        let twice = problem("journal:\n  flush_ms: 1\n  flush_ms: 2\n", &[]);
        assert!(twice.starts_with("my.yaml:3:3: the key `flush_ms` is there twice"), "{twice}");
        let broken = problem("engine: [1\n", &[]);
        assert!(broken.starts_with("my.yaml:1"), "{broken}");
    }

    #[test]
    fn a_value_out_of_range_has_its_place() {
        for (text, told) in [
            (format!("{ONE}  timing:\n    debounce_ms: 70000\n"), "my.yaml:9:18: "),
            (format!("{ONE}  limits:\n    max_order_usdc: 0\n"), "my.yaml:9:21: "),
            (ONE.replace("0.02", "0.9"), "my.yaml:7:26: "),
            (format!("{ONE}journal:\n  flush_ms: 0\n"), "my.yaml:9:13: "),
            (format!("{ONE}venue:\n  rest: http://10.0.0.1:80\n"), "my.yaml:9:9: "),
            (format!("{ONE}venue:\n  rest: http://127.0.0.1:80\n"), "my.yaml:9:3: `venue.market_socket` is missing"),
            (ONE.replace("['*']", "[]"), "my.yaml:4:16: "),
            ("journal:\n  flush_ms: 5\n".to_owned(), "my.yaml:1:1: no strategy"),
        ] {
            let found = problem(&text, &[]);
            assert!(found.starts_with(told), "{found}");
        }
    }

    #[test]
    fn flags_override_and_are_blamed() {
        let set = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|&s| s.to_owned()).collect();
            parse(None, DEFAULT_PROFILE, &layers::from_flags(&sets).expect("flags")).expect("valid")
        };
        let config = set(&[
            "engine.timing.debounce_ms=7",
            "engine.limits.max_order_usdc=12.5",
            "exchange.scenario=x.yaml",
            "engine.instances.0.name=mine",
        ]);
        assert_eq!(config.engine.timing.debounce_ms, 7);
        assert_eq!(config.engine.limits.max_order_usdc.to_string(), "12.5");
        assert_eq!(config.exchange.scenario.as_deref(), Some(Path::new("x.yaml")));
        assert_eq!(config.engine.instances[0].name, "mine");
        for (flag, told) in [
            (
                "engine.timing.debouce_ms=7",
                "--set engine.timing.debouce_ms=7: unknown key `engine.timing.debouce_ms`: did you mean",
            ),
            ("engine.timing.debounce_ms=soon", "--set engine.timing.debounce_ms=soon: "),
            ("engine.timing.debounce_ms=99999", "--set engine.timing.debounce_ms=99999: `timing.debounce_ms` is 99999"),
            ("engine.timing.debounce_ms", "--set engine.timing.debounce_ms: a key and a value are needed"),
        ] {
            let found = problem(ONE, &[flag]);
            assert!(found.starts_with(told), "{found}");
        }
    }

    #[test]
    fn the_environment_overrides_the_file_and_is_checked_as_strictly() {
        let variables = |name: &str, value: &str| [(name.into(), value.into())].into_iter();
        let overrides =
            layers::from_environment(variables("ODDSMITH_ENGINE__TIMING__DEBOUNCE_MS", "9")).expect("known");
        assert_eq!(parse(None, DEFAULT_PROFILE, &overrides).expect("valid").engine.timing.debounce_ms, 9);
        let overrides = layers::from_environment(variables("ODDSMITH_ENGINE__TIMNG__DEBOUNCE_MS", "9")).expect("text");
        let told = parse(None, DEFAULT_PROFILE, &overrides).expect_err("unknown").to_string();
        assert!(told.starts_with("ODDSMITH_ENGINE__TIMNG__DEBOUNCE_MS: unknown key `engine.timng`"), "{told}");
        assert!(layers::from_environment(variables("ODDSMITH_DATA", "/x")).expect("reserved").is_empty());
        assert!(layers::from_environment(variables("PATH", "/x")).expect("foreign").is_empty());
    }
}
