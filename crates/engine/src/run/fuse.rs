//! A journal that is given up after its first failure, by everybody who records.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{FutureExt, future::BoxFuture};

use crate::{Draft, Fenced, Journal, JournalError, Record};

/// Passes records on until one cannot be written; from then on it takes none.
pub(super) struct Fuse {
    journal: Arc<dyn Journal>,
    blown: Mutex<Option<Cause>>,
}

/// Why no more is taken. Whoever comes later is told the same.
#[derive(Clone)]
enum Cause {
    Fenced(Fenced),
    Other(String),
}

impl Fuse {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, blown: Mutex::default() }
    }

    fn cause(&self) -> Option<Cause> {
        self.blown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn blow(&self, error: &JournalError) {
        let cause = match error {
            JournalError::Fenced(fenced) => Cause::Fenced(fenced.clone()),
            JournalError::Storage { source, .. } => Cause::Other(source.to_string()),
            other => Cause::Other(other.to_string()),
        };
        self.blown.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
    }
}

impl From<Cause> for JournalError {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Fenced(fenced) => Self::Fenced(fenced),
            Cause::Other(cause) => {
                let source = format!("an earlier record could not be written: {cause}").into();
                Self::Storage { doing: "append to the journal", source }
            }
        }
    }
}

impl Journal for Fuse {
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<u64, JournalError>> {
        async move {
            if let Some(cause) = self.cause() {
                return Err(cause.into());
            }
            self.journal.append(draft).await.inspect_err(|error| self.blow(error))
        }
        .boxed()
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        self.journal.load()
    }
}
