//! Discovery: which markets there are, and what their cards say now (protocol section 10.1).
//!
//! Two machines without a socket. A [`Sweep`] is one walk through Gamma's pages: it says which path to read next, takes the page,
//! and ends with the cards of all markets that are wanted. [`Discovery`] says when to sweep, and of what a sweep found, what is
//! new or has changed. A market that is followed and is not on the pages any more is asked for by its name, so that its end is
//! heard of too.

mod sweep;

use std::collections::{BTreeMap, BTreeSet};

use oddsmith_domain::{ConditionId, MarketCard, MarketFacts, Millis, Time, Usdc};

use crate::selection::Rule;
use crate::session::Backoff;

pub use sweep::{Found, Sweep, SweepError, Swept};

/// What is looked for, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverySettings {
    /// The markets by slug; a trailing `*` stands for any ending.
    pub patterns: Vec<String>,
    /// Further markets, of which only those are worth a card that a rule could choose. Without patterns and rules nothing is looked for.
    pub rules: Vec<Ruled>,
    /// Between two sweeps.
    pub every_ms: Millis,
    /// Gamma's numbers of the tags that a market must have one of; any market without.
    pub tags: Vec<String>,
    /// Only markets that end within this time, in seconds.
    pub end_within_s: Option<u64>,
    /// Only markets with at least this volume, in dollars.
    pub min_volume: Option<Usdc>,
    /// Only markets with at least this in their books, in dollars.
    pub min_liquidity: Option<Usdc>,
    /// The most markets that are followed at once; of more, those that end first are.
    pub max_markets: usize,
}

impl Default for DiscoverySettings {
    fn default() -> DiscoverySettings {
        DiscoverySettings {
            patterns: Vec::new(),
            rules: Vec::new(),
            every_ms: 30_000,
            tags: Vec::new(),
            end_within_s: None,
            min_volume: None,
            min_liquidity: None,
            max_markets: 100,
        }
    }
}

impl DiscoverySettings {
    /// Whether a market is one of those that are looked for.
    #[must_use]
    pub fn covers(&self, slug: &str) -> bool {
        self.names(slug) || self.rules.iter().any(|ruled| covered(&ruled.patterns, slug))
    }

    /// Whether it is one that is wanted whatever the rules say.
    fn names(&self, slug: &str) -> bool {
        covered(&self.patterns, slug)
    }

    fn is_idle(&self) -> bool {
        self.patterns.is_empty() && self.rules.is_empty()
    }
}

/// Markets that a rule chooses from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// The markets by slug; a trailing `*` stands for any ending.
    pub patterns: Vec<String>,
    /// What is asked of them.
    pub rule: Rule,
}

/// Whether some pattern covers a slug.
#[must_use]
pub fn covered(patterns: &[String], slug: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => slug.starts_with(start),
        None => slug == pattern,
    })
}

/// What has been counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiscoveryCounts {
    /// Sweeps that came to their end.
    pub sweeps: u64,
    /// Sweeps that did not.
    pub failures: u64,
    /// Markets that were handed over for the first time.
    pub found: u64,
    /// Cards of known markets that had changed.
    pub changed: u64,
    /// Markets of the last sweep that were wanted and had no room.
    pub left_out: usize,
    /// Markets of the last sweep whose description was not understood.
    pub faults: usize,
}

/// The timer and the memory of discovery.
#[derive(Debug)]
pub struct Discovery {
    settings: DiscoverySettings,
    /// What was handed over last, by market: Gamma's own card, and the one refined by the exchange's parameters.
    known: BTreeMap<ConditionId, Found>,
    /// Those of them that are followed, not only offered.
    followed: BTreeSet<ConditionId>,
    /// The list of the last sweep, until it is taken.
    list: Option<Box<[MarketFacts]>>,
    next_at: u64,
    sweeping: bool,
    backoff: Backoff,
    counts: DiscoveryCounts,
}

impl Discovery {
    /// A discovery whose first sweep is due after one interval: the start of a run makes the first one itself. `seed` decides the
    /// jitter of its waits.
    #[must_use]
    pub fn new(settings: DiscoverySettings, seed: u64, now: Time) -> Discovery {
        let next_at = now.mono_ns.saturating_add(settings.every_ms.saturating_mul(Time::MILLI));
        let backoff = Backoff::new(seed);
        Discovery {
            settings,
            known: BTreeMap::new(),
            followed: BTreeSet::new(),
            list: None,
            next_at,
            sweeping: false,
            backoff,
            counts: DiscoveryCounts::default(),
        }
    }

