//! The venue's price grids.

use serde::{Deserialize, Serialize};

use crate::{DecimalError, Price};

/// A market's tick size: the step between neighbouring order prices.
///
/// The six sizes are those of protocol section 4.3. A market's tick can become finer while it trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tick {
    /// 0.1
    #[serde(rename = "0.1")]
    Tenth,
    /// 0.01
    #[serde(rename = "0.01")]
    Cent,
    /// 0.005
    #[serde(rename = "0.005")]
    HalfCent,
    /// 0.0025
    #[serde(rename = "0.0025")]
    QuarterCent,
    /// 0.001
    #[serde(rename = "0.001")]
    Thousandth,
    /// 0.0001
    #[serde(rename = "0.0001")]
    TenThousandth,
}

impl Tick {
    /// Every tick size of the venue, coarsest first.
    pub const ALL: [Tick; 6] =
        [Tick::Tenth, Tick::Cent, Tick::HalfCent, Tick::QuarterCent, Tick::Thousandth, Tick::TenThousandth];

    /// The step in units of 0.0001 dollars.
    #[must_use]
    pub const fn units(self) -> u16 {
        match self {
            Tick::Tenth => 1_000,
            Tick::Cent => 100,
            Tick::HalfCent => 50,
            Tick::QuarterCent => 25,
            Tick::Thousandth => 10,
            Tick::TenThousandth => 1,
        }
    }

    /// The tick size with this text, however many trailing zeros it has.
    ///
    /// # Errors
    /// [`DecimalError::Range`] for a number that is no tick size of the venue.
    pub fn parse(text: &[u8]) -> Result<Tick, DecimalError> {
        let price = Price::parse(text)?;
        Tick::ALL.into_iter().find(|tick| tick.units() == price.units()).ok_or(DecimalError::Range)
    }

    /// The venue's text: `0.1`, `0.01`, …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Tick::Tenth => "0.1",
            Tick::Cent => "0.01",
            Tick::HalfCent => "0.005",
            Tick::QuarterCent => "0.0025",
            Tick::Thousandth => "0.001",
            Tick::TenThousandth => "0.0001",
        }
    }

    /// Decimals of an order price on this grid (protocol 4.3, column "price dp").
    #[must_use]
    pub const fn price_decimals(self) -> u32 {
        match self {
            Tick::Tenth => 1,
            Tick::Cent => 2,
            Tick::HalfCent | Tick::Thousandth => 3,
            Tick::QuarterCent | Tick::TenThousandth => 4,
        }
    }

    /// Decimals of an order's collateral amount on this grid (protocol 4.3, column "amount dp").
    #[must_use]
    pub const fn amount_decimals(self) -> u32 {
        self.price_decimals() + 2
    }

    /// The lowest order price: one tick.
    #[must_use]
    pub const fn min_price(self) -> Price {
        match Price::from_units(self.units()) {
            Some(price) => price,
            None => Price::ONE,
        }
    }

    /// The highest order price: one dollar less one tick.
    #[must_use]
    pub const fn max_price(self) -> Price {
        self.min_price().complement()
    }

    /// Whether an order may carry this price: on the grid, from one tick to one dollar less one tick.
    #[must_use]
    pub const fn admits(self, price: Price) -> bool {
        let units = price.units();
        units.is_multiple_of(self.units()) && units >= self.min_price().units() && units <= self.max_price().units()
    }

    /// The nearest order price at or below a signal value in dollars: the rounding of a *bid*. `None` when there is
    /// no such order price, or the value is not a number.
    #[must_use]
    pub fn floor(self, value: f64) -> Option<Price> {
        let steps = self.steps(value)?;
        // A float that should lie on the grid may sit a few ulps below it; within 1e-6 of a step it counts as on it.
        self.at_step((steps + 1e-6).floor().min(self.last_step()))
    }

    /// The nearest order price at or above a signal value in dollars: the rounding of an *ask*. `None` when there is
    /// no such order price, or the value is not a number.
    #[must_use]
    pub fn ceil(self, value: f64) -> Option<Price> {
        let steps = self.steps(value)?;
        self.at_step((steps - 1e-6).ceil().max(1.0))
    }

    /// The nearest point of the grid to a value in dollars, 0 and 1 included; `None` for a value outside 0 … 1.
    ///
    /// The distance is that of the value's exact binary expansion, and a tie goes to the even point: what an interpreter with IEEE
    /// doubles gives for rounding to two decimals is what this gives on the cent grid, so that ladders of such programs can be reproduced.
    #[must_use]
    pub fn nearest(self, value: f64) -> Option<Price> {
        if !(0.0..=1.0).contains(&value) {
            return None;
        }
        let bits = value.to_bits();
        let exponent = (bits >> 52) as u32;
        // Below 2^-60 of a dollar nothing is nearer than zero; there `mantissa << shift` would also leave 128 bits.
        if exponent < 1023 - 60 {
            return Some(Price::ZERO);
        }
        let mantissa = u128::from((bits & ((1 << 52) - 1)) | (1 << 52));
        // value = mantissa / 2^shift, so the number of steps is mantissa * 10000 / (tick << shift).
        let shift = 1023 + 52 - exponent;
        let (numerator, denominator) = (mantissa * u128::from(Price::ONE.units()), u128::from(self.units()) << shift);
        let (steps, rest) = (numerator / denominator, numerator % denominator * 2);
        let up = rest > denominator || (rest == denominator && !steps.is_multiple_of(2));
        let units = (steps + u128::from(up)) * u128::from(self.units());
        u16::try_from(units).ok().and_then(Price::from_units)
    }

    /// The nearest order price at or below `price`; `None` below one tick.
    #[must_use]
    pub const fn floor_price(self, price: Price) -> Option<Price> {
        let units = price.units() - price.units() % self.units();
        match Price::from_units(if units > self.max_price().units() { self.max_price().units() } else { units }) {
            Some(floored) if floored.units() >= self.units() => Some(floored),
            _ => None,
        }
    }

    /// The nearest order price at or above `price`; `None` above one dollar less one tick.
    #[must_use]
    pub const fn ceil_price(self, price: Price) -> Option<Price> {
        let units = price.units().div_ceil(self.units()) * self.units();
        match Price::from_units(if units < self.units() { self.units() } else { units }) {
            Some(raised) if raised.units() <= self.max_price().units() => Some(raised),
            _ => None,
        }
    }

    fn steps(self, value: f64) -> Option<f64> {
        value.is_finite().then(|| value * f64::from(Price::ONE.units()) / f64::from(self.units()))
    }

    fn last_step(self) -> f64 {
        f64::from(self.max_price().units() / self.units())
    }

    fn at_step(self, steps: f64) -> Option<Price> {
        if steps < 1.0 || steps > self.last_step() {
            return None;
        }
        Price::from_units(steps as u16 * self.units())
    }
}

