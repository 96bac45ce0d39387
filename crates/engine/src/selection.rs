//! Which of the listed markets each instance trades, where a rule of selection is configured.
//!
//! The venue's list comes in as an input, the cards of markets that a rule could choose before it. What is chosen is taken up: received
//! first, and traded when its books are there. What is not chosen any more is handed over: the instance only reduces what it holds
//! there, its other orders are cancelled, and when nothing is open or held the market leaves its scope; the last instance to leave
//! takes the subscription with it. A list says what is there, and its silence says nothing: a market that is missing in it keeps what
//! was known of it, and ends by its own end.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{
    ConditionId, Event, InstanceId, Listing, MarketCard, MarketChoice, MarketFacts, MarketId, Outcome, Output, Price,
    Time, Unfit, Verdict,
};
use oddsmith_polymarket::discovery::Ruled;
use oddsmith_polymarket::selection::{Candidate, Rule, choose};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, InstanceConfig};
use crate::core::Engine;
use crate::lifecycle::takes_orders;

/// Which markets are chosen, of those that instances name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selecting {
    /// The rule of every instance that has none of its own; without one it trades whatever it names.
    pub all: Option<Rule>,
    /// The rules of single instances, by name.
    pub instances: BTreeMap<String, Rule>,
}

impl Selecting {
    /// The rule of an instance.
    #[must_use]
    pub fn rule(&self, instance: &str) -> Option<&Rule> {
        self.instances.get(instance).or(self.all.as_ref())
    }

    /// What is to be looked for at the venue: the patterns of instances without a rule, and the others with theirs.
    #[must_use]
    pub fn wanted(&self, instances: &[InstanceConfig]) -> (Vec<String>, Vec<Ruled>) {
        let (mut patterns, mut rules): (Vec<String>, Vec<Ruled>) = (Vec::new(), Vec::new());
        for instance in instances {
            match self.rule(&instance.name) {
                None => patterns.extend(instance.markets.iter().cloned()),
                Some(rule) => rules.push(Ruled { patterns: instance.markets.clone(), rule: rule.clone() }),
            }
        }
        (patterns, rules)
    }

    pub(crate) fn validate(&self, instances: &[InstanceConfig]) -> Result<(), ConfigError> {
        let of_all = self.all.iter().map(|rule| (None, rule));
        let named = self.instances.iter().map(|(name, rule)| (Some(name), rule));
        for (name, rule) in of_all.chain(named) {
            let instance = name.cloned();
            if name.is_some_and(|name| !instances.iter().any(|instance| instance.name == *name)) {
                return Err(ConfigError::SelectionOf(instance.unwrap_or_default()));
            }
            rule.validate().map_err(|source| ConfigError::Selection { instance, source })?;
        }
        Ok(())
    }
}

/// What is known of the listed markets, and what was chosen.
#[derive(Default)]
pub(crate) struct Selector {
    /// What the list said last, and the spread of our own book at that time.
    facts: BTreeMap<ConditionId, (MarketFacts, Option<Price>)>,
    /// Cards of markets that nobody has taken up.
    offered: BTreeMap<ConditionId, MarketCard>,
    chosen: BTreeSet<(InstanceId, ConditionId)>,
    told: BTreeMap<(InstanceId, ConditionId), Verdict>,
    /// Markets that instances are on their way out of.
    leaving: Vec<(InstanceId, MarketId)>,
    /// When time alone changes a choice next, in seconds since the Unix epoch; 0 for at once.
    until_s: Option<u64>,
}

impl Selector {
    /// Something that a choice depends on has changed.
    pub(crate) const fn disturb(&mut self) {
        self.until_s = Some(0);
    }
}

impl Engine {
    /// Whether an instance trades a market: it names it, and its rule, if it has one, has chosen it.
    pub(crate) fn trades_in(&self, instance: usize, card: &MarketCard) -> bool {
        let Some(configured) = self.config.instances.get(instance).filter(|i| i.covers(&card.slug)) else {
            return false;
        };
        let id = InstanceId(u16::try_from(instance).unwrap_or(u16::MAX));
        self.config.selection.rule(&configured.name).is_none() || self.selector.chosen.contains(&(id, card.condition))
    }

    /// Whether some instance names a market and chooses by a rule.
    fn is_ruled(&self, slug: &str) -> bool {
        let rule = |i: &&InstanceConfig| self.config.selection.rule(&i.name).is_some();
        self.config.instances.iter().filter(rule).any(|instance| instance.covers(slug))
    }

