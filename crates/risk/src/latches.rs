//! The latches that hold: thrown by the engine or a person, told by events, folded over a restart.

use oddsmith_domain::{ConditionId, Event, KillReason, Latch, LatchScope, Latched, TradingMode, TripCause};

/// Every latch that holds. There are few, so they are a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latches {
    held: Vec<Latched>,
}

impl Latches {
    /// The latches that hold, in the order in which they were thrown.
    pub fn iter(&self) -> impl Iterator<Item = &Latched> {
        self.held.iter()
    }

    /// Whether none holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Throws a latch. Returns the event to tell, or `None` if the same one holds at least as long already. Of several words
    /// of the operator about one scope the last one holds.
    pub fn engage(&mut self, latched: Latched) -> Option<Event> {
        let slot = self.held.iter_mut().find(|l| l.scope == latched.scope && same_slot(l.latch, latched.latch));
        match slot {
            Some(held) if held.latch == latched.latch && outlasts(held.until_wall_ns, latched.until_wall_ns) => {
                return None;
            }
            Some(held) => *held = latched.clone(),
            None => self.held.push(latched.clone()),
        }
        Some(Event::Latched(latched))
    }

    /// Undoes every latch that `which` picks. Returns the events to tell.
    pub fn release(&mut self, mut which: impl FnMut(&Latched) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        self.held.retain(|latched| {
            let goes = which(latched);
            if goes {
                events.push(Event::Unlatched { scope: latched.scope.clone(), latch: latched.latch });
            }
            !goes
        });
        events
    }

    /// Ends what ends by itself at or before this wall time.
    pub fn expire(&mut self, wall_ns: u64) -> Vec<Event> {
        if self.held.iter().all(|l| l.until_wall_ns.is_none_or(|until| until > wall_ns)) {
            return Vec::new();
        }
        self.release(|l| l.until_wall_ns.is_some_and(|until| until <= wall_ns))
    }

    /// Takes over what an event of a journal tells. Everything but latches is passed over, so a whole run can be folded.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Latched(latched) => {
                let _ = self.engage(latched.clone());
            }
            Event::Unlatched { scope, latch } => self.held.retain(|l| l.scope != *scope || l.latch != *latch),
            _ => {}
        }
    }

    /// How far the wallet as a whole may trade.
    #[must_use]
    pub fn wallet_mode(&self) -> TradingMode {
        self.strictest(|scope| matches!(scope, LatchScope::Wallet))
    }

    /// How far a market may trade, as far as latches of its own say.
    #[must_use]
    pub fn market_mode(&self, market: &ConditionId) -> TradingMode {
        self.strictest(|scope| matches!(scope, LatchScope::Market(id) if id == market))
    }

    /// How far an instance may trade, as far as latches of its own say.
    #[must_use]
    pub fn instance_mode(&self, name: &str) -> TradingMode {
        self.strictest(|scope| matches!(scope, LatchScope::Instance(own) if own == name))
    }

    /// How far an instance may trade in a market: the strictest of everything that covers it.
    #[must_use]
    pub fn mode(&self, market: &ConditionId, instance: &str) -> TradingMode {
        if self.held.is_empty() {
            return TradingMode::Active;
        }
        self.wallet_mode().max(self.market_mode(market)).max(self.instance_mode(instance))
    }

    /// The strictest latch that covers an instance in a market, if one narrows it.
    #[must_use]
    pub fn covering(&self, market: &ConditionId, instance: &str) -> Option<Latch> {
        let covers = |scope: &LatchScope| match scope {
            LatchScope::Wallet => true,
            LatchScope::Market(id) => id == market,
            LatchScope::Instance(name) => name == instance,
        };
        let narrowing = self.held.iter().filter(|l| covers(&l.scope) && l.latch.mode() != TradingMode::Active);
        narrowing.map(|l| l.latch).max_by_key(|latch| (latch.mode(), std::cmp::Reverse(*latch)))
    }

    /// Whether the kill switch is thrown.
    #[must_use]
    pub fn killed(&self) -> Option<KillReason> {
        self.held.iter().find_map(|l| match l.latch {
            Latch::Kill(reason) => Some(reason),
            _ => None,
        })
    }

    /// Why a market's breaker is open.
    #[must_use]
    pub fn tripped(&self, market: &ConditionId) -> Option<TripCause> {
        self.held.iter().find_map(|l| match (&l.scope, l.latch) {
            (LatchScope::Market(id), Latch::Breaker(cause)) if id == market => Some(cause),
            _ => None,
        })
    }

    /// Whether this latch holds for the wallet.
    #[must_use]
    pub fn wallet_has(&self, latch: Latch) -> bool {
        self.held.iter().any(|l| l.scope == LatchScope::Wallet && l.latch == latch)
    }

    fn strictest(&self, covers: impl Fn(&LatchScope) -> bool) -> TradingMode {
        self.held.iter().filter(|l| covers(&l.scope)).map(|l| l.latch.mode()).max().unwrap_or_default()
    }
}

