//! The orders of a run: what became of each, how long quotes stood, what stood before them.

use std::collections::BTreeMap;

use oddsmith_book::PairBook;
use oddsmith_domain::{InstanceId, MarketId, OrderId, OrderState, Outcome, PlaceOrder, Price, Shares, Side, Time};
use serde::Serialize;

use crate::calibrate::{Level, Outcome as Ended};

/// How many ended orders are listed; all are counted.
const LISTED: usize = 100_000;

/// A side and a price as they are for YES: selling YES at `p` is buying NO at `1 - p`.
pub(crate) const fn yes_terms(outcome: Outcome, side: Side, price: Price) -> (Side, Price) {
    match (outcome, side) {
        (Outcome::Yes, side) => (side, price),
        (Outcome::No, Side::Buy) => (Side::Sell, price.complement()),
        (Outcome::No, Side::Sell) => (Side::Buy, price.complement()),
    }
}

/// An order that ended, or was open when the run did.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OrderRow {
    /// Its id.
    pub order: OrderId,
    /// Whose.
    pub instance: InstanceId,
    /// In which market.
    pub market: MarketId,
    /// The side, in YES terms.
    pub side: Side,
    /// The price of YES.
    pub price: Price,
    /// The size.
    pub size: Shares,
    /// How much of it was filled.
    pub filled: Shares,
    /// What the book showed at its price when it was decided: what it queued behind, if nothing there was ours.
    pub ahead: Option<Shares>,
    /// What happened at its price from then to its end; `None` for one that may not rest, or where there was no book.
    pub level: Option<Level>,
    /// When it was decided, in nanoseconds since the Unix epoch.
    pub placed_ns: u64,
    /// From then until the venue took it, in nanoseconds.
    pub taken_ns: Option<u64>,
    /// From when the venue took it to its first fill, in nanoseconds.
    pub first_fill_ns: Option<u64>,
    /// From when the venue took it to its end, in nanoseconds.
    pub rested_ns: Option<u64>,
    /// Whether it may rest.
    pub rests: bool,
    /// Where it stood in the end.
    pub state: OrderState,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    row: OrderRow,
    placed: Time,
    taken: Option<Time>,
    working: bool,
    /// What the book showed at its price last.
    shown: Shares,
}

impl Open {
    /// The book showed something at its price, after trades of so many shares there.
    fn look(&mut self, shown: Shares, traded: Shares) {
        let before = std::mem::replace(&mut self.shown, shown);
        let Some(level) = self.row.level.as_mut() else { return };
        level.traded += traded;
        let change = shown - before + traded;
        if change.is_negative() {
            level.cancelled += -change;
        } else {
            level.behind += change;
        }
    }
}

/// How long an instance quoted a market, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Uptime {
    /// Nothing rested.
    pub none_ns: u64,
    /// One side rested.
    pub one_ns: u64,
    /// Both sides rested.
    pub both_ns: u64,
}

impl Uptime {
    fn add(&mut self, more: Uptime) {
        self.none_ns += more.none_ns;
        self.one_ns += more.one_ns;
        self.both_ns += more.both_ns;
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Quotes {
    /// Working bids and asks, in YES terms.
    resting: [u32; 2],
    since: u64,
    uptime: Uptime,
}

impl Quotes {
    fn pass(&mut self, now: Time) {
        let ns = now.mono_ns.saturating_sub(self.since);
        self.since = now.mono_ns;
        match self.resting {
            [0, 0] => self.uptime.none_ns += ns,
            [0, _] | [_, 0] => self.uptime.one_ns += ns,
            _ => self.uptime.both_ns += ns,
        }
    }
}

/// Sums over orders.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct OrderSums {
    /// Orders that were decided.
    pub orders: u64,
    /// Orders that the venue took.
    pub taken: u64,
    /// Orders of which anything was filled.
    pub with_fill: u64,
    /// Orders that were cancelled with nothing filled.
    pub cancelled_unfilled: u64,
    /// Shares of the orders that the venue took.
    pub posted: Shares,
    /// Shares filled.
    pub filled: Shares,
    /// Orders of which something was filled within a second of being taken.
    pub fast: u64,
}

/// Resting orders by what stood before them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct AheadRow {
    /// More than this many shares stood before them, and at most as many as the next row's.
    pub above: f64,
    /// How many orders.
    pub orders: u64,
    /// How many of them had a fill.
    pub with_fill: u64,
}

