//! What is printed: a line for each bench, and whether it passes its bars.

use serde_json::{Value, json};

use crate::harness::Figures;

/// A bar of the project's performance targets.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Which contender ours is compared with, by its place.
    against: usize,
    /// Whether the ratio must be at least (theirs over ours), or at most (ours over theirs).
    at_least: bool,
    must: f64,
    good: f64,
}

impl Bar {
    /// We must be this many times faster.
    pub const fn faster(against: usize, must: f64, good: f64) -> Bar {
        Bar { against, at_least: true, must, good }
    }

    /// We may take at most this many times as long.
    pub const fn at_most(against: usize, must: f64, good: f64) -> Bar {
        Bar { against, at_least: false, must, good }
    }

    fn reached(&self, ratio: f64, limit: f64) -> bool {
        if self.at_least { ratio >= limit } else { ratio <= limit }
    }
}

/// One bench.
pub struct Row {
    name: String,
    note: String,
    figures: Vec<Figures>,
    verdicts: Vec<(Bar, f64)>,
    unit: &'static str,
}

impl Row {
    /// A row of times; the first figure is ours.
    pub fn new(name: &str, note: &str, figures: Vec<Figures>, bars: &[Bar]) -> Row {
        let verdicts = bars
            .iter()
            .map(|bar| {
                let over = figures.get(bar.against).map_or(f64::NAN, |figure| figure.over_first);
                (*bar, if bar.at_least { over } else { 1.0 / over })
            })
            .collect();
        Row { name: name.to_owned(), note: note.to_owned(), figures, verdicts, unit: "ns" }
    }

    /// A row of something else than time, against a limit.
    pub fn count(name: &str, note: &str, value: f64, unit: &'static str, must: f64, good: f64) -> Row {
        let figures = vec![Figures { name: "oddsmith".into(), median_ns: value, over_first: 1.0 }];
        let verdicts = vec![(Bar { against: 0, at_least: false, must, good }, value)];
        Row { name: name.to_owned(), note: note.to_owned(), figures, verdicts, unit }
    }

    /// Whether every "must" is met.
    pub fn passes(&self) -> bool {
        self.verdicts.iter().all(|(bar, ratio)| bar.reached(*ratio, bar.must))
    }

    pub fn print(&self) {
        println!("{}  ({})", self.name, self.note);
        for (place, figure) in self.figures.iter().enumerate() {
            let ratio = if place == 0 { String::new() } else { format!("x{:.2}", figure.over_first) };
            println!("    {:30} {:>12.0} {}  {ratio}", figure.name, figure.median_ns, self.unit);
        }
        for (bar, ratio) in &self.verdicts {
            let grade = match (bar.reached(*ratio, bar.good), bar.reached(*ratio, bar.must)) {
                (true, _) => "good",
                (false, true) => "met",
                (false, false) => "MISSED",
            };
            let sign = if bar.at_least { '≥' } else { '≤' };
            let against = self.figures.get(bar.against).filter(|_| bar.against > 0);
            let against = against.map_or(String::new(), |figure| format!(" against {}", figure.name));
            println!("    {grade}: {ratio:.2}{against} (must {sign} {}, good {sign} {})", bar.must, bar.good);
        }
    }

    pub fn json(&self) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| json!({"name": figure.name, "median": figure.median_ns, "over_first": figure.over_first}))
            .collect();
        let bars: Vec<Value> = self
            .verdicts
            .iter()
            .map(|(bar, ratio)| {
                json!({
                    "against": self.figures.get(bar.against).map(|figure| &figure.name),
                    "ratio": ratio,
                    "at_least": bar.at_least,
                    "must": bar.must,
                    "good": bar.good,
                    "met": bar.reached(*ratio, bar.must),
                })
            })
            .collect();
        json!({"bench": self.name, "note": self.note, "unit": self.unit, "figures": figures, "bars": bars})
    }
}
