//! The kit: one plugin, how its process is started, and the world that it is tried in.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowswap_contract::{FromPlugin, ToPlugin};
use flowswap_engine::{Event, EventSink};
use flowswap_host::{Launcher, PluginFile, PluginProcess, StartError, Traffic};

use crate::{
    Check, Failure, MakeWorld, Outcome, Report,
    checks::{self, CHECKS, Group},
    raw::RawPlugin,
};

/// How long a plugin may compute between two messages at most: a run has many tenants to serve meanwhile, a check one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Checks one plugin.
pub struct Kit {
    file: PluginFile,
    launcher: Launcher,
    pub(crate) make: Option<MakeWorld>,
    no_world: String,
}

impl Kit {
    /// Checks the plugin in this file. Without a world only what needs none is checked.
    pub fn new(file: PluginFile, mut launcher: Launcher) -> Self {
        launcher.limits.thinking = launcher.limits.thinking.min(PATIENCE);
        Self { file, launcher, make: None, no_world: "no world was supplied".to_owned() }
    }

    /// The same kit with a world.
    #[must_use]
    pub fn world(self, make: MakeWorld) -> Self {
        Self { make: Some(make), ..self }
    }

    /// The same kit without a world, and why there is none.
    #[must_use]
    pub fn without_world(self, why: impl Into<String>) -> Self {
        Self { make: None, no_world: why.into(), ..self }
    }

    /// Makes all checks.
    pub async fn run(&self) -> Report {
        let mut checks = Vec::new();
        for group in Group::ALL {
            checks.extend(self.run_group(group).await.checks);
        }
        Report { plugin: self.file.name().to_owned(), checks }
    }

    /// Makes the checks of one group, in processes of their own.
    pub async fn run_group(&self, group: Group) -> Report {
        let mut findings = Findings { group, checks: Vec::new() };
        let rest = checks::examine(self, group, &mut findings).await;
        findings.skip_rest(&rest);
        Report { plugin: self.file.name().to_owned(), checks: findings.checks }
    }

    /// Why what needs a world is not checked.
    pub(crate) fn no_world(&self) -> &str {
        &self.no_world
    }

    /// Starts a process behind the host.
    pub(crate) async fn start(&self) -> Result<Subject, StartError> {
        let watch = Arc::new(Watch::default());
        let tap = {
            let watch = Arc::clone(&watch);
            Arc::new(move |traffic: Traffic<'_>| watch.take(traffic))
        };
        let launcher = Launcher { tap: Some(tap), ..self.launcher.clone() };
        let events: Arc<dyn EventSink> = Arc::clone(&watch) as _;
        Ok(Subject { process: PluginProcess::start(&self.file, &launcher, events).await?, watch })
    }

    /// Starts a process without the host.
    pub(crate) fn start_raw(&self) -> io::Result<RawPlugin> {
        RawPlugin::start(&self.launcher, self.file.path())
    }
}

/// A plugin's process, and all that passes between it and the host.
pub(crate) struct Subject {
    pub(crate) process: Arc<PluginProcess>,
    pub(crate) watch: Arc<Watch>,
}

/// What was seen of a process.
#[derive(Default)]
pub(crate) struct Watch(Mutex<Seen>);

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) to_plugin: Vec<Vec<u8>>,
    pub(crate) from_plugin: Vec<Vec<u8>>,
    /// Asks that have no answer yet: the call and the number.
    open_asks: BTreeSet<(u64, u32)>,
    /// A call that was over before its asks were answered.
    pub(crate) hasty: Option<u64>,
    /// Lines that it printed, or had logged.
    pub(crate) lines: Vec<String>,
}

impl Watch {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, traffic: Traffic<'_>) {
        let mut seen = self.seen();
        match traffic {
            Traffic::ToPlugin(bytes) => {
                if let Ok(ToPlugin::Answer { id, n, .. }) = serde_json::from_slice(bytes) {
                    seen.open_asks.remove(&(id, n));
                }
                seen.to_plugin.push(bytes.to_vec());
            }
            Traffic::FromPlugin(bytes) => {
                match serde_json::from_slice(bytes) {
                    Ok(FromPlugin::Ask { id, n, .. }) => drop(seen.open_asks.insert((id, n))),
                    Ok(FromPlugin::Reply { id, .. }) if seen.open_asks.iter().any(|(of, _)| *of == id) => {
                        seen.hasty = Some(id);
                    }
                    _ => {}
                }
                seen.from_plugin.push(bytes.to_vec());
            }
        }
    }
}

impl EventSink for Watch {
    fn emit(&self, event: Event) {
        if let Event::Log { message, .. } = event {
            self.seen().lines.push(message);
        }
    }
}

/// What the checks of one group have found so far.
pub(crate) struct Findings {
    group: Group,
    checks: Vec<Check>,
}

impl Findings {
    /// Notes what came of a check of one case.
    pub(crate) fn note(&mut self, id: &'static str, verdict: Result<(), Failure>) {
        self.note_cases(id, verdict.map(|()| 1), "");
    }

    /// Notes what came of a check of as many cases as the verdict says. One that had none was not made, for this reason.
    pub(crate) fn note_cases(&mut self, id: &'static str, verdict: Result<usize, Failure>, if_none: &str) {
        match verdict {
            Ok(0) => self.skip(id, if_none),
            Ok(cases) => self.push(id, Outcome::Passed { cases }),
            Err(failure) => self.push(id, Outcome::Failed(failure)),
        }
    }

    /// Lets the first check that is not made yet fail: what it needs is there and does not work, so the group must not
    /// look as if it had merely nothing to say.
    pub(crate) fn fail_next(&mut self, failure: Failure) {
        let unmade =
            CHECKS.iter().find(|(of, id, _)| *of == self.group && !self.checks.iter().any(|check| check.id == *id));
        if let Some((_, id, _)) = unmade {
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
