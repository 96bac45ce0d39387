//! Everything that a backtest came to on one page: each trial as a bracket, what was assumed, and what is missing in the recordings.

use std::fmt::Write;

use oddsmith_domain::{Shares, Usdc};
use serde::Serialize;

use crate::chart::{Brackets, Chart, Ink, Line, escape, lasted};
use crate::html::{cards, cents, count, legend, moment, section, table, whole};
use crate::split::Split;

/// How many markets a trial's table has.
const MARKETS: usize = 12;
/// How many holes are listed; all are counted.
const HOLES: usize = 60;

// Writing to a String cannot fail.
macro_rules! put {
    ($out:expr, $($rest:tt)*) => {
        let _ = write!($out, $($rest)*);
    };
}

/// A recording that was run over.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// Where it lies.
    pub path: String,
    /// What it is, or why it is left out.
    pub what: String,
    /// SHA-256 of its contents; `None` for what is left out.
    pub sha256: Option<String>,
}

/// A stretch of time of the recordings.
#[derive(Clone, Debug, Serialize)]
pub struct Interval {
    /// Which market; `None` for all.
    pub market: Option<String>,
    /// When it begins, in seconds since the Unix epoch.
    pub from_s: f64,
    /// How long it is, in seconds.
    pub span_s: f64,
    /// What is to be said of it.
    pub what: String,
}

/// How the mid stood some time after the fills.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct After {
    /// How long after, in seconds.
    pub seconds: u64,
    /// Fills that had a mid then.
    pub fills: u64,
    /// What a share had brought, in dollars; `None` without a fill.
    pub usdc_per_share: Option<f64>,
}

/// What a total might have been with other markets of the same kind.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Range {
    /// A fortieth of all draws lies below, in dollars.
    pub low: f64,
    /// A fortieth of all draws lies above, in dollars.
    pub high: f64,
    /// The share of draws that lose.
    pub losing: f64,
}

/// What a trial came to under one assumption.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The assumption's name.
    pub assumption: String,
    /// Its own page, as seen from the overview.
    pub page: Option<String>,
    /// Orders placed.
    pub orders: u64,
    /// Orders cancelled by a request.
    pub canceled: u64,
    /// Orders that the venue refused.
    pub refused: u64,
    /// Fills.
    pub fills: u64,
    /// Of these, those that took.
    pub taken: u64,
    /// Fills whose settlement failed for good.
    pub undone: u64,
    /// Shares filled.
    pub shares: Shares,
    /// Where the profit came from.
    pub split: Split,
    /// Profit that is realised.
    pub realized: Usdc,
    /// Profit on what is still held, at the last mids.
    pub unrealized: Usdc,
    /// The deepest fall of profit from a peak.
    pub drawdown: Usdc,
    /// Markouts.
    pub after: Vec<After>,
    /// Markets in which something was filled.
    pub traded: usize,
    /// Of these, the share that earned something.
    pub hit_rate: Option<f64>,
    /// How sure the profit is, drawn by market; `None` for too few of them.
    pub range: Option<Range>,
    /// Profit and fills by market.
    pub markets: Vec<(String, Usdc, u64)>,
    /// Profit over the recorded time, laid end to end: seconds and dollars.
    pub equity: Vec<(f64, f64)>,
}

/// One configuration under all assumptions.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// What tells it from the others.
    pub name: String,
    /// Its outcomes, the most pessimistic assumption first.
    pub outcomes: Vec<Outcome>,
}

/// A backtest. Amounts of money are exact; everything else is a float.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    /// The layout of this object.
    pub schema_version: u32,
    /// What the result depends on, in words and hashes.
    pub identity: Vec<(String, String)>,
    /// What was run over.
    pub recordings: Vec<Source>,
    /// What was found beside it and left out.
    pub left_out: Vec<Source>,
    /// What was assumed, in sentences.
    pub assumed: Vec<String>,
    /// The assumptions of the brackets, and what they mean.
    pub brackets: Vec<(String, String)>,
    /// What was run, one after the other.
    pub sessions: Vec<Interval>,
    /// Where updates are missing.
    pub holes: Vec<Interval>,
    /// Strategies and recordings that say less than they seem to, in sentences.
    pub notes: Vec<String>,
    /// What came of it.
    pub trials: Vec<Trial>,
}

