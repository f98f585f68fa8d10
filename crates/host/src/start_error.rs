//! Why a plugin's process does not start, and what to do about it.

use std::io;

use flowswap_contract::{PROTOCOL, Protocol};

use crate::cage::{Cage, NO_CAGE};

/// Why a plugin's process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The process cannot be started.
    #[error("failed to start the process of the plugin `{plugin}`")]
    Spawn {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It did not send the greeting that the contract requires.
    #[error("the plugin `{plugin}` did not start: {problem}")]
    Handshake {
        /// The plugin.
        plugin: String,
        /// What it did instead.
        problem: String,
    },
    /// It uses a different major version of the protocol.
    #[error("the plugin `{plugin}` uses protocol {}.{}, but this flowswap uses {}.{}", found.major, found.minor, PROTOCOL.major, PROTOCOL.minor)]
    Protocol {
        /// The plugin.
        plugin: String,
        /// The plugin's version.
        found: Protocol,
    },
    /// It is a different plugin.
    #[error("the plugin configured as `{plugin}` calls itself `{found}`")]
    Name {
        /// The plugin.
        plugin: String,
        /// The name that it gives.
        found: String,
    },
}

impl StartError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Protocol { .. } => Some("use the plugin and flowswap from the same release".to_owned()),
            Self::Name { found, .. } => Some(format!("if you mean this plugin, write plugin = \"{found}\"")),
            // glibc's message if the private copy is on a file system that is mounted `noexec`.
            Self::Handshake { problem, .. } if problem.contains("failed to map segment") => {
                Some("set TMPDIR to a folder from which programs may run".to_owned())
            }
            // The plugin can say this as well, so the advice to go without a cage must not depend on it.
            Self::Handshake { plugin, problem } if problem.contains(NO_CAGE) => Some(match Cage::of_this_machine() {
                Ok(_) => "the runtime of a container or a service manager may forbid a part of the cage".to_owned(),
                Err(missing) => format!(
                    "{missing}; a container can also forbid it. If you trust this plugin with all your rights, write \
                     cage = \"off\" under [plugins.{plugin}]"
                ),
            }),
            Self::Handshake { problem, .. } if problem.contains("cannot open shared object file") => {
                Some("a plugin can use no libraries but libc, libgcc, and libm: link the others into it".to_owned())
            }
            Self::Spawn { .. } | Self::Handshake { .. } => None,
        }
    }
}
