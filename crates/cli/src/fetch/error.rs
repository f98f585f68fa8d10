//! Why a secret cannot be fetched, and what to do about it.

use std::{io, path::PathBuf, process::ExitStatus, sync::Arc};

use flowswap_host::{TrustError, chain};

use super::{COMMON_VARIABLES, MAX_SECRET, MIN_CREDENTIAL, vault::VaultError};

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
    #[error("failed to use what logs in to Vault")]
    Untrusted(#[source] TrustError),
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
    #[error(transparent)]
    Vault(#[from] Arc<VaultError>),
}

impl FetchError {
    /// What the operator can do about it, if the message does not say it.
    pub(crate) fn hint(&self) -> Option<String> {
        if let Self::Vault(error) = self { error.hint() } else { None }
    }
}

/// Why a credential cannot be fetched, as a report says it.
#[derive(Debug, Clone)]
pub(crate) struct Unreadable {
    /// What happened.
    pub(crate) why: String,
    /// What the operator can do about it.
    pub(crate) hint: Option<String>,
}

impl From<FetchError> for Unreadable {
    fn from(error: FetchError) -> Self {
        Self { why: chain(&error), hint: error.hint() }
    }
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
