//! Matching: first a plan of what an order would do, then doing exactly that.

use std::sync::Arc;

use oddsmith_domain::{FeeSchedule, Price, Shares, Side, TradeId, Usdc};
use rand::RngCore;

use super::book::{Slot, price_of};
use super::event::{CoreEvent, OrderChange, PublicEvent};
use super::market::LastTrade;
use super::order::{CancelReason, Order, OrderStatus, Placed, PlacedStatus};
use super::trade::{FillKind, Leg, Trade, TradeState};
use super::{Core, keys};

/// One resting order's part in a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedFill {
    pub(crate) maker: Slot,
    /// The level in YES coordinates.
    units: u16,
    shares: Shares,
    kind: FillKind,
    /// What the maker pays or receives.
    maker_collateral: Usdc,
    /// What the taker pays or receives, without the fee.
    taker_collateral: Usdc,
    taker_price: Price,
    fee: Usdc,
}

/// What an order would do now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) fills: Vec<PlannedFill>,
    pub(crate) shares: Shares,
    /// The taker's collateral in all fills, without fees.
    pub(crate) collateral: Usdc,
    pub(crate) fees: Usdc,
}

impl Core {
    /// Walks the opposite ladder by price and then by time, down to the order's limit. Changes nothing.
    pub(crate) fn plan(&self, order: &Order) -> Plan {
        let mut plan = Plan::default();
        let Some(market) = self.markets.get(order.market.index()) else { return plan };
        let mut rest = order.remaining();
        for (units, level) in market.book.levels(order.ladder().opposite()) {
            let taker_price = price_of(order.outcome, units);
            let crosses = match order.side {
                Side::Buy => taker_price <= order.price,
                Side::Sell => taker_price >= order.price,
            };
            if !crosses || !rest.is_positive() {
                break;
            }
            for slot in level.queue() {
                let Some(maker) = self.order_at(slot) else { continue };
                let shares = rest.min(maker.remaining());
                if !shares.is_positive() {
                    break;
                }
                let fill = planned(order, (slot, maker), shares, (units, taker_price), market.spec.fee);
                rest -= shares;
                plan.shares += shares;
                plan.collateral += fill.taker_collateral;
                plan.fees += fill.fee;
                plan.fills.push(fill);
            }
        }
        plan
    }

    /// Carries a plan out, rests what may rest, and tells everybody. `resting` is the status of an answer without a match.
    pub(crate) fn complete(&mut self, mut order: Order, plan: &Plan, resting: PlacedStatus) -> Placed {
        let delayed = resting == PlacedStatus::Unmatched;
        let mut placed = Placed { id: order.id, status: resting, making_micro: 0, taking_micro: 0, trades: Vec::new() };
        if !plan.fills.is_empty() {
            let trade = self.execute(&mut order, plan);
            let (collateral, shares) = (plan.collateral.micros().unsigned_abs(), plan.shares.micros().unsigned_abs());
            (placed.making_micro, placed.taking_micro) = match order.side {
                Side::Buy => (collateral, shares),
                Side::Sell => (shares, collateral),
            };
            placed.status = PlacedStatus::Matched;
            placed.trades.push(trade);
        }
        let market = order.market;
        let filled = order.remaining().is_zero();
        let change = if delayed { OrderChange::Update } else { OrderChange::Placement };
        if filled {
            order.status = OrderStatus::Matched;
            self.tell(change, &order);
            self.finish(order, OrderStatus::Matched);
        } else if order.order_type.rests() {
            self.tell(change, &order);
            self.rest(order);
        } else {
            self.tell(change, &order);
            self.finish(order, OrderStatus::Canceled(CancelReason::FakRest));
        }
        self.publish(market, !plan.fills.is_empty());
        if !plan.fills.is_empty() {
            self.refine_tick(market);
        }
        placed
    }

    fn rest(&mut self, order: Order) {
        let (market, ladder, units) = (order.market, order.ladder(), order.yes_units());
        let (sequence, size) = (order.sequence, order.remaining());
        let slot = self.keep(order);
        if let Some(listed) = self.market_mut(market) {
            listed.book.insert(ladder, units, sequence, slot, size);
        }
        self.touch(market, ladder, units);
    }

    /// Makes one match of all fills of a plan.
    fn execute(&mut self, taker: &mut Order, plan: &Plan) -> TradeId {
        let sequence = self.next_sequence();
        let mut id = [0u8; 32];
        self.ids.fill_bytes(&mut id[..16]);
        let id = TradeId::parse(&keys::uuid(&id)).expect("a UUID is shorter than any id");
        self.print(taker, plan);
        let mut makers = Vec::with_capacity(plan.fills.len());
        for (index, fill) in plan.fills.iter().enumerate() {
            if let Some(leg) = self.fill_maker(fill, id) {
                makers.push((leg, fill.kind));
            }
            let level_done = plan.fills.get(index + 1).is_none_or(|next| next.units != fill.units);
            if level_done {
                self.touch(taker.market, taker.ladder().opposite(), fill.units);
            }
        }
        taker.matched += plan.shares;
        taker.trades.push(id);
        if taker.side == Side::Buy {
            taker.spent += plan.collateral;
        }
        let leg = Leg {
            order: taker.id,
            key: taker.key,
            user: taker.user,
            account: taker.account,
            outcome: taker.outcome,
            side: taker.side,
            price: average_price(plan),
            shares: plan.shares,
            collateral: plan.collateral,
            fee: plan.fees,
        };
        let matched_ms = self.now_ms();
        let schedule = self.markets.get(taker.market.index()).map_or(FeeSchedule::FREE, |market| market.spec.fee);
        let trade = Trade {
            id,
            sequence,
            market: taker.market,
            taker: leg,
            makers,
            state: TradeState::Matched,
            matched_ms,
            updated_ms: matched_ms,
            transaction: None,
            schedule,
        };
        self.open_trade(trade);
        id
    }

