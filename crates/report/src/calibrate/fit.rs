//! The exponent of a queue model, by maximum likelihood.

use std::fmt;

use oddsmith_domain::Shares;
use oddsmith_paper::queue::{QueueModel, QueuePosition, Variant};
use serde::Serialize;
use thiserror::Error;

use super::{Level, Outcome};

/// Of a normal distribution, so many standard deviations hold the middle nine tenths.
const NINETY: f64 = 1.644_853_627;
/// Fewer orders than this are not fitted.
pub const LEAST: usize = 30;

/// A number that was fitted, with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fitted {
    /// The estimate.
    pub value: f64,
    /// The ends of the interval that holds the true number in nine of ten samples.
    pub low: f64,
    /// As above.
    pub high: f64,
}

/// A queue model fitted to outcomes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// The model.
    pub model: &'static str,
    /// Its exponent; `None` for a model that has none.
    pub n: Option<Fitted>,
    /// The width of the logistic function, in shares.
    pub width: Fitted,
    /// The logarithm of the likelihood: of two models the greater fits better.
    pub log_likelihood: f64,
    /// How many orders.
    pub orders: usize,
}

/// Why nothing was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FitError {
    /// Too few orders.
    #[error("{0} orders with a known level are too few: {LEAST} are needed")]
    Few(usize),
    /// All were filled, or none was.
    #[error("all orders ended the same way: nothing can be learned from that")]
    Same,
    /// The likelihood has no maximum inside of the range.
    #[error("the orders do not say what the parameters are: the likelihood has no maximum between the bounds")]
    Flat,
}

/// The models that can be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Every cancel is behind.
    RiskAverse,
    /// `b^n / (b^n + f^n)`.
    Power,
    /// `ln(1+b) / (ln(1+b) + ln(1+f))`.
    Log,
    /// `ln(1+b) / ln(1+b+f)`.
    Log2,
    /// `b^n / (b+f)^n`.
    Power2,
    /// `1 - (f / (f+b))^n`.
    Power3,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 6] =
        [Family::RiskAverse, Family::Power, Family::Log, Family::Log2, Family::Power2, Family::Power3];

    const fn model(self, n: f64) -> QueueModel {
        match self {
            Family::RiskAverse => QueueModel::RiskAverse,
            Family::Power => QueueModel::Power(n),
            Family::Log => QueueModel::Log,
            Family::Log2 => QueueModel::Log2,
            Family::Power2 => QueueModel::Power2(n),
            Family::Power3 => QueueModel::Power3(n),
        }
    }

    const fn has_exponent(self) -> bool {
        matches!(self, Family::Power | Family::Power2 | Family::Power3)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.model(1.0).name().0)
    }
}

/// The exponents that are looked at, as natural logarithms.
const EXPONENTS: (f64, f64) = (-3.0, 3.5);

/// What stood before an order after the cancels, by a model.
#[must_use]
pub fn front(model: QueueModel, ahead: Shares, level: &Level) -> f64 {
    let way = (model, Variant::Clamped);
    let mut position = QueuePosition::joined(ahead);
    let whole = ahead + level.behind;
    position.depth(way, ahead, whole);
    let left = (whole - level.cancelled).max(Shares::ZERO);
    position.depth(way, whole, left);
    position.front
}

struct Likelihood<'a> {
    family: Family,
    rows: &'a [(Shares, Level, bool)],
}

