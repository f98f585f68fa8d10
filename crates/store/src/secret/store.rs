//! The folder of secrets. An acknowledged secret is on the disk. A crash leaves either the old value or the new one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowswap_engine::{Handle, Secret, SecretStore, SecretStoreError};
use futures::future::BoxFuture;
use tokio::runtime::{self, RuntimeFlavor};

use super::age_file::{CustodyError, Opened, Recipients, decrypt};
use super::file_name::{self, LOCK, Stem};
use super::identity::Identity;
use super::inventory::{self, Inventory};
use super::recipient::Recipient;
use crate::durable::{self, FileError, IfExists};

/// Keeps each secret in its own age file, encrypted to the identity and to other recipients. A file is refused under the name
/// of another secret.
///
/// On a multi-threaded tokio runtime the blocking threads write the files. Elsewhere the caller's thread writes them,
/// so that simulations are deterministic. Dropping the future does not stop a write that has started.
#[derive(Debug, Clone)]
pub struct AgeSecretStore {
    vault: Arc<Vault>,
}

#[derive(Debug)]
struct Vault {
    folder: PathBuf,
    identity: Identity,
    recipients: Recipients,
    /// `None` in a read-only store.
    lock: Option<File>,
}

impl Drop for Vault {
    /// Closing the file is not enough: a child process that is just starting still has it open, and with it the lock (flock(2)).
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            // If this fails, the lock ends a moment later with that file.
            let _ = lock.unlock();
        }
    }
}

impl AgeSecretStore {
    /// Opens the folder. Creates it if it is missing, and removes what interrupted writes left. Only the identity opens new secrets.
    pub fn open(dir: impl Into<PathBuf>, identity: Identity) -> Result<Self, FileError> {
        Self::open_for(dir, identity, &[])
    }

    /// The same, but `others` open new secrets too.
    pub fn open_for(dir: impl Into<PathBuf>, identity: Identity, others: &[Recipient]) -> Result<Self, FileError> {
        let folder = dir.into();
        durable::make_folder(&folder)?;
        let lock = clean_and_lock(&folder).map_err(FileError::new("open the folder of secrets", &folder))?;
        let recipients = Recipients::new(&identity, others);
        Ok(Self { vault: Arc::new(Vault { folder, identity, recipients, lock: Some(lock) }) })
    }

    /// Opens a folder for reading only. Creates, removes, and locks nothing, and refuses every write.
    pub fn read_only(dir: impl Into<PathBuf>, identity: Identity) -> Self {
        let recipients = Recipients::new(&identity, &[]);
        Self { vault: Arc::new(Vault { folder: dir.into(), identity, recipients, lock: None }) }
    }

    /// Lists what is in a folder of secrets, for comparison with the journal. Unlike opening the store, this changes
    /// nothing, and it works while another process has the store open.
    pub fn inspect(folder: &Path, identity: &Identity) -> Result<Inventory, FileError> {
        inventory::take(folder, identity)
    }

    /// Who can open new secrets: the keys of the identity first.
    pub fn recipients(&self) -> &[Recipient] {
        self.vault.recipients.all()
    }

    /// Lists what is in the folder.
    pub fn inventory(&self) -> Result<Inventory, FileError> {
        Self::inspect(&self.vault.folder, &self.vault.identity)
    }

    /// Encrypts this secret to the present recipients. Says whether it is stored.
    pub async fn rekey(&self, handle: &Handle) -> Result<bool, SecretStoreError> {
        self.run("encrypt", handle, Vault::rekey).await
    }

    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        handle: &Handle,
        work: impl FnOnce(&Vault, &Handle) -> Result<T, CustodyError> + Send + 'static,
    ) -> Result<T, SecretStoreError> {
        let fail = |source| SecretStoreError { doing, handle: handle.clone(), source };
        let runtime = runtime::Handle::try_current();
        let runtime = runtime.ok().filter(|runtime| runtime.runtime_flavor() != RuntimeFlavor::CurrentThread);
        let done = match runtime {
            None => work(&self.vault, handle),
            Some(runtime) => {
                let (vault, handle) = (self.vault.clone(), handle.clone());
                runtime.spawn_blocking(move || work(&vault, &handle)).await.map_err(|error| fail(error.into()))?
            }
        };
        done.map_err(|error| fail(error.into()))
    }
}

impl SecretStore for AgeSecretStore {
    fn put<'a>(&'a self, handle: &'a Handle, secret: &'a Secret) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        let secret = secret.clone();
        Box::pin(self.run("store", handle, move |vault, handle| vault.put(handle, &secret)))
    }

    fn get<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Secret>, SecretStoreError>> {
        Box::pin(self.run("read", handle, Vault::get))
    }

    fn remove<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        Box::pin(self.run("remove", handle, Vault::remove))
    }
}

impl Vault {
    fn put(&self, handle: &Handle, secret: &Secret) -> Result<(), CustodyError> {
        self.expect_writable()?;
        let stem = Stem::of(handle);
        let content = self.recipients.encrypt(handle, secret)?;
        if stem.is_hashed() {
            // The name file first, because a secret without its name is worse than a name without a secret.
            let path = self.folder.join(stem.with(file_name::HANDLE));
            durable::write_file(&path, handle.as_str().as_bytes(), IfExists::Replace)?;
        }
        Ok(durable::write_file(&self.folder.join(stem.with(file_name::SECRET)), &content, IfExists::Replace)?)
    }

    fn get(&self, handle: &Handle) -> Result<Option<Secret>, CustodyError> {
        match fs::read(self.folder.join(Stem::of(handle).with(file_name::SECRET))) {
            Ok(content) => decrypt(&content, handle, &self.identity).map(|Opened { secret, .. }| Some(secret)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn rekey(&self, handle: &Handle) -> Result<bool, CustodyError> {
        let Some(secret) = self.get(handle)? else { return Ok(false) };
        self.put(handle, &secret).map(|()| true)
    }

    fn remove(&self, handle: &Handle) -> Result<(), CustodyError> {
        self.expect_writable()?;
        let stem = Stem::of(handle);
        durable::remove_file(&self.folder.join(stem.with(file_name::SECRET)))?;
        if stem.is_hashed() {
            durable::remove_file(&self.folder.join(stem.with(file_name::HANDLE)))?;
        }
        Ok(())
    }
}

impl Vault {
    fn expect_writable(&self) -> io::Result<()> {
        let refuse = || io::Error::new(io::ErrorKind::Unsupported, "the secret store is open for reading only");
        self.lock.as_ref().map(drop).ok_or_else(refuse)
    }
}

/// Removes leftovers if no other store has the folder open. Returns the shared lock of this store.
fn clean_and_lock(folder: &Path) -> io::Result<File> {
    let lock = durable::open_or_create(&folder.join(LOCK))?;
    if lock.try_lock().is_ok() {
        remove_leftovers(folder)?;
        lock.unlock()?;
    }
    lock.lock_shared()?;
    Ok(lock)
}

/// Removes unfinished files, and name files whose secret was never written or is already removed.
fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for name in list_names(folder)? {
        let is_orphan = |stem: Stem| !folder.join(stem.with(file_name::SECRET)).exists();
        if name.starts_with(durable::UNFINISHED) || Stem::parse(&name, file_name::HANDLE).is_some_and(is_orphan) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

/// The file names in the folder, except those that are not UTF-8, which are not flowswap's.
fn list_names(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
    names.filter_map(Result::transpose).collect()
}
