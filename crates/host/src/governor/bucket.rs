//! One bucket of a server's rate limit: how many requests flowswap may send to it, and when. Pure: it is told the time.

use std::time::Duration;

use tokio::time::Instant;

use super::{LOOK, Share};

/// How long a window lasts if the server has not shown it: Okta's (developer.okta.com, "Rate limits overview").
const WINDOW: Duration = Duration::from_secs(60);

/// The part of its share that flowswap may send at once. It spreads the rest over the window.
const AT_ONCE: u32 = 4;

/// Two ends of windows that are this close are the same: servers show whole seconds.
const SAME: Duration = Duration::from_secs(2);

/// What an answer says about the bucket of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// How many requests all clients together may send in a window, if the server says so.
    pub(crate) limit: Option<u32>,
    /// How many of them are left.
    pub(crate) remaining: u32,
    /// How long the window still lasts.
    pub(crate) rest: Duration,
}

/// Why a request waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The server refused one, or said when to come again.
    Refused,
    /// Requests are spread over the window.
    Spread,
    /// What is left in the window is for others.
    Share,
    /// Too many are in flight for the server.
    InFlight,
    /// The first answer will show the limit.
    Unknown,
}

/// What flowswap knows of a bucket, and what it has sent.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// How many requests all clients together may send in a window.
    limit: Option<u32>,
    /// How many flowswap may send, if the server allows its client fewer.
    own_limit: Option<u32>,
    /// How many are left for all.
    remaining: u32,
    window: Option<Duration>,
    ends: Option<Instant>,
    /// How many flowswap has sent in this window.
    sent: u32,
    /// When the next one is due if all of the share are spread evenly.
    due: Option<Instant>,
    /// Nothing may be sent before.
    held: Option<Instant>,
    knowledge: Knowledge,
}

/// Whether the server has shown the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Knowledge {
    #[default]
    Nothing,
    /// The first request is in flight.
    Asked,
    /// It has answered.
    Answered,
}

impl Bucket {
    /// How long a request must wait at least, and why. `None` if it may be sent.
    pub(super) fn hold(&mut self, share: Share, shows_limits: bool, now: Instant) -> Option<(Duration, Reason)> {
        if let Some(until) = self.held.filter(|until| *until > now) {
            return Some((until - now, Reason::Refused));
        }
        self.begin_window(now);
        if shows_limits && self.knowledge == Knowledge::Asked {
            return Some((LOOK, Reason::Unknown));
        }
        let limit = self.limit?;
        let cap = self.cap(share, limit);
        let rest = self.ends.map_or(Duration::ZERO, |ends| ends - now);
        if self.sent >= cap && !rest.is_zero() {
            return Some((rest, Reason::Share));
        }
        // Others may still need their part of the rest of the window. If they used more than that before, too little is left for both.
        let others = limit - share.of(limit);
        if !rest.is_zero() && f64::from(self.remaining) <= f64::from(others) * (rest.div_duration_f64(self.window())) {
            let until = self.window().mul_f64(f64::from(self.remaining) / f64::from(others.max(1)));
            return Some((rest.saturating_sub(until).max(Duration::from_millis(1)), Reason::Share));
        }
        let at_once = self.interval(cap) * (cap / AT_ONCE).saturating_sub(1);
        let due = self.due.filter(|due| *due > now + at_once)?;
        Some((due - at_once - now, Reason::Spread))
    }

    /// Counts a request that is sent now. Returns the part of the limit that flowswap has used in this window.
    pub(super) fn send(&mut self, share: Share, now: Instant) -> Option<f64> {
        self.begin_window(now);
        if self.knowledge == Knowledge::Nothing {
            self.knowledge = Knowledge::Asked;
        }
        self.sent += 1;
        self.remaining = self.remaining.saturating_sub(1);
        // Until an answer says better, the window begins with this request.
        let window = self.window();
        self.ends.get_or_insert(now + window);
        let limit = self.limit?;
        let cap = self.cap(share, limit);
        let interval = self.interval(cap);
        // One that is late by less than an interval does not make the later ones late.
        let earliest = now.checked_sub(interval).unwrap_or(now);
        self.due = Some(self.due.map_or(now, |due| due.max(earliest)) + interval);
        Some(f64::from(self.sent) / f64::from(limit))
    }

