//! Starts a plugin's process. The supervisor restarts it if it dies.

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
    connection::Connection,
    spawn::spawn,
    supervisor::{Source, Supervisor},
};

/// Why a plugin's process could not be started.
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
            Self::Copy { .. } | Self::Spawn { .. } | Self::Handshake { .. } => None,
        }
    }
}

/// A running plugin. Sessions share it; the process ends when the last session is gone. If the process dies, the next call
/// that needs it restarts it, a limited number of times.
pub struct PluginProcess {
    name: String,
    sha256: String,
    hello: PluginHello,
    ids: AtomicU64,
    pub(crate) supervisor: Supervisor,
}

impl PluginProcess {
    /// Starts a process for the plugin and exchanges greetings. The output of the process goes to `events` as log lines.
    pub async fn start(
        file: &PluginFile,
        launcher: &Launcher,
        events: Arc<dyn EventSink>,
    ) -> Result<Arc<Self>, StartError> {
        let source = Source { file: file.clone(), launcher: launcher.clone(), events };
        let (hello, connection) = source.start().await?;
        Ok(Self::from_greeting(file.sha256(), hello, Supervisor::of(connection, Some(source))))
    }

    pub(crate) fn from_greeting(sha256: &str, hello: PluginHello, supervisor: Supervisor) -> Arc<Self> {
        Arc::new(Self {
            name: hello.name.clone(),
            sha256: sha256.to_owned(),
            hello,
            ids: AtomicU64::new(1),
            supervisor,
        })
    }

    /// The plugin's name, the value of `plugin` in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SHA-256 of the library, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The plugin's description of itself.
    pub fn hello(&self) -> &PluginHello {
        &self.hello
    }

    /// A number that this plugin has not seen before.
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
    /// Starts a process from the bytes that were checked, and exchanges greetings.
    pub(crate) async fn start(&self) -> Result<(PluginHello, Arc<Connection>), StartError> {
        let Self { file, launcher, events } = self;
        let plugin = file.name().to_owned();
        let copy = file.copy().map_err(|source| StartError::Copy { plugin: plugin.clone(), source })?;
        let transport = spawn(&plugin, &copy.path, launcher, events)
            .map_err(|source| StartError::Spawn { plugin: plugin.clone(), source })?;
        // A plugin that has sent its greeting has loaded the library, so the copy can be deleted.
        let tap = launcher.tap.clone();
        let connection = Connection::begin_with(&plugin, transport, Arc::clone(events), &launcher.limits, tap).await;
        drop(copy);
        connection
    }
}
