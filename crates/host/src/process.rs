//! Starts a plugin's process. The supervisor restarts it if it dies.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flowswap_contract::{Error, PluginHello};
use flowswap_engine::EventSink;

use crate::{
    Launcher, PluginFile, StartError,
    connection::Connection,
    supervisor::{Source, Supervisor},
};

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

    /// How often the process was restarted.
    pub async fn restarts(&self) -> usize {
        self.supervisor.restarts().await
    }

    /// The connection to the running process. Starts a new process if the last one has ended.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, Error> {
        self.supervisor.connection(&self.hello).await
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
