//! A basket on its way: which leg is sent next, and when it is over.
//!
//! Every leg is sent once, as an order that takes what can be had and drops the rest. When all legs are over, `matched` is what the
//! least filled of them got; what others got beyond that has no counterpart and is sold again or kept, as the basket says. The machine
//! holds no prices of the market and asks no limits. It is told nothing either: whoever drives it lets it look at the order table
//! ([`BasketRun::learn`]), so that it can never know less, or more, than the orders themselves. An order whose fate is unknown is not over,
//! and the basket waits for it however late it is.

use oddsmith_domain::{
    Basket, BasketId, BasketLeg, BasketPart, BasketState, MarketId, OrderId, Price, Sequence, Shares, Side, Time,
    Unwind,
};
use oddsmith_risk::OpenOrder;

/// For how long parts without a counterpart are offered: long enough for a slow settlement, without which nothing can be sold.
const UNWIND_NS: u64 = 300 * Time::SECOND;
/// The time between two offers.
const SALE_PAUSE_NS: u64 = Time::SECOND;

/// What the order table knows of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// How much of it was filled.
    pub filled: Shares,
    /// Nothing more will be filled of it, and everything that was is counted.
    pub over: bool,
}

/// An order of a basket, as it was last seen.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sent {
    id: OrderId,
    known: Known,
}

impl Sent {
    fn learn(&mut self, look: &impl Fn(&OrderId) -> Option<Known>) {
        // One that the table does not remember any more was over long ago.
        let seen = look(&self.id).unwrap_or(Known { over: true, ..self.known });
        self.known = Known { over: self.known.over || seen.over, ..seen };
    }
}

/// A leg on its way.
#[derive(Clone, Debug, PartialEq)]
struct LegRun {
    leg: BasketLeg,
    /// The order that takes it; `None` before it is sent, and for good when it is not.
    order: Option<Sent>,
    /// It will not be sent.
    dropped: bool,
    /// Orders that sell parts of it again, the last one possibly open.
    sales: Vec<Sent>,
    /// No order can be made of what is left to be sold.
    unsaleable: bool,
}

impl LegRun {
    fn over(&self) -> bool {
        self.dropped || self.order.is_some_and(|order| order.known.over)
    }

    fn got(&self) -> Shares {
        self.order.map_or(Shares::ZERO, |order| order.known.filled)
    }

    fn sold(&self) -> Shares {
        self.sales.iter().map(|sale| sale.known.filled).sum()
    }

    /// What it still holds: bought and not sold again, or sold.
    fn kept(&self) -> Shares {
        self.got() - self.sold()
    }

    fn is_selling(&self) -> bool {
        self.sales.last().is_some_and(|sale| !sale.known.over)
    }
}

/// An order that a basket wants sent; to be answered with [`BasketRun::sent`] or [`BasketRun::refused`], or asked for again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which leg it is for.
    pub leg: usize,
    /// Its market.
    pub market: MarketId,
    /// The order, to take what can be had. The price of a sale may lie off the grid.
    pub order: OpenOrder,
    /// Whether it sells parts of the leg again.
    pub sale: bool,
}

/// A basket on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct BasketRun {
    /// Its number.
    pub id: BasketId,
    legs: Vec<LegRun>,
    sequence: Sequence,
    unwind: Unwind,
    deadline: u64,
    state: BasketState,
    /// Until when parts are offered, and when the next offer may be made.
    unwind_until: u64,
    next_sale: u64,
    /// Whether an offer was made since the last pause.
    offered: bool,
    /// When it last looked at its orders.
    looked: u64,
}

impl BasketRun {
    /// Accepts a basket.
    #[must_use]
    pub fn new(id: BasketId, basket: &Basket, now: Time) -> BasketRun {
        let leg =
            |leg: &BasketLeg| LegRun { leg: *leg, order: None, dropped: false, sales: Vec::new(), unsaleable: false };
        BasketRun {
            id,
            legs: basket.legs.iter().map(leg).collect(),
            sequence: basket.sequence,
            unwind: basket.unwind,
            deadline: now.mono_ns.saturating_add(basket.deadline_ms.saturating_mul(Time::MILLI)),
            state: if basket.legs.is_empty() { BasketState::Nothing } else { BasketState::Entering },
            unwind_until: u64::MAX,
            next_sale: now.mono_ns,
            offered: false,
            looked: now.mono_ns,
        }
    }

