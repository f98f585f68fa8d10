//! The journal: an append-only, hash-chained table in SQLite, written by one process at a time.
//!
//! In production a dedicated thread writes the journal. It gathers all waiting appends into one transaction with one
//! sync. An inline journal runs each append as a transaction on the caller's thread, so that simulations are
//! deterministic. Both use the same [`Log`].

mod chain;
mod encoding;
mod lease;
mod lock;
mod log;
mod refusal;
mod scan;
mod schema;
mod snapshot;
mod writer;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use flowswap_engine::{Draft, Journal, JournalError, Position, Records, Visitor};
use futures::future::BoxFuture;

use chain::Head;
use encoding::Encoded;
pub use lease::{Holder, Takeover};
use log::Log;
pub use log::{Statistics, Summary};
pub use scan::Written;
use scan::{CheckedRow, Page, Scope};
pub use schema::FORMAT;
pub use snapshot::{read_snapshot, remains_of_lost_journal, snapshot_path, write_snapshot};
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
    /// Opens the journal for its only writer. Creates it if it is missing. Appends of many tasks share syncs.
    ///
    /// This writer gets the next epoch, and the previous writer can no longer write. Dropping the journal releases it.
    /// Opening checks only the end of the chain. [`Journal::load`] checks what it reads.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let (log, takeover) = Log::open(path)?;
        let epoch = log.epoch();
        Ok(Self { access: Access::Thread(Writer::start(log)?), epoch, takeover })
    }

    /// Opens the journal for reading, even while another process writes it. Fails if the journal is missing.
    pub fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        Ok(Self::inline_from(Log::open_read_only(path)?, None))
    }

    /// Like [`open`](Self::open), but without a thread: each append is written and synced on the caller's thread.
    pub fn inline(path: &Path) -> Result<Self, JournalError> {
        let (log, takeover) = Log::open(path)?;
        Ok(Self::inline_from(log, takeover))
    }

    /// An inline journal in memory; dropping it discards the records.
    pub fn in_memory() -> Result<Self, JournalError> {
        Ok(Self::inline_from(Log::in_memory()?, None))
    }

    fn inline_from(log: Log, takeover: Option<Takeover>) -> Self {
        Self { epoch: log.epoch(), access: Access::Inline(Mutex::new(log)), takeover }
    }

    /// The previous writer, if it did not release the journal.
    pub fn takeover(&self) -> Option<&Takeover> {
        self.takeover.as_ref()
    }

    /// Checks every record. Returns how many there are and the last hash; equal hashes mean equal journals.
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

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Log) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        match &self.access {
            Access::Thread(writer) => writer.read(read).await,
            Access::Inline(log) => read(&lock(log)),
        }
    }

    /// Reads all records as they are written, oldest first, and checks each one.
    pub async fn load_written(
        &self,
        visit: &mut (dyn FnMut(Written) -> Result<(), JournalError> + Send),
    ) -> Result<Position, JournalError> {
        self.visit(Records::All, CheckedRow::into_written, visit).await
    }

    async fn visit<T: Send + 'static>(
        &self,
        records: Records<'_>,
        keep: fn(CheckedRow) -> T,
        visit: &mut (dyn FnMut(T) -> Result<(), JournalError> + Send),
    ) -> Result<Position, JournalError> {
        let (scope, mut head) = match records {
            Records::All => (Scope::Chain, Head::START),
            Records::OfTenant(name) => (Scope::Tenant(name.to_owned()), Head::START),
            Records::After(position) => {
                let position = *position;
                (Scope::Chain, self.read(move |log| log.find(&position)).await?)
            }
        };
        loop {
            let page = self.read({
                let scope = scope.clone();
                move |log| log.read_page(&scope, head, keep)
            });
            let Page { records, head: next, is_last } = page.await?;
            head = next;
            records.into_iter().try_for_each(&mut *visit)?;
            if is_last {
                return Ok(head.position());
            }
        }
    }
}

impl Journal for SqliteJournal {
    fn append(&self, drafts: Vec<Draft>) -> BoxFuture<'_, Result<Position, JournalError>> {
        Box::pin(async move {
            let encoded = drafts.iter().map(|draft| Encoded::of(draft, self.epoch)).collect::<Result<Vec<_>, _>>()?;
            let head = match &self.access {
                Access::Thread(writer) => writer.append(encoded).await?,
                Access::Inline(log) => lock(log).append(&[encoded])?.into_iter().next_back().unwrap_or(Head::START),
            };
            Ok(head.position())
        })
    }

    fn load<'a>(&'a self, records: Records<'a>, visit: Visitor<'a>) -> BoxFuture<'a, Result<Position, JournalError>> {
        Box::pin(self.visit(records, CheckedRow::into_record, visit))
    }
}

/// Checks every record of the journal at `path`, which another process may be writing.
pub fn verify(path: &Path) -> Result<Summary, JournalError> {
    Log::open_read_only(path)?.check()
}

/// Ignores poisoning: a panic while the lock was held rolled its transaction back, so the state is valid.
fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
