//! What stands before a migration and after it.

use flowswap_contract::{Flow, Phase};
use flowswap_engine::{PlannedTenant, Seen};
use schemars::JsonSchema;
use serde::Serialize;

/// What a migration replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// The flow and the scopes of the legacy client.
    pub before: Side,
    /// The flow and the scopes of the new client.
    pub after: Side,
    /// The scopes that only the new client has. Empty if those of the legacy client are not known.
    pub scopes_added: Vec<String>,
    /// The scopes that only the legacy client has.
    pub scopes_removed: Vec<String>,
}

/// One side of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Side {
    /// The OAuth flow.
    pub flow: String,
    /// The OAuth scopes of the client, sorted. Empty if they are not known.
    pub scopes: Vec<String>,
}

impl Change {
    /// What the migration of a tenant replaces. `None` if there are no steps.
    pub fn of_planned(tenant: &PlannedTenant) -> Option<Self> {
        Self::of(tenant, tenant.seen().as_ref())
    }

    /// `None` if there are no steps.
    pub(crate) fn of(tenant: &PlannedTenant, seen: Option<&Seen>) -> Option<Self> {
        let provision = tenant.steps.iter().find(|step| step.proposal.phase == Phase::Provision)?;
        let scopes = provision.proposal.payload.to_value()["scopes"].clone();
        let after = serde_json::from_value(scopes).unwrap_or_default();
        let Seen { provider, directory, .. } = seen?;
        let is_used = |id: &str| directory.client_id.as_deref() == Some(id);
        let legacy = provider.legacy_clients.iter().find(|client| is_used(&client.client_id));
        let service = provider.service_clients.iter().find(|client| is_used(&client.id));
        let before = legacy.map(|client| &client.scopes).or(service.map(|client| &client.scopes));
        let before = before.cloned().unwrap_or_default();
        Some(Self::between(
            Side { flow: directory.flow.to_string(), scopes: before },
            Side { flow: Flow::ClientCredentials.to_string(), scopes: after },
        ))
    }

    fn between(before: Side, after: Side) -> Self {
        let only = |of: &Side, other: &Side| -> Vec<String> {
            of.scopes.iter().filter(|scope| !other.scopes.contains(scope)).cloned().collect()
        };
        let (added, removed) = (only(&after, &before), only(&before, &after));
        let scopes_added = if before.scopes.is_empty() { Vec::new() } else { added };
        Self { scopes_added, scopes_removed: removed, before, after }
    }
}
