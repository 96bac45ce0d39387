//! What is noted of a run beside its money: waits, stops, and values in words.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// Something that stopped trading somewhere, and why.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Stop {
    /// Where: the wallet, a market, an instance.
    pub scope: String,
    /// Why.
    pub cause: String,
    /// When it began, in seconds since the Unix epoch.
    pub from_s: f64,
    /// When it ended; `None` if it had not when the run ended.
    pub to_s: Option<f64>,
}

/// How long something took, in microseconds.
#[derive(Debug)]
pub(crate) struct Wait(pub(crate) Histogram<u64>);

impl Wait {
    pub(crate) fn note(waits: &mut BTreeMap<&'static str, Wait>, stage: &'static str, ns: u64) {
        let us = (ns / 1_000).clamp(1, 3_600_000_000);
        if let Some(wait) = waits.get_mut(stage) {
            return wait.0.saturating_record(us);
        }
        // Two digits from a microsecond to an hour fit any machine.
        if let Ok(mut histogram) = Histogram::new_with_bounds(1, 3_600_000_000, 2) {
            histogram.saturating_record(us);
            waits.insert(stage, Wait(histogram));
        }
    }
}

/// A value of the domain in words.
pub(crate) fn word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let mut out = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        if c.is_uppercase() && at > 0 && out.ends_with(|c: char| c.is_lowercase()) {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}
