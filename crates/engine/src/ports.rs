//! What the engine needs of the world: four traits, implemented by `host` and `store`, and by tests.

use std::collections::BTreeMap;

use flowswap_contract::{self as contract, Handle, Op, Step};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{Direction, Draft, Record, RunId, Secret, run::removes};

/// One side of one tenant: an open session of a plugin.
pub trait Backend: Send + Sync {
    /// Carries out one of the six verbs. An error says whether the world may have changed.
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>>;

    /// How far each server's clock is ahead of this machine's, by origin, as the answers so far show it (`Date`, RFC 9110
    /// §6.6.1); negative where it is behind. Whole seconds: the header says no more.
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
    /// The step; none outside of steps.
    pub step: Option<&'a str>,
    /// What the verb takes. The secrets that stand in it by handle may be used for this call.
    pub params: Value,
}

/// What a plugin may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing that changes the world.
    DryRun,
    /// Anything, journaled.
    Apply,
    /// As [`Apply`](Mode::Apply), for a step that removes a client: up to its change nothing waits, and nothing is sent again.
    /// The error says when it may be, so that the engine can look again before that whether the client is in use.
    Remove,
}

impl Mode {
    /// The mode in which the engine makes a call.
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

/// The append-only record of what was done.
pub trait Journal: Send + Sync {
    /// Writes a record; when this returns its number, the record is durable.
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<u64, JournalError>>;

    /// All records, oldest first, after their integrity has been checked.
    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>>;
}

/// Why the journal could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The storage failed; `doing` says at what.
    #[error("failed to {doing}")]
    Storage {
        /// A verb phrase such as `append to the journal`.
        doing: &'static str,
        /// What the storage said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record is not what was written, or is out of order.
    #[error("record {seq} of the journal is damaged: {problem}")]
    Damaged {
        /// The record's number.
        seq: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// What keeps records from being changed, or lets nobody but the holder write them, is not as it was made.
    #[error("the journal's {what} is not as it was made")]
    Altered {
        /// A table or a trigger.
        what: String,
    },
    /// The file belongs to another program, or lost what says that it does not.
    #[error("the file is empty or damaged, or is not a journal of flowswap")]
    NotAJournal,
    /// The journal was written by a later version.
    #[error("the journal has format {found}, and this version reads up to {known}")]
    TooNew {
        /// The journal's format.
        found: u32,
        /// The highest known format.
        known: u32,
    },
    /// Another process is writing.
    #[error("the journal is in use by another flowswap ({holder})")]
    InUse {
        /// Who, as far as known.
        holder: String,
    },
    /// Another writer has taken the journal over, and this one may write no more.
    #[error(transparent)]
    Fenced(#[from] Fenced),
}

/// The storage itself refused a writer that another one has replaced: its lock did not hold, or it was suspended and
/// came back. It must not go on, because the other one acts on the same world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the journal was taken over: this writer has epoch {epoch}, which was replaced by epoch {current} ({holder}); \
     nothing of this was written"
)]
pub struct Fenced {
    /// The epoch of the writer that was refused.
    pub epoch: u64,
    /// The epoch that holds now.
    pub current: u64,
    /// Who got that epoch, and since when.
    pub holder: String,
}

/// The custody of secrets that were shown once.
pub trait SecretStore: Send + Sync {
    /// Keeps a secret; when this returns, it is durable.
    fn put<'a>(&'a self, handle: &'a Handle, secret: &'a Secret) -> BoxFuture<'a, Result<(), SecretStoreError>>;

    /// The secret, or none if it is not there.
    fn get<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Secret>, SecretStoreError>>;

    /// Forgets a secret that is of no use any more; one that is not there is forgotten already.
    fn remove<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<(), SecretStoreError>>;
}

/// Why a secret could not be kept or read. Never holds the secret.
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

/// The time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
