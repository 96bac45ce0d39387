//! Trading states: one table of what follows what and what is allowed where, and the engine's use of it.

use oddsmith_domain::{
    Denial, Event, InstanceId, MarketId, Outcome, Output, Shares, Side, StateCause, SubAccount, Time, TradingState,
    Usdc,
};
use oddsmith_risk::OpenOrder;
use oddsmith_strategy::Opportunity;

use crate::core::Engine;
use crate::lifecycle::Life;
use crate::market::Market;

/// After this long with nothing of ours left, a market that has ended counts as resolved.
const FINALIZING_NS: u64 = 60 * Time::SECOND;
/// A temporal signal that was not followed for this long is over.
const SIGNAL_NS: u64 = 5 * Time::SECOND;
/// So many evaluations in a row without the opportunity end the building of a pair.
const PATIENCE: u32 = 100;

/// What can be done in a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Have quotes rest, and sell what is held.
    Rest,
    /// Buy one outcome as part of a pair.
    BuyLeg(Outcome),
    /// Buy the outcome that is about to win.
    BuyWinner,
    /// Sell, by taking, what is held without a counterpart.
    Unwind,
    /// Cancel one order.
    Cancel,
    /// Cancel everything of the market.
    CancelAll,
}

/// Where a state goes; `None` where the cause means nothing to it.
#[must_use]
pub const fn next_state(state: TradingState, cause: StateCause) -> Option<TradingState> {
    use StateCause as C;
    use TradingState as S;
    Some(match (state, cause) {
        (S::Idle, C::PairOpportunity) => S::BuildingPair,
        (S::Idle, C::TemporalSignal) => S::TemporalActive,
        (S::BuildingPair | S::TemporalActive, C::PairLocked) => S::LockedPair,
        (S::BuildingPair, C::OpportunityGone) | (S::TemporalActive, C::SignalOver) | (S::LockedPair, C::PairOpened) => {
            S::Idle
        }
        (S::Idle | S::BuildingPair | S::LockedPair | S::TemporalActive, C::Halted) => S::Halt,
        (S::Halt, C::Recovered) | (S::Finalizing, C::Reopened) => S::Idle,
        // Also out of a halt: an outcome that is known does not wait for a person.
        (S::Idle | S::BuildingPair | S::LockedPair | S::TemporalActive | S::Halt, C::Final) => S::Finalizing,
        (S::Finalizing, C::Settled) => S::Resolved,
        _ => return None,
    })
}

/// Whether an act is allowed in a state. Watching always is.
#[must_use]
pub const fn allows(state: TradingState, act: Act) -> bool {
    use TradingState as S;
    match act {
        Act::Rest => matches!(state, S::Idle),
        Act::BuyLeg(_) => matches!(state, S::BuildingPair),
        Act::BuyWinner => matches!(state, S::TemporalActive),
        Act::Cancel | Act::Unwind => matches!(state, S::Idle | S::BuildingPair | S::LockedPair | S::TemporalActive),
        Act::CancelAll => matches!(state, S::Halt | S::Finalizing),
    }
}

/// What an order is in a state: the same buy is a quote, a leg or a bet.
const fn act_of(state: TradingState, order: &OpenOrder, rests: bool) -> Act {
    match (state, order.side) {
        (_, Side::Sell) if !rests => Act::Unwind,
        (TradingState::BuildingPair, Side::Buy) => Act::BuyLeg(order.outcome),
        (TradingState::TemporalActive, Side::Buy) => Act::BuyWinner,
        _ => Act::Rest,
    }
}

/// An instance's state in a market, and what ends it by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Track {
    state: TradingState,
    since: u64,
    without: u32,
}

impl Track {
    pub(crate) const fn state(&self) -> TradingState {
        self.state
    }

    /// Follows a cause; returns the states if it led on.
    fn follow(&mut self, cause: StateCause, now: Time) -> Option<(TradingState, TradingState)> {
        let from = self.state;
        let to = next_state(from, cause)?;
        *self = Track { state: to, since: now.mono_ns, without: 0 };
        Some((from, to))
    }

