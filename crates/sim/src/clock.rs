//! Time: every timestamp, expiry, and rate-limit window of the simulator comes from a [`Clock`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that starts at a given time and runs with tokio's clock, so it stops on a paused runtime. A test can move it
/// forward. Clones share the offset.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Timestamp,
    started: Instant,
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that shows the real time.
    pub fn real() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// A clock that shows `start` now, and runs from there.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { start, started: Instant::now(), offset_ms: Arc::new(AtomicI64::new(0)) }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        let ran = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let moved = self.offset_ms.load(Ordering::Relaxed);
        self.start.saturating_add(SignedDuration::from_millis(ran.saturating_add(moved))).unwrap_or(self.start)
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: std::time::Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_add(by, Ordering::Relaxed);
    }

    /// How far it was moved forward.
    pub fn moved(&self) -> SignedDuration {
        SignedDuration::from_millis(self.offset_ms.load(Ordering::Relaxed))
    }

    /// The time at which this clock started.
    pub(crate) fn start(&self) -> Timestamp {
        self.start
    }
}

/// The time that a clock shows if it is wrong by `skew`.
pub(crate) fn shift(at: Timestamp, skew: SignedDuration) -> Timestamp {
    at.saturating_add(skew).unwrap_or(at)
}

/// A timestamp as Okta writes it: with milliseconds and `Z` (seen in recordings of the Okta management API).
pub(crate) fn to_rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A timestamp in the format of the HTTP `Date` header (RFC 9110, IMF-fixdate).
pub(crate) fn to_http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advance_moves_every_clone() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let other = clock.clone();
        clock.advance(std::time::Duration::from_secs(86_400));
        assert_eq!(to_http_date(other.now()), "Fri, 02 Jan 1970 00:00:00 GMT");
        assert!(to_rfc3339(other.now()).starts_with("1970-01-02T00:00:00."));
    }
}
