//! The engine itself: its parts, and the door through which everything comes.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_book::ShardProof;
use oddsmith_domain::{
    Action, ActionSeq, AssetId, Command, ConditionId, DoubtCause, Event, Input, InstanceId, KillReason, MarketBatch,
    MarketCard, MarketEvent, MarketId, MarketSource, OrderId, Output, OutputBody, Scope, Setup, Time, TradeId,
    TradingMode, Usdc,
};
use oddsmith_execution::{Fills, Ledger, OrderBuilder, Orders, Plan};
use oddsmith_polymarket::AssetTable;
use oddsmith_polymarket::codec::market::MarketDecoder;
use oddsmith_polymarket::codec::user::{UserDecoder, UserEvent};
use oddsmith_risk::Gate;
use oddsmith_strategy::Decision;

use crate::basket::Patience;
use crate::breaker::Breakers;
use crate::causes::Standing;
use crate::config::{EngineConfig, ns};
use crate::convert::Exchanged;
use crate::doubt::Doubt;
use crate::figures::Sums;
use crate::instance::Instance;
use crate::lag::Lag;
use crate::lists::SmallMap;
use crate::market::Market;
use crate::markets::Markets;
use crate::pause::Pauser;
use crate::poll::Poll;
use crate::reconcile::Reconciler;
use crate::reference::References;
use crate::restore::Reach;
use crate::selection::Selector;
use crate::sharing::{by_priority, paused_by};
use crate::slow::Stopwatch;
use crate::truth::Truths;
use crate::unfamiliar::Unfamiliar;

/// The most orders that one tick places, so that a ladder never keeps a fill or a cancel waiting.
pub const MAX_PLACEMENTS: usize = 15;

/// Gives every output its number.
#[derive(Debug, Default)]
pub(crate) struct Emitter {
    seq: u64,
}

impl Emitter {
    pub(crate) fn event(&mut self, out: &mut Vec<Output>, event: Event) {
        self.seq += 1;
        out.push(Output { seq: self.seq, body: OutputBody::Event(event) });
    }

    pub(crate) fn action(&mut self, out: &mut Vec<Output>, action: Action) -> ActionSeq {
        self.seq += 1;
        out.push(Output { seq: self.seq, body: OutputBody::Action(action) });
        ActionSeq(self.seq)
    }
}

/// What an action was for, so that its result finds its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Place(OrderId),
    Cancel(OrderId),
    /// How an order stands, and whether it had been at the venue when that was asked.
    Query(OrderId, bool),
    Doubt(Scope),
    Reconcile,
    Heartbeat,
    Book(AssetId),
    Poll,
    Resolution(MarketId),
    Conversion(MarketId),
    EventConversion,
    Other,
}

