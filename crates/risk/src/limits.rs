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
    /// Once the day's loss (realised and unrealised, since 00:00 UTC) reaches this, nothing is quoted until the next day.
    pub max_daily_loss_usdc: Usdc,
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
            max_open_orders: 50,
        }
    }
}

/// A limit that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("limit `{name}` is {value}: it must be above 0")]
pub struct LimitError {
    /// The limit.
    pub name: &'static str,
    /// What it was.
    pub value: String,
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
                return Err(LimitError { name, value: Usdc::from_micros(micros).to_string() });
            }
        }
        if self.max_open_orders == 0 {
            return Err(LimitError { name: "max_open_orders", value: "0".to_owned() });
        }
        Ok(())
    }
}
