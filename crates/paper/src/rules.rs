//! What the venue checks of an order, what it does with one, and how it lets go of it (protocol sections 4.4, 6.4 and 7.2).

use oddsmith_domain::{
    MarketId, OrderId, OrderType, PlaceOrder, PlaceOutcome, RefusalCode, Shares, Side, Time, Usdc, VenueOrderStatus,
};

use crate::answers::refusal;
use crate::held::{Held, Standing};
use crate::listed::Listed;
use crate::matching::Take;
use crate::venue::{Job, PaperVenue, REMEMBERED};

/// The least value of an order that matches at once (protocol section 4.4).
const MIN_MARKETABLE: Usdc = Usdc::from_whole(1);
/// A GTD order must live at least so long.
const GTD_MIN_S: u64 = 180;

/// What an order would do now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) takes: Vec<Take>,
    pub(crate) shares: Shares,
    /// What the shares cost or bring, without fees.
    pub(crate) collateral: Usdc,
    pub(crate) fee: Usdc,
}

impl PaperVenue {
    pub(crate) fn place(&mut self, place: &PlaceOrder, now: Time) -> Result<PlaceOutcome, PlaceOutcome> {
        self.admit(place, now)?;
        let plan = self.plan(place, place.size)?;
        let crosses = !plan.takes.is_empty();
        if crosses && place.post_only {
            let text = "invalid post-only order: order crosses book".to_owned();
            return Err(refusal(RefusalCode::PostOnlyWouldCross, text));
        }
        self.check_match(place, &plan)?;
        self.check_funds(place, &plan)?;
        self.last_key += 1;
        let held = Held {
            place: *place,
            key: self.last_key,
            matched: Shares::ZERO,
            standing: Standing::Live,
            trades: Vec::new(),
            created_ms: now.wall_ms(),
            holds: (Usdc::ZERO, Shares::ZERO),
        };
        self.keys.insert(held.key, place.id);
        self.expire_later(&held, now);
        self.orders.insert(place.id, held);
        let delay_ms = self.markets.get(&place.asset.market()).map_or(0, |listed| listed.card.taker_delay_ms);
        if crosses && delay_ms > 0 {
            self.stand(&place.id, Standing::Delayed);
            self.tell_order(&place.id, "PLACEMENT", now);
            let over = now.mono_ns.saturating_add(delay_ms.saturating_mul(Time::MILLI));
            self.at(over, Job::DelayOver(place.id));
            return Ok(PlaceOutcome::Accepted { status: VenueOrderStatus::Delayed, trades: Vec::new() });
        }
        Ok(self.complete(place, &plan, ("PLACEMENT", VenueOrderStatus::Live), now))
    }

    fn admit(&self, place: &PlaceOrder, now: Time) -> Result<(), PlaceOutcome> {
        let id = place.id;
        let not_ready = || {
            let text = "the market is not yet ready to process new orders".to_owned();
            refusal(RefusalCode::MarketNotReady, text)
        };
        let listed = self.markets.get(&place.asset.market()).ok_or_else(not_ready)?;
        if !listed.is_open || !listed.is_known || listed.book.is_none() {
            return Err(not_ready());
        }
        if self.orders.contains_key(&id) {
            return Err(refusal(RefusalCode::Duplicate, format!("order {id} is invalid. Duplicated.")));
        }
        if let Some(tick) = listed.tick.filter(|tick| !tick.admits(place.price)) {
            let (price, tick) = (place.price, tick.as_str());
            let text = format!("order {id} is invalid. Price ({price}) breaks minimum tick size rule: {tick}");
            return Err(refusal(RefusalCode::InvalidPrice, text));
        }
        let min = listed.card.min_size.filter(|_| place.order_type.rests()).unwrap_or(Shares::ZERO);
        if place.size < min || !place.size.is_positive() {
            let text = format!("order {id} is invalid. Size ({}) lower than the minimum: {min}", place.size);
            return Err(refusal(RefusalCode::MinSize, text));
        }
        let lives = match place.order_type {
            OrderType::Gtd => place.expiration_s >= now.wall_s().saturating_add(GTD_MIN_S),
            _ => place.expiration_s == 0,
        };
        if !lives {
            return Err(refusal(RefusalCode::InvalidExpiration, "invalid expiration".to_owned()));
        }
        if place.post_only && !place.order_type.rests() {
            return Err(refusal(RefusalCode::InvalidPayload, "Invalid order payload".to_owned()));
        }
        Ok(())
    }

