//! Everything that a report needs of a run, gathered in one pass over its journal.

use std::collections::BTreeMap;
use std::path::Path;

use oddsmith_domain::{
    Action, AssetId, CapitalCause, Event, GatewayOutcome, Input, InstanceId, MarketBatch, MarketEvent, MarketId,
    MarketSource, Outcome, Output, OutputBody, PlaceOutcome, Price, RunId, Scope, Setup, Shares, Side, Time, Usdc,
};
use oddsmith_journal::{CodecError, Ending, ReadError, Reader, decode_input, decode_output};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::attribution::Attribution;
use crate::fills::{Fills, NewFill};
use crate::join::{Joined, Part, span};
use crate::notes::{Stop, Wait, word};
use crate::orders::{Orders, yes_terms};
use crate::reasons::Wishes;
use crate::series::Series;
use crate::split::Split;
use crate::stats::{DrawdownMeter, HalfLife};

/// How often holdings are looked at for the half-life and the mean inventory.
const LOOK_S: f64 = 5.0;
/// How often profit is noted when nothing happens, in seconds; where accounts move, twenty times as often at most.
const NOTE_S: f64 = 1.0;
/// How often the mid of a market is noted as what the book says of its outcome, in seconds.
const OPINION_S: f64 = 60.0;
/// How many stops are listed; the others are counted.
const STOPS: usize = 400;

/// Why a run cannot be reported.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record cannot be understood.
    #[error("record {record}: {source}: use the build that wrote the journal")]
    Codec {
        /// The record.
        record: u64,
        /// Why.
        source: CodecError,
    },
    /// There is nothing to report.
    #[error("the journal has no setup: nothing was run")]
    Empty,
}

/// One market of a run.
#[derive(Debug, Default)]
pub(crate) struct MarketNote {
    pub(crate) slug: String,
    pub(crate) question: String,
    /// The mid of YES in dollars.
    pub(crate) mids: Series,
    pub(crate) pays: Option<Price>,
    /// What the mid said once a minute before it was decided.
    pub(crate) opinions: Vec<f64>,
    /// The fair values that instances told before it was decided.
    pub(crate) fair_values: BTreeMap<InstanceId, Vec<f64>>,
    asked_s: f64,
}

/// What an instance earned in a market, and what it holds there in the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Earned {
    pub(crate) instance: InstanceId,
    pub(crate) market: MarketId,
    pub(crate) split: Split,
    pub(crate) shares: [Shares; 2],
}

/// What an instance held in a market.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    /// YES less NO, in shares.
    pub(crate) net: Series,
    /// The same now, exactly.
    exact: Shares,
    /// How fast it goes back to nothing.
    pub(crate) life: HalfLife,
    /// Sums over the looks: of the absolute inventory in shares, and of its value at the mid.
    pub(crate) looks: (f64, f64, u64),
}

/// A run, gathered. See the [module](self).
#[derive(Debug, Default)]
pub struct Record {
    pub(crate) run: RunId,
    pub(crate) setup: Option<Setup>,
    pub(crate) config_hash: String,
    pub(crate) restored: Option<RunId>,
    pub(crate) closed: Option<&'static str>,
    pub(crate) records: [u64; 2],
    pub(crate) began: Option<Time>,
    /// The time of the last input on the run's own clock: the wall time at its begin, and what passed since on the clock that never goes
    /// back. Recordings, and wall clocks that are set, do.
    pub(crate) now: Time,
    /// The wall time of the last input, as it was.
    wall_ns: u64,
    batch: MarketBatch,
    pub(crate) attribution: Attribution,
    pub(crate) markets: BTreeMap<MarketId, MarketNote>,
    pub(crate) holdings: BTreeMap<(InstanceId, MarketId), Holding>,
    pub(crate) orders: Orders,
    pub(crate) fills: Fills,
    pub(crate) capital: Option<Usdc>,
    pub(crate) outside: Usdc,
    pub(crate) equity: Series,
    pub(crate) drawdown: Series,
    pub(crate) meter: DrawdownMeter,
    /// Profit at the end of each whole minute: the minute since the Unix epoch, and the profit.
    pub(crate) minutes: Vec<(u64, f64)>,
    noted_s: f64,
    looked_s: f64,
    pub(crate) waits: BTreeMap<&'static str, Wait>,
    asked: BTreeMap<u64, (&'static str, Time)>,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) wishes: Wishes,
    pub(crate) stops: Vec<Stop>,
    pub(crate) stops_left_out: u64,
    /// The names of the instances, by their numbers; known at the end.
    pub(crate) names: Vec<String>,
    /// What was earned where; known at the end.
    pub(crate) lines: Vec<Earned>,
    finished: bool,
    /// The runs, if there are several.
    pub(crate) parts: Vec<Part>,
    pub(crate) joined: Option<Joined>,
}

impl Record {
    /// Gathers the journal in `dir`.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn read(dir: &Path) -> Result<Record, RecordError> {
        let mut reader = Reader::open(dir)?;
        let mut record = Record { run: reader.run(), ..Record::default() };
        while let Some(next) = reader.next()? {
            let codec = |source| RecordError::Codec { record: next.sequence, source };
            if next.head.kind.is_input() {
                record.input(&decode_input(next.payload).map_err(codec)?, next.head.time);
            } else if next.head.kind.is_output() {
                record.output(&decode_output(next.payload).map_err(codec)?);
            }
        }
        record.closed = match reader.ending()? {
            Ending::Sealed => None,
            Ending::Open => Some("the run was not closed: it still works, or was killed"),
            Ending::Torn(_) => Some("the journal's end is damaged: what was lost is not in here"),
        };
        record.finish();
        if record.setup.is_none() { Err(RecordError::Empty) } else { Ok(record) }
    }

