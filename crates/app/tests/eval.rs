//! `oddsmith eval` by its own page: every example runs as it stands and gives what the page says.

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{oddsmith, root};

/// The page's examples: strategy, situation, result.
fn examples() -> Vec<(String, Value, Value)> {
    let page = fs::read_to_string(root().join("docs/reference/eval.md")).expect("the page");
    let read = |block: &str| serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
    page.split("\n### `")
        .skip(1)
        .map(|section| {
            let name = section.split('`').next().unwrap_or_default().to_owned();
            let mut blocks =
                section.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
            let (state, result) = blocks.next().zip(blocks.next()).unwrap_or_else(|| panic!("{name}: two blocks"));
            (name, read(state), read(result))
        })
        .collect()
}

#[test]
fn every_example_gives_what_the_page_says() {
    let data = tempfile::tempdir().expect("a folder");
    let (shown, file) = (oddsmith(data.path(), &["strategies", "--json"]), data.path().join("state.json"));
    let file = file.to_str().expect("a path");
    let examples = examples();
    for line in shown.out.lines() {
        let listed: Value = serde_json::from_str(line).expect("an object");
        let name = listed["name"].as_str().expect("a name");
        let (_, state, result) =
            examples.iter().find(|e| e.0 == name).unwrap_or_else(|| panic!("no example of {name}"));
        fs::write(file, state.to_string()).expect("written");
        let found = oddsmith(data.path(), &["eval", "--strategy", name, "--state", file]);
        assert_eq!(found.code, 0, "{name}: {found:?}");
        let found: Value = serde_json::from_str(&found.out).expect("an object");
        assert_eq!(&found, result, "{name}: {found:#}");
    }
}

#[test]
fn several_states_are_several_lines_and_a_bad_one_does_not_stop_the_others() {
    let data = tempfile::tempdir().expect("a folder");
    let file = data.path().join("states.jsonl");
    let (_, state, result) = examples().into_iter().find(|e| e.0 == "bands").expect("an example");
    let mut plain = state.clone();
    plain.as_object_mut().expect("an object").remove("parameters");
    let bad = json!({"time_ms": 1});
    fs::write(&file, format!("{state}\n{bad}\n[{plain}]\n")).expect("written");
    let found = oddsmith(data.path(), &["eval", "--strategy", "bands", "--state", file.to_str().expect("a path")]);
    assert_eq!(found.code, 2, "{found:?}");
    let lines: Vec<Value> = found.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], result);
    assert!(lines[1]["error"].as_str().is_some_and(|error| error.contains("collateral")), "{}", lines[1]);
    assert_ne!(lines[2]["markets"], result["markets"], "its parameters are gone with it");
}

#[test]
fn a_parameter_may_be_a_number_or_its_text() {
    let data = tempfile::tempdir().expect("a folder");
    let file = data.path().join("states.jsonl");
    let (_, state, _) = examples().into_iter().find(|e| e.0 == "imbalance").expect("an example");
    let forms = [json!({"size_usdc": "5", "threshold": 0.6}), json!({"size_usdc": 5, "threshold": "0.6"})];
    let states: String = forms
        .iter()
        .map(|parameters| {
            let mut state = state.clone();
            state["parameters"] = parameters.clone();
            format!("{state}\n")
        })
        .collect();
    fs::write(&file, states).expect("written");
    let found = oddsmith(data.path(), &["eval", "--strategy", "imbalance", "--state", file.to_str().expect("a path")]);
    assert_eq!(found.code, 0, "{found:?}");
    let lines: Vec<&str> = found.out.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1] && lines[0].contains(r#""size":"10""#), "{found:?}");
}

#[test]
fn the_originals_files_are_taken_as_they_are() {
    let data = tempfile::tempdir().expect("a folder");
    let amm = r#"{"p_min": 0.05, "p_max": 0.95, "spread": 0.01, "delta": 0.01, "depth": 0.1, "max_collateral": 200.0}"#;
    let bands = r#"{"bands": [
        {"minMargin": 0.01, "avgMargin": 0.01, "maxMargin": 0.02, "minAmount": 10.0, "avgAmount": 20.0, "maxAmount": 30.0},
        {"minMargin": 0.02, "avgMargin": 0.02, "maxMargin": 0.03, "minAmount": 10.0, "avgAmount": 20.0, "maxAmount": 30.0}],
        "active_tokens": ["A"], "vanilla_mode": true}"#;
    for (name, config) in [("amm", amm), ("bands", bands)] {
        let (_, mut state, _) = examples().into_iter().find(|e| e.0 == name).expect("an example");
        state.as_object_mut().expect("an object").remove("parameters");
        let (config_file, state_file) = (data.path().join("config.json"), data.path().join("state.json"));
        fs::write(&config_file, config).expect("written");
        fs::write(&state_file, state.to_string()).expect("written");
        let path = |file: &std::path::Path| file.to_str().expect("a path").to_owned();
        let (config_file, state_file) = (path(&config_file), path(&state_file));
        let found =
            oddsmith(data.path(), &["eval", "--strategy", name, "--config", &config_file, "--state", &state_file]);
        assert_eq!(found.code, 0, "{found:?}");
        let found: Value = serde_json::from_str(&found.out).expect("an object");
        assert_eq!(found["markets"][0]["mode"], "NORMAL", "{found:#}");
    }
}
