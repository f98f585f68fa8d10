//! Rehearsals: a tenant is migrated and proven, and then rolled back and proven, to show that tenants like it can be.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{PlannedTenant, PluginPin, Time};

/// A rehearsal that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    /// The digest of its plan.
    pub plan: String,
    /// Since when the tenant is swapped, and both sides have confirmed it. `None` before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub swapped_at: Option<Timestamp>,
}

/// The receipt of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsed {
    /// The digest of its plan.
    pub plan: String,
    /// When the tenant was swapped, and both sides had confirmed it.
    #[schemars(with = "Time")]
    pub swapped_at: Timestamp,
    /// When it was rolled back, and the directory had its previous connection again.
    #[schemars(with = "Time")]
    pub rolled_back_at: Timestamp,
    /// What was rehearsed.
    pub course: Course,
}

/// How a tenant is migrated: the builds of its plugins, and the steps that they carry out. What is rehearsed for one tenant is shown
/// for all tenants with the same course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Course {
    /// The plugin of the org.
    provider_plugin: String,
    /// The plugin of the directory.
    directory_plugin: String,
    /// Whether the directory also collects applications. Then the integration has another type and more scopes.
    app_data: bool,
    /// The builds of both.
    plugins: BTreeMap<String, PluginPin>,
    /// The ids of the steps, in their order.
    steps: Vec<String>,
}

impl Course {
    /// The course of a planned tenant, with the builds that carry it out.
    pub fn of(tenant: &PlannedTenant, plugins: &BTreeMap<String, PluginPin>) -> Self {
        let PlannedTenant { provider_plugin, directory_plugin, app_data, steps, .. } = tenant;
        let used = [provider_plugin, directory_plugin];
        let used = used.into_iter().filter_map(|name| Some((name.clone(), plugins.get(name)?.clone())));
        Self {
            provider_plugin: provider_plugin.clone(),
            directory_plugin: directory_plugin.clone(),
            app_data: *app_data,
            plugins: used.collect(),
            steps: steps.iter().map(|step| step.id.clone()).collect(),
        }
    }
}
