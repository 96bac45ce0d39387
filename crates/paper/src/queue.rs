//! Where an order stands in the queue of its level: seven models, computed as hftbacktest 0.9.4 computes them.
//!
//! The venue shows the size of a level, not who stands where in it. A model holds two numbers for a resting order: `front`, what
//! is estimated to stand before it, and `cum`, what was traded at the level since its size last changed. A trade takes from the
//! front. A decrease that trades do not explain is a cancel, and the model says with which probability it was behind the order.
//!
//! Inside the model are floats (`ln` and `pow` from `libm` alone, so that every machine computes the same); what goes in are exact
//! quantities, and what comes out as filled is a whole number of lots: `-front / lot` rounded to the nearest, halves away from zero.
//!
//! In two things [`Variant::Clamped`], which everything in this repository uses, differs from the reference, which
//! [`Variant::Reference`] reproduces:
//!
//! - a change of depth never leaves a negative front. In the reference it can, and then the next trade fills more than it traded;
//! - where the probability is 0/0 it is 1. In the reference it is not a number, and the front then becomes the level's new size.

use oddsmith_domain::Shares;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a decrease of the level says about the place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "model", content = "n")]
pub enum QueueModel {
    /// Every cancel is behind the order: only trades bring it forward.
    RiskAverse,
    /// A cancel is behind with probability `b^n / (b^n + f^n)`, of the sizes before (`f`) and behind (`b`) the order.
    Power(f64),
    /// `ln(1+b) / (ln(1+b) + ln(1+f))`.
    Log,
    /// `ln(1+b) / ln(1+b+f)`.
    Log2,
    /// `b^n / (b+f)^n`.
    Power2(f64),
    /// `1 - (f / (f+b))^n`.
    Power3(f64),
}

/// Why there is no such model.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ModelError {
    /// The name is not known.
    #[error("`{0}` is no queue model: risk-averse, power, log, log2, power2 and power3 are")]
    Name(String),
    /// The model needs an exponent.
    #[error("`{0}` needs an exponent n")]
    Exponent(String),
    /// The exponent is out of range.
    #[error("the exponent {0} is not between 0 (exclusive) and 100")]
    Range(f64),
}

impl Default for QueueModel {
    /// The one that quant.md suggests for results to be believed: [`QueueModel::Power`] with 3.
    fn default() -> QueueModel {
        QueueModel::Power(3.0)
    }
}

impl QueueModel {
    /// A model by its name and exponent. The exponent is passed over by models that have none.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn named(name: &str, n: Option<f64>) -> Result<QueueModel, ModelError> {
        let exponent = || match n {
            None => Err(ModelError::Exponent(name.to_owned())),
            Some(n) if n > 0.0 && n <= 100.0 => Ok(n),
            Some(n) => Err(ModelError::Range(n)),
        };
        Ok(match name.replace('_', "-").as_str() {
            "risk-averse" => QueueModel::RiskAverse,
            "power" => QueueModel::Power(exponent()?),
            "log" => QueueModel::Log,
            "log2" => QueueModel::Log2,
            "power2" => QueueModel::Power2(exponent()?),
            "power3" => QueueModel::Power3(exponent()?),
            _ => return Err(ModelError::Name(name.to_owned())),
        })
    }

    /// Its name, and its exponent if it has one.
    #[must_use]
    pub const fn name(self) -> (&'static str, Option<f64>) {
        match self {
            QueueModel::RiskAverse => ("risk-averse", None),
            QueueModel::Power(n) => ("power", Some(n)),
            QueueModel::Log => ("log", None),
            QueueModel::Log2 => ("log2", None),
            QueueModel::Power2(n) => ("power2", Some(n)),
            QueueModel::Power3(n) => ("power3", Some(n)),
        }
    }

    /// The probability that a cancel was behind the order, as the reference computes it: infinity is 1, and 0/0 is not a number.
    #[must_use]
    pub fn behind(self, front: f64, back: f64) -> f64 {
        let pow = libm::pow;
        let ln = |x: f64| libm::log(1.0 + x);
        let probability = match self {
            QueueModel::RiskAverse => 1.0,
            QueueModel::Power(n) => pow(back, n) / (pow(back, n) + pow(front, n)),
            QueueModel::Log => ln(back) / (ln(back) + ln(front)),
            QueueModel::Log2 => ln(back) / ln(back + front),
            QueueModel::Power2(n) => pow(back, n) / pow(back + front, n),
            QueueModel::Power3(n) => 1.0 - pow(front / (front + back), n),
        };
        if probability.is_infinite() { 1.0 } else { probability }
    }
}

