//! The lease: who may write to the journal, by an epoch that grows with every writer and stands in each of its records.
//!
//! [`WriterLock`](super::lock::WriterLock) tells whether another writer lives, and ends with it, however that ends. But
//! what it guards is not what is written to, and that leaves gaps:
//!
//! - Somebody removes the lock's file, and two processes hold locks on two files of one name.
//! - The file system does not keep the lock's promise: some network and container file systems grant such locks
//!   without asking other machines, or give one up while its holder is not to be reached.
//! - The holder is suspended, with its laptop or its container, and comes back when one of these has happened.
//!
//! In each of them the late writer would go on from an end of the chain that is no longer the end, and act on a world
//! that another one is changing. So the right to write stands in the database as well, where a writer cannot miss it:
//! a trigger compares the epoch of every record with the lease's, in the transaction that writes the record. Who was
//! replaced is refused by name, whatever its own memory says. Where even SQLite's own locks do not hold, nothing can
//! keep two writers apart (and its write-ahead log wants them on one machine: <https://www.sqlite.org/wal.html>); then
//! the epochs in the chain name the record at which they met.
//!
//! And a lock leaves no trace. The lease does: one that was never released shows that its holder was cut off.

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

/// The one row of its table.
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
    /// The name that the host gives itself.
    pub host: String,
    /// The version of flowswap.
    pub version: String,
    /// When, by the host's clock, in whole seconds.
    pub since: Timestamp,
}

/// A writer before this one that never let go of the journal. It was killed, or its machine stopped; or, if the lock
/// did not hold, it is at work still, and will be refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Takeover {
    /// Its epoch.
    pub epoch: u64,
    /// Who it was.
    pub holder: Holder,
    /// The last record that it wrote, if it wrote any.
    pub last: Option<Record>,
}

impl Lease {
    /// The lease as it stands; none if nobody ever took it.
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        connection.query_row(READ, [], Self::from_row).optional()
    }

    /// The next epoch, which is this process's from the end of the transaction on.
    pub(crate) fn take(connection: &Connection) -> rusqlite::Result<u64> {
        let Holder { process, user, host, version, since } = Holder::of_this_process();
        let row = (process, user, host, version, since.to_string());
        connection.query_row(TAKE, row, |row| row.get(0)).map(i64::cast_unsigned)
    }

    /// Lets go of the epoch, if nobody has taken the next one.
    ///
    /// This is not synced for its own sake. If a power cut takes it back, the next writer is told of a takeover that
    /// was none.
    pub(crate) fn release(connection: &Connection, epoch: u64) -> rusqlite::Result<()> {
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.execute(RELEASE, [epoch.cast_signed()]).map(drop)
    }

    /// Who writes to the journal at `path`, for whoever was refused. Only a journal that can be read says so; and until
    /// a new writer has taken the lease, the one before it is named, if that never let go.
    pub(crate) fn describe_holder(path: &Path) -> String {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let lease = connection.and_then(|connection| Self::read(&connection)).ok().flatten();
        match lease {
            Some(Self { holder, released: false, .. }) => holder.to_string(),
            _ => "it does not say who it is".to_owned(),
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
    /// Two lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "took the journal over, because its last writer never let go of it: {}", self.holder)?;
        let Some(Record { seq, draft, .. }) = &self.last else { return f.write_str("it wrote no record") };
        write!(f, "its last record is {seq}, of {}: {}", draft.at, name_type(&draft.entry))?;
        draft.tenant.as_ref().map_or(Ok(()), |tenant| write!(f, " of {tenant}"))?;
        write!(f, ", in run {}", draft.run)
    }
}

/// The word that stands in the column `type`.
fn name_type(entry: &Entry) -> String {
    let value = serde_json::to_value(entry).unwrap_or_default();
    value["type"].as_str().unwrap_or("unknown").to_owned()
}
