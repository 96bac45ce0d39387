//! The simulation itself: one process, one exchange, one network, and time that jumps from event to event.

use std::sync::Arc;

use oddsmith_domain::{Address, Command, InstanceId, MarketCard, MarketId, Outcome, Restore, RunId, Shares, Time};
use oddsmith_exchange::core::{KNOWN_ADDRESSES, KNOWN_SECRETS, Mode, UserId};
use oddsmith_exchange::scenario::Channel;
use oddsmith_exchange::server::{Local, Settings};
use oddsmith_execution::facts::Facts;
use oddsmith_journal::{decode_input, decode_output};
use oddsmith_net::{NetError, Venue};
use oddsmith_polymarket::auth::Credentials;
use oddsmith_polymarket::order::{POLYGON, Signer};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::disk::{self, Disk, Tear};
use super::edge::{Line, Wish};
use super::fault::{Doing, Drawn, Fate};
use super::oracle::Oracle;
use super::outside::{Outside, Source};
use super::process::{Identity, Process, Watch};
use super::profile;
use super::read::{Thread, asked};
use super::trade::{Listing, Notes};
use super::verdict::run_dir;
use super::wire::{Arrival, Asker, Fate as RequestFate, Plug, Wire};
use super::{Broken, Plan, Tally};

/// Where the exchange's clock begins: long after the last change of the venue's rules that is modelled.
const START_NS: u64 = 1_800_000_000 * Time::SECOND;
/// One of so many parts holds a kill in any case.
const PARTS: u32 = 4;
/// After the faults are over, trading must resume within this time: the longest halt of a breaker, and a little.
const RESUME_NS: u64 = 420 * Time::SECOND;
/// Once nothing is sent any more, both books must agree within this time: a comparison by the engine itself, and a little.
pub(super) const AGREE_NS: u64 = 150 * Time::SECOND;
/// Within this time the engine reads its account twice, and takes back what it mistook at the first reading.
const READ_NS: u64 = 130 * Time::SECOND;
/// The wall clock of the process is never further from the exchange's.
const MOST_SKEW_S: i64 = 60;
/// What the engine keeps for its limits is compared with what it is made of at every so many steps.
const FIGURES_EVERY: u64 = 64;

pub(super) struct World {
    pub(super) plan: Plan,
    local: Local,
    pub(super) process: Process,
    identity: Identity,
    user: UserId,
    wire: Wire,
    fate: Fate,
    next_fault: u64,
    kill: Option<Tear>,
    oracle: Oracle,
    digest: Sha256,
    pub(super) tally: Tally,
    pub(super) now: Time,
    skew_s: i64,
    pub(super) run: u32,
    pub(super) struck: Vec<(u64, &'static str)>,
    steps: u64,
    /// Which markets there are, where that is looked for again and again.
    pub(super) listing: Option<Listing>,
    /// What each instance does and earns, where that is asked for.
    pub(super) notes: Option<Notes>,
}

impl World {
    /// An exchange that has just opened, and a process that has just begun.
    ///
    /// # Errors
    /// When the machine does not allow it.
    pub(super) fn begin(plan: Plan) -> Result<World, Box<Broken>> {
        let broken = |what: String| {
            Box::new(Broken { seed: plan.seed, at_ms: 0, what, causes: Vec::new(), journals: plan.dir.clone() })
        };
        let now = Time { mono_ns: 1, wall_ns: START_NS };
        let scenario =
            plan.scenario.clone().map_or_else(profile::scenario, Ok).map_err(|error| broken(error.to_string()))?;
        let mut local = Local::open(&scenario, plan.seed, Settings::default(), START_NS)
            .map_err(|error| broken(error.to_string()))?;
        let identity = identity(&mut local, &plan).map_err(broken)?;
        let address = Address::parse(KNOWN_ADDRESSES[0]).unwrap_or_default();
        let user = local.with_core(|core| core.account_at(&address).and_then(|id| core.account(id)).map(|a| a.user));
        let user = user.ok_or_else(|| broken("the exchange knows no account of ours".to_owned()))?;
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed ^ 0x4641_5445);
        let process = life(&mut local, &identity, &plan, (0, None), &mut rng, now).map_err(broken)?;
        Ok(World {
            wire: Wire::new(plan.seed),
            fate: Fate::new(rng, plan.kinds.clone()),
            next_fault: u64::MAX,
            kill: None,
            oracle: Oracle::new(&plan.config),
            digest: Sha256::new(),
            tally: Tally {
                seed: plan.seed,
                hours: u32::try_from(u64::from(plan.parts) * plan.part_s / 3_600).unwrap_or(u32::MAX),
                ..Tally::default()
            },
            local,
            process,
            identity,
            user,
            now,
            skew_s: 0,
            run: 0,
            struck: Vec::new(),
            steps: 0,
            listing: None,
            notes: None,
            plan,
        })
    }

