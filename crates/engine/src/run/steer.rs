//! Pauses a run, lets it go on, or notes that it was canceled, while it is at work.

use super::Runner;
use crate::{Actor, Entry, JournalError};

impl Runner {
    /// Pauses all runs of the process, and returns once every step that they had begun has ended. After that, no request leaves
    /// that changes something, until [`unpause`](Self::unpause). Returns false if they are paused already.
    ///
    /// # Errors
    ///
    /// If the journal failed. Then the runs are not paused, but they will not get far without a journal.
    pub async fn pause(&self, by: Actor) -> Result<bool, JournalError> {
        if !self.ports.turns.pause().await {
            return Ok(false);
        }
        let recorded = self.ports.logbook.note(self.run, Entry::RunPaused { by }).await;
        if recorded.is_err() {
            self.ports.turns.unpause().await;
        }
        recorded.map(|()| true)
    }

    /// Lets all runs of the process go on. Returns false if they are not paused.
    ///
    /// # Errors
    ///
    /// If the journal failed. Then nothing goes on.
    pub async fn unpause(&self, by: Actor) -> Result<bool, JournalError> {
        if !self.ports.turns.is_paused().await {
            return Ok(false);
        }
        self.ports.logbook.note(self.run, Entry::RunUnpaused { by }).await?;
        Ok(self.ports.turns.unpause().await)
    }

    /// Records that a person stops the run. Whoever has the switch of [`Ports::stop`](super::Ports::stop) stops it then.
    ///
    /// # Errors
    ///
    /// If the journal failed.
    pub async fn note_cancel(&self, by: Actor) -> Result<(), JournalError> {
        self.ports.logbook.note(self.run, Entry::RunCanceled { by }).await
    }
}
