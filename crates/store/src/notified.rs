//! Of what people were told: for each target of notifications, the place in the journal up to which it was told of everything.
//!
//! One process at a time delivers, and holds a kernel lock on the file `notified.json.lock` meanwhile. The file itself is
//! written after each delivery. So after a crash a target may be told of the same record again, and never of less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;

use flowswap_engine::Position;
use serde::{Deserialize, Serialize};

use crate::durable::{self, FileError, IfExists};
use crate::state_dir::StateDir;

const FORMAT: u32 = 1;

/// The file, while this process is the one that delivers.
#[derive(Debug)]
pub struct Notified {
    path: PathBuf,
    lock: File,
    targets: BTreeMap<String, Told>,
}

/// Of what one target was told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Of everything up to this record.
    pub through: Position,
    /// The keys of what it was told of after that, and of what only time tells.
    pub beyond: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct Content {
    format: u32,
    targets: BTreeMap<String, WrittenTold>,
}

#[derive(Serialize, Deserialize)]
struct WrittenTold {
    record: u64,
    hash: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    beyond: BTreeSet<String>,
}

impl Notified {
    /// Becomes the process that delivers. `None` while another process is.
    ///
    /// # Errors
    ///
    /// If the file system has no locks, or the file cannot be read.
    pub fn lock(state: &StateDir) -> Result<Option<Self>, FileError> {
        let path = state.notified();
        let failed = |source| FileError { doing: "lock", path: path.clone(), source };
        let lock = durable::open_or_create(&durable::sibling(&path, ".lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let targets = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            read => read.and_then(|bytes| decode(&bytes)),
        };
        let targets = targets.map_err(FileError::new("read", &path))?;
        Ok(Some(Self { path, lock, targets }))
    }

    /// Of what a target was told. `None` for a new one.
    pub fn of(&self, target: &str) -> Option<&Told> {
        self.targets.get(target)
    }

    /// Forgets all targets but these. One that comes back begins as a new one.
    pub fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.targets.retain(|name, _| is_kept(name));
    }

    /// Keeps of what a target was told. When this returns, it is durable.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn keep(&mut self, target: &str, told: Told) -> Result<(), FileError> {
        self.targets.insert(target.to_owned(), told);
        let written = self.targets.iter().map(|(name, told)| (name.clone(), WrittenTold::of(told))).collect();
        let content = Content { format: FORMAT, targets: written };
        let text = serde_json::to_vec_pretty(&content).map_err(io::Error::other);
        let written = text.and_then(|text| durable::write_file(&self.path, &text, IfExists::Replace));
        written.map_err(FileError::new("write", &self.path))
    }
}

impl Drop for Notified {
    /// Closing the file is not enough: a child process that is just starting still has it open, and with it the lock (flock(2)).
    fn drop(&mut self) {
        // If this fails, the lock ends a moment later with that file.
        let _ = self.lock.unlock();
    }
}

fn decode(bytes: &[u8]) -> io::Result<BTreeMap<String, Told>> {
    let Content { format, targets } = serde_json::from_slice(bytes).map_err(io::Error::other)?;
    if format != FORMAT {
        return Err(io::Error::other(format!("it has format {format}, but this version reads format {FORMAT}")));
    }
    targets.into_iter().map(|(name, told)| Ok((name, told.read()?))).collect()
}

impl WrittenTold {
    fn of(told: &Told) -> Self {
        let hash = base16ct::lower::encode_string(&told.through.hash);
        Self { record: told.through.seq, hash, beyond: told.beyond.clone() }
    }

    fn read(self) -> io::Result<Told> {
        let mut hash = [0; 32];
        let decoded = base16ct::lower::decode(&self.hash, &mut hash).map(<[u8]>::len);
        if decoded != Ok(hash.len()) {
            return Err(io::Error::other("it has a hash that is not one of the journal"));
        }
        Ok(Told { through: Position { seq: self.record, hash }, beyond: self.beyond })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_kept_for_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::at(folder.path());
        let told = Told {
            through: Position { seq: 7, hash: [9; 32] },
            beyond: ["8/waiting".to_owned(), "3/overdue".to_owned()].into(),
        };
        let mut first = Notified::lock(&state).unwrap().unwrap();
        assert_eq!(first.of("ops"), None);
        first.keep("ops", told.clone()).unwrap();
        first.keep("gone", Told::default()).unwrap();
        assert!(Notified::lock(&state).unwrap().is_none(), "two processes deliver");
        drop(first);

        let mut next = Notified::lock(&state).unwrap().unwrap();
        assert_eq!(next.of("ops"), Some(&told));
        next.retain(|name| name == "ops");
        assert_eq!(next.of("gone"), None);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for path in [state.notified(), durable::sibling(&state.notified(), ".lock")] {
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_never_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::at(folder.path());
        for content in [
            "",
            "{",
            r#"{"format":2,"targets":{}}"#,
            r#"{"format":1,"targets":{"ops":{"record":1,"hash":"00"}}}"#,
            r#"{"format":1,"targets":{"ops":{"record":1,"hash":"xy"}}}"#,
        ] {
            fs::write(state.notified(), content).unwrap();
            let error = Notified::lock(&state).unwrap_err();
            assert!(error.to_string().starts_with("failed to read `"), "{content}: {error}");
        }
    }
}
