//! Prices of an outcome share.

use crate::DecimalError;
use crate::decimal::{fixed_point_text, parse_fixed};

/// A price between 0 and 1 dollar per share, counted in units of 0.0001 dollars.
///
/// The unit is the finest grid of the venue, so that every tick size (0.1 … 0.0001) is a whole number of units. A `Price` is
/// not yet an *order* price: whether it lies on a market's grid is the question of [`crate::Tick`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u16);

impl Price {
    /// Decimals of the unit.
    pub const SCALE: u32 = 4;
    /// Nothing: the value of a lost share.
    pub const ZERO: Price = Price(0);
    /// One dollar: the value of a won share.
    pub const ONE: Price = Price(10_000);

    /// A price from its count of 0.0001 dollars; `None` above one dollar.
    #[must_use]
    pub const fn from_units(units: u16) -> Option<Price> {
        if units <= Price::ONE.0 { Some(Price(units)) } else { None }
    }

    pub(crate) const fn from_raw(units: u16) -> Option<Price> {
        Price::from_units(units)
    }

    /// The count of 0.0001 dollars, 0 ..= 10 000.
    #[must_use]
    pub const fn units(self) -> u16 {
        self.0
    }

    /// What the other outcome's share is worth at this price: `1 - p`.
    #[must_use]
    pub const fn complement(self) -> Price {
        Price(Price::ONE.0 - self.0)
    }

    /// The price `delta` units of 0.0001 higher (lower if negative), kept within 0 … 1.
    #[must_use]
    pub fn saturating_add_units(self, delta: i32) -> Price {
        let units = (i32::from(self.0).saturating_add(delta)).clamp(0, i32::from(Price::ONE.0));
        Price(units as u16)
    }

    /// Parses the venue's text (`"0.52"`, `".48"`, `"1"`).
    ///
    /// # Errors
    /// [`DecimalError::Range`] outside 0 … 1, [`DecimalError::Precision`] finer than 0.0001.
    pub fn parse(text: &[u8]) -> Result<Price, DecimalError> {
        let units = parse_fixed(text, Price::SCALE)?;
        u16::try_from(units).ok().and_then(Price::from_units).ok_or(DecimalError::Range)
    }

    /// The signal value in dollars. For signals and display only.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / f64::from(Price::ONE.0)
    }
}

fixed_point_text!(Price, u16, Price::SCALE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_complement() {
        assert_eq!(Price::parse(b"0.57").map(Price::units), Ok(5_700));
        assert_eq!(Price::parse(b"1.0001"), Err(DecimalError::Range));
        assert_eq!(Price::parse(b"-0.1"), Err(DecimalError::Range));
        assert_eq!(Price::parse(b"0.00001"), Err(DecimalError::Precision));
        for units in 0..=10_000 {
            let price = Price::from_units(units).expect("in range");
            assert_eq!(price.complement().complement(), price);
            assert_eq!(price.to_string().parse(), Ok(price));
        }
        assert_eq!(Price::from_units(10_001), None);
    }
}
