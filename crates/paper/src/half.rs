//! One side of the displayed book in YES prices: a size for every price of the finest grid, and which of them are taken.

use oddsmith_domain::Price;

/// Prices on the grid of 0.0001 dollars, both ends included.
pub(crate) const PRICES: usize = Price::ONE.units() as usize + 1;
const WORDS: usize = PRICES.div_ceil(64);

/// Which side of the YES book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// Those who buy YES, or sell NO.
    Bids,
    /// Those who sell YES, or buy NO.
    Asks,
}

impl Half {
    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Half {
        match self {
            Half::Bids => Half::Asks,
            Half::Asks => Half::Bids,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Half::Bids => 0,
            Half::Asks => 1,
        }
    }

    /// Whether one price of this side stands before another: higher for bids, lower for asks.
    #[must_use]
    pub const fn is_better(self, one: u16, other: u16) -> bool {
        match self {
            Half::Bids => one > other,
            Half::Asks => one < other,
        }
    }
}

/// The displayed sizes of one side, in millionths of a share.
#[derive(Clone, Debug)]
pub(crate) struct Displayed {
    half: Half,
    sizes: Box<[i64; PRICES]>,
    occupied: [u64; WORDS],
    best: Option<u16>,
}

impl Displayed {
    pub(crate) fn new(half: Half) -> Displayed {
        let sizes: Box<[i64]> = vec![0; PRICES].into_boxed_slice();
        let sizes = sizes.try_into().unwrap_or_else(|_| unreachable!("the vector has exactly this length"));
        Displayed { half, sizes, occupied: [0; WORDS], best: None }
    }

    /// What is displayed at a price.
    #[inline]
    pub(crate) fn at(&self, units: u16) -> i64 {
        self.sizes.get(usize::from(units)).copied().unwrap_or(0)
    }

    /// The best price at which anything is displayed.
    #[inline]
    pub(crate) const fn best(&self) -> Option<u16> {
        self.best
    }

    /// Displays a new size at a price; what was there before.
    #[inline]
    pub(crate) fn set(&mut self, units: u16, micros: i64) -> i64 {
        let at = usize::from(units);
        let Some(size) = self.sizes.get_mut(at) else { return 0 };
        let before = std::mem::replace(size, micros);
        if (before != 0) != (micros != 0) {
            self.occupied[at / 64] ^= 1 << (at % 64);
            if micros != 0 {
                if self.best.is_none_or(|best| self.half.is_better(units, best)) {
                    self.best = Some(units);
                }
            } else if self.best == Some(units) {
                self.best = self.after(units);
            }
        }
        before
    }

    /// The next price behind this one at which anything is displayed.
    pub(crate) fn after(&self, units: u16) -> Option<u16> {
        match self.half {
            Half::Bids => usize::from(units).checked_sub(1).and_then(|at| self.down(at)),
            Half::Asks => self.up(usize::from(units) + 1),
        }
    }

    /// All prices at which anything is displayed, best first.
    pub(crate) fn prices(&self) -> impl Iterator<Item = u16> + '_ {
        std::iter::successors(self.best, |units| self.after(*units))
    }

    fn up(&self, at: usize) -> Option<u16> {
        let mut word = at / 64;
        let mut bits = self.occupied.get(word)? & (u64::MAX << (at % 64));
        while bits == 0 {
            word += 1;
            bits = *self.occupied.get(word)?;
        }
        u16::try_from(word * 64 + bits.trailing_zeros() as usize).ok()
    }

    fn down(&self, at: usize) -> Option<u16> {
        let mut word = at / 64;
        let mut bits = self.occupied.get(word)? & (u64::MAX >> (63 - at % 64));
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = *self.occupied.get(word)?;
        }
        u16::try_from(word * 64 + 63 - bits.leading_zeros() as usize).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_map(sets in proptest::collection::vec((0u16..=10_000, 0i64..3), 0..300)) {
            for half in [Half::Bids, Half::Asks] {
                let mut displayed = Displayed::new(half);
                let mut map = BTreeMap::new();
                for (units, micros) in &sets {
                    prop_assert_eq!(displayed.set(*units, *micros), map.insert(*units, *micros).unwrap_or(0));
                }
                let mut prices: Vec<u16> = map.into_iter().filter(|(_, size)| *size > 0).map(|(units, _)| units).collect();
                if half == Half::Bids {
                    prices.reverse();
                }
                prop_assert_eq!(displayed.best(), prices.first().copied());
                prop_assert_eq!(displayed.prices().collect::<Vec<_>>(), prices);
            }
        }
    }
}
