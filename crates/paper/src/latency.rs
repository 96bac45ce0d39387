//! How long a request is under way to the venue, and its answer back.
//!
//! Three legs: *feed*, from the venue to us, which market frames have behind them when they are seen; *entry*, from our request to
//! the venue's matching; *response*, back again. All times are nanoseconds.

use oddsmith_domain::Time;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::noise::Noise;

/// One measured request: when it left, when the venue matched it, when its answer was here. `exch_ts` of zero or less is a request
/// that the venue refused without looking at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// When the request left.
    pub req_ts: i64,
    /// When the venue worked on it.
    pub exch_ts: i64,
    /// When the answer was here.
    pub resp_ts: i64,
}

/// How long the legs of a request are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LatencyModel {
    /// Always the same.
    Constant {
        /// Nanoseconds to the venue.
        entry_ns: i64,
        /// Nanoseconds back.
        response_ns: i64,
    },
    /// As measured at that time of the wall clock, straight between two measurements, and as the first or the last beyond them.
    Measured(MeasuredRows),
    /// From how long the last frame was under way: entry = `entry[0]` * feed + `entry[1]`, response likewise.
    FeedScaled {
        /// The factor, and nanoseconds on top.
        entry: (f64, f64),
        /// The factor, and nanoseconds on top.
        response: (f64, f64),
    },
}

/// Measured requests, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Measured>", into = "Vec<Measured>")]
pub struct MeasuredRows(Vec<Measured>);

/// Why measurements cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LatencyError {
    /// There are none.
    #[error("there is no measured request")]
    Empty,
    /// A request left before the one in the row above it, or at the same time.
    #[error("row {0} did not leave later than the row above it")]
    Order(usize),
    /// An answer was there before its request, or before the venue had worked on it.
    #[error("row {0} has its times in the wrong order")]
    Times(usize),
}

impl TryFrom<Vec<Measured>> for MeasuredRows {
    type Error = LatencyError;

    fn try_from(rows: Vec<Measured>) -> Result<MeasuredRows, LatencyError> {
        if rows.is_empty() {
            return Err(LatencyError::Empty);
        }
        for (at, row) in rows.iter().enumerate() {
            if row.resp_ts < row.req_ts || (row.exch_ts > 0 && !(row.req_ts..=row.resp_ts).contains(&row.exch_ts)) {
                return Err(LatencyError::Times(at + 1));
            }
        }
        if let Some(at) = rows.windows(2).position(|pair| pair[0].req_ts >= pair[1].req_ts) {
            return Err(LatencyError::Order(at + 2));
        }
        Ok(MeasuredRows(rows))
    }
}

impl From<MeasuredRows> for Vec<Measured> {
    fn from(rows: MeasuredRows) -> Vec<Measured> {
        rows.0
    }
}

/// Where a request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The venue works on it so many nanoseconds after it left, and answers so many later.
    Arrives {
        /// To the venue.
        entry_ns: u64,
        /// Back.
        response_ns: u64,
    },
    /// The venue refuses it without looking; the refusal is here so many nanoseconds after it left.
    Refused {
        /// There and back.
        after_ns: u64,
    },
}

impl MeasuredRows {
    /// Entry latency at a time: negative for a request that is refused, whose refusal takes as long as the value is large.
    #[must_use]
    pub fn entry(&self, at: i64) -> i64 {
        let refused = |row: &Measured| row.exch_ts <= 0;
        match self.around(at, |row| row.req_ts) {
            Around::Beyond(row) if refused(row) => -(row.resp_ts - row.req_ts),
            Around::Beyond(row) => row.exch_ts - row.req_ts,
            Around::Between(one, next) if refused(one) || refused(next) => {
                let took = |row: &Measured| row.resp_ts - row.req_ts;
                -between(at, (one.req_ts, took(one)), (next.req_ts, took(next)))
            }
            Around::Between(one, next) => {
                let took = |row: &Measured| row.exch_ts - row.req_ts;
                between(at, (one.req_ts, took(one)), (next.req_ts, took(next)))
            }
        }
    }

    /// Response latency of a request that the venue worked on at this time. Rows that were refused say nothing of it.
    #[must_use]
    pub fn response(&self, at: i64) -> i64 {
        let took = |row: &Measured| row.resp_ts - row.exch_ts;
        let mut answered = self.0.iter().filter(|row| row.exch_ts > 0);
        let Some(mut last) = answered.next() else { return 0 };
        if at < last.exch_ts {
            return took(last);
        }
        for row in answered {
            if at < row.exch_ts {
                return between(at, (last.exch_ts, took(last)), (row.exch_ts, took(row)));
            }
            last = row;
        }
        took(last)
    }

