//! Which of file, environment and flags wins, asked of the real binary.

mod support;

use std::fs;

use support::{Ran, command, oddsmith};

const FILE: &str = "engine:
  instances:
    - name: one
      markets: ['*']
      strategy: { skewed_maker: {} }
  timing:
    debounce_ms: 11
    sync_interval_ms: 2000
    caution_ms: 7000
";

/// `config show` with one variable in the environment.
fn show(folder: &std::path::Path, variable: (&str, &str), arguments: &[&str]) -> Ran {
    let output =
        command(folder).args(["config", "show"]).args(arguments).env(variable.0, variable.1).output().expect("runs");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("my.yaml");
    fs::write(&file, FILE).expect("writes");
    let path = file.to_string_lossy().into_owned();
    let variable = ("ODDSMITH_ENGINE__TIMING__SYNC_INTERVAL_MS", "3000");
    let shown = show(folder.path(), variable, &[&path, "--set", "engine.timing.caution_ms=8000"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for line in ["debounce_ms: 11", "sync_interval_ms: 3000", "caution_ms: 8000", "reconcile_ms: 60000"] {
        assert!(shown.out.contains(line), "{line}: {shown:?}");
    }
    let both = show(folder.path(), variable, &[&path, "--set", "engine.timing.sync_interval_ms=4000"]);
    assert!(both.out.contains("sync_interval_ms: 4000"), "{both:?}");

    // What is shown is a configuration itself.
    let again = folder.path().join("again.yaml");
    fs::write(&again, &both.out).expect("writes");
    assert_eq!(oddsmith(folder.path(), &["config", "show", &again.to_string_lossy()]).out, both.out);
}

#[test]
fn a_mistake_is_named_with_its_place_and_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("my.yaml"), FILE.replace("debounce_ms", "debounse_ms")).expect("writes");
    for arguments in [&["config", "show", "my.yaml"][..], &["run", "my.yaml", "--for", "1s"]] {
        let told = oddsmith(folder.path(), arguments);
        assert_eq!(told.code, 2, "{told:?}");
        let wanted = "oddsmith: my.yaml:7:5: unknown key `engine.timing.debounse_ms`: did you mean `debounce_ms`?\n";
        assert_eq!((told.err.as_str(), told.out.as_str()), (wanted, ""));
    }
    let variable = ("ODDSMITH_ENGIN__TIMING__DEBOUNCE_MS", "5");
    let told = show(folder.path(), variable, &[]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.err.contains("ODDSMITH_ENGIN__TIMING__DEBOUNCE_MS: unknown key `engin`"), "{told:?}");
    assert!(!folder.path().join("runs").exists(), "nothing was begun");
}

#[test]
fn the_debounce_has_a_flag_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let default = oddsmith(folder.path(), &["config", "show"]);
    assert!(default.out.contains("debounce_ms: 100"), "{default:?}");
    let told = oddsmith(folder.path(), &["run", "--for", "1s", "--websocket-debounce-ms", "99999"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.err.contains("debounce_ms` is 99999") && told.err.contains("0 … 60000"), "{told:?}");
}
