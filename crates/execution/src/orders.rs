//! The orders that are ours, and where each stands.

use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasherDefault;

use indexmap::IndexMap;
use oddsmith_domain::{
    ActionSeq, Address, AssetId, DigestHasher, InstanceId, IntentId, MarketCard, MarketId, OrderFields, OrderId,
    OrderState, OrderType, Payer, PlaceOrder, Shares, Side, SignatureType, Time, Usdc, planted,
};
use oddsmith_polymarket::amounts::{self, AmountError};
use oddsmith_polymarket::order::{OrderHasher, UnknownChain, proxy_wallet, safe_wallet, salt};
use oddsmith_risk::{OpenOrder, Permit};
use thiserror::Error;

use crate::transition::is_legal;

/// How many finished orders are remembered, so that a late fill finds its owner.
const REMEMBERED: usize = 20_000;

/// Whose an order is, and why it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// The instance.
    pub instance: InstanceId,
    /// The decision.
    pub intent: IntentId,
}

/// Why no orders can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BuilderError {
    /// The venue has no contracts there.
    #[error(transparent)]
    Chain(#[from] UnknownChain),
    /// The venue would not let the key spend from the account.
    #[error("account {maker} is not the one that orders of signature type {signature_type} are paid from for this key")]
    Payer {
        /// How orders are signed.
        signature_type: u8,
        /// Who was to pay.
        maker: Address,
    },
}

/// Builds orders: the only place where one comes into being, and only from a permit.
#[derive(Debug)]
pub struct OrderBuilder {
    hasher: OrderHasher,
    signer: Address,
    payer: Payer,
    seed: [u8; 32],
    sequence: u64,
}

impl OrderBuilder {
    /// A builder for one key and the account that it pays from, on one chain. The seed makes salts of this run differ from every
    /// other's.
    ///
    /// # Errors
    /// [`BuilderError`] for a chain on which the venue has no contracts, or a payer that is not the key's.
    pub fn new(chain_id: u64, key: Address, payer: Payer, seed: [u8; 32]) -> Result<OrderBuilder, BuilderError> {
        let hasher = OrderHasher::new(chain_id)?;
        let expected = match payer.signature_type {
            SignatureType::Eoa => Some(key),
            SignatureType::Proxy => Some(proxy_wallet(chain_id, key)?),
            SignatureType::Safe => Some(safe_wallet(chain_id, key)?),
            // Which deposit wallet is the key's is known to the venue only.
            SignatureType::Poly1271 => None,
        };
        if expected.is_some_and(|expected| expected != payer.maker) {
            return Err(BuilderError::Payer { signature_type: payer.signature_type as u8, maker: payer.maker });
        }
        // A deposit wallet signs for itself, by its key.
        let signer = if payer.signature_type == SignatureType::Poly1271 { payer.maker } else { key };
        Ok(OrderBuilder { hasher, signer, payer, seed, sequence: 0 })
    }

    /// Builds the order that was permitted. Its id is the digest of its signed fields.
    ///
    /// # Errors
    /// [`AmountError`] when price and size have no amounts on the grid.
    pub fn build(
        &mut self,
        permit: Permit,
        market: (MarketId, &MarketCard),
        (order_type, post_only): (OrderType, bool),
        owner: Ownership,
        now: Time,
        deadline_mono_ns: u64,
    ) -> Result<PlaceOrder, AmountError> {
        let OpenOrder { outcome, side, price, size } = *permit.order();
        let amounts = amounts::limit(side, price, size, permit.tick())?;
        let exchange = market.1.exchange();
        self.sequence += 1;
        let fields = OrderFields {
            salt: salt(&self.seed, if planted!(SaltReused) { self.sequence / 8 } else { self.sequence }),
            maker: self.payer.maker,
            signer: self.signer,
            token: market.1.token(outcome),
            maker_amount: amounts.maker,
            taker_amount: amounts.taker,
            side,
            signature_type: self.payer.signature_type,
            timestamp_ms: now.wall_ms(),
            metadata: [0; 32],
            builder: [0; 32],
        };
        Ok(PlaceOrder {
            id: self.hasher.digest(exchange, &fields),
            fields,
            exchange,
            order_type,
            post_only,
            expiration_s: 0,
            asset: market.0.asset(outcome),
            price,
            size,
            instance: owner.instance,
            intent: owner.intent,
            deadline_mono_ns,
        })
    }
}

