//! What a session came to: profit, fills, drawdown and markouts.

use std::collections::{BTreeMap, HashMap, VecDeque};

use oddsmith_domain::{
    Action, Event, Input, InstanceId, MarketBatch, MarketId, MarketSource, Output, OutputBody, Price, Shares, Side,
    SubAccount, Time, TradeStatus, Usdc,
};
use oddsmith_engine::Engine;
use oddsmith_report::{Record, Split};
use serde::{Deserialize, Serialize};

/// How long after a fill the mid is compared with its price, in seconds (quant 12).
const HORIZONS_S: [u64; 3] = [1, 5, 30];
/// How often equity is looked at.
const SAMPLE_NS: u64 = Time::SECOND;

/// How the mid moved after fills, seen from our side: positive is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Markout {
    /// How long after the fill.
    pub seconds: u64,
    /// Fills with a mid then; those too near the end have none.
    pub fills: u64,
    /// Their shares.
    pub shares: Shares,
    /// The sum of side times (mid then less price paid) times shares.
    pub usdc: Usdc,
}

/// What was earned somewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profit {
    /// Realised, fees included.
    pub realized: Usdc,
    /// What is held at the last mid, or at what it pays, less what it has cost.
    pub unrealized: Usdc,
    /// Fees paid; they are in the realised profit and in the cost.
    pub fees: Usdc,
    /// Fills.
    pub fills: u64,
}

impl Profit {
    /// Realised and not realised.
    #[must_use]
    pub fn total(&self) -> Usdc {
        self.realized + self.unrealized
    }

    fn add(&mut self, other: &Profit) {
        self.realized += other.realized;
        self.unrealized += other.unrealized;
        self.fees += other.fees;
        self.fills += other.fills;
    }
}

/// How equity moved, relative to where it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curve {
    /// The highest; not below zero.
    pub peak: Usdc,
    /// The lowest; not above zero.
    pub trough: Usdc,
    /// The deepest fall from a peak.
    pub drawdown: Usdc,
}

impl Curve {
    fn see(&mut self, equity: Usdc) {
        self.peak = self.peak.max(equity);
        self.trough = self.trough.min(equity);
        self.drawdown = self.drawdown.max(self.peak - equity);
    }

    /// Goes on with another curve, which begins where this one has ended.
    fn go_on(&mut self, ended: Usdc, next: &Curve) {
        self.drawdown = self.drawdown.max(next.drawdown).max(self.peak - (ended + next.trough));
        self.peak = self.peak.max(ended + next.peak);
        self.trough = self.trough.min(ended + next.trough);
    }
}

/// What one session, or several one after the other, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Everything together.
    pub profit: Profit,
    /// By market, by its short name.
    pub markets: BTreeMap<String, Profit>,
    /// Markets that were decided while they were held or followed.
    pub decided: Vec<String>,
    /// By instance, by its name.
    pub instances: BTreeMap<String, Profit>,
    /// Where the profit came from, in parts that sum to it.
    pub split: Split,
    /// How equity moved.
    pub curve: Curve,
    /// Markouts of all fills.
    pub markouts: [Markout; HORIZONS_S.len()],
    /// Fills that took.
    pub taken: u64,
    /// Fills whose settlement failed for good.
    pub undone: u64,
    /// Shares filled.
    pub shares: Shares,
    /// Orders placed.
    pub orders: u64,
    /// Orders cancelled by a request of ours.
    pub canceled: u64,
    /// Orders that the venue refused.
    pub refused: u64,
    /// Decisions that differed from the one before.
    pub decisions: u64,
    /// Evaluations of strategies.
    pub evaluations: u64,
    /// Market frames applied.
    pub frames: u64,
    /// Elements of frames that were not understood.
    pub undecodable: u64,
    /// Nanoseconds of recording.
    pub lasted_ns: u64,
}

