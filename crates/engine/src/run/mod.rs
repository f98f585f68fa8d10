//! Carries plans out: one tenant forward or back, and many tenants at once.
//!
//! Every step has its intent in the journal before it begins and its outcome after it. A step whose outcome is not
//! known is observed before anything else happens to its tenant; it is never repeated on a doubt.

mod abandon;
mod back;
mod clocks;
mod fleet;
mod forward;
mod fuse;
mod operator;
mod progress;
mod removal;
mod resolve;
mod settle;
mod wait;
mod word;

use std::{collections::BTreeMap, sync::Arc};

pub use abandon::AbandonError;
pub use fleet::{FleetLimits, Summary};
use flowswap_contract::{self as contract, ErrorKind, Phase};
use fuse::Fuse;
use jiff::Timestamp;
pub(crate) use removal::removes;
pub use resolve::{Decision, ResolveError, Resolved};
use serde::{Deserialize, Serialize};
pub use word::{Nobody, Operator, OperatorError, Terms, Word};

use crate::{
    Clock, EventSink, Journal, JournalError, PlannedTenant, PluginPin, RunId, SecretStore, Stop, Tenant, TenantHistory,
    TenantState,
};

/// Everything that a run needs of the world.
#[derive(Clone)]
pub struct Ports {
    /// Where intents and outcomes go.
    pub journal: Arc<dyn Journal>,
    /// Where secrets are.
    pub secrets: Arc<dyn SecretStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// The operator's wish to stop.
    pub stop: Stop,
    /// Who can be asked to do something now.
    pub operator: Arc<dyn Operator>,
    /// The user of the operating system, in whose name the operator speaks.
    pub user: String,
}

impl Ports {
    /// The same ports with a journal that takes no more records after the first that it could not write. Everybody who
    /// records shares it: a run must not go on with half of what it does recorded.
    #[must_use]
    pub fn fused(self) -> Self {
        Self { journal: Arc::new(Fuse::new(self.journal)), ..self }
    }
}

/// One tenant's part of a run.
pub struct Job {
    /// The tenant, with its sessions.
    pub tenant: Tenant,
    /// The digest of the plan that is carried out or taken back.
    pub plan: String,
    /// The tenant's part of it.
    pub planned: PlannedTenant,
    /// The plugins that do it.
    pub plugins: BTreeMap<String, PluginPin>,
    /// What the journal says of the tenant so far.
    pub history: Option<TenantHistory>,
    /// How far to go.
    pub goal: Goal,
    /// After this nothing is begun on the tenant; what was begun goes on.
    pub not_after: Option<Timestamp>,
    /// On what terms a person is asked.
    pub terms: Terms,
    /// Go on although the configuration is not the one that the work was begun with.
    pub accept_changes: bool,
}

/// How far a run takes a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// The directory uses the service client, confirmed.
    Swapped,
    /// The legacy client is deactivated.
    Retired,
    /// The legacy client is deleted.
    Purged,
    /// Everything is as it was.
    RolledBack,
}

impl Goal {
    /// The last phase to be carried out; none for the way back.
    fn last_phase(self) -> Option<Phase> {
        match self {
            Self::Swapped => Some(Phase::Confirm),
            Self::Retired => Some(Phase::Retire),
            Self::Purged => Some(Phase::Purge),
            Self::RolledBack => None,
        }
    }
}

/// What became of a tenant in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The run let go of it in this state.
    Ended {
        /// The state.
        state: TenantState,
        /// Why, where that is not plain.
        reason: Option<String>,
    },
    /// Nothing was done, because something is not as it was when the plan was made.
    Refused {
        /// What, a line each.
        changes: Vec<String>,
    },
    /// Its turn did not come.
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
    /// A runner for one run, whose ports are [`fused`](Ports::fused).
    pub fn new(ports: Ports, run: RunId) -> Self {
        Self { ports, run, plan_path: None, plan_made_at: None }
    }

    /// The run's id.
    pub fn id(&self) -> RunId {
        self.run
    }

    /// Says in which file the plan of the run stands, for whoever goes on with it by name.
    #[must_use]
    pub fn with_plan_path(self, path: impl Into<String>) -> Self {
        Self { plan_path: Some(path.into()), ..self }
    }

    /// Says when the plan of the run was made. Nothing is begun with one from the future: one of two clocks is wrong.
    #[must_use]
    pub fn with_plan_made_at(self, made_at: Timestamp) -> Self {
        Self { plan_made_at: Some(made_at), ..self }
    }
}

/// Why the work on a tenant ends before its goal.
enum Pause {
    /// It ends in this state.
    End(TenantState, String),
    /// Nothing may be done, because nothing can be recorded.
    Journal(JournalError),
}

impl From<JournalError> for Pause {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// The error, and what helps against it.
fn tell(error: &contract::Error) -> String {
    match &error.hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// Whether the same call may succeed by itself a little later.
fn is_transient(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::RateLimited | ErrorKind::Internal)
}

/// Whether nobody who knows has answered, whoever is to mend that.
fn is_unanswered(kind: ErrorKind) -> bool {
    is_transient(kind) || kind == ErrorKind::Unreachable
}