    /// Whether an instance names a market by a rule, and none trades it.
    pub(crate) fn is_left_by_rule(&self, id: MarketId) -> bool {
        let Some(market) = self.markets.get(id.index()) else { return false };
        self.is_ruled(&market.card.slug) && !(0..self.config.instances.len()).any(|i| self.trades_in(i, &market.card))
    }

    /// Keeps the card of a market that nobody trades, for when a rule chooses it.
    pub(crate) fn offer(&mut self, card: &MarketCard) {
        if self.is_ruled(&card.slug) {
            self.selector.offered.insert(card.condition, card.clone());
            if self.selector.chosen.iter().any(|(_, condition)| *condition == card.condition) {
                self.selector.disturb();
            }
        }
    }

    /// The venue's list was read.
    pub(crate) fn on_listed(&mut self, list: &[MarketFacts], now: Time, out: &mut Vec<Output>) {
        let mut facts = BTreeMap::new();
        for market in list {
            let known = self.by_condition.get(&market.condition).and_then(|id| self.markets.get(id.index()));
            let ours = known.filter(|market| !market.unsubscribed).and_then(|market| {
                let (bid, ask) = (market.book.best_bid(Outcome::Yes)?, market.book.best_ask(Outcome::Yes)?);
                Price::from_units(ask.price.units().checked_sub(bid.price.units())?)
            });
            facts.insert(market.condition, (market.clone(), ours));
        }
        let mut before = std::mem::replace(&mut self.selector.facts, facts);
        let kept: BTreeSet<ConditionId> = self.selector.chosen.iter().map(|(_, condition)| *condition).collect();
        for condition in kept.iter().chain(self.by_condition.keys()) {
            if let Some(fact) = before.remove(condition) {
                self.selector.facts.entry(*condition).or_insert(fact);
            }
        }
        let facts = &self.selector.facts;
        self.selector.offered.retain(|condition, _| facts.contains_key(condition));
        self.selector.told.retain(|(_, condition), _| facts.contains_key(condition));
        self.review_selection(now, out);
    }

    /// Looks after those that leave, and chooses again when time has changed something.
    pub(crate) fn watch_selection(&mut self, now: Time, out: &mut Vec<Output>) {
        for (instance, market) in self.selector.leaving.clone() {
            if !self.is_bound(instance, market) {
                self.selector.leaving.retain(|one| *one != (instance, market));
                self.withdraw_from(instance, market, now, out);
                self.selector.disturb();
            }
        }
        if self.selector.until_s.is_some_and(|at| at <= now.wall_s()) {
            self.review_selection(now, out);
        }
    }

    /// Holds every rule against what is known, and carries out what has changed.
    fn review_selection(&mut self, now: Time, out: &mut Vec<Output>) {
        self.selector.until_s = None;
        for index in 0..self.config.instances.len() {
            let Some(verdicts) = self.verdicts(index, now) else { continue };
            let instance = InstanceId(u16::try_from(index).unwrap_or(u16::MAX));
            let mut choices = Vec::new();
            for (condition, verdict) in verdicts {
                if self.selector.told.insert((instance, condition), verdict) != Some(verdict)
                    && let Some((facts, _)) = self.selector.facts.get(&condition)
                {
                    choices.push(MarketChoice { condition, slug: facts.slug.clone(), verdict });
                }
                if matches!(verdict, Verdict::Chosen(_)) {
                    self.selector.chosen.insert((instance, condition));
                } else {
                    self.selector.chosen.remove(&(instance, condition));
                }
            }
            if !choices.is_empty() {
                // In the order in which they are carried out: nothing is let go before what follows it is received.
                choices.sort_by_key(|choice| !matches!(choice.verdict, Verdict::Chosen(_)));
                self.emit.event(out, Event::Selection { instance, choices });
            }
        }
        self.carry_out_selection(now, out);
    }

    /// What an instance's rule says; `None` if it has none. Notes when that changes by itself.
    fn verdicts(&mut self, index: usize, now: Time) -> Option<Vec<(ConditionId, Verdict)>> {
        let configured = self.config.instances.get(index)?;
        let rule = self.config.selection.rule(&configured.name)?;
        let instance = InstanceId(u16::try_from(index).unwrap_or(u16::MAX));
        let selector = &self.selector;
        let candidates: Vec<Candidate<'_>> = selector
            .facts
            .values()
            .filter(|(facts, _)| configured.covers(&facts.slug))
            .map(|(facts, spread)| {
                let id = self.by_condition.get(&facts.condition).copied();
                let known = id.and_then(|id| self.markets.get(id.index()));
                Candidate {
                    facts,
                    spread: *spread,
                    chosen: selector.chosen.contains(&(instance, facts.condition)),
                    bound: id.is_some_and(|id| self.is_bound(instance, id)),
                    over: known.is_some_and(|market| market.resolved || !takes_orders(&market.card, now)),
                }
            })
            .collect();
        let choice = choose(rule, &candidates, now.wall_s());
        let verdicts = candidates.iter().map(|candidate| candidate.facts.condition).zip(choice.verdicts).collect();
        let until_s = [self.selector.until_s, choice.until_s].into_iter().flatten().min();
        self.selector.until_s = until_s;
        Some(verdicts)
    }

