//! The taker fee, one formula for the exchange and the engine.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Price, Shares, Usdc};

/// Fees are charged in whole multiples of 0.00001 dollars (protocol section 9.5), rounded half up. The venue's rule
/// for ties is not published; whoever compares a fee with the venue's must tolerate one quantum.
pub const FEE_QUANTUM_MICRO: i64 = 10;

/// Why a fee schedule cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FeeError {
    /// The exponent of the schedule is beyond what has been tested.
    #[error("fee exponent {0} is not supported: 0 to 4 are")]
    Exponent(u32),
    /// The rate is not between 0 and 1.
    #[error("fee rate of {0} millionths is not between 0 and 1")]
    Rate(i64),
}

/// A market's fee schedule: `shares * rate * (p (1 - p))^exponent`, charged to the taker in collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FeeSchedule {
    rate_micro: u32,
    exponent: u8,
    /// Whether only takers pay. The venue has no market today on which makers do.
    pub taker_only: bool,
}

impl FeeSchedule {
    /// No fee at all.
    pub const FREE: FeeSchedule = FeeSchedule { rate_micro: 0, exponent: 1, taker_only: true };

    /// A schedule from its rate in millionths (0.07 is 70 000) and exponent.
    ///
    /// # Errors
    /// [`FeeError`] when either is out of range.
    pub fn new(rate_micro: i64, exponent: u32, taker_only: bool) -> Result<FeeSchedule, FeeError> {
        let rate = u32::try_from(rate_micro).ok().filter(|r| *r <= 1_000_000).ok_or(FeeError::Rate(rate_micro))?;
        let exponent = u8::try_from(exponent).ok().filter(|e| *e <= 4).ok_or(FeeError::Exponent(exponent))?;
        Ok(FeeSchedule { rate_micro: rate, exponent, taker_only })
    }

    /// The rate in millionths.
    #[must_use]
    pub const fn rate_micro(self) -> u32 {
        self.rate_micro
    }

    /// The exponent of `p (1 - p)`.
    #[must_use]
    pub const fn exponent(self) -> u8 {
        self.exponent
    }

    /// The fee of a taker for one fill of `shares` at `price`.
    #[must_use]
    pub fn taker_fee(self, shares: Shares, price: Price) -> Usdc {
        // shares [1e-6] * rate [1e-6] * (p (1-p))^e [1e-8 each], brought to quanta of 1e-5 dollars in one division.
        let mut numerator = i128::from(shares.micros().max(0)) * i128::from(self.rate_micro);
        let mut denominator: i128 = 1_000_000 * i128::from(FEE_QUANTUM_MICRO);
        let p = i128::from(price.units());
        let one = i128::from(Price::ONE.units());
        for _ in 0..self.exponent {
            // Each factor is at most a quarter, so the numerator shrinks relative to the denominator; divide early when
            // it could outgrow 128 bits (beyond 10^12 shares only).
            let Some(product) = numerator.checked_mul(p * (one - p)) else {
                return Usdc::from_micros(i64::MAX);
            };
            numerator = product;
            denominator *= one * one;
        }
        let quanta = (2 * (numerator / denominator) + (2 * (numerator % denominator) / denominator) + 1) / 2;
        Usdc::from_micros(i64::try_from(quanta * i128::from(FEE_QUANTUM_MICRO)).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fee(rate_micro: i64, shares: &str, price: &str) -> String {
        let schedule = FeeSchedule::new(rate_micro, 1, true).expect("a schedule");
        schedule.taker_fee(shares.parse().expect("shares"), price.parse().expect("price")).to_string()
    }

    #[test]
    fn the_worked_examples() {
        // protocol 9.5 and quant 7.2, per 100 shares
        for (rate, price, expected) in [
            (70_000, "0.5", "1.75"),
            (70_000, "0.9", "0.63"),
            (70_000, "0.3", "1.47"),
            (70_000, "0.05", "0.3325"),
            (50_000, "0.5", "1.25"),
            (50_000, "0.95", "0.2375"),
            (40_000, "0.2", "0.64"),
            (40_000, "0.05", "0.19"),
            (0, "0.5", "0"),
        ] {
            assert_eq!(fee(rate, "100", price), expected, "rate {rate} at {price}");
        }
    }

    #[test]
    fn halves_go_up_and_dust_is_free() {
        // 0.0002 shares at 0.5 and 0.1: 0.000005 dollars, half a quantum.
        assert_eq!(fee(100_000, "0.0002", "0.5"), "0.00001");
        assert_eq!(fee(100_000, "0.000199", "0.5"), "0");
    }

    #[test]
    fn bad_schedules_are_refused() {
        assert_eq!(FeeSchedule::new(-1, 1, true), Err(FeeError::Rate(-1)));
        assert_eq!(FeeSchedule::new(1_000_001, 1, true), Err(FeeError::Rate(1_000_001)));
        assert_eq!(FeeSchedule::new(0, 9, true), Err(FeeError::Exponent(9)));
    }

    #[test]
    fn huge_fills_do_not_overflow() {
        let schedule = FeeSchedule::new(1_000_000, 4, true).expect("a schedule");
        let price = Price::from_units(5_000).expect("in range");
        assert!(schedule.taker_fee(Shares::from_micros(i64::MAX), price).is_positive());
    }
}
