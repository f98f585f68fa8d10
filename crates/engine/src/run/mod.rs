//! Carries plans out and rolls them back, for one tenant and for many at once.
//!
//! The journal has the intent of every step before it starts, and its outcome after it. A step with an unknown outcome is
//! observed before anything else happens to its tenant. A step in doubt is never simply repeated.

mod abandon;
mod admission;
mod back;
mod budget;
mod cause;
mod clocks;
mod ending;
mod event;
mod fleet;
mod forward;
mod gate;
mod halt;
mod operator;
mod progress;
mod refuse;
mod removal;
mod reply;
mod resolve;
mod settle;
mod steer;
mod wait;

use std::{collections::BTreeMap, sync::Arc};

pub use abandon::AbandonError;
pub use budget::{FailureBudget, FleetLimits};
pub use cause::{Cause, Fault};
pub use ending::Ending;
pub use event::{Event, EventSink};
pub use fleet::{STOPPED, Summary};
use flowswap_contract::{self as contract, ErrorKind};
pub use gate::Gate;
pub use halt::{Halt, Pause};
pub use reply::{Assignment, NoOperator, Operator, OperatorError, OperatorReply};
pub use resolve::{Decision, ResolveError, Resolved};
use serde::{Deserialize, Serialize};

use crate::{
    Actor, Clock, Goal, JournalError, Logbook, PlanPart, PlannedTenant, PluginPin, RunId, SecretStore, SignedApproval,
    Stop, Tenant, TenantHistory, TenantState, Turns, Work,
};

/// The ports that a run needs.
#[derive(Clone)]
pub struct Ports {
    /// Where intents and outcomes go.
    pub logbook: Arc<Logbook>,
    /// The secret store.
    pub secrets: Arc<dyn SecretStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// The operator's request to stop.
    pub stop: Stop,
    /// Whether changes may begin.
    pub turns: Turns,
    /// The person at the terminal.
    pub operator: Arc<dyn Operator>,
    /// Who started the command, recorded as the one who runs, confirms, and decides.
    pub actor: Actor,
}

/// One tenant's part of a run.
pub struct Job {
    /// The tenant, with its sessions.
    pub tenant: Tenant,
    /// How far to go.
    pub goal: Goal,
    /// The plan to carry out. `None` continues the work that the journal has.
    pub part: Option<Arc<PlanPart>>,
    /// The operator gave the digest of the whole plan. So it need not be one that `flowswap plan` noted in this journal.
    pub digest_given: bool,
    /// Whether people approved that the tenant is started.
    pub approval: Approval,
    /// The plugins that were loaded, by name.
    pub plugins: BTreeMap<String, PluginPin>,
    /// On what terms a person is asked.
    pub assignment: Assignment,
    /// Continue even if the configuration or a plugin changed since the work started.
    pub accept_changes: bool,
    /// The tenant is rolled back afterwards. Says nothing about work that was started.
    pub rehearsal: bool,
}

/// Whether people approved that a tenant is started. Work that was started needs no approval, and neither does a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Approval {
    /// The configuration asks for none.
    #[default]
    NotRequired,
    /// Enough people did. These are the digests of their approvals.
    Given(Vec<String>),
    /// Not enough people did. This is why.
    Missing(String),
}

/// What a job carries out.
struct Basis<'a> {
    /// The digest of the plan.
    plan: &'a str,
    tenant: &'a Arc<PlannedTenant>,
    /// The builds of the plugins that count.
    plugins: &'a BTreeMap<String, PluginPin>,
}

impl Job {
    /// What the job carries out: the work that was started, or else its plan, or else the plan that an earlier run was to
    /// carry out.
    fn basis<'a>(&'a self, history: &'a TenantHistory) -> Option<Basis<'a>> {
        if let Some(Work { plan, tenant, plugins, .. }) = self.work_of(history).map(Arc::as_ref) {
            return Some(Basis { plan, tenant, plugins });
        }
        let PlanPart { plan, tenant, plugins, .. } = self.part.as_deref().or(history.part.as_deref())?;
        Some(Basis { plan, tenant, plugins })
    }