    /// What the order would take of the displayed book.
    fn plan(&self, place: &PlaceOrder, size: Shares) -> Result<Plan, PlaceOutcome> {
        let mut plan = Plan::default();
        let Some(listed) = self.markets.get(&place.asset.market()) else { return Ok(plan) };
        let Some(book) = &listed.book else { return Ok(plan) };
        let (half, limit) = Listed::stand(place.asset, place.side(), place.price);
        let micros = book.plan(half, limit, size.micros(), &mut plan.takes);
        if plan.takes.is_empty() {
            return Ok(plan);
        }
        let Some(fee) = listed.card.fee else {
            let text = "the market's fees are not known: nobody takes in it on paper".to_owned();
            return Err(refusal(RefusalCode::MarketNotReady, text));
        };
        plan.shares = Shares::from_micros(micros);
        for take in &plan.takes {
            let (price, shares) = (price_of(place, take.units), Shares::from_micros(take.micros));
            let brings = shares.cost_floor(price);
            let charged = fee.taker_fee(shares, price);
            plan.collateral += brings;
            plan.fee += if place.side() == Side::Sell { charged.min(brings) } else { charged };
        }
        Ok(plan)
    }

    fn check_match(&self, place: &PlaceOrder, plan: &Plan) -> Result<(), PlaceOutcome> {
        match place.order_type {
            OrderType::Fok if plan.shares < place.size => {
                let text = "order couldn't be fully filled. FOK orders are fully filled or killed.".to_owned();
                return Err(refusal(RefusalCode::FokNotFilled, text));
            }
            OrderType::Fak if plan.takes.is_empty() => {
                let text = "no orders found to match with FAK order. FAK orders are partially filled or killed if no \
                            match is found."
                    .to_owned();
                return Err(refusal(RefusalCode::FakNotFilled, text));
            }
            _ => {}
        }
        let value = place.size.cost_ceil(place.price);
        if !plan.takes.is_empty() && value < MIN_MARKETABLE {
            let side = place.side().as_str();
            let text = format!("invalid amount for a marketable {side} order (${value}), min size: ${MIN_MARKETABLE}");
            return Err(refusal(RefusalCode::Other, text));
        }
        Ok(())
    }

    fn check_funds(&self, place: &PlaceOrder, plan: &Plan) -> Result<(), PlaceOutcome> {
        let rest = (place.size - plan.shares).cost_ceil(place.price);
        let cost = (plan.collateral + rest).max(place.size.cost_ceil(place.price)) + plan.fee;
        let short = match self.purse.can_pay(place.asset, place.side(), cost, place.size) {
            Ok(()) => return Ok(()),
            Err(short) => short,
        };
        let which = if short.allowance { "allowance" } else { "balance" };
        let text = format!(
            "not enough balance / allowance: the {which} is not enough -> {which}: {}, sum of active orders: {}, order \
             amount: {}",
            short.has_micro, short.open_micro, short.needs_micro
        );
        Err(refusal(RefusalCode::InsufficientBalance, text))
    }