/// An order of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// What was sent.
    pub place: PlaceOrder,
    /// Where it stands.
    pub state: OrderState,
    /// How much of it our booked fills account for.
    pub filled: Shares,
    /// How much of it the venue says is matched: cumulative, and may run ahead of the fills.
    pub venue_matched: Shares,
    /// When the venue's figure last grew.
    pub matched_since: Time,
    /// It has been at the venue: it worked there. Of any other order nobody knows whether it is still on its way.
    pub arrived: bool,
    /// The venue itself said that it is gone. An order that is only missing from a list may still be on its way there.
    pub proven_gone: bool,
    /// When it came into being.
    pub since: Time,
    /// When it last changed its state.
    pub state_since: Time,
    /// The cancel or query of it that has no result yet.
    pub asked: Option<ActionSeq>,
}

impl Order {
    /// What may still fill.
    #[must_use]
    pub fn remaining(&self) -> Shares {
        (self.place.size - self.filled).max(Shares::ZERO)
    }

    /// The order as the limits see it: what may still fill, at its limit price.
    #[must_use]
    pub fn open(&self) -> OpenOrder {
        OpenOrder {
            outcome: self.place.asset.outcome(),
            side: self.place.side(),
            price: self.place.price,
            size: self.remaining(),
        }
    }

    /// Whether it can be kept or cancelled: the venue has it, and no request about it is on its way.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(self.state, OrderState::Working | OrderState::PartiallyFilled)
    }

    /// Whether it may still be alive at the venue.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.state.is_final()
    }
}

/// A change of an order's state, or one that was asked for and is not legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The order.
    pub order: OrderId,
    /// From here.
    pub from: OrderState,
    /// To here.
    pub to: OrderState,
    /// How much of it is filled.
    pub filled: Shares,
    /// Whether it happened. If not, the order stays where it was.
    pub legal: bool,
}

/// The orders of a market that may be alive.
#[derive(Clone, Debug, Default)]
struct Open {
    ids: Vec<OrderId>,
    /// The number of the last change of what may still fill among them.
    changed: u64,
}

/// All orders of the run.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// Hashed rather than sorted: nothing is allocated for one more order, and the sequence is that of making.
    all: IndexMap<OrderId, Order, BuildHasherDefault<DigestHasher>>,
    /// The orders that may be alive, by market: few, and walked often.
    open: BTreeMap<MarketId, Open>,
    finished: VecDeque<OrderId>,
    /// How often what may still fill has changed.
    changes: u64,
    /// Collateral that open buys would take, kept as they change: it is asked for with every order.
    reserved: Usdc,
}

/// What an order takes of the collateral if all that is left of it fills.
fn reserves(order: &Order) -> Usdc {
    let buys = order.is_open() && order.place.side() == Side::Buy;
    if buys { order.remaining().cost_ceil(order.place.price) } else { Usdc::ZERO }
}

impl Orders {
    /// Takes a new order in. It counts against every limit from now on.
    pub fn insert(&mut self, place: PlaceOrder, now: Time) {
        self.open.entry(place.asset.market()).or_default().ids.push(place.id);
        let order = Order {
            place,
            state: OrderState::PendingNew,
            filled: Shares::ZERO,
            venue_matched: Shares::ZERO,
            matched_since: now,
            arrived: false,
            proven_gone: false,
            since: now,
            state_since: now,
            asked: None,
        };
        self.reserved += reserves(&order);
        self.all.insert(order.place.id, order);
        self.mark(place.asset.market());
    }

    /// Something has changed among the open orders of a market.
    fn mark(&mut self, market: MarketId) {
        self.changes += 1;
        if let Some(open) = self.open.get_mut(&market) {
            open.changed = self.changes;
        }
    }

    /// Lets something be done to an order, and keeps what is added up over all of them.
    fn with<R>(&mut self, id: &OrderId, act: impl FnOnce(&mut Order) -> R) -> Option<R> {
        let order = self.all.get_mut(id)?;
        let before = (reserves(order), order.is_open(), order.remaining());
        let result = act(order);
        let after = (reserves(order), order.is_open(), order.remaining());
        if before != after {
            self.reserved += after.0 - before.0;
            let market = order.place.asset.market();
            self.mark(market);
        }
        Some(result)
    }