/// Whether one latch takes the place of another in the same scope.
const fn same_slot(held: Latch, new: Latch) -> bool {
    matches!(
        (held, new),
        (Latch::Mode(_), Latch::Mode(_))
            | (Latch::DailyLoss, Latch::DailyLoss)
            | (Latch::CoolDown, Latch::CoolDown)
            | (Latch::HalfSize, Latch::HalfSize)
            // The first reason is the one to be looked at.
            | (Latch::Kill(_), Latch::Kill(_))
            | (Latch::Breaker(_), Latch::Breaker(_))
    )
}

/// Whether an end is not before another; no end is the latest.
const fn outlasts(held: Option<u64>, new: Option<u64>) -> bool {
    match (held, new) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(held), Some(new)) => held >= new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(text: &str) -> LatchScope {
        LatchScope::Market(ConditionId::parse(text).expect("a condition"))
    }

    fn latched(scope: LatchScope, latch: Latch, until_wall_ns: Option<u64>) -> Latched {
        Latched { scope, latch, until_wall_ns }
    }

    #[test]
    fn the_strictest_of_what_covers_an_order_holds() {
        let mut latches = Latches::default();
        let (a, b) = (ConditionId::parse("0xa").expect("a condition"), ConditionId::parse("0xb").expect("a condition"));
        latches.engage(latched(LatchScope::Instance("one".into()), Latch::Mode(TradingMode::Reducing), None));
        latches.engage(latched(market("0xa"), Latch::Breaker(TripCause::Rejects), Some(300)));
        assert_eq!(latches.mode(&a, "one"), TradingMode::Halted);
        assert_eq!(latches.mode(&b, "one"), TradingMode::Reducing);
        assert_eq!(latches.mode(&b, "two"), TradingMode::Active);
        assert_eq!(latches.tripped(&a), Some(TripCause::Rejects));
        assert!(latches.expire(299).is_empty());
        assert_eq!(latches.expire(300).len(), 1);
        assert_eq!(latches.mode(&a, "two"), TradingMode::Active);
    }

    #[test]
    fn a_latch_is_told_once_and_the_operators_last_word_holds() {
        let mut latches = Latches::default();
        let halt = latched(LatchScope::Wallet, Latch::Mode(TradingMode::Halted), None);
        assert_eq!(latches.engage(halt.clone()), Some(Event::Latched(halt.clone())));
        assert_eq!(latches.engage(halt), None);
        latches.engage(latched(LatchScope::Wallet, Latch::Mode(TradingMode::Reducing), None));
        assert_eq!(latches.wallet_mode(), TradingMode::Reducing);
        assert_eq!(latches.iter().count(), 1);
    }

    #[test]
    fn folding_the_events_gives_what_holds() {
        let mut latches = Latches::default();
        let mut events = Vec::new();
        for (scope, latch, until) in [
            (LatchScope::Wallet, Latch::DailyLoss, Some(50)),
            (LatchScope::Wallet, Latch::Kill(KillReason::Operator), None),
            (market("0xa"), Latch::Breaker(TripCause::Latency), Some(40)),
            (market("0xa"), Latch::Breaker(TripCause::Latency), Some(60)),
            (LatchScope::Instance("one".into()), Latch::Mode(TradingMode::Halted), None),
        ] {
            events.extend(latches.engage(latched(scope, latch, until)));
        }
        events.extend(latches.expire(55));
        let mut folded = Latches::default();
        events.iter().for_each(|event| folded.apply(event));
        assert_eq!(folded, latches);
        assert_eq!(folded.killed(), Some(KillReason::Operator));
        assert_eq!(folded.iter().count(), 3);
    }
}