    /// Matches what was planned, rests what may rest, and tells.
    fn complete(
        &mut self,
        place: &PlaceOrder,
        plan: &Plan,
        (change, resting): (&'static str, VenueOrderStatus),
        now: Time,
    ) -> PlaceOutcome {
        let (half, units) = Listed::stand(place.asset, place.side(), place.price);
        let mut trades = Vec::new();
        let rest = place.size - plan.shares;
        let book = self.markets.get_mut(&place.asset.market()).and_then(|listed| listed.book.as_mut());
        if let Some(book) = book {
            book.commit(half, &plan.takes);
            if let Some(held) = self.orders.get(&place.id)
                && rest.is_positive()
                && place.order_type.rests()
            {
                book.rest(half, held.key, units, rest.micros());
            }
        }
        let standing = if rest.is_positive() { Standing::Live } else { Standing::Filled };
        if plan.takes.is_empty() {
            self.stand(&place.id, standing);
            self.tell_order(&place.id, change, now);
        } else {
            trades.push(self.take(place, plan, (standing, change), now));
        }
        if rest.is_positive() && !place.order_type.rests() {
            self.cancel_open(&place.id, "CANCELED", now);
        } else if !rest.is_positive() {
            self.finish(&place.id);
        }
        let status = if trades.is_empty() { resting } else { VenueOrderStatus::Matched };
        PlaceOutcome::Accepted { status, trades }
    }

    /// A delayed order is looked at again: it is valid as of now, matches what crosses now, and may rest.
    pub(crate) fn delay_over(&mut self, id: &OrderId, now: Time) {
        let Some(held) = self.orders.get(id).filter(|held| held.standing == Standing::Delayed) else { return };
        let place = held.place;
        // What it held is free for itself.
        self.stand(id, Standing::Filled);
        let open =
            self.markets.get(&place.asset.market()).is_some_and(|listed| listed.is_open && listed.book.is_some());
        let checked = self.plan(&place, place.size).and_then(|plan| {
            self.check_funds(&place, &plan)?;
            self.check_match(&place, &plan)?;
            Ok(plan)
        });
        self.stand(id, Standing::Delayed);
        match checked {
            Ok(plan) if open => {
                self.complete(&place, &plan, ("UPDATE", VenueOrderStatus::Unmatched), now);
            }
            Err(PlaceOutcome::Refused { code: RefusalCode::FokNotFilled, .. }) => {
                self.cancel_open(
                    id,
                    "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed.",
                    now,
                );
            }
            Err(PlaceOutcome::Refused { code: RefusalCode::InsufficientBalance, .. }) => {
                self.cancel_open(id, "CANCELED_NOT_ENOUGH_BALANCE", now);
            }
            _ => self.cancel_open(id, "CANCELED", now),
        }
    }

    /// How an order stands now; what it holds of the account follows.
    pub(crate) fn stand(&mut self, id: &OrderId, standing: Standing) {
        let Some(held) = self.orders.get_mut(id) else { return };
        held.standing = standing;
        let (needs, held_before) = (held.needs(), held.holds);
        held.holds = needs;
        self.purse.hold(held.place.asset, needs, held_before);
    }

    /// Lets an open order go, and tells.
    pub(crate) fn cancel_open(&mut self, id: &OrderId, word: &'static str, now: Time) {
        let Some(held) = self.orders.get(id).filter(|held| held.standing.is_open()) else { return };
        let (half, _) = Listed::stand(held.place.asset, held.place.side(), held.place.price);
        let (key, market) = (held.key, held.place.asset.market());
        if let Some(book) = self.markets.get_mut(&market).and_then(|listed| listed.book.as_mut()) {
            book.remove(half, key);
        }
        self.stand(id, Standing::Gone(word));
        self.counts.canceled += 1;
        self.tell_order(id, "CANCELLATION", now);
        self.finish(id);
    }

    /// The market takes no orders any more.
    pub(crate) fn close(&mut self, market: MarketId, now: Time) {
        if let Some(listed) = self.markets.get_mut(&market) {
            listed.is_open = false;
        }
        for order in self.open_orders(|held| held.place.asset.market() == market) {
            self.cancel_open(&order, "CANCELED_MARKET_RESOLVED", now);
        }
    }

    /// Open orders, by id.
    pub(crate) fn open_orders(&self, which: impl Fn(&Held) -> bool) -> Vec<OrderId> {
        let open = self.keys.values().filter_map(|id| self.orders.get(id));
        open.filter(|held| held.standing.is_open() && which(held)).map(|held| held.place.id).collect()
    }

    /// An order has ended: it is remembered for a while.
    pub(crate) fn finish(&mut self, id: &OrderId) {
        let Some(held) = self.orders.get(id) else { return };
        self.keys.remove(&held.key);
        self.finished_orders.push_back(*id);
        while self.finished_orders.len() > REMEMBERED {
            if let Some(old) = self.finished_orders.pop_front() {
                self.orders.remove(&old);
            }
        }
    }
}

/// A price of YES as a price of the order's own token.
pub(crate) fn price_of(place: &PlaceOrder, units: u16) -> oddsmith_domain::Price {
    let price = oddsmith_domain::Price::from_units(units).unwrap_or_default();
    match place.asset.outcome() {
        oddsmith_domain::Outcome::Yes => price,
        oddsmith_domain::Outcome::No => price.complement(),
    }
}
