//! One side of a book: an array over the price grid with a bitmap of the occupied prices.

use oddsmith_domain::{Outcome, Price, Shares, SizeText};

/// Prices on the grid of 0.0001 dollars, both ends included.
const PRICES: usize = Price::ONE.units() as usize + 1;
const WORDS: usize = PRICES.div_ceil(64);
const SUMMARY: usize = WORDS.div_ceil(64);

/// What is known of one price on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The aggregate size in millionths of a share; nothing rests there when it is 0.
    pub micros: i64,
    /// When the venue said so, on the pair's clock of [`crate::stamp::Epoch`].
    pub stamp: u32,
    /// Digits after the point in the venue's text of the price, by outcome.
    pub price_decimals: [u8; 2],
    /// Digits after the point in the venue's text of the size, by outcome.
    pub size_decimals: [u8; 2],
}

impl Slot {
    /// The size with the text that `outcome`'s book shows.
    pub fn size(&self, outcome: Outcome) -> SizeText {
        SizeText { shares: Shares::from_micros(self.micros), decimals: self.size_decimals[outcome.index()] }
    }
}

/// One side of the pair's book in YES prices.
///
/// The bitmap has one bit for each price and one summary bit for each word of it, so that the nearest occupied price above or
/// below another is found in a few instructions however sparse the side is.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    slots: Box<[Slot; PRICES]>,
    occupied: [u64; WORDS],
    summary: [u64; SUMMARY],
    /// How many prices are occupied.
    count: usize,
    /// How often a size has changed.
    changes: u64,
}

impl Ladder {
    pub fn new() -> Ladder {
        let slots: Box<[Slot]> = vec![Slot::default(); PRICES].into_boxed_slice();
        let slots = slots.try_into().unwrap_or_else(|_| unreachable!("the vector has exactly this length"));
        Ladder { slots, occupied: [0; WORDS], summary: [0; SUMMARY], count: 0, changes: 0 }
    }

    /// What is known of a price.
    #[inline]
    pub fn slot(&self, price: Price) -> &Slot {
        &self.slots[usize::from(price.units())]
    }

    /// Writes a slot and keeps the bitmap in step with its size.
    #[inline]
    pub fn set(&mut self, price: Price, slot: Slot) {
        let index = usize::from(price.units());
        let before = std::mem::replace(&mut self.slots[index], slot).micros;
        self.changes += u64::from(before != slot.micros);
        let (was, is) = (before != 0, slot.micros != 0);
        if was != is {
            self.mark(index, is);
        }
    }

    fn mark(&mut self, index: usize, occupied: bool) {
        let (word, bit) = (index / 64, 1u64 << (index % 64));
        if occupied {
            self.count += 1;
            self.occupied[word] |= bit;
            self.summary[word / 64] |= 1u64 << (word % 64);
        } else {
            self.count -= 1;
            self.occupied[word] &= !bit;
            if self.occupied[word] == 0 {
                self.summary[word / 64] &= !(1u64 << (word % 64));
            }
        }
    }

    /// How many prices are occupied.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Forgets sizes and stamps.
    pub fn reset(&mut self) {
        self.slots.fill(Slot::default());
        self.occupied = [0; WORDS];
        self.summary = [0; SUMMARY];
        self.count = 0;
        self.changes += 1;
    }

    /// How often a size has changed.
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Moves every stamp back by `shift`, because the pair's clock was moved forward by as much.
    pub fn shift_stamps(&mut self, shift: u32) {
        for slot in self.slots.iter_mut() {
            slot.stamp = slot.stamp.saturating_sub(shift);
        }
    }

    /// The lowest occupied price.
    pub fn lowest(&self) -> Option<Price> {
        self.at_or_above(0)
    }

    /// The highest occupied price.
    pub fn highest(&self) -> Option<Price> {
        self.at_or_below(PRICES - 1)
    }

    /// The next occupied price above this one.
    pub fn above(&self, price: Price) -> Option<Price> {
        self.at_or_above(usize::from(price.units()) + 1)
    }

    /// The next occupied price below this one.
    pub fn below(&self, price: Price) -> Option<Price> {
        usize::from(price.units()).checked_sub(1).and_then(|index| self.at_or_below(index))
    }

    fn at_or_above(&self, index: usize) -> Option<Price> {
        let word = index / 64;
        let here = self.occupied.get(word)? & (u64::MAX << (index % 64));
        if here != 0 {
            return price_at(word, here.trailing_zeros());
        }
        let mut group = (word + 1) / 64;
        let mut mask = u64::MAX << ((word + 1) % 64);
        while let Some(&words) = self.summary.get(group) {
            let words = words & mask;
            if words != 0 {
                let word = group * 64 + words.trailing_zeros() as usize;
                return price_at(word, self.occupied[word].trailing_zeros());
            }
            (group, mask) = (group + 1, u64::MAX);
        }
        None
    }

    fn at_or_below(&self, index: usize) -> Option<Price> {
        let word = index / 64;
        let here = self.occupied[word] & (u64::MAX >> (63 - index % 64));
        if here != 0 {
            return price_at(word, 63 - here.leading_zeros());
        }
        let last = word.checked_sub(1)?;
        let mut group = last / 64;
        let mut mask = u64::MAX >> (63 - last % 64);
        loop {
            let words = self.summary[group] & mask;
            if words != 0 {
                let word = group * 64 + (63 - words.leading_zeros() as usize);
                return price_at(word, 63 - self.occupied[word].leading_zeros());
            }
            (group, mask) = (group.checked_sub(1)?, u64::MAX);
        }
    }
}

fn price_at(word: usize, bit: u32) -> Option<Price> {
    u16::try_from(word * 64 + bit as usize).ok().and_then(Price::from_units)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn price(units: u16) -> Price {
        Price::from_units(units).expect("in range")
    }

    proptest! {
        #[test]
        fn neighbours_are_those_of_an_ordered_set(
            edits in prop::collection::vec((0u16..=10_000, any::<bool>()), 0..200),
            probes in prop::collection::vec(0u16..=10_000, 0..50),
        ) {
            let (mut ladder, mut set) = (Ladder::new(), BTreeSet::new());
            for (units, on) in edits {
                ladder.set(price(units), Slot { micros: i64::from(on), ..Slot::default() });
                if on { set.insert(units); } else { set.remove(&units); }
            }
            prop_assert_eq!(ladder.count(), set.len());
            prop_assert_eq!(ladder.lowest().map(Price::units), set.first().copied());
            prop_assert_eq!(ladder.highest().map(Price::units), set.last().copied());
            for units in probes.into_iter().chain([0, 63, 64, 4_095, 4_096, 9_999, 10_000]) {
                prop_assert_eq!(ladder.above(price(units)).map(Price::units), set.range(units + 1..).next().copied());
                prop_assert_eq!(ladder.below(price(units)).map(Price::units), set.range(..units).next_back().copied());
            }
        }
    }
}
