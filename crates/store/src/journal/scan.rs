//! Reads records back and checks each one: it must follow from the record before it, in every format.
//!
//! Records are read in pages, so that a reader needs little memory and a writer can write between two pages.

use flowswap_engine::{JournalError, Position, Record};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};

use super::chain::{Hash, Head};
use super::encoding::{self, Columns};
use super::schema;

/// How many records a page has.
pub(crate) const PAGE: usize = 512;

/// Which records to read.
#[derive(Debug, Clone)]
pub(crate) enum Scope {
    /// All of them. Each is checked against the one before it, and the last against the highest number that was ever used.
    Chain,
    /// Those of one tenant. Each is checked against the record before it, which belongs to anybody.
    Tenant(String),
}

/// A record as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// What it says.
    pub record: Record,
    /// Its text.
    pub body: String,
    /// The SHA-256 of the text, hexadecimal, if the hash of the record covers it. Before format 4, it covered the text.
    pub body_hash: Option<String>,
    /// Its hash, hexadecimal.
    pub hash: String,
}

/// Some records, and where to go on.
pub(crate) struct Page<T> {
    /// What was kept of each record.
    pub records: Vec<T>,
    /// The last record.
    pub head: Head,
    /// There are no records after these.
    pub is_last: bool,
}

/// Reads and checks up to `limit` records after a head, and keeps a part of each.
pub(crate) fn read_page<T>(
    connection: &Connection,
    scope: &Scope,
    after: Head,
    limit: usize,
    keep: fn(CheckedRow) -> T,
) -> Result<Page<T>, JournalError> {
    let fail = |error| unreadable(after.seq + 1, error);
    // In one transaction, so that a writer cannot change the journal meanwhile. The opening of a writer has one already.
    let is_outermost = connection.is_autocommit();
    let own = is_outermost.then(|| connection.unchecked_transaction()).transpose().map_err(read_error)?;
    let snapshot = own.as_deref().unwrap_or(connection);
    let has_epochs = schema::read_format(snapshot)? > 1;
    let granted = if has_epochs { "SELECT ifnull(max(epoch), 0) FROM lease" } else { "SELECT 0" };
    let granted: i64 = snapshot.query_row(granted, [], |row| row.get(0)).map_err(fail)?;
    let mut statement = snapshot.prepare_cached(query(scope, has_epochs)).map_err(fail)?;
    let tenant = match scope {
        Scope::Chain => None,
        Scope::Tenant(name) => Some(name),
    };
    let limit_of_rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((after.seq.cast_signed(), limit_of_rows, tenant)).map_err(fail)?;
    let (mut head, mut records) = (after, Vec::new());
    while let Some(row) = rows.next().map_err(|error| unreadable(head.seq + 1, error))? {
        let before = match scope {
            Scope::Chain => head,
            Scope::Tenant(_) => head_before(row)?,
        };
        let checked = check_row(before, granted.cast_unsigned(), row)?;
        head = checked.head;
        records.push(keep(checked));
    }
    let is_last = records.len() < limit;
    if is_last && matches!(scope, Scope::Chain) {
        expect_complete(snapshot, head)?;
    }
    Ok(Page { records, head, is_last })
}

/// Checks all records, and passes each to `visit`. Returns the head after the last one.
pub(crate) fn scan(connection: &Connection, after: Head, mut visit: impl FnMut(Record)) -> Result<Head, JournalError> {
    let mut head = after;
    loop {
        let page = read_page(connection, &Scope::Chain, head, PAGE, CheckedRow::into_record)?;
        page.records.into_iter().for_each(&mut visit);
        head = page.head;
        if page.is_last {
            return Ok(head);
        }
    }
}

/// The end of the chain and the last record, which is checked against the record before it.
pub(crate) fn read_end(connection: &Connection) -> Result<(Head, Option<Record>), JournalError> {
    let last: Option<i64> =
        connection.query_row("SELECT max(seq) FROM record", [], |row| row.get(0)).map_err(|e| unreadable(1, e))?;
    let start = match last.map(i64::cast_unsigned) {
        None | Some(0 | 1) => Head::START,
        Some(last) => head_at(connection, last - 1)?.unwrap_or(Head::START),
    };
    let mut last = None;
    let head = scan(connection, start, |record| last = Some(record))?;
    Ok((head, last))
}

/// The head at a position, if the journal has it.
pub(crate) fn find(connection: &Connection, position: &Position) -> Result<Head, JournalError> {
    let head = match position.seq {
        0 => Some(Head::START),
        seq => head_at(connection, seq)?,
    };
    head.filter(|head| *head.hash.bytes() == position.hash).ok_or(JournalError::UnknownPosition(position.seq))
}

fn head_at(connection: &Connection, seq: u64) -> Result<Option<Head>, JournalError> {
    let epoch = if schema::read_format(connection)? > 1 { "epoch" } else { "0" };
    let sql = format!("SELECT {epoch}, hash FROM record WHERE seq = ?1");
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
    let found = connection.query_row(&sql, [seq.cast_signed()], read).optional();
    let Some((epoch, hash)) = found.map_err(|error| unreadable(seq, error))? else { return Ok(None) };
    let hash = Hash::from_bytes(&hash).ok_or_else(|| damaged(seq, "its hash is malformed"))?;
    Ok(Some(Head { seq, epoch: epoch.cast_unsigned(), hash }))
}

