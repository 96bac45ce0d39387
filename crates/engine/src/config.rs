//! What an engine is told once, when its run begins.

use oddsmith_domain::{Millis, Shares, Time, Usdc};
use oddsmith_execution::{MinSizePolicy, PlanPolicy};
use oddsmith_polymarket::selection::RuleError;
use oddsmith_risk::{LimitError, Limits};
use oddsmith_strategy::{ParameterError, StrategyConfig};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::listen::Listener;
use crate::selection::Selecting;
use crate::settings::{Doubts, Sending};
use crate::sharing::{self, Sharing};
use crate::tokens::Tokens;

/// The configuration of an engine: the same in a profile, in the journal and in a replay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// The strategy instances, in the order of their priority unless they state one.
    pub instances: Vec<InstanceConfig>,
    /// What may be risked.
    pub limits: Limits,
    /// How fast and how patient the engine is.
    pub timing: Timing,
    /// When something is in doubt.
    pub doubt: Doubts,
    /// How orders are sent, and when they are taken back.
    pub sending: Sending,
    /// How keen it is on changing what works.
    pub planning: Planning,
    /// How the account is kept.
    pub tokens: Tokens,
    /// Which of the markets that instances name are traded.
    pub selection: Selecting,
}

/// One named instance of a strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceConfig {
    /// Its name, unique in the configuration.
    pub name: String,
    /// The markets it trades, by slug; a trailing `*` stands for any ending, and `*` alone for every market.
    pub markets: Vec<String>,
    /// The strategy and its parameters.
    pub strategy: StrategyConfig,
    /// When a change is worth an evaluation.
    #[serde(default)]
    pub listener: Listener,
    /// What it may do beside the other instances.
    #[serde(default, skip_serializing_if = "Sharing::is_default")]
    pub sharing: Sharing,
}

impl InstanceConfig {
    /// Whether a market belongs to the instance's scope.
    #[must_use]
    pub fn covers(&self, slug: &str) -> bool {
        self.markets.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => slug.starts_with(start),
            None => slug == pattern,
        })
    }
}

/// Times, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// A book change leads to at most one evaluation in this time. 0 … 60000.
    pub debounce_ms: Millis,
    /// Every instance is evaluated at least this often. 100 … 600000.
    pub sync_interval_ms: Millis,
    /// A mid that moved by this many ticks since the last evaluation is evaluated at once, debounce or not. 1 … 1000.
    pub shock_ticks: u16,
    /// The same instance changes its orders in a market at most once in this time. 0 … 60000.
    pub replace_interval_ms: Millis,
    /// A placement that has not reached the wire after this time is not sent. 10 … 60000.
    pub order_deadline_ms: Millis,
    /// A book that was not proven current for this long stops its market. 100 … 600000.
    pub stale_book_ms: Millis,
    /// A price outside of the venue that was not heard of for this long stops the markets that it decides. 100 … 60000.
    pub stale_reference_ms: Millis,
    /// No order leaves an instance that follows such a price when it is older than this. 10 … 60000.
    pub fresh_reference_ms: Millis,
    /// An order whose fate is unknown for this long stops the wallet. 100 … 600000.
    pub unknown_order_ms: Millis,
    /// A match that the venue claims and whose fill has not come for this long stops the wallet. 100 … 600000.
    pub missing_fill_ms: Millis,
    /// After doubt about the wallet is cleared, nothing is quoted for this long. 0 … 600000.
    pub wallet_cooldown_ms: Millis,
    /// After doubt about a market is cleared, nothing is quoted there for this long. 0 … 600000.
    pub market_cooldown_ms: Millis,
    /// After a cool-down, quotes are cautious for this long. 0 … 600000.
    pub caution_ms: Millis,
    /// An evaluation that takes more processor time than this, in microseconds, is told; three in a row put the instance into
    /// quarantine. 0 for never. 0, 100 … 1000000.
    pub max_evaluation_us: u64,
    /// The venue hears our heartbeat this often; 0 for never. 0, 1000 … 9000.
    pub heartbeat_ms: Millis,
    /// The account is read and compared this often. 1000 … 3600000.
    pub reconcile_ms: Millis,
    /// While the user channel is away, orders and matches are asked for this often; 0 for never. 0, 200 … 60000.
    pub poll_ms: Millis,
    /// Every so often the next book in turn is read by REST and compared. 1000 … 3600000.
    pub cross_check_ms: Millis,
    /// After a refused order, the instance waits this long in the market before it tries again; doubled each time in a row,
    /// up to a minute. 10 … 60000.
    pub refusal_pause_ms: Millis,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            debounce_ms: 100,
            sync_interval_ms: 1_000,
            shock_ticks: 5,
            replace_interval_ms: 25,
            order_deadline_ms: 1_000,
            stale_book_ms: 5_000,
            stale_reference_ms: 2_000,
            fresh_reference_ms: 500,
            unknown_order_ms: 2_000,
            missing_fill_ms: 5_000,
            wallet_cooldown_ms: 3_000,
            market_cooldown_ms: 1_000,
            caution_ms: 5_000,
            max_evaluation_us: 2_000,
            heartbeat_ms: 5_000,
            reconcile_ms: 60_000,
            poll_ms: 1_000,
            cross_check_ms: 10_000,
            refusal_pause_ms: 250,
        }
    }
}

