//! What happens by itself: timers, doubt's steps, the watch over books and orders.

use oddsmith_domain::{
    Action, AssetId, BookHealth, DoubtCause, Event, FetchWhat, MarketId, OrderId, OrderState, Outcome, Output,
    RequestKind, Scope, Side, Time, Withdrawal,
};

use crate::config::ns;
use crate::core::{Engine, Purpose};
use crate::doubt::Want;

/// How often books, unknown orders and the day's profit are looked at.
const WATCH_NS: u64 = 100 * Time::MILLI;
/// How long a request that failed rests before it is made again.
pub(crate) const RETRY_NS: u64 = Time::SECOND;
/// How often a book that is not trusted is fetched again.
const REFETCH_NS: u64 = Time::SECOND;

impl Engine {
    pub(crate) fn on_tick(&mut self, now: Time, out: &mut Vec<Output>) {
        self.pending = false;
        if self.setup.is_none() {
            return;
        }
        self.step_wallet(now, out);
        self.step_markets(now, out);
        self.step_timers(now, out);
        self.watch_states(now, out);
        self.cancel_moved_through(now, out);
        if self.wallet.may_quote() {
            self.evaluate_one(now, out);
        }
        self.watch_pauses(now, out);
        self.step_baskets(now, out);
        self.plan_due(now, out);
        self.pending |= self.next_deadline().is_some_and(|at| at <= now.mono_ns);
    }

