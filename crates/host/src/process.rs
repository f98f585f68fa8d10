//! One plugin's process: starts it, and again where it died.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flowswap_contract::{PROTOCOL, PluginHello, Protocol};
use flowswap_engine::EventSink;

use crate::{
    Launcher, PluginFile,
    life::Life,
    revival::{Revival, Source},
    spawn::spawn,
};

/// Why there is no plugin process.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The private copy of the library cannot be written.
    #[error("failed to make a private copy of the plugin `{plugin}`")]
    Copy {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process cannot be started.
    #[error("failed to start the process of the plugin `{plugin}`")]
    Spawn {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It did not greet as the contract has it.
    #[error("the plugin `{plugin}` did not start: {problem}")]
    Handshake {
        /// The plugin.
        plugin: String,
        /// What it did instead.
        problem: String,
    },
    /// It speaks another major version.
    #[error("the plugin `{plugin}` speaks protocol {}.{}, and this flowswap {}.{}", found.major, found.minor, PROTOCOL.major, PROTOCOL.minor)]
    Protocol {
        /// The plugin.
        plugin: String,
        /// What it speaks.
        found: Protocol,
    },
    /// It is another plugin.
    #[error("the plugin that is configured as `{plugin}` calls itself `{found}`")]
    Name {
        /// The plugin.
        plugin: String,
        /// What it says.
        found: String,
    },
}

impl StartError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Protocol { .. } => Some("use a plugin and a flowswap of the same release".to_owned()),
            Self::Name { found, .. } => Some(format!("if this is the one that is meant, write plugin = \"{found}\"")),
            // What glibc says where the private copy lies on a file system that is mounted `noexec`.
            Self::Handshake { problem, .. } if problem.contains("failed to map segment") => {
                Some("let TMPDIR name a folder from which programs may be run".to_owned())
            }
            Self::Copy { .. } | Self::Spawn { .. } | Self::Handshake { .. } => None,
        }
    }
}

/// A running plugin. Sessions share it; when the last one is gone, the process ends. One that has died is started again
/// by the next call that needs it, a bounded number of times.
pub struct PluginProcess {
    name: String,
    sha256: String,
    hello: PluginHello,
    ids: AtomicU64,
    pub(crate) revival: Revival,
}

impl PluginProcess {
    /// Starts a process for the plugin and shakes hands. What the process prints goes to `events` as log lines.
    pub async fn start(
        file: &PluginFile,
        launcher: &Launcher,
        events: Arc<dyn EventSink>,
    ) -> Result<Arc<Self>, StartError> {
        let source = Source { file: file.clone(), launcher: launcher.clone(), events };
        let (hello, life) = source.start().await?;
        Ok(Self::greeted(file.sha256(), hello, Revival::of(life, Some(source))))
    }

    pub(crate) fn greeted(sha256: &str, hello: PluginHello, revival: Revival) -> Arc<Self> {
        let (name, sha256) = (hello.name.clone(), sha256.to_owned());
        Arc::new(Self { name, sha256, hello, ids: AtomicU64::new(1), revival })
    }

    /// The word that stands as `plugin` in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SHA-256 of the library, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the plugin says of itself.
    pub fn hello(&self) -> &PluginHello {
        &self.hello
    }

    /// A number that was never used with this plugin.
    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Debug for PluginProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginProcess").field("name", &self.name).field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

impl Source {
    /// Starts a process from the bytes that were checked, and shakes hands.
    pub(crate) async fn start(&self) -> Result<(PluginHello, Arc<Life>), StartError> {
        let Self { file, launcher, events } = self;
        let plugin = file.name().to_owned();
        let copy = file.copy().map_err(|source| StartError::Copy { plugin: plugin.clone(), source })?;
        let transport = spawn(&plugin, &copy.path, launcher, events)
            .map_err(|source| StartError::Spawn { plugin: plugin.clone(), source })?;
        // Once it has greeted, the library is loaded, and the copy may go.
        let tap = launcher.tap.clone();
        let life = Life::begin_with(&plugin, transport, Arc::clone(events), &launcher.limits, tap).await;
        drop(copy);
        life
    }
}
