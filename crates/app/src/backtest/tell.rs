//! What is said of a backtest: always under all three assumptions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use oddsmith_backtest::tape::Catalogued;
use oddsmith_backtest::trial::{Assumption, Measured, Stretch, bootstrap};
use oddsmith_domain::{Time, Usdc};
use serde_json::{Map, Value, json};

use super::plan::{Cell, Plan};
use super::store::{Session, Store};
use super::{Effort, Results};
use crate::data::DataDir;
use crate::failure::Failure;

/// The seed of the drawing of markets.
const DRAWING: u64 = 1;

/// Prints data.
pub fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

/// A stretch of time for people.
pub fn when(stretch: Stretch) -> String {
    let seconds = stretch.length_ns() as f64 / Time::SECOND as f64;
    format!("{} for {seconds:.3} s", crate::time::utc(stretch.from_ns))
}

/// What is done with each file, and what the recordings cover.
pub fn beginning(plan: &Plan) -> String {
    let mut out = String::new();
    let mut left: BTreeMap<&str, Vec<&Catalogued>> = BTreeMap::new();
    for file in &plan.files {
        match file.form {
            Some(_) => out += &format!("read     {}: {}\n", file.path.display(), file.why),
            None => left.entry(file.why.as_str()).or_default().push(file),
        }
    }
    for (why, files) in left {
        for file in files.iter().take(3) {
            out += &format!("left out {}: {why}\n", file.path.display());
        }
        if files.len() > 3 {
            out += &format!("left out {} more like these: {why}\n", files.len() - 3);
        }
    }
    for (strategy, why) in &plan.left_out {
        out += &format!("left out strategy {strategy}: it {why}\n");
    }
    let survey = &plan.survey;
    let counts = &survey.counts;
    let in_scope = survey.markets.iter().filter(|market| market.in_scope).count();
    out += &format!(
        "{} entries of {} markets ({in_scope} in scope, {} with one token only), {} sessions, {} holes, {} too short\n",
        counts.entries,
        survey.markets.len(),
        survey.half_markets,
        survey.sessions.len(),
        survey.holes.len(),
        survey.too_short,
    );
    out += &format!(
        "{} lifted in time (by {:.3} s at most), {} without a time, {} before their book was known, {} other\n",
        counts.lifted,
        counts.lifted_most_ns as f64 / Time::SECOND as f64,
        counts.untimed,
        counts.unproven + counts.dropped,
        counts.others,
    );
    for (what, index) in [("tick", 0), ("smallest order", 1), ("fee", 2)] {
        let unknown = survey.markets.iter().filter(|market| market.in_scope && !market.known[index]).count();
        if unknown > 0 {
            let then = [
                "nobody quotes there (--assume-tick)",
                "nobody quotes there (--assume-min-size)",
                "nobody takes there (--assume-fee)",
            ];
            out += &format!("{unknown} markets without a known {what}: {}\n", then[index]);
        }
    }
    let assumed = survey.markets.iter().filter(|m| m.assumed.tick || m.assumed.min_size || m.assumed.fee).count();
    if assumed > 0 {
        out += &format!("{assumed} markets with facts that were assumed\n");
    }
    out
}

/// The results, for people.
pub fn ending(plan: &Plan, results: &Results, store: &Store, effort: &Effort, data: &DataDir) -> String {
    let mut out = String::new();
    for (at, cell) in plan.cells.iter().enumerate() {
        out += &format!("\n{}\n", cell.name());
        if plan.windows.is_empty() {
            out += &bracket(&totals(results, at, None));
            out += &runs(results, at, data);
        }
    }
    if !plan.windows.is_empty() {
        out += &walked(plan, results);
    }
    let rate = effort.entries as f64 / effort.seconds.max(1e-9);
    out += &format!(
        "\n{} jobs ({} from earlier) in {:.1} s, {rate:.0} entries/s\nidentity {}\nresults  {}\n",
        effort.jobs,
        effort.reused,
        effort.seconds,
        plan.identity.id,
        store.dir().display()
    );
    if plan.windows.is_empty() {
        out += &format!("report   {}\n", store.dir().join(super::overview::PAGE).display());
    }
    out
}

/// What a cell came to under each assumption; of one stretch, or of all.
pub fn totals(results: &Results, cell: usize, only: Option<Stretch>) -> Vec<(Assumption, Measured)> {
    let total = |assumption: Assumption| {
        let mut total = Measured::default();
        let sessions = sessions(results, cell, assumption);
        sessions.filter(|s| only.is_none_or(|only| s.stretch() == only)).for_each(|s| total.add(&s.measured));
        (assumption, total)
    };
    Assumption::ALL.map(total).to_vec()
}

