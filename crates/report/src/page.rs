//! A report as one page that needs nothing else.

use std::fmt::Write;

use oddsmith_domain::Side;

use crate::chart::{Bars, Chart, Ink, LINES, Line, Marks, escape, lasted};
use crate::fills::HORIZONS_S;
use crate::html::{cents, count, legend, moment, number, put, section, short, table, whole};
use crate::join::{Joined, Part};
use crate::report::Report;
use crate::split::Split;
use crate::stats::{Calibration, Figure};

/// How many markets have a price chart.
const CHARTS: usize = 8;
/// How many marks of a kind a chart has at most.
const MARKS: usize = 400;
/// How many stretches of time a line is drawn from.
const STRETCHES: usize = 420;
/// How many rows a long table has.
const ROWS: usize = 40;

/// The page of a report.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut body = String::new();
    head(report, &mut body);
    if let Some((how, parts)) = &report.joined {
        runs(*how, parts, &mut body);
    }
    attribution(report, &mut body);
    profit(report, &mut body);
    markets(report, &mut body);
    markouts(report, &mut body);
    quoting(report, &mut body);
    wishes(report, &mut body);
    opinions(report, &mut body);
    timing(report, &mut body);
    trouble(report, &mut body);
    section(&mut body, "Statistics", "Each with the number of observations it rests on.");
    body += &figures(&report.statistics);
    config(report, &mut body);
    whole(&title(report), &body)
}

fn title(report: &Report) -> String {
    let run = short(&report.run.to_string());
    match &report.joined {
        None => format!("Run {run}"),
        Some((Joined::Chain, parts)) => format!("Run {run} and the {} before it", parts.len().saturating_sub(1)),
        Some((Joined::EndToEnd, _)) => report.identity.command.clone(),
    }
}