/// The bounds of [`AheadRow`], in shares.
const AHEAD: [f64; 6] = [0.0, 50.0, 200.0, 1_000.0, 5_000.0, 20_000.0];

/// All orders. See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Orders {
    open: BTreeMap<OrderId, Open>,
    pub(crate) rows: Vec<OrderRow>,
    pub(crate) left_out: u64,
    pub(crate) sums: OrderSums,
    pub(crate) by_ahead: [AheadRow; 7],
    quotes: BTreeMap<(InstanceId, MarketId), Quotes>,
}

impl Orders {
    pub(crate) fn placed(&mut self, place: &PlaceOrder, now: Time, book: Option<&PairBook>) {
        let market = place.asset.market();
        let (side, price) = yes_terms(place.asset.outcome(), place.side(), place.price);
        self.sums.orders += 1;
        let ahead = book.map(|book| book.size_at(Outcome::Yes, side, price).shares);
        let row = OrderRow {
            order: place.id,
            instance: place.instance,
            market,
            side,
            price,
            size: place.size,
            filled: Shares::ZERO,
            ahead,
            level: ahead.filter(|_| place.order_type.rests()).map(|_| Level::default()),
            placed_ns: now.wall_ns,
            taken_ns: None,
            first_fill_ns: None,
            rested_ns: None,
            rests: place.order_type.rests(),
            state: OrderState::PendingNew,
        };
        let shown = row.ahead.unwrap_or_default();
        self.open.insert(place.id, Open { row, placed: now, taken: None, working: false, shown });
        let quotes = self.quotes.entry((place.instance, market)).or_default();
        if quotes.since == 0 {
            quotes.since = now.mono_ns;
        }
    }

    /// A market's book changed: what that says about the levels at which orders rest.
    pub(crate) fn looked(&mut self, market: MarketId, book: &PairBook, trades: &[(Price, Shares)]) {
        for open in self.open.values_mut().filter(|open| open.row.market == market) {
            let shown = book.size_at(Outcome::Yes, open.row.side, open.row.price).shares;
            let traded = trades.iter().filter(|trade| trade.0 == open.row.price).map(|trade| trade.1).sum();
            open.look(shown, traded);
        }
    }

    pub(crate) fn moved(&mut self, order: &OrderId, to: OrderState, now: Time) {
        let Some(open) = self.open.get_mut(order) else { return };
        open.row.state = to;
        let works = matches!(to, OrderState::Working | OrderState::PartiallyFilled);
        if open.taken.is_none() && (works || to == OrderState::Filled) {
            open.taken = Some(now);
            open.row.taken_ns = Some(now.since(open.placed));
        }
        if works != open.working {
            open.working = works;
            let quotes = self.quotes.entry((open.row.instance, open.row.market)).or_default();
            quotes.pass(now);
            let side = &mut quotes.resting[usize::from(open.row.side == Side::Sell)];
            *side = if works { *side + 1 } else { side.saturating_sub(1) };
        }
        if to.is_final()
            && let Some(open) = self.open.remove(order)
        {
            self.end(open, now);
        }
    }

    /// A part of an order was filled; how long after the venue took it, when that is its first.
    pub(crate) fn filled(&mut self, order: &OrderId, size: Shares, now: Time) -> Option<u64> {
        let open = self.open.get_mut(order)?;
        open.row.filled += size;
        let taken = *open.taken.get_or_insert(now);
        if open.row.taken_ns.is_none() {
            open.row.taken_ns = Some(now.since(open.placed));
        }
        if open.row.first_fill_ns.is_some() {
            return None;
        }
        let waited = now.since(taken);
        open.row.first_fill_ns = Some(waited);
        open.row.rests.then_some(waited)
    }

