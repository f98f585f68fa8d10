//! Points in time as interfaces write them: RFC 3339, or a number of seconds (or milliseconds) since 1970.
//!
//! Comparing the strings would be wrong: fractions have any number of digits, and offsets differ.

use std::fmt;

/// A number from here on counts milliseconds: as seconds it would be after the year 5000.
const MILLISECONDS_FROM: f64 = 1e11;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time as an answer shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ShownTime {
    /// A point in time.
    At(Timestamp),
    /// A text that is not a point in time: a day, a word, or a time without an offset.
    Unreadable(String),
}

impl ShownTime {
    /// The point in time, if it is one.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        match self {
            Self::At(time) => Some(*time),
            Self::Unreadable(_) => None,
        }
    }
}

impl fmt::Display for ShownTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => time.fmt(f),
            Self::Unreadable(text) => f.pad(text),
        }
    }
}

/// A point in time, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp {
    seconds: i64,
    nanos: u32,
}

impl Timestamp {
    /// Reads RFC 3339.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_shaped = text.is_ascii()
            && bytes.len() >= 20
            && (bytes[4], bytes[7], bytes[13], bytes[16]) == (b'-', b'-', b':', b':')
            && matches!(bytes[10], b'T' | b't' | b' ');
        if !is_shaped {
            return None;
        }
        let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?);
        let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
        // A leap second is written as :60.
        let is_valid = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        let (nanos, zone) = read_fraction(&text[19..])?;
        let offset = read_offset(zone)?;
        let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
        is_valid.then_some(Self { seconds, nanos })
    }

    /// Reads the `Date` of an answer (RFC 9110, IMF-fixdate), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub(crate) fn parse_http_date(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [weekday, day, month, year, time, "GMT"] = words.as_slice() else { return None };
        let month = 1 + MONTHS.iter().position(|name| name == month)?;
        let is_shaped = weekday.len() == 4 && weekday.ends_with(',') && day.len() == 2 && year.len() == 4;
        is_shaped.then(|| Self::parse(&format!("{year}-{month:02}-{day}T{time}Z"))).flatten()
    }

    /// The end of the second: a `Date` has no fraction, so the dated event may be at any point of its second.
    pub(crate) fn end_of_second(self) -> Self {
        Self { seconds: self.seconds + 1, nanos: 0 }
    }

    /// Reads a count since 1970.
    pub(crate) fn from_number(number: f64) -> Option<Self> {
        let seconds = if number.abs() >= MILLISECONDS_FROM { number / 1000.0 } else { number };
        let whole = seconds.floor();
        // Rounds to milliseconds: the binary fraction of a present time is not more precise.
        let millis = ((seconds - whole) * 1000.0).round();
        // RFC 3339 can write the years 0 to 9999.
        let is_writable = (-62_167_219_200.0..253_402_300_799.0).contains(&whole);
        is_writable.then_some(Self { seconds: whole as i64, nanos: 0 }.plus_millis(millis as u32))
    }

    fn plus_millis(self, millis: u32) -> Self {
        Self { seconds: self.seconds + i64::from(millis / 1000), nanos: millis % 1000 * 1_000_000 }
    }
}

/// RFC 3339 in UTC, without trailing zeros in the fraction.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.seconds.div_euclid(86_400));
        let rest = self.seconds.rem_euclid(86_400);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)?;
        if self.nanos > 0 {
            write!(f, ".{}", format!("{:09}", self.nanos).trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn read_fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, zone) = rest.split_at(len);
    if digits.is_empty() {
        return None;
    }
    let nine: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
    Some((nine.parse().ok()?, zone))
}

fn read_offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Counts in years that start in March, so that the leap day is the last day of a year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_in_utc() {
        let table = [
            ("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00Z")),
            ("2024-02-29T23:59:59.5Z", Some("2024-02-29T23:59:59.5Z")),
            ("2024-02-29T23:59:59.500000Z", Some("2024-02-29T23:59:59.5Z")),
            ("2026-03-01T00:30:00+01:00", Some("2026-02-28T23:30:00Z")),
            ("2026-12-31T23:30:00-01:30", Some("2027-01-01T01:00:00Z")),
            ("2026-06-30 12:00:00z", Some("2026-06-30T12:00:00Z")),
            ("2016-12-31T23:59:60Z", Some("2017-01-01T00:00:00Z")),
            ("2000-02-29T00:00:00.123456789987Z", Some("2000-02-29T00:00:00.123456789Z")),
            ("1969-12-31T23:59:59Z", Some("1969-12-31T23:59:59Z")),
            ("1900-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01T00:00:00+1:00", None),
            ("2026-01-01T00:00:00+é:00", None),
            ("2026-01-01", None),
            ("yesterday", None),
            ("2026-1-001T00:00:00Z", None),
        ];
        for (text, expected) in table {
            assert_eq!(Timestamp::parse(text).map(|t| t.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn http_dates_are_read() {
        let table = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some("1994-11-06T08:49:37Z")),
            ("Thu, 01 Jan 2026 12:00:00 GMT", Some("2026-01-01T12:00:00Z")),
            ("Thu, 01 Jan 2026 12:00:00 +0100", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
            ("Thu, 1 Jan 2026 12:00:00 GMT", None),
            ("Thu, 32 Jan 2026 12:00:00 GMT", None),
            ("jeu., 01 janv. 2026 12:00:00 GMT", None),
            ("2026-01-01T12:00:00Z", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(Timestamp::parse_http_date(text).map(|t| t.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds() {
        let table = [
            (0.0, Some("1970-01-01T00:00:00Z")),
            (1_767_225_600.0, Some("2026-01-01T00:00:00Z")),
            (1_767_225_600.25, Some("2026-01-01T00:00:00.25Z")),
            (1_767_225_600_250.0, Some("2026-01-01T00:00:00.25Z")),
            (1_767_225_599.999_9, Some("2026-01-01T00:00:00Z")),
            (f64::NAN, None),
            (1e18, None),
        ];
        for (number, expected) in table {
            assert_eq!(Timestamp::from_number(number).map(|t| t.to_string()).as_deref(), expected, "{number}");
        }
    }

    #[test]
    fn times_are_ordered_by_time_and_not_by_text() {
        let ordered = [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.05Z",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01T00:00:01Z",
            "2026-01-01T00:30:01+00:15",
        ];
        let times: Vec<_> = ordered.iter().map(|text| Timestamp::parse(text).unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    }

    #[test]
    fn every_day_of_four_centuries_survives_a_round_trip() {
        for day in -146_097..=146_097 {
            let (year, month, day_of_month) = date_of(day);
            assert_eq!(days_since_1970(year, month, day_of_month), day);
        }
    }
}
