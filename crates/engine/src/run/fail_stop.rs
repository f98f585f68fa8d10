//! A journal that accepts no more records after the first failure, from any writer.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{FutureExt, future::BoxFuture};

use crate::{Draft, Journal, JournalError, Record, WriterReplaced};

/// Passes records on until one cannot be written. After that it refuses every record.
pub(super) struct FailStop {
    journal: Arc<dyn Journal>,
    failure: Mutex<Option<Cause>>,
}

/// Why no more records are accepted. Every later caller gets this cause.
#[derive(Clone)]
enum Cause {
    WriterReplaced(WriterReplaced),
    Other(String),
}

impl FailStop {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, failure: Mutex::default() }
    }

    fn cause(&self) -> Option<Cause> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, error: &JournalError) {
        let cause = match error {
            JournalError::WriterReplaced(replaced) => Cause::WriterReplaced(replaced.clone()),
            JournalError::Storage { source, .. } => Cause::Other(source.to_string()),
            other => Cause::Other(other.to_string()),
        };
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cause);
    }
}

impl From<Cause> for JournalError {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::WriterReplaced(replaced) => Self::WriterReplaced(replaced),
            Cause::Other(cause) => {
                let source = format!("an earlier record could not be written: {cause}").into();
                Self::Storage { doing: "append to the journal", source }
            }
        }
    }
}

impl Journal for FailStop {
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<u64, JournalError>> {
        async move {
            if let Some(cause) = self.cause() {
                return Err(cause.into());
            }
            self.journal.append(draft).await.inspect_err(|error| self.remember(error))
        }
        .boxed()
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        self.journal.load()
    }
}