impl Measured {
    /// Adds a session that came after.
    pub fn add(&mut self, next: &Measured) {
        self.curve.go_on(self.profit.total(), &next.curve);
        self.profit.add(&next.profit);
        self.split += next.split;
        for (name, profit) in &next.markets {
            self.markets.entry(name.clone()).or_default().add(profit);
        }
        for (name, profit) in &next.instances {
            self.instances.entry(name.clone()).or_default().add(profit);
        }
        self.decided.extend(next.decided.iter().cloned());
        for (sum, part) in self.markouts.iter_mut().zip(&next.markouts) {
            sum.seconds = part.seconds;
            sum.fills += part.fills;
            sum.shares += part.shares;
            sum.usdc += part.usdc;
        }
        self.shares += next.shares;
        for (sum, part) in [
            (&mut self.taken, next.taken),
            (&mut self.undone, next.undone),
            (&mut self.orders, next.orders),
            (&mut self.canceled, next.canceled),
            (&mut self.refused, next.refused),
            (&mut self.decisions, next.decisions),
            (&mut self.evaluations, next.evaluations),
            (&mut self.frames, next.frames),
            (&mut self.undecodable, next.undecodable),
            (&mut self.lasted_ns, next.lasted_ns),
        ] {
            *sum += part;
        }
    }
}

/// A fill that waits for its horizon.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    due: u64,
    market: MarketId,
    /// In YES terms.
    side: Side,
    price: Price,
    size: Shares,
}

/// Follows a session.
pub(super) struct Measure {
    out: Measured,
    began: Option<Time>,
    names: HashMap<MarketId, String>,
    instances: Vec<String>,
    accounts: BTreeMap<(MarketId, InstanceId), SubAccount>,
    marks: HashMap<MarketId, Price>,
    fills: HashMap<(MarketId, InstanceId), u64>,
    waiting: [VecDeque<Waiting>; HORIZONS_S.len()],
    next_sample: u64,
    record: Record,
}

impl Measure {
    pub(super) fn new() -> Measure {
        let mut out = Measured::default();
        for (markout, seconds) in out.markouts.iter_mut().zip(HORIZONS_S) {
            markout.seconds = seconds;
        }
        Measure {
            out,
            began: None,
            names: HashMap::new(),
            instances: Vec::new(),
            accounts: BTreeMap::new(),
            marks: HashMap::new(),
            fills: HashMap::new(),
            waiting: Default::default(),
            next_sample: 0,
            record: Record::default(),
        }
    }

    pub(super) fn name(&mut self, market: MarketId, slug: &str) {
        self.names.entry(market).or_insert_with(|| slug.to_owned());
    }

