//! What the engine and the host have to tell. Terminal, JSON lines and recordings are readers of this one stream.

use flowswap_contract::{Evidence, Level};
use serde::Serialize;

use crate::{Direction, RunId, TenantState};

/// Takes events. Must not block.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

/// Something happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run began.
    RunStarted {
        /// The run.
        run: RunId,
        /// How many tenants it has.
        tenants: usize,
    },
    /// A tenant was taken up.
    TenantStarted {
        /// The tenant.
        tenant: String,
        /// How many steps lie before it.
        steps: usize,
    },
    /// A step began.
    StepStarted {
        /// The tenant.
        tenant: String,
        /// The step.
        step: String,
        /// Its title.
        title: String,
        /// Which way.
        direction: Direction,
    },
    /// A step succeeded.
    StepEnded {
        /// The tenant.
        tenant: String,
        /// The step.
        step: String,
        /// Which way.
        direction: Direction,
        /// What was seen.
        evidence: Vec<Evidence>,
    },
    /// A step did not succeed.
    StepFailed {
        /// The tenant.
        tenant: String,
        /// The step.
        step: String,
        /// Which way.
        direction: Direction,
        /// Why.
        message: String,
    },
    /// A request was answered, or got no answer.
    Request {
        /// The tenant.
        tenant: String,
        /// The method.
        method: String,
        /// The URL.
        url: String,
        /// The status code; none when no answer came.
        status: Option<u16>,
        /// How many times it was sent.
        attempts: u32,
    },
    /// A request waits before it is repeated.
    Waiting {
        /// The tenant.
        tenant: String,
        /// Milliseconds.
        ms: u64,
        /// Why.
        reason: String,
    },
    /// A person is asked to do something.
    OperatorAsked {
        /// The tenant.
        tenant: String,
        /// The step.
        step: String,
        /// Who is asked, if anybody is named.
        owner: Option<String>,
    },
    /// What a call is doing now.
    Progress {
        /// The tenant.
        tenant: String,
        /// A few words.
        message: String,
    },
    /// A line for the log.
    Log {
        /// The plugin that wrote it.
        plugin: String,
        /// The tenant it is about, if one.
        tenant: Option<String>,
        /// How much it matters.
        level: Level,
        /// One line.
        message: String,
    },
    /// A tenant was let go of.
    TenantEnded {
        /// The tenant.
        tenant: String,
        /// Where it stands.
        state: TenantState,
        /// Why, where that is not plain.
        reason: Option<String>,
    },
    /// Nothing was done with a tenant, because something changed since the plan was made.
    TenantRefused {
        /// The tenant.
        tenant: String,
        /// What changed, a line each.
        changes: Vec<String>,
    },
    /// A tenant's turn did not come.
    TenantSkipped {
        /// The tenant.
        tenant: String,
        /// Why not.
        reason: String,
    },
}
