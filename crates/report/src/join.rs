//! Several runs as one: a chain of restarts, or the sessions of a backtest.
//!
//! Each run is gathered by itself and then laid behind the others. Markets and instances are the same in all of them when their names are;
//! the numbers that each run gave them are replaced.

use std::collections::BTreeMap;

use oddsmith_domain::{InstanceId, MarketId, RunId, Time, Usdc};
use serde::Serialize;

use crate::record::{Earned, Record, seconds};
use crate::series::Series;
use crate::split::Split;

/// The market of what changed between two runs of a chain.
const BETWEEN: &str = "between the runs";

/// How runs belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Joined {
    /// Each took over the account of the one before it: the ledger goes on, by the clock.
    Chain,
    /// Each had an account of its own: profits are added, and the runs are laid end to end, whenever they were.
    EndToEnd,
}

/// One of the runs that a report is made of.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// The run.
    pub run: RunId,
    /// When it began, in seconds since the Unix epoch.
    pub began_s: f64,
    /// How long it lasted, in seconds.
    pub span_s: f64,
    /// What it earned by itself.
    pub profit: Usdc,
    /// Fills that are listed.
    pub fills: usize,
    /// Why the end of its journal is not the end of the run, if so.
    pub open_end: Option<String>,
}

impl Part {
    fn of(record: &Record) -> Part {
        let total = record.total();
        Part {
            run: record.run,
            began_s: record.began.map_or(0.0, seconds),
            span_s: record.span_s(),
            profit: total.total - total.carried,
            fills: record.fills.rows.len(),
            open_end: record.closed.map(str::to_owned),
        }
    }
}

/// By how much what the next run noted is moved.
#[derive(Clone, Copy)]
struct Shift {
    seconds: f64,
    dollars: f64,
}

impl Shift {
    fn ns(&self, wall_ns: u64) -> u64 {
        let moved = i128::from(wall_ns) + (self.seconds * 1e9) as i128;
        u64::try_from(moved).unwrap_or(0)
    }

    fn series(&self, to: &mut Series, from: &Series) {
        to.append(from, self.seconds, 0.0);
    }
}

impl Record {
    /// Lays another run behind this one, or behind those that were joined already.
    pub fn join(&mut self, mut next: Record, how: Joined) {
        self.finish();
        next.finish();
        if self.parts.is_empty() {
            self.parts.push(Part::of(self));
        }
        self.parts.push(Part::of(&next));
        self.joined = Some(how);
        let end = self.began.map_or(0.0, seconds) + self.span_s();
        let shift = match how {
            Joined::Chain => Shift { seconds: 0.0, dollars: 0.0 },
            Joined::EndToEnd => {
                Shift { seconds: end - next.began.map_or(end, seconds), dollars: self.total().total.to_f64() }
            }
        };
        if how == Joined::EndToEnd {
            // What was held is gone with its account.
            self.holdings.values_mut().for_each(|holding| holding.net.push_change(end, 0.0));
        }
        let numbers = Numbers::new(self, &next);
        numbers.apply(&mut next);
        self.take_profit(&next, how, shift);
        self.take_money(&mut next, how);
        self.take_markets(&mut next, &numbers, shift);
        self.take_orders(&mut next, shift);
        self.wishes.go_on(&mut next.wishes, |instance| numbers.instance(instance));
        self.take_troubles(&mut next, shift);
        let lasted = next.now.since(next.began.unwrap_or_default());
        self.now = match (how, self.began, next.began) {
            (Joined::Chain, Some(began), Some(then)) => {
                began.plus_ns(then.wall_ns.saturating_sub(began.wall_ns).saturating_add(lasted))
            }
            _ => self.now.plus_ns(lasted),
        };
        self.began = self.began.or(next.began);
    }

    /// The line of profit, with the drawdown counted from the highest point of all runs.
    fn take_profit(&mut self, next: &Record, how: Joined, shift: Shift) {
        let base = self.base();
        for (at, profit) in next.equity.points(usize::MAX) {
            let (at, profit) = (at + shift.seconds, profit + shift.dollars);
            let fall = self.meter.add(at, profit + base);
            self.drawdown.push_change(at, -fall);
        }
        self.equity.append(&next.equity, shift.seconds, shift.dollars);
        for (minute, profit) in &next.minutes {
            let (minute, profit) =
                (((*minute as f64 * 60.0 + shift.seconds) / 60.0).max(0.0) as u64, profit + shift.dollars);
            match self.minutes.last_mut() {
                Some(last) if last.0 >= minute => last.1 = profit,
                _ => self.minutes.push((minute, profit)),
            }
        }
        let mut between = BTreeMap::<InstanceId, Usdc>::new();
        if how == Joined::Chain {
            for earned in &self.lines {
                *between.entry(earned.instance).or_default() -= earned.split.total;
            }
        }
        for earned in &next.lines {
            let mut split = earned.split;
            if how == Joined::Chain {
                *between.entry(earned.instance).or_default() += split.carried;
                split.total -= std::mem::take(&mut split.carried);
            }
            self.earn(Earned { split, ..*earned });
        }
        between.retain(|_, amount| !amount.is_zero());
        if !between.is_empty() {
            let market = self.numbered(BETWEEN);
            for (instance, amount) in between {
                let split = Split { carried: amount, total: amount, ..Split::default() };
                self.earn(Earned { instance, market, split, shares: Default::default() });
            }
        }
    }

