//! The tables of the journal, its format, and the setup of its connections.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowswap_engine::JournalError;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::durable;

/// The SQL that leads to each format from the one before. Journals live for years, so entries are added and never
/// changed.
///
/// 1. The records. `AUTOINCREMENT` makes SQLite remember the highest number ever used, which shows when the last records
///    are missing; the chain alone cannot. The insert trigger also stops `INSERT OR REPLACE`, which fires no delete
///    trigger.
/// 2. Every record has the epoch of its writer. It can be written only while the lease has that epoch and is not
///    released. The lease is one row. Taking it increments its epoch; within an epoch it can only be released.
/// 3. The records of a tenant are found without reading those of others. A plan is stored once and referred to by its digest,
///    and a run has an intent for each of its tenants; earlier versions do not know these records.
/// 4. The tables stay. The hash of a new record covers the hash of its body, and not the body.
const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE record (
        seq    INTEGER PRIMARY KEY AUTOINCREMENT CHECK (seq > 0),
        at     TEXT NOT NULL,
        run    TEXT NOT NULL,
        tenant TEXT,
        type   TEXT NOT NULL,
        body   TEXT NOT NULL,
        hash   BLOB NOT NULL CHECK (length(hash) = 32)
    ) STRICT;

    CREATE TRIGGER record_is_next BEFORE INSERT ON record
    WHEN NEW.seq IS NOT (SELECT ifnull(max(seq), 0) + 1 FROM record)
    BEGIN SELECT RAISE(ABORT, 'records are numbered without gaps'); END;

    CREATE TRIGGER record_is_never_changed BEFORE UPDATE ON record
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

    CREATE TRIGGER record_is_never_deleted BEFORE DELETE ON record
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    ",
    "
    CREATE TABLE lease (
        id       INTEGER PRIMARY KEY CHECK (id = 1),
        epoch    INTEGER NOT NULL CHECK (epoch >= 0),
        released INTEGER NOT NULL CHECK (released IN (0, 1)),
        process  INTEGER,
        user     INTEGER,
        host     TEXT,
        version  TEXT,
        since    TEXT
    ) STRICT;

    INSERT INTO lease (id, epoch, released) VALUES (1, 0, 1);

    CREATE TRIGGER lease_is_one_row BEFORE INSERT ON lease
    BEGIN SELECT RAISE(ABORT, 'there is one lease'); END;

    CREATE TRIGGER lease_is_never_deleted BEFORE DELETE ON lease
    BEGIN SELECT RAISE(ABORT, 'there is one lease'); END;

    CREATE TRIGGER lease_epoch_only_grows BEFORE UPDATE ON lease
    WHEN NEW.epoch IS NOT OLD.epoch + 1 AND (
        (NEW.id, NEW.epoch, NEW.process, NEW.user, NEW.host, NEW.version, NEW.since)
            IS NOT (OLD.id, OLD.epoch, OLD.process, OLD.user, OLD.host, OLD.version, OLD.since)
        OR NEW.released < OLD.released
    )
    BEGIN SELECT RAISE(ABORT, 'an epoch is given once, to one writer, and the next one is one more'); END;

    ALTER TABLE record ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0);

    CREATE TRIGGER record_is_of_the_holder BEFORE INSERT ON record
    WHEN NEW.epoch IS NOT (SELECT epoch FROM lease WHERE released = 0)
    BEGIN SELECT RAISE(ABORT, 'the lease is not held in the epoch of the record'); END;
    ",
    "
    CREATE INDEX record_of_tenant ON record (tenant);
    ",
    "",
];

/// The format that this version writes, and the highest that it reads.
pub const FORMAT: u32 = MIGRATIONS.len() as u32;

/// `FLSW`, where `file` and other tools look for the owner of an SQLite file.
const APPLICATION_ID: u32 = 0x464c_5357;

/// How long to wait while another tool has the file locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) const OPEN_JOURNAL: &str = "open the journal";

