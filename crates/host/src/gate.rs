//! Holds requests to an origin that has reached its rate limit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{outage::Outages, skew::Skews, tokens::Tokens};

/// Which origins are held and until when, and what else all sessions of a process know of them. Clones share one state, so that
/// an answer to one session holds the requests of all sessions with the same origin.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    held: Arc<Mutex<HashMap<String, Instant>>>,
    pub(crate) outages: Outages,
    pub(crate) skews: Skews,
    pub(crate) tokens: Tokens,
}

impl Gate {
    /// Holds requests to `origin` for `wait` from now on. Does not shorten a longer hold.
    pub(crate) fn hold(&self, origin: &str, wait: Duration) {
        let until = Instant::now() + wait;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held.entry(origin.to_owned()).or_insert(until);
        *known = until.max(*known);
    }

    /// How long a request to `origin` must wait; `None` if it need not.
    pub(crate) fn wait(&self, origin: &str) -> Option<Duration> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let until = *held.get(origin)?;
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            held.remove(origin);
            return None;
        }
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_origin_is_held_for_its_time_without_holding_others() {
        let gate = Gate::default();
        gate.hold("https://a.test", Duration::from_secs(10));
        gate.hold("https://a.test", Duration::from_secs(3));
        assert_eq!(gate.wait("https://b.test"), None);
        assert_eq!(gate.clone().wait("https://a.test"), Some(Duration::from_secs(10)));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(gate.wait("https://a.test"), None);
    }
}