    /// Takes the next input, with its time.
    pub fn input(&mut self, input: &Input<'_>, now: Time) {
        if let Input::Market { source, bytes } = input {
            let mut batch = std::mem::take(&mut self.batch);
            self.attribution.decode(bytes, &mut batch);
            self.frame(*source, &batch, now);
            self.batch = batch;
            return;
        }
        self.pass(now);
        self.attribution.input(input, now);
        match input {
            Input::Setup(setup) => self.begin(setup),
            Input::Restore(restore) => self.restored = Some(restore.run),
            Input::Gateway(result) => self.answered(result.action.0, &result.outcome),
            _ => {}
        }
        self.look();
    }

    /// Takes the next input, which is a market frame that was decoded already, in the numbers of this run.
    pub fn frame(&mut self, source: MarketSource, batch: &MarketBatch, now: Time) {
        self.pass(now);
        self.attribution.frame(source, batch, now);
        self.note_frame(batch);
        self.look();
    }

    fn pass(&mut self, now: Time) {
        self.records[0] += 1;
        let began = *self.began.get_or_insert(now);
        self.wall_ns = now.wall_ns;
        self.now = began.plus_ns(now.since(began));
        self.fills.age(self.now, self.attribution.books());
    }

    fn begin(&mut self, setup: &Setup) {
        self.run = setup.run;
        self.config_hash = hex::encode(Sha256::digest(setup.config.as_bytes()));
        self.setup = Some(setup.clone());
    }

    /// Notes the mids of the markets in a frame, and how late it came.
    fn note_frame(&mut self, batch: &MarketBatch) {
        let (at, books) = (seconds(self.now), self.attribution.books());
        let mut stated_ms = 0;
        let mut trades = Vec::new();
        for event in &batch.events {
            match event {
                MarketEvent::LastTrade { asset, price, size, timestamp_ms, .. } => {
                    let yes = if asset.outcome() == Outcome::Yes { *price } else { price.complement() };
                    trades.push((asset.market(), (yes, *size)));
                    stated_ms = stated_ms.max(*timestamp_ms);
                }
                MarketEvent::Change(change) => stated_ms = stated_ms.max(change.timestamp_ms),
                _ => {}
            }
        }
        for market in books.touched() {
            let Some(book) = books.book(*market) else { continue };
            let own: Vec<_> = trades.iter().filter(|trade| trade.0 == *market).map(|trade| trade.1).collect();
            self.orders.looked(*market, book, &own);
            let Some(note) = self.markets.get_mut(market) else { continue };
            let Some(mid) = book.mid(Outcome::Yes) else { continue };
            note.mids.push_change(at, mid);
            if note.pays.is_none() && at - note.asked_s >= OPINION_S {
                note.asked_s = at;
                note.opinions.push(mid);
            }
        }
        if stated_ms > 0 {
            let late_ns = self.wall_ns.saturating_sub(stated_ms.saturating_mul(Time::MILLI));
            Wait::note(&mut self.waits, "market frame: venue's time to ours", late_ns);
        }
    }

    fn answered(&mut self, action: u64, outcome: &GatewayOutcome) {
        if let Some((stage, since)) = self.asked.remove(&action) {
            Wait::note(&mut self.waits, stage, self.now.since(since));
        }
        let what = match outcome {
            GatewayOutcome::Place(PlaceOutcome::Refused { code, .. }) => format!("order refused: {}", word(code)),
            GatewayOutcome::Place(PlaceOutcome::Unknown(cause)) => format!("order unknown: {}", word(cause)),
            GatewayOutcome::Place(PlaceOutcome::NotSent(cause)) => format!("order not sent: {}", word(cause)),
            _ => return,
        };
        self.count(what);
    }

