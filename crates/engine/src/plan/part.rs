//! One tenant's part of a plan, as the journal stores it: once, before the first run works on the tenant.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Plan, PlannedTenant, PluginPin};

/// One tenant's part of a plan, with what the whole plan says about it. The work needs nothing else, so the plan's file may
/// get lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanPart {
    /// The digest of the whole plan.
    pub plan: String,
    /// The file of the plan, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// When the plan was made.
    pub made_at: Timestamp,
    /// After this time no work starts on the tenant. Work that was started continues.
    pub not_after: Timestamp,
    /// The wave of the plan that the tenant is in, if the plan has waves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// The tenant's part.
    pub tenant: Arc<PlannedTenant>,
    /// The plugins that made it and carry it out, by name.
    pub plugins: BTreeMap<String, PluginPin>,
}

impl PlanPart {
    /// The part of one of the plan's tenants, which is in this wave. Pins only the plugins that this tenant uses.
    pub fn of(plan: &Plan, tenant: Arc<PlannedTenant>, wave: Option<&str>, path: Option<&str>) -> Self {
        let is_used = |name: &&String| [&tenant.provider_plugin, &tenant.directory_plugin].contains(name);
        let pins = plan.plugins.iter().filter(|(name, _)| is_used(name));
        Self {
            plan: plan.digest.clone(),
            path: path.map(str::to_owned),
            made_at: plan.created_at,
            not_after: plan.not_after,
            wave: wave.map(str::to_owned),
            plugins: pins.map(|(name, pin)| (name.clone(), pin.clone())).collect(),
            tenant,
        }
    }
}