fn head(report: &Report, out: &mut String) {
    let identity = &report.identity;
    put!(out, "<h1>{}</h1>\n", escape(&title(report)));
    let total = &report.attribution.total;
    let tiles = [
        (
            if report.joined.is_some() { "profit of these runs" } else { "profit of this run" },
            format!("{} pUSD", cents(total.total - total.carried)),
        ),
        ("ledger, realised and not", format!("{} pUSD", cents(total.total))),
        ("fills", report.markouts.first().map_or(0, |all| all.fills).to_string()),
        ("orders", report.orders.orders.to_string()),
        ("duration", lasted(report.span_s)),
    ];
    *out += "<div class=\"tiles\">\n";
    for (name, value) in tiles {
        put!(out, "<div><b>{}</b><span>{}</span></div>\n", escape(&value), escape(name));
    }
    *out += "</div>\n";
    let chain = match identity.chain.as_slice() {
        [] => "the first of its account".to_owned(),
        runs => format!("goes on after {}", runs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut rows = vec![
        ("run", report.run.to_string()),
        ("began", moment(report.began_s)),
        ("command", identity.command.clone()),
        ("version", identity.version.clone()),
        ("venue", identity.venue.clone().unwrap_or_else(|| "ended with the run".to_owned())),
        ("chain of restarts", chain),
        ("seed", report.seed.clone()),
        ("configuration, SHA-256", report.config_sha256.clone()),
        ("journal", format!("{} inputs, {} outputs", report.records[0], report.records[1])),
        ("capital", report.capital.map_or_else(|| "not told".to_owned(), |capital| format!("{capital} pUSD"))),
    ];
    if !report.outside.is_zero() {
        rows.push(("deposits, rebates, rewards less withdrawals; no profit", format!("{} pUSD", report.outside)));
    }
    *out += "<dl>\n";
    for (name, value) in rows {
        put!(out, "<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(&value));
    }
    *out += "</dl>\n";
    if let Some(why) = &report.open_end {
        put!(out, "<p class=\"warn\">Note: {}.</p>\n", escape(why));
    }
    if report.left_out != [0, 0] {
        let [fills, orders] = report.left_out;
        put!(
            out,
            "<p class=\"warn\">{fills} fills and {orders} orders are in the sums, but not in markouts, charts and tables.</p>\n"
        );
    }
}

/// The runs that the page is made of.
fn runs(how: Joined, parts: &[Part], out: &mut String) {
    let words = match how {
        Joined::Chain => {
            "Each run took over the account of the one before it. The parts of profit are those of the runs together; what changed from \
             the end of one to the beginning of the next is carried over."
        }
        Joined::EndToEnd => {
            "Each run had an account of its own. They are laid end to end, whenever they were; times are those since the first began."
        }
    };
    section(out, &format!("{} runs", parts.len()), words);
    let rows: Vec<Vec<String>> = parts
        .iter()
        .map(|part| {
            vec![
                short(&part.run.to_string()),
                moment(part.began_s),
                lasted(part.span_s),
                cents(part.profit),
                part.fills.to_string(),
                part.open_end.clone().unwrap_or_else(|| "closed".to_owned()),
            ]
        })
        .collect();
    *out += &table(&["run", "began", "for", "profit, pUSD", "fills", "its end"], &rows);
}

fn attribution(report: &Report, out: &mut String) {
    let all = &report.attribution;
    section(
        out,
        "Where the profit came from",
        "Spread is what fills captured against the mid of that moment; adverse selection how the mid moved in the 30 s after each; \
         inventory how it moved what was held longer. The parts sum to the ledger to the millionth.",
    );
    let bars: Vec<(String, f64)> = all
        .total
        .parts()
        .iter()
        .filter(|(_, amount)| !amount.is_zero())
        .map(|(name, amount)| ((*name).to_owned(), amount.to_f64()))
        .chain([("total".to_owned(), all.total.total.to_f64())])
        .collect();
    *out += &Bars { rows: &bars, decimals: 2 }.draw("Profit by part");
    let adds_up = all.total.sum() == all.total.total;
    let (sum, ledger) = (all.total.sum(), all.total.total);
    put!(
        out,
        "<p class=\"{}\">Sum of the parts {sum}, ledger {ledger}: {}.</p>\n",
        if adds_up { "holds" } else { "warn" },
        if adds_up { "they agree" } else { "THEY DIFFER" }
    );
    let split_row = |name: String, split: &Split| {
        let mut row = vec![name];
        row.extend(split.parts().map(|(_, amount)| amount.to_string()));
        row.push(split.total.to_string());
        row
    };
    let names = Split::default().parts().map(|(name, _)| name);
    let columns: Vec<&str> = [""].into_iter().chain(names).chain(["total"]).collect();
    let rows = |of: &[(String, Split)]| -> Vec<Vec<String>> {
        let mut of: Vec<&(String, Split)> = of.iter().collect();
        of.sort_by_key(|(_, split)| std::cmp::Reverse(split.total.abs()));
        of.into_iter().take(ROWS).map(|(name, split)| split_row(name.clone(), split)).collect()
    };
    let mut by_instance = rows(&all.instances);
    by_instance.push(split_row("everything".to_owned(), &all.total));
    *out += "<h3>By instance</h3>\n";
    *out += &table(&columns, &by_instance);
    *out += "<h3>By market</h3>\n";
    *out += &table(&columns, &rows(&all.markets));
    if all.markets.len() > ROWS {
        put!(
            out,
            "<p>The {ROWS} with the largest totals of {}; the others are in the tables of <code>--csv</code>.</p>\n",
            all.markets.len()
        );
    }
}

fn profit(report: &Report, out: &mut String) {
    section(out, "Profit and drawdown", "In pUSD, realised and not, at the last mids.");
    let line = |points, steps, ink| Line { ink, points, steps, until: None };
    let span = span(report);
    let elapsed = elapsed(report);
    let chart =
        |points, ink| Chart { lines: vec![line(points, true, ink)], zero: true, span, elapsed, ..Chart::default() };
    *out += &chart(report.equity.points(STRETCHES), Ink::Line(0)).draw("Profit over time");
    *out += "<h3>Below the peak</h3>\n";
    *out += &chart(report.drawdown.points(STRETCHES), Ink::Loss).draw("Drawdown over time");
}

/// The time that all charts of a run show.
fn span(report: &Report) -> Option<(f64, f64)> {
    Some((report.began_s, report.began_s + report.span_s))
}

/// From when the charts count the time, if not by the clock: runs that are laid end to end were at other times.
fn elapsed(report: &Report) -> Option<f64> {
    matches!(report.joined, Some((Joined::EndToEnd, _))).then_some(report.began_s)
}

/// Every so many of the points, so that there are not too many.
fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(MARKS).max(1);
    points.into_iter().step_by(every).collect()
}

fn markets(report: &Report, out: &mut String) {
    section(out, "Prices, fills and inventory", "Prices are those of YES; a fill of NO stands where it is for YES.");
    if report.markets.is_empty() {
        *out += "<p class=\"none\">Nothing was held or filled.</p>\n";
    }
    for market in report.markets.iter().take(CHARTS) {
        let of = |side| {
            let own = report.fills.iter().filter(|f| f.market == market.market && f.side == side && !f.undone);
            own.map(|fill| (fill.at_ns as f64 / 1e9, fill.price.to_f64())).collect::<Vec<_>>()
        };
        let (buys, sales) = (of(Side::Buy), of(Side::Sell));
        let paid = market.paid.map_or_else(String::new, |paid| format!("; decided, YES paid {paid}"));
        put!(
            out,
            "<h3>{}</h3>\n<p>{} {} and {} of YES exposure{}.</p>\n",
            escape(&market.slug),
            escape(&market.question),
            count(buys.len(), "buy"),
            count(sales.len(), "sale"),
            escape(&paid)
        );
        let inks = [("mid", Ink::Line(0)), ("buy", Ink::Gain), ("sale", Ink::Loss)];
        *out += &legend(&inks.map(|(name, ink)| (name.to_owned(), ink)));
        let chart = Chart {
            lines: vec![Line { ink: Ink::Line(0), points: market.mids.points(STRETCHES), steps: true, until: None }],
            marks: vec![
                Marks { ink: Ink::Gain, up: true, points: thin(buys) },
                Marks { ink: Ink::Loss, up: false, points: thin(sales) },
            ],
            span: span(report),
            elapsed: elapsed(report),
            ..Chart::default()
        };
        *out += &chart.draw("Mid and fills over time");
        let held: Vec<_> = market.inventory.iter().filter(|(_, series)| !series.is_empty()).take(LINES).collect();
        if held.is_empty() {
            continue;
        }
        *out += "<p>Inventory: YES less NO, in shares.</p>\n";
        let inks: Vec<_> = (0..).zip(&held).map(|(n, (name, _))| (name.clone(), Ink::Line(n))).collect();
        *out += &legend(&inks);
        let lines = (0..).zip(&held).map(|(n, (_, series))| Line {
            ink: Ink::Line(n),
            points: series.points(STRETCHES),
            steps: true,
            until: None,
        });
        *out += &Chart {
            lines: lines.collect(),
            zero: true,
            span: span(report),
            elapsed: elapsed(report),
            ..Chart::default()
        }
        .draw("Inventory over time");
    }
    if report.markets.len() > CHARTS {
        put!(out, "<p>The {CHARTS} markets with the most fills of {}.</p>\n", report.markets.len());
    }
}

fn markouts(report: &Report, out: &mut String) {
    section(
        out,
        "Markouts",
        "What a share had brought some time after its fill, in cents against the mid, weighted by size, fees apart; behind it how many \
         fills had a mid then. Fills that were undone do not count.",
    );
    let Some(all) = report.markouts.first().filter(|all| all.fills > 0) else {
        *out += "<p class=\"none\">There was no fill.</p>\n";
        return;
    };
    let names: Vec<String> =
        HORIZONS_S.iter().map(|s| format!("after {s} s")).chain(["at settlement".to_owned()]).collect();
    let mut bars = vec![("at once".to_owned(), all.captured.unwrap_or_default() * 100.0)];
    let known = names.iter().zip(&all.after).filter_map(|(name, (value, _))| Some((name.clone(), (*value)? * 100.0)));
    bars.extend(known);
    *out += &Bars { rows: &bars, decimals: 3 }.draw("Markout of all fills, in cents a share");
    let mut columns = vec!["fills", "n", "shares", "at once"];
    columns.extend(names.iter().map(String::as_str));
    let rows: Vec<Vec<String>> = report
        .markouts
        .iter()
        .map(|row| {
            let cents = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{:+.3}", v * 100.0));
            let weak = if row.fills < 30 { " (few)" } else { "" };
            let mut cells = vec![
                format!("{}{weak}", row.group),
                row.fills.to_string(),
                format!("{:.0}", row.shares),
                cents(row.captured),
            ];
            cells.extend(row.after.iter().map(|(value, n)| format!("{} ({n})", cents(*value))));
            cells
        })
        .collect();
    *out += &table(&columns, &rows);
}

fn quoting(report: &Report, out: &mut String) {
    section(out, "Orders, queue and quote uptime", "");
    let sums = &report.orders;
    let part = |a: u64, b: u64| if b == 0 { "–".to_owned() } else { format!("{:.1} %", 100.0 * a as f64 / b as f64) };
    put!(
        out,
        "<p>{} orders decided, {} taken by the venue; {} of these had a fill ({}), {} within a second ({}). Of {} shares posted {} were \
         filled.</p>\n",
        sums.orders,
        sums.taken,
        sums.with_fill,
        part(sums.with_fill, sums.taken),
        sums.fast,
        part(sums.fast, sums.taken),
        sums.posted,
        sums.filled
    );
    *out += "<h3>Resting orders by what the book showed before them</h3>\n";
    let rows: Vec<Vec<String>> = report
        .queue
        .iter()
        .enumerate()
        .filter(|(_, row)| row.orders > 0)
        .map(|(n, row)| {
            let name = if n == 0 { "none".to_owned() } else { format!("more than {} shares", row.above) };
            vec![name, row.orders.to_string(), row.with_fill.to_string(), part(row.with_fill, row.orders)]
        })
        .collect();
    *out += &table(&["shown at the price", "orders", "with a fill", "part"], &rows);
    *out += "<p>The journal does not know the place in the venue's queue; this is what stood there when the order was decided.</p>\n";
    *out += "<h3>Quote uptime</h3>\n";
    let rows: Vec<Vec<String>> = report
        .uptime
        .iter()
        .take(ROWS)
        .map(|line| {
            let up = &line.uptime;
            let all = up.none_ns + up.one_ns + up.both_ns;
            vec![
                format!("{} in {}", line.instance, line.market),
                part(up.both_ns, all),
                part(up.one_ns, all),
                part(up.none_ns, all),
                lasted(all as f64 / 1e9),
            ]
        })
        .collect();
    *out += &table(&["since the first order", "both sides", "one side", "none", "of"], &rows);
}

fn wishes(report: &Report, out: &mut String) {
    section(
        out,
        "What was wanted, and why",
        "Of the time between an instance's first decision in a market and the end, for all its markets.",
    );
    if report.wishes.is_empty() {
        *out += "<p class=\"none\">Nothing was decided.</p>\n";
        return;
    }
    let rows: Vec<Vec<String>> = report
        .wishes
        .iter()
        .filter(|line| line.share >= 0.000_5)
        .take(ROWS)
        .map(|line| {
            let why = if line.reasons.is_empty() { "no reason".to_owned() } else { line.reasons.join(", ") };
            vec![
                format!("{}: {} ({why})", line.instance, line.mode),
                format!("{:.1} %", 100.0 * line.share),
                lasted(line.lasted_s),
                line.times.to_string(),
            ]
        })
        .collect();
    *out += &table(&["instance: what (why)", "of the time", "lasted", "times"], &rows);
}

fn opinions(report: &Report, out: &mut String) {
    section(out, "Calibration of probabilities", "");
    for opinion in &report.opinions {
        put!(out, "<h3>{}</h3>\n", escape(&opinion.source));
        match &opinion.calibration {
            Err(why) => {
                put!(out, "<p class=\"none\">Not shown, because {}.</p>\n", escape(why));
            }
            Ok(found) => *out += &calibration(found),
        }
    }
}

fn calibration(found: &Calibration) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
    let mut out = format!(
        "<p>Brier score {}, logarithmic loss {}, n = {}.</p>\n",
        number(found.brier),
        number(found.log_loss),
        found.n
    );
    let rows: Vec<Vec<String>> = (0..)
        .zip(&found.bins)
        .filter(|(_, bin)| bin.n > 0)
        .map(|(n, bin): (u32, _)| {
            let name = format!("{:.1} to {:.1}", f64::from(n) / 10.0, f64::from(n + 1) / 10.0);
            vec![name, bin.n.to_string(), format!("{:.3}", bin.stated), format!("{:.3}", bin.happened)]
        })
        .collect();
    out += &table(&["stated", "n", "mean of it", "came true"], &rows);
    out
}

fn timing(report: &Report, out: &mut String) {
    section(out, "Latencies by stage", "In milliseconds, by the times in the journal.");
    let ms = |us: u64| format!("{:.2}", us as f64 / 1e3);
    let rows: Vec<Vec<String>> = report
        .latencies
        .iter()
        .map(|l| vec![l.stage.clone(), l.n.to_string(), ms(l.p50_us), ms(l.p90_us), ms(l.p99_us), ms(l.max_us)])
        .collect();
    *out += &table(&["stage", "n", "p50", "p90", "p99", "longest"], &rows);
}

fn trouble(report: &Report, out: &mut String) {
    section(out, "Refusals, withheld orders and stops", "");
    if report.counts.is_empty() {
        *out += "<p class=\"none\">Nothing was refused or withheld.</p>\n";
    } else {
        let rows: Vec<_> = report.counts.iter().map(|(what, n)| vec![what.clone(), n.to_string()]).collect();
        *out += &table(&["what", "how often"], &rows);
    }
    *out += "<h3>Stops</h3>\n";
    let rows: Vec<Vec<String>> = report
        .stops
        .iter()
        .take(ROWS * 2)
        .map(|stop| {
            let until = stop.to_s.map_or_else(|| "not ended".to_owned(), |to| lasted(to - stop.from_s));
            vec![stop.scope.clone(), stop.cause.clone(), moment(stop.from_s), until]
        })
        .collect();
    *out += &table(&["where", "why", "from", "for"], &rows);
    let more = report.stops.len().saturating_sub(ROWS * 2) as u64 + report.stops_left_out;
    if more > 0 {
        put!(out, "<p>And {more} more.</p>\n");
    }
}

pub(crate) fn figures(figures: &[Figure]) -> String {
    let rows: Vec<Vec<String>> = figures
        .iter()
        .map(|figure| {
            let value = figure.value.map_or_else(|| "not defined".to_owned(), number);
            let warning =
                if figure.is_weak() { format!("too few: {} are needed", figure.least) } else { String::new() };
            vec![figure.name.clone(), value, figure.n.to_string(), warning]
        })
        .collect();
    table(&["", "value", "n", "warning"], &rows)
}

fn config(report: &Report, out: &mut String) {
    section(out, "Configuration", "");
    // A JSON value always has a text.
    let text = serde_json::to_string_pretty(&report.config).unwrap_or_default();
    put!(
        out,
        "<details><summary>The engine's, as it was when the run began</summary><pre>{}</pre></details>\n",
        escape(&text)
    );
}
