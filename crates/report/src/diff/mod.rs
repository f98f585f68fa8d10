//! What differs between two plans, for a reviewer who approved the old one.

mod group;
mod names;
mod summary;
mod tenant;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use flowswap_engine::{Plan, Time, Verdict};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use self::{
    group::{ChangedTenant, group},
    tenant::{Lined, compare_tenants},
};
pub use self::{
    group::{ChangedTenants, Moved, OwnValues},
    values::ValueChange,
};
use crate::{
    class::Class,
    plan::{PlanReport, PluginLine, name_of},
    wave::compare_waves,
};

/// The format of differences as JSON.
pub const DIFFERENCE_FORMAT: u32 = 1;

/// What differs between two plans. Only the times and the digests of the plans are not compared.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlanDifference {
    /// The format of the document.
    #[schemars(extend("const" = DIFFERENCE_FORMAT))]
    pub format: u32,
    /// The old plan.
    pub old: PlanHead,
    /// The new plan.
    pub new: PlanHead,
    /// What differs, in sentences.
    pub summary: Vec<String>,
    /// Whether nothing differs but the times and the digests.
    pub is_empty: bool,
    /// The plugins that differ.
    pub plugins: Vec<ChangedPlugin>,
    /// Tenants that only the new plan has, by class.
    pub added: Vec<TenantsOfClass>,
    /// Tenants that only the old plan has, by class.
    pub removed: Vec<TenantsOfClass>,
    /// Tenants of both plans that changed. Those that changed alike are together.
    pub changed: Vec<ChangedTenants>,
    /// How many tenants of both plans are the same.
    pub unchanged: usize,
    /// Whether somebody else made the new plan. A configuration can exclude that person from approving it.
    pub is_by_another: bool,
    /// Whether the tenants of both plans have another order. flowswap plans only the first tenant of an org.
    pub is_reordered: bool,
    /// What differs between the waves, in sentences.
    pub waves: Vec<String>,
    /// Classes that only the new plan has, without those whose tenants are all new.
    pub classes_new: Vec<TenantsOfClass>,
    /// Classes that only the old plan has, without those whose tenants the new plan does not have.
    pub classes_gone: Vec<TenantsOfClass>,
    /// Every tenant of both plans, and what became of it.
    pub tenants: Vec<TenantOutcome>,
}

/// What identifies a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanHead {
    /// Its digest.
    pub digest: String,
    /// When it was made.
    #[schemars(with = "Time")]
    pub created_at: Timestamp,
    /// Who made it. `None` in plans from before they said so.
    pub made_by: Option<String>,
    /// After this time it starts no tenant.
    #[schemars(with = "Time")]
    pub not_after: Timestamp,
    /// The number of its tenants.
    pub tenants: usize,
}

/// A plugin that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangedPlugin {
    /// Its name.
    pub name: String,
    /// What differs, in sentences.
    pub differences: Vec<String>,
    /// The plugin of the old plan.
    pub old: Option<PluginLine>,
    /// The plugin of the new plan.
    pub new: Option<PluginLine>,
}

/// Tenants of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TenantsOfClass {
    /// The id of the class.
    pub class: String,
    /// Their verdict.
    pub verdict: Verdict,
    /// Their names, in the order of their plan.
    pub tenants: Vec<String>,
}

/// What became of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TenantOutcome {
    /// Its name.
    pub name: String,
    /// Whether it is the same in both plans, or what happened to it.
    pub outcome: Outcome,
}

/// What can become of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is the same in both plans.
    Unchanged,
    /// Only the new plan has it.
    Added,
    /// Only the old plan has it.
    Removed,
    /// Both plans have it, and it is not the same.
    Changed,
}

