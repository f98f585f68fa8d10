//! The engine: assesses tenants, plans their migration, lints plans, and carries them out forward and back.
//!
//! It does no I/O of its own. What it needs of the world are four ports, [`Backend`], [`Journal`], [`SecretStore`]
//! and [`Clock`]; what it has to tell goes out as [`Event`]s. It never prints and never reads the environment.
//! Assessing, planning and linting are pure functions of what was seen.

mod assess;
mod canonical;
mod compare;
mod event;
mod hidden;
mod history;
mod journal;
mod plan;
mod ports;
mod run;
mod run_id;
mod secret;
mod stop;
mod tenant;

/// Part of the port [`SecretStore`], so that whoever implements it needs no other crate.
pub use flowswap_contract::Handle;

pub use assess::{
    Assessment, EVIDENCE_RULES, Facts, Finding, RULES, Rule, SIGN_IN_LIFETIME_DAYS, Severity, Sight, Verdict, assess,
    find_domain_defect,
};
pub use compare::{Comparison, Said, compare};
pub use event::{Event, EventSink};
pub use hidden::{escape_json, is_hidden};
pub use history::{
    Claim, DoneStep, Doubt, HandedOver, History, IllegalRecord, LastRun, Look, Question, RunEnd, SentRequest,
    TenantHistory, Work,
};
pub use journal::{
    Direction, Draft, Entry, HandOver, Record, RequestOutcome, Resolution, RunCommand, RunScope, TenantState,
    intent_token,
};
pub use plan::{
    PLAN_FORMAT, Plan, PlanError, PlannedTenant, PluginPin, Seen, WayBack, hold_back_neighbours, lint, plan_tenant,
};
pub use ports::{Backend, BackendCall, Clock, Fenced, Journal, JournalError, Mode, SecretStore, SecretStoreError};
pub use run::{
    AbandonError, Decision, FleetLimits, Goal, Job, Nobody, Operator, OperatorError, Outcome, Ports, ResolveError,
    Resolved, Runner, Summary, Terms, Word,
};
pub use run_id::RunId;
pub use secret::Secret;
pub use stop::{Stop, StopSwitch};
pub use tenant::{Tenant, TenantSpec};
