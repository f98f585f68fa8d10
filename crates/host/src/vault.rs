//! The secrets of one session, in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::Handle;
use flowswap_engine::Secret;

use crate::redact::Redactor;

/// The secrets that a session may use at any time, and all that it has ever seen.
#[derive(Debug, Default)]
pub(crate) struct Vault(Mutex<Secrets>);

#[derive(Debug, Default)]
struct Secrets {
    own: BTreeMap<Handle, Secret>,
    seen: Vec<Secret>,
}

impl Vault {
    /// Makes a secret one of the session's own.
    pub(crate) fn keep(&self, handle: Handle, secret: Secret) {
        self.saw(&secret);
        self.lock().own.insert(handle, secret);
    }

    /// The session's own secret of this name.
    pub(crate) fn get(&self, handle: &Handle) -> Option<Secret> {
        self.lock().own.get(handle).cloned()
    }

    /// Remembers a value that must not come out, without making it the session's own.
    pub(crate) fn saw(&self, secret: &Secret) {
        let mut secrets = self.lock();
        if !secrets.seen.iter().any(|known| known.expose() == secret.expose()) {
            secrets.seen.push(secret.clone());
        }
    }

    /// Takes everything out of texts and answers that the session has seen.
    pub(crate) fn redactor(&self) -> Redactor {
        Redactor::new(&self.lock().seen)
    }

    fn lock(&self) -> MutexGuard<'_, Secrets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