    /// Adds to what an instance earned in a market; what it holds there is what it held last.
    fn earn(&mut self, earned: Earned) {
        match self.lines.iter_mut().find(|line| (line.instance, line.market) == (earned.instance, earned.market)) {
            Some(line) => {
                line.split += earned.split;
                line.shares = earned.shares;
            }
            None => self.lines.push(earned),
        }
    }

    fn take_money(&mut self, next: &mut Record, how: Joined) {
        self.outside += next.outside;
        if how == Joined::Chain || self.capital.is_none() {
            self.capital = next.capital.or(self.capital);
        }
        (self.run, self.closed, self.restored) = (next.run, next.closed, self.restored.or(next.restored));
        self.setup = next.setup.take().or_else(|| self.setup.take());
        self.config_hash = std::mem::take(&mut next.config_hash);
        for (sum, more) in self.records.iter_mut().zip(next.records) {
            *sum += more;
        }
    }

    fn take_markets(&mut self, next: &mut Record, numbers: &Numbers, shift: Shift) {
        for (market, note) in std::mem::take(&mut next.markets) {
            let own = self.markets.entry(numbers.market(market)).or_default();
            (own.slug, own.question) = (note.slug, note.question);
            shift.series(&mut own.mids, &note.mids);
            own.pays = note.pays.or(own.pays);
            own.opinions.extend(note.opinions);
            for (instance, values) in note.fair_values {
                own.fair_values.entry(numbers.instance(instance)).or_default().extend(values);
            }
        }
        for ((instance, market), holding) in std::mem::take(&mut next.holdings) {
            let own = self.holdings.entry((numbers.instance(instance), numbers.market(market))).or_default();
            shift.series(&mut own.net, &holding.net);
            own.life.go_on(&holding.life);
            let (held, worth, looks) = holding.looks;
            own.looks = (own.looks.0 + held, own.looks.1 + worth, own.looks.2 + looks);
        }
    }

    fn take_orders(&mut self, next: &mut Record, shift: Shift) {
        for row in &mut next.fills.rows {
            row.at_ns = shift.ns(row.at_ns);
        }
        self.fills.rows.append(&mut next.fills.rows);
        self.fills.left_out += next.fills.left_out;
        self.fills.traded += next.fills.traded;
        for row in &mut next.orders.rows {
            row.placed_ns = shift.ns(row.placed_ns);
        }
        self.orders.go_on(&mut next.orders);
    }

    fn take_troubles(&mut self, next: &mut Record, shift: Shift) {
        for (stage, wait) in std::mem::take(&mut next.waits) {
            match self.waits.get_mut(stage) {
                // Both have the same bounds, so that one fits into the other.
                Some(own) => drop(own.0.add(&wait.0)),
                None => drop(self.waits.insert(stage, wait)),
            }
        }
        for (what, n) in std::mem::take(&mut next.counts) {
            *self.counts.entry(what).or_default() += n;
        }
        for mut stop in std::mem::take(&mut next.stops) {
            stop.from_s += shift.seconds;
            stop.to_s = stop.to_s.map(|to| to + shift.seconds);
            self.add_stop(stop);
        }
        self.stops_left_out += next.stops_left_out;
    }

    /// The number of a market in all runs together, by its name.
    fn numbered(&mut self, slug: &str) -> MarketId {
        if let Some((market, _)) = self.markets.iter().find(|(_, note)| note.slug == slug) {
            return *market;
        }
        let market = MarketId(self.markets.keys().last().map_or(0, |last| last.0 + 1));
        self.markets.entry(market).or_default().slug = slug.to_owned();
        market
    }
}

/// The numbers that markets and instances of the next run have in all runs together.
struct Numbers {
    markets: BTreeMap<MarketId, MarketId>,
    instances: Vec<InstanceId>,
}

impl Numbers {
    /// Gives numbers to what is new.
    fn new(all: &mut Record, next: &Record) -> Numbers {
        let markets = next.markets.iter().map(|(market, note)| (*market, all.numbered(&note.slug))).collect();
        let number = |name: &String| {
            let at = all.names.iter().position(|known| known == name).unwrap_or_else(|| {
                all.names.push(name.clone());
                all.names.len() - 1
            });
            InstanceId(u16::try_from(at).unwrap_or(InstanceId::WALLET.0))
        };
        let instances = next.names.iter().map(number).collect();
        Numbers { markets, instances }
    }

    fn market(&self, market: MarketId) -> MarketId {
        self.markets.get(&market).copied().unwrap_or(market)
    }

    fn instance(&self, instance: InstanceId) -> InstanceId {
        self.instances.get(usize::from(instance.0)).copied().unwrap_or(instance)
    }

    fn apply(&self, next: &mut Record) {
        let place = |(instance, market)| (self.instance(instance), self.market(market));
        for earned in &mut next.lines {
            (earned.instance, earned.market) = place((earned.instance, earned.market));
        }
        for row in &mut next.fills.rows {
            (row.instance, row.market) = place((row.instance, row.market));
        }
        next.orders.renumber(place);
    }
}

/// The clock that all runs share, from their first moment on.
pub(crate) fn span(began: Option<Time>, now: Time) -> f64 {
    began.map_or(0.0, |began| now.since(began) as f64 / 1e9)
}
