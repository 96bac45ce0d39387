//! How the market moved after our fills: the plainest sign that others knew more (quant 12).
//!
//! The markout of a fill at a horizon is `side * (mid after the horizon - price)`, in dollars per share: below zero, the fill lost money.

use std::collections::VecDeque;

use oddsmith_domain::{Side, Time};

use crate::{OwnFill, OwnFills};

/// The horizons, in seconds.
pub const HORIZONS_S: [u64; 3] = [5, 30, 300];

/// How many fills wait for their markouts, and how many markouts of a horizon are remembered.
const CAPACITY: usize = 128;
/// A mid that is seen this much after the horizon is no mid at the horizon any more.
const LATE_NS: u64 = 2 * Time::SECOND;

/// A fill that waits for its horizons.
#[derive(Clone, Copy, Debug)]
struct Pending {
    mono_ns: u64,
    sign: f64,
    price: f64,
    /// The next horizon.
    next: usize,
}

/// The markouts of one market.
#[derive(Clone, Debug, Default)]
pub struct Markouts {
    /// Oldest first.
    pending: VecDeque<Pending>,
    /// Markouts by horizon, newest last.
    seen: [VecDeque<f64>; HORIZONS_S.len()],
    taken: u64,
}

impl Markouts {
    /// Takes new fills in, and the mid for whatever horizon it is.
    pub fn update(&mut self, fills: &OwnFills, mid: f64, now: Time) {
        for fill in fills.since(self.taken) {
            if let Some(pending) = waiting(fill) {
                if self.pending.len() == CAPACITY {
                    self.pending.pop_front();
                }
                self.pending.push_back(pending);
            }
        }
        self.taken = fills.count();
        for fill in &mut self.pending {
            while let Some(horizon) = HORIZONS_S.get(fill.next) {
                let due = fill.mono_ns.saturating_add(horizon * Time::SECOND);
                if due > now.mono_ns {
                    break;
                }
                if now.mono_ns - due <= LATE_NS {
                    let seen = &mut self.seen[fill.next];
                    if seen.len() == CAPACITY {
                        seen.pop_front();
                    }
                    seen.push_back(fill.sign * (mid - fill.price));
                }
                fill.next += 1;
            }
        }
        self.pending.retain(|fill| fill.next < HORIZONS_S.len());
    }

    /// The worst mean of the last `count` markouts of a horizon, over the horizons that have as many; `None` when none has.
    #[must_use]
    pub fn worst_mean(&self, count: usize) -> Option<f64> {
        let mean = |seen: &VecDeque<f64>| {
            let enough = count > 0 && seen.len() >= count;
            enough.then(|| seen.iter().rev().take(count).sum::<f64>() / count as f64)
        };
        self.seen.iter().filter_map(mean).reduce(f64::min)
    }

    /// Forgets the markouts, so that what they led to is not renewed by themselves; fills that wait keep waiting.
    pub fn forget(&mut self) {
        self.seen.iter_mut().for_each(VecDeque::clear);
    }
}

fn waiting(fill: &OwnFill) -> Option<Pending> {
    let price = fill.notional.to_f64() / fill.size.to_f64();
    let sign = if fill.side == Side::Buy { 1.0 } else { -1.0 };
    price.is_finite().then_some(Pending { mono_ns: fill.mono_ns, sign, price, next: 0 })
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::{Shares, Usdc};

    use super::*;

    fn at(seconds: u64) -> Time {
        Time { mono_ns: seconds * Time::SECOND, wall_ns: 0 }
    }

    fn fill(seconds: u64, side: Side, price: f64) -> OwnFill {
        let notional = Usdc::from_micros((price * 1e7) as i64);
        OwnFill { mono_ns: seconds * Time::SECOND, side, size: Shares::from_whole(10), notional }
    }

    #[test]
    fn a_fill_is_marked_at_each_horizon() {
        let (mut fills, mut markouts) = (OwnFills::default(), Markouts::default());
        fills.push(fill(0, Side::Buy, 0.52));
        for (seconds, mid) in [(0, 0.53), (4, 0.9), (5, 0.526), (6, 0.1), (30, 0.518), (300, 0.5)] {
            markouts.update(&fills, mid, at(seconds));
        }
        let seen: Vec<f64> = markouts.seen.iter().flatten().map(|m| (m * 1e6).round() / 1e6).collect();
        assert_eq!(seen, [0.006, -0.002, -0.02]);
        assert!(markouts.pending.is_empty());
        assert!((markouts.worst_mean(1).expect("seen") + 0.02).abs() < 1e-9);
        assert_eq!(markouts.worst_mean(2), None);
    }

    #[test]
    fn a_sale_is_hurt_by_a_rise_and_a_late_mid_is_none() {
        let (mut fills, mut markouts) = (OwnFills::default(), Markouts::default());
        fills.push(fill(0, Side::Sell, 0.5));
        fills.push(fill(0, Side::Sell, 0.5));
        markouts.update(&fills, 0.6, at(6));
        assert!((markouts.worst_mean(2).expect("both") + 0.1).abs() < 1e-9);
        markouts.update(&fills, 0.9, at(33));
        assert_eq!(markouts.seen[1].len(), 0, "three seconds late");
        assert_eq!(markouts.pending.len(), 2);
    }

    #[test]
    fn each_fill_is_taken_once_and_the_memory_is_bounded() {
        let (mut fills, mut markouts) = (OwnFills::default(), Markouts::default());
        for seconds in 0..1_000 {
            fills.push(fill(seconds, Side::Buy, 0.5));
            markouts.update(&fills, 0.5, at(seconds));
            assert!(markouts.pending.len() <= CAPACITY);
        }
        assert!(markouts.seen.iter().all(|seen| seen.len() <= CAPACITY));
        markouts.forget();
        assert_eq!(markouts.worst_mean(1), None);
    }
}
