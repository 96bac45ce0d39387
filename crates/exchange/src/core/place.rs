//! Admitting an order: everything that can be refused before the book is looked at.

use oddsmith_domain::{OrderFields, OrderType, Price, Shares, Side, SignatureType, Tick, Usdc};

use super::account::{AccountId, KeyId};
use super::event::{CoreEvent, OrderChange};
use super::keys::KeyKind;
use super::life::Mode;
use super::matching::Plan;
use super::order::{CancelReason, Order, OrderStatus, PlaceRequest, Placed, PlacedStatus, Refusal};
use super::timer::Timer;
use super::{Core, DelayReply, MILLI, MinSizeUnit, Nanos, SECOND, SelfFill, wallet_of};

/// More than anybody has: ten to the ninth shares or dollars. Beyond it amounts are no order.
const MAX_MICRO: u64 = 1_000_000_000_000_000;

/// How many deposit wallets one signer may bring along. Each of a known account's is funded, so there must be an end.
const MOST_DEPOSIT_WALLETS: usize = 8;

impl Core {
    /// Places an order for a key. The caller has checked the signature, and that `request.id` is the order's digest.
    ///
    /// # Errors
    /// [`Refusal`] says why the order was not taken; nothing has changed then.
    pub fn place(&mut self, key: KeyId, request: &PlaceRequest, now_ns: Nanos) -> Result<Placed, Refusal> {
        self.advance(now_ns);
        let order = self.admit(key, request)?;
        self.enter(order, request.post_only)
    }

    /// Whether a key may send an order with these accounts: the signer is the key's address (or, for a deposit wallet, the
    /// wallet), and the maker is the signer's account of that signature type.
    ///
    /// # Errors
    /// [`Refusal::SignerMismatch`] or [`Refusal::MakerNotAllowed`].
    pub fn check_identity(&self, key: KeyId, fields: &OrderFields) -> Result<(), Refusal> {
        let record = self.keys.get(key).ok_or(Refusal::SignerMismatch)?;
        if fields.signature_type == SignatureType::Poly1271 {
            let bound = self.account_by_address.get(&fields.maker).and_then(|id| self.accounts.get(id.0 as usize));
            let wallets =
                || self.accounts.iter().filter(|a| a.user == record.user && a.wallet == SignatureType::Poly1271);
            let free = match bound {
                Some(account) => account.user == record.user && account.wallet == SignatureType::Poly1271,
                None => wallets().count() < MOST_DEPOSIT_WALLETS,
            };
            return match (fields.maker == fields.signer, free) {
                (true, true) => Ok(()),
                (false, _) => Err(Refusal::MakerNotAllowed),
                (true, false) => Err(Refusal::SignerMismatch),
            };
        }
        if fields.signer != record.address {
            return Err(Refusal::SignerMismatch);
        }
        if fields.maker != wallet_of(fields.signer, fields.signature_type) {
            return Err(Refusal::MakerNotAllowed);
        }
        Ok(())
    }

