//! The words of the engine: goals, directions, states, and decisions. Everything else stands on them.

use flowswap_contract::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can be done with a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It can be migrated.
    Ready,
    /// It already uses the client-credential flow, with the right client.
    Migrated,
    /// There is nothing to migrate.
    NotApplicable,
    /// Something must be fixed first.
    Blocked,
    /// flowswap cannot tell, so it does nothing.
    Unknown,
}

impl Verdict {
    /// All verdicts, the best first.
    pub const ALL: [Self; 5] = [Self::Ready, Self::Migrated, Self::NotApplicable, Self::Blocked, Self::Unknown];
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Ready => "ready",
            Self::Migrated => "migrated",
            Self::NotApplicable => "not-applicable",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
        })
    }
}

/// How far a run takes a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// The directory uses the service client, and that is confirmed.
    Swapped,
    /// The legacy client is deactivated.
    Retired,
    /// The legacy client is deleted.
    Purged,
    /// Everything is as it was.
    RolledBack,
}

impl Goal {
    /// The last phase to carry out. `None` for a rollback.
    pub fn last_phase(self) -> Option<Phase> {
        match self {
            Self::Swapped => Some(Phase::Confirm),
            Self::Retired => Some(Phase::Retire),
            Self::Purged => Some(Phase::Purge),
            Self::RolledBack => None,
        }
    }

    /// The direction in which it takes its tenants.
    pub fn direction(self) -> Direction {
        match self {
            Self::RolledBack => Direction::Back,
            Self::Swapped | Self::Retired | Self::Purged => Direction::Forward,
        }
    }

    /// Whether a tenant in this state has nothing left to do for the goal.
    pub fn is_reached(self, state: TenantState) -> bool {
        match self {
            Self::Swapped => state.is_swapped_or_later(),
            Self::Retired => matches!(state, TenantState::Retired | TenantState::Finalized),
            Self::Purged => state == TenantState::Finalized,
            Self::RolledBack => state == TenantState::RolledBack,
        }
    }

    /// The command that has this goal.
    pub fn command(self) -> RunCommand {
        match self {
            Self::Swapped => RunCommand::Apply,
            Self::Retired | Self::Purged => RunCommand::Finalize,
            Self::RolledBack => RunCommand::Rollback,
        }
    }

    /// That command as a person enters it, with the option that asks for this goal.
    pub fn entered_as(self) -> String {
        match self {
            Self::Purged => format!("{} --purge", self.command()),
            Self::Swapped | Self::Retired | Self::RolledBack => self.command().to_string(),
        }
    }
}

/// What a plugin may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing that changes the world.
    DryRun,
    /// Anything. Every change is journaled.
    Apply,
    /// As [`Apply`](Mode::Apply), for a step that removes a client. Up to its change, nothing waits and nothing is sent again.
    /// The error says when to retry, so that the engine can first check again whether the client is in use.
    Remove,
}

/// How a secret is given to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HandoverChannel {
    /// On the clipboard, for a minute.
    Clipboard,
    /// Printed to a terminal.
    Terminal,
}

impl std::fmt::Display for HandoverChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Clipboard => "clipboard",
            Self::Terminal => "terminal",
        })
    }
}

/// A person's decision on a step in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// Its change is in place.
    Applied,
    /// Its change is not in place, or no longer in place.
    NotApplied,
}

impl std::fmt::Display for Resolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Applied => "applied",
            Self::NotApplied => "not-applied",
        })
    }
}

/// The commands that start a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunCommand {
    /// `flowswap apply`.
    Apply,
    /// `flowswap rollback`.
    Rollback,
    /// `flowswap finalize`.
    Finalize,
}

impl std::fmt::Display for RunCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Finalize => "finalize",
        })
    }
}

/// Forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Carry steps out.
    Forward,
    /// Roll them back.
    Back,
}

/// The state of a tenant, in the words of `flowswap status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TenantState {
    /// No plan has steps for it.
    Unplanned,
    /// A plan was made, but nothing was done.
    Planned,
    /// A run works on it, or was interrupted while it did.
    Running,
    /// The directory uses the service client, and that is confirmed.
    Swapped,
    /// The directory was given the service client, but that is not confirmed yet.
    Soaking,
    /// The legacy client is deactivated.
    Retired,
    /// The legacy client is deleted. A rollback is not possible.
    Finalized,
    /// A person must act.
    Waiting,
    /// It is being rolled back.
    RollingBack,
    /// It is as it was before.
    RolledBack,
    /// It needs a decision by a person.
    Stuck,
    /// A step failed and changed nothing. The steps before it remain in place.
    Failed,
}

impl TenantState {
    /// All states.
    pub const ALL: [Self; 12] = [
        Self::Unplanned,
        Self::Planned,
        Self::Running,
        Self::Swapped,
        Self::Soaking,
        Self::Retired,
        Self::Finalized,
        Self::Waiting,
        Self::RollingBack,
        Self::RolledBack,
        Self::Stuck,
        Self::Failed,
    ];

    /// Whether the swap is done and confirmed. What comes after it needs no plan file and does not affect other tenants of
    /// the org.
    pub fn is_swapped_or_later(self) -> bool {
        matches!(self, Self::Swapped | Self::Retired | Self::Finalized)
    }

    /// Whether the tenant waits: for a person, for evidence, or until its new client is unused.
    pub(crate) fn waits(self) -> bool {
        matches!(self, Self::Waiting | Self::Soaking | Self::RollingBack)
    }
}

impl std::fmt::Display for TenantState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Unplanned => "unplanned",
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Swapped => "swapped",
            Self::Soaking => "soaking",
            Self::Retired => "retired",
            Self::Finalized => "finalized",
            Self::Waiting => "waiting",
            Self::RollingBack => "rolling-back",
            Self::RolledBack => "rolled-back",
            Self::Stuck => "stuck",
            Self::Failed => "failed",
        })
    }
}