/// Which of the two computations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Ours: never a negative front after a change of depth, and 0/0 is 1.
    #[default]
    Clamped,
    /// hftbacktest's, to the letter.
    Reference,
}

/// Where one order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueuePosition {
    /// What stands before it, in shares. Negative between a trade that reached it and [`QueuePosition::take`].
    pub front: f64,
    /// What was traded at the level since its size last changed, in shares.
    pub cum: f64,
}

impl QueuePosition {
    /// An order joins a level at which this much is displayed: all of it is before it.
    #[must_use]
    pub fn joined(displayed: Shares) -> QueuePosition {
        QueuePosition { front: displayed.to_f64(), cum: 0.0 }
    }

    /// So much was traded at the level.
    pub fn trade(&mut self, size: Shares) {
        self.front -= size.to_f64();
        self.cum += size.to_f64();
    }

    /// The displayed size of the level went from `prev` to `new`.
    pub fn depth(&mut self, (model, variant): (QueueModel, Variant), prev: Shares, new: Shares) {
        let (prev, new) = (prev.to_f64(), new.to_f64());
        self.front = match model {
            QueueModel::RiskAverse => self.front.min(new),
            _ => self.estimate((model, variant), prev, new),
        };
        self.cum = 0.0;
        if variant == Variant::Clamped {
            self.front = self.front.max(0.0);
        }
    }

    fn estimate(&self, (model, variant): (QueueModel, Variant), prev: f64, new: f64) -> f64 {
        let change = prev - new - self.cum;
        // More came than was traded away, and whatever comes stands behind.
        if change < 0.0 {
            return self.front.min(new);
        }
        let back = prev - self.front;
        let mut behind = model.behind(self.front, back);
        if variant == Variant::Clamped && behind.is_nan() {
            behind = 1.0;
        }
        // The minimum of a number and of what is none is the number, here as in the reference.
        let estimate = self.front - (1.0 - behind) * change + (back - behind * change).min(0.0);
        estimate.min(new)
    }