    fn admit(&mut self, key: KeyId, request: &PlaceRequest) -> Result<Order, Refusal> {
        let fields = &request.fields;
        self.mode_admits(request.post_only)?;
        let internal = {
            let record = self.keys.get(key).filter(|record| record.revoked_s.is_none());
            let record = record.ok_or(Refusal::SignerMismatch)?;
            if !matches!(record.kind, KeyKind::Full | KeyKind::Internal) {
                return Err(Refusal::SignerMismatch);
            }
            record.kind == KeyKind::Internal
        };
        if !internal {
            self.check_identity(key, fields)?;
        }
        let user = self.keys.get(key).map(|record| record.user).ok_or(Refusal::SignerMismatch)?;
        let person = self.users.get(user.0 as usize).ok_or(Refusal::SignerMismatch)?;
        if person.banned {
            return Err(Refusal::Banned(person.address));
        }
        if person.closed_only && fields.side == Side::Buy {
            return Err(Refusal::ClosedOnly(person.address));
        }
        let asset = self.market_by_token.get(&fields.token).copied().ok_or(Refusal::UnknownToken(fields.token))?;
        let market = self.markets.get(asset.market().index()).ok_or(Refusal::UnknownToken(fields.token))?;
        if !market.accepts_orders() {
            return Err(Refusal::MarketNotReady);
        }
        if self.order_by_id.contains_key(&request.id) {
            return Err(Refusal::Duplicated(request.id));
        }
        let (price, size, max_cost) = terms(request, market.tick)?;
        let counted = match self.config.min_size_unit {
            MinSizeUnit::Shares => size,
            MinSizeUnit::Collateral => Shares::from_micros(size.cost_floor(price).micros()),
        };
        if request.order_type.rests() && counted < market.spec.min_size {
            return Err(Refusal::TooSmall { id: request.id, size, min: market.spec.min_size });
        }
        self.check_expiration(request)?;
        if request.post_only && !request.order_type.rests() {
            return Err(Refusal::InvalidPayload);
        }
        let exchange = market.spec.kind;
        let account = self.wallet(user, fields.maker, fields.signature_type);
        Ok(Order {
            id: request.id,
            sequence: self.next_sequence(),
            key,
            user,
            account,
            market: asset.market(),
            outcome: asset.outcome(),
            side: fields.side,
            price,
            size,
            matched: Shares::ZERO,
            max_cost,
            spent: Usdc::ZERO,
            order_type: request.order_type,
            expiration_s: request.expiration_s,
            created_ms: self.now_ms(),
            status: OrderStatus::Live,
            trades: Vec::new(),
            exchange,
            builder: fields.builder,
        })
    }

    fn mode_admits(&self, post_only: bool) -> Result<(), Refusal> {
        match self.mode {
            Mode::Normal => Ok(()),
            Mode::PostOnly { .. } if post_only => Ok(()),
            Mode::PostOnly { until_ns } => {
                let rest = until_ns.map_or(1, |until| until.saturating_sub(self.now_ns).div_ceil(SECOND).max(1));
                Err(Refusal::PostOnlyMode(rest))
            }
            Mode::CancelOnly => Err(Refusal::CancelOnly),
            Mode::Disabled => Err(Refusal::TradingDisabled),
            Mode::Restarting { .. } => Err(Refusal::Restarting),
        }
    }

    fn check_expiration(&self, request: &PlaceRequest) -> Result<(), Refusal> {
        let now_s = self.now_ns / SECOND;
        let valid = match request.order_type {
            OrderType::Gtd => request.expiration_s >= now_s.saturating_add(self.config.gtd_min_s),
            _ => request.expiration_s == 0,
        };
        if valid { Ok(()) } else { Err(Refusal::InvalidExpiration) }
    }

    /// Brings an admitted order to the book: delays it, matches it, rests what is left.
    fn enter(&mut self, order: Order, post_only: bool) -> Result<Placed, Refusal> {
        let plan = self.plan_for(&order);
        let crosses = !plan.fills.is_empty();
        if crosses && post_only {
            return Err(Refusal::PostOnlyCrosses);
        }
        self.check_match(&order, &plan)?;
        self.check_funds(&order, &plan)?;
        let delay_ms = self.markets.get(order.market.index()).map_or(0, |market| market.delay_ms());
        if crosses && delay_ms > 0 {
            return Ok(self.delay(order, delay_ms));
        }
        Ok(self.complete(order, &plan, PlacedStatus::Live))
    }

    /// The plan of an order, after resting orders of the same account were taken away if the settings say so.
    fn plan_for(&mut self, order: &Order) -> Plan {
        let plan = self.plan(order);
        if self.config.self_fill == SelfFill::Allow {
            return plan;
        }
        let own: Vec<_> = plan
            .fills
            .iter()
            .filter_map(|fill| self.order_at(fill.maker).filter(|maker| maker.account == order.account))
            .map(|maker| maker.id)
            .collect();
        if own.is_empty() {
            return plan;
        }
        for id in own {
            self.remove_open(id, CancelReason::User);
        }
        self.publish(order.market, false);
        self.plan_for(order)
    }

