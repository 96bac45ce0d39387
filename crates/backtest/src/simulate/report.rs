//! What a simulation held, and what was wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

use super::fault::FaultKind;

/// What a simulation held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The seed.
    pub seed: u64,
    /// Hours of virtual time with faults.
    pub hours: u32,
    /// Inputs that the engine handled.
    pub inputs: u64,
    /// Market frames among them.
    pub frames: u64,
    /// Orders that the engine placed.
    pub orders: u64,
    /// Fills of the engine's orders.
    pub fills: u64,
    /// How often each kind of fault struck.
    pub faults: BTreeMap<FaultKind, u64>,
    /// How often the process was killed and began again.
    pub restarts: u64,
    /// How often everything was quiet and both books were compared.
    pub comparisons: u64,
    /// Records of journals that were audited.
    pub audited: u64,
    /// SHA-256 over every input and output of every run, in order.
    pub digest: String,
}

/// What each hour of a seed must hold at least, so that a simulation means something.
pub const FLOOR: Floor = Floor { frames: 20_000, orders: 1_000, fills: 300, faults: 10, fault_kinds: 5, restarts: 1 };

/// See [`FLOOR`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Floor {
    /// Market frames.
    pub frames: u64,
    /// Own orders.
    pub orders: u64,
    /// Fills.
    pub fills: u64,
    /// Faults.
    pub faults: u64,
    /// Kinds of faults.
    pub fault_kinds: u64,
    /// Restarts.
    pub restarts: u64,
}

impl Tally {
    /// Faults of all kinds.
    #[must_use]
    pub fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }

    /// What it holds too little of, in words.
    #[must_use]
    pub fn below(&self, floor: &Floor) -> Vec<String> {
        let hours = u64::from(self.hours);
        let kinds = self.faults.len() as u64;
        let rows = [
            ("market frames", self.frames, floor.frames * hours),
            ("own orders", self.orders, floor.orders * hours),
            ("fills", self.fills, floor.fills * hours),
            ("faults", self.fault_count(), floor.faults * hours),
            ("kinds of faults", kinds, floor.fault_kinds),
            ("restarts", self.restarts, floor.restarts * hours),
        ];
        rows.iter()
            .filter(|(_, held, least)| held < least)
            .map(|(what, held, least)| format!("seed {}: {held} {what}, at least {least} are needed", self.seed))
            .collect()
    }

    /// Adds another seed's.
    pub fn add(&mut self, other: &Tally) {
        self.hours += other.hours;
        self.inputs += other.inputs;
        self.frames += other.frames;
        self.orders += other.orders;
        self.fills += other.fills;
        self.restarts += other.restarts;
        self.comparisons += other.comparisons;
        self.audited += other.audited;
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
    }
}

/// Something that must never be, and was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Broken {
    /// The seed that reproduces it.
    pub seed: u64,
    /// When, in milliseconds of virtual time.
    pub at_ms: u64,
    /// What.
    pub what: String,
    /// What happened before, oldest first: faults, and what was said about the same things.
    pub causes: Vec<String>,
    /// The journals of all runs of the process.
    pub journals: PathBuf,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!("seed {}, {} ms after the start: {}\n", self.seed, self.at_ms, self.what);
        for cause in &self.causes {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {cause}");
        }
        let _ = write!(text, "  journals: {}", self.journals.display());
        f.write_str(&text)
    }
}
