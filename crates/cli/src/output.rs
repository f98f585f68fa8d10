//! Where `-o` writes. `-` is stdout. flowswap follows a symlink. It writes to a device, a pipe, or a socket, and never
//! replaces or reads one. It replaces a file whole or not at all, and only a file of the same kind, so that a mistyped
//! name destroys no notes.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use flowswap_attest::{AnchorPredicate, ApprovalPredicate, Envelope, Predicate};
use flowswap_config::find_nearest;
use flowswap_host::{is_foreign_link, quoted};
use flowswap_report::{ReportKind, has_keys};
use serde_json::Value;

use crate::{
    display::text::Text,
    exit::{Exit, Failure},
    terminal::{Terminal, write_buffered},
};

/// More than any plan has; a longer file is not a plan. A tenant takes about 12 KiB.
const MAX_PLAN: u64 = 512 * 1024 * 1024;
/// A chain of more symlinks than this is a cycle.
const MAX_LINKS: usize = 40;
/// Folders of the system. What is in them is not a user's file and must not be replaced.
const SYSTEM: [&str; 2] = ["/dev", "/proc"];

/// How every line of a log begins.
const LOG_START: &[u8] = b"{\"format\":1,\"at\":\"";

/// What a command writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plan,
    Sheet,
    Report(ReportKind),
    Approval,
    Anchor,
    Recording,
    Metrics,
    Log,
}

/// A place that [`Output::prepare`] found fit to write to.
#[derive(Debug)]
pub(crate) struct Output {
    kind: Kind,
    /// As the person named it.
    named: PathBuf,
    place: Place,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Stdout,
    /// A file, or a name that does not exist yet, with symlinks already followed.
    File(PathBuf),
    /// A device or a pipe: it takes bytes and keeps none.
    Stream,
    #[cfg(unix)]
    Socket,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Sheet => "run sheet",
            Self::Report(ReportKind::Plan) => "report of a plan",
            Self::Report(ReportKind::Difference) => "report of a difference",
            Self::Report(ReportKind::Work) => "report of what was done",
            Self::Approval => "approval",
            Self::Anchor => "anchor",
            Self::Recording => "recording",
            Self::Metrics => "file of metrics",
            Self::Log => "log",
        }
    }

    /// What flowswap wrote a file with this text as, if it did.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        let kinds = [ReportKind::Plan, ReportKind::Difference, ReportKind::Work].map(Self::Report);
        let mut all = [Self::Plan, Self::Sheet, Self::Approval, Self::Anchor, Self::Metrics].into_iter().chain(kinds);
        all.find(|kind| kind.recognizes(text))
    }

    /// Whether flowswap wrote a file with this text as this kind, even if somebody changed it since.
    fn recognizes(self, text: &str) -> bool {
        match self {
            Self::Plan => {
                has_keys(text, &["format", "digest", "not_after", "tenants"]) && !has_keys(text, &["summary"])
            }
            Self::Report(kind) => kind.recognizes(text),
            Self::Approval => is_signed::<ApprovalPredicate>(text),
            Self::Anchor => is_signed::<AnchorPredicate>(text),
            // They replace nothing.
            Self::Recording | Self::Log => false,
            Self::Metrics => text.starts_with("# HELP flowswap_"),
            Self::Sheet => {
                flowswap_report::SHEET_MARKS.iter().any(|mark| text.contains(mark))
                    || has_keys(text, &["tenant", "sheet", "deadline", "claims"])
            }
        }
    }
}

/// Whether a text is a statement of this kind that somebody signed. The signature does not matter here.
fn is_signed<P: Predicate>(text: &str) -> bool {
    let envelope = Envelope::read(text).ok();
    let statement = envelope.and_then(|envelope| serde_json::from_slice::<Value>(&envelope.payload).ok());
    statement.is_some_and(|statement| statement["predicateType"] == P::TYPE)
}

