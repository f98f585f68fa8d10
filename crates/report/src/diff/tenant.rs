//! What changed for one tenant of both plans.

use flowswap_engine::{Finding, PlannedTenant};
use serde_json::Value;

use super::{
    group::{ChangedTenant, Kind, Moved},
    values::{Found, Side, ValueChange, compare},
};
use crate::{cause::without_times, difference, shape::shape, tenant::TenantLine};

/// The days left are a difference if they moved by more than this.
const MOVED_DAYS: u64 = 7;

/// A tenant of a plan with its line in the report.
pub(super) type Lined<'a> = (&'a PlannedTenant, &'a TenantLine);

/// What changed for a tenant of both plans. `None` if it is the same.
pub(super) fn compare_tenants((old, old_line): Lined<'_>, (new, new_line): Lined<'_>) -> Option<ChangedTenant> {
    let new = &with_times_of(new, old);
    let (seen_old, seen_new) = (old.seen(), new.seen());
    let mut found = Vec::new();
    let mut differences = Vec::new();
    if old != new {
        found = compare(&Side::of(old, seen_old.as_ref()), &Side::of(new, seen_new.as_ref()));
        let has_steps = !old.steps.is_empty() && !new.steps.is_empty();
        if old_line.class != new_line.class && has_steps {
            // Findings are listed by themselves.
            let mut shapes = [shape(old, seen_old.as_ref()), shape(new, seen_new.as_ref())];
            shapes.iter_mut().for_each(|shape| shape["findings"] = Value::Null);
            differences = difference::describe(&shapes[0], &shapes[1]);
        }
    }
    found.extend(compare_days(old_line.days_left, new_line.days_left));
    let only = |of: &PlannedTenant, other: &PlannedTenant| -> Vec<String> {
        let is_other = |id: &String| !other.findings.iter().any(|finding| finding.id == *id);
        of.findings.iter().map(|finding| finding.id.clone()).filter(is_other).collect()
    };
    let mut values: Vec<String> = found.iter().map(|found| found.kind.clone()).collect();
    values.sort();
    let kind = Kind {
        verdict: moved(old.verdict, new.verdict),
        class: moved(old_line.class.clone(), new_line.class.clone()),
        differences,
        findings_new: only(new, old),
        findings_gone: only(old, new),
        values,
    };
    (kind != Kind::default() || old != new).then(|| ChangedTenant { name: new.name.clone(), kind, found })
}

/// The tenant with the message of the other one for each finding whose message differs only in times. The time of the last refused
/// token moves whenever a plan is made.
fn with_times_of(tenant: &PlannedTenant, other: &PlannedTenant) -> PlannedTenant {
    let mut tenant = tenant.clone();
    for finding in &mut tenant.findings {
        let known = other.findings.iter().find(|known| known.id == finding.id);
        let is_same = |known: &&Finding| without_times(&known.message) == without_times(&finding.message);
        if let Some(known) = known.filter(is_same) {
            finding.message.clone_from(&known.message);
        }
    }
    tenant
}

fn moved<T: PartialEq>(from: T, to: T) -> Option<Moved<T>> {
    (from != to).then_some(Moved { from, to })
}

fn compare_days(old: Option<i64>, new: Option<i64>) -> Option<Found> {
    let is_moved = match (old, new) {
        (Some(old), Some(new)) => old.abs_diff(new) > MOVED_DAYS,
        _ => old != new,
    };
    let text = |days: Option<i64>| days.map(|days| days.to_string());
    let change = ValueChange { what: "days left".to_owned(), old: text(old), new: text(new) };
    is_moved.then(|| Found { kind: "days left".to_owned(), change, general: None })
}