fn query(scope: &Scope, has_epochs: bool) -> &'static str {
    match (scope, has_epochs) {
        (Scope::Chain, true) => {
            "SELECT seq, at, run, tenant, type, body, hash, epoch FROM record
             WHERE seq > ?1 AND ?3 IS NULL ORDER BY seq LIMIT ?2"
        }
        (Scope::Chain, false) => {
            "SELECT seq, at, run, tenant, type, body, hash, 0 FROM record
             WHERE seq > ?1 AND ?3 IS NULL ORDER BY seq LIMIT ?2"
        }
        (Scope::Tenant(_), true) => {
            "SELECT of.seq, of.at, of.run, of.tenant, of.type, of.body, of.hash, of.epoch, before.hash, before.epoch
             FROM record AS of LEFT JOIN record AS before ON before.seq = of.seq - 1
             WHERE of.tenant = ?3 AND of.seq > ?1 ORDER BY of.seq LIMIT ?2"
        }
        (Scope::Tenant(_), false) => {
            "SELECT of.seq, of.at, of.run, of.tenant, of.type, of.body, of.hash, 0, before.hash, 0
             FROM record AS of LEFT JOIN record AS before ON before.seq = of.seq - 1
             WHERE of.tenant = ?3 AND of.seq > ?1 ORDER BY of.seq LIMIT ?2"
        }
    }
}

/// The head before a tenant's row, from the record before it.
fn head_before(row: &Row<'_>) -> Result<Head, JournalError> {
    let seq = row.get(0).map(i64::cast_unsigned).map_err(|error| unreadable(1, error))?;
    if seq <= 1 {
        return Ok(Head::START);
    }
    let hash = row.get_ref(8).ok().and_then(|value| value.as_bytes().ok()).and_then(Hash::from_bytes);
    let hash = hash.ok_or_else(|| damaged(seq - 1, "it is missing, or its hash is malformed"))?;
    let epoch = row.get(9).map(i64::cast_unsigned).map_err(|error| unreadable(seq, error))?;
    Ok(Head { seq: seq - 1, epoch, hash })
}

/// SQLite remembers the highest number that a record ever had.
fn expect_complete(connection: &Connection, head: Head) -> Result<(), JournalError> {
    let reached = "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'record'";
    let reached: i64 =
        connection.query_row(reached, [], |row| row.get(0)).map_err(|error| unreadable(head.seq + 1, error))?;
    if reached.cast_unsigned() > head.seq {
        return Err(damaged(head.seq + 1, format!("it is missing, and so is every record up to {reached}")));
    }
    Ok(())
}

/// A row that follows from the record before it.
pub(crate) struct CheckedRow {
    head: Head,
    record: Record,
    body: String,
    /// Whether it was written in format 4 or later.
    covers_body_hash: bool,
}

impl CheckedRow {
    pub(crate) fn into_record(self) -> Record {
        self.record
    }

    pub(crate) fn into_written(self) -> Written {
        let body_hash = self.covers_body_hash.then(|| Hash::of(self.body.as_bytes()).to_string());
        Written { record: self.record, body: self.body, body_hash, hash: self.head.hash.to_string() }
    }
}

/// Checks a row against the head before it and the highest epoch that was granted.
fn check_row(head: Head, granted: u64, row: &Row<'_>) -> Result<CheckedRow, JournalError> {
    let expected = head.seq + 1;
    let found = row.get(0).map(i64::cast_unsigned).map_err(|error| unreadable(expected, error))?;
    if found != expected {
        return Err(damaged(expected, format!("it is missing; the next record is {found}")));
    }
    let text = |index| row.get::<_, Option<String>>(index).map_err(|error| unreadable(expected, error));
    let body = text(5)?.unwrap_or_default();
    let hash = row.get_ref(6).ok().and_then(|value| value.as_bytes().ok()).and_then(Hash::from_bytes);
    let epoch = row.get(7).map(i64::cast_unsigned).map_err(|error| unreadable(expected, error))?;
    let follows = |next: &Head| hash == Some(next.hash);
    let new = Some(head.extend(epoch, body.as_bytes())).filter(follows);
    let covers_body_hash = new.is_some();
    let old = || Some(head.extend_before_format_4(epoch, body.as_bytes())).filter(follows);
    let Some(next) = new.or_else(old) else {
        return Err(damaged(expected, "its hash does not match its body and the record before it"));
    };
    let (draft, written_epoch) =
        encoding::decode(&body).map_err(|error| damaged(expected, format!("its body cannot be read: {error}")))?;
    let columns = Columns {
        at: text(1)?.unwrap_or_default(),
        run: text(2)?.unwrap_or_default(),
        tenant: text(3)?,
        kind: text(4)?.unwrap_or_default(),
        epoch,
    };
    if let Some(column) = columns.find_difference(&Columns::of(&draft, written_epoch)) {
        return Err(damaged(expected, format!("its column `{column}` differs from its body")));
    }
    if epoch < head.epoch {
        let problem = format!("its epoch is {epoch}, but the record before it has epoch {}", head.epoch);
        return Err(damaged(expected, problem));
    }
    if epoch > granted {
        return Err(damaged(
            expected,
            format!("its epoch is {epoch}, but no writer ever had an epoch above {granted}"),
        ));
    }
    Ok(CheckedRow { head: next, record: Record { seq: expected, epoch, draft }, body, covers_body_hash })
}

fn damaged(seq: u64, problem: impl Into<String>) -> JournalError {
    JournalError::Damaged { seq, problem: problem.into() }
}

/// The error for a failure to read this record. It counts as damage if SQLite found a damaged file, missing tables, or
/// a value of a type that flowswap never writes.
fn unreadable(seq: u64, error: rusqlite::Error) -> JournalError {
    match (&error, error.sqlite_error_code()) {
        (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown))
        | (rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..), _) => {
            damaged(seq, format!("it cannot be read: {error}"))
        }
        _ => read_error(error),
    }
}

fn read_error(error: rusqlite::Error) -> JournalError {
    JournalError::Storage { doing: "read the journal", source: Box::new(error) }
}