/// Every session of a cell under an assumption.
fn sessions(results: &Results, cell: usize, assumption: Assumption) -> impl Iterator<Item = &Session> {
    results.get(&(cell, assumption)).into_iter().flat_map(|outcome| &outcome.sessions)
}

fn bracket(totals: &[(Assumption, Measured)]) -> String {
    let mut out = format!(
        "  {:<12}{:>14}{:>14}{:>11}{:>8}{:>7}{:>9}{:>12}{:>12}\n",
        "", "profit $", "unrealized $", "fees $", "fills", "taken", "orders", "drawdown $", "5 s c/share"
    );
    for (assumption, total) in totals {
        let _ = writeln!(
            out,
            "  {:<12}{:>14}{:>14}{:>11}{:>8}{:>7}{:>9}{:>12}{:>12}",
            assumption.name(),
            cents(total.profit.total()),
            cents(total.profit.unrealized),
            cents(total.profit.fees),
            total.profit.fills,
            total.taken,
            total.orders,
            cents(total.curve.drawdown),
            per_share(total, 1).map_or_else(|| "-".to_owned(), |cents| format!("{cents:.2}")),
        );
    }
    for (assumption, total) in totals {
        let split = &total.split;
        let parts: Vec<String> = split
            .parts()
            .iter()
            .filter(|(_, amount)| !amount.is_zero())
            .map(|(name, amount)| format!("{name} {}", cents(*amount)))
            .collect();
        if !parts.is_empty() {
            let _ = writeln!(out, "  {:<12}{}", assumption.name(), parts.join(", "));
        }
    }
    for (assumption, total) in totals {
        let n = traded(total).len();
        let won =
            hit_rate(total).map_or_else(String::new, |rate| format!(", {:.0} % of them with profit", rate * 100.0));
        let _ = match interval(total) {
            Some(interval) => writeln!(
                out,
                "  {:<12}{n} markets traded{won}; with others of their kind {:.2} … {:.2} (95 %), a loss in {:.0} %",
                assumption.name(),
                interval.low,
                interval.high,
                interval.losing * 100.0
            ),
            None => {
                writeln!(out, "  {:<12}{n} markets traded{won}: too few to say how sure this is", assumption.name())
            }
        };
    }
    out
}

/// The profits of the markets in which there was a fill: the others teach nothing.
pub fn traded(total: &Measured) -> Vec<f64> {
    total.markets.values().filter(|profit| profit.fills > 0).map(|profit| profit.total().to_f64()).collect()
}

/// The share of the traded markets that earned something.
pub fn hit_rate(total: &Measured) -> Option<f64> {
    let profits = traded(total);
    let won = profits.iter().filter(|profit| **profit > 0.0).count();
    (!profits.is_empty()).then(|| won as f64 / profits.len() as f64)
}

pub fn interval(total: &Measured) -> Option<oddsmith_backtest::trial::Interval> {
    bootstrap(&traded(total), DRAWING)
}

fn cents(amount: Usdc) -> String {
    format!("{:.2}", amount.to_f64())
}

/// A markout in cents a share.
fn per_share(total: &Measured, horizon: usize) -> Option<f64> {
    let markout = total.markouts.get(horizon).filter(|markout| markout.shares.is_positive())?;
    Some(markout.usdc.to_f64() * 100.0 / markout.shares.to_f64())
}

fn runs(results: &Results, cell: usize, data: &DataDir) -> String {
    let mut out = String::new();
    for assumption in Assumption::ALL {
        let sessions: Vec<&Session> = sessions(results, cell, assumption).collect();
        let runs: Vec<&str> = sessions.iter().filter_map(|session| session.run.as_deref()).collect();
        for run in runs.iter().take(3) {
            out += &format!("  {:<12}journal {}\n", assumption.name(), data.runs_dir().join(run).display());
        }
        if runs.len() > 3 {
            out += &format!("  {:<12}and {} more journals of its sessions\n", assumption.name(), runs.len() - 3);
        }
    }
    out
}

/// The best cell of each training by its pessimistic profit, and how it did afterwards.
fn choices(plan: &Plan, results: &Results) -> Vec<(usize, usize)> {
    let worst = |cell: usize, window: &oddsmith_backtest::sweep::Window| {
        let totals = totals(results, cell, Some(window.train));
        totals.first().map_or(Usdc::ZERO, |(_, total)| total.profit.total())
    };
    let best = |window| (0..plan.cells.len()).max_by_key(|cell| (worst(*cell, window), std::cmp::Reverse(*cell)));
    plan.windows.iter().enumerate().filter_map(|(at, window)| Some((at, best(window)?))).collect()
}

