//! Which strategy, with which parameters.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Strategy, amm, bands, skewed_maker};

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
            StrategyConfig::Bands(_) => "Orders of both tokens kept within bands of distance from the price.",
        }
    }

    /// The strategy's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            StrategyConfig::SkewedMaker(_) => skewed_maker::NAME,
            StrategyConfig::Amm(_) => amm::NAME,
            StrategyConfig::Bands(_) => bands::NAME,
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
        })
    }
}
