//! How likely a fill is within a time (Kaplan and Meier, 1958).

use serde::Serialize;

use super::Outcome;

/// How likely a fill is within a time, for orders of about the same queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Survival {
    /// More than this many shares stood ahead; at most as many as the next bin's.
    pub above: f64,
    /// How many orders.
    pub orders: usize,
    /// How many of them had a fill.
    pub filled: usize,
    /// Within each of [`WITHIN_S`].
    pub within: Vec<Chance>,
}

/// A probability with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Chance {
    /// Within how many seconds.
    pub within_s: f64,
    /// The probability of a fill; `None` when no order rested unfilled for that long.
    pub probability: Option<f64>,
    /// Its standard error (Greenwood, 1926).
    pub error: Option<f64>,
    /// How many orders still rested unfilled then.
    pub n: usize,
}

/// Within what times fills are looked at, in seconds.
pub const WITHIN_S: [f64; 4] = [1.0, 5.0, 30.0, 300.0];
/// The bounds of the bins by what stood ahead, in shares: the first bin is nothing at all.
const AHEAD: [f64; 6] = [0.0, 50.0, 200.0, 1_000.0, 5_000.0, 20_000.0];

/// How likely fills were, by what stood ahead.
#[must_use]
pub fn survival(outcomes: &[Outcome]) -> Vec<Survival> {
    let bin = |outcome: &&Outcome| AHEAD.iter().filter(|bound| outcome.ahead.to_f64() > **bound).count();
    (0..=AHEAD.len())
        .map(|n| {
            let mut own: Vec<&Outcome> = outcomes.iter().filter(|outcome| bin(outcome) == n).collect();
            let until = |outcome: &Outcome| outcome.filled_s.unwrap_or(outcome.rested_s);
            own.sort_by(|a, b| until(a).total_cmp(&until(b)).then(b.filled_s.is_some().cmp(&a.filled_s.is_some())));
            Survival {
                above: if n == 0 { -1.0 } else { AHEAD[n - 1] },
                orders: own.len(),
                filled: own.iter().filter(|outcome| outcome.filled_s.is_some()).count(),
                within: WITHIN_S.map(|within| chance(&own, within)).to_vec(),
            }
        })
        .filter(|bin| bin.orders > 0)
        .collect()
}

/// The estimate at one time, of orders in the order of their ends. Where no order rests any more, nothing is known.
fn chance(own: &[&Outcome], within_s: f64) -> Chance {
    let (mut alive, mut variance) = (1.0, 0.0);
    let until = |outcome: &Outcome| outcome.filled_s.unwrap_or(outcome.rested_s);
    let resting = own.iter().filter(|outcome| until(outcome) > within_s).count();
    for (outcome, risk) in own.iter().zip((1..=own.len()).rev()) {
        if outcome.filled_s.is_some_and(|at| at <= within_s) {
            let n = risk as f64;
            alive *= 1.0 - 1.0 / n;
            variance += if risk > 1 { 1.0 / (n * (n - 1.0)) } else { 0.0 };
        }
    }
    let known = resting > 0;
    let (probability, error) = (known.then_some(1.0 - alive), known.then(|| alive * f64::sqrt(variance)));
    Chance { within_s, probability, error, n: resting }
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::Shares;

    use super::*;

    fn shares(value: f64) -> Shares {
        Shares::floor_from(value)
    }

    /// Four orders with one cancelled in between: the textbook product.
    #[test]
    fn an_order_that_was_cancelled_is_not_one_that_was_not_filled() {
        let order = |rested_s, filled_s| Outcome { ahead: shares(10.0), rested_s, filled_s, level: None };
        let outcomes = [order(0.5, Some(0.5)), order(0.8, None), order(3.0, Some(3.0)), order(60.0, None)];
        let bins = survival(&outcomes);
        assert_eq!((bins.len(), bins[0].orders, bins[0].filled), (1, 4, 2));
        let within: Vec<f64> = bins[0].within.iter().filter_map(|chance| chance.probability).collect();
        let expected = [0.25, 1.0 - 0.75 * 0.5, 0.625];
        assert_eq!(within.len(), 3);
        assert!(within.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{within:?}");
        assert_eq!(bins[0].within.iter().map(|chance| chance.n).collect::<Vec<_>>(), [2, 1, 1, 0]);
        let error = bins[0].within[0].error.expect("known");
        assert!((error - 0.75 * (1.0f64 / 12.0).sqrt()).abs() < 1e-12, "{error}");
    }
}