/// The state machine. See the crate's documentation.
pub struct Engine {
    pub(crate) emit: Emitter,
    pub(crate) setup: Option<Setup>,
    pub(crate) config: EngineConfig,
    pub(crate) assets: AssetTable,
    pub(crate) markets: Markets,
    pub(crate) by_condition: BTreeMap<ConditionId, MarketId>,
    pub(crate) instances: Vec<Instance>,
    /// Their places by priority, the first one first, and those of them that pause others.
    pub(crate) order: Vec<usize>,
    pub(crate) pausers: Vec<Pauser>,
    /// Which listed markets the instances' rules choose.
    pub(crate) selector: Selector,
    /// Strategies for instances that are still to be set up.
    pub(crate) own_strategies: BTreeMap<String, Box<dyn oddsmith_strategy::Strategy + Send>>,
    /// How each market-channel connection stands.
    pub(crate) shards: BTreeMap<u16, Shard>,
    pub(crate) orders: Orders,
    pub(crate) fills: Fills,
    pub(crate) ledger: Ledger,
    pub(crate) gate: Gate,
    /// What limits are set on, over all markets.
    pub(crate) sums: Sums,
    /// Who measures evaluations.
    pub(crate) stopwatch: Option<Stopwatch>,
    /// Since when the user channel is down.
    pub(crate) disconnected: Option<Time>,
    pub(crate) builder: Option<OrderBuilder>,
    pub(crate) wallet: Doubt,
    /// How the venue was last found to be.
    pub(crate) standing: Standing,
    /// What is held back because it fails again and again.
    pub(crate) breakers: Breakers,
    /// Where a side is not quoted for a while after post-only refusals.
    pub(crate) defences: SmallMap<(InstanceId, MarketId), ()>,
    /// The time of the last input.
    pub(crate) last_time: Option<Time>,
    /// Collateral that the venue counted when the run began; nothing is spent before it is known.
    pub(crate) opening: Option<Usdc>,
    /// When the account is read and compared, and what the last reads have shown.
    pub(crate) reconciler: Reconciler,
    /// The asking that stands in for the user channel.
    pub(crate) poll: Option<Poll>,
    /// Bookings without a match so far: each has a number of its own.
    pub(crate) bookings: u64,
    /// Baskets accepted so far.
    pub(crate) baskets: u64,
    pub(crate) awaited: SmallMap<ActionSeq, Purpose>,
    /// Conversions of events that are on their way, and until when none is asked for after a refusal.
    pub(crate) exchanged: BTreeMap<ActionSeq, Exchanged>,
    pub(crate) convert_at: u64,
    pub(crate) timers: Timers,
    pub(crate) intents: u64,
    /// Where something may have to be placed or cancelled.
    pub(crate) plans: SmallMap<(InstanceId, MarketId), ()>,
    /// Matches of unknown orders that were told already.
    pub(crate) strangers: BTreeSet<TradeId>,
    /// Orders under our key that this run has not made and that were told already.
    pub(crate) foreign: BTreeSet<OrderId>,
    /// When the run began, in seconds since the Unix epoch.
    pub(crate) started_s: u64,
    pub(crate) reach: Reach,
    /// Where the search for the next due instance begins, so that all get their turn.
    pub(crate) turn: usize,
    /// The token whose book was last compared with a REST read.
    pub(crate) checked: usize,
    pub(crate) pending: bool,
    pub(crate) scratch: Scratch,
    pub(crate) counts: Counts,
    /// What the market and the user channel said beyond what is known.
    pub(crate) unfamiliar: [Unfamiliar; 2],
    /// The prices outside of the venue.
    pub(crate) references: References,
    /// What is known of matches.
    pub(crate) truths: Truths,
}

/// How a market-channel connection stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shard {
    pub(crate) proof: ShardProof,
    /// The last book that was read by REST was not the one that the connection had led to.
    pub(crate) disagrees: bool,
    /// How far its frames are behind.
    pub(crate) lag: Lag,
}

impl Default for Shard {
    fn default() -> Shard {
        Shard { proof: ShardProof::None, disagrees: false, lag: Lag::default() }
    }
}

/// When things that happen by themselves happen next, on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    pub(crate) heartbeat: u64,
    pub(crate) watch: u64,
    pub(crate) cross_check: u64,
}

/// Memory that is reused from input to input.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) market: MarketDecoder,
    pub(crate) batch: MarketBatch,
    pub(crate) user: UserDecoder,
    pub(crate) user_events: Vec<UserEvent>,
    pub(crate) decision: Decision,
    pub(crate) plan: Plan,
    pub(crate) working: Vec<oddsmith_execution::WorkingOrder>,
    /// Everybody's own orders in the markets of an instance, the instance's, and where each market's end.
    pub(crate) own: Vec<oddsmith_strategy::OwnOrder>,
    pub(crate) own_working: Vec<oddsmith_strategy::Working>,
    pub(crate) own_ends: Vec<(usize, usize)>,
    /// Plans that are due in this tick.
    pub(crate) due: Vec<(oddsmith_domain::InstanceId, MarketId)>,
}

