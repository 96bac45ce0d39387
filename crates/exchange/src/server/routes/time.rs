//! Times as the venue writes them.

use std::fmt::Write as _;

/// Seconds since the Unix epoch as `2026-11-21T09:30:00Z`.
pub(super) fn iso(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut text = String::with_capacity(20);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    // A String takes any text.
    let _infallible = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    text
}

/// The date part of [`iso`].
pub(super) fn date(seconds: u64) -> String {
    let mut text = iso(seconds);
    text.truncate(10);
    text
}

/// Reads what [`iso`] or [`date`] writes, with fractions of a second and offsets of zero; `None` for anything else.
pub(super) fn parse(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let separated = text.get(4..5)? == "-" && text.get(7..8)? == "-";
    if !separated || !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=9_999).contains(&year) {
        return None;
    }
    let seconds = days_to(year, month, day).checked_mul(86_400)?;
    if text.len() == 10 {
        return Some(seconds);
    }
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    (hour < 24 && minute < 60 && second < 61).then(|| seconds + hour * 3_600 + minute * 60 + second)
}

/// Year, month and day of a day since the Unix epoch (Hinnant's algorithm: years begin in March, eras have 400 years).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The day since the Unix epoch of a date from 1970 on.
fn days_to(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_253_400, "2026-11-21T09:30:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(iso(seconds), text);
            assert_eq!(parse(text), Some(seconds));
        }
        assert_eq!(parse("2026-11-21"), Some(1_795_219_200));
        assert_eq!(parse("2026-11-21T09:30:00.123+00:00"), Some(1_795_253_400));
        for text in ["", "yesterday", "2026-13-01", "2026-11-21T25:00:00Z", "2026/11/21", "é026-11-21"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
