//! Where to quote around a fair value when inventory costs: four models that a maker can choose from (quant 4).
//!
//! Prices are dollars per share, `q` is the inventory in shares (YES less NO), and every result is a signal: the grid, the book and the
//! limits come after it.

use crate::fair::{logistic, logit};

/// A bid and an ask before any rounding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Around {
    /// Where to buy.
    pub bid: f64,
    /// Where to sell.
    pub ask: f64,
}

/// Avellaneda and Stoikov's quotes for a finite horizon (quant 4.1). `variance` is that of the price until the horizon; it is capped at
/// `p (1 - p)`, all that a binary market has left. `gamma` is per dollar, `k` per dollar of distance.
#[must_use]
pub fn avellaneda_stoikov(p: f64, q: f64, gamma: f64, variance: f64, k: f64) -> Around {
    let variance = variance.min(p * (1.0 - p));
    let reservation = p - q * gamma * variance;
    let half = 0.5 * (gamma * variance + 2.0 / gamma * libm::log1p(gamma / k));
    Around { bid: reservation - half, ask: reservation + half }
}

/// What the stationary model is calibrated to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glft {
    /// Risk aversion, per dollar.
    pub gamma: f64,
    /// Volatility of the price per square root of the time unit of `a`.
    pub sigma: f64,
    /// Decay of the fill intensity per dollar of distance.
    pub k: f64,
    /// Fill intensity at the fair value, per unit of time.
    pub a: f64,
    /// The size of one order, in the unit of `q`.
    pub delta: f64,
}

impl Glft {
    /// Half the spread of a flat inventory, and by how much each unit of inventory moves both quotes (quant 4.2, with `xi = gamma`).
    #[must_use]
    pub fn half_and_skew(&self) -> (f64, f64) {
        let Glft { gamma, sigma, k, a, delta } = *self;
        let step = gamma * delta / k;
        let c1 = libm::log1p(step) / (gamma * delta);
        let c2 = libm::sqrt(gamma / (2.0 * a * delta * k) * libm::pow(1.0 + step, 1.0 / step + 1.0));
        (c1 + delta / 2.0 * sigma * c2, sigma * c2)
    }

    /// The quotes.
    #[must_use]
    pub fn around(&self, p: f64, q: f64) -> Around {
        let (half, skew) = self.half_and_skew();
        Around { bid: p - half - skew * q, ask: p + half - skew * q }
    }
}

/// Quotes in log-odds, so that they stay within 0 … 1 (quant 4.3). `belief_variance` is the variance of the log-odds until the horizon.
/// The inventory is taken at `q p (1 - p) / 0.25`: at the edges a share moves less money.
#[must_use]
pub fn log_odds(p: f64, q: f64, gamma: f64, belief_variance: f64, k: f64) -> Around {
    let risk = gamma * belief_variance;
    let reservation = logit(p) - q * p * (1.0 - p) / 0.25 * risk;
    let half = 0.5 * (risk + 2.0 / gamma * libm::log1p(gamma / k));
    Around { bid: logistic(reservation - half), ask: logistic(reservation + half) }
}

/// The prices at which somebody who holds `q` shares until settlement is indifferent to `n` more or fewer (quant 4.4, constant absolute
/// risk aversion `gamma` per dollar). Exact for a binary payoff.
#[must_use]
pub fn indifference(p: f64, q: f64, gamma: f64, n: f64) -> Around {
    let utility = |shares: f64| p * libm::exp(-gamma * shares) + 1.0 - p;
    let now = utility(q);
    Around { bid: -libm::log(utility(q + n) / now) / (gamma * n), ask: libm::log(utility(q - n) / now) / (gamma * n) }
}

/// The risk aversion at which `max_inventory` shares move the reservation price by `max_move` (quant 4.4).
#[must_use]
pub fn gamma_for(max_move: f64, max_inventory: f64, p: f64) -> f64 {
    max_move / (max_inventory * p * (1.0 - p))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn near(value: f64, expected: f64, within: f64) {
        assert!((value - expected).abs() <= within, "{value} is not {expected}");
    }

    #[test]
    fn worked_numbers_of_avellaneda_stoikov() {
        let quotes = avellaneda_stoikov(0.53, 20.0, 0.5, 0.01 * 0.01 * 10.0, 150.0);
        near(quotes.bid, 0.5131, 5e-5);
        near(quotes.ask, 0.5269, 5e-5);
    }

    #[test]
    fn worked_numbers_of_the_stationary_model() {
        let model = Glft { gamma: 0.5, sigma: 0.01, k: 150.0, a: 2.0, delta: 1.0 };
        let (half, skew) = model.half_and_skew();
        near(half, 0.006_894, 1e-6);
        near(skew, 0.000_476, 1e-6);
        let quotes = model.around(0.5, 2.0);
        near(0.5 - quotes.bid, 0.007_85, 1e-5);
        near(quotes.ask - 0.5, 0.005_94, 1e-5);
    }

    #[test]
    fn worked_numbers_in_log_odds() {
        // The published form does not scale the inventory: q is chosen so that the scaled one is 8.
        let q = 8.0 * 0.25 / (0.3 * 0.7);
        let quotes = log_odds(0.3, q, 0.02, 0.35 * 0.35 * 0.5, 20.0);
        near(quotes.bid, 0.2875, 5e-4);
        near(quotes.ask, 0.3086, 5e-4);
    }

    #[test]
    fn worked_numbers_of_indifference() {
        for (q, bid, ask) in [(0.0, 0.4975, 0.5025), (100.0, 0.4477, 0.4526), (300.0, 0.3521, 0.3566)] {
            let quotes = indifference(0.5, q, 0.002, 10.0);
            near(quotes.bid, bid, 5e-5);
            near(quotes.ask, ask, 5e-5);
        }
        near(gamma_for(0.04, 400.0, 0.5), 0.0004, 1e-12);
    }

    proptest! {
        #[test]
        fn more_inventory_never_raises_a_quote(p in 0.02f64..0.98, q in -300.0f64..300.0, more in 0.0f64..100.0) {
            let glft = Glft { gamma: 0.05, sigma: 0.002, k: 100.0, a: 1.0, delta: 10.0 };
            let models: [&dyn Fn(f64) -> Around; 4] = [
                &|q| avellaneda_stoikov(p, q, 0.01, 0.01, 100.0),
                &|q| glft.around(p, q),
                &|q| log_odds(p, q, 0.02, 0.1, 20.0),
                &|q| indifference(p, q, 0.002, 10.0),
            ];
            for model in models {
                let (before, after) = (model(q), model(q + more));
                prop_assert!(after.bid <= before.bid + 1e-12 && after.ask <= before.ask + 1e-12);
                prop_assert!(after.bid < after.ask);
            }
        }
    }
}