    pub(super) fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        self.began.get_or_insert(now);
        self.record.input(input, now);
        self.outputs(now, outputs);
    }

    /// As [`Measure::record`] with a market frame, of which it is known what it says.
    pub(super) fn frame(&mut self, source: MarketSource, batch: &MarketBatch, now: Time, outputs: &[Output]) {
        self.began.get_or_insert(now);
        self.record.frame(source, batch, now);
        self.outputs(now, outputs);
    }

    fn outputs(&mut self, now: Time, outputs: &[Output]) {
        for output in outputs {
            self.record.output(output);
            match &output.body {
                OutputBody::Action(Action::Place(_)) => self.out.orders += 1,
                OutputBody::Action(_) => {}
                OutputBody::Event(event) => self.event(event, now),
            }
        }
    }

    fn event(&mut self, event: &Event, now: Time) {
        match event {
            Event::Began { instances, .. } => self.instances.clone_from(instances),
            Event::Decision { .. } => self.out.decisions += 1,
            Event::Ledger { instance, market, account } => {
                self.accounts.insert((*market, *instance), *account);
            }
            Event::Settlement { status: TradeStatus::Failed, .. } => self.out.undone += 1,
            Event::Resolved { market, yes, .. } => {
                self.marks.insert(*market, *yes);
                if let Some(name) = self.names.get(market).filter(|name| !self.out.decided.contains(name)) {
                    self.out.decided.push(name.clone());
                }
            }
            Event::Fill { instance, asset, side, price, size, taker, .. } => {
                self.out.profit.fills += 1;
                self.out.taken += u64::from(*taker);
                self.out.shares += *size;
                let owner = instance.unwrap_or(InstanceId::WALLET);
                *self.fills.entry((asset.market(), owner)).or_default() += 1;
                let (side, price) = in_yes_terms(asset.outcome(), *side, *price);
                for (waiting, seconds) in self.waiting.iter_mut().zip(HORIZONS_S) {
                    let due = now.mono_ns.saturating_add(seconds * Time::SECOND);
                    waiting.push_back(Waiting { due, market: asset.market(), side, price, size: *size });
                }
            }
            _ => {}
        }
    }

    /// Time is about to pass to this moment: what the engine sees now is what was last known before it.
    pub(super) fn until(&mut self, now: Time, engine: &Engine) {
        for (waiting, markout) in self.waiting.iter_mut().zip(&mut self.out.markouts) {
            while let Some(fill) = waiting.front().filter(|fill| fill.due < now.mono_ns) {
                if let Some(mid) = engine.value(fill.market) {
                    let moved = i64::from(mid.units()) - i64::from(fill.price.units());
                    let moved = if fill.side == Side::Buy { moved } else { -moved };
                    let micros = i128::from(moved) * i128::from(fill.size.micros()) / i128::from(Price::ONE.units());
                    markout.fills += 1;
                    markout.shares += fill.size;
                    markout.usdc += Usdc::from_micros(i64::try_from(micros).unwrap_or(i64::MAX));
                }
                waiting.pop_front();
            }
        }
        if now.mono_ns >= self.next_sample {
            self.next_sample = now.mono_ns + SAMPLE_NS;
            self.sample(engine);
        }
    }

    fn sample(&mut self, engine: &Engine) {
        let mut equity = Usdc::ZERO;
        for ((market, _), account) in &self.accounts {
            if let Some(mark) = engine.value(*market) {
                self.marks.insert(*market, mark);
            }
            equity += profit(account, self.marks.get(market)).total();
        }
        self.out.curve.see(equity);
    }

    /// The recording ends: the last mids stand.
    pub(super) fn end(&mut self, now: Time, engine: &Engine) {
        self.sample(engine);
        self.out.lasted_ns = self.began.map_or(0, |began| now.since(began));
    }

    /// Everything is over.
    pub(super) fn finish(mut self, totals: &oddsmith_engine::Totals) -> (Measured, Record) {
        self.out.evaluations = totals.evaluations;
        self.out.frames = totals.frames;
        self.out.undecodable = totals.undecodable;
        self.out.canceled = totals.canceled;
        self.out.refused = totals.refused;
        let mut all = Profit::default();
        for ((market, instance), account) in &self.accounts {
            let mut profit = profit(account, self.marks.get(market));
            profit.fills = self.fills.get(&(*market, *instance)).copied().unwrap_or(0);
            all.add(&profit);
            let market = self.names.get(market).cloned().unwrap_or_else(|| "closed".to_owned());
            self.out.markets.entry(market).or_default().add(&profit);
            let name = self.instances.get(usize::from(instance.0)).cloned().unwrap_or_else(|| "wallet".to_owned());
            self.out.instances.entry(name).or_default().add(&profit);
        }
        self.out.profit = all;
        self.record.finish();
        self.out.split = self.record.total();
        self.out.curve.see(all.total());
        (self.out, self.record)
    }
}

fn profit(account: &SubAccount, mark: Option<&Price>) -> Profit {
    let unrealized = mark.map_or(Usdc::ZERO, |mark| account.unrealized(*mark));
    Profit { realized: account.realized, unrealized, fees: account.fees, fills: 0 }
}

fn in_yes_terms(outcome: oddsmith_domain::Outcome, side: Side, price: Price) -> (Side, Price) {
    match (outcome, side) {
        (oddsmith_domain::Outcome::Yes, _) => (side, price),
        (oddsmith_domain::Outcome::No, Side::Buy) => (Side::Sell, price.complement()),
        (oddsmith_domain::Outcome::No, Side::Sell) => (Side::Buy, price.complement()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usdc(whole: i64) -> Usdc {
        Usdc::from_whole(whole)
    }

    #[test]
    fn curves_one_after_the_other_are_one_curve() {
        let steps: [&[i64]; 2] = [&[0, 5, 3, 9, 4], &[0, -3, 2, 1, -6]];
        let curve = |steps: &[i64], from: i64| {
            let mut curve = Curve::default();
            steps.iter().for_each(|step| curve.see(usdc(from + step)));
            curve
        };
        let mut joined = curve(steps[0], 0);
        joined.go_on(usdc(4), &curve(steps[1], 0));
        let mut whole = curve(steps[0], 0);
        steps[1].iter().for_each(|step| whole.see(usdc(4 + step)));
        assert_eq!(joined, whole);
        assert_eq!(joined, Curve { peak: usdc(9), trough: usdc(-2), drawdown: usdc(11) });
    }

    #[test]
    fn both_tokens_are_one_market() {
        let price: Price = "0.3".parse().expect("a price");
        let no = oddsmith_domain::Outcome::No;
        assert_eq!(in_yes_terms(no, Side::Buy, price), (Side::Sell, price.complement()));
        assert_eq!(in_yes_terms(oddsmith_domain::Outcome::Yes, Side::Buy, price), (Side::Buy, price));
    }
}