    /// When a [`oddsmith_domain::Input::Tick`] is due at the latest, on the monotonic clock.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.setup.as_ref()?;
        let timing = &self.config.timing;
        let mut next = self.timers.watch;
        if timing.heartbeat_ms > 0 {
            next = next.min(self.timers.heartbeat);
        }
        next = self.wallet.deadline().map_or(next, |at| next.min(at));
        next = self.next_basket().map_or(next, |at| next.min(at));
        if self.wallet.may_quote() {
            for instance in &self.instances {
                next = instance.next_evaluation(timing).map_or(next, |at| next.min(at));
            }
            for (instance, market) in self.plans.keys() {
                next = next.min(self.plan_at(*instance, *market));
            }
        }
        Some(next)
    }

    fn step_wallet(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.wallet.want(now, ns(self.config.timing.caution_ms)) {
            Some(Want::Cancel) => {
                let action = self.emit.action(out, Action::CancelAll);
                self.awaited.insert(action, Purpose::Doubt(Scope::Wallet));
                self.wallet.asked(action);
                self.pending_cancel_all(now, out);
            }
            Some(Want::Read) if self.breakers.room(RequestKind::Account) == 0 => {
                self.wallet.postpone(now.mono_ns + RETRY_NS);
            }
            // A placement on its way may arrive behind the cancel and behind the listing of the orders: it is waited for, and what it
            // left is cancelled, too.
            Some(Want::Read) if self.awaited.values().any(|purpose| matches!(purpose, Purpose::Place(_))) => {
                self.wallet.retry_at(now.mono_ns + RETRY_NS / 5);
            }
            Some(Want::Read) => {
                let action = self.fetch_account(Purpose::Doubt(Scope::Wallet), now, out);
                self.wallet.asked(action);
            }
            Some(Want::Ended) => {
                self.emit.event(out, Event::DoubtEnded { scope: Scope::Wallet });
                self.wake_all();
            }
            Some(Want::Calm) => self.emit.event(out, Event::CautionEnded { scope: Scope::Wallet }),
            None => {}
        }
    }

    fn step_markets(&mut self, now: Time, out: &mut Vec<Output>) {
        let caution = ns(self.config.timing.caution_ms);
        for n in 0..self.markets.count() {
            let Some(market) = self.markets.nth_mut(n) else { continue };
            let id = market.id;
            match market.doubt.want(now, caution) {
                Some(Want::Cancel) if self.orders.open_in(id).next().is_none() => {
                    let cooldown = ns(self.config.timing.market_cooldown_ms);
                    market.doubt.done_without_reading(now, cooldown);
                    self.emit.event(out, Event::DoubtCanceled { scope: Scope::Market(id) });
                    self.emit.event(out, Event::DoubtCleared { scope: Scope::Market(id) });
                }
                Some(Want::Cancel) => {
                    let action = self.emit.action(out, Action::CancelMarket { market: id });
                    self.awaited.insert(action, Purpose::Doubt(Scope::Market(id)));
                    market.doubt.asked(action);
                    let open: Vec<_> = self.orders.open_in(id).map(|o| o.place.id).collect();
                    for order in open {
                        self.change(&order, OrderState::PendingCancel, now, out);
                    }
                }
                Some(Want::Ended) => {
                    self.emit.event(out, Event::DoubtEnded { scope: Scope::Market(id) });
                    self.wake(id, true);
                }
                Some(Want::Calm) => self.emit.event(out, Event::CautionEnded { scope: Scope::Market(id) }),
                Some(Want::Read) | None => {}
            }
        }
    }

    fn pending_cancel_all(&mut self, now: Time, out: &mut Vec<Output>) {
        let open: Vec<_> = self.orders.open().filter(|o| o.state != OrderState::Unknown).map(|o| o.place.id).collect();
        for order in open {
            self.change(&order, OrderState::PendingCancel, now, out);
        }
    }

    fn step_timers(&mut self, now: Time, out: &mut Vec<Output>) {
        let timing = &self.config.timing;
        if timing.heartbeat_ms > 0 && now.mono_ns >= self.timers.heartbeat {
            self.timers.heartbeat = now.mono_ns + ns(timing.heartbeat_ms);
            if !self.awaited.values().any(|p| *p == Purpose::Heartbeat) {
                let action = self.emit.action(out, Action::Heartbeat);
                self.awaited.insert(action, Purpose::Heartbeat);
            }
        }
        self.step_reconcile(now, out);
        self.step_poll(now, out);
        if now.mono_ns >= self.timers.cross_check {
            self.timers.cross_check = now.mono_ns + ns(self.config.timing.cross_check_ms);
            self.cross_check(now, out);
        }
        if now.mono_ns >= self.timers.watch {
            self.timers.watch = now.mono_ns + WATCH_NS;
            self.watch_lives(now, out);
            self.watch_selection(now, out);
            self.watch_links(now, out);
            self.watch_quiet(now, out);
            self.watch_books(now, out);
            self.watch_references(now, out);
            self.watch_orders(now, out);
            self.watch_age(now, out);
            self.watch_venue(now, out);
            self.watch_breakers(now, out);
            self.watch_defences(now, out);
            self.watch_profit(now, out);
            self.watch_decisions(now, out);
            self.watch_conversions(now, out);
        }
    }

    /// Reads the next book in turn by REST: a quiet book on a live connection counts as fresh only because this is done.
    fn cross_check(&mut self, now: Time, out: &mut Vec<Output>) {
        let tokens = self.markets.count() * 2;
        if tokens == 0 {
            return;
        }
        self.checked = (self.checked + 1) % tokens;
        let turn = self.markets.nth(self.checked / 2);
        // What was left is not received, and so cannot be compared.
        if let Some(market) = turn.filter(|id| self.is_received(*id)) {
            let outcome = if self.checked.is_multiple_of(2) { Outcome::Yes } else { Outcome::No };
            self.fetch_book(market.asset(outcome), now, out);
        }
    }

    fn watch_books(&mut self, now: Time, out: &mut Vec<Output>) {
        for n in 0..self.markets.count() {
            let Some(market) = self.markets.nth_mut(n) else { continue };
            let id = market.id;
            let before = market.health();
            market.book.idle_check(now);
            market.report_health(&mut self.emit, before, out);
            let age = market.book_age_ns(now, Engine::proof_of(&self.shards, id));
            let stale = age.is_none_or(|age| age > ns(self.config.timing.stale_book_ms));
            let exposed = self.orders.open_in(id).next().is_some();
            if stale && (exposed || age.is_some()) {
                self.doubt_market(id, DoubtCause::StaleBook, now, out);
            } else if !stale {
                market.doubt.resolve(DoubtCause::StaleBook);
            }
            self.review_book(id, now, out);
        }
    }

    /// Draws the consequences of a book's health: a dirty one stops its market, and what is not trusted is fetched.
    pub(crate) fn review_book(&mut self, id: MarketId, now: Time, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        let health = market.health();
        if health.contains(&BookHealth::Dirty) {
            self.doubt_market(id, DoubtCause::DirtyBook, now, out);
        } else {
            market.doubt.resolve(DoubtCause::DirtyBook);
        }
        for outcome in Outcome::BOTH {
            if matches!(health[outcome.index()], BookHealth::Dirty | BookHealth::Suspect) {
                self.fetch_book(id.asset(outcome), now, out);
            }
        }
    }

    pub(crate) fn fetch_book(&mut self, asset: AssetId, now: Time, out: &mut Vec<Output>) {
        if self.breakers.room(RequestKind::Book) == 0 {
            return;
        }
        let Some(market) = self.markets.get_mut(asset.market().index()) else { return };
        let fetch_at = &mut market.fetch_at[asset.outcome().index()];
        if now.mono_ns < *fetch_at {
            return;
        }
        *fetch_at = now.mono_ns + REFETCH_NS;
        self.breakers.sent(RequestKind::Book);
        let action = self.emit.action(out, Action::Fetch(FetchWhat::Book(asset)));
        self.awaited.insert(action, Purpose::Book(asset));
    }

    /// Asks for orders whose fate is unknown, and stops the wallet when it stays so, or when fills are missing for too long.
    fn watch_orders(&mut self, now: Time, out: &mut Vec<Output>) {
        let timing = &self.config.timing;
        let (unknown_ns, missing_ns) = (ns(timing.unknown_order_ms), ns(timing.missing_fill_ms));
        let mut ask = Vec::new();
        let (mut too_long, mut missing) = (false, false);
        for order in self.orders.open() {
            let age = now.since(order.state_since);
            if order.state == OrderState::Unknown {
                too_long |= age > unknown_ns;
            }
            let open_question = match order.state {
                OrderState::Unknown => true,
                // The cancel found nothing, or was lost: what became of the order has to be asked.
                OrderState::PendingCancel => !self.is_being_canceled(&order.place.id),
                _ => false,
            };
            if open_question && order.asked.is_none() && age > unknown_ns / 4 {
                ask.push(order.place.id);
            }
            if order.venue_matched.floor_lots() > order.filled && now.since(order.matched_since) > missing_ns {
                missing = true;
            }
        }
        for id in ask {
            self.query(id, out);
        }
        if too_long {
            self.doubt_wallet(DoubtCause::UnknownOrder, now, out);
        }
        if missing {
            self.doubt_wallet(DoubtCause::Mismatch, now, out);
        }
    }

    /// Whether a cancel that covers the order waits for its answer.
    pub(crate) fn is_being_canceled(&self, id: &OrderId) -> bool {
        self.awaited.values().any(|p| *p == Purpose::Cancel(*id) || matches!(p, Purpose::Doubt(_)))
    }

    fn watch_profit(&mut self, now: Time, out: &mut Vec<Output>) {
        let profit = self.profit();
        self.watch_latches(profit, now, out);
    }

    /// Cancels, at once and without waiting for an evaluation, every order that its book has moved through.
    fn cancel_moved_through(&mut self, now: Time, out: &mut Vec<Output>) {
        for n in 0..self.markets.count() {
            let Some(market) = self.markets.nth_mut(n) else { continue };
            if !std::mem::take(&mut market.touched) {
                continue;
            }
            let (id, bid, ask) = (market.id, market.book.best_bid(Outcome::Yes), market.book.best_ask(Outcome::Yes));
            let crossed = market.crossed;
            let through: Vec<_> = self
                .orders
                .open_in(id)
                .filter(|o| o.is_settled() && o.place.order_type.rests())
                // While bids and asks meet, whatever rests may be what somebody takes for being wrong.
                .filter(|o| {
                    crossed
                        || match o.open().in_yes_terms() {
                            (Side::Buy, price) => ask.is_some_and(|ask| ask.price <= price),
                            (Side::Sell, price) => bid.is_some_and(|bid| bid.price >= price),
                        }
                })
                .map(|o| o.place.id)
                .collect();
            for order in through {
                self.withdraw(&order, Withdrawal::MovedThrough, now, out);
            }
        }
    }

    pub(crate) fn wake_all(&mut self) {
        for n in 0..self.markets.count() {
            if let Some(id) = self.markets.nth(n) {
                self.wake(id, true);
            }
        }
    }
}
