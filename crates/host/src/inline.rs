//! A plugin in the caller's own thread, without process and socket: the same messages, carried by a queue in memory.
//!
//! It is for simulations, in which everything has to happen in one thread and in an order that repeats. Nothing keeps
//! such a plugin from taking its process down, so what works on real tenants starts a process instead.

use std::sync::Arc;

use flowswap_contract::ErrorKind;
use flowswap_engine::EventSink;
use tokio::{sync::mpsc, task::spawn_local};

use crate::{
    Limits, PluginFile, PluginProcess, StartError,
    library::Library,
    life::{Life, our_greeting, read_greeting},
    revival::Revival,
    routes::{Ended, Routes},
    scope::chain,
};

impl PluginProcess {
    /// Loads the plugin into this very process and thread, from where it lies, and shakes hands. The library is never
    /// unloaded; once its last session is gone, its context is closed.
    ///
    /// # Panics
    /// Outside of a [`LocalSet`](tokio::task::LocalSet), which has to run for as long as the plugin is used.
    pub fn inline(file: &PluginFile, events: Arc<dyn EventSink>) -> Result<Arc<Self>, StartError> {
        let failed = |problem: String| StartError::Handshake { plugin: file.name().to_owned(), problem };
        let mut library = Library::load(file.path()).map_err(|error| failed(chain(&error)))?;
        let greeting = our_greeting().map_err(failed)?;
        let emitted = library.deliver(&greeting).map_err(|error| failed(chain(&error)))?;
        let hello = emitted.first().ok_or_else(|| failed("it did not greet".to_owned()))?;
        let hello = read_greeting(hello).map_err(failed)?;
        let (life, queue) = Life::after_greeting(file.name(), &hello, events, &Limits::default(), None)?;
        spawn_local(carry(library, queue, Arc::clone(&life.routes)));
        Ok(Self::greeted(file.sha256(), hello, Revival::of(life, None)))
    }
}

/// Delivers until nobody can send any more, or the plugin cannot go on.
async fn carry(mut library: Library, mut queue: mpsc::UnboundedReceiver<Vec<u8>>, routes: Arc<Routes>) {
    while let Some(message) = queue.recv().await {
        let delivered = library.deliver(&message).map_err(|error| (ErrorKind::Crashed, chain(&error)));
        let passed = delivered.and_then(|emitted| {
            let pass = |message: &Vec<u8>| routes.route(message).map_err(|problem| (ErrorKind::Protocol, problem));
            emitted.iter().try_for_each(pass)
        });
        if let Err((kind, problem)) = passed {
            let message = format!("the plugin `{}` was ended: {problem}", routes.plugin);
            return routes.end(Ended { kind, message });
        }
    }
}