impl Output {
    /// A place for something that never replaces a file, such as what somebody signed, or a recording.
    pub(crate) fn create(path: &Path, kind: Kind) -> Result<Self, Failure> {
        let place = Self::prepare(path, kind, true)?;
        if place.is_file() && fs::symlink_metadata(path).is_ok() {
            let failure = Failure::new(Exit::Usage, format!("`{}` exists already", path.display()));
            return Err(failure.hint(format!("name another file; flowswap replaces no {}", kind.name())));
        }
        Ok(place)
    }

    /// Checks the place before the command does anything else. With `force`, a file of any kind may be replaced.
    pub(crate) fn prepare(path: &Path, kind: Kind, force: bool) -> Result<Self, Failure> {
        let output = |place| Ok(Self { kind, named: path.to_owned(), place });
        if path == Path::new("-") {
            return output(Place::Stdout);
        }
        let doing = || format!("write the {} `{}`", kind.name(), path.display());
        let target = follow_symlinks(path).map_err(usage(doing()))?;
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
                if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                    let failure = Failure::new(Exit::Usage, format!("there is no folder `{}`", folder.display()));
                    return Err(failure.hint("make the folder, or name a file in another one"));
                }
                if is_state(&target) {
                    let failure =
                        Failure::new(Exit::Usage, format!("`{}` would be in flowswap's state folder", path.display()));
                    return Err(failure.hint("name a file in another folder"));
                }
                return output(Place::File(target));
            }
            Err(error) => return Err(usage(doing())(error)),
        };
        if metadata.is_dir() {
            let failure = Failure::new(Exit::Usage, format!("`{}` is a folder", path.display()));
            return Err(failure.hint("name a file in it"));
        }
        if let Some(place) = special_place(path, &metadata) {
            return output(place);
        }
        let file = fs::canonicalize(path).map_err(usage(doing()))?;
        if belongs_to_state(&file) {
            let error = format!("`{}` belongs to flowswap's state and cannot be replaced", path.display());
            return Err(Failure::new(Exit::Usage, error).hint("name a file in another folder"));
        }
        if !force && metadata.len() > 0 && !is_of_kind(&file, kind) {
            let error = format!("`{}` exists, and flowswap did not write it as a {}", path.display(), kind.name());
            return Err(Failure::new(Exit::Usage, error).hint(match kind {
                Kind::Metrics | Kind::Log => "name another file",
                _ => "name another file, or pass `--force` to replace it",
            }));
        }
        output(Place::File(file))
    }

    /// A place for what another program reads again and again, or what grows, so that only a file will do.
    pub(crate) fn prepare_file(path: &Path, kind: Kind) -> Result<Self, Failure> {
        let may_continue = kind == Kind::Log && is_log(path);
        let place = Self::prepare(path, kind, may_continue)?;
        if place.is_file() {
            return Ok(place);
        }
        let failure = Failure::new(Exit::Usage, format!("`{}` cannot be a {}", path.display(), kind.name()));
        Err(failure.hint("name a file"))
    }

    /// Opens it, to be written while something else happens. Nobody but this user can read a new file.
    pub(crate) fn open_new(&self) -> Result<File, Failure> {
        let mut options = OpenOptions::new();
        options.write(true);
        let (place, options) = match &self.place {
            Place::Stream => (&self.named, &mut options),
            Place::File(file) => (file, options.create_new(true)),
            Place::Stdout => {
                let failure = Failure::new(Exit::Usage, format!("stdout cannot take a {}", self.kind.name()));
                return Err(failure.hint("name a file"));
            }
            #[cfg(unix)]
            Place::Socket => {
                let failure = Failure::new(Exit::Usage, format!("a socket cannot take a {}", self.kind.name()));
                return Err(failure.hint("name a file"));
            }
        };
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
        options.open(place).map_err(usage(format!("write the {} `{}`", self.kind.name(), self.named.display())))
    }

    /// Whether it is stdout; then nothing else may go to stdout.
    pub(crate) fn is_stdout(&self) -> bool {
        self.place == Place::Stdout
    }

    /// Whether it is a file, which a later command can read again.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// Writes the text. A file is written whole or not at all.
    pub(crate) fn write(&self, terminal: Terminal, text: &Text) -> Result<(), Failure> {
        match &self.place {
            Place::Stdout => terminal.write_out(text),
            _ => self.stream(terminal, |out| out.write_all(text.plain().as_bytes())),
        }
    }

    /// Writes what `content` writes. A file is written whole or not at all.
    pub(crate) fn stream(
        &self,
        terminal: Terminal,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let written = match &self.place {
            Place::Stdout => return terminal.stream_out(content),
            Place::File(file) => replace(file, self.kind, content),
            Place::Stream => {
                OpenOptions::new().write(true).open(&self.named).and_then(|stream| write_buffered(stream, content))
            }
            #[cfg(unix)]
            Place::Socket => {
                std::os::unix::net::UnixStream::connect(&self.named).and_then(|socket| write_buffered(socket, content))
            }
        };
        written.map_err(|error| {
            let doing = format!("write the {} `{}`", self.kind.name(), self.named.display());
            Failure::at(doing)(without_temporary_name(error))
                .hint("this file was not written; name one that you can write")
        })
    }
}