    /// The number of the last change of what may still fill in a market: as long as it stays, so does everything that is added up
    /// from the open orders there.
    #[must_use]
    pub fn changed(&self, market: MarketId) -> u64 {
        self.open.get(&market).map_or(0, |open| open.changed)
    }

    /// Takes an order of a run before in. How long it has been as it is counts from now.
    pub fn restore(&mut self, place: PlaceOrder, state: OrderState, filled: Shares, now: Time) {
        self.insert(place, now);
        self.with(&place.id, |order| {
            (order.state, order.filled, order.venue_matched) = (state, filled, filled);
            order.arrived = order.is_settled();
        });
        if state.is_final() {
            self.finish(place.asset.market(), place.id);
        }
    }

    /// Drops what is kept for a market in which nothing is open any more. Its finished orders are remembered with all others.
    pub fn forget(&mut self, market: MarketId) {
        if self.open.get(&market).is_some_and(|open| open.ids.is_empty()) {
            self.open.remove(&market);
        }
    }

    /// An order by its id, finished or not.
    #[must_use]
    pub fn get(&self, id: &OrderId) -> Option<&Order> {
        self.all.get(id)
    }

    /// An order by its id, to note something on it. Its state changes only through [`Orders::transition`].
    pub fn note(&mut self, id: &OrderId, note: impl FnOnce(&mut Order)) {
        self.with(id, |order| {
            let state = order.state;
            note(order);
            order.state = state;
        });
    }

    /// The orders of a market that may be alive, in the order in which they were made.
    pub fn open_in(&self, market: MarketId) -> impl Iterator<Item = &Order> {
        self.open.get(&market).into_iter().flat_map(|open| &open.ids).filter_map(|id| self.all.get(id))
    }

    /// Every order that may be alive.
    pub fn open(&self) -> impl Iterator<Item = &Order> {
        self.open.values().flat_map(|open| &open.ids).filter_map(|id| self.all.get(id))
    }