    /// Plays to the end.
    ///
    /// # Errors
    /// The first thing that must never be.
    pub(super) fn run(mut self) -> Result<Tally, Box<Broken>> {
        match self.play().and_then(|()| self.audit()) {
            Ok(()) => {
                if !self.plan.keep {
                    // What is left behind concerns nobody if it cannot be removed.
                    let _ = std::fs::remove_dir_all(&self.plan.dir);
                }
                Ok(self.tally)
            }
            Err(what) => Err(Box::new(self.broken(what))),
        }
    }

    fn play(&mut self) -> Result<(), String> {
        let part_ns = self.plan.part_s * Time::SECOND;
        for part in 0..self.plan.parts {
            let end = self.now.mono_ns + part_ns;
            self.plan_faults();
            let mut kill_at = (part % PARTS == 1 && !self.plan.kinds.is_empty())
                .then(|| self.now.mono_ns + self.fate.rng.random_range(0..part_ns / 2));
            while self.now.mono_ns < end {
                if kill_at.is_some_and(|at| at <= self.now.mono_ns) {
                    kill_at = None;
                    let drawn = self.fate.kill();
                    self.strike(drawn);
                }
                self.step(end.min(kill_at.unwrap_or(u64::MAX)))?;
            }
            self.become_quiet()?;
        }
        self.process.command(Command::Shutdown);
        self.until(AGREE_NS, "the engine did not come to an end", |world| world.process.engine.is_shut_down())?;
        self.finish()
    }

