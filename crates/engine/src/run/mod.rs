//! Carries plans out and rolls them back, for one tenant and for many at once.
//!
//! The journal has the intent of every step before it starts, and its outcome after it. A step with an unknown outcome is
//! observed before anything else happens to its tenant. A step in doubt is never simply repeated.

mod abandon;
mod back;
mod clocks;
mod fail_stop;
mod fleet;
mod forward;
mod operator;
mod progress;
mod removal;
mod reply;
mod resolve;
mod settle;
mod wait;

use std::{collections::BTreeMap, sync::Arc};

pub use abandon::AbandonError;
use fail_stop::FailStop;
pub use fleet::{FleetLimits, Summary};
use flowswap_contract::{self as contract, ErrorKind, Phase};
use jiff::Timestamp;
pub(crate) use removal::removes;
pub use reply::{Assignment, NoOperator, Operator, OperatorError, OperatorReply};
pub use resolve::{Decision, ResolveError, Resolved};
use serde::{Deserialize, Serialize};

use crate::{
    Clock, EventSink, Journal, JournalError, PlannedTenant, PluginPin, RunId, SecretStore, Stop, Tenant, TenantHistory,
    TenantState,
};

/// The ports that a run needs.
#[derive(Clone)]
pub struct Ports {
    /// Where intents and outcomes go.
    pub journal: Arc<dyn Journal>,
    /// The secret store.
    pub secrets: Arc<dyn SecretStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// The operator's request to stop.
    pub stop: Stop,
    /// The person at the terminal.
    pub operator: Arc<dyn Operator>,
    /// The user of the operating system, recorded as the one who confirms or declines at the terminal.
    pub user: String,
}

impl Ports {
    /// The same ports with a journal that accepts no more records after the first failure. All writers of a run share it,
    /// because a run must not continue with half of its actions unrecorded.
    #[must_use]
    pub fn fail_stop(self) -> Self {
        Self { journal: Arc::new(FailStop::new(self.journal)), ..self }
    }
}

/// One tenant's part of a run.
pub struct Job {
    /// The tenant, with its sessions.
    pub tenant: Tenant,
    /// The digest of the plan that is carried out or rolled back.
    pub plan: String,
    /// The tenant's part of it.
    pub planned: PlannedTenant,
    /// The plugins that carry it out.
    pub plugins: BTreeMap<String, PluginPin>,
    /// What the journal records of the tenant so far.
    pub history: Option<TenantHistory>,
    /// How far to go.
    pub goal: Goal,
    /// After this time no work starts on the tenant. Work that was started continues.
    pub not_after: Option<Timestamp>,
    /// On what terms a person is asked.
    pub assignment: Assignment,
    /// Continue even if the configuration changed since the work started.
    pub accept_changes: bool,
}

/// How far a run takes a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    fn last_phase(self) -> Option<Phase> {
        match self {
            Self::Swapped => Some(Phase::Confirm),
            Self::Retired => Some(Phase::Retire),
            Self::Purged => Some(Phase::Purge),
            Self::RolledBack => None,
        }
    }
}

/// The result of a run for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The run worked on it and left it in this state.
    Ended {
        /// The state.
        state: TenantState,
        /// Why, if the state alone does not say it.
        reason: Option<String>,
    },
    /// Nothing was done, because something is not as the plan needs it.
    Refused {
        /// Why, one reason per line.
        changes: Vec<String>,
    },
    /// The run did not start on the tenant: it was stopped, or too many tenants failed.
    Skipped {
        /// Why not.
        reason: String,
    },
}

/// Carries out the jobs of one run.
pub struct Runner {
    ports: Ports,
    run: RunId,
    plan_path: Option<String>,
    plan_made_at: Option<Timestamp>,
}

impl Runner {
    /// A runner for one run. `ports` must come from [`Ports::fail_stop`].
    pub fn new(ports: Ports, run: RunId) -> Self {
        Self { ports, run, plan_path: None, plan_made_at: None }
    }

    /// The run's id.
    pub fn id(&self) -> RunId {
        self.run
    }

    /// Sets the file of the plan, so that `resume` can continue the run.
    #[must_use]
    pub fn with_plan_path(self, path: impl Into<String>) -> Self {
        Self { plan_path: Some(path.into()), ..self }
    }

    /// Sets when the plan was made. No tenant starts with a plan from the future, because then one of two clocks is wrong.
    #[must_use]
    pub fn with_plan_made_at(self, made_at: Timestamp) -> Self {
        Self { plan_made_at: Some(made_at), ..self }
    }
}

/// Why the work on a tenant ends before its goal.
enum EarlyEnd {
    /// It ends in this state, for this reason.
    InState(TenantState, String),
    /// The journal failed, so nothing more may be done.
    Journal(JournalError),
}

impl From<JournalError> for EarlyEnd {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// The error, with its hint.
fn with_hint(error: &contract::Error) -> String {
    match &error.hint {
        Some(hint) => format!("{error}. To fix this: {hint}"),
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
