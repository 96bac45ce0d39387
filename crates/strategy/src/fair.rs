//! What an up/down market is worth, given the price that settles it.
//!
//! Formulas of quant 3: a plain digital for markets that settle on one print, and closed forms for markets whose strike and final value
//! are averages over a window before the boundary. Volatility is per square-root second, in log-return units; times are seconds.

/// The standard normal distribution's share below `x`, accurate in both tails.
#[must_use]
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The standard normal density.
#[must_use]
pub fn normal_pdf(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) * (0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2)
}

/// Log-odds of a probability.
#[must_use]
pub fn logit(p: f64) -> f64 {
    libm::log(p / (1.0 - p))
}

/// The probability with these log-odds.
#[must_use]
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// Where the settling price stands, and how much it moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// The price now, in the settling feed's terms.
    pub price: f64,
    /// Volatility per square-root second.
    pub sigma: f64,
}

/// How far an averaging window has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its length in seconds.
    pub length_s: f64,
    /// The time-weighted mean of what has been seen of it; not looked at before it has begun.
    pub mean_so_far: f64,
}

/// The probability that the print `tau_s` from now is at or above `strike` (quant 3.2; without the drift term, which is below a
/// thousandth at these horizons). `basis_sd`, a share of the price, is added in quadrature. `None` when an argument is out of range.
#[must_use]
pub fn digital(spot: Spot, strike: f64, tau_s: f64, basis_sd: f64) -> Option<f64> {
    let own = spot.sigma * libm::sqrt(tau_s);
    let sd = libm::sqrt(own * own + basis_sd * basis_sd);
    (own > 0.0 && spot.price > 0.0 && strike > 0.0 && sd.is_finite())
        .then(|| normal_cdf(libm::log(spot.price / strike) / sd))
}

/// The probability that the average over the window that ends `tau_s` from now is at or above `strike` (quant 3.3 a and b).
/// `extra_sd` is added in quadrature, in price units: the basis between two feeds, the feed's sampling. `None` when an argument is
/// out of range.
#[must_use]
pub fn averaged(spot: Spot, strike: f64, tau_s: f64, window: Window, extra_sd: f64) -> Option<f64> {
    let Window { length_s, mean_so_far } = window;
    if !(spot.price > 0.0 && strike > 0.0 && spot.sigma > 0.0 && tau_s > 0.0 && length_s > 0.0) {
        return None;
    }
    let (mean, sd) = if tau_s >= length_s {
        (spot.price, spot.price * spot.sigma * libm::sqrt(tau_s - 2.0 * length_s / 3.0))
    } else {
        let elapsed = length_s - tau_s;
        let mean = (elapsed * mean_so_far + tau_s * spot.price) / length_s;
        (mean, spot.price * spot.sigma * libm::sqrt(tau_s * tau_s * tau_s / 3.0) / length_s)
    };
    probability(mean - strike, libm::sqrt(sd * sd + extra_sd * extra_sd))
}

/// The same while the strike itself is still being averaged: its window ends in `until_start_s`, and the interval lasts `interval_s`
/// after that (quant 3.3 c).
#[must_use]
pub fn averaged_before_start(spot: Spot, until_start_s: f64, interval_s: f64, strike_window: Window) -> Option<f64> {
    let (w, u) = (strike_window.length_s, until_start_s);
    if !(spot.price > 0.0 && spot.sigma > 0.0 && u > 0.0 && w > 0.0 && interval_s >= w) {
        return None;
    }
    if u >= w {
        return Some(0.5);
    }
    let mean = (w - u) * (spot.price - strike_window.mean_so_far) / w;
    let variance = u + interval_s - 2.0 * w / 3.0 + u * u * u / (3.0 * w * w) - u * u / w;
    probability(mean, spot.price * spot.sigma * libm::sqrt(variance))
}

fn probability(distance: f64, sd: f64) -> Option<f64> {
    (sd > 0.0 && sd.is_finite()).then(|| normal_cdf(distance / sd))
}

/// The model's probability and the book's, mixed in log-odds: `weight` of the model (quant 3.6). Both are kept within 0.005 … 0.995.
#[must_use]
pub fn blend(model: f64, book: f64, weight: f64) -> f64 {
    let (model, book) = (model.clamp(0.005, 0.995), book.clamp(0.005, 0.995));
    logistic(weight * logit(model) + (1.0 - weight) * logit(book))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPOT: Spot = Spot { price: 84_600.0, sigma: 8e-5 };

    #[track_caller]
    fn near(value: Option<f64>, expected: f64, within: f64) {
        let value = value.expect("a probability");
        assert!((value - expected).abs() <= within, "{value} is not {expected}");
    }

    #[test]
    fn worked_numbers_of_plain_digitals() {
        near(digital(SPOT, 84_550.0, 300.0, 0.0), 0.665, 5e-4);
        // A basis that is as uncertain as the price will be.
        let basis_sd = 8e-5 * 300f64.sqrt();
        near(
            digital(SPOT, 84_550.0, 300.0, basis_sd),
            normal_cdf((84_600f64 / 84_550.0).ln() / (basis_sd * 2f64.sqrt())),
            1e-12,
        );
        // Hourly volatility of 0.005, half an hour and a quarter left.
        let sigma = 0.005 / 60.0;
        near(digital(Spot { price: 100_100.0, sigma }, 100_000.0, 1_800.0, 0.0), 0.611_297, 1e-6);
        near(digital(Spot { price: 99_900.0, sigma }, 100_000.0, 900.0, 0.0), 0.344_505, 1e-6);
    }

    #[test]
    fn worked_numbers_of_averages() {
        let window = |mean_so_far| Window { length_s: 60.0, mean_so_far };
        near(averaged(SPOT, 84_550.0, 300.0, window(0.0), 0.0), 0.6766, 1e-4);
        near(averaged(SPOT, 84_550.0, 20.0, window(84_540.0), 0.0), 0.957, 1e-3);
        near(averaged_before_start(SPOT, 20.0, 900.0, window(84_570.0)), 0.5398, 1e-4);
        // Twenty seconds before the end, with a mean of 84,540, the coin flip is at 84,570.
        near(averaged(Spot { price: 84_570.0, ..SPOT }, 84_550.0, 20.0, window(84_540.0), 0.0), 0.5, 1e-9);
    }

    #[test]
    fn nothing_is_made_of_bad_arguments() {
        let bad = Spot { price: 84_600.0, sigma: 0.0 };
        assert_eq!(digital(bad, 84_550.0, 300.0, 0.0), None);
        assert_eq!(digital(SPOT, 0.0, 300.0, 0.0), None);
        assert_eq!(digital(SPOT, 84_550.0, f64::NAN, 0.0), None);
        assert_eq!(averaged(SPOT, 84_550.0, 0.0, Window { length_s: 60.0, mean_so_far: 0.0 }, 0.0), None);
    }

    #[test]
    fn a_blend_lies_between_its_parts() {
        let mixed = blend(0.7, 0.5, 0.7);
        assert!(0.5 < mixed && mixed < 0.7);
        assert!((blend(0.3, 0.9, 1.0) - 0.3).abs() < 1e-12);
    }
}
