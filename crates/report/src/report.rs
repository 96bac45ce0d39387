//! What a report says of a run, as plain data: the page, the JSON and the tables are made from it.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{InstanceId, MarketId, Mode, Reasons, RunId, Side, Usdc};
use serde::Serialize;

use crate::fills::{FillRow, MarkoutRow, markouts};
use crate::join::{Joined, Part};
use crate::notes::{Stop, word};
use crate::orders::{AheadRow, OrderRow, OrderSums, Uptime};
use crate::reasons::Lasted;
use crate::record::Record;
use crate::series::Series;
use crate::split::Split;
use crate::stats::{
    Calibration, Figure, Halves, bootstrap, calibrate, hit_rate, mean, probabilistic_sharpe, profit_factor, sharpe,
    sortino,
};

/// Prediction markets trade on every day of the year.
const DAYS: f64 = 365.0;
/// Fewer returns than this say little (quant reference 14: ten days are meaningless).
const RETURNS: usize = 60;
/// Fewer fills than this say little.
const FILLS: usize = 200;
/// Fewer markets than this say little.
const MARKETS: usize = 20;

/// What is known of a run beside its journal.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Identity {
    /// The program's version.
    pub version: String,
    /// What it was asked to do.
    pub command: String,
    /// The venue's address; `None` for one that ended with the run.
    pub venue: Option<String>,
    /// The runs that it went on after, the nearest first.
    pub chain: Vec<RunId>,
}

/// A profit with what it belongs to.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The instance.
    pub instance: String,
    /// The market.
    pub market: String,
    /// Shares held at the end, by outcome.
    pub shares: [oddsmith_domain::Shares; 2],
    /// Its parts.
    pub split: Split,
}

/// A market's mid, what was held in it, and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct MarketLine {
    /// Its number in the run.
    pub market: MarketId,
    /// Its name.
    pub slug: String,
    /// Its question.
    pub question: String,
    /// The mid of YES, in dollars.
    pub mids: Series,
    /// What a YES share paid; `None` if it was not decided.
    pub paid: Option<oddsmith_domain::Price>,
    /// YES less NO, in shares, by instance.
    pub inventory: Vec<(String, Series)>,
}

/// How long an instance quoted a market.
#[derive(Clone, Debug, Serialize)]
pub struct UptimeLine {
    /// The instance.
    pub instance: String,
    /// The market.
    pub market: String,
    /// How long.
    pub uptime: Uptime,
}

/// How long an instance wanted something for the same reasons.
#[derive(Clone, Debug, Serialize)]
pub struct WishLine {
    /// The instance.
    pub instance: String,
    /// How it wanted to be.
    pub mode: String,
    /// Why.
    pub reasons: Vec<String>,
    /// How often it came to that.
    pub times: u64,
    /// How long it lasted, summed over markets, in seconds.
    pub lasted_s: f64,
    /// The part of the time for which the instance wanted anything, or nothing, between 0 and 1.
    pub share: f64,
}

/// How long a stage took, in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// The stage.
    pub stage: String,
    /// How often it was measured.
    pub n: u64,
    /// Percentiles.
    pub p50_us: u64,
    /// As above.
    pub p90_us: u64,
    /// As above.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// How good probabilities were that somebody stated.
#[derive(Clone, Debug, Serialize)]
pub struct Opinion {
    /// Who stated them.
    pub source: String,
    /// How good they were; `None` with the reason if that is not known.
    pub calibration: Result<Calibration, String>,
}

/// Where one instance's, or everybody's, profit came from.
#[derive(Clone, Debug, Serialize)]
pub struct Attributed {
    /// Everything.
    pub total: Split,
    /// By instance.
    pub instances: Vec<(String, Split)>,
    /// By market.
    pub markets: Vec<(String, Split)>,
    /// By both.
    pub lines: Vec<Line>,
}

