//! What may be risked.

use std::collections::BTreeMap;

use oddsmith_domain::{Price, ProfitMark, Shares, Usdc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::book::BookRules;
use crate::breaker::BreakerRules;
use crate::factor::Factor;
use crate::group::GroupLimit;
use crate::profit::drawdown;
use crate::times::TimeRules;

/// The limits of one engine. Every one is enforced where an order is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest size of one order, in shares.
    pub max_order_shares: Shares,
    /// The largest cost of one order, in dollars; for a sell, what the buyer of the complement would pay.
    pub max_order_usdc: Usdc,
    /// The most shares of one outcome that one market may hold, open buys included.
    pub max_position_shares: Shares,
    /// The largest net position (YES less NO) of a market, open orders included.
    pub max_net_shares: Shares,
    /// The largest gross position (YES plus NO) of a market, open buys included.
    pub max_gross_shares: Shares,
    /// The largest worst-case loss of one market, open orders included, in dollars.
    pub max_market_loss_usdc: Usdc,
    /// The largest sum of all markets' worst-case losses, in dollars.
    pub max_total_loss_usdc: Usdc,
    /// Once the day's loss (realised and unrealised, fees in) reaches this, everything is cancelled and nothing quoted.
    pub max_daily_loss_usdc: Usdc,
    /// When a day begins, in hours after midnight UTC. 0 … 23.
    pub daily_reset_hour_utc: u8,
    /// What brings trading back after the day's loss limit was reached.
    pub daily_loss_reset: DailyLossReset,
    /// The most orders of one market that may be open at once.
    pub max_open_orders: u32,
    /// The most orders of all markets that may be open at once.
    pub max_wallet_orders: u32,
    /// The most markets in which something is held or open at once.
    pub max_markets: u32,
    /// The most that everything held may have cost and everything bid for would cost, in dollars.
    pub max_total_gross_usdc: Usdc,
    /// The largest sum of one instance's worst-case losses over its markets, in dollars.
    pub max_instance_loss_usdc: Usdc,
    /// The same for single instances, by name.
    pub instance_loss_usdc: BTreeMap<String, Usdc>,
    /// Markets that win and lose together, and the largest worst-case loss of each group.
    pub groups: Vec<GroupLimit>,
    /// When a market's breaker opens.
    pub breakers: BreakerRules,
    /// When the kill switch is thrown by the engine itself.
    pub kill: KillRules,
    /// How losses shrink sizes.
    pub drawdown: DrawdownRules,
    /// Rules of time.
    pub times: TimeRules,
    /// What a book must be like.
    pub book: BookRules,
}

/// How losses shrink sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrawdownRules {
    /// The loss from the highest profit so far at which the kill switch is thrown, in dollars; until then sizes shrink with
    /// it. 0 turns both off.
    pub max_usdc: Usdc,
    /// How fast: what is left of a size is `(1 - loss / max_usdc)` to this power. 0 … 4.
    pub power: u8,
}

impl Default for DrawdownRules {
    fn default() -> DrawdownRules {
        DrawdownRules { max_usdc: Usdc::from_whole(300), power: 1 }
    }
}

impl DrawdownRules {
    /// What a drawdown leaves of a size.
    #[must_use]
    pub fn factor(&self, mark: &ProfitMark) -> Factor {
        if !self.max_usdc.is_positive() {
            return Factor::ONE;
        }
        Factor::ratio(self.max_usdc - drawdown(mark), self.max_usdc).power(self.power)
    }
}

/// When the kill switch is thrown by the engine itself, besides the losses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KillRules {
    /// Refused orders and failed cancels in a row, whatever the market; 0 for never. 0 … 100000.
    pub max_errors: u32,
    /// The user channel is down for this long, in seconds; 0 for never. 0 … 86400.
    pub max_disconnect_s: u64,
    /// After the engine threw it, nothing is quoted for this long, reset or not, in seconds. 0 … 86400.
    pub cooldown_s: u64,
}

impl Default for KillRules {
    fn default() -> KillRules {
        KillRules { max_errors: 50, max_disconnect_s: 1_800, cooldown_s: 1_800 }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_order_shares: Shares::from_whole(500),
            max_order_usdc: Usdc::from_whole(100),
            max_position_shares: Shares::from_whole(500),
            max_net_shares: Shares::from_whole(300),
            max_gross_shares: Shares::from_whole(800),
            max_market_loss_usdc: Usdc::from_whole(200),
            max_total_loss_usdc: Usdc::from_whole(1_000),
            max_daily_loss_usdc: Usdc::from_whole(100),
            daily_reset_hour_utc: 0,
            daily_loss_reset: DailyLossReset::NextDay,
            max_open_orders: 50,
            max_wallet_orders: 500,
            max_markets: 100,
            max_total_gross_usdc: Usdc::from_whole(5_000),
            max_instance_loss_usdc: Usdc::from_whole(1_000),
            instance_loss_usdc: BTreeMap::new(),
            groups: Vec::new(),
            breakers: BreakerRules::default(),
            kill: KillRules::default(),
            drawdown: DrawdownRules::default(),
            times: TimeRules::default(),
            book: BookRules::default(),
        }
    }
}

/// What brings trading back after the day's loss limit was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DailyLossReset {
    /// The next day, or the operator's reset.
    #[default]
    NextDay,
    /// Only the operator's reset: the loss throws the kill switch.
    Operator,
}

