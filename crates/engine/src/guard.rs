//! What stops or narrows trading: the kill switch, the operator's modes, the day's loss, and how each takes effect.

use oddsmith_domain::{
    CancelOutcome, DoubtCause, Event, InstanceId, KillReason, Latch, LatchScope, Latched, MarketId, MarketSource,
    OrderId, OrderState, Outcome, Output, PlaceOutcome, ProfitMark, RefusalCode, Scope, SubAccount, Time, TradingMode,
    Usdc,
};
use oddsmith_risk::Went;

use crate::core::Engine;

/// The doubts by which a latch halts the wallet or a market: everything is cancelled, and it is shown that nothing is left.
const LATCH_CAUSES: [DoubtCause; 4] =
    [DoubtCause::KillSwitch, DoubtCause::DailyLoss, DoubtCause::Breaker, DoubtCause::Halted];

/// For how many seconds after its begin a run waits for the books of what it holds before it looks at its profit.
const MARKS_WAIT_S: u64 = 60;

impl Engine {
    /// Throws the kill switch.
    pub(crate) fn kill(&mut self, reason: KillReason, now: Time, out: &mut Vec<Output>) {
        let events = self.gate.kill(reason, now.wall_ns);
        if !events.is_empty() {
            self.tell_all(events, out);
            self.apply_latches(now, out);
        }
    }

    /// The operator has looked: what the engine stopped by itself goes on. The operator's own words stay.
    pub(crate) fn reset(&mut self, now: Time, out: &mut Vec<Output>) {
        let mut events = self
            .gate
            .latches_mut()
            .release(|l| matches!(l.latch, Latch::Kill(_) | Latch::DailyLoss | Latch::Breaker(_)));
        events.extend(self.gate.forgive_losses());
        self.tell_all(events, out);
        self.apply_latches(now, out);
    }

    /// The operator's word about a scope.
    pub(crate) fn set_mode(&mut self, scope: Scope, mode: TradingMode, now: Time, out: &mut Vec<Output>) {
        let Some(scope) = self.lasting(scope) else {
            let text = format!("there is no {scope:?}: the command changed nothing");
            return self.emit.event(out, Event::Alert { text });
        };
        if mode == TradingMode::Active {
            let ends = |latch| matches!(latch, Latch::Mode(_) | Latch::Breaker(_) | Latch::CoolDown);
            let events = self.gate.latches_mut().release(|l| l.scope == scope && ends(l.latch));
            self.tell_all(events, out);
        } else if let Some(event) =
            self.gate.latches_mut().engage(Latched { scope, latch: Latch::Mode(mode), until_wall_ns: None })
        {
            self.emit.event(out, event);
        }
        self.apply_latches(now, out);
    }

    /// Throws a latch, tells it and lets it take effect.
    pub(crate) fn engage(&mut self, latched: Latched, now: Time, out: &mut Vec<Output>) {
        if let Some(event) = self.gate.latches_mut().engage(latched) {
            self.emit.event(out, event);
            self.apply_latches(now, out);
        }
    }

    /// Takes over what held when the run before ended.
    pub fn restore_latches(&mut self, latches: &[Latched], mark: Option<ProfitMark>, now: Time, out: &mut Vec<Output>) {
        let events = self.gate.restore(latches, mark);
        self.tell_all(events, out);
        self.apply_latches(now, out);
    }

    /// Looks at the profit and at what ends by itself.
    pub(crate) fn watch_latches(&mut self, profit: Usdc, now: Time, out: &mut Vec<Output>) {
        let mut events = self.gate.latches_mut().expire(now.wall_ns);
        if !self.awaits_marks(now) {
            events.extend(self.gate.mark(profit, now.wall_ns));
        }
        self.watch_narrowings(now);
        self.watch_connection(now, out);
        if events.is_empty() {
            return;
        }
        let changed = events.iter().any(|event| !matches!(event, Event::Profit(_)));
        self.tell_all(events, out);
        if changed {
            self.apply_latches(now, out);
        }
    }

    /// Whether something is held whose value is not known yet, soon after the begin of a run: what it has lost before would look
    /// as if it had been won back.
    fn awaits_marks(&self, now: Time) -> bool {
        let unknown = |(_, market, account): (InstanceId, MarketId, &SubAccount)| {
            let open = self.markets.get(market.index()).filter(|market| !market.resolved);
            account.shares.iter().any(|shares| !shares.is_zero()) && open.is_some_and(|market| market.mark().is_none())
        };
        now.wall_s() < self.started_s.saturating_add(MARKS_WAIT_S) && self.ledger.accounts().any(unknown)
    }

    /// A venue that is out of reach for too long is a matter for a person.
    fn watch_connection(&mut self, now: Time, out: &mut Vec<Output>) {
        let most_s = self.gate.limits().kill.max_disconnect_s;
        if !self.wallet.has(DoubtCause::UserLink) {
            self.disconnected = None;
            return;
        }
        let since = *self.disconnected.get_or_insert(now);
        if most_s > 0 && now.since(since) >= most_s.saturating_mul(Time::SECOND) {
            self.kill(KillReason::Disconnected, now, out);
        }
    }

    /// Counts the result of a placement for the market's breaker. To be called before the order changes.
    pub(crate) fn note_placement(&mut self, id: &OrderId, outcome: &PlaceOutcome, now: Time, out: &mut Vec<Output>) {
        let Some((place, mut since)) = self.orders.get(id).map(|o| (o.place, o.since)) else { return };
        let market = place.asset.market();
        if !place.order_type.rests() {
            // Some venues hold the answer back for as long as they hold the order back.
            let held = self.markets.get(market.index()).map_or(0, |m| m.card.taker_delay_ms);
            since = since.plus_ns(crate::config::ns(held));
        }
        let went = match outcome {
            PlaceOutcome::Accepted { .. } => Went::Accepted,
            PlaceOutcome::Refused { code, .. } if is_a_reject(*code) => Went::Rejected,
            PlaceOutcome::Refused { .. } | PlaceOutcome::Unknown(_) => Went::Unclear,
            // It never left: nothing is known of the venue.
            PlaceOutcome::NotSent(_) => return,
        };
        self.note_request(market, went, since, now, out);
    }

