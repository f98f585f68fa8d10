//! Who can change what flowswap trusts.
//!
//! One rule holds for every file that decides something or holds a secret, as sshd has it (`StrictModes`, sshd_config(5)): it
//! belongs to this user or to root, and nobody else can change it. The same holds for every folder and every link on the way
//! to it, because a user who can change one of them can put another file in its place. "This user" is the effective one.
//!
//! Inside a user namespace, the kernel shows every owner that has no number there as `nobody` (user_namespaces(7)). That may be
//! root outside, or anybody else. Nothing tells them apart, so such a file belongs to another user. That holds also for a process
//! that has no number there itself and therefore sees itself as `nobody`.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Component, Path, PathBuf, absolute},
};

use rustix::{
    io::Errno,
    process::{Uid, geteuid},
};

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
    /// Others can change it, or something on the way to it. There is at least one finding.
    #[error("{}", .0[0])]
    Untrusted(Vec<Finding>),
    /// Its path led to another file a moment later.
    #[error("`{}` was replaced while flowswap opened it", .0.display())]
    Replaced(PathBuf),
}

impl TrustError {
    /// The commands that mend everything that was found.
    pub fn hint(&self) -> Option<String> {
        let Self::Untrusted(findings) = self else { return None };
        if findings.iter().any(|finding| finding.wrong == Wrong::Foreign && finding.path == Path::new("/")) {
            return Some(
                "a user namespace hides the owners of files; run flowswap outside it, or where root and your user are mapped"
                    .to_owned(),
            );
        }
        let me = geteuid();
        let mut paths_by_command: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for finding in findings {
            paths_by_command.entry(finding.mended_by(me)).or_default().push(quoted(&finding.path));
        }
        let commands = paths_by_command.into_iter().map(|(command, paths)| format!("{command} {}", paths.join(" ")));
        let commands = commands.collect::<Vec<_>>().join(" && ");
        Some(match findings.iter().find(|finding| finding.wrong == Wrong::Foreign) {
            Some(Finding { owner, .. }) if me.is_root() => {
                format!("run flowswap as user {owner}, or make it root's: {commands}")
            }
            Some(_) => format!("make it yours, as root: {commands}"),
            None => commands,
        })
    }
}

/// A path as one word of a shell.
pub fn quoted(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}

/// A file, folder, or link that is not trusted.
#[derive(Debug)]
pub struct Finding {
    path: PathBuf,
    kind: &'static str,
    owner: u32,
    mode: u32,
    wrong: Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// It belongs neither to this user nor to root.
    Foreign,
    /// Its mode lets others change it.
    Writable,
    /// Its mode lets others see what is in it.
    Open,
}

impl Finding {
    /// The command that mends it, without its path.
    fn mended_by(&self, me: Uid) -> String {
        let shared = SHARED.iter().any(|shared| self.path == Path::new(shared));
        match self.wrong {
            Wrong::Foreign => {
                let owner = if me.is_root() { "root".to_owned() } else { me.as_raw().to_string() };
                format!("chown {}{owner}", if self.kind == "link" { "-h " } else { "" })
            }
            // Others need it as well.
            Wrong::Writable if shared => "chmod +t".to_owned(),
            Wrong::Writable => "chmod go-w".to_owned(),
            Wrong::Open => "chmod go-rwx".to_owned(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path) = (self.kind, self.path.display());
        match self.wrong {
            Wrong::Foreign => write!(f, "the {kind} `{path}` belongs to another user")?,
            Wrong::Writable => write!(f, "other users can change the {kind} `{path}`")?,
            Wrong::Open => write!(f, "other users can look into the {kind} `{path}`")?,
        }
        match self.owner {
            0 => write!(f, " (owner root, mode {:04o})", self.mode),
            owner => write!(f, " (owner {owner}, mode {:04o})", self.mode),
        }
    }
}

/// Opens a file for reading if only this user and root can change it. What is judged is the open file.
pub fn open_trusted(path: &Path) -> Result<File, TrustError> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut trust = Trust::of_this_user();
    // The process that started flowswap opened it, and its name leads nowhere.
    if is_descriptor(path) {
        trust.judge(path, &metadata);
        return trust.verdict().map(|()| file);
    }
    let found = trust.walk(path)?;
    trust.verdict()?;
    match found {
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
    let mut trust = Trust::of_this_user();
    trust.walk(path)?;
    trust.verdict()
}

/// Does the same for a folder whose files flowswap finds by itself, and for each of these files. Others must not be able to add
/// one, so the sticky bit is not enough.
pub fn require_trusted_folder(path: &Path) -> Result<(), TrustError> {
    let mut trust = Trust::of_this_user();
    trust.judge_folder(path)?;
    trust.verdict()
}

/// Does the same, and fails if it is this user's folder and others can look into it.
pub fn require_private_folder(path: &Path) -> Result<(), TrustError> {
    let mut trust = Trust::of_this_user();
    if let Some(metadata) = trust.judge_folder(path)? {
        trust.judge_privacy(&absolute(path)?, &metadata);
    }
    trust.verdict()
}

/// Whether a symlink may be there to mislead this user: it belongs neither to them, nor to root, nor to the owner of its folder.
/// Linux does not follow such a link in a sticky folder either (`protected_symlinks`, proc_sys_fs(5)).
pub fn is_foreign_link(link: &Path) -> io::Result<bool> {
    let owner = fs::symlink_metadata(link)?.uid();
    let folder = absolute(link)?.parent().map(fs::metadata).transpose()?;
    Ok(!Trust::of_this_user().is_trusted(owner) && folder.is_none_or(|folder| folder.uid() != owner))
}

/// The folder for temporary files: `TMPDIR`, or else `/tmp`. If others can replace files there, `/var/tmp`.
pub fn trusted_temp_dir() -> PathBuf {
    usual_or_var_tmp(env::temp_dir())
}

fn usual_or_var_tmp(usual: PathBuf) -> PathBuf {
    let other = PathBuf::from("/var/tmp");
    if require_trusted(&usual).is_err() && other.is_dir() && require_trusted(&other).is_ok() { other } else { usual }
}

/// Judges with the eyes of one user, and collects what is wrong.
struct Trust {
    /// `None` if this process runs in a user namespace that does not map its user: the kernel then shows every owner as that
    /// same user.
    me: Option<u32>,
    findings: Vec<Finding>,
}

impl Trust {
    fn of_this_user() -> Self {
        let me = geteuid().as_raw();
        let map = fs::read_to_string("/proc/self/uid_map").ok();
        Self::of(Some(me).filter(|me| map.is_none_or(|map| is_mapped(*me, &map))))
    }

