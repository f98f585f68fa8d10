//! The folder of an export. It grows beside its place under another name, and takes the place when it is complete.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use flowswap_attest::Subject;
use tempfile::TempDir;

use crate::exit::{Exit, Failure};

/// A folder that is not complete yet. If it is dropped, nothing of it stays.
#[derive(Debug)]
pub(super) struct Folder {
    place: PathBuf,
    growing: TempDir,
    subjects: Vec<Subject>,
}

impl Folder {
    /// Checks the place before the command does anything else. Nothing may be there but an empty folder.
    pub(super) fn prepare(place: &Path, state: &Path) -> Result<Self, Failure> {
        let refuse =
            |error: String| Err(Failure::new(Exit::Usage, error).hint("name a folder that does not exist yet"));
        let shown = place.display();
        if place == Path::new("-") {
            return refuse("an export is a folder, so it cannot go to stdout".to_owned());
        }
        match fs::read_dir(place).map(Iterator::count) {
            Ok(0) => {}
            Ok(_) => return refuse(format!("the folder `{shown}` is not empty")),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !place.is_symlink() => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return refuse(format!("`{shown}` is not a folder"));
            }
            Err(error) => return Err(cannot_write(place)(error)),
        }
        // An empty folder may be a symlink to one.
        let place = fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
        let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let real_parent = fs::canonicalize(parent).map_err(cannot_write(&place))?;
        if fs::canonicalize(state).is_ok_and(|state| real_parent.starts_with(state)) {
            return refuse(format!("`{shown}` is in flowswap's state folder"));
        }
        let growing = tempfile::Builder::new().prefix(".flowswap-export-").tempdir_in(parent);
        let growing = growing.map_err(cannot_write(&place))?;
        Ok(Self { place, growing, subjects: Vec::new() })
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let mut file = self.create(name)?;
        file.write_all(content).map_err(cannot_write(&self.place))?;
        self.close(name, file)
    }

    /// Begins a file that [`close`](Self::close) adds.
    pub(super) fn create(&self, name: &str) -> Result<BufWriter<File>, Failure> {
        create(&self.growing.path().join(name)).map_err(cannot_write(&self.place))
    }

    /// Adds a file that is written.
    pub(super) fn close(&mut self, name: &str, file: BufWriter<File>) -> Result<(), Failure> {
        let path = self.growing.path().join(name);
        let read = || Subject::read(name.to_owned(), File::open(&path)?);
        let subject = close(file).and_then(|()| read()).map_err(cannot_write(&self.place))?;
        self.subjects.push(subject);
        Ok(())
    }

    /// The files so far, each with its SHA-256.
    pub(super) fn subjects(&self) -> Vec<Subject> {
        self.subjects.clone()
    }

    /// Adds the signature, and moves the folder to its place.
    pub(super) fn finish(mut self, envelope: &[u8]) -> Result<(), Failure> {
        self.add("export.json", envelope)?;
        // This replaces an empty folder, and nothing else.
        fs::rename(self.growing.path(), &self.place).map_err(cannot_write(&self.place))?;
        // Its old name is gone, so there is nothing to remove.
        let _ = self.growing.keep();
        Ok(())
    }
}

fn create(path: &Path) -> io::Result<BufWriter<File>> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    File::create_new(path).map(BufWriter::new)
}

fn close(file: BufWriter<File>) -> io::Result<()> {
    file.into_inner()?.sync_all()
}

/// Builds the argument of `map_err`.
fn cannot_write(place: &Path) -> impl Fn(io::Error) -> Failure {
    let doing = format!("write the export `{}`", place.display());
    move |error| {
        let failure = Failure::at(doing.clone())(error);
        failure.hint("nothing was written; pass `-o` with a folder that you can create")
    }
}