/// A limit that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("limit `{name}` is {value}: {range} is needed")]
pub struct LimitError {
    /// The limit.
    pub name: &'static str,
    /// What it was.
    pub value: String,
    /// What it may be.
    pub range: &'static str,
}

impl Limits {
    /// The largest worst-case loss of an instance.
    #[must_use]
    pub fn instance_limit(&self, name: &str) -> Usdc {
        self.instance_loss_usdc.get(name).copied().unwrap_or(self.max_instance_loss_usdc)
    }

    /// Checks that every limit is one.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn validate(&self) -> Result<(), LimitError> {
        self.validate_amounts()?;
        self.validate_rules()?;
        for (index, group) in self.groups.iter().enumerate() {
            let wrong = |range| LimitError { name: "groups", value: group.name.clone(), range };
            if group.markets.is_empty() || !group.max_loss_usdc.is_positive() {
                return Err(wrong("a group with markets and a `max_loss_usdc` above 0"));
            }
            if self.groups[..index].iter().any(|other| other.name == group.name) {
                return Err(wrong("a name that no other group has"));
            }
        }
        Ok(())
    }

    fn validate_amounts(&self) -> Result<(), LimitError> {
        let amounts = [
            ("max_order_shares", self.max_order_shares.micros()),
            ("max_order_usdc", self.max_order_usdc.micros()),
            ("max_position_shares", self.max_position_shares.micros()),
            ("max_net_shares", self.max_net_shares.micros()),
            ("max_gross_shares", self.max_gross_shares.micros()),
            ("max_market_loss_usdc", self.max_market_loss_usdc.micros()),
            ("max_total_loss_usdc", self.max_total_loss_usdc.micros()),
            ("max_daily_loss_usdc", self.max_daily_loss_usdc.micros()),
            ("max_total_gross_usdc", self.max_total_gross_usdc.micros()),
            ("max_instance_loss_usdc", self.max_instance_loss_usdc.micros()),
        ];
        let instances = self.instance_loss_usdc.values().map(|loss| ("instance_loss_usdc", loss.micros()));
        for (name, micros) in amounts.into_iter().chain(instances) {
            if micros <= 0 {
                let value = Usdc::from_micros(micros).to_string();
                return Err(LimitError { name, value, range: "a value above 0" });
            }
        }
        for (name, micros) in [
            ("drawdown.max_usdc", self.drawdown.max_usdc.micros()),
            ("book.min_depth_usdc", self.book.min_depth_usdc.micros()),
        ] {
            if micros < 0 {
                let value = Usdc::from_micros(micros).to_string();
                return Err(LimitError { name, value, range: "0 or more" });
            }
        }
        Ok(())
    }

    fn validate_rules(&self) -> Result<(), LimitError> {
        let Limits { breakers, kill, times, .. } = self;
        let most = u64::from(u32::MAX);
        let rows = [
            ("max_open_orders", u64::from(self.max_open_orders), 1, most, "a value above 0"),
            ("max_wallet_orders", u64::from(self.max_wallet_orders), 1, most, "a value above 0"),
            ("max_markets", u64::from(self.max_markets), 1, most, "a value above 0"),
            ("daily_reset_hour_utc", u64::from(self.daily_reset_hour_utc), 0, 23, "0 … 23"),
            ("breakers.max_rejects", u64::from(breakers.max_rejects), 1, 1_000, "1 … 1000"),
            ("breakers.max_cancel_failures", u64::from(breakers.max_cancel_failures), 1, 1_000, "1 … 1000"),
            ("breakers.max_latency_ms", breakers.max_latency_ms, 100, 600_000, "100 … 600000"),
            ("breakers.halt_s", breakers.halt_s, 1, 86_400, "1 … 86400"),
            ("kill.max_errors", u64::from(kill.max_errors), 0, 100_000, "0 … 100000"),
            ("kill.max_disconnect_s", kill.max_disconnect_s, 0, 86_400, "0 … 86400"),
            ("kill.cooldown_s", kill.cooldown_s, 0, 86_400, "0 … 86400"),
            ("drawdown.power", u64::from(self.drawdown.power), 0, 4, "0 … 4"),
            ("times.no_orders_before_end_s", times.no_orders_before_end_s, 0, 86_400, "0 … 86400"),
            ("times.reduce_only_before_end_s", times.reduce_only_before_end_s, 0, 86_400, "0 … 86400"),
            ("times.scale_before_end_s", times.scale_before_end_s, 0, 86_400, "0 … 86400"),
            ("times.end_percent", u64::from(times.end_percent), 0, 100, "0 … 100"),
        ];
        let hours = times.hours.iter().flat_map(|rule| {
            [
                ("times.hours.from_hour_utc", u64::from(rule.from_hour_utc), 0, 23, "0 … 23"),
                ("times.hours.to_hour_utc", u64::from(rule.to_hour_utc), 0, 24, "0 … 24"),
                ("times.hours.percent", u64::from(rule.percent), 0, 100, "0 … 100"),
            ]
        });
        for (name, value, low, high, range) in rows.into_iter().chain(hours) {
            if !(low..=high).contains(&value) {
                return Err(LimitError { name, value: value.to_string(), range });
            }
        }
        if self.book.max_spread == Price::ZERO {
            return Err(LimitError { name: "book.max_spread", value: "0".to_owned(), range: "a value above 0" });
        }
        Ok(())
    }
}
