//! The engine's ports in memory, for one test case.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::Handle;
use flowswap_engine::{Clock, Entry, JournalError, Recording, RequestOutcome, Secret, SecretStore, SecretStoreError};
use futures::future::{BoxFuture, FutureExt};
use jiff::Timestamp;

/// The journal, secret store, and clock of one case.
#[derive(Default)]
pub(crate) struct Memory {
    entries: Mutex<Vec<Entry>>,
    secrets: Mutex<BTreeMap<Handle, Secret>>,
}

impl Memory {
    /// How many mutating requests were sent.
    pub(crate) fn mutations(&self) -> usize {
        lock(&self.entries).iter().filter(|entry| matches!(entry, Entry::RequestIntended { .. })).count()
    }

    /// Whether any mutating request after the first `mutations` may have changed the world, as far as the host can
    /// tell.
    pub(crate) fn may_have_changed_since(&self, mutations: usize) -> bool {
        let outcomes = lock(&self.entries)
            .iter()
            .filter_map(|entry| match entry {
                Entry::RequestEnded { outcome, .. } => Some(outcome.clone()),
                _ => None,
            })
            .skip(mutations)
            .collect::<Vec<_>>();
        outcomes.iter().any(|outcome| match outcome {
            RequestOutcome::Answered { status, .. } => !(400..500).contains(status) || *status == 408,
            RequestOutcome::NotSent { .. } => false,
            _ => true,
        })
    }

    pub(crate) fn keep(&self, handle: Handle, secret: Secret) {
        lock(&self.secrets).insert(handle, secret);
    }

    pub(crate) fn holds(&self, handle: &Handle) -> bool {
        lock(&self.secrets).contains_key(handle)
    }

    pub(crate) fn forget(&self, handle: &Handle) {
        lock(&self.secrets).remove(handle);
    }

    /// All secrets, including those that the world supplied.
    pub(crate) fn secrets(&self) -> Vec<String> {
        lock(&self.secrets).values().map(|secret| secret.expose().to_owned()).collect()
    }
}

impl Recording for Memory {
    fn record(&self, entry: Entry) -> BoxFuture<'_, Result<(), JournalError>> {
        lock(&self.entries).push(entry);
        async { Ok(()) }.boxed()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} entries)", lock(&self.entries).len())
    }
}

impl SecretStore for Memory {
    fn put<'a>(&'a self, handle: &'a Handle, secret: &'a Secret) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        self.keep(handle.clone(), secret.clone());
        async { Ok(()) }.boxed()
    }

    fn get<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Secret>, SecretStoreError>> {
        let secret = lock(&self.secrets).get(handle).cloned();
        async { Ok(secret) }.boxed()
    }

    fn remove<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        self.forget(handle);
        async { Ok(()) }.boxed()
    }
}

impl Clock for Memory {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
