//! How far the other sides' clocks are from this machine's, by the `Date` of their answers (RFC 9110 §6.6.1).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

/// What the answers so far say of each origin's clock. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Skews(Arc<Mutex<BTreeMap<String, Bounds>>>);

/// The clock is ahead by something between the two.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    least: SignedDuration,
    most: SignedDuration,
}

impl Skews {
    /// Takes one answer in, which was asked for and had arrived at these times of this machine.
    pub(crate) fn note(&self, origin: &str, headers: &HeaderMap, asked: Timestamp, arrived: Timestamp) {
        let date = headers.get(header::DATE).and_then(|date| rfc2822::parse(date.to_str().ok()?).ok());
        let Some(date) = date.map(|date| date.timestamp()) else { return };
        // The answer was dated between both, and the date is cut to its second.
        let seen = Bounds {
            least: date.duration_since(arrived),
            most: date.duration_since(asked) + SignedDuration::from_secs(1),
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bounds = known.entry(origin.to_owned()).or_insert(seen);
        let (least, most) = (bounds.least.max(seen.least), bounds.most.min(seen.most));
        // Where they exclude each other, one of the clocks was set.
        *bounds = if least <= most { Bounds { least, most } } else { seen };
    }

    /// How far each of these origins is ahead, as far as that is certain, in whole seconds; none for one that never said its time.
    pub(crate) fn of<'a>(&self, origins: impl Iterator<Item = &'a str>) -> BTreeMap<String, SignedDuration> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        origins.filter_map(|origin| Some((origin.to_owned(), known.get(origin)?.certain()))).collect()
    }
}

impl Bounds {
    fn certain(self) -> SignedDuration {
        let zero = SignedDuration::ZERO;
        let certain = if self.least > zero { self.least } else { self.most.min(zero) };
        SignedDuration::from_secs(certain.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skew_is_what_is_certain_of_it() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        // Asked, arrived, the answers' dates after 10:00:00, and by how many seconds the server is ahead for certain.
        let table = [
            ("10:00:00.000", "10:00:00.200", "10:00:00", 0),
            ("10:00:00.900", "10:00:01.100", "10:00:00", 0),
            ("10:00:00.900", "10:00:01.100", "10:00:01", 0),
            ("10:00:00.000", "10:00:00.200", "10:00:02", 1),
            ("10:00:05.000", "10:00:05.200", "10:00:03", -1),
            ("10:00:00.000", "10:00:09.000", "10:00:05", 0),
            ("10:00:00.000", "10:00:00.200", "10:15:00", 899),
            ("10:15:00.000", "10:15:00.200", "10:00:00", -899),
            ("10:00:00.000", "10:00:00.200", "11:00:00", 3599),
        ];
        for (asked, arrived, date, expected) in table {
            let skews = Skews::default();
            let date = format!("Mon, 23 Nov 2026 {date} GMT").parse().unwrap();
            let headers = [(header::DATE, date)].into_iter().collect();
            let day = |time: &str| at(&format!("2026-11-23T{time}Z"));
            skews.note("https://x.test", &headers, day(asked), day(arrived));
            let seen = skews.of(["https://x.test", "https://y.test"].into_iter());
            assert_eq!(
                seen,
                [("https://x.test".to_owned(), SignedDuration::from_secs(expected))].into(),
                "{asked} {date:?}",
                date = headers
            );
        }
    }

    #[test]
    fn answers_narrow_it_and_a_clock_that_was_set_begins_anew() {
        let skews = Skews::default();
        let note = |date: &str, asked: &str, arrived: &str| {
            let date = format!("Mon, 23 Nov 2026 {date} GMT").parse().unwrap();
            let day = |time: &str| format!("2026-11-23T{time}Z").parse::<Timestamp>().unwrap();
            skews.note("o", &[(header::DATE, date)].into_iter().collect(), day(asked), day(arrived));
            skews.of(["o"].into_iter())["o"].as_secs()
        };
        assert_eq!(note("10:00:05", "10:00:00.000", "10:00:04.000"), 1);
        assert_eq!(note("10:01:05", "10:01:00.000", "10:01:00.100"), 4);
        assert_eq!(note("10:30:00", "10:02:00.000", "10:02:00.100"), 1679);
        skews.note("o", &HeaderMap::new(), Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        assert_eq!(skews.of(["o"].into_iter())["o"].as_secs(), 1679);
    }
}