/// How the planner treats what works already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Planning {
    /// An order this many ticks from where it should be keeps its place. 0 … 100.
    pub price_tolerance_ticks: u16,
    /// An order larger than it should be by up to this keeps its place.
    pub shrink_tolerance: Shares,
    /// An order smaller than it should be keeps its place until this much is missing.
    pub top_up_threshold: Shares,
    /// What to do with parts below the market's minimum size.
    pub min_size: MinSizePolicy,
    /// Settled tokens of each outcome that are never offered.
    pub safety_buffer: Shares,
}

impl Default for Planning {
    fn default() -> Planning {
        let policy = PlanPolicy::default();
        Planning {
            price_tolerance_ticks: policy.price_tolerance_ticks,
            shrink_tolerance: policy.shrink_tolerance,
            top_up_threshold: policy.top_up_threshold,
            min_size: policy.min_size,
            safety_buffer: policy.safety_buffer,
        }
    }
}

impl Planning {
    pub(crate) fn policy(&self) -> PlanPolicy {
        PlanPolicy {
            price_tolerance_ticks: self.price_tolerance_ticks,
            shrink_tolerance: self.shrink_tolerance,
            top_up_threshold: self.top_up_threshold,
            min_size: self.min_size,
            safety_buffer: self.safety_buffer,
        }
    }
}

