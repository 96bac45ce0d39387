//! The markets that the engine follows, each found at once by its number.
//!
//! A number is never used again. A market that is forgotten leaves an empty place of a few bytes, and nothing walks over those.

use oddsmith_domain::MarketId;

use crate::market::Market;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Markets {
    slots: Vec<Option<Box<Market>>>,
    /// The numbers of those that are there, in order.
    live: Vec<MarketId>,
}

impl Markets {
    /// The number that the next market gets.
    pub(crate) fn next_id(&self) -> MarketId {
        MarketId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX))
    }

    /// Takes a market in, under the number of [`Markets::next_id`].
    pub(crate) fn push(&mut self, market: Market) {
        self.live.push(market.id);
        self.slots.push(Some(Box::new(market)));
    }

    /// Drops a market with its books.
    pub(crate) fn remove(&mut self, id: MarketId) -> Option<Box<Market>> {
        self.live.retain(|live| *live != id);
        self.slots.get_mut(id.index()).and_then(Option::take)
    }

    /// A market by its number, as an index.
    pub(crate) fn get(&self, index: usize) -> Option<&Market> {
        self.slots.get(index)?.as_deref()
    }

    /// A market by its number, as an index.
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Market> {
        self.slots.get_mut(index)?.as_deref_mut()
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.live.len()
    }

    /// The number of the n-th of those that are there.
    pub(crate) fn nth(&self, n: usize) -> Option<MarketId> {
        self.live.get(n).copied()
    }

    /// The n-th of those that are there.
    pub(crate) fn nth_mut(&mut self, n: usize) -> Option<&mut Market> {
        let index = self.live.get(n)?.index();
        self.get_mut(index)
    }

    /// Those that are there, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Market> {
        self.live.iter().filter_map(|id| self.get(id.index()))
    }

    /// Those that are there, in the order of their numbers.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Market> {
        self.slots.iter_mut().filter_map(Option::as_deref_mut)
    }
}
