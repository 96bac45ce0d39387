//! The day's loss and the drawdown.

use oddsmith_domain::{ProfitMark, Usdc};

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// The whole days since the Unix epoch at this wall time, when each begins `reset_hour` hours after midnight UTC.
#[must_use]
pub const fn day_of(wall_s: u64, reset_hour: u8) -> u64 {
    wall_s.saturating_sub(reset_hour as u64 * 3_600) / DAY_S
}

/// When the day after `day` begins, in seconds since the Unix epoch.
#[must_use]
pub const fn day_ends_s(day: u64, reset_hour: u8) -> u64 {
    day.saturating_add(1).saturating_mul(DAY_S).saturating_add(reset_hour as u64 * 3_600)
}

/// What the day has lost so far. Negative in profit.
#[must_use]
pub fn day_loss(mark: &ProfitMark) -> Usdc {
    mark.day_start - mark.profit
}

/// How far profit is below its highest point. Never negative.
#[must_use]
pub fn drawdown(mark: &ProfitMark) -> Usdc {
    (mark.peak - mark.profit).max(Usdc::ZERO)
}

/// The mark after one more look at the profit: a new day begins where the profit then is.
#[must_use]
pub fn marked(before: Option<ProfitMark>, profit: Usdc, wall_s: u64, reset_hour: u8) -> ProfitMark {
    let day = day_of(wall_s, reset_hour);
    match before {
        Some(mark) if mark.day >= day => ProfitMark { peak: mark.peak.max(profit), profit, ..mark },
        Some(mark) => ProfitMark { day, day_start: profit, peak: mark.peak.max(profit), profit },
        None => ProfitMark { day, day_start: profit, peak: profit, profit },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_its_hour() {
        let midnight = 20_000 * DAY_S;
        assert_eq!(day_of(midnight + 5 * 3_600 - 1, 5), 19_999);
        assert_eq!(day_of(midnight + 5 * 3_600, 5), 20_000);
        assert_eq!(day_ends_s(20_000, 5), midnight + DAY_S + 5 * 3_600);
        assert_eq!(day_of(day_ends_s(20_000, 5), 5), 20_001);
    }

    #[test]
    fn losses_count_from_the_days_start_and_drawdown_from_the_peak() {
        let (usd, day) = (Usdc::from_whole, 20_000 * DAY_S);
        let mark = marked(None, usd(3), day, 0);
        let mark = marked(Some(mark), usd(8), day + 1, 0);
        let mark = marked(Some(mark), usd(-6), day + 2, 0);
        assert_eq!((day_loss(&mark), drawdown(&mark)), (usd(9), usd(14)));
        let next = marked(Some(mark), usd(-7), day + DAY_S, 0);
        assert_eq!((day_loss(&next), drawdown(&next)), (usd(0), usd(15)));
        // A wall clock that went back does not begin the old day again.
        assert_eq!(marked(Some(next), usd(-7), day, 0).day, next.day);
    }
}
