//! What a backtest leaves for people to read: a page over all trials, a page for each of them, and the same as JSON and tables.

use std::path::Path;

use oddsmith_backtest::trial::{Assumption, Measured, Stretch};
use oddsmith_domain::Time;
use oddsmith_paper::latency::LatencyModel;
use oddsmith_report::overview::{After, Interval, Outcome, Overview, Range, Source, Trial};
use oddsmith_report::{Identity, Record, Report, page};

use super::plan::{Cell, Plan};
use super::store::{Done, Store};
use super::{Results, identity, tell};
use crate::failure::Failure;

/// The page over all trials, in the folder of the results.
pub const PAGE: &str = "overview.html";
/// How many points a line of the overview has.
const POINTS: usize = 200;
/// How many markets are named in a sentence.
const NAMED: usize = 5;

/// Makes the page of a trial, and notes what the overview says of it.
///
/// # Errors
/// [`Failure`] when it cannot be written.
pub fn page_of(
    cell: &Cell,
    assumption: Assumption,
    record: Record,
    store: &Store,
    done: &mut Done,
) -> Result<(), Failure> {
    let identity = Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: format!("Backtest of {}, {}", cell.title(), assumption.name()),
        venue: Some(format!("on paper: {}", assumption.words())),
        chain: Vec::new(),
    };
    let report = Report::new(record, identity);
    let name = Path::new("pages").join(format!("{}-{}.html", file_name(&cell.name()), assumption.name()));
    store.write(&name, &page(&report))?;
    let points = report.equity.points(POINTS).into_iter();
    done.equity = points.map(|(at, profit)| (at - report.began_s, profit)).collect();
    done.mostly = report.wishes.iter().max_by(|a, b| a.share.total_cmp(&b.share)).map(|wish| {
        format!(
            "{:.0} % of the time it wanted to {} ({})",
            100.0 * wish.share,
            verb(&wish.mode),
            wish.reasons.join(", ")
        )
    });
    done.page = Some(name);
    Ok(())
}

fn verb(mode: &str) -> &str {
    if mode == "stop" { "have no order" } else { "quote" }
}

/// A configuration's name as a file may have it.
fn file_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).take(48).collect();
    format!("{plain}-{}", identity::short(name).chars().take(8).collect::<String>())
}

/// Writes the overview beside the results. A walk forward has none: what it says is its sequence of choices.
///
/// # Errors
/// [`Failure`] when it cannot be written.
pub fn write(plan: &Plan, results: &Results, store: &Store) -> Result<(), Failure> {
    if !plan.windows.is_empty() {
        return Ok(());
    }
    let overview = overview(plan, results);
    store.write(Path::new(PAGE), &overview.page())?;
    let json = serde_json::to_string(&overview).map_err(|error| Failure::Running(error.to_string()))?;
    store.write(Path::new("overview.json"), &(json + "\n"))?;
    overview.tables().iter().try_for_each(|(name, text)| store.write(Path::new(name), text))
}

fn overview(plan: &Plan, results: &Results) -> Overview {
    let hash_of = |path: &Path| plan.identity.inputs.iter().find(|input| input.path == path).map(|i| i.sha256.clone());
    let source = |file: &oddsmith_backtest::tape::Catalogued| Source {
        path: file.path.display().to_string(),
        what: file.why.clone(),
        sha256: hash_of(&file.path),
    };
    let (recordings, left_out) = plan.files.iter().partition::<Vec<_>, _>(|file| file.form.is_some());
    Overview {
        schema_version: 1,
        identity: vec![
            ("program, version".to_owned(), plan.identity.version.to_owned()),
            ("program, SHA-256".to_owned(), plan.identity.program.clone()),
            ("everything asked for, SHA-256".to_owned(), plan.identity.config.clone()),
            ("this result, SHA-256".to_owned(), plan.identity.id.clone()),
        ],
        recordings: recordings.into_iter().map(source).collect(),
        left_out: left_out.into_iter().map(source).collect(),
        assumed: assumed(plan),
        brackets: Assumption::ALL.map(|a| (a.name().to_owned(), a.words().to_owned())).to_vec(),
        sessions: plan.survey.sessions.iter().map(|session| interval(None, *session, "")).collect(),
        holes: plan
            .survey
            .holes
            .iter()
            .map(|hole| interval(Some(&hole.market), hole.stretch, hole.evidence.words()))
            .collect(),
        notes: notes(plan, results),
        trials: plan.cells.iter().enumerate().map(|(at, cell)| trial(cell, at, results)).collect(),
    }
}

fn interval(market: Option<&str>, stretch: Stretch, what: &str) -> Interval {
    let seconds = |ns: u64| ns as f64 / Time::SECOND as f64;
    Interval {
        market: market.map(str::to_owned),
        from_s: seconds(stretch.from_ns),
        span_s: seconds(stretch.length_ns()),
        what: what.to_owned(),
    }
}

fn trial(cell: &Cell, at: usize, results: &Results) -> Trial {
    let outcomes = tell::totals(results, at, None).into_iter().map(|(assumption, total)| {
        let told = results.get(&(at, assumption));
        let page = told.and_then(|told| told.page.as_ref()).map(|page| page.display().to_string());
        outcome(assumption, &total, page, told.map(|told| told.equity.clone()).unwrap_or_default())
    });
    Trial { name: cell.title(), outcomes: outcomes.collect() }
}

