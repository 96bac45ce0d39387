//! `docs/requirements.toml` is the project's own account of what works: it has every row, and what it names exists.

mod support;

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use support::root;

/// How many rows each area has.
const AREAS: [(&str, usize); 31] = [
    ("MD", 16),
    ("CA", 11),
    ("LD", 10),
    ("FI", 11),
    ("EX", 22),
    ("GW", 11),
    ("OL", 10),
    ("SR", 8),
    ("S1", 10),
    ("S2", 9),
    ("S3", 8),
    ("S4", 8),
    ("S5", 8),
    ("S6", 7),
    ("S7", 9),
    ("TE", 13),
    ("EB", 7),
    ("RI", 14),
    ("WA", 7),
    ("RE", 9),
    ("PE", 11),
    ("RP", 8),
    ("OB", 13),
    ("CF", 8),
    ("SE", 3),
    ("HC", 8),
    ("OP", 6),
    ("DE", 5),
    ("MX", 3),
    ("PF", 6),
    ("TS", 7),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    area: String,
    text: String,
    shown_by: ShownBy,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ShownBy {
    Word(String),
    Places(Vec<String>),
}

fn account() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/requirements.toml")).expect("docs/requirements.toml");
    toml::from_str::<Account>(&text).unwrap_or_else(|error| panic!("docs/requirements.toml: {error}")).row
}

#[test]
fn every_row_is_there_once_and_in_order() {
    let rows = account();
    let wanted: Vec<String> =
        AREAS.iter().flat_map(|(area, count)| (1..=*count).map(move |n| format!("{area}{n:02}"))).collect();
    let found: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(found, wanted);
    assert_eq!(found.len(), 286);
    for row in &rows {
        assert!(row.id.starts_with(&row.area), "{}: its area is not {}", row.id, row.area);
        assert!(row.text.len() > 10 && row.text.len() < 140, "{}: its text says too little or too much", row.id);
    }
}

#[test]
fn what_is_named_exists() {
    let mut faults = Vec::new();
    let mut shown = BTreeMap::new();
    for row in account() {
        match &row.shown_by {
            ShownBy::Word(word) if word == "open" => {}
            ShownBy::Word(word) => faults.push(format!("{}: `{word}` is neither `open` nor a list", row.id)),
            ShownBy::Places(places) if places.is_empty() => faults.push(format!("{}: names nothing", row.id)),
            ShownBy::Places(places) => {
                *shown.entry(row.area.clone()).or_insert(0) += 1;
                faults.extend(places.iter().filter_map(|place| missing(place)).map(|f| format!("{}: {f}", row.id)));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    eprintln!("rows shown, by area: {shown:?}; together {}", shown.values().sum::<i32>());
}

/// What is wrong with a place: `path::function` of a test, or `oddsmith …` or a script's path as a command.
fn missing(place: &str) -> Option<String> {
    if let Some(arguments) = place.strip_prefix("oddsmith ") {
        let command = arguments.split(' ').next().unwrap_or_default();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_oddsmith"))
            .args([command, "--help"])
            .output()
            .expect("the binary runs");
        return (!output.status.success()).then(|| format!("`oddsmith {command}` is no command"));
    }
    let Some((file, function)) = place.split_once("::") else {
        let path = place.split(' ').next().unwrap_or_default();
        return (!root().join(path).exists()).then(|| format!("{path} is not there"));
    };
    let Ok(text) = fs::read_to_string(root().join(file)) else { return Some(format!("{file} is not there")) };
    let signature = format!("fn {function}(");
    let Some(at) = text.find(&signature) else { return Some(format!("{file} has no test `{function}`")) };
    // A test has its attribute within the few lines above it; inside `proptest!` likewise.
    let above: Vec<&str> = text[..at].lines().rev().take(5).collect();
    let is_test = above.iter().any(|line| line.trim_start().starts_with("#[") && line.contains("test"));
    (!is_test).then(|| format!("{file}: `{function}` is no test"))
}

/// Every fault of the original programs and every worked number has a test, and every test of a fault has a row.
#[test]
fn every_fault_of_the_originals_and_every_worked_number_names_its_test() {
    let page = fs::read_to_string(root().join("docs/reference/originals.md")).expect("the page");
    let named: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault |") && !line.starts_with("| numbers |"))
        .map(|line| line.rsplit('`').nth(1).unwrap_or(line))
        .collect();
    let faults: Vec<_> = named.iter().filter_map(|place| missing(place)).collect();
    assert!(faults.is_empty() && named.len() >= 100, "{} rows\n{}", named.len(), faults.join("\n"));
    let file = "crates/engine/tests/originals.rs";
    let text = fs::read_to_string(root().join(file)).expect("the tests");
    for rest in text.split("\nfn w_").skip(1) {
        let place = format!("{file}::w_{}", rest.split('(').next().unwrap_or_default());
        assert!(named.contains(&place.as_str()), "no row names {place}");
    }
}

#[test]
fn a_wrong_account_is_found() {
    assert_eq!(missing("crates/app/tests/requirements.rs::a_wrong_account_is_found"), None);
    assert!(missing("crates/app/tests/requirements.rs::missing").is_some_and(|f| f.contains("no test")));
    assert!(missing("crates/app/tests/requirements.rs::not_there").is_some());
    assert!(missing("crates/nowhere.rs::a_test").is_some());
    assert!(missing("oddsmith no-such-command").is_some());
    assert!(missing(".ci/no-such-script --quick").is_some());
}