/// A report. Amounts of money are exact; everything else is a float.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The layout of this object.
    pub schema_version: u32,
    /// The run.
    pub run: RunId,
    /// What is known of it beside its journal.
    pub identity: Identity,
    /// The seed of the run, in hexadecimal.
    pub seed: String,
    /// The SHA-256 of the configuration.
    pub config_sha256: String,
    /// The engine's configuration.
    pub config: serde_json::Value,
    /// The runs, if the report is one of several: how they belong together, and each of them.
    pub joined: Option<(Joined, Vec<Part>)>,
    /// The run whose facts it took over.
    pub restored: Option<RunId>,
    /// Why the end of the journal is not the end of the run, if so.
    pub open_end: Option<String>,
    /// When it began, in seconds since the Unix epoch.
    pub began_s: f64,
    /// How long it lasted, in seconds.
    pub span_s: f64,
    /// Inputs and outputs.
    pub records: [u64; 2],
    /// The capital that profit is counted from.
    pub capital: Option<Usdc>,
    /// What came from outside during the run (deposits, rebates, rewards), less what went: no profit.
    pub outside: Usdc,
    /// Where profit came from.
    pub attribution: Attributed,
    /// Profit over time, in dollars.
    pub equity: Series,
    /// How far below its peak, over time, in dollars.
    pub drawdown: Series,
    /// The markets in which something was held or filled.
    pub markets: Vec<MarketLine>,
    /// Statistics.
    pub statistics: Vec<Figure>,
    /// Markouts by kind of fill.
    pub markouts: Vec<MarkoutRow>,
    /// Sums over orders.
    pub orders: OrderSums,
    /// Resting orders by what stood before them.
    pub queue: Vec<AheadRow>,
    /// Quote uptime.
    pub uptime: Vec<UptimeLine>,
    /// What each instance wanted and why, the longest first.
    pub wishes: Vec<WishLine>,
    /// How good stated probabilities were.
    pub opinions: Vec<Opinion>,
    /// Latencies by stage.
    pub latencies: Vec<Latency>,
    /// What was refused, withheld, withdrawn or not understood, and how often.
    pub counts: BTreeMap<String, u64>,
    /// What stopped trading.
    pub stops: Vec<Stop>,
    /// Stops that are not listed.
    pub stops_left_out: u64,
    /// Fills and orders that are not in the lists.
    pub left_out: [u64; 2],
    /// The fills.
    #[serde(skip)]
    pub fills: Vec<FillRow>,
    /// The orders.
    #[serde(skip)]
    pub order_rows: Vec<OrderRow>,
    /// The names of the instances.
    #[serde(skip)]
    pub names: Vec<String>,
}

impl Report {
    /// The report of a record.
    #[must_use]
    pub fn new(mut record: Record, identity: Identity) -> Report {
        record.finish();
        let setup = record.setup.clone();
        let markouts = groups(&record.fills.rows);
        Report {
            schema_version: 1,
            run: record.run,
            identity,
            seed: setup.as_ref().map(|setup| hex::encode(setup.seed)).unwrap_or_default(),
            config_sha256: record.config_hash.clone(),
            config: setup.and_then(|setup| serde_json::from_str(&setup.config).ok()).unwrap_or_default(),
            joined: record.joined.map(|how| (how, record.parts.clone())),
            restored: record.restored,
            open_end: record.closed.map(str::to_owned),
            began_s: record.began.map_or(0.0, crate::record::seconds),
            span_s: record.span_s(),
            records: record.records,
            capital: record.capital,
            outside: record.outside,
            attribution: attributed(&record),
            markets: markets(&record),
            statistics: statistics(&record),
            markouts,
            orders: record.orders.sums,
            queue: record.orders.by_ahead.to_vec(),
            uptime: uptime(&record),
            wishes: wishes(&record),
            opinions: opinions(&record),
            latencies: latencies(&record),
            stops_left_out: record.stops_left_out,
            left_out: [record.fills.left_out, record.orders.left_out],
            names: record.names.clone(),
            equity: record.equity,
            drawdown: record.drawdown,
            counts: record.counts,
            stops: record.stops,
            fills: record.fills.rows,
            order_rows: record.orders.rows,
        }
    }

    /// An instance's name.
    #[must_use]
    pub fn name(&self, instance: InstanceId) -> &str {
        self.names.get(usize::from(instance.0)).map_or("nobody", String::as_str)
    }

