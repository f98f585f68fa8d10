//! One cause for all: where nothing answers at all, repeating every request would take many minutes to say so, and where a proxy
//! wants credentials, it could lock the account.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::transport::Cause;

/// So many origins that fail by one cause, and none that answers, are no accident: nothing is repeated.
const NO_ACCIDENT: usize = 4;
/// So many are enough to try no others.
const ENOUGH: usize = 8;
/// While nothing is tried, one request goes out so often, to see whether it is over.
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Which origins cannot be reached, and why. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Outage(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// An origin answered, so what others lack is their own.
    anybody_answers: bool,
    failing: BTreeMap<String, Cause>,
    /// Those that were tried as often as a request is.
    given_up: BTreeSet<String>,
    probed: Option<Instant>,
}

impl Outage {
    /// The origin answered.
    pub(crate) fn answered(&self, origin: &str) {
        let mut state = self.lock();
        state.anybody_answers = true;
        state.failing.remove(origin);
        state.given_up.remove(origin);
    }

    /// No connection to the origin came about. Tells whether trying again makes sense.
    pub(crate) fn failed(&self, origin: &str, cause: Cause) -> bool {
        let mut state = self.lock();
        state.failing.insert(origin.to_owned(), cause);
        let is_general = !state.anybody_answers && state.count(cause) >= NO_ACCIDENT;
        !is_general && !state.given_up.contains(origin)
    }

    /// The origin was tried as often as a request is. The next request to it is tried once.
    pub(crate) fn gave_up(&self, origin: &str) {
        self.lock().given_up.insert(origin.to_owned());
    }

    /// Why a request need not be tried; none where it is to be.
    pub(crate) fn refuses(&self) -> Option<Cause> {
        let mut state = self.lock();
        if state.anybody_answers {
            return None;
        }
        let cause = state.failing.values().copied().find(|cause| state.count(*cause) >= ENOUGH)?;
        let is_due = state.probed.is_none_or(|at| at.elapsed() >= PROBE_EVERY);
        if is_due && state.probed.replace(Instant::now()).is_some() {
            return None;
        }
        Some(cause)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&self, cause: Cause) -> usize {
        self.failing.values().filter(|other| **other == cause).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_fails_everywhere_is_not_repeated_and_then_not_tried() {
        let outage = Outage::default();
        let fail = |n: usize| outage.failed(&format!("https://{n}.test"), Cause::Refused);
        assert_eq!([1, 2, 3, 3, 4, 5].map(fail), [true, true, true, true, false, false]);
        assert_eq!(outage.refuses(), None);
        // Another cause is another matter.
        assert!(outage.failed("https://other.test", Cause::Unreachable));
        assert_eq!([6, 7, 8].map(fail), [false; 3]);
        assert_eq!(outage.refuses(), Some(Cause::Refused));
        tokio::time::advance(PROBE_EVERY).await;
        assert_eq!(outage.refuses(), None, "a probe");
        assert_eq!(outage.clone().refuses(), Some(Cause::Refused));
        outage.answered("https://1.test");
        assert_eq!(outage.refuses(), None);
        assert!(fail(9), "an origin answers, so this one may be an accident");
    }

    #[test]
    fn an_origin_that_was_given_up_is_tried_once_until_it_answers() {
        let outage = Outage::default();
        assert!(outage.failed("https://a.test", Cause::Refused));
        outage.gave_up("https://a.test");
        assert!(!outage.failed("https://a.test", Cause::Refused));
        outage.answered("https://a.test");
        assert!(outage.failed("https://a.test", Cause::Refused));
    }
}
