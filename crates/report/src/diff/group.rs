//! Tenants that changed alike.

use flowswap_engine::Verdict;
use schemars::JsonSchema;
use serde::Serialize;

use super::values::{Found, ValueChange};

/// Something that was one thing and is another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Moved<T> {
    /// In the old plan.
    pub from: T,
    /// In the new plan.
    pub to: T,
}

/// Tenants of both plans that changed alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangedTenants {
    /// Their names, in the order of the new plan.
    pub tenants: Vec<String>,
    /// Their verdicts, if these changed.
    pub verdict: Option<Moved<Verdict>>,
    /// Their classes, if these changed.
    pub class: Option<Moved<String>>,
    /// How the new class differs from the old one, in sentences.
    pub differences: Vec<String>,
    /// The ids of the findings that the old plan does not have.
    pub findings_new: Vec<String>,
    /// The ids of the findings that the new plan does not have.
    pub findings_gone: Vec<String>,
    /// The values that changed in the same way for all of them. If their own names and ids are in it, these are shown as what they
    /// are, such as `[domain]`.
    pub values: Vec<ValueChange>,
    /// The values that changed for each of them in its own way.
    pub own_values: Vec<OwnValues>,
}

/// How one tenant's own values changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnValues {
    /// The tenant.
    pub tenant: String,
    /// The values.
    pub values: Vec<ValueChange>,
}

/// What changed for one tenant, in a form in which it can be the same for others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) verdict: Option<Moved<Verdict>>,
    pub(super) class: Option<Moved<String>>,
    pub(super) differences: Vec<String>,
    pub(super) findings_new: Vec<String>,
    pub(super) findings_gone: Vec<String>,
    /// The kinds of values.
    pub(super) values: Vec<String>,
}

/// One tenant with what changed.
pub(super) struct ChangedTenant {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) found: Vec<Found>,
}

/// Puts tenants that changed alike together. The largest group of those that moved to another class comes first, and tenants that
/// stay in their class come last.
pub(super) fn group(tenants: Vec<ChangedTenant>) -> Vec<ChangedTenants> {
    let mut groups: Vec<(Kind, Vec<ChangedTenant>)> = Vec::new();
    for tenant in tenants {
        match groups.iter_mut().find(|(kind, _)| *kind == tenant.kind) {
            Some((_, tenants)) => tenants.push(tenant),
            None => groups.push((tenant.kind.clone(), vec![tenant])),
        }
    }
    groups.sort_by_key(|(kind, tenants)| {
        (kind.verdict.is_none(), kind.class.is_none(), std::cmp::Reverse(tenants.len()))
    });
    groups.into_iter().map(|(kind, tenants)| ChangedTenants::of(kind, &tenants)).collect()
}

impl ChangedTenants {
    fn of(kind: Kind, tenants: &[ChangedTenant]) -> Self {
        let Kind { verdict, class, differences, findings_new, findings_gone, values: _ } = kind;
        // A text that has the tenant's name in it changed alike if it did so apart from the name.
        let is_alike = |found: &Found, other: &Found| {
            found.change == other.change || found.general.is_some() && found.general == other.general
        };
        let is_common =
            |found: &&Found| tenants.iter().all(|tenant| tenant.found.iter().any(|other| is_alike(found, other)));
        let first = tenants.first().map(|tenant| tenant.found.as_slice()).unwrap_or_default();
        let common: Vec<&Found> = first.iter().filter(is_common).collect();
        let is_same =
            |found: &Found| tenants.iter().all(|tenant| tenant.found.iter().any(|other| other.change == found.change));
        let values = common.iter().map(|found| match &found.general {
            Some(general) if !is_same(found) => general.clone(),
            _ => found.change.clone(),
        });
        let values = values.collect();
        let own = tenants.iter().map(|tenant| OwnValues {
            tenant: tenant.name.clone(),
            values: tenant
                .found
                .iter()
                .filter(|found| !common.iter().any(|common| is_alike(common, found)))
                .map(|found| found.change.clone())
                .collect(),
        });
        let own_values = own.filter(|own| !own.values.is_empty()).collect();
        let tenants = tenants.iter().map(|tenant| tenant.name.clone()).collect();
        Self { tenants, verdict, class, differences, findings_new, findings_gone, values, own_values }
    }
}
