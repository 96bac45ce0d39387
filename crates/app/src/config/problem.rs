//! A mistake in the configuration, told to a person.

use std::fmt;
use std::path::PathBuf;

use serde_saphyr::Error;

use super::locate::Places;

/// Where a mistake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File {
        /// Which one.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
    },
    /// In the profile that is built in.
    DefaultProfile {
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
    },
    /// In an environment variable.
    Variable(String),
    /// In a flag.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Place::DefaultProfile { line, column } => write!(f, "the default profile:{line}:{column}"),
            Place::Variable(text) | Place::Flag(text) => f.write_str(text),
        }
    }
}

/// A mistake: where, what, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, ": {help}"))
    }
}

/// What the YAML reader found wrong.
pub fn from_yaml(error: &Error, text: &str, places: &Places, place: impl Fn(u64, u64) -> Place) -> Problem {
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((1, 1), |at| (at.line().max(1), at.column().max(1)));
    let key = places.at((line, column)).unwrap_or_default();
    let (message, help) = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let parent = Places::parent_of(key);
            let name = if parent.is_empty() { field.clone() } else { format!("{parent}.{field}") };
            (format!("unknown key `{name}`"), Some(meant(field, expected.iter().copied())))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("`{key}` cannot be `{variant}`"), Some(meant(variant, expected.iter().copied())))
        }
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing here"), None),
        Error::DuplicateMappingKey { .. } => {
            let word =
                key.rsplit('.').next().filter(|word| !word.is_empty()).unwrap_or_else(|| word_at(text, line, column));
            (format!("the key `{word}` is there twice"), Some("keep one of them".to_owned()))
        }
        other => {
            let plain = other.to_string();
            let plain = plain.split(" at line ").next().unwrap_or(&plain);
            let value = word_at(text, line, column);
            match needed(plain) {
                _ if key.is_empty() => (plain.to_owned(), None),
                Some(what) => (format!("`{key}` is `{value}`"), Some(format!("{what} is needed"))),
                None => (format!("`{key}` is `{value}`"), Some(plain.to_owned())),
            }
        }
    };
    Problem { place: place(line, column), message, help }
}

/// What a reader's terse complaint asks for.
fn needed(complaint: &str) -> Option<&'static str> {
    if complaint.starts_with("invalid u") {
        Some("a whole number that is not negative and not too large")
    } else if complaint.starts_with("invalid i") {
        Some("a whole number")
    } else if complaint.starts_with("invalid floating") {
        Some("a number")
    } else if complaint.contains("mapping start") {
        Some("a group of keys")
    } else if complaint.contains("sequence start") {
        Some("a list")
    } else {
        None
    }
}

/// What stands at a place, to the end of its line.
fn word_at(text: &str, line: u64, column: u64) -> &str {
    let line = text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default();
    let start = line.char_indices().nth(column.saturating_sub(1) as usize).map_or(line.len(), |(at, _)| at);
    let rest = &line[start..];
    rest.split(" #").next().unwrap_or(rest).split(": ").next().unwrap_or(rest).trim().trim_end_matches(':')
}

/// The nearest of the known words, or all of them.
pub fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = known
        .clone()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match nearest {
        Some((likeness, candidate)) if likeness > 0.85 => format!("did you mean `{candidate}`?"),
        Some(_) => format!("known are {}", known.collect::<Vec<_>>().join(", ")),
        None => "nothing can be set there".to_owned(),
    }
}
