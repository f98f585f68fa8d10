//! Measures how far the servers' clocks differ from this machine's, by the `Date` of their own answers (RFC 9110 §6.6.1).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use crate::retry::date;

/// The header has whole seconds only.
const GRANULARITY: SignedDuration = SignedDuration::from_secs(1);

/// The best estimate for each origin. Clones share one state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Skews(Arc<Mutex<BTreeMap<String, Estimate>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Estimate {
    /// How far the server is ahead.
    ahead: SignedDuration,
    /// How far `ahead` may be off.
    uncertainty: SignedDuration,
}

impl Skews {
    /// Measures by an answer to a request that left at `sent`; the answer arrived at `received`.
    pub(crate) fn measure(&self, origin: &str, headers: &HeaderMap, sent: Timestamp, received: Timestamp) {
        let Some(estimate) = Estimate::of(headers, sent, received) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(origin) {
            // A contradiction means that a clock was set in the meantime.
            Some(best) if estimate.uncertainty <= best.uncertainty || estimate.contradicts(*best) => *best = estimate,
            Some(_) => {}
            None => drop(known.insert(origin.to_owned(), estimate)),
        }
    }

    /// How far the server of an origin is ahead, in whole seconds; zero if that is within the uncertainty.
    pub(crate) fn of(&self, origin: &str) -> Option<SignedDuration> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(origin).map(|estimate| estimate.rounded())
    }
}

impl Estimate {
    fn of(headers: &HeaderMap, sent: Timestamp, received: Timestamp) -> Option<Self> {
        // An answer from a cache has the time at which it was stored there.
        if received < sent || headers.contains_key(http::header::AGE) {
            return None;
        }
        let half = received.duration_since(sent) / 2;
        let middle = sent.checked_add(half).ok()?;
        let theirs = date(headers, "date")?.checked_add(GRANULARITY / 2).ok()?;
        Some(Self { ahead: theirs.duration_since(middle), uncertainty: half + GRANULARITY })
    }

    fn contradicts(self, other: Self) -> bool {
        (self.ahead - other.ahead).abs() > self.uncertainty + other.uncertainty
    }

    fn rounded(self) -> SignedDuration {
        if self.ahead.abs() <= self.uncertainty {
            return SignedDuration::ZERO;
        }
        SignedDuration::from_secs((self.ahead.as_millis_f64() / 1000.0).round() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://x.test";
    /// The `Date` below, in seconds since 1970.
    const THEIRS: i64 = 1_795_428_000;

    fn headers() -> HeaderMap {
        HeaderMap::from_iter([(http::header::DATE, "Mon, 23 Nov 2026 10:00:00 GMT".parse().unwrap())])
    }

    /// The skew after these answers. Each pair is when the request left, in milliseconds after the server's `Date`, and how many
    /// milliseconds the answer took.
    fn after(answers: &[(i64, i64)]) -> Option<i64> {
        let skews = Skews::default();
        for (offset, took) in answers {
            let sent = Timestamp::from_millisecond(THEIRS * 1000 + offset).unwrap();
            skews.measure(ORIGIN, &headers(), sent, sent + SignedDuration::from_millis(*took));
        }
        skews.of(ORIGIN).map(|skew| skew.as_secs())
    }

    #[test]
    fn a_skew_beyond_the_uncertainty_is_reported() {
        for (ahead, told) in [
            (0, 0),
            (1, 0),
            (-1, 0),
            (2, 2),
            (-2, -2),
            (30, 30),
            (-30, -30),
            (300, 300),
            (-300, -300),
            (3600, 3600),
            (-3600, -3600),
        ] {
            // The server's clock is in the middle of its second.
            assert_eq!(after(&[(500 - ahead * 1000 - 50, 100)]), Some(told), "{ahead}");
        }
        // A round trip of ten seconds makes six of them uncertain.
        for (ahead, told) in [(5, 0), (-5, 0), (7, 7), (-7, -7)] {
            assert_eq!(after(&[(500 - ahead * 1000 - 5_000, 10_000)]), Some(told), "{ahead}");
        }
    }

    #[test]
    fn the_best_measurement_is_kept_until_another_contradicts_it() {
        assert_eq!(after(&[(-10_000, 100), (-15_000, 20_000)]), Some(10), "a long round trip is less precise");
        assert_eq!(after(&[(-15_000, 20_000), (-10_000, 100)]), Some(10));
        assert_eq!(after(&[(-10_000, 100), (-600_000, 2_000)]), Some(600), "the clock was set");
    }

    #[test]
    fn answers_without_a_usable_date_are_ignored() {
        let now = Timestamp::from_second(THEIRS).unwrap();
        let skews = Skews::default();
        skews.measure(ORIGIN, &HeaderMap::new(), now, now);
        skews.measure(ORIGIN, &headers(), now + SignedDuration::from_secs(1), now);
        let mut cached = headers();
        cached.insert(http::header::AGE, 600.into());
        skews.measure(ORIGIN, &cached, now, now);
        let malformed = HeaderMap::from_iter([(http::header::DATE, "yesterday".parse().unwrap())]);
        skews.measure(ORIGIN, &malformed, now, now);
        assert_eq!(skews.of(ORIGIN), None);
    }
}
