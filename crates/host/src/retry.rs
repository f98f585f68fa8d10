//! Decides whether and when to repeat a request. Pure: the same attempts lead to the same waits.

use std::time::Duration;

use flowswap_contract::{HeaderDialect, Intent};
use http::{HeaderMap, StatusCode};
use jiff::{Timestamp, fmt::rfc2822};

use crate::{
    provenance::Foreign,
    transport::{Sent, TransportError},
};

/// The maximum number of times that a request is sent.
pub(crate) const MAX_ATTEMPTS: u32 = 5;

/// The longest wait before a repetition: Okta's windows last 60 s (developer.okta.com, "Rate limits overview").
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(70);

const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What decides whether a request may be repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy<'a> {
    /// What the request does.
    pub(crate) intent: Intent,
    /// Whether sending it twice has the same effect as sending it once.
    pub(crate) idempotent: bool,
    /// How many times it was sent.
    pub(crate) attempts: u32,
    /// The other side's headers.
    pub(crate) dialect: Option<&'a HeaderDialect>,
}

/// Whether to send a request again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Do not repeat it: the last attempt is the result.
    Accept,
    /// Send it again.
    Repeat {
        /// After this time.
        wait: Duration,
        /// A short reason for the operator.
        reason: String,
    },
}

impl RetryPolicy<'_> {
    /// Decides on an answer of the other side.
    pub(crate) fn after_answer(&self, status: StatusCode, headers: &HeaderMap) -> Decision {
        let repeat = match status.as_u16() {
            // The server refused it before it did any work, so a repetition is safe for mutations as well.
            429 => true,
            // Okta occasionally answers 500 for some seconds. A read is always safe to repeat.
            500 => self.intent == Intent::Read,
            // The server may have done some work before it gave up.
            408 | 502..=504 => self.is_harmless(),
            _ => false,
        };
        self.accept_or_wait(repeat, status, headers)
    }

    /// Decides on an answer of a proxy or portal, which does not say what the other side did.
    pub(crate) fn after_foreign(&self, foreign: &Foreign, headers: &HeaderMap) -> Decision {
        self.accept_or_wait(foreign.is_temporary() && self.is_harmless(), foreign.status(), headers)
    }

    fn accept_or_wait(&self, repeat: bool, status: StatusCode, headers: &HeaderMap) -> Decision {
        let wait = wait_until_reset(status, headers, self.dialect).unwrap_or_else(|| self.back_off());
        self.repeat_if(repeat, wait, || match status.as_u16() {
            429 => "the rate limit is reached".to_owned(),
            status => format!("the answer was {status}"),
        })
    }

    /// Decides on the lack of an answer.
    pub(crate) fn after_error(&self, error: &TransportError) -> Decision {
        let repeat = !error.cause().is_final() && (error.sent == Sent::NotSent || self.is_harmless());
        self.repeat_if(repeat, self.back_off(), || error.to_string())
    }

    /// Whether a repetition does no harm even if the first attempt had an effect.
    fn is_harmless(&self) -> bool {
        self.intent != Intent::Mutate || self.idempotent
    }

    fn repeat_if(&self, repeat: bool, wait: Duration, reason: impl Fn() -> String) -> Decision {
        if !repeat || self.attempts >= MAX_ATTEMPTS {
            return Decision::Accept;
        }
        Decision::Repeat { wait: wait.min(MAX_WAIT), reason: reason() }
    }

    fn back_off(&self) -> Duration {
        FIRST_WAIT * 2u32.saturating_pow(self.attempts.saturating_sub(1))
    }
}

/// How long to hold requests to the origin after an answer that says that no requests remain.
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
        // For other statuses, the end of the rate limit window does not say when to retry.
        if status == StatusCode::TOO_MANY_REQUESTS { until_reset(headers, dialect?) } else { None }
    })
}

/// RFC 9110 §10.2.3: seconds, or a date; the date is compared with the server's own.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    if let Some(seconds) = number(headers, "retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    let until = date(headers, "retry-after")?;
    Some(seconds_between(date(headers, "date")?, until))
}

/// One second more than the server says, because both of its times are truncated to whole seconds.
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

/// The date in a header.
pub(crate) fn date(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
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

    fn policy(intent: Intent, dialect: &HeaderDialect) -> RetryPolicy<'_> {
        RetryPolicy { intent, idempotent: false, attempts: 1, dialect: Some(dialect) }
    }

    fn wait_of(decision: Decision) -> Option<u128> {
        match decision {
            Decision::Accept => None,
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
            (408, true, true, false, true),
            (409, false, false, false, false),
            (429, true, true, true, true),
            (500, true, false, false, false),
            (502, true, true, false, true),
            (503, true, true, false, true),
            (504, true, true, false, true),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let repeats = |policy: RetryPolicy<'_>| wait_of(policy.after_answer(status, &HeaderMap::new())).is_some();
            let got = [
                repeats(policy(Intent::Read, &dialect)),
                repeats(policy(Intent::Authenticate, &dialect)),
                repeats(policy(Intent::Mutate, &dialect)),
                repeats(RetryPolicy { idempotent: true, ..policy(Intent::Mutate, &dialect) }),
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
            let policy = RetryPolicy { idempotent, ..policy(intent, &dialect) };
            let decision = policy.after_error(&TransportError::new(sent, "x"));
            assert_eq!(wait_of(decision).is_some(), repeat, "{intent:?} {sent:?}");
        }
    }

    #[test]
    fn waits_grow_until_the_last_attempt() {
        let dialect = dialect();
        let waits = (1..=6).map(|attempts| {
            let policy = RetryPolicy { attempts, ..policy(Intent::Read, &dialect) };
            wait_of(policy.after_answer(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new()))
        });
        assert_eq!(waits.collect::<Vec<_>>(), [Some(500), Some(1000), Some(2000), Some(4000), None, None]);
    }

    fn check_wait(status: u16, lines: &[(&'static str, &'static str)], expect_ms: u128) {
        let dialect = dialect();
        let decision =
            policy(Intent::Read, &dialect).after_answer(StatusCode::from_u16(status).unwrap(), &headers(lines));
        assert_eq!(wait_of(decision), Some(expect_ms), "{status} {lines:?}");
    }

    #[test]
    fn the_other_side_decides_how_long_to_wait() {
        check_wait(503, &[("retry-after", "7")], 7_000);
        check_wait(429, &[("retry-after", "0")], 0);
        check_wait(429, &[("retry-after", "7"), RESET, DATE], 7_000);
        check_wait(429, &[("retry-after", "Mon, 23 Nov 2026 10:00:09 GMT"), DATE], 9_000);
        check_wait(429, &[RESET, DATE], 21_000);
        // A reset in the past still adds the second for the truncation of both times.
        check_wait(429, &[("x-rate-limit-reset", "1795428000"), ("date", "Mon, 23 Nov 2026 10:00:05 GMT")], 1_000);
        check_wait(429, &[("retry-after", "3600")], 70_000);
        check_wait(429, &[("x-rate-limit-reset", "99999999999999"), DATE], 500);
        // Without the server's own time, its other times are useless. So is the window of an answer other than 429.
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