/// What the engine counts for its readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) frames: u64,
    pub(crate) undecodable: u64,
    pub(crate) evaluations: u64,
    pub(crate) placed: u64,
    pub(crate) canceled: u64,
    pub(crate) refused: u64,
    pub(crate) fills: u64,
    pub(crate) differences: u64,
    /// How often a sub-account moved.
    pub(crate) movements: u64,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new()
    }
}

impl Engine {
    /// An engine that waits for its setup.
    #[must_use]
    pub fn new() -> Engine {
        let config = EngineConfig::default();
        Engine {
            emit: Emitter::default(),
            setup: None,
            gate: Gate::new(config.limits.clone()),
            sums: Sums::default(),
            stopwatch: None,
            disconnected: None,
            config,
            assets: AssetTable::default(),
            markets: Markets::default(),
            by_condition: BTreeMap::new(),
            instances: Vec::new(),
            order: Vec::new(),
            pausers: Vec::new(),
            selector: Selector::default(),
            own_strategies: BTreeMap::new(),
            shards: BTreeMap::new(),
            orders: Orders::default(),
            fills: Fills::default(),
            ledger: Ledger::default(),
            builder: None,
            wallet: Doubt::none(),
            standing: Standing::default(),
            breakers: Breakers::NEW,
            defences: SmallMap::new(),
            last_time: None,
            opening: None,
            reconciler: Reconciler::default(),
            poll: None,
            bookings: 0,
            baskets: 0,
            awaited: SmallMap::new(),
            exchanged: BTreeMap::new(),
            convert_at: 0,
            timers: Timers::default(),
            intents: 0,
            plans: SmallMap::new(),
            strangers: BTreeSet::new(),
            foreign: BTreeSet::new(),
            started_s: 0,
            reach: Reach::default(),
            turn: 0,
            checked: 0,
            pending: false,
            scratch: Scratch::default(),
            counts: Counts::default(),
            unfamiliar: <[Unfamiliar; 2]>::default(),
            references: References::default(),
            truths: Truths::default(),
        }
    }

    /// Takes one input at a time and appends what comes out of it to `out`.
    ///
    /// No input makes it panic. An input that cannot be used (a frame that cannot be understood, a result of an action that was never
    /// asked for) leads to an event that says so.
    pub fn handle(&mut self, input: &Input<'_>, now: Time, out: &mut Vec<Output>) {
        self.watch_clock(now, out);
        match input {
            Input::Setup(setup) => self.on_setup(setup, now, out),
            Input::Card(card) => self.on_card(card, now, out),
            Input::Market { source, bytes } => self.on_market(*source, bytes, now, out),
            Input::User { bytes } => self.on_user(bytes, now, out),
            Input::Gateway(result) => self.on_gateway(result, now, out),
            Input::Link { link, state } => self.on_link(*link, state, now, out),
            Input::Command(command) => self.on_command(*command, now, out),
            Input::Guard(report) => self.on_guard(*report, now, out),
            Input::Restore(restore) => self.on_restore(restore, now, out),
            Input::Protocol(protocol) => self.on_protocol(*protocol, now, out),
            Input::Evaluated { instance, evaluation, took_us } => {
                self.on_evaluated(*instance, *evaluation, *took_us, out);
            }
            Input::Reference(tick) => self.on_reference(tick, now, out),
            Input::Truth(report) => self.on_truth(report, now),
            Input::Listed(list) => self.on_listed(list, now, out),
            Input::Tick => return self.on_tick(now, out),
        }
        self.pending = true;
    }

    /// Whether a [`Input::Tick`] would do something now.
    #[must_use]
    pub const fn needs_tick(&self) -> bool {
        self.pending
    }

    /// The cards of the markets, by [`MarketId`].
    pub fn cards(&self) -> impl Iterator<Item = (MarketId, &MarketCard)> {
        self.markets.iter().map(|m| (m.id, &m.card))
    }

