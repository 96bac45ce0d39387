//! How a market ends: who says how it was decided, what that books, and pairs and winners that become collateral.

use oddsmith_domain::{
    Action, ActionSeq, AssetId, Booking, DifferenceKind, DoubtCause, Event, FetchWhat, InstanceId, MarketId, Movement,
    Outcome, Output, Price, ResolutionSource, Shares, Time, TokenOutcome, TradingState, UnknownCause,
};
use oddsmith_execution::booking_id;

use crate::core::{Engine, Purpose};

/// How often the venue is asked how a market was decided, while it matters to us.
const ASK_NS: u64 = 10 * Time::SECOND;
/// After a market's stated end nobody asks for this long: deciding takes its time.
const PATIENCE_S: u64 = 30;
/// After a merge or a redemption that was refused, the market waits this long.
pub(crate) const REFUSED_NS: u64 = 60 * Time::SECOND;

/// Tokens on their way to becoming collateral.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversion {
    /// Its action.
    pub(crate) action: ActionSeq,
    /// What was promised to it: whose, and how many of each outcome.
    pub(crate) what: Converting,
    /// Nobody knows what became of it: the balances will say, in so many reads that agree.
    pub(crate) unknown: Option<u32>,
}

/// What is being converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Converting {
    /// Pairs of an instance.
    Pairs(InstanceId, Shares),
    /// Everything in a decided market.
    Decided,
    /// It takes part in the conversion of an event, which is kept by its action.
    Event,
}

impl Engine {
    /// The market channel says that a market is decided. A winner is believed at once and the venue is asked all the same; without
    /// a winner the venue's own account of the market says what a share pays.
    pub(crate) fn on_resolved(&mut self, id: MarketId, winner: Option<AssetId>, now: Time, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        market.resolved = true;
        if !market.confirmed {
            market.ask_at = Some(now.mono_ns);
        }
        if let Some(winner) = winner.filter(|winner| winner.market() == id) {
            let yes = if winner.outcome() == Outcome::Yes { Price::ONE } else { Price::ZERO };
            self.decide(id, yes, ResolutionSource::Socket, out);
        }
    }

    /// The venue was asked how a market was decided.
    pub(crate) fn on_resolution(
        &mut self,
        id: MarketId,
        outcome: &Result<Option<Price>, UnknownCause>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        match outcome {
            Ok(Some(yes)) => {
                (market.resolved, market.confirmed, market.ask_at) = (true, true, None);
                self.decide(id, *yes, ResolutionSource::Venue, out);
            }
            // Not decided yet, or not to be had: asked again while it matters.
            Ok(None) | Err(_) => market.ask_at = Some(now.mono_ns + ASK_NS),
        }
    }

    /// Books what a decided market pays, once. A second source can only agree or be told.
    fn decide(&mut self, id: MarketId, yes: Price, source: ResolutionSource, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        match market.pays {
            Some(pays) if pays == yes => return,
            Some(pays) => {
                let what = format!("market {} was said to pay {pays} for YES, now {yes}", market.card.slug);
                self.differ(DifferenceKind::Resolution, Some(id), what, out);
                // The venue's own account of a market is the last word; the channel only announces.
                if source == ResolutionSource::Socket {
                    return;
                }
            }
            None => {}
        }
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        market.pays = Some(yes);
        self.emit.event(out, Event::Resolved { market: id, yes, source });
        self.book_decision(id, out);
        self.wake(id, false);
    }

    /// What is held in a decided market is worth what it pays: done at the decision, and after each movement that comes later.
    pub(crate) fn book_decision(&mut self, id: MarketId, out: &mut Vec<Output>) {
        let Some(yes) = self.markets.get(id.index()).and_then(|m| m.pays) else { return };
        let holders: Vec<InstanceId> = self.ledger.market(id).map(|(instance, _)| instance).collect();
        for instance in holders {
            let movement = self.ledger.decide((instance, id), yes);
            self.tell_booking((instance, id), Booking::Decided, movement, out);
        }
        self.recount(id);
    }

