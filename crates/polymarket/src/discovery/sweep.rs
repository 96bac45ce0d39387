//! One walk through Gamma's pages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use oddsmith_domain::{ConditionId, MarketCard, MarketFacts, Verdict};
use thiserror::Error;

use super::{DiscoverySettings, Ruled, covered};
use crate::codec::calendar::iso_seconds;
use crate::codec::gamma;
use crate::codec::rest::RestFault;
use crate::selection::{Candidate, choose};

/// Entries of a page: the most that the venue gives.
const PAGE: usize = 100;
/// Names in one question: addresses have a length that servers take.
const NAMES: usize = 20;
/// More pages than this are not a listing but a loop.
const MAX_PAGES: u32 = 1_000;
/// Names and faults that are kept for people.
const KEPT: usize = 10;
/// Markets of a list that are handed over: those that a rule could choose come first.
const MOST_LISTED: usize = 2_000;

/// A market as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The card as Gamma lists it.
    pub listed: MarketCard,
    /// The card with the exchange's own parameters.
    pub card: MarketCard,
}

impl Found {
    /// When it ends; those without an end come last.
    pub(super) fn ends(&self) -> u64 {
        self.card.end_wall_s.unwrap_or(u64::MAX)
    }
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// The markets that are wanted or followed.
    pub found: Vec<Found>,
    /// What the list says of the markets that a rule may look at.
    pub facts: Vec<MarketFacts>,
    /// Those of them that a rule could choose before the next list.
    pub needed: BTreeSet<ConditionId>,
    /// Some slugs of markets that nobody wants, for people.
    pub others: Vec<String>,
    /// Why some market was not understood, a few of them.
    pub faults: Vec<String>,
}

/// Why a sweep cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SweepError {
    /// A page is not understood.
    #[error(transparent)]
    Page(#[from] RestFault),
    /// There is no end to the pages.
    #[error("the pages of markets do not end")]
    Endless,
}

/// See the [module](super). Read [`Sweep::next_path`] from Gamma until there is none, hand each page to [`Sweep::on_page`]; then
/// give each of [`Sweep::unrefined`] its parameters by [`Sweep::refine`], and take [`Sweep::finish`].
#[derive(Debug)]
pub struct Sweep {
    settings: DiscoverySettings,
    known: BTreeMap<ConditionId, Found>,
    /// Those of them that are traded.
    pub(super) followed: BTreeSet<ConditionId>,
    /// Queries that are still to be walked through, without their cursor.
    queries: VecDeque<String>,
    cursor: Option<String>,
    pages: u32,
    now_s: u64,
    listed: BTreeMap<ConditionId, MarketCard>,
    facts: BTreeMap<ConditionId, MarketFacts>,
    refined: BTreeMap<ConditionId, MarketCard>,
    /// Whether those that are followed and were not listed have been asked for.
    asked_missing: bool,
    others: BTreeSet<String>,
    faults: Vec<String>,
}

