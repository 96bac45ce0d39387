//! The choice.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use oddsmith_domain::{Fit, MarketFacts, Price, Unfit, Usdc, Verdict};

use super::{Order, Rule};

/// A market that a rule is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What the venue's list said of it last.
    pub facts: &'a MarketFacts,
    /// The spread of its book as we see it, if it is received; else the list's counts.
    pub spread: Option<Price>,
    /// Whether it was chosen before.
    pub chosen: bool,
    /// Whether something of ours is held or open there.
    pub bound: bool,
    /// Whether it is known to have ended or to be decided, whatever the list said.
    pub over: bool,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Of each candidate, in their order.
    pub verdicts: Vec<Verdict>,
    /// When time alone changes a verdict next, in seconds since the Unix epoch.
    pub until_s: Option<u64>,
}

/// Holds a rule against the candidates at a time in seconds since the Unix epoch.
///
/// The order of the candidates plays no part in which are chosen.
#[must_use]
pub fn choose(rule: &Rule, candidates: &[Candidate<'_>], now_s: u64) -> Choice {
    let mut fits: Vec<Result<Fit, Unfit>> = candidates.iter().map(|c| judge(rule, c, now_s)).collect();
    let follows = thin_series(rule, candidates, now_s, &mut fits);
    make_room(rule, candidates, now_s, &mut fits, &follows);
    let verdict = |(fit, candidate): (Result<Fit, Unfit>, &Candidate<'_>)| match fit {
        Ok(fit) => Verdict::Chosen(fit),
        Err(why) if candidate.bound => Verdict::Leaving(why),
        Err(why) => Verdict::Refused(why),
    };
    let until_s = candidates.iter().filter_map(|candidate| turns_at(rule, candidate, now_s)).min();
    Choice { verdicts: fits.into_iter().zip(candidates).map(verdict).collect(), until_s }
}

/// What the rule says of a market by itself.
fn judge(rule: &Rule, candidate: &Candidate<'_>, now_s: u64) -> Result<Fit, Unfit> {
    match bounds(rule, candidate, now_s, 0) {
        Ok(()) => Ok(Fit::Rule),
        Err(_) if candidate.chosen => {
            bounds(rule, candidate, now_s, u64::from(rule.margin_percent)).map(|()| Fit::Margin)
        }
        Err(why) => Err(why),
    }
}

/// Checks every bound, each wider by so many percent.
fn bounds(rule: &Rule, candidate: &Candidate<'_>, now_s: u64, margin: u64) -> Result<(), Unfit> {
    let facts = candidate.facts;
    let refuse = |refused: bool, why| if refused { Err(why) } else { Ok(()) };
    refuse(facts.archived, Unfit::Archived)?;
    refuse(facts.closed, Unfit::Closed)?;
    refuse(!facts.active, Unfit::Inactive)?;
    refuse(candidate.over || facts.end_wall_s.is_some_and(|end| end <= now_s), Unfit::Ended)?;
    refuse(!facts.accepting_orders, Unfit::NotAccepting)?;
    let has = |tag: &String| facts.tags.iter().any(|own| own.eq_ignore_ascii_case(tag));
    refuse(!rule.tags.is_empty() && !rule.tags.iter().any(has), Unfit::Tag)?;
    refuse(rule.without_tags.iter().any(has), Unfit::UnwantedTag)?;
    refuse(rule.neg_risk.is_some_and(|wanted| wanted != facts.neg_risk), Unfit::NegRisk)?;
    let left_s = facts.end_wall_s.map(|end| end.saturating_sub(now_s));
    refuse(left_s.is_some_and(|left| left < rule.min_to_close_s), Unfit::EndsTooSoon)?;
    if let Some(most) = rule.max_to_close_s {
        let most = more(most, margin);
        refuse(left_s.ok_or(Unfit::NoEnd)? > most, Unfit::EndsTooLate)?;
    }
    at_least(facts.volume, rule.min_volume_usdc, margin, Unfit::Volume)?;
    at_least(facts.liquidity, rule.min_liquidity_usdc, margin, Unfit::Liquidity)?;
    if let Some(most) = rule.max_spread {
        let most = more(u64::from(most.units()), margin);
        refuse(spread(candidate).is_none_or(|spread| u64::from(spread.units()) > most), Unfit::Spread)?;
    }
    at_least(facts.rewards.map(|rewards| rewards.daily), rule.min_reward_usdc, margin, Unfit::Reward)?;
    if let Some(least) = rule.min_reward_spread {
        let pays = facts.rewards.map_or(0, |rewards| u64::from(rewards.max_spread.units()));
        refuse(more(pays, margin) < u64::from(least.units()), Unfit::RewardSpread)?;
    }
    if let Some(most) = rule.max_reward_size {
        let most = most.micros().saturating_add(part(most.micros(), margin));
        refuse(facts.rewards.is_none_or(|rewards| rewards.min_size.micros() > most), Unfit::RewardSize)?;
    }
    Ok(())
}

/// A bound of an amount; what is not stated fits only no bound.
fn at_least(amount: Option<Usdc>, least: Usdc, margin: u64, why: Unfit) -> Result<(), Unfit> {
    if !least.is_positive() {
        return Ok(());
    }
    let least = least.micros().saturating_sub(part(least.micros(), margin));
    if amount.is_some_and(|amount| amount.micros() >= least) { Ok(()) } else { Err(why) }
}

const fn more(value: u64, percent: u64) -> u64 {
    value.saturating_add(value.saturating_mul(percent) / 100)
}

fn part(value: i64, percent: u64) -> i64 {
    value.saturating_mul(i64::try_from(percent).unwrap_or(0)) / 100
}

fn spread(candidate: &Candidate<'_>) -> Option<Price> {
    candidate.spread.or(candidate.facts.spread)
}

/// Of each series only so many; the next one when the first leaves soon. Tells which of the candidates another one follows.
fn thin_series(
    rule: &Rule,
    candidates: &[Candidate<'_>],
    now_s: u64,
    fits: &mut [Result<Fit, Unfit>],
) -> BTreeMap<usize, usize> {
    let mut follows = BTreeMap::new();
    let Some(most) = rule.per_series else { return follows };
    let mut series: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        if fits[index].is_ok() && !candidate.facts.series.is_empty() {
            series.entry(&candidate.facts.series).or_default().push(index);
        }
    }
    for mut windows in series.into_values() {
        windows.sort_by_key(|index| {
            let facts = candidates[*index].facts;
            (facts.end_wall_s.unwrap_or(u64::MAX), &facts.slug)
        });
        let first = windows[0];
        let leaves_s = candidates[first].facts.end_wall_s.map(|end| end.saturating_sub(rule.min_to_close_s));
        let soon = leaves_s.is_some_and(|at| at.saturating_sub(now_s) <= rule.successor_s);
        for (place, index) in windows.into_iter().enumerate() {
            match place.checked_sub(most as usize) {
                None => {}
                // One that was taken as the next one stays it: its predecessor's end may be put off.
                Some(0) if soon || candidates[index].chosen => {
                    fits[index] = Ok(Fit::Successor);
                    follows.insert(index, first);
                }
                Some(_) => fits[index] = Err(Unfit::SeriesFull),
            }
        }
    }
    follows
}

/// The first ones stay, the others have no room. One that follows another in its series stays with it, on top of the number.
fn make_room(
    rule: &Rule,
    candidates: &[Candidate<'_>],
    now_s: u64,
    fits: &mut [Result<Fit, Unfit>],
    follows: &BTreeMap<usize, usize>,
) {
    let rank = |index: &usize| {
        let candidate = &candidates[*index];
        (Reverse(figure(rule, candidate, now_s)), !candidate.chosen, &candidate.facts.slug)
    };
    let mut ranked: Vec<usize> =
        (0..candidates.len()).filter(|index| fits[*index].is_ok() && !follows.contains_key(index)).collect();
    ranked.sort_by_key(rank);
    for index in ranked.into_iter().skip(rule.max_markets as usize) {
        fits[index] = Err(Unfit::NoRoom);
    }
    for (next, first) in follows {
        if fits[*first].is_err() {
            fits[*next] = Err(Unfit::NoRoom);
        }
    }
}

/// What a market is ranked by: more is better, and a chosen one has the margin on its side.
fn figure(rule: &Rule, candidate: &Candidate<'_>, now_s: u64) -> i64 {
    let facts = candidate.facts;
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let figure = match rule.order {
        Order::EndsFirst => facts.end_wall_s.map_or(-i64::MAX, |end| -whole(end.saturating_sub(now_s))),
        Order::Volume => facts.volume.map_or(0, Usdc::micros),
        Order::Liquidity => facts.liquidity.map_or(0, Usdc::micros),
        Order::Spread => spread(candidate).map_or(-i64::MAX, |spread| -i64::from(spread.units())),
        Order::Reward => facts.rewards.map_or(0, |rewards| rewards.daily.micros()),
    };
    let margin = if candidate.chosen { i128::from(rule.margin_percent) } else { 0 };
    let favoured = i128::from(figure) + i128::from(figure).abs() * margin / 100;
    i64::try_from(favoured).unwrap_or(i64::MAX)
}

/// When time alone can change what is said of a market next.
fn turns_at(rule: &Rule, candidate: &Candidate<'_>, now_s: u64) -> Option<u64> {
    let end = candidate.facts.end_wall_s?;
    let leaves = end.saturating_sub(rule.min_to_close_s).saturating_add(1);
    let enters = rule.max_to_close_s.map(|most| end.saturating_sub(most));
    let warns = rule.per_series.map(|_| end.saturating_sub(rule.min_to_close_s).saturating_sub(rule.successor_s));
    [Some(end), Some(leaves), enters, warns].into_iter().flatten().filter(|at| *at > now_s).min()
}
