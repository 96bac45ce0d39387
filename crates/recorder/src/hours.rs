//! What is counted of a market, hour by hour.

use serde::{Deserialize, Serialize};

use crate::certificate::{Cause, Certificate, Checks, Gap, Hashes, SCHEMA_VERSION};
use crate::files::utc;

/// Gaps of a market that are listed in one hour; of more, their number and length are.
const LISTED: usize = 1_000;
/// Hours without a recorder that are certified one by one.
const MISSED: u64 = 400;

/// The counts of one hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// When it begins, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// From when on the market was followed in it.
    pub from_ns: u64,
    /// When the first and the last frame were received.
    pub frames_ns: Option<(u64, u64)>,
    /// Frames that spoke of the market.
    pub frames: u64,
    /// Whole books in them.
    pub snapshots: u64,
    /// Hashes of changes.
    pub hashes: Hashes,
    /// Comparisons by REST.
    pub checks: Checks,
    /// Gaps that are over.
    pub gaps: Vec<Gap>,
    /// Those beyond them.
    pub gaps_left_out: u64,
    /// What those beyond them come to.
    pub left_out_ns: u64,
}

impl Hour {
    fn beginning(start_ns: u64, from_ns: u64) -> Hour {
        Hour { start_ns, from_ns: from_ns.max(start_ns), ..Hour::default() }
    }

    /// Notes a frame.
    pub fn frame(&mut self, now_ns: u64) {
        self.frames += 1;
        self.frames_ns = Some((self.frames_ns.map_or(now_ns, |(first, _)| first), now_ns));
    }

    /// Lists a gap that touches this hour, cut at its ends. One that begins where the last one ended is the same one.
    fn list(&mut self, gap: &Gap, unit_ns: u64) {
        let (from_ns, to_ns) = (gap.from_ns.max(self.start_ns), gap.to_ns.min(self.start_ns.saturating_add(unit_ns)));
        if from_ns >= to_ns {
            return;
        }
        if let Some(last) = self.gaps.last_mut().filter(|last| from_ns <= last.to_ns) {
            last.from_ns = last.from_ns.min(from_ns);
            last.to_ns = last.to_ns.max(to_ns);
            gap.causes.iter().for_each(|cause| add(&mut last.causes, *cause));
        } else if self.gaps.len() < LISTED {
            self.gaps.push(Gap { from_ns, to_ns, causes: gap.causes.clone() });
        } else {
            self.gaps_left_out += 1;
            self.left_out_ns += to_ns - from_ns;
        }
    }
}

/// Adds a cause that is not there yet.
pub(crate) fn add(causes: &mut Vec<Cause>, cause: Cause) {
    if !causes.contains(&cause) {
        causes.push(cause);
    }
}

/// The hour under way, and the one before it as long as a gap may still be found that reaches back into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    unit_ns: u64,
    hold_ns: u64,
    current: Hour,
    previous: Option<Hour>,
}

impl Hours {
    /// Begins to count at a time. An hour has `unit_ns`; the one that is over is kept open for `hold_ns`.
    #[must_use]
    pub fn begin(unit_ns: u64, hold_ns: u64, now_ns: u64) -> Hours {
        let unit_ns = unit_ns.max(1);
        Hours { unit_ns, hold_ns, current: Hour::beginning(now_ns - now_ns % unit_ns, now_ns), previous: None }
    }

    /// How long an hour is.
    #[must_use]
    pub const fn unit_ns(&self) -> u64 {
        self.unit_ns
    }

    /// The hour under way.
    pub fn now(&mut self) -> &mut Hour {
        &mut self.current
    }

    /// The counts of both hours.
    pub fn all(&self) -> impl Iterator<Item = &Hour> {
        self.previous.iter().chain([&self.current])
    }

    /// Lists a gap that is over.
    pub fn gap(&mut self, gap: &Gap) {
        let unit_ns = self.unit_ns;
        for hour in self.previous.iter_mut().chain([&mut self.current]) {
            hour.list(gap, unit_ns);
        }
    }

    /// Time passed: hands over the hours that are over. `open` is the gap under way.
    pub fn roll(&mut self, now_ns: u64, open: Option<&Gap>, mut each: impl FnMut(Hour)) {
        let unit_ns = self.unit_ns;
        let mut over = |mut hour: Hour| {
            if let Some(gap) = open {
                hour.list(&Gap { to_ns: u64::MAX, ..gap.clone() }, unit_ns);
            }
            each(hour);
        };
        let mut missed = 0;
        while now_ns >= self.current.start_ns.saturating_add(unit_ns) {
            let next = self.current.start_ns + unit_ns;
            let next = if missed < MISSED { next } else { now_ns - now_ns % unit_ns };
            missed += 1;
            let ended = std::mem::replace(&mut self.current, Hour::beginning(next, next));
            if let Some(before) = self.previous.replace(ended) {
                over(before);
            }
        }
        if now_ns >= self.current.start_ns.saturating_add(self.hold_ns)
            && let Some(before) = self.previous.take()
        {
            over(before);
        }
    }

