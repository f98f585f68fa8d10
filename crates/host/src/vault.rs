//! The secrets of one session, in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::Handle;
use flowswap_engine::Secret;

use crate::redact::Redactor;

/// The secrets that a session may use at any time, and every secret that it has seen.
#[derive(Debug, Default)]
pub(crate) struct Vault(Mutex<Secrets>);

#[derive(Debug, Default)]
struct Secrets {
    own: BTreeMap<Handle, Secret>,
    seen: Vec<Secret>,
    /// Knows everything in `seen`. `None` if that has changed.
    redactor: Option<Arc<Redactor>>,
}

impl Vault {
    /// Adds a secret to the session's own ones.
    pub(crate) fn keep(&self, handle: Handle, secret: Secret) {
        self.remember(&secret);
        self.lock().own.insert(handle, secret);
    }

    /// The session's own secret of this name.
    pub(crate) fn get(&self, handle: &Handle) -> Option<Secret> {
        self.lock().own.get(handle).cloned()
    }

    /// Remembers a value that must not be shown, without adding it to the session's own secrets.
    pub(crate) fn remember(&self, secret: &Secret) {
        let mut secrets = self.lock();
        if !secrets.seen.iter().any(|known| known.expose() == secret.expose()) {
            secrets.seen.push(secret.clone());
            secrets.redactor = None;
        }
    }

    /// Removes every secret that the session has seen from texts and answers.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        let Secrets { seen, redactor, .. } = &mut *self.lock();
        Arc::clone(redactor.get_or_insert_with(|| Arc::new(Redactor::new(&*seen))))
    }

    fn lock(&self) -> MutexGuard<'_, Secrets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
