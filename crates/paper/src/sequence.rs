//! A level's history, told event by event, through a queue model: what `oddsmith queue` reads and prints.

use oddsmith_domain::{DecimalError, Shares};
use oddsmith_polymarket::wire::Text;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::queue::{ModelError, QueueModel, QueuePosition, Variant};

/// What happens to one order at one level. `docs/reference/queue.md` has the schema.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// Comes back with the answer.
    #[serde(default)]
    pub id: serde_json::Value,
    /// The model; the caller's if not given.
    pub model: Option<String>,
    /// Its exponent.
    pub n: Option<f64>,
    /// The lot that fills are rounded to; 0.01 if not given.
    pub lot: Option<Text>,
    /// How much the order wants; without an end if not given.
    pub size: Option<Text>,
    /// What the level shows when the order joins it.
    pub displayed: Text,
    /// What happens then.
    pub events: Vec<Happening>,
}

/// One event at the level.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "type")]
pub enum Happening {
    /// A trade at the order's price.
    Trade {
        /// How much was traded.
        size: Text,
    },
    /// The displayed size changed.
    Depth {
        /// From; what the last such event said, or what the order joined, if not given.
        prev: Option<Text>,
        /// To.
        new: Text,
    },
}

/// The numbers after one event.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Numbers {
    /// What is estimated to stand before the order.
    pub front: f64,
    /// What was traded since the displayed size last changed.
    pub cum: f64,
    /// What this event filled.
    pub filled: Shares,
    /// What all events so far have filled.
    pub total: Shares,
}

/// The numbers after one event, in both computations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Ours.
    #[serde(flatten)]
    pub ours: Numbers,
    /// hftbacktest's.
    pub reference: Numbers,
}

/// What a model makes of a sequence.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// The sequence's own.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub id: serde_json::Value,
    /// The model.
    pub model: &'static str,
    /// Its exponent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<f64>,
    /// One for each event. Events after the order is filled change nothing any more.
    pub steps: Vec<Step>,
}

/// What is wrong with a sequence.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SequenceError {
    /// No model was named, or one that is not known.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Neither the sequence nor the caller names a model.
    #[error("no model is named, neither in the sequence nor beside it")]
    NoModel,
    /// A quantity is none.
    #[error("`{field}` of {place} is `{text}`: {why}")]
    Quantity {
        /// Which.
        field: &'static str,
        /// Where.
        place: String,
        /// What it says.
        text: String,
        /// Why that is no quantity.
        why: DecimalError,
    },
    /// A quantity is negative, or a lot is nothing.
    #[error("`{field}` of {place} is {value}: too little")]
    TooLittle {
        /// Which.
        field: &'static str,
        /// Where.
        place: String,
        /// What it says.
        value: Shares,
    },
}

impl Sequence {
    /// Runs the sequence through its model, or through `model` if it names none.
    ///
    /// # Errors
    /// [`SequenceError`].
    pub fn tell(&self, model: Option<QueueModel>) -> Result<Told, SequenceError> {
        let model = match &self.model {
            Some(name) => QueueModel::named(name, self.n)?,
            None => model.ok_or(SequenceError::NoModel)?,
        };
        let here = || "the sequence".to_owned();
        let lot = match &self.lot {
            Some(text) => quantity("lot", here(), text)?,
            None => Shares::LOT,
        };
        if !lot.is_positive() {
            return Err(SequenceError::TooLittle { field: "lot", place: here(), value: lot });
        }
        let size = match &self.size {
            Some(text) => quantity("size", here(), text)?,
            None => Shares::from_micros(i64::MAX),
        };
        let mut displayed = quantity("displayed", here(), &self.displayed)?;
        let mut orders = [Variant::Clamped, Variant::Reference].map(|variant| Followed {
            way: (model, variant),
            position: QueuePosition::joined(displayed),
            wants: size,
            total: Shares::ZERO,
        });
        let mut steps = Vec::with_capacity(self.events.len());
        for (number, event) in (1u32..).zip(&self.events) {
            let place = || format!("event {number}");
            let [ours, reference] = match event {
                Happening::Trade { size } => {
                    let size = quantity("size", place(), size)?;
                    orders.each_mut().map(|order| order.trade(size, lot))
                }
                Happening::Depth { prev, new } => {
                    let prev = prev.as_ref().map_or(Ok(displayed), |text| quantity("prev", place(), text))?;
                    displayed = quantity("new", place(), new)?;
                    orders.each_mut().map(|order| order.depth(prev, displayed))
                }
            };
            steps.push(Step { ours, reference });
        }
        let (name, n) = model.name();
        Ok(Told { id: self.id.clone(), model: name, n, steps })
    }
}