    /// What the order type and the least marketable value say about a plan.
    fn check_match(&self, order: &Order, plan: &Plan) -> Result<(), Refusal> {
        match order.order_type {
            OrderType::Fok if plan.shares < order.size => return Err(Refusal::FokNotFilled),
            OrderType::Fak if plan.fills.is_empty() => return Err(Refusal::FakNotFilled),
            _ => {}
        }
        let value = order.size.cost_ceil(order.price).max(order.max_cost);
        if !plan.fills.is_empty() && value < self.config.min_marketable {
            return Err(Refusal::MarketableTooSmall { side: order.side, value, min: self.config.min_marketable });
        }
        Ok(())
    }

    /// Whether the account can pay for a plan and for what would rest after it.
    fn check_funds(&self, order: &Order, plan: &Plan) -> Result<(), Refusal> {
        let Some(account) = self.accounts.get(order.account.0 as usize) else { return Err(Refusal::InvalidPayload) };
        let allowance = account.allowance(order.exchange);
        let (balance_micro, open_micro, needed_micro, allowed) = match order.side {
            Side::Buy => {
                let rest = (order.size - plan.shares).cost_ceil(order.price);
                let needed = (plan.collateral + rest).max(order.max_cost) + plan.fees;
                let allowed = allowance.collateral.is_none_or(|limit| account.open + needed <= limit);
                let balance = account.spendable(self.config.usable_at);
                (balance.micros(), account.open.micros(), needed.micros(), allowed)
            }
            Side::Sell => {
                let asset = order.market.asset(order.outcome);
                let balance = account.sellable(asset, self.config.usable_at);
                (balance.micros(), account.holding(asset).open.micros(), order.size.micros(), allowance.tokens)
            }
        };
        if allowed && balance_micro.saturating_sub(open_micro) >= needed_micro {
            return Ok(());
        }
        Err(Refusal::NotEnoughBalance { balance_micro, open_micro, needed_micro, allowance: !allowed })
    }

    fn delay(&mut self, mut order: Order, delay_ms: u64) -> Placed {
        order.status = OrderStatus::Delayed;
        let (id, sequence) = (order.id, order.sequence);
        self.tell(OrderChange::Placement, &order);
        let slot = self.keep(order);
        let due = self.now_ns.saturating_add(delay_ms.saturating_mul(MILLI));
        self.timers.at(due, Timer::DelayOver(slot, sequence));
        Placed { id, status: PlacedStatus::Delayed, making_micro: 0, taking_micro: 0, trades: Vec::new() }
    }

    /// Whether the server should hold back the answer to a delayed order.
    #[must_use]
    pub fn answers_wait(&self) -> bool {
        self.config.delay_reply == DelayReply::Wait
    }

    /// Decides a delayed order: it is valid as of now, matches what crosses now, and may rest.
    pub(crate) fn delay_over(&mut self, slot: super::book::Slot, sequence: u64) {
        let Some(held) = self.order_at(slot).filter(|o| o.sequence == sequence && o.status == OrderStatus::Delayed)
        else {
            return;
        };
        let id = held.id;
        let Some(mut order) = self.unkeep(id) else { return };
        order.status = OrderStatus::Live;
        let open = self.markets.get(order.market.index()).is_some_and(|market| market.accepts_orders());
        let plan = self.plan_for(&order);
        let verdict = if open { self.check_funds(&order, &plan) } else { Err(Refusal::MarketNotReady) };
        let verdict = verdict.and_then(|()| self.check_match(&order, &plan));
        let result = match verdict {
            Ok(()) => Ok(self.complete(order, &plan, PlacedStatus::Unmatched)),
            Err(refusal) => {
                let reason = match refusal {
                    Refusal::NotEnoughBalance { .. } => CancelReason::NotEnoughBalance,
                    Refusal::FokNotFilled => CancelReason::FokKilled,
                    Refusal::FakNotFilled => CancelReason::FakRest,
                    _ => CancelReason::Invalid,
                };
                self.finish(order, OrderStatus::Canceled(reason));
                Err(refusal)
            }
        };
        self.events.push(CoreEvent::DelayOver { result: Box::new(result), order: id });
    }

