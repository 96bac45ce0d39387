//! What outside sources know of the matches that decide markets.
//!
//! Of the sources that were heard of lately the best kind counts; among equals the one that knows the later event. Public pages confirm
//! and never lead: alone they are worth no confidence. A source of another opinion takes confidence away. Each match has its own age: one
//! that is not heard of stops nothing but itself.

use std::collections::BTreeMap;

use oddsmith_domain::{MatchState, Settlement, SourceTier, Time, TruthReport};
use oddsmith_strategy::Truth;

use crate::core::Engine;

/// What comes from outside is bounded: so many markets, and so many sources of each.
const MAX_MARKETS: usize = 4_096;
const MAX_SOURCES: usize = 8;
/// A source that was not heard of for this long has no say.
const HEARD_NS: u64 = 60 * Time::SECOND;
const PPM: f64 = 1e6;

/// What a source said last.
#[derive(Clone, Copy, Debug)]
struct Heard {
    tier: SourceTier,
    state: MatchState,
    yes_ppm: u32,
    confidence_ppm: u32,
    event: u64,
    /// When the last event happened, by the source's account, on the monotonic clock.
    event_mono_ns: u64,
    heard_mono_ns: u64,
}

/// Every match, by the short name of the market that it decides.
#[derive(Debug, Default)]
pub(crate) struct Truths {
    markets: BTreeMap<String, BTreeMap<String, Heard>>,
}

impl Truths {
    /// Takes a report in; says whether it tells of a new event. An older report of the same source is passed over, and what is final
    /// stays so.
    fn take(&mut self, report: &TruthReport, now: Time) -> Option<bool> {
        if self.markets.len() >= MAX_MARKETS && !self.markets.contains_key(&report.market) {
            return None;
        }
        let sources = self.markets.entry(report.market.clone()).or_default();
        let before = sources.get(&report.source).copied();
        if before.is_none() && sources.len() >= MAX_SOURCES || before.is_some_and(|b| report.event < b.event) {
            return None;
        }
        let new = before.is_none_or(|before| report.event > before.event);
        // The source's clock can make an event older, and never younger than when it was heard of.
        let ago_ns = now.wall_ns.saturating_sub(report.source_wall_ms.saturating_mul(Time::MILLI));
        let event_mono_ns = match before {
            Some(before) if !new => before.event_mono_ns,
            _ => now.mono_ns.saturating_sub(ago_ns),
        };
        let heard = Heard {
            tier: report.tier,
            state: report.state,
            yes_ppm: report.yes_ppm(),
            confidence_ppm: report.confidence_ppm.min(1_000_000),
            event: report.event,
            event_mono_ns,
            heard_mono_ns: now.mono_ns,
        };
        sources.insert(report.source.clone(), heard);
        Some(new)
    }

    /// What is known of the match that decides a market.
    pub(crate) fn of(&self, slug: &str, settlement: &Settlement, now: Time) -> Option<Truth> {
        let sources = self.markets.get(slug)?;
        let lately = |heard: &&Heard| now.mono_ns.saturating_sub(heard.heard_mono_ns) <= HEARD_NS;
        let rank = |heard: &&Heard| (std::cmp::Reverse(heard.tier), heard.event, heard.heard_mono_ns);
        // If nobody was heard of lately, what was known last is shown with its age.
        let best = sources.values().filter(lately).max_by_key(rank).or_else(|| sources.values().max_by_key(rank))?;
        let apart = |other: &Heard| f64::from(other.yes_ppm.abs_diff(best.yes_ppm)) / PPM;
        let others =
            sources.values().filter(lately).filter(|other| (other.yes_ppm > 500_000) != (best.yes_ppm > 500_000));
        let doubt = others.map(apart).fold(0.0, f64::max);
        let leads = best.tier != SourceTier::Public && best.state != MatchState::Void;
        let confidence = if leads { f64::from(best.confidence_ppm) / PPM * (1.0 - doubt) } else { 0.0 };
        Some(Truth {
            probability: f64::from(best.yes_ppm) / PPM,
            confidence,
            event_mono_ns: best.event_mono_ns,
            heard_mono_ns: best.heard_mono_ns,
            clear_rules: *settlement == Settlement::Words { clear: true },
        })
    }
}

