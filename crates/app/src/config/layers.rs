//! What stands above the file: the environment and the flags.

use std::ffi::OsString;

use serde_json::Value;

use super::Config;
use super::problem::{Place, Problem, meant};

const PREFIX: &str = "ODDSMITH_";

/// Variables with the prefix that are no part of the configuration.
const RESERVED: [&str; 3] = ["ODDSMITH_DATA", "ODDSMITH_LOG", "ODDSMITH_SHARED"];

/// One value set from outside the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The dotted key.
    pub path: String,
    /// The value as it was written.
    pub text: String,
    /// Where it comes from.
    pub place: Place,
}

/// The overrides of the environment: `ODDSMITH_` and the key in capitals, `__` between its parts.
pub fn from_environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<Override>, Problem> {
    let mut overrides = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) && !RESERVED.contains(name)) else {
            continue;
        };
        let place = Place::Variable(name.to_owned());
        let Some(text) = value.to_str() else {
            return Err(Problem { place, message: "its value is not UTF-8".to_owned(), help: None });
        };
        let path = name.trim_start_matches(PREFIX).to_ascii_lowercase().replace("__", ".");
        overrides.push(Override { path, text: text.to_owned(), place });
    }
    // The environment has no order of its own.
    overrides.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(overrides)
}

/// The overrides of the flags: `key=value`.
pub fn from_flags(sets: &[String]) -> Result<Vec<Override>, Problem> {
    sets.iter()
        .map(|set| {
            let place = Place::Flag(format!("--set {set}"));
            match set.split_once('=') {
                Some((path, text)) => {
                    Ok(Override { path: path.trim().to_owned(), text: text.trim().to_owned(), place })
                }
                None => {
                    let message = "a key and a value are needed".to_owned();
                    Err(Problem { place, message, help: Some("write key=value".to_owned()) })
                }
            }
        })
        .collect()
}

/// Sets one value after the other, so that the one that does not fit is the one that is blamed.
pub fn apply(mut config: Config, overrides: &[Override]) -> Result<Config, Problem> {
    for set in overrides {
        let fail = |message: String, help| Problem { place: set.place.clone(), message, help };
        let mut value = serde_json::to_value(&config).map_err(|error| fail(error.to_string(), None))?;
        put(&mut value, set).map_err(|(message, help)| fail(message, help))?;
        config = serde_json::from_value(value)
            .map_err(|error| fail(format!("`{}` cannot be `{}`: {error}", set.path, set.text), None))?;
    }
    Ok(config)
}

fn put(root: &mut Value, set: &Override) -> Result<(), (String, Option<String>)> {
    let mut here = root;
    let mut walked = String::new();
    for part in set.path.split('.') {
        walked = if walked.is_empty() { part.to_owned() } else { format!("{walked}.{part}") };
        let unknown = |help: String| (format!("unknown key `{walked}`"), Some(help));
        here = match here {
            Value::Object(map) => {
                if !map.contains_key(part) {
                    return Err(unknown(meant(part, map.keys().map(String::as_str))));
                }
                map.get_mut(part).ok_or_else(|| unknown(String::new()))?
            }
            Value::Array(list) => {
                let count = list.len();
                let index = part.parse::<usize>().ok();
                index
                    .and_then(|index| list.get_mut(index))
                    .ok_or_else(|| unknown(format!("the list has {count} entries, numbered from 0")))?
            }
            _ => return Err(unknown("nothing can be set there".to_owned())),
        };
    }
    *here = match here {
        // Amounts are texts in JSON; everything else is what YAML reads in it.
        Value::String(_) => Value::String(set.text.clone()),
        _ => serde_saphyr::from_str::<Value>(&set.text).map_err(|error| {
            (format!("`{}` cannot be `{}`", set.path, set.text), Some(error.without_snippet().to_string()))
        })?,
    };
    Ok(())
}