impl Sweep {
    /// A sweep at this time. `known` are the markets that are followed.
    #[must_use]
    pub fn new(settings: DiscoverySettings, known: BTreeMap<ConditionId, Found>, now_s: u64) -> Sweep {
        let queries = queries(&settings, now_s);
        Sweep {
            settings,
            known,
            followed: BTreeSet::new(),
            queries,
            cursor: None,
            pages: 0,
            now_s,
            listed: BTreeMap::new(),
            facts: BTreeMap::new(),
            refined: BTreeMap::new(),
            asked_missing: false,
            others: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    /// The path of the next page, under Gamma's address; `None` when every page was read.
    pub fn next_path(&mut self) -> Option<String> {
        if self.queries.is_empty() && !std::mem::replace(&mut self.asked_missing, true) {
            self.ask_missing();
        }
        let query = self.queries.front()?;
        Some(match &self.cursor {
            Some(cursor) => format!("{query}&after_cursor={}", escaped(cursor)),
            None => query.clone(),
        })
    }

    /// Takes the page of the last path.
    ///
    /// # Errors
    /// [`SweepError`]: then the sweep has failed, and what it found so far is not all.
    pub fn on_page(&mut self, body: &[u8]) -> Result<(), SweepError> {
        self.pages += 1;
        if self.pages > MAX_PAGES {
            return Err(SweepError::Endless);
        }
        let page = gamma::markets(body)?;
        for fault in &page.faults {
            self.fault(fault.to_string());
        }
        for market in &page.items {
            match gamma::card(market) {
                Ok(card) if self.settings.covers(&card.slug) || self.known.contains_key(&card.condition) => {
                    if self.settings.rules.iter().any(|ruled| covered(&ruled.patterns, &card.slug))
                        && let Ok(facts) = gamma::facts(market)
                    {
                        self.facts.insert(facts.condition, facts);
                    }
                    self.listed.insert(card.condition, card);
                }
                Ok(card) => {
                    if self.others.len() < KEPT {
                        self.others.insert(card.slug);
                    }
                }
                // Others' oddities are no concern of ours.
                Err(why) if self.settings.covers(&market.slug) => self.fault(format!("{}: {why}", market.slug)),
                Err(_) => {}
            }
        }
        match page.next_cursor {
            Some(next) if self.cursor.as_ref() == Some(&next) => return Err(SweepError::Endless),
            Some(next) => self.cursor = Some(next),
            None => {
                self.cursor = None;
                self.queries.pop_front();
            }
        }
        Ok(())
    }

    /// The markets whose parameters are to be read from the exchange: new ones that take orders, and those whose listing changed.
    #[must_use]
    pub fn unrefined(&self) -> Vec<ConditionId> {
        let stale = |condition: &ConditionId, card: &MarketCard| match self.known.get(condition) {
            Some(known) => known.listed != *card && card.accepting_orders,
            None => card.accepting_orders,
        };
        let missing = |condition: &ConditionId| !self.refined.contains_key(condition);
        let needed = self.needed();
        let wanted = |id: &ConditionId, card: &MarketCard| {
            self.known.contains_key(id) || needed.contains(id) || self.settings.names(&card.slug)
        };
        let unrefined = self.listed.iter().filter(|(id, card)| stale(id, card) && missing(id) && wanted(id, card));
        unrefined.map(|(id, _)| *id).collect()
    }

    /// The markets that some rule could choose before the next list comes.
    fn needed(&self) -> BTreeSet<ConditionId> {
        let mut needed = BTreeSet::new();
        for ruled in &self.settings.rules {
            let rule = ruled.rule.widened(self.settings.every_ms / 1_000);
            let of_rule = self.facts.values().filter(|facts| covered(&ruled.patterns, &facts.slug));
            let candidates: Vec<Candidate<'_>> = of_rule
                .map(|facts| {
                    let chosen = self.followed.contains(&facts.condition);
                    Candidate { facts, spread: None, chosen, bound: false, over: false }
                })
                .collect();
            let choice = choose(&rule, &candidates, self.now_s);
            let chosen = choice.verdicts.iter().zip(&candidates).filter(|(v, _)| matches!(v, Verdict::Chosen(_)));
            needed.extend(chosen.map(|(_, candidate)| candidate.facts.condition));
        }
        needed
    }

    /// The card of a market as Gamma lists it.
    #[must_use]
    pub fn listed(&self, condition: &ConditionId) -> Option<&MarketCard> {
        self.listed.get(condition)
    }

    /// Takes a market's card with the exchange's parameters, or why there is none: then the market is left out of this sweep.
    pub fn refine(&mut self, condition: ConditionId, card: Result<MarketCard, String>) {
        match card {
            Ok(card) => {
                self.refined.insert(condition, card);
            }
            Err(why) => {
                let slug = self.listed.remove(&condition).map(|card| card.slug).unwrap_or_default();
                self.fault(format!("{slug}: {why}"));
            }
        }
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Swept {
        let needed = self.needed();
        let mut facts: Vec<MarketFacts> = std::mem::take(&mut self.facts).into_values().collect();
        let counts =
            |facts: &MarketFacts| needed.contains(&facts.condition) || self.known.contains_key(&facts.condition);
        facts.sort_by_cached_key(|facts| (!counts(facts), facts.slug.clone()));
        facts.truncate(MOST_LISTED);
        let mut found = Vec::with_capacity(self.listed.len());
        for (condition, listed) in self.listed {
            let card = match (self.refined.remove(&condition), self.known.remove(&condition)) {
                (Some(card), _) => card,
                (None, Some(known)) if known.listed == listed => known.card,
                // It takes no orders: what the exchange said of it last still holds, but for that.
                (None, Some(known)) => MarketCard {
                    accepting_orders: false,
                    end_wall_s: listed.end_wall_s.or(known.card.end_wall_s),
                    ..known.card
                },
                (None, None) => continue,
            };
            found.push(Found { listed, card });
        }
        Swept { found, facts, needed, others: self.others.into_iter().collect(), faults: self.faults }
    }

    /// Asks for those that are followed and were not on the pages, open or closed.
    fn ask_missing(&mut self) {
        let missing: Vec<&ConditionId> = self.known.keys().filter(|id| !self.listed.contains_key(*id)).collect();
        for names in missing.chunks(NAMES) {
            for closed in [false, true] {
                let tags = with_tags(&self.settings);
                let mut query = format!("/markets/keyset?limit={PAGE}&closed={closed}{tags}");
                for name in names {
                    // Writing to a String cannot fail.
                    let _ = write!(query, "&condition_ids={name}");
                }
                self.queries.push_back(query);
            }
        }
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < KEPT {
            self.faults.push(fault);
        }
    }
}

/// Asks for tags if some rule looks at them.
fn with_tags(settings: &DiscoverySettings) -> &'static str {
    let looks = |ruled: &Ruled| !(ruled.rule.tags.is_empty() && ruled.rule.without_tags.is_empty());
    if settings.rules.iter().any(looks) { "&include_tag=true" } else { "" }
}

/// The questions of a sweep: the named slugs, and one listing if some pattern leaves the ending open.
fn queries(settings: &DiscoverySettings, now_s: u64) -> VecDeque<String> {
    let mut filters = format!("/markets/keyset?limit={PAGE}&active=true&closed=false");
    for tag in &settings.tags {
        let _ = write!(filters, "&tag_id={}", escaped(tag));
    }
    if let Some(within) = settings.end_within_s {
        let (from, to) = (iso_seconds(now_s), iso_seconds(now_s.saturating_add(within)));
        let _ = write!(filters, "&end_date_min={from}&end_date_max={to}");
    }
    for (name, least) in [("volume_num_min", settings.min_volume), ("liquidity_num_min", settings.min_liquidity)] {
        if let Some(least) = least {
            let _ = write!(filters, "&{name}={least}");
        }
    }
    filters.push_str(with_tags(settings));
    let patterns = settings.patterns.iter().chain(settings.rules.iter().flat_map(|ruled| &ruled.patterns));
    let (open, named): (Vec<&String>, Vec<&String>) = patterns.partition(|pattern| pattern.ends_with('*'));
    let mut queries = VecDeque::new();
    for slugs in named.chunks(NAMES) {
        let mut query = filters.clone();
        for slug in slugs {
            let _ = write!(query, "&slug={}", escaped(slug));
        }
        queries.push_back(query);
    }
    if !open.is_empty() {
        queries.push_back(filters);
    }
    queries
}

/// A value inside a query: what is not plainly a part of it is escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