    /// An evaluation has ended, with or without the opportunity being seen. Returns a cause that follows.
    fn evaluated(&mut self, seen: Option<StateCause>, now: Time) -> Option<StateCause> {
        match (self.state, seen) {
            (TradingState::Idle, seen) => seen,
            (TradingState::BuildingPair, Some(StateCause::PairOpportunity)) => {
                self.without = 0;
                None
            }
            (TradingState::BuildingPair, _) => {
                self.without += 1;
                (self.without >= PATIENCE).then_some(StateCause::OpportunityGone)
            }
            (TradingState::TemporalActive, _) => {
                (now.mono_ns.saturating_sub(self.since) >= SIGNAL_NS).then_some(StateCause::SignalOver)
            }
            _ => None,
        }
    }

    /// A fill has changed what is held. Returns a cause that follows.
    fn filled(&self, account: &SubAccount) -> Option<StateCause> {
        let locked = is_locked(account);
        match self.state {
            TradingState::BuildingPair | TradingState::TemporalActive if locked => Some(StateCause::PairLocked),
            TradingState::TemporalActive => Some(StateCause::SignalOver),
            TradingState::LockedPair if !locked => Some(StateCause::PairOpened),
            _ => None,
        }
    }
}

/// Whether an account holds as much YES as NO and will be paid more than that has cost.
pub(crate) fn is_locked(account: &SubAccount) -> bool {
    let [yes, no] = account.shares;
    yes == no && yes > Shares::ZERO && Usdc::from_micros(yes.micros()) > account.cost_basis()
}

/// The market's own state by all that is known; `None` while its instances' states hold.
fn state_by_facts(market: &Market, wallet_quotes: bool) -> Option<TradingState> {
    if market.resolved {
        Some(TradingState::Resolved)
    } else if market.life != Life::Open || !market.card.accepting_orders {
        Some(TradingState::Finalizing)
    } else if !wallet_quotes || !market.doubt.may_quote() {
        Some(TradingState::Halt)
    } else {
        None
    }
}

impl Engine {
    /// The state that holds for an instance in a market.
    pub(crate) fn trading_state(&self, instance: InstanceId, market: MarketId) -> TradingState {
        let Some(known) = self.markets.get(market.index()) else { return TradingState::Resolved };
        state_by_facts(known, self.wallet.may_quote()).unwrap_or_else(|| {
            let wanted = self.instances.get(usize::from(instance.0)).and_then(|i| i.wants.get(&market));
            wanted.map_or(TradingState::Idle, |wanted| wanted.track.state())
        })
    }

    /// Whether the state allows an order.
    ///
    /// # Errors
    /// [`Denial::State`] if it does not.
    pub(crate) fn check_state(
        &self,
        order: &OpenOrder,
        rests: bool,
        instance: InstanceId,
        market: MarketId,
    ) -> Result<(), Denial> {
        let state = self.trading_state(instance, market);
        if allows(state, act_of(state, order, rests)) { Ok(()) } else { Err(Denial::State) }
    }

    /// Tells where markets have gone since this was last looked at. What is allowed never waits for it.
    pub(crate) fn watch_states(&mut self, now: Time, out: &mut Vec<Output>) {
        let wallet = self.wallet.may_quote();
        for n in 0..self.markets.count() {
            let Some(market) = self.markets.nth_mut(n) else { continue };
            let (id, told) = (market.id, market.state);
            let left = market.figures.all.is_empty() && now.mono_ns.saturating_sub(market.state_since) >= FINALIZING_NS;
            let facts = match state_by_facts(market, wallet) {
                Some(TradingState::Finalizing) if told == TradingState::Finalizing && left => TradingState::Resolved,
                Some(TradingState::Finalizing) if told == TradingState::Resolved => TradingState::Resolved,
                Some(state) => state,
                None => TradingState::Idle,
            };
            for cause in causes(told, facts) {
                let Some(market) = self.markets.nth_mut(n) else { break };
                let from = market.state;
                let Some(to) = next_state(from, *cause) else { break };
                (market.state, market.state_since) = (to, now.mono_ns);
                self.emit.event(out, Event::State { market: id, instance: None, from, to, cause: *cause });
            }
            if facts.is_markets() && !told.is_markets() {
                self.end_tracks(id, facts, out);
            }
        }
    }