    fn around(&self, at: i64, key: impl Fn(&Measured) -> i64) -> Around<'_> {
        let after = self.0.partition_point(|row| key(row) <= at);
        match (after.checked_sub(1).and_then(|before| self.0.get(before)), self.0.get(after)) {
            (Some(one), Some(next)) => Around::Between(one, next),
            (Some(row), None) | (None, Some(row)) => Around::Beyond(row),
            (None, None) => Around::Beyond(&Measured { req_ts: 0, exch_ts: 0, resp_ts: 0 }),
        }
    }
}

enum Around<'r> {
    Beyond(&'r Measured),
    Between(&'r Measured, &'r Measured),
}

/// The value on the straight line between two points, cut to whole nanoseconds towards zero as the reference cuts it.
fn between(x: i64, (x1, y1): (i64, i64), (x2, y2): (i64, i64)) -> i64 {
    (((y2 - y1) as f64 / (x2 - x1) as f64) * (x - x1) as f64) as i64 + y1
}

/// What makes latency uneven.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Unevenness {
    /// Each leg is multiplied by e to the power of a normal number with this standard deviation. 0 … 3.
    pub jitter_sd: f64,
    /// How many requests of a million take a spike longer to the venue. 0 … 1000000.
    pub spikes_ppm: u32,
    /// The shortest spike in milliseconds. 0 … 60000.
    pub spike_from_ms: u64,
    /// The longest spike in milliseconds. 0 … 60000.
    pub spike_to_ms: u64,
    /// How many placements of a million the venue refuses for no reason of ours. 0 … 1000000.
    pub rejects_ppm: u32,
}

impl Unevenness {
    /// None at all.
    pub const NONE: Unevenness =
        Unevenness { jitter_sd: 0.0, spikes_ppm: 0, spike_from_ms: 0, spike_to_ms: 0, rejects_ppm: 0 };
}

impl Default for Unevenness {
    /// The defaults of quant.md 13.3.
    fn default() -> Unevenness {
        Unevenness { jitter_sd: 0.5, spikes_ppm: 2_000, spike_from_ms: 1_000, spike_to_ms: 3_000, rejects_ppm: 1_000 }
    }
}

/// A latency model with its unevenness, in use.
#[derive(Clone, Debug)]
pub struct Latency {
    model: LatencyModel,
    uneven: Unevenness,
    noise: Noise,
    feed_ns: u64,
}

impl Latency {
    /// A model in use. `feed_ns` is the feed leg until a frame shows a better one.
    #[must_use]
    pub const fn new(model: LatencyModel, uneven: Unevenness, feed_ns: u64, seed: u64) -> Latency {
        Latency { model, uneven, noise: Noise::new(seed), feed_ns }
    }

    /// A frame was under way this long.
    pub const fn saw_feed(&mut self, ns: u64) {
        if matches!(self.model, LatencyModel::FeedScaled { .. }) {
            self.feed_ns = ns;
        }
    }

    /// The feed leg now.
    #[must_use]
    pub const fn feed_ns(&self) -> u64 {
        self.feed_ns
    }

    /// The way of a request that leaves now.
    pub fn way(&mut self, now: Time) -> Way {
        let at = i64::try_from(now.wall_ns).unwrap_or(i64::MAX);
        let (entry, response) = match &self.model {
            LatencyModel::Constant { entry_ns, response_ns } => (*entry_ns, *response_ns),
            LatencyModel::Measured(rows) => {
                let entry = rows.entry(at);
                (entry, rows.response(at.saturating_add(entry.max(0))))
            }
            LatencyModel::FeedScaled { entry, response } => {
                let feed = self.feed_ns as f64;
                // `as` saturates and takes what is no number for zero.
                ((entry.0 * feed + entry.1).max(0.0) as i64, (response.0 * feed + response.1).max(0.0) as i64)
            }
        };
        let [first, second] = [self.jitter(), self.jitter()];
        let spike = self.spike();
        if entry < 0 {
            return Way::Refused { after_ns: entry.unsigned_abs() };
        }
        let stretched = |ns: i64, factor: f64| (ns.max(0) as f64 * factor) as u64;
        Way::Arrives {
            entry_ns: stretched(entry, first).saturating_add(spike),
            response_ns: stretched(response, second),
        }
    }

    /// How long the news of a fill is under way to us.
    pub fn news(&mut self, now: Time) -> u64 {
        let at = i64::try_from(now.wall_ns).unwrap_or(i64::MAX);
        let response = match &self.model {
            LatencyModel::Constant { response_ns, .. } => *response_ns,
            LatencyModel::Measured(rows) => rows.response(at),
            LatencyModel::FeedScaled { response, .. } => {
                (response.0 * self.feed_ns as f64 + response.1).max(0.0) as i64
            }
        };
        (response.max(0) as f64 * self.jitter()) as u64
    }

