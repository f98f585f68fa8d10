//! Why an append was refused. Each message says what is now on the disk.

use std::sync::Arc;

use flowswap_engine::{JournalError, WriterReplaced};

/// All appends of one transaction share one cause.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refusal {
    /// The transaction could not start, so nothing is in doubt, and a later append may succeed.
    #[error("could not start a transaction; nothing was written")]
    NotStarted(#[source] Arc<rusqlite::Error>),
    #[error("nothing was written; the journal refuses further records until it is reopened")]
    NotWritten(#[source] Arc<rusqlite::Error>),
    /// After a failed sync the pages may or may not be on the disk, and a later successful sync proves nothing.
    #[error("the commit failed; reopening the journal will show whether the records were written")]
    InDoubt(#[source] Arc<rusqlite::Error>),
    #[error("nothing was written because an earlier write failed; reopen the journal")]
    Stopped(#[source] Arc<rusqlite::Error>),
    /// Another writer has a later epoch. This is permanent.
    #[error(transparent)]
    Replaced(WriterReplaced),
    #[error("it is open for reading only")]
    ReadOnly,
    #[error("its thread has ended")]
    Ended,
}

impl Refusal {
    /// The error of all later appends; `None` if they may succeed.
    pub(crate) fn for_later_appends(&self) -> Option<Self> {
        match self {
            Self::NotStarted(_) => None,
            Self::NotWritten(cause) | Self::InDoubt(cause) => Some(Self::Stopped(cause.clone())),
            Self::Stopped(_) | Self::Replaced(_) | Self::ReadOnly | Self::Ended => Some(self.clone()),
        }
    }
}

impl From<Refusal> for JournalError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Replaced(replaced) => replaced.into(),
            refusal => Self::Storage { doing: "append to the journal", source: Box::new(refusal) },
        }
    }
}
