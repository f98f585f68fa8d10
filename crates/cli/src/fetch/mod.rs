//! Fetches the secrets that a configuration refers to, from the environment, a file, or a program.

mod program;
#[cfg(test)]
mod tests;

use std::{
    env, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
};

use flowswap_config::SecretRef;
use flowswap_engine::Secret;
use flowswap_host::{TrustError, open_trusted, require_trusted};

use self::program::{ProgramResult, WAIT_LIMITS, WaitLimits};

/// The longest secret. A longer one is a mistake in the reference, and a device such as `/dev/zero` never ends.
const MAX_SECRET: u64 = 64 * 1024;
/// How many characters of a failed program's stderr an error shows.
const MAX_ERROR_TEXT: usize = 500;

/// Why a secret cannot be fetched. No variant carries the bytes that were read.
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
    #[error("failed to run `{program}`")]
    Spawn {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("`{program}` failed ({status}){}", format_error_text(error_text))]
    Failed { program: String, status: std::process::ExitStatus, error_text: String },
    #[error(
        "`{program}` printed no secret within {seconds} s and was stopped; run it by hand to see what it waits for"
    )]
    TimedOut { program: String, seconds: u64 },
    #[error("{0} gave an empty secret")]
    Empty(String),
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
        SecretRef::Command(argv) if program_name(argv).contains('/') => require_trusted(program_name(argv).as_ref()),
        SecretRef::Env(_) | SecretRef::Command(_) => Ok(()),
    }
}

/// Fetches a secret, without one line break at its end.
pub(crate) fn fetch_secret(reference: &SecretRef) -> Result<Secret, FetchError> {
    fetch_within(reference, WAIT_LIMITS)
}

/// Does the same with other limits for a program.
fn fetch_within(reference: &SecretRef, limits: WaitLimits) -> Result<Secret, FetchError> {
    let bytes = match reference {
        SecretRef::Env(name) => match env::var_os(name) {
            Some(value) => value.into_encoded_bytes(),
            None => return Err(FetchError::EnvUnset(name.clone())),
        },
        SecretRef::File(path) => read_file(path)?,
        SecretRef::Command(argv) => run(argv, limits)?,
    };
    accept(reference, bytes)
}

fn accept(reference: &SecretRef, bytes: Vec<u8>) -> Result<Secret, FetchError> {
    if bytes.len() as u64 > MAX_SECRET {
        return Err(FetchError::TooLong(describe(reference)));
    }
    // The conversion error contains the bytes, so it must be dropped.
    let mut text = String::from_utf8(bytes).map_err(|_| FetchError::NotText(describe(reference)))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.trim().is_empty() {
        return Err(FetchError::Empty(describe(reference)));
    }
    Ok(Secret::new(text))
}

/// What the reference refers to, for a message.
fn describe(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Env(name) => format!("the environment variable `{name}`"),
        SecretRef::File(path) => format!("the secret file `{}`", path.display()),
        SecretRef::Command(argv) => format!("`{}`", program_name(argv)),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, FetchError> {
    let fail = |source| FetchError::File { path: path.to_owned(), source };
    let file = open_trusted(path).map_err(fail)?;
    let metadata = file.metadata().map_err(|source| fail(source.into()))?;
    if is_world_readable(&metadata) {
        return Err(FetchError::WorldReadable { path: path.to_owned() });
    }
    // Reserves the full size at once: a growing buffer would leave copies in freed memory.
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_SECRET) as usize + 1);
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

fn run(argv: &[String], limits: WaitLimits) -> Result<Vec<u8>, FetchError> {
    let program = program_name(argv);
    let mut command = Command::new(&program);
    command.args(argv.iter().skip(1));
    let result = program::run(command, &program, MAX_SECRET, limits);
    match result.map_err(|source| FetchError::Spawn { program: program.clone(), source })? {
        ProgramResult::Exited { status, stdout, .. } if status.success() => Ok(stdout),
        // `accept` refuses it as too long.
        ProgramResult::TooMuchOutput(stdout) => Ok(stdout),
        ProgramResult::Exited { status, stdout, stderr } => {
            Err(FetchError::Failed { error_text: summarize_stderr(&stderr, &stdout), program, status })
        }
        ProgramResult::TimedOut => Err(FetchError::TimedOut { program, seconds: limits.kill_after.as_secs() }),
    }
}

/// The program without its arguments, which can be private and are never shown.
fn program_name(argv: &[String]) -> String {
    argv.first().cloned().unwrap_or_default()
}

/// The end of stderr on one line, with the secret removed in case the program repeats it there.
fn summarize_stderr(stderr: &[u8], stdout: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let printed = String::from_utf8_lossy(stdout);
    let printed = printed.trim();
    let error_text = if printed.is_empty() { stderr.into_owned() } else { stderr.replace(printed, "[secret]") };
    let words: Vec<_> = error_text.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    let surplus = line.chars().count().saturating_sub(MAX_ERROR_TEXT);
    if surplus == 0 { line } else { format!("…{}", line.chars().skip(surplus).collect::<String>()) }
}

fn format_error_text(error_text: &str) -> String {
    if error_text.is_empty() { String::new() } else { format!(": {error_text}") }
}
