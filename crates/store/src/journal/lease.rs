//! The lease decides who may write to the journal. Each writer gets the next epoch, and every record has its writer's.
//!
//! [`WriterLock`](super::lock::WriterLock) shows whether another writer is alive, and the kernel releases it when that
//! process ends. But the lock is on a separate file, which leaves gaps:
//!
//! - Somebody removes the lock file, and two processes hold locks on two files of one name.
//! - The file system does not honor the lock. Some network and container file systems grant such locks without asking
//!   other machines, or release a lock while its holder is unreachable.
//! - The holder is suspended, with its laptop or its container, and resumes after one of these has happened.
//!
//! In each case the old writer would continue from an end of the chain that is no longer the end, and act on tenants
//! that another writer is changing. So the database also enforces the right to write: a trigger compares the epoch of
//! every record with the lease's, in the transaction that writes the record. A replaced writer is refused, and the
//! error names the writer that replaced it. If even SQLite's own locks do not work, nothing can keep two writers apart
//! (its write-ahead log requires all writers to be on one machine: <https://www.sqlite.org/wal.html>). Then the epochs
//! in the chain show the record at which the writers collided.
//!
//! The lease also leaves a trace, which a lock does not: a lease that was never released shows that its holder was
//! interrupted.

use std::fmt;
use std::path::Path;

use flowswap_engine::{Entry, Record};
use jiff::{Timestamp, Unit};
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

const READ: &str = "SELECT epoch, released, process, user, host, version, since FROM lease WHERE epoch > 0";
const TAKE: &str =
    "UPDATE lease SET epoch = epoch + 1, released = 0, process = ?1, user = ?2, host = ?3, version = ?4, since = ?5
    RETURNING epoch";
const RELEASE: &str = "UPDATE lease SET released = 1 WHERE epoch = ?1";

/// The only row of the table `lease`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub epoch: u64,
    pub holder: Holder,
    pub released: bool,
}

/// Who opened the journal for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The id of the process on its host.
    pub process: u32,
    /// The id of the user on its host.
    pub user: u32,
    /// The host's own name.
    pub host: String,
    /// The version of flowswap.
    pub version: String,
    /// When it opened the journal, by the host's clock, in whole seconds.
    pub since: Timestamp,
}

/// The previous writer, if it did not release the journal. It was killed or its machine stopped. If the lock did not
/// work, it may still be running; its appends will be refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Takeover {
    /// The epoch of that writer.
    pub epoch: u64,
    /// The process that wrote.
    pub holder: Holder,
    /// The last record that it wrote, if any.
    pub last: Option<Record>,
}

impl Lease {
    /// Reads the lease. `None` if nobody ever took it.
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        connection.query_row(READ, [], Self::from_row).optional()
    }

    /// Takes the next epoch for this process. It takes effect when the transaction is committed.
    pub(crate) fn take(connection: &Connection) -> rusqlite::Result<u64> {
        let Holder { process, user, host, version, since } = Holder::of_this_process();
        let row = (process, user, host, version, since.to_string());
        connection.query_row(TAKE, row, |row| row.get(0)).map(i64::cast_unsigned)
    }

    /// Releases the epoch, unless another writer has taken the next one.
    ///
    /// This does not force a sync. If a power failure undoes it, the next writer reports a takeover that did not
    /// happen.
    pub(crate) fn release(connection: &Connection, epoch: u64) -> rusqlite::Result<()> {
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.execute(RELEASE, [epoch.cast_signed()]).map(drop)
    }

    /// Describes who writes to the journal at `path`, for the error that refuses a second writer. An unreadable journal
    /// names nobody. Until a new writer has taken the lease, this names the previous one if it did not release it.
    pub(crate) fn describe_holder(path: &Path) -> String {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let lease = connection.and_then(|connection| Self::read(&connection)).ok().flatten();
        match lease {
            Some(Self { holder, released: false, .. }) => holder.to_string(),
            _ => "process unknown".to_owned(),
        }
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let since: String = row.get(6)?;
        let since = since
            .parse()
            .map_err(|error: jiff::Error| rusqlite::Error::FromSqlConversionFailure(6, Type::Text, Box::new(error)))?;
        let holder = Holder { process: row.get(2)?, user: row.get(3)?, host: row.get(4)?, version: row.get(5)?, since };
        Ok(Self { epoch: row.get(0).map(i64::cast_unsigned)?, released: row.get(1)?, holder })
    }
}

impl Holder {
    fn of_this_process() -> Self {
        let since = Timestamp::now();
        Self {
            process: std::process::id(),
            user: rustix::process::geteuid().as_raw(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: since.round(Unit::Second).unwrap_or(since),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, user, host, version, since } = self;
        write!(f, "process {process}, user {user} on {host}, flowswap {version}, since {since}")
    }
}

impl fmt::Display for Takeover {
    /// Writes two lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "the last flowswap process was interrupted, so this one takes over the journal. The last process: {}",
            self.holder
        )?;
        let Some(Record { seq, draft, .. }) = &self.last else { return f.write_str("that process wrote no records") };
        write!(f, "the last record of that process is {seq}, written at {}: {}", draft.at, type_name(&draft.entry))?;
        draft.tenant.as_ref().map_or(Ok(()), |tenant| write!(f, " of {tenant}"))?;
        write!(f, ", in run {}", draft.run)
    }
}

/// The value of the column `type`, unless a member tells more.
fn type_name(entry: &Entry) -> String {
    if matches!(entry, Entry::Refused { unread: true, .. }) {
        return "unread".to_owned();
    }
    let value = serde_json::to_value(entry).unwrap_or_default();
    value["type"].as_str().unwrap_or("unknown").to_owned()
}
