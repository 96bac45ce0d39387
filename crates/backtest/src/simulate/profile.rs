//! The world that a simulation plays in, and the engine that trades there.

use oddsmith_domain::{Shares, Usdc};
use oddsmith_engine::{EngineConfig, InstanceConfig, Planning, Timing};
use oddsmith_exchange::scenario::{Scenario, ScenarioError};
use oddsmith_risk::Limits;
use oddsmith_strategy::{StrategyConfig, pair, skewed_maker::Parameters};

/// Seven markets on all three contracts, with fees and without, on both usual grids.
const SCENARIO: &str = r"
standard_markets: false
exchange: { grant: 100000 }
markets:
  - slug: will-the-budget-pass
    fee: { rate: 0.04 }
    process: &calm { opinion: { start: 0.47, volatility: 0.01, jump_rate: 0.002, jump_size: 0.1, pull: 0.01 } }
    traders: &crowd { makers: 1, maker_rate: 0.04, levels: 2, noise_rate: 0.08, informed_rate: 0.01, by_value: 0.25 }
  - slug: will-the-grid-change
    process: *calm
    traders: *crowd
  - slug: will-it-be-void
    fee: { rate: 0.05 }
    process: *calm
    traders: *crowd
  - slug: who-wins-alder
    kind: neg_risk
    group: who-wins
    process: *calm
    traders: *crowd
  - slug: who-wins-birch
    kind: neg_risk
    group: who-wins
    process: *calm
    traders: *crowd
  - slug: will-the-bridge-open
    kind: position
    fee: { rate: 0.04 }
    tick: '0.001'
    process: *calm
    traders: *crowd
";

/// The world.
///
/// # Errors
/// When the scenario is not understood, which a test rules out.
pub(super) fn scenario() -> Result<Scenario, ScenarioError> {
    Scenario::parse(SCENARIO)
}

/// Two makers, one of them on half of the markets, both on one, and a builder of pairs beside them. The limits are near enough to be felt.
#[must_use]
pub fn engine_config() -> EngineConfig {
    let maker = |name: &str, markets: &[&str], spread: f64| InstanceConfig {
        name: name.to_owned(),
        markets: markets.iter().map(|market| (*market).to_owned()).collect(),
        listener: Default::default(),
        sharing: Default::default(),
        strategy: StrategyConfig::SkewedMaker(Parameters {
            target_spread: spread,
            base_usdc: Usdc::from_whole(8),
            max_net_shares: Shares::from_whole(60),
            max_book_spread: 0.3,
            toxic_notional_usdc: Usdc::from_whole(500),
            stop_before_end_s: 60,
            ..Parameters::default()
        }),
    };
    // It rests on both tokens and takes what lags, so that baskets meet every fault, too.
    let pair = InstanceConfig {
        name: "third".to_owned(),
        markets: vec!["will-the-budget-pass".to_owned(), "who-wins-*".to_owned()],
        strategy: StrategyConfig::Pair(pair::Parameters {
            step_usdc: Usdc::from_whole(6),
            max_total_usdc: Usdc::from_whole(60),
            max_imbalance_shares: Shares::from_whole(25),
            rebalance_shares: Shares::from_whole(6),
            leg_deadline_s: 20,
            ..pair::Parameters::default()
        }),
        listener: Default::default(),
        sharing: Default::default(),
    };
    EngineConfig {
        instances: vec![
            maker("first", &["will-*"], 0.02),
            maker("second", &["who-wins-*", "will-the-bridge-open"], 0.02),
            pair,
        ],
        limits: Limits {
            max_position_shares: Shares::from_whole(90),
            max_net_shares: Shares::from_whole(80),
            max_daily_loss_usdc: Usdc::from_whole(20_000),
            max_open_orders: 6,
            ..Limits::default()
        },
        // An hour of a seed is cheap when orders are kept for as long as they do: what costs is the placing, not the resting.
        timing: Timing {
            wallet_cooldown_ms: 1_000,
            caution_ms: 2_000,
            debounce_ms: 3_000,
            replace_interval_ms: 2_000,
            ..Timing::default()
        },
        planning: Planning { price_tolerance_ticks: 1, shrink_tolerance: Shares::from_whole(8), ..Planning::default() },
        ..EngineConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_and_its_engine_make_sense() {
        let scenario = scenario().expect("a scenario");
        for market in
            [super::super::fault::DECIDED_MARKET, super::super::fault::FINER_MARKET, super::super::fault::PAUSED_MARKET]
        {
            assert!(scenario.markets.iter().any(|listed| listed.slug == market), "{market}");
        }
        engine_config().validate().expect("a valid configuration");
    }
}