impl PlanDifference {
    /// Compares two plans.
    pub fn of(old: &Plan, new: &Plan) -> Self {
        let (old_report, new_report) = (PlanReport::of(old), PlanReport::of(new));
        let (of_old, of_new) = (by_name(old, &old_report), by_name(new, &new_report));
        let both = new.tenants.iter().filter_map(|tenant| {
            let name = tenant.name.as_str();
            Some((*of_old.get(name)?, *of_new.get(name)?))
        });
        let changed: Vec<ChangedTenant> = both.filter_map(|(old, new)| compare_tenants(old, new)).collect();
        let names: BTreeSet<&str> = changed.iter().map(|tenant| tenant.name.as_str()).collect();
        let outcome = |name: &str| match (of_old.contains_key(name), of_new.contains_key(name)) {
            (false, _) => Outcome::Added,
            (_, false) => Outcome::Removed,
            _ if names.contains(name) => Outcome::Changed,
            _ => Outcome::Unchanged,
        };
        let only_old = old.tenants.iter().filter(|tenant| !of_new.contains_key(tenant.name.as_str()));
        let tenants = new
            .tenants
            .iter()
            .chain(only_old)
            .map(|tenant| TenantOutcome { name: tenant.name.clone(), outcome: outcome(&tenant.name) });
        let tenants: Vec<TenantOutcome> = tenants.collect();
        let mut difference = Self {
            format: DIFFERENCE_FORMAT,
            old: PlanHead::of(old),
            new: PlanHead::of(new),
            summary: Vec::new(),
            is_empty: false,
            plugins: compare_plugins(&old_report.plugins, &new_report.plugins),
            added: within(&new_report.classes, |name| !of_old.contains_key(name)),
            removed: within(&old_report.classes, |name| !of_new.contains_key(name)),
            unchanged: tenants.iter().filter(|tenant| tenant.outcome == Outcome::Unchanged).count(),
            changed: group(changed),
            is_by_another: old.made_by != new.made_by,
            is_reordered: is_reordered(old, new, &of_old, &of_new),
            waves: compare_waves(&old_report.waves, &new_report.waves),
            classes_new: only(&new_report.classes, &old_report.classes, |name| of_old.contains_key(name)),
            classes_gone: only(&old_report.classes, &new_report.classes, |name| of_new.contains_key(name)),
            tenants,
        };
        difference.is_empty = difference.plugins.is_empty()
            && difference.unchanged == difference.tenants.len()
            && !difference.is_by_another
            && difference.waves.is_empty()
            && !difference.is_reordered;
        difference.summary = summary::summarize(&difference);
        difference
    }
}

impl PlanHead {
    fn of(plan: &Plan) -> Self {
        Self {
            digest: plan.digest.clone(),
            created_at: plan.created_at,
            made_by: plan.made_by.as_ref().map(name_of),
            not_after: plan.not_after,
            tenants: plan.tenants.len(),
        }
    }
}

fn by_name<'a>(plan: &'a Plan, report: &'a PlanReport) -> BTreeMap<&'a str, Lined<'a>> {
    plan.tenants.iter().zip(&report.tenants).map(|tenant| (tenant.0.name.as_str(), tenant)).collect()
}

/// Whether the tenants that both plans have come in another order.
fn is_reordered(
    old: &Plan,
    new: &Plan,
    of_old: &BTreeMap<&str, Lined<'_>>,
    of_new: &BTreeMap<&str, Lined<'_>>,
) -> bool {
    let shared = |plan: &Plan, other: &BTreeMap<&str, Lined<'_>>| -> Vec<String> {
        let names = plan.tenants.iter().map(|tenant| tenant.name.clone());
        names.filter(|name| other.contains_key(name.as_str())).collect()
    };
    shared(old, of_new) != shared(new, of_old)
}

/// The tenants of each class for which this is true.
fn within(classes: &[Class], is_in: impl Fn(&str) -> bool) -> Vec<TenantsOfClass> {
    let parts = classes.iter().map(|class| TenantsOfClass {
        class: class.id.clone(),
        verdict: class.verdict,
        tenants: class.tenants.iter().filter(|name| is_in(name)).cloned().collect(),
    });
    parts.filter(|part| !part.tenants.is_empty()).collect()
}

/// The classes that the others do not have. Those whose tenants are all in one plan only are listed with these tenants.
fn only(classes: &[Class], others: &[Class], is_in_both: impl Fn(&str) -> bool) -> Vec<TenantsOfClass> {
    let is_other = |class: &&Class| {
        others.iter().all(|other| other.id != class.id) && class.tenants.iter().any(|name| is_in_both(name))
    };
    let classes: Vec<Class> = classes.iter().filter(is_other).cloned().collect();
    within(&classes, |_| true)
}

fn compare_plugins(old: &[PluginLine], new: &[PluginLine]) -> Vec<ChangedPlugin> {
    let names: BTreeSet<&String> = old.iter().chain(new).map(|plugin| &plugin.name).collect();
    let find = |plugins: &[PluginLine], name: &String| plugins.iter().find(|plugin| plugin.name == *name).cloned();
    let changed = names.into_iter().filter_map(|name| {
        let (old, new) = (find(old, name), find(new, name));
        let differences = summary::describe_plugin(old.as_ref(), new.as_ref());
        (old != new).then(|| ChangedPlugin { name: name.clone(), differences, old, new })
    });
    changed.collect()
}