    /// A market that stops takes its instances' states with it: they begin anew.
    fn end_tracks(&mut self, market: MarketId, to: TradingState, out: &mut Vec<Output>) {
        let cause = if to == TradingState::Halt { StateCause::Halted } else { StateCause::Final };
        for index in 0..self.instances.len() {
            let Some(instance) = self.instances.get_mut(index) else { continue };
            let id = instance.id;
            let Some(wanted) = instance.wants.get_mut(&market) else { continue };
            let from = std::mem::take(&mut wanted.track).state();
            if from != TradingState::Idle {
                self.emit.event(out, Event::State { market, instance: Some(id), from, to, cause });
            }
        }
    }

    /// An instance was evaluated: what it saw moves its states.
    pub(crate) fn follow_signals(
        &mut self,
        index: usize,
        seen: &[(MarketId, Opportunity)],
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        let id = instance.id;
        let mut causes = Vec::new();
        for (market, wanted) in &mut instance.wants {
            let seen = seen.iter().find(|(of, _)| of == market).map(|(_, what)| match what {
                Opportunity::Pair => StateCause::PairOpportunity,
                Opportunity::Winner => StateCause::TemporalSignal,
            });
            causes.extend(wanted.track.evaluated(seen, now).map(|cause| (*market, cause)));
        }
        for (market, cause) in causes {
            self.follow(id, market, cause, now, out);
        }
        // A pair that was there before it began to be built, as after a restart.
        for (market, _) in seen {
            if self.trading_state(id, *market) == TradingState::BuildingPair {
                self.follow_holdings(id, *market, now, out);
            }
        }
    }

    /// What an instance holds in a market has changed, or is looked at again.
    pub(crate) fn follow_holdings(&mut self, instance: InstanceId, market: MarketId, now: Time, out: &mut Vec<Output>) {
        let account = self.ledger.account(instance, market);
        let wanted = self.instances.get(usize::from(instance.0)).and_then(|i| i.wants.get(&market));
        if let Some(cause) = wanted.and_then(|wanted| wanted.track.filled(&account)) {
            self.follow(instance, market, cause, now, out);
        }
    }

    fn follow(&mut self, id: InstanceId, market: MarketId, cause: StateCause, now: Time, out: &mut Vec<Output>) {
        if self.trading_state(id, market).is_markets() {
            return;
        }
        let wanted = self.instances.get_mut(usize::from(id.0)).and_then(|i| i.wants.get_mut(&market));
        if let Some((from, to)) = wanted.and_then(|wanted| wanted.track.follow(cause, now)) {
            self.emit.event(out, Event::State { market, instance: Some(id), from, to, cause });
            self.replan(id, market);
        }
    }
}

