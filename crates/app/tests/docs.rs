//! The documentation says what is there: every setting, every command, every link.

mod support;

use std::fs;

use support::{oddsmith, root};

fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_setting_is_explained() {
    let data = tempfile::tempdir().expect("a folder");
    let shown = oddsmith(data.path(), &["config", "show"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    // Parameters of strategies have a page of their own.
    let reference = page("docs/reference/configuration.md") + &page("docs/reference/strategies.md");
    let mut keys = 0;
    for line in shown.out.lines() {
        let Some((key, _)) = line.trim_start_matches([' ', '-']).split_once(':') else { continue };
        keys += 1;
        assert!(reference.contains(&format!("`{key}`")) || reference.contains(&format!(".{key}`")), "{key}");
    }
    assert!(keys > 50, "{keys}");
}

#[test]
fn every_strategy_and_parameter_is_explained() {
    let data = tempfile::tempdir().expect("a folder");
    let shown = oddsmith(data.path(), &["strategies", "--json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let reference = page("docs/reference/strategies.md");
    for line in shown.out.lines() {
        let strategy: serde_json::Value = serde_json::from_str(line).expect("an object");
        let name = strategy["name"].as_str().expect("a name");
        let (_, section) = reference.split_once(&format!("## `{name}`")).unwrap_or_else(|| panic!("{name}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        for (key, default) in strategy["parameters"].as_object().expect("parameters") {
            let row = section.lines().find(|row| row.starts_with(&format!("| `{key}` |")));
            let row = row.unwrap_or_else(|| panic!("{name}.{key}"));
            let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            let stated = row.split('|').nth(2).unwrap_or_default().trim();
            let same = stated.parse::<f64>().is_ok_and(|stated| default.parse() == Ok(stated));
            let list = default.starts_with(['[', 't', 'f']);
            assert!(same || list || stated == default, "{name}.{key} is {default}, not {stated}");
        }
    }
}

#[test]
fn every_command_and_option_is_explained() {
    let data = tempfile::tempdir().expect("a folder");
    let reference = page("docs/reference/cli.md");
    let help = oddsmith(data.path(), &["--help"]);
    let commands: Vec<&str> = help
        .out
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 6, "{help:?}");
    for command in commands {
        assert!(reference.contains(&format!("## `oddsmith {command}")), "{command}");
        let help = oddsmith(data.path(), &[command, "--help"]);
        assert_eq!(help.code, 0, "{help:?}");
        for option in help.out.split_whitespace().filter(|word| word.starts_with("--")) {
            let option = option.trim_end_matches(|c: char| !c.is_ascii_lowercase());
            let common = ["--help", "--version", "--"].contains(&option);
            assert!(common || reference.contains(option), "{command} {option}");
        }
    }
    // An option or command that is only in the documentation is refused by name, not passed over.
    let wrong = oddsmith(data.path(), &["run", "--no-such-option"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn every_link_leads_somewhere() {
    let mut faults = Vec::new();
    let mut links = 0;
    for (path, text) in support::repository_files() {
        if !path.ends_with(".md") {
            continue;
        }
        let folder = root().join(&path);
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default().split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            if !folder.parent().expect("a folder").join(target).exists() {
                faults.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(links > 20, "{links}");
}

#[test]
fn the_readme_opens_with_the_two_commands() {
    let readme = page("README.md");
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("    cargo ")).map(str::trim).collect();
    assert_eq!(commands, ["cargo run --release -- run", "cargo test --workspace"]);
}

fn page_of_tests(file: &str) -> String {
    page(&format!("crates/app/tests/{file}.rs"))
}

/// Every fault's row names a test that there is, and every test of a fault has a row.
#[test]
fn every_fault_has_a_test_and_every_test_a_row() {
    let page = fs::read_to_string(root().join("docs/reference/faults.md")).expect("the page");
    let code = ["faults", "feeds"].map(page_of_tests).concat();
    let after = |text: &str| text.split('(').next().unwrap_or_default().to_owned();
    let tests: Vec<String> = code.split("#[test]\nfn ").skip(1).map(after).collect();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault |"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let mut named = Vec::new();
    for row in &rows {
        assert_eq!(row.len(), 5, "fault, detection, mitigation, alert, test: {row:?}");
        let name = row[4].trim_matches('`').to_owned();
        assert!(tests.contains(&name), "there is no test `{name}`");
        named.push(name);
    }
    let without: Vec<&String> = tests.iter().filter(|test| !named.contains(test)).collect();
    assert!(without.is_empty(), "no row for {without:?}");
    assert!(rows.len() >= 20, "{} rows", rows.len());
}
