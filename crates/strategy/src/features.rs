//! What is known of a reference price: its volatility, its shocks, its averages (quant 2).
//!
//! Prices are sampled on a grid of one second, so that a burst of ticks counts once and bid-ask bounce little. Two horizons of time-aware
//! exponential weights are kept and blended:
//!
//! ```text
//! w = 1 - exp(-dt ln2 / half_life),  v <- v + w (r^2/dt - v),  v per second, r = ln(S / S before)
//! sigma = sqrt(max((v_short + v_long) / 2, floor^2))
//! z     = |r| / (sigma before the update * sqrt(dt))
//! ```
//!
//! A return enters the variance at no more than four of its own deviations. A gap longer than ten seconds updates nothing.

use std::collections::VecDeque;

use oddsmith_domain::Time;

use crate::fair::{Spot, Window};

/// The grid on which prices are sampled.
const GRID_NS: u64 = Time::SECOND;
/// A gap longer than this tells nothing about volatility.
const GAP_NS: u64 = 10 * Time::SECOND;
/// How many samples are remembered: twenty minutes.
const REMEMBERED: usize = 1_200;
/// So many returns must have been seen before there is a volatility.
const READY: u32 = 30;
const SHORT_HALF_LIFE_S: f64 = 42.0;
const LONG_HALF_LIFE_S: f64 = 900.0;
/// The least volatility, per square-root second.
const FLOOR: f64 = 2e-5;
const WINSOR: f64 = 4.0;

/// A price at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it became known.
    pub at: Time,
    /// The price.
    pub price: f64,
}

/// The features of one reference price, updated price by price in constant time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    last: Option<Sample>,
    /// The first price of each second of the grid, oldest first.
    samples: VecDeque<Sample>,
    variance: [f64; 2],
    returns: u32,
    z: f64,
}

impl Features {
    /// Takes a price in. One that is not a positive number is passed over.
    pub fn update(&mut self, price: f64, now: Time) {
        if !(price > 0.0 && price.is_finite()) {
            return;
        }
        self.last = Some(Sample { at: now, price });
        let Some(before) = self.samples.back().copied() else { return self.sample(price, now) };
        let dt_ns = now.mono_ns.saturating_sub(before.at.mono_ns);
        // A shock is seen at once; the variance moves with the grid.
        let dt = (dt_ns.max(Time::SECOND / 10)) as f64 / Time::SECOND as f64;
        let r = libm::log(price / before.price);
        self.z = self.sigma().map_or(0.0, |sigma| r.abs() / (sigma * libm::sqrt(dt)));
        if dt_ns < GRID_NS {
            return;
        }
        if dt_ns <= GAP_NS {
            self.learn(r, dt);
        }
        self.sample(price, now);
    }

