//! A plan: immutable, complete, and identified by its own digest. `apply` makes no decisions that are not in it.

mod file;
mod lint;
mod order;
mod part;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use flowswap_contract::{DirectoryInventory, Phase, ProviderInventory, Reversibility, Role, Rotation, Step, Tokens};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{
    Deserialize, Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Value, json};

pub use file::PlanFile;
use lint::Linter;
pub use lint::lint;
pub use order::{NO_ROLLBACK, is_step_of_rotation};
pub(crate) use order::{order, way_back};
pub use part::PlanPart;

use crate::{
    Actor, Finding, Packed, TenantSpec, Time, Verdict, Wave,
    assess::{ORG_SHARED, find_busy_org},
    canonical::{Sorted, compare, digest, digest_sorted, render_sorted},
};

/// The format of plan files.
pub const PLAN_FORMAT: u32 = 1;

/// What `flowswap plan` writes and `flowswap apply` carries out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The format of plans.
    #[schemars(extend("const" = PLAN_FORMAT))]
    pub format: u32,
    /// When it was made.
    #[schemars(with = "Time")]
    pub created_at: Timestamp,
    /// After this time no tenant is started with it, because what it was made from is too old. Started tenants continue.
    #[schemars(with = "Time")]
    pub not_after: Timestamp,
    /// Who made it. `None` in plans from before it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Actor>,
    /// The plugins that made the steps and will carry them out, by name.
    pub plugins: BTreeMap<String, PluginPin>,
    /// The tenants, in the order of the configuration.
    pub tenants: Vec<PlannedTenant>,
    /// The waves, in their order. Without any, all tenants with steps are migrated at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
    /// SHA-256 of the canonical form of all the rest.
    pub digest: String,
}

/// The exact plugin that a plan was made with. The same code continues the plan and rolls it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginPin {
    /// Its own version.
    pub version: String,
    /// SHA-256 of the library, hexadecimal.
    pub sha256: String,
    /// The operator let it run without a cage. `false` also in plans and records from before there was one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncaged: bool,
}

/// One tenant's part of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedTenant {
    /// The tenant.
    pub name: String,
    /// Whether enterprise applications are collected.
    pub app_data: bool,
    /// The name of the provider's plugin.
    pub provider_plugin: String,
    /// The name of the directory's plugin.
    pub directory_plugin: String,
    /// The rotation of its client secret. Without it, the steps are those of a migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// Its verdict. Only a `ready` tenant has steps.
    pub verdict: Verdict,
    /// The rules that matched.
    pub findings: Vec<Finding>,
    /// What was seen, without what changes all the time. `None` if a side did not answer.
    pub seen: Option<Packed<Seen>>,
    /// The origins that each side may talk to, and so send its credentials to, such as `https://acme.okta.com`. Only a tenant with
    /// steps has them. Records from before flowswap froze them have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<OfSides>,
    /// The paths at which each side asks these for tokens, such as `/oauth2/v1/token`. The same holds for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_paths: Option<OfSides>,
    /// The steps, in the order in which they are carried out.
    pub steps: Vec<Step>,
    /// The rollback of the steps, in the order in which it happens.
    pub way_back: Vec<StepRollback>,
}

/// Texts of each side of a tenant.
pub type OfSides = BTreeMap<Role, Vec<String>>;

/// What was seen of a tenant, and its configuration. A plan is valid while this stays equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Digests of the tenant's configuration without its secrets, by key, such as `provider.domain`.
    pub config: BTreeMap<String, String>,
    /// What the provider showed.
    pub provider: ProviderInventory,
    /// What the directory showed, without what changes with every synchronization.
    pub directory: DirectoryInventory,
}

/// How a step is rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepRollback {
    /// The step.
    pub step: String,
    /// What happens.
    pub action: String,
    /// Whether flowswap or a person does it.
    pub reversibility: Reversibility,
}

