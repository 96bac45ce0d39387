//! Amounts of shares and of dollars.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use crate::decimal::{fixed_point_text, parse_fixed};
use crate::{DecimalError, Price};

macro_rules! amount {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(i64);

        impl $type {
            /// Decimals of the unit.
            pub const SCALE: u32 = 6;
            /// None at all.
            pub const ZERO: $type = $type(0);

            /// An amount from its count of millionths.
            #[must_use]
            pub const fn from_micros(micros: i64) -> $type {
                $type(micros)
            }

            /// A whole amount; saturates at the range of the type.
            #[must_use]
            pub const fn from_whole(whole: i64) -> $type {
                $type(whole.saturating_mul(1_000_000))
            }

            #[allow(clippy::unnecessary_wraps, reason = "one shape for every fixed-point type")]
            pub(crate) const fn from_raw(micros: i64) -> Option<$type> {
                Some($type(micros))
            }

            /// The count of millionths.
            #[must_use]
            pub const fn micros(self) -> i64 {
                self.0
            }

            /// Parses a decimal text with at most six decimals.
            ///
            /// # Errors
            /// As [`crate::parse_fixed`].
            pub fn parse(text: &[u8]) -> Result<$type, DecimalError> {
                parse_fixed(text, $type::SCALE).map($type)
            }

            /// `self + other`, or `None` when it does not fit.
            #[must_use]
            pub const fn checked_add(self, other: $type) -> Option<$type> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some($type(sum)),
                    None => None,
                }
            }

            /// The distance from zero.
            #[must_use]
            pub const fn abs(self) -> $type {
                $type(self.0.saturating_abs())
            }

            /// Whether it is less than zero.
            #[must_use]
            pub const fn is_negative(self) -> bool {
                self.0 < 0
            }

            /// Whether it is nothing.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Whether it is more than nothing.
            #[must_use]
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            /// The signal value. For signals and display only.
            #[must_use]
            pub fn to_f64(self) -> f64 {
                self.0 as f64 / 1e6
            }
        }

        impl Add for $type {
            type Output = $type;
            fn add(self, other: $type) -> $type {
                $type(self.0.saturating_add(other.0))
            }
        }

        impl Sub for $type {
            type Output = $type;
            fn sub(self, other: $type) -> $type {
                $type(self.0.saturating_sub(other.0))
            }
        }

        impl Neg for $type {
            type Output = $type;
            fn neg(self) -> $type {
                $type(self.0.saturating_neg())
            }
        }

        impl AddAssign for $type {
            fn add_assign(&mut self, other: $type) {
                *self = *self + other;
            }
        }

        impl SubAssign for $type {
            fn sub_assign(&mut self, other: $type) {
                *self = *self - other;
            }
        }

        impl Sum for $type {
            fn sum<I: Iterator<Item = $type>>(iter: I) -> $type {
                iter.fold($type::ZERO, Add::add)
            }
        }

        fixed_point_text!($type, i64, $type::SCALE);
    };
}

amount! {
    /// A number of outcome shares, in millionths. Negative only as a difference.
    ///
    /// Arithmetic saturates: nine million million shares is beyond anything the venue can hold, and an overflow must not
    /// panic on outside input. Where an exact bound matters, use [`Shares::checked_add`].
    Shares
}

amount! {
    /// An amount of collateral (pUSD), in millionths of a dollar. Negative as a debit or a loss.
    ///
    /// Arithmetic saturates, as for [`Shares`].
    Usdc
}

impl Shares {
    /// The venue's size step: 0.01 shares.
    pub const LOT: Shares = Shares(10_000);

    /// Rounds towards zero to a whole number of 0.01 shares, the finest size of an order.
    #[must_use]
    pub const fn floor_lots(self) -> Shares {
        Shares(self.0 - self.0 % Shares::LOT.0)
    }

    /// The whole lots of 0.01 shares in a signal value; none for a negative value or one that is not a number. The one way from a float
    /// to an order's size: down.
    #[must_use]
    pub fn floor_from(value: f64) -> Shares {
        // `as` saturates and takes a NaN for zero.
        Shares::from_micros(((value * 100.0).floor().max(0.0) as i64).saturating_mul(Shares::LOT.0))
    }

    /// Half of it, rounded towards zero.
    #[must_use]
    pub const fn half(self) -> Shares {
        Shares(self.0 / 2)
    }

    /// What these shares cost at `price`, rounded up to the next millionth: what a buyer must be able to pay.
    #[must_use]
    pub fn cost_ceil(self, price: Price) -> Usdc {
        Usdc(clamp_i64(div_ceil(self.product(price), i128::from(Price::ONE.units()))))
    }

    /// What these shares bring at `price`, rounded down to the last millionth: what a seller may count on.
    #[must_use]
    pub fn cost_floor(self, price: Price) -> Usdc {
        Usdc(clamp_i64(self.product(price).div_euclid(i128::from(Price::ONE.units()))))
    }

    fn product(self, price: Price) -> i128 {
        i128::from(self.0) * i128::from(price.units())
    }
}

impl Usdc {
    /// How many whole lots of 0.01 shares this amount buys at `price`; nothing when the price is zero or the amount negative.
    #[must_use]
    pub fn affords(self, price: Price) -> Shares {
        if price == Price::ZERO || self.is_negative() {
            return Shares::ZERO;
        }
        let micros = i128::from(self.0) * i128::from(Price::ONE.units()) / i128::from(price.units());
        Shares(clamp_i64(micros)).floor_lots()
    }
}

fn div_ceil(numerator: i128, denominator: i128) -> i128 {
    -(-numerator).div_euclid(denominator)
}

fn clamp_i64(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(units: u16) -> Price {
        Price::from_units(units).expect("in range")
    }

    #[test]
    fn a_buyer_pays_up_and_a_seller_receives_down() {
        let one_micro = Shares::from_micros(1);
        assert_eq!(one_micro.cost_ceil(price(5_700)), Usdc::from_micros(1));
        assert_eq!(one_micro.cost_floor(price(5_700)), Usdc::from_micros(0));
        assert_eq!(Shares::from_whole(10).cost_ceil(price(5_700)), "5.7".parse().expect("decimal"));
    }

    proptest! {
        #[test]
        fn rounding_is_never_in_our_favour(micros in 0i64..1_000_000_000_000, units in 0u16..=10_000) {
            let shares = Shares::from_micros(micros);
            let (up, down) = (shares.cost_ceil(price(units)), shares.cost_floor(price(units)));
            let exact = i128::from(micros) * i128::from(units);
            prop_assert!(i128::from(up.micros()) * 10_000 >= exact);
            prop_assert!(i128::from(down.micros()) * 10_000 <= exact);
            prop_assert!(up.micros() - down.micros() <= 1);
        }

        #[test]
        fn what_is_afforded_can_be_paid(micros in 0i64..1_000_000_000_000, units in 1u16..=10_000) {
            let cash = Usdc::from_micros(micros);
            let shares = cash.affords(price(units));
            prop_assert!(shares.cost_ceil(price(units)) <= cash);
            prop_assert!((shares + Shares::LOT).cost_ceil(price(units)) > cash);
        }
    }
}
