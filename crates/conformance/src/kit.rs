//! The kit: one plugin, how to start its process, and the world to test it in.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowswap_contract::{FromPlugin, ToPlugin};
use flowswap_engine::{Event, EventSink};
use flowswap_host::{Launcher, PluginFile, PluginProcess, StartError, Traffic};
use futures::future::join_all;

use crate::{
    Check, Failure, MakeWorld, Outcome, Report,
    checks::{self, CHECKS, Group},
    raw::RawPlugin,
};

/// How long a plugin may compute between two messages at most. A real run has a longer limit because it serves many
/// tenants at once; a check serves one.
const MAX_THINKING: Duration = Duration::from_secs(5);

/// Checks one plugin.
pub struct Kit {
    file: PluginFile,
    launcher: Launcher,
    pub(crate) make: Option<MakeWorld>,
    no_world: String,
}

impl Kit {
    /// Checks the plugin in this file. Without a world, checks that need one are skipped.
    pub fn new(file: PluginFile, mut launcher: Launcher) -> Self {
        launcher.limits.thinking = launcher.limits.thinking.min(MAX_THINKING);
        Self { file, launcher, make: None, no_world: "no world was supplied".to_owned() }
    }

    /// Sets the world.
    #[must_use]
    pub fn world(self, make: MakeWorld) -> Self {
        Self { make: Some(make), ..self }
    }

    /// Removes the world, and sets the reason that skipped checks report.
    #[must_use]
    pub fn without_world(self, why: impl Into<String>) -> Self {
        Self { make: None, no_world: why.into(), ..self }
    }

    /// Runs all checks. The groups run side by side: each has processes of its own, and mostly waits.
    pub async fn run(&self) -> Report {
        let groups = join_all(Group::ALL.map(|group| self.run_group(group))).await;
        let checks = groups.into_iter().flat_map(|report| report.checks).collect();
        Report { plugin: self.file.name().to_owned(), checks }
    }

    /// Runs the checks of one group, in new processes.
    pub async fn run_group(&self, group: Group) -> Report {
        let mut findings = Findings { group, checks: Vec::new() };
        let why_skipped = checks::examine(self, group, &mut findings).await;
        findings.skip_rest(&why_skipped);
        Report { plugin: self.file.name().to_owned(), checks: findings.checks }
    }

    /// Why checks that need a world are skipped.
    pub(crate) fn no_world(&self) -> &str {
        &self.no_world
    }

    /// Starts a process behind the host.
    pub(crate) async fn start(&self) -> Result<Subject, StartError> {
        let recorder = Arc::new(Recorder::default());
        let tap = {
            let recorder = Arc::clone(&recorder);
            Arc::new(move |traffic: Traffic<'_>| recorder.take(traffic))
        };
        let launcher = Launcher { tap: Some(tap), ..self.launcher.clone() };
        let events: Arc<dyn EventSink> = Arc::clone(&recorder) as _;
        Ok(Subject { process: PluginProcess::start(&self.file, &launcher, events).await?, recorder })
    }

    /// Starts a process without the host.
    pub(crate) fn start_raw(&self) -> io::Result<RawPlugin> {
        RawPlugin::start(&self.launcher, self.file.path())
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

/// The results of one group of checks so far.
pub(crate) struct Findings {
    group: Group,
    checks: Vec<Check>,
}

impl Findings {
    /// Records the result of a check with one case.
    pub(crate) fn note(&mut self, id: &'static str, verdict: Result<(), Failure>) {
        self.note_cases(id, verdict.map(|()| 1), "");
    }

    /// Records the result of a check and its number of cases. A check without cases is skipped for the reason
    /// `if_none`.
    pub(crate) fn note_cases(&mut self, id: &'static str, verdict: Result<usize, Failure>, if_none: &str) {
        match verdict {
            Ok(0) => self.skip(id, if_none),
            Ok(cases) => self.push(id, Outcome::Passed { cases }),
            Err(failure) => self.push(id, Outcome::Failed(failure)),
        }
    }

    /// Fails the next check that has no result yet. Called when what the group needs exists but does not work, so that
    /// the group cannot pass with all its checks skipped.
    pub(crate) fn fail_next(&mut self, failure: Failure) {
        let next =
            CHECKS.iter().find(|(of, id, _)| *of == self.group && !self.checks.iter().any(|check| check.id == *id));
        if let Some((_, id, _)) = next {
            self.note(id, Err(failure));
        }
    }

    fn skip(&mut self, id: &'static str, why: &str) {
        self.push(id, Outcome::Skipped { why: why.to_owned() });
    }

    fn skip_rest(&mut self, why: &str) {
        let group = self.group;
        for (_, id, _) in CHECKS.iter().filter(|(of, _, _)| *of == group) {
            if !self.checks.iter().any(|check| check.id == *id) {
                self.skip(id, why);
            }
        }
    }

    fn push(&mut self, id: &'static str, outcome: Outcome) {
        let known = CHECKS.iter().find(|(group, known, _)| *group == self.group && *known == id);
        let demand = known.map_or("", |(_, _, demand)| demand);
        debug_assert!(!demand.is_empty(), "`{id}` is not in the list of checks");
        self.checks.push(Check { id, demand, outcome });
    }
}