    /// A market's name.
    #[must_use]
    pub fn slug(&self, market: MarketId) -> &str {
        self.markets.iter().find(|line| line.market == market).map_or("?", |line| &line.slug)
    }
}

fn attributed(record: &Record) -> Attributed {
    let (mut instances, mut markets) = (BTreeMap::<String, Split>::new(), BTreeMap::<String, Split>::new());
    let lines: Vec<Line> = record
        .lines
        .iter()
        .map(|earned| {
            let (name, slug) = (record.name(earned.instance), record.slug(earned.market));
            *instances.entry(name.clone()).or_default() += earned.split;
            *markets.entry(slug.clone()).or_default() += earned.split;
            Line { instance: name, market: slug, shares: earned.shares, split: earned.split }
        })
        .collect();
    let (instances, markets) = (instances.into_iter().collect(), markets.into_iter().collect());
    Attributed { total: record.total(), instances, markets, lines }
}

fn markets(record: &Record) -> Vec<MarketLine> {
    let used = |market: MarketId| {
        record.holdings.keys().any(|(_, held)| *held == market) || record.fills.rows.iter().any(|f| f.market == market)
    };
    let mut found: Vec<MarketLine> = record
        .markets
        .iter()
        .filter(|(market, _)| used(**market))
        .map(|(market, note)| MarketLine {
            market: *market,
            slug: note.slug.clone(),
            question: note.question.clone(),
            mids: note.mids.clone(),
            paid: note.pays,
            inventory: record
                .holdings
                .iter()
                .filter(|((_, held), _)| held == market)
                .map(|((instance, _), holding)| (record.name(*instance), holding.net.clone()))
                .collect(),
        })
        .collect();
    let fills = |market: MarketId| record.fills.rows.iter().filter(|fill| fill.market == market).count();
    found.sort_by_cached_key(|line| std::cmp::Reverse(fills(line.market)));
    found
}

/// Markouts of everything, by role, by side, by price, and of fills that came at once.
fn groups(rows: &[FillRow]) -> Vec<MarkoutRow> {
    let mut groups = vec![
        markouts("all", rows.iter()),
        markouts("maker", rows.iter().filter(|row| !row.taker)),
        markouts("taker", rows.iter().filter(|row| row.taker)),
        markouts("buys of YES exposure", rows.iter().filter(|row| row.side == Side::Buy)),
        markouts("sales of YES exposure", rows.iter().filter(|row| row.side == Side::Sell)),
        markouts(
            "within 1 s of being taken",
            rows.iter().filter(|row| row.waited_ns.is_some_and(|ns| ns <= 1_000_000_000)),
        ),
    ];
    for tenth in 0..10u16 {
        let of = |row: &&FillRow| (row.price.units() / 1_000).min(9) == tenth;
        let name = format!("price of YES {:.1} to {:.1}", f64::from(tenth) / 10.0, f64::from(tenth + 1) / 10.0);
        groups.push(markouts(name, rows.iter().filter(of)));
    }
    groups.retain(|group| group.fills > 0 || group.group == "all");
    groups
}

/// Returns on capital of periods of so many minutes.
fn returns(record: &Record, minutes: u64) -> Vec<f64> {
    let base = record.base();
    if base <= 0.0 {
        return Vec::new();
    }
    let mut ends: Vec<(u64, f64)> = Vec::new();
    for (minute, profit) in &record.minutes {
        let period = minute / minutes;
        match ends.last_mut() {
            Some(last) if last.0 == period => last.1 = *profit,
            _ => ends.push((period, *profit)),
        }
    }
    // A period in which nothing was noted is one in which nothing changed; the first and the last are not whole.
    ends.windows(2)
        .flat_map(|pair| {
            let idle = pair[1].0.saturating_sub(pair[0].0).saturating_sub(1).min(100_000);
            std::iter::repeat_n(0.0, idle as usize).chain(std::iter::once((pair[1].1 - pair[0].1) / base))
        })
        .collect()
}

