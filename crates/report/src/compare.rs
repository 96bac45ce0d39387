//! Two runs beside each other: live against its replay or paper, or two sets of parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use oddsmith_domain::Side;
use serde::Serialize;
use serde_json::Value;

use crate::chart::{Chart, Ink, Line, Marks, lasted};
use crate::html::{legend, moment, number, section, short, table, whole};
use crate::report::Report;
use crate::split::Split;

/// How many stretches of time a line is drawn from.
const STRETCHES: usize = 420;
/// How many markets have charts.
const CHARTS: usize = 6;
/// How many marks of a kind a chart has at most.
const MARKS: usize = 300;

/// A line's points.
type Points = Vec<(f64, f64)>;

/// A setting that the runs do not share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differing {
    /// Its dotted key.
    pub key: String,
    /// In the first run; `null` if it is not there.
    pub first: Value,
    /// In the second.
    pub second: Value,
}

/// A number of both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// What it is.
    pub name: String,
    /// In the first run; `None` if it is not defined.
    pub first: Option<f64>,
    /// In the second.
    pub second: Option<f64>,
}

/// Two runs beside each other.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The layout of this object.
    pub schema_version: u32,
    /// The runs.
    pub runs: [oddsmith_domain::RunId; 2],
    /// When each began, in seconds since the Unix epoch.
    pub began_s: [f64; 2],
    /// Whether they traded at the same time: then they are laid over each other by the clock, otherwise by the time since each began.
    pub by_clock: bool,
    /// Where their configurations differ.
    pub settings: Vec<Differing>,
    /// Where their profits came from.
    pub attribution: [Split; 2],
    /// Numbers of both.
    pub figures: Vec<Pair>,
    /// Fills that both made: of the same market, side, price and size, one to one.
    pub common_fills: usize,
}

impl Comparison {
    /// Compares two reports.
    #[must_use]
    pub fn new(first: &Report, second: &Report) -> Comparison {
        let both = [first, second];
        let ends = both.map(|report| report.began_s + report.span_s);
        let shared = ends[0].min(ends[1]) - first.began_s.max(second.began_s);
        Comparison {
            schema_version: 1,
            runs: both.map(|report| report.run),
            began_s: both.map(|report| report.began_s),
            by_clock: shared * 2.0 > first.span_s.min(second.span_s),
            settings: differing(&first.config, &second.config),
            attribution: both.map(|report| report.attribution.total),
            figures: figures(first, second),
            common_fills: common_fills(first, second),
        }
    }

    /// The page of the comparison of the reports that it was made of.
    #[must_use]
    pub fn page(&self, first: &Report, second: &Report) -> String {
        let mut out =
            format!("<h1>Runs {} and {}</h1>\n", short(&first.run.to_string()), short(&second.run.to_string()));
        let about = |report: &Report, place: &str| {
            vec![
                format!("{place}: {}", report.run),
                moment(report.began_s),
                lasted(report.span_s),
                report.identity.command.clone(),
            ]
        };
        out += &table(&["run", "began", "for", "command"], &[about(first, "first"), about(second, "second")]);
        let how = if self.by_clock {
            "They traded at the same time: lines are laid over each other by the clock."
        } else {
            "They did not trade at the same time: lines are laid over each other by the time since each began."
        };
        let _ = writeln!(out, "<p>{how}</p>");
        out += &legend(&names());
        self.profit(first, second, &mut out);
        self.markets(first, second, &mut out);
        section(&mut out, "Figures", "");
        let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
        let rows: Vec<Vec<String>> = self
            .figures
            .iter()
            .map(|pair| {
                let change = pair.first.zip(pair.second).map(|(a, b)| b - a);
                vec![pair.name.clone(), shown(pair.first), shown(pair.second), shown(change)]
            })
            .collect();
        out += &table(&["", "first", "second", "second less first"], &rows);
        self.differences(&mut out);
        whole(&format!("Runs {} and {}", short(&first.run.to_string()), short(&second.run.to_string())), &out)
    }

    /// Time as both are laid over each other.
    fn shift(&self, report: &Report, points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        let zero = if self.by_clock { 0.0 } else { report.began_s };
        points.into_iter().map(|(at, value)| (at - zero, value)).collect()
    }