/// What a bracket says, from the most pessimistic to the most optimistic profit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing was filled: nothing is known.
    Idle,
    /// Every assumption loses, or earns nothing.
    Loses,
    /// Some assumption earns and another does not.
    Depends,
    /// Every assumption earns.
    Earns,
}

impl Trial {
    /// What its bracket says.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let earning = self.outcomes.iter().filter(|outcome| outcome.split.total.is_positive()).count();
        match earning {
            _ if self.outcomes.iter().all(|outcome| outcome.fills == 0) => Verdict::Idle,
            0 => Verdict::Loses,
            n if n == self.outcomes.len() => Verdict::Earns,
            _ => Verdict::Depends,
        }
    }
}

impl Verdict {
    const fn words(self) -> &'static str {
        match self {
            Verdict::Idle => "no fill: nothing is known",
            Verdict::Loses => "loses under every assumption",
            Verdict::Depends => "depends on the assumption: no edge",
            Verdict::Earns => "earns under every assumption",
        }
    }
}

impl Overview {
    /// The overview as one page, which needs nothing else; it links to the pages of its trials.
    #[must_use]
    pub fn page(&self) -> String {
        let mut out = String::new();
        self.head(&mut out);
        self.summary(&mut out);
        for trial in &self.trials {
            told(trial, &mut out);
        }
        self.assumptions(&mut out);
        self.coverage(&mut out);
        whole("Backtest", &out)
    }

