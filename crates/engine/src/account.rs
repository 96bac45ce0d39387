//! What the venue says of our account: the user channel, and the account read whole.

use oddsmith_domain::{
    AccountSnapshot, AccountTrade, DoubtCause, Event, OrderId, OrderState, Output, Scope, Shares, Side, Time,
    TradeStatus, UnknownCause,
};
use oddsmith_execution::{Applied, OwnLeg, own_legs};
use oddsmith_polymarket::codec::user::UserEvent;
use oddsmith_strategy::OwnFill;

use crate::config::ns;
use crate::core::Engine;
use crate::doubt::{Phase, Step, VERIFIED};
use crate::tick::RETRY_NS;

impl Engine {
    pub(crate) fn on_user(&mut self, bytes: &[u8], now: Time, out: &mut Vec<Output>) {
        let mut events = std::mem::take(&mut self.scratch.user_events);
        events.clear();
        let report = self.scratch.user.decode(&self.assets, bytes, &mut events);
        if report.undecodable > 0 {
            self.counts.undecodable += u64::from(report.undecodable);
            let why = report.first_fault.map_or_else(String::new, |fault| fault.to_string());
            self.emit.event(out, Event::Undecodable { elements: report.undecodable, why });
            // A fill may have been in it.
            self.doubt_wallet(DoubtCause::Mismatch, now, out);
        }
        for event in &events {
            match event {
                UserEvent::Trade(trade) => self.on_trade(trade, now, out),
                UserEvent::Order(order) => {
                    if self.orders.get(&order.id).is_none() {
                        self.on_foreign_order(&order.id, out);
                    } else {
                        let matched = order.size_matched.unwrap_or(Shares::ZERO);
                        self.on_order_standing(&order.id, order.status, matched, now, out);
                    }
                }
            }
        }
        self.scratch.user_events = events;
    }

    /// An order under our key that this run has not made. It is named; what to do about it is a person's decision.
    fn on_foreign_order(&mut self, id: &OrderId, out: &mut Vec<Output>) {
        let what = format!("order {id} under this key was not made by this run");
        self.emit.event(out, Event::Difference { what });
    }

    /// Counts our parts of a match, each once, however often and in whatever order it is reported.
    pub(crate) fn on_trade(&mut self, trade: &AccountTrade, now: Time, out: &mut Vec<Output>) {
        let (orders, markets) = (&self.orders, &self.markets);
        let legs = own_legs(
            trade,
            |id| orders.get(id).is_some(),
            |asset| markets.get(asset.market().index()).and_then(|m| m.card.fee),
        );
        if legs.is_empty() {
            let before = trade.match_time_s != 0 && trade.match_time_s < self.started_s;
            if !before && self.strangers.insert(trade.id) {
                let what = format!("match {} is of an order that this run does not know", trade.id);
                self.emit.event(out, Event::Difference { what });
            }
            return;
        }
        for leg in &legs {
            self.on_leg(trade, leg, now, out);
        }
    }

    fn on_leg(&mut self, trade: &AccountTrade, leg: &OwnLeg, now: Time, out: &mut Vec<Output>) {
        let Some(order) = self.orders.get(&leg.order) else { return };
        let (owner, asset, since) = (order.place.instance, order.place.asset, order.since);
        let market = asset.market();
        match self.fills.apply(&mut self.ledger, trade.id, trade.status, leg, (owner, asset)) {
            Applied::Known => return,
            Applied::New => {
                self.counts.fills += 1;
                self.emit.event(
                    out,
                    Event::Fill {
                        trade: trade.id,
                        order: leg.order,
                        instance: Some(owner),
                        asset,
                        side: leg.side,
                        price: leg.price,
                        size: leg.size,
                        fee: leg.fee,
                        taker: leg.taker,
                    },
                );
                if leg.asset.is_some_and(|stated| stated != asset) || leg.side != self.side_of(&leg.order) {
                    let what = format!("match {} reports order {} with another token or side", trade.id, leg.order);
                    self.emit.event(out, Event::Difference { what });
                }
                let change = self.orders.filled(&leg.order, leg.size, now);
                self.tell_change(change, out);
                self.remember_fill(leg, (owner, asset), now);
                if trade.status != TradeStatus::Matched {
                    self.tell_settlement(trade, leg, out);
                }
            }
            Applied::Settled(status) => {
                self.tell_settlement(trade, leg, out);
                if status == TradeStatus::Failed && self.fills.is_booked(trade.id, leg.order) {
                    self.orders.unfilled(&leg.order, leg.size);
                    let age_ms = now.since(since) / Time::MILLI;
                    let text = format!("match {} of order {} failed to settle ({age_ms} ms old)", trade.id, leg.order);
                    self.emit.event(out, Event::Alert { text });
                }
            }
        }
        self.tell_ledger(owner, market, out);
        self.recount(market);
        self.wake(market, true);
    }

    fn side_of(&self, id: &OrderId) -> Side {
        self.orders.get(id).map_or(Side::Buy, |order| order.place.side())
    }

    fn remember_fill(
        &mut self,
        leg: &OwnLeg,
        (owner, asset): (oddsmith_domain::InstanceId, oddsmith_domain::AssetId),
        now: Time,
    ) {
        let open =
            oddsmith_risk::OpenOrder { outcome: asset.outcome(), side: leg.side, price: leg.price, size: leg.size };
        let wanted = self.instances.get_mut(usize::from(owner.0)).and_then(|i| i.wants.get_mut(&asset.market()));
        if let Some(wanted) = wanted {
            let (side, _) = open.in_yes_terms();
            wanted.fills.push(OwnFill { mono_ns: now.mono_ns, side, size: leg.size, notional: leg.notional });
        }
    }