    /// A certificate of one of these hours. Where it is not over, `open` is the gap under way.
    #[must_use]
    pub fn certificate(&self, hour: &Hour, name: (&str, &str), now_ns: u64, open: Option<&Gap>) -> Certificate {
        let mut hour = hour.clone();
        let end = hour.start_ns.saturating_add(self.unit_ns);
        if let Some(gap) = open {
            hour.list(&Gap { to_ns: now_ns.min(end), ..gap.clone() }, self.unit_ns);
        }
        Certificate {
            schema_version: SCHEMA_VERSION,
            market: name.0.to_owned(),
            condition: name.1.to_owned(),
            hour: utc(hour.start_ns),
            hour_ns: hour.start_ns,
            complete: now_ns >= end,
            from_ns: hour.from_ns,
            to_ns: now_ns.min(end),
            first_frame_ns: hour.frames_ns.map(|(first, _)| first),
            last_frame_ns: hour.frames_ns.map(|(_, last)| last),
            frames: hour.frames,
            snapshots: hour.snapshots,
            hashes: hour.hashes,
            checks: hour.checks,
            gap_ns: hour.gaps.iter().map(|gap| gap.to_ns - gap.from_ns).sum::<u64>() + hour.left_out_ns,
            gaps: hour.gaps,
            gaps_left_out: hour.gaps_left_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(from_ns: u64, to_ns: u64) -> Gap {
        Gap { from_ns, to_ns, causes: vec![Cause::Disconnect] }
    }

    fn listed(hour: &Hour) -> Vec<(u64, u64)> {
        hour.gaps.iter().map(|gap| (gap.from_ns, gap.to_ns)).collect()
    }

    #[test]
    fn a_gap_over_the_hour_stands_in_both() {
        let mut hours = Hours::begin(100, 50, 230);
        let mut over = Vec::new();
        hours.gap(&gap(240, 250));
        hours.roll(310, None, |hour| over.push(hour));
        assert!(over.is_empty(), "the hour before is still open");
        hours.gap(&gap(290, 305));
        hours.roll(350, None, |hour| over.push(hour));
        assert_eq!((over[0].from_ns, listed(&over[0])), (230, vec![(240, 250), (290, 300)]));
        assert_eq!(listed(hours.now()), [(300, 305)]);
    }

    #[test]
    fn a_gap_that_goes_on_fills_the_hours_that_it_covers() {
        let mut hours = Hours::begin(100, 50, 230);
        let mut over = Vec::new();
        hours.roll(560, Some(&gap(280, 0)), |hour| over.push(listed(&hour)));
        assert_eq!(over, [vec![(280, 300)], vec![(300, 400)], vec![(400, 500)]]);
        let open = gap(280, 0);
        let certificate = hours.certificate(&hours.current, ("m", "0x1"), 560, Some(&open));
        assert_eq!((certificate.gap_ns, certificate.complete, certificate.to_ns), (60, false, 560));
    }

    #[test]
    fn gaps_that_touch_are_one_and_too_many_are_counted() {
        let mut hours = Hours::begin(1_000_000, 0, 0);
        hours.gap(&gap(10, 20));
        hours.gap(&Gap { causes: vec![Cause::HashMismatch], ..gap(20, 30) });
        let causes = vec![Cause::Disconnect, Cause::HashMismatch];
        assert_eq!(hours.now().gaps, [Gap { causes, ..gap(10, 30) }]);
        (1..=1_000).for_each(|n| hours.gap(&gap(n * 100, n * 100 + 1)));
        let certificate = hours.certificate(&hours.current, ("m", "0x1"), 500_000, None);
        assert_eq!((certificate.gaps.len(), certificate.gaps_left_out, certificate.gap_ns), (1_000, 1, 1_020));
    }

    #[test]
    fn a_year_without_a_recorder_ends() {
        let mut hours = Hours::begin(100, 50, 0);
        let mut over = 0;
        hours.roll(100 * 9_000, None, |_| over += 1);
        assert_eq!((over, hours.now().start_ns), (400, 900_000));
    }
}