    fn lines(&self, parts: [(&Report, Option<Points>); 2]) -> Chart {
        let lines = (0..).zip(parts).filter_map(|(n, (report, points))| {
            let until = self.shift(report, vec![(report.began_s + report.span_s, 0.0)]).first().map(|end| end.0);
            Some(Line { ink: Ink::Line(n), points: self.shift(report, points?), steps: true, until })
        });
        Chart { lines: lines.collect(), zero: true, elapsed: (!self.by_clock).then_some(0.0), ..Chart::default() }
    }

    fn profit(&self, first: &Report, second: &Report, out: &mut String) {
        section(out, "Profit", "In pUSD, realised and not.");
        let chart = self.lines([first, second].map(|report| (report, Some(report.equity.points(STRETCHES)))));
        *out += &chart.draw("Profit of both runs");
        let rows: Vec<Vec<String>> = self.attribution[0]
            .parts()
            .into_iter()
            .chain([("total", self.attribution[0].total)])
            .zip(self.attribution[1].parts().into_iter().chain([("total", self.attribution[1].total)]))
            .map(|((name, a), (_, b))| vec![name.to_owned(), a.to_string(), b.to_string(), (b - a).to_string()])
            .collect();
        *out += &table(&["", "first", "second", "second less first"], &rows);
    }

    fn markets(&self, first: &Report, second: &Report, out: &mut String) {
        section(
            out,
            "Fills and inventory",
            "Prices of YES; fills of the first point up, of the second down. Inventory is YES less NO.",
        );
        let _ = writeln!(out, "<p>{} fills are common to both.</p>", self.common_fills);
        let of = |report: &Report, slug: &str| report.markets.iter().position(|market| market.slug == slug);
        let slugs: BTreeSet<&str> =
            [first, second].iter().flat_map(|report| report.markets.iter().map(|market| &*market.slug)).collect();
        for slug in slugs.iter().take(CHARTS) {
            let _ = writeln!(out, "<h3>{}</h3>", crate::chart::escape(slug));
            let found = [first, second].map(|report| (report, of(report, slug).map(|at| &report.markets[at])));
            let mut prices =
                self.lines(found.map(|(report, market)| (report, market.map(|m| m.mids.points(STRETCHES)))));
            prices.zero = false;
            for (n, (report, market)) in (0..).zip(found) {
                let Some(market) = market else { continue };
                let own = report.fills.iter().filter(|fill| fill.market == market.market && !fill.undone);
                let points: Vec<_> = own.map(|fill| (fill.at_ns as f64 / 1e9, fill.price.to_f64())).collect();
                let every = points.len().div_ceil(MARKS).max(1);
                let points = self.shift(report, points.into_iter().step_by(every).collect());
                prices.marks.push(Marks { ink: Ink::Line(n), up: n == 0, points });
            }
            *out += &prices.draw("Mids and fills of both runs");
            let held = self.lines(found.map(|(report, market)| (report, market.map(|market| net(&market.inventory)))));
            if held.lines.iter().any(|line| !line.points.is_empty()) {
                *out += &held.draw("Inventory of both runs");
            }
        }
        if slugs.len() > CHARTS {
            let _ = writeln!(out, "<p>The first {CHARTS} of {} markets.</p>", slugs.len());
        }
    }

    fn differences(&self, out: &mut String) {
        section(out, "Settings that differ", "");
        if self.settings.is_empty() {
            *out += "<p class=\"none\">None: both ran with the same configuration of the engine.</p>\n";
            return;
        }
        let rows: Vec<Vec<String>> =
            self.settings.iter().map(|d| vec![d.key.clone(), d.first.to_string(), d.second.to_string()]).collect();
        *out += &table(&["setting", "first", "second"], &rows);
    }
}

fn names() -> [(String, Ink); 2] {
    [("first".to_owned(), Ink::Line(0)), ("second".to_owned(), Ink::Line(1))]
}

/// The inventories of all instances together: each keeps its value until it changes.
fn net(inventory: &[(String, crate::series::Series)]) -> Vec<(f64, f64)> {
    if let [(_, only)] = inventory {
        return only.points(STRETCHES);
    }
    let mut moves: Vec<(f64, usize, f64)> = Vec::new();
    for (n, (_, series)) in inventory.iter().enumerate() {
        moves.extend(series.points(STRETCHES).into_iter().map(|(at, value)| (at, n, value)));
    }
    moves.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut held = vec![0.0; inventory.len()];
    moves
        .into_iter()
        .map(|(at, n, value)| {
            held[n] = value;
            (at, held.iter().sum())
        })
        .collect()
}