/// Why a plan file is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is not a plan.
    #[error("the file is not a plan")]
    Malformed(#[source] serde_json::Error),
    /// It was written by another version.
    #[error("the plan has format {0}, but this version reads format {PLAN_FORMAT}")]
    Format(u32),
    /// It was changed after it was written.
    #[error("the plan was changed after it was made: its digest does not match its content")]
    Changed,
    /// It has defects.
    #[error("the plan is not valid: {}", .0.join("; "))]
    Unsound(Vec<String>),
    /// It could not be written as JSON.
    #[error("failed to write the plan")]
    Unwritable(#[source] serde_json::Error),
}

impl Plan {
    /// Freezes tenants into a plan and checks it. If tenants share an org, only the first of them is planned.
    pub fn freeze(
        created_at: Timestamp,
        not_after: Timestamp,
        made_by: Option<Actor>,
        plugins: BTreeMap<String, PluginPin>,
        tenants: Vec<PlannedTenant>,
    ) -> Result<Self, PlanError> {
        let tenants = hold_back_all_but_first(tenants);
        let digest = String::new();
        let waves = Vec::new();
        let mut plan = Self { format: PLAN_FORMAT, created_at, not_after, made_by, plugins, tenants, waves, digest };
        plan.digest = plan.compute_digest()?;
        Linter::of(&plan).finish()?;
        Ok(plan)
    }

    /// The same plan in waves. Fails if a tenant with steps is in none, or in two.
    pub fn in_waves(self, waves: Vec<Wave>) -> Result<Self, PlanError> {
        let mut plan = Self { waves, ..self };
        plan.digest = plan.compute_digest()?;
        Linter::of(&plan).finish()?;
        Ok(plan)
    }

    /// The name of the wave of each tenant that is in one.
    pub fn wave_by_tenant(&self) -> BTreeMap<&str, &str> {
        let waves = self.waves.iter();
        waves.flat_map(|wave| wave.tenants.iter().map(|tenant| (tenant.as_str(), wave.name.as_str()))).collect()
    }

    /// The digest of everything else.
    fn compute_digest(&self) -> Result<String, PlanError> {
        digest_sorted(&self.canonical("")).map_err(PlanError::Unwritable)
    }

    /// Writes the plan as a file, in many small pieces.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        Ok(render_sorted(&self.canonical(&self.digest), out)?)
    }

    /// Reads a plan file. Refuses it if a single byte differs from what was written.
    pub fn read(text: &str) -> Result<Self, PlanError> {
        PlanFile::read(text.to_owned()).map(PlanFile::into_plan)
    }

    /// The tenants that have steps.
    pub fn ready(&self) -> impl Iterator<Item = &PlannedTenant> {
        self.tenants.iter().filter(|tenant| !tenant.steps.is_empty())
    }

    fn canonical<'a>(&'a self, digest: &'a str) -> impl Serialize + 'a {
        Canonical { head: self, digest, tenants: || self.tenants.iter().map(Ok) }
    }
}

/// The canonical form of a plan. Only one tenant at a time becomes a tree.
struct Canonical<'a, F> {
    /// The plan; its tenants do not count.
    head: &'a Plan,
    digest: &'a str,
    /// The tenants.
    tenants: F,
}

impl<F, I, T> Serialize for Canonical<'_, F>
where
    F: Fn() -> I,
    I: Iterator<Item = Result<T, serde_json::Error>>,
    T: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Plan { format, created_at, not_after, made_by, plugins, tenants: _, waves, digest: _ } = self.head;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("created_at", created_at)?;
        map.serialize_entry("digest", self.digest)?;
        map.serialize_entry("format", format)?;
        if let Some(made_by) = made_by {
            map.serialize_entry("made_by", &Sorted(made_by))?;
        }
        map.serialize_entry("not_after", not_after)?;
        map.serialize_entry("plugins", &Sorted(plugins))?;
        map.serialize_entry("tenants", &CanonicalTenants(&self.tenants))?;
        if !waves.is_empty() {
            map.serialize_entry("waves", &Sorted(waves))?;
        }
        map.end()
    }
}

struct CanonicalTenants<'a, F>(&'a F);

