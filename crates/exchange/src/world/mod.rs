//! Simulated traders around a simulated truth.
//!
//! Each market has a true value that moves by a seeded process, and traders who act on the [`Core`] as internal accounts:
//! *makers* who quote a ladder around what they believe, *noise* traders who buy and sell for no reason, and *informed* ones
//! who take what is priced wrongly. They use the same [`Core::place`] and [`Core::cancel`] as everybody.
//!
//! A [`World`] has no clock: [`World::next_event`] says when somebody wants to act, and [`World::step`] lets everybody act
//! who wanted to by now, each at its own time. The same seed and the same doings of outsiders give the same orders.
//!
//! Floats live here: values and moods are signals. What leaves for the core is on the price grid and in whole lots.

mod contest;
mod price;
mod process;
mod standard;
mod trader;

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{MarketId, Price, ReferencePrice, Symbol, TruthReport, Usdc};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::core::{Core, MarketSpec, Nanos};

pub use contest::ContestSpec;
pub use price::WorldPrice;
pub use process::ProcessSpec;
pub use standard::{standard_rooms, up_down_spec};

use contest::Contest;
use price::{PricePath, STEP_NS};
use process::{Interval, Value};
use trader::{Crowd, Mood};

const SECOND: f64 = 1e9;

/// How long before a window ends the next one is listed, at most.
const LISTED_AHEAD_NS: Nanos = 300_000_000_000;

/// One market and who trades in it.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomSpec {
    /// The market.
    pub market: MarketSpec,
    /// Its true value; `None` for a market in which nobody trades by himself.
    pub process: Option<ProcessSpec>,
    /// Who trades.
    pub traders: TraderSpec,
}

/// How many trade, how often, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraderSpec {
    /// How many makers quote.
    pub makers: u32,
    /// How often each of them looks, per second.
    pub maker_rate: f64,
    /// Half of the makers' spread, in dollars.
    pub half_spread: f64,
    /// Levels on each side.
    pub levels: u32,
    /// Shares on each level, about.
    pub size: f64,
    /// Noise orders per second.
    pub noise_rate: f64,
    /// How often the informed look, per second.
    pub informed_rate: f64,
    /// What must be wrong with a price before the informed act, in dollars.
    pub informed_edge: f64,
    /// The share of purchases at once that are of whole cents' worth, whatever that is in shares. 0 … 1.
    pub by_value: f64,
}

impl Default for TraderSpec {
    fn default() -> TraderSpec {
        TraderSpec {
            makers: 3,
            maker_rate: 0.7,
            half_spread: 0.025,
            levels: 3,
            size: 60.0,
            noise_rate: 1.5,
            informed_rate: 0.3,
            informed_edge: 0.03,
            by_value: 0.0,
        }
    }
}

/// A market that is simulated now.
#[derive(Debug)]
struct Room {
    spec: RoomSpec,
    market: MarketId,
    /// The market of the window that follows, once it is listed.
    next: Option<MarketId>,
    value: Value,
    /// The price that decides it.
    path: Option<usize>,
    /// Which match of its series it is.
    round: u32,
    crowd: Crowd,
}

/// Who wants to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Maker {
        room: usize,
        maker: usize,
    },
    Noise {
        room: usize,
    },
    Informed {
        room: usize,
    },
    /// The market of the next window is listed, so that it is there when the present one ends.
    List {
        room: usize,
    },
    /// A window or a match ends: it is decided, and everybody moves on to the next one.
    Rotate {
        room: usize,
    },
    /// A coin's price moves.
    Price {
        path: usize,
    },
    /// A round of a match ends.
    Round {
        room: usize,
    },
    /// A market is listed that was not there from the start.
    Open {
        waiting: usize,
    },
}

/// How often an unchanged match is reported again.
const REPORT_NS: Nanos = 5_000_000_000;
/// How long after everybody knows of its end a match is decided.
const DECIDED_NS: Nanos = 10_000_000_000;
/// Reports that wait for somebody to take them.
const MOST_REPORTS: usize = 256;

/// All simulated markets and traders.
#[derive(Debug)]
pub struct World {
    rooms: Vec<Room>,
    /// What is listed later.
    waiting: Vec<RoomSpec>,
    paths: Vec<PricePath>,
    reports: VecDeque<TruthReport>,
    seed: u64,
    agenda: BTreeMap<(Nanos, u64), Wish>,
    entered: u64,
    activity: f64,
    rng: ChaCha8Rng,
}

