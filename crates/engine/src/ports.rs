//! The ports of the engine to the world: four traits, implemented by `host`, `store`, and tests.

use std::{collections::BTreeMap, fmt};

use flowswap_contract::{self as contract, Handle, Json, Op};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{Draft, Entry, IllegalRecord, Mode, Record, RunId, Secret, chain};

/// One side of one tenant: an open session of a plugin.
pub trait Backend: Send + Sync {
    /// Calls one of the six verbs. An error says whether the world may have changed.
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>>;

    /// The text without the tenant's secrets, or `None` if it has none. What is written for good goes through this once more:
    /// one side may have told something before the other side knew it to be secret.
    fn redact(&self, _text: &str) -> Option<String> {
        None
    }

    /// The origins that the side may talk to, such as `https://acme.okta.com`, sorted. Empty before the first call.
    fn origins(&self) -> Vec<String> {
        Vec::new()
    }

    /// The paths at which it asks these for tokens, such as `/oauth2/v1/token`, sorted. Empty before the first call.
    fn token_paths(&self) -> Vec<String> {
        Vec::new()
    }

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
    pub params: Json,
    /// Records what the call does to the world. A call without it cannot change anything.
    pub recorder: Option<&'a dyn Recording>,
}

impl BackendCall<'_> {
    /// A call outside of any run and step, which changes nothing.
    pub fn dry(op: Op, params: Json) -> Self {
        Self { op, mode: Mode::DryRun, run: RunId::none(), step: None, params, recorder: None }
    }
}

/// Takes the records of one tenant in one run.
pub trait Recording: Send + Sync + fmt::Debug {
    /// Adds an entry. When this returns, it is durable, unless the entry only says that something was looked at and nothing
    /// new was found.
    fn record(&self, entry: Entry) -> BoxFuture<'_, Result<(), JournalError>>;
}

/// The append-only record of every run.
pub trait Journal: Send + Sync {
    /// Writes records, all of them or none. When this returns, they are durable. Returns a position that includes them.
    fn append(&self, drafts: Vec<Draft>) -> BoxFuture<'_, Result<Position, JournalError>>;

    /// Passes records to `visit`, oldest first, and checks the integrity of each. Returns the position after the last one. An
    /// error of `visit` ends it.
    fn load<'a>(&'a self, records: Records<'a>, visit: Visitor<'a>) -> BoxFuture<'a, Result<Position, JournalError>>;
}

/// Receives records, one after the other.
pub type Visitor<'a> = &'a mut (dyn FnMut(Record) -> Result<(), JournalError> + Send);

/// Which records of the journal to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records<'a> {
    /// All of them.
    All,
    /// Those after this position. If the journal never had this position, that is [`JournalError::UnknownPosition`].
    After(&'a Position),
    /// Those of one tenant.
    OfTenant(&'a str),
}

/// A place in the journal: a record and everything before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The number of the record. 0 is the start.
    pub seq: u64,
    /// The hash of the record, which covers all records before it. Zeros at the start.
    pub hash: [u8; 32],
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
    /// A record cannot follow the records before it.
    #[error(transparent)]
    Illegal(#[from] IllegalRecord),
    /// The journal never had the position from which it should be read.
    #[error("record {0} of the journal is not the record that was read before")]
    UnknownPosition(u64),
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

impl JournalError {
    /// A record that must not be written, because of a defect of flowswap.
    pub(crate) fn invalid(problem: &str) -> Self {
        Self::Storage { doing: "write a valid record", source: problem.to_owned().into() }
    }
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

/// What a person needs: which secret, why, and what to do.
impl From<SecretStoreError> for contract::Error {
    fn from(error: SecretStoreError) -> Self {
        Self::new(contract::ErrorKind::Internal, chain(&error))
            .with_hint("check the secret store: flowswap audit verify")
    }
}

/// The clock of this machine.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}
