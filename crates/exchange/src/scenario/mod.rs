//! Scenario files: which markets there are, who trades in them, and what goes wrong when.
//!
//! A scenario is strict YAML: an unknown key, a value out of range or a name that does not exist is an error that names the
//! line. Everything may be left out; an empty scenario is the standard session.
//!
//! ```yaml
//! activity: 2.0                 # multiplies how often everybody acts
//! exchange:
//!   mined_after_ms: 100
//! faults:
//!   - after_ms: 5000
//!     fault: { freeze_channel: { channel: market, for_ms: 3000 } }
//!   - after_ms: 9000
//!     fault: { settlements: [retry_then_fail, normal] }
//! ```
//!
//! [`Scenario::open`] makes a [`Session`]: the core, the world, and the [`Script`] of what goes wrong. The script does to
//! core and world what concerns them, and hands what concerns sockets to the server as [`Transport`].

mod market;
mod script;

use oddsmith_domain::Usdc;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::core::{Config, Core, DelayReply, MinSizeUnit, Nanos, SelfFill, UsableAt};
use crate::world::{World, standard_rooms};

pub use market::{Fee, Kind, MarketEntry, Process, Traders};
pub use script::{Channel, Errors, Fault, ModeName, Requests, Script, TimedFault, Transport};

/// Why a scenario cannot be used.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The text is not a scenario: the message names line and column.
    #[error("the scenario cannot be read: {0}")]
    Syntax(String),
    /// It reads well and makes no sense.
    #[error("the scenario makes no sense: {0}")]
    Sense(String),
}

/// A scenario as it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Seeds everything, unless the command line does.
    pub seed: Option<u64>,
    /// Multiplies how often simulated traders act: 1 is lively, 0 is nobody.
    pub activity: Option<f64>,
    /// Settings of the exchange.
    pub exchange: Exchange,
    /// Whether the standard markets are listed; by default only when no others are.
    pub standard_markets: Option<bool>,
    /// Further markets.
    pub markets: Vec<MarketEntry>,
    /// What goes wrong, and when.
    pub faults: Vec<TimedFault>,
}

/// Settings of the exchange. What is left out is as in [`Config::default`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exchange {
    /// See [`Config::mined_after_ms`].
    pub mined_after_ms: Option<u64>,
    /// See [`Config::confirmed_after_ms`].
    pub confirmed_after_ms: Option<u64>,
    /// See [`Config::usable_at`].
    pub usable_at: Option<UsableAt>,
    /// See [`Config::self_fill`].
    pub self_fill: Option<SelfFill>,
    /// See [`Config::delay_reply`].
    pub delay_reply: Option<DelayReply>,
    /// See [`Config::min_size_unit`].
    pub min_size_unit: Option<MinSizeUnit>,
    /// See [`Config::coarser_ticks`].
    pub coarser_ticks: Option<bool>,
    /// See [`Config::books_after_match`].
    pub books_after_match: Option<bool>,
    /// See [`Config::min_marketable`], in dollars.
    pub min_marketable: Option<Usdc>,
    /// See [`Config::gtd_early_s`].
    pub gtd_early_s: Option<u64>,
    /// See [`Config::gtd_min_s`].
    pub gtd_min_s: Option<u64>,
    /// See [`Config::heartbeat_ms`].
    pub heartbeat_ms: Option<u64>,
    /// See [`Config::enforce_rates`].
    pub enforce_rates: Option<bool>,
    /// See [`Config::grant`], in dollars.
    pub grant: Option<Usdc>,
}

impl Exchange {
    fn config(&self) -> Config {
        let base = Config::default();
        Config {
            mined_after_ms: self.mined_after_ms.unwrap_or(base.mined_after_ms),
            confirmed_after_ms: self.confirmed_after_ms.unwrap_or(base.confirmed_after_ms),
            usable_at: self.usable_at.unwrap_or(base.usable_at),
            self_fill: self.self_fill.unwrap_or(base.self_fill),
            delay_reply: self.delay_reply.unwrap_or(base.delay_reply),
            min_size_unit: self.min_size_unit.unwrap_or(base.min_size_unit),
            coarser_ticks: self.coarser_ticks.unwrap_or(base.coarser_ticks),
            books_after_match: self.books_after_match.unwrap_or(base.books_after_match),
            min_marketable: self.min_marketable.unwrap_or(base.min_marketable),
            gtd_early_s: self.gtd_early_s.unwrap_or(base.gtd_early_s),
            gtd_min_s: self.gtd_min_s.unwrap_or(base.gtd_min_s),
            heartbeat_ms: self.heartbeat_ms.unwrap_or(base.heartbeat_ms),
            enforce_rates: self.enforce_rates.unwrap_or(base.enforce_rates),
            history: base.history,
            grant: self.grant.unwrap_or(base.grant),
        }
    }
}

