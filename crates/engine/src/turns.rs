//! Pauses runs. Whoever is about to change something takes a turn first, and while runs are paused nobody gets one.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// The turns of a process. Copies give the same ones.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    /// Every turn reads it, and a pause writes it. A pause that waits for turns to end lets no new ones begin.
    lock: Arc<RwLock<()>>,
    pause: Arc<Mutex<Option<OwnedRwLockWriteGuard<()>>>>,
}

/// The right to change something until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _read: OwnedRwLockReadGuard<()>,
}

impl Turns {
    /// Waits for a turn, while runs are paused.
    pub(crate) async fn take(&self) -> Turn {
        Turn { _read: Arc::clone(&self.lock).read_owned().await }
    }

    /// Gives no more turns, and returns once those that were given have ended. Returns false if runs are paused already.
    pub(crate) async fn pause(&self) -> bool {
        let mut pause = self.pause.lock().await;
        if pause.is_some() {
            return false;
        }
        *pause = Some(Arc::clone(&self.lock).write_owned().await);
        true
    }

    /// Whether runs are paused. While a pause waits for turns to end, this waits too.
    pub async fn is_paused(&self) -> bool {
        self.pause.lock().await.is_some()
    }

    /// Gives turns again. Returns false if runs are not paused.
    pub(crate) async fn unpause(&self) -> bool {
        self.pause.lock().await.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_pause_waits_for_turns_and_lets_none_begin() {
        let turns = Turns::default();
        let (one, other) = (turns.take().await, turns.take().await);
        let mut pausing = Box::pin(turns.pause());
        assert_eq!(pausing.as_mut().now_or_never(), None, "two have not ended");
        drop(one);
        assert!(turns.take().now_or_never().is_none(), "no new one begins meanwhile");
        assert_eq!(pausing.as_mut().now_or_never(), None);
        drop(other);
        assert!(pausing.await);
        assert!(turns.take().now_or_never().is_none());
        assert!(!turns.pause().await, "paused already");
        assert!(turns.unpause().await);
        assert!(!turns.unpause().await, "not paused");
        assert!(turns.take().now_or_never().is_some());
    }
}
