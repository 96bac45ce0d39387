//! Small ordered lists whose memory stays: what a tree would allocate and free at every tick.

/// Distinct keys in order, each with a value. For a handful of entries at a time.
#[derive(Clone, Debug)]
pub(crate) struct SmallMap<K, V>(Vec<(K, V)>);

impl<K: Ord + Copy, V> SmallMap<K, V> {
    pub(crate) const fn new() -> SmallMap<K, V> {
        SmallMap(Vec::new())
    }

    /// Puts a value under a key, in place of the one that was there.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.0.binary_search_by_key(&key, |(k, _)| *k) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.0.binary_search_by_key(key, |(k, _)| *k).ok()?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_distinct_and_in_order() {
        let mut map = SmallMap::new();
        for (key, value) in [(3, 'c'), (1, 'a'), (2, 'b'), (1, 'z')] {
            map.insert(key, value);
        }
        assert_eq!(map.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(map.values().collect::<String>(), "zbc");
        assert_eq!((map.remove(&2), map.remove(&2)), (Some('b'), None));
    }
}