    /// Prints the match: one `last_trade_price` for each level, and the last one stays in the books' hash.
    fn print(&mut self, taker: &Order, plan: &Plan) {
        let timestamp_ms = self.now_ms();
        let (market, outcome, side) = (taker.market, taker.outcome, taker.side);
        for level in plan.fills.chunk_by(|a, b| a.units == b.units) {
            let Some(first) = level.first() else { continue };
            let (price, size) = (first.taker_price, level.iter().map(|fill| fill.shares).sum());
            let event = PublicEvent::LastTrade { market, outcome, price, size, side, timestamp_ms };
            self.events.push(CoreEvent::Public(event));
            if let Some(listed) = self.market_mut(market) {
                listed.last_trade = Some(LastTrade { outcome, price, side, size, timestamp_ms });
            }
        }
        if let Some(listed) = self.market_mut(market) {
            listed.volume += plan.collateral;
            for fill in &plan.fills {
                listed.fills[fill.kind as usize] += 1;
            }
        }
    }

    /// Fills a resting order and takes it out of the book when nothing is left of it.
    fn fill_maker(&mut self, fill: &PlannedFill, trade: TradeId) -> Option<Leg> {
        let order = self.orders.get_mut(fill.maker as usize)?.as_mut()?;
        let before = (order.needs_collateral(), order.needs_shares());
        order.matched += fill.shares;
        order.trades.push(trade);
        if order.side == Side::Buy {
            order.spent += fill.maker_collateral;
        }
        let filled = order.remaining().is_zero();
        if filled {
            order.status = OrderStatus::Matched;
        }
        let (collateral, shares) = (before.0 - order.needs_collateral(), before.1 - order.needs_shares());
        let order = order.clone();
        let (ladder, units) = (order.ladder(), order.yes_units());
        if let Some(listed) = self.market_mut(order.market) {
            listed.book.reduce(ladder, units, order.sequence, fill.shares, filled);
        }
        self.release(order.account, order.market.asset(order.outcome), collateral, shares);
        self.tell(OrderChange::Update, &order);
        if filled && let Some(order) = self.unkeep(order.id) {
            self.finish(order, OrderStatus::Matched);
        }
        Some(Leg {
            order: order.id,
            key: order.key,
            user: order.user,
            account: order.account,
            outcome: order.outcome,
            side: order.side,
            price: order.price,
            shares: fill.shares,
            collateral: fill.maker_collateral,
            fee: Usdc::ZERO,
        })
    }

    fn open_trade(&mut self, trade: Trade) {
        let trade = Arc::new(trade);
        for leg in trade.legs() {
            self.promise(&trade, leg);
        }
        self.trade_by_id.insert(trade.id, trade.sequence);
        self.remember_trade(&trade);
        self.tell_trade(&trade);
        self.schedule_settlement(&trade);
        self.trades.insert(trade.sequence, trade);
    }
}

/// One fill's money. See the module's rounding rule in [`super`].
fn planned(
    taker: &Order,
    (slot, maker): (Slot, &Order),
    shares: Shares,
    (units, taker_price): (u16, Price),
    schedule: FeeSchedule,
) -> PlannedFill {
    let kind = match (maker.outcome == taker.outcome, taker.side) {
        (true, _) => FillKind::Complementary,
        (false, Side::Buy) => FillKind::Mint,
        (false, Side::Sell) => FillKind::Merge,
    };
    let maker_collateral = shares.cost_floor(maker.price);
    let taker_collateral = match kind {
        FillKind::Complementary => maker_collateral,
        FillKind::Mint | FillKind::Merge => Usdc::from_micros(shares.micros()) - maker_collateral,
    };
    let fee = schedule.taker_fee(shares, taker_price);
    let fee = if taker.side == Side::Sell { fee.min(taker_collateral) } else { fee };
    PlannedFill { maker: slot, units, shares, kind, maker_collateral, taker_collateral, taker_price, fee }
}

/// The price at which a taker's report states a match at several levels: the average, to the nearest 0.0001.
fn average_price(plan: &Plan) -> Price {
    let shares: i128 = plan.fills.iter().map(|fill| i128::from(fill.shares.micros())).sum();
    let weighted: i128 =
        plan.fills.iter().map(|fill| i128::from(fill.shares.micros()) * i128::from(fill.taker_price.units())).sum();
    if shares <= 0 {
        return Price::ZERO;
    }
    let units = (2 * weighted + shares) / (2 * shares);
    u16::try_from(units).ok().and_then(Price::from_units).unwrap_or(Price::ONE)
}
