//! Secrets that a call brings: their names, and where they are kept. None ever replaces one that was shown only once.

use std::collections::BTreeSet;

use base16ct::lower::encode_string as hex;
use flowswap_contract::{Capture, Custody, Error, ErrorKind, Handle, HttpAsk, Op, Role};
use flowswap_engine::{Entry, Secret};

use crate::{
    brought::Expected,
    budget::SECRETS,
    capture::{self, Extracted},
    places::Kind,
    scope::{Scope, internal},
};

impl Scope<'_> {
    /// Refuses captures whose secrets could not be kept, before anything is sent.
    pub(crate) async fn expect_captures(&self, ask: &HttpAsk) -> Result<Expected<'_>, Error> {
        if let Some(capture) = ask.capture.iter().find(|c| !capture::is_name(&c.name)) {
            let message = format!("the plugin captures a secret under the invalid name `{}`", capture.name);
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        // The masks of stored secrets hold for both sides. A directory could hide words of the System Log from the provider, which
        // then takes a client for unused.
        let stores = ask.capture.iter().any(|capture| capture.custody == Custody::Durable);
        if stores && self.side.role == Role::Directory {
            return Err(self.permission().refuse("asked to store a new secret, which only a provider may do"));
        }
        self.spend_secrets(ask.capture.len())?;
        let mut names = BTreeSet::new();
        for capture in &ask.capture {
            let handle = self.name(capture);
            if !names.insert(handle.clone()) {
                return Err(self.permission().refuse(format!("asked for two secrets under the name `{handle}`")));
            }
        }
        let durable = ask.capture.iter().filter(|capture| capture.custody == Custody::Durable);
        self.expect(durable.map(|capture| self.name(capture)).collect(), self.op == Op::Apply).await
    }

    /// Refuses a secret that exists already. `apply` may replace one that an earlier call stored and that its parameters name:
    /// then it finishes a step whose secret is of no use. The old one stays until the new one is stored.
    async fn expect(&self, handles: Vec<Handle>, may_replace: bool) -> Result<Expected<'_>, Error> {
        let mut expected = self.brought.begin();
        for handle in handles {
            let exists =
                || self.permission().refuse(format!("asked for a new secret `{handle}`, which already exists"));
            if !expected.take(&handle) {
                return Err(exists());
            }
            let is_replaceable = may_replace && self.lent.secrets.contains_key(&handle);
            if !is_replaceable && self.side.effects.secrets.get(&handle).await?.is_some() {
                return Err(exists());
            }
        }
        Ok(expected)
    }

    fn spend_secrets(&self, amount: usize) -> Result<(), Error> {
        self.secrets.spend(&SECRETS, amount).map_err(|message| self.permission().refuse(message))
    }

    /// Names a captured secret. A secret that lives as long as the session has a separate path, so that its name is never
    /// that of a configured or a stored secret.
    pub(crate) fn name(&self, capture: &Capture) -> Handle {
        let (tenant, role, name) = (&self.side.tenant, self.side.role, &capture.name);
        match (capture.custody, self.step) {
            (Custody::Durable, Some(step)) => Handle::of_step(tenant, step, name),
            (Custody::Durable, None) | (Custody::Session, _) => Handle::of_session(tenant, role, name),
        }
    }

    /// Makes a random secret and stores it, under the name that the step's output of this name would have.
    pub(crate) async fn mint(&self, name: &str) -> Result<Handle, Error> {
        let Some(step) = self.step.filter(|_| capture::is_name(name)) else {
            let message = format!("the plugin makes a secret outside of any step, or under the invalid name `{name}`");
            return Err(Error::new(ErrorKind::Protocol, message));
        };
        self.spend_secrets(1)?;
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|e| internal(&e))?;
        let handle = Handle::of_step(&self.side.tenant, step, name);
        let mut expected = self.expect(vec![handle.clone()], false).await?;
        let secret = Secret::new(hex(&bytes));
        self.side.effects.secrets.put(&handle, &secret).await.map_err(|e| internal(&e))?;
        expected.arrived(&handle);
        self.side.vault.keep(handle.clone(), Kind::OfStep, secret);
        let entry = Entry::SecretMade { step: step.to_owned(), handle: handle.clone() };
        self.record(entry).await.map_err(|e| internal(&e))?;
        Ok(handle)
    }

    /// Keeps the secrets of an answer, on disk if they must outlive the session.
    pub(crate) async fn store_secrets(&self, extracted: &Extracted, expected: &mut Expected<'_>) -> Result<(), Error> {
        for captured in &extracted.captured {
            if captured.custody == Custody::Durable {
                let stored = self.side.effects.secrets.put(&captured.handle, &captured.secret).await;
                stored.map_err(|e| {
                    internal(&e).with_hint(
                        "roll back the step to invalidate the secret: it was shown only once, and it is lost",
                    )
                })?;
                expected.arrived(&captured.handle);
            }
            let kind = match captured.custody {
                Custody::Session => Kind::Token,
                Custody::Durable => Kind::OfStep,
            };
            self.side.vault.keep(captured.handle.clone(), kind, captured.secret.clone());
        }
        Ok(())
    }

    /// Records which secrets were stored.
    pub(crate) async fn record_stored_secrets(&self, extracted: &Extracted) -> Result<(), Error> {
        let Some(step) = self.step else { return Ok(()) };
        for captured in extracted.captured.iter().filter(|c| c.custody == Custody::Durable) {
            let entry = Entry::SecretStored { step: step.to_owned(), handle: captured.handle.clone() };
            self.record(entry).await.map_err(|e| internal(&e))?;
        }
        Ok(())
    }
}
