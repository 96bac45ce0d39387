//! Everybody else's book with our own orders in it: the matching that paper trading and backtests share.
//!
//! Driven by numbers, not by frames: [`Matching::depth`], [`Matching::trade`] and [`Matching::end_of_frame`] allocate nothing once
//! the lists are warm. Prices are in units of 0.0001 dollars of YES, sizes in millionths of a share; both tokens of a market are one
//! ladder, so that a bid for NO at `q` stands on the asks at `1 - q`.
//!
//! When a resting order fills (quant.md 13.1): whole, when the other side displays its price or better, or a trade is printed through
//! its price; by what reaches it in its queue, when a trade is printed at its price. Our orders move nobody else. What they take is
//! remembered until the level changes, so that nothing displayed is taken twice, and a print is divided among our orders at its
//! price in the order of their arrival.

use oddsmith_domain::Shares;

use crate::half::{Displayed, Half, PRICES};
use crate::queue::{QueueModel, QueuePosition, Variant};

/// What a resting order of ours got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The order.
    pub key: u64,
    /// How much, in millionths of a share.
    pub micros: i64,
    /// What is left of it.
    pub left: i64,
}

/// What a marketable order would get at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// The price, in units of YES.
    pub units: u16,
    /// How much.
    pub micros: i64,
}

/// A resting order of ours.
#[derive(Clone, Copy, Debug)]
struct Resting {
    key: u64,
    units: u16,
    left: i64,
    position: QueuePosition,
    /// The level's changes of the newest millisecond, as one, and where the order stood before them: the venue may print a trade
    /// after the change that it explains.
    batch: Batch,
}

#[derive(Clone, Copy, Debug, Default)]
struct Batch {
    stamp_ms: u64,
    prev: i64,
    new: i64,
    before: QueuePosition,
}

#[derive(Clone, Debug)]
struct Own {
    half: Half,
    /// By arrival.
    orders: Vec<Resting>,
    /// How many stand at each price, so that most events need no look at the list.
    count: Box<[u16; PRICES]>,
    best: Option<u16>,
}

impl Own {
    fn new(half: Half) -> Own {
        let count: Box<[u16]> = vec![0; PRICES].into_boxed_slice();
        let count = count.try_into().unwrap_or_else(|_| unreachable!("the vector has exactly this length"));
        Own { half, orders: Vec::new(), count, best: None }
    }

    #[inline]
    fn stands_at(&self, units: u16) -> bool {
        self.count.get(usize::from(units)).is_some_and(|count| *count > 0)
    }

    fn add(&mut self, order: Resting) {
        if let Some(count) = self.count.get_mut(usize::from(order.units)) {
            *count = count.saturating_add(1);
        }
        if self.best.is_none_or(|best| self.half.is_better(order.units, best)) {
            self.best = Some(order.units);
        }
        self.orders.push(order);
    }

    /// Lets go of orders with nothing left.
    fn sweep(&mut self) {
        let (half, count) = (self.half, &mut self.count);
        self.orders.retain(|order| {
            if order.left <= 0
                && let Some(count) = count.get_mut(usize::from(order.units))
            {
                *count = count.saturating_sub(1);
            }
            order.left > 0
        });
        let better = |one: u16, other: u16| if half.is_better(other, one) { other } else { one };
        self.best = self.orders.iter().map(|order| order.units).reduce(better);
    }
}

/// Something displayed that we have taken.
#[derive(Clone, Copy, Debug)]
struct Taken {
    half: Half,
    units: u16,
    micros: i64,
}

/// The book of one market, displayed by others, with our orders in it.
#[derive(Clone, Debug)]
pub struct Matching {
    model: QueueModel,
    displayed: [Displayed; 2],
    own: [Own; 2],
    taken: Vec<Taken>,
}

