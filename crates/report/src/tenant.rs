//! One tenant of a plan.

use flowswap_contract::Flow;
use flowswap_engine::{Finding, PlannedTenant, SIGN_IN_LIFETIME_DAYS, Seen, Severity, Time, Verdict};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// A planned tenant, and what was seen of it, unpacked once.
pub(crate) type SeenTenant<'a> = (&'a PlannedTenant, Option<Seen>);

/// A tenant of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TenantLine {
    /// Its name.
    pub name: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// The id of its class.
    pub class: String,
    /// Whether the plan has steps for it.
    pub is_changed: bool,
    /// The name of its directory.
    pub directory: Option<String>,
    /// The domain of its org, as the org states it.
    pub domain: Option<String>,
    /// The OAuth client ID that its directory uses now.
    pub client_id: Option<String>,
    /// The label of this client's app in Okta.
    pub client_label: Option<String>,
    /// The rules that matched, most severe first.
    pub findings: Vec<TenantFinding>,
    /// When its connection stops working if nobody does anything, as far as it is known.
    #[schemars(with = "Option<Time>")]
    pub dies_at: Option<Timestamp>,
    /// Whole days from the making of the plan until then; negative if it is dead.
    pub days_left: Option<i64>,
}

/// A rule that matched a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TenantFinding {
    /// The id of the rule.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// What was seen.
    pub message: String,
}

impl TenantLine {
    pub(crate) fn of(tenant: &PlannedTenant, seen: Option<&Seen>, class: &str, now: Timestamp) -> Self {
        let dies_at = seen.and_then(dies_at);
        let client_id = seen.and_then(|seen| seen.directory.client_id.clone());
        let clients = seen.into_iter().flat_map(|seen| &seen.provider.legacy_clients);
        let client = clients.into_iter().find(|client| client_id.as_ref() == Some(&client.client_id));
        Self {
            name: tenant.name.clone(),
            verdict: tenant.verdict,
            class: class.to_owned(),
            is_changed: !tenant.steps.is_empty(),
            directory: seen.map(|seen| seen.directory.name.clone()),
            domain: seen.map(|seen| seen.provider.domain.clone()),
            client_label: client.map(|client| client.label.clone()),
            client_id,
            findings: tenant.findings.iter().map(TenantFinding::of).collect(),
            dies_at,
            days_left: dies_at.map(|dies_at| dies_at.duration_since(now).as_hours().div_euclid(24)),
        }
    }
}

impl TenantFinding {
    fn of(finding: &Finding) -> Self {
        Self { id: finding.id.clone(), severity: finding.severity, message: finding.message.clone() }
    }
}

/// When the connection stops working. `None` if it is not of the authorization-code flow, or the last sign-in is not known.
pub(crate) fn dies_at(seen: &Seen) -> Option<Timestamp> {
    if seen.directory.flow != Flow::AuthorizationCode {
        return None;
    }
    let last_sign_in: Timestamp = seen.directory.last_sign_in.as_deref()?.parse().ok()?;
    last_sign_in.checked_add(SignedDuration::from_hours(24 * SIGN_IN_LIFETIME_DAYS)).ok()
}