fn statistics(record: &Record) -> Vec<Figure> {
    let mut out = Vec::new();
    for (name, minutes) in [("UTC day", 1_440), ("15 minutes", 15), ("1 minute", 1)] {
        let returns = returns(record, minutes);
        let (n, year) = (returns.len(), (DAYS * 1_440.0 / minutes as f64).sqrt());
        if n < 2 && minutes > 1 {
            continue;
        }
        let of = |what: &str| format!("{what}, returns of {name}");
        out.push(Figure::new(of("Sharpe ratio a year"), sharpe(&returns).map(|v| v * year), n, RETURNS));
        out.push(Figure::new(of("Sortino ratio a year"), sortino(&returns, 0.0).map(|v| v * year), n, RETURNS));
        let psr = probabilistic_sharpe(&returns, 0.0);
        out.push(Figure::new(of("probability that the Sharpe ratio is above 0"), psr, n, RETURNS));
        out.push(Figure::new(of("profit factor"), profit_factor(&returns), n, RETURNS));
        out.push(Figure::new(of("hit rate"), hit_rate(&returns), n, RETURNS));
        // What a few minutes would make in a year is no number.
        if minutes == 1_440 {
            let (yearly, worst) = (mean(&returns).map(|mean| mean * DAYS), record.meter.worst().part);
            let calmar = yearly.filter(|_| worst > 0.0).map(|yearly| yearly / worst);
            out.push(Figure::new(of("Calmar ratio"), calmar, n, RETURNS));
        }
    }
    let (worst, noted) = (record.meter.worst(), record.minutes.len());
    out.push(Figure::new("deepest drawdown, dollars", Some(worst.value), noted, RETURNS));
    out.push(Figure::new("deepest drawdown, part of capital and profit", Some(worst.part), noted, RETURNS));
    out.push(Figure::new("longest time below a peak, seconds", Some(worst.longest), noted, RETURNS));
    trading(record, &mut out);
    out
}

fn trading(record: &Record, out: &mut Vec<Figure>) {
    let rows: Vec<&FillRow> = record.fills.rows.iter().filter(|row| !row.undone).collect();
    let shares: f64 = rows.iter().map(|row| row.size.to_f64()).sum();
    let total = record.total();
    let own = (total.total - total.carried).to_f64();
    out.push(Figure::new("profit a share traded, dollars", (shares > 0.0).then(|| own / shares), rows.len(), FILLS));
    let captured: Vec<f64> = rows.iter().filter_map(|row| row.markouts[2]).collect();
    out.push(Figure::new("fills in profit after 30 s", hit_rate(&captured), captured.len(), FILLS));
    let sums = &record.orders.sums;
    let part = |a: f64, b: f64| (b > 0.0).then(|| a / b);
    let orders = usize::try_from(sums.taken).unwrap_or(usize::MAX);
    out.push(Figure::new("fill ratio, shares", part(sums.filled.to_f64(), sums.posted.to_f64()), orders, FILLS));
    out.push(Figure::new("orders with any fill", part(sums.with_fill as f64, sums.taken as f64), orders, FILLS));
    out.push(Figure::new("filled within 1 s of being taken", part(sums.fast as f64, sums.taken as f64), orders, FILLS));
    let cancels = part(sums.cancelled_unfilled as f64, sums.with_fill as f64);
    out.push(Figure::new("orders cancelled unfilled, an order with a fill", cancels, orders, FILLS));
    let (mut held, mut worth, mut looks) = (0.0, 0.0, 0u64);
    for holding in record.holdings.values() {
        (held, worth) = (held + holding.looks.0, worth + holding.looks.1);
        looks = looks.max(holding.looks.2);
    }
    let n = usize::try_from(looks).unwrap_or(usize::MAX);
    out.push(Figure::new("mean inventory, shares without sign", part(held, looks as f64), n, FILLS));
    let turnover = part(worth, looks as f64).and_then(|mean| part(record.fills.traded.to_f64(), mean));
    out.push(Figure::new("turnover: traded over mean inventory, in dollars", turnover, n, FILLS));
    for ((instance, market), holding) in &record.holdings {
        let name = format!("inventory half-life, seconds: {} in {}", record.name(*instance), record.slug(*market));
        let value = match holding.life.halves() {
            Some(Halves::In(looks)) => Some(looks * 5.0),
            Some(Halves::AtOnce) => Some(0.0),
            Some(Halves::Never) | None => None,
        };
        out.push(Figure::new(name, value, holding.life.n(), RETURNS));
    }
    let mut by_market = BTreeMap::<MarketId, f64>::new();
    for earned in &record.lines {
        *by_market.entry(earned.market).or_default() += (earned.split.total - earned.split.carried).to_f64();
    }
    let blocks: Vec<f64> = by_market.into_values().collect();
    let range = bootstrap(&blocks, 1, |blocks| Some(blocks.iter().sum::<f64>()));
    out.push(Figure::new("profit, bootstrapped by market: 5th percentile", range.map(|r| r.0), blocks.len(), MARKETS));
    out.push(Figure::new("profit, bootstrapped by market: 95th percentile", range.map(|r| r.1), blocks.len(), MARKETS));
}

