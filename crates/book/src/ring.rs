//! Recent history of fixed size.

use oddsmith_domain::{Outcome, Price, Shares, Side, Time};

/// The last `capacity` items. Memory is taken once, when the ring is made; the oldest item makes room for a new one.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    items: Vec<T>,
    capacity: usize,
    /// Where the next item goes once the ring is full: the place of the oldest.
    oldest: usize,
}

impl<T> Ring<T> {
    /// An empty ring that will hold `capacity` items, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Ring<T> {
        let capacity = capacity.max(1);
        Ring { items: Vec::with_capacity(capacity), capacity, oldest: 0 }
    }

    /// Adds an item, and forgets the oldest when the ring is full.
    pub fn push(&mut self, item: T) {
        if self.items.len() < self.capacity {
            self.items.push(item);
        } else if let Some(place) = self.items.get_mut(self.oldest) {
            *place = item;
            self.oldest = (self.oldest + 1) % self.capacity;
        }
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// From the oldest to the newest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        let (newer, older) = self.items.split_at(self.oldest.min(self.items.len()));
        older.iter().chain(newer)
    }

    /// The newest.
    #[must_use]
    pub fn latest(&self) -> Option<&T> {
        self.iter().next_back()
    }
}

/// The middle of the book at a moment, when the published top changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MidSample {
    /// When it was published, on the monotonic clock.
    pub mono_ns: u64,
    /// Best YES bid plus best YES ask in units of 0.0001 dollars: twice the mid, exactly.
    pub twice_mid: u16,
    /// Order-flow imbalance since the book was made, in millionths of a share of YES (see [`crate::PairBook::ofi`]). The
    /// difference of two samples is the imbalance of the window between them.
    pub ofi_micros: i64,
}

impl MidSample {
    /// The mid in dollars, as a signal.
    #[must_use]
    pub fn mid(&self) -> f64 {
        f64::from(self.twice_mid) / (2.0 * f64::from(Price::ONE.units()))
    }
}

/// A match that the venue printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradePrint {
    /// When it arrived.
    pub at: Time,
    /// The venue's time in milliseconds.
    pub timestamp_ms: u64,
    /// The token of the print.
    pub outcome: Outcome,
    /// Its price.
    pub price: Price,
    /// Its size.
    pub size: Shares,
    /// The taker's side as stated: weak information.
    pub side: Side,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_evicted_and_memory_stays_where_it_is() {
        let mut ring = Ring::new(3);
        assert!(ring.latest().is_none());
        ring.push(0);
        let place = ring.items.as_ptr();
        for item in 1..=7 {
            ring.push(item);
        }
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [5, 6, 7]);
        assert_eq!((ring.latest(), ring.len(), ring.capacity()), (Some(&7), 3, 3));
        assert_eq!(ring.items.as_ptr(), place);
        assert_eq!(ring.iter().rev().copied().collect::<Vec<_>>(), [7, 6, 5]);
    }
}
