//! What may be risked.

use oddsmith_domain::{Shares, Usdc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

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
    /// Checks that every limit is one.
    ///
    /// # Errors
    /// The first that is not above zero.
    pub fn validate(&self) -> Result<(), LimitError> {
        let values = [
            ("max_order_shares", self.max_order_shares.micros()),
            ("max_order_usdc", self.max_order_usdc.micros()),
            ("max_position_shares", self.max_position_shares.micros()),
            ("max_net_shares", self.max_net_shares.micros()),
            ("max_gross_shares", self.max_gross_shares.micros()),
            ("max_market_loss_usdc", self.max_market_loss_usdc.micros()),
            ("max_total_loss_usdc", self.max_total_loss_usdc.micros()),
            ("max_daily_loss_usdc", self.max_daily_loss_usdc.micros()),
        ];
        for (name, micros) in values {
            if micros <= 0 {
                let value = Usdc::from_micros(micros).to_string();
                return Err(LimitError { name, value, range: "a value above 0" });
            }
        }
        if self.max_open_orders == 0 {
            return Err(LimitError { name: "max_open_orders", value: "0".to_owned(), range: "a value above 0" });
        }
        if self.daily_reset_hour_utc > 23 {
            let value = self.daily_reset_hour_utc.to_string();
            return Err(LimitError { name: "daily_reset_hour_utc", value, range: "0 … 23" });
        }
        Ok(())
    }
}