    fn count(&mut self, what: String) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Takes the next output of the last input.
    pub fn output(&mut self, output: &Output) {
        self.records[1] += 1;
        let stands_before = self.attribution.books();
        match &output.body {
            OutputBody::Action(action) => {
                let stage = match action {
                    Action::Place(place) => {
                        self.orders.placed(place, self.now, stands_before.book(place.asset.market()));
                        "order: decided to answered"
                    }
                    Action::Cancel { .. } => "cancel: decided to answered",
                    Action::CancelAll | Action::CancelMarket { .. } => "cancel all: decided to answered",
                    Action::Fetch(_) => "read: decided to answered",
                    Action::Heartbeat => "heartbeat: sent to answered",
                    _ => return,
                };
                self.asked.insert(output.seq, (stage, self.now));
            }
            OutputBody::Event(event) => {
                if let Event::Fill { .. } = event {
                    self.filled(event);
                }
                self.attribution.output(output);
                self.event(event);
            }
        }
    }

    fn filled(&mut self, event: &Event) {
        let Event::Fill { trade, order, instance, asset, side, price, size, fee, taker, movement, .. } = event else {
            return;
        };
        let owner = instance.unwrap_or(InstanceId::WALLET);
        let held = self.holdings.get(&(owner, asset.market())).map_or(Shares::ZERO, |holding| holding.exact);
        let fill = NewFill {
            key: (*trade, *order),
            instance: owner,
            held: held + movement.shares[0] - movement.shares[1],
            asset: *asset,
            side: *side,
            price: *price,
            size: *size,
            fee: *fee,
            taker: *taker,
            cash: movement.cash,
        };
        let waited = self.orders.filled(order, *size, self.now);
        if let Some(ns) = waited {
            Wait::note(&mut self.waits, "order: taken by the venue to first fill", ns);
        }
        self.fills.add(fill, waited, self.now, self.attribution.books());
    }

    fn event(&mut self, event: &Event) {
        let at = seconds(self.now);
        match event {
            Event::Numbered { market, card } => {
                let note = self.markets.entry(*market).or_default();
                (note.slug, note.question) = (card.slug.clone(), card.question.clone());
            }
            Event::FairValue { instance, market, yes } => {
                let note = self.markets.entry(*market).or_default();
                if note.pays.is_none() {
                    note.fair_values.entry(*instance).or_default().push(yes.to_f64());
                }
            }
            Event::Resolved { market, yes, .. } => {
                let note = self.markets.entry(*market).or_default();
                note.pays = Some(*yes);
                note.mids.push(at, yes.to_f64());
            }
            Event::Order { order, to, .. } => self.orders.moved(order, *to, self.now),
            Event::Settlement { trade, order, status } => self.fills.settled((*trade, *order), *status),
            Event::Ledger { instance, market, account } => {
                let net = account.shares[0] - account.shares[1];
                let holding = self.holdings.entry((*instance, *market)).or_default();
                if holding.net.is_empty() {
                    holding.net.push(self.began.map_or(at, seconds), 0.0);
                }
                holding.exact = net;
                holding.net.push_change(at, net.to_f64());
                if at - self.noted_s >= NOTE_S / 20.0 {
                    self.note_profit();
                }
            }
            Event::Capital { capital, change, cause } => {
                self.capital = Some(*capital);
                if matches!(cause, CapitalCause::Deposit | CapitalCause::Withdrawal) {
                    self.outside += *change;
                }
            }
            Event::Decision { .. } | Event::Reasons { .. } => self.wishes.event(event, self.now),
            Event::Denied { denial, .. } => self.count(format!("order not built: {}", word(denial))),
            Event::Withdrawn { why, .. } => self.count(format!("order withdrawn: {}", word(why))),
            Event::Difference { kind, .. } => self.count(format!("account differs: {}", word(kind))),
            Event::Undecodable { .. } => self.count("frame not understood".to_owned()),
            Event::SlowEvaluation { took_us, .. } => {
                Wait::note(&mut self.waits, "evaluations that were too slow", took_us.saturating_mul(1_000));
            }
            Event::DoubtBegan { scope, cause } => {
                let (scope, cause) = (self.scope(*scope), word(cause));
                self.stop(scope, cause);
            }
            Event::DoubtEnded { scope } => {
                let scope = self.scope(*scope);
                for stop in self.stops.iter_mut().filter(|stop| stop.scope == scope && stop.to_s.is_none()) {
                    stop.to_s = Some(at);
                }
            }
            Event::Latched(latched) => self.stop(format!("latch on {}", word(&latched.scope)), word(&latched.latch)),
            Event::Unlatched { scope, latch } => {
                let (scope, cause) = (format!("latch on {}", word(scope)), word(latch));
                let mut open = self.stops.iter_mut().filter(|stop| stop.scope == scope && stop.cause == cause);
                if let Some(stop) = open.find(|stop| stop.to_s.is_none()) {
                    stop.to_s = Some(at);
                }
            }
            _ => {}
        }
    }

