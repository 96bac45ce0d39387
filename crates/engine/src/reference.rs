//! Prices outside of the venue: what is known of each, which markets and instances depend on them, and what their loss or a shock stops.
//!
//! A market depends on a price when its card says that the price decides it and an instance that follows such prices covers it. A price
//! that was not heard of for too long, or whose connection is down, is doubt about those markets and no others. A shock takes back, at
//! once and without waiting for an evaluation, what the instances that follow the price have resting there.

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{
    Denial, DoubtCause, Event, InstanceId, IntentId, LinkState, MarketCard, MarketId, Mode, Output, PriceSource,
    Reason, ReferenceTick, Symbol, Time, UpDownRule, Withdrawal,
};
use oddsmith_strategy::features::Features;
use oddsmith_strategy::{Rest, SettlementRule, Underlying};

use crate::config::ns;
use crate::core::Engine;
use crate::lifecycle::Life;

/// How many symbols are followed at most: what comes from outside is bounded.
const MAX_SYMBOLS: usize = 256;
/// The largest of the last moves is shown for this long, so that one that was followed by a smaller one is not missed.
const PEAK_NS: u64 = Time::SECOND;
/// A move of this many deviations does not wait for the debounce: what is quoted by the price may be wrong now.
const URGENT: f64 = 2.0;
/// For how long after its time a strike is looked for: what is not known by then will not be.
const STRIKE_NS: u64 = 10 * Time::SECOND;

/// What is known of one price.
#[derive(Debug)]
struct Feed {
    source: PriceSource,
    features: Features,
    /// When it was last heard of, on the monotonic clock.
    heard: u64,
    /// The largest of the last moves, in deviations, and when it was seen.
    peak: (f64, u64),
}

/// Every price outside of the venue, and who follows them.
#[derive(Debug, Default)]
pub(crate) struct References {
    feeds: BTreeMap<Symbol, Feed>,
    down: BTreeSet<PriceSource>,
    /// At how many deviations a move is a shock for an instance, by its number; `None` for one that follows no such price.
    followers: Vec<Option<f64>>,
    /// The strikes that were seen and the venue has not stated.
    strikes: BTreeMap<MarketId, f64>,
}

impl References {
    /// Whether the instance follows prices outside of the venue.
    fn is_follower(&self, instance: InstanceId) -> bool {
        matches!(self.followers.get(usize::from(instance.0)), Some(Some(_)))
    }

    fn rule(&self, id: MarketId, rule: &UpDownRule) -> SettlementRule {
        SettlementRule {
            start_wall_s: rule.start_wall_s,
            end_wall_s: rule.end_wall_s,
            average_s: f64::from(rule.average_s),
            strike: rule.strike.map(|strike| strike.to_f64()).or_else(|| self.strikes.get(&id).copied()),
        }
    }

    /// What decides a market, as far as it is known.
    pub(crate) fn underlying(&self, id: MarketId, card: &MarketCard, now: Time) -> Option<Underlying> {
        let rule = card.settlement.up_down()?;
        let feed = self.feeds.get(&rule.symbol)?;
        let underlying = Underlying::new(&feed.features, self.rule(id, rule), now)?;
        Some(Underlying { shock: feed.peak.0.max(underlying.shock), ..underlying })
    }

    /// How long the price that decides a market has not been heard of; `None` when it never was, or its connection is down.
    fn age_ns(&self, rule: &UpDownRule, now: Time) -> Option<u64> {
        let feed = self.feeds.get(&rule.symbol)?;
        (!self.down.contains(&feed.source)).then(|| now.mono_ns.saturating_sub(feed.heard))
    }

    /// Takes a price in; says by how many deviations it moved, or that it was none.
    fn take(&mut self, tick: &ReferenceTick, now: Time) -> Option<f64> {
        let full = self.feeds.len() >= MAX_SYMBOLS && !self.feeds.contains_key(&tick.symbol);
        if full || tick.bid.units() <= 0 || tick.bid > tick.ask {
            return None;
        }
        let feed = self.feeds.entry(tick.symbol).or_insert_with(|| Feed {
            source: tick.source,
            features: Features::default(),
            heard: now.mono_ns,
            peak: (0.0, 0),
        });
        (feed.source, feed.heard) = (tick.source, now.mono_ns);
        feed.features.update(tick.bid.middle(tick.ask).to_f64(), now);
        let z = feed.features.shock();
        if z >= feed.peak.0 || now.mono_ns.saturating_sub(feed.peak.1) > PEAK_NS {
            feed.peak = (z, now.mono_ns);
        }
        Some(z)
    }

    /// Remembers the strike of a market whose window has begun, if it was seen.
    fn note_strike(&mut self, id: MarketId, rule: &UpDownRule, now: Time) {
        let start_ns = rule.start_wall_s.saturating_mul(Time::SECOND);
        let due = now.wall_ns >= start_ns && now.wall_ns - start_ns < STRIKE_NS;
        if !due || rule.strike.is_some() || self.strikes.contains_key(&id) {
            return;
        }
        let features = self.feeds.get(&rule.symbol).map(|feed| &feed.features);
        let strike = features.and_then(|features| features.value_at(start_ns, f64::from(rule.average_s)));
        if let Some(strike) = strike {
            self.strikes.insert(id, strike);
        }
    }
}

impl Engine {
    /// Who follows prices outside of the venue, when a run begins.
    pub(crate) fn begin_references(&mut self) {
        let follows = |instance: &crate::InstanceConfig| instance.strategy.reference_shock();
        self.references.followers = self.config.instances.iter().map(follows).collect();
    }

