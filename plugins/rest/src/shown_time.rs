//! Points in time as interfaces write them: RFC 3339, or a number of seconds (or milliseconds) since 1970.
//!
//! Comparing the strings would be wrong: fractions have any number of digits, and offsets differ.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

/// A number from here on counts milliseconds: as seconds it would be after the year 5000.
const MILLISECONDS_FROM: f64 = 1e11;

/// A time as an answer shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ShownTime {
    /// A point in time.
    At(Timestamp),
    /// A text that is not a point in time: a day, a word, or a time without an offset.
    Unreadable(String),
}

impl ShownTime {
    /// Reads a text or a number. Nothing else can be a time.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let (time, raw) = match value {
            Value::String(text) => (text.parse().ok(), text.clone()),
            other => (from_number(other.as_f64()?), other.to_string()),
        };
        Some(time.map_or(Self::Unreadable(raw), Self::At))
    }

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

/// A count since 1970, rounded to milliseconds: the binary fraction of a present time is not more precise.
fn from_number(number: f64) -> Option<Timestamp> {
    let millis = if number.abs() >= MILLISECONDS_FROM { number } else { number * 1000.0 };
    Timestamp::from_millisecond(millis.round() as i64).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Value, expected: Result<&str, &str>) {
        let shown = ShownTime::read(&value).unwrap();
        let result = if shown.at().is_some() { Ok(shown.to_string()) } else { Err(shown.to_string()) };
        assert_eq!(result.as_deref().map_err(String::as_str), expected, "{value}");
    }

    #[test]
    fn times_are_read_and_written_in_utc() {
        let table = [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.5Z"),
            ("2024-02-29T23:59:59.500000Z", "2024-02-29T23:59:59.5Z"),
            ("2026-03-01T00:30:00+01:00", "2026-02-28T23:30:00Z"),
            ("2026-12-31T23:30:00-01:30", "2027-01-01T01:00:00Z"),
            ("2026-06-30 12:00:00z", "2026-06-30T12:00:00Z"),
            // A leap second counts as the second before it.
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
            ("2000-02-29T00:00:00.123456789Z", "2000-02-29T00:00:00.123456789Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
        ];
        for (text, time) in table {
            check(json!(text), Ok(time));
        }
    }

    #[test]
    fn what_is_not_a_point_in_time_stays_as_it_is() {
        for text in [
            "1900-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+é:00",
            "2026-01-01",
            "yesterday",
            "",
        ] {
            check(json!(text), Err(text));
        }
        assert_eq!(ShownTime::read(&json!(true)), None);
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds() {
        check(json!(0), Ok("1970-01-01T00:00:00Z"));
        check(json!(1_767_225_600), Ok("2026-01-01T00:00:00Z"));
        check(json!(1_767_225_600.25), Ok("2026-01-01T00:00:00.25Z"));
        check(json!(1_767_225_600_250_u64), Ok("2026-01-01T00:00:00.25Z"));
        check(json!(1_767_225_599.999_9), Ok("2026-01-01T00:00:00Z"));
        check(json!(1e18), Err("1e+18"));
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
        let times = ordered.map(|text| ShownTime::read(&json!(text)).unwrap().at().unwrap());
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    }
}
