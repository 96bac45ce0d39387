//! How long requests take (GW10).

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use oddsmith_polymarket::session::Endpoint;

/// Round trips by endpoint and status. Status 0 stands for requests that got no answer.
#[derive(Debug, Default)]
pub struct Latencies {
    by: BTreeMap<(Endpoint, u16), Histogram<u64>>,
}

/// The figures of one endpoint and status, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyLine {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The status; 0 for no answer.
    pub status: u16,
    /// How many.
    pub count: u64,
    /// Half took at most this long.
    pub p50_us: u64,
    /// Ninety-nine of a hundred took at most this long.
    pub p99_us: u64,
    /// None took longer.
    pub max_us: u64,
}

impl Latencies {
    /// Counts a request.
    pub fn record(&mut self, endpoint: Endpoint, status: u16, nanos: u64) {
        let histogram = self.by.entry((endpoint, status)).or_insert_with(histogram);
        histogram.saturating_record((nanos / 1_000).max(1));
    }

    /// The figures, one line for each endpoint and status.
    pub fn lines(&self) -> impl Iterator<Item = LatencyLine> + '_ {
        self.by.iter().map(|((endpoint, status), histogram)| LatencyLine {
            endpoint: *endpoint,
            status: *status,
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        })
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 2).expect("from a microsecond to a minute with two digits is in range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_endpoint_and_status() {
        let mut latencies = Latencies::default();
        for micros in 1..=100u64 {
            latencies.record(Endpoint::Place, 200, micros * 1_000);
        }
        latencies.record(Endpoint::Place, 400, 5_000_000);
        let lines: Vec<_> = latencies.lines().collect();
        assert_eq!(lines.iter().map(|line| (line.status, line.count)).collect::<Vec<_>>(), [(200, 100), (400, 1)]);
        assert!((49..=51).contains(&lines[0].p50_us) && lines[0].max_us >= 99);
    }
}
