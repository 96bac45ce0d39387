//! NO of some outcomes of an event that becomes collateral and YES of its others, when an instance asks for it.

use oddsmith_domain::{
    AccountSnapshot, Action, ActionSeq, Booking, DoubtCause, Event, EventConversion, InstanceId, MarketId, Outcome,
    Output, Shares, Time, TokenOutcome,
};

use crate::core::{Engine, Purpose};
use crate::market::Market;
use crate::reconcile::{AGAIN_NS, UNSEEN};
use crate::settle::{Conversion, Converting, REFUSED_NS};

/// A conversion that is on its way.
#[derive(Clone, Debug)]
pub(crate) struct Exchanged {
    owner: InstanceId,
    what: EventConversion,
    /// Nobody knows what became of it: the balances will say, in so many reads that agree.
    unknown: Option<u32>,
}

impl Engine {
    /// Whether NO of an event can become YES of its other outcomes: the configuration says that the venue does it, and it has not just
    /// refused.
    pub(crate) const fn may_convert(&self, now: Time) -> bool {
        self.config.tokens.convert && now.mono_ns >= self.convert_at
    }

    /// Carries out the conversion that the last evaluation asked for, if nothing speaks against it. What is not free yet is asked for
    /// again.
    pub(crate) fn accept_conversion(&mut self, index: usize, now: Time, out: &mut Vec<Output>) {
        let Some(what) = self.scratch.decision.conversion().cloned() else { return };
        let Some(instance) = self.instances.get(index) else { return };
        let id = instance.id;
        if !what.is_sound() || what.markets().any(|market| !instance.wants.contains_key(&market)) {
            let text = format!("instance {} asks for a conversion that is none or reaches beyond its markets", id.0);
            return self.emit.event(out, Event::Alert { text });
        }
        let ready = |m: &Market| {
            let quiet = m.conversion.is_none() && now.mono_ns >= m.convert_at && !m.resolved;
            quiet && m.doubt.may_quote() && !m.doubt.has(DoubtCause::Mismatch)
        };
        let all_ready = what.markets().all(|id| self.markets.get(id.index()).is_some_and(ready));
        let free = |market: &MarketId| {
            let asset = market.asset(Outcome::No);
            self.ledger.available(id, asset) - self.orders.promised(id, asset) >= what.shares
        };
        if !(self.may_convert(now) && self.wallet.may_quote() && all_ready && what.from.iter().all(free)) {
            return;
        }
        for market in &what.from {
            // It is free: nothing has moved since it was looked at.
            let _promised = self.ledger.reserve((id, *market), [Shares::ZERO, what.shares]);
            self.tell_ledger(id, *market, out);
        }
        let action = self.emit.action(out, Action::Convert(Box::new(what.clone())));
        for market in what.markets() {
            if let Some(market) = self.markets.get_mut(market.index()) {
                market.conversion = Some(Conversion { action, what: Converting::Event, unknown: None });
            }
        }
        self.awaited.insert(action, Purpose::EventConversion);
        self.exchanged.insert(action, Exchanged { owner: id, what, unknown: None });
    }

    /// What became of a conversion.
    pub(crate) fn on_event_converted(
        &mut self,
        action: ActionSeq,
        outcome: &TokenOutcome,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some(exchanged) = self.exchanged.get_mut(&action) else { return };
        match outcome {
            TokenOutcome::Done => self.end_event_conversion(action, true, now, out),
            TokenOutcome::Refused(why) => {
                let text = format!("NO tokens of an event were not converted: {why}");
                self.convert_at = now.mono_ns + REFUSED_NS;
                self.emit.event(out, Event::Alert { text });
                self.end_event_conversion(action, false, now, out);
            }
            TokenOutcome::NotSent(_) => {
                self.convert_at = now.mono_ns + REFUSED_NS;
                self.end_event_conversion(action, false, now, out);
            }
            TokenOutcome::Unknown(cause) => {
                exchanged.unknown = Some(0);
                let text = format!(
                    "a conversion of NO tokens of an event has no known outcome ({cause:?}); the balances will say"
                );
                self.emit.event(out, Event::Alert { text });
                self.suspect(now.mono_ns);
            }
        }
    }

    /// A conversion is over: booked in every market if it was carried out, its promises taken back if not.
    fn end_event_conversion(&mut self, action: ActionSeq, done: bool, now: Time, out: &mut Vec<Output>) {
        let Some(Exchanged { owner, what, .. }) = self.exchanged.remove(&action) else { return };
        for market in what.markets() {
            if let Some(market) = self.markets.get_mut(market.index()) {
                market.conversion.take_if(|conversion| conversion.action == action);
            }
        }
        let worth = |market: MarketId| self.markets.get(market.index()).and_then(Market::mark);
        if let Some(movements) = done.then(|| self.ledger.convert(owner, &what, worth).ok()).flatten() {
            for (market, movement) in movements {
                self.tell_booking((owner, market), Booking::Convert, movement, out);
                self.follow_holdings(owner, market, now, out);
                // It may have been decided while the conversion was on its way.
                self.book_decision(market, out);
            }
        } else {
            for market in &what.from {
                self.ledger.release((owner, *market), [Shares::ZERO, what.shares]);
                self.tell_ledger(owner, *market, out);
            }
        }
        for market in what.markets() {
            self.recount(market);
            self.wake(market, false);
        }
    }

    /// Conversions that nobody knows the fate of: NO that is gone everywhere proves one, NO that stays refutes it in the end.
    pub(crate) fn weigh_event_conversions(&mut self, read: &AccountSnapshot, now: Time, out: &mut Vec<Output>) {
        let open = self.exchanged.iter().filter_map(|(action, e)| Some((*action, e.unknown?, e.what.clone())));
        let open: Vec<_> = open.collect();
        for (action, unseen, what) in open {
            let off = |market: &MarketId| {
                let asset = market.asset(Outcome::No);
                let (_, actual) = read.tokens.iter().find(|(a, _)| *a == asset)?;
                Some(self.token_off(asset, *actual))
            };
            let Some(offs) = what.from.iter().map(off).collect::<Option<Vec<Shares>>>() else { continue };
            let gone = offs.iter().all(|off| *off == -what.shares);
            if gone || unseen + 1 >= UNSEEN {
                self.end_event_conversion(action, gone, now, out);
            } else if let Some(exchanged) = self.exchanged.get_mut(&action) {
                exchanged.unknown = Some(unseen + 1);
                self.suspect(now.mono_ns + AGAIN_NS);
            }
        }
    }
}
