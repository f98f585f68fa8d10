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

    /// Whether a text that is to be stored as a new secret has a known one in it, in any form. Under the new name it could leave
    /// for other places. A stored secret may come again as it is.
    pub(crate) fn repeats(&self, new: &Secret) -> bool {
        let is_own = self.own().values().any(|(_, own)| own.expose() == new.expose());
        is_own || !self.known.has(new) && self.redactor().has_secret(new.expose())
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

    fn has(&self, secret: &Secret) -> bool {
        self.lock().needles.iter().any(|needle| needle.is_of(secret))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that repeats a header would make a new secret of a credential.
    #[test]
    fn a_known_secret_is_not_a_new_one() {
        let vault = Vault::default();
        let credential = Secret::new("00Known/Secret-of-the-org-1");
        vault.keep(Handle::new("t/provider/credential"), Kind::Configured, credential);
        vault.remember(&Secret::new("stored-secret-of-an-earlier-step"));
        for text in [
            "00Known/Secret-of-the-org-1",
            "aaaa 00Known/Secret-of-the-org-1",
            "SSWS 00Known/Secret-of",
            "00known%2Fsecret-of-the-org-1!",
            "Basic bWU6MDBLbm93bi9TZWNy\r\nZXQtb2YtdGhlLW9yZy0x",
            "x stored-secret-of-an-earlier-step",
        ] {
            assert!(vault.repeats(&Secret::new(text)), "{text}");
        }
        for text in ["stored-secret-of-an-earlier-step", "00Known/Other", "new"] {
            assert!(!vault.repeats(&Secret::new(text)), "{text}");
        }
    }
}