    fn head(&self, out: &mut String) {
        *out += "<h1>Backtest</h1>\n<div class=\"tiles\">\n";
        let recorded: f64 = self.sessions.iter().map(|session| session.span_s).sum();
        let tiles = [
            ("strategies or settings", self.trials.len().to_string()),
            ("recordings", self.recordings.len().to_string()),
            ("sessions", self.sessions.len().to_string()),
            ("recorded time", lasted(recorded)),
            ("holes", self.holes.len().to_string()),
        ];
        for (name, value) in tiles {
            put!(out, "<div><b>{}</b><span>{}</span></div>\n", escape(&value), escape(name));
        }
        *out += "</div>\n<dl>\n";
        for (name, value) in &self.identity {
            put!(out, "<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value));
        }
        *out += "</dl>\n";
    }

    fn summary(&self, out: &mut String) {
        section(
            out,
            "All trials",
            "What the venue would have done is a matter of models, so that every result is a bracket. One that earns under the \
             optimistic assumption alone has no edge.",
        );
        *out += &legend(&inks());
        let rows: Vec<(String, Vec<f64>)> = self
            .trials
            .iter()
            .map(|trial| (trial.name.clone(), trial.outcomes.iter().map(|o| o.split.total.to_f64()).collect()))
            .collect();
        *out += &Brackets { rows: &rows }.draw("Profit of each trial under each assumption, in dollars");
        let names: Vec<&str> = self.brackets.iter().map(|(name, _)| name.as_str()).collect();
        let columns: Vec<String> = ["".to_owned()]
            .into_iter()
            .chain(names.iter().map(|name| format!("{name} $")))
            .chain(["fills", "orders", "deepest drawdown $", "markets traded", "what it says"].map(str::to_owned))
            .collect();
        let each = |trial: &Trial, of: &dyn Fn(&Outcome) -> String| {
            // Where there is no room for all of them, a line ends behind a slash.
            trial.outcomes.iter().map(of).collect::<Vec<_>>().join("\u{a0}/ ")
        };
        let rows: Vec<Vec<String>> = self
            .trials
            .iter()
            .map(|trial| {
                let worst = trial.outcomes.iter().map(|outcome| outcome.drawdown).max().unwrap_or(Usdc::ZERO);
                let profits = trial.outcomes.iter().map(|outcome| cents(outcome.split.total));
                let mut row = vec![trial.name.clone()];
                row.extend(profits);
                row.extend([
                    each(trial, &|outcome| outcome.fills.to_string()),
                    each(trial, &|outcome| outcome.orders.to_string()),
                    cents(worst),
                    each(trial, &|outcome| outcome.traded.to_string()),
                    trial.verdict().words().to_owned(),
                ]);
                row
            })
            .collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        *out += &cards(&columns, &rows);
        *out += "<p>Numbers with slashes are pessimistic / realistic / optimistic.</p>\n";
        for note in &self.notes {
            put!(out, "<p class=\"warn\">{}</p>\n", escape(note));
        }
    }

    fn assumptions(&self, out: &mut String) {
        section(out, "What was assumed", "");
        let rows: Vec<Vec<String>> =
            self.brackets.iter().map(|(name, words)| vec![format!("{name}: {words}")]).collect();
        *out += &table(&["bracket"], &rows);
        *out += "<ul>\n";
        for sentence in &self.assumed {
            put!(out, "<li>{}</li>\n", escape(sentence));
        }
        *out += "</ul>\n";
    }

    fn coverage(&self, out: &mut String) {
        section(out, "What the recordings hold", "Each session has a fresh engine and an account of its own.");
        let rows: Vec<Vec<String>> = self
            .sessions
            .iter()
            .map(|session| vec![moment(session.from_s), lasted(session.span_s), session.what.clone()])
            .collect();
        *out += &table(&["session from", "for", ""], &rows);
        *out += "<h3>Holes</h3>\n";
        if self.holes.is_empty() {
            *out += "<p class=\"none\">None is known.</p>\n";
        } else {
            let rows: Vec<Vec<String>> = self
                .holes
                .iter()
                .take(HOLES)
                .map(|hole| {
                    let market = hole.market.clone().unwrap_or_default();
                    vec![market, moment(hole.from_s), lasted(hole.span_s), hole.what.clone()]
                })
                .collect();
            *out += &table(&["market", "from", "for", "how it is known"], &rows);
            if self.holes.len() > HOLES {
                put!(out, "<p>And {} more.</p>\n", self.holes.len() - HOLES);
            }
        }
        *out += "<h3>Recordings</h3>\n";
        let row = |source: &Source| {
            let hash: String = source.sha256.as_deref().unwrap_or("–").chars().take(16).collect();
            vec![source.path.clone(), source.what.clone(), hash]
        };
        let columns = ["", "what", "SHA-256 begins"];
        *out += &table(&columns, &self.recordings.iter().map(row).collect::<Vec<_>>());
        if !self.left_out.is_empty() {
            put!(out, "<details><summary>{} files were left out</summary>\n", self.left_out.len());
            *out += &table(
                &["", "why"],
                &self.left_out.iter().map(|s| vec![s.path.clone(), s.what.clone()]).collect::<Vec<_>>(),
            );
            *out += "</details>\n";
        }
    }

    /// The overview as tables: each file's name and its text. Amounts of money are exact.
    #[must_use]
    pub fn tables(&self) -> Vec<(&'static str, String)> {
        vec![("trials.csv", self.trials_csv()), ("markets.csv", self.markets_csv()), ("equity.csv", self.equity_csv())]
    }

    fn rows(&self) -> impl Iterator<Item = (&Trial, &Outcome)> {
        self.trials.iter().flat_map(|trial| trial.outcomes.iter().map(move |outcome| (trial, outcome)))
    }

    fn trials_csv(&self) -> String {
        let names = Split::default().parts().map(|(name, _)| name.replace(' ', "_"));
        let mut out = format!(
            "trial,assumption,orders,canceled,refused,fills,taken,undone,shares,{},total,realized,unrealized,drawdown,markets_traded,hit_rate,low,high,losing\n",
            names.join(",")
        );
        for (trial, o) in self.rows() {
            let parts = o.split.parts().map(|(_, amount)| amount.to_string()).join(",");
            let counts = [o.orders, o.canceled, o.refused, o.fills, o.taken, o.undone].map(|n| n.to_string()).join(",");
            let amounts = [o.split.total, o.realized, o.unrealized, o.drawdown].map(|usdc| usdc.to_string()).join(",");
            let range = match o.range {
                Some(range) => format!("{:.6},{:.6},{:.4}", range.low, range.high, range.losing),
                None => ",,".to_owned(),
            };
            let hits = o.hit_rate.map_or_else(String::new, |rate| format!("{rate:.4}"));
            put!(
                out,
                "{},{},{counts},{},{parts},{amounts},{},{hits},{range}\n",
                crate::tables::field(&trial.name),
                o.assumption,
                o.shares,
                o.traded
            );
        }
        out
    }

    fn markets_csv(&self) -> String {
        let mut out = "trial,assumption,market,profit,fills\n".to_owned();
        for (trial, outcome) in self.rows() {
            for (market, profit, fills) in &outcome.markets {
                let (name, market) = (crate::tables::field(&trial.name), crate::tables::field(market));
                put!(out, "{name},{},{market},{profit},{fills}\n", outcome.assumption);
            }
        }
        out
    }

    fn equity_csv(&self) -> String {
        let mut out = "trial,assumption,seconds,profit\n".to_owned();
        for (trial, outcome) in self.rows() {
            for (at, profit) in &outcome.equity {
                put!(out, "{},{},{at:.3},{profit:.6}\n", crate::tables::field(&trial.name), outcome.assumption);
            }
        }
        out
    }
}

/// The colours of the assumptions, in their order.
const fn ink(at: usize) -> Ink {
    match at {
        0 => Ink::Loss,
        1 => Ink::Line(0),
        _ => Ink::Gain,
    }
}

fn inks() -> Vec<(String, Ink)> {
    ["pessimistic", "realistic", "optimistic"]
        .into_iter()
        .enumerate()
        .map(|(at, name)| (name.to_owned(), ink(at)))
        .collect()
}

/// A trial's own section.
fn told(trial: &Trial, out: &mut String) {
    section(out, &trial.name, trial.verdict().words());
    let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{:+.2}", v * 100.0));
    let horizons: Vec<String> = trial
        .outcomes
        .first()
        .map_or_else(Vec::new, |first| first.after.iter().map(|after| format!("{} s ¢ (n)", after.seconds)).collect());
    let columns: Vec<&str> = ["", "profit $", "unrealised $", "drawdown $", "orders", "fills", "taken", "shares"]
        .into_iter()
        .chain(horizons.iter().map(String::as_str))
        .collect();
    let rows: Vec<Vec<String>> = trial
        .outcomes
        .iter()
        .map(|o| {
            let mut row = vec![
                o.assumption.clone(),
                cents(o.split.total),
                cents(o.unrealized),
                cents(o.drawdown),
                o.orders.to_string(),
                o.fills.to_string(),
                o.taken.to_string(),
                format!("{:.0}", o.shares.to_f64()),
            ];
            row.extend(o.after.iter().map(|after| format!("{} ({})", share(after.usdc_per_share), after.fills)));
            row
        })
        .collect();
    *out += &table(&columns, &rows);
    split(trial, out);
    sureness(trial, out);
    let lines: Vec<Line> = trial
        .outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| !outcome.equity.is_empty())
        .map(|(at, outcome)| Line { ink: ink(at), points: outcome.equity.clone(), steps: true, until: None })
        .collect();
    if trial.outcomes.iter().any(|outcome| outcome.fills > 0) {
        *out += "<h3>Profit over the recorded time, sessions end to end</h3>\n";
        *out += &legend(&inks());
        *out += &Chart { lines, zero: true, elapsed: Some(0.0), ..Chart::default() }.draw("Profit over recorded time");
        markets(trial, out);
    }
    let pages: Vec<String> = trial
        .outcomes
        .iter()
        .filter_map(|o| Some(format!("<a href=\"{}\">{}</a>", escape(o.page.as_deref()?), escape(&o.assumption))))
        .collect();
    if !pages.is_empty() {
        put!(out, "<p>Everything about it, fill by fill: {}.</p>\n", pages.join(", "));
    }
}