    /// How it stands.
    #[must_use]
    pub const fn state(&self) -> BasketState {
        self.state
    }

    /// What each leg got, and sold again.
    pub fn parts(&self) -> impl Iterator<Item = BasketPart> + '_ {
        self.legs.iter().map(|run| {
            let BasketLeg { market, outcome, side, .. } = run.leg;
            BasketPart { market, outcome, side, got: run.got(), undone: run.sold() }
        })
    }

    /// Shares that every leg has.
    #[must_use]
    pub fn matched(&self) -> Shares {
        self.legs.iter().map(LegRun::kept).min().unwrap_or(Shares::ZERO)
    }

    /// Whether any order was sent for it.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.legs.iter().any(|run| run.order.is_some())
    }

    /// The legs of which none may leave before the way of all is clear: those that are sent together and have not begun.
    pub fn leaving_together(&self) -> impl Iterator<Item = &BasketLeg> {
        let waits = self.sequence == Sequence::Together && self.state == BasketState::Entering && !self.has_begun();
        self.legs.iter().filter(move |run| waits && !run.dropped).map(|run| &run.leg)
    }

    /// Its orders that are not over as far as it knows.
    pub fn open_orders(&self) -> impl Iterator<Item = OrderId> + '_ {
        let sent = self.legs.iter().flat_map(|run| run.order.iter().chain(&run.sales));
        sent.filter(|sent| !sent.known.over).map(|sent| sent.id)
    }

    /// When its unsent legs are given up, on the monotonic clock.
    #[must_use]
    pub const fn deadline(&self) -> u64 {
        self.deadline
    }

    /// When it next does something by itself.
    #[must_use]
    pub fn wakes_at(&self) -> Option<u64> {
        match self.state {
            BasketState::Entering => {
                let unsent = self.legs.iter().any(|run| !run.dropped && run.order.is_none());
                unsent.then_some(self.deadline)
            }
            BasketState::Unwinding if self.is_selling() => None,
            BasketState::Unwinding if self.next_sale > self.looked => Some(self.next_sale.min(self.unwind_until)),
            BasketState::Unwinding => Some(self.unwind_until),
            _ => None,
        }
    }

    fn is_selling(&self) -> bool {
        self.legs.iter().any(LegRun::is_selling)
    }

    /// Looks at what became of its orders, and draws the consequences.
    pub fn learn(&mut self, look: impl Fn(&OrderId) -> Option<Known>, now: Time) {
        if self.state.is_final() {
            return;
        }
        self.looked = now.mono_ns;
        for run in &mut self.legs {
            run.order.iter_mut().chain(&mut run.sales).for_each(|sent| sent.learn(&look));
        }
        match self.state {
            BasketState::Entering => {
                if now.mono_ns >= self.deadline || self.has_lost_a_leg() {
                    self.drop_unsent();
                }
                if self.legs.iter().all(LegRun::over) {
                    self.judge(now);
                }
            }
            BasketState::Unwinding if !self.is_selling() => self.judge(now),
            _ => {}
        }
    }

    /// Whether a leg that the later ones need has got nothing.
    fn has_lost_a_leg(&self) -> bool {
        let lost = |run: &LegRun| run.over() && run.got().floor_lots().is_zero();
        self.sequence == Sequence::OneByOne && self.legs.iter().any(lost)
    }

    fn drop_unsent(&mut self) {
        self.legs.iter_mut().filter(|run| run.order.is_none()).for_each(|run| run.dropped = true);
    }

    /// The next order to send; ask again until there is none. `sellable` tells how much of a leg's token can be sold
    /// now, at no less than a price.
    pub fn want(&self, now: Time, sellable: impl Fn(&BasketLeg, Price) -> Shares) -> Option<Want> {
        match self.state {
            BasketState::Entering => self.want_leg(now),
            BasketState::Unwinding => self.want_sale(now, sellable),
            _ => None,
        }
    }

    fn want_leg(&self, now: Time) -> Option<Want> {
        let unsent = |run: &LegRun| run.order.is_none() && !run.dropped;
        let index = match self.sequence {
            _ if now.mono_ns >= self.deadline => return None,
            Sequence::Together => self.legs.iter().position(unsent)?,
            Sequence::OneByOne => self.legs.iter().position(|run| !run.over())?,
        };
        let run = self.legs.get(index).filter(|run| unsent(run))?;
        let BasketLeg { market, outcome, side, limit, size } = run.leg;
        let size = match self.sequence {
            Sequence::Together => size,
            // No more than every leg before got.
            Sequence::OneByOne => self.legs.iter().take(index).map(LegRun::got).fold(size, Shares::min).floor_lots(),
        };
        Some(Want { leg: index, market, order: OpenOrder { outcome, side, price: limit, size }, sale: false })
    }

    fn want_sale(&self, now: Time, sellable: impl Fn(&BasketLeg, Price) -> Shares) -> Option<Want> {
        let Unwind::SellBack(units) = self.unwind else { return None };
        if now.mono_ns < self.next_sale || now.mono_ns >= self.unwind_until {
            return None;
        }
        let offers = self.legs.iter().enumerate().filter(|(_, run)| self.can_sell(run) && !run.is_selling());
        let mut offers = offers.map(|(leg, run)| {
            let BasketLeg { market, outcome, limit, .. } = run.leg;
            let price = limit.saturating_add_units(-i32::from(units));
            let size = self.excess(run).min(sellable(&run.leg, price)).floor_lots();
            Want { leg, market, order: OpenOrder { outcome, side: Side::Sell, price, size }, sale: true }
        });
        offers.find(|want| want.order.size.is_positive())
    }

    /// What a leg holds beyond its counterparts, in whole lots.
    fn excess(&self, run: &LegRun) -> Shares {
        (run.kept() - self.matched()).floor_lots()
    }

    /// Whether parts of a leg can be sold again, and shall be.
    fn can_sell(&self, run: &LegRun) -> bool {
        let can = self.unwind != Unwind::Keep && run.leg.side == Side::Buy && !run.unsaleable;
        can && self.excess(run).is_positive()
    }

    /// Nothing more is sent that is not sent yet.
    pub fn abort(&mut self) {
        self.drop_unsent();
    }

    /// A wanted order is on its way under this id.
    pub fn sent(&mut self, leg: usize, id: OrderId) {
        let Some(run) = self.legs.get_mut(leg) else { return };
        let sent = Sent { id, known: Known { filled: Shares::ZERO, over: false } };
        match self.state {
            BasketState::Entering if run.order.is_none() => run.order = Some(sent),
            BasketState::Unwinding => {
                run.sales.push(sent);
                self.offered = true;
            }
            _ => {}
        }
    }

    /// A wanted order cannot be built and never will be: a limit, or the market's rules, are against it.
    pub fn refused(&mut self, leg: usize, now: Time) {
        let Some(run) = self.legs.get_mut(leg) else { return };
        match self.state {
            // What is not sent yet would have no counterpart.
            BasketState::Entering => self.drop_unsent(),
            BasketState::Unwinding => run.unsaleable = true,
            _ => return,
        }
        if self.state == BasketState::Unwinding || self.legs.iter().all(LegRun::over) {
            self.judge(now);
        }
    }

    /// Where it stands now that no order of its present step is open.
    fn judge(&mut self, now: Time) {
        if self.is_selling() {
            return;
        }
        if self.state == BasketState::Entering {
            self.unwind_until = now.mono_ns.saturating_add(UNWIND_NS);
            self.next_sale = now.mono_ns;
        } else if std::mem::take(&mut self.offered) {
            self.next_sale = now.mono_ns.saturating_add(SALE_PAUSE_NS);
        }
        let sells = now.mono_ns < self.unwind_until && self.legs.iter().any(|run| self.can_sell(run));
        let excess = self.legs.iter().any(|run| self.excess(run).is_positive());
        self.state = match excess {
            true if sells => BasketState::Unwinding,
            true => BasketState::Residual,
            false if self.matched().floor_lots().is_positive() => BasketState::Complete,
            false => BasketState::Nothing,
        };
    }
}

#[cfg(test)]
#[path = "basket_tests.rs"]
mod tests;
