//! Engine and exchange in one process under virtual time, with faults drawn from a seed.
//!
//! The engine under test is the one that trades live: it gets frames as bytes and answers as outcomes, after latencies that
//! differ from message to message. The exchange is the pure core that the local server uses, with its simulated traders. Between
//! the two stands [`wire`], which loses, delays and repeats what it carries. When the faults are over the engine is shut down, and its
//! books must agree with the exchange's to the millionth: see [`Simulation::finish`].
//!
//! The session machines and the journal's disk are not part of this simulation.

mod wire;

use oddsmith_domain::{
    Address, Command, Event, Input, InstanceId, Link, LinkState, MarketId, MarketSource, Outcome, Output, OutputBody,
    Payer, RunId, Setup, Shares, Time, Usdc,
};
use oddsmith_engine::{Engine, EngineConfig};
use oddsmith_exchange::core::{Config, Core, CoreEvent, KNOWN_ADDRESSES, PublicEvent};
use oddsmith_exchange::frames;
use oddsmith_exchange::world::{World, standard_rooms};
use thiserror::Error;

use wire::{Delivery, Wire};

/// Where the virtual wall clock begins: long after the last change of the venue's rules that is modelled.
const START_S: u64 = 1_800_000_000;
/// After the faults are over, the engine must have come to rest within this time.
const PATIENCE_NS: u64 = 300 * Time::SECOND;

/// What a simulation is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything random comes from here.
    pub seed: u64,
    /// How long the exchange trades, in seconds of virtual time, before the engine is shut down.
    pub seconds: u64,
    /// How many faults an hour, on average.
    pub faults_per_hour: u32,
    /// How lively the simulated traders are; 1 is lively.
    pub activity: f64,
    /// The engine's configuration.
    pub config: EngineConfig,
}

/// What happened in a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inputs that the engine handled.
    pub inputs: u64,
    /// Market frames among them.
    pub frames: u64,
    /// Orders that the engine placed.
    pub orders: u64,
    /// Fills of the engine's orders.
    pub fills: u64,
    /// Faults, of all kinds.
    pub faults: u64,
    /// How many different kinds of faults.
    pub fault_kinds: u32,
    /// Profit of the engine at the end.
    pub profit: Usdc,
}

/// Something that must never be, and was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("seed {seed}, {at_ms} ms after the start: {what}")]
pub struct Broken {
    /// The seed that reproduces it.
    pub seed: u64,
    /// When, in virtual time.
    pub at_ms: u64,
    /// What.
    pub what: String,
}

/// One engine, one exchange, one wire.
pub struct Simulation {
    plan: Plan,
    engine: Engine,
    core: Core,
    world: World,
    wire: Wire,
    now: Time,
    /// The engine's number of each of the exchange's markets.
    listed: Vec<Option<MarketId>>,
    events: Vec<CoreEvent>,
    outputs: Vec<Output>,
    tally: Tally,
    quiet: bool,
}

impl Simulation {
    /// A simulation that has not begun.
    #[must_use]
    pub fn new(plan: Plan) -> Simulation {
        let start_ns = START_S * Time::SECOND;
        let mut core = Core::new(Config::default(), plan.seed, start_ns);
        let world = World::new(&mut core, standard_rooms(START_S), plan.activity, plan.seed, start_ns);
        let address = Address::parse(KNOWN_ADDRESSES[0]).unwrap_or_default();
        let key = core.create_key(address, 0).unwrap_or_else(|existing| existing);
        Simulation {
            wire: Wire::new(key, address, plan.seed, plan.faults_per_hour),
            engine: Engine::new(),
            core,
            world,
            now: Time { mono_ns: 1, wall_ns: start_ns },
            listed: Vec::new(),
            events: Vec::new(),
            outputs: Vec::new(),
            tally: Tally::default(),
            quiet: false,
            plan,
        }
    }

    /// Runs the whole of it.
    ///
    /// # Errors
    /// The first thing that must never be.
    pub fn run(mut self) -> Result<Tally, Broken> {
        self.begin()?;
        let end = self.now.mono_ns + self.plan.seconds * Time::SECOND;
        while self.now.mono_ns < end {
            self.step(end)?;
        }
        self.finish()
    }

