//! Instances that pause others: while one has something under way in a market, those that it pauses are out of it.

use oddsmith_domain::{
    Event, InstanceId, IntentId, MarketId, Mode, Output, PauseCause, Reason, Time, TradingMode, TradingState,
    Withdrawal,
};
use oddsmith_strategy::Rest;

use crate::core::Engine;

/// An instance that pauses others, by their places in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pauser {
    pub(crate) by: usize,
    pub(crate) whom: Vec<usize>,
}

/// Who pauses an instance in a market, and what for.
pub(crate) type Pause = (InstanceId, PauseCause);

/// What an instance wants in a market in which it is paused.
pub(crate) fn paused_rest(market: MarketId) -> Rest {
    Rest {
        market,
        mode: Mode::Stop,
        keep: Vec::new(),
        quotes: Vec::new(),
        reasons: [Reason::Paused].into_iter().collect(),
        figures: Default::default(),
    }
}

impl Engine {
    /// Begins and ends pauses by what is under way now.
    pub(crate) fn watch_pauses(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.pausers.is_empty() {
            return;
        }
        for whom in 0..self.instances.len() {
            let Some(instance) = self.instances.get(whom) else { continue };
            if !self.pausers.iter().any(|pauser| pauser.whom.contains(&whom)) {
                continue;
            }
            let changed =
                instance.wants.iter().map(|(market, wanted)| (*market, wanted.pause, self.pause_of(whom, *market)));
            let changed: Vec<_> = changed.filter(|(_, before, now)| before != now).collect();
            for (market, before, pause) in changed {
                self.set_pause(whom, market, (before, pause), now, out);
            }
        }
    }

    /// Who pauses an instance in a market now: the first one by priority.
    fn pause_of(&self, whom: usize, market: MarketId) -> Option<Pause> {
        let pausers = self.pausers.iter().filter(|pauser| pauser.whom.contains(&whom));
        pausers.filter_map(|pauser| self.under_way(pauser.by, market)).next()
    }

    /// What an instance has under way in a market. A basket is carried through whatever holds its instance back; anything else that an
    /// instance cannot go on with keeps nobody waiting.
    fn under_way(&self, by: usize, market: MarketId) -> Option<Pause> {
        let instance = self.instances.get(by)?;
        let basket = instance.basket.as_ref().filter(|basket| basket.is_running());
        if basket.is_some_and(|basket| basket.run.parts().any(|part| part.market == market)) {
            return Some((instance.id, PauseCause::Basket));
        }
        let wanted = instance.wants.get(&market)?;
        let stopped = self.trading_mode(instance.id, market) == TradingMode::Halted;
        if instance.quarantined || wanted.pause.is_some() || stopped {
            return None;
        }
        match self.trading_state(instance.id, market) {
            TradingState::BuildingPair => Some((instance.id, PauseCause::BuildingPair)),
            TradingState::TemporalActive => Some((instance.id, PauseCause::TemporalActive)),
            _ => None,
        }
    }

    fn set_pause(
        &mut self,
        whom: usize,
        market: MarketId,
        (before, after): (Option<Pause>, Option<Pause>),
        now: Time,
        out: &mut Vec<Output>,
    ) {
        self.pending = true;
        let Some(instance) = self.instances.get_mut(whom) else { return };
        let id = instance.id;
        let Some(wanted) = instance.wants.get_mut(&market) else { return };
        wanted.pause = after;
        wanted.told = None;
        if let Some((by, cause)) = before {
            self.emit.event(out, Event::Unpaused { market, instance: id, by, cause });
        }
        match after {
            Some((by, cause)) => {
                self.emit.event(out, Event::Paused { market, instance: id, by, cause });
                if before.is_none() {
                    self.pull(whom, market, now, out);
                }
            }
            // What it wants now is not known: it was not asked while it was paused.
            None => (instance.dirty, instance.urgent) = (true, true),
        }
    }

    /// Takes an instance out of a market: it wants nothing there, and what rests is cancelled at once.
    fn pull(&mut self, whom: usize, market: MarketId, now: Time, out: &mut Vec<Output>) {
        self.intents += 1;
        let intent = IntentId(self.intents);
        let Some(instance) = self.instances.get_mut(whom) else { return };
        let id = instance.id;
        let Some(wanted) = instance.wants.get_mut(&market) else { return };
        let rest = paused_rest(market);
        let reasons = rest.reasons.clone();
        (wanted.intent, wanted.rest, wanted.held) = (intent, Some(rest), false);
        wanted.claims.clear();
        self.emit.event(
            out,
            Event::Decision {
                instance: id,
                market,
                intent,
                mode: Mode::Stop,
                keep: Vec::new(),
                quotes: Vec::new(),
                reasons,
            },
        );
        self.plans.insert((id, market), ());
        let resting = self.orders.open_in(market).filter(|o| o.place.instance == id && o.place.order_type.rests());
        let resting: Vec<_> = resting.map(|o| o.place.id).collect();
        for order in resting {
            self.withdraw(&order, Withdrawal::Paused, now, out);
        }
    }

    /// Whether an instance is paused in a market.
    pub(crate) fn is_paused(&self, instance: InstanceId, market: MarketId) -> bool {
        let wanted = self.instances.get(usize::from(instance.0)).and_then(|i| i.wants.get(&market));
        wanted.is_some_and(|wanted| wanted.pause.is_some())
    }
}