impl Likelihood<'_> {
    /// The logarithm of the likelihood at the logarithms of exponent and width.
    fn at(&self, (exponent, width): (f64, f64)) -> f64 {
        let (model, width) = (self.family.model(exponent.exp()), width.exp());
        let one = |(ahead, level, filled): &(Shares, Level, bool)| {
            let beyond = (level.traded.to_f64() - front(model, *ahead, level)) / width;
            let z = if *filled { beyond } else { -beyond };
            // ln of the logistic function, without overflow.
            if z > 0.0 { -(-z).exp().ln_1p() } else { z - z.exp().ln_1p() }
        };
        self.rows.iter().map(one).sum()
    }

    /// The best point of a coarse grid, improved by steps that halve.
    fn maximum(&self, scale: f64) -> ((f64, f64), f64) {
        let exponents: Vec<f64> = if self.family.has_exponent() {
            (0..=13).map(|k| EXPONENTS.0 + f64::from(k) * 0.5).collect()
        } else {
            vec![0.0]
        };
        let widths = (-8..=4).map(|k| scale.ln() + f64::from(k));
        let grid = widths.flat_map(|width| exponents.iter().map(move |exponent| (*exponent, width)));
        let (mut best, mut value) = ((0.0, scale.ln()), f64::NEG_INFINITY);
        for point in grid {
            let here = self.at(point);
            if here > value {
                (best, value) = (point, here);
            }
        }
        let mut step = 0.25;
        while step > 1e-5 {
            let (x, y) = best;
            // A model without an exponent has one direction only.
            let mut around = vec![(x, y + step), (x, y - step)];
            if self.family.has_exponent() {
                around.extend([(x + step, y), (x - step, y), (x + step, y + step), (x - step, y - step)]);
            }
            let free = around.into_iter().filter(|(exponent, _)| (EXPONENTS.0..=EXPONENTS.1).contains(exponent));
            let next = free.map(|point| (point, self.at(point))).max_by(|a, b| a.1.total_cmp(&b.1));
            match next {
                Some((point, here)) if here > value => (best, value) = (point, here),
                _ => step /= 2.0,
            }
        }
        (best, value)
    }

    /// Second derivatives at a point: of exponent twice, of both, of width twice.
    fn curvature(&self, (x, y): (f64, f64)) -> [f64; 3] {
        let h = 0.02;
        let at = |dx: f64, dy: f64| self.at((x + dx * h, y + dy * h));
        let here = at(0.0, 0.0);
        let xx = (at(1.0, 0.0) - 2.0 * here + at(-1.0, 0.0)) / (h * h);
        let yy = (at(0.0, 1.0) - 2.0 * here + at(0.0, -1.0)) / (h * h);
        let xy = (at(1.0, 1.0) - at(1.0, -1.0) - at(-1.0, 1.0) + at(-1.0, -1.0)) / (4.0 * h * h);
        [xx, xy, yy]
    }
}

