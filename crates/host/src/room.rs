//! Room for long answers. All sessions of a process share it, so that many long answers at once cannot fill the memory.
//!
//! An answer takes all of its room at once, and gives it back when its plugin has it. While it has room it waits for no
//! other answer, so the answers that wait always get their turn.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::budget::{ANSWER, ANSWERS};

/// Answers up to this many bytes need no room: the number of asks at once limits them. No token and no change waits for others.
pub(crate) const SMALL_ANSWER: usize = 32 * 1024;

// The longest answer always fits.
const _: () = assert!(ANSWER.limit <= ANSWERS.limit);

/// The room of one process, in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// The room that one answer takes up until the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Held(#[expect(dead_code, reason = "dropping it gives the room back")] Arc<OwnedSemaphorePermit>);

/// How long a request has waited for room. The time limit of the request does not include it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waited(Arc<Mutex<Wait>>);

#[derive(Debug, Default)]
struct Wait {
    ended: Duration,
    since: Option<Instant>,
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ANSWERS.limit)))
    }
}

impl Room {
    /// Waits for room for an answer of this length, which must not exceed the longest.
    pub(crate) async fn take(&self, length: usize, waited: &Waited) -> Option<OwnedSemaphorePermit> {
        waited.lock().since = Some(Instant::now());
        let permit = Arc::clone(&self.0).acquire_many_owned(u32::try_from(length).ok()?).await;
        let mut wait = waited.lock();
        let since = wait.since.take();
        wait.ended += since.map(|since| since.elapsed()).unwrap_or_default();
        // Nobody closes it.
        permit.ok()
    }
}

impl Held {
    /// Gives back what the answer does not need after all.
    pub(crate) fn of(mut permit: OwnedSemaphorePermit, length: usize) -> Self {
        drop(permit.split(permit.num_permits().saturating_sub(length)));
        Self(Arc::new(permit))
    }
}

impl Waited {
    /// How long it has waited since the last time that somebody asked.
    pub(crate) fn take(&self) -> Duration {
        let mut wait = self.lock();
        let now = Instant::now();
        let going_on = wait.since.as_mut().map(|since| now - std::mem::replace(since, now));
        std::mem::take(&mut wait.ended) + going_on.unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Wait> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_until_there_is_room_for_all_of_it() {
        let room = Room::default();
        let take = async |length| Held::of(room.take(length, &Waited::default()).await.unwrap(), length);
        let mut held = Vec::new();
        for _ in 0..ANSWERS.limit / ANSWER.limit {
            held.push(take(ANSWER.limit).await);
        }
        let waited = Waited::default();
        let next = room.take(ANSWER.limit, &waited);
        tokio::pin!(next);
        assert!(tokio::time::timeout(Duration::from_secs(3600), &mut next).await.is_err());
        assert_eq!([waited.take(), waited.take()], [Duration::from_secs(3600), Duration::ZERO]);
        tokio::time::advance(Duration::from_secs(5)).await;
        held.pop();
        let permit = next.await.unwrap();
        assert_eq!([waited.take(), waited.take()], [Duration::from_secs(5), Duration::ZERO]);

        // It needs less than it was afraid of, and the rest is free at once.
        let held_small = Held::of(permit, SMALL_ANSWER + 1);
        let rest = take(ANSWER.limit - SMALL_ANSWER - 1).await;
        drop((held, held_small, rest));
        assert_eq!(room.0.available_permits(), ANSWERS.limit);
    }
}
