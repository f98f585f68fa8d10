//! All exit codes, and the error that carries one to `main`.

use std::{error::Error, fmt};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How a command ended. `crates/cli/docs/automation.md` has the same table, and a test compares the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Exit {
    /// The command did everything that it was told to do.
    Done = 0,
    /// The command failed as a whole.
    Failed = 1,
    /// The command line, the configuration, or a file that the user named is wrong; nothing was done.
    Usage = 2,
    /// Some tenants failed or are stuck, or a plugin fails some checks; the others are done.
    SomeFailed = 3,
    /// Tenants remain that need a person or time: blocked, unknown, waiting, soaking, rolling back, or swapped and not
    /// yet retired.
    NeedsPerson = 4,
    /// The user stopped the command.
    Interrupted = 5,
    /// A plan, or a tenant's part of it, is stale or was refused.
    Refused = 6,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Which results end the process with another code than 0. A command that failed as a whole, a wrong command line, and an
/// interruption always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Tenants that failed, are stuck, or were refused.
    Failed,
    /// Also tenants that need a person or time.
    Person,
    /// No result.
    Never,
}

impl FailOn {
    /// The code of the process for this end of a command.
    pub(crate) fn code(self, exit: Exit) -> Exit {
        match (self, exit) {
            (Self::Failed | Self::Never, Exit::NeedsPerson) | (Self::Never, Exit::SomeFailed | Exit::Refused) => {
                Exit::Done
            }
            (Self::Failed | Self::Person | Self::Never, exit) => exit,
        }
    }
}

/// Why a command ends without a result.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What failed. The terminal prints it with the chain of its sources.
    pub(crate) error: Box<dyn Error + Send + Sync>,
    /// What the user can do about it.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure with its error.
    pub(crate) fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: error.into(), hint: None }
    }

    /// The same failure with a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with a hint, if there is one.
    pub(crate) fn hint_if(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Turns an error of doing something into a failure: `failed to <doing>`, with the error as its source.
    pub(crate) fn at<E: Into<Box<dyn Error + Send + Sync>>>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |source| Self::new(Exit::Failed, FailedTo { doing, source: source.into() })
    }
}

#[derive(Debug)]
struct FailedTo {
    doing: String,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for FailedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.doing)
    }
}

impl Error for FailedTo {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}
