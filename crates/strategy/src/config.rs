//! Which strategy, with which parameters.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Strategy, skewed_maker};

/// A strategy and its parameters, as a configuration names them. Unknown parameters are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyConfig {
    /// [`skewed_maker`].
    SkewedMaker(skewed_maker::Parameters),
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

impl StrategyConfig {
    /// The strategy's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            StrategyConfig::SkewedMaker(_) => skewed_maker::NAME,
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// The first parameter that is outside its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        match self {
            StrategyConfig::SkewedMaker(parameters) => parameters.validate(),
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
        })
    }
}