/// Whether a file is, or would be, beside a journal.
fn is_state(file: &Path) -> bool {
    file.with_file_name("journal.sqlite.lock").is_file()
}

/// Whether a file is the journal, a secret, or the key that decrypts secrets. Nothing can recover those.
fn belongs_to_state(file: &Path) -> bool {
    let is_journal = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal.sqlite"));
    let is_secret = file.parent().is_some_and(|folder| folder.ends_with("secrets") && is_state(folder));
    let holds_key = || read_regular(file).is_some_and(|text| text.contains("AGE-SECRET-KEY-1"));
    (is_journal && is_state(file)) || is_secret || is_encrypted(file) || holds_key()
}

/// Whether a file is a log of flowswap, by its first line. The rest may be long.
fn is_log(path: &Path) -> bool {
    starts_with(path, LOG_START)
}

/// Whether it is an age file, such as an identity with a passphrase.
fn is_encrypted(file: &Path) -> bool {
    starts_with(file, b"age-encryption.org/")
}

/// Whether a regular file begins with these bytes.
fn starts_with(file: &Path, bytes: &[u8]) -> bool {
    let mut start = vec![0; bytes.len()];
    let is_file = fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
    is_file && File::open(file).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == bytes
}

/// Reads a plan, but never more than [`MAX_PLAN`] bytes. `-` is stdin; a pipe is read to its end.
pub(crate) fn read_plan(path: &Path) -> Result<String, Failure> {
    let doing = || format!("read the plan `{}`", path.display());
    let text = if path == Path::new("-") {
        read_bounded(io::stdin()).map_err(usage("read the plan from stdin".to_owned()))
    } else {
        open_plan(path).and_then(read_bounded).map_err(|error| {
            let is_free = error.kind() == io::ErrorKind::NotFound;
            let failure = usage(doing())(error);
            // A file that exists may be somebody's, so the hint must not suggest to write it.
            failure.hint(match find_similar(path).filter(|_| is_free) {
                Some(similar) => format!("did you mean `{}`?", quoted(&similar)),
                None if is_free => format!("write one first: flowswap plan -o {}", quoted(path)),
                None => NOT_A_PLAN.to_owned(),
            })
        })
    }?;
    text.ok_or_else(|| {
        let error = format!("`{}` is larger than {} MiB, so it is not a plan", path.display(), MAX_PLAN / 1024 / 1024);
        Failure::new(Exit::Usage, error).hint(NOT_A_PLAN)
    })
}

/// The file that a misspelt path stands for, or one without its ending.
fn find_similar(path: &Path) -> Option<PathBuf> {
    let complete = path.with_added_extension("json");
    if complete.is_file() {
        return Some(complete);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.path().is_file());
    let mut names: Vec<String> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    let similar = find_nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(similar))
}

