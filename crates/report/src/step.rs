//! The steps of a tenant as a reviewer reads them: what happens, who rolls it back, and which servers get credentials.

use flowswap_contract::{By, Phase, Reversibility, Role, Step};
use flowswap_engine::{PlannedTenant, StepRollback};
use serde::Serialize;
use serde_json::Value;

/// A step as a reviewer reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// Whether `flowswap finalize` carries it out, and not `flowswap apply`.
    pub is_later: bool,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// The side.
    pub role: Role,
    /// The origins of the servers, such as `https://acme.okta.com`.
    pub origins: Vec<String>,
    /// The paths at which the side asks them for tokens, also with the new secret.
    pub token_paths: Vec<String>,
}

/// One line of the reversibility ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
            is_later: proposal.phase > Phase::Confirm,
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
    pub(crate) fn of(step: &StepRollback) -> Self {
        Self { step: step.step.clone(), action: step.action.clone(), reversibility: step.reversibility }
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
