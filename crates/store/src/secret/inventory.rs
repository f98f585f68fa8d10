//! What lies in the folder of secrets, told without changing it and without giving out any value.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flowswap_engine::Handle;

use super::file_name::{self, Stem};
use super::identity::Identity;
use super::store::{CustodyError, LOCK, decrypt};
use crate::durable::{self, FileError};

/// Everything in the folder of secrets.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The secrets that are in custody and open with the identity, in order.
    pub secrets: Vec<Handle>,
    /// All files that are no such secret, by name.
    pub strays: Vec<Stray>,
}

/// A file that is no secret, or none that can be given back.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is {problem}", path.display())]
pub struct Stray {
    /// The file.
    pub path: PathBuf,
    /// The secret that it would be, if its name says so.
    pub handle: Option<Handle>,
    /// What it is instead.
    pub problem: StrayProblem,
}

/// What a file is that is no secret.
#[derive(Debug, thiserror::Error)]
pub enum StrayProblem {
    /// The next store that is opened alone removes it.
    #[error("a write that was cut off, or that another process is just doing")]
    Unfinished,
    /// It has no name that a file of the store can have.
    #[error("no file of flowswap's")]
    Foreign,
    /// The next store that is opened alone removes it.
    #[error("the name of a secret that is not there")]
    WithoutSecret,
    /// A secret whose handle is too long for a file name has it in a file beside it, and that is gone or another's.
    #[error("a secret whose name is not there")]
    WithoutName,
    /// It opens with a key that the identity does not have.
    #[error("a secret that is encrypted to another identity")]
    OtherIdentity,
    /// It is no age file, or not the one that was written.
    #[error("a secret that is damaged")]
    Damaged,
    /// The system does not give it out.
    #[error("a secret that cannot be read: {0}")]
    Unreadable(io::Error),
}

/// Looks at every file, and opens every secret to see whether it can be. A folder that is not there has none.
pub(super) fn take(folder: &Path, identity: &Identity) -> Result<Inventory, FileError> {
    let mut inventory = Inventory::default();
    for name in list_names(folder).map_err(FileError::new("list the secrets in", folder))? {
        let path = folder.join(&name);
        match File::identify(folder, &name) {
            File::Companion => {}
            File::Stray(problem) => inventory.strays.push(Stray { path, handle: None, problem }),
            File::Secret(handle) => {
                match fs::read(&path).map_err(CustodyError::Io).and_then(|age| decrypt(&age, identity)) {
                    Ok(_) => inventory.secrets.push(handle),
                    // Another process has just removed it.
                    Err(CustodyError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => inventory.strays.push(Stray { path, handle: Some(handle), problem: error.into() }),
                }
            }
        }
    }
    inventory.secrets.sort();
    Ok(inventory)
}

/// In order, so that the same folder is always told in the same way.
fn list_names(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// What a file is by its name.
enum File {
    Secret(Handle),
    /// The lock, or the handle of a secret that is there.
    Companion,
    Stray(StrayProblem),
}

impl File {
    fn identify(folder: &Path, name: &OsStr) -> Self {
        let Some(name) = name.to_str() else { return Self::Stray(StrayProblem::Foreign) };
        if name == LOCK {
            return Self::Companion;
        }
        if name.starts_with(durable::UNFINISHED) {
            return Self::Stray(StrayProblem::Unfinished);
        }
        if let Some(stem) = Stem::parse(name, file_name::HANDLE).filter(Stem::is_hashed) {
            let is_companion = folder.join(stem.with(file_name::SECRET)).exists();
            return if is_companion { Self::Companion } else { Self::Stray(StrayProblem::WithoutSecret) };
        }
        match Stem::parse(name, file_name::SECRET) {
            None => Self::Stray(StrayProblem::Foreign),
            Some(stem) if stem.is_hashed() => {
                let handle = fs::read_to_string(folder.join(stem.with(file_name::HANDLE))).ok().map(Handle::new);
                let handle = handle.filter(|handle| Stem::of(handle) == stem);
                handle.map_or(Self::Stray(StrayProblem::WithoutName), Self::Secret)
            }
            Some(stem) => stem.to_handle().map_or(Self::Stray(StrayProblem::Foreign), Self::Secret),
        }
    }
}

impl From<CustodyError> for StrayProblem {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::OtherIdentity => Self::OtherIdentity,
            CustodyError::Damaged => Self::Damaged,
            CustodyError::Io(error) => Self::Unreadable(error),
        }
    }
}
