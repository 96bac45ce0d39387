//! A short memory of own fills, from which toxic flow is seen.

use oddsmith_domain::{Shares, Side, Time, Usdc};

/// How many fills are remembered.
const CAPACITY: usize = 128;

/// A fill of the instance in the market, in YES terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnFill {
    /// When it became known, on the monotonic clock.
    pub mono_ns: u64,
    /// The side in YES terms: buying NO is selling YES.
    pub side: Side,
    /// The size.
    pub size: Shares,
    /// What was paid or received.
    pub notional: Usdc,
}

/// The newest fills, oldest first. Fixed capacity: the oldest leaves when a new one comes.
#[derive(Clone, Debug, Default)]
pub struct OwnFills {
    ring: std::collections::VecDeque<OwnFill>,
    count: u64,
}

impl OwnFills {
    /// Remembers a fill.
    pub fn push(&mut self, fill: OwnFill) {
        if self.ring.len() == CAPACITY {
            self.ring.pop_front();
        }
        self.ring.push_back(fill);
        self.count += 1;
    }

    /// How many there have been.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Those that came after the first `seen`, oldest first, as far as they are remembered.
    pub fn since(&self, seen: u64) -> impl Iterator<Item = &OwnFill> {
        let new = usize::try_from(self.count.saturating_sub(seen)).unwrap_or(usize::MAX);
        self.ring.range(self.ring.len().saturating_sub(new)..)
    }

    /// What was traded on each side within the last `window_ns`: buys, then sells, in dollars.
    #[must_use]
    pub fn notional_within(&self, now: Time, window_ns: u64) -> (Usdc, Usdc) {
        let mut sums = (Usdc::ZERO, Usdc::ZERO);
        for fill in self.ring.iter().rev() {
            if now.mono_ns.saturating_sub(fill.mono_ns) > window_ns {
                break;
            }
            match fill.side {
                Side::Buy => sums.0 += fill.notional,
                Side::Sell => sums.1 += fill.notional,
            }
        }
        sums
    }

    /// The newest fill.
    #[must_use]
    pub fn last(&self) -> Option<&OwnFill> {
        self.ring.back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_window_counts_and_the_memory_is_bounded() {
        let mut fills = OwnFills::default();
        for second in 0..1_000u64 {
            let side = if second.is_multiple_of(2) { Side::Buy } else { Side::Sell };
            let (size, notional) = (Shares::from_whole(2), Usdc::from_whole(1));
            fills.push(OwnFill { mono_ns: second * Time::SECOND, side, size, notional });
        }
        let now = Time { mono_ns: 999 * Time::SECOND, wall_ns: 0 };
        assert_eq!(fills.notional_within(now, 3 * Time::SECOND), (Usdc::from_whole(2), Usdc::from_whole(2)));
        let (buys, sells) = fills.notional_within(now, u64::MAX);
        assert_eq!(buys + sells, Usdc::from_whole(CAPACITY as i64));
    }
}
