//! The journal's file and the end of its chain. Takes the lease, appends whole batches, and releases the lease.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use flowswap_engine::{JournalError, Position, WriterReplaced};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::chain::Head;
use super::encoding::Encoded;
use super::lease::{Lease, Takeover};
use super::lock::WriterLock;
use super::refusal::Refusal;
use super::scan::{CheckedRow, PAGE, Page, Scope, find, read_end, read_page, scan};
use super::schema::{self, OPEN_JOURNAL};
use crate::durable;

const INSERT: &str =
    "INSERT INTO record (seq, at, run, tenant, type, body, hash, epoch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// The journal as one thread at a time uses it.
#[derive(Debug)]
pub(crate) struct Log {
    connection: Connection,
    head: Head,
    /// The epoch of this writer; 0 for readers, which have no epoch.
    epoch: u64,
    /// The error of every append; `None` while appends are allowed.
    refusal: Option<Refusal>,
    counters: Arc<Counters>,
    // The last field, so that the connection is closed before the lock is released to the next writer.
    _lock: Option<WriterLock>,
}

/// A short description of a whole journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many records there are.
    pub records: u64,
    /// The hash of the last record, in hexadecimal; zeros if there is no record.
    pub head: String,
}

/// How much was written since the journal was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// How many records are durable.
    pub records: u64,
    /// How many transactions wrote them. Each transaction was synced once.
    pub commits: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    records: AtomicU64,
    commits: AtomicU64,
}

impl Log {
    /// Opens the journal for its only writer. Creates it if it is missing. Also returns the previous writer if that did
    /// not release the journal.
    pub(crate) fn open(path: &Path) -> Result<(Self, Option<Takeover>), JournalError> {
        durable::make_folder(durable::parent_of(path)).map_err(open_error)?;
        let lock = WriterLock::take(path)?;
        if !fs::exists(path).map_err(open_error)? {
            schema::create(path)?;
        }
        let connection =
            Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE)).map_err(open_error)?;
        Self::begin(Some(lock), connection)
    }

    pub(crate) fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        // Checked first, because SQLite's own error does not say that the file is missing.
        fs::metadata(path).map_err(open_error)?;
        let connection =
            Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY)).map_err(open_error)?;
        schema::prepare_reader(&connection)?;
        let refusal = Some(Refusal::ReadOnly);
        Ok(Self { connection, head: Head::START, epoch: 0, refusal, counters: Arc::default(), _lock: None })
    }

    pub(crate) fn in_memory() -> Result<Self, JournalError> {
        let mut connection = Connection::open_in_memory().map_err(open_error)?;
        schema::make_tables(&mut connection)?;
        Self::begin(None, connection).map(|(log, _)| log)
    }

    /// Takes the lease and reads the end of the chain in one transaction. So any other writer either wrote before the
    /// end of the chain was read, or is refused from now on.
    fn begin(lock: Option<WriterLock>, mut connection: Connection) -> Result<(Self, Option<Takeover>), JournalError> {
        let transaction = schema::prepare_writer(&mut connection)?;
        let (head, last) = read_end(&transaction)?;
        let before = Lease::read(&transaction).map_err(open_error)?;
        let epoch = Lease::take(&transaction).map_err(open_error)?;
        transaction.commit().map_err(open_error)?;
        let takeover = before.filter(|lease| !lease.released).map(|Lease { epoch, holder, .. }| {
            let last = last.filter(|record| record.epoch == epoch);
            Takeover { epoch, holder, last }
        });
        let log = Self { connection, head, epoch, refusal: None, counters: Arc::default(), _lock: lock };
        Ok((log, takeover))
    }

    /// Writes all appends in one transaction and returns the head after each. Either all their records are durable, or no
    /// record is.
    pub(crate) fn append(&mut self, appends: &[Vec<Encoded>]) -> Result<Vec<Head>, Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let heads = write(&mut self.connection, self.epoch, self.head, appends)
            .inspect_err(|refusal| self.refusal = refusal.for_later_appends())?;
        let head = heads.last().copied().unwrap_or(self.head);
        self.counters.count(head.seq - self.head.seq);
        self.head = head;
        Ok(heads)
    }

    /// Reads and checks a page of records, and keeps a part of each.
    pub(crate) fn read_page<T>(
        &self,
        scope: &Scope,
        after: Head,
        keep: fn(CheckedRow) -> T,
    ) -> Result<Page<T>, JournalError> {
        read_page(&self.connection, scope, after, PAGE, keep)
    }

    /// The head at a position.
    pub(crate) fn find(&self, position: &Position) -> Result<Head, JournalError> {
        find(&self.connection, position)
    }

    /// Checks all records, and the triggers that protect them from changes.
    pub(crate) fn check(&self) -> Result<Summary, JournalError> {
        let head = scan(&self.connection, Head::START, |_| {})?;
        schema::check_tables(&self.connection)?;
        Ok(Summary { records: head.seq, head: head.hash.to_string() })
    }

    /// The epoch with which records must be encoded.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.counters.read()
    }

    /// For tests that inject faults into the writing connection.
    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }
}

impl Drop for Log {
    /// A writer that was stopped or panics keeps its lease, so that the next writer reports the takeover and the last
    /// record. If releasing fails, the next writer reports a takeover unnecessarily.
    fn drop(&mut self) {
        if self.refusal.is_none() && !thread::panicking() {
            let _ = Lease::release(&self.connection, self.epoch);
        }
    }
}

impl Counters {
    fn count(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Statistics {
        Statistics { records: self.records.load(Ordering::Relaxed), commits: self.commits.load(Ordering::Relaxed) }
    }
}

fn write(
    connection: &mut Connection,
    epoch: u64,
    mut head: Head,
    appends: &[Vec<Encoded>],
) -> Result<Vec<Head>, Refusal> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| Refusal::NotStarted(error.into()))?;
    let mut heads = Vec::new();
    for append in appends {
        for Encoded { columns, body } in append {
            head = head.extend(columns.epoch, body.as_bytes());
            let row = (
                head.seq.cast_signed(),
                &columns.at,
                &columns.run,
                &columns.tenant,
                &columns.kind,
                body,
                head.hash.bytes().as_slice(),
                columns.epoch.cast_signed(),
            );
            let inserted = transaction.prepare_cached(INSERT).and_then(|mut insert| insert.execute(row));
            inserted.map_err(|error| explain(&transaction, epoch, error))?;
        }
        heads.push(head);
    }
    transaction.commit().map_err(|error| Refusal::InDoubt(error.into()))?;
    Ok(heads)
}

/// Explains a failed insert. The triggers refuse a record whose epoch is not the lease's, and the same transaction can
/// read who holds the lease now.
fn explain(transaction: &Connection, epoch: u64, error: rusqlite::Error) -> Refusal {
    match Lease::read(transaction) {
        Ok(Some(lease)) if lease.epoch != epoch => {
            Refusal::Replaced(WriterReplaced { epoch, current: lease.epoch, holder: lease.holder.to_string() })
        }
        _ => Refusal::NotWritten(error.into()),
    }
}

/// Adds `NO_MUTEX`, because the type system keeps the connection on one thread at a time.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn open_error(error: impl std::error::Error + Send + Sync + 'static) -> JournalError {
    JournalError::Storage { doing: OPEN_JOURNAL, source: Box::new(error) }
}
