//! Fetches the secrets that a configuration refers to, from the environment, a file, or a program.
//!
//! A variable that held a secret stays in flowswap's environment. Removing it would remove nothing: `unsetenv` only forgets
//! where the text is, and `/proc/PID/environ` shows the memory with which the process started (proc_pid_environ(5)). So that
//! memory is closed to other processes instead (`host/src/hardening.rs`), and flowswap starts every child with an empty
//! environment and an explicit list. `tests/it/tidy/children.rs` checks that.

mod locate;
mod program;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
};

use flowswap_config::{ProgramCall, SecretRef};
use flowswap_engine::{Secret, chain};
use flowswap_host::{TrustError, open_trusted, require_trusted};
use zeroize::Zeroizing;

use self::program::{ProgramResult, WAIT_LIMITS, WaitLimits};
use crate::terminal::Terminal;

/// The longest secret. A longer one is a mistake in the reference, and a device such as `/dev/zero` never ends.
const MAX_SECRET: u64 = 64 * 1024;
/// The shortest credential of a side. The host looks for secrets in whatever it shows, and a shorter text is there by chance.
const MIN_CREDENTIAL: usize = 8;
/// The variables that every program gets.
pub(crate) const COMMON_VARIABLES: [&str; 3] = ["PATH", "HOME", "LANG"];

