//! Lines over time whose memory is bounded: however long a run, its page stays small.

use serde::Serialize;

/// How many stretches a line keeps at most; each has up to two points.
const MOST: usize = 2_048;

/// A value over time, in seconds since the Unix epoch. While there is room every change is kept; then stretches of time are joined, each
/// with its lowest and its highest value, so that no spike is lost.
#[derive(Clone, Debug, Default)]
pub struct Series {
    stretches: Vec<Stretch>,
    /// How long a stretch is at least, in seconds.
    width: f64,
    last: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    low: (f64, f64),
    high: (f64, f64),
}

impl Stretch {
    const fn at(point: (f64, f64)) -> Stretch {
        Stretch { low: point, high: point }
    }

    fn join(&mut self, other: Stretch) {
        if other.low.1 < self.low.1 {
            self.low = other.low;
        }
        if other.high.1 >= self.high.1 {
            self.high = other.high;
        }
    }

    const fn begin(&self) -> f64 {
        self.low.0.min(self.high.0)
    }
}

impl Series {
    /// Takes a value at a time that is not before the last one's.
    pub fn push(&mut self, time: f64, value: f64) {
        self.last = Some((time, value));
        let point = Stretch::at((time, value));
        match self.stretches.last_mut() {
            Some(last) if time - last.begin() < self.width => last.join(point),
            _ => self.stretches.push(point),
        }
        if self.stretches.len() >= MOST {
            self.halve();
        }
    }

    /// As [`Series::push`], if the value has changed.
    pub fn push_change(&mut self, time: f64, value: f64) {
        if self.last.is_none_or(|(_, last)| last.to_bits() != value.to_bits()) {
            self.push(time, value);
        }
    }

    /// Takes another line's values, moved by so much in time and in value. They are not before the last one here.
    pub(crate) fn append(&mut self, other: &Series, seconds: f64, value: f64) {
        for (at, v) in other.points(usize::MAX) {
            self.push_change(at + seconds, v + value);
        }
    }

    fn halve(&mut self) {
        let (Some(first), Some((end, _))) = (self.stretches.first(), self.last) else { return };
        self.width = (self.width * 2.0).max((end - first.begin()) / (MOST / 2) as f64);
        let mut joined: Vec<Stretch> = Vec::with_capacity(MOST);
        for stretch in self.stretches.drain(..) {
            match joined.last_mut() {
                Some(last) if stretch.begin() - last.begin() < self.width => last.join(stretch),
                _ => joined.push(stretch),
            }
        }
        self.stretches = joined;
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// The last value.
    #[must_use]
    pub fn latest(&self) -> Option<f64> {
        self.last.map(|(_, value)| value)
    }

    /// The points in the order of time, at most `most` stretches of them, each with its extremes; and the last one.
    #[must_use]
    pub fn points(&self, most: usize) -> Vec<(f64, f64)> {
        let every = self.stretches.len().div_ceil(most.max(1)).max(1);
        let mut points: Vec<(f64, f64)> = Vec::new();
        for chunk in self.stretches.chunks(every) {
            let Some((first, rest)) = chunk.split_first() else { continue };
            let mut joined = *first;
            rest.iter().for_each(|stretch| joined.join(*stretch));
            let (a, b) =
                if joined.low.0 <= joined.high.0 { (joined.low, joined.high) } else { (joined.high, joined.low) };
            points.push(a);
            if a.0 < b.0 {
                points.push(b);
            }
        }
        if let Some(last) = self.last
            && points.last().is_none_or(|point| point.0 < last.0)
        {
            points.push(last);
        }
        points
    }
}

impl Serialize for Series {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.points(500))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_line_is_kept_whole_and_a_long_one_keeps_its_extremes() {
        let mut line = Series::default();
        [(1.0, 5.0), (2.0, 5.0), (3.0, 4.0), (4.0, 4.0)].iter().for_each(|(t, v)| line.push_change(*t, *v));
        assert_eq!(line.points(100), [(1.0, 5.0), (3.0, 4.0)]);
        let mut line = Series::default();
        for n in 0..1_000_000u32 {
            let value = if n == 123_456 {
                99.0
            } else if n == 876_543 {
                -99.0
            } else {
                f64::from(n % 7)
            };
            line.push(f64::from(n), value);
        }
        assert!(line.stretches.len() < MOST);
        let points = line.points(400);
        assert!(points.len() <= 801 && points.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{}", points.len());
        assert!(points.contains(&(123_456.0, 99.0)) && points.contains(&(876_543.0, -99.0)));
        assert_eq!((points.last().map(|p| p.0), line.latest()), (Some(999_999.0), Some(f64::from(999_999u32 % 7))));
    }
}
