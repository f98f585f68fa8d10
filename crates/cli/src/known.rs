//! The stored secrets that must not be shown: a server may send one back in any later run, also in a dry run.

use std::{path::PathBuf, sync::Arc};

use flowswap_config::{Config, SecretRef};
use flowswap_contract::Handle;
use flowswap_engine::{JournalError, Logbook, Secret, SecretStore, SecretStoreError};
use flowswap_host::KnownSecrets;
use flowswap_store::{AgeSecretStore, StateDir};
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::OnceCell;

use crate::{fetch::Fetcher, identity};

/// What both sides of one tenant must not show.
#[derive(Debug, Default)]
pub(crate) struct Known {
    secrets: Arc<KnownSecrets>,
    is_complete: OnceCell<()>,
}

impl Known {
    /// With every secret that the journal says is stored for the tenant, as far as the store can be read.
    pub(crate) async fn of(
        &self,
        tenant: &str,
        logbook: &Logbook,
        store: &dyn SecretStore,
    ) -> Result<Arc<KnownSecrets>, JournalError> {
        let complete = async || {
            let has_work = logbook.overview(tenant).is_some_and(|known| known.plan.is_some());
            let history = if has_work { logbook.tenant(tenant).await? } else { None };
            for handle in history.iter().filter_map(|history| history.work.as_ref()).flat_map(|work| &work.secrets) {
                // A run that needs it says what is wrong with it.
                if let Ok(Some(secret)) = store.get(handle).await {
                    self.secrets.remember_as(handle.clone(), &secret);
                }
            }
            Ok::<_, JournalError>(())
        };
        self.is_complete.get_or_try_init(complete).await?;
        Ok(Arc::clone(&self.secrets))
    }
}

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
            if matches!(self.passphrase, Some(SecretRef::Command(_))) {
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