    /// What has been counted.
    #[must_use]
    pub const fn counts(&self) -> DiscoveryCounts {
        self.counts
    }

    /// How many markets are followed or offered.
    #[must_use]
    pub fn known(&self) -> usize {
        self.known.len()
    }

    /// A market is followed from elsewhere: it is asked for by name from now on.
    pub fn follow(&mut self, card: &MarketCard) {
        self.known.entry(card.condition).or_insert_with(|| Found { listed: card.clone(), card: card.clone() });
        self.followed.insert(card.condition);
    }

    /// A market is not followed any more.
    pub fn forget(&mut self, condition: &ConditionId) {
        self.known.remove(condition);
        self.followed.remove(condition);
    }

    /// The sweep that is due, if one is; its end is told by [`Discovery::on_swept`].
    pub fn on_time(&mut self, now: Time) -> Option<Sweep> {
        if self.sweeping || self.settings.is_idle() || now.mono_ns < self.next_at {
            return None;
        }
        self.sweeping = true;
        let mut sweep = Sweep::new(self.settings.clone(), self.known.clone(), now.wall_s());
        sweep.followed.clone_from(&self.followed);
        Some(sweep)
    }

    /// When [`Discovery::on_time`] has something to do, on the monotonic clock.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        (!self.sweeping && !self.settings.is_idle()).then_some(self.next_at)
    }

    /// A sweep has ended: the cards that are new or have changed, known markets first, then those that end first. One that failed
    /// is made again, later each time.
    pub fn on_swept(&mut self, swept: Option<Swept>, now: Time) -> Vec<MarketCard> {
        self.sweeping = false;
        let every = self.settings.every_ms.saturating_mul(Time::MILLI);
        let Some(swept) = swept else {
            self.counts.failures += 1;
            self.next_at = now.mono_ns.saturating_add(self.backoff.fail().min(every));
            return Vec::new();
        };
        self.backoff.reset();
        self.next_at = now.mono_ns.saturating_add(every);
        self.counts.sweeps += 1;
        self.counts.faults = swept.faults.len();
        self.list = (!self.settings.rules.is_empty()).then(|| swept.facts.into_boxed_slice());
        let told = self.take(swept.found, now.wall_s());
        let Discovery { settings, known, followed, .. } = self;
        // A card that nobody can need before the next list is told again when somebody can.
        known
            .retain(|id, found| followed.contains(id) || settings.names(&found.card.slug) || swept.needed.contains(id));
        told
    }

    /// What the last sweep's list says, for those who choose by rules; once for each sweep that read it whole, and to be told after
    /// the cards.
    pub fn take_list(&mut self) -> Option<Box<[MarketFacts]>> {
        self.list.take()
    }

    fn take(&mut self, found: Vec<Found>, now_s: u64) -> Vec<MarketCard> {
        let mut told = Vec::new();
        let mut new: Vec<Found> = Vec::new();
        for market in found {
            match self.known.get_mut(&market.card.condition) {
                Some(known) => {
                    if known.card != market.card {
                        self.counts.changed += 1;
                        told.push(market.card.clone());
                    }
                    if market.card.accepting_orders || self.followed.contains(&market.card.condition) {
                        *known = market;
                    } else {
                        // It was offered, nobody took it up, and now it is over.
                        self.known.remove(&market.card.condition);
                    }
                }
                // The venue goes on listing what has ended until it is decided.
                None if market.card.accepting_orders && market.ends() > now_s => new.push(market),
                None => {}
            }
        }
        new.sort_by(|a, b| (a.ends(), &a.card.slug).cmp(&(b.ends(), &b.card.slug)));
        // What has ended and waits for its decision stands in nobody's way: least of all in that of its successor.
        let goes_on = |found: &&Found| found.card.accepting_orders && found.ends() > now_s;
        let room = self.settings.max_markets.saturating_sub(self.known.values().filter(goes_on).count());
        // Rules have numbers of their own.
        let (named, ruled): (Vec<Found>, Vec<Found>) = new.into_iter().partition(|m| self.settings.names(&m.card.slug));
        self.counts.left_out = named.len().saturating_sub(room);
        for market in named.into_iter().take(room).chain(ruled) {
            self.counts.found += 1;
            told.push(market.card.clone());
            self.known.insert(market.card.condition, market);
        }
        told
    }
}

#[cfg(test)]
mod tests;