    /// The work that was started, if the job continues it. A rotation begins work of its own.
    fn work_of<'a>(&self, history: &'a TenantHistory) -> Option<&'a Arc<Work>> {
        let next = self.part.as_ref().or(history.intended_part()).filter(|_| self.goal == Goal::Swapped);
        let begins = next.is_some_and(|part| history.would_rotate(part));
        history.work.as_ref().filter(|_| !begins)
    }
}

/// The result of a run for one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The run worked on it and left it in this state.
    Ended {
        /// The state.
        state: TenantState,
        /// Why, if the state alone does not say it.
        reason: Option<String>,
    },
    /// Nothing was done, because another plan has already reached the goal.
    Unneeded {
        /// The state.
        state: TenantState,
        /// What reached the goal, and when.
        reason: String,
    },
    /// Nothing was done, because something is not as the plan needs it.
    Refused {
        /// Why, one reason per line.
        changes: Vec<String>,
    },
    /// Nothing was done, because a side could not be read.
    Unread {
        /// Which side, and why.
        reason: String,
    },
    /// Nothing was done, because not enough people approved the plan for the tenant.
    Unapproved {
        /// What is missing.
        reason: String,
    },
    /// The run did not start on the tenant, because it was stopped or because of what happened to other tenants.
    Skipped {
        /// Why not.
        reason: String,
    },
}

/// Carries out the jobs of one run.
#[derive(Clone)]
pub struct Runner {
    ports: Ports,
    run: RunId,
    approvals: Vec<SignedApproval>,
    unreachable: Vec<Unreachable>,
}

/// A tenant that a run cannot reach at all, for a reason that the engine cannot know. The run refuses it.
#[derive(Debug, Clone)]
pub struct Unreachable {
    /// The name of the tenant.
    pub tenant: String,
    /// How far the run should have taken it.
    pub goal: Goal,
    /// Why the run cannot reach it.
    pub reason: String,
}

impl Runner {
    /// A runner for one run.
    pub fn new(ports: Ports, run: RunId) -> Self {
        Self { ports, run, approvals: Vec::new(), unreachable: Vec::new() }
    }

    /// The same runner, which records these approvals with the start of the run.
    pub fn approved_by(self, approvals: Vec<SignedApproval>) -> Self {
        Self { approvals, ..self }
    }

    /// The same runner, which also refuses these tenants. Their outcomes come after those of the jobs.
    pub fn refusing(self, unreachable: Vec<Unreachable>) -> Self {
        Self { unreachable, ..self }
    }

    /// The run's id.
    pub fn id(&self) -> RunId {
        self.run
    }

    /// The ports that it uses.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The journal that it writes to.
    pub fn logbook(&self) -> &Arc<Logbook> {
        &self.ports.logbook
    }
}

/// Why the work on a tenant ends before its goal.
enum EarlyEnd {
    /// It ends in this state, for this reason.
    InState(TenantState, String),
    /// The same, and other tenants may have the same cause.
    Caused(TenantState, String, Box<Cause>),
    /// The journal failed, so nothing more may be done.
    Journal(JournalError),
}

impl EarlyEnd {
    /// The same end, with a cause that other tenants may share.
    fn caused_by(self, cause: Cause) -> Self {
        match self {
            Self::InState(state, reason) | Self::Caused(state, reason, _) => {
                Self::Caused(state, reason, Box::new(cause))
            }
            Self::Journal(error) => Self::Journal(error),
        }
    }

    /// The state. `None` if the journal failed.
    fn state(&self) -> Option<TenantState> {
        match self {
            Self::InState(state, _) | Self::Caused(state, _, _) => Some(*state),
            Self::Journal(_) => None,
        }
    }
}

impl From<JournalError> for EarlyEnd {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// The error, with its hint.
fn with_hint(error: &contract::Error) -> String {
    match &error.hint {
        Some(hint) => format!("{}. To fix this: {hint}", error.to_string().trim_end_matches('.')),
        None => error.to_string(),
    }
}

/// Whether the same call may succeed a little later without any action.
fn is_transient(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::RateLimited | ErrorKind::Internal)
}

/// Whether the other side did not answer, for whatever reason.
fn is_unanswered(kind: ErrorKind) -> bool {
    is_transient(kind) || kind == ErrorKind::Unreachable
}
