//! The records of the journal: the intent of everything that changes the world, and its outcome.
//!
//! Records never change, and those of every earlier format stay readable. So a field is added as optional, and says up to
//! which format it can be missing.

mod outcome;

use std::{collections::BTreeMap, fmt, sync::Arc};

use flowswap_contract::{self as contract, Evidence, Handle, RunSheet, Values};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use outcome::{OutcomeCount, RunOutcome};

use crate::{
    Actor, Direction, Goal, HandoverChannel, PlanPart, PlannedTenant, PluginPin, Resolution, RunCommand, RunId,
    TenantState, Verdict,
};

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
        /// The ids of its findings in the plan. None in earlier records.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        findings: Vec<String>,
        /// The wave that it is in, if the plan has waves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wave: Option<String>,
        /// Who made the plan. `None` up to format 2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// A run started.
    RunStarted {
        /// Which command.
        command: RunCommand,
        /// The version of flowswap.
        version: String,
        /// Who started it. `None` up to format 2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
        /// What the run does. Only up to format 2; since then, every tenant has its own intent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<RunScope>,
        /// The approvals that count for its plan. None if the configuration asks for none, and in earlier records.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvals: Vec<SignedApproval>,
    },
    /// The run is going to work on the tenant. This intent stays open until a run has ended its work on the tenant, so
    /// `resume` can continue a run that was cut off. Written since format 3.
    Intended {
        /// How far the run takes the tenant.
        goal: Goal,
        /// The digest of the plan that it carries out, continues, or rolls back.
        plan: String,
        /// The tenant's part of that plan. `None` if the journal already has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<Arc<PlanPart>>,
        /// The digests of the approvals that cover the tenant. The start of the run has the approvals themselves.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvals: Vec<String>,
        /// The tenant is rolled back afterwards. `false` in records from before there were rehearsals.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rehearsal: bool,
    },
    /// The run started to work on the tenant.
    TenantStarted {
        /// Forward or back.
        direction: Direction,
        /// The digest of the whole plan. The tenant's part of it is in an earlier record.
        plan: String,
        /// The tenant's part of the plan. Only up to format 2, which repeats it at every start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenant: Option<Arc<PlannedTenant>>,
        /// The plugins that carry it out, by name. Empty if they are the same as before.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        plugins: BTreeMap<String, PluginPin>,
        /// What has changed since the work started, and the operator accepted, one item per change.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<String>,
    },
    /// The run did nothing for the tenant, because something is not as the plan needs it. Written since format 3.
    Refused {
        /// How far the run should have taken the tenant.
        goal: Goal,
        /// Why, one reason per item.
        reasons: Vec<String>,
        /// Not enough people approved the plan for the tenant. `false` in records from before there were approvals.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unapproved: bool,
        /// A side could not be read, so nothing is known to be wrong with the tenant or the plan. `false` in records of earlier
        /// versions, which do not tell.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    /// The run did not start on the tenant, because it was stopped or because of what happened to other tenants. Written since
    /// format 3.
    Skipped {
        /// How far the run should have taken the tenant.
        goal: Goal,
        /// Why not.
        reason: String,
    },
    /// A person gave up what a run that was cut off should have done for the tenant. Written since format 3.
    GivenUp {
        /// The goal that is given up.
        goal: Goal,
        /// Who.
        by: Actor,
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
        outputs: Arc<Values>,
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
        /// Who confirmed.
        by: Actor,
        /// A note of the person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A person declined the step.
    Declined {
        /// The step.
        step: String,
        /// Who declined.
        by: Actor,
        /// Why; never empty.
        reason: String,
    },
    /// A secret from the secret store was given to a person.
    SecretHandedOver {
        /// The secret's name.
        handle: Handle,
        /// Who received it.
        by: Actor,
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
        /// Who decided.
        by: Actor,
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
        /// Who decided.
        by: Actor,
    },
    /// The run ended its work on the tenant.
    TenantEnded {
        /// Its state now.
        state: TenantState,
        /// Why, if the state alone does not say it.
        reason: Option<String>,
        /// The operator stopped the run before it had done everything for the tenant. Up to format 2, only the end of the
        /// run says so.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        interrupted: bool,
    },
    /// A person paused the run from another terminal. What it had begun to change, it finished first.
    RunPaused {
        /// Who.
        by: Actor,
    },
    /// A person let the run go on.
    RunUnpaused {
        /// Who.
        by: Actor,
    },
    /// A person stopped the run from another terminal.
    RunCanceled {
        /// Who.
        by: Actor,
    },
    /// The run ended normally. A run without this record was interrupted by a crash.
    RunEnded {
        /// The operator stopped it.
        interrupted: bool,
        /// How many tenants it had, by what became of them. Empty in earlier records.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        outcomes: Vec<OutcomeCount>,
    },
}

/// An approval of a plan that a person signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedApproval {
    /// The digest of the envelope.
    pub digest: String,
    /// The names of the person in the file of signers.
    pub by: Vec<String>,
    /// The fingerprint of the person's key.
    pub key: String,
    /// Why the person approved.
    pub reason: String,
    /// What was signed, and the signature: a DSSE envelope.
    pub envelope: String,
}