    /// The account that pays for a key's orders of a signature type; of deposit wallets the one that appeared last.
    pub fn account_of(&mut self, key: KeyId, kind: SignatureType) -> Option<AccountId> {
        let (user, address) = self.keys.get(key).map(|record| (record.user, record.address))?;
        if kind == SignatureType::Poly1271
            && let Some(index) =
                self.accounts.iter().rposition(|a| a.user == user && a.wallet == SignatureType::Poly1271)
        {
            return Some(AccountId(index as u32));
        }
        Some(self.wallet(user, wallet_of(address, kind), kind))
    }
}

/// Price, size and greatest cost of an order from its two amounts.
fn terms(request: &PlaceRequest, tick: Tick) -> Result<(Price, Shares, Usdc), Refusal> {
    let fields = &request.fields;
    let (collateral, shares) = match fields.side {
        Side::Buy => (fields.maker_amount, fields.taker_amount),
        Side::Sell => (fields.taker_amount, fields.maker_amount),
    };
    if collateral == 0 || shares == 0 || collateral > MAX_MICRO || shares > MAX_MICRO {
        return Err(Refusal::InvalidPayload);
    }
    let price = grid_price(collateral, shares, tick).ok_or_else(|| {
        let exact = u128::from(collateral) * 1_000_000 / u128::from(shares);
        Refusal::BreaksTick { id: request.id, price_micro: i64::try_from(exact).unwrap_or(i64::MAX), tick }
    })?;
    let (collateral, shares) = (collateral as i64, shares as i64);
    let max_cost = if fields.side == Side::Buy { Usdc::from_micros(collateral) } else { Usdc::ZERO };
    Ok((price, Shares::from_micros(shares), max_cost))
}

/// The order price that two amounts mean. Amounts are rounded to the decimals of the rounding table (protocol 4.3), so the
/// quotient of a market order is off the grid by as much; one unit of its last amount decimal is forgiven.
fn grid_price(collateral: u64, shares: u64, tick: Tick) -> Option<Price> {
    let (collateral, shares) = (i128::from(collateral), i128::from(shares));
    let (one, step) = (i128::from(Price::ONE.units()), i128::from(tick.units()));
    let steps = (2 * collateral * one + shares * step) / (2 * shares * step);
    let price = u16::try_from(steps * step).ok().and_then(Price::from_units).filter(|price| tick.admits(*price))?;
    // Clients may round for a coarser grid than today's; no tick but 0.1 has fewer than four amount decimals.
    let forgiven: i128 = if tick == Tick::Tenth { 1_000 } else { 100 };
    let error = (collateral * one - shares * i128::from(price.units())).abs();
    (error <= forgiven * one).then_some(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_of_two_amounts() {
        let price = |collateral, shares, tick| grid_price(collateral, shares, tick).map(|p| p.to_string());
        assert_eq!(price(5_700_000, 10_000_000, Tick::Cent).as_deref(), Some("0.57"));
        assert_eq!(price(20_682_320, 21_040_000, Tick::Thousandth).as_deref(), Some("0.983"));
        // a market order: 10 dollars at 0.57, shares cut to four decimals
        assert_eq!(price(10_000_000, 17_543_800, Tick::Cent).as_deref(), Some("0.57"));
        assert_eq!(price(5_750_000, 10_000_000, Tick::Cent), None, "between two ticks");
        assert_eq!(price(5_005_000, 10_000_000, Tick::Thousandth), None, "half a tick off");
        assert_eq!(price(10_000_000, 10_000_000, Tick::Cent), None, "one dollar is no order price");
        assert_eq!(price(1, 10_000_000, Tick::Cent), None, "nothing is no order price");
        assert_eq!(price(MAX_MICRO, 1, Tick::Cent), None);
    }
}
