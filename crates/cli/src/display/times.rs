//! Times as a person reads them: local, with the offset, and relative to now. Messages and reports contain times in UTC, because
//! scripts read them too, and because plugins write some of them. Only what goes to a person is changed, at the very end.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use flowswap_config::Config;
use flowswap_engine::Clock;
use jiff::{Timestamp, tz::TimeZone};

use super::text::{Show, Text};
use crate::clock::SystemClock;

/// The time zones that the configuration names.
static ZONES: OnceLock<Zones> = OnceLock::new();

struct Zones {
    usual: TimeZone,
    of_tenants: BTreeMap<String, TimeZone>,
}

/// Remembers the time zones of the configuration. Only the first one counts.
pub(crate) fn remember(config: &Config) {
    ZONES.get_or_init(|| Zones {
        usual: config.timezone.clone().unwrap_or_else(TimeZone::system),
        of_tenants: config.tenants.iter().filter_map(|it| Some((it.name.clone(), it.timezone.clone()?))).collect(),
    });
}

/// The text with its times for a person. A text that was changed already stays as it is.
pub(crate) fn in_text(text: impl Show) -> Text {
    in_zone(&text.show(), &ZONES.get().map_or_else(TimeZone::system, |zones| zones.usual.clone()))
}

/// The text about a tenant, with its times for the people who work on it.
pub(crate) fn of_tenant(tenant: &str, text: impl Show) -> Text {
    match ZONES.get().and_then(|zones| zones.of_tenants.get(tenant)) {
        Some(zone) => in_zone(&text.show(), zone),
        None => in_text(text),
    }
}

fn in_zone(text: &Text, zone: &TimeZone) -> Text {
    Text::rendered(localize(text.as_str(), zone, SystemClock.now()))
}

/// The text with `…` for its times. Two texts that differ only in their times say the same.
pub(crate) fn left_out(text: &Text) -> Text {
    Text::rendered(replace(text.as_str(), |_| "…".to_owned()))
}

fn localize(text: &str, zone: &TimeZone, now: Timestamp) -> String {
    replace(text, |at| show(at, zone, now))
}

/// Replaces the times in a text. A time in quotes or in a URL is a value, which stays.
fn replace(text: &str, show: impl Fn(Timestamp) -> String) -> String {
    let is_part = |c: char| c.is_ascii_digit() || "TZ:.-".contains(c);
    let (mut replaced, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(begin) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(begin);
        let end = from.find(|c: char| !is_part(c)).unwrap_or(from.len());
        let word = from[..end].trim_end_matches([':', '.', '-']);
        let is_value = before.ends_with(|c: char| c.is_alphanumeric() || "\"\'`/=_-".contains(c));
        replaced += before;
        match word.parse::<Timestamp>().ok().filter(|_| word.ends_with('Z') && !is_value) {
            Some(at) => replaced += &show(at),
            None => replaced += word,
        }
        rest = &from[word.len()..];
    }
    replaced + rest
}

/// `2026-12-03 14:05:00+01:00 (in 2 d 23 h)`.
fn show(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let relative = match seconds {
        1.. => format!("in {}", age(seconds)),
        -59..=0 => "just now".to_owned(),
        _ => format!("{} ago", age(-seconds)),
    };
    format!("{} ({relative})", at.to_zoned_datetime(zone.clone()).strftime("%F %T%:z"))
}

/// A duration in seconds below a minute, and like [`age`] from there on.
pub(crate) fn short(duration: Duration) -> String {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    if seconds < 60 { format!("{seconds} s") } else { age(seconds) }
}

/// An age in its two largest units.
pub(crate) fn age(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    match seconds {
        ..60 => "less than a minute".to_owned(),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_shown_in_its_two_largest_units() {
        let table = [
            (0, "less than a minute"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h 0 min"),
            (86_399, "23 h 59 min"),
            (200_000, "2 d 7 h"),
        ];
        for (seconds, expect) in table {
            assert_eq!(age(seconds), expect);
        }
        assert_eq!((short(Duration::from_secs(59)), short(Duration::from_secs(61))), ("59 s".into(), "1 min".into()));
    }

    #[test]
    fn a_person_reads_a_local_time_and_how_far_away_it_is() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now: Timestamp = "2026-03-28T12:00:00Z".parse().unwrap();
        let table = [
            ("due 2026-03-31T11:30:00Z", "due 2026-03-31 13:30:00+02:00 (in 2 d 23 h)"),
            ("since 2026-03-28T11:55:00.000Z.", "since 2026-03-28 12:55:00+01:00 (5 min ago)."),
            ("2026-03-28T11:59:59Z: a", "2026-03-28 12:59:59+01:00 (just now): a"),
            ("(2026-03-28T12:00:30Z)", "(2026-03-28 13:00:30+01:00 (in less than a minute))"),
            (
                "two: 2026-03-28T10:00:00Z, 2026-03-27T12:00:00Z",
                "two: 2026-03-28 11:00:00+01:00 (2 h 0 min ago), 2026-03-27 13:00:00+01:00 (1 d 0 h ago)",
            ),
            // Values stay.
            ("`2026-03-28T10:00:00Z`", "`2026-03-28T10:00:00Z`"),
            ("https://x/logs?since=2026-03-28T10:00:00Z", "https://x/logs?since=2026-03-28T10:00:00Z"),
            ("größer 127.0.0.1:80, 2026-13-28T10:00:00Z, 7 %", "größer 127.0.0.1:80, 2026-13-28T10:00:00Z, 7 %"),
        ];
        for (text, expect) in table {
            let localized = localize(text, &zone, now);
            assert_eq!(localized, expect);
            assert_eq!(localize(&localized, &zone, now), expect, "a text that was changed stays");
        }
    }
}
