//! `oddsmith strategies` and `oddsmith eval`: which strategies there are, and what one wants in one situation.

use std::fs;
use std::io::{BufWriter, Read, Write, stdin, stdout};
use std::path::Path;

use oddsmith_engine::eval::{EvalError, Evaluation, State, evaluate};
use oddsmith_strategy::StrategyConfig;
use serde_json::{Deserializer, Value, json};

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

/// Evaluates one state, or several: then each result is one line, in their order.
pub fn run(strategy: &str, config: Option<&Path>, state: &Path) -> Result<(), Failure> {
    let default = read_config(strategy, config)?;
    let text = read(state)?;
    let stated: Vec<Value> = Deserializer::from_str(&text)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", state.display())))?;
    let mut out = BufWriter::new(stdout().lock());
    if let [Value::Object(_)] = &stated[..] {
        let result = stated.into_iter().map(|state| one(strategy, &default, state)).collect::<Result<Vec<_>, _>>()?;
        for result in &result {
            let text = serde_json::to_string_pretty(result).map_err(|error| Failure::Running(error.to_string()))?;
            writeln!(out, "{text}").map_err(|error| Failure::output(&error))?;
        }
        return out.flush().map_err(|error| Failure::output(&error));
    }
    let states = stated.into_iter().flat_map(|value| match value {
        Value::Array(states) => states,
        state => vec![state],
    });
    let (mut all, mut bad) = (0, 0);
    for state in states {
        let result = one(strategy, &default, state);
        all += 1;
        bad += usize::from(result.is_err());
        let line = match result {
            Ok(result) => serde_json::to_string(&result).map_err(|error| Failure::Running(error.to_string()))?,
            Err(error) => json!({ "error": error.to_string() }).to_string(),
        };
        writeln!(out, "{line}").map_err(|error| Failure::output(&error))?;
    }
    out.flush().map_err(|error| Failure::output(&error))?;
    match (all, bad) {
        (0, _) => Err(Failure::Usage(format!("{} has no state", state.display()))),
        (_, 0) => Ok(()),
        _ => Err(Failure::Usage(format!("{bad} of {all} states could not be evaluated"))),
    }
}

/// Evaluates a state, with its own parameters if it states some.
fn one(strategy: &str, default: &StrategyConfig, mut state: Value) -> Result<Evaluation, Failure> {
    let own = state.as_object_mut().and_then(|state| state.remove("parameters"));
    let own = own.map(|parameters| named(strategy, parameters)).transpose();
    let own = own.map_err(|error| Failure::Usage(format!("the state: parameters: {error}")))?;
    let state = State::from_value(state).map_err(usage)?;
    evaluate(own.as_ref().unwrap_or(default), &state).map_err(usage)
}

/// A strategy's configuration from its parameters. A number may be stated as a string, and the other way round: which of them a parameter
/// is follows from its default.
fn named(strategy: &str, mut stated: Value) -> Result<StrategyConfig, serde_json::Error> {
    let known = StrategyConfig::all();
    let defaults = known.iter().find(|config| config.name() == strategy).and_then(|config| parameters(config).ok());
    for (key, value) in stated.as_object_mut().into_iter().flatten() {
        let default = defaults.as_ref().and_then(|defaults| defaults.get(key));
        let other = match (default, &*value) {
            (Some(Value::String(_)), Value::Number(number)) => Some(Value::String(number.to_string())),
            (Some(Value::Number(_)), Value::String(text)) => text.parse().ok().map(Value::Number),
            _ => None,
        };
        *value = other.unwrap_or_else(|| value.take());
    }
    serde_json::from_value(json!({ strategy: stated }))
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
    named(strategy, parameters).map_err(|error| bad(error.to_string()))
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
