//! The ports of the engine to the world: four traits, implemented by `host`, `store`, and tests.

use std::collections::BTreeMap;

use flowswap_contract::{self as contract, Handle, Op, Step};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{Direction, Draft, Record, RunId, Secret, run::removes};

/// One side of one tenant: an open session of a plugin.
pub trait Backend: Send + Sync {
    /// Calls one of the six verbs. An error says whether the world may have changed.
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>>;

    /// How far each server's clock is ahead of this machine's clock, by origin. Negative if it is behind. Taken from the
    /// `Date` header of the answers so far (RFC 9110 §6.6.1), so the unit is whole seconds.
    fn skews(&self) -> BTreeMap<String, SignedDuration> {
        BTreeMap::new()
    }
}

/// One use of a [`Backend`].
#[derive(Debug, Clone)]
pub struct BackendCall<'a> {
    /// The verb.
    pub op: Op,
    /// What the plugin may ask for while it works on this call.
    pub mode: Mode,
    /// The run.
    pub run: RunId,
    /// The step. `None` outside of steps.
    pub step: Option<&'a str>,
    /// The parameters of the verb. This call may use the secrets whose handles they contain.
    pub params: Value,
}

/// What a plugin may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing that changes the world.
    DryRun,
    /// Anything. Every change is journaled.
    Apply,
    /// As [`Apply`](Mode::Apply), for a step that removes a client. Up to its change, nothing waits and nothing is sent again.
    /// The error says when to retry, so that the engine can first check again whether the client is in use.
    Remove,
}

impl Mode {
    /// The mode for a call of this verb.
    pub fn of(op: Op, step: Option<&Step>) -> Self {
        let in_direction = |direction| step.is_some_and(|step| removes(step, direction).is_some());
        match op {
            Op::Apply if in_direction(Direction::Forward) => Self::Remove,
            Op::Undo if in_direction(Direction::Back) => Self::Remove,
            Op::Apply | Op::Undo => Self::Apply,
            Op::Test if step.is_some() => Self::Apply,
            Op::Detect | Op::Plan | Op::Observe | Op::Test => Self::DryRun,
        }
    }
}

/// The append-only record of every run.
pub trait Journal: Send + Sync {
    /// Writes a record and returns its number. When this returns, the record is durable.
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<u64, JournalError>>;

    /// All records, oldest first. Checks their integrity first.
    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>>;
}

/// Why the journal could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The storage failed while `doing` something.
    #[error("failed to {doing}")]
    Storage {
        /// A verb phrase such as `append to the journal`.
        doing: &'static str,
        /// What the storage said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record was changed after it was written, or is out of order.
    #[error("record {seq} of the journal is damaged: {problem}")]
    Damaged {
        /// The record's number.
        seq: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A table or trigger that protects the records, or that admits only one writer, was changed.
    #[error("the journal's {what} was changed after it was created")]
    Altered {
        /// A table or a trigger.
        what: String,
    },
    /// The file belongs to another program, or lost the mark of a flowswap journal.
    #[error("the file is empty, damaged, or not a flowswap journal")]
    NotAJournal,
    /// The journal was written by a later version.
    #[error("the journal has format {found}, but this version reads formats up to {known}")]
    TooNew {
        /// The journal's format.
        found: u32,
        /// The highest known format.
        known: u32,
    },
    /// Another process writes to the journal.
    #[error("the journal is in use by another flowswap process ({holder})")]
    InUse {
        /// The other process, as far as known.
        holder: String,
    },
    /// Another writer has taken over the journal, and this one must not write any more.
    #[error(transparent)]
    WriterReplaced(#[from] WriterReplaced),
}

/// The storage refused a writer that another writer has replaced. Its lock did not hold, or it was suspended and resumed.
/// It must stop, because the other writer changes the same orgs and directories.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "another process took over the journal: epoch {epoch} of this process was replaced by epoch {current} ({holder}); this \
     record was not written"
)]
pub struct WriterReplaced {
    /// The epoch of the writer that was refused.
    pub epoch: u64,
    /// The epoch that holds now.
    pub current: u64,
    /// The process that has that epoch, and since when.
    pub holder: String,
}

/// The store of secrets that were shown only once.
pub trait SecretStore: Send + Sync {
    /// Stores a secret. When this returns, it is durable.
    fn put<'a>(&'a self, handle: &'a Handle, secret: &'a Secret) -> BoxFuture<'a, Result<(), SecretStoreError>>;

    /// The secret, or `None` if it is not stored.
    fn get<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Secret>, SecretStoreError>>;

    /// Deletes a secret that is no longer needed. Deleting a secret that is not stored succeeds.
    fn remove<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<(), SecretStoreError>>;
}

/// Why a secret could not be stored, read, or removed. Never contains the secret.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} the secret `{handle}`")]
pub struct SecretStoreError {
    /// `store`, `read` or `remove`.
    pub doing: &'static str,
    /// The secret's name.
    pub handle: Handle,
    /// What the storage or the encryption said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The clock of this machine.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}