    fn sample(&mut self, price: f64, now: Time) {
        if self.samples.len() == REMEMBERED {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at: now, price });
    }

    fn learn(&mut self, r: f64, dt: f64) {
        let seeding = self.returns < READY;
        self.returns = self.returns.saturating_add(1);
        for (variance, half_life) in self.variance.iter_mut().zip([SHORT_HALF_LIFE_S, LONG_HALF_LIFE_S]) {
            if seeding {
                // The plain mean of the first returns.
                *variance += (r * r / dt - *variance) / f64::from(self.returns);
                continue;
            }
            let most = WINSOR * libm::sqrt(variance.max(FLOOR * FLOOR) * dt);
            let r = r.clamp(-most, most);
            let weight = 1.0 - libm::exp(-dt * std::f64::consts::LN_2 / half_life);
            *variance += weight * (r * r / dt - *variance);
        }
    }

    /// Volatility per square-root second; `None` before enough has been seen.
    #[must_use]
    pub fn sigma(&self) -> Option<f64> {
        let blended = (self.variance[0] + self.variance[1]) / 2.0;
        (self.returns >= READY).then(|| libm::sqrt(blended.max(FLOOR * FLOOR)))
    }

    /// The newest price.
    #[must_use]
    pub const fn last(&self) -> Option<Sample> {
        self.last
    }

    /// The newest price with the volatility.
    #[must_use]
    pub fn spot(&self) -> Option<Spot> {
        Some(Spot { price: self.last?.price, sigma: self.sigma()? })
    }

    /// How many deviations the price is from the last sample.
    #[must_use]
    pub const fn shock(&self) -> f64 {
        self.z
    }

    /// By how much the price changed over this many seconds, as a share of it; `None` when not as much is known.
    #[must_use]
    pub fn change(&self, seconds: u64) -> Option<f64> {
        let last = self.last?;
        let from = last.at.mono_ns.checked_sub(seconds.saturating_mul(Time::SECOND))?;
        let then = self.samples.iter().rev().find(|sample| sample.at.mono_ns <= from)?;
        Some(last.price / then.price - 1.0)
    }

    /// The mean price over a stretch of wall time, in nanoseconds since the Unix epoch: each sample counts until the next. `None` when
    /// the stretch begins before the first sample or has a gap.
    #[must_use]
    pub fn mean(&self, from_wall_ns: u64, to_wall_ns: u64) -> Option<f64> {
        let first = self.samples.iter().rposition(|sample| sample.at.wall_ns <= from_wall_ns)?;
        let (mut sum, mut weight) = (0.0, 0.0);
        let mut samples = self.samples.range(first..).peekable();
        while let Some(sample) = samples.next() {
            let begin = sample.at.wall_ns.max(from_wall_ns);
            let end = samples.peek().map_or(to_wall_ns, |next| next.at.wall_ns).min(to_wall_ns);
            if end <= begin {
                if begin >= to_wall_ns {
                    break;
                }
                continue;
            }
            if end - begin > GAP_NS {
                return None;
            }
            let seconds = (end - begin) as f64 / Time::SECOND as f64;
            sum += sample.price * seconds;
            weight += seconds;
        }
        (weight > 0.0).then(|| sum / weight)
    }

    /// What the price came to at a wall time in nanoseconds: its mean over so many seconds before, or, for none, the last print at or
    /// before it. `None` when that was not seen.
    #[must_use]
    pub fn value_at(&self, wall_ns: u64, average_s: f64) -> Option<f64> {
        if average_s > 0.0 {
            let length_ns = (average_s * Time::SECOND as f64) as u64;
            return self.mean(wall_ns.checked_sub(length_ns)?, wall_ns);
        }
        let print = self.samples.iter().rfind(|sample| sample.at.wall_ns <= wall_ns)?;
        (wall_ns - print.at.wall_ns <= GAP_NS).then_some(print.price)
    }

    /// An averaging window that ends at this wall time, as far as it has come; `None` when a part of it is not known.
    #[must_use]
    pub fn window(&self, ends_wall_ns: u64, length_s: f64, now: Time) -> Option<Window> {
        let length_ns = (length_s * Time::SECOND as f64) as u64;
        let begins = ends_wall_ns.checked_sub(length_ns)?;
        if now.wall_ns <= begins {
            return Some(Window { length_s, mean_so_far: 0.0 });
        }
        self.mean(begins, now.wall_ns.min(ends_wall_ns)).map(|mean_so_far| Window { length_s, mean_so_far })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time { mono_ns: ms * Time::MILLI, wall_ns: 1_000 * Time::SECOND + ms * Time::MILLI }
    }

    /// A walk that alternates by one deviation of `sigma` each second.
    fn steady(sigma: f64, seconds: u64) -> Features {
        let mut features = Features::default();
        for second in 0..seconds {
            let price = 84_600.0 * (1.0 + if second % 2 == 0 { 0.0 } else { sigma });
            features.update(price, at(second * 1_000));
        }
        features
    }

    #[test]
    fn a_steady_walk_has_its_own_volatility() {
        let features = steady(8e-5, 600);
        let sigma = features.sigma().expect("ready");
        assert!((sigma / 8e-5 - 1.0).abs() < 1e-3, "{sigma}");
        assert_eq!(steady(8e-5, 30).sigma(), None, "29 returns");
    }

    #[test]
    fn a_shock_is_seen_at_once_and_enters_the_variance_bounded() {
        let mut features = steady(8e-5, 601);
        let before = features.sigma().expect("ready");
        // Six basis points in 1.5 seconds.
        features.update(84_600.0 * (1.0 - 6e-4), at(600_000 + 1_500));
        assert!((features.shock() - 6e-4 / (before * 1.5f64.sqrt())).abs() < 0.05, "{}", features.shock());
        let after = features.sigma().expect("ready");
        assert!(after > before && after < 1.3 * before, "{after} {before}");
    }

    #[test]
    fn ticks_between_the_seconds_count_once() {
        let mut busy = Features::default();
        let mut calm = Features::default();
        for second in 0..600u64 {
            let price = 84_600.0 * (1.0 + if second % 2 == 0 { 0.0 } else { 8e-5 });
            calm.update(price, at(second * 1_000));
            for part in 0..10 {
                busy.update(price, at(second * 1_000 + part * 100));
            }
        }
        assert_eq!(busy.sigma(), calm.sigma());
    }

    #[test]
    fn a_gap_teaches_nothing() {
        let mut features = steady(8e-5, 600);
        let before = features.sigma();
        features.update(90_000.0, at(700_000));
        assert_eq!(features.sigma(), before);
        for price in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            features.update(price, at(701_000));
        }
        assert_eq!(features.last().map(|s| s.price), Some(90_000.0));
    }

    #[test]
    fn means_and_windows() {
        let mut features = Features::default();
        for (second, price) in [(0, 100.0), (1, 102.0), (2, 104.0), (3, 104.0), (4, 104.0)] {
            features.update(price, at(second * 1_000));
        }
        let wall = |ms: u64| at(ms).wall_ns;
        assert_eq!(features.mean(wall(0), wall(2_000)), Some(101.0));
        assert_eq!(features.mean(wall(500), wall(1_500)), Some(101.0));
        assert_eq!(features.mean(wall(0) - 1, wall(2_000)), None, "not known from the beginning");
        let window = features.window(wall(6_000), 4.0, at(4_000)).expect("known");
        assert_eq!(window, Window { length_s: 4.0, mean_so_far: 104.0 });
        assert_eq!(features.window(wall(60_000), 4.0, at(4_000)).map(|w| w.mean_so_far), Some(0.0));
        assert_eq!(features.change(2), Some(0.0));
        assert!((features.change(4).expect("known") - 0.04).abs() < 1e-12);
    }

    #[test]
    fn the_memory_is_bounded() {
        let features = steady(8e-5, 5_000);
        assert_eq!(features.samples.len(), REMEMBERED);
    }
}