/// A scenario that is being played.
#[derive(Debug)]
pub struct Session {
    /// The exchange.
    pub core: Core,
    /// The traders.
    pub world: World,
    /// What is still to go wrong.
    pub script: Script,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// [`ScenarioError`] names the line, or what makes no sense.
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        let empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        if empty {
            return Ok(Scenario::default());
        }
        let scenario: Scenario =
            serde_saphyr::from_str(text).map_err(|error| ScenarioError::Syntax(error.to_string()))?;
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), ScenarioError> {
        if self.activity.is_some_and(|activity| !activity.is_finite() || activity < 0.0) {
            return Err(ScenarioError::Sense("`activity` must be a number of at least 0".to_owned()));
        }
        if self.exchange.grant.is_some_and(Usdc::is_negative) {
            return Err(ScenarioError::Sense("`grant` must not be negative".to_owned()));
        }
        let mut slugs = Vec::new();
        for market in &self.markets {
            market.check()?;
            if slugs.contains(&&market.slug) {
                return Err(ScenarioError::Sense(format!("two markets have the slug `{}`", market.slug)));
            }
            slugs.push(&market.slug);
        }
        let standard = if self.lists_standard() { standard_rooms(0) } else { Vec::new() };
        let known = |slug: &str| {
            slugs.iter().any(|known| known.as_str() == slug)
                || standard.iter().any(|room| room.market.slug == slug)
                // The slugs of windows hold their start, which is not known before the session begins.
                || slug.contains("-updown-")
        };
        for timed in &self.faults {
            timed.fault.check()?;
            if let Some(slug) = timed.fault.market().filter(|slug| !known(slug)) {
                return Err(ScenarioError::Sense(format!("a fault names the market `{slug}`, which is not listed")));
            }
        }
        Ok(())
    }

    fn lists_standard(&self) -> bool {
        self.standard_markets.unwrap_or(self.markets.is_empty())
    }

    /// Opens a session. `seed` overrides the scenario's own; without either it is 1.
    #[must_use]
    pub fn open(&self, seed: Option<u64>, now_ns: Nanos) -> Session {
        let seed = seed.or(self.seed).unwrap_or(1);
        let now_s = now_ns / 1_000_000_000;
        let mut core = Core::new(self.exchange.config(), seed, now_ns);
        let mut rooms = if self.lists_standard() { standard_rooms(now_s) } else { Vec::new() };
        let (later, first): (Vec<&MarketEntry>, Vec<&MarketEntry>) =
            self.markets.iter().partition(|market| market.opens_in_s.is_some_and(|seconds| seconds > 0));
        rooms.extend(first.into_iter().map(|market| market.room(now_s)));
        let mut world = World::new(&mut core, rooms, self.activity.unwrap_or(1.0), seed, now_ns);
        for market in later {
            let wait_ns = market.opens_in_s.unwrap_or(0).saturating_mul(1_000_000_000);
            world.open_later(market.room(now_s), now_ns.saturating_add(wait_ns));
        }
        Session { core, world, script: Script::new(&self.faults, now_ns) }
    }
}

impl Session {
    /// When something happens next by itself.
    #[must_use]
    pub fn next_event(&self) -> Option<Nanos> {
        [self.core.next_timer(), self.world.next_event(), self.script.next_event()].into_iter().flatten().min()
    }

    /// Plays until a time. What concerns sockets is added to `transport` in order.
    pub fn step(&mut self, now_ns: Nanos, transport: &mut Vec<Transport>) {
        while let Some(when) = self.script.next_event().filter(|when| *when <= now_ns) {
            self.world.step(&mut self.core, when);
            self.script.run(&mut self.core, &mut self.world, when, transport);
        }
        self.world.step(&mut self.core, now_ns);
    }
}
