//! The journal's file and the end of its chain: appends whole batches, reads everything back and checks it.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flowswap_engine::{JournalError, Record};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, TransactionBehavior};
use serde_json::Value;

use super::chain::{Hash, Head};
use super::encoding::{Columns, Encoded};
use super::lock::WriterLock;
use super::refusal::Refusal;
use super::schema::{self, OPENING};
use crate::durable;

const INSERT: &str = "INSERT INTO record (seq, at, run, tenant, type, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const SELECT: &str = "SELECT seq, at, run, tenant, type, body, hash FROM record WHERE seq > ?1 ORDER BY seq";

/// The journal, for one thread at a time.
#[derive(Debug)]
pub(crate) struct Log {
    connection: Connection,
    head: Head,
    condition: Condition,
    counters: Arc<Counters>,
    // The last field, so that the next writer gets the file only after the connection was closed.
    _lock: Option<WriterLock>,
}

/// What may still be done to the journal.
#[derive(Debug)]
enum Condition {
    Writable,
    ReadOnly,
    /// A write failed. What SQLite holds in memory and what the disk holds may differ now.
    Stopped(Arc<rusqlite::Error>),
}

/// What a whole journal amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many records there are.
    pub records: u64,
    /// The hash of the last record, hexadecimal; zeros when there is none.
    pub head: String,
}

/// What was written since the journal was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// How many records are durable.
    pub records: u64,
    /// In how many transactions, each of which was synced once.
    pub commits: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    records: AtomicU64,
    commits: AtomicU64,
}

impl Log {
    /// Opens the journal for its only writer, and makes it if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        durable::make_folder(durable::parent_of(path)).map_err(opening)?;
        let lock = WriterLock::take(path)?;
        if !fs::exists(path).map_err(opening)? {
            schema::create(path)?;
        }
        let connection =
            Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE)).map_err(opening)?;
        Self::prepare(connection, Some(lock))
    }

    pub(crate) fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        // Asked first, because SQLite's own answer does not say that the file is missing.
        fs::metadata(path).map_err(opening)?;
        let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY)).map_err(opening)?;
        schema::prepare_reader(&connection)?;
        Ok(Self::new(connection, Condition::ReadOnly, None))
    }

    pub(crate) fn in_memory() -> Result<Self, JournalError> {
        let mut connection = Connection::open_in_memory().map_err(opening)?;
        schema::migrate(&mut connection, 0)?;
        Self::prepare(connection, None)
    }

    fn prepare(mut connection: Connection, lock: Option<WriterLock>) -> Result<Self, JournalError> {
        schema::prepare_writer(&mut connection)?;
        let mut log = Self::new(connection, Condition::Writable, lock);
        log.head = log.read_head()?;
        Ok(log)
    }

    fn new(connection: Connection, condition: Condition, lock: Option<WriterLock>) -> Self {
        Self { connection, head: Head::START, condition, counters: Arc::default(), _lock: lock }
    }

    /// Writes the batch in one transaction, and gives the numbers of its records. All of it is durable, or none.
    pub(crate) fn append(&mut self, batch: &[Encoded]) -> Result<Range<u64>, Refusal> {
        match &self.condition {
            Condition::Writable => {}
            Condition::ReadOnly => return Err(Refusal::ReadOnly),
            Condition::Stopped(cause) => return Err(Refusal::Stopped(cause.clone())),
        }
        let first = self.head.seq + 1;
        self.head = write(&mut self.connection, self.head, batch).inspect_err(|refusal| {
            if let Refusal::NotWritten(cause) | Refusal::InDoubt(cause) = refusal {
                self.condition = Condition::Stopped(cause.clone());
            }
        })?;
        self.counters.count(batch.len());
        Ok(first..self.head.seq + 1)
    }

    /// All records, checked.
    pub(crate) fn load(&self) -> Result<Vec<Record>, JournalError> {
        let mut records = Vec::new();
        self.scan(Head::START, |record| records.push(record))?;
        Ok(records)
    }

    /// Checks all records.
    pub(crate) fn check(&self) -> Result<Summary, JournalError> {
        let head = self.scan(Head::START, drop)?;
        Ok(Summary { records: head.seq, head: head.hash.to_string() })
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.counters.read()
    }

    /// For faults that only the writing connection can be given.
    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// The end of the chain, for which the last record is checked against the one before.
    fn read_head(&self) -> Result<Head, JournalError> {
        let before_last = "SELECT seq, hash FROM record WHERE seq = (SELECT max(seq) - 1 FROM record)";
        let head = self.connection.query_row(before_last, [], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)));
        let start = match head.optional().map_err(|error| unreadable(1, error))? {
            None => Head::START,
            Some((seq, hash)) => {
                let seq = i64::cast_unsigned(seq);
                Head { seq, hash: Hash::from_bytes(&hash).ok_or_else(|| damaged(seq, "its hash is malformed"))? }
            }
        };
        self.scan(start, drop)
    }

    /// Checks the records after `start` and hands them out. Gives the head after the last one.
    fn scan(&self, start: Head, mut visit: impl FnMut(Record)) -> Result<Head, JournalError> {
        let mut head = start;
        // One transaction, that is one moment: a writer may be at work.
        let snapshot = self.connection.unchecked_transaction().map_err(reading)?;
        let mut statement = snapshot.prepare(SELECT).map_err(reading)?;
        let mut rows = statement.query([start.seq.cast_signed()]).map_err(|error| unreadable(head.seq + 1, error))?;
        while let Some(row) = rows.next().map_err(|error| unreadable(head.seq + 1, error))? {
            let (next, record) = check_row(head, row)?;
            head = next;
            visit(record);
        }
        let reached = "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'record'";
        let reached =
            snapshot.query_row(reached, [], |row| row.get(0)).map_err(|error| unreadable(head.seq + 1, error))?;
        if i64::cast_unsigned(reached) > head.seq {
            return Err(damaged(head.seq + 1, format!("it is missing, and so is all up to record {reached}")));
        }
        Ok(head)
    }
}

