//! Parts of a whole, without floats.

use oddsmith_domain::{Shares, Usdc};

/// What is left of a size or a limit, in ten-thousandths; never more than all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(u32);

impl Factor {
    /// All of it.
    pub const ONE: Factor = Factor(10_000);

    /// Ten-thousandths.
    #[must_use]
    pub const fn parts(self) -> u32 {
        self.0
    }

    /// So many hundredths; above a hundred is all of it.
    #[must_use]
    pub const fn percent(percent: u8) -> Factor {
        if percent > 100 { Factor::ONE } else { Factor(percent as u32 * 100) }
    }

    /// `part` of `whole`, rounded down; all of it if there is no whole.
    #[must_use]
    pub fn ratio(part: Usdc, whole: Usdc) -> Factor {
        if !whole.is_positive() {
            return Factor::ONE;
        }
        let parts = i128::from(part.micros()) * 10_000 / i128::from(whole.micros());
        Factor(u32::try_from(parts.clamp(0, 10_000)).unwrap_or(0))
    }

    /// The factor at `at` of `of` on the way from one to another, rounded down; the second one if there is no way.
    #[must_use]
    pub fn between(from: Factor, to: Factor, at: u64, of: u64) -> Factor {
        if of == 0 || to.0 < from.0 {
            return to;
        }
        let way = u128::from(to.0 - from.0) * u128::from(at.min(of)) / u128::from(of);
        Factor(from.0 + u32::try_from(way).unwrap_or(0))
    }

    /// Both one after the other, rounded down.
    #[must_use]
    pub const fn and(self, other: Factor) -> Factor {
        Factor(self.0 * other.0 / 10_000)
    }

    /// So many times itself; to the power of nought is all of it.
    #[must_use]
    pub fn power(self, power: u8) -> Factor {
        (0..power).fold(Factor::ONE, |product, _| product.and(self))
    }

    /// What is left of shares, in whole lots.
    #[must_use]
    pub fn of_shares(self, shares: Shares) -> Shares {
        Shares::from_micros(self.of(shares.micros())).floor_lots()
    }

    /// What is left of dollars.
    #[must_use]
    pub fn of_usdc(self, usdc: Usdc) -> Usdc {
        Usdc::from_micros(self.of(usdc.micros()))
    }

    fn of(self, micros: i64) -> i64 {
        i64::try_from(i128::from(micros) * i128::from(self.0) / 10_000).unwrap_or(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_round_down() {
        let usd = Usdc::from_whole;
        assert_eq!(Factor::ratio(usd(9), usd(15)).parts(), 6_000);
        assert_eq!(Factor::ratio(usd(1), usd(3)).parts(), 3_333);
        assert_eq!(Factor::ratio(usd(-1), usd(3)).parts(), 0);
        assert_eq!(Factor::ratio(usd(5), usd(3)), Factor::ONE);
        assert_eq!(Factor::ratio(usd(5), usd(0)), Factor::ONE);
        assert_eq!(Factor::percent(60).power(2).parts(), 3_600);
        assert_eq!(Factor::percent(60).power(0), Factor::ONE);
        assert_eq!(Factor::percent(33).of_shares(Shares::from_whole(10)), Shares::from_micros(3_300_000));
        assert_eq!(Factor::ratio(usd(1), usd(3)).of_shares(Shares::from_whole(1)), Shares::from_micros(330_000));
    }
}