impl World {
    /// Lists all markets and gives the traders their money. `activity` multiplies all rates; 1 is lively, 0 is dead.
    #[must_use]
    pub fn new(core: &mut Core, specs: Vec<RoomSpec>, activity: f64, seed: u64, now_ns: Nanos) -> World {
        let activity = if activity.is_finite() { activity.clamp(0.0, 1_000.0) } else { 1.0 };
        // Another stream than the core's ids, which start from the same seed.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        let mut world = World {
            rooms: Vec::new(),
            waiting: Vec::new(),
            paths: Vec::new(),
            reports: VecDeque::new(),
            seed,
            agenda: BTreeMap::new(),
            entered: 0,
            activity,
            rng,
        };
        for spec in specs {
            world.open_room(core, spec, now_ns);
        }
        world
    }

    /// Lists a market when its time has come.
    pub fn open_later(&mut self, spec: RoomSpec, at_ns: Nanos) {
        let waiting = self.waiting.len();
        self.waiting.push(spec);
        self.wish_at(at_ns, Wish::Open { waiting });
    }

    fn open_room(&mut self, core: &mut Core, spec: RoomSpec, now_ns: Nanos) {
        let market = core.list_market(spec.market.clone(), now_ns);
        let Some(process) = spec.process.clone() else { return };
        let path = self.path_of(&process, now_ns);
        let Some(value) = self.begin(process, &spec.market, path, now_ns) else { return };
        let crowd = Crowd::new(core, market, &spec.traders, now_ns);
        let index = self.rooms.len();
        let makers = spec.traders.makers as usize;
        match &value {
            Value::UpDown(interval) => {
                core.set_price_to_beat(market, interval.strike());
                self.plan_rotation(index, interval.end_ns(), now_ns);
            }
            Value::Contest(contest) => {
                self.wish_at(contest.next_ns(), Wish::Round { room: index });
                self.tell(contest.report(&spec.market.slug, now_ns));
            }
            Value::Opinion { .. } => {}
        }
        self.rooms.push(Room { spec, market, next: None, value, path, round: 1, crowd });
        for maker in 0..makers {
            // Everybody is there from the first moment, so that there is a book to look at.
            self.wish_at(now_ns.saturating_add(1 + maker as u64), Wish::Maker { room: index, maker });
        }
        self.wish_again(Wish::Noise { room: index }, now_ns);
        self.wish_again(Wish::Informed { room: index }, now_ns);
    }

    /// The path of the price that decides a process; the first market of a coin begins it.
    fn path_of(&mut self, process: &ProcessSpec, now_ns: Nanos) -> Option<usize> {
        let ProcessSpec::UpDown { coin, price, volatility, .. } = process else { return None };
        let symbol = Symbol::new(coin).ok()?;
        if let Some(known) = self.paths.iter().position(|path| path.symbol() == symbol) {
            return Some(known);
        }
        let index = self.paths.len();
        // Streams of their own: neither ids nor traders have a part in prices.
        let stream = 16 + index as u64;
        // The window may have begun a while ago: the price has moved a little since.
        let moved = price * libm::exp(5.0 * volatility * process::normal(&mut self.rng));
        self.paths.push(PricePath::new(symbol, moved, *volatility, (self.seed, stream), now_ns));
        self.wish_at(now_ns.saturating_add(STEP_NS), Wish::Price { path: index });
        Some(index)
    }

    fn begin(
        &mut self,
        process: ProcessSpec,
        market: &MarketSpec,
        path: Option<usize>,
        now_ns: Nanos,
    ) -> Option<Value> {
        Some(match process {
            ProcessSpec::Opinion { .. } => Value::opinion(process, now_ns)?,
            ProcessSpec::UpDown { .. } => Value::UpDown(Interval::new(&process, market, self.paths.get(path?)?)?),
            ProcessSpec::Contest(spec) => Value::Contest(Contest::new(spec, now_ns, &mut self.rng)),
        })
    }

    fn tell(&mut self, report: TruthReport) {
        if self.reports.len() == MOST_REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back(report);
    }

    /// The prices that have moved since this was last asked, the newest of each coin.
    pub fn take_prices(&mut self) -> impl Iterator<Item = WorldPrice> {
        self.paths.iter_mut().filter_map(PricePath::tell)
    }

    /// What an official source has said of matches since this was last asked.
    pub fn take_reports(&mut self) -> impl Iterator<Item = TruthReport> + use<> {
        std::mem::take(&mut self.reports).into_iter()
    }

    /// Enters when a room's window ends, and when the next one is listed: half of what is left before that, a few minutes at most.
    fn plan_rotation(&mut self, room: usize, end: Nanos, now_ns: Nanos) {
        let lead = (end.saturating_sub(now_ns) / 2).min(LISTED_AHEAD_NS);
        self.wish_at(end.saturating_sub(lead), Wish::List { room });
        self.wish_at(end, Wish::Rotate { room });
    }

    fn wish_at(&mut self, when: Nanos, wish: Wish) {
        self.entered += 1;
        self.agenda.insert((when, self.entered), wish);
    }

    /// Enters the next wish of the same kind after a random time.
    fn wish_again(&mut self, wish: Wish, now_ns: Nanos) {
        let traders = |room: usize| self.rooms.get(room).map(|room| room.spec.traders);
        let rate = match wish {
            Wish::Maker { room, .. } => traders(room).map_or(0.0, |t| t.maker_rate),
            Wish::Noise { room } => traders(room).map_or(0.0, |t| t.noise_rate),
            Wish::Informed { room } => traders(room).map_or(0.0, |t| t.informed_rate),
            Wish::List { .. } | Wish::Rotate { .. } | Wish::Price { .. } | Wish::Round { .. } | Wish::Open { .. } => {
                0.0
            }
        } * self.activity;
        if rate <= 0.0 || !rate.is_finite() {
            return;
        }
        let uniform: f64 = self.rng.random();
        let wait_ns = (-libm::log1p(-uniform) / rate * SECOND).clamp(1.0, 3.6e12);
        self.wish_at(now_ns.saturating_add(wait_ns as Nanos), wish);
    }

    /// When somebody wants to act next.
    #[must_use]
    pub fn next_event(&self) -> Option<Nanos> {
        self.agenda.first_key_value().map(|((when, _), _)| *when)
    }

    /// Lets everybody act who wanted to until `now_ns`, each at its own time, and brings the core to `now_ns`.
    pub fn step(&mut self, core: &mut Core, now_ns: Nanos) {
        while let Some(entry) = self.agenda.first_entry() {
            let when = entry.key().0;
            if when > now_ns {
                break;
            }
            let wish = entry.remove();
            core.advance(when);
            self.act(core, wish, when);
        }
        core.advance(now_ns);
    }

    fn act(&mut self, core: &mut Core, wish: Wish, now_ns: Nanos) {
        let (Wish::Maker { room: index, .. } | Wish::Noise { room: index } | Wish::Informed { room: index }) = wish
        else {
            return self.go_on(core, wish, now_ns);
        };
        let Some(room) = self.rooms.get_mut(index) else { return };
        room.value.advance(now_ns, &mut self.rng);
        let path = room.path.and_then(|path| self.paths.get(path));
        let truth = room.value.fair(path, now_ns);
        let mut mood = Mood { truth, traders: &room.spec.traders, rng: &mut self.rng, now_ns };
        match wish {
            Wish::Maker { maker, .. } => room.crowd.quote(core, maker, &mut mood),
            Wish::Noise { .. } => room.crowd.trade_for_no_reason(core, &mut mood),
            _ => room.crowd.trade_on_knowledge(core, &mut mood),
        }
        self.wish_again(wish, now_ns);
    }

    /// What happens whether anybody trades or not.
    fn go_on(&mut self, core: &mut Core, wish: Wish, now_ns: Nanos) {
        match wish {
            Wish::List { room } => self.list_next(core, room, now_ns),
            Wish::Rotate { room } => self.rotate(core, room, now_ns),
            Wish::Round { room } => self.play(room, now_ns),
            Wish::Open { waiting } => {
                if let Some(spec) = self.waiting.get(waiting).cloned() {
                    self.open_room(core, spec, now_ns);
                }
            }
            Wish::Price { path: index } => {
                let Some(path) = self.paths.get_mut(index) else { return };
                path.step(now_ns);
                self.wish_at(now_ns.saturating_add(STEP_NS), wish);
            }
            Wish::Maker { .. } | Wish::Noise { .. } | Wish::Informed { .. } => {}
        }
    }

    /// A round of a match ends, or nothing has happened for a while and that is said.
    fn play(&mut self, index: usize, now_ns: Nanos) {
        let Some(room) = self.rooms.get_mut(index) else { return };
        let Value::Contest(contest) = &mut room.value else { return };
        let over = now_ns >= contest.next_ns() && contest.play(now_ns, &mut self.rng);
        let report = contest.report(&room.spec.market.slug, now_ns);
        let (next, decided) = (contest.next_ns(), contest.known_by(now_ns).saturating_add(DECIDED_NS));
        self.tell(report);
        if over {
            self.wish_at(decided, Wish::Rotate { room: index });
        } else {
            self.wish_at(next.min(now_ns.saturating_add(REPORT_NS)), Wish::Round { room: index });
        }
    }

    fn list_next(&mut self, core: &mut Core, index: usize, now_ns: Nanos) {
        let Some(room) = self.rooms.get_mut(index) else { return };
        let Value::UpDown(interval) = &room.value else { return };
        room.next = room.spec.market.end_s.map(|start_s| core.list_market(interval.next(start_s), now_ns));
    }

    /// Decides a window or a match and begins the next one of the same series.
    fn rotate(&mut self, core: &mut Core, index: usize, now_ns: Nanos) {
        let Some(room) = self.rooms.get_mut(index) else { return };
        let path = room.path.and_then(|path| self.paths.get(path));
        let yes = match (&room.value, path) {
            (Value::UpDown(interval), Some(path)) => interval.is_up(path),
            (Value::Contest(contest), _) => contest.first_won(),
            _ => return,
        };
        core.resolve(room.market, if yes { Price::ONE } else { Price::ZERO }, now_ns);
        room.crowd.redeem(core, room.market, now_ns);
        let next = match &room.value {
            Value::UpDown(interval) => room.spec.market.end_s.map(|start_s| interval.next(start_s)),
            _ => {
                room.round += 1;
                Some(standard::next_match(&room.spec.market, room.round))
            }
        };
        let Some(next) = next else { return };
        room.spec.market = next;
        room.market = match room.next.take() {
            Some(listed) => listed,
            None => core.list_market(room.spec.market.clone(), now_ns),
        };
        room.crowd.move_to(core, room.market, now_ns);
        match (&mut room.value, path) {
            (Value::UpDown(interval), Some(path)) => {
                interval.restart(&room.spec.market, path);
                core.set_price_to_beat(room.market, interval.strike());
                let end = interval.end_ns();
                self.plan_rotation(index, end, now_ns);
            }
            _ => self.begin_match(index, now_ns),
        }
    }

    fn begin_match(&mut self, index: usize, now_ns: Nanos) {
        let Some(room) = self.rooms.get_mut(index) else { return };
        let Some(ProcessSpec::Contest(spec)) = room.spec.process else { return };
        let contest = Contest::new(spec, now_ns, &mut self.rng);
        let (report, next) = (contest.report(&room.spec.market.slug, now_ns), contest.next_ns());
        room.value = Value::Contest(contest);
        self.tell(report);
        self.wish_at(next.min(now_ns.saturating_add(REPORT_NS)), Wish::Round { room: index });
    }

    fn room_of(&self, market: MarketId) -> Option<(&Room, Option<&PricePath>)> {
        let room = self.rooms.iter().find(|room| room.market == market)?;
        Some((room, room.path.and_then(|path| self.paths.get(path))))
    }

    /// The value of a market that is simulated, between 0 and 1, as its traders know it.
    #[must_use]
    pub fn truth(&self, market: MarketId, now_ns: Nanos) -> Option<f64> {
        self.room_of(market).map(|(room, path)| room.value.fair(path, now_ns))
    }

    /// The price that decides an up-or-down market, and the one that it must reach.
    #[must_use]
    pub fn reference(&self, market: MarketId) -> Option<(f64, ReferencePrice)> {
        match self.room_of(market)? {
            (Room { value: Value::UpDown(interval), .. }, Some(path)) => Some((path.price(), interval.strike())),
            _ => None,
        }
    }

    /// Makes the value of a market jump, as news would: an opinion changes, or the price behind a window does.
    pub fn shock(&mut self, market: MarketId, to: f64, now_ns: Nanos) {
        if !to.is_finite() {
            return;
        }
        let Some(room) = self.rooms.iter_mut().find(|room| room.market == market) else { return };
        match (&room.value, room.path.and_then(|path| self.paths.get_mut(path))) {
            (Value::UpDown(interval), Some(path)) => {
                let price = interval.price_for(path, to, now_ns);
                path.jump_to(price, now_ns);
            }
            _ => room.value.jump_to(to),
        }
    }
}

/// What each simulated trader brings along.
const PURSE: Usdc = Usdc::from_whole(50_000_000);
