//! What people said, decided, and received, and what flowswap did not do.

use flowswap_engine::{Actor, Goal, Handle, HandoverChannel, RunId, TenantState, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// What a person said or decided about a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Statement {
    /// When.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// Who. `None` if the journal does not record that.
    pub by: Option<Actor>,
    /// What the person did.
    pub kind: StatementKind,
    /// The step that it is about.
    pub step: Option<String>,
    /// The digest of the plan that the person made.
    pub plan: Option<String>,
    /// The person's note or reason. For a plan it is the verdict, for changes what was accepted, and for what was given up the
    /// command.
    pub note: Option<String>,
}

/// The kinds of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatementKind {
    /// Made a plan of the tenant.
    Planned,
    /// Continued although something had changed.
    AcceptedChanges,
    /// Confirmed that a step is done.
    Confirmed,
    /// Declined to carry a step out.
    Declined,
    /// Decided that a step in doubt is applied.
    ResolvedApplied,
    /// Decided that it is not applied.
    ResolvedNotApplied,
    /// Abandoned a rollback.
    Abandoned,
    /// Gave up what a run had set out to do.
    GaveUp,
}

/// What happened to a secret. The secret itself is not in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SecretLine {
    /// When.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// The secret's name.
    pub handle: Handle,
    /// What happened to it.
    pub event: SecretEvent,
    /// Who received it.
    pub by: Option<Actor>,
    /// How the person received it.
    pub way: Option<HandoverChannel>,
}

/// What can happen to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretEvent {
    /// It came with an answer, and is in the secret store.
    Stored,
    /// flowswap generated it, and it is in the secret store.
    Generated,
    /// A person received it.
    HandedOver,
    /// It was deleted from the secret store.
    Deleted,
}

/// A run did nothing for the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RefusalLine {
    /// When.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
    /// How far the run should have taken the tenant.
    pub goal: Goal,
    /// Whether the run did not get to the tenant, and so refused nothing.
    pub is_skipped: bool,
    /// Whether a side could not be read, so nothing is known to be wrong.
    pub is_unread: bool,
    /// Why.
    pub reasons: Vec<String>,
}

impl RefusalLine {
    /// What was refused or skipped, and why.
    pub(crate) fn sentence(&self) -> String {
        let (goal, reasons) = (self.goal.entered_as(), self.reasons.join("; "));
        match (self.is_skipped, self.is_unread) {
            (true, _) => format!("skipped by `{goal}`: {reasons}"),
            (false, true) => format!("`{goal}` could not tell: {reasons}"),
            (false, false) => format!("refused by `{goal}`: {reasons}"),
        }
    }
}

/// A run ended its work on the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EndLine {
    /// When.
    #[schemars(with = "Time")]
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
    /// The state of the tenant then.
    pub state: TenantState,
    /// Why, if the state alone does not say it.
    pub reason: Option<String>,
    /// Whether the operator stopped the run before it was done.
    pub interrupted: bool,
}
