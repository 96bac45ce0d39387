//! Selection: which of the markets that the venue lists are worth trading.
//!
//! A [`Rule`] is configured for an instance. [`choose`] holds it against what the venue's list says of markets, what their books show
//! and what we have in them, at one moment, and gives a verdict with a reason for each. It is pure: the engine decides by it, and the
//! edge asks it which cards the engine can need before the next list.
//!
//! A market at a border does not come and go: one that is chosen stays until it is outside of a bound by more than the rule's margin,
//! and keeps its place until another one is better by more than that. Bounds of time have no margin at their near end, since time
//! does not turn round.

mod choose;

use oddsmith_domain::{Price, Shares, Usdc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use choose::{Candidate, Choice, choose};

/// What an instance asks of a market. What is left out asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// It has one of these tags, by label or short name, small or large letters; any if there is none here.
    pub tags: Vec<String>,
    /// It has none of these tags.
    pub without_tags: Vec<String>,
    /// Whether it is one of a neg-risk group.
    pub neg_risk: Option<bool>,
    /// It ends no sooner than in this many seconds; one that is chosen leaves when it does. 0 … 31536000.
    pub min_to_close_s: u64,
    /// It ends within this many seconds. 1 … 31536000.
    pub max_to_close_s: Option<u64>,
    /// So much was traded in it at least, in dollars.
    pub min_volume_usdc: Usdc,
    /// So much rests in its books at least, in dollars.
    pub min_liquidity_usdc: Usdc,
    /// From its best bid to its best ask it is this far at most. 0.0001 … 1.
    pub max_spread: Option<Price>,
    /// The venue pays its makers so much a day at least, in dollars.
    pub min_reward_usdc: Usdc,
    /// The venue pays for orders that are this far from the mid. 0.0001 … 1.
    pub min_reward_spread: Option<Price>,
    /// The venue pays for orders of this size.
    pub max_reward_size: Option<Shares>,
    /// So many markets of a series at once: those that end first. 1 … 100.
    pub per_series: Option<u32>,
    /// With `per_series`: the one that follows is taken this many seconds before the first one leaves. 0 … 86400.
    pub successor_s: u64,
    /// So many markets at once; the ones that follow in a series are not counted. 1 … 1000.
    pub max_markets: u32,
    /// Which come first if there are more.
    pub order: Order,
    /// How far beyond a bound a chosen market may be, and by how much another one must be better to take its place, in percent.
    /// 0 … 50.
    pub margin_percent: u8,
}

impl Default for Rule {
    fn default() -> Rule {
        Rule {
            tags: Vec::new(),
            without_tags: Vec::new(),
            neg_risk: None,
            min_to_close_s: 0,
            max_to_close_s: None,
            min_volume_usdc: Usdc::ZERO,
            min_liquidity_usdc: Usdc::ZERO,
            max_spread: None,
            min_reward_usdc: Usdc::ZERO,
            min_reward_spread: None,
            max_reward_size: None,
            per_series: None,
            successor_s: 60,
            max_markets: 50,
            order: Order::EndsFirst,
            margin_percent: 10,
        }
    }
}

/// Which markets come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Those that end first; those without an end last.
    #[default]
    EndsFirst,
    /// Those in which most was traded.
    Volume,
    /// Those in whose books most rests.
    Liquidity,
    /// Those with the narrowest spread.
    Spread,
    /// Those whose makers are paid most.
    Reward,
}

/// A setting that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}` is {value}: {range} is needed")]
pub struct RuleError {
    /// Which one.
    pub name: &'static str,
    /// What it was.
    pub value: String,
    /// What it may be.
    pub range: &'static str,
}

/// A year, in seconds.
const YEAR_S: u64 = 31_536_000;
/// What the cards are read of beyond the rule's number, so that the next ones are there when others leave between two lists.
const SPARE: u32 = 20;
/// The same within a series: windows that follow each other between two lists.
const SPARE_OF_SERIES: u32 = 4;

impl Rule {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting that is out of its range, or contradicts another.
    pub fn validate(&self) -> Result<(), RuleError> {
        let wrong = |name, value: String, range| Err(RuleError { name, value, range });
        if self.min_to_close_s > YEAR_S {
            return wrong("min_to_close_s", self.min_to_close_s.to_string(), "0 … 31536000");
        }
        if let Some(most) = self.max_to_close_s {
            if !(1..=YEAR_S).contains(&most) {
                return wrong("max_to_close_s", most.to_string(), "1 … 31536000");
            }
            if most <= self.min_to_close_s {
                return wrong("max_to_close_s", most.to_string(), "more than `min_to_close_s`");
            }
        }
        let amounts = [
            ("min_volume_usdc", self.min_volume_usdc),
            ("min_liquidity_usdc", self.min_liquidity_usdc),
            ("min_reward_usdc", self.min_reward_usdc),
        ];
        if let Some((name, amount)) = amounts.into_iter().find(|(_, amount)| amount.is_negative()) {
            return wrong(name, amount.to_string(), "0 or more");
        }
        let prices = [("max_spread", self.max_spread), ("min_reward_spread", self.min_reward_spread)];
        if let Some((name, _)) = prices.into_iter().find(|(_, price)| *price == Some(Price::ZERO)) {
            return wrong(name, "0".to_owned(), "0.0001 … 1");
        }
        if let Some(size) = self.max_reward_size.filter(|size| size.is_negative()) {
            return wrong("max_reward_size", size.to_string(), "0 or more");
        }
        if let Some(count) = self.per_series.filter(|count| !(1..=100).contains(count)) {
            return wrong("per_series", count.to_string(), "1 … 100");
        }
        if self.successor_s > 86_400 {
            return wrong("successor_s", self.successor_s.to_string(), "0 … 86400");
        }
        if !(1..=1_000).contains(&self.max_markets) {
            return wrong("max_markets", self.max_markets.to_string(), "1 … 1000");
        }
        if self.margin_percent > 50 {
            return wrong("margin_percent", self.margin_percent.to_string(), "0 … 50");
        }
        Ok(())
    }

    /// The rule of what can be chosen before the next list, which comes after this many seconds: of these markets the cards are read.
    #[must_use]
    pub fn widened(&self, next_list_s: u64) -> Rule {
        Rule {
            max_to_close_s: self.max_to_close_s.map(|most| most.saturating_add(next_list_s.saturating_mul(2))),
            per_series: self.per_series.map(|count| count.saturating_add(SPARE_OF_SERIES)),
            max_markets: self.max_markets.saturating_add(SPARE),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests;
