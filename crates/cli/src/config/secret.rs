//! References to secrets: where one is kept, and how it is fetched. A configuration never holds the secret itself.

use std::{
    env, fs,
    io::{self, Read},
    path::PathBuf,
    process::Command,
};

use flowswap_engine::Secret;

use super::program::{self, PATIENCE, Patience, Ran};

/// The longest secret; a reference to something longer is a mistake, and a device would have no end.
const MAX_SECRET: u64 = 64 * 1024;
/// How much of a failed command's complaint is passed on.
const MAX_COMPLAINT: usize = 500;

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file that only its owner (and group) can read.
    File(PathBuf),
    /// A program and its arguments; what it prints is the secret. No shell is involved.
    Command(Vec<String>),
}

/// Why a secret cannot be had. No variant carries what was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretRefError {
    #[error("the environment variable `{0}` is not set")]
    EnvUnset(String),
    #[error("failed to read the secret file `{}`", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the secret file `{0}` can be read by everyone on this machine; run `chmod 600 {0}`", path.display())]
    Exposed { path: PathBuf },
    #[error("failed to run `{program}`")]
    Spawn {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("`{program}` failed ({status}){}", format_complaint(complaint))]
    Failed { program: String, status: std::process::ExitStatus, complaint: String },
    #[error("`{program}` gave no secret within {seconds} s, and was ended; run it by hand to see what it waits for")]
    TimedOut { program: String, seconds: u64 },
    #[error("{0} gives an empty secret")]
    Empty(SecretSource),
    #[error("{0} gives more than {MAX_SECRET} bytes, which is no secret")]
    TooLong(SecretSource),
    #[error("{0} gives something that is not UTF-8 text")]
    NotText(SecretSource),
}

impl SecretRef {
    /// Fetches the secret. One line break at its end is not part of it.
    pub(crate) fn resolve(&self) -> Result<Secret, SecretRefError> {
        self.resolve_within(PATIENCE)
    }

    /// The same, with another patience for a program.
    pub(super) fn resolve_within(&self, patience: Patience) -> Result<Secret, SecretRefError> {
        let bytes = match self {
            Self::Env(name) => match env::var_os(name) {
                Some(value) => value.into_encoded_bytes(),
                None => return Err(SecretRefError::EnvUnset(name.clone())),
            },
            Self::File(path) => read_file(path)?,
            Self::Command(argv) => run(argv, patience)?,
        };
        self.accept(bytes)
    }

    fn accept(&self, bytes: Vec<u8>) -> Result<Secret, SecretRefError> {
        if bytes.len() as u64 > MAX_SECRET {
            return Err(SecretRefError::TooLong(self.describe()));
        }
        // The error of the conversion holds the bytes, and so must not be passed on.
        let mut text = String::from_utf8(bytes).map_err(|_| SecretRefError::NotText(self.describe()))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        if text.trim().is_empty() {
            return Err(SecretRefError::Empty(self.describe()));
        }
        Ok(Secret::new(text))
    }

    fn describe(&self) -> SecretSource {
        SecretSource(match self {
            Self::Env(name) => format!("the environment variable `{name}`"),
            Self::File(path) => format!("the secret file `{}`", path.display()),
            Self::Command(argv) => format!("`{}`", program_of(argv)),
        })
    }
}

/// What a [`SecretRef`] refers to, in words.
#[derive(Debug)]
pub(crate) struct SecretSource(String);

impl std::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn read_file(path: &PathBuf) -> Result<Vec<u8>, SecretRefError> {
    let fail = |source| SecretRefError::File { path: path.clone(), source };
    let file = fs::File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if is_exposed(&metadata) {
        return Err(SecretRefError::Exposed { path: path.clone() });
    }
    // Room for all of it from the start: growing would leave copies behind in freed memory.
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_SECRET) as usize + 1);
    file.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

#[cfg(unix)]
fn is_exposed(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &fs::Metadata) -> bool {
    false
}

fn run(argv: &[String], patience: Patience) -> Result<Vec<u8>, SecretRefError> {
    let program = program_of(argv);
    let mut command = Command::new(&program);
    command.args(argv.iter().skip(1));
    let ran = program::run(command, &program, MAX_SECRET, patience);
    match ran.map_err(|source| SecretRefError::Spawn { program: program.clone(), source })? {
        Ran::Ended { status, stdout, .. } if status.success() => Ok(stdout),
        // Whoever looks at it will see that it is too long.
        Ran::TooMuch(stdout) => Ok(stdout),
        Ran::Ended { status, stdout, stderr } => {
            Err(SecretRefError::Failed { complaint: shorten(&stderr, &stdout), program, status })
        }
        Ran::TimedOut => Err(SecretRefError::TimedOut { program, seconds: patience.limit.as_secs() }),
    }
}

/// Arguments can be private, so only the program is ever shown.
fn program_of(argv: &[String]) -> String {
    argv.first().cloned().unwrap_or_default()
}

/// The end of the complaint, on one line, and without the secret should a program repeat it there.
fn shorten(stderr: &[u8], stdout: &[u8]) -> String {
    let (complaint, printed) = (String::from_utf8_lossy(stderr), String::from_utf8_lossy(stdout));
    let printed = printed.trim();
    let complaint = if printed.is_empty() { complaint.into_owned() } else { complaint.replace(printed, "[secret]") };
    let words: Vec<_> = complaint.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    let surplus = line.chars().count().saturating_sub(MAX_COMPLAINT);
    if surplus == 0 { line } else { format!("…{}", line.chars().skip(surplus).collect::<String>()) }
}

fn format_complaint(complaint: &str) -> String {
    if complaint.is_empty() { String::new() } else { format!(": {complaint}") }
}
