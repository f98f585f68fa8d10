//! Why an append was refused, in words that say what is now true of the disk.

use std::sync::Arc;

use flowswap_engine::{Fenced, JournalError};

/// All appends of one transaction share one cause.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refusal {
    /// The transaction could not begin, so nothing is in doubt, and a later append may succeed.
    #[error("no transaction could begin, and nothing was written")]
    NotBegun(#[source] Arc<rusqlite::Error>),
    #[error("nothing was written, and no more will be until the journal is opened again")]
    NotWritten(#[source] Arc<rusqlite::Error>),
    /// After a failed sync the pages may be on the disk or not, and a second sync that succeeds proves nothing.
    #[error("the commit failed: whether the records were written shows when the journal is opened again")]
    InDoubt(#[source] Arc<rusqlite::Error>),
    #[error("nothing was written, because an earlier write failed; open the journal again")]
    Stopped(#[source] Arc<rusqlite::Error>),
    /// The epoch is over. It does not come back, so neither does this writer.
    #[error(transparent)]
    Fenced(Fenced),
    #[error("it was opened for reading only")]
    ReadOnly,
    #[error("its thread has ended")]
    Ended,
}

impl Refusal {
    /// What all later appends are told; none if they may succeed.
    pub(crate) fn lasts(&self) -> Option<Self> {
        match self {
            Self::NotBegun(_) => None,
            Self::NotWritten(cause) | Self::InDoubt(cause) => Some(Self::Stopped(cause.clone())),
            Self::Stopped(_) | Self::Fenced(_) | Self::ReadOnly | Self::Ended => Some(self.clone()),
        }
    }
}

impl From<Refusal> for JournalError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fenced(fenced) => fenced.into(),
            refusal => Self::Storage { doing: "append to the journal", source: Box::new(refusal) },
        }
    }
}
