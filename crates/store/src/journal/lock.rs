//! One writer at a time on this machine: an exclusive lock on a file beside the journal.
//!
//! It is a kernel lock, so it ends with its holder, even after a crash. The [lease](super::lease) says who the holder
//! is. The lock file is never removed, because two processes could then hold locks on two files of one name.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use flowswap_engine::JournalError;

use super::lease::Lease;
use crate::durable;

/// Held while the journal is open for writing.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
}

impl WriterLock {
    pub(crate) fn take(journal: &Path) -> Result<Self, JournalError> {
        let failed = |source: io::Error| JournalError::Storage { doing: "lock the journal", source: Box::new(source) };
        let file = durable::open_or_create(&durable::sibling(journal, ".lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(JournalError::InUse { holder: Lease::describe_holder(journal) }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl Drop for WriterLock {
    /// Closing the file is not enough: a child process that is just starting still has it open, and with it the lock (flock(2)).
    fn drop(&mut self) {
        // If this fails, the lock ends a moment later with that file.
        let _ = self.file.unlock();
    }
}
