//! Rate limits: one window per minute for each bucket of an org, shown in three headers of every answer. Other clients of the org
//! use the same windows.

use std::collections::BTreeMap;

use http::HeaderName;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::message::Reply;

const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// The limit that an org without limits shows.
const UNLIMITED: u32 = 10_000;

/// How many requests of one kind an org allows in a minute before it answers 429.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimits {
    /// Any number.
    #[default]
    Unlimited,
    /// This many of each kind.
    Each(u32),
    /// As the last tables show that Okta published, in December 2025, for Workforce orgs.
    Published,
}

/// How much the other clients of an org send, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OthersView {
    /// Their requests that were admitted.
    pub admitted: u32,
    /// Their requests that were refused.
    pub refused: u32,
}

/// The windows of an org.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    limits: RateLimits,
    /// Which part of each limit other clients use, in percent. They send evenly.
    others: u32,
    windows: BTreeMap<&'static str, Window>,
    pub(crate) others_view: OthersView,
}

/// The current window of a bucket. Okta's windows last 60 seconds and do not follow the wall-clock minute (Okta, "Rate limits").
#[derive(Clone, Debug, Default)]
struct Window {
    opened: Option<Timestamp>,
    used: u32,
    /// When others have sent their last request.
    others_until: Option<Timestamp>,
}

/// A request that was counted.
pub(crate) struct Counted {
    pub(crate) is_admitted: bool,
    /// Whether it was the first in its window to exceed the limit.
    pub(crate) has_closed: bool,
    limit: u32,
    remaining: u32,
    reset: i64,
}

impl Limits {
    pub(crate) fn new(limits: RateLimits, others: u32) -> Self {
        Self { limits, others, ..Self::default() }
    }

    /// Counts a request to a path.
    pub(crate) fn count(&mut self, path: &str, now: Timestamp) -> Counted {
        let (bucket, published) = find_bucket(path);
        let limit = match self.limits {
            RateLimits::Unlimited => None,
            RateLimits::Each(limit) => Some(limit),
            RateLimits::Published => Some(published),
        };
        let window = self.windows.entry(bucket).or_default();
        let others = limit.map_or(0, |limit| limit * self.others / 100);
        window.let_others_send(others, limit.unwrap_or(UNLIMITED), now, &mut self.others_view);
        window.count(now);
        let limit = limit.unwrap_or(UNLIMITED);
        Counted {
            is_admitted: self.limits == RateLimits::Unlimited || window.used <= limit,
            has_closed: self.limits != RateLimits::Unlimited && window.used == limit.saturating_add(1),
            limit,
            remaining: limit.saturating_sub(window.used),
            reset: (window.opened.unwrap_or(now) + WINDOW).as_second(),
        }
    }
}

impl Window {
    fn count(&mut self, now: Timestamp) {
        if self.opened.is_none_or(|opened| now.duration_since(opened) >= WINDOW) {
            (self.opened, self.used) = (Some(now), 0);
        }
        self.used = self.used.saturating_add(1);
    }

    /// Counts what others have sent since the last request, evenly: so many a minute.
    fn let_others_send(&mut self, a_minute: u32, limit: u32, now: Timestamp, view: &mut OthersView) {
        if a_minute == 0 {
            return;
        }
        let gap = WINDOW / i32::try_from(a_minute).unwrap_or(i32::MAX);
        // What was sent in windows that are over changes nothing any more.
        let begin = self.others_until.map_or(now - gap, |until| until.max(now - WINDOW));
        let mut next = begin + gap;
        while next <= now {
            self.count(next);
            let is_admitted = self.used <= limit;
            view.admitted += u32::from(is_admitted);
            view.refused += u32::from(!is_admitted);
            (self.others_until, next) = (Some(next), next + gap);
        }
    }
}

impl Counted {
    /// Adds the three headers. `X-Rate-Limit-Reset` is in UTC epoch seconds (Okta, "Monitor rate limits").
    pub(crate) fn mark(&self, reply: Reply) -> Reply {
        mark(reply, self.limit, self.remaining, self.reset)
    }
}

/// The bucket of a path, and how many requests a minute Okta's last published tables allowed (okta-developer-docs, "Management
/// endpoints", until December 2025). They do not name the integrations.
fn find_bucket(path: &str) -> (&'static str, u32) {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match *segments.as_slice() {
        ["api", "v1", "apps", _] => ("/api/v1/apps/{id}", 500),
        ["api", "v1", "apps", ..] => ("/api/v1/apps", 100),
        ["api", "v1", "groups", ..] => ("/api/v1/groups", 500),
        ["api", "v1", "users", ..] => ("/api/v1/users", 600),
        ["api", "v1", "logs", ..] => ("/api/v1/logs", 120),
        ["api", "v1", ..] => ("/api/v1", 1200),
        ["oauth2", "v1", "token"] => ("/oauth2/v1/token", 2000),
        ["oauth2", "v1", "clients", ..] => ("/oauth2/v1/clients", 100),
        _ => ("others", 1200),
    }
}

/// Sets the rate-limit headers, and replaces existing ones.
pub(crate) fn mark(mut reply: Reply, limit: u32, remaining: u32, reset: i64) -> Reply {
    let values = [
        (HeaderName::from_static("x-rate-limit-limit"), limit.to_string()),
        (HeaderName::from_static("x-rate-limit-remaining"), remaining.to_string()),
        (HeaderName::from_static("x-rate-limit-reset"), reset.to_string()),
    ];
    for (name, value) in values {
        reply.headers.remove(&name);
        reply = reply.with_header(name, &value);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_full_window_refuses_until_the_next_one_starts() {
        let mut limits = Limits::new(RateLimits::Each(2), 0);
        let admitted: Vec<_> = [0, 1, 2, 60].map(|s| limits.count("/api/v1/users", at(s)).is_admitted).into();
        assert_eq!(admitted, [true, true, false, true]);
        // Another bucket has a window of its own.
        assert!(limits.count("/api/v1/logs", at(2)).is_admitted);
    }

    #[test]
    fn each_kind_of_request_has_its_published_limit() {
        let mut limits = Limits::new(RateLimits::Published, 0);
        for (path, limit) in [
            ("/api/v1/apps", 100),
            ("/api/v1/apps/0oa1", 500),
            ("/api/v1/apps/0oa1/grants", 100),
            ("/api/v1/logs", 120),
            ("/api/v1/groups/00g1/users", 500),
            ("/api/v1/policies", 1200),
            ("/oauth2/v1/token", 2000),
            ("/integrations/api/v1/api-services", 1200),
        ] {
            assert_eq!(limits.count(path, at(0)).limit, limit, "{path}");
        }
    }

    #[test]
    fn others_use_their_part_evenly_and_are_refused_like_anybody() {
        let mut limits = Limits::new(RateLimits::Each(10), 50);
        assert_eq!(limits.count("/x", at(0)).remaining, 8, "the first of others, and this one");
        assert_eq!(limits.count("/x", at(30)).remaining, 5);
        for _ in 0..20 {
            limits.count("/x", at(31));
        }
        limits.count("/x", at(59));
        assert_eq!(limits.others_view, OthersView { admitted: 3, refused: 2 });
    }
}
