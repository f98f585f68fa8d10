//! Runs a plugin in the caller's own thread, without a process or a socket. A queue in memory carries the same messages.
//!
//! For simulations only, where everything must happen in one thread and in a repeatable order. Such a plugin can crash
//! its process, so code that works on real tenants starts a separate process instead.

use std::sync::Arc;

use flowswap_contract::ErrorKind;
use flowswap_engine::EventSink;
use tokio::{sync::mpsc, task::spawn_local};

use crate::{
    Limits, PluginFile, PluginProcess, StartError, chain,
    connection::{Connection, Outgoing, our_greeting, read_greeting},
    library::Library,
    routes::{Ended, Routes},
    supervisor::Supervisor,
};

impl PluginProcess {
    /// Loads the plugin's original file into this process and thread, and exchanges greetings. The library is never
    /// unloaded. Its context is closed once its last session is gone.
    ///
    /// # Panics
    /// Outside of a [`LocalSet`](tokio::task::LocalSet), which must run while the plugin is used.
    pub fn inline(file: &PluginFile, events: Arc<dyn EventSink>) -> Result<Arc<Self>, StartError> {
        let failed = |problem: String| StartError::Handshake { plugin: file.name().to_owned(), problem };
        let mut library = Library::load(file.path()).map_err(|error| failed(chain(&error)))?;
        let greeting = our_greeting().map_err(failed)?;
        let emitted = library.deliver(&greeting).map_err(|error| failed(chain(&error)))?;
        let hello = emitted.first().ok_or_else(|| failed("it sent no greeting".to_owned()))?;
        let hello = read_greeting(hello).map_err(failed)?;
        let (connection, queue) = Connection::after_greeting(file.name(), &hello, events, &Limits::default())?;
        spawn_local(deliver_all(library, queue, Arc::clone(&connection.routes)));
        Ok(Self::from_greeting(file.sha256(), hello, Supervisor::of(connection, None)))
    }
}

/// Delivers messages until all senders are gone or the plugin fails.
async fn deliver_all(mut library: Library, mut queue: mpsc::UnboundedReceiver<Outgoing>, routes: Arc<Routes>) {
    while let Some(message) = queue.recv().await {
        message.answers.iter().for_each(|(call, n)| routes.answered(*call, *n));
        let delivered = library.deliver(&message.bytes).map_err(|error| (ErrorKind::Crashed, chain(&error)));
        let passed = delivered.and_then(|emitted| {
            let pass = |message: &Vec<u8>| routes.route(message).map_err(|problem| (ErrorKind::Protocol, problem));
            emitted.iter().try_for_each(pass)
        });
        if let Err((kind, problem)) = passed {
            let message = format!("flowswap stopped the plugin `{}`: {problem}", routes.plugin);
            return routes.end(Ended { kind, message });
        }
    }
}