fn outcome(assumption: Assumption, total: &Measured, page: Option<String>, equity: Vec<(f64, f64)>) -> Outcome {
    let after = |markout: &oddsmith_backtest::trial::Markout| After {
        seconds: markout.seconds,
        fills: markout.fills,
        usdc_per_share: markout.shares.is_positive().then(|| markout.usdc.to_f64() / markout.shares.to_f64()),
    };
    Outcome {
        assumption: assumption.name().to_owned(),
        page,
        orders: total.orders,
        canceled: total.canceled,
        refused: total.refused,
        fills: total.profit.fills,
        taken: total.taken,
        undone: total.undone,
        shares: total.shares,
        split: total.split,
        realized: total.profit.realized,
        unrealized: total.profit.unrealized,
        drawdown: total.curve.drawdown,
        after: total.markouts.iter().map(after).collect(),
        traded: tell::traded(total).len(),
        hit_rate: tell::hit_rate(total),
        range: tell::interval(total).map(|range| Range { low: range.low, high: range.high, losing: range.losing }),
        markets: total.markets.iter().map(|(name, profit)| (name.clone(), profit.total(), profit.fills)).collect(),
        equity,
    }
}

/// What was taken for true, in sentences.
fn assumed(plan: &Plan) -> Vec<String> {
    let (paper, survey) = (&plan.paper, &plan.survey);
    let ms = |ns: i64| ns as f64 / 1e6;
    let latency = match &paper.latency {
        LatencyModel::Constant { entry_ns, response_ns } => {
            format!("{} ms to the venue and {} ms back", ms(*entry_ns), ms(*response_ns))
        }
        LatencyModel::Measured(_) => "as measured, from a file".to_owned(),
        LatencyModel::FeedScaled { entry: (factor, extra), .. } => {
            format!("{factor} times what the last market frame took, and {} ms more, each way", extra / 1e6)
        }
    };
    let mut out = vec![
        format!("Each session begins with {} pUSD, and with nothing else.", paper.collateral),
        format!(
            "Requests take {latency}, as configured; market frames have been under way for {} ms.",
            paper.feed_ns as f64 / 1e6
        ),
        "Our orders move nobody else, and nobody reacts to them; rate limits of the venue are not modelled.".to_owned(),
        format!(
            "A session ends where nothing at all came for {} s; what is held then is valued at the last mid, and no profit yet.",
            plan.material.limits.silence_ns / Time::SECOND
        ),
    ];
    let facts = &plan.material.assumptions;
    let named = |of: &dyn Fn(&oddsmith_backtest::tape::Assumed) -> bool| -> Option<String> {
        let all: Vec<&str> =
            survey.markets.iter().filter(|m| m.in_scope && of(&m.assumed)).map(|m| m.slug.as_str()).collect();
        let more = if all.len() > NAMED { ", …" } else { "" };
        let first: Vec<&str> = all.iter().take(NAMED).copied().collect();
        (!all.is_empty())
            .then(|| format!("{} of {} markets ({}{more})", all.len(), survey.markets.len(), first.join(", ")))
    };
    if let Some((tick, markets)) = facts.tick.zip(named(&|a| a.tick)) {
        out.push(format!("The price grid of {markets} is taken to be {}.", tick.as_str()));
    }
    if let Some((size, markets)) = facts.min_size.zip(named(&|a| a.min_size)) {
        out.push(format!("The smallest order in {markets} is taken to be {size} shares."));
    }
    if let Some((fee, markets)) = facts.fee.zip(named(&|a| a.fee)) {
        let rate = f64::from(fee.rate_micro()) / 1e6;
        out.push(format!("Takers in {markets} are taken to pay by the rate {rate}; makers nothing."));
    }
    if facts.taker_delay_ms > 0 {
        out.push(format!("Marketable orders wait {} ms where no card says it.", facts.taker_delay_ms));
    }
    out
}

/// What keeps results from saying more than they do.
fn notes(plan: &Plan, results: &Results) -> Vec<String> {
    let mut out: Vec<String> =
        plan.left_out.iter().map(|(strategy, why)| format!("{strategy} was not run: it {why}.")).collect();
    for (at, cell) in plan.cells.iter().enumerate() {
        if tell::totals(results, at, None).iter().all(|(_, total)| total.orders == 0) {
            let mostly = results.get(&(at, Assumption::Realistic)).and_then(|told| told.mostly.as_deref());
            let mostly = mostly.map_or_else(|| "nothing is known of it".to_owned(), str::to_owned);
            out.push(format!("{} placed no order: {mostly}.", cell.title()));
        }
    }
    let survey = &plan.survey;
    for (index, what, then) in [(0, "price grid", "quotes"), (1, "smallest order", "quotes"), (2, "fee", "takes")] {
        let unknown = survey.markets.iter().filter(|market| market.in_scope && !market.known[index]).count();
        if unknown > 0 {
            out.push(format!("{unknown} markets have no known {what}: nobody {then} there."));
        }
    }
    let decided: std::collections::BTreeSet<&String> =
        results.values().flat_map(|outcome| &outcome.sessions).flat_map(|session| &session.measured.decided).collect();
    let markets = survey.markets.iter().filter(|market| market.in_scope).count();
    out.push(format!(
        "{} of {markets} markets are decided within the recordings; what is held in the others is never paid here, and is the unrealised part.",
        decided.len()
    ));
    out
}
