//! Reads records back and checks each one: it must follow from the record before it, in every format.

use flowswap_engine::{JournalError, Record};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};
use serde_json::Value;

use super::chain::{Hash, Head};
use super::encoding::Columns;
use super::schema;

/// The queries that read a journal; they depend on its format.
struct Queries {
    records: &'static str,
    /// Returns the highest epoch that any writer ever got.
    granted: &'static str,
}

const FORMAT_1: Queries = Queries {
    records: "SELECT seq, at, run, tenant, type, body, hash, 0 FROM record WHERE seq > ?1 ORDER BY seq",
    granted: "SELECT 0",
};
const FORMAT_2: Queries = Queries {
    records: "SELECT seq, at, run, tenant, type, body, hash, epoch FROM record WHERE seq > ?1 ORDER BY seq",
    granted: "SELECT ifnull(max(epoch), 0) FROM lease",
};

/// Checks all records and passes each to `visit`. Returns the head after the last one.
pub(crate) fn scan(connection: &Connection, visit: impl FnMut(Record)) -> Result<Head, JournalError> {
    // In one transaction, so that a writer cannot change the journal during the scan.
    let snapshot = connection.unchecked_transaction().map_err(read_error)?;
    scan_after(&snapshot, Head::START, visit)
}

/// The end of the chain and the last record, which is checked against the record before it. Reads within the
/// connection's current transaction.
pub(crate) fn read_end(connection: &Connection) -> Result<(Head, Option<Record>), JournalError> {
    let before_last = "SELECT seq, epoch, hash FROM record WHERE seq = (SELECT max(seq) - 1 FROM record)";
    let head = connection
        .query_row(before_last, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?)));
    let start = match head.optional().map_err(|error| unreadable(1, error))? {
        None => Head::START,
        Some((seq, epoch, hash)) => {
            let seq = i64::cast_unsigned(seq);
            let hash = Hash::from_bytes(&hash).ok_or_else(|| damaged(seq, "its hash is malformed"))?;
            Head { seq, epoch: epoch.cast_unsigned(), hash }
        }
    };
    let mut last = None;
    let head = scan_after(connection, start, |record| last = Some(record))?;
    Ok((head, last))
}

fn scan_after(connection: &Connection, start: Head, mut visit: impl FnMut(Record)) -> Result<Head, JournalError> {
    let queries = if schema::read_format(connection)? == 1 { FORMAT_1 } else { FORMAT_2 };
    let mut head = start;
    let query = |sql, seq| connection.query_row(sql, [], |row| row.get(0)).map_err(|error| unreadable(seq, error));
    let granted = query(queries.granted, head.seq + 1).map(i64::cast_unsigned)?;
    let mut statement = connection.prepare(queries.records).map_err(|error| unreadable(head.seq + 1, error))?;
    let mut rows = statement.query([start.seq.cast_signed()]).map_err(|error| unreadable(head.seq + 1, error))?;
    while let Some(row) = rows.next().map_err(|error| unreadable(head.seq + 1, error))? {
        let (next, record) = check_row(head, granted, row)?;
        head = next;
        visit(record);
    }
    let reached = query("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'record'", head.seq + 1)?;
    if i64::cast_unsigned(reached) > head.seq {
        return Err(damaged(head.seq + 1, format!("it is missing, and so is every record up to {reached}")));
    }
    Ok(head)
}

/// Checks a row against the head before it and the highest epoch that was granted.
fn check_row(head: Head, granted: u64, row: &Row<'_>) -> Result<(Head, Record), JournalError> {
    let expected = head.seq + 1;
    let found = row.get(0).map(i64::cast_unsigned).map_err(|error| unreadable(expected, error))?;
    if found != expected {
        return Err(damaged(expected, format!("it is missing; the next record is {found}")));
    }
    let text = |index| row.get::<_, Option<String>>(index).map_err(|error| unreadable(expected, error));
    let body = text(5)?.unwrap_or_default();
    let hash = row.get_ref(6).ok().and_then(|value| value.as_bytes().ok()).and_then(Hash::from_bytes);
    let epoch = row.get(7).map(i64::cast_unsigned).map_err(|error| unreadable(expected, error))?;
    let next = head.extend(epoch, body.as_bytes());
    if hash != Some(next.hash) {
        return Err(damaged(expected, "its hash does not match its body and the record before it"));
    }
    let decode = |error: serde_json::Error| damaged(expected, format!("its body cannot be read: {error}"));
    let value: Value = serde_json::from_str(&body).map_err(decode)?;
    let columns = Columns { at: text(1)?, run: text(2)?, tenant: text(3)?, kind: text(4)?, epoch };
    if let Some(column) = columns.find_difference(&Columns::of(&value)) {
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
    let draft = serde_json::from_value(value).map_err(decode)?;
    Ok((next, Record { seq: expected, epoch, draft }))
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
