//! The venue's texts of dates and times.

/// Seconds since the Unix epoch of `2026-06-24`, `2026-06-24T07:55:00Z`, `2026-06-23T07:57:35.630868Z` or
/// `2026-05-08 20:00:00+00`. `None` for anything else, for times before 1970 and for days that do not exist.
#[must_use]
pub fn unix_seconds(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let midnight = days_since_epoch(year, month, day)?.checked_mul(86_400)?;
    let Some(time) = rest.strip_prefix(['T', ' ']) else {
        return rest.is_empty().then_some(midnight);
    };
    let (clock, rest) = time.split_at_checked(8)?;
    let mut parts = clock.split(':');
    let (hour, minute, second) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let local = midnight + hour * 3_600 + minute * 60 + second;
    match zone.split_at_checked(1) {
        Some(("Z", "")) | None => Some(local),
        Some(("+", offset)) => local.checked_sub(offset_seconds(offset)?),
        Some(("-", offset)) => local.checked_add(offset_seconds(offset)?),
        _ => None,
    }
}

/// `2026-06-24T07:55:00Z` of seconds since the Unix epoch.
#[must_use]
pub fn iso_seconds(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Eras of 400 years that begin in March: a leap day ends its year.
    let shifted = days.saturating_add(719_468);
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `00`, `0530` or `05:30`.
fn offset_seconds(text: &str) -> Option<u64> {
    let (hours, rest) = text.split_at_checked(2)?;
    let minutes = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = if minutes.is_empty() { 0 } else { digits(minutes, 2)? };
    let hours = digits(hours, 2)?;
    (hours <= 23 && minutes <= 59).then_some(hours * 3_600 + minutes * 60)
}

fn digits(text: &str, count: usize) -> Option<u64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days from 1970-01-01, in the Gregorian calendar. Years are counted from March, so that a leap day ends its year.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    const LENGTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    const DAYS_BEFORE_1970: u64 = 719_468;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = LENGTHS.get(usize::try_from(month.checked_sub(1)?).ok()?)? + u64::from(leap && month == 2);
    if year < 1970 || day == 0 || day > length {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    (year * 365 + leap_days + day_of_year).checked_sub(DAYS_BEFORE_1970)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_of_the_venue() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-04-30", 1_777_507_200),
            ("2026-06-24T07:55:00Z", 1_782_287_700),
            ("2026-06-23T07:57:35.630868Z", 1_782_201_455),
            ("2026-05-08 20:00:00+00", 1_778_270_400),
            ("2026-05-08T20:00:00+02:00", 1_778_263_200),
            ("2026-05-08 20:00:00-0530", 1_778_290_200),
            ("2024-02-29T23:59:59", 1_709_251_199),
            ("2000-03-01", 951_868_800),
        ] {
            assert_eq!(unix_seconds(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "soon",
            "2026",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2026-04-31",
            "1969-12-31",
            "2026-1-01",
            "2026-01-01T",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:00X",
            "2026-01-01x",
            "2026-01-01T00:00:00Zz",
            "2026-01-01T00:00:00+2",
            "2026-01-01T00:00:00+99:00",
            "２０２６-01-01",
            "2026-01-0é",
        ] {
            assert_eq!(unix_seconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_time_survives_its_text(seconds in 0u64..4_102_444_800) {
            prop_assert_eq!(unix_seconds(&iso_seconds(seconds)), Some(seconds));
        }

        #[test]
        fn every_day_follows_its_predecessor(days in 1u64..100_000) {
            // walk from the epoch with the lengths of months only
            let (mut year, mut month, mut left) = (1970u64, 1u64, days);
            let length = |year: u64, month: u64| (28..=31).rev().find(|day| days_since_epoch(year, month, *day).is_some());
            while left >= length(year, month).expect("a month") {
                left -= length(year, month).expect("a month");
                (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            }
            prop_assert_eq!(days_since_epoch(year, month, left + 1), Some(days));
        }

        #[test]
        fn any_text_is_survived(text in ".{0,40}") {
            let _ = unix_seconds(&text);
        }
    }
}
