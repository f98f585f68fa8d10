//! Holds output back during a conversation with the person at the terminal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{display::text::Text, terminal::Terminal};

/// Holds output back during a conversation with the person at the terminal, and prints it afterwards. Contains the queued
/// texts while the gate is closed.
#[derive(Clone, Default)]
pub(crate) struct OutputGate(Arc<Mutex<Option<Vec<Text>>>>);

/// Keeps an [`OutputGate`] closed. Prints the queued texts when it is dropped.
pub(crate) struct OutputHold {
    gate: OutputGate,
    terminal: Terminal,
}

impl OutputGate {
    /// Closes the gate. Conversations do not overlap, so it is open before.
    pub(crate) fn hold(&self, terminal: Terminal) -> OutputHold {
        *self.lock() = Some(Vec::new());
        OutputHold { gate: self.clone(), terminal }
    }

    /// Prints a text now, or queues it while the gate is closed.
    pub(crate) fn say(&self, terminal: Terminal, text: Text) {
        match self.lock().as_mut() {
            Some(queued) => queued.push(text),
            None => terminal.say(text),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Text>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OutputHold {
    fn drop(&mut self) {
        for text in self.gate.lock().take().into_iter().flatten() {
            self.terminal.say(text);
        }
    }
}
