//! The rules of the house that no compiler knows: what the rooms may depend on and name, and what no file may hold.
//!
//! Exceptions stand in [`ALLOWED`], each with its reason; one that is not needed any more fails too.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use support::{SourceFile, repository_files, root, rust_files};

/// The rooms in the order in which they may depend on each other: each only on those before it.
const ROOMS: [&str; 21] = [
    "domain",
    "book",
    "polymarket",
    "paper",
    "truth",
    "strategy",
    "risk",
    "execution",
    "engine",
    "journal",
    "tables",
    "recorder",
    "audit",
    "report",
    "net",
    "feeds",
    "store",
    "exchange",
    "backtest",
    "monitor",
    "app",
];

/// The rooms that must give the same result on every machine and at every time.
const PURE: [&str; 9] = ["domain", "book", "polymarket", "paper", "truth", "strategy", "risk", "execution", "engine"];

/// Words that a pure room does not name, and what they stand for.
const IMPURE: [(&str, &str); 45] = [
    ("Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("std::time", "a clock"),
    ("std::net", "a socket"),
    ("TcpStream", "a socket"),
    ("UdpSocket", "a socket"),
    ("tokio", "an async runtime"),
    ("async fn", "an async runtime"),
    ("std::fs", "a file"),
    ("std::io", "a file"),
    ("File::", "a file"),
    ("std::env", "the environment"),
    ("std::process", "a process"),
    ("std::thread", "a thread"),
    ("std::sync", "a lock or a shared counter"),
    ("rand::", "a random source"),
    ("getrandom", "a random source"),
    ("RandomState", "a hasher that is seeded at random"),
    ("HashMap", "a map in random order"),
    ("HashSet", "a set in random order"),
    ("IndexMap::new", "a map with a hasher that is seeded at random: give it a fixed one"),
    ("IndexSet::new", "a set with a hasher that is seeded at random: give it a fixed one"),
    (".ln(", "a platform float function"),
    (".ln_1p(", "a platform float function"),
    (".log(", "a platform float function"),
    (".log2(", "a platform float function"),
    (".log10(", "a platform float function"),
    (".exp(", "a platform float function"),
    (".exp2(", "a platform float function"),
    (".exp_m1(", "a platform float function"),
    (".powf(", "a platform float function"),
    (".powi(", "a platform float function"),
    (".sqrt(", "a platform float function"),
    (".cbrt(", "a platform float function"),
    (".hypot(", "a platform float function"),
    (".sin(", "a platform float function"),
    (".cos(", "a platform float function"),
    (".tan(", "a platform float function"),
    (".tanh(", "a platform float function"),
    ("f64::ln", "a platform float function"),
    ("f64::exp", "a platform float function"),
    ("f64::powf", "a platform float function"),
    ("f64::powi", "a platform float function"),
    ("f64::sqrt", "a platform float function"),
    (".mul_add(", "a platform float function"),
];

/// Words that stop the engine on outside input or stand for work that is not done.
const UNFINISHED: [(&str, &str); 4] = [
    (".unwrap()", "a panic without a reason"),
    ("todo!", "work that is not done"),
    ("unimplemented!", "work that is not done"),
    ("dbg!", "a debugging print"),
];

/// Exceptions: file, word, and why it is right there.
const ALLOWED: [(&str, &str, &str); 1] = [(
    "crates/domain/src/planted.rs",
    "std::sync",
    "the bugs that are planted for the simulation are switched on for a whole process; no other build has the file",
)];

#[test]
fn pure_rooms_name_nothing_outside_themselves() {
    let mut faults = Vec::new();
    let mut used = BTreeMap::new();
    for room in PURE {
        for file in rust_files(&root().join("crates").join(room).join("src")) {
            for (word, what) in IMPURE.iter().chain(&UNFINISHED) {
                for line in file.lines_naming(word) {
                    if ALLOWED.iter().any(|(path, allowed, _)| *path == file.path && allowed == word) {
                        *used.entry((file.path.clone(), *word)).or_insert(0) += 1;
                    } else {
                        faults.push(format!("{}:{line}: names `{word}`, {what}", file.path));
                    }
                }
            }
        }
    }
    for (path, word, reason) in ALLOWED {
        if !used.contains_key(&(path.to_owned(), word)) {
            faults.push(format!("the exception for `{word}` in {path} ({reason}) is not needed any more"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_moves_money_is_counted_in_integers() {
    let mut faults = Vec::new();
    for room in ["risk", "execution"] {
        for file in rust_files(&root().join("crates").join(room).join("src")) {
            for word in ["f64", "f32"] {
                faults
                    .extend(file.lines_naming(word).iter().map(|line| format!("{}:{line}: names `{word}`", file.path)));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_room_depends_only_on_rooms_before_it() {
    let mut faults = Vec::new();
    for (room, manifest) in manifests() {
        let Some(place) = ROOMS.iter().position(|name| *name == room) else {
            faults.push(format!("crates/{room} is no room of the design"));
            continue;
        };
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for name in dependencies.into_iter().flat_map(toml::Table::keys) {
            if let Some(other) = name.strip_prefix("oddsmith-")
                && ROOMS.iter().position(|name| *name == other).is_none_or(|at| at >= place)
            {
                faults.push(format!("crates/{room} depends on {other}, which does not come before it"));
            }
            if PURE.contains(&&*room) && ["tokio", "rand", "getrandom", "mio", "reqwest", "hyper"].contains(&&**name) {
                faults.push(format!("crates/{room} depends on {name}: a pure room has no I/O and no chance"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_exchange_is_not_linked_into_the_engine() {
    for (room, manifest) in manifests() {
        let depends = manifest.get("dependencies").and_then(|table| table.get("oddsmith-exchange")).is_some();
        assert!(!depends || ROOMS.iter().position(|r| *r == room) > ROOMS.iter().position(|r| *r == "exchange"));
    }
}

#[test]
fn every_source_file_says_first_what_it_is() {
    let mut faults = Vec::new();
    for (room, _) in manifests() {
        let files = rust_files(&root().join("crates").join(&room).join("src"));
        assert!(!files.is_empty(), "crates/{room} has no sources");
        for file in files {
            let first = file.text.lines().find(|line| !line.starts_with("#!["));
            if !first.is_some_and(|line| line.starts_with("//! ")) {
                faults.push(format!("{}: does not begin with a doc paragraph (`//! …`)", file.path));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_room_shares_the_lints() {
    for (room, manifest) in manifests() {
        let shared = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(shared, Some(true), "crates/{room}/Cargo.toml lacks `[lints] workspace = true`");
    }
}

#[test]
fn unsafe_code_stands_in_one_module_only() {
    let places: Vec<String> = manifests()
        .keys()
        .flat_map(|room| rust_files(&root().join("crates").join(room).join("src")))
        .filter(|file| !file.lines_naming("unsafe {").is_empty() || !file.lines_naming("unsafe fn").is_empty())
        .map(|file| file.path)
        .collect();
    assert_eq!(places, ["crates/journal/src/map.rs"]);
}

#[test]
fn no_file_names_a_machine() {
    // Written in pieces, so that this file does not name what it looks for.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
        concat!("C:", "\\\\"),
    ];
    let mut faults = Vec::new();
    for (path, text) in repository_files() {
        for (number, line) in text.lines().enumerate() {
            for word in words {
                if line.contains(word) {
                    faults.push(format!("{path}:{}: names `{word}`", number + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_checker_sees_code_and_nothing_else() {
    let text = r##"
//! Instant in a comment
fn a<'a>(x: &'a str) -> char { /* HashMap /* nested */ HashMap */ let s = "Instant"; let r = r#"HashMap"#; '"' }
fn b() { let c = '\''; HashMap::new() }
#[cfg(test)]
mod tests { fn c() { Instant::now(); } }
fn d() { x.unwrap() }
"##;
    let file = SourceFile::new("sample.rs".to_owned(), text.to_owned());
    assert_eq!(file.lines_naming("HashMap"), [4]);
    assert_eq!(file.lines_naming("Instant"), [0usize; 0]);
    assert_eq!(file.lines_naming(".unwrap()"), [7]);
    // Words count whole: a longer name is another name.
    let longer = SourceFile::new("sample.rs".to_owned(), "struct InstantOffer; struct NoInstant;".to_owned());
    assert_eq!(longer.lines_naming("Instant"), [0usize; 0]);
}

fn manifests() -> BTreeMap<String, toml::Table> {
    let mut manifests = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).expect("the crates folder") {
        let folder = entry.expect("an entry").path();
        if let Some(manifest) = read_manifest(&folder.join("Cargo.toml")) {
            manifests.insert(folder.file_name().expect("a name").to_string_lossy().into_owned(), manifest);
        }
    }
    manifests
}

fn read_manifest(path: &Path) -> Option<toml::Table> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