/// The causes that lead a market from the state that was told to the one that the facts say.
const fn causes(from: TradingState, to: TradingState) -> &'static [StateCause] {
    use StateCause as C;
    use TradingState as S;
    match (from, to) {
        (S::Idle, S::Halt) => &[C::Halted],
        (S::Halt, S::Idle) => &[C::Recovered],
        (S::Idle | S::Halt, S::Finalizing) => &[C::Final],
        (S::Idle | S::Halt, S::Resolved) => &[C::Final, C::Settled],
        (S::Finalizing, S::Resolved) => &[C::Settled],
        (S::Finalizing, S::Idle) => &[C::Reopened],
        (S::Finalizing, S::Halt) => &[C::Reopened, C::Halted],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of state and cause: the document's arrows, and nothing else.
    #[test]
    fn the_table_has_these_arrows_and_no_other() {
        use StateCause as C;
        use TradingState as S;
        let mut arrows = vec![
            (S::Idle, C::PairOpportunity, S::BuildingPair),
            (S::Idle, C::TemporalSignal, S::TemporalActive),
            (S::BuildingPair, C::PairLocked, S::LockedPair),
            (S::BuildingPair, C::OpportunityGone, S::Idle),
            (S::TemporalActive, C::PairLocked, S::LockedPair),
            (S::TemporalActive, C::SignalOver, S::Idle),
            (S::LockedPair, C::PairOpened, S::Idle),
            (S::Halt, C::Recovered, S::Idle),
            (S::Halt, C::Final, S::Finalizing),
            (S::Finalizing, C::Reopened, S::Idle),
            (S::Finalizing, C::Settled, S::Resolved),
        ];
        for active in [S::Idle, S::BuildingPair, S::LockedPair, S::TemporalActive] {
            arrows.extend([(active, C::Halted, S::Halt), (active, C::Final, S::Finalizing)]);
        }
        for state in S::ALL {
            for cause in C::ALL {
                let arrow = arrows.iter().find(|(from, by, _)| (*from, *by) == (state, cause));
                assert_eq!(next_state(state, cause), arrow.map(|(_, _, to)| *to), "{state:?} {cause:?}");
            }
        }
    }

    /// Every pair of state and act.
    #[test]
    fn each_state_allows_its_acts_and_no_other() {
        use TradingState as S;
        let (yes, no) = (Act::BuyLeg(Outcome::Yes), Act::BuyLeg(Outcome::No));
        for (state, allowed) in [
            (S::Idle, &[Act::Rest, Act::Cancel, Act::Unwind][..]),
            (S::BuildingPair, &[yes, no, Act::Cancel, Act::Unwind]),
            (S::LockedPair, &[Act::Cancel, Act::Unwind]),
            (S::TemporalActive, &[Act::BuyWinner, Act::Cancel, Act::Unwind]),
            (S::Halt, &[Act::CancelAll]),
            (S::Finalizing, &[Act::CancelAll]),
            (S::Resolved, &[]),
        ] {
            for act in [Act::Rest, yes, no, Act::BuyWinner, Act::Cancel, Act::CancelAll, Act::Unwind] {
                assert_eq!(allows(state, act), allowed.contains(&act), "{state:?} {act:?}");
            }
        }
    }

    #[test]
    fn what_the_facts_say_is_always_reached_by_arrows() {
        use TradingState as S;
        let markets = [S::Idle, S::Halt, S::Finalizing, S::Resolved];
        for from in markets {
            for to in markets {
                let reached = causes(from, to).iter().try_fold(from, |state, cause| next_state(state, *cause));
                // Nothing leads out of what is resolved.
                let expected = if from == S::Resolved { from } else { to };
                assert_eq!(reached, Some(expected), "{from:?} {to:?}");
            }
        }
    }

    fn at(ms: u64) -> Time {
        Time { mono_ns: ms * Time::MILLI, wall_ns: 0 }
    }

    fn account(shares: [i64; 2], cost: [i64; 2]) -> SubAccount {
        SubAccount { shares: shares.map(Shares::from_whole), cost: cost.map(Usdc::from_whole), ..SubAccount::default() }
    }

    #[test]
    fn a_pair_is_built_until_it_is_locked_or_the_opportunity_is_gone() {
        let mut track = Track::default();
        assert_eq!(track.evaluated(None, at(0)), None);
        let seen = Some(StateCause::PairOpportunity);
        assert_eq!(track.evaluated(seen, at(0)), seen);
        track.follow(StateCause::PairOpportunity, at(0));
        (0..99).for_each(|_| assert_eq!(track.evaluated(None, at(1)), None));
        assert_eq!(track.evaluated(seen, at(1)), None, "it is back");
        (0..99).for_each(|_| assert_eq!(track.evaluated(None, at(1)), None));
        assert_eq!(track.evaluated(None, at(1)), Some(StateCause::OpportunityGone));
        assert_eq!(track.filled(&account([100, 0], [48, 0])), None, "one leg is naked");
        assert_eq!(track.filled(&account([100, 100], [48, 53])), None, "it would lose");
        assert_eq!(track.filled(&account([100, 100], [48, 50])), Some(StateCause::PairLocked));
        track.follow(StateCause::PairLocked, at(2));
        assert_eq!(track.filled(&account([100, 100], [48, 50])), None);
        assert_eq!(track.filled(&account([50, 100], [24, 50])), Some(StateCause::PairOpened));
    }

    #[test]
    fn a_temporal_signal_ends_with_its_fill_or_its_time() {
        let mut track = Track::default();
        track.follow(StateCause::TemporalSignal, at(1_000));
        assert_eq!(track.evaluated(None, at(5_999)), None);
        assert_eq!(track.evaluated(None, at(6_000)), Some(StateCause::SignalOver));
        assert_eq!(track.filled(&account([10, 0], [9, 0])), Some(StateCause::SignalOver));
        assert_eq!(track.filled(&account([10, 10], [9, 0])), Some(StateCause::PairLocked));
    }
}
