//! Keeping open orders, and letting them go.

use oddsmith_domain::{AssetId, MarketId, OrderId, OrderType, Shares, Usdc};

use super::Core;
use super::account::{AccountId, KeyId, UserId};
use super::book::Slot;
use super::event::OrderChange;
use super::life::Mode;
use super::order::{CancelReason, CancelReply, Order, OrderStatus, Refusal};

const GONE: &str = "already canceled or matched";
const NOT_FOUND: &str = "order not found";
const DELAYED: &str = "order is delayed and cannot be canceled";

impl Core {
    /// Takes an open order into the tables and reserves what it needs.
    pub(crate) fn keep(&mut self, order: Order) -> Slot {
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.orders.push(None);
            (self.orders.len() - 1) as Slot
        });
        let (collateral, shares) = (order.needs_collateral(), order.needs_shares());
        let asset = order.market.asset(order.outcome);
        let account = self.account_mut(order.account);
        account.open += collateral;
        if shares.is_positive() {
            account.change_holding(asset, |holding| holding.open += shares);
        }
        if let Some(user) = self.users.get_mut(order.user.0 as usize) {
            user.open.insert(order.sequence, slot);
        }
        if let Some(open) = self.account_open.get_mut(order.account.0 as usize) {
            open.insert(order.sequence, slot);
        }
        self.order_by_id.insert(order.id, slot);
        if order.order_type == OrderType::Gtd {
            self.timers.expire_at(self.leaves_at(&order), slot, order.sequence);
        }
        if let Some(place) = self.orders.get_mut(slot as usize) {
            *place = Some(order);
        }
        slot
    }

    /// Takes an open order out of the tables and frees what it still needed. The book is not touched.
    pub(crate) fn unkeep(&mut self, id: OrderId) -> Option<Order> {
        let slot = self.order_by_id.remove(&id)?;
        let order = self.orders.get_mut(slot as usize)?.take()?;
        self.free_slots.push(slot);
        if order.order_type == OrderType::Gtd {
            self.timers.forget_expiry(self.leaves_at(&order), order.sequence);
        }
        let asset = order.market.asset(order.outcome);
        self.release(order.account, asset, order.needs_collateral(), order.needs_shares());
        if let Some(user) = self.users.get_mut(order.user.0 as usize) {
            user.open.remove(&order.sequence);
        }
        if let Some(open) = self.account_open.get_mut(order.account.0 as usize) {
            open.remove(&order.sequence);
        }
        Some(order)
    }

    /// When a GTD order leaves the book.
    fn leaves_at(&self, order: &Order) -> super::Nanos {
        order.expiration_s.saturating_sub(self.config.gtd_early_s).saturating_mul(super::SECOND)
    }

    pub(crate) fn release(&mut self, account: AccountId, asset: AssetId, collateral: Usdc, shares: Shares) {
        let account = self.account_mut(account);
        account.open -= collateral;
        if shares.is_positive() {
            account.change_holding(asset, |holding| holding.open -= shares);
        }
    }

    /// Files a finished order, so that it can be read and its digest is not taken again. Simulated traders' are forgotten.
    pub(crate) fn finish(&mut self, mut order: Order, status: OrderStatus) {
        order.status = status;
        if matches!(status, OrderStatus::Canceled(_)) {
            self.tell(OrderChange::Cancellation, &order);
        }
        if self.is_internal(order.user) {
            return;
        }
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.orders.push(None);
            (self.orders.len() - 1) as Slot
        });
        self.order_by_id.insert(order.id, slot);
        self.finished_orders.push_back(order.id);
        if let Some(place) = self.orders.get_mut(slot as usize) {
            *place = Some(order);
        }
        while self.finished_orders.len() > self.config.history {
            if let Some(old) = self.finished_orders.pop_front()
                && let Some(slot) = self.order_by_id.remove(&old)
                && let Some(place) = self.orders.get_mut(slot as usize)
            {
                *place = None;
                self.free_slots.push(slot);
            }
        }
    }

    /// Removes an open order from book and tables and files it. The change of its level is noted, not yet published.
    pub(crate) fn remove_open(&mut self, id: OrderId, reason: CancelReason) -> bool {
        let Some(order) = self.order_by_id.get(&id).and_then(|slot| self.order_at(*slot)) else { return false };
        if !order.status.is_open() {
            return false;
        }
        let (market, ladder, units) = (order.market, order.ladder(), order.yes_units());
        let (sequence, rest, live) = (order.sequence, order.remaining(), order.status == OrderStatus::Live);
        if live && let Some(listed) = self.market_mut(market) {
            listed.book.reduce(ladder, units, sequence, rest, true);
        }
        if let Some(order) = self.unkeep(id) {
            self.finish(order, OrderStatus::Canceled(reason));
        }
        if live {
            self.touch(market, ladder, units);
        }
        true
    }

    /// Removes many orders; each market's changes are published once.
    pub(crate) fn remove_all(&mut self, mut orders: Vec<(MarketId, OrderId)>, reason: CancelReason) -> Vec<OrderId> {
        orders.sort_by_key(|(market, _)| *market);
        let mut removed = Vec::with_capacity(orders.len());
        for group in orders.chunk_by(|a, b| a.0 == b.0) {
            removed.extend(group.iter().map(|(_, id)| *id).filter(|id| self.remove_open(*id, reason)));
            if let Some((market, _)) = group.first() {
                self.publish(*market, false);
            }
        }
        removed
    }

    /// Whether cancels are taken now.
    ///
    /// # Errors
    /// [`Refusal::TradingDisabled`] or [`Refusal::Restarting`].
    pub fn cancels_allowed(&self) -> Result<(), Refusal> {
        match self.mode {
            Mode::Disabled => Err(Refusal::TradingDisabled),
            Mode::Restarting { .. } => Err(Refusal::Restarting),
            _ => Ok(()),
        }
    }

    /// Cancels orders of a key's owner by id.
    ///
    /// # Errors
    /// As [`Core::cancels_allowed`].
    pub fn cancel(&mut self, key: KeyId, ids: &[OrderId], now_ns: super::Nanos) -> Result<CancelReply, Refusal> {
        self.advance(now_ns);
        self.cancels_allowed()?;
        let user = self.keys.get(key).map(|record| record.user);
        let mut reply = CancelReply::default();
        let mut removable = Vec::new();
        for id in ids {
            let order = self.order_by_id.get(id).and_then(|slot| self.order_at(*slot));
            match order.filter(|order| Some(order.user) == user) {
                None => reply.not_canceled.push((*id, NOT_FOUND)),
                Some(order) if order.status == OrderStatus::Delayed => reply.not_canceled.push((*id, DELAYED)),
                Some(order) if order.status == OrderStatus::Live => removable.push((order.market, *id)),
                Some(_) => reply.not_canceled.push((*id, GONE)),
            }
        }
        // An id that is named twice is cancelled once and then is gone.
        let asked = removable.clone();
        reply.canceled = self.remove_all(removable, CancelReason::User);
        for (index, (_, id)) in asked.iter().enumerate() {
            if asked.iter().take(index).any(|(_, earlier)| earlier == id) {
                reply.not_canceled.push((*id, GONE));
            }
        }
        Ok(reply)
    }

    /// Cancels every open order of a key's owner, in one market or for one token if stated.
    ///
    /// # Errors
    /// As [`Core::cancels_allowed`].
    pub fn cancel_scope(
        &mut self,
        key: KeyId,
        market: Option<MarketId>,
        asset: Option<AssetId>,
        now_ns: super::Nanos,
    ) -> Result<CancelReply, Refusal> {
        self.advance(now_ns);
        self.cancels_allowed()?;
        let Some(user) = self.keys.get(key).map(|record| record.user) else { return Ok(CancelReply::default()) };
        let mut reply = CancelReply::default();
        let mut removable = Vec::new();
        for order in self.open_of(user) {
            let wanted = market.is_none_or(|market| market == order.market)
                && asset.is_none_or(|asset| asset == order.market.asset(order.outcome));
            match order.status {
                OrderStatus::Live if wanted => removable.push((order.market, order.id)),
                OrderStatus::Delayed if wanted => reply.not_canceled.push((order.id, DELAYED)),
                _ => {}
            }
        }
        reply.canceled = self.remove_all(removable, CancelReason::User);
        Ok(reply)
    }

    pub(crate) fn open_of(&self, user: UserId) -> impl Iterator<Item = &Order> {
        let slots = self.users.get(user.0 as usize).into_iter().flat_map(|user| user.open.values());
        slots.filter_map(|slot| self.order_at(*slot))
    }

    /// Removes, newest first, open orders that an account can no longer pay for.
    pub(crate) fn drop_unpaid(&mut self, account: AccountId) {
        let mut unpaid = Vec::new();
        let Some(holder) = self.accounts.get(account.0 as usize) else { return };
        let usable = self.config.usable_at;
        let mut missing = holder.open - holder.spendable(usable);
        let mut short: Vec<(AssetId, Shares)> = holder
            .holdings
            .iter()
            .map(|(asset, holding)| (*asset, holding.open - holder.sellable(*asset, usable)))
            .filter(|(_, shares)| shares.is_positive())
            .collect();
        let open = self.account_open.get(account.0 as usize).into_iter().flat_map(|open| open.values().rev());
        for order in open.filter_map(|slot| self.order_at(*slot)) {
            let allowance = holder.allowance(order.exchange);
            let asset = order.market.asset(order.outcome);
            let (need, offer) = (order.needs_collateral(), order.needs_shares());
            let forbidden = match order.side {
                oddsmith_domain::Side::Buy => allowance.collateral.is_some_and(|limit| need > limit),
                oddsmith_domain::Side::Sell => !allowance.tokens,
            };
            let lacks_cash = missing.is_positive() && need.is_positive();
            let lacking = short.iter_mut().find(|(token, shares)| *token == asset && shares.is_positive());
            let lacks_shares = offer.is_positive() && lacking.is_some();
            if forbidden || lacks_cash || lacks_shares {
                missing -= need;
                if let Some((_, shares)) = lacking.filter(|_| lacks_shares) {
                    *shares -= offer;
                }
                unpaid.push((order.market, order.id));
            }
        }
        self.remove_all(unpaid, CancelReason::NotEnoughBalance);
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{Address, OrderFields, Outcome, Side, SignatureType};

    use super::*;
    use crate::core::{Config, KNOWN_ADDRESSES, MarketSpec, PlaceRequest};

    #[test]
    fn cancelled_orders_leave_nothing_behind_on_the_agenda() {
        let start = 1_790_000_000 * super::super::SECOND;
        let mut core = Core::new(Config::default(), 1, start);
        let market = core.list_market(MarketSpec::ordinary("any", "?"), start);
        let token = core.market(market).expect("a market").tokens[Outcome::Yes.index()];
        let maker = Address::parse(KNOWN_ADDRESSES[0]).expect("an address");
        let key = core.create_key(maker, 0).expect("a first key");
        for salt in 0..50u8 {
            let fields = OrderFields {
                salt: u64::from(salt),
                maker,
                signer: maker,
                token,
                maker_amount: 4_000_000,
                taker_amount: 10_000_000,
                side: Side::Buy,
                signature_type: SignatureType::Eoa,
                timestamp_ms: 0,
                metadata: [0; 32],
                builder: [0; 32],
            };
            let (id, order_type) = (OrderId([salt; 32]), OrderType::Gtd);
            let request = PlaceRequest { id, fields, order_type, post_only: false, expiration_s: u64::MAX };
            core.place(key, &request, start).expect("a good order");
            assert_eq!(core.timers.len(), 1);
            core.cancel(key, &[id], start).expect("cancels are on");
            assert_eq!(core.timers.len(), 0);
        }
    }
}
