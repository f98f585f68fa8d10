//! Tenants that are planned alike. A reviewer reads one of them and knows all.

use std::{cmp::Reverse, collections::BTreeMap};

use flowswap_contract::{By, Phase, Reversibility, Role};
use flowswap_engine::{Finding, PlannedTenant, Seen, Severity, StepRollback, Verdict, digest};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{difference, own_words::OwnWords, tenant::SeenTenant};

/// Hexadecimal digits of a class id. Two of a few hundred classes get the same id once in ten million plans.
const ID_DIGITS: usize = 12;

/// Tenants with the same verdict, findings, steps, and rollback, apart from their own names and ids.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// A digest of what the tenants have in common. It is the same in every plan, whatever the tenants are called.
    pub id: String,
    /// Their verdict.
    pub verdict: Verdict,
    /// Their names, in the order of the plan.
    pub tenants: Vec<String>,
    /// The ids of their findings, without those that are only worth knowing.
    pub findings: Vec<String>,
    /// How it differs from the first class, in sentences. Empty for the first class, and if there are no steps.
    pub differences: Vec<String>,
    /// What stands before the migration and after it.
    pub change: Option<Change>,
    /// The steps of the first tenant. Those of the others differ only in the tenant's own names and ids.
    pub steps: Vec<StepLine>,
    /// The reversibility ledger: how each step is rolled back, from the last step to the first.
    pub rollback: Vec<LedgerLine>,
}

/// What a migration replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The flow and the scopes of the legacy client.
    pub before: Side,
    /// The flow and the scopes of the new client.
    pub after: Side,
}

/// One side of a [`Change`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The OAuth flow.
    pub flow: String,
    /// The OAuth scopes of the client, sorted.
    pub scopes: Vec<String>,
}

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

/// Groups the tenants of a plan, the most frequent class first.
pub(crate) fn classify(tenants: &[SeenTenant<'_>]) -> Vec<Class> {
    let mut classes: BTreeMap<String, (usize, Value, Class)> = BTreeMap::new();
    for (position, (tenant, seen)) in tenants.iter().enumerate() {
        let shape = shape(tenant, seen.as_ref());
        let id = id_of(&shape);
        let (_, _, class) =
            classes.entry(id).or_insert_with_key(|id| (position, shape, Class::of(id.clone(), tenant, seen.as_ref())));
        class.tenants.push(tenant.name.clone());
    }
    let mut classes: Vec<_> = classes.into_values().collect();
    classes.sort_by_key(|(first, _, class)| (class.verdict, Reverse(class.tenants.len()), *first));
    let largest = classes.first().map(|(_, shape, _)| shape.clone()).unwrap_or_default();
    let compared = classes.into_iter().map(|(_, shape, class)| {
        let differences = if class.steps.is_empty() { Vec::new() } else { difference::describe(&largest, &shape) };
        Class { differences, ..class }
    });
    compared.collect()
}

/// The id of the class that a planned tenant belongs to. It is that of [`Class::id`].
pub fn class_id(tenant: &PlannedTenant) -> String {
    id_of(&shape(tenant, tenant.seen().as_ref()))
}

fn id_of(shape: &Value) -> String {
    // A value of JSON always becomes JSON.
    digest(shape).unwrap_or_default().get(..ID_DIGITS).unwrap_or_default().to_owned()
}

/// Members of steps with text that can have names and ids of the tenant in it. A tenant may be called like a phase or an output.
const TEXTS: [&str; 6] = ["title", "undo", "sends", "queries", "payload", "action"];

/// Everything that the tenants of a class have in common.
fn shape(tenant: &PlannedTenant, seen: Option<&Seen>) -> Value {
    let own = OwnWords::of(tenant, seen);
    let generalize = |step: Value| -> Value {
        let members = step.as_object().into_iter().flatten();
        let general = |name: &String, value: &Value| {
            if TEXTS.contains(&name.as_str()) { own.generalize(value) } else { value.clone() }
        };
        members.map(|(name, value)| (name.clone(), general(name, value))).collect::<Map<_, _>>().into()
    };
    let steps = tenant.steps.iter();
    let steps =
        steps.map(|step| json!({ "id": step.id, "role": step.role, "proposal": generalize(json!(step.proposal)) }));
    json!({
        "verdict": tenant.verdict,
        "app_data": tenant.app_data,
        "plugins": [tenant.provider_plugin, tenant.directory_plugin],
        "findings": notable(&tenant.findings),
        "change": Change::of(tenant, seen),
        "origins": own.generalize(&json!(tenant.origins)),
        "token_paths": own.generalize(&json!(tenant.token_paths)),
        "steps": steps.collect::<Value>(),
        "rollback": tenant.way_back.iter().map(|step| generalize(json!(step))).collect::<Value>(),
    })
}

/// The ids of the findings, without those that are only worth knowing.
fn notable(findings: &[Finding]) -> Vec<String> {
    let notable = findings.iter().filter(|finding| finding.severity != Severity::Info);
    notable.map(|finding| finding.id.clone()).collect()
}

impl Class {
    fn of(id: String, tenant: &PlannedTenant, seen: Option<&Seen>) -> Self {
        Self {
            id,
            verdict: tenant.verdict,
            tenants: Vec::new(),
            findings: notable(&tenant.findings),
            differences: Vec::new(),
            change: Change::of(tenant, seen),
            steps: tenant.steps.iter().map(StepLine::of).collect(),
            rollback: tenant.way_back.iter().map(LedgerLine::of).collect(),
        }
    }
}

impl Change {
    /// `None` if there are no steps.
    fn of(tenant: &PlannedTenant, seen: Option<&Seen>) -> Option<Self> {
        let provision = tenant.steps.iter().find(|step| step.proposal.phase == Phase::Provision)?;
        let scopes = provision.proposal.payload.to_value()["scopes"].clone();
        let after = serde_json::from_value(scopes).unwrap_or_default();
        let Seen { provider, directory, .. } = seen?;
        let is_used = |id: &str| directory.client_id.as_deref() == Some(id);
        let before = provider.legacy_clients.iter().find(|client| is_used(&client.client_id));
        Some(Self {
            before: Side {
                flow: directory.flow.to_string(),
                scopes: before.map(|client| client.scopes.clone()).unwrap_or_default(),
            },
            after: Side { flow: flowswap_contract::Flow::ClientCredentials.to_string(), scopes: after },
        })
    }
}

impl StepLine {
    fn of(step: &flowswap_contract::Step) -> Self {
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
        }
    }
}

impl LedgerLine {
    fn of(step: &StepRollback) -> Self {
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
