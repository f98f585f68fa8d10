//! Decides whether a request is repeated, and when. Pure: the same attempts lead to the same waits.

use std::time::Duration;

use flowswap_contract::{HeaderDialect, Intent};
use http::{HeaderMap, StatusCode};
use jiff::{Timestamp, fmt::rfc2822};

use crate::transport::{Sent, TransportError};

/// How many times a request is sent at most.
pub(crate) const MAX_ATTEMPTS: u32 = 5;

/// The longest wait before a repetition: Okta's windows last 60 s (developer.okta.com, "Rate limits overview").
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(70);

const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What can be known of a request before it is sent again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried<'a> {
    /// What it means to do.
    pub(crate) intent: Intent,
    /// Whether twice leaves the world as once.
    pub(crate) idempotent: bool,
    /// How many times it was sent.
    pub(crate) attempts: u32,
    /// The other side's headers.
    pub(crate) dialect: Option<&'a HeaderDialect>,
}

/// Whether to send a request again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// What was seen is the end of it.
    Take,
    /// Send it again.
    Repeat {
        /// After this time.
        wait: Duration,
        /// A few words for the operator.
        reason: String,
    },
}

impl Tried<'_> {
    /// Decides on an answer.
    pub(crate) fn after_answer(&self, status: StatusCode, headers: &HeaderMap) -> Decision {
        let repeat = match status.as_u16() {
            // Refused before any work was done, so it is safe for mutations as well.
            429 => true,
            // Okta answers 500 E0000009 for some seconds now and then (recordings). A mutation is observed instead.
            500 => self.intent != Intent::Mutate,
            502..=504 => self.intent != Intent::Mutate || self.idempotent,
            _ => false,
        };
        let wait = wait_until_reset(status, headers, self.dialect).unwrap_or_else(|| self.back_off());
        self.repeat_if(repeat, wait, || match status.as_u16() {
            429 => "the rate limit is reached".to_owned(),
            status => format!("the answer was {status}"),
        })
    }

    /// Decides on the lack of an answer.
    pub(crate) fn after_error(&self, error: &TransportError) -> Decision {
        let may_arrive = error.sent == Sent::MaybeSent && self.intent == Intent::Mutate && !self.idempotent;
        let repeat = !error.cause().is_final() && !may_arrive;
        self.repeat_if(repeat, self.back_off(), || error.to_string())
    }

    fn repeat_if(&self, repeat: bool, wait: Duration, reason: impl Fn() -> String) -> Decision {
        if !repeat || self.attempts >= MAX_ATTEMPTS {
            return Decision::Take;
        }
        Decision::Repeat { wait: wait.min(MAX_WAIT), reason: reason() }
    }

    fn back_off(&self) -> Duration {
        FIRST_WAIT * 2u32.saturating_pow(self.attempts.saturating_sub(1))
    }
}

/// How long the origin is to be left alone after an answer that had nothing left to give.
pub(crate) fn hold_after(headers: &HeaderMap, dialect: Option<&HeaderDialect>) -> Option<Duration> {
    let dialect = dialect?;
    let remaining: u64 = number(headers, &dialect.remaining)?;
    if remaining > 0 {
        return None;
    }
    Some(until_reset(headers, dialect)?.min(MAX_WAIT))
}

fn wait_until_reset(status: StatusCode, headers: &HeaderMap, dialect: Option<&HeaderDialect>) -> Option<Duration> {
    retry_after(headers).or_else(|| {
        // On other answers the window says nothing about when to come back.
        if status == StatusCode::TOO_MANY_REQUESTS { until_reset(headers, dialect?) } else { None }
    })
}

/// RFC 9110 §10.2.3: seconds, or a date; the date is compared with the server's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    if let Some(seconds) = number(headers, "retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    let until = date(headers, "retry-after")?;
    Some(seconds_between(date(headers, "date")?, until))
}

/// One second more than the server says, because both of its times are cut to whole seconds.
fn until_reset(headers: &HeaderMap, dialect: &HeaderDialect) -> Option<Duration> {
    let reset = Timestamp::from_second(number(headers, &dialect.reset)?.try_into().ok()?).ok()?;
    Some(seconds_between(date(headers, "date")?, reset) + Duration::from_secs(1))
}

