//! Pauses runs. A tenant takes a turn before something is changed there, and while runs are paused none gets one.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::{Actor, Time};

/// The turns of a process. Copies give the same ones.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    /// Every turn reads it, and a pause writes it. A pause that waits for turns to end lets no new ones begin.
    lock: Arc<RwLock<()>>,
    pause: Arc<Mutex<Option<Pause>>>,
}

/// A pause, for as long as it lasts.
#[derive(Debug)]
struct Pause {
    paused: Paused,
    _write: OwnedRwLockWriteGuard<()>,
}

/// The right to change something until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _read: OwnedRwLockReadGuard<()>,
}

/// Who paused, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Paused {
    /// Who.
    pub by: Actor,
    /// When, by the clock of this machine.
    #[schemars(with = "Time")]
    pub at: Timestamp,
}

/// Whether the runs of a process may change something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pace {
    /// They may.
    Running,
    /// They finish the steps that have begun, and begin no others.
    Pausing,
    /// They change nothing.
    Paused(Paused),
}

impl Turns {
    /// Waits for a turn, while runs are paused.
    pub(crate) async fn take(&self) -> Turn {
        Turn { _read: Arc::clone(&self.lock).read_owned().await }
    }

    /// Gives no more turns, and returns once those that were given have ended. Returns false if runs are paused already.
    pub(crate) async fn pause(&self, paused: Paused) -> bool {
        let mut pause = self.pause.lock().await;
        if pause.is_some() {
            return false;
        }
        *pause = Some(Pause { paused, _write: Arc::clone(&self.lock).write_owned().await });
        true
    }

    /// Gives turns again. Returns false if runs are not paused. While a pause waits for turns to end, this waits too.
    pub(crate) async fn unpause(&self) -> bool {
        self.pause.lock().await.take().is_some()
    }

    /// Whether turns are given now.
    pub fn pace(&self) -> Pace {
        match self.pause.try_lock().as_deref() {
            Err(_) => Pace::Pausing,
            Ok(None) => Pace::Running,
            Ok(Some(pause)) => Pace::Paused(pause.paused.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_pause_waits_for_turns_and_lets_none_begin() {
        let turns = Turns::default();
        let paused = Paused { by: Actor::user("bob"), at: Timestamp::UNIX_EPOCH };
        let (one, other) = (turns.take().await, turns.take().await);
        assert_eq!(turns.pace(), Pace::Running);
        let mut pausing = Box::pin(turns.pause(paused.clone()));
        assert_eq!(pausing.as_mut().now_or_never(), None, "two have not ended");
        assert_eq!(turns.pace(), Pace::Pausing);
        drop(one);
        assert!(turns.take().now_or_never().is_none(), "no new one begins meanwhile");
        assert_eq!(pausing.as_mut().now_or_never(), None);
        drop(other);
        assert!(pausing.await);
        assert_eq!(turns.pace(), Pace::Paused(paused.clone()));
        assert!(turns.take().now_or_never().is_none());
        assert!(!turns.pause(paused).await, "paused already");
        assert!(turns.unpause().await);
        assert!(!turns.unpause().await, "not paused");
        assert!(turns.take().now_or_never().is_some());
    }
}
