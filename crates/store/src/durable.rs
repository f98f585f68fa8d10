//! Files and folders that only their owner can read, and whose names survive a power cut.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How unfinished files begin; whoever finds one after a crash may delete it.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// A file or folder that could not be made, read or trusted.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} `{}`", path.display())]
pub struct FileError {
    /// A verb such as `create`.
    pub doing: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`.
    pub(crate) fn new(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, path: path.to_owned(), source }
    }
}

/// Makes the folder and those above it that are missing, all closed to others. One that is there stays as it is.
pub(crate) fn make_folder(path: &Path) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent_of(path);
    make_folder(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.and_then(|()| sync_folder(parent)).map_err(FileError::new("create the folder", path)),
    }
}

/// Refuses a folder in which another user could replace files.
pub(crate) fn refuse_foreign_writers(folder: &Path) -> Result<(), FileError> {
    let mode = fs::metadata(folder).map_err(FileError::new("look at", folder))?.mode() & 0o7777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let problem = format!("others can write to it (mode {mode:04o}); `chmod go-w` closes it");
    Err(FileError::new("trust", folder)(io::Error::new(io::ErrorKind::PermissionDenied, problem)))
}

/// Opens the file for reading and writing, and makes it, closed to others, if it is not there.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Writes a whole file. When this succeeds, a power cut does not undo it; at no time does the name stand for half a
/// file. After an error it stands for the old content or the new one.
pub(crate) fn write_file(path: &Path, content: &[u8], existing: Existing) -> io::Result<()> {
    let folder = parent_of(path);
    let mut file = unfinished_file(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    match existing {
        Existing::Replace => file.persist(path),
        Existing::Refuse => file.persist_noclobber(path),
    }
    .map_err(|error| error.error)?;
    sync_folder(folder)
}

/// What to do with a file that has the name already.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Existing {
    Replace,
    Refuse,
}

/// `tempfile` gives its files the mode 0600 and removes them on failure.
fn unfinished_file(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)
}

/// Removes a file for good. One that is not there was removed already, though maybe not yet on the disk.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(parent_of(path)),
    }
}

/// A new name is durable only after its folder was synced.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The folder that holds `path`. A bare file name lies in the current folder.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// The file beside `path` whose name has this ending more.
pub(crate) fn sibling(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
