//! The venue on paper: the part of the configuration that speaks of it.

use std::path::PathBuf;

use oddsmith_domain::{Payer, Time, Usdc};
use oddsmith_paper::latency::{LatencyModel, Measured, MeasuredRows, Unevenness};
use oddsmith_paper::queue::QueueModel;
use oddsmith_paper::{PaperSettings, Settlement};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The venue that exists on paper: what its account has, and how it treats orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paper {
    /// What the account has at the beginning.
    pub collateral_usdc: Usdc,
    /// The most that orders and matches may take altogether; no limit if none.
    pub allowance_usdc: Option<Usdc>,
    /// Where orders stand in their queues: `risk-averse`, `power`, `log`, `log2`, `power2` or `power3`.
    pub queue_model: String,
    /// The exponent of `power`, `power2` and `power3`. Above 0 … 100.
    pub queue_n: f64,
    /// How long a frame is taken to have been under way, in milliseconds. 0 … 60000.
    pub feed_ms: u64,
    /// From us to the venue, in milliseconds. 0 … 60000.
    pub entry_ms: u64,
    /// From the venue to us, in milliseconds. 0 … 60000.
    pub response_ms: u64,
    /// What is added to both legs for each millisecond that the last frame was under way; 0 for constant legs. 0 … 100.
    pub feed_factor: f64,
    /// Measured requests instead: lines of JSON with `req_ts`, `exch_ts` and `resp_ts` in nanoseconds since the Unix epoch.
    pub latency_file: Option<PathBuf>,
    /// What makes latency uneven.
    pub uneven: Unevenness,
    /// How matches settle.
    pub settlement: Settlement,
    /// Seeds everything that looks like chance.
    pub seed: u64,
}

impl Default for Paper {
    fn default() -> Paper {
        Paper {
            collateral_usdc: Usdc::from_whole(10_000),
            allowance_usdc: None,
            queue_model: "power".to_owned(),
            queue_n: 3.0,
            feed_ms: 40,
            entry_ms: 60,
            response_ms: 40,
            feed_factor: 0.0,
            latency_file: None,
            uneven: Unevenness::default(),
            settlement: Settlement::default(),
            seed: 1,
        }
    }
}

impl Paper {
    /// Checks what the types alone do not: the key that is wrong, and why.
    pub fn validate(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, message: String| Err((format!("paper.{key}"), message));
        let (uneven, settlement) = (&self.uneven, &self.settlement);
        let whole = [
            ("feed_ms", self.feed_ms, 60_000),
            ("entry_ms", self.entry_ms, 60_000),
            ("response_ms", self.response_ms, 60_000),
            ("uneven.spikes_ppm", u64::from(uneven.spikes_ppm), 1_000_000),
            ("uneven.spike_from_ms", uneven.spike_from_ms, 60_000),
            ("uneven.spike_to_ms", uneven.spike_to_ms, 60_000),
            ("uneven.rejects_ppm", u64::from(uneven.rejects_ppm), 1_000_000),
            ("settlement.mined_after_ms", settlement.mined_after_ms, 600_000),
            ("settlement.confirmed_after_ms", settlement.confirmed_after_ms, 600_000),
            ("settlement.retried_ppm", u64::from(settlement.retried_ppm), 1_000_000),
            ("settlement.failed_ppm", u64::from(settlement.failed_ppm), 1_000_000),
        ];
        for (key, value, high) in whole {
            if value > high {
                return wrong(key, format!("`paper.{key}` is {value}: 0 … {high} is needed"));
            }
        }
        for (key, value, high) in
            [("feed_factor", self.feed_factor, 100.0), ("uneven.jitter_sd", uneven.jitter_sd, 3.0)]
        {
            if !(0.0..=high).contains(&value) {
                return wrong(key, format!("`paper.{key}` is {value}: 0 … {high} is needed"));
            }
        }
        if self.collateral_usdc.is_negative() {
            return wrong("collateral_usdc", "`paper.collateral_usdc` is negative".to_owned());
        }
        match self.model() {
            Ok(_) => Ok(()),
            Err(why) => wrong("queue_model", format!("`paper.queue_model`: {why}")),
        }
    }

