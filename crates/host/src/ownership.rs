//! Who can change what flowswap trusts.
//!
//! One rule holds for every file that decides something or holds a secret, as sshd has it (`StrictModes`, sshd_config(5)): it
//! belongs to this user or to root, and nobody else can change it. The same holds for every folder and every link on the way
//! to it, because a user who can change one of them can put another file in its place. "This user" is the effective one.
//!
//! Inside a user namespace, the kernel shows every owner that has no number there as `nobody` (user_namespaces(7)). That may be
//! root outside, or anybody else. Nothing tells them apart, so such a file belongs to another user.

use std::{
    env,
    ffi::OsString,
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Component, Path, PathBuf, absolute},
};

use rustix::{io::Errno, process::geteuid};

/// How many links may be on the way to a file. Linux has the same limit (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Folders for every user, where the sticky bit is all that is missing.
const SHARED: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Why a file or folder is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be opened, or the system does not show its owner.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It belongs neither to this user nor to root.
    #[error("the {} `{}` belongs to another user ({})", .0.kind, .0.path.display(), .0)]
    Foreign(Entry),
    /// Its mode lets others change it.
    #[error("other users can change the {} `{}` ({})", .0.kind, .0.path.display(), .0)]
    Writable(Entry),
    /// Its path led to another file a moment later.
    #[error("`{}` was replaced while flowswap opened it", .0.display())]
    Replaced(PathBuf),
}

impl TrustError {
    /// The command that mends it.
    pub fn hint(&self) -> Option<String> {
        let me = geteuid();
        match self {
            Self::Foreign(Entry { kind, path, owner, .. }) => {
                let chown = if *kind == "link" { "chown -h" } else { "chown" };
                let path = quoted(path);
                Some(if me.is_root() {
                    format!("run flowswap as user {owner}, or make it root's: {chown} root {path}")
                } else {
                    format!("make it yours, as root: {chown} {} {path}", me.as_raw())
                })
            }
            // Others need it as well.
            Self::Writable(Entry { path, .. }) if SHARED.iter().any(|shared| path == Path::new(shared)) => {
                Some(format!("chmod +t {}", quoted(path)))
            }
            Self::Writable(Entry { path, .. }) => Some(format!("chmod go-w {}", quoted(path))),
            Self::Io(_) | Self::Replaced(_) => None,
        }
    }
}

/// A path as one word of a shell.
pub fn quoted(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}

/// A file, folder, or link that is not trusted. It is shown as its owner and its mode.
#[derive(Debug)]
pub struct Entry {
    path: PathBuf,
    kind: &'static str,
    owner: u32,
    mode: u32,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.owner {
            0 => write!(f, "owner root, mode {:04o}", self.mode),
            owner => write!(f, "owner {owner}, mode {:04o}", self.mode),
        }
    }
}

/// Opens a file for reading if only this user and root can change it. What is judged is the open file.
pub fn open_trusted(path: &Path) -> Result<File, TrustError> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let trust = Trust::of_this_user();
    // The process that started flowswap opened it, and its name leads nowhere.
    if is_descriptor(path) {
        return trust.judge(path, &metadata).map(|()| file);
    }
    match trust.walk(path)? {
        Some(found) if (found.dev(), found.ino()) == (metadata.dev(), metadata.ino()) => Ok(file),
        _ => Err(TrustError::Replaced(path.to_owned())),
    }
}