fn seconds_between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_secs(to.as_second().saturating_sub(from.as_second()).try_into().unwrap_or(0))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn date(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    rfc2822::parse(text).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: (&str, &str) = ("date", "Mon, 23 Nov 2026 10:00:00 GMT");
    /// Twenty seconds after [`DATE`].
    const RESET: (&str, &str) = ("x-rate-limit-reset", "1795428020");

    fn dialect() -> HeaderDialect {
        HeaderDialect {
            remaining: "x-rate-limit-remaining".into(),
            reset: "x-rate-limit-reset".into(),
            request_id: "x-okta-request-id".into(),
        }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|&(n, v)| (n.parse::<http::HeaderName>().unwrap(), v.parse().unwrap())).collect()
    }

    fn tried(intent: Intent, dialect: &HeaderDialect) -> Tried<'_> {
        Tried { intent, idempotent: false, attempts: 1, dialect: Some(dialect) }
    }

    fn wait_of(decision: Decision) -> Option<u128> {
        match decision {
            Decision::Take => None,
            Decision::Repeat { wait, .. } => Some(wait.as_millis()),
        }
    }

    #[test]
    fn which_answers_are_repeated() {
        let dialect = dialect();
        for (status, read, authenticate, mutate, idempotent) in [
            (200, false, false, false, false),
            (400, false, false, false, false),
            (401, false, false, false, false),
            (404, false, false, false, false),
            (409, false, false, false, false),
            (429, true, true, true, true),
            (500, true, true, false, false),
            (501, false, false, false, false),
            (407, false, false, false, false),
            (408, false, false, false, false),
            (502, true, true, false, true),
            (503, true, true, false, true),
            (504, true, true, false, true),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let repeats = |tried: Tried<'_>| wait_of(tried.after_answer(status, &HeaderMap::new())).is_some();
            let got = [
                repeats(tried(Intent::Read, &dialect)),
                repeats(tried(Intent::Authenticate, &dialect)),
                repeats(tried(Intent::Mutate, &dialect)),
                repeats(Tried { idempotent: true, ..tried(Intent::Mutate, &dialect) }),
            ];
            assert_eq!(got, [read, authenticate, mutate, idempotent], "{status}");
        }
    }

    #[test]
    fn which_errors_are_repeated() {
        let dialect = dialect();
        for (intent, idempotent, sent, repeat) in [
            (Intent::Read, false, Sent::NotSent, true),
            (Intent::Read, false, Sent::MaybeSent, true),
            (Intent::Authenticate, false, Sent::MaybeSent, true),
            (Intent::Mutate, false, Sent::NotSent, true),
            (Intent::Mutate, false, Sent::MaybeSent, false),
            (Intent::Mutate, true, Sent::MaybeSent, true),
        ] {
            let tried = Tried { idempotent, ..tried(intent, &dialect) };
            let decision = tried.after_error(&TransportError::new(sent, "x"));
            assert_eq!(wait_of(decision).is_some(), repeat, "{intent:?} {sent:?}");
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let dialect = dialect();
        let waits = (1..=6).map(|attempts| {
            let tried = Tried { attempts, ..tried(Intent::Read, &dialect) };
            wait_of(tried.after_answer(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new()))
        });
        assert_eq!(waits.collect::<Vec<_>>(), [Some(500), Some(1000), Some(2000), Some(4000), None, None]);
    }

    fn check_wait(status: u16, lines: &[(&'static str, &'static str)], expect_ms: u128) {
        let dialect = dialect();
        let decision =
            tried(Intent::Read, &dialect).after_answer(StatusCode::from_u16(status).unwrap(), &headers(lines));
        assert_eq!(wait_of(decision), Some(expect_ms), "{status} {lines:?}");
    }

    #[test]
    fn the_other_side_says_how_long() {
        check_wait(503, &[("retry-after", "7")], 7_000);
        check_wait(429, &[("retry-after", "0")], 0);
        check_wait(429, &[("retry-after", "7"), RESET, DATE], 7_000);
        check_wait(429, &[("retry-after", "Mon, 23 Nov 2026 10:00:09 GMT"), DATE], 9_000);
        check_wait(429, &[RESET, DATE], 21_000);
        // A reset that is past still leaves the second that both times may be cut by.
        check_wait(429, &[("x-rate-limit-reset", "1795428000"), ("date", "Mon, 23 Nov 2026 10:00:05 GMT")], 1_000);
        check_wait(429, &[("retry-after", "3600")], 70_000);
        check_wait(429, &[("x-rate-limit-reset", "99999999999999"), DATE], 500);
        // Without the server's clock its times mean nothing, and neither does the window of another answer.
        for lines in [&[RESET][..], &[("retry-after", "soon")], &[("retry-after", "Mon, 23 Nov 2026 10:00:09 GMT")]] {
            check_wait(429, lines, 500);
        }
        check_wait(503, &[RESET, DATE], 500);
    }

    #[test]
    fn an_origin_is_held_when_nothing_remains() {
        let held = |lines| hold_after(&headers(lines), Some(&dialect()));
        assert_eq!(held(&[("x-rate-limit-remaining", "0"), RESET, DATE]), Some(Duration::from_secs(21)));
        assert_eq!(held(&[("x-rate-limit-remaining", "1"), RESET, DATE]), None);
        assert_eq!(held(&[("x-rate-limit-remaining", "0"), RESET]), None);
        assert_eq!(held(&[RESET, DATE]), None);
        assert_eq!(hold_after(&headers(&[("x-rate-limit-remaining", "0"), RESET, DATE]), None), None);
    }
}