    /// Adds up what was played.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.process.disk.close()?;
        self.tally.frames += self.process.frames;
        self.tally.orders = self.oracle.orders;
        self.tally.fills = self.oracle.counted_fills;
        let digest = std::mem::take(&mut self.digest).finalize();
        self.tally.digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(())
    }

    /// Ends the faults; trading must resume. Then everything must become quiet, and both books must agree.
    fn become_quiet(&mut self) -> Result<(), String> {
        self.next_fault = u64::MAX;
        self.wire.heal();
        self.local.thaw();
        let wall = START_NS + self.now.mono_ns;
        self.local.with_core(|core| core.set_mode(Mode::Normal, wall));
        let before = self.oracle.orders;
        self.until(RESUME_NS, "trading does not resume after the faults", |world| world.oracle.orders > before + 2)?;
        // What only a reading of the account shows, such as a balance that was moved, is learned before the stop: a stopped engine
        // does not read.
        let read_by = self.now.mono_ns + READ_NS;
        while self.now.mono_ns < read_by {
            self.step(read_by)?;
        }
        self.process.command(Command::Stop);
        self.agree()?;
        self.process.command(Command::Resume);
        Ok(())
    }

    /// Once nothing is sent any more, both books must agree.
    pub(super) fn agree(&mut self) -> Result<(), String> {
        let mut differs = None;
        let agreed = self.until(AGREE_NS, "the books do not agree", |world| {
            differs = world.difference();
            differs.is_none()
        });
        agreed.map_err(|what| differs.map_or(what.clone(), |differs| format!("{what}: {differs}")))?;
        self.tally.comparisons += 1;
        Ok(())
    }

    /// Lets time pass until something holds.
    pub(super) fn until(
        &mut self,
        patience: u64,
        else_what: &str,
        mut holds: impl FnMut(&mut World) -> bool,
    ) -> Result<(), String> {
        let end = self.now.mono_ns + patience;
        while !holds(self) {
            if self.now.mono_ns >= end {
                return Err(else_what.to_owned());
            }
            self.step(end)?;
        }
        Ok(())
    }

    /// Goes to whatever happens next.
    pub(super) fn step(&mut self, end: u64) -> Result<(), String> {
        let of_exchange = self.local.next_event().map_or(u64::MAX, |wall| wall.saturating_sub(START_NS));
        let next = of_exchange
            .min(self.wire.next().unwrap_or(u64::MAX))
            .min(self.process.next_deadline(self.now))
            .min(self.next_fault)
            .min(self.listing.as_ref().map_or(u64::MAX, Listing::next))
            .clamp(self.now.mono_ns, end);
        self.now = self.now.plus_ns(next - self.now.mono_ns);
        self.local.set_time(START_NS + self.now.mono_ns);
        self.listen();
        if let Some(listing) = &mut self.listing {
            listing.look(&mut self.local, self.now)?.into_iter().for_each(|card| self.process.push(card));
        }
        if self.next_fault <= self.now.mono_ns {
            self.plan_faults();
            if let Some(drawn) = self.fate.draw() {
                self.strike(drawn);
            }
        }
        while let Some(arrival) = self.wire.due(self.now.mono_ns, self.process.stalled_until) {
            self.arrive(arrival);
        }
        if self.process.stalled_until <= self.now.mono_ns {
            let mut watch = Watch {
                oracle: &mut self.oracle,
                digest: &mut self.digest,
                inputs: &mut self.tally.inputs,
                local: &self.local,
                user: self.user,
                notes: self.notes.as_mut(),
            };
            self.process.turn(self.now, &mut watch)?;
            self.steps += 1;
            if self.steps.is_multiple_of(FIGURES_EVERY) {
                self.process.engine.check_figures()?;
            }
            self.carry_out()?;
            if self.process.disk.is_dead() {
                self.live_again()?;
            }
        }
        Ok(())
    }

    /// Puts on the wire what the exchange has to say.
    fn listen(&mut self) {
        for plug in self.wire.plugs.clone() {
            while let Some(said) = self.local.poll_said(plug.socket) {
                match said {
                    oddsmith_exchange::server::Said::Text(text) => self.wire.frame(plug, text, self.now),
                    oddsmith_exchange::server::Said::Closed => self.wire.ended(plug, self.now),
                }
            }
        }
        while let Some((ticket, bytes)) = self.local.poll_answer() {
            if let Some((asker, fate)) = self.wire.tickets.remove(&ticket) {
                self.wire.answer(asker, fate, bytes, self.now);
            }
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Dial { line, generation } => {
                let channel = match line {
                    Line::Market(_) => Channel::Market,
                    Line::User => Channel::User,
                    Line::Outside(source) => {
                        let socket = match source {
                            Source::Prices => self.local.connect(Channel::Feed),
                            Source::Truth => self.local.connect_truth(),
                        };
                        return self.wire.dialed(line, generation, socket, socket.is_some(), self.now);
                    }
                    Line::Orders(_) => {
                        let open = !self.local.refuses_connections();
                        return self.wire.dialed(line, generation, None, open, self.now);
                    }
                };
                let socket = self.local.connect(channel);
                self.wire.dialed(line, generation, socket, socket.is_some(), self.now);
            }
            Arrival::Text { socket, text } => self.local.text(socket, text.as_bytes()),
            Arrival::HangUp { socket } => {
                self.local.hang_up(socket);
                self.wire.plugs.retain(|plug: &Plug| plug.socket != socket);
            }
            Arrival::Request { asker, bytes, fate } => match fate {
                RequestFate::TurnedAway(status) => self.wire.turned_away(asker, status, self.now),
                fate => {
                    let ticket = self.local.request(&bytes);
                    self.wire.tickets.insert(ticket, (asker, fate));
                }
            },
            Arrival::Dialed { line, generation, open } => self.process.on_dialed(line, generation, open, self.now),
            Arrival::Frame { line, generation, text } => self.process.on_text(line, generation, &text, self.now),
            Arrival::Ended { line, generation } => self.process.on_ended(line, generation, self.now),
            Arrival::Answer { asker: Asker::Orders { line, generation }, bytes } => {
                self.process.edge.on_answer(line, generation, &bytes.unwrap_or_default(), self.now);
            }
            Arrival::Answer { asker: Asker::Read(number), bytes } => {
                if let Some(bytes) = self.process.on_read_answer(number, bytes.as_deref(), self.now) {
                    self.wire.request(Asker::Read(number), bytes, self.now);
                }
            }
        }
        self.listen();
    }

    /// Puts on the wire what the process wants.
    fn carry_out(&mut self) -> Result<(), String> {
        for wish in std::mem::take(&mut self.process.edge.wishes) {
            match wish {
                Wish::Dial { line, generation } => self.wire.dial(line, generation, self.now),
                Wish::Text { line, generation, text } => self.wire.text(line, generation, text, self.now),
                Wish::HangUp { line, generation } => self.wire.hang_up(line, generation, self.now),
                Wish::Request { line, generation, bytes } => {
                    self.oracle.on_request(&bytes)?;
                    self.wire.request(Asker::Orders { line, generation }, bytes, self.now);
                }
                Wish::Read { number, what } => {
                    if let Some(bytes) = self.process.start_read(number, what, self.now)? {
                        self.wire.request(Asker::Read(number), bytes, self.now);
                    }
                }
            }
        }
        Ok(())
    }

    fn plan_faults(&mut self) {
        let mean = (3_600 * Time::SECOND).checked_div(u64::from(self.plan.faults_per_hour));
        self.next_fault =
            mean.map_or(u64::MAX, |mean| self.now.mono_ns + self.fate.rng.random_range(mean / 2..mean * 3 / 2));
    }

    fn strike(&mut self, Drawn { kind, doing }: Drawn) {
        *self.tally.faults.entry(kind).or_default() += 1;
        self.struck.push((self.now.mono_ns / Time::MILLI, kind.words()));
        let now = self.now.mono_ns;
        for doing in doing {
            let troubles = &mut self.wire.troubles;
            match doing {
                Doing::Strike(strike) => self.local.strike(strike),
                Doing::LoseRequests(count) => troubles.lose_requests = count,
                Doing::LoseAnswers(count) => troubles.lose_answers = count,
                Doing::Slow(ns) => troubles.slow_until = now + ns,
                Doing::Errors(ns) => troubles.errors_until = now + ns,
                Doing::Limit(ns) => troubles.limited_until = now + ns,
                Doing::StaleBooks(ns) => troubles.stale_until = now + ns,
                Doing::Stall(ns) => self.process.stalled_until = now + ns,
                Doing::JumpClock(by_s) => {
                    let by_s = if (self.skew_s + by_s).abs() > MOST_SKEW_S { -by_s } else { by_s };
                    self.skew_s += by_s;
                    self.now.wall_ns = self.now.wall_ns.saturating_add_signed(by_s * Time::SECOND as i64);
                }
                Doing::Kill(records, tear) => {
                    self.process.disk.dies_after = Some(records);
                    self.kill = Some(tear);
                }
            }
        }
    }

    /// The process was killed: another one begins with what it finds on the disk.
    fn live_again(&mut self) -> Result<(), String> {
        self.wire.cut(self.now);
        self.tally.frames += self.process.frames;
        self.tally.restarts += 1;
        let first_lost = self.process.disk.tear(self.kill.take().unwrap_or(Tear::Last), self.fate.rng.next_u64())?;
        self.oracle.restarted(first_lost);
        let mut facts = Facts::default();
        let dir = self.process.disk.dir().to_owned();
        disk::read(&dir, |_, record| {
            if record.head.kind.is_input() {
                facts.input(&decode_input(record.payload).map_err(|error| error.to_string())?);
            } else if record.head.kind.is_output() {
                let output = decode_output(record.payload).map_err(|error| error.to_string())?;
                facts.apply(&output, record.head.time);
            }
            Ok(())
        })?;
        self.run += 1;
        let life_of = (self.run, Some(facts.into_restore()));
        self.process = life(&mut self.local, &self.identity, &self.plan, life_of, &mut self.fate.rng, self.now)?;
        self.process.stalled_until = self.now.mono_ns + self.fate.rng.random_range(100..5_000) * Time::MILLI;
        Ok(())
    }

    /// What engine and exchange count differently, if nothing is going on any more that could explain it.
    fn difference(&mut self) -> Option<String> {
        let totals = self.process.engine.view(self.now).totals;
        let (user, markets) = (self.user, &self.process.markets);
        let at_exchange = self.local.with_core(|core| {
            let open = core.open_orders(user).count();
            let address = core.user_address(user)?;
            let account = core.account(core.account_at(&address)?)?;
            let pending = account.pending_in.is_positive() || account.pending_out.is_positive();
            let holdings: Vec<(MarketId, [Shares; 2])> = markets
                .iter()
                .map(|(ours, theirs)| (*ours, Outcome::BOTH.map(|o| account.holding(theirs.asset(o)).settled)))
                .collect();
            Some((open, pending, account.collateral, holdings))
        });
        let Some((open, pending, collateral, holdings)) = at_exchange else {
            return Some("the exchange lost the account".to_owned());
        };
        if open > 0 || pending || totals.unsettled > 0 || !self.process.edge.is_idle() || !self.wire.is_quiet() {
            return Some(format!("not quiet: {open} open orders, {} unsettled matches", totals.unsettled));
        }
        if totals.cash != Some(collateral) {
            return Some(format!("the engine counts {:?} pUSD, the exchange {collateral}", totals.cash));
        }
        let instances = u16::try_from(self.plan.config.instances.len()).unwrap_or(u16::MAX);
        for (market, theirs) in holdings {
            for outcome in Outcome::BOTH {
                let asset = market.asset(outcome);
                let owners = (0..instances).map(InstanceId).chain([InstanceId::WALLET]);
                let ours: Shares = owners.map(|owner| self.process.engine.held(owner, asset)).sum();
                let theirs = theirs[outcome.index()];
                if ours != theirs {
                    let what =
                        format!("market {} {outcome:?}: the engine holds {ours}, the exchange {theirs}", market.0);
                    return Some(what);
                }
            }
        }
        None
    }
}

