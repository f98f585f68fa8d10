//! The layout of the state folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::durable::{self, FileError, IfExists};
use crate::secret::{IdentityId, has_secrets};

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

    /// The identity, if it is in this folder. Earlier versions put it here.
    pub fn own_identity(&self) -> PathBuf {
        self.root.join("identity.txt")
    }

    /// The file with the name of the identity.
    pub fn identity_id_file(&self) -> PathBuf {
        self.root.join("identity.id")
    }

    /// The name of the identity. `None` if the folder does not know it.
    pub fn identity_id(&self) -> Result<Option<IdentityId>, FileError> {
        let path = self.identity_id_file();
        let id = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.and_then(|text| text.trim_end().parse().map_err(io::Error::other)),
        };
        id.map(Some).map_err(FileError::new("read the name of the identity in", &path))
    }

    /// Keeps the name of the identity.
    pub fn keep_identity_id(&self, id: &IdentityId) -> Result<(), FileError> {
        let path = self.identity_id_file();
        let written = durable::write_file(&path, format!("{id}\n").as_bytes(), IfExists::Replace);
        written.map_err(FileError::new("write the name of the identity to", &path))
    }

    /// Keeps the text of the plan with this digest. Does nothing if it is there already. Only the writer of the journal may call
    /// this, because it also removes what an interrupted writer left behind.
    pub fn keep_plan(&self, digest: &str, text: &str) -> Result<(), FileError> {
        let path = self.plan(digest);
        if fs::read(&path).is_ok_and(|kept| kept == text.as_bytes()) {
            return Ok(());
        }
        let folder = durable::parent_of(&path);
        durable::make_folder(folder)?;
        let written = durable::remove_unfinished(folder)
            .and_then(|()| durable::write_file(&path, text.as_bytes(), IfExists::Replace));
        written.map_err(FileError::new("write a copy of the plan to", &path))
    }

    /// The copy of the plan with this digest. Only plans that a run set out to carry out have one.
    pub fn plan(&self, digest: &str) -> PathBuf {
        self.root.join("plans").join(format!("{digest}.json"))
    }

    /// The socket at which a command that is at work takes requests. Its path can be too long for a socket, so nobody uses it
    /// as it is.
    pub fn door(&self) -> PathBuf {
        self.root.join("at-work.sock")
    }

    /// The file that says of what people were told.
    pub fn notified(&self) -> PathBuf {
        self.root.join("notified.json")
    }

    /// The folder of the secrets.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Whether a secret is stored. It is encrypted to one identity, and no other one can replace that.
    pub fn has_secrets(&self) -> Result<bool, FileError> {
        let folder = self.secrets();
        has_secrets(&folder).map_err(FileError::new("list the secrets in", &folder))
    }
}