impl<F, I, T> Serialize for CanonicalTenants<'_, F>
where
    F: Fn() -> I,
    I: Iterator<Item = Result<T, serde_json::Error>>,
    T: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tenants = serializer.serialize_seq(None)?;
        for tenant in (self.0)() {
            tenants.serialize_element(&Sorted(tenant.map_err(serde::ser::Error::custom)?))?;
        }
        tenants.end()
    }
}

/// A tenant of a plan in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The tenant.
    pub name: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// The ids of its findings.
    pub findings: Vec<String>,
    /// How many steps it has.
    pub steps: usize,
    /// Whether its rollback needs a person.
    pub needs_person_for_rollback: bool,
    /// Whether its steps rotate a client secret.
    pub rotates: bool,
}

impl PlannedTenant {
    /// The tenant in short.
    pub fn outline(&self) -> Outline {
        let is_attended = |step: &StepRollback| step.reversibility == Reversibility::Attended;
        Outline {
            name: self.name.clone(),
            verdict: self.verdict,
            findings: self.findings.iter().map(|finding| finding.id.clone()).collect(),
            steps: self.steps.len(),
            needs_person_for_rollback: self.way_back.iter().any(is_attended),
            rotates: self.rotation.is_some(),
        }
    }

    /// What was seen of it.
    pub fn seen(&self) -> Option<Seen> {
        self.seen.as_ref()?.get().ok()
    }

    /// The org that it is connected to, if it was seen: the provider's plugin, and the domain that the org itself shows.
    pub fn org(&self) -> Option<(String, String)> {
        Some((self.provider_plugin.clone(), self.seen()?.provider.domain))
    }

    /// Removes the steps and adds the finding that says why.
    fn hold_back(&mut self, finding: Finding) {
        self.verdict = self.verdict.max(Verdict::Blocked);
        self.findings.insert(0, finding);
        self.steps.clear();
        self.way_back.clear();
        self.origins = None;
        self.token_paths = None;
    }

    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// The steps from the first up to and including this phase.
    pub fn steps_until(&self, phase: Phase) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.proposal.phase <= phase)
    }
}

impl Seen {
    /// Keeps the parts of both inventories that a plan depends on.
    pub fn new(spec: &TenantSpec, mut provider: ProviderInventory, directory: DirectoryInventory) -> Self {
        for client in &mut provider.legacy_clients {
            client.tokens = Tokens::default();
            client.last_sign_in = None;
            client.assigned = None;
        }
        provider.needs.clear();
        for client in &mut provider.service_clients {
            client.tokens = Tokens::default();
            if spec.rotation.is_none() {
                client.secrets.clear();
            }
        }
        sort(&mut provider);
        let directory = DirectoryInventory {
            healthy: None,
            status: None,
            last_success: None,
            counts: flowswap_contract::Counts::default(),
            ..directory
        };
        Self { config: digests_of(spec), provider, directory }
    }

    /// Lists the changes of the tenant's configuration, one per line.
    pub fn config_changes(&self, spec: &TenantSpec) -> Vec<String> {
        changed_keys(&self.config, &digests_of(spec))
    }

    /// Compares the configuration and what was seen. The error lists the changes, one per line.
    pub(crate) fn compare(&self, now: &Self) -> Result<(), Vec<String>> {
        if self == now {
            return Ok(());
        }
        let value = |seen: &Self| json!({ "provider": seen.provider, "directory": seen.directory });
        let mut lines = changed_keys(&self.config, &now.config);
        lines.extend(compare(&value(self), &value(now)).err().into_iter().flatten());
        Err(lines)
    }
}

/// A server may return its lists in another order every time, and no plugin has to sort them.
fn sort(provider: &mut ProviderInventory) {
    for client in &mut provider.legacy_clients {
        for list in [&mut client.grant_types, &mut client.redirect_uris, &mut client.scopes] {
            list.sort_unstable();
        }
    }
    provider.legacy_clients.sort_by(|a, b| a.id.cmp(&b.id));
    for client in &mut provider.service_clients {
        client.scopes.sort_unstable();
        client.secrets.sort_by(|a, b| (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id)));
    }
    provider.service_clients.sort_by(|a, b| a.id.cmp(&b.id));
    provider.lookalikes.sort_by(|a, b| a.id.cmp(&b.id));
    provider.variants.iter_mut().for_each(|variant| variant.scopes.sort_unstable());
    provider.variants.sort_by(|a, b| (a.variant, &a.type_key).cmp(&(b.variant, &b.type_key)));
}

