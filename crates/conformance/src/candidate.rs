//! The plugin that is checked: how to start its process, and the recorded traffic of a process.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::{FromPlugin, ToPlugin};
use flowswap_engine::{Event, EventSink};
use flowswap_host::{Cage, Launcher, PluginFile, PluginProcess, StartError, Tap, Traffic};

use crate::{raw::RawPlugin, world::MakeWorld};

/// A plugin, how to start its process, and the world to test it in.
pub(crate) struct Candidate {
    pub(crate) file: PluginFile,
    pub(crate) launcher: Launcher,
    pub(crate) make: Option<MakeWorld>,
    /// Why checks that need a world are skipped.
    pub(crate) no_world: String,
}

impl Candidate {
    /// Starts a process behind the host.
    pub(crate) async fn start(&self) -> Result<Subject, StartError> {
        let recorder = Arc::new(Recorder::default());
        let tap: Tap = {
            let recorder = Arc::clone(&recorder);
            Arc::new(move |traffic| recorder.take(traffic))
        };
        let launcher = Launcher { listen: Some(Arc::new(move |_| Arc::clone(&tap))), ..self.launcher.clone() };
        let events: Arc<dyn EventSink> = Arc::clone(&recorder) as _;
        Ok(Subject { process: PluginProcess::start(&self.file, &launcher, events).await?, recorder })
    }

    /// Starts a process without the host.
    pub(crate) fn start_raw(&self) -> io::Result<RawPlugin> {
        RawPlugin::start(&self.launcher, &self.file, Arc::new(Recorder::default()))
    }

    /// The same in the cage of this platform, whatever the operator chose.
    pub(crate) fn start_caged(&self) -> io::Result<RawPlugin> {
        let launcher = Launcher { cage: Cage::default(), ..self.launcher.clone() };
        RawPlugin::start(&launcher, &self.file, Arc::new(Recorder::default()))
    }
}

/// A plugin process, and the recorded traffic between it and the host.
pub(crate) struct Subject {
    pub(crate) process: Arc<PluginProcess>,
    pub(crate) recorder: Arc<Recorder>,
}

/// Records what a process sends, receives, and prints.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Recording>);

#[derive(Default)]
pub(crate) struct Recording {
    pub(crate) to_plugin: Vec<Vec<u8>>,
    pub(crate) from_plugin: Vec<Vec<u8>>,
    /// The asks that have no answer yet: call id and ask number.
    open_asks: BTreeSet<(u64, u32)>,
    /// A call that ended before its asks were answered.
    pub(crate) early_reply: Option<u64>,
    /// Lines that the process printed or logged.
    pub(crate) lines: Vec<String>,
}

impl Recorder {
    pub(crate) fn recording(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, traffic: Traffic<'_>) {
        let mut recording = self.recording();
        match traffic {
            Traffic::ToPlugin(bytes) => {
                if let Ok(ToPlugin::Answer { id, n, .. }) = serde_json::from_slice(bytes) {
                    recording.open_asks.remove(&(id, n));
                }
                recording.to_plugin.push(bytes.to_vec());
            }
            Traffic::FromPlugin(bytes) => {
                match serde_json::from_slice(bytes) {
                    Ok(FromPlugin::Ask { id, n, .. }) => {
                        recording.open_asks.insert((id, n));
                    }
                    Ok(FromPlugin::Reply { id, .. }) if recording.open_asks.iter().any(|(of, _)| *of == id) => {
                        recording.early_reply = Some(id);
                    }
                    _ => {}
                }
                recording.from_plugin.push(bytes.to_vec());
            }
            Traffic::Closed | Traffic::Ended(_) | Traffic::Stopped { .. } => {}
        }
    }
}

impl EventSink for Recorder {
    fn emit(&self, event: Event) {
        if let Event::Log { message, .. } = event {
            self.recording().lines.push(message);
        }
    }
}
