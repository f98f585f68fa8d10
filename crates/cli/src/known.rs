//! The stored secrets, for commands that only must not show them: a server may send one back in any later run, also in a dry run.

use std::path::PathBuf;

use flowswap_config::{Config, SecretRef};
use flowswap_contract::Handle;
use flowswap_engine::{Secret, SecretStore, SecretStoreError};
use flowswap_store::{AgeSecretStore, StateDir};
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::OnceCell;

use crate::{fetch::Fetcher, identity};

/// The secret store of a command that changes nothing and uses no stored secret: it reads them only to keep them out of its
/// output. If the identity does not open without asking somebody, it has none.
pub(crate) struct ToKnow {
    folder: PathBuf,
    /// `None` if nobody knows where it is.
    identity: Option<PathBuf>,
    passphrase: Option<SecretRef>,
    fetcher: Fetcher,
    store: OnceCell<Option<AgeSecretStore>>,
}

impl ToKnow {
    pub(crate) fn of(config: &Config, fetcher: &Fetcher) -> Self {
        Self {
            folder: StateDir::at(&config.state).secrets(),
            identity: identity::locate(config).ok(),
            passphrase: config.passphrase.clone(),
            fetcher: fetcher.clone(),
            store: OnceCell::new(),
        }
    }

    /// Opens the store when the first secret is read, because a passphrase takes about a second.
    async fn store(&self) -> Option<&AgeSecretStore> {
        let open = async || {
            if self.passphrase.as_ref().is_some_and(|passphrase| self.fetcher.may_ask(passphrase)) {
                return None;
            }
            let (fetcher, path, passphrase) = (self.fetcher.clone(), self.identity.clone()?, self.passphrase.clone());
            let opened =
                tokio::task::spawn_blocking(move || identity::unlock(&fetcher, &path, passphrase.as_ref()).ok()).await;
            let identity = opened.ok().flatten()?;
            Some(AgeSecretStore::read_only(self.folder.clone(), identity))
        };
        self.store.get_or_init(open).await.as_ref()
    }
}

impl SecretStore for ToKnow {
    fn put<'a>(&'a self, handle: &'a Handle, _: &'a Secret) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        async { Err(refuse("store", handle)) }.boxed()
    }

    fn get<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Secret>, SecretStoreError>> {
        async {
            match self.store().await {
                Some(store) => store.get(handle).await,
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn remove<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        async { Err(refuse("remove", handle)) }.boxed()
    }
}

fn refuse(doing: &'static str, handle: &Handle) -> SecretStoreError {
    SecretStoreError { doing, handle: handle.clone(), source: "a dry run keeps no secrets".into() }
}