impl Matching {
    /// An empty book. A model's fills are rounded to the millionth, which is no rounding here.
    #[must_use]
    pub fn new(model: QueueModel) -> Matching {
        let halves = [Half::Bids, Half::Asks];
        Matching { model, displayed: halves.map(Displayed::new), own: halves.map(Own::new), taken: Vec::new() }
    }

    /// What is displayed at a price.
    #[must_use]
    pub fn displayed(&self, half: Half, units: u16) -> i64 {
        self.displayed[half.index()].at(units)
    }

    /// The best displayed price of a side.
    #[must_use]
    #[inline]
    pub fn best(&self, half: Half) -> Option<u16> {
        self.displayed[half.index()].best()
    }

    /// All displayed prices of a side, best first.
    pub fn prices(&self, half: Half) -> impl Iterator<Item = u16> + '_ {
        self.displayed[half.index()].prices()
    }

    /// A level displays a new size as of this time of the venue.
    #[inline]
    pub fn depth(&mut self, half: Half, units: u16, micros: i64, stamp_ms: u64) {
        let prev = self.displayed[half.index()].set(units, micros);
        if prev == micros {
            return;
        }
        if !self.taken.is_empty() {
            self.taken.retain(|taken| (taken.half, taken.units) != (half, units));
        }
        if self.own[half.index()].stands_at(units) {
            self.requeue(half, units, (prev, micros), stamp_ms);
        }
    }

    fn requeue(&mut self, half: Half, units: u16, (prev, new): (i64, i64), stamp_ms: u64) {
        let way = (self.model, Variant::Clamped);
        for order in self.own[half.index()].orders.iter_mut().filter(|order| order.units == units) {
            if order.batch.stamp_ms == stamp_ms {
                order.batch.new = new;
            } else {
                order.batch = Batch { stamp_ms, prev, new, before: order.position };
            }
            order.position.depth(way, Shares::from_micros(prev), Shares::from_micros(new));
        }
    }

    /// A trade was printed: somebody took from this side at this price. What it filled of ours is appended.
    #[inline]
    pub fn trade(&mut self, half: Half, units: u16, micros: i64, stamp_ms: u64, fills: &mut Vec<Fill>) {
        let own = &self.own[half.index()];
        // The most that a print reaches is our best order.
        if own.best.is_some_and(|best| best == units || half.is_better(best, units)) && micros > 0 {
            self.print(half, units, micros, stamp_ms, fills);
        }
    }

    fn print(&mut self, half: Half, units: u16, micros: i64, stamp_ms: u64, fills: &mut Vec<Fill>) {
        let way = (self.model, Variant::Clamped);
        let own = &mut self.own[half.index()];
        let mut given = 0;
        let before = fills.len();
        for order in &mut own.orders {
            let got = if half.is_better(order.units, units) {
                order.left
            } else if order.units == units {
                let explained = order.batch.stamp_ms == stamp_ms && stamp_ms > 0;
                if explained {
                    order.position = order.batch.before;
                }
                order.position.trade(Shares::from_micros(micros));
                // What earlier orders of ours got did not reach this one.
                order.position.front += Shares::from_micros(given).to_f64();
                let got = order.position.take(UNIT, Shares::from_micros(order.left)).micros();
                if explained {
                    let Batch { prev, new, .. } = order.batch;
                    order.batch.before = order.position;
                    order.position.depth(way, Shares::from_micros(prev), Shares::from_micros(new));
                }
                given += got;
                got
            } else {
                continue;
            };
            if got > 0 {
                order.left -= got;
                fills.push(Fill { key: order.key, micros: got, left: order.left });
            }
        }
        if fills.len() > before {
            own.sweep();
        }
    }

    /// The frame is complete: orders of ours whose price the other side now displays are filled whole.
    #[inline]
    pub fn end_of_frame(&mut self, fills: &mut Vec<Fill>) {
        for half in [Half::Bids, Half::Asks] {
            let Some(own) = self.own[half.index()].best else { continue };
            let Some(other) = self.best(half.opposite()) else { continue };
            if half.is_better(other, own) {
                continue;
            }
            self.cross(half, fills);
        }
    }

    fn cross(&mut self, half: Half, fills: &mut Vec<Fill>) {
        let Some(other) = self.best_left(half.opposite()) else { return };
        let own = &mut self.own[half.index()];
        let before = fills.len();
        let mut deepest = None;
        for order in &mut own.orders {
            if half.is_better(other, order.units) {
                continue;
            }
            fills.push(Fill { key: order.key, micros: order.left, left: 0 });
            deepest = Some(match deepest {
                Some((units, micros)) if half.is_better(units, order.units) => (order.units, micros + order.left),
                Some((units, micros)) => (units, micros + order.left),
                None => (order.units, order.left),
            });
            order.left = 0;
        }
        if fills.len() > before {
            own.sweep();
        }
        if let Some((limit, micros)) = deepest {
            let mut takes = Vec::new();
            self.plan(half, limit, micros, &mut takes);
            self.commit(half, &takes);
        }
    }

    /// The best price of a side at which something is displayed that we have not taken.
    fn best_left(&self, half: Half) -> Option<u16> {
        if self.taken.is_empty() {
            return self.best(half);
        }
        self.prices(half).find(|units| self.left_at(half, *units) > 0)
    }

    fn left_at(&self, half: Half, units: u16) -> i64 {
        let taken = self.taken.iter().find(|taken| (taken.half, taken.units) == (half, units));
        self.displayed(half, units) - taken.map_or(0, |taken| taken.micros)
    }

    /// What an order of this side with this limit would get at once: the other side's displayed sizes, best first, less what was
    /// taken of them already. Returns how much that is.
    pub fn plan(&self, half: Half, limit: u16, micros: i64, takes: &mut Vec<Take>) -> i64 {
        takes.clear();
        let other = half.opposite();
        let mut rest = micros;
        for units in self.prices(other) {
            if rest <= 0 || half.is_better(units, limit) {
                break;
            }
            let got = self.left_at(other, units).min(rest);
            if got > 0 {
                takes.push(Take { units, micros: got });
                rest -= got;
            }
        }
        micros - rest
    }

    /// Takes what was planned for an order of this side, until the levels change.
    pub fn commit(&mut self, half: Half, takes: &[Take]) {
        let other = half.opposite();
        for take in takes {
            match self.taken.iter_mut().find(|taken| (taken.half, taken.units) == (other, take.units)) {
                Some(taken) => taken.micros += take.micros,
                None => self.taken.push(Taken { half: other, units: take.units, micros: take.micros }),
            }
        }
    }

    /// Rests an order of ours behind everything that is displayed at its price.
    pub fn rest(&mut self, half: Half, key: u64, units: u16, micros: i64) {
        let front = Shares::from_micros(self.displayed(half, units));
        let position = QueuePosition::joined(front);
        self.own[half.index()].add(Resting { key, units, left: micros, position, batch: Batch::default() });
    }

    /// Takes an order of ours out; what was left of it.
    pub fn remove(&mut self, half: Half, key: u64) -> Option<i64> {
        let own = &mut self.own[half.index()];
        let order = own.orders.iter_mut().find(|order| order.key == key)?;
        let left = std::mem::replace(&mut order.left, 0);
        own.sweep();
        Some(left)
    }

    /// What is estimated to stand before an order of ours, in shares.
    #[must_use]
    pub fn ahead(&self, half: Half, key: u64) -> Option<f64> {
        self.own[half.index()].orders.iter().find(|order| order.key == key).map(|order| order.position.front)
    }

    /// How many orders of ours rest.
    #[must_use]
    pub fn resting(&self) -> usize {
        self.own.iter().map(|own| own.orders.len()).sum()
    }
}

/// The venue matches in millionths of a share.
const UNIT: Shares = Shares::from_micros(1);
