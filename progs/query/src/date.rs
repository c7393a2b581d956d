//! Dates: parses what a user writes for a time, and splits a time for those who print it.

/// The number of nanoseconds in a second.
const SECOND: i128 = 1_000_000_000;
/// The precision with which times are shown, and compared: a millisecond, in nanoseconds.
pub(crate) const PRECISION: i128 = 1_000_000;

/// A point in time in UTC, in the calendar of today (proleptic Gregorian).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    /// The year.
    pub year: i64,
    /// The month, from 1 to 12.
    pub month: u8,
    /// The day of the month, from 1 to 31.
    pub day: u8,
    /// The hour, from 0 to 23.
    pub hour: u8,
    /// The minute, from 0 to 59.
    pub minute: u8,
    /// The second, from 0 to 59: the kernel's clock has no leap seconds.
    pub second: u8,
    /// The nanoseconds in the second.
    pub nanosecond: u32,
}

impl DateTime {
    /// The date of a time in nanoseconds since 1970-01-01 UTC.
    ///
    /// ```
    /// use kwalk_query::DateTime;
    /// let date = DateTime::new(1_000_000_000_123_000_000);
    /// assert_eq!(date.to_string(), "2001-09-09T01:46:40.123Z");
    /// ```
    pub fn new(nanoseconds: i128) -> DateTime {
        let (seconds, nanosecond) = (nanoseconds.div_euclid(SECOND), nanoseconds.rem_euclid(SECOND));
        // Times have at most 65 bits, so that seconds fit. All casts below are of numbers in the ranges of their fields.
        let seconds = seconds as i64;
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Years begin in March, so that the day of leap years is the last. An era is 400 years.
        let days = days + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day_of_month = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        DateTime {
            year: year + era * 400 + i64::from(month <= 2),
            month: month as u8,
            day: day_of_month as u8,
            hour: (second / 3_600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
            nanosecond: nanosecond as u32,
        }
    }
}

/// RFC 3339, in UTC and milliseconds; what is below is cut off.
impl core::fmt::Display for DateTime {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let DateTime { year, month, day, hour, minute, second, nanosecond } = self;
        let millis = nanosecond / 1_000_000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Parses a date and perhaps a time of day, as `2026-11-29`, `2026-11-29 19:00`, `2026-11-29T19:00:00.123Z` or
/// `2026-11-29 19:00:00+01:00`, to nanoseconds since 1970-01-01 UTC. Without a zone it is in UTC, in which dates are shown.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', &[4, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let most = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=most).contains(&day) {
        return None;
    }
    // The reverse of `DateTime::new`.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = (153 * months + 2) / 5 + day - 1 + years * 365 + years.div_euclid(4) - years.div_euclid(100)
        + years.div_euclid(400)
        - 719_468;
    let nanoseconds = i128::from(days) * 86_400 * SECOND;
    if rest.is_empty() {
        return Some(nanoseconds);
    }
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (time, zone) = zone(time)?;
    let (time, fraction) = time.split_once('.').map_or((time, None), |(time, digits)| (time, Some(digits)));
    let [hour, minute, second] = match time.len() {
        5 => {
            let [hour, minute] = numbers(time, ':', &[2, 2])?;
            [hour, minute, 0]
        }
        _ => numbers(time, ':', &[2, 2, 2])?,
    };
    if hour > 23 || minute > 59 || second > 59 || time.len() == 5 && fraction.is_some() {
        return None;
    }
    let below = match fraction {
        None => 0,
        Some(digits)
            if (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            digits.parse::<i128>().ok()? * 10_i128.pow(9 - digits.len() as u32)
        }
        Some(_) => return None,
    };
    Some(nanoseconds + i128::from(hour * 3_600 + minute * 60 + second - zone) * SECOND + below)
}

/// Splits a time of day from its zone, which is in seconds east of UTC.
fn zone(time: &str) -> Option<(&str, i64)> {
    let Some(at) = time.find(['Z', 'z', '+', '-', ' ', 'U']) else { return Some((time, 0)) };
    let (time, zone) = time.split_at_checked(at)?;
    let zone = zone.trim_start();
    let sign = match zone.as_bytes().first()? {
        b'Z' | b'z' if zone.len() == 1 => return Some((time, 0)),
        b'U' if zone == "UTC" => return Some((time, 0)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = zone.get(1..)?;
    let [hours, minutes] = match digits.len() {
        2 => {
            let [hours] = numbers(digits, ':', &[2])?;
            [hours, 0]
        }
        4 => {
            let (hours, minutes) = digits.split_at_checked(2)?;
            let ([hours], [minutes]) = (numbers(hours, ':', &[2])?, numbers(minutes, ':', &[2])?);
            [hours, minutes]
        }
        _ => numbers(digits, ':', &[2, 2])?,
    };
    (hours <= 23 && minutes <= 59).then_some((time, sign * (hours * 3_600 + minutes * 60)))
}

/// Numbers of so many digits each, separated by a sign.
fn numbers<const N: usize>(text: &str, between: char, digits: &[usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut found = [0; N];
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        let is_number = part.len() == *digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use alloc::string::ToString as _;

    use proptest::prelude::*;

    use super::*;

    /// Seconds that `date -u -d TEXT +%s` gives.
    #[test]
    fn dates_are_those_of_date() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2026-11-29", 1_795_910_400),
            ("2026-11-29 19:00", 1_795_978_800),
            ("2026-11-29 19:00:01", 1_795_978_801),
            ("2026-11-29T19:00:01Z", 1_795_978_801),
            ("2026-11-29 19:00:01 UTC", 1_795_978_801),
            ("2026-11-29T19:00:01+01:00", 1_795_975_201),
            ("2026-11-29 19:00:01 -0530", 1_795_998_601),
            ("2024-02-29 23:59:59", 1_709_251_199),
            ("2000-03-01", 951_868_800),
            ("2100-02-28T00:00:00z", 4_107_456_000),
        ] {
            assert_eq!(parse(text), Some(seconds * SECOND), "{text}");
        }
        assert_eq!(parse("1970-01-01 00:00:00.5"), Some(SECOND / 2));
        assert_eq!(parse("1970-01-01T00:00:00.000000001Z"), Some(1));
        for wrong in [
            "",
            "10m",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "2026-11-31",
            "2026-1-1",
            "2026-11-29 24:00:00",
            "2026-11-29 19",
            "2026-11-29 19:00.5",
            "2026-11-29 19:00:60",
            "2026-11-29 19:00:00.",
            "2026-11-29 19:00:00.0000000001",
            "2026-11-29 19:00:00 CET",
            "2026-11-29x19:00:00",
            "+026-11-29",
            "2026-11-29é",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(millis in 0..253_402_300_800_000_i128) {
            let shown = DateTime::new(millis * PRECISION).to_string();
            prop_assert_eq!(parse(&shown), Some(millis * PRECISION), "{}", shown);
        }

        #[test]
        fn any_text_has_an_answer(text in "[-0-9TZ:. +é]{0,30}") {
            let _ = parse(&text);
        }
    }
}
