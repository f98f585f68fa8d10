//! The secrets of one session, in memory, and those of its tenant that must not be shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::Handle;
use flowswap_engine::Secret;

use crate::{
    places::Kind,
    redact::{Needle, Redactor},
};

/// The secrets that a session may use at any time.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    own: Mutex<BTreeMap<Handle, (Kind, Secret)>>,
    known: Arc<KnownSecrets>,
}

/// The secrets of a tenant that must not be shown, even if a server sends them back. Both sides share them. Knowing a secret does not
/// allow a session to use it.
#[derive(Debug, Default)]
pub struct KnownSecrets(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    needles: Vec<Arc<Needle>>,
    /// Their names, as far as they have one.
    handles: BTreeSet<Handle>,
    /// Knows all of them. `None` if one was added.
    redactor: Option<Arc<Redactor>>,
}

impl Vault {
    pub(crate) fn of(known: Arc<KnownSecrets>) -> Self {
        Self { known, ..Self::default() }
    }

    /// Adds a secret to the session's own ones.
    pub(crate) fn keep(&self, handle: Handle, kind: Kind, secret: Secret) {
        self.known.remember_as(handle.clone(), &secret);
        self.own().insert(handle, (kind, secret));
    }

    /// The session's own secret of this name, and what it is.
    pub(crate) fn get(&self, handle: &Handle) -> Option<(Kind, Secret)> {
        self.own().get(handle).cloned()
    }

    /// Remembers a value that must not be shown, without adding it to the session's own secrets.
    pub(crate) fn remember(&self, secret: &Secret) {
        self.known.remember(secret);
    }

    /// Removes every secret that the tenant has from texts and answers.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        let Known { needles, handles, redactor } = &mut *self.known.lock();
        Arc::clone(redactor.get_or_insert_with(|| Arc::new(Redactor::new(needles.clone(), handles.clone()))))
    }

    fn own(&self) -> MutexGuard<'_, BTreeMap<Handle, (Kind, Secret)>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownSecrets {
    /// From now on, the value of this name is not shown.
    pub fn remember_as(&self, handle: Handle, secret: &Secret) {
        self.remember(secret);
        let mut known = self.lock();
        if known.handles.insert(handle) {
            known.redactor = None;
        }
    }

    /// From now on, this value is not shown.
    fn remember(&self, secret: &Secret) {
        let mut known = self.lock();
        if !secret.expose().is_empty() && !known.needles.iter().any(|needle| needle.is_of(secret)) {
            known.needles.push(Arc::new(Needle::new(secret.clone())));
            known.redactor = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
