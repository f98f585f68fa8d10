//! What the journal records: the intent of everything that changes the world, and its outcome.

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
    /// Counts the writers that the journal has had; it never goes back from one record to the next. 0 in records from
    /// before writers were counted.
    pub epoch: u64,
    /// What was written.
    pub draft: Draft,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Entry {
    /// A plan was written that has the tenant; nothing has been done.
    Planned {
        /// The digest of the whole plan.
        plan: String,
        /// Where the plan was written.
        path: String,
        /// What the plan says of the tenant. Only one that is ready has anything planned for it.
        verdict: Verdict,
    },
    /// A run began.
    RunStarted {
        /// Which command.
        command: RunCommand,
        /// The version of flowswap.
        version: String,
        /// What the run is to do, so that it can be gone on with by name. Runs of version 0.1.0 do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<RunScope>,
    },
    /// The run took the tenant up. Holds all that going on or back needs, so the plan file may get lost.
    TenantStarted {
        /// Which way.
        direction: Direction,
        /// The digest of the whole plan.
        plan: String,
        /// The tenant's part of the plan.
        tenant: Box<PlannedTenant>,
        /// The plugins that do it, by name.
        plugins: BTreeMap<String, PluginPin>,
    },
    /// A step is about to be carried out or taken back.
    StepStarted {
        /// The step.
        step: String,
        /// Which way.
        direction: Direction,
    },
    /// A mutating request is about to leave.
    RequestIntended {
        /// The step.
        step: String,
        /// Counts the mutating requests of the step within the run, from 0.
        request: u32,
        /// The method.
        method: String,
        /// The URL.
        url: String,
        /// SHA-256 of the body as the plugin asked for it, with handles in place of secrets.
        body_sha256: Option<String>,
        /// The secrets that the answer is to bring into custody.
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
    /// A secret from an answer is in custody.
    SecretStored {
        /// The step.
        step: String,
        /// The secret's name.
        handle: Handle,
    },
    /// A random secret was made for the step and is in custody.
    SecretMade {
        /// The step.
        step: String,
        /// The secret's name.
        handle: Handle,
    },
    /// A secret is of no use any more and was forgotten.
    SecretRemoved {
        /// The secret's name.
        handle: Handle,
    },
    /// A step was carried out or taken back.
    StepEnded {
        /// The step.
        step: String,
        /// Which way.
        direction: Direction,
        /// The values that it gave.
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
        /// Which way.
        direction: Direction,
        /// Why, and whether the world may have changed. Its `retry_after_ms` says when another look can see more.
        error: contract::Error,
        /// What was seen.
        #[serde(default)]
        evidence: Vec<Evidence>,
        /// What a check notes for its next look.
        #[serde(default, skip_serializing_if = "Values::is_empty")]
        outputs: Values,
    },
    /// A person is asked to carry out the step that was begun, or to take it back.
    OperatorAsked {
        /// The step.
        step: String,
        /// Which way.
        direction: Direction,
        /// What to do.
        sheet: Box<RunSheet>,
        /// Who is asked; anybody who may if nobody is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// When it is due. Nothing happens by itself then; it is only told.
        deadline: Timestamp,
    },
    /// Another side was seen to infer that what a person is asked for is done, or not to infer it any more. It counts once
    /// that has lasted.
    Noticed {
        /// The step.
        step: String,
        /// Whether it is seen.
        seen: bool,
    },
    /// A person says that it is done. That is a claim: the step is done once it is seen.
    Confirmed {
        /// The step.
        step: String,
        /// Who says so: the user of the operating system.
        by: String,
        /// What else the person says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A person does not do it.
    Declined {
        /// The step.
        step: String,
        /// Who says so: the user of the operating system.
        by: String,
        /// Why; never empty.
        reason: String,
    },
    /// A secret in custody was given to a person.
    SecretHandedOver {
        /// The secret's name.
        handle: Handle,
        /// To whom: the user of the operating system.
        by: String,
        /// How.
        way: HandOver,
    },
    /// A person said what is so where nothing else could tell.
    Resolved {
        /// The step.
        step: String,
        /// Whether its change is in place.
        stands: Resolution,
        /// What is known of its outputs, where it is.
        #[serde(default)]
        outputs: Values,
        /// Why the person thinks so; never empty.
        reason: String,
        /// The user of the operating system.
        by: String,
    },
    /// A person ended the way back before its end. The directory was seen on the new client, so the tenant stays migrated.
    Abandoned {
        /// The steps that were seen in place, with their outputs. Every other step that changes something is taken back.
        stands: BTreeMap<String, Values>,
        /// What was seen of the directory.
        seen: String,
        /// Why; never empty.
        reason: String,
        /// The user of the operating system.
        by: String,
    },
    /// The run let go of the tenant.
    TenantEnded {
        /// Where it stands now.
        state: TenantState,
        /// Why, where that is not plain.
        reason: Option<String>,
    },
    /// The run ended by itself. A run without this record was cut off.
    RunEnded {
        /// The operator stopped it.
        interrupted: bool,
    },
}

/// How a secret is given to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandOver {
    /// On the clipboard, for a minute.
    Clipboard,
    /// Printed to a terminal.
    Terminal,
}

impl std::fmt::Display for HandOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Clipboard => "clipboard",
            Self::Terminal => "terminal",
        })
    }
}

/// What a run is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunScope {
    /// How far it takes its tenants.
    pub goal: Goal,
    /// The file of the plan that it carries out, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_path: Option<String>,
    /// The names of its tenants.
    pub tenants: Vec<String>,
}

/// What a person says of a step in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// Its change is in place.
    Applied,
    /// Its change is not in place, or not any more.
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

/// Names what one run does for one step.
///
/// The host sends it in the `User-Agent` of every request of the step, and plugins find it in
/// [`Attempt::token`](contract::Attempt::token): a log of the other side then tells what the step itself did.
pub fn intent_token(run: RunId, step: &str) -> String {
    format!("{run}/{step}")
}

/// The commands that make runs.
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
    /// Take them back.
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
    /// It provably never arrived.
    NotSent {
        /// Why.
        message: String,
    },
    /// It may have arrived, and no answer did.
    Lost {
        /// What was seen instead.
        message: String,
    },
}

/// Where a tenant stands; the words of `flowswap status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantState {
    /// No plan has anything to do for it.
    Unplanned,
    /// A plan was made, nothing was done.
    Planned,
    /// A run is at work on it, or was cut off while it was.
    Running,
    /// The directory uses the service client, and that is confirmed.
    Swapped,
    /// The directory was given the service client; proof is still awaited.
    Soaking,
    /// The legacy client is deactivated.
    Retired,
    /// The legacy client is deleted. There is no way back.
    Finalized,
    /// A person must act.
    Waiting,
    /// It is being taken back.
    RollingBack,
    /// It is as it was before.
    RolledBack,
    /// It needs a decision.
    Stuck,
    /// A step failed and changed nothing; what was done before it stands.
    Failed,
}

impl TenantState {
    /// Whether the swap is done and proven; what may come after it needs no plan file and disturbs no neighbour.
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
