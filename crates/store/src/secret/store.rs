//! The folder of secrets. A secret that was acknowledged is on the disk; a crash leaves the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use age::{DecryptError, Decryptor, Encryptor, x25519};
use flowswap_engine::{Handle, Secret, SecretStore, SecretStoreError};
use futures::future::BoxFuture;
use tokio::runtime::{self, RuntimeFlavor};

use super::file_name::{self, Stem};
use super::identity::Identity;
use super::inventory::{self, Inventory};
use crate::durable::{self, Existing, FileError};

/// Held shared by every open store, and alone while leftovers are removed: a file that somebody is just writing looks
/// like a leftover.
pub(super) const LOCK: &str = ".lock";

/// Keeps each secret in an age file of its own, encrypted to one identity.
///
/// On a multi-threaded tokio runtime the files are written on its blocking threads; anywhere else on the caller, so
/// that a simulation is deterministic. A write that has begun is finished also if its future is dropped.
#[derive(Debug, Clone)]
pub struct AgeSecretStore {
    vault: Arc<Vault>,
}

#[derive(Debug)]
struct Vault {
    folder: PathBuf,
    identity: Identity,
    recipients: Recipients,
    /// None where secrets are only read.
    lock: Option<File>,
}

impl AgeSecretStore {
    /// Opens the folder, makes it if it is not there, and removes what an interrupted write left.
    pub fn open(dir: impl Into<PathBuf>, identity: Identity) -> Result<Self, FileError> {
        let folder = dir.into();
        durable::make_folder(&folder)?;
        durable::refuse_foreign_writers(&folder)?;
        let lock = clean_alone(&folder).map_err(FileError::new("open the folder of secrets", &folder))?;
        let recipients = Recipients(identity.recipients());
        Ok(Self { vault: Arc::new(Vault { folder, identity, recipients, lock: Some(lock) }) })
    }

    /// The secrets of a folder, to be read only. Nothing is made, cleaned or locked, and what is to be written is refused.
    pub fn read_only(dir: impl Into<PathBuf>, identity: Identity) -> Self {
        let recipients = Recipients(identity.recipients());
        Self { vault: Arc::new(Vault { folder: dir.into(), identity, recipients, lock: None }) }
    }

    /// Tells what lies in a folder of secrets, for whoever compares that with the journal. Nothing is changed, whereas
    /// opening the store would remove leftovers; and another process may have the store open.
    pub fn inspect(folder: &Path, identity: &Identity) -> Result<Inventory, FileError> {
        inventory::take(folder, identity)
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

/// Why a secret could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CustodyError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("its file is encrypted to another identity")]
    OtherIdentity,
    #[error("its file is damaged")]
    Damaged,
}

impl Vault {
    fn put(&self, handle: &Handle, secret: &Secret) -> Result<(), CustodyError> {
        self.expect_writable()?;
        let stem = Stem::of(handle);
        let content = self.recipients.encrypt(secret)?;
        if stem.is_hashed() {
            // First, since a secret without a name is worse than a name without a secret.
            let path = self.folder.join(stem.with(file_name::HANDLE));
            durable::write_file(&path, handle.as_str().as_bytes(), Existing::Replace)?;
        }
        Ok(durable::write_file(&self.folder.join(stem.with(file_name::SECRET)), &content, Existing::Replace)?)
    }

    fn get(&self, handle: &Handle) -> Result<Option<Secret>, CustodyError> {
        match fs::read(self.folder.join(Stem::of(handle).with(file_name::SECRET))) {
            Ok(content) => decrypt(&content, &self.identity).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
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
        let refuse = || io::Error::new(io::ErrorKind::Unsupported, "the secrets were opened for reading only");
        self.lock.as_ref().map(drop).ok_or_else(refuse)
    }
}

#[derive(Debug)]
struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    fn encrypt(&self, secret: &Secret) -> io::Result<Vec<u8>> {
        let recipients = self.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut content = Vec::new();
        let mut writer = encryptor.wrap_output(&mut content)?;
        writer.write_all(secret.expose().as_bytes())?;
        writer.finish()?;
        Ok(content)
    }
}

pub(super) fn decrypt(content: &[u8], identity: &Identity) -> Result<Secret, CustodyError> {
    let decryptor = Decryptor::new_buffered(content).map_err(|_| CustodyError::Damaged)?;
    let mut reader = decryptor.decrypt(identity.keys()).map_err(|error| match error {
        DecryptError::NoMatchingKeys => CustodyError::OtherIdentity,
        _ => CustodyError::Damaged,
    })?;
    // The plain text is shorter than its encryption, so it is never moved, and no copy of it stays in memory.
    let mut plain = String::with_capacity(content.len());
    reader.read_to_string(&mut plain).map_err(|_| CustodyError::Damaged)?;
    Ok(Secret::new(plain))
}

/// Removes leftovers if no other store is open on the folder. Gives the lock that says that this one is.
fn clean_alone(folder: &Path) -> io::Result<File> {
    let lock = durable::open_or_create(&folder.join(LOCK))?;
    if lock.try_lock().is_ok() {
        remove_leftovers(folder)?;
        lock.unlock()?;
    }
    lock.lock_shared()?;
    Ok(lock)
}

/// Unfinished files, and handles whose secret was never written or is removed already.
fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for name in list_names(folder)? {
        let is_orphan = |stem: Stem| !folder.join(stem.with(file_name::SECRET)).exists();
        if name.starts_with(durable::UNFINISHED) || Stem::parse(&name, file_name::HANDLE).is_some_and(is_orphan) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

/// Names that are not text are not ours.
fn list_names(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
    names.filter_map(Result::transpose).collect()
}
