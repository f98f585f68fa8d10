//! The events of the engine and the host. The terminal, JSON lines, and recordings all read this one stream.

use flowswap_contract::{Evidence, Level};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Actor, Direction, Ending, Halt, Pause, RunId, TenantState};

/// Receives events. Must not block.
pub trait EventSink: Send + Sync {
    /// Receives one event.
    fn emit(&self, event: Event);
}

/// Something that happened.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run started.
    RunStarted {
        /// The run.
        run: RunId,
        /// How many tenants it has.
        tenants: usize,
    },
    /// The run works on fewer tenants at a time than it may, so that its failures stay within their budget.
    FewerAtOnce {
        /// How many at a time, at first.
        tenants: usize,
        /// How many the configuration allows.
        concurrency: usize,
        /// How many tenants may fail.
        limit: usize,
    },
    /// A person paused the run from another terminal, and everything that it had begun has ended.
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
    /// The run starts no further tenants until those at work have ended, because flowswap could not tell about two of them. Then it
    /// asks a person, if there is one whom it may ask. Without an answer, it starts no others.
    StartsHeld {
        /// What it could not tell.
        #[serde(flatten)]
        pause: Pause,
    },
    /// A person said that the run starts the other tenants too.
    StartsReleased,
    /// The run starts no further tenants, or none of one kind, because of what happened to others.
    StartsHalted {
        /// Why.
        #[serde(flatten)]
        halt: Halt,
    },
    /// A run started to work on a tenant.
    TenantStarted {
        /// The tenant.
        tenant: String,
        /// How many steps its plan has.
        steps: usize,
    },
    /// A run continues work although something has changed since it started. The operator accepted that.
    ChangesAccepted {
        /// The tenant.
        tenant: String,
        /// What changed, one item per line.
        changes: Vec<String>,
    },
    /// A step started.
    StepStarted {
        /// The tenant.
        tenant: String,
        /// The step.
        step: String,
        /// Its title.
        title: String,
        /// Forward or back.
        direction: Direction,
    },
    /// A step succeeded.
    StepEnded {
        /// The tenant.
        tenant: String,
        /// The step.
        step: String,
        /// Forward or back.
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
        /// Forward or back.
        direction: Direction,
        /// Why.
        message: String,
    },
    /// A request ended, with or without an answer.
    Request {
        /// The tenant.
        tenant: String,
        /// The method.
        method: String,
        /// The URL.
        url: String,
        /// The status code. `None` if no answer came.
        status: Option<u16>,
        /// How many times it was sent.
        attempts: u32,
    },
    /// A request or a step waits before it is repeated.
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
        /// The person who is asked. `None` if anybody may do it.
        owner: Option<String>,
    },
    /// What a call is doing now.
    Progress {
        /// The tenant.
        tenant: String,
        /// What the call is doing.
        message: String,
    },
    /// A line for the log.
    Log {
        /// The plugin that wrote it.
        plugin: String,
        /// The tenant that the line is about, if any.
        tenant: Option<String>,
        /// How much it matters.
        level: Level,
        /// One line.
        message: String,
    },
    /// A run ended its work on a tenant.
    TenantEnded {
        /// The tenant.
        tenant: String,
        /// Its state.
        state: TenantState,
        /// Why, if the state alone does not say it.
        reason: Option<String>,
        /// How the tenant counts.
        counts_as: Ending,
    },
    /// The run refused a tenant, because something is not as the plan needs it.
    TenantRefused {
        /// The tenant.
        tenant: String,
        /// Why, one reason per line.
        changes: Vec<String>,
        /// How the tenant counts.
        counts_as: Ending,
    },
    /// The run did not start on a tenant, because it was stopped or because of what happened to other tenants.
    TenantSkipped {
        /// The tenant.
        tenant: String,
        /// Why not.
        reason: String,
    },
}
