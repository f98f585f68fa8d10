//! Fetches the secrets that a configuration refers to, from the environment, a file, a program, or Vault.
//!
//! A variable that held a secret stays in flowswap's environment. Removing it would remove nothing: `unsetenv` only forgets
//! where the text is, and `/proc/PID/environ` shows the memory with which the process started (proc_pid_environ(5)). So that
//! memory is closed to other processes instead (`host/src/hardening.rs`), and flowswap starts every child with an empty
//! environment and an explicit list. `tests/it/tidy/children.rs` checks that.

mod error;
mod locate;
mod program;
#[cfg(test)]
mod tests;
mod vault;

use std::{
    collections::BTreeMap,
    env, fs,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use flowswap_config::{Config, ProgramCall, SecretRef};
use flowswap_engine::Secret;
use flowswap_host::{TrustError, open_trusted, require_trusted};
use zeroize::Zeroizing;

pub(crate) use self::error::{FetchError, Unreadable};
use self::{
    program::{ProgramResult, WAIT_LIMITS, WaitLimits},
    vault::{Vault, VaultError},
};
use crate::terminal::Terminal;

/// The longest secret. A longer one is a mistake in the reference, and a device such as `/dev/zero` never ends.
const MAX_SECRET: u64 = 64 * 1024;
/// The shortest credential of a side. The host looks for secrets in whatever it shows, and a shorter text is there by chance.
const MIN_CREDENTIAL: usize = 8;
/// The variables that every program gets.
pub(crate) const COMMON_VARIABLES: [&str; 3] = ["PATH", "HOME", "LANG"];

/// Fails if other users can change the file with the secret, or the program that prints it. A program without a folder comes
/// from `PATH`, which the operator chose.
pub(crate) fn require_trusted_source(reference: &SecretRef) -> Result<(), TrustError> {
    match reference {
        SecretRef::File(path) => require_trusted(path),
        SecretRef::Command(command) if command.program.contains('/') => require_trusted(command.program.as_ref()),
        // What Vault itself needs is checked when flowswap logs in there.
        SecretRef::Env(_) | SecretRef::Command(_) | SecretRef::Vault(_) => Ok(()),
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
#[derive(Clone, Default)]
pub(crate) struct Fetcher {
    /// Whether to show what a failed program printed.
    is_verbose: bool,
    /// The files of the programs so far, by the name in the configuration.
    programs: Arc<Mutex<BTreeMap<String, PathBuf>>>,
    /// Vault, once the configuration is known.
    vault: Arc<OnceLock<Vault>>,
}

impl Fetcher {
    /// Shows what a failed program printed if the user passed `-v`.
    pub(crate) fn new(terminal: Terminal) -> Self {
        Self { is_verbose: terminal.verbose > 0, ..Self::default() }
    }

    /// Reads secrets from the Vault of this configuration. Only the first one counts.
    pub(crate) fn use_vault(&self, config: &Config) {
        self.vault.get_or_init(|| Vault::of(config));
    }

    /// Lets a login to Vault that failed be tried again. A long command calls it before each part of its work.
    pub(crate) fn begin(&self) {
        if let Some(vault) = self.vault.get() {
            vault.begin();
        }
    }

    /// Whether fetching the secret may ask the person at the terminal.
    pub(crate) fn may_ask(&self, reference: &SecretRef) -> bool {
        match reference {
            SecretRef::Env(_) | SecretRef::File(_) => false,
            SecretRef::Command(_) => true,
            SecretRef::Vault(_) => {
                let own = self.vault.get().and_then(Vault::own_secret);
                own.is_some_and(|own| matches!(own, SecretRef::Command(_)))
            }
        }
    }

    /// Where Vault is, and who flowswap is there, for a report.
    pub(crate) async fn describe_vault(&self) -> Result<String, Unreadable> {
        let fetcher = self.clone();
        let describing = tokio::task::spawn_blocking(move || match fetcher.vault.get() {
            Some(vault) => vault.describe(&|own| fetcher.fetch_own(own)).map_err(FetchError::from),
            None => Err(Arc::new(VaultError::NoAddress).into()),
        });
        match describing.await {
            Ok(described) => Ok(described?),
            Err(error) => Err(Unreadable { why: error.to_string(), hint: None }),
        }
    }

    /// Fetches a secret, without one line break at its end.
    pub(crate) fn fetch(&self, reference: &SecretRef) -> Result<Secret, FetchError> {
        self.fetch_within(reference, WAIT_LIMITS)
    }

    /// Fetches a credential of a side of a tenant, without blocking other work.
    pub(crate) async fn credential(&self, reference: &SecretRef) -> Result<Secret, Unreadable> {
        let (fetcher, reference) = (self.clone(), reference.clone());
        let fetching = tokio::task::spawn_blocking(move || fetcher.fetch_credential(&reference));
        match fetching.await {
            Ok(fetched) => Ok(fetched?),
            Err(error) => Err(Unreadable { why: error.to_string(), hint: None }),
        }
    }

    /// Fetches what flowswap needs to log in to Vault.
    fn fetch_own(&self, reference: &SecretRef) -> Result<Secret, FetchError> {
        require_trusted_source(reference).map_err(FetchError::Untrusted)?;
        self.fetch(reference)
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
            SecretRef::Vault(wanted) => {
                let read_own = |own: &SecretRef| self.fetch_own(own);
                let vault = self.vault.get().ok_or_else(|| Arc::new(VaultError::NoAddress))?;
                Zeroizing::new(vault.read(wanted, &read_own)?.expose().as_bytes().to_vec())
            }
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
        let limits = WaitLimits { kill_after: secret.timeout.unwrap_or(limits.kill_after), ..limits };
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
        SecretRef::Vault(wanted) => format!("`{wanted}` in Vault"),
    }
}

/// The token of a service account of Kubernetes. Only the pod sees its file, and Kubernetes lets every user of the pod read it.
fn read_service_token(path: &Path) -> Result<Secret, FetchError> {
    accept(&SecretRef::File(path.to_owned()), &read_trusted_file(path, |_| false)?)
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, FetchError> {
    read_trusted_file(path, is_world_readable)
}

fn read_trusted_file(path: &Path, is_exposed: fn(&fs::Metadata) -> bool) -> Result<Zeroizing<Vec<u8>>, FetchError> {
    let fail = |source| FetchError::File { path: path.to_owned(), source };
    let file = open_trusted(path).map_err(fail)?;
    let metadata = file.metadata().map_err(|source| fail(source.into()))?;
    if is_exposed(&metadata) {
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
