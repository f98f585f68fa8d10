//! Waits between the attempts at a step, unless the run is stopped.

use std::time::Duration;

use flowswap_contract::{self as contract, ErrorKind};

use super::progress::Progress;
use crate::Event;

/// The longest that a step waits because the other side asks for it. The host's requests have the same limit.
const MAX_WAIT: Duration = Duration::from_secs(70);

impl Progress<'_> {
    /// Waits. Returns an error if the run is stopped first.
    pub(super) async fn pause(&self, wait: Duration) -> Result<(), contract::Error> {
        tokio::select! {
            biased;
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.ports.stop.stopped() => Err(contract::Error::new(ErrorKind::Interrupted, "the run was stopped")),
        }
    }

    /// Waits before a step is tried again: this many seconds, or longer if the last error asks for it.
    pub(super) async fn pause_after(&self, error: &contract::Error, seconds: u64) -> Result<(), contract::Error> {
        let wait = Duration::from_secs(seconds);
        let Some(ms) = error.retry_after_ms else { return self.pause(wait).await };
        let wait = wait.max(Duration::from_millis(ms).min(MAX_WAIT));
        let ms = wait.as_millis().try_into().unwrap_or(u64::MAX);
        self.ports.events.emit(Event::Waiting { tenant: self.name().to_owned(), ms, reason: error.message.clone() });
        self.pause(wait).await
    }
}
