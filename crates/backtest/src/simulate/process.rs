//! The simulated process: the engine with its lanes, its edge and its journal, driven as the live driver does it.

use std::collections::BTreeMap;
use std::sync::Arc;

use oddsmith_domain::{
    Action, ActionSeq, Command, Event, Input, MarketCard, MarketId, Output, OutputBody, Payer, Restore, RunId, Setup,
    Time,
};
use oddsmith_engine::{Engine, Lanes, OwnedInput, Sink};
use oddsmith_exchange::core::UserId;
use oddsmith_exchange::server::Local;
use oddsmith_net::Wallet;
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::order::{OrderHasher, POLYGON, Signer};
use sha2::Sha256;

use super::disk::Disk;
use super::edge::{Edge, Line, ReadWhat};
use super::oracle::{Oracle, Truth};
use super::outside::Outside;
use super::read::{self, Next, ReadEnd, Thread};
use super::trade::Notes;

/// An engine that does not come to rest after so many slices at one moment never will.
const MOST_SLICES: u32 = 10_000;

/// Who looks at everything that goes in and comes out.
pub(super) struct Watch<'a> {
    pub(super) oracle: &'a mut Oracle,
    pub(super) digest: &'a mut Sha256,
    pub(super) inputs: &'a mut u64,
    pub(super) local: &'a Local,
    pub(super) user: UserId,
    pub(super) notes: Option<&'a mut Notes>,
}

/// Who the process is, over all its lives.
pub(super) struct Identity {
    pub(super) secret: &'static str,
    pub(super) credentials: Arc<Credentials>,
    pub(super) config: String,
}

pub(super) struct Process {
    pub(super) engine: Engine,
    lanes: Lanes,
    account: oddsmith_domain::Address,
    pub(super) edge: Edge,
    pub(super) outside: Outside,
    pub(super) disk: Disk,
    credentials: Arc<Credentials>,
    reads: BTreeMap<u64, Thread<ReadEnd>>,
    actions: Vec<(ActionSeq, Action)>,
    /// The exchange's number of each of the engine's markets.
    pub(super) markets: BTreeMap<MarketId, MarketId>,
    /// Markets that got their numbers in the last slice.
    numbered: Vec<(MarketId, MarketCard)>,
    pub(super) frames: u64,
    /// It does nothing until then.
    pub(super) stalled_until: u64,
}

impl Process {
    /// Begins a run: the inputs that a live run begins with wait in its lanes.
    ///
    /// # Errors
    /// When the identity is none.
    pub(super) fn begin(
        identity: &Identity,
        run: RunId,
        seed: [u8; 32],
        restore: Option<Restore>,
        cards: Vec<MarketCard>,
        disk: Disk,
        now: Time,
    ) -> Result<Process, String> {
        let signer = Signer::from_hex(identity.secret).map_err(|error| error.to_string())?;
        let hasher = OrderHasher::new(POLYGON).map_err(|error| error.to_string())?;
        let account = signer.address();
        let wallet = Wallet { signer, hasher, credentials: Arc::clone(&identity.credentials) };
        let jitter = u64::from_le_bytes(std::array::from_fn(|n| seed[n]));
        let mut process = Process {
            engine: Engine::new(),
            lanes: Lanes::new(),
            account,
            edge: Edge::new(wallet, jitter, now),
            outside: Outside::default(),
            disk,
            credentials: Arc::clone(&identity.credentials),
            reads: BTreeMap::new(),
            actions: Vec::new(),
            markets: BTreeMap::new(),
            numbered: Vec::new(),
            frames: 0,
            stalled_until: 0,
        };
        let setup = Setup {
            run,
            seed,
            account,
            payer: Payer::own(account),
            chain_id: POLYGON,
            config: identity.config.clone(),
        };
        process.push(Input::Setup(Box::new(setup)));
        if let Some(restore) = restore {
            process.push(Input::Restore(Box::new(restore)));
        }
        for card in cards {
            process.push(Input::Card(Box::new(card)));
        }
        Ok(process)
    }

    pub(super) fn push(&mut self, input: Input<'static>) {
        self.lanes.push(OwnedInput::Other(input));
    }

    pub(super) fn command(&mut self, command: Command) {
        self.push(Input::Command(command));
    }

    /// When it wants to do something by itself.
    pub(super) fn next_deadline(&mut self, now: Time) -> u64 {
        let waiting = self.lanes.waiting() != (0, 0) || self.engine.needs_tick();
        let engine = if waiting { now.mono_ns } else { self.engine.next_deadline().unwrap_or(u64::MAX) };
        self.edge.next_deadline(now).min(self.outside.next_deadline()).min(engine).max(self.stalled_until)
    }