    /// Notes that the server has answered.
    pub(super) fn answer(&mut self) {
        self.knowledge = Knowledge::Answered;
    }

    /// Notes that a request has ended, with or without an answer.
    pub(super) fn end(&mut self) {
        if self.knowledge == Knowledge::Asked {
            self.knowledge = Knowledge::Nothing;
        }
    }

    /// Learns from an answer.
    pub(super) fn learn(&mut self, share: Share, reading: Reading, now: Instant) {
        if reading.rest > self.window() {
            self.window = Some(reading.rest);
        }
        let ends = now + reading.rest;
        match self.ends {
            Some(known) if known + SAME >= ends => self.remaining = self.remaining.min(reading.remaining),
            // Another window has begun, with this request in it.
            Some(_) => (self.sent, self.remaining) = (self.attribute(share, reading), reading.remaining),
            None => self.remaining = reading.remaining,
        }
        if self.limit.is_none() {
            (self.sent, self.remaining) = (self.sent.max(self.attribute(share, reading)), reading.remaining);
            // Without the limit, nothing can be spread, but nothing is left.
            self.held = (reading.limit.is_none() && reading.remaining == 0).then_some(ends).or(self.held);
        }
        self.ends = Some(ends);
        self.limit = reading.limit.filter(|limit| *limit > 0).or(self.limit);
    }

    /// Learns that the server refused a request, and sends nothing for a time.
    pub(super) fn refuse(&mut self, reading: Option<Reading>, wait: Duration, now: Instant) {
        let until = now + wait;
        self.held = Some(self.held.map_or(until, |held| held.max(until)));
        let Some(limit) = reading.and_then(|reading| reading.limit) else { return };
        match self.limit {
            // Okta refuses with the limit that was reached: here, one of the client alone.
            Some(known) if limit < known => self.own_limit = Some(limit),
            _ => self.limit = Some(limit),
        }
    }

    /// The time between two requests that are spread evenly. Zero if no limit is known.
    pub(super) fn spacing(&self, share: Share) -> Duration {
        self.limit.map_or(Duration::ZERO, |limit| self.interval(self.cap(share, limit)))
    }

    /// How many requests of a window that began without flowswap may have been its own. An earlier command may have sent some, so what
    /// goes beyond the part of others until now counts as flowswap's.
    fn attribute(&self, share: Share, reading: Reading) -> u32 {
        let Some(limit) = reading.limit else { return 1 };
        let used = limit.saturating_sub(reading.remaining);
        let begun = 1.0 - reading.rest.div_duration_f64(self.window()).min(1.0);
        let of_others = (f64::from(limit - share.of(limit)) * begun).ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a part of the limit")]
        let of_others = of_others as u32;
        used.saturating_sub(of_others).max(1)
    }

    fn begin_window(&mut self, now: Instant) {
        if self.ends.take_if(|ends| *ends <= now).is_some() {
            self.sent = 0;
            self.remaining = self.limit.unwrap_or(0);
        }
    }

    /// How many requests flowswap may send in a window.
    fn cap(&self, share: Share, limit: u32) -> u32 {
        share.of(limit).min(self.own_limit.unwrap_or(u32::MAX)).max(1)
    }

    fn interval(&self, cap: u32) -> Duration {
        self.window() / cap
    }

