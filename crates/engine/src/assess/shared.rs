//! Tenants that share an org, found before any plan.

use std::collections::BTreeMap;

use super::{Finding, ORG_SHARED};

/// An org: the provider's plugin, and the domain.
type Org = (String, String);

/// A finding for every tenant whose org another tenant has first, by its name. `tenants` are in the order in which plans take
/// them: those that could be migrated now come before the others. `busy` has the orgs of migrations that are not finished, with the tenant of each.
pub fn find_shared_orgs<'a>(
    tenants: impl IntoIterator<Item = (&'a str, Org)>,
    busy: &BTreeMap<Org, String>,
) -> BTreeMap<String, Finding> {
    let mut first: BTreeMap<Org, &str> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for (name, org) in tenants {
        let shared = find_busy_org(name, &org, busy).or_else(|| {
            let other = first.get(&org)?;
            let message = format!("`{other}` is connected to the same org `{}`, and is migrated first", org.1);
            Some(Finding::of(ORG_SHARED, message))
        });
        match shared {
            Some(finding) => _ = found.insert(name.to_owned(), finding),
            None => _ = first.insert(org, name),
        }
    }
    found
}

/// The finding for a tenant whose org has another migration that is started and not finished.
pub(crate) fn find_busy_org(name: &str, org: &Org, busy: &BTreeMap<Org, String>) -> Option<Finding> {
    let other = busy.get(org).filter(|other| *other != name)?;
    let message = format!("the migration of `{other}` in the same org `{}` is not finished", org.1);
    Some(Finding::of(ORG_SHARED, message))
}
