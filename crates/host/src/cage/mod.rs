//! The cage of a plugin's process: once it is closed, the process can compute, and exchange messages with flowswap.
//!
//! It consists of limits (setrlimit(2)), Landlock (landlock(7)), and two seccomp filters (seccomp(2)). None of them needs
//! root, and none can be taken off again. Landlock and the first filter are the boundary: they are in force before the first
//! instruction of the library runs. The second filter also takes away what only the loader needs, in case somebody takes over
//! an honest plugin later.

#[cfg_attr(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")), path = "linux.rs")]
#[cfg_attr(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))), path = "elsewhere.rs")]
mod platform;

use std::{error::Error, fmt, str::FromStr};

pub(crate) use platform::{close, close_inherited, finish_loading};

/// Whether a plugin's process is caged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cage {
    /// The process does not run without the cage.
    Required,
    /// The plugin can do whatever the user of flowswap can.
    Off,
}

impl Cage {
    /// What this machine gives for a cage, such as `seccomp, Landlock 7`.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn of_this_machine() -> Result<String, String> {
        platform::describe()
    }
}

/// Required on every platform that has the cage: Linux on x86_64 and aarch64.
impl Default for Cage {
    fn default() -> Self {
        if platform::EXISTS { Self::Required } else { Self::Off }
    }
}

impl fmt::Display for Cage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Required => "required",
            Self::Off => "off",
        })
    }
}

impl FromStr for Cage {
    type Err = UnknownCage;

    fn from_str(word: &str) -> Result<Self, UnknownCage> {
        [Self::Required, Self::Off].into_iter().find(|cage| cage.to_string() == word).ok_or(UnknownCage)
    }
}

/// The word is neither `required` nor `off`.
#[derive(Debug, thiserror::Error)]
#[error("expected `required` or `off`")]
pub struct UnknownCage;

/// How the last line of a process begins that cannot be caged.
pub(crate) const NO_CAGE: &str = "cannot cage the plugin";

/// What the system said.
type Cause = Box<dyn Error + Send + Sync>;

/// Why a process cannot be caged.
#[derive(Debug, thiserror::Error)]
#[error("{NO_CAGE}: {what}")]
pub(crate) struct CageError {
    what: &'static str,
    #[source]
    source: Option<Cause>,
}

impl CageError {
    /// For `map_err`: what failed.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only the real cage has steps that fail"))]
    fn at<E: Into<Cause>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self { what, source: Some(source.into()) }
    }
}
