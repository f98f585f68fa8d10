//! Waits between the tries of a step, unless the run is stopped.

use std::time::Duration;

use flowswap_contract::{self as contract, ErrorKind};

use super::progress::Progress;
use crate::Event;

/// The longest that a step waits because the other side asks for it. A host's requests wait as long.
const MAX_WAIT: Duration = Duration::from_secs(70);

impl Progress<'_> {
    /// Waits; an error if the run is stopped before the time is over.
    pub(super) async fn pause(&self, wait: Duration) -> Result<(), contract::Error> {
        tokio::select! {
            biased;
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.ports.stop.stopped() => Err(contract::Error::new(ErrorKind::Interrupted, "the run was stopped")),
        }
    }

    /// Waits before a step is tried again: these seconds, or as long as the other side asked for in the error of the last try.
    pub(super) async fn pause_after(&self, error: &contract::Error, seconds: u64) -> Result<(), contract::Error> {
        let wait = Duration::from_secs(seconds);
        let Some(ms) = error.retry_after_ms else { return self.pause(wait).await };
        let wait = wait.max(Duration::from_millis(ms).min(MAX_WAIT));
        let ms = wait.as_millis().try_into().unwrap_or(u64::MAX);
        self.ports.events.emit(Event::Waiting { tenant: self.name().to_owned(), ms, reason: error.message.clone() });
        self.pause(wait).await
    }
}