impl std::fmt::Display for Tick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rounding_table_of_the_protocol() {
        let rows: Vec<_> = Tick::ALL.iter().map(|t| (t.as_str(), t.price_decimals(), t.amount_decimals())).collect();
        assert_eq!(
            rows,
            [("0.1", 1, 3), ("0.01", 2, 4), ("0.005", 3, 5), ("0.0025", 4, 6), ("0.001", 3, 5), ("0.0001", 4, 6)]
        );
    }

    #[test]
    fn every_grid_at_its_ends() {
        for tick in Tick::ALL {
            assert!(!tick.admits(Price::ZERO) && !tick.admits(Price::ONE));
            assert!(tick.admits(tick.min_price()) && tick.admits(tick.max_price()));
            assert_eq!(tick.floor(0.0), None);
            assert_eq!(tick.ceil(1.0), None);
            assert_eq!(tick.floor(2.0), Some(tick.max_price()));
            assert_eq!(tick.ceil(-1.0), Some(tick.min_price()));
            assert_eq!(tick.floor(f64::NAN), None);
            assert_eq!(tick.ceil(f64::INFINITY), None);
            assert_eq!(Tick::parse(tick.as_str().as_bytes()), Ok(tick));
        }
        assert_eq!(Tick::parse(b"0.02"), Err(DecimalError::Range));
    }

    #[test]
    fn a_float_on_the_grid_stays_on_its_step() {
        // 0.29 * 100 is 28.999999999999996: the truncation that turned 0.29 into 0.28 elsewhere.
        assert_eq!(Tick::Cent.floor(0.29), Price::from_units(2_900));
        assert_eq!(Tick::Cent.ceil(0.29), Price::from_units(2_900));
        assert_eq!(Tick::Cent.floor(0.2899), Price::from_units(2_800));
        assert_eq!(Tick::Cent.ceil(0.2901), Price::from_units(3_000));
    }

    #[test]
    fn ties_are_those_of_binary_floats() {
        let rows = [
            (0.575, 5_700),
            (0.545, 5_500),
            (0.125, 1_200),
            (0.375, 3_800),
            (0.015, 100),
            (0.025, 300),
            (0.285, 2_800),
            (0.0, 0),
            (1.0, 10_000),
            (1e-300, 0),
        ];
        for (value, units) in rows {
            assert_eq!(Tick::Cent.nearest(value), Price::from_units(units), "{value}");
        }
        assert_eq!(Tick::Cent.nearest(f64::NAN), None);
        assert_eq!(Tick::Cent.nearest(1.01), None);
    }

    proptest! {
        #[test]
        fn the_nearest_is_within_half_a_step(index in 0usize..6, value in 0.0f64..=1.0) {
            let tick = Tick::ALL[index];
            let near = tick.nearest(value).expect("in range");
            prop_assert!((near.to_f64() - value).abs() * 10_000.0 <= f64::from(tick.units()) / 2.0 + 1e-9);
            prop_assert!(near.units().is_multiple_of(tick.units()));
        }

        #[test]
        fn bids_go_down_and_asks_go_up(index in 0usize..6, value in 0.0f64..1.0) {
            let tick = Tick::ALL[index];
            if let Some(bid) = tick.floor(value) {
                prop_assert!(tick.admits(bid));
                prop_assert!(bid.to_f64() <= value + 1e-6);
            }
            if let Some(ask) = tick.ceil(value) {
                prop_assert!(tick.admits(ask));
                prop_assert!(ask.to_f64() >= value - 1e-6);
            }
        }

        #[test]
        fn integer_rounding_agrees_with_the_grid(index in 0usize..6, units in 0u16..=10_000) {
            let tick = Tick::ALL[index];
            let price = Price::from_units(units).expect("in range");
            match tick.floor_price(price) {
                Some(floored) => prop_assert!(tick.admits(floored) && floored <= price),
                None => prop_assert!(price < tick.min_price()),
            }
            match tick.ceil_price(price) {
                Some(raised) => prop_assert!(tick.admits(raised) && raised >= price),
                None => prop_assert!(price > tick.max_price()),
            }
        }
    }
}
