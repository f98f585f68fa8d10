//! The layout of the state folder.

use std::path::{Path, PathBuf};

use crate::durable::{self, FileError};

/// The folder that holds everything flowswap must not forget. Nobody but its owner can look into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// The folder, made if it is not there. One that others can write to is refused.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, FileError> {
        let dir = Self::at(root);
        durable::make_folder(&dir.root)?;
        durable::refuse_foreign_writers(&dir.root)?;
        Ok(dir)
    }

    /// The folder as it is; nothing is made. What commands use that only read.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The journal's file. Its lock, `journal.sqlite.lock`, lies beside it.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.sqlite")
    }

    /// The folder of the secrets.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }
}