/// Fits a queue model to the outcomes whose level is known.
///
/// # Errors
/// [`FitError`] when they do not allow it.
pub fn fit(outcomes: &[Outcome], family: Family) -> Result<Fit, FitError> {
    let known = |outcome: &Outcome| Some((outcome.ahead, outcome.level?, outcome.filled_s.is_some()));
    let rows: Vec<(Shares, Level, bool)> = outcomes.iter().filter_map(known).collect();
    if rows.len() < LEAST {
        return Err(FitError::Few(rows.len()));
    }
    let filled = rows.iter().filter(|row| row.2).count();
    if filled == 0 || filled == rows.len() {
        return Err(FitError::Same);
    }
    let scale = rows.iter().map(|row| row.0.to_f64() + row.1.traded.to_f64()).sum::<f64>() / rows.len() as f64;
    let likelihood = Likelihood { family, rows: &rows };
    let (best, log_likelihood) = likelihood.maximum(scale.max(1.0));
    let [xx, xy, yy] = likelihood.curvature(best);
    // The inverse of the observed information: minus the curvature.
    let (exponent_variance, width_variance) = if family.has_exponent() {
        let determinant = xx * yy - xy * xy;
        if determinant <= 0.0 { (-1.0, -1.0) } else { (-yy / determinant, -xx / determinant) }
    } else {
        (0.0, -1.0 / yy)
    };
    let inside = best.0 > EXPONENTS.0 + 0.05 && best.0 < EXPONENTS.1 - 0.05;
    let positive = width_variance > 0.0 && (exponent_variance > 0.0 || !family.has_exponent());
    if !positive || (family.has_exponent() && !inside) {
        return Err(FitError::Flat);
    }
    let fitted = |logarithm: f64, variance: f64| {
        let reach = NINETY * variance.sqrt();
        Fitted { value: logarithm.exp(), low: (logarithm - reach).exp(), high: (logarithm + reach).exp() }
    };
    Ok(Fit {
        model: family.model(1.0).name().0,
        n: family.has_exponent().then(|| fitted(best.0, exponent_variance)),
        width: fitted(best.1, width_variance),
        log_likelihood,
        orders: rows.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Draws;

    fn shares(value: f64) -> Shares {
        Shares::floor_from(value)
    }

    /// Orders whose fills follow a model with a known exponent and width.
    fn sample(seed: u64, count: usize, n: f64, width: f64) -> Vec<Outcome> {
        let mut draws = Draws::new(seed);
        (0..count)
            .map(|_| {
                let (ahead, behind) = (shares(500.0 * draws.unit()), shares(1_000.0 * draws.unit()));
                let cancelled = shares(0.8 * draws.unit() * (ahead + behind).to_f64());
                let level = Level { behind, cancelled, traded: shares(400.0 * draws.unit()) };
                let beyond = (level.traded.to_f64() - front(QueueModel::Power(n), ahead, &level)) / width;
                let filled = draws.unit() < 1.0 / (1.0 + (-beyond).exp());
                Outcome { ahead, level: Some(level), rested_s: 10.0, filled_s: filled.then_some(3.0) }
            })
            .collect()
    }

    /// The stated interval holds the true parameters about as often as it says: nine times of ten.
    #[test]
    fn known_parameters_are_found_again_within_the_stated_interval() {
        let holds = |fitted: Fitted, truth: f64| fitted.low <= truth && truth <= fitted.high;
        for (n, width) in [(2.0, 30.0), (0.8, 60.0)] {
            let samples = 30;
            let (mut exponents, mut widths) = (0, 0);
            for seed in 0..samples {
                let fit = fit(&sample(seed, 500, n, width), Family::Power).expect("identified");
                exponents += u32::from(holds(fit.n.expect("an exponent"), n));
                widths += u32::from(holds(fit.width, width));
            }
            // Of thirty at nine tenths, twenty-seven are expected; fewer than twenty-three come once in a hundred times.
            assert!(exponents >= 23 && widths >= 23, "n {n}: {exponents} and {widths} of {samples}");
        }
    }

    #[test]
    fn the_model_that_made_the_data_fits_best() {
        let outcomes = sample(7, 3_000, 3.0, 15.0);
        let power = fit(&outcomes, Family::Power).expect("identified");
        for family in Family::ALL.into_iter().filter(|family| *family != Family::Power) {
            if let Ok(other) = fit(&outcomes, family) {
                assert!(other.log_likelihood < power.log_likelihood, "{family} {other:?}");
            }
        }
    }

    #[test]
    fn what_says_nothing_is_not_fitted() {
        let outcomes = sample(1, 200, 2.0, 30.0);
        assert_eq!(fit(&outcomes[..29], Family::Power), Err(FitError::Few(29)));
        let all: Vec<_> = outcomes.iter().map(|o| Outcome { filled_s: Some(1.0), ..*o }).collect();
        assert_eq!(fit(&all, Family::Power), Err(FitError::Same));
        // Without a cancel the exponent makes no difference.
        let none: Vec<_> = outcomes
            .iter()
            .map(|o| Outcome { level: o.level.map(|l| Level { cancelled: Shares::ZERO, ..l }), ..*o })
            .collect();
        assert_eq!(fit(&none, Family::Power), Err(FitError::Flat));
        let unknown: Vec<_> = outcomes.iter().map(|o| Outcome { level: None, ..*o }).collect();
        assert_eq!(fit(&unknown, Family::Power), Err(FitError::Few(0)));
    }

    #[test]
    fn the_front_is_the_papers_own() {
        // Quant reference 13.2 without its trade: 100 ahead, 90 behind, 40 cancelled under n = 1.
        let level = Level { behind: shares(90.0), cancelled: shares(40.0), traded: Shares::ZERO };
        let expected = 100.0 - (1.0 - 90.0 / 190.0) * 40.0;
        assert!((front(QueueModel::Power(1.0), shares(100.0), &level) - expected).abs() < 1e-9);
    }
}
