//! The engine: assesses tenants, plans their migration, lints plans, carries them out, and rolls them back.
//!
//! It does no I/O of its own. It reaches the world through four ports: [`Backend`], [`Journal`], [`SecretStore`], and
//! [`Clock`]. It reports what it does as [`Event`]s. It never prints and never reads the environment.
//! Assessing and linting are pure functions of what was seen.

mod actor;
mod assess;
mod canonical;
mod compare;
mod duration;
mod error_chain;
mod hidden;
mod history;
mod last_filter;
mod logbook;
mod packed;
mod plan;
mod planning;
mod ports;
mod record;
mod rehearsal;
mod run;
mod run_id;
mod secret;
mod side_by_side;
mod spec;
mod state;
mod stop;
mod tenant;
mod time;
mod turns;
mod wave;

/// Part of the port [`SecretStore`]; re-exported so that an implementation needs no other crate.
pub use flowswap_contract::Handle;

pub use actor::Actor;
pub use assess::{
    ACCEPTABLE, Assessment, EVIDENCE_RULES, Facts, Finding, Inventories, ROTATION_RULES, RULES, Rule,
    SIGN_IN_LIFETIME_DAYS, Severity, WARN_DAYS, all_rules, assess, find_domain_defect, find_shared_orgs,
};
pub use canonical::{digest, short};
pub use compare::{Comparison, Recorded, compare};
pub use duration::parse_duration;
pub use error_chain::chain;
pub use hidden::{escape_json, is_hidden, reveal, reveal_in_lines};
pub use history::{
    Claim, DoneStep, Doubt, Handover, History, IllegalRecord, Intent, LastResult, NewerPlan, Overview, Question,
    Refusal, SentRequest, Settled, TenantHistory, Work,
};
pub use logbook::{Logbook, Recorder, SNAPSHOT_FORMAT, Snapshot};
pub use packed::Packed;
pub use plan::{
    NO_ROLLBACK, OfSides, Outline, PLAN_FORMAT, Plan, PlanError, PlanFile, PlanPart, PlannedTenant, PluginPin, Seen,
    StepRollback, digest_config, hold_back_shared_orgs, is_step_of_rotation, lint,
};
pub use planning::plan_tenant;
pub use ports::{
    Backend, BackendCall, Clock, Journal, JournalError, Position, Recording, Records, SecretStore, SecretStoreError,
    Visitor, WriterReplaced,
};
pub use record::{
    Draft, Entry, OutcomeCount, Record, RequestOutcome, RunOutcome, RunScope, SignedApproval, intent_token,
};
pub use rehearsal::{Course, Rehearsal, Rehearsed};
pub use run::{
    AbandonError, Approval, Assignment, Cause, Decision, Ending, Event, EventSink, FailureBudget, Fault, FleetLimits,
    Gate, Halt, Job, NoOperator, Operator, OperatorError, OperatorReply, Outcome, Pause, Ports, ResolveError, Resolved,
    Runner, STOPPED, Summary, Unreachable,
};
pub use run_id::RunId;
pub use secret::Secret;
pub use side_by_side::side_by_side;
pub use spec::TenantSpec;
pub use state::{Direction, Goal, HandoverChannel, Mode, Resolution, RunCommand, TenantState, Verdict};
pub use stop::{Stop, StopSwitch};
pub use tenant::Tenant;
pub use time::Time;
pub use turns::{Pace, Paused, Turns};
pub use wave::{Opening, Requirement, Wave};