/// The settings in which two configurations of the engine differ, by their dotted keys.
#[must_use]
pub fn differing(first: &Value, second: &Value) -> Vec<Differing> {
    let flat = |value| {
        let mut rows = BTreeMap::new();
        flatten("engine", value, &mut rows);
        rows
    };
    let (first, second) = (flat(first), flat(second));
    let keys: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    keys.into_iter()
        .filter(|key| first.get(*key) != second.get(*key))
        .map(|key| Differing {
            key: key.clone(),
            first: first.get(key).cloned().unwrap_or_default(),
            second: second.get(key).cloned().unwrap_or_default(),
        })
        .collect()
}

fn flatten(path: &str, value: &Value, rows: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, rows));
        }
        Value::Array(list) if !list.is_empty() => {
            list.iter().enumerate().for_each(|(index, value)| flatten(&format!("{path}.{index}"), value, rows));
        }
        leaf => drop(rows.insert(path.to_owned(), leaf.clone())),
    }
}

fn figures(first: &Report, second: &Report) -> Vec<Pair> {
    let plain = |report: &Report| -> Vec<(String, Option<f64>)> {
        let markout = |at: usize| report.markouts.first().and_then(|all| all.after[at].0).map(|value| value * 100.0);
        let mut rows = vec![
            ("orders".to_owned(), Some(report.orders.orders as f64)),
            ("fills".to_owned(), report.markouts.first().map(|all| all.fills as f64)),
            ("shares filled".to_owned(), Some(report.orders.filled.to_f64())),
            ("markout after 5 s, cents a share".to_owned(), markout(1)),
            ("markout after 30 s, cents a share".to_owned(), markout(2)),
        ];
        rows.extend(report.statistics.iter().map(|figure| (figure.name.clone(), figure.value)));
        rows
    };
    let (first, second) = (plain(first), plain(second));
    let find = |rows: &[(String, Option<f64>)], name: &str| rows.iter().find(|row| row.0 == name).and_then(|row| row.1);
    let new = second.iter().filter(|row| first.iter().all(|other| other.0 != row.0));
    let names: Vec<String> = first.iter().chain(new).map(|row| row.0.clone()).collect();
    names.into_iter().map(|name| Pair { first: find(&first, &name), second: find(&second, &name), name }).collect()
}

/// How many fills stand in both runs: the same market, side, price and size, each counted once.
fn common_fills(first: &Report, second: &Report) -> usize {
    let keys = |report: &Report| {
        let mut counts = BTreeMap::<(String, bool, u16, i64), usize>::new();
        for fill in report.fills.iter().filter(|fill| !fill.undone) {
            let key =
                (report.slug(fill.market).to_owned(), fill.side == Side::Buy, fill.price.units(), fill.size.micros());
            *counts.entry(key).or_default() += 1;
        }
        counts
    };
    let (first, second) = (keys(first), keys(second));
    first.iter().map(|(key, n)| *n.min(second.get(key).unwrap_or(&0))).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let (a, b) =
            (json!({"x": {"y": 1, "z": [1, 2]}, "same": true}), json!({"x": {"y": 2, "z": [1]}, "same": true}));
        let differing = |key: &str, first, second| Differing { key: key.to_owned(), first, second };
        let expected = [differing("engine.x.y", json!(1), json!(2)), differing("engine.x.z.1", json!(2), Value::Null)];
        assert_eq!(super::differing(&a, &b), expected);
        assert_eq!(super::differing(&a, &a), []);
    }

    #[test]
    fn inventories_of_several_instances_are_summed() {
        let mut lines = [crate::series::Series::default(), crate::series::Series::default()];
        lines[0].push(1.0, 5.0);
        lines[0].push(3.0, 7.0);
        lines[1].push(2.0, -4.0);
        let named: Vec<_> = lines.into_iter().map(|line| (String::new(), line)).collect();
        assert_eq!(net(&named), [(1.0, 5.0), (2.0, 1.0), (3.0, 3.0)]);
    }
}