/// Why a configuration cannot be run.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ConfigError {
    /// The text is not a configuration.
    #[error("the engine's configuration cannot be read: {0}")]
    Syntax(String),
    /// There is nothing to run.
    #[error("no strategy instance is configured: add one under `engine.instances`")]
    Empty,
    /// Two instances have one name.
    #[error("two instances are named `{0}`: names must differ")]
    SameName(String),
    /// An instance has no market.
    #[error("instance `{0}` names no market: add slugs under `markets`, or `*` for all")]
    NoMarket(String),
    /// A strategy's parameter is out of range.
    #[error("instance `{instance}`: {source}")]
    Parameter {
        /// The instance.
        instance: String,
        /// What is wrong.
        source: ParameterError,
    },
    /// A setting of an instance's listener is out of range.
    #[error("instance `{instance}`: `listener.{name}` is {value}: {range} is needed")]
    Listener {
        /// The instance.
        instance: String,
        /// Which setting.
        name: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        range: &'static str,
    },
    /// A setting of how instances share is none.
    #[error("instance `{instance}`: `sharing.{name}`: {why}")]
    Sharing {
        /// The instance.
        instance: String,
        /// Which setting.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Shares of the capital sum to more than there is.
    #[error("the shares of the capital of `{}` sum to {sum}: at most 1 is possible", .instances.join("`, `"))]
    Shares {
        /// The instances that have a share.
        instances: Vec<String>,
        /// What their shares sum to.
        sum: Usdc,
    },
    /// A limit is none.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A setting of the account is none.
    #[error("`tokens.{name}`: {why}")]
    Tokens {
        /// Which one.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A rule of selection is none.
    #[error("the rule of {}: {source}", instance.as_ref().map_or("all instances".to_owned(), |name| format!("instance `{name}`")))]
    Selection {
        /// Whose rule; that of all without one.
        instance: Option<String>,
        /// What is wrong.
        source: RuleError,
    },
    /// There is a rule of selection for an instance that is not there.
    #[error("`selection.instances` has a rule for `{0}`: no instance has this name")]
    SelectionOf(String),
    /// A time is out of range.
    #[error("`timing.{name}` is {value}: {range} is needed")]
    Timing {
        /// Which one.
        name: &'static str,
        /// What it was.
        value: u64,
        /// What it may be.
        range: &'static str,
    },
    /// Another number is out of range.
    #[error("`{section}.{name}` is {value}: {range} is needed")]
    Setting {
        /// Its part of the configuration.
        section: &'static str,
        /// Which one.
        name: &'static str,
        /// What it was.
        value: u64,
        /// What it may be.
        range: &'static str,
    },
}

impl EngineConfig {
    /// Reads the canonical JSON that a run's first input carries, and checks it.
    ///
    /// # Errors
    /// [`ConfigError`] names what is wrong.
    pub fn from_json(text: &str) -> Result<EngineConfig, ConfigError> {
        let config: EngineConfig = serde_json::from_str(text).map_err(|e| ConfigError::Syntax(e.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// The canonical JSON of this configuration.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] when a number has no JSON form (a NaN).
    pub fn to_json(&self) -> Result<String, ConfigError> {
        serde_json::to_string(self).map_err(|e| ConfigError::Syntax(e.to_string()))
    }

    /// Checks everything that can be checked without a market.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.instances.is_empty() {
            return Err(ConfigError::Empty);
        }
        for (index, instance) in self.instances.iter().enumerate() {
            if self.instances[..index].iter().any(|other| other.name == instance.name) {
                return Err(ConfigError::SameName(instance.name.clone()));
            }
            if instance.markets.is_empty() {
                return Err(ConfigError::NoMarket(instance.name.clone()));
            }
            instance
                .strategy
                .validate()
                .map_err(|source| ConfigError::Parameter { instance: instance.name.clone(), source })?;
            instance.listener.validate(&instance.name)?;
        }
        sharing::validate(&self.instances)?;
        self.limits.validate()?;
        self.tokens.validate(&self.instances)?;
        self.selection.validate(&self.instances)?;
        self.timing.validate()?;
        self.doubt.validate()?;
        self.sending.validate()
    }
}

impl Timing {
    fn validate(&self) -> Result<(), ConfigError> {
        let rows = [
            ("debounce_ms", self.debounce_ms, 0, 60_000, "0 … 60000"),
            ("sync_interval_ms", self.sync_interval_ms, 100, 600_000, "100 … 600000"),
            ("shock_ticks", u64::from(self.shock_ticks), 1, 1_000, "1 … 1000"),
            ("replace_interval_ms", self.replace_interval_ms, 0, 60_000, "0 … 60000"),
            ("order_deadline_ms", self.order_deadline_ms, 10, 60_000, "10 … 60000"),
            ("stale_book_ms", self.stale_book_ms, 100, 600_000, "100 … 600000"),
            ("stale_reference_ms", self.stale_reference_ms, 100, 60_000, "100 … 60000"),
            ("fresh_reference_ms", self.fresh_reference_ms, 10, 60_000, "10 … 60000"),
            ("unknown_order_ms", self.unknown_order_ms, 100, 600_000, "100 … 600000"),
            ("missing_fill_ms", self.missing_fill_ms, 100, 600_000, "100 … 600000"),
            ("wallet_cooldown_ms", self.wallet_cooldown_ms, 0, 600_000, "0 … 600000"),
            ("market_cooldown_ms", self.market_cooldown_ms, 0, 600_000, "0 … 600000"),
            ("caution_ms", self.caution_ms, 0, 600_000, "0 … 600000"),
            ("reconcile_ms", self.reconcile_ms, 1_000, 3_600_000, "1000 … 3600000"),
            ("cross_check_ms", self.cross_check_ms, 1_000, 3_600_000, "1000 … 3600000"),
            ("refusal_pause_ms", self.refusal_pause_ms, 10, 60_000, "10 … 60000"),
        ];
        for (name, value, low, high, range) in rows {
            if !(low..=high).contains(&value) {
                return Err(ConfigError::Timing { name, value, range });
            }
        }
        if self.max_evaluation_us != 0 && !(100..=1_000_000).contains(&self.max_evaluation_us) {
            let range = "0 (never) or 100 … 1000000";
            return Err(ConfigError::Timing { name: "max_evaluation_us", value: self.max_evaluation_us, range });
        }
        if self.poll_ms != 0 && !(200..=60_000).contains(&self.poll_ms) {
            let range = "0 (never) or 200 … 60000";
            return Err(ConfigError::Timing { name: "poll_ms", value: self.poll_ms, range });
        }
        // The venue lets go of everything after ten seconds without a heartbeat.
        if self.heartbeat_ms != 0 && !(1_000..=9_000).contains(&self.heartbeat_ms) {
            let range = "0 (never) or 1000 … 9000";
            return Err(ConfigError::Timing { name: "heartbeat_ms", value: self.heartbeat_ms, range });
        }
        Ok(())
    }
}

/// Milliseconds as nanoseconds.
pub(crate) const fn ns(ms: Millis) -> u64 {
    ms.saturating_mul(Time::MILLI)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str) -> InstanceConfig {
        let strategy = StrategyConfig::SkewedMaker(oddsmith_strategy::skewed_maker::Parameters::default());
        InstanceConfig {
            name: name.to_owned(),
            markets: vec!["*".to_owned()],
            strategy,
            listener: Default::default(),
            sharing: Default::default(),
        }
    }

    #[test]
    fn a_configuration_survives_its_json() {
        let config = EngineConfig { instances: vec![instance("a"), instance("b")], ..EngineConfig::default() };
        let json = config.to_json().expect("json");
        assert_eq!(EngineConfig::from_json(&json), Ok(config));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let twice = EngineConfig { instances: vec![instance("a"), instance("a")], ..EngineConfig::default() };
        assert_eq!(twice.validate(), Err(ConfigError::SameName("a".to_owned())));
        assert_eq!(EngineConfig::default().validate(), Err(ConfigError::Empty));
        let timing = Timing { heartbeat_ms: 10_000, ..Timing::default() };
        let slow = EngineConfig { instances: vec![instance("a")], timing, ..EngineConfig::default() };
        assert!(matches!(slow.validate(), Err(ConfigError::Timing { name: "heartbeat_ms", .. })));
        let unknown = r#"{"instances":[],"speed":3}"#;
        assert!(matches!(EngineConfig::from_json(unknown), Err(ConfigError::Syntax(text)) if text.contains("speed")));
    }

    #[test]
    fn patterns_cover_by_prefix() {
        let mut one = instance("a");
        one.markets = vec!["btc-updown-15m-*".to_owned(), "quiet-one".to_owned()];
        assert!(one.covers("btc-updown-15m-1777") && one.covers("quiet-one"));
        assert!(!one.covers("quiet-one-more") && !one.covers("eth-updown-15m-1"));
    }
}
