//! A plugin's process that died is started again by the next call that needs it: from the bytes that were checked, and
//! a bounded number of times.
//!
//! All sessions of a plugin share its process. What one of them does to it must cost the others no more than the calls
//! that were in flight, and one that does it again and again must not keep the run going for ever.

use std::sync::{Arc, Mutex, PoisonError};

use flowswap_contract::{Error, ErrorKind, Level, PluginHello};
use flowswap_engine::{Event, EventSink};

use crate::{Launcher, PluginFile, life::Life, process::PluginProcess, routes::Ended, scope::chain};

/// How often a plugin's process is started again within a run. A step that kills it each time is tried three times forward
/// and four times back, so one such tenant does not use all of them up.
pub const MAX_RESTARTS: u32 = 8;

/// What a process is started from.
pub(crate) struct Source {
    pub(crate) file: PluginFile,
    pub(crate) launcher: Launcher,
    pub(crate) events: Arc<dyn EventSink>,
}

/// The life that a plugin leads now, and how it gets the next one.
pub(crate) struct Revival {
    /// None where nobody can start it again.
    source: Option<Source>,
    current: Mutex<Arc<Life>>,
    /// How often it was started again. Locked while that happens.
    restarts: tokio::sync::Mutex<u32>,
    /// Held by the one suspect that makes a call.
    pub(crate) suspects: tokio::sync::Mutex<()>,
}

impl Revival {
    pub(crate) fn of(life: Arc<Life>, source: Option<Source>) -> Self {
        Self { source, current: Mutex::new(life), restarts: Default::default(), suspects: Default::default() }
    }

    pub(crate) fn current(&self) -> Arc<Life> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PluginProcess {
    /// How often its process was started again.
    pub async fn restarts(&self) -> u32 {
        *self.revival.restarts.lock().await
    }

    /// The process that runs now; a new one where the last one has ended.
    pub(crate) async fn life(&self) -> Result<Arc<Life>, Error> {
        let revival = &self.revival;
        let life = revival.current();
        if life.end().is_none() {
            return Ok(life);
        }
        let mut restarts = revival.restarts.lock().await;
        // Another call may have been faster.
        let life = revival.current();
        let (Some(ended), Some(source)) = (life.end(), &revival.source) else {
            return life.end().map_or(Ok(life), |ended| Err(ended.error()));
        };
        if *restarts == MAX_RESTARTS {
            return Err(given_up(self.name(), &ended));
        }
        *restarts += 1;
        let message = format!("the process is started again ({restarts} of {MAX_RESTARTS} times): {}", ended.message);
        source.events.emit(Event::Log { plugin: self.name().to_owned(), tenant: None, level: Level::Warn, message });
        let (hello, life) = source.start().await.map_err(|error| Error::new(ErrorKind::Crashed, chain(&error)))?;
        self.refuse_another_greeting(&hello)?;
        *revival.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&life);
        Ok(life)
    }

    /// Sessions were opened by what the first process said of itself.
    fn refuse_another_greeting(&self, hello: &PluginHello) -> Result<(), Error> {
        if hello == self.hello() {
            return Ok(());
        }
        let message =
            format!("the plugin `{}` says something else of itself than when it was first started", self.name());
        Err(Error::new(ErrorKind::Protocol, message))
    }
}

fn given_up(plugin: &str, ended: &Ended) -> Error {
    let deaths = MAX_RESTARTS + 1;
    let message = format!(
        "the process of the plugin `{plugin}` ended {deaths} times and is not started again in this run; the last time: {}",
        ended.message
    );
    Error::new(ErrorKind::Crashed, message).with_hint("run the command again once the plugin is repaired")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use flowswap_contract::{Call, Effect, FromPlugin, Op, PROTOCOL, Role};
    use serde_json::Value;

    use super::*;
    use crate::{frame, testing::World};

    /// Greets with what stands in the library, takes the beginning of a greeting, and ends.
    const SCRIPT: &str = r#"cat "$1" >&0; head -c 2 >/dev/null; exit 3"#;

    fn greeting(version: &str) -> Vec<u8> {
        let hello = PluginHello {
            name: "rogue".into(),
            version: version.into(),
            protocol: PROTOCOL,
            features: vec![],
            roles: vec![Role::Provider],
            config: vec![],
            origins: vec![],
            headers: None,
        };
        let mut framed = Vec::new();
        frame::write(&mut framed, &serde_json::to_vec(&FromPlugin::Hello(hello)).unwrap()).unwrap();
        framed
    }

    /// Waits until the process has ended, in a call that is cut off by that.
    async fn cut_off(process: &PluginProcess, life: &Arc<Life>) -> Error {
        let (id, params) = (process.next_id(), Value::Null);
        let call = Call { id, session: 0, op: Op::Apply, key: "r".into(), now: "n".into(), params };
        match life.begin(call).unwrap() {
            Some(mut conversation) => conversation.next().await.map(|_| ()).unwrap_err(),
            None => life.end().unwrap().error().with_unknown_effect(),
        }
    }

    #[tokio::test]
    async fn a_process_is_started_again_from_the_bytes_that_were_checked_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plugin");
        fs::write(&path, greeting("1")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = PluginFile::read("rogue", &path, None).unwrap();
        // What lies on the disk from now on is somebody else's.
        fs::write(&path, greeting("2")).unwrap();
        let world = World::default();
        let launcher = Launcher::new("/bin/sh", ["-c", SCRIPT, "sh"].map(Into::into).to_vec());
        let process = PluginProcess::start(&file, &launcher, Arc::new(world.double())).await.unwrap();
        for _ in 0..=MAX_RESTARTS {
            let life = process.life().await.unwrap();
            let error = cut_off(&process, &life).await;
            assert_eq!((error.kind, error.effect), (ErrorKind::Crashed, Effect::Unknown));
            assert!(error.message.contains("exit status: 3"), "{error}");
        }
        assert_eq!(process.restarts().await, MAX_RESTARTS);
        let error = process.life().await.map(drop).unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Crashed, Effect::None));
        assert!(error.message.contains("ended 9 times and is not started again in this run"), "{error}");
        let told = world.told();
        assert_eq!(told.matches("the process is started again (").count() / 2, MAX_RESTARTS as usize, "{told}");
        assert!(told.contains("the process is started again (8 of 8 times)"), "{told}");
    }
}
