//! Decides whether and when to repeat a request. Pure: the same attempts lead to the same waits.

use std::time::Duration;

use flowswap_contract::{HeaderDialect, Intent};
use http::{HeaderMap, StatusCode};
use jiff::{Timestamp, fmt::rfc2822};

use crate::{
    governor::Reading,
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

    /// How long the server sends nobody away who waits, if it refused the request because of a limit.
    pub(crate) fn wait_of_refusal(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let is_refusal = status == StatusCode::TOO_MANY_REQUESTS;
        is_refusal.then(|| self.wait_after(status, headers).min(MAX_WAIT))
    }

    fn wait_after(&self, status: StatusCode, headers: &HeaderMap) -> Duration {
        wait_until_reset(status, headers, self.dialect).unwrap_or_else(|| self.back_off())
    }

    fn accept_or_wait(&self, repeat: bool, status: StatusCode, headers: &HeaderMap) -> Decision {
        self.repeat_if(repeat, self.wait_after(status, headers), || match status.as_u16() {
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

/// What an answer says about the rate limit of its request.
pub(crate) fn read_limits(headers: &HeaderMap, dialect: Option<&HeaderDialect>) -> Option<Reading> {
    let dialect = dialect?;
    let count = |name: &str| u32::try_from(number(headers, name)?).ok();
    let limit = dialect.limit.as_ref().and_then(|name| count(name));
    Some(Reading { limit, remaining: count(&dialect.remaining)?, rest: until_reset(headers, dialect)?.min(MAX_WAIT) })
}

/// The bucket in which a request to this path counts: the first pattern that fits. Empty if none does.
pub(crate) fn find_bucket<'d>(dialect: Option<&'d HeaderDialect>, path: &str) -> &'d str {
    let fits = |pattern: &&String| {
        let (mut given, mut wanted) = (path.trim_matches('/').split('/'), pattern.trim_matches('/').split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (Some("**"), _) | (None, None) => return true,
                (Some(wanted), Some(given)) if wanted == "*" || wanted == given => {}
                _ => return false,
            }
        }
    };
    dialect.and_then(|dialect| dialect.buckets.iter().find(fits)).map_or("", String::as_str)
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
            limit: Some("x-rate-limit-limit".into()),
            buckets: ["/api/v1/apps/*", "/api/v1/apps/**", "/oauth2/v1/token"].map(str::to_owned).into(),
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
    fn limits_are_read_by_the_clock_of_the_server() {
        let read = |lines: &[(&'static str, &'static str)]| read_limits(&headers(lines), Some(&dialect()));
        let (limit, remaining) = (("x-rate-limit-limit", "600"), ("x-rate-limit-remaining", "12"));
        let rest = Duration::from_secs(21);
        assert_eq!(read(&[limit, remaining, RESET, DATE]), Some(Reading { limit: Some(600), remaining: 12, rest }));
        assert_eq!(read(&[remaining, RESET, DATE]), Some(Reading { limit: None, remaining: 12, rest }));
        assert_eq!(read(&[limit, remaining, RESET]), None);
        assert_eq!(read(&[limit, RESET, DATE]), None);
        assert_eq!(read(&[limit, ("x-rate-limit-remaining", "-1"), RESET, DATE]), None);
        assert_eq!(read_limits(&headers(&[limit, remaining, RESET, DATE]), None), None);
    }

    #[test]
    fn a_request_counts_in_the_first_bucket_that_fits() {
        let dialect = dialect();
        for (path, bucket) in [
            ("/api/v1/apps", "/api/v1/apps/**"),
            ("/api/v1/apps/", "/api/v1/apps/**"),
            ("/api/v1/apps/0oa1", "/api/v1/apps/*"),
            ("/api/v1/apps/0oa1/grants", "/api/v1/apps/**"),
            ("/api/v1/apps2", ""),
            ("/oauth2/v1/token", "/oauth2/v1/token"),
            ("/oauth2/v1/token/x", ""),
            ("/", ""),
        ] {
            assert_eq!(find_bucket(Some(&dialect), path), bucket, "{path}");
        }
        assert_eq!(find_bucket(None, "/api/v1/apps"), "");
    }
}