/// A new process, as a live run begins one.
fn life(
    local: &mut Local,
    identity: &Identity,
    plan: &Plan,
    (run, restore): (u32, Option<Restore>),
    rng: &mut ChaCha8Rng,
    now: Time,
) -> Result<Process, String> {
    let (mut id, mut seed) = ([0; 16], [0; 32]);
    rng.fill_bytes(&mut id);
    rng.fill_bytes(&mut seed);
    let cards = ask(local, None, |mut venue| venue.cards())?.map_err(|error| error.to_string())?;
    let covered = |card: &MarketCard| plan.config.instances.iter().any(|instance| instance.covers(&card.slug));
    let cards = cards.into_iter().filter(covered).collect();
    let disk = Disk::create(&run_dir(plan, run), RunId(id))?;
    let mut process = Process::begin(identity, RunId(id), seed, restore, cards, disk, now)?;
    let jitter = u64::from_le_bytes(std::array::from_fn(|n| seed[8 + n]));
    process.outside = Outside::new(&plan.config, jitter, now);
    Ok(process)
}

fn identity(local: &mut Local, plan: &Plan) -> Result<Identity, String> {
    let secret = KNOWN_SECRETS[0];
    let signer = Signer::from_hex(secret).map_err(|error| error.to_string())?;
    let address = signer.address();
    let key = ask(local, None, move |mut venue| venue.api_key(&signer, POLYGON))?.map_err(|error| error.to_string())?;
    let credentials = Credentials::new(address, key).map_err(|error| error.to_string())?;
    let config = plan.config.to_json().map_err(|error| error.to_string())?;
    Ok(Identity { secret, credentials: Arc::new(credentials), config })
}

/// Lets a client of the venue do something before the simulation begins, or while the process does not run: every request is
/// answered at once.
fn ask<T: Send + 'static>(
    local: &mut Local,
    credentials: Option<Arc<Credentials>>,
    act: impl FnOnce(Venue) -> Result<T, NetError> + Send + 'static,
) -> Result<Result<T, NetError>, String> {
    let wall_s = local.with_core(|core| core.now_ns()) / Time::SECOND;
    let thread = Thread::start(credentials, wall_s, act).map_err(|error| error.to_string())?;
    asked(local, &thread, wall_s)
}
