//! The secrets of one session, in memory, and those of its tenant that must not be shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::{Custody, Handle};
use flowswap_engine::Secret;

use crate::{
    places::Kind,
    redact::{Needle, Redactor},
};

/// The secrets that a session may use at any time.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    own: Mutex<BTreeMap<Handle, (Kind, Secret)>>,
    /// What only this session must not show: its tokens. They go to no other side. A server chooses them, and could hide words from
    /// the other side.
    tokens: KnownSecrets,
    /// What both sides must not show.
    known: Arc<KnownSecrets>,
    /// Knows both, and was made from these two.
    joined: Mutex<Option<Joined>>,
}

#[derive(Debug)]
struct Joined {
    of: [Arc<Redactor>; 2],
    redactor: Arc<Redactor>,
}

/// The secrets of a tenant that must not be shown, even if a server sends them back. Both sides share them. Knowing a secret does not
/// allow a session to use it.
#[derive(Debug, Default)]
pub struct KnownSecrets(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    needles: Vec<Arc<Needle>>,
    /// Those that are in the secret store, by name.
    stored: BTreeMap<Handle, Secret>,
    /// Their names, as far as they have one.
    handles: BTreeSet<Handle>,
    /// Texts of the tenant that everybody may see, in lower case, by what they are. None of them becomes a secret.
    public: BTreeMap<String, String>,
    /// Knows all of them. `None` if one was added.
    redactor: Option<Arc<Redactor>>,
}

impl Vault {
    pub(crate) fn of(known: Arc<KnownSecrets>) -> Self {
        Self { known, ..Self::default() }
    }

    /// Adds a secret to the session's own ones.
    pub(crate) fn keep(&self, handle: Handle, kind: Kind, secret: Secret) {
        match kind {
            Kind::OfStep => self.known.remember_as(handle.clone(), &secret),
            Kind::Configured => self.known.name(handle.clone(), &secret),
            Kind::Token => self.tokens.name(handle.clone(), &secret),
        }
        self.own().insert(handle, (kind, secret));
    }

    /// The session's own secret of this name, and what it is.
    pub(crate) fn get(&self, handle: &Handle) -> Option<(Kind, Secret)> {
        self.own().get(handle).cloned()
    }

    /// Remembers a value that must not be shown, without adding it to the session's own secrets.
    pub(crate) fn remember(&self, secret: &Secret, custody: Custody) {
        match custody {
            Custody::Session => self.tokens.remember(secret),
            Custody::Durable => self.known.remember(secret),
        }
    }

    /// The same for a value that is in the secret store.
    pub(crate) fn remember_stored(&self, handle: &Handle, secret: &Secret) {
        self.known.remember_stored(handle, secret);
    }