    fn model(&self) -> Result<QueueModel, oddsmith_paper::queue::ModelError> {
        QueueModel::named(&self.queue_model, Some(self.queue_n))
    }

    /// As the paper venue wants it, for whoever pays.
    ///
    /// # Errors
    /// When measured latencies cannot be read.
    pub fn settings(&self, payer: Payer) -> Result<PaperSettings, Failure> {
        let ns = |ms: u64| ms.saturating_mul(Time::MILLI) as i64;
        let latency = match &self.latency_file {
            Some(path) => LatencyModel::Measured(measured(path)?),
            None if self.feed_factor > 0.0 => LatencyModel::FeedScaled {
                entry: (self.feed_factor, ns(self.entry_ms) as f64),
                response: (self.feed_factor, ns(self.response_ms) as f64),
            },
            None => LatencyModel::Constant { entry_ns: ns(self.entry_ms), response_ns: ns(self.response_ms) },
        };
        Ok(PaperSettings {
            allowance: self.allowance_usdc,
            queue: self.model().map_err(|error| Failure::Usage(error.to_string()))?,
            latency,
            uneven: self.uneven,
            feed_ns: self.feed_ms.saturating_mul(Time::MILLI),
            settlement: self.settlement,
            payer,
            ..PaperSettings::with(self.collateral_usdc, self.seed)
        })
    }
}

fn measured(path: &std::path::Path) -> Result<MeasuredRows, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
    let mut rows = Vec::new();
    for (number, line) in (1u32..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let row: Measured =
            serde_json::from_str(line).map_err(|error| Failure::Usage(format!("{name}, line {number}: {error}")))?;
        rows.push(row);
    }
    MeasuredRows::try_from(rows).map_err(|error| Failure::Usage(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use oddsmith_domain::Address;

    use super::*;

    #[test]
    fn the_defaults_are_the_venues_own() {
        let payer = Payer::own(Address::default());
        assert_eq!(Paper::default().validate(), Ok(()));
        let settings = Paper::default().settings(payer).expect("settings");
        assert_eq!(settings, PaperSettings::with(Usdc::from_whole(10_000), 1));
        let scaled = Paper { feed_factor: 1.5, ..Paper::default() }.settings(payer).expect("settings");
        assert!(matches!(scaled.latency, LatencyModel::FeedScaled { entry: (factor, _), .. } if factor > 1.4));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let key = |paper: Paper| paper.validate().expect_err("wrong").0;
        assert_eq!(key(Paper { queue_model: "fifo".into(), ..Paper::default() }), "paper.queue_model");
        assert_eq!(key(Paper { entry_ms: 60_001, ..Paper::default() }), "paper.entry_ms");
        assert_eq!(key(Paper { feed_factor: f64::NAN, ..Paper::default() }), "paper.feed_factor");
    }

    #[test]
    fn measured_latency_is_read_from_lines() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("latency.jsonl");
        let text = "{\"req_ts\":1,\"exch_ts\":3,\"resp_ts\":4}\n{\"req_ts\":5,\"exch_ts\":0,\"resp_ts\":9}\n";
        std::fs::write(&path, text).expect("a file");
        let paper = Paper { latency_file: Some(path.clone()), ..Paper::default() };
        let settings = paper.settings(Payer::own(Address::default())).expect("read");
        assert!(matches!(settings.latency, LatencyModel::Measured(rows) if rows.entry(1) == -3));
        std::fs::write(&path, "{}").expect("a file");
        let told = paper.settings(Payer::own(Address::default())).expect_err("wrong").to_string();
        assert!(told.contains("line 1") && told.contains("req_ts"), "{told}");
    }
}
