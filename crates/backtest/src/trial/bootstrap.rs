//! How sure a profit is: drawn again by market, because the fills of one market are one experience.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How often is drawn.
const DRAWS: usize = 2_000;

/// The total profit as it might have come out with other markets of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// How many markets were drawn from.
    pub n: usize,
    /// A fortieth of all draws lies below, in dollars.
    pub low: f64,
    /// A fortieth of all draws lies above, in dollars.
    pub high: f64,
    /// The share of draws that lose.
    pub losing: f64,
}

/// Draws whole markets with replacement. `None` below five markets: nothing can be said from so few.
#[must_use]
pub fn bootstrap(profits: &[f64], seed: u64) -> Option<Interval> {
    let n = profits.len();
    if n < 5 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut totals: Vec<f64> =
        (0..DRAWS).map(|_| (0..n).map(|_| profits[rng.random_range(0..n)]).sum::<f64>()).collect();
    totals.sort_by(f64::total_cmp);
    let losing = totals.partition_point(|total| *total < 0.0) as f64 / DRAWS as f64;
    Some(Interval { n, low: totals[DRAWS / 40], high: totals[DRAWS - 1 - DRAWS / 40], losing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_markets_say_nothing_and_many_say_more() {
        assert_eq!(bootstrap(&[1.0, 2.0, 3.0, 4.0], 1), None);
        let profits: Vec<f64> = (0..40).map(|n| f64::from(n % 5) - 1.5).collect();
        let interval = bootstrap(&profits, 7).expect("enough");
        let total: f64 = profits.iter().sum();
        assert!(interval.low < total && total < interval.high, "{interval:?}");
        // Normal theory: n copies of variance 2 give a deviation of sqrt(80), 1.96 of it on each side.
        assert!((interval.high - interval.low - 2.0 * 1.96 * 80_f64.sqrt()).abs() < 3.0, "{interval:?}");
        assert_eq!(bootstrap(&profits, 7), Some(interval), "the same seed draws the same");
        assert!(bootstrap(&[-1.0; 6], 3).is_some_and(|all| (all.losing - 1.0).abs() < 1e-9));
    }
}
