//! Locks that do not fail.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, even if a thread panicked with the lock: the objects of the simulator are always valid.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