    /// How many orders may be alive.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.values().map(|open| open.ids.len()).sum()
    }

    /// Brings an order to a state, if the table allows it. `None` when there is nothing to change: an order that is not known, or
    /// already there.
    pub fn transition(&mut self, id: &OrderId, to: OrderState, now: Time) -> Option<Change> {
        let order = self.all.get(id)?;
        let (from, market) = (order.state, order.place.asset.market());
        if from == to {
            return None;
        }
        let change = Change { order: *id, from, to, filled: order.filled, legal: is_legal(from, to) };
        if !change.legal {
            return Some(change);
        }
        self.with(id, |order| {
            order.state = to;
            order.arrived |= order.is_settled();
            order.state_since = now;
        });
        if to.is_final() && !from.is_final() {
            self.finish(market, *id);
        }
        Some(change)
    }

    fn finish(&mut self, market: MarketId, id: OrderId) {
        if let Some(open) = self.open.get_mut(&market) {
            open.ids.retain(|open| *open != id);
        }
        self.finished.push_back(id);
        if self.finished.len() > REMEMBERED
            && let Some(oldest) = self.finished.pop_front()
        {
            self.all.swap_remove(&oldest);
        }
    }

    /// Counts a booked fill on its order and brings the order to the state that follows from it. An order whose cancel is on its
    /// way stays so until it is full: the cancel's result will say the rest.
    pub fn filled(&mut self, id: &OrderId, size: Shares, now: Time) -> Option<Change> {
        let (full, state) = self.with(id, |order| {
            order.filled += size;
            order.arrived = true;
            (order.remaining().floor_lots().is_zero(), order.state)
        })?;
        let to = match state {
            _ if full => OrderState::Filled,
            OrderState::PendingCancel => return None,
            state if state.is_final() => return None,
            _ => OrderState::PartiallyFilled,
        };
        self.transition(id, to, now)
    }

    /// Takes a fill back, because its settlement failed. The order stays where it is: the venue does not bring it back.
    pub fn unfilled(&mut self, id: &OrderId, size: Shares) {
        self.note(id, |order| order.filled = (order.filled - size).max(Shares::ZERO));
    }

    /// Orders of which the venue claims more matched than its trades have shown: id, claimed, booked.
    #[must_use]
    pub fn missing_fills(&self) -> Vec<(OrderId, Shares, Shares)> {
        let missing = |o: &&Order| o.venue_matched.floor_lots() > o.filled;
        self.all.values().filter(missing).map(|o| (o.place.id, o.venue_matched, o.filled)).collect()
    }

    /// Shares of a token that an instance has promised to sell.
    #[must_use]
    pub fn promised(&self, instance: InstanceId, asset: AssetId) -> Shares {
        self.open_in(asset.market())
            .filter(|o| o.place.instance == instance && o.place.asset == asset && o.place.side() == Side::Sell)
            .map(Order::remaining)
            .sum()
    }

    /// Collateral that open buys would take if all of them filled.
    #[must_use]
    pub const fn reserved(&self) -> Usdc {
        self.reserved
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{ExchangeKind, Outcome, Price, TokenId};

    use super::*;

    fn place(id: u8, side: Side) -> PlaceOrder {
        let fields = OrderFields {
            salt: 1,
            maker: Address::default(),
            signer: Address::default(),
            token: TokenId::from_be_bytes([1; 32]),
            maker_amount: 0,
            taker_amount: 0,
            side,
            signature_type: SignatureType::Eoa,
            timestamp_ms: 0,
            metadata: [0; 32],
            builder: [0; 32],
        };
        PlaceOrder {
            id: OrderId([id; 32]),
            fields,
            exchange: ExchangeKind::Ctf,
            order_type: OrderType::Gtc,
            post_only: true,
            expiration_s: 0,
            asset: MarketId(0).asset(Outcome::Yes),
            price: Price::from_units(4_000).expect("in range"),
            size: Shares::from_whole(10),
            instance: InstanceId(0),
            intent: IntentId(0),
            deadline_mono_ns: 0,
        }
    }

    #[test]
    fn a_fill_and_a_cancel_race_in_both_orders() {
        let (id, now) = (OrderId([1; 32]), Time::default());
        for fill_first in [true, false] {
            let mut orders = Orders::default();
            orders.insert(place(1, Side::Buy), now);
            orders.transition(&id, OrderState::Working, now);
            orders.transition(&id, OrderState::PendingCancel, now);
            if fill_first {
                assert_eq!(orders.filled(&id, Shares::from_whole(4), now), None, "still being cancelled");
                orders.transition(&id, OrderState::Canceled, now);
            } else {
                orders.transition(&id, OrderState::Canceled, now);
                assert_eq!(orders.filled(&id, Shares::from_whole(4), now), None, "late, but counted");
            }
            let order = orders.get(&id).expect("remembered");
            assert_eq!((order.filled, order.state), (Shares::from_whole(4), OrderState::Canceled));
            assert_eq!(orders.open_count(), 0);
        }
    }

    #[test]
    fn an_unknown_order_counts_as_alive() {
        let (id, now) = (OrderId([1; 32]), Time::default());
        let mut orders = Orders::default();
        orders.insert(place(1, Side::Buy), now);
        orders.transition(&id, OrderState::Unknown, now);
        assert_eq!(orders.reserved(), Usdc::from_whole(4));
        orders.transition(&id, OrderState::Rejected, now);
        assert_eq!(orders.reserved(), Usdc::ZERO);
        let illegal = orders.transition(&id, OrderState::Working, now).expect("a change was asked for");
        assert!(!illegal.legal);
        assert_eq!(orders.get(&id).map(|o| o.state), Some(OrderState::Rejected));
    }

    #[test]
    fn sells_promise_tokens_and_not_collateral() {
        let mut orders = Orders::default();
        orders.insert(place(1, Side::Sell), Time::default());
        assert_eq!(orders.reserved(), Usdc::ZERO);
        assert_eq!(orders.promised(InstanceId(0), MarketId(0).asset(Outcome::Yes)), Shares::from_whole(10));
        orders.filled(&OrderId([1; 32]), Shares::from_whole(4), Time::default());
        assert_eq!(orders.promised(InstanceId(0), MarketId(0).asset(Outcome::Yes)), Shares::from_whole(6));
    }
}