    pub(crate) fn on_reference(&mut self, tick: &ReferenceTick, now: Time, out: &mut Vec<Output>) {
        let Some(z) = self.references.take(tick, now) else {
            self.counts.undecodable += 1;
            return;
        };
        for n in 0..self.markets.count() {
            let Some(id) = self.markets.nth(n) else { continue };
            let decides = |card: &MarketCard| card.settlement.up_down().is_some_and(|rule| rule.symbol == tick.symbol);
            if !self.markets.get(id.index()).is_some_and(|market| decides(&market.card)) {
                continue;
            }
            for index in 0..self.instances.len() {
                let Some(Some(shock)) = self.references.followers.get(index).copied() else { continue };
                let Some(instance) = self.instances.get_mut(index).filter(|i| i.wants.contains_key(&id)) else {
                    continue;
                };
                instance.dirty = true;
                instance.urgent |= z >= URGENT;
                if z >= shock {
                    self.shy_away(index, id, now, out);
                }
            }
        }
    }

    /// A shock: an instance wants nothing any more in a market, and what rests there is cancelled. Its next evaluation says how it goes
    /// on.
    fn shy_away(&mut self, index: usize, id: MarketId, now: Time, out: &mut Vec<Output>) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        let owner = instance.id;
        let Some(wanted) = instance.wants.get_mut(&id) else { return };
        if wanted.mode() != Mode::Stop {
            self.intents += 1;
            wanted.intent = IntentId(self.intents);
            let mut rest = Rest {
                market: id,
                mode: Mode::Stop,
                keep: Vec::new(),
                quotes: Vec::new(),
                reasons: Default::default(),
                figures: Default::default(),
            };
            rest.because(Reason::Shock);
            let reasons = rest.reasons.clone();
            wanted.rest = Some(rest);
            let (intent, keep, quotes) = (wanted.intent, Vec::new(), Vec::new());
            let stopped =
                Event::Decision { instance: owner, market: id, intent, mode: Mode::Stop, keep, quotes, reasons };
            self.emit.event(out, stopped);
        }
        let resting = self.orders.open_in(id).filter(|order| order.place.instance == owner);
        let resting: Vec<_> = resting.map(|order| order.place.id).collect();
        for order in resting {
            self.withdraw(&order, Withdrawal::Shock, now, out);
        }
    }

    /// A connection to a source of prices came or went.
    pub(crate) fn on_reference_link(
        &mut self,
        source: PriceSource,
        state: &LinkState,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        match state {
            LinkState::Up => {
                self.references.down.remove(&source);
            }
            LinkState::Alive => {}
            LinkState::Down(_) | LinkState::Silent => {
                self.references.down.insert(source);
                self.watch_references(now, out);
            }
        }
    }

    /// Whether a market depends on a price outside of the venue: by its card, and by who trades it.
    fn depends(&self, id: MarketId) -> Option<UpDownRule> {
        let market = self.markets.get(id.index()).filter(|market| market.life == Life::Open)?;
        let rule = market.card.settlement.up_down()?;
        let followed = self.instances.iter().any(|i| i.wants.contains_key(&id) && self.references.is_follower(i.id));
        followed.then_some(*rule)
    }

    /// Looks at the age of every price that decides a market, and takes the strikes that are due.
    pub(crate) fn watch_references(&mut self, now: Time, out: &mut Vec<Output>) {
        let limit = ns(self.config.timing.stale_reference_ms);
        for n in 0..self.markets.count() {
            let Some(id) = self.markets.nth(n) else { continue };
            let Some(rule) = self.depends(id) else {
                if let Some(market) = self.markets.get_mut(id.index()) {
                    market.doubt.resolve(DoubtCause::ReferenceFeed);
                }
                continue;
            };
            self.references.note_strike(id, &rule, now);
            self.wake_if_aged(id, &rule, now);
            let stale = self.references.age_ns(&rule, now).is_none_or(|age| age > limit);
            // Before the first price nothing is quoted by it, and so nothing has to be taken back.
            let known = self.references.feeds.contains_key(&rule.symbol);
            if stale && (known || self.orders.open_in(id).next().is_some()) {
                self.doubt_market(id, DoubtCause::ReferenceFeed, now, out);
            } else if !stale && let Some(market) = self.markets.get_mut(id.index()) {
                market.doubt.resolve(DoubtCause::ReferenceFeed);
            }
        }
        let markets = &self.markets;
        self.references.strikes.retain(|id, _| markets.get(id.index()).is_some());
    }

    /// A price that has become too old to quote by is news for whoever follows it: no other input tells of it.
    fn wake_if_aged(&mut self, id: MarketId, rule: &UpDownRule, now: Time) {
        let Some(heard) = self.references.feeds.get(&rule.symbol).map(|feed| feed.heard) else { return };
        let too_old_at = heard.saturating_add(ns(self.config.timing.fresh_reference_ms));
        if now.mono_ns <= too_old_at {
            return;
        }
        let References { followers, .. } = &self.references;
        for (instance, follows) in self.instances.iter_mut().zip(followers) {
            let looked = instance.evaluated_at.is_some_and(|at| at > too_old_at);
            if follows.is_some() && !looked && instance.wants.contains_key(&id) {
                (instance.dirty, instance.urgent) = (true, true);
            }
        }
    }

    /// Whether the price that an instance follows is fresh enough for an order to leave.
    pub(crate) fn check_reference(&self, instance: InstanceId, id: MarketId, now: Time) -> Result<(), Denial> {
        let rule = self.markets.get(id.index()).and_then(|market| market.card.settlement.up_down());
        let Some(rule) = rule.filter(|_| self.references.is_follower(instance)) else { return Ok(()) };
        let limit = ns(self.config.timing.fresh_reference_ms);
        match self.references.age_ns(rule, now) {
            Some(age) if age <= limit => Ok(()),
            _ => Err(Denial::StaleReference),
        }
    }
}
