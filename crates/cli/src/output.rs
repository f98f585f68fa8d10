//! Where `-o` writes. `-` is stdout. A symlink is followed. A device, a pipe or a socket is written, and never replaced or
//! read. A file is replaced whole or not at all, and only by the command that made it: nobody loses notes to a mistyped name.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    display::text::Text,
    exit::{Exit, Failure},
    terminal::Terminal,
};

/// More than any plan has; a file that goes on is something else.
const MAX_PLAN: u64 = 64 * 1024 * 1024;
/// More links than this in a row lead nowhere.
const MAX_LINKS: usize = 40;
/// What a folder of the system says of a place in it: it is no file of anybody's.
const SYSTEM: [&str; 2] = ["/dev", "/proc"];

/// What a command writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plan,
    Sheet,
}

/// A place to write to that was found fit for it.
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
    /// A file, or a name that is free; symlinks are behind us.
    File(PathBuf),
    /// Something that takes bytes and holds none.
    Stream,
    #[cfg(unix)]
    Socket,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Sheet => "run sheet",
        }
    }

    /// Whether a file is one of this kind that flowswap wrote, changed or not.
    fn made(self, text: &str) -> bool {
        let json = || serde_json::from_str::<Value>(text).ok();
        let has = |value: &Value, keys: &[&str]| keys.iter().all(|key| value.get(key).is_some());
        match self {
            Self::Plan => json().is_some_and(|value| has(&value, &["format", "digest", "not_after", "tenants"])),
            Self::Sheet => {
                let ends = ["once all of it is done: ", "this was seen to be done; once it is put right: "];
                ends.iter().any(|end| text.contains(end))
                    || json().is_some_and(|value| has(&value, &["tenant", "sheet", "deadline", "claims"]))
            }
        }
    }
}

impl Output {
    /// Looks at the place before anything else is done. With `force`, a file of any kind is replaced.
    pub(crate) fn prepare(path: &Path, kind: Kind, force: bool) -> Result<Self, Failure> {
        let output = |place| Ok(Self { kind, named: path.to_owned(), place });
        if path == Path::new("-") {
            return output(Place::Stdout);
        }
        let doing = || format!("write the {} `{}`", kind.name(), path.display());
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return output(Place::File(follow(path).map_err(usage(doing()))?));
            }
            Err(error) => return Err(usage(doing())(error)),
        };
        if metadata.is_dir() {
            let failure = Failure::new(Exit::Usage, format!("`{}` is a folder", path.display()));
            return Err(failure.hint("name a file in it"));
        }
        if let Some(place) = stream(path, &metadata) {
            return output(place);
        }
        let file = fs::canonicalize(path).map_err(usage(doing()))?;
        if is_of_state(&file) {
            let error = format!("`{}` is a part of flowswap's state, which no output replaces", path.display());
            return Err(Failure::new(Exit::Usage, error).hint("name a file in another folder"));
        }
        if !force && metadata.len() > 0 && !holds(&file, kind) {
            let error = format!("`{}` exists and is not a {} of flowswap's", path.display(), kind.name());
            return Err(Failure::new(Exit::Usage, error).hint("name another file, or pass `--force` to replace it"));
        }
        output(Place::File(file))
    }

    /// Whether it is stdout, which then must have nothing else.
    pub(crate) fn is_stdout(&self) -> bool {
        self.place == Place::Stdout
    }

    /// Whether it is a file: something that can be read again later.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// Writes; a file whole or not at all.
    pub(crate) fn write(&self, terminal: Terminal, text: &Text) -> Result<(), Failure> {
        let bytes = text.plain();
        let bytes = bytes.as_bytes();
        let written = match &self.place {
            Place::Stdout => return terminal.write_out(text),
            Place::File(file) => replace(file, bytes),
            Place::Stream => OpenOptions::new().write(true).open(&self.named).and_then(|mut it| it.write_all(bytes)),
            #[cfg(unix)]
            Place::Socket => {
                std::os::unix::net::UnixStream::connect(&self.named).and_then(|mut socket| socket.write_all(bytes))
            }
        };
        written.map_err(|error| {
            let doing = format!("write the {} `{}`", self.kind.name(), self.named.display());
            Failure::at(doing)(error).hint("nothing was written; name a place that can be written with `-o`")
        })
    }
}

