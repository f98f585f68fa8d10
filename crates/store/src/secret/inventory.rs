//! Lists what is in the folder of secrets, without changing it and without revealing any value.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flowswap_engine::Handle;

use super::age_file::{CustodyError, Opened, count_recipients, decrypt, ssh_tags};
use super::file_name::{self, LOCK, Stem};
use super::identity::Identity;
use crate::durable::{self, FileError};

/// Everything in the folder of secrets.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The handles of all secrets that the identity decrypts, sorted.
    pub secrets: Vec<Handle>,
    /// How many of them are in the format of earlier versions. Those files do not name their handles, so flowswap cannot
    /// tell if they were swapped.
    pub unbound: usize,
    /// How many of them so many recipients can open.
    pub recipients: BTreeMap<usize, usize>,
    /// How many of them each SSH key can open, by the tag of the key. See [`Recipient::tag`](super::Recipient::tag).
    pub ssh: BTreeMap<String, usize>,
    /// All other files, sorted by name.
    pub unusable: Vec<UnusableFile>,
}

/// A file that is not a secret, or a secret that cannot be decrypted.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is {problem}", path.display())]
pub struct UnusableFile {
    /// The file.
    pub path: PathBuf,
    /// The secret that the file name stands for, if any.
    pub handle: Option<Handle>,
    /// What the file is.
    pub problem: FileProblem,
}

/// Why a file is not a usable secret.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// Opening the store removes it, unless another process has the store open.
    #[error("an unfinished write: it was interrupted, or another process is writing now")]
    Unfinished,
    /// No file of the store can have this name.
    #[error("not a file of flowswap")]
    Foreign,
    /// Opening the store removes it, unless another process has the store open.
    #[error("a name file whose secret is missing")]
    WithoutSecret,
    /// The handle is too long for a file name, and the file that should contain it is missing or belongs to another
    /// secret.
    #[error("a secret without its name file")]
    WithoutName,
    /// It is encrypted to a key that the identity does not have.
    #[error("a secret encrypted to another identity")]
    OtherIdentity,
    /// It was written for another handle, and moved or swapped afterwards.
    #[error("the file of another secret, `{0}`: somebody moved or swapped it")]
    OtherHandle(Handle),
    /// It is not an age file, was changed after it was written, or has the format of a later version.
    #[error("a damaged secret")]
    Damaged,
    /// The operating system cannot read it.
    #[error("an unreadable secret: {0}")]
    Unreadable(io::Error),
}

/// Inspects every file, and decrypts every secret to check that it can be. A missing folder has no files.
pub(super) fn take(folder: &Path, identity: &Identity) -> Result<Inventory, FileError> {
    let mut inventory = Inventory::default();
    for name in list_names(folder).map_err(FileError::new("list the secrets in", folder))? {
        let path = folder.join(&name);
        match File::identify(folder, &name) {
            File::Companion => {}
            File::Unusable(problem) => inventory.unusable.push(UnusableFile { path, handle: None, problem }),
            File::Secret(handle) => {
                let content = fs::read(&path).map_err(CustodyError::Io);
                let opened = content.and_then(|content| {
                    decrypt(&content, &handle, identity)
                        .map(|opened| (opened, count_recipients(&content), ssh_tags(&content)))
                });
                match opened {
                    Ok((Opened { is_bound, .. }, count, tags)) => {
                        inventory.secrets.push(handle);
                        inventory.unbound += usize::from(!is_bound);
                        *inventory.recipients.entry(count).or_default() += 1;
                        for tag in tags {
                            *inventory.ssh.entry(tag).or_default() += 1;
                        }
                    }
                    // Another process has just removed it.
                    Err(CustodyError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        inventory.unusable.push(UnusableFile { path, handle: Some(handle), problem: error.into() });
                    }
                }
            }
        }
    }
    inventory.secrets.sort();
    Ok(inventory)
}

/// The names in the folder, sorted so that the same folder always gives the same report.
fn list_names(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// Whether any file is a secret by its name. Does not decrypt it.
pub(crate) fn has_secrets(folder: &Path) -> io::Result<bool> {
    let is_secret = |name: &OsString| name.as_encoded_bytes().ends_with(file_name::SECRET.as_bytes());
    Ok(list_names(folder)?.iter().any(is_secret))
}

/// What a file is, according to its name.
enum File {
    Secret(Handle),
    /// The lock file, or the name file of an existing secret.
    Companion,
    Unusable(FileProblem),
}

impl File {
    fn identify(folder: &Path, name: &OsStr) -> Self {
        let Some(name) = name.to_str() else { return Self::Unusable(FileProblem::Foreign) };
        if name == LOCK {
            return Self::Companion;
        }
        if name.starts_with(durable::UNFINISHED) {
            return Self::Unusable(FileProblem::Unfinished);
        }
        if let Some(stem) = Stem::parse(name, file_name::HANDLE).filter(Stem::is_hashed) {
            let is_companion = folder.join(stem.with(file_name::SECRET)).exists();
            return if is_companion { Self::Companion } else { Self::Unusable(FileProblem::WithoutSecret) };
        }
        match Stem::parse(name, file_name::SECRET) {
            None => Self::Unusable(FileProblem::Foreign),
            Some(stem) if stem.is_hashed() => {
                let handle = fs::read_to_string(folder.join(stem.with(file_name::HANDLE))).ok().map(Handle::new);
                let handle = handle.filter(|handle| Stem::of(handle) == stem);
                handle.map_or(Self::Unusable(FileProblem::WithoutName), Self::Secret)
            }
            Some(stem) => stem.to_handle().map_or(Self::Unusable(FileProblem::Foreign), Self::Secret),
        }
    }
}

impl From<CustodyError> for FileProblem {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::OtherIdentity => Self::OtherIdentity,
            CustodyError::OtherHandle(handle) => Self::OtherHandle(handle),
            CustodyError::Damaged => Self::Damaged,
            CustodyError::Io(error) => Self::Unreadable(error),
        }
    }
}