    /// Whether a shutdown was commanded and the venue has shown that nothing of ours is left.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.wallet.has(DoubtCause::Shutdown) && self.wallet.is_verified()
    }

    fn on_setup(&mut self, setup: &Setup, now: Time, out: &mut Vec<Output>) {
        if self.setup.is_some() {
            return self.emit.event(out, Event::Alert { text: "a second setup was refused".to_owned() });
        }
        let config = match EngineConfig::from_json(&setup.config) {
            Ok(config) => config,
            Err(error) => return self.emit.event(out, Event::Alert { text: error.to_string() }),
        };
        match OrderBuilder::new(setup.chain_id, setup.account, setup.payer, setup.seed) {
            Ok(builder) => self.builder = Some(builder),
            Err(error) => return self.emit.event(out, Event::Alert { text: error.to_string() }),
        }
        let order = by_priority(&config.instances);
        for (index, instance) in config.instances.iter().enumerate() {
            // `from_json` has checked every parameter.
            let Ok(configured) = instance.strategy.build() else { continue };
            let strategy = self.own_strategies.remove(&instance.name).unwrap_or(configured);
            self.instances.push(Instance {
                id: InstanceId(u16::try_from(index).unwrap_or(u16::MAX)),
                name: instance.name.clone(),
                rank: order.iter().position(|at| *at == index).unwrap_or(usize::MAX),
                priority: instance.sharing.priority,
                capital: instance.sharing.capital,
                max_markets: instance.sharing.max_markets,
                at_work: Usdc::ZERO,
                strategy,
                listener: instance.listener.clone(),
                loss: Usdc::ZERO,
                scope: Vec::new(),
                wants: BTreeMap::new(),
                dirty: false,
                urgent: false,
                evaluated_at: None,
                evaluations: 0,
                slow: (0, 0),
                quarantined: false,
                basket: None,
                patience: Patience::default(),
            });
        }
        let mut whom = paused_by(&config.instances);
        let pausers = order.iter().map(|&by| Pauser { by, whom: std::mem::take(&mut whom[by]) });
        self.pausers = pausers.filter(|pauser| !pauser.whom.is_empty()).collect();
        self.order = order;
        self.gate = Gate::new(config.limits.clone());
        self.started_s = now.wall_s();
        self.reach = Reach::begin(now);
        self.timers = Timers {
            heartbeat: now.mono_ns,
            watch: now.mono_ns,
            cross_check: now.mono_ns + ns(config.timing.cross_check_ms),
        };
        let instances = config.instances.iter().map(|instance| instance.name.clone()).collect();
        self.emit.event(out, Event::Began { run: setup.run, account: setup.payer.maker, instances });
        self.reconciler.next_at = now.mono_ns + ns(config.timing.reconcile_ms);
        self.config = config;
        self.begin_references();
        self.setup = Some(setup.clone());
        self.doubt_wallet(DoubtCause::Start, now, out);
    }

    fn on_market(&mut self, source: MarketSource, bytes: &[u8], now: Time, out: &mut Vec<Output>) {
        self.hear_frame(source, now);
        let mut batch = std::mem::take(&mut self.scratch.batch);
        batch.clear();
        let report = self.scratch.market.decode(&self.assets, bytes, &mut batch);
        if report.undecodable > 0 {
            self.counts.undecodable += u64::from(report.undecodable);
            let why = report.first_fault.map_or_else(String::new, |fault| fault.to_string());
            self.emit.event(out, Event::Undecodable { elements: report.undecodable, why });
            self.compare_exposed(source, now, out);
        }
        self.unfamiliar[0].note(
            (report.unknown_events, report.unknown_fields),
            (bytes, report.first_unknown),
            now,
            (&mut self.emit, out),
        );
        self.on_batch(source, &batch, now, out);
        self.scratch.batch = batch;
    }

    pub(crate) fn on_batch(&mut self, source: MarketSource, batch: &MarketBatch, now: Time, out: &mut Vec<Output>) {
        self.watch_lag(source, batch, now, out);
        let mut touched: Option<MarketId> = None;
        for event in &batch.events {
            let id = event.market();
            let Some(market) = self.markets.get_mut(id.index()) else { continue };
            let before = market.health();
            let source = market.source(source);
            let applied = market.book.apply_event(batch, event, now, source);
            if let (MarketSource::Rest, Some(applied)) = (source, applied) {
                self.shards.entry(id.shard()).or_default().disagrees = applied.difference;
            }
            learn(market, event, now);
            market.report_health(&mut self.emit, before, out);
            if let MarketEvent::Resolved { winner, .. } = event {
                self.on_resolved(id, *winner, now, out);
            }
            if touched != Some(id)
                && let Some(before) = touched.replace(id)
            {
                self.mark(before, now, out);
            }
        }
        if let Some(id) = touched {
            self.mark(id, now, out);
        }
        self.compare_reads(source, batch, now, out);
    }

    /// Marks a market whose book changed, and whoever looks at it. A shock does not wait for the debounce.
    fn mark(&mut self, id: MarketId, now: Time, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        market.book.end_of_frame(now);
        market.touched = true;
        let crossed = market.book.is_crossed_by_venue();
        let turned = std::mem::replace(&mut market.crossed, crossed) != crossed;
        let shocked = match (market.mid_in_ticks(), market.mid_ticks) {
            (Some(mid), Some(last)) => (mid - last).unsigned_abs() >= u64::from(self.config.timing.shock_ticks),
            _ => false,
        };
        let mid = market.mid();
        for instance in &mut self.instances {
            let Some(wanted) = instance.wants.get(&id) else { continue };
            // A move that the listener does not hear is not forgotten: it counts from where the instance last looked.
            instance.dirty |= shocked || instance.listener.hears(wanted.looked, mid);
            instance.urgent |= shocked;
        }
        if turned {
            // Where the middle is nobody knows, or it is known again: makers leave at once, and come back by a plan.
            self.wake(id, crossed);
        }
        self.review_book(id, now, out);
    }

    fn on_command(&mut self, command: Command, now: Time, out: &mut Vec<Output>) {
        match command {
            Command::Stop => self.doubt_wallet(DoubtCause::Operator, now, out),
            Command::Resume => self.wallet.resolve(DoubtCause::Operator),
            Command::Shutdown => self.doubt_wallet(DoubtCause::Shutdown, now, out),
            Command::Kill => self.kill(KillReason::Operator, now, out),
            Command::Reset => self.reset(now, out),
            Command::Reduce(scope) => self.set_mode(scope, TradingMode::Reducing, now, out),
            Command::Halt(scope) => self.set_mode(scope, TradingMode::Halted, now, out),
            Command::Activate(scope) => self.set_mode(scope, TradingMode::Active, now, out),
        }
    }

    /// How the connection that carries a market stands.
    pub(crate) fn proof_of(shards: &BTreeMap<u16, Shard>, market: MarketId) -> ShardProof {
        match shards.get(&market.shard()) {
            // A quiet book is no proof while another one of the connection was found wrong.
            Some(Shard { proof: ShardProof::Alive(_), disagrees: true, .. }) | None => ShardProof::None,
            Some(shard) => shard.proof,
        }
    }

    /// The instances that trade a market must be planned and looked at again.
    pub(crate) fn wake(&mut self, id: MarketId, urgent: bool) {
        for instance in &mut self.instances {
            if let Some(wanted) = instance.wants.get_mut(&id) {
                wanted.held = false;
                self.plans.insert((instance.id, id), ());
                instance.dirty = true;
                instance.urgent |= urgent;
            }
        }
    }
}

/// Takes what an event says of a market beyond its book.
fn learn(market: &mut Market, event: &MarketEvent, now: Time) {
    match event {
        MarketEvent::Snapshot(header) if market.card.tick.is_none() => market.card.tick = header.tick,
        MarketEvent::TickChange { tick, .. } => {
            market.card.tick = Some(*tick);
            market.tick_told = Some(now.mono_ns);
        }
        _ => {}
    }
}