/// Digests of a tenant's configuration by key, such as `provider.domain`. `tables` has the tables of both sides, by name.
pub fn digest_config(tables: &Value) -> Result<Packed<BTreeMap<String, String>>, PlanError> {
    let mut digests = BTreeMap::new();
    for (side, table) in tables.as_object().into_iter().flatten() {
        for (key, value) in table.as_object().into_iter().flatten() {
            digests.insert(format!("{side}.{key}"), digest(value).map_err(PlanError::Unwritable)?);
        }
    }
    Packed::new(&digests).map_err(PlanError::Unwritable)
}

/// Without digests, everything counts as changed.
fn digests_of(spec: &TenantSpec) -> BTreeMap<String, String> {
    spec.config.get().unwrap_or_default()
}

/// Names only the keys that changed, because the plan keeps digests and not the values.
fn changed_keys(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed.map(|key| format!("the configuration of `{key}` changed since the plan was made")).collect()
}

/// Removes the steps of tenants whose org has another migration that is started and not finished. `busy` has these orgs, with
/// the tenant of each.
pub fn hold_back_shared_orgs(tenants: &mut [PlannedTenant], busy: &BTreeMap<(String, String), String>) {
    for tenant in tenants.iter_mut().filter(|tenant| !tenant.steps.is_empty()) {
        let Some(org) = tenant.org() else { continue };
        if let Some(finding) = find_busy_org(&tenant.name, &org, busy) {
            tenant.hold_back(finding);
        }
    }
}

/// Keeps the steps of only the first tenant in each org. If an answer is lost, flowswap cannot tell the new clients of two
/// migrations in one org apart, and each migration changes what the other plan was made from. This also catches a directory
/// that is configured twice.
fn hold_back_all_but_first(mut tenants: Vec<PlannedTenant>) -> Vec<PlannedTenant> {
    let mut first: BTreeMap<(String, String), String> = BTreeMap::new();
    for tenant in tenants.iter_mut().filter(|tenant| !tenant.steps.is_empty()) {
        let Some(org) = tenant.org() else { continue };
        if let Some(other) = first.get(&org) {
            let message =
                format!("this plan already migrates `{other}`, which is connected to the same org `{}`", org.1);
            tenant.hold_back(Finding::of(ORG_SHARED, message));
        } else {
            first.insert(org, tenant.name.clone());
        }
    }
    tenants
}

#[cfg(test)]
mod tests {
    use flowswap_contract::{LegacyClient, Lookalike};

    use super::*;

    #[test]
    fn the_order_in_which_a_server_lists_things_does_not_matter() {
        let client = |id: &str, reversed: bool| {
            let mut scopes = vec!["okta.groups.read".to_owned(), "okta.users.read".to_owned()];
            if reversed {
                scopes.reverse();
            }
            LegacyClient {
                id: id.to_owned(),
                client_id: id.to_owned(),
                label: id.to_owned(),
                status: "ACTIVE".to_owned(),
                grant_types: scopes.clone(),
                redirect_uris: scopes.clone(),
                scopes,
                last_sign_in: None,
                tokens: Tokens::default(),
                refresh_token_rotation: None,
                assigned: None,
            }
        };
        let lookalike = |id: &str| Lookalike {
            id: id.to_owned(),
            client_id: None,
            label: id.to_owned(),
            kind: "SAML_2_0".to_owned(),
        };
        let sorted = |ids: [&str; 2], reversed: bool| {
            let mut provider = ProviderInventory {
                legacy_clients: ids.map(|id| client(id, reversed)).to_vec(),
                lookalikes: ids.map(lookalike).to_vec(),
                ..ProviderInventory::default()
            };
            sort(&mut provider);
            provider
        };
        assert_eq!(sorted(["a", "b"], false), sorted(["b", "a"], true));
    }
}