    fn scope(&self, scope: Scope) -> String {
        match scope {
            Scope::Wallet => "wallet".to_owned(),
            Scope::Market(market) => self.slug(market),
            Scope::Instance(instance) => self.name(instance),
        }
    }

    fn stop(&mut self, scope: String, cause: String) {
        self.add_stop(Stop { scope, cause, from_s: seconds(self.now), to_s: None });
    }

    pub(crate) fn add_stop(&mut self, stop: Stop) {
        if self.stops.len() >= STOPS {
            self.stops_left_out += 1;
        } else {
            self.stops.push(stop);
        }
    }

    /// Looks at profit and holdings, every so often.
    fn look(&mut self) {
        let at = seconds(self.now);
        if at - self.noted_s >= NOTE_S {
            self.note_profit();
        }
        if at - self.looked_s < LOOK_S {
            return;
        }
        // After a pause there is one look, not the many that were missed.
        self.looked_s = at;
        for ((_, market), holding) in &mut self.holdings {
            let held = holding.net.latest().unwrap_or_default();
            holding.life.add(held);
            let mid = self.attribution.books().mark(*market).map_or(0.5, Price::to_f64);
            let worth = if held < 0.0 { -held * (1.0 - mid) } else { held * mid };
            holding.looks = (holding.looks.0 + held.abs(), holding.looks.1 + worth, holding.looks.2 + 1);
        }
    }

    fn note_profit(&mut self) {
        let at = seconds(self.now);
        self.noted_s = at;
        let profit = self.attribution.split().total.to_f64();
        self.equity.push_change(at, profit);
        let minute = (at / 60.0) as u64;
        match self.minutes.last_mut() {
            Some(last) if last.0 == minute => last.1 = profit,
            _ => self.minutes.push((minute, profit)),
        }
        let fall = self.meter.add(at, profit + self.base());
        self.drawdown.push_change(at, -fall);
    }

    /// What profit is counted from, in dollars.
    pub(crate) fn base(&self) -> f64 {
        self.capital.map_or(0.0, Usdc::to_f64)
    }

    /// The run is over: nothing more comes. A second time changes nothing.
    pub fn finish(&mut self) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        if self.began.is_some() {
            self.note_profit();
        }
        self.orders.finish(self.now);
        self.wishes.finish(self.now);
        let books = self.attribution.books();
        self.fills.finish(|market| books.is_decided(market).then(|| books.mark(market)).flatten());
        self.names = self.attribution.names().to_vec();
        let held: BTreeMap<_, _> =
            self.attribution.accounts().map(|(i, m, account)| ((i, m), account.shares)).collect();
        let earned = self.attribution.lines().map(|(instance, market, split)| {
            let shares = held.get(&(instance, market)).copied().unwrap_or_default();
            Earned { instance, market, split, shares }
        });
        self.lines = earned.collect();
    }

    /// What everything earned, once it is finished.
    #[must_use]
    pub fn total(&self) -> Split {
        self.lines.iter().map(|earned| earned.split).sum()
    }

    /// Profit over time, in dollars, once it is finished.
    #[must_use]
    pub fn equity(&self) -> &Series {
        &self.equity
    }

    /// Where profit came from, so far.
    #[must_use]
    pub const fn attribution(&self) -> &Attribution {
        &self.attribution
    }

    /// An instance's name.
    pub(crate) fn name(&self, instance: InstanceId) -> String {
        let names = if self.finished { self.names.as_slice() } else { self.attribution.names() };
        match names.get(usize::from(instance.0)) {
            Some(name) => name.clone(),
            None => "nobody".to_owned(),
        }
    }

    /// A market's name.
    pub(crate) fn slug(&self, market: MarketId) -> String {
        match self.markets.get(&market) {
            Some(note) => note.slug.clone(),
            None if market == MarketId::CLOSED => "earlier markets".to_owned(),
            None => format!("market {}", market.0),
        }
    }

    /// The seconds from the first record to the last.
    pub(crate) fn span_s(&self) -> f64 {
        span(self.began, self.now)
    }
}

/// A moment in seconds since the Unix epoch.
pub(crate) fn seconds(time: Time) -> f64 {
    time.wall_ns as f64 / 1e9
}

/// A side and a price as they are for YES.
pub(crate) fn in_yes(asset: AssetId, side: Side, price: Price) -> (Side, Price) {
    yes_terms(asset.outcome(), side, price)
}
