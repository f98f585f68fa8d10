//! Pauses runs, lets them go on, and notes that one was canceled, while they are at work.

use super::Runner;
use crate::{Actor, Entry, Event, JournalError, Pace, Paused};

impl Runner {
    /// Pauses all runs of the process, and returns once every step that they had begun has ended. After that, no request leaves
    /// that changes something, until [`unpause`](Self::unpause). Returns false if they are paused already.
    ///
    /// # Errors
    ///
    /// If the journal failed. Then the runs are not paused, but they will not get far without a journal.
    pub async fn pause(&self, by: Actor) -> Result<bool, JournalError> {
        let at = self.ports.clock.now();
        if !self.ports.turns.pause(Paused { by: by.clone(), at }).await {
            return Ok(false);
        }
        if let Err(error) = self.ports.logbook.note(self.run, Entry::RunPaused { by: by.clone() }).await {
            self.ports.turns.unpause().await;
            return Err(error);
        }
        self.ports.events.emit(Event::RunPaused { by });
        Ok(true)
    }

    /// Lets all runs of the process go on. Returns false if they are not paused.
    ///
    /// # Errors
    ///
    /// If the journal failed. Then nothing goes on.
    pub async fn unpause(&self, by: Actor) -> Result<bool, JournalError> {
        if self.ports.turns.pace() == Pace::Running {
            return Ok(false);
        }
        self.ports.logbook.note(self.run, Entry::RunUnpaused { by: by.clone() }).await?;
        let was_paused = self.ports.turns.unpause().await;
        self.ports.events.emit(Event::RunUnpaused { by });
        Ok(was_paused)
    }

    /// Records that a person stops the run. It goes on until the switch of [`Ports::stop`](super::Ports::stop) is turned.
    ///
    /// # Errors
    ///
    /// If the journal failed.
    pub async fn note_cancel(&self, by: Actor) -> Result<(), JournalError> {
        self.ports.logbook.note(self.run, Entry::RunCanceled { by: by.clone() }).await?;
        self.ports.events.emit(Event::RunCanceled { by });
        Ok(())
    }
}