    fn begin(&mut self) -> Result<(), Broken> {
        let config = self.plan.config.to_json().map_err(|error| self.broken(error.to_string()))?;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.plan.seed.to_le_bytes());
        let setup = Setup {
            run: RunId([1; 16]),
            seed,
            account: self.wire.address(),
            payer: Payer::own(self.wire.address()),
            chain_id: 137,
            config,
        };
        self.give(&Input::Setup(Box::new(setup)))?;
        for market in 0..self.core.markets().len() {
            self.list(market)?;
        }
        self.give(&Input::Link { link: Link::User, state: LinkState::Up })?;
        self.give(&Input::Link { link: Link::Market(0), state: LinkState::Up })
    }

    /// Tells the engine of one of the exchange's markets, and sends its books.
    fn list(&mut self, index: usize) -> Result<(), Broken> {
        let Some(card) = self.core.markets().get(index).map(|market| market.card()) else { return Ok(()) };
        self.listed.resize(self.listed.len().max(index + 1), None);
        let before = self.engine.cards().count();
        self.give(&Input::Card(Box::new(card)))?;
        if self.engine.cards().count() > before {
            self.listed[index] = u32::try_from(before).ok().map(MarketId);
            self.send_snapshots(index);
        }
        Ok(())
    }

    fn send_snapshots(&mut self, index: usize) {
        let Some(market) = self.core.markets().get(index) else { return };
        for outcome in Outcome::BOTH {
            let mut frame = String::new();
            market.snapshot(outcome).write_json(Some("book"), &mut frame);
            self.wire.frame(frame.into_bytes(), self.now);
        }
    }

    fn send_all_snapshots(&mut self) {
        for index in 0..self.listed.len() {
            if self.listed[index].is_some() {
                self.send_snapshots(index);
            }
        }
    }

    /// Goes to whatever happens next.
    fn step(&mut self, end: u64) -> Result<(), Broken> {
        let start_wall = self.now.wall_ns - self.now.mono_ns;
        let of_wall = |wall: u64| wall.saturating_sub(start_wall);
        let next = [
            self.wire.next(),
            self.engine.next_deadline(),
            self.world.next_event().map(of_wall),
            self.core.next_timer().map(of_wall),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(end)
        .clamp(self.now.mono_ns, end);
        self.now = self.now.plus_ns(next - self.now.mono_ns);
        self.world.step(&mut self.core, self.now.wall_ns);
        self.core.advance(self.now.wall_ns);
        self.publish()?;
        if !self.quiet {
            self.wire.draw_fault(&mut self.core, self.now);
        }
        while let Some(delivery) = self.wire.due(self.now) {
            self.deliver(delivery)?;
        }
        for _ in 0..1_000 {
            let due = self.engine.next_deadline().is_some_and(|at| at <= self.now.mono_ns);
            if !self.engine.needs_tick() && !due {
                return Ok(());
            }
            self.give(&Input::Tick)?;
        }
        Err(self.broken("the engine does not come to rest".to_owned()))
    }

    /// Puts on the wire what the exchange has to say.
    fn publish(&mut self) -> Result<(), Broken> {
        self.core.drain_events(&mut self.events);
        for event in std::mem::take(&mut self.events) {
            match event {
                CoreEvent::Public(PublicEvent::NewMarket { market, .. }) => self.list(market.index())?,
                CoreEvent::Public(event) => {
                    let followed = self.listed.get(event.market().index()).copied().flatten().is_some();
                    // Plain subscribers are not told of the top alone.
                    let told = followed && !matches!(event, PublicEvent::BestBidAsk { .. });
                    if let (true, Some(market)) = (told, self.core.market(event.market())) {
                        self.wire.frame(frames::public(&event, market).into_bytes(), self.now);
                    }
                }
                CoreEvent::Order(event) if event.order.key == self.wire.key() => {
                    if let Some(market) = self.core.market(event.order.market) {
                        self.wire.user(frames::order(&event, market, &self.core).into_bytes(), self.now);
                    }
                }
                CoreEvent::Trade(event) if event.receiver == self.wire.key() => {
                    if let Some(market) = self.core.market(event.trade.market) {
                        self.wire.user(frames::trade(&event, market, &self.core).into_bytes(), self.now);
                    }
                }
                CoreEvent::Order(_) | CoreEvent::Trade(_) | CoreEvent::DelayOver { .. } => {}
            }
        }
        Ok(())
    }

    fn deliver(&mut self, delivery: Delivery) -> Result<(), Broken> {
        match delivery {
            Delivery::Frame(bytes) => {
                self.tally.frames += 1;
                self.give(&Input::Market { source: MarketSource::Shard(0), bytes: &bytes })
            }
            Delivery::Book(bytes) => self.give(&Input::Market { source: MarketSource::Rest, bytes: &bytes }),
            Delivery::User(bytes) => self.give(&Input::User { bytes: &bytes }),
            Delivery::Reply(reply) => self.give(&Input::Gateway(reply)),
            Delivery::Request(seq, action) => {
                self.wire.serve(seq, &action, &mut self.core, &self.listed, self.now);
                self.publish()
            }
            Delivery::Link(link, state) => {
                let up = state == LinkState::Up;
                self.give(&Input::Link { link, state })?;
                if up && link == Link::Market(0) {
                    self.send_all_snapshots();
                }
                Ok(())
            }
            Delivery::Alive => self.give(&Input::Link { link: Link::Market(0), state: LinkState::Alive }),
        }
    }

    /// Hands an input to the engine, carries its actions to the wire, and looks whether anything is broken.
    fn give(&mut self, input: &Input<'_>) -> Result<(), Broken> {
        self.tally.inputs += 1;
        let mut outputs = std::mem::take(&mut self.outputs);
        outputs.clear();
        self.engine.handle(input, self.now, &mut outputs);
        for output in outputs.drain(..) {
            match output.body {
                OutputBody::Action(action) => self.wire.request(output.seq, action, self.now),
                OutputBody::Event(Event::IllegalTransition { order, from, to }) => {
                    return Err(self.broken(format!("order {order} was to go from {from:?} to {to:?}")));
                }
                OutputBody::Event(Event::Ledger { account, .. }) if !account.balances() => {
                    return Err(self.broken(format!("an account does not balance: {account:?}")));
                }
                OutputBody::Event(Event::Fill { .. }) => self.tally.fills += 1,
                OutputBody::Event(_) => {}
            }
        }
        self.outputs = outputs;
        Ok(())
    }

    /// Ends the faults, shuts the engine down, waits for everything to settle, and compares both books.
    fn finish(mut self) -> Result<Tally, Broken> {
        self.quiet = true;
        self.wire.heal(self.now);
        // Faults are over: trading must resume before it is ended.
        let resumed = self.now.mono_ns + PATIENCE_NS / 5;
        while self.now.mono_ns < resumed {
            self.step(resumed)?;
        }
        let view = self.engine.view(self.now);
        if !view.quoting {
            return Err(
                self.broken(format!("a minute after the last fault the engine does not trade: {:?}", view.doubts))
            );
        }
        self.give(&Input::Command(Command::Shutdown))?;
        let patience = self.now.mono_ns + PATIENCE_NS;
        while self.now.mono_ns < patience {
            self.step(patience)?;
            let settled = self.engine.view(self.now).totals.unsettled == 0;
            if self.engine.is_shut_down() && settled && self.wire.is_empty_but_life() {
                return self.compare();
            }
        }
        let view = self.engine.view(self.now);
        Err(self.broken(format!("the engine did not come to an end: {view:?}")))
    }

    fn compare(&mut self) -> Result<Tally, Broken> {
        let totals = self.engine.view(self.now).totals;
        let account = self.core.account_at(&self.wire.address()).and_then(|id| self.core.account(id)).cloned();
        let Some(account) = account else { return Err(self.broken("the exchange lost the account".to_owned())) };
        if totals.cash != Some(account.collateral) {
            let what = format!("the engine counts {:?} pUSD, the exchange {}", totals.cash, account.collateral);
            return Err(self.broken(what));
        }
        for (index, market) in self.listed.iter().enumerate() {
            let Some(market) = market else { continue };
            let exchange_market = MarketId(u32::try_from(index).unwrap_or(u32::MAX));
            for outcome in Outcome::BOTH {
                let theirs = account.holding(exchange_market.asset(outcome)).settled;
                let ours: Shares = (0..self.plan.config.instances.len())
                    .filter_map(|i| u16::try_from(i).ok())
                    .map(|i| self.engine.held(InstanceId(i), market.asset(outcome)))
                    .sum();
                if ours != theirs {
                    let what = format!("market {index} {outcome:?}: the engine holds {ours}, the exchange {theirs}");
                    return Err(self.broken(what));
                }
            }
        }
        self.tally.orders = totals.placed;
        self.tally.profit = totals.realized + totals.unrealized;
        (self.tally.faults, self.tally.fault_kinds) = self.wire.faults();
        Ok(self.tally)
    }

    fn broken(&self, what: String) -> Broken {
        Broken { seed: self.plan.seed, at_ms: self.now.mono_ns / Time::MILLI, what }
    }
}
