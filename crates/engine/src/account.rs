//! What the venue says of our account: the user channel, and the account read whole.

use oddsmith_domain::{
    AccountSnapshot, AccountTrade, Address, AssetId, DifferenceKind, DoubtCause, Event, InstanceId, MarketId, Movement,
    Omission, OrderId, OrderState, Output, ReadReason, Scope, Shares, Time, TradeStatus,
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
        self.unfamiliar[1].note((report.unknown_events, 0), (bytes, None), now, (&mut self.emit, out));
        for event in &events {
            match event {
                UserEvent::Trade(trade) => self.on_trade(trade, now, out),
                UserEvent::Order(order) => {
                    if self.orders.get(&order.id).is_none() {
                        self.on_foreign_order(&order.id, order.asset, now, out);
                    } else {
                        let matched = order.size_matched.unwrap_or(Shares::ZERO);
                        self.on_order_standing(&order.id, order.status, matched, now, out);
                    }
                }
            }
        }
        self.scratch.user_events = events;
    }

    /// An order under our key that this run has not made: told once. The next read of the account shows whether it is alive, and then
    /// everything is cancelled.
    pub(crate) fn on_foreign_order(&mut self, id: &OrderId, asset: Option<AssetId>, now: Time, out: &mut Vec<Output>) {
        if self.foreign.insert(*id) {
            let what = format!("order {id} under this key was not made by this run");
            self.differ(DifferenceKind::ForeignOrder, asset.map(AssetId::market), what, out);
            self.suspect(now.mono_ns);
        }
    }

    /// Tells a difference between the venue's account and our books.
    pub(crate) fn differ(
        &mut self,
        kind: DifferenceKind,
        market: Option<MarketId>,
        what: String,
        out: &mut Vec<Output>,
    ) {
        self.counts.differences += 1;
        self.emit.event(out, Event::Difference { kind, market, what });
    }

    /// Counts our parts of a match, each once, however often and in whatever order it is reported.
    pub(crate) fn on_trade(&mut self, trade: &AccountTrade, now: Time, out: &mut Vec<Output>) {
        let (orders, fills, markets) = (&self.orders, &self.fills, &self.markets);
        let legs = own_legs(
            trade,
            self.setup.as_ref().map_or_else(Address::default, |setup| setup.payer.maker),
            |id| orders.get(id).is_some() || fills.get(trade.id, *id).is_some(),
            |asset| markets.get(asset.market().index()).and_then(|m| m.card.fee),
        );
        for leg in &legs {
            self.on_leg(trade, leg, now, out);
        }
    }

    /// Whose a part of a match is, and of which token. An order that this run does not know is nobody's; what it did before the run
    /// is in the balances that the run began with.
    fn owner_of(&mut self, trade: &AccountTrade, leg: &OwnLeg, out: &mut Vec<Output>) -> Option<(InstanceId, AssetId)> {
        if let Some(order) = self.orders.get(&leg.order) {
            return Some((order.place.instance, order.place.asset));
        }
        if let Some(booked) = self.fills.get(trade.id, leg.order) {
            return Some((booked.owner, booked.asset));
        }
        let before = trade.match_time_s != 0 && trade.match_time_s < self.started_s;
        if before || trade.status == TradeStatus::Failed {
            return None;
        }
        if self.strangers.insert(trade.id) {
            let what = format!(
                "match {} is of order {}, which this run does not know: {} {} @{}",
                trade.id,
                leg.order,
                leg.side.as_str(),
                leg.size,
                leg.price
            );
            self.differ(DifferenceKind::ForeignFill, leg.asset.map(AssetId::market), what, out);
        }
        leg.asset.map(|asset| (InstanceId::WALLET, asset))
    }

    fn on_leg(&mut self, trade: &AccountTrade, leg: &OwnLeg, now: Time, out: &mut Vec<Output>) {
        let Some((owner, asset)) = self.owner_of(trade, leg, out) else { return };
        let market = asset.market();
        match self.fills.apply(&mut self.ledger, trade.id, trade.status, leg, (owner, asset)) {
            Applied::Known => return,
            Applied::Disagrees(booked) => {
                let what = format!("match {} of order {} was {booked}, now {}", trade.id, leg.order, leg.size);
                self.differ(DifferenceKind::FillTerms, Some(market), what, out);
                return self.doubt_wallet(DoubtCause::Mismatch, now, out);
            }
            Applied::Contradicts(from) => return self.on_contradiction(trade, leg, from, now, out),
            Applied::New(movement) => self.on_new_fill(trade, leg, (owner, asset), movement, now, out),
            Applied::Settled(status) => {
                self.tell_settlement(trade, leg, out);
                if status == TradeStatus::Failed && self.fills.get(trade.id, leg.order).is_some() {
                    self.orders.unfilled(&leg.order, leg.size);
                    let text = format!("match {} of order {} failed to settle and is undone", trade.id, leg.order);
                    self.emit.event(out, Event::Alert { text });
                }
            }
        }
        self.tell_ledger(owner, market, out);
        self.book_decision(market, out);
        self.recount(market);
        self.follow_holdings(owner, market, now, out);
        self.wake(market, true);
    }

    /// The venue says that a settlement ended otherwise than it had said before: reported, not followed, and the account is read.
    fn on_contradiction(
        &mut self,
        trade: &AccountTrade,
        leg: &OwnLeg,
        from: TradeStatus,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        if self.strangers.insert(trade.id) {
            let (order, to) = (leg.order, trade.status);
            self.emit.event(out, Event::IllegalSettlement { trade: trade.id, order, from, to });
            self.doubt_wallet(DoubtCause::Mismatch, now, out);
        }
    }

    fn on_new_fill(
        &mut self,
        trade: &AccountTrade,
        leg: &OwnLeg,
        (owner, asset): (InstanceId, AssetId),
        movement: Movement,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        self.counts.fills += 1;
        let known = self.orders.get(&leg.order).map(|order| order.place.side());
        self.emit.event(
            out,
            Event::Fill {
                trade: trade.id,
                order: leg.order,
                instance: Some(owner).filter(|owner| *owner != InstanceId::WALLET),
                asset,
                side: leg.side,
                price: leg.price,
                size: leg.size,
                fee: leg.fee,
                taker: leg.taker,
                movement,
                matched_s: trade.match_time_s,
            },
        );
        if leg.asset.is_some_and(|stated| stated != asset) || known.is_some_and(|side| side != leg.side) {
            let what = format!("match {} reports order {} with another token or side", trade.id, leg.order);
            self.differ(DifferenceKind::FillTerms, Some(asset.market()), what, out);
        }
        let change = self.orders.filled(&leg.order, leg.size, now);
        self.tell_change(change, out);
        self.remember_fill(leg, (owner, asset), now);
        if trade.status != TradeStatus::Matched {
            self.tell_settlement(trade, leg, out);
        }
    }

    fn remember_fill(&mut self, leg: &OwnLeg, (owner, asset): (InstanceId, AssetId), now: Time) {
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

    pub(crate) fn tell_ledger(&mut self, instance: InstanceId, market: MarketId, out: &mut Vec<Output>) {
        self.counts.movements += 1;
        let account = self.ledger.account(instance, market);
        self.emit.event(out, Event::Ledger { instance, market, account });
        if account.is_short() || !account.balances() {
            let what = format!("instance {} is short in market {}, or does not balance", instance.0, market.0);
            self.differ(DifferenceKind::Ledger, Some(market), what, out);
        }
    }

    /// The account, read because the wallet is in doubt.
    pub(crate) fn on_account_in_doubt(
        &mut self,
        outcome: &Result<AccountSnapshot, Omission>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let snapshot = match outcome {
            Ok(snapshot) => snapshot,
            Err(omission) => {
                self.reject_account(ReadReason::Doubt, omission, out);
                self.account_unread(ReadReason::Schedule, now, out);
                return self.wallet.retry_at(now.mono_ns + RETRY_NS);
            }
        };
        self.take_account(snapshot, ReadReason::Doubt, now, out);
        match self.wallet.phase() {
            Phase::Name(Step::Asked(_)) => {
                for order in &snapshot.orders {
                    if self.orders.get(&order.id).is_some() {
                        continue;
                    }
                    let what = format!(
                        "order {} under this key ({} {} @{}) was open before this run and is cancelled",
                        order.id,
                        order.side.as_str(),
                        order.original_size,
                        order.price
                    );
                    self.foreign.insert(order.id);
                    self.differ(DifferenceKind::ForeignOrder, order.asset.map(AssetId::market), what, out);
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
        self.await_no_matches();
        for (id, claimed, booked) in self.orders.missing_fills() {
            let what = format!("order {id}: the venue claimed {claimed} matched, its trades show {booked}");
            self.differ(DifferenceKind::MissingFill, None, what, out);
            self.orders.note(&id, |order| order.venue_matched = order.filled);
        }
    }
}
