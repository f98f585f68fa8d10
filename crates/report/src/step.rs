//! The steps of a tenant as a reviewer reads them: what happens, who rolls it back, and which servers get credentials.

use flowswap_contract::{By, Phase, Reversibility, Role, Step};
use flowswap_engine::{PlannedTenant, StepRollback};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A step as a reviewer reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepLine {
    /// Its id in the plan.
    pub id: String,
    /// Its phase.
    pub phase: Phase,
    /// The side that carries it out.
    pub role: Role,
    /// What it does.
    pub title: String,
    /// Whether it changes nothing.
    pub is_check: bool,
    /// Whether a person carries it out.
    pub by_person: bool,
    /// The command that carries it out, such as `flowswap apply`.
    pub command: &'static str,
    /// Who rolls it back. `None` for a check, which changes nothing.
    pub reversibility: Option<Reversibility>,
    /// What it is carried out with.
    pub with: Vec<(String, String)>,
    /// The secrets that it sends, each with its place.
    pub sends: Vec<String>,
    /// The URLs to which it sends a POST that changes nothing.
    pub queries: Vec<String>,
    /// The only side that confirms it, if the other side shows nothing afterwards.
    pub confirmed_by: Option<Role>,
}

/// The servers that get the credentials of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reach {
    /// The side.
    pub role: Role,
    /// The origins of the servers, such as `https://acme.okta.com`.
    pub origins: Vec<String>,
    /// The paths at which the side asks them for tokens, also with the new secret.
    pub token_paths: Vec<String>,
}

/// One line of the reversibility ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LedgerLine {
    /// The step that is undone.
    pub step: String,
    /// What undoes it.
    pub action: String,
    /// Who undoes it.
    pub reversibility: Reversibility,
}

impl StepLine {
    pub(crate) fn of(step: &Step) -> Self {
        let proposal = &step.proposal;
        let sends = proposal.sends.iter().flatten();
        Self {
            id: step.id.clone(),
            phase: proposal.phase,
            role: step.role,
            title: proposal.title.clone(),
            is_check: proposal.phase.is_check(),
            by_person: proposal.by == By::Operator,
            command: command_of(proposal.phase),
            reversibility: (!proposal.phase.is_check()).then_some(proposal.reversibility),
            with: members(&proposal.payload.to_value()),
            sends: sends.map(|sent| format!("{} to {} at {}", sent.input, sent.to, sent.at)).collect(),
            queries: proposal.queries.clone(),
            confirmed_by: proposal.confirmed_by,
        }
    }
}

impl Reach {
    /// Of both sides.
    pub(crate) fn of(tenant: &PlannedTenant) -> Vec<Self> {
        let paths = |role: Role| tenant.token_paths.as_ref()?.get(&role).cloned();
        let sides = tenant.origins.iter().flatten();
        let reach = sides.map(|(role, origins)| Self {
            role: *role,
            origins: origins.clone(),
            token_paths: paths(*role).unwrap_or_default(),
        });
        reach.collect()
    }
}

impl LedgerLine {
    /// `steps` are those of the same tenant.
    pub(crate) fn of(line: &StepRollback, steps: &[Step]) -> Self {
        let action = match line.reversibility {
            Reversibility::Irreversible => deny_rollback(steps.iter().find(|step| step.id == line.step)),
            _ => line.action.clone(),
        };
        Self { step: line.step.clone(), action, reversibility: line.reversibility }
    }
}

/// The command that carries out the steps of a phase.
pub fn command_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Purge => "flowswap finalize --purge",
        Phase::Retire => "flowswap finalize",
        _ => "flowswap apply",
    }
}

/// Says that a step has no rollback. The text in a plan cannot change, so reports have words of their own.
fn deny_rollback(step: Option<&Step>) -> String {
    match step.map(|step| step.proposal.phase).filter(|phase| *phase > Phase::Confirm) {
        Some(phase) => format!("no rollback is possible; only `{}` carries out this step", command_of(phase)),
        None => "no rollback is possible after this step".to_owned(),
    }
}

/// The members of a payload that say something, as text.
fn members(payload: &Value) -> Vec<(String, String)> {
    let says_nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let members = payload.as_object().into_iter().flatten().filter(|(_, value)| !says_nothing(value));
    let as_text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    members.map(|(name, value)| (name.clone(), as_text(value))).collect()
}