    /// Tells a booking and the sub-account after it, if anything moved.
    pub(crate) fn tell_booking(
        &mut self,
        (instance, market): (InstanceId, MarketId),
        booking: Booking,
        movement: Movement,
        out: &mut Vec<Output>,
    ) {
        if movement.is_nothing() {
            return;
        }
        let Some(condition) = self.markets.get(market.index()).map(|m| m.card.condition) else { return };
        self.bookings += 1;
        let run = self.setup.as_ref().map_or([0; 16], |setup| setup.run.0);
        let id = booking_id(&run, self.bookings, &condition, instance, booking);
        self.emit.event(out, Event::Booking { id, instance, market, booking, movement });
        self.tell_ledger(instance, market, out);
    }

    /// Asks how markets were decided that are past their end, or were announced, as long as something of them is held.
    pub(crate) fn watch_decisions(&mut self, now: Time, out: &mut Vec<Output>) {
        for n in 0..self.markets.count() {
            let Some(market) = self.markets.nth_mut(n) else { continue };
            let (id, over) = (market.id, market.card.end_wall_s.is_some_and(|end| now.wall_s() > end + PATIENCE_S));
            if market.confirmed || !(over || market.resolved) {
                continue;
            }
            let announced = market.resolved && market.pays.is_none();
            let held = self.ledger.market(id).any(|(_, account)| !account.is_flat());
            let due = *market.ask_at.get_or_insert(now.mono_ns) <= now.mono_ns;
            if due && (announced || held) {
                market.ask_at = Some(now.mono_ns + ASK_NS);
                let action = self.emit.action(out, Action::Fetch(FetchWhat::Resolution(id)));
                self.awaited.insert(action, Purpose::Resolution(id));
            }
        }
    }

    /// Makes collateral of complete pairs, and of what decided markets pay, where the configuration says so.
    pub(crate) fn watch_conversions(&mut self, now: Time, out: &mut Vec<Output>) {
        let rules = &self.config.tokens;
        let (merge, redeem) = (rules.merge_pairs || rules.merge_locked, rules.redeem);
        if !(merge || redeem) || !self.wallet.may_quote() {
            return;
        }
        for n in 0..self.markets.count() {
            let Some(market) = self.markets.nth_mut(n) else { continue };
            let (id, decided) = (market.id, market.pays.is_some() && market.confirmed);
            if market.conversion.is_some() || now.mono_ns < market.convert_at || market.doubt.has(DoubtCause::Mismatch)
            {
                continue;
            }
            if decided && redeem {
                self.redeem(id, out);
            } else if !market.resolved && merge && market.doubt.may_quote() {
                self.merge(id, out);
            }
        }
    }

    /// The fewest pairs of an instance that are merged in a market; `None` if none of them are.
    fn least_merged(&self, instance: InstanceId, id: MarketId) -> Option<Shares> {
        let rules = &self.config.tokens;
        let locked = rules.merge_locked && self.trading_state(instance, id) == TradingState::LockedPair;
        if locked { Some(Shares::LOT) } else { rules.merge_pairs.then_some(rules.merge_min) }
    }

    fn merge(&mut self, id: MarketId, out: &mut Vec<Output>) {
        let free = |engine: &Engine, instance: InstanceId| {
            let [yes, no] = Outcome::BOTH.map(|outcome| {
                let asset = id.asset(outcome);
                engine.ledger.available(instance, asset) - engine.orders.promised(instance, asset)
            });
            yes.min(no)
        };
        let holders: Vec<InstanceId> = self.ledger.market(id).map(|(instance, _)| instance).collect();
        let enough = |instance: InstanceId| {
            let (least, pairs) = (self.least_merged(instance, id)?, free(self, instance));
            (pairs >= least && pairs.is_positive()).then_some((instance, pairs))
        };
        let Some((instance, pairs)) = holders.into_iter().find_map(enough) else { return };
        if self.ledger.reserve((instance, id), [pairs, pairs]).is_err() {
            return;
        }
        self.tell_ledger(instance, id, out);
        let action = self.emit.action(out, Action::Merge { market: id, pairs });
        self.begin_conversion(id, action, Converting::Pairs(instance, pairs));
    }