    fn of(me: Option<u32>) -> Self {
        Self { me, findings: Vec::new() }
    }

    /// Fails if anything was found.
    fn verdict(self) -> Result<(), TrustError> {
        if self.findings.is_empty() { Ok(()) } else { Err(TrustError::Untrusted(self.findings)) }
    }

    /// Follows the path as the kernel does, and judges every folder, link, and file on the way. `None` if it leads to nothing.
    fn walk(&mut self, path: &Path) -> io::Result<Option<Metadata>> {
        let path = absolute(path)?;
        self.judge(Path::new("/"), &fs::symlink_metadata("/")?);
        let followed = self.follow(PathBuf::from("/"), &path);
        match followed {
            // What is wrong on the way says more.
            Err(_) if !self.findings.is_empty() => Ok(None),
            followed => followed,
        }
    }

    /// Judges the way to a folder, and the files in it. `None` if it does not exist.
    fn judge_folder(&mut self, path: &Path) -> io::Result<Option<Metadata>> {
        let path = absolute(path)?;
        let Some(metadata) = self.walk(&path)? else { return Ok(None) };
        // Without the sticky bit, the way there has told it already.
        if is_sticky_folder(&metadata) && self.others_can_write(&path, &metadata) {
            self.add(&path, &metadata, Wrong::Writable);
        }
        match fs::read_dir(path) {
            Ok(files) => files.into_iter().try_for_each(|file| self.judge_entry(&file?.path()))?,
            // What is wrong on the way says more.
            Err(_) if !self.findings.is_empty() => {}
            Err(error) => return Err(error),
        }
        Ok(Some(metadata))
    }

    /// Judges whether others can look into a folder. A folder of root, as containers have it, cannot be closed by this user.
    fn judge_privacy(&mut self, path: &Path, metadata: &Metadata) {
        let by_group = metadata.mode() & 0o070 != 0 && !self.is_trusted(metadata.gid());
        let by_others = metadata.mode() & 0o007 != 0;
        if Some(metadata.uid()) == self.me && (by_group || by_others) {
            self.add(path, metadata, Wrong::Open);
        }
    }

    /// Judges a file in a folder that is judged already.
    fn judge_entry(&mut self, file: &Path) -> io::Result<()> {
        match fs::symlink_metadata(file) {
            Ok(metadata) if metadata.is_symlink() => self.walk(file).map(drop),
            Ok(metadata) => {
                self.judge(file, &metadata);
                Ok(())
            }
            // Another process of flowswap has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn follow(&mut self, mut here: PathBuf, path: &Path) -> io::Result<Option<Metadata>> {
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
            self.judge(&next, &metadata);
            if metadata.is_symlink() {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::from(Errno::LOOP));
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

    /// Judges this one file, link, or folder.
    fn judge(&mut self, path: &Path, metadata: &Metadata) {
        if !self.is_trusted(metadata.uid()) {
            self.add(path, metadata, Wrong::Foreign);
        } else if self.others_can_write(path, metadata) && !is_sticky_folder(metadata) {
            self.add(path, metadata, Wrong::Writable);
        }
    }

    fn add(&mut self, path: &Path, metadata: &Metadata, wrong: Wrong) {
        // Links can lead to the same folder again.
        if self.findings.iter().any(|known| known.path == path) {
            return;
        }
        let kind = match metadata.file_type() {
            kind if kind.is_dir() => "folder",
            kind if kind.is_symlink() => "link",
            _ => "file",
        };
        let (path, mode) = (path.to_owned(), metadata.mode() & 0o7777);
        self.findings.push(Finding { path, kind, owner: metadata.uid(), mode, wrong });
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
        id == 0 || Some(id) == self.me
    }
}

/// The steps of a path, the first one last.
fn steps(path: &Path) -> Vec<OsString> {
    let named = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.rev().map(|part| part.as_os_str().to_owned()).collect()
}

/// Whether a user has a number in the user namespace with this map: lines of the first number inside, the first number outside,
/// and how many there are (user_namespaces(7)).
fn is_mapped(user: u32, map: &str) -> bool {
    map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        matches!(numbers[..], [first, _, count] if (first..first + count).contains(&user.into()))
    })
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