    /// Removes every secret that the tenant has from texts and answers, and the tokens of this session.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        let of = [self.known.redactor(), self.tokens.redactor()];
        let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |joined: &Joined| joined.of.iter().zip(&of).all(|(a, b)| Arc::ptr_eq(a, b));
        if let Some(joined) = joined.as_ref().filter(|joined| is_same(joined)) {
            return Arc::clone(&joined.redactor);
        }
        let redactor = Arc::new(of[0].and(&of[1]));
        *joined = Some(Joined { of, redactor: Arc::clone(&redactor) });
        redactor
    }

    /// Whether a text that is to be stored as a new secret has a known one in it, in any form, or would hide what everybody sees of
    /// the tenant. Under the new name a known secret could leave for other places. A stored secret may come again under its own
    /// name.
    pub(crate) fn repeats(&self, handle: &Handle, new: &Secret) -> bool {
        !self.known.is_stored(handle, new) && (self.redactor().has_secret(new.expose()) || self.known.is_public(new))
    }

    /// From now on, no text within this one becomes a secret. It replaces what was called the same before.
    pub(crate) fn publish(&self, name: &str, text: &str) {
        self.known.publish(name, text);
    }

    /// Whether a text that is to be kept as a token has in it a secret of the request that brought it, or a credential of this
    /// side. With text of the plugin around it, it would be searched for, and tell good guesses from bad ones. Other known
    /// secrets do not count: a plugin can plant those, and a refusal would tell whether a token has them in it.
    pub(crate) fn repeats_credential<'a>(&self, new: &Secret, sent: impl Iterator<Item = &'a Secret>) -> bool {
        let own = self.own();
        let mut secrets: Vec<&Secret> = sent.collect();
        secrets.extend(own.values().filter(|(kind, _)| *kind == Kind::Configured).map(|(_, secret)| secret));
        // Fetching a secret for a request remembers it.
        let needles = self.known.needles_of(&secrets);
        Redactor::new(needles, BTreeSet::new()).has_secret(new.expose())
    }

    fn own(&self) -> MutexGuard<'_, BTreeMap<Handle, (Kind, Secret)>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownSecrets {
    /// From now on, the value of this name in the secret store is not shown.
    pub fn remember_as(&self, handle: Handle, secret: &Secret) {
        self.remember_stored(&handle, secret);
        self.name(handle, secret);
    }

    /// The same for a value that is not in the secret store.
    fn name(&self, handle: Handle, secret: &Secret) {
        self.remember(secret);
        let mut known = self.lock();
        if known.handles.insert(handle) {
            known.redactor = None;
        }
    }

    /// The text without these secrets, or `None` if it has none.
    pub fn redact(&self, text: &str) -> Option<String> {
        self.redactor().redact(text)
    }

    fn redactor(&self) -> Arc<Redactor> {
        let Known { needles, handles, redactor, .. } = &mut *self.lock();
        Arc::clone(redactor.get_or_insert_with(|| Arc::new(Redactor::new(needles.clone(), handles.clone()))))
    }

    /// From now on, this value is not shown.
    pub fn remember(&self, secret: &Secret) {
        let mut known = self.lock();
        if !secret.expose().is_empty() && !known.needles.iter().any(|needle| needle.is_of(secret)) {
            known.needles.push(Arc::new(Needle::new(secret.clone())));
            known.redactor = None;
        }
    }

    /// What finds these secrets, as far as they are known.
    fn needles_of(&self, secrets: &[&Secret]) -> Vec<Arc<Needle>> {
        let known = self.lock();
        let is_meant = |needle: &&Arc<Needle>| secrets.iter().any(|secret| needle.is_of(secret));
        known.needles.iter().filter(is_meant).cloned().collect()
    }

    /// From now on, no text within this one becomes a secret. It replaces what was called the same before.
    pub fn publish(&self, name: &str, text: &str) {
        self.lock().public.insert(name.to_owned(), text.to_ascii_lowercase());
    }

    fn is_public(&self, secret: &Secret) -> bool {
        let needle = Needle::new(secret.clone());
        self.lock().public.values().any(|text| needle.is_within(text))
    }

    fn remember_stored(&self, handle: &Handle, secret: &Secret) {
        self.remember(secret);
        self.lock().stored.insert(handle.clone(), secret.clone());
    }

    fn is_stored(&self, handle: &Handle, secret: &Secret) -> bool {
        self.lock().stored.get(handle).is_some_and(|stored| stored.expose() == secret.expose())
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
        let [old, new] = ["t/s/old", "t/s/new"].map(Handle::new);
        let stored = Secret::new("stored-secret-of-an-earlier-step");
        vault.remember_stored(&old, &stored);
        assert!(!vault.repeats(&old, &stored) && vault.repeats(&new, &stored), "only under its own name");
        // A token that is renewed stays known.
        for token in ["first-token-of-the-session", "second-token-of-the-session"] {
            vault.keep(Handle::new("t/provider/session/x"), Kind::Token, Secret::new(token));
        }
        for text in [
            "00Known/Secret-of-the-org-1",
            "aaaa 00Known/Secret-of-the-org-1",
            "SSWS 00Known/Secret-of",
            "00known%2Fsecret-of-the-org-1!",
            "Basic bWU6MDBLbm93bi9TZWNy\r\nZXQtb2YtdGhlLW9yZy0x",
            "x stored-secret-of-an-earlier-step",
            "first-token-of-the-session",
            "second-token-of-the-session",
        ] {
            assert!(vault.repeats(&new, &Secret::new(text)), "{text}");
        }
        for text in ["00Known/Other", "new"] {
            assert!(!vault.repeats(&new, &Secret::new(text)), "{text}");
        }
    }

    #[test]
    fn a_token_has_no_secret_of_its_request_in_it() {
        let vault = Vault::default();
        vault.keep(Handle::new("t/provider/credential"), Kind::Configured, Secret::new("00Known/Secret-of-the-org-1"));
        vault.remember(&Secret::new("planted"), Custody::Durable);
        let sent = [Secret::new("lent-secret-of-a-step")];
        vault.remember_stored(&Handle::new("t/s/lent"), &sent[0]);
        let repeats = |text: &str| vault.repeats_credential(&Secret::new(text), sent.iter());
        for text in
            ["me:00Known/Secret-of-the-org-1", "lent-secret-of-a-step", "Basic bWU6bGVudC1zZWNyZXQtb2YtYS1zdGVw"]
        {
            assert!(repeats(text), "{text}");
        }
        for text in ["a-token-with-planted-text", "planted", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"] {
            assert!(!repeats(text), "{text}");
        }
    }
}
