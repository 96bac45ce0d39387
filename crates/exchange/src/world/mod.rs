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

mod process;
mod standard;
mod trader;

use std::collections::BTreeMap;

use oddsmith_domain::{MarketId, Price, Usdc};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::core::{Core, MarketSpec, Nanos};

pub use process::{ProcessSpec, Value};
pub use standard::{standard_rooms, up_down_spec};

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
    /// A window ends: it is decided, and everybody moves on to the next one.
    Rotate {
        room: usize,
    },
}

/// All simulated markets and traders.
#[derive(Debug)]
pub struct World {
    rooms: Vec<Room>,
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
        let mut world = World { rooms: Vec::new(), agenda: BTreeMap::new(), entered: 0, activity, rng };
        for spec in specs {
            world.open_room(core, spec, now_ns);
        }
        world
    }

    fn open_room(&mut self, core: &mut Core, spec: RoomSpec, now_ns: Nanos) {
        let market = core.list_market(spec.market.clone(), now_ns);
        let Some(process) = spec.process.clone() else { return };
        let crowd = Crowd::new(core, market, &spec.traders, now_ns);
        let value = Value::new(process, &spec.market, now_ns, &mut self.rng);
        let index = self.rooms.len();
        let rotation = value.ends_ns();
        let makers = spec.traders.makers as usize;
        self.rooms.push(Room { spec, market, next: None, value, crowd });
        for maker in 0..makers {
            // Everybody is there from the first moment, so that there is a book to look at.
            self.wish_at(now_ns.saturating_add(1 + maker as u64), Wish::Maker { room: index, maker });
        }
        self.wish_again(Wish::Noise { room: index }, now_ns);
        self.wish_again(Wish::Informed { room: index }, now_ns);
        self.plan_rotation(index, rotation, now_ns);
    }

    /// Enters when a room's window ends, and when the next one is listed: half of what is left before that, a few minutes at most.
    fn plan_rotation(&mut self, room: usize, end: Option<Nanos>, now_ns: Nanos) {
        let Some(end) = end else { return };
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
            Wish::List { .. } | Wish::Rotate { .. } => 0.0,
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
        match wish {
            Wish::List { room } => return self.list_next(core, room, now_ns),
            Wish::Rotate { room } => return self.rotate(core, room, now_ns),
            Wish::Maker { .. } | Wish::Noise { .. } | Wish::Informed { .. } => {}
        }
        let (Wish::Maker { room: index, .. } | Wish::Noise { room: index } | Wish::Informed { room: index }) = wish
        else {
            return;
        };
        let Some(room) = self.rooms.get_mut(index) else { return };
        room.value.advance(now_ns, &mut self.rng);
        let mut mood = Mood { truth: room.value.fair(now_ns), traders: &room.spec.traders, rng: &mut self.rng, now_ns };
        match wish {
            Wish::Maker { maker, .. } => room.crowd.quote(core, maker, &mut mood),
            Wish::Noise { .. } => room.crowd.trade_for_no_reason(core, &mut mood),
            Wish::Informed { .. } => room.crowd.trade_on_knowledge(core, &mut mood),
            Wish::List { .. } | Wish::Rotate { .. } => {}
        }
        self.wish_again(wish, now_ns);
    }

    fn list_next(&mut self, core: &mut Core, index: usize, now_ns: Nanos) {
        let Some(room) = self.rooms.get_mut(index) else { return };
        let next = room.spec.market.end_s.and_then(|start_s| room.value.next_window(start_s));
        room.next = next.map(|next| core.list_market(next, now_ns));
    }

    /// Decides a window and begins the next one of the same series.
    fn rotate(&mut self, core: &mut Core, index: usize, now_ns: Nanos) {
        let Some(room) = self.rooms.get_mut(index) else { return };
        room.value.advance(now_ns, &mut self.rng);
        let outcome = if room.value.is_up() { Price::ONE } else { Price::ZERO };
        core.resolve(room.market, outcome, now_ns);
        room.crowd.redeem(core, room.market, now_ns);
        let Some(start_s) = room.spec.market.end_s else { return };
        let Some(next) = room.value.next_window(start_s) else { return };
        room.spec.market = next;
        room.market = match room.next.take() {
            Some(listed) => listed,
            None => core.list_market(room.spec.market.clone(), now_ns),
        };
        room.crowd.move_to(core, room.market, now_ns);
        room.value.restart(&room.spec.market, now_ns);
        let end = room.value.ends_ns();
        self.plan_rotation(index, end, now_ns);
    }

    /// The true value of a market that is simulated, between 0 and 1.
    #[must_use]
    pub fn truth(&self, market: MarketId, now_ns: Nanos) -> Option<f64> {
        self.rooms.iter().find(|room| room.market == market).map(|room| room.value.fair(now_ns))
    }

    /// The reference price behind an up-or-down market, and the one that it must reach.
    #[must_use]
    pub fn reference(&self, market: MarketId) -> Option<(f64, f64)> {
        self.rooms.iter().find(|room| room.market == market).and_then(|room| room.value.reference())
    }

    /// Makes the true value of a market jump, as news would.
    pub fn shock(&mut self, market: MarketId, to: f64) {
        if let Some(room) = self.rooms.iter_mut().find(|room| room.market == market) {
            room.value.jump_to(to);
        }
    }
}

/// What each simulated trader brings along.
const PURSE: Usdc = Usdc::from_whole(50_000_000);