    /// Everything that has arrived, to its last order.
    ///
    /// # Errors
    /// What must never be.
    pub(super) fn turn(&mut self, now: Time, watch: &mut Watch<'_>) -> Result<(), String> {
        self.edge.on_time(now);
        self.outside.turn(&mut self.lanes, &mut self.edge.wishes, now);
        self.edge.drain(&mut self.lanes);
        for _ in 0..MOST_SLICES {
            let mut sink = Recorder {
                now,
                disk: &mut self.disk,
                actions: &mut self.actions,
                numbered: &mut self.numbered,
                markets: &mut self.markets,
                watch,
                broken: None,
            };
            let more = self.lanes.slice(&mut self.engine, &mut sink);
            if let Some(broken) = sink.broken {
                return Err(broken);
            }
            if self.disk.is_dead() {
                return Ok(());
            }
            for (market, card) in self.numbered.drain(..) {
                self.edge.learn(market, &card);
            }
            for (seq, action) in self.actions.drain(..) {
                self.edge.submit(seq, action, now);
            }
            self.edge.flush(now);
            self.edge.drain(&mut self.lanes);
            if !more && self.lanes.waiting() == (0, 0) {
                return Ok(());
            }
        }
        Err("the engine does not come to rest".to_owned())
    }

    pub(super) fn on_dialed(&mut self, line: Line, generation: u64, open: bool, now: Time) {
        match line {
            Line::Outside(source) => self.outside.on_dialed(source, generation, open, now),
            line => self.edge.on_dialed(line, generation, open, now),
        }
    }

    pub(super) fn on_ended(&mut self, line: Line, generation: u64, now: Time) {
        match line {
            Line::Outside(source) => self.outside.on_ended(source, generation, now),
            line => self.edge.on_ended(line, generation, "the venue ended the stream", now),
        }
    }

    pub(super) fn on_text(&mut self, line: Line, generation: u64, text: &[u8], now: Time) {
        if let Line::Outside(source) = line {
            return self.outside.on_text(source, generation, text, now);
        }
        self.frames += u64::from(self.edge.on_text(line, generation, text, &mut self.lanes, now));
    }

    /// Begins a read of the side; the bytes of its first request, if it does not end before.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start_read(&mut self, number: u64, what: ReadWhat, now: Time) -> Result<Option<Vec<u8>>, String> {
        let (table, credentials) = (Arc::clone(&self.edge.table), Arc::clone(&self.credentials));
        let thread =
            read::start(what, table, (credentials, self.account), now.wall_s()).map_err(|error| error.to_string())?;
        self.reads.insert(number, thread);
        Ok(self.go_on(number, now))
    }

    /// A request of a read was answered; the bytes of its next one, if there is one.
    pub(super) fn on_read_answer(&mut self, number: u64, bytes: Option<&[u8]>, now: Time) -> Option<Vec<u8>> {
        self.reads.get(&number)?.answer(bytes, now.wall_s());
        self.go_on(number, now)
    }

    fn go_on(&mut self, number: u64, now: Time) -> Option<Vec<u8>> {
        match self.reads.get(&number)?.next() {
            Some(Next::Request(bytes)) => Some(bytes),
            Some(Next::End(end)) => {
                self.reads.remove(&number);
                self.edge.on_read(number, end, &mut self.lanes, now);
                None
            }
            None => {
                self.reads.remove(&number);
                None
            }
        }
    }
}

/// The engine's sink: the journal first, then the oracle, then the actions for the edge.
struct Recorder<'a, 'w> {
    now: Time,
    disk: &'a mut Disk,
    actions: &'a mut Vec<(ActionSeq, Action)>,
    numbered: &'a mut Vec<(MarketId, MarketCard)>,
    markets: &'a mut BTreeMap<MarketId, MarketId>,
    watch: &'a mut Watch<'w>,
    broken: Option<String>,
}

impl Sink for Recorder<'_, '_> {
    fn record(&mut self, input: &Input<'_>, now: Time, outputs: &[Output]) {
        if self.broken.is_some() || self.disk.is_dead() {
            return;
        }
        *self.watch.inputs += 1;
        if let Some(notes) = &mut self.watch.notes {
            notes.note(input, now, outputs);
        }
        let alive = self.disk.record(input, now, outputs, self.watch.digest);
        if let Some(fault) = self.disk.fault() {
            self.broken = Some(format!("the journal cannot be written: {fault}"));
            return;
        }
        for output in outputs {
            if let OutputBody::Event(Event::Numbered { market, card }) = &output.body {
                let listed = self.watch.local.with_core(|core| core.market_by_condition(&card.condition).map(|m| m.id));
                self.markets.extend(listed.map(|listed| (*market, listed)));
                self.numbered.push((*market, (**card).clone()));
            }
        }
        let truth = Truth { local: self.watch.local, user: self.watch.user, markets: &*self.markets };
        if let Err(broken) = self.watch.oracle.observe(input, now, outputs, &truth) {
            self.broken = Some(broken);
            return;
        }
        if !alive {
            return;
        }
        for output in outputs {
            if let OutputBody::Action(action) = &output.body {
                self.actions.push((ActionSeq(output.seq), action.clone()));
            }
        }
    }

    fn now(&mut self) -> Time {
        self.now
    }
}