fn quantity(field: &'static str, place: String, text: &Text) -> Result<Shares, SequenceError> {
    match text.shares() {
        Ok(value) if value.is_negative() => Err(SequenceError::TooLittle { field, place, value }),
        Ok(value) => Ok(value),
        Err(why) => Err(SequenceError::Quantity { field, place, text: text.as_str().to_owned(), why }),
    }
}

/// The order in one of the two computations.
struct Followed {
    way: (QueueModel, Variant),
    position: QueuePosition,
    wants: Shares,
    total: Shares,
}

impl Followed {
    fn trade(&mut self, size: Shares, lot: Shares) -> Numbers {
        if !self.wants.is_positive() {
            return self.numbers(Shares::ZERO);
        }
        self.position.trade(size);
        let filled = self.position.take(lot, self.wants);
        self.wants -= filled;
        self.total += filled;
        self.numbers(filled)
    }

    fn depth(&mut self, prev: Shares, new: Shares) -> Numbers {
        if self.wants.is_positive() {
            self.position.depth(self.way, prev, new);
        }
        self.numbers(Shares::ZERO)
    }

    const fn numbers(&self, filled: Shares) -> Numbers {
        Numbers { front: self.position.front, cum: self.position.cum, filled, total: self.total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Sequence {
        serde_json::from_str(text).expect("a sequence")
    }

    #[test]
    fn the_worked_sequence() {
        let told = read(
            r#"{"id":7,"displayed":"100","size":"50","events":[{"type":"depth","prev":"100","new":"190"},
                {"type":"trade","size":"30"},{"type":"depth","new":"160"},{"type":"depth","new":"90"},
                {"type":"trade","size":"50"},{"type":"trade","size":"100"},{"type":"trade","size":"100"}]}"#,
        )
        .tell(Some(QueueModel::Power(1.0)))
        .expect("good");
        let fronts: Vec<f64> = told.steps.iter().map(|step| step.ours.front).collect();
        assert_eq!(fronts, [100.0, 70.0, 70.0, 39.375, 0.0, 0.0, 0.0]);
        let filled: Vec<String> = told.steps.iter().map(|step| step.ours.filled.to_string()).collect();
        // 10.625 is ten and a half hundredths more than ten and six tenths: the half goes up.
        assert_eq!(filled, ["0", "0", "0", "0", "10.63", "39.37", "0"]);
        assert!(told.steps.iter().all(|step| step.ours == step.reference));
        let text = serde_json::to_string(&told).expect("JSON");
        assert!(
            text.starts_with(r#"{"id":7,"model":"power","n":1.0,"steps":[{"front":100.0,"cum":0.0,"filled":"0""#),
            "{text}"
        );
    }

    #[test]
    fn a_sequence_may_name_its_model() {
        let sequence = read(r#"{"model":"power2","n":2,"displayed":"10","lot":"0.000001","events":[]}"#);
        assert_eq!(sequence.tell(None).expect("good").model, "power2");
        assert_eq!(read(r#"{"displayed":"10","events":[]}"#).tell(None).expect_err("none"), SequenceError::NoModel);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text: &str| read(text).tell(Some(QueueModel::Log)).expect_err("wrong").to_string();
        let says = wrong(r#"{"displayed":"1","events":[{"type":"trade","size":"1e5"}]}"#);
        assert_eq!(says, "`size` of event 1 is `1e5`: not a decimal number");
        assert_eq!(wrong(r#"{"displayed":"-1","events":[]}"#), "`displayed` of the sequence is -1: too little");
        assert_eq!(wrong(r#"{"displayed":"1","lot":"0","events":[]}"#), "`lot` of the sequence is 0: too little");
        assert!(serde_json::from_str::<Sequence>(r#"{"displayed":"1","events":[{"type":"cancel"}]}"#).is_err());
    }
}