impl SignedApproval {
    /// The person: `alice@example.com`, or `alice@example.com (also ali)`.
    pub fn who(&self) -> String {
        match self.by.as_slice() {
            [] => self.key.clone(),
            [name] => name.clone(),
            [name, others @ ..] => format!("{name} (also {})", others.join(", ")),
        }
    }
}

/// What a run does, up to format 2.
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

/// What became of a mutating request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

impl fmt::Display for RequestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, request_id: Some(id) } => write!(f, "answered {status}, request id {id}"),
            Self::Answered { status, request_id: None } => write!(f, "answered {status}"),
            Self::NotSent { message } => write!(f, "not sent: {message}"),
            // The message says that no answer came.
            Self::Lost { message } => f.write_str(message),
        }
    }
}

/// The token that marks what one run does for one step.
///
/// The host sends it in the `User-Agent` of every request of the step, and plugins find it in
/// [`Attempt::token`](contract::Attempt::token). So the other side's log shows what the step itself did.
pub fn intent_token(run: RunId, step: &str) -> String {
    format!("{run}/{step}")
}

impl Entry {
    /// Whether it is about a whole run, and not about one of its tenants.
    pub fn is_of_run(&self) -> bool {
        matches!(
            self,
            Self::RunStarted { .. }
                | Self::RunPaused { .. }
                | Self::RunUnpaused { .. }
                | Self::RunCanceled { .. }
                | Self::RunEnded { .. }
        )
    }

    /// The kind of the entry, as the journal names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Planned { .. } => "planned",
            Self::RunStarted { .. } => "run-started",
            Self::Intended { .. } => "intended",
            Self::TenantStarted { .. } => "tenant-started",
            Self::Refused { .. } => "refused",
            Self::Skipped { .. } => "skipped",
            Self::GivenUp { .. } => "given-up",
            Self::StepStarted { .. } => "step-started",
            Self::RequestIntended { .. } => "request-intended",
            Self::RequestEnded { .. } => "request-ended",
            Self::SecretStored { .. } => "secret-stored",
            Self::SecretMade { .. } => "secret-made",
            Self::SecretRemoved { .. } => "secret-removed",
            Self::StepEnded { .. } => "step-ended",
            Self::StepFailed { .. } => "step-failed",
            Self::OperatorAsked { .. } => "operator-asked",
            Self::Noticed { .. } => "noticed",
            Self::Confirmed { .. } => "confirmed",
            Self::Declined { .. } => "declined",
            Self::SecretHandedOver { .. } => "secret-handed-over",
            Self::Resolved { .. } => "resolved",
            Self::Abandoned { .. } => "abandoned",
            Self::TenantEnded { .. } => "tenant-ended",
            Self::RunPaused { .. } => "run-paused",
            Self::RunUnpaused { .. } => "run-unpaused",
            Self::RunCanceled { .. } => "run-canceled",
            Self::RunEnded { .. } => "run-ended",
        }
    }
}
