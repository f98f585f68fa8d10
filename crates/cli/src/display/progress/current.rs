//! What Ctrl-C, or another request to stop, says about the work that is shown now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Progress;
use crate::{
    display::{tenants, text::text},
    terminal::{OpenLine, Terminal},
};

/// Who wants flowswap to stop.
#[derive(Clone, Copy)]
pub(crate) enum StopRequest {
    /// The person at the terminal.
    CtrlC,
    /// A program, such as a service manager, or whatever read the events.
    ByProgram,
}

impl StopRequest {
    /// How to stop at once. A program knows.
    fn again(self) -> &'static str {
        match self {
            Self::CtrlC => "; press Ctrl-C again to stop at once",
            Self::ByProgram => "",
        }
    }
}

/// The progress that is shown now.
#[derive(Clone, Default)]
pub(crate) struct CurrentProgress(Arc<Mutex<Weak<Progress>>>);

impl CurrentProgress {
    /// From now on this is shown.
    pub(crate) fn set(&self, progress: &Arc<Progress>) {
        *self.lock() = Arc::downgrade(progress);
    }

    /// The first request: says what is finishing.
    pub(crate) fn say_stopping(&self, terminal: Terminal, by: StopRequest) {
        match self.shown() {
            Some(progress) => progress.say_stopping(by),
            // The question ends at once.
            None if OpenLine::is_open() => {}
            None => terminal.say(text!("stopping{}", by.again())),
        }
    }

    /// The second request: says how the work goes on.
    pub(crate) fn say_stopped(&self, terminal: Terminal) {
        let Some(progress) = self.shown() else { return };
        if let Some(bar) = &progress.bar {
            bar.clear();
        }
        if progress.tally().is_run {
            terminal.say("stopped at once; flowswap checks the steps that were cut off before it goes on");
            terminal.say("next: flowswap resume");
        }
    }

    fn shown(&self) -> Option<Arc<Progress>> {
        self.lock().upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, Weak<Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Says what is still going on. From now on, nobody can say how long the rest takes.
    pub(super) fn say_stopping(&self, by: StopRequest) {
        let mut tally = self.tally();
        tally.is_stopping = true;
        let (running, is_run) = (tally.running.len(), tally.is_run);
        drop(tally);
        self.print(match running {
            1 if is_run => text!("stopping: {} finishes its step{}", tenants(1), by.again()),
            _ if is_run && running > 0 => text!("stopping: {} finish their step{}", tenants(running), by.again()),
            _ => text!("stopping{}", by.again()),
        });
    }
}
