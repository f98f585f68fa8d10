//! One writer at a time: an exclusive lock on a file beside the journal, which says who holds it.
//!
//! The lock is the kernel's, so it ends with its holder however that ends. The file is never removed: two processes
//! could then hold locks on two files of one name.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use flowswap_engine::JournalError;
use jiff::{Timestamp, Unit};

use crate::durable;

/// Held while the journal is open for writing.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
}

impl WriterLock {
    pub(crate) fn take(journal: &Path) -> Result<Self, JournalError> {
        let failed = |source: io::Error| JournalError::Storage { doing: "lock the journal", source: Box::new(source) };
        let mut file = durable::open_or_create(&durable::sibling(journal, ".lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse { holder: read_holder(&mut file) }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut lock = Self { file };
        lock.sign().map_err(failed)?;
        Ok(lock)
    }

    fn sign(&mut self) -> io::Result<()> {
        let since = Timestamp::now();
        let since = since.round(Unit::Second).unwrap_or(since);
        self.file.set_len(0)?;
        writeln!(self.file, "process {}, since {since}", std::process::id())
    }
}

impl Drop for WriterLock {
    /// So that the next holder's signature is not preceded by ours for a moment.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// The holder signs after it has locked, so there is a moment in which it is not known.
fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    let known = file.take(200).read_to_string(&mut text).is_ok() && !text.trim().is_empty();
    if known { text.trim().to_owned() } else { "it does not say who it is".to_owned() }
}