    fn window(&self) -> Duration {
        self.window.unwrap_or(WINDOW).max(WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share::HALF;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn reading(limit: u32, remaining: u32, rest: u64) -> Reading {
        Reading { limit: Some(limit), remaining, rest: seconds(rest) }
    }

    /// A bucket of 40 whose window has just begun.
    fn known(now: Instant) -> Bucket {
        let mut bucket = Bucket::default();
        bucket.send(SHARE, now);
        bucket.answer();
        bucket.learn(SHARE, reading(40, 39, 60), now);
        bucket
    }

    /// Sends what may be sent in a window, with this many requests of others each second. Returns when each was sent.
    fn send_all(bucket: &mut Bucket, begin: Instant, others: u32) -> Vec<u64> {
        let mut times = Vec::new();
        for tick in 0..600_u64 {
            let now = begin + Duration::from_millis(tick * 100);
            if tick % 10 == 0 {
                bucket.remaining = bucket.remaining.saturating_sub(others);
            }
            if bucket.hold(SHARE, true, now).is_none() {
                bucket.send(SHARE, now);
                times.push(tick / 10);
            }
        }
        times
    }

    #[tokio::test]
    async fn half_of_the_limit_is_sent_some_at_once_and_the_rest_spread() {
        let begin = Instant::now();
        let mut bucket = known(begin);
        let times = send_all(&mut bucket, begin, 0);
        assert_eq!(times.len(), 19, "the share is 20, with the one that has taught the limit");
        assert_eq!(times.iter().filter(|time| **time == 0).count(), 5);
        let gaps: Vec<u64> = times[5..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap == 3), "{times:?}");
        assert_eq!(bucket.hold(SHARE, true, begin + seconds(59)), Some((seconds(1), Reason::Share)));
        assert_eq!(bucket.hold(SHARE, true, begin + seconds(60)), None);
    }

    #[tokio::test]
    async fn others_come_first_when_they_use_more_than_their_share() {
        let begin = Instant::now();
        // They use 60 of 40: nothing may be left for flowswap, and no request of flowswap is in their way.
        let mut bucket = known(begin);
        assert!(send_all(&mut bucket, begin, 1).len() < 15);
        // They have used 30 at once. Of the 10 that are left, flowswap takes its part late in the window.
        let mut bucket = known(begin);
        bucket.learn(SHARE, reading(40, 10, 60), begin);
        let times = send_all(&mut bucket, begin, 0);
        assert_eq!((times[0], times.len()), (30, 10), "{times:?}");
    }

    #[tokio::test]
    async fn a_window_that_began_elsewhere_is_recognized() {
        let begin = Instant::now();
        let mut bucket = known(begin);
        send_all(&mut bucket, begin, 0);
        // The server's window ended earlier than its last answer said.
        bucket.learn(SHARE, reading(40, 30, 60), begin + seconds(50));
        assert_eq!(bucket.sent, 10, "nobody can know whose the other nine are");
        // The answer to an older request says more than is left by now.
        bucket.learn(SHARE, reading(40, 35, 60), begin + seconds(50));
        assert_eq!(bucket.remaining, 30);
    }

    /// An earlier command has sent 15 of 40 requests in the last 30 seconds, and others 10.
    #[tokio::test]
    async fn what_others_did_not_send_was_an_earlier_command() {
        let begin = Instant::now();
        let mut bucket = Bucket::default();
        bucket.send(SHARE, begin);
        bucket.answer();
        bucket.learn(SHARE, reading(40, 14, 30), begin);
        assert_eq!(bucket.sent, 16);
        assert!(send_all(&mut bucket, begin, 0).iter().filter(|time| **time < 30).count() <= 4);
        // Others alone have used their part.
        let mut bucket = Bucket::default();
        bucket.send(SHARE, begin);
        bucket.learn(SHARE, reading(40, 29, 30), begin);
        assert_eq!(bucket.sent, 1);
    }

    #[tokio::test]
    async fn a_refusal_holds_the_bucket_and_may_show_a_lower_limit() {
        let begin = Instant::now();
        let mut bucket = known(begin);
        bucket.refuse(Some(reading(8, 0, 20)), seconds(21), begin);
        bucket.refuse(None, seconds(3), begin);
        assert_eq!(bucket.hold(SHARE, true, begin + seconds(1)), Some((seconds(20), Reason::Refused)));
        assert_eq!(bucket.cap(SHARE, 40), 8);
        let mut unknown = Bucket::default();
        assert_eq!(unknown.hold(SHARE, true, begin), None);
        unknown.refuse(None, seconds(3), begin);
        assert_eq!(unknown.hold(SHARE, true, begin), Some((seconds(3), Reason::Refused)));
        assert_eq!(unknown.hold(SHARE, true, begin + seconds(3)), None);
    }
}
