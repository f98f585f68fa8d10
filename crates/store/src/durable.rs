//! Files and folders that only their owner can read, and whose names survive a power failure.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The prefix of unfinished files. After a crash they can be deleted.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// A file or folder that could not be created, read, or used safely.
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
    /// Builds the argument of `map_err`.
    pub(crate) fn new(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, path: path.to_owned(), source }
    }
}

/// Creates the folder and its missing parents, each accessible only to its owner. An existing folder is left unchanged.
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

/// Opens the file for reading and writing. Creates it if it is missing, accessible only to its owner.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Writes a whole file. After success, a power failure does not undo it. At no time does `path` name a partial file;
/// after an error it has either the old content or the new one.
pub(crate) fn write_file(path: &Path, content: &[u8], if_exists: IfExists) -> io::Result<()> {
    let folder = parent_of(path);
    let mut file = unfinished_file(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    match if_exists {
        IfExists::Replace => file.persist(path),
        IfExists::Fail => file.persist_noclobber(path),
    }
    .map_err(|error| error.error)?;
    sync_folder(folder)
}

/// What [`write_file`] does if the file exists already.
#[derive(Debug, Clone, Copy)]
pub(crate) enum IfExists {
    Replace,
    Fail,
}

/// `tempfile` gives its files mode 0600 and removes them on failure.
fn unfinished_file(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)
}

/// Removes what interrupted writers left in a folder. Nobody may be writing to it.
pub(crate) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file durably. The folder is synced even if the file is missing, because an earlier removal may not be on
/// the disk yet.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(parent_of(path)),
    }
}

/// Syncs a folder. A new file name is durable only after that.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The folder that contains `path`. For a bare file name that is the current folder.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// The path with `suffix` appended to its file name.
pub(crate) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