impl Counters {
    fn count(&self, records: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Statistics {
        Statistics { records: self.records.load(Ordering::Relaxed), commits: self.commits.load(Ordering::Relaxed) }
    }
}

fn write(connection: &mut Connection, mut head: Head, batch: &[Encoded]) -> Result<Head, Refusal> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| Refusal::NotBegun(error.into()))?;
    for Encoded { columns, body } in batch {
        head = head.extend(body.as_bytes());
        let row = (
            head.seq.cast_signed(),
            &columns.at,
            &columns.run,
            &columns.tenant,
            &columns.kind,
            body,
            head.hash.as_bytes(),
        );
        let inserted = transaction.prepare_cached(INSERT).and_then(|mut insert| insert.execute(row));
        inserted.map_err(|error| Refusal::NotWritten(error.into()))?;
    }
    transaction.commit().map_err(|error| Refusal::InDoubt(error.into()))?;
    Ok(head)
}

/// Checks a row against the head before it.
fn check_row(head: Head, row: &Row<'_>) -> Result<(Head, Record), JournalError> {
    let expected = head.seq + 1;
    let found = row.get(0).map(i64::cast_unsigned).map_err(|error| unreadable(expected, error))?;
    if found != expected {
        return Err(damaged(expected, format!("it is missing, and the next one is record {found}")));
    }
    let text = |index| row.get::<_, Option<String>>(index).map_err(|error| unreadable(expected, error));
    let body = text(5)?.unwrap_or_default();
    let hash = row.get_ref(6).ok().and_then(|value| value.as_bytes().ok()).and_then(Hash::from_bytes);
    let next = head.extend(body.as_bytes());
    if hash != Some(next.hash) {
        return Err(damaged(expected, "its hash does not follow from its body and the record before"));
    }
    let decode = |error: serde_json::Error| damaged(expected, format!("its body cannot be read: {error}"));
    let value: Value = serde_json::from_str(&body).map_err(decode)?;
    let columns = Columns { at: text(1)?, run: text(2)?, tenant: text(3)?, kind: text(4)? };
    if let Some(column) = columns.find_difference(&Columns::of(&value)) {
        return Err(damaged(expected, format!("its column `{column}` is not what its body says")));
    }
    let draft = serde_json::from_value(value).map_err(decode)?;
    Ok((next, Record { seq: expected, draft }))
}

/// `NO_MUTEX`, because the type system keeps the connection on one thread at a time.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn damaged(seq: u64, problem: impl Into<String>) -> JournalError {
    JournalError::Damaged { seq, problem: problem.into() }
}

/// SQLite found the file damaged, or a value has a type that was never written, while it looked for this record.
fn unreadable(seq: u64, error: rusqlite::Error) -> JournalError {
    match (&error, error.sqlite_error_code()) {
        (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        | (rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..), _) => {
            damaged(seq, format!("it cannot be read: {error}"))
        }
        _ => reading(error),
    }
}

fn reading(error: rusqlite::Error) -> JournalError {
    JournalError::Storage { doing: "read the journal", source: Box::new(error) }
}

fn opening(error: impl std::error::Error + Send + Sync + 'static) -> JournalError {
    JournalError::Storage { doing: OPENING, source: Box::new(error) }
}
