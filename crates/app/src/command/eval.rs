//! `oddsmith strategies` and `oddsmith eval`: which strategies there are, and what one wants in one situation.

use std::fs;
use std::io::{Read, Write, stdin, stdout};
use std::path::Path;

use oddsmith_engine::eval::{EvalError, State, evaluate};
use oddsmith_strategy::StrategyConfig;
use serde_json::{Value, json};

use crate::failure::Failure;

/// Lists the strategies.
pub fn list(json: bool) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for config in StrategyConfig::all() {
        let strategy = config.build().map_err(|error| Failure::Running(error.to_string()))?;
        let (name, version) = (config.name(), strategy.version());
        let parameters = parameters(&config)?;
        let text = if json {
            let summary = config.summary();
            format!("{}\n", json!({ "name": name, "version": version, "summary": summary, "parameters": parameters }))
        } else {
            let defaults: String = parameters
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| format!("    {key}: {value}\n"))
                .collect();
            format!("{name} (version {version})\n  {}\n{defaults}\n", config.summary())
        };
        out.write_all(text.as_bytes()).map_err(|error| Failure::output(&error))?;
    }
    Ok(())
}

/// The parameters under the strategy's name, without the name.
fn parameters(config: &StrategyConfig) -> Result<Value, Failure> {
    let whole = serde_json::to_value(config).map_err(|error| Failure::Running(error.to_string()))?;
    Ok(whole.get(config.name()).cloned().unwrap_or_default())
}

/// Evaluates one state.
pub fn run(strategy: &str, config: Option<&Path>, state: &Path) -> Result<(), Failure> {
    let config = read_config(strategy, config)?;
    let state = State::from_json(&read(state)?).map_err(usage)?;
    let result = evaluate(&config, &state).map_err(usage)?;
    let mut text = serde_json::to_string_pretty(&result).map_err(|error| Failure::Running(error.to_string()))?;
    text.push('\n');
    stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

fn usage(error: EvalError) -> Failure {
    Failure::Usage(error.to_string())
}

fn read_config(strategy: &str, file: Option<&Path>) -> Result<StrategyConfig, Failure> {
    let known = StrategyConfig::all();
    let Some(default) = known.iter().find(|config| config.name() == strategy) else {
        let names: Vec<_> = known.iter().map(StrategyConfig::name).collect();
        return Err(Failure::Usage(format!("there is no strategy `{strategy}`: there are {}", names.join(", "))));
    };
    let Some(file) = file else { return Ok(default.clone()) };
    // JSON is YAML.
    let bad = |error: String| Failure::Usage(format!("{}: {error}", file.display()));
    let parameters: Value = serde_saphyr::from_str(&read(file)?).map_err(|error| bad(error.to_string()))?;
    serde_json::from_value(json!({ strategy: parameters })).map_err(|error| bad(error.to_string()))
}

fn read(file: &Path) -> Result<String, Failure> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    text.map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", file.display())))
}