/// The hint about a file that is no plan.
pub(crate) const NOT_A_PLAN: &str =
    "name the file that `flowswap plan -o` wrote, or write one: flowswap plan -o NEW.json";

/// The hint about a plan that cannot be used. The file may be something else, so the hint suggests another name.
pub(crate) const NEW_PLAN: &str = "write a new plan to another file: flowswap plan -o NEW.json";

/// The text of a regular file; `None` for anything else.
pub(crate) fn read_regular(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    read_bounded(File::open(path).ok()?).ok()?
}

fn open_plan(path: &Path) -> io::Result<File> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    if !metadata.is_file() && !is_pipe(&metadata) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a pipe"));
    }
    File::open(path)
}

/// `None` if there is more than [`MAX_PLAN`] bytes.
fn read_bounded(from: impl Read) -> io::Result<Option<String>> {
    let mut text = String::new();
    let read = from.take(MAX_PLAN + 1).read_to_string(&mut text)?;
    Ok((read as u64 <= MAX_PLAN).then_some(text))
}

fn is_of_kind(file: &Path, kind: Kind) -> bool {
    read_regular(file).is_some_and(|text| kind.recognizes(&text))
}

fn usage(doing: String) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure { exit: Exit::Usage, ..Failure::at(doing)(error) }
}

/// Follows the symlinks from a name. The last one may point at a file that is not there yet. Refuses one that another user may
/// have made so that flowswap writes somewhere else.
fn follow_symlinks(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        if is_foreign_link(&path)? {
            let error = format!("the symlink `{}` belongs to another user", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, error));
        }
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(io::Error::other("the symlinks form a cycle"))
}

/// The place as a socket or a stream, if it is not a regular file.
fn special_place(path: &Path, metadata: &Metadata) -> Option<Place> {
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()) {
        return Some(Place::Socket);
    }
    let is_system = SYSTEM.iter().any(|system| path.starts_with(system));
    (!metadata.is_file() || is_system).then_some(Place::Stream)
}

#[cfg(unix)]
fn is_pipe(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_: &Metadata) -> bool {
    false
}

/// The system's error alone. The path around it is that of a temporary file, which says nothing to a person.
fn without_temporary_name(error: io::Error) -> io::Error {
    let source = error.get_ref().and_then(|error| error.source());
    let code = source.and_then(|source| source.downcast_ref::<io::Error>()).and_then(io::Error::raw_os_error);
    code.map(io::Error::from_raw_os_error).unwrap_or(error)
}

/// Replaces or creates a file. An existing file keeps its permissions.
fn replace(file: &Path, kind: Kind, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Like any new file: the umask removes permissions from these.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut written = builder.tempfile_in(dir)?;
    write_buffered(&mut written, content)?;
    if let Ok(metadata) = fs::metadata(file) {
        if metadata.permissions().readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
        }
        written.as_file().set_permissions(metadata.permissions())?;
    }
    #[cfg(unix)]
    if kind == Kind::Metrics && !file.exists() {
        // Another user collects them, whatever the umask of a service is.
        written.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    }
    written.as_file().sync_all()?;
    Ok(written.persist(file).map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_recognized_by_what_flowswap_writes_into_it() {
        let plan = r#"{"format":1,"digest":"","not_after":"","tenants":[]}"#;
        let table = [
            (plan, true, false),
            (r#"{"format":1,"tenants":[]}"#, false, false),
            (r#"{"tenant":"acme","sheet":{},"deadline":"","claims":[]}"#, false, true),
            ("# Reconnect\n- when everything is done: `flowswap confirm acme`\n", false, true),
            ("flowswap saw this step done; after you correct it: flowswap apply", false, true),
            ("my notes", false, false),
            ("{", false, false),
        ];
        for (text, is_plan, is_sheet) in table {
            assert_eq!((Kind::Plan.recognizes(text), Kind::Sheet.recognizes(text)), (is_plan, is_sheet), "{text}");
        }
    }
}