    /// Takes what has reached the order: whole lots, and at most `most`. What is not a whole lot is rounded to the nearest, halves
    /// up; when anything was taken, the order is first in its queue.
    pub fn take(&mut self, lot: Shares, most: Shares) -> Shares {
        let lots = libm::round(-self.front / lot.to_f64());
        if lots < 1.0 {
            return Shares::ZERO;
        }
        self.front = 0.0;
        // `as` saturates.
        Shares::from_micros((lots as i64).saturating_mul(lot.micros())).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(text: &str) -> Shares {
        text.parse().expect("a decimal")
    }

    /// The worked sequence of quant.md 13.2 up to the cancel wave.
    fn before_the_wave(way: (QueueModel, Variant)) -> QueuePosition {
        let mut position = QueuePosition::joined(shares("100"));
        position.depth(way, shares("100"), shares("190"));
        assert_eq!((position.front, position.cum), (100.0, 0.0), "{way:?}");
        position.trade(shares("30"));
        assert_eq!((position.front, position.cum), (70.0, 30.0), "{way:?}");
        assert_eq!(position.take(Shares::LOT, shares("1000")), Shares::ZERO);
        position.depth(way, shares("190"), shares("160"));
        assert_eq!((position.front, position.cum), (70.0, 0.0), "{way:?}");
        position
    }

    #[test]
    fn the_worked_table() {
        let rows = [
            (QueueModel::RiskAverse, None, 70.0, 70.0, 0.0),
            (QueueModel::Power(1.0), Some(0.5625), 52.5, 39.375, 0.0005),
            (QueueModel::Power(2.0), Some(0.623), 54.9, 43.615, 0.05),
            (QueueModel::Power(3.0), Some(0.680), 57.2, 47.603, 0.05),
            (QueueModel::Log, Some(0.514), 50.6, 35.990, 0.05),
            (QueueModel::Log2, Some(0.888), 65.5, 62.140, 0.05),
            (QueueModel::Power2(2.0), Some(0.316), 42.7, 22.148, 0.05),
            (QueueModel::Power3(2.0), Some(0.809), 62.3, 56.602, 0.05),
        ];
        for variant in [Variant::Clamped, Variant::Reference] {
            for (model, behind, first, second, rough) in rows {
                let before = before_the_wave((model, variant));
                if let Some(behind) = behind {
                    assert!((model.behind(70.0, 90.0) - behind).abs() <= 0.000_51, "{model:?}");
                }
                let after = |new: &str| {
                    let mut position = before;
                    position.depth((model, variant), shares("160"), shares(new));
                    position.front
                };
                assert!((after("120") - first).abs() <= rough + 1e-9, "{model:?}: {}", after("120"));
                assert!((after("90") - second).abs() <= 0.000_51, "{model:?}: {}", after("90"));
            }
        }
    }

    #[test]
    fn a_front_goes_below_zero_only_in_the_reference() {
        for (variant, front, filled) in
            [(Variant::Clamped, 0.0, "1"), (Variant::Reference, -8.049_999_999_999_997, "9.05")]
        {
            let mut position = QueuePosition { front: 10.0, cum: 0.0 };
            position.depth((QueueModel::Power2(2.0), variant), shares("100"), shares("5"));
            assert!((position.front - front).abs() < 1e-9, "{variant:?}: {}", position.front);
            position.trade(shares("1"));
            assert_eq!(position.take(Shares::LOT, shares("1000")), shares(filled), "{variant:?}");
            assert!(position.front.abs() < 1e-12);
        }
    }

    #[test]
    fn nothing_before_and_nothing_behind_is_certainty() {
        for model in [
            QueueModel::Power(2.0),
            QueueModel::Log,
            QueueModel::Log2,
            QueueModel::Power2(2.0),
            QueueModel::Power3(2.0),
        ] {
            assert!(model.behind(0.0, 0.0).is_nan(), "{model:?}");
            let mut position = QueuePosition::default();
            position.depth((model, Variant::Clamped), Shares::ZERO, Shares::ZERO);
            assert_eq!(position, QueuePosition::default(), "{model:?}");
        }
        // A fractional power of a negative front is no number either: the reference then takes the level's whole new size for the front.
        let mut position = QueuePosition { front: -0.004, cum: 0.0 };
        position.depth((QueueModel::Power(2.5), Variant::Reference), shares("10"), shares("4"));
        assert_eq!(position, QueuePosition { front: 4.0, cum: 0.0 });
        let mut position = QueuePosition { front: -0.004, cum: 0.0 };
        position.depth((QueueModel::Power(2.5), Variant::Clamped), shares("10"), shares("4"));
        assert_eq!(position, QueuePosition::default());
    }

    #[test]
    fn what_is_taken_is_whole_lots_and_never_more_than_is_left() {
        let mut position = QueuePosition::joined(shares("1"));
        position.trade(shares("1.004"));
        assert_eq!(position.take(Shares::LOT, shares("5")), Shares::ZERO);
        position.trade(shares("0.001"));
        assert_eq!(position.take(Shares::LOT, shares("5")), shares("0.01"), "half a lot rounds up");
        position.trade(shares("100"));
        assert_eq!(position.take(Shares::LOT, shares("5")), shares("5"));
    }

    #[test]
    fn models_have_names() {
        for model in [
            QueueModel::RiskAverse,
            QueueModel::Power(1.5),
            QueueModel::Log,
            QueueModel::Log2,
            QueueModel::Power2(2.0),
            QueueModel::Power3(3.0),
        ] {
            let (name, n) = model.name();
            assert_eq!(QueueModel::named(name, n), Ok(model));
            let text = serde_json::to_string(&model).expect("JSON");
            assert_eq!(serde_json::from_str::<QueueModel>(&text).expect("the same"), model, "{text}");
        }
        assert_eq!(QueueModel::named("power", None), Err(ModelError::Exponent("power".to_owned())));
        assert_eq!(QueueModel::named("power", Some(0.0)), Err(ModelError::Range(0.0)));
        assert_eq!(QueueModel::named("fifo", None), Err(ModelError::Name("fifo".to_owned())));
    }
}
