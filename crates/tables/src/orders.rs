//! Orders and fills: rows that need more than one record.

use std::collections::{BTreeMap, VecDeque};

use oddsmith_domain::{Event, InstanceId, MarketId, OrderId, OrderState, PlaceOrder, Shares, SubAccount, Time};
use parquet::errors::Result;

use crate::export::word;
use crate::names::Names;
use crate::rows::{Cell, Rows};

/// So many finished orders are kept, because the venue may still say something of one.
const REMEMBERED: usize = 100_000;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub sequence: u64,
    pub time: Time,
}

struct Order {
    placed: Place,
    what: PlaceOrder,
    state: OrderState,
    filled: Shares,
    last: Place,
    refusal: Option<String>,
}

/// Orders that are not written yet.
#[derive(Default)]
pub(crate) struct Orders {
    all: BTreeMap<OrderId, Order>,
    /// Those that have ended, oldest end first.
    ended: VecDeque<OrderId>,
}

impl Orders {
    pub fn placed(&mut self, at: Place, what: PlaceOrder) {
        let state = OrderState::PendingNew;
        let order = Order { placed: at, what, state, filled: Shares::ZERO, last: at, refusal: None };
        self.all.insert(what.id, order);
    }

    pub fn event(&mut self, at: Place, event: &Event, names: &Names, rows: &mut Rows) -> Result<()> {
        match event {
            Event::Order { order, to, filled, .. } => {
                if let Some(known) = self.all.get_mut(order) {
                    let ended = to.is_final() && !known.state.is_final();
                    (known.state, known.filled, known.last) = (*to, *filled, at);
                    self.ended.extend(ended.then_some(*order));
                }
            }
            Event::Refused { order, text } => {
                if let Some(known) = self.all.get_mut(order) {
                    known.refusal = Some(text.clone());
                }
            }
            _ => {}
        }
        while self.ended.len() > REMEMBERED {
            let oldest = self.ended.pop_front().and_then(|id| self.all.remove(&id));
            oldest.map_or(Ok(()), |order| write(&order, names, rows))?;
        }
        Ok(())
    }

    /// Writes everything that is left, in the order in which it was placed.
    pub fn finish(self, names: &Names, rows: &mut Rows) -> Result<()> {
        let mut left: Vec<Order> = self.all.into_values().collect();
        left.sort_by_key(|order| order.placed.sequence);
        left.iter().try_for_each(|order| write(order, names, rows))
    }
}

fn write(order: &Order, names: &Names, rows: &mut Rows) -> Result<()> {
    let Order { placed, what, state, filled, last, refusal } = order;
    let (market, price) = (what.asset.market(), i64::from(what.price.units()) * 100);
    rows.push([
        Cell::count(placed.sequence),
        Cell::count(placed.time.wall_ns),
        Cell::count(placed.time.mono_ns),
        Cell::text(what.id),
        Cell::count(market.0),
        names.market(market),
        Cell::Text(word(&what.asset.outcome())),
        Cell::count(what.instance.0),
        names.instance(what.instance),
        Cell::count(what.intent.0),
        Cell::Text(word(&what.fields.side)),
        Cell::text(what.order_type.as_str()),
        Cell::Flag(what.post_only),
        Cell::Number(price),
        Cell::Number(price),
        Cell::Number(what.size.micros()),
        Cell::Number(what.size.micros()),
        Cell::Number(filled.micros()),
        Cell::Number(filled.micros()),
        Cell::Text(word(state)),
        Cell::count(last.sequence),
        Cell::count(last.time.wall_ns),
        Cell::maybe(refusal.as_ref(), Cell::text),
    ])
}

/// Fills that wait for the word on what is held after them.
#[derive(Default)]
pub(crate) struct Fills {
    waiting: Vec<(Place, Event)>,
}

impl Fills {
    pub fn event(&mut self, at: Place, event: &Event, names: &Names, rows: &mut Rows) -> Result<()> {
        match event {
            Event::Fill { .. } => self.waiting.push((at, event.clone())),
            Event::Ledger { instance, market, account } => {
                let waiting = std::mem::take(&mut self.waiting);
                for (at, fill) in waiting {
                    if of(&fill) == Some((Some(*instance), *market)) {
                        write_fill(at, &fill, Some(account), names, rows)?;
                    } else {
                        self.waiting.push((at, fill));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An input ends what came out of the one before: whoever waits now is told of no ledger.
    pub fn input(&mut self, names: &Names, rows: &mut Rows) -> Result<()> {
        self.waiting.drain(..).try_for_each(|(at, fill)| write_fill(at, &fill, None, names, rows))
    }
}

const fn of(fill: &Event) -> Option<(Option<InstanceId>, MarketId)> {
    match fill {
        Event::Fill { instance, asset, .. } => Some((*instance, asset.market())),
        _ => None,
    }
}

fn write_fill(at: Place, fill: &Event, after: Option<&SubAccount>, names: &Names, rows: &mut Rows) -> Result<()> {
    let Event::Fill { trade, order, instance, asset, side, price, size, fee, taker, movement, matched_s } = fill else {
        return Ok(());
    };
    let price = i64::from(price.units()) * 100;
    let held = |outcome: usize| Cell::maybe(after, |account| Cell::Number(account.shares[outcome].micros()));
    rows.push([
        Cell::count(at.sequence),
        Cell::count(at.time.wall_ns),
        Cell::count(at.time.mono_ns),
        Cell::text(trade),
        Cell::text(order),
        Cell::count(asset.market().0),
        names.market(asset.market()),
        Cell::Text(word(&asset.outcome())),
        Cell::maybe(*instance, |instance| Cell::count(instance.0)),
        instance.map_or(Cell::Nothing, |instance| names.instance(instance)),
        Cell::Text(word(side)),
        Cell::Flag(*taker),
        Cell::Number(price),
        Cell::Number(price),
        Cell::Number(size.micros()),
        Cell::Number(size.micros()),
        Cell::Number(fee.micros()),
        Cell::Number(fee.micros()),
        Cell::Number(movement.cash.micros()),
        Cell::Number(movement.cash.micros()),
        Cell::Number(movement.realized.micros()),
        Cell::Number(movement.realized.micros()),
        Cell::count(*matched_s),
        held(0),
        held(0),
        held(1),
        held(1),
    ])
}
