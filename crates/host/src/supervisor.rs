//! Restarts a plugin's process that died, when the next call needs it. The new process runs the bytes that were checked.
//! The number of restarts is limited.
//!
//! All sessions of a plugin share its process. A session that kills it costs the others only the calls that were in
//! flight. The limit keeps a session that kills it again and again from keeping the run going forever.

use std::sync::{Arc, Mutex, PoisonError};

use flowswap_contract::{Error, ErrorKind, Level, PluginHello};
use flowswap_engine::{Event, EventSink};

use crate::{
    Launcher, PluginFile, StartError,
    budget::RESTARTS,
    chain,
    connection::Connection,
    routes::{Ended, FIX_PLUGIN},
    spawn::spawn,
};

/// What a process is started from.
pub(crate) struct Source {
    pub(crate) file: PluginFile,
    pub(crate) launcher: Launcher,
    pub(crate) events: Arc<dyn EventSink>,
}

/// The current connection to a plugin's process, and how to start the next process.
pub(crate) struct Supervisor {
    /// `None` if the process cannot be restarted.
    source: Option<Source>,
    current: Mutex<Arc<Connection>>,
    /// How often the process was restarted. Locked during a restart.
    restarts: tokio::sync::Mutex<usize>,
    /// Held by the only suspect session that may make a call now.
    pub(crate) suspects: tokio::sync::Mutex<()>,
}

impl Supervisor {
    pub(crate) fn of(connection: Arc<Connection>, source: Option<Source>) -> Self {
        Self { source, current: Mutex::new(connection), restarts: Default::default(), suspects: Default::default() }
    }

    pub(crate) fn current(&self) -> Arc<Connection> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) async fn restarts(&self) -> usize {
        *self.restarts.lock().await
    }

    /// The connection to the running process. Starts a new process if the last one has ended. `first` is the greeting of
    /// the first process.
    pub(crate) async fn connection(&self, first: &PluginHello) -> Result<Arc<Connection>, Error> {
        let connection = self.current();
        if connection.end().is_none() {
            return Ok(connection);
        }
        let mut restarts = self.restarts.lock().await;
        // Another call may have restarted it in the meantime.
        let connection = self.current();
        let (Some(ended), Some(source)) = (connection.end(), &self.source) else {
            return connection.end().map_or(Ok(connection), |ended| Err(ended.error()));
        };
        if *restarts == RESTARTS.limit {
            return Err(too_many_restarts(&first.name, &ended));
        }
        *restarts += 1;
        let message = format!("restarting the process (restart {restarts} of {}): {}", RESTARTS.limit, ended.message);
        source.events.emit(Event::Log { plugin: first.name.clone(), tenant: None, level: Level::Warn, message });
        let (hello, connection) =
            source.start().await.map_err(|error| Error::new(ErrorKind::Crashed, chain(&error)))?;
        refuse_changed_greeting(first, &hello)?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&connection);
        Ok(connection)
    }
}

/// Refuses a restarted plugin that describes itself differently, because sessions rely on the first description.
fn refuse_changed_greeting(first: &PluginHello, hello: &PluginHello) -> Result<(), Error> {
    if hello == first {
        return Ok(());
    }
    let message = format!("the plugin `{}` describes itself differently than at its first start", first.name);
    Err(Error::new(ErrorKind::Protocol, message))
}

impl Source {
    /// Starts a process from the bytes that were checked, and exchanges greetings.
    pub(crate) async fn start(&self) -> Result<(PluginHello, Arc<Connection>), StartError> {
        let Self { file, launcher, events } = self;
        let plugin = file.name().to_owned();
        let transport =
            spawn(file, launcher, events).map_err(|source| StartError::Spawn { plugin: plugin.clone(), source })?;
        let tap = launcher.listen.as_ref().map(|listen| listen(file));
        Connection::begin_with(&plugin, transport, Arc::clone(events), &launcher.limits, tap).await
    }
}

fn too_many_restarts(plugin: &str, ended: &Ended) -> Error {
    let message =
        format!("the process of the plugin `{plugin}` {}; the last time: {}", RESTARTS.message(), ended.message);
    Error::new(ErrorKind::Crashed, message).with_hint(FIX_PLUGIN)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use flowswap_contract::{Call, Effect, FromPlugin, Op};
    use serde_json::Value;

    use super::*;
    use crate::{
        PluginProcess, frame,
        testing::{World, hello},
    };

    /// Sends the library's content as its greeting, reads the start of the host's greeting, and exits.
    const SCRIPT: &str = r#"cat "$1" >&0; head -c 2 >/dev/null; exit 3"#;

    fn greeting(version: &str) -> Vec<u8> {
        let mut framed = Vec::new();
        frame::write(&mut framed, &serde_json::to_vec(&FromPlugin::Hello(hello(version))).unwrap()).unwrap();
        framed
    }

    /// Makes a call and waits until the end of the process interrupts it.
    async fn interrupted_call(process: &PluginProcess, connection: &Arc<Connection>) -> Error {
        let id = process.next_id();
        let params = Value::Null;
        let call = Call { id, session: 0, op: Op::Apply, key: "r".into(), now: "n".into(), params: params.into() };
        match connection.begin(call).unwrap() {
            Some(mut running_call) => running_call.next().await.map(|_| ()).unwrap_err(),
            None => connection.end().unwrap().error().with_unknown_effect(),
        }
    }

    /// The error after the last restart. Each process runs the bytes that were checked.
    pub(crate) async fn end_beyond_the_budget() -> String {
        let dir = crate::testing::folder();
        let path = dir.path().join("plugin");
        fs::write(&path, greeting("1")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = PluginFile::read("rogue", &path, None).unwrap();
        // The file on disk is a different one from now on.
        fs::write(&path, greeting("2")).unwrap();
        let world = World::default();
        let launcher = Launcher::new("/bin/sh", ["-c", SCRIPT, "sh"].map(Into::into).to_vec());
        let process = PluginProcess::start(&file, &launcher, Arc::new(world.ports())).await.unwrap();
        for _ in 0..=RESTARTS.limit {
            let connection = process.connection().await.unwrap();
            let error = interrupted_call(&process, &connection).await;
            assert_eq!((error.kind, error.effect), (ErrorKind::Crashed, Effect::Unknown));
            assert!(error.message.contains("exit status: 3"), "{error}");
        }
        assert_eq!(process.restarts().await, RESTARTS.limit);
        let error = process.connection().await.map(drop).unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Crashed, Effect::None));
        let told = world.told();
        assert_eq!(told.matches("restarting the process (").count() / 2, RESTARTS.limit, "{told}");
        assert!(told.contains("restarting the process (restart 8 of 8)"), "{told}");
        error.message
    }
}