    /// Takes up what is chosen, then lets go of what is not.
    fn carry_out_selection(&mut self, now: Time, out: &mut Vec<Output>) {
        let told: Vec<((InstanceId, ConditionId), Verdict)> =
            self.selector.told.iter().map(|(key, verdict)| (*key, *verdict)).collect();
        for ((instance, condition), verdict) in &told {
            match verdict {
                Verdict::Chosen(_) => self.take_up((*instance, *condition), false, now, out),
                // What the run before has left behind is received, so that it can be reduced.
                Verdict::Leaving(why) if *why != Unfit::Ended => self.take_up((*instance, *condition), true, now, out),
                Verdict::Leaving(_) | Verdict::Refused(_) => {}
            }
        }
        for ((instance, condition), verdict) in told {
            if matches!(verdict, Verdict::Refused(_))
                && let Some(id) = self.by_condition.get(&condition).copied()
            {
                self.withdraw_from(instance, id, now, out);
            }
        }
    }

    /// Puts a market into the scope of an instance, and receives it if nobody did.
    fn take_up(
        &mut self,
        (instance, condition): (InstanceId, ConditionId),
        leaves: bool,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let index = usize::from(instance.0);
        if let Some(id) = self.by_condition.get(&condition).copied() {
            let Some(market) = self.markets.get_mut(id.index()) else { return };
            if market.resolved || !takes_orders(&market.card, now) {
                return;
            }
            let dropped = std::mem::take(&mut market.dropped);
            let received = self.instances.iter().any(|instance| instance.wants.contains_key(&id));
            if dropped {
                self.review_life(id, now, out);
            }
            self.enter(index, id);
            if !received && !dropped {
                self.subscribe(id, out);
                self.emit.event(out, Event::Listing { market: id, listing: Listing::Joined });
            }
        } else if let Some(card) = self.selector.offered.remove(&condition) {
            if !takes_orders(&card, now) {
                return;
            }
            self.take_in_card(&card, out);
        }
        let Some(id) = self.by_condition.get(&condition).copied() else { return };
        self.set_leaving(instance, id, leaves);
    }

    /// Whether something of an instance is open or held in a market, settled or not.
    fn is_bound(&self, instance: InstanceId, id: MarketId) -> bool {
        let open = self.orders.open_in(id).any(|order| order.place.instance == instance);
        let carries =
            |i: &crate::instance::Instance| i.basket.as_ref().is_some_and(|basket| basket.is_on_its_way_in(id));
        open || self.instances.get(usize::from(instance.0)).is_some_and(carries)
            || Outcome::BOTH.iter().any(|outcome| {
                let asset = id.asset(*outcome);
                !(self.ledger.matched(instance, asset).is_zero() && self.ledger.settled(instance, asset).is_zero())
            })
    }

    fn set_leaving(&mut self, instance: InstanceId, id: MarketId, leaves: bool) {
        let Some(wanted) = self.instances.get_mut(usize::from(instance.0)).and_then(|i| i.wants.get_mut(&id)) else {
            return;
        };
        if std::mem::replace(&mut wanted.leaving, leaves) == leaves {
            return;
        }
        self.selector.leaving.retain(|one| *one != (instance, id));
        if leaves {
            self.selector.leaving.push((instance, id));
        }
        self.wake(id, true);
    }

    /// Takes a market out of the scope of an instance that has nothing there; the last one takes the subscription along.
    fn withdraw_from(&mut self, instance: InstanceId, id: MarketId, now: Time, out: &mut Vec<Output>) {
        let Some(left) = self.instances.get_mut(usize::from(instance.0)) else { return };
        let Some(wanted) = left.wants.remove(&id) else { return };
        left.scope.retain(|market| *market != id);
        left.loss -= wanted.loss;
        left.dirty = true;
        self.plans.remove(&(instance, id));
        self.selector.leaving.retain(|one| *one != (instance, id));
        if self.instances.iter().all(|instance| !instance.wants.contains_key(&id))
            && let Some(market) = self.markets.get_mut(id.index())
        {
            market.dropped = true;
            self.review_life(id, now, out);
        }
    }
}
