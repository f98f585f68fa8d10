//! Keeps flowswap a good neighbor: all sessions of the process together use only a share of each rate limit, and spread their
//! requests. What the limits are, the servers say in their answers.

mod bucket;
mod share;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use tokio::time::Instant;

use self::bucket::Bucket;
pub(crate) use self::bucket::{Reading, Reason};
pub use self::share::Share;

/// How often a request looks whether another one has ended.
const LOOK: Duration = Duration::from_millis(50);

/// After this many answers without trouble, one more request may be in flight.
const CALM: u32 = 20;

/// Okta allows no org more requests in flight (developer.okta.com, "Concurrency rate limits").
const MOST_IN_FLIGHT: u32 = 75;

/// Admits requests. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct Governor(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    share: Share,
    /// Waits differ a little, so that several processes do not come at the same moment.
    rng: Rng,
    origins: BTreeMap<String, Origin>,
}

#[derive(Debug, Default)]
struct Origin {
    buckets: HashMap<String, Bucket>,
    in_flight: u32,
    /// How many may be in flight, once the server has refused one because of that.
    width: Option<u32>,
    /// How many answers came since the width was changed.
    calm: u32,
    usage: Usage,
}

/// How much of a server's limits the process has used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// The requests that were sent.
    pub requests: u64,
    /// The largest part of a limit in one of its windows, from 0 to 1. 0 if the server shows no limits.
    pub highest: f64,
    /// How long requests have waited in all.
    pub waited: Duration,
    /// How many requests the server refused with 429.
    pub refused: u64,
}

/// The bucket that a request counts in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The server.
    pub(crate) origin: &'a str,
    /// Which of its limits. Empty if it has only one.
    pub(crate) bucket: &'a str,
    /// Whether the server shows its limits in its answers. Then other requests wait for the first one.
    pub(crate) shows_limits: bool,
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct Permit {
    governor: Governor,
    origin: String,
    bucket: String,
}

impl Governor {
    /// One that uses this share of each limit. The seed decides by how much waits differ.
    pub(crate) fn new(share: Share, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { share, rng: Rng::with_seed(seed), origins: BTreeMap::new() })))
    }

    /// How long a request must wait at least, and why. `None` if it may be sent now.
    pub(crate) fn hold(&self, place: Place<'_>) -> Option<(Duration, Reason)> {
        self.lock().hold(place, Instant::now())
    }

    /// Admits a request if it may be sent now.
    ///
    /// # Errors
    ///
    /// How long it must wait before it asks again, and why.
    pub(crate) fn admit(&self, place: Place<'_>) -> Result<Permit, (Duration, Reason)> {
        let now = Instant::now();
        let mut state = self.lock();
        match state.hold(place, now) {
            Some(held) => Err(held),
            None => {
                state.send(place, now);
                Ok(self.permit(place))
            }
        }
    }

    /// Admits a request that must not wait. It counts.
    pub(crate) fn admit_at_once(&self, place: Place<'_>) -> Permit {
        self.lock().send(place, Instant::now());
        self.permit(place)
    }

    /// Learns from an answer. With `refused`, the server refused the request because of a limit, and says to wait this long.
    pub(crate) fn learn(&self, place: Place<'_>, reading: Option<Reading>, refused: Option<Duration>) {
        let (now, mut state) = (Instant::now(), self.lock());
        let share = state.share;
        let origin = state.origin(place.origin);
        // Okta's answer to too many requests at once: a limit of 0 (developer.okta.com, "Monitor rate limits").
        let is_of_width = reading.is_some_and(|reading| reading.limit == Some(0)) && refused.is_some();
        origin.usage.refused += u64::from(refused.is_some());
        let bucket = origin.buckets.entry(place.bucket.to_owned()).or_default();
        bucket.answer();
        if is_of_width {
            (origin.width, origin.calm) = (Some((origin.in_flight / 2).max(1)), 0);
            return;
        }
        match (refused, reading) {
            (Some(wait), _) => bucket.refuse(reading, wait, now),
            (None, Some(reading)) => bucket.learn(share, reading, now),
            (None, None) => {}
        }
        origin.widen();
    }

    /// Notes how long a request has waited.
    pub(crate) fn note_wait(&self, place: Place<'_>, waited: Duration) {
        self.lock().origin(place.origin).usage.waited += waited;
    }

    /// How much of each server's limits the process has used, by origin.
    pub(crate) fn usage(&self) -> BTreeMap<String, Usage> {
        self.lock().origins.iter().map(|(origin, known)| (origin.clone(), known.usage)).collect()
    }

    fn permit(&self, place: Place<'_>) -> Permit {
        Permit { governor: self.clone(), origin: place.origin.to_owned(), bucket: place.bucket.to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn origin(&mut self, origin: &str) -> &mut Origin {
        self.origins.entry(origin.to_owned()).or_default()
    }

    fn hold(&mut self, place: Place<'_>, now: Instant) -> Option<(Duration, Reason)> {
        let share = self.share;
        let origin = self.origin(place.origin);
        let (wait, reason, spread) = if origin.width.is_some_and(|width| origin.in_flight >= width) {
            (LOOK, Reason::InFlight, LOOK)
        } else {
            let bucket = origin.buckets.entry(place.bucket.to_owned()).or_default();
            let (wait, reason) = bucket.hold(share, place.shows_limits, now)?;
            (wait, reason, bucket.spacing(share))
        };
        Some((wait + spread.mul_f64(self.rng.f64() / 2.0), reason))
    }

    fn send(&mut self, place: Place<'_>, now: Instant) {
        let share = self.share;
        let origin = self.origin(place.origin);
        origin.in_flight += 1;
        origin.usage.requests += 1;
        let used = origin.buckets.entry(place.bucket.to_owned()).or_default().send(share, now);
        origin.usage.highest = origin.usage.highest.max(used.unwrap_or(0.0));
    }
}

impl Origin {
    /// One more request may be in flight after a calm time.
    fn widen(&mut self) {
        let Some(width) = self.width.as_mut() else { return };
        self.calm += 1;
        if self.calm >= CALM {
            (*width, self.calm) = (*width + 1, 0);
        }
        self.width.take_if(|width| *width >= MOST_IN_FLIGHT);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.governor.lock();
        let origin = state.origin(&self.origin);
        origin.in_flight -= 1;
        if let Some(bucket) = origin.buckets.get_mut(&self.bucket) {
            bucket.end();
        }
    }
}

#[cfg(test)]
mod tests;
