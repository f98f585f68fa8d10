//! A journal that is given up after its first failure: a run of many tenants must not go on with half of them recorded.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::{FutureExt, future::BoxFuture};

use crate::{Draft, Journal, JournalError, Record};

/// Passes records on until one cannot be written; from then on it takes none.
pub(super) struct Fuse {
    journal: Arc<dyn Journal>,
    blown: AtomicBool,
}

impl Fuse {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, blown: AtomicBool::new(false) }
    }
}

impl Journal for Fuse {
    fn append(&self, draft: Draft) -> BoxFuture<'_, Result<u64, JournalError>> {
        async move {
            if self.blown.load(Ordering::Relaxed) {
                let source = "an earlier record could not be written".into();
                return Err(JournalError::Storage { doing: "append to the journal", source });
            }
            let result = self.journal.append(draft).await;
            if result.is_err() {
                self.blown.store(true, Ordering::Relaxed);
            }
            result
        }
        .boxed()
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        self.journal.load()
    }
}