    fn redeem(&mut self, id: MarketId, out: &mut Vec<Output>) {
        // What is still on its way to or from the chain would be left behind.
        let whole = |a: &oddsmith_domain::SubAccount| a.arriving == [Shares::ZERO; 2] && a.leaving == [Shares::ZERO; 2];
        let accounts = || self.ledger.market(id).map(|(_, account)| account);
        if !accounts().all(whole) || accounts().all(|a| a.settled == [Shares::ZERO; 2]) {
            return;
        }
        let action = self.emit.action(out, Action::Redeem { market: id });
        self.begin_conversion(id, action, Converting::Decided);
    }

    fn begin_conversion(&mut self, id: MarketId, action: ActionSeq, what: Converting) {
        self.awaited.insert(action, Purpose::Conversion(id));
        if let Some(market) = self.markets.get_mut(id.index()) {
            market.conversion = Some(Conversion { action, what, unknown: None });
        }
    }

    /// What became of a merge or a redemption.
    pub(crate) fn on_converted(
        &mut self,
        id: MarketId,
        action: ActionSeq,
        outcome: &TokenOutcome,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        let Some(conversion) = market.conversion.as_mut().filter(|c| c.action == action) else { return };
        match outcome {
            TokenOutcome::Done => self.end_conversion(id, true, now, out),
            TokenOutcome::Refused(why) => {
                let text = format!("tokens of market {} were not converted: {why}", market.card.slug);
                market.convert_at = now.mono_ns + REFUSED_NS;
                self.emit.event(out, Event::Alert { text });
                self.end_conversion(id, false, now, out);
            }
            TokenOutcome::NotSent(_) => {
                market.convert_at = now.mono_ns + REFUSED_NS;
                self.end_conversion(id, false, now, out);
            }
            TokenOutcome::Unknown(cause) => {
                conversion.unknown = Some(0);
                let text = format!(
                    "a conversion of tokens of market {} has no known outcome ({cause:?}); the balances will say",
                    market.card.slug
                );
                self.emit.event(out, Event::Alert { text });
                self.suspect(now.mono_ns);
            }
        }
    }

    /// A merge or a redemption is over: booked if it was carried out, its promise taken back if not.
    pub(crate) fn end_conversion(&mut self, id: MarketId, done: bool, now: Time, out: &mut Vec<Output>) {
        let Some(market) = self.markets.get_mut(id.index()) else { return };
        let Some(conversion) = market.conversion.take() else { return };
        match conversion.what {
            Converting::Pairs(instance, pairs) if done => {
                if let Ok(movement) = self.ledger.merge((instance, id), pairs) {
                    self.tell_booking((instance, id), Booking::Merge, movement, out);
                    self.follow_holdings(instance, id, now, out);
                }
            }
            Converting::Pairs(instance, pairs) => {
                self.ledger.release((instance, id), [pairs, pairs]);
                self.tell_ledger(instance, id, out);
            }
            Converting::Decided if done => Outcome::BOTH.into_iter().for_each(|o| self.book_redemption(id, o, out)),
            Converting::Decided | Converting::Event => {}
        }
        self.recount(id);
        self.wake(id, false);
    }

    /// The tokens of an outcome of a decided market became what they pay, in every sub-account.
    pub(crate) fn book_redemption(&mut self, id: MarketId, outcome: Outcome, out: &mut Vec<Output>) {
        let Some(yes) = self.markets.get(id.index()).and_then(|m| m.pays) else { return };
        let holders: Vec<InstanceId> = self.ledger.market(id).map(|(instance, _)| instance).collect();
        for instance in holders {
            let movement = self.ledger.redeem((instance, id), outcome, yes);
            self.tell_booking((instance, id), Booking::Redeem, movement, out);
        }
    }
}
