//! Reading the records one after the other.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{
    Action, ConditionId, Event, Input, Listing, MarketBatch, MarketCard, MarketEvent, MarketId, Outcome, Output,
    OutputBody, PlaceOrder, Price, Restore, RunId, Scope, Setup, Time, Usdc,
};
use oddsmith_journal::{CodecError, Record, decode_input, decode_output};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;
use oddsmith_polymarket::codec::user::{UserDecoder, UserEvent};
use oddsmith_polymarket::order::OrderHasher;
use oddsmith_risk::{CapitalPart, Limits, OpenOrder};

use crate::accounts::Books;
use crate::answers::Answers;
use crate::form;
use crate::limits::Scene;
use crate::money::Demands;
use crate::orders::OwnOrders;
use crate::pauses::Pauses;
use crate::report::{Findings, Report, Rule, Totals};
use crate::stops::Stops;
use crate::takeover::take_over;

/// How long the market channel's word about a tick counts more than a card's.
const TICK_RULES_NS: u64 = 60 * Time::SECOND;

/// Audits a run record by record.
#[derive(Debug)]
pub struct Auditor {
    pub(crate) found: Findings,
    pub(crate) totals: Totals,
    pub(crate) setup: Option<Setup>,
    pub(crate) started_s: u64,
    pub(crate) limits: Limits,
    pub(crate) names: Vec<String>,
    /// The part of the wallet's capital that each instance may have at work.
    pub(crate) parts: Vec<Option<CapitalPart>>,
    /// The most markets that each instance may hold or quote at once.
    pub(crate) most: Vec<Option<u64>>,
    pub(crate) pauses: Pauses,
    pub(crate) hasher: Option<OrderHasher>,
    pub(crate) cards: BTreeMap<MarketId, MarketCard>,
    pub(crate) by_condition: BTreeMap<ConditionId, MarketId>,
    /// When the market channel last told a market's tick.
    pub(crate) tick_told: BTreeMap<MarketId, u64>,
    pub(crate) table: AssetTable,
    pub(crate) user: UserDecoder,
    pub(crate) user_events: Vec<UserEvent>,
    pub(crate) market: MarketDecoder,
    pub(crate) batch: MarketBatch,
    pub(crate) orders: OwnOrders,
    pub(crate) books: Books,
    pub(crate) answers: Answers,
    pub(crate) stops: Stops,
    pub(crate) capital: Option<Usdc>,
    /// Markets in which anything was ever placed or held, and whether the instances have left each.
    pub(crate) touched: BTreeMap<MarketId, bool>,
    /// Markets whose outcome is known.
    pub(crate) decided: BTreeSet<MarketId>,
    pub(crate) demands: Demands,
    pub(crate) output_seq: u64,
    pub(crate) time: Time,
}

impl Default for Auditor {
    fn default() -> Auditor {
        Auditor::new()
    }
}