fn wishes(record: &Record) -> Vec<WishLine> {
    let mut whole = BTreeMap::<InstanceId, u64>::new();
    for ((instance, _, _), lasted) in &record.wishes.lasted {
        *whole.entry(*instance).or_default() += lasted.ns;
    }
    let mut found: Vec<_> = record.wishes.lasted.iter().collect();
    found.sort_by_key(|((instance, _, _), lasted)| (*instance, std::cmp::Reverse(lasted.ns)));
    let line = |((instance, mode, reasons), lasted): (&(InstanceId, Mode, Reasons), &Lasted)| WishLine {
        instance: record.name(*instance),
        mode: word(mode),
        reasons: reasons.iter().map(word).collect(),
        times: lasted.times,
        lasted_s: lasted.ns as f64 / 1e9,
        share: lasted.ns as f64 / whole.get(instance).copied().unwrap_or_default().max(1) as f64,
    };
    found.into_iter().map(line).collect()
}

fn uptime(record: &Record) -> Vec<UptimeLine> {
    let lines = record.orders.uptime();
    lines
        .map(|(instance, market, uptime)| UptimeLine {
            instance: record.name(instance),
            market: record.slug(market),
            uptime,
        })
        .collect()
}

/// What was said of an outcome, and whether it came true.
type Statements = Vec<(f64, bool)>;

fn opinions(record: &Record) -> Vec<Opinion> {
    let (mut mids, mut own) = (Statements::new(), BTreeMap::<InstanceId, Statements>::new());
    let mut believed = BTreeSet::new();
    for note in record.markets.values() {
        believed.extend(note.fair_values.keys().copied());
        let Some(pays) = note.pays.map(|pays| pays.units()).filter(|pays| matches!(pays, 0 | 10_000)) else { continue };
        mids.extend(note.opinions.iter().map(|mid| (*mid, pays > 0)));
        for (instance, values) in &note.fair_values {
            own.entry(*instance).or_default().extend(values.iter().map(|value| (*value, pays > 0)));
        }
    }
    let undecided = "no market of which it was said was decided for one outcome";
    let judged = |statements: &Statements| {
        if statements.is_empty() { Err(undecided.to_owned()) } else { Ok(calibrate(statements)) }
    };
    let mut all: Vec<Opinion> = believed
        .iter()
        .map(|instance| Opinion {
            source: format!("the probability that {} states, once a minute", record.name(*instance)),
            calibration: judged(own.get(instance).unwrap_or(&Vec::new())),
        })
        .collect();
    if all.is_empty() {
        let none = "no strategy of this run states a probability".to_owned();
        all.push(Opinion { source: "strategies".to_owned(), calibration: Err(none) });
    }
    all.push(Opinion { source: "the book's mid, once a minute".to_owned(), calibration: judged(&mids) });
    all
}

fn latencies(record: &Record) -> Vec<Latency> {
    record
        .waits
        .iter()
        .map(|(stage, wait)| Latency {
            stage: (*stage).to_owned(),
            n: wait.0.len(),
            p50_us: wait.0.value_at_quantile(0.5),
            p90_us: wait.0.value_at_quantile(0.9),
            p99_us: wait.0.value_at_quantile(0.99),
            max_us: wait.0.max(),
        })
        .collect()
}
