//! The records of the journal: the intent of everything that changes the world, and its outcome.

use std::collections::BTreeMap;

use flowswap_contract::{self as contract, Evidence, Handle, RunSheet, Values};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Goal, PlannedTenant, PluginPin, RunId, Verdict};

/// A record before the journal has given it a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// When it was written, by the clock of this machine.
    pub at: Timestamp,
    /// The run it belongs to.
    pub run: RunId,
    /// The tenant it is about.
    pub tenant: Option<String>,
    /// What happened.
    pub entry: Entry,
}

/// A record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// Counts the writers that the journal has had. It never decreases from one record to the next. 0 in records that were
    /// written before writers were counted.
    pub epoch: u64,
    /// What was written.
    pub draft: Draft,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Entry {
    /// A plan with this tenant was written. Nothing has been done.
    Planned {
        /// The digest of the whole plan.
        plan: String,
        /// Where the plan was written.
        path: String,
        /// The tenant's verdict in the plan. Only a ready tenant has steps.
        verdict: Verdict,
    },
    /// A run started.
    RunStarted {
        /// Which command.
        command: RunCommand,
        /// The version of flowswap.
        version: String,
        /// What the run does, so that `resume` can continue it. Runs of version 0.1.0 do not record it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<RunScope>,
    },
    /// The run started to work on the tenant. Has everything that a continuation or a rollback needs, so the plan file may
    /// get lost.
    TenantStarted {
        /// Forward or back.
        direction: Direction,
        /// The digest of the whole plan.
        plan: String,
        /// The tenant's part of the plan.
        tenant: Box<PlannedTenant>,
        /// The plugins that carry it out, by name.
        plugins: BTreeMap<String, PluginPin>,
    },
    /// A step is about to be carried out or rolled back.
    StepStarted {
        /// The step.
        step: String,
        /// Forward or back.
        direction: Direction,
    },
    /// A mutating request is about to be sent.
    RequestIntended {
        /// The step.
        step: String,
        /// The number of this mutating request within the step and the run, from 0.
        request: u32,
        /// The method.
        method: String,
        /// The URL.
        url: String,
        /// SHA-256 of the body as the plugin asked for it, with handles in place of secrets.
        body_sha256: Option<String>,
        /// The secrets that the answer will bring into the secret store.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<Handle>,
    },
    /// What became of that request.
    RequestEnded {
        /// The step.
        step: String,
        /// The request's number.
        request: u32,
        /// What became of it.
        outcome: RequestOutcome,
    },
    /// A secret from an answer is in the secret store.
    SecretStored {
        /// The step.
        step: String,
        /// The secret's name.
        handle: Handle,
    },
    /// A random secret was generated for the step and is in the secret store.
    SecretMade {
        /// The step.
        step: String,
        /// The secret's name.
        handle: Handle,
    },
    /// A secret is no longer needed and was deleted from the secret store.
    SecretRemoved {
        /// The secret's name.
        handle: Handle,
    },
    /// A step was carried out or rolled back.
    StepEnded {
        /// The step.
        step: String,
        /// Forward or back.
        direction: Direction,
        /// The values that it produced.
        #[serde(default)]
        outputs: Values,
        /// What was seen.
        #[serde(default)]
        evidence: Vec<Evidence>,
    },
    /// A step did not succeed.
    StepFailed {
        /// The step.
        step: String,
        /// Forward or back.
        direction: Direction,
        /// Why, and whether the world may have changed. Its `retry_after_ms` says when another check can see more.
        error: contract::Error,
        /// What was seen.
        #[serde(default)]
        evidence: Vec<Evidence>,
        /// What a check notes for its next execution.
        #[serde(default, skip_serializing_if = "Values::is_empty")]
        outputs: Values,
    },
    /// A person is asked to carry out the step that was started, or to roll it back.
    OperatorAsked {
        /// The step.
        step: String,
        /// Forward or back.
        direction: Direction,
        /// What to do.
        sheet: Box<RunSheet>,
        /// The person who is asked. `None` if anybody may do it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// When it is due. Nothing happens at this time; flowswap only shows that the step is overdue.
        deadline: Timestamp,
    },
    /// The other side started or stopped inferring that the person's step is done. An inference counts once it has lasted.
    Noticed {
        /// The step.
        step: String,
        /// Whether the other side infers it now.
        seen: bool,
    },
    /// A person confirmed the step. That is a claim: the step is done once flowswap sees it.
    Confirmed {
        /// The step.
        step: String,
        /// Who confirmed: the user of the operating system.
        by: String,
        /// A note of the person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A person declined the step.
    Declined {
        /// The step.
        step: String,
        /// Who declined: the user of the operating system.
        by: String,
        /// Why; never empty.
        reason: String,
    },
    /// A secret from the secret store was given to a person.
    SecretHandedOver {
        /// The secret's name.
        handle: Handle,
        /// Who received it: the user of the operating system.
        by: String,
        /// How.
        way: HandoverChannel,
    },
    /// A person decided whether a step in doubt took effect.
    Resolved {
        /// The step.
        step: String,
        /// Whether its change is in place.
        stands: Resolution,
        /// The outputs that are known, if it is in place.
        #[serde(default)]
        outputs: Values,
        /// Why the person decided so; never empty.
        reason: String,
        /// The user of the operating system.
        by: String,
    },
    /// A person abandoned a rollback. flowswap saw the directory use the new client, so the tenant stays migrated.
    Abandoned {
        /// The steps that flowswap saw in place, with their outputs. Every other step that changes something counts as rolled
        /// back.
        stands: BTreeMap<String, Values>,
        /// What flowswap saw of the directory.
        seen: String,
        /// Why; never empty.
        reason: String,
        /// The user of the operating system.
        by: String,
    },
    /// The run ended its work on the tenant.
    TenantEnded {
        /// Its state now.
        state: TenantState,
        /// Why, if the state alone does not say it.
        reason: Option<String>,
    },
    /// The run ended normally. A run without this record was interrupted by a crash.
    RunEnded {
        /// The operator stopped it.
        interrupted: bool,
    },
}

/// How a secret is given to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunScope {
    /// How far it takes its tenants.
    pub goal: Goal,
    /// The file of the plan that it carries out, if it carries one out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_path: Option<String>,
    /// The names of its tenants.
    pub tenants: Vec<String>,
}

/// A person's decision on a step in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// The token that marks what one run does for one step.
///
/// The host sends it in the `User-Agent` of every request of the step, and plugins find it in
/// [`Attempt::token`](contract::Attempt::token). So the other side's log shows what the step itself did.
pub fn intent_token(run: RunId, step: &str) -> String {
    format!("{run}/{step}")
}

/// The commands that start a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Carry steps out.
    Forward,
    /// Roll them back.
    Back,
}

/// What became of a mutating request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum RequestOutcome {
    /// The other side answered.
    Answered {
        /// The status code.
        status: u16,
        /// The other side's id of the request.
        request_id: Option<String>,
    },
    /// It is certain that it never arrived.
    NotSent {
        /// Why.
        message: String,
    },
    /// It may have arrived, but no answer came back.
    Lost {
        /// What was seen instead.
        message: String,
    },
}

/// The state of a tenant, in the words of `flowswap status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// Whether the swap is done and confirmed. What comes after it needs no plan file and does not affect other tenants of
    /// the org.
    pub fn is_swapped_or_later(self) -> bool {
        matches!(self, Self::Swapped | Self::Retired | Self::Finalized)
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