    fn end(&mut self, open: Open, now: Time) {
        let mut row = open.row;
        row.rested_ns = open.taken.map(|taken| now.since(taken));
        if let Some(level) = row.level.as_mut() {
            // The book shows our own order, too: it is not behind itself.
            level.behind = (level.behind - row.size).max(Shares::ZERO);
        }
        let hit = row.filled.is_positive();
        let sums = &mut self.sums;
        sums.filled += row.filled;
        if open.taken.is_some() {
            sums.taken += 1;
            sums.posted += row.size;
            sums.with_fill += u64::from(hit);
            sums.cancelled_unfilled += u64::from(!hit && row.state == OrderState::Canceled);
            sums.fast += u64::from(row.first_fill_ns.is_some_and(|ns| ns <= Time::SECOND));
            if let (true, Some(ahead)) = (row.rests, row.ahead) {
                let bin = AHEAD.iter().filter(|bound| ahead.to_f64() > **bound).count();
                self.by_ahead[bin].orders += 1;
                self.by_ahead[bin].with_fill += u64::from(hit);
            }
        }
        if self.rows.len() < LISTED {
            self.rows.push(row);
        } else {
            self.left_out += 1;
        }
    }

    /// The run is over: what is open counts as it stands.
    pub(crate) fn finish(&mut self, now: Time) {
        let open: Vec<Open> = std::mem::take(&mut self.open).into_values().collect();
        open.into_iter().for_each(|open| self.end(open, now));
        self.quotes.values_mut().for_each(|quotes| quotes.pass(now));
        for (row, above) in self.by_ahead.iter_mut().skip(1).zip(AHEAD) {
            row.above = above;
        }
    }

    /// Goes on with the orders of a later run, which are numbered alike.
    pub(crate) fn go_on(&mut self, later: &mut Orders) {
        let room = LISTED.saturating_sub(self.rows.len());
        self.left_out += later.left_out + later.rows.len().saturating_sub(room) as u64;
        self.rows.extend(later.rows.drain(..).take(room));
        let (sums, more) = (&mut self.sums, later.sums);
        sums.orders += more.orders;
        sums.taken += more.taken;
        sums.with_fill += more.with_fill;
        sums.cancelled_unfilled += more.cancelled_unfilled;
        sums.posted += more.posted;
        sums.filled += more.filled;
        sums.fast += more.fast;
        for (row, more) in self.by_ahead.iter_mut().zip(later.by_ahead) {
            row.orders += more.orders;
            row.with_fill += more.with_fill;
        }
        for (place, quotes) in &later.quotes {
            self.quotes.entry(*place).or_default().uptime.add(quotes.uptime);
        }
    }

    /// Gives instances and markets other numbers.
    pub(crate) fn renumber(&mut self, place: impl Fn((InstanceId, MarketId)) -> (InstanceId, MarketId)) {
        for row in &mut self.rows {
            (row.instance, row.market) = place((row.instance, row.market));
        }
        for (at, quotes) in std::mem::take(&mut self.quotes) {
            self.quotes.entry(place(at)).or_default().uptime.add(quotes.uptime);
        }
    }

    pub(crate) fn uptime(&self) -> impl Iterator<Item = (InstanceId, MarketId, Uptime)> + '_ {
        self.quotes.iter().map(|(&(instance, market), quotes)| (instance, market, quotes.uptime))
    }
}

impl OrderRow {
    /// What became of it, for a fit of fill models; `None` for an order that never rested, or of which it is not known what it queued
    /// behind.
    #[must_use]
    pub fn outcome(&self) -> Option<Ended> {
        let seconds = |ns: u64| ns as f64 / 1e9;
        let level = self.level?;
        Some(Ended {
            ahead: self.ahead?,
            level: Some(level),
            rested_s: seconds(self.rested_ns?),
            filled_s: self.first_fill_ns.map(seconds),
        })
    }
}