/// Why a secret cannot be fetched. No variant carries the bytes that were read or what a program printed: the message goes
/// into reports and plans.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the environment variable `{0}` is not set")]
    EnvUnset(String),
    #[error("failed to read the secret file `{}`", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: TrustError,
    },
    #[error("the secret file `{0}` is readable by every user of this machine; run `chmod 600 {0}`", path.display())]
    WorldReadable { path: PathBuf },
    #[error("there is no program `{0}` in PATH; flowswap ignores relative folders in PATH")]
    NoProgram(String),
    #[error("failed to run `{}`", program.display())]
    Spawn {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` failed ({status}); {}", program.display(), describe_failure(unset, *is_shown))]
    Failed {
        program: PathBuf,
        status: ExitStatus,
        /// The variables that the configuration lists and that are not set.
        unset: Vec<String>,
        /// Whether the person saw what the program printed.
        is_shown: bool,
    },
    #[error(
        "`{}` printed no secret within {seconds} s and was stopped; run it by hand to see what it waits for", program.display()
    )]
    TimedOut { program: PathBuf, seconds: u64 },
    #[error("{0} gave an empty secret")]
    Empty(String),
    #[error("{0} gave fewer than {MIN_CREDENTIAL} characters; no credential is that short")]
    TooShort(String),
    #[error("{0} gave more than {MAX_SECRET} bytes; no secret is that long")]
    TooLong(String),
    #[error("{0} gave data that is not UTF-8 text")]
    NotText(String),
}

/// Fails if other users can change the file with the secret, or the program that prints it. A program without a folder comes
/// from `PATH`, which the operator chose.
pub(crate) fn require_trusted_source(reference: &SecretRef) -> Result<(), TrustError> {
    match reference {
        SecretRef::File(path) => require_trusted(path),
        SecretRef::Command(command) if command.program.contains('/') => require_trusted(command.program.as_ref()),
        SecretRef::Env(_) | SecretRef::Command(_) => Ok(()),
    }
}

/// The absolute path of a program in `PATH`.
pub(crate) fn find_program(name: &str) -> Result<PathBuf, FetchError> {
    locate::find(name, env::var_os("PATH").as_deref())
}

/// A program that is ready to run.
pub(crate) struct Prepared {
    pub(crate) command: Command,
    program: PathBuf,
    /// The variables that the configuration lists and that are not set.
    unset: Vec<String>,
}

/// Fetches secrets. Looks up each program once, so that flowswap shows the same file that it runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fetcher {
    /// Whether to show what a failed program printed.
    is_verbose: bool,
    /// The files of the programs so far, by the name in the configuration.
    programs: Arc<Mutex<BTreeMap<String, PathBuf>>>,
}

impl Fetcher {
    /// Shows what a failed program printed if the user passed `-v`.
    pub(crate) fn new(terminal: Terminal) -> Self {
        Self { is_verbose: terminal.verbose > 0, programs: Arc::default() }
    }

    /// Fetches a secret, without one line break at its end.
    pub(crate) fn fetch(&self, reference: &SecretRef) -> Result<Secret, FetchError> {
        self.fetch_within(reference, WAIT_LIMITS)
    }

    /// Fetches a credential of a side of a tenant, without blocking other work. The error is a text for a report.
    pub(crate) async fn credential(&self, reference: &SecretRef) -> Result<Secret, String> {
        let (fetcher, reference) = (self.clone(), reference.clone());
        let fetching = tokio::task::spawn_blocking(move || fetcher.fetch_credential(&reference));
        let fetched = fetching.await.map_err(|error| error.to_string())?;
        fetched.map_err(|error| chain(&error))
    }

    fn fetch_credential(&self, reference: &SecretRef) -> Result<Secret, FetchError> {
        let secret = self.fetch(reference)?;
        if secret.expose().chars().count() < MIN_CREDENTIAL {
            return Err(FetchError::TooShort(describe(reference)));
        }
        Ok(secret)
    }

    /// The programs that it has looked up: the name in the configuration, and the file.
    pub(crate) fn programs(&self) -> BTreeMap<String, PathBuf> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does the same as [`Self::fetch`] with other limits for a program.
    fn fetch_within(&self, reference: &SecretRef, limits: WaitLimits) -> Result<Secret, FetchError> {
        let bytes = match reference {
            SecretRef::Env(name) => match env::var_os(name) {
                Some(value) => Zeroizing::new(value.into_encoded_bytes()),
                None => return Err(FetchError::EnvUnset(name.clone())),
            },
            SecretRef::File(path) => read_file(path)?,
            SecretRef::Command(command) => self.run(command, limits)?,
        };
        accept(reference, &bytes)
    }

    fn run(&self, secret: &ProgramCall, limits: WaitLimits) -> Result<Zeroizing<Vec<u8>>, FetchError> {
        let Prepared { command, program, unset } = self.prepare(secret)?;
        match program::run(command, &program, MAX_SECRET, limits, self.is_verbose) {
            Err(source) => Err(FetchError::Spawn { program, source }),
            Ok(ProgramResult::Exited { status, stdout }) if status.success() => Ok(stdout),
            // `accept` refuses it as too long.
            Ok(ProgramResult::TooMuchOutput(stdout)) => Ok(stdout),
            Ok(ProgramResult::Exited { status, .. }) => {
                Err(FetchError::Failed { program, status, unset, is_shown: self.is_verbose })
            }
            Ok(ProgramResult::TimedOut) => Err(FetchError::TimedOut { program, seconds: limits.kill_after.as_secs() }),
        }
    }

    /// Finds a program, and gives it its arguments and the variables that it may see.
    pub(crate) fn prepare(&self, call: &ProgramCall) -> Result<Prepared, FetchError> {
        let program = self.locate(&call.program)?;
        let mut command = Command::new(&program);
        command.args(&call.args).env_clear();
        let mut unset = Vec::new();
        for name in COMMON_VARIABLES.into_iter().chain(call.env.iter().map(String::as_str)) {
            match env::var_os(name) {
                Some(value) => drop(command.env(name, value)),
                None if call.env.iter().any(|listed| listed == name) => unset.push(name.to_owned()),
                None => {}
            }
        }
        Ok(Prepared { command, program, unset })
    }

    fn locate(&self, name: &str) -> Result<PathBuf, FetchError> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = programs.get(name) {
            return Ok(known.clone());
        }
        let found = find_program(name)?;
        programs.insert(name.to_owned(), found.clone());
        Ok(found)
    }
}

fn accept(reference: &SecretRef, bytes: &[u8]) -> Result<Secret, FetchError> {
    if bytes.len() as u64 > MAX_SECRET {
        return Err(FetchError::TooLong(describe(reference)));
    }
    let text = str::from_utf8(bytes).map_err(|_| FetchError::NotText(describe(reference)))?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if text.trim().is_empty() {
        return Err(FetchError::Empty(describe(reference)));
    }
    Ok(Secret::new(text))
}

/// What the reference refers to, for a message. The arguments of a program can be private and are never shown.
fn describe(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Env(name) => format!("the environment variable `{name}`"),
        SecretRef::File(path) => format!("the secret file `{}`", path.display()),
        SecretRef::Command(command) => format!("`{}`", command.program),
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, FetchError> {
    let fail = |source| FetchError::File { path: path.to_owned(), source };
    let file = open_trusted(path).map_err(fail)?;
    let metadata = file.metadata().map_err(|source| fail(source.into()))?;
    if is_world_readable(&metadata) {
        return Err(FetchError::WorldReadable { path: path.to_owned() });
    }
    // Reserves the full size at once: a growing buffer would leave copies in freed memory.
    let size = metadata.len().min(MAX_SECRET) as usize + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    file.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(|source| fail(source.into()))?;
    Ok(bytes)
}

#[cfg(unix)]
fn is_world_readable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn is_world_readable(_: &fs::Metadata) -> bool {
    false
}

/// What may have gone wrong, and what to do.
fn describe_failure(unset: &[String], is_shown: bool) -> String {
    let mut parts = Vec::new();
    if !unset.is_empty() {
        parts.push(format!("its `env` lists variables that are not set: {}", unset.join(", ")));
    }
    let common = COMMON_VARIABLES.join(", ");
    parts.push(format!("it gets only {common}, and the variables in its `env`"));
    if !is_shown {
        parts.push("pass `-v` to see what it printed".to_owned());
    }
    parts.join("; ")
}
