//! The journal: an append-only, hash-chained table in SQLite, written by one process at a time.
//!
//! In production a thread of its own writes it, and gathers whatever waits into one transaction and one sync. Inline,
//! each append is a transaction on the caller, so that a simulation is deterministic. Both run the same [`Log`].

mod chain;
mod encoding;
mod lease;
mod lock;
mod log;
mod refusal;
mod scan;
mod schema;
mod writer;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use flowswap_engine::{Draft, Journal, JournalError, Record};
use futures::future::BoxFuture;

use encoding::Encoded;
pub use lease::{Holder, Takeover};
use log::Log;
pub use log::{Statistics, Summary};
pub use schema::FORMAT;
use writer::Writer;

/// The journal in an SQLite file.
#[derive(Debug)]
pub struct SqliteJournal {
    access: Access,
    epoch: u64,
    takeover: Option<Takeover>,
}

#[derive(Debug)]
enum Access {
    Thread(Writer),
    Inline(Mutex<Log>),
}

impl SqliteJournal {
    /// Opens the journal for its only writer, and makes it if it is not there. Appends of many tasks share syncs.
    ///
    /// This writer gets the next epoch, and whoever had the one before can write no more. Dropping the journal lets go
    /// of it. The end of the chain is checked; [`Journal::load`] checks all of it, so load before going on with
    /// anything.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let (log, takeover) = Log::open(path)?;
        let epoch = log.epoch();
        Ok(Self { access: Access::Thread(Writer::start(log)?), epoch, takeover })
    }

    /// Opens the journal for reading, also while another process writes it. One that is not there is an error.
    pub fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        Ok(Self::inline_from(Log::open_read_only(path)?, None))
    }

    /// Like [`open`](Self::open), without a thread: each append is written and synced on the caller.
    pub fn inline(path: &Path) -> Result<Self, JournalError> {
        let (log, takeover) = Log::open(path)?;
        Ok(Self::inline_from(log, takeover))
    }

    /// An inline journal that is forgotten when it is dropped.
    pub fn in_memory() -> Result<Self, JournalError> {
        Ok(Self::inline_from(Log::in_memory()?, None))
    }

    fn inline_from(log: Log, takeover: Option<Takeover>) -> Self {
        Self { epoch: log.epoch(), access: Access::Inline(Mutex::new(log)), takeover }
    }

    /// Who held the journal before and never let go of it, if that is how it was found.
    pub fn takeover(&self) -> Option<&Takeover> {
        self.takeover.as_ref()
    }

    /// Checks every record, and says how many there are and what the last hash is: equal heads mean equal journals.
    pub async fn check(&self) -> Result<Summary, JournalError> {
        self.read(Log::check).await
    }

    /// How many records were written since the journal was opened, and in how many transactions.
    pub fn statistics(&self) -> Statistics {
        match &self.access {
            Access::Thread(writer) => writer.statistics(),
            Access::Inline(log) => lock(log).statistics(),
        }
    }

    async fn read<T: Send + 'static>(&self, read: fn(&Log) -> Result<T, JournalError>) -> Result<T, JournalError> {
        match &self.access {
            Access::Thread(writer) => writer.read(read).await,
            Access::Inline(log) => read(&lock(log)),
        }
    }
}

impl Journal for SqliteJournal {
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<u64, JournalError>> {
        Box::pin(async move {
            let encoded = Encoded::of(&draft, self.epoch)?;
            match &self.access {
                Access::Thread(writer) => writer.append(encoded).await,
                Access::Inline(log) => Ok(lock(log).append(&[encoded]).map(|range| range.start)?),
            }
        })
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        Box::pin(self.read(Log::load))
    }
}

/// Checks every record of the journal at `path`, which another process may be writing.
pub fn verify(path: &Path) -> Result<Summary, JournalError> {
    Log::open_read_only(path)?.check()
}

/// A panic while the lock was held leaves a rolled-back transaction behind, which is a state like any other.
fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