impl Engine {
    pub(crate) fn on_truth(&mut self, report: &TruthReport, now: Time) {
        let Some(new) = self.truths.take(report, now) else { return };
        let of_match = self.markets.iter().find(|market| market.card.slug == report.market).map(|market| market.id);
        let Some(id) = of_match else { return };
        for instance in self.instances.iter_mut().filter(|instance| instance.wants.contains_key(&id)) {
            instance.dirty = true;
            // An event is worth what it is worth only until others know of it.
            instance.urgent |= new;
        }
    }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::Competitor;

    use super::*;

    const CLEAR: Settlement = Settlement::Words { clear: true };

    fn at(s: u64) -> Time {
        Time { mono_ns: (1_000 + s) * Time::SECOND, wall_ns: (1_790_000_000 + s) * Time::SECOND }
    }

    fn report(source: &str, tier: SourceTier, event: u64, first_ppm: u32) -> TruthReport {
        TruthReport {
            match_id: "m".to_owned(),
            market: "a-b".to_owned(),
            yes: Competitor::First,
            source: source.to_owned(),
            tier,
            state: MatchState::Live,
            first_ppm,
            confidence_ppm: 900_000,
            event,
            source_wall_ms: at(0).wall_ns / Time::MILLI,
        }
    }

    fn known(truths: &Truths, s: u64) -> Truth {
        truths.of("a-b", &CLEAR, at(s)).expect("something is known")
    }

    #[test]
    fn the_better_source_counts_and_a_public_page_never_leads() {
        let mut truths = Truths::default();
        truths.take(&report("page", SourceTier::Public, 9, 990_000), at(1));
        assert!(known(&truths, 1).confidence < 1e-12);
        truths.take(&report("feed", SourceTier::Licensed, 1, 800_000), at(1));
        let truth = known(&truths, 1);
        assert!((truth.probability - 0.8).abs() < 1e-9 && (truth.confidence - 0.9).abs() < 1e-9, "{truth:?}");
        assert!(truth.clear_rules);
        truths.take(&report("league", SourceTier::Official, 1, 300_000), at(2));
        let truth = known(&truths, 2);
        // The others stand on the other side, 0.69 away at most.
        assert!((truth.probability - 0.3).abs() < 1e-9 && (truth.confidence - 0.9 * 0.31).abs() < 1e-9, "{truth:?}");
    }

    #[test]
    fn an_event_has_its_own_age_and_a_repeated_report_does_not_make_it_younger() {
        let mut truths = Truths::default();
        assert_eq!(truths.take(&report("feed", SourceTier::Licensed, 1, 800_000), at(3)), Some(true));
        assert_eq!(known(&truths, 3).event_mono_ns, at(0).mono_ns, "three seconds late");
        assert_eq!(truths.take(&report("feed", SourceTier::Licensed, 1, 800_000), at(9)), Some(false));
        let truth = known(&truths, 9);
        assert_eq!((truth.event_mono_ns, truth.heard_mono_ns), (at(0).mono_ns, at(9).mono_ns));
        let ahead = TruthReport { source_wall_ms: u64::MAX, ..report("feed", SourceTier::Licensed, 2, 900_000) };
        assert_eq!(truths.take(&ahead, at(10)), Some(true));
        assert_eq!(known(&truths, 10).event_mono_ns, at(10).mono_ns, "never younger than when it was heard of");
        assert_eq!(truths.take(&report("feed", SourceTier::Licensed, 1, 100_000), at(11)), None, "an older report");
    }

    #[test]
    fn a_void_match_is_worth_nothing_and_what_comes_is_bounded() {
        let mut truths = Truths::default();
        truths
            .take(&TruthReport { state: MatchState::Void, ..report("feed", SourceTier::Official, 1, 990_000) }, at(0));
        assert!(known(&truths, 0).confidence < 1e-12);
        for n in 0..20 {
            truths.take(&report(&format!("s{n}"), SourceTier::Licensed, 1, 700_000), at(0));
        }
        assert_eq!(truths.markets["a-b"].len(), MAX_SOURCES);
    }
}
