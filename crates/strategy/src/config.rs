//! Which strategy, with which parameters.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Strategy, amm, bands, imbalance, multi, pair, reference_maker, skewed_maker, temporal};

/// A strategy and its parameters, as a configuration names them. Unknown parameters are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyConfig {
    /// [`skewed_maker`].
    SkewedMaker(skewed_maker::Parameters),
    /// [`amm`].
    Amm(amm::Parameters),
    /// [`bands`].
    Bands(bands::Parameters),
    /// [`imbalance`].
    Imbalance(imbalance::Parameters),
    /// [`pair`].
    Pair(pair::Parameters),
    /// [`multi`].
    Multi(multi::Parameters),
    /// [`reference_maker`].
    ReferenceMaker(reference_maker::Parameters),
    /// [`temporal`].
    Temporal(temporal::Parameters),
}

/// A parameter outside its range.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("parameter `{name}` is {value}: {range} is needed")]
pub struct ParameterError {
    /// The parameter.
    pub name: &'static str,
    /// What it was.
    pub value: String,
    /// What it may be.
    pub range: &'static str,
}

impl ParameterError {
    /// Checks numbers against their ranges: name, value, lowest, highest, and the range in words. A NaN is in no range.
    pub(crate) fn check(ranges: &[(&'static str, f64, f64, f64, &'static str)]) -> Result<(), ParameterError> {
        match ranges.iter().find(|(_, value, low, high, _)| !(low..=high).contains(&value)) {
            Some(&(name, value, _, _, range)) => Err(ParameterError { name, value: value.to_string(), range }),
            None => Ok(()),
        }
    }
}

impl StrategyConfig {
    /// Every strategy with its default parameters.
    #[must_use]
    pub fn all() -> Vec<StrategyConfig> {
        vec![
            StrategyConfig::SkewedMaker(Default::default()),
            StrategyConfig::Amm(Default::default()),
            StrategyConfig::Bands(Default::default()),
            StrategyConfig::Imbalance(Default::default()),
            StrategyConfig::Pair(Default::default()),
            StrategyConfig::Multi(Default::default()),
            StrategyConfig::ReferenceMaker(Default::default()),
            StrategyConfig::Temporal(Default::default()),
        ]
    }

    /// What it does, in one sentence.
    #[must_use]
    pub const fn summary(&self) -> &'static str {
        match self {
            StrategyConfig::SkewedMaker(_) => {
                "One bid and one ask around the micro-price, skewed against the inventory."
            }
            StrategyConfig::Amm(_) => {
                "A ladder of both tokens, as a concentrated-liquidity market maker would quote it."
            }
            StrategyConfig::Imbalance(_) => "Takes the side that the book leans to, and leaves by time or profit.",
            StrategyConfig::Pair(_) => "Buys both tokens for less than the dollar that they pay together.",
            StrategyConfig::Multi(_) => "Buys every outcome of an event for less than what they pay together.",
            StrategyConfig::ReferenceMaker(_) => "Quotes an up/down market around what the price that decides it says.",
            StrategyConfig::Temporal(_) => "Trades what is known of a match against a book that has not heard of it.",
            StrategyConfig::Bands(_) => "Orders of both tokens kept within bands of distance from the price.",
        }
    }

    /// What it wants that no recording of the venue holds; `None` for one that can be run over recordings.
    #[must_use]
    pub const fn needs(&self) -> Option<&'static str> {
        match self {
            StrategyConfig::Temporal(_) => Some("trades by reports of matches, which no recording holds"),
            _ => None,
        }
    }

    /// At how many deviations a move of the price that decides a market is a shock; `None` for a strategy that follows no such price.
    #[must_use]
    pub const fn reference_shock(&self) -> Option<f64> {
        match self {
            StrategyConfig::ReferenceMaker(parameters) => Some(parameters.shock_z),
            _ => None,
        }
    }

    /// Whether it trades by what is known of matches.
    #[must_use]
    pub const fn follows_truth(&self) -> bool {
        matches!(self, StrategyConfig::Temporal(_))
    }

    /// The strategy's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            StrategyConfig::SkewedMaker(_) => skewed_maker::NAME,
            StrategyConfig::Amm(_) => amm::NAME,
            StrategyConfig::Bands(_) => bands::NAME,
            StrategyConfig::Imbalance(_) => imbalance::NAME,
            StrategyConfig::Pair(_) => pair::NAME,
            StrategyConfig::Multi(_) => multi::NAME,
            StrategyConfig::ReferenceMaker(_) => reference_maker::NAME,
            StrategyConfig::Temporal(_) => temporal::NAME,
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// The first parameter that is outside its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        match self {
            StrategyConfig::SkewedMaker(parameters) => parameters.validate(),
            StrategyConfig::Amm(parameters) => parameters.validate(),
            StrategyConfig::Bands(parameters) => parameters.validate(),
            StrategyConfig::Imbalance(parameters) => parameters.validate(),
            StrategyConfig::Pair(parameters) => parameters.validate(),
            StrategyConfig::Multi(parameters) => parameters.validate(),
            StrategyConfig::ReferenceMaker(parameters) => parameters.validate(),
            StrategyConfig::Temporal(parameters) => parameters.validate(),
        }
    }

    /// Builds an instance.
    ///
    /// # Errors
    /// As [`StrategyConfig::validate`].
    pub fn build(&self) -> Result<Box<dyn Strategy + Send>, ParameterError> {
        self.validate()?;
        Ok(match self {
            StrategyConfig::SkewedMaker(parameters) => Box::new(skewed_maker::SkewedMaker::new(parameters.clone())),
            StrategyConfig::Amm(parameters) => Box::new(amm::Amm::new(parameters.clone())),
            StrategyConfig::Bands(parameters) => Box::new(bands::Bands::new(parameters.clone())),
            StrategyConfig::Temporal(parameters) => Box::new(temporal::Temporal::new(parameters.clone())),
            StrategyConfig::ReferenceMaker(parameters) => {
                Box::new(reference_maker::ReferenceMaker::new(parameters.clone()))
            }
            StrategyConfig::Multi(parameters) => Box::new(multi::Multi::new(parameters.clone())),
            StrategyConfig::Pair(parameters) => Box::new(pair::Pair::new(parameters.clone())),
            StrategyConfig::Imbalance(parameters) => Box::new(imbalance::Imbalance::new(parameters.clone())),
        })
    }
}