fn split(trial: &Trial, out: &mut String) {
    let names = Split::default().parts().map(|(name, _)| name);
    let used: Vec<usize> = (0..names.len())
        .filter(|at| trial.outcomes.iter().any(|outcome| !outcome.split.parts()[*at].1.is_zero()))
        .collect();
    let columns: Vec<&str> =
        ["where it came from, $"].into_iter().chain(used.iter().map(|at| names[*at])).chain(["total"]).collect();
    let rows: Vec<Vec<String>> = trial
        .outcomes
        .iter()
        .map(|outcome| {
            let parts = outcome.split.parts();
            let mut row = vec![outcome.assumption.clone()];
            row.extend(used.iter().map(|at| cents(parts[*at].1)));
            row.push(cents(outcome.split.total));
            row
        })
        .collect();
    *out += &table(&columns, &rows);
}

fn sureness(trial: &Trial, out: &mut String) {
    let sentence = |outcome: &Outcome| {
        let won =
            outcome.hit_rate.map_or_else(String::new, |rate| format!(", {:.0} % of them with profit", rate * 100.0));
        let sure = match outcome.range {
            None => "too few to say how sure this is".to_owned(),
            Some(range) => format!(
                "with others of their kind {:.2} … {:.2} $ (95 %), a loss in {:.0} %",
                range.low,
                range.high,
                range.losing * 100.0
            ),
        };
        format!("{}: {} traded{won}; {sure}.", outcome.assumption, count(outcome.traded, "market"))
    };
    for outcome in trial.outcomes.iter().filter(|outcome| outcome.fills > 0) {
        put!(out, "<p>{}</p>\n", escape(&sentence(outcome)));
    }
}