/// Creates the file of an empty journal. The file gets its name only when it is complete, so a truncated file, even an
/// empty one, is never mistaken for a new journal.
pub(crate) fn create(path: &Path) -> Result<(), JournalError> {
    let remains = durable::sibling(path, "-wal");
    if fs::exists(&remains).map_err(fail)? {
        return Err(fail(MainFileMissing(remains)));
    }
    let unfinished = durable::sibling(path, ".new");
    for leftover in ["", "-wal", "-shm"] {
        durable::remove_file(&durable::sibling(&unfinished, leftover)).map_err(fail)?;
    }
    // Created before SQLite opens it, because SQLite copies the mode of this file to the files that it creates beside
    // it.
    durable::open_or_create(&unfinished).map_err(fail)?;
    let mut connection = Connection::open_with_flags(&unfinished, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fail)?;
    set_up_writer(&connection).map_err(fail)?;
    make_tables(&mut connection)?;
    // Closing does this as well but does not report a failure, and then the new name would be on an incomplete file.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(fail)?;
    connection.close().map_err(|(_, error)| fail(error))?;
    fs::rename(&unfinished, path).and_then(|()| durable::sync_folder(durable::parent_of(path))).map_err(fail)
}

/// Creates the tables of an empty journal in an empty database.
pub(crate) fn make_tables(connection: &mut Connection) -> Result<(), JournalError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    migrate(&transaction, 0).map_err(fail)?;
    transaction.commit().map_err(fail)
}

/// Sets up a writing connection, and starts its opening transaction, which migrates the tables to the current format.
/// Until that transaction is committed, the journal is unchanged.
pub(crate) fn prepare_writer(connection: &mut Connection) -> Result<Transaction<'_>, JournalError> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    // Before anything is written, so that a file that is not a journal stays unchanged.
    read_format(connection)?;
    set_up_writer(connection).map_err(fail)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    migrate(&transaction, read_format(&transaction)?).map_err(fail)?;
    Ok(transaction)
}

/// Sets up a reading connection. By default SQLite refuses a truncated file altogether. With `writable_schema` it reads
/// as far as it can, so the error can name the record where the file ends.
pub(crate) fn prepare_reader(connection: &Connection) -> Result<(), JournalError> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    connection.pragma_update(None, "query_only", true).map_err(fail)?;
    connection.pragma_update(None, "writable_schema", true).map_err(fail)?;
    read_format(connection).map(drop)
}

/// The format of the existing tables. A reader checks it in every transaction, because a writer may have migrated them.
pub(crate) fn read_format(connection: &Connection) -> Result<u32, JournalError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0)).map_err(fail);
    match (pragma("application_id")?, pragma("user_version")?) {
        (APPLICATION_ID, found) if found > FORMAT => Err(JournalError::TooNew { found, known: FORMAT }),
        (APPLICATION_ID, found) if found > 0 => Ok(found),
        _ => Err(JournalError::NotAJournal),
    }
}

/// Checks that all tables and triggers are as this program creates them, and that there are no others.
pub(crate) fn check_tables(connection: &Connection) -> Result<(), JournalError> {
    let mut fresh = Connection::open_in_memory().map_err(fail)?;
    let transaction = fresh.transaction().map_err(fail)?;
    for step in &MIGRATIONS[..read_format(connection)? as usize] {
        transaction.execute_batch(step).map_err(fail)?;
    }
    let (expected, found) = (list_tables(&transaction).map_err(fail)?, list_tables(connection).map_err(fail)?);
    let is_same = |name: &&String| expected.get(*name) == found.get(*name);
    match expected.keys().chain(found.keys()).find(|name| !is_same(name)) {
        Some(what) => Err(JournalError::Altered { what: what.clone() }),
        None => Ok(()),
    }
}

/// The SQL of every table and trigger, by kind and name. SQLite's own tables are left out; their names start with
/// `sqlite_`.
fn list_tables(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Option<String>>> {
    let mut statement = connection.prepare(
        "SELECT type || ' `' || name || '`', sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Sets the pragmas of a writing connection. All but the first last only as long as the connection.
fn set_up_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // These matter only on macOS, where a plain fsync does not reach the disk.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)
}

/// Migrates the tables from `format` to the current format.
fn migrate(transaction: &Transaction<'_>, format: u32) -> rusqlite::Result<()> {
    if format == FORMAT {
        return Ok(());
    }
    for step in MIGRATIONS.iter().skip(format as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)
}

/// Somebody removed the main file but not SQLite's write-ahead log. A new main file would lose the records in that log.
#[derive(Debug, thiserror::Error)]
#[error("the journal's main file is missing, but its latest records are still in `{}`", .0.display())]
struct MainFileMissing(PathBuf);

/// Converts an error of opening the journal.
fn fail(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JournalError {
    let source = source.into();
    let is_foreign = source
        .downcast_ref::<rusqlite::Error>()
        .is_some_and(|error| error.sqlite_error_code() == Some(ErrorCode::NotADatabase));
    if is_foreign { JournalError::NotAJournal } else { JournalError::Storage { doing: OPEN_JOURNAL, source } }
}