    fn tell_settlement(&mut self, trade: &AccountTrade, leg: &OwnLeg, out: &mut Vec<Output>) {
        self.emit.event(out, Event::Settlement { trade: trade.id, order: leg.order, status: trade.status });
    }

    fn tell_ledger(
        &mut self,
        instance: oddsmith_domain::InstanceId,
        market: oddsmith_domain::MarketId,
        out: &mut Vec<Output>,
    ) {
        let account = self.ledger.account(instance, market);
        let assets = oddsmith_domain::Outcome::BOTH.map(|outcome| market.asset(outcome));
        self.emit.event(
            out,
            Event::Ledger {
                instance,
                market,
                cash: account.cash,
                realized: account.realized,
                cost_basis: account.cost_basis(),
                matched: assets.map(|asset| self.fills.matched(instance, asset)),
                settled: assets.map(|asset| self.fills.settled(instance, asset)),
            },
        );
        if account.is_short() || !account.balances() {
            let what =
                format!("the account of instance {} in market {} is short or does not balance", instance.0, market.0);
            self.emit.event(out, Event::Difference { what });
        }
    }

    /// The account, read because the wallet is in doubt.
    pub(crate) fn on_account_in_doubt(
        &mut self,
        outcome: &Result<AccountSnapshot, UnknownCause>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let snapshot = match outcome {
            Ok(snapshot) => snapshot,
            Err(cause) => {
                let text = format!("the account could not be read whole ({cause:?}); it is tried again");
                self.emit.event(out, Event::Alert { text });
                self.account_unread(now, out);
                return self.wallet.retry_at(now.mono_ns + RETRY_NS);
            }
        };
        self.account_was_read();
        self.take_facts(snapshot, now, out);
        match self.wallet.phase() {
            Phase::Name(Step::Asked(_)) => {
                for order in snapshot.orders.iter().filter(|o| self.orders.get(&o.id).is_none()) {
                    let what = format!(
                        "order {} under this key ({} {} @{}) was open before this run and is cancelled",
                        order.id,
                        order.side.as_str(),
                        order.original_size,
                        order.price
                    );
                    self.emit.event(out, Event::Difference { what });
                }
                self.wallet.done(now, 0);
            }
            Phase::Verify(Step::Asked(_)) => self.verify(snapshot, now, out),
            _ => {}
        }
    }

    /// Whether the venue shows that nothing of ours is left. Placements whose answer is still out could yet land: wait for them.
    fn verify(&mut self, snapshot: &AccountSnapshot, now: Time, out: &mut Vec<Output>) {
        let in_flight = self.awaited.values().any(|p| matches!(p, crate::core::Purpose::Place(_)));
        if in_flight || !snapshot.orders.is_empty() {
            return self.wallet.retry_at(now.mono_ns + RETRY_NS / 5);
        }
        let open: Vec<_> = self.orders.open().map(|o| o.place.id).collect();
        for id in open {
            self.change(&id, OrderState::Canceled, now, out);
        }
        self.settle_differences(out);
        VERIFIED.into_iter().for_each(|cause| self.wallet.resolve(cause));
        self.emit.event(out, Event::DoubtCleared { scope: Scope::Wallet });
        self.wallet.done(now, ns(self.config.timing.wallet_cooldown_ms));
    }

    /// Matches that the venue claimed for an order but that are in none of its trades: told once, and the venue's trades rule.
    fn settle_differences(&mut self, out: &mut Vec<Output>) {
        for (id, claimed, booked) in self.orders.missing_fills() {
            let what = format!("order {id}: the venue claimed {claimed} matched, its trades show {booked}");
            self.emit.event(out, Event::Difference { what });
            self.orders.note(&id, |order| order.venue_matched = order.filled);
        }
    }

    pub(crate) fn on_reconciled(
        &mut self,
        outcome: &Result<AccountSnapshot, UnknownCause>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        match outcome {
            Ok(snapshot) => {
                self.account_was_read();
                self.take_facts(snapshot, now, out);
                let foreign: Vec<_> =
                    snapshot.orders.iter().map(|o| o.id).filter(|id| self.orders.get(id).is_none()).collect();
                for id in &foreign {
                    self.on_foreign_order(id, out);
                }
                if !foreign.is_empty() {
                    self.doubt_wallet(DoubtCause::Mismatch, now, out);
                }
            }
            Err(cause) => {
                let text = format!("the account could not be read for comparison ({cause:?})");
                self.emit.event(out, Event::Alert { text });
                self.account_unread(now, out);
            }
        }
    }

    /// Takes over what cannot be argued about: matches, and balances when nothing is on its way.
    fn take_facts(&mut self, snapshot: &AccountSnapshot, now: Time, out: &mut Vec<Output>) {
        for trade in &snapshot.trades {
            self.on_trade(trade, now, out);
        }
        let Some(opening) = self.opening else {
            self.opening = Some(snapshot.collateral - self.ledger.cash());
            return;
        };
        if self.fills.unsettled() > 0 {
            return;
        }
        let expected = opening + self.ledger.cash();
        if expected != snapshot.collateral && self.wallet.is_quiet() {
            let what = format!("the venue counts {} pUSD where {expected} are expected", snapshot.collateral);
            self.emit.event(out, Event::Difference { what });
            self.opening = Some(snapshot.collateral - self.ledger.cash());
        }
    }
}
