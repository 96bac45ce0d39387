//! What the clock allows, and how much of a size it leaves.

use oddsmith_domain::Denial;
use serde::{Deserialize, Serialize};

use crate::factor::Factor;

/// Rules of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeRules {
    /// No order in the last seconds before a market's stated end. 0 … 86400.
    pub no_orders_before_end_s: u64,
    /// Only orders that reduce in the last seconds before a market's stated end. 0 … 86400.
    pub reduce_only_before_end_s: u64,
    /// From this many seconds before the end, sizes and the gross limit shrink evenly. 0 … 86400.
    pub scale_before_end_s: u64,
    /// What is left of them when only reducing begins, in percent. 0 … 100.
    pub end_percent: u8,
    /// Hours with a size of their own. The first that fits holds.
    pub hours: Vec<HourRule>,
    /// Whether Saturdays and Sundays (UTC) are traded; if not, only orders that reduce are allowed.
    pub weekends: bool,
}

/// Hours of the day, and what is left of a size in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HourRule {
    /// The first hour, UTC. 0 … 23.
    pub from_hour_utc: u8,
    /// The hour in which it is over, UTC; smaller than the first means over midnight. 0 … 24.
    pub to_hour_utc: u8,
    /// What is left of a size, in percent; 0 allows only orders that reduce. 0 … 100.
    pub percent: u8,
}

impl Default for TimeRules {
    fn default() -> TimeRules {
        TimeRules {
            no_orders_before_end_s: 10,
            reduce_only_before_end_s: 60,
            scale_before_end_s: 300,
            end_percent: 50,
            hours: Vec::new(),
            weekends: true,
        }
    }
}

impl TimeRules {
    /// Whether time allows an order at `wall_s` in a market that ends at `end_s`, both in seconds since the Unix epoch.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn check(&self, wall_s: u64, end_s: Option<u64>, reduces: bool) -> Result<(), Denial> {
        let left = end_s.map(|end| end.saturating_sub(wall_s));
        if left.is_some_and(|left| left < self.no_orders_before_end_s) {
            return Err(Denial::TooNearEnd);
        }
        if !reduces && left.is_some_and(|left| left < self.reduce_only_before_end_s) {
            return Err(Denial::NearEnd);
        }
        if !reduces && (self.hour_percent(wall_s) == 0 || (!self.weekends && is_weekend(wall_s))) {
            return Err(Denial::ClosedHours);
        }
        Ok(())
    }

    /// What the hour of the day leaves of a size.
    #[must_use]
    pub fn hour_factor(&self, wall_s: u64) -> Factor {
        Factor::percent(self.hour_percent(wall_s))
    }

    /// What the nearness of the end leaves of sizes and of the gross limit: all of it until the scaling begins, then evenly less.
    #[must_use]
    pub fn end_factor(&self, wall_s: u64, end_s: Option<u64>) -> Factor {
        let Some(end) = end_s else { return Factor::ONE };
        let (left, from, to) = (end.saturating_sub(wall_s), self.scale_before_end_s, self.reduce_only_before_end_s);
        if left >= from {
            return Factor::ONE;
        }
        let least = Factor::percent(self.end_percent);
        if left <= to {
            return least;
        }
        // `to < left < from`, so nothing is divided by zero.
        Factor::between(least, Factor::ONE, left - to, from - to)
    }

    fn hour_percent(&self, wall_s: u64) -> u8 {
        let hour = wall_s / 3_600 % 24;
        let fits = |rule: &&HourRule| {
            let (from, to) = (u64::from(rule.from_hour_utc), u64::from(rule.to_hour_utc));
            if from <= to { (from..to).contains(&hour) } else { hour >= from || hour < to }
        };
        self.hours.iter().find(fits).map_or(100, |rule| rule.percent.min(100))
    }
}

/// Whether it is Saturday or Sunday; the epoch began on a Thursday.
const fn is_weekend(wall_s: u64) -> bool {
    let day = wall_s / 86_400 % 7;
    day == 2 || day == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    const THURSDAY: u64 = 20_748 * 86_400;

    #[test]
    fn near_the_end_first_only_reducing_then_nothing() {
        let rules = TimeRules::default();
        let check = |left: u64, reduces| rules.check(THURSDAY - left, Some(THURSDAY), reduces);
        assert_eq!([check(60, false), check(59, true), check(10, true)], [Ok(()); 3]);
        assert_eq!(check(59, false), Err(Denial::NearEnd));
        assert_eq!(check(9, true), Err(Denial::TooNearEnd));
        assert_eq!(rules.check(THURSDAY + 5, Some(THURSDAY), true), Err(Denial::TooNearEnd), "it has ended");
        assert_eq!(rules.check(THURSDAY, None, false), Ok(()), "no end is stated");
    }

    #[test]
    fn sizes_shrink_evenly_towards_the_end() {
        let rules = TimeRules::default();
        let left = |s: u64| rules.end_factor(THURSDAY - s, Some(THURSDAY)).parts();
        assert_eq!([left(300), left(299), left(180), left(60), left(5)], [10_000, 9_979, 7_500, 5_000, 5_000]);
        let odd = TimeRules { scale_before_end_s: 60, ..rules };
        assert_eq!(odd.end_factor(THURSDAY - 60, Some(THURSDAY)), Factor::ONE);
    }

    #[test]
    fn hours_and_weekends() {
        let hour = |from_hour_utc, to_hour_utc, percent| HourRule { from_hour_utc, to_hour_utc, percent };
        let rules =
            TimeRules { hours: vec![hour(14, 16, 50), hour(22, 2, 0)], weekends: false, ..TimeRules::default() };
        let at = |day: u64, hour: u64| THURSDAY + day * 86_400 + hour * 3_600;
        assert_eq!(rules.hour_factor(at(0, 13)), Factor::ONE);
        assert_eq!(rules.hour_factor(at(0, 15)).parts(), 5_000);
        assert_eq!(rules.hour_factor(at(0, 16)), Factor::ONE);
        for closed in [at(0, 23), at(1, 1), at(2, 12), at(3, 12)] {
            assert_eq!(rules.check(closed, None, false), Err(Denial::ClosedHours));
            assert_eq!(rules.check(closed, None, true), Ok(()));
        }
        for open in [at(1, 2), at(1, 12), at(4, 12)] {
            assert_eq!(rules.check(open, None, false), Ok(()));
        }
    }
}