/// The tests of a walk forward, one after the other, each with the values chosen right before it.
fn walked_totals(plan: &Plan, results: &Results) -> Vec<(Assumption, Measured)> {
    let mut all: Vec<(Assumption, Measured)> = Assumption::ALL.map(|a| (a, Measured::default())).to_vec();
    for (window, cell) in choices(plan, results) {
        let Some(window) = plan.windows.get(window) else { continue };
        for ((_, sum), (_, test)) in all.iter_mut().zip(totals(results, cell, Some(window.test))) {
            sum.add(&test);
        }
    }
    all
}

fn walked(plan: &Plan, results: &Results) -> String {
    let mut out = String::from(
        "\nwalk forward: the best pessimistic profit of each training, and what it came to right behind it\n",
    );
    for (at, cell) in choices(plan, results) {
        let (Some(window), Some(chosen)) = (plan.windows.get(at), plan.cells.get(cell)) else { continue };
        let profits = |stretch| {
            let totals = totals(results, cell, Some(stretch));
            totals.iter().map(|(_, total)| cents(total.profit.total())).collect::<Vec<_>>().join(" / ")
        };
        let _ = writeln!(
            out,
            "  {}: {}; training {}, test {}",
            when(window.test),
            chosen.name(),
            profits(window.train),
            profits(window.test)
        );
    }
    out + "tests together\n" + &bracket(&walked_totals(plan, results))
}

/// Everything, for machines.
pub fn json(plan: &Plan, results: &Results, store: &Store, effort: &Effort) -> String {
    let cells: Vec<Value> = plan.cells.iter().enumerate().map(|(at, cell)| told(cell, results, at)).collect();
    let mut out = head(plan);
    out.insert("cells".to_owned(), json!(cells));
    if !plan.windows.is_empty() {
        let chosen: Vec<Value> = choices(plan, results)
            .iter()
            .filter_map(|(at, cell)| {
                Some(json!({ "window": plan.windows.get(*at)?, "chosen": plan.cells.get(*cell)?.name() }))
            })
            .collect();
        let tests = under(&walked_totals(plan, results), |_| Vec::new());
        out.insert("walk_forward".to_owned(), json!({ "windows": chosen, "tests": tests }));
    }
    let rate = effort.entries as f64 / effort.seconds.max(1e-9);
    out.insert(
        "effort".to_owned(),
        json!({ "jobs": effort.jobs, "reused": effort.reused, "seconds": effort.seconds, "entries": effort.entries,
            "entries_per_s": rate, "results": store.dir() }),
    );
    format!("{}\n", Value::Object(out))
}

/// What is said when holes stand in the way.
pub fn json_of_refusal(plan: &Plan) -> String {
    format!("{}\n", Value::Object(head(plan)))
}

fn head(plan: &Plan) -> Map<String, Value> {
    let assumptions: BTreeMap<&str, &str> = Assumption::ALL.iter().map(|a| (a.name(), a.words())).collect();
    let left_out: BTreeMap<&String, &String> = plan.left_out.iter().map(|(name, why)| (name, why)).collect();
    let head = json!({
        "identity": plan.identity,
        "files": plan.files,
        "strategies_left_out": left_out,
        "survey": plan.survey,
        "assumed": plan.material.assumptions,
        "brackets": assumptions,
    });
    match head {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn told(cell: &Cell, results: &Results, at: usize) -> Value {
    let each = |assumption: Assumption| -> Vec<Value> {
        sessions(results, at, assumption)
            .map(|s| json!({ "from_ns": s.from_ns, "to_ns": s.to_ns, "run": s.run, "profit": s.measured.profit }))
            .collect()
    };
    let label: BTreeMap<&String, &String> = cell.label.iter().map(|(key, value)| (key, value)).collect();
    json!({ "label": label, "results": under(&totals(results, at, None), each) })
}

fn under(totals: &[(Assumption, Measured)], sessions: impl Fn(Assumption) -> Vec<Value>) -> Value {
    let mut out = Map::new();
    for (assumption, total) in totals {
        let profit = total.profit.total();
        out.insert(
            assumption.name().to_owned(),
            json!({
                "profit": profit,
                "unrealized_share": share(total.profit.unrealized, profit),
                "measured": total,
                "markets_traded": traded(total).len(),
                "hit_rate": hit_rate(total),
                "bootstrap_by_market": interval(total),
                "sessions": sessions(*assumption),
            }),
        );
    }
    Value::Object(out)
}

/// How much of a profit is not realised; nothing when there is no profit to be divided.
fn share(unrealized: Usdc, profit: Usdc) -> Option<f64> {
    (!profit.is_zero()).then(|| unrealized.to_f64() / profit.to_f64())
}
