//! The kit: what the author of a plugin calls.

use std::time::Duration;

use flowswap_host::{Launcher, PluginFile};
use futures::future::join_all;

use crate::{candidate::Candidate, checks, findings::Findings, list::Group, report::Report, world::MakeWorld};

/// How long a plugin may compute between two messages at most. A real run has a longer limit because it serves many
/// tenants at once; a check serves one.
const MAX_THINKING: Duration = Duration::from_secs(5);

/// Checks one plugin.
pub struct Kit(Candidate);

impl Kit {
    /// Checks the plugin in this file. Without a world, checks that need one are skipped.
    pub fn new(file: PluginFile, mut launcher: Launcher) -> Self {
        launcher.limits.thinking = launcher.limits.thinking.min(MAX_THINKING);
        Self(Candidate { file, launcher, make: None, no_world: "no world was supplied".to_owned() })
    }

    /// Sets the world.
    #[must_use]
    pub fn world(self, make: MakeWorld) -> Self {
        Self(Candidate { make: Some(make), ..self.0 })
    }

    /// Removes the world, and sets the reason that skipped checks report.
    #[must_use]
    pub fn without_world(self, why: impl Into<String>) -> Self {
        Self(Candidate { make: None, no_world: why.into(), ..self.0 })
    }

    /// Runs all checks. The groups run side by side: each has processes of its own, and mostly waits.
    pub async fn run(&self) -> Report {
        let groups = join_all(Group::ALL.map(|group| self.run_group(group))).await;
        let checks = groups.into_iter().flat_map(|report| report.checks).collect();
        Report { plugin: self.0.file.name().to_owned(), checks }
    }

    /// Runs the checks of one group, in new processes.
    pub async fn run_group(&self, group: Group) -> Report {
        let mut findings = Findings::of(group);
        let why_skipped = checks::examine(&self.0, group, &mut findings).await;
        Report { plugin: self.0.file.name().to_owned(), checks: findings.finish(&why_skipped) }
    }
}