/// The markets in which most was won or lost.
fn markets(trial: &Trial, out: &mut String) {
    let mut names: Vec<(&str, Usdc)> = Vec::new();
    for (market, profit, fills) in trial.outcomes.iter().flat_map(|outcome| &outcome.markets) {
        if *fills == 0 {
            continue;
        }
        match names.iter_mut().find(|(name, _)| name == market) {
            Some((_, most)) => *most = (*most).max(profit.abs()),
            None => names.push((market, profit.abs())),
        }
    }
    names.sort_by_key(|(name, most)| (std::cmp::Reverse(*most), *name));
    let all = names.len();
    let columns: Vec<String> = ["market, $ (fills)".to_owned()]
        .into_iter()
        .chain(trial.outcomes.iter().map(|outcome| outcome.assumption.clone()))
        .collect();
    let rows: Vec<Vec<String>> = names
        .iter()
        .take(MARKETS)
        .map(|(name, _)| {
            let of = |outcome: &Outcome| {
                let found = outcome.markets.iter().find(|(market, _, _)| market == name);
                found.map_or_else(|| "–".to_owned(), |(_, profit, fills)| format!("{} ({fills})", cents(*profit)))
            };
            [(*name).to_owned()].into_iter().chain(trial.outcomes.iter().map(of)).collect()
        })
        .collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    *out += &table(&columns, &rows);
    if all > MARKETS {
        put!(out, "<p>The {MARKETS} with the largest amounts of {all}; the others are in markets.csv.</p>\n");
    }
}