/// Whether a file is the journal, a secret, or the key that opens secrets: nothing brings those back.
fn is_of_state(file: &Path) -> bool {
    let is_beside_journal = |path: &Path| path.with_file_name("journal.sqlite.lock").is_file();
    let is_journal = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal.sqlite"));
    let is_secret = file.parent().is_some_and(|folder| folder.ends_with("secrets") && is_beside_journal(folder));
    let holds_key = || read_regular(file).is_some_and(|text| text.contains("AGE-SECRET-KEY-1"));
    (is_journal && is_beside_journal(file)) || is_secret || holds_key()
}

/// Reads a plan, and no more than a plan can have. `-` is stdin; a pipe is read to its end.
pub(crate) fn read_plan(path: &Path) -> Result<String, Failure> {
    let doing = || format!("read the plan `{}`", path.display());
    let text = match path == Path::new("-") {
        true => read_bounded(io::stdin()).map_err(usage("read the plan from stdin".to_owned())),
        false => open_plan(path).and_then(read_bounded).map_err(|error| {
            let is_free = error.kind() == io::ErrorKind::NotFound;
            let failure = usage(doing())(error);
            // Where something is, it may be somebody's.
            failure.hint(match is_free {
                true => format!("`flowswap plan -o {}` makes one", path.display()),
                false => NEW_PLAN.to_owned(),
            })
        }),
    }?;
    text.ok_or_else(|| {
        let error = format!("`{}` has more than {} MiB, which no plan has", path.display(), MAX_PLAN / 1024 / 1024);
        Failure::new(Exit::Refused, error).hint(NEW_PLAN)
    })
}

/// What to do about a plan that cannot be used. What it is, is not known: so the name must be another one.
pub(crate) const NEW_PLAN: &str = "make a new one under a new name: flowswap plan -o NEW.json";

/// The text of a file that is there and regular; none of anything else.
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

/// None if there is too much.
fn read_bounded(from: impl Read) -> io::Result<Option<String>> {
    let mut text = String::new();
    let read = from.take(MAX_PLAN + 1).read_to_string(&mut text)?;
    Ok((read as u64 <= MAX_PLAN).then_some(text))
}

fn holds(file: &Path, kind: Kind) -> bool {
    read_regular(file).is_some_and(|text| kind.made(&text))
}

fn usage(doing: String) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure { exit: Exit::Usage, ..Failure::at(doing)(error) }
}

/// Where a name that is free leads: a link may point at a file that is not there yet.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(io::Error::other("the symlinks lead in a circle"))
}

/// A place that takes bytes as they come.
fn stream(path: &Path, metadata: &Metadata) -> Option<Place> {
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

/// Replaces a file, or makes it. One that is there keeps its permissions.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Like any new file: the user's mask takes away what it may not have.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut written = builder.tempfile_in(dir)?;
    written.write_all(bytes)?;
    if let Ok(metadata) = fs::metadata(file) {
        if metadata.permissions().readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
        }
        written.as_file().set_permissions(metadata.permissions())?;
    }
    written.as_file().sync_all()?;
    Ok(written.persist(file).map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_what_flowswap_writes_into_it() {
        let plan = r#"{"format":1,"digest":"","not_after":"","tenants":[]}"#;
        let table = [
            (plan, true, false),
            (r#"{"format":1,"tenants":[]}"#, false, false),
            (r#"{"tenant":"acme","sheet":{},"deadline":"","claims":[]}"#, false, true),
            ("# Reconnect\n- once all of it is done: `flowswap confirm acme`\n", false, true),
            ("this was seen to be done; once it is put right: flowswap apply", false, true),
            ("my notes", false, false),
            ("{", false, false),
        ];
        for (text, is_plan, is_sheet) in table {
            assert_eq!((Kind::Plan.made(text), Kind::Sheet.made(text)), (is_plan, is_sheet), "{text}");
        }
    }
}
