//! The layout of the state folder.

use std::path::{Path, PathBuf};

use crate::durable::{self, FileError};

/// The folder of everything that flowswap must not lose. Only its owner can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// Creates the folder if it is missing, open only to its owner. Does not ask who can change one that exists.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, FileError> {
        let dir = Self::at(root);
        durable::make_folder(&dir.root)?;
        Ok(dir)
    }

    /// The folder as it is. Creates nothing; for commands that only read.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The journal's file. Its lock file is `journal.sqlite.lock` in the same folder.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.sqlite")
    }

    /// The folder of the secrets.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }
}
