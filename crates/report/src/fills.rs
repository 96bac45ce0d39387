//! The fills of a run, and how the mid moved after each (quant reference 12).

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{
    AssetId, InstanceId, MarketId, OrderId, Outcome, Price, Shares, Side, Time, TradeId, TradeStatus, Usdc,
};
use serde::Serialize;

use crate::books::Books;
use crate::record::in_yes;

/// After how long the mid is looked at, in seconds.
pub const HORIZONS_S: [u64; 4] = [1, 5, 30, 300];
/// Where the settlement stands behind the horizons.
pub const SETTLEMENT: usize = HORIZONS_S.len();
/// How many fills are listed; all are counted in sums.
const LISTED: usize = 100_000;

/// A fill as it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewFill {
    pub(crate) key: (TradeId, OrderId),
    pub(crate) instance: InstanceId,
    pub(crate) held: Shares,
    pub(crate) asset: AssetId,
    pub(crate) side: Side,
    pub(crate) price: Price,
    pub(crate) size: Shares,
    pub(crate) fee: Usdc,
    pub(crate) taker: bool,
    pub(crate) cash: Usdc,
}

/// A fill, in YES terms.
#[derive(Clone, Debug, Serialize)]
pub struct FillRow {
    /// The match.
    pub trade: TradeId,
    /// The order.
    pub order: OrderId,
    /// When it was heard of, in nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// Whose.
    pub instance: InstanceId,
    /// In which market.
    pub market: MarketId,
    /// The token in which it was made.
    pub token: Outcome,
    /// The side, in YES terms.
    pub side: Side,
    /// The price of YES.
    pub price: Price,
    /// The size.
    pub size: Shares,
    /// The fee.
    pub fee: Usdc,
    /// Whether we took.
    pub taker: bool,
    /// What changed hands, without the fee.
    pub notional: Usdc,
    /// What its instance held in the market after it: YES less NO.
    pub held: Shares,
    /// The mid of YES at that moment, in dollars.
    pub mid: Option<f64>,
    /// How long after its order was taken, in nanoseconds, if it was that order's first.
    pub waited_ns: Option<u64>,
    /// Whether its settlement failed.
    pub undone: bool,
    /// What it had brought a share after each of [`HORIZONS_S`] and at settlement, in dollars; `None` where there was no book, or the run
    /// had ended.
    pub markouts: [Option<f64>; SETTLEMENT + 1],
}

impl FillRow {
    fn sign(&self) -> f64 {
        if self.side == Side::Buy { 1.0 } else { -1.0 }
    }

    fn markout(&self, yes: f64) -> f64 {
        self.sign() * (yes - self.price.to_f64())
    }

    /// The spread captured a share: the markout at once.
    #[must_use]
    pub fn captured(&self) -> Option<f64> {
        self.mid.map(|mid| self.markout(mid))
    }
}

/// All fills. See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Fills {
    pub(crate) rows: Vec<FillRow>,
    pub(crate) left_out: u64,
    by_key: BTreeMap<(TradeId, OrderId), usize>,
    /// Rows that wait for each horizon, in the order of time.
    waiting: [VecDeque<(u64, usize)>; HORIZONS_S.len()],
    pub(crate) traded: Usdc,
}

/// The middle of a market's book, if it has two sides; not of one that is decided.
fn mid(books: &Books, market: MarketId) -> Option<f64> {
    if books.is_decided(market) { None } else { books.book(market)?.mid(Outcome::Yes) }
}

impl Fills {
    /// Looks at the mids of fills that have reached a horizon: the last mid at or before it.
    pub(crate) fn age(&mut self, now: Time, books: &Books) {
        for (horizon, waiting) in self.waiting.iter_mut().enumerate() {
            while let Some((_, at)) = waiting.pop_front_if(|(due, _)| *due < now.mono_ns) {
                if let Some(row) = self.rows.get_mut(at) {
                    row.markouts[horizon] = mid(books, row.market).map(|mid| row.markout(mid));
                }
            }
        }
    }

    pub(crate) fn add(&mut self, fill: NewFill, waited_ns: Option<u64>, now: Time, books: &Books) {
        let notional = (fill.cash + fill.fee).abs();
        self.traded += notional;
        if self.rows.len() >= LISTED {
            self.left_out += 1;
            return;
        }
        let market = fill.asset.market();
        let (side, price) = in_yes(fill.asset, fill.side, fill.price);
        let at = self.rows.len();
        self.rows.push(FillRow {
            trade: fill.key.0,
            order: fill.key.1,
            at_ns: now.wall_ns,
            instance: fill.instance,
            market,
            token: fill.asset.outcome(),
            side,
            price,
            size: fill.size,
            fee: fill.fee,
            taker: fill.taker,
            notional,
            held: fill.held,
            mid: mid(books, market),
            waited_ns,
            undone: false,
            markouts: [None; SETTLEMENT + 1],
        });
        self.by_key.insert(fill.key, at);
        for (waiting, seconds) in self.waiting.iter_mut().zip(HORIZONS_S) {
            waiting.push_back((now.mono_ns.saturating_add(seconds * Time::SECOND), at));
        }
    }

    pub(crate) fn settled(&mut self, key: (TradeId, OrderId), status: TradeStatus) {
        if status == TradeStatus::Failed
            && let Some(row) = self.by_key.get(&key).and_then(|at| self.rows.get_mut(*at))
        {
            row.undone = true;
        }
    }

    /// The run is over: what the shares of decided markets pay.
    pub(crate) fn finish(&mut self, pays: impl Fn(MarketId) -> Option<Price>) {
        for row in &mut self.rows {
            row.markouts[SETTLEMENT] = pays(row.market).map(|pays| row.markout(pays.to_f64()));
        }
    }
}

/// Fills of a kind, and what they had brought after each horizon.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MarkoutRow {
    /// Which fills.
    pub group: String,
    /// How many.
    pub fills: usize,
    /// Their shares.
    pub shares: f64,
    /// The spread captured, size-weighted, in dollars a share.
    pub captured: Option<f64>,
    /// Of each horizon and of the settlement: size-weighted dollars a share, and how many fills had a mid then.
    pub after: [(Option<f64>, usize); SETTLEMENT + 1],
}

/// The size-weighted markouts of some fills; those that were undone do not count.
pub(crate) fn markouts<'a>(group: impl Into<String>, rows: impl Iterator<Item = &'a FillRow>) -> MarkoutRow {
    let mut sums = [(0.0, 0.0, 0usize); SETTLEMENT + 2];
    let (mut fills, mut shares) = (0, 0.0);
    for row in rows.filter(|row| !row.undone) {
        let size = row.size.to_f64();
        (fills, shares) = (fills + 1, shares + size);
        let all = std::iter::once(row.captured()).chain(row.markouts);
        for (sum, value) in sums.iter_mut().zip(all) {
            if let Some(value) = value {
                *sum = (sum.0 + value * size, sum.1 + size, sum.2 + 1);
            }
        }
    }
    let [captured, after @ ..] = sums.map(|(sum, size, n)| ((size > 0.0).then(|| sum / size), n));
    MarkoutRow { group: group.into(), fills, shares, captured: captured.0, after }
}
