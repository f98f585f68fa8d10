//! Rate limits: one window per minute and org, shown in three headers of every answer.

use http::HeaderName;
use jiff::{SignedDuration, Timestamp};

use crate::message::Reply;

const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// The limit that an org without a configured limit shows.
const DEFAULT_LIMIT: u32 = 10_000;

/// The current window of an org. Okta's windows last 60 seconds and do not follow the wall-clock minute (Okta, "Rate limits").
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    limit: Option<u32>,
    opened: Option<Timestamp>,
    used: u32,
}

impl Window {
    pub(crate) fn new(limit: Option<u32>) -> Self {
        Self { limit, opened: None, used: 0 }
    }

    /// Counts a request. Returns false if it exceeds the limit.
    pub(crate) fn admit(&mut self, now: Timestamp) -> bool {
        if self.opened.is_none_or(|opened| now.duration_since(opened) >= WINDOW) {
            self.opened = Some(now);
            self.used = 0;
        }
        self.used = self.used.saturating_add(1);
        self.limit.is_none_or(|limit| self.used <= limit)
    }

    /// Whether the last request was the first in its window to exceed the limit.
    pub(crate) fn has_just_closed(&self) -> bool {
        self.limit.is_some_and(|limit| self.used == limit.saturating_add(1))
    }

    /// Adds the three headers. `X-Rate-Limit-Reset` is in UTC epoch seconds (Okta, "Monitor rate limits").
    pub(crate) fn mark(&self, reply: Reply, now: Timestamp) -> Reply {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        let reset = self.opened.unwrap_or(now) + WINDOW;
        mark(reply, limit, limit.saturating_sub(self.used), reset.as_second())
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

    #[test]
    fn a_full_window_refuses_until_the_next_one_starts() {
        let (mut window, start) = (Window::new(Some(2)), Timestamp::UNIX_EPOCH);
        let admitted: Vec<_> = [0, 1, 2, 60].map(|s| window.admit(start + SignedDuration::from_secs(s))).into();
        assert_eq!(admitted, [true, true, false, true]);
    }
}