    /// The same for a cancel.
    pub(crate) fn note_cancel(&mut self, id: &OrderId, outcome: &CancelOutcome, now: Time, out: &mut Vec<Output>) {
        let Some(order) = self.orders.get(id) else { return };
        let since = if order.state == OrderState::PendingCancel { order.state_since } else { now };
        let market = order.place.asset.market();
        let went = match outcome {
            CancelOutcome::Canceled => Went::Canceled,
            CancelOutcome::Refused(_) => Went::CancelFailed,
            CancelOutcome::Gone(_) | CancelOutcome::Unknown(_) => Went::Unclear,
            CancelOutcome::NotSent(_) => return,
        };
        self.note_request(market, went, since, now, out);
    }

    fn note_request(&mut self, market: MarketId, went: Went, since: Time, now: Time, out: &mut Vec<Output>) {
        let (tripped, too_many) = self.gate.note_request(market, went, now.since(since) / Time::MILLI);
        if let (Some(cause), Some(scope)) = (tripped, self.lasting(Scope::Market(market))) {
            self.engage(self.gate.breaker_latch(scope, cause, now.wall_ns), now, out);
        }
        if too_many {
            self.kill(KillReason::Errors, now, out);
        }
    }

    /// A frame of a connection was not understood: a change may be lost. The books of its markets in which orders of ours rest are
    /// read by REST and compared; one that differs is dirty, and stops its market and no other.
    pub(crate) fn compare_exposed(&mut self, source: MarketSource, now: Time, out: &mut Vec<Output>) {
        let MarketSource::Shard(shard) = source else { return };
        let of_shard = self.markets.iter().map(|market| market.id).filter(|id| id.shard() == shard);
        let exposed: Vec<_> = of_shard.filter(|id| self.orders.open_in(*id).next().is_some()).collect();
        for asset in exposed.into_iter().flat_map(|id| Outcome::BOTH.map(|outcome| id.asset(outcome))) {
            self.fetch_book(asset, now, out);
        }
    }

    /// How far an instance may trade in a market.
    pub(crate) fn trading_mode(&self, instance: InstanceId, market: MarketId) -> TradingMode {
        let latches = self.gate.latches();
        let (Some(market), Some(instance)) =
            (self.markets.get(market.index()), self.instances.get(usize::from(instance.0)))
        else {
            return TradingMode::Halted;
        };
        latches.mode(&market.card.condition, &instance.name)
    }

    /// Brings the doubts and the plans into line with the latches that hold. Also for a market that has just become known.
    pub(crate) fn apply_latches(&mut self, now: Time, out: &mut Vec<Output>) {
        for cause in LATCH_CAUSES {
            let halts = |latch| cause_of(latch) == Some(cause);
            let wallet = self.gate.latches().iter().any(|l| l.scope == LatchScope::Wallet && halts(l.latch));
            if wallet {
                self.doubt_wallet(cause, now, out);
            } else {
                self.wallet.resolve(cause);
            }
            for n in 0..self.markets.count() {
                let Some(market) = self.markets.nth_mut(n) else { continue };
                let (id, condition) = (market.id, market.card.condition);
                let own = |scope: &LatchScope| matches!(scope, LatchScope::Market(c) if *c == condition);
                if self.gate.latches().iter().any(|l| own(&l.scope) && halts(l.latch)) {
                    self.doubt_market(id, cause, now, out);
                } else {
                    market.doubt.resolve(cause);
                }
            }
        }
        self.wake_all();
        self.pending = true;
    }

    /// The name of a scope that outlives the run.
    fn lasting(&self, scope: Scope) -> Option<LatchScope> {
        Some(match scope {
            Scope::Wallet => LatchScope::Wallet,
            Scope::Market(id) => LatchScope::Market(self.markets.get(id.index())?.card.condition),
            Scope::Instance(id) => LatchScope::Instance(self.instances.get(usize::from(id.0))?.name.clone()),
        })
    }

    fn tell_all(&mut self, events: Vec<Event>, out: &mut Vec<Output>) {
        for event in events {
            self.emit.event(out, event);
        }
    }
}

/// The doubt by which a latch halts its scope; none for a latch that only narrows.
const fn cause_of(latch: Latch) -> Option<DoubtCause> {
    match latch {
        Latch::Kill(_) | Latch::CoolDown => Some(DoubtCause::KillSwitch),
        Latch::DailyLoss => Some(DoubtCause::DailyLoss),
        Latch::Breaker(_) => Some(DoubtCause::Breaker),
        Latch::Mode(TradingMode::Halted) => Some(DoubtCause::Halted),
        Latch::Mode(TradingMode::Active | TradingMode::Reducing) | Latch::HalfSize => None,
    }
}

/// Whether a refusal speaks against trading in the market. The others have their own answer: a price that moved, a venue in
/// another mode, a rate.
const fn is_a_reject(code: RefusalCode) -> bool {
    !matches!(
        code,
        RefusalCode::PostOnlyWouldCross
            | RefusalCode::PostOnlyMode
            | RefusalCode::CancelOnlyMode
            | RefusalCode::TradingDisabled
            | RefusalCode::EngineRestarting
            | RefusalCode::RateLimited
            | RefusalCode::FokNotFilled
            | RefusalCode::FakNotFilled
    )
}
