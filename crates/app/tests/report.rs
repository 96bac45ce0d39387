//! `oddsmith report`, `compare` and `calibrate` on real runs, and on what is none.

mod support;

use std::fs;
use std::path::Path;

use oddsmith_domain::Usdc;
use serde_json::Value;
use support::live::{Live, figure};
use support::{Data, Ran, oddsmith};

/// The fills by the last status table.
fn filled(said: &str) -> u64 {
    let (_, rest) = said.rsplit_once("fills: ").unwrap_or_default();
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A run on the built-in exchange with some fills.
fn run(data: &Data, fills: u64) -> String {
    let live = Live::start(data.path(), &["--set", "exchange.seed=5"]);
    live.wait_for("fills", |said| filled(said) >= fills);
    live.interrupt();
    let (code, said) = live.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("oddsmith report "), "{said}");
    said
}

fn object(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

fn amount(value: &Value) -> Usdc {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no amount"))
}

/// The sum of a split's parts.
fn parts(split: &Value) -> Usdc {
    let parts = split.as_object().expect("a split").iter().filter(|(name, _)| *name != "total");
    parts.map(|(_, value)| amount(value)).sum()
}

/// Whether every element is closed where it should be, and what the page would load from elsewhere.
fn check(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.len() < 3 << 20, "{} bytes", page.len());
    for word in ["http://", "https://", "//cdn", "url(", "@import", "src=", "<script", "<link", "<iframe"] {
        assert!(!page.contains(word), "{word}");
    }
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("`<{piece}` is not closed"));
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
        if tag.starts_with('!') || tag.ends_with('/') || name == "meta" {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_report_sums_to_the_ledger_and_its_page_needs_nothing_else() {
    let data = support::data();
    let said = run(&data, 6);
    let report = object(&oddsmith(data.path(), &["report", "latest", "--json"]));
    let audit = object(&oddsmith(data.path(), &["audit", "latest", "--json"]));
    let total = &report["attribution"]["total"];
    assert_eq!(parts(total), amount(&total["total"]), "{total}");
    let lines = report["attribution"]["lines"].as_array().expect("lines");
    let sum: Usdc = lines.iter().map(|line| amount(&line["split"]["total"])).sum();
    assert_eq!(sum, amount(&total["total"]));
    assert!(lines.iter().all(|line| parts(&line["split"]) == amount(&line["split"]["total"])), "{lines:?}");
    assert_eq!(-amount(&total["fees"]), amount(&audit["totals"]["fees"]));
    assert_eq!(report["orders"]["orders"], audit["totals"]["orders"]);
    // What the run itself said at its end, to the cent in which it said it.
    let words = |name: &str| {
        let (_, rest) = said.rsplit_once(name).expect(name);
        rest.trim_start().split([',', ' ', ';']).next().expect("a number").parse::<f64>().expect("a number")
    };
    let stated = words("; realised ") + words(", unrealised ");
    assert!((stated - amount(&total["total"]).to_f64()).abs() < 0.02, "{stated} {total}");
    let fills = report["markouts"][0]["fills"].as_u64().expect("a number");
    assert_eq!(Some(fills), audit["totals"]["fills"].as_u64());

    let ran = oddsmith(data.path(), &["report"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let page = fs::read_to_string(ran.out.trim()).expect("the page");
    check(&page);
    for part in [
        "prefers-color-scheme: dark",
        "they agree",
        "<svg",
        "Markouts",
        "Quote uptime",
        "states a probability",
        "n</th>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let to = data.path().join("tables");
    assert_eq!(oddsmith(data.path(), &["report", "latest", "--csv", &to.to_string_lossy()]).code, 0);
    let rows = |name: &str| fs::read_to_string(to.join(name)).expect(name).lines().count() as u64 - 1;
    assert_eq!((rows("fills.csv"), rows("attribution.csv")), (fills, lines.len() as u64));
    let log = fs::read_to_string(to.join("fills.csv")).expect("a table");
    let head: Vec<&str> = log.lines().next().expect("a head").split(',').collect();
    assert!(head.contains(&"inventory_after"), "{log}");
    let mut tokens = std::collections::BTreeSet::new();
    for row in log.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>()) {
        let field = |name: &str| row[head.iter().position(|column| *column == name).expect("a column")];
        let number = |name: &str| field(name).parse::<f64>().expect("a number");
        // Price and size are those of the token that changed hands.
        assert!((number("price") * number("size") - number("notional")).abs() < 2e-6, "{row:?}");
        tokens.insert(field("token").to_owned());
    }
    assert!(!tokens.is_empty(), "{log}");
    // The orders are what a calibration takes in.
    let orders = to.join("orders.csv").to_string_lossy().into_owned();
    let found = object(&oddsmith(data.path(), &["calibrate", "--outcomes", &orders, "--json"]));
    assert_eq!(found["orders"].as_u64(), Some(rows("orders.csv")));
}

#[test]
fn two_runs_are_laid_over_each_other() {
    let data = support::data();
    run(&data, 2);
    let live = Live::start(data.path(), &["--set", "exchange.seed=6", "--set", "engine.timing.debounce_ms=77"]);
    live.wait_for("order", |said| figure(said, " sent,") > 0);
    live.interrupt();
    assert_eq!(live.end().0, 0);
    let ls = oddsmith(data.path(), &["journal", "ls"]);
    let ids: Vec<&str> = ls.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let [first, second] = ids[..] else { panic!("{ls:?}") };
    let found = object(&oddsmith(data.path(), &["compare", first, second, "--json"]));
    let keys: Vec<&str> =
        found["settings"].as_array().expect("settings").iter().filter_map(|row| row["key"].as_str()).collect();
    assert_eq!(keys, ["engine.timing.debounce_ms"]);
    assert_eq!(found["by_clock"], false);
    let ran = oddsmith(data.path(), &["compare", first, second, "--out", "-"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    check(&ran.out);
    let same = object(&oddsmith(data.path(), &["compare", first, first, "--json"]));
    assert_eq!((same["settings"].as_array().map(Vec::len), &same["by_clock"]), (Some(0), &Value::Bool(true)));
    assert_eq!(same["attribution"][0], same["attribution"][1]);
    assert!(same["common_fills"].as_u64() >= Some(2), "{same}");
}

#[test]
fn what_is_no_run_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, empty, garbage) = (folder.path(), folder.path().join("empty"), folder.path().join("garbage"));
    fs::create_dir_all(&empty).expect("made");
    fs::create_dir_all(&garbage).expect("made");
    fs::write(garbage.join("00000000.segment"), vec![7u8; 100_000]).expect("written");
    let path = |path: &Path| path.to_string_lossy().into_owned();
    for command in ["report", "calibrate"] {
        for (run, code) in [("latest".to_owned(), 2), ("nothing".to_owned(), 2), (path(&empty), 2)] {
            let ran = oddsmith(data, &[command, &run]);
            assert_eq!(ran.code, code, "{command} {run}: {ran:?}");
            assert!(ran.err.starts_with("oddsmith: ") && ran.out.is_empty(), "{ran:?}");
        }
        let ran = oddsmith(data, &[command, &path(&garbage)]);
        assert!(matches!(ran.code, 1 | 2) && ran.err.contains("garbage"), "{ran:?}");
        assert!(!ran.err.contains("panicked"), "{ran:?}");
    }
    assert_eq!(oddsmith(data, &["calibrate"]).code, 2);
    let file = folder.path().join("outcomes.csv");
    fs::write(&file, "placed_ms,ended_ms,queue_ahead,filled,result\n1,2,3,0,cancelled\n1,2,many,0,cancelled\n")
        .expect("written");
    let ran = oddsmith(data, &["calibrate", "--outcomes", &path(&file)]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("line 3") && ran.err.contains("queue_ahead"), "{ran:?}");
}