/// Reads a whole file if only this user and root can change it.
pub fn read_trusted(path: &Path) -> Result<Vec<u8>, TrustError> {
    let mut bytes = Vec::new();
    open_trusted(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Fails if anyone but this user and root can change the file or folder. If it does not exist, this looks at the folders above
/// it. A folder with the sticky bit is fine: only owners replace files there.
pub fn require_trusted(path: &Path) -> Result<(), TrustError> {
    Trust::of_this_user().walk(path).map(drop)
}

/// Does the same for a folder whose files flowswap finds by itself, and for each of these files. Others must not be able to add
/// one, so the sticky bit is not enough.
pub fn require_trusted_folder(path: &Path) -> Result<(), TrustError> {
    let trust = Trust::of_this_user();
    let path = absolute(path)?;
    let Some(metadata) = trust.walk(&path)? else { return Ok(()) };
    if trust.others_can_write(&path, &metadata) {
        return Err(TrustError::Writable(entry(&path, &metadata)));
    }
    for file in fs::read_dir(path)? {
        trust.judge_entry(&file?.path())?;
    }
    Ok(())
}

/// The folder for temporary files: `TMPDIR`, or else `/tmp`. If others can replace files there, `/var/tmp`.
pub fn trusted_temp_dir() -> PathBuf {
    usual_or_var_tmp(env::temp_dir())
}

fn usual_or_var_tmp(usual: PathBuf) -> PathBuf {
    let other = PathBuf::from("/var/tmp");
    if require_trusted(&usual).is_err() && other.is_dir() && require_trusted(&other).is_ok() { other } else { usual }
}

/// Judges with the eyes of one user.
struct Trust {
    me: u32,
}

impl Trust {
    fn of_this_user() -> Self {
        Self { me: geteuid().as_raw() }
    }

    /// Follows the path as the kernel does, and judges every folder, link, and file on the way. `None` if it leads to nothing.
    fn walk(&self, path: &Path) -> Result<Option<Metadata>, TrustError> {
        let path = absolute(path)?;
        self.judge(Path::new("/"), &fs::symlink_metadata("/")?)?;
        self.follow(PathBuf::from("/"), &path)
    }

    /// Judges a file in a folder that is judged already.
    fn judge_entry(&self, file: &Path) -> Result<(), TrustError> {
        match fs::symlink_metadata(file) {
            Ok(metadata) if metadata.is_symlink() => self.walk(file).map(drop),
            Ok(metadata) => self.judge(file, &metadata),
            // Another process of flowswap has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn follow(&self, mut here: PathBuf, path: &Path) -> Result<Option<Metadata>, TrustError> {
        let mut rest = steps(path);
        let mut links = 0;
        let mut last = fs::symlink_metadata(&here)?;
        while let Some(step) = rest.pop() {
            if step == ".." {
                here.pop();
                last = fs::symlink_metadata(&here)?;
                continue;
            }
            let next = here.join(step);
            let metadata = match fs::symlink_metadata(&next) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other?,
            };
            self.judge(&next, &metadata)?;
            if metadata.is_symlink() {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::from(Errno::LOOP).into());
                }
                let target = fs::read_link(&next)?;
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                rest.extend(steps(&target));
            } else {
                here = next;
            }
            last = metadata;
        }
        Ok(Some(last))
    }

    /// Fails if others can change this one file, link, or folder.
    fn judge(&self, path: &Path, metadata: &Metadata) -> Result<(), TrustError> {
        if !self.is_trusted(metadata.uid()) {
            return Err(TrustError::Foreign(entry(path, metadata)));
        }
        if self.others_can_write(path, metadata) && !is_sticky_folder(metadata) {
            return Err(TrustError::Writable(entry(path, metadata)));
        }
        Ok(())
    }

    fn others_can_write(&self, path: &Path, metadata: &Metadata) -> bool {
        // The mode of a link means nothing, and what others write to `/dev/null` or a terminal does not come back from it.
        if metadata.is_symlink() || metadata.file_type().is_char_device() {
            return false;
        }
        let by_group = metadata.mode() & 0o020 != 0;
        let by_others = metadata.mode() & 0o002 != 0;
        by_others || by_group && (!self.is_trusted(metadata.gid()) || has_access_list(path))
    }

    /// This user, or root. The group with the number of a user is that user's private one, which Debian and Fedora give everyone
    /// together with a umask of 002 (wiki.debian.org/UserPrivateGroups).
    fn is_trusted(&self, id: u32) -> bool {
        id == 0 || id == self.me
    }
}

/// The steps of a path, the first one last.
fn steps(path: &Path) -> Vec<OsString> {
    let named = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.rev().map(|part| part.as_os_str().to_owned()).collect()
}

fn entry(path: &Path, metadata: &Metadata) -> Entry {
    let kind = match metadata.file_type() {
        kind if kind.is_dir() => "folder",
        kind if kind.is_symlink() => "link",
        _ => "file",
    };
    let mode = metadata.mode() & 0o7777;
    Entry { path: path.to_owned(), kind, owner: metadata.uid(), mode }
}

fn is_sticky_folder(metadata: &Metadata) -> bool {
    const STICKY: u32 = 0o1000;
    metadata.is_dir() && metadata.mode() & STICKY != 0
}

/// Whether the path names an open file of this process, such as `/dev/stdin`.
fn is_descriptor(path: &Path) -> bool {
    let folders = ["/dev/fd", "/proc/self/fd"].map(Path::new);
    path == Path::new("/dev/stdin") || path.parent().is_some_and(|parent| folders.contains(&parent))
}

/// Whether an access list names further users. The bits of the group are then the most that any of them may do (acl(5)).
#[cfg(target_os = "linux")]
fn has_access_list(path: &Path) -> bool {
    let mut nothing: [u8; 0] = [];
    rustix::fs::lgetxattr(path, "system.posix_acl_access", &mut nothing).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn has_access_list(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests;