    /// Whether the venue refuses a placement for no reason.
    pub fn rejects(&mut self) -> bool {
        let share = self.uneven.rejects_ppm;
        share > 0 && self.noise.happens(share)
    }

    fn jitter(&mut self) -> f64 {
        if self.uneven.jitter_sd > 0.0 { libm::exp(self.uneven.jitter_sd * self.noise.normal()) } else { 1.0 }
    }

    fn spike(&mut self) -> u64 {
        let Unevenness { spikes_ppm, spike_from_ms, spike_to_ms, .. } = self.uneven;
        if spikes_ppm == 0 || !self.noise.happens(spikes_ppm) {
            return 0;
        }
        let spread = spike_to_ms.saturating_sub(spike_from_ms) as f64 * self.noise.unit();
        spike_from_ms.saturating_add(spread as u64).saturating_mul(Time::MILLI)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(i64, i64, i64)]) -> Result<MeasuredRows, LatencyError> {
        let measured = |&(req_ts, exch_ts, resp_ts)| Measured { req_ts, exch_ts, resp_ts };
        rows.iter().map(measured).collect::<Vec<_>>().try_into()
    }

    #[test]
    fn measured_latency_is_a_straight_line_and_a_refusal_is_negative() {
        let rows = rows(&[(1_000, 1_100, 1_150), (2_000, 2_300, 2_400), (3_000, 0, 3_500), (4_000, 4_100, 4_200)])
            .expect("good");
        for (at, entry) in
            [(0, 100), (1_000, 100), (1_500, 200), (2_000, -400), (2_500, -450), (3_500, -350), (9_000, 100)]
        {
            assert_eq!(rows.entry(at), entry, "at {at}");
        }
        for (at, response) in [(0, 50), (1_100, 50), (1_700, 75), (2_300, 100), (9_000, 100)] {
            assert_eq!(rows.response(at), response, "at {at}");
        }
        let mut latency = Latency::new(LatencyModel::Measured(rows), Unevenness::NONE, 0, 1);
        let way = |latency: &mut Latency, wall_ns| latency.way(Time { mono_ns: 0, wall_ns });
        assert_eq!(way(&mut latency, 1_500), Way::Arrives { entry_ns: 200, response_ns: 75 });
        assert_eq!(way(&mut latency, 2_500), Way::Refused { after_ns: 450 });
    }

    #[test]
    fn measurements_that_cannot_be_are_refused() {
        assert_eq!(rows(&[]), Err(LatencyError::Empty));
        assert_eq!(rows(&[(2, 3, 4), (2, 3, 4)]), Err(LatencyError::Order(2)));
        assert_eq!(rows(&[(2, 1, 4)]), Err(LatencyError::Times(1)));
        assert_eq!(rows(&[(2, 0, 1)]), Err(LatencyError::Times(1)));
    }

    #[test]
    fn feed_scaled_latency_follows_the_last_frame() {
        let model = LatencyModel::FeedScaled { entry: (1.5, 10.0), response: (1.0, 0.0) };
        let mut latency = Latency::new(model, Unevenness::NONE, 100, 1);
        assert_eq!(latency.way(Time::default()), Way::Arrives { entry_ns: 160, response_ns: 100 });
        latency.saw_feed(200);
        assert_eq!(latency.way(Time::default()), Way::Arrives { entry_ns: 310, response_ns: 200 });
    }

    #[test]
    fn jitter_has_the_stated_middle_and_spikes_the_stated_share() {
        let model = LatencyModel::Constant { entry_ns: 60_000_000, response_ns: 40_000_000 };
        let mut latency = Latency::new(model, Unevenness::default(), 0, 42);
        let mut entries: Vec<u64> = (0..50_000)
            .map(|_| match latency.way(Time::default()) {
                Way::Arrives { entry_ns, .. } => entry_ns,
                Way::Refused { .. } => panic!("a constant latency is never a refusal"),
            })
            .collect();
        entries.sort_unstable();
        let median = entries[25_000] as f64 / 60_000_000.0;
        assert!((median - 1.0).abs() < 0.02, "{median}");
        let spikes = entries.iter().filter(|ns| **ns > 1_000_000_000).count();
        assert!((60..=150).contains(&spikes), "{spikes}");
        let rejects = (0..100_000).filter(|_| latency.rejects()).count();
        assert!((60..=150).contains(&rejects), "{rejects}");
    }
}
