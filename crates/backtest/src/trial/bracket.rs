//! The assumptions between which the truth lies.

use oddsmith_paper::PaperSettings;
use oddsmith_paper::latency::{LatencyModel, Measured, MeasuredRows, Unevenness};
use oddsmith_paper::queue::QueueModel;
use serde::{Deserialize, Serialize};

/// One side of a bracket, or its middle. A result is always told under all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assumption {
    /// Nothing behind an order ever makes room, and every way takes twice as long.
    Pessimistic,
    /// The queue model that is to be believed, and latency as it is configured.
    Realistic,
    /// Cancels come from the front of the queue, half the latency, no spike, no failed settlement: what cannot be beaten.
    Optimistic,
}

impl Assumption {
    /// All of them, the worst first.
    pub const ALL: [Assumption; 3] = [Assumption::Pessimistic, Assumption::Realistic, Assumption::Optimistic];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Assumption::Pessimistic => "pessimistic",
            Assumption::Realistic => "realistic",
            Assumption::Optimistic => "optimistic",
        }
    }

    /// What it assumes, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Assumption::Pessimistic => "risk-averse queue, latency times two",
            Assumption::Realistic => "queue by power n = 3, latency as configured",
            Assumption::Optimistic => "queue by power2 n = 2, half the latency without spikes, every match settles",
        }
    }

    /// The venue of this assumption, from the configured one.
    #[must_use]
    pub fn apply(self, configured: &PaperSettings) -> PaperSettings {
        let mut settings = configured.clone();
        match self {
            Assumption::Pessimistic => {
                settings.queue = QueueModel::RiskAverse;
                (settings.latency, settings.feed_ns) = (scaled(&settings.latency, 2, 1), settings.feed_ns * 2);
            }
            Assumption::Realistic => settings.queue = QueueModel::Power(3.0),
            Assumption::Optimistic => {
                settings.queue = QueueModel::Power2(2.0);
                (settings.latency, settings.feed_ns) = (scaled(&settings.latency, 1, 2), settings.feed_ns / 2);
                settings.uneven = Unevenness::NONE;
                (settings.settlement.retried_ppm, settings.settlement.failed_ppm) = (0, 0);
            }
        }
        settings
    }
}

/// A latency model whose ways take `times / parts` as long. Measured ones are scaled by their legs.
fn scaled(model: &LatencyModel, times: i64, parts: i64) -> LatencyModel {
    let factor = times as f64 / parts as f64;
    match model {
        LatencyModel::Constant { entry_ns, response_ns } => LatencyModel::Constant {
            entry_ns: entry_ns.saturating_mul(times) / parts,
            response_ns: response_ns.saturating_mul(times) / parts,
        },
        LatencyModel::Measured(rows) => LatencyModel::Measured(stretched(rows, times, parts)),
        LatencyModel::FeedScaled { entry, response } => LatencyModel::FeedScaled {
            entry: (entry.0 * factor, entry.1 * factor),
            response: (response.0 * factor, response.1 * factor),
        },
    }
}

/// Measured requests whose legs took `times / parts` as long. Refused ones, which never reached the venue, as a whole.
fn stretched(rows: &MeasuredRows, times: i64, parts: i64) -> MeasuredRows {
    let scale = |ns: i64| ns.saturating_mul(times) / parts;
    let scaled: Vec<Measured> = Vec::from(rows.clone())
        .into_iter()
        .map(|row| {
            let arrives = row.exch_ts > 0;
            let exch_ts = if arrives { row.req_ts + scale(row.exch_ts - row.req_ts) } else { row.exch_ts };
            let from = if arrives { exch_ts } else { row.req_ts };
            let leg = row.resp_ts - if arrives { row.exch_ts } else { row.req_ts };
            Measured { req_ts: row.req_ts, exch_ts, resp_ts: from + scale(leg) }
        })
        .collect();
    // The order of departures is kept, so that these are rows as the others were.
    scaled.try_into().unwrap_or_else(|_| rows.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pessimist_waits_twice_as_long() {
        let rows = vec![
            Measured { req_ts: 1_000, exch_ts: 1_100, resp_ts: 1_150 },
            Measured { req_ts: 2_000, exch_ts: 0, resp_ts: 2_050 },
        ];
        let rows = MeasuredRows::try_from(rows).expect("good");
        let configured = PaperSettings {
            latency: LatencyModel::Measured(rows),
            ..PaperSettings::with(oddsmith_domain::Usdc::from_whole(1), 1)
        };
        let LatencyModel::Measured(rows) = Assumption::Pessimistic.apply(&configured).latency else {
            panic!("measured")
        };
        assert_eq!(
            Vec::from(rows),
            [
                Measured { req_ts: 1_000, exch_ts: 1_200, resp_ts: 1_300 },
                Measured { req_ts: 2_000, exch_ts: 0, resp_ts: 2_100 },
            ]
        );
        let constant = PaperSettings::with(oddsmith_domain::Usdc::from_whole(1), 1);
        let optimistic = Assumption::Optimistic.apply(&constant);
        assert_eq!(optimistic.latency, LatencyModel::Constant { entry_ns: 30_000_000, response_ns: 20_000_000 });
        assert_eq!((optimistic.feed_ns, optimistic.settlement.failed_ppm), (20_000_000, 0));
        assert_eq!(Assumption::Realistic.apply(&constant).latency, constant.latency);
    }
}