impl Auditor {
    /// An auditor that awaits the first record.
    #[must_use]
    pub fn new() -> Auditor {
        Auditor {
            found: Findings::default(),
            totals: Totals::default(),
            setup: None,
            started_s: 0,
            limits: Limits::default(),
            names: Vec::new(),
            parts: Vec::new(),
            most: Vec::new(),
            pauses: Pauses::default(),
            hasher: None,
            cards: BTreeMap::new(),
            by_condition: BTreeMap::new(),
            tick_told: BTreeMap::new(),
            table: AssetTable::new(),
            user: UserDecoder::new(),
            user_events: Vec::new(),
            market: MarketDecoder::default(),
            batch: MarketBatch::default(),
            orders: OwnOrders::default(),
            books: Books::default(),
            answers: Answers::default(),
            stops: Stops::default(),
            capital: None,
            touched: BTreeMap::new(),
            decided: BTreeSet::new(),
            demands: Demands::default(),
            output_seq: 0,
            time: Time::default(),
        }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`CodecError`] when its payload is not what its kind says.
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), CodecError> {
        self.totals.records += 1;
        let (was, is) = (self.time, record.head.time);
        if record.head.kind.is_input() {
            // What the input before demanded is held against its own last record.
            self.settle_demands();
            self.found.record = record.sequence;
            self.found.check(Rule::Order, is.mono_ns >= was.mono_ns, || "time runs backwards".to_owned());
            self.time = is;
            self.totals.inputs += 1;
            self.input(&decode_input(record.payload)?);
        } else {
            self.found.record = record.sequence;
            self.found.check(Rule::Order, is == was, || "an output has another time than its input".to_owned());
            self.totals.outputs += 1;
            self.output(&decode_output(record.payload)?);
        }
        Ok(())
    }

    /// The report, when there is no record any more.
    #[must_use]
    pub fn finish(mut self, run_id: RunId, closed: bool) -> Report {
        // A run that was killed may have died between an input and what came of it.
        if closed {
            self.settle_demands();
        }
        let mut totals = self.totals;
        totals.unanswered = self.answers.waiting() as u64;
        totals.open_orders = self.orders.open_count() as u64;
        for account in self.books.accounts() {
            totals.cash += account.cash;
            totals.realized += account.realized;
            totals.cost_basis += account.cost_basis();
            totals.fees += account.fees;
        }
        let Findings { checks, violations, count, .. } = self.found;
        Report { run_id, closed, damage: None, holds: count == 0, checks, totals, violations, violation_count: count }
    }

    fn input(&mut self, input: &Input<'_>) {
        let first = self.totals.inputs == 1;
        let is_setup = matches!(input, Input::Setup(_));
        self.found
            .check(Rule::Order, first == is_setup, || "the setup is not the first input, or not the only".to_owned());
        match input {
            Input::Setup(setup) => self.begin(setup),
            Input::Card(card) => self.card(card),
            Input::Restore(restore) => self.restore(restore),
            Input::Market { bytes, .. } => self.frame(bytes),
            Input::User { bytes } => self.user_frame(bytes),
            Input::Gateway(result) => {
                self.demands.decided.extend(self.answers.decided(result));
                if let Some(shown) = self.answers.answered(result, &mut self.found) {
                    if shown.whole {
                        self.demands.shown_empty = shown.orders.is_empty();
                    }
                    shown.trades.iter().for_each(|trade| self.reported(trade));
                }
            }
            Input::Command(command) => {
                self.totals.commands += 1;
                self.stops.command(*command);
            }
            _ => {}
        }
    }

    fn begin(&mut self, setup: &Setup) {
        self.started_s = self.time.wall_s();
        let config: serde_json::Value = serde_json::from_str(&setup.config).unwrap_or_default();
        match serde_json::from_value::<Limits>(config["limits"].clone()) {
            Ok(limits) => self.limits = limits,
            Err(error) => self.found.found(Rule::Limit, format!("the run's limits cannot be read: {error}")),
        }
        let instances = config["instances"].as_array().cloned().unwrap_or_default();
        self.names = instances.iter().map(|i| i["name"].as_str().unwrap_or_default().to_owned()).collect();
        for instance in &instances {
            match serde_json::from_value(instance["sharing"]["capital"].clone()) {
                Ok(part) => self.parts.push(part),
                Err(error) => self.found.found(Rule::Limit, format!("a part of the capital cannot be read: {error}")),
            }
        }
        self.most = instances.iter().map(|instance| instance["sharing"]["max_markets"].as_u64()).collect();
        self.pauses = Pauses::of(&instances);
        self.hasher = OrderHasher::new(setup.chain_id).ok();
        self.setup = Some(setup.clone());
    }

    fn card(&mut self, card: &MarketCard) {
        // A market that is not known gets its number by an event, if the engine takes it up.
        let Some(id) = self.by_condition.get(&card.condition) else { return };
        let mut card = card.clone();
        let told = self.tick_told.get(id).is_some_and(|at| self.time.mono_ns.saturating_sub(*at) < TICK_RULES_NS);
        if told && let Some(known) = self.cards.get(id) {
            card.tick = known.tick;
        }
        self.cards.insert(*id, card);
    }

    fn numbered(&mut self, market: MarketId, card: &MarketCard) {
        let new = !self.cards.contains_key(&market) && !self.by_condition.contains_key(&card.condition);
        self.found.check(Rule::Order, new, || format!("market {} is numbered a second time", market.0));
        self.table.insert(market, card);
        self.by_condition.insert(card.condition, market);
        self.cards.insert(market, card.clone());
    }

    /// What is held in a market whose outcome is known can lose nothing any more; the venue must have said so.
    fn resolved(&mut self, market: MarketId, yes: Price) {
        let said = self.demands.decided.contains(&(market, yes));
        self.found.check(Rule::Settlement, said, || {
            format!("market {} is said to pay {yes} for YES, and the venue has not said so", market.0)
        });
        self.decided.insert(market);
    }

    fn forget(&mut self, market: MarketId) {
        let flat = self.books.market(market).all(|account| account.shares.iter().all(|s| s.is_zero()));
        let idle = self.orders.open_in(market).next().is_none();
        self.found
            .check(Rule::Order, flat && idle, || format!("market {} is forgotten while something is there", market.0));
        if let Some(card) = self.cards.remove(&market) {
            self.by_condition.remove(&card.condition);
            self.table.remove(&card);
        }
        self.tick_told.remove(&market);
        self.touched.remove(&market);
        self.decided.remove(&market);
    }

    fn restore(&mut self, restore: &Restore) {
        let account = self.setup.as_ref().map(|setup| setup.account);
        let second = self.totals.inputs == 2;
        if !second || account != Some(restore.account) {
            return;
        }
        take_over(restore, &self.names, &mut self.orders, &mut self.books);
        self.capital = restore.capital;
        self.stops.restore(restore);
        let numbers = (0..restore.markets.len()).filter_map(|i| u32::try_from(i).ok());
        self.touched.extend(numbers.map(|number| (MarketId(number), false)));
        let known = restore.markets.iter().zip(0..).filter(|(market, _)| market.resolved.is_some());
        self.decided.extend(known.map(|(_, number)| MarketId(number)));
    }

    /// A market frame matters for the grid and for the outcome only.
    fn frame(&mut self, bytes: &[u8]) {
        const WORDS: [&[u8]; 2] = [b"tick_size", b"market_resolved"];
        if !WORDS.iter().any(|word| bytes.windows(word.len()).any(|window| window == *word)) {
            return;
        }
        self.batch.clear();
        self.market.decode(&self.table, bytes, &mut self.batch);
        for event in &self.batch.events {
            let (asset, tick, always) = match event {
                MarketEvent::TickChange { asset, tick, .. } => (*asset, Some(*tick), true),
                MarketEvent::Snapshot(header) => (header.asset, header.tick, false),
                MarketEvent::Resolved { market, winner: Some(winner), .. } => {
                    let yes = if winner.outcome() == Outcome::Yes { Price::ONE } else { Price::ZERO };
                    self.demands.decided.push((*market, yes));
                    continue;
                }
                _ => continue,
            };
            if let Some(card) = self.cards.get_mut(&asset.market())
                && (always || card.tick.is_none())
            {
                card.tick = tick;
                if always {
                    self.tick_told.insert(asset.market(), self.time.mono_ns);
                }
            }
        }
    }

    fn user_frame(&mut self, bytes: &[u8]) {
        let mut events = std::mem::take(&mut self.user_events);
        events.clear();
        self.user.decode(&self.table, bytes, &mut events);
        for event in &events {
            if let UserEvent::Trade(trade) = event {
                self.reported(trade);
            }
        }
        self.user_events = events;
    }

    fn output(&mut self, output: &Output) {
        let expected = self.output_seq + 1;
        self.found.check(Rule::Order, output.seq == expected, || {
            format!("output {} comes where output {expected} should", output.seq)
        });
        self.output_seq = output.seq;
        match &output.body {
            OutputBody::Action(action) => self.action(output.seq, action),
            OutputBody::Event(event) => self.event(event),
        }
    }

    fn action(&mut self, seq: u64, action: &Action) {
        if let Action::Place(place) = action {
            self.place(place);
        }
        self.answers.asked(seq, action);
    }

    fn place(&mut self, place: &PlaceOrder) {
        self.totals.orders += 1;
        let market = place.asset.market();
        self.touched.entry(market).or_default();
        let Some(card) = self.cards.get(&market) else {
            self.found.found(Rule::WellFormed, format!("order {} is in a market that has no card", place.id));
            return self.orders.placed(place, &mut self.found);
        };
        let name = self.names.get(usize::from(place.instance.0)).map_or("", String::as_str);
        let order =
            OpenOrder { outcome: place.asset.outcome(), side: place.side(), price: place.price, size: place.size };
        let scene = Scene {
            limits: &self.limits,
            card,
            cards: &self.cards,
            books: &self.books,
            orders: &self.orders,
            capital: self.capital,
            markets: &self.touched,
            decided: &self.decided,
            name,
            part: self.parts.get(usize::from(place.instance.0)).copied().flatten(),
            most_markets: self.most.get(usize::from(place.instance.0)).copied().flatten(),
            halved: self.stops.halved(),
            wall_s: self.time.wall_s(),
        };
        let against = self.stops.against((place.instance, name), (market, &card.condition));
        self.found.check(Rule::Stopped, against.is_none(), || {
            format!("order {} is placed although {}", place.id, against.unwrap_or_default())
        });
        let pausing = self.pauses.against(place.instance, market).filter(|_| place.order_type.rests());
        self.found.check(Rule::Stopped, pausing.is_none(), || {
            let by = pausing.map_or(0, |by| by.0);
            format!("order {} is placed although instance {by} pauses its instance there", place.id)
        });
        let may_grow = !self.stops.reduces_only(&card.condition, name);
        self.found.check(Rule::Stopped, may_grow || scene.own(place.instance, market).is_reduced_by(&order), || {
            format!("order {} is placed although only reducing orders are allowed", place.id)
        });
        let lost = self.stops.lost();
        self.found.check(Rule::Stopped, lost < self.limits.max_daily_loss_usdc, || {
            format!("order {} is placed after a loss of {lost} on this day", place.id)
        });
        form::check(place, card, self.hasher.as_ref(), &mut self.found);
        scene.check(place, &order, &mut self.found);
        self.orders.placed(place, &mut self.found);
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Order { order, from, to, filled } => {
                self.orders.moved((*order, *from, *to), *filled, &mut self.found);
            }
            Event::Fill { .. } => self.fill(event),
            Event::Settlement { trade, order, status } => self.settlement((*trade, *order), *status),
            Event::Ledger { instance, market, account } => self.ledger((*instance, *market), account),
            Event::Booking { instance, market, booking, movement, .. } => {
                self.booked((*instance, *market), *booking, movement);
            }
            Event::Capital { capital, change, .. } => {
                let before = self.capital.unwrap_or(Usdc::ZERO);
                self.found.check(Rule::Ledger, before + *change == *capital, || {
                    format!("capital is said to change by {change} to {capital}, and was {before}")
                });
                self.capital = Some(*capital);
            }
            Event::Resolved { market, yes, .. } => self.resolved(*market, *yes),
            Event::Numbered { market, card } => self.numbered(*market, card),
            Event::Listing { market, listing: Listing::Forgotten } => self.forget(*market),
            Event::Listing { market, listing } => {
                self.touched.insert(*market, *listing == Listing::Left);
            }
            Event::DoubtBegan { .. } => self.totals.doubts += 1,
            Event::DoubtCleared { scope } => self.cleared(*scope),
            _ => {}
        }
        self.stops.event(event);
        self.pauses.event(event, &mut self.found);
    }

    fn cleared(&mut self, scope: Scope) {
        match scope {
            Scope::Wallet => {
                let (shown, open) = (self.demands.shown_empty, self.orders.open_count());
                self.found.check(Rule::Cleared, shown && open == 0, || {
                    format!("the wallet's doubt is cleared; shown empty by the venue: {shown}, orders open: {open}")
                });
            }
            Scope::Market(market) => {
                let open = self.orders.open_in(market).count();
                self.found.check(Rule::Cleared, open == 0, || {
                    format!("the doubt of market {} is cleared while {open} of its orders may be alive", market.0)
                });
            }
            Scope::Instance(_) => {}
        }
    }
}
