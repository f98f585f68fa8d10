//! Tenants that are planned alike. A reviewer reads one of them and knows all.

use std::{cmp::Reverse, collections::BTreeMap};

use flowswap_engine::{PlannedTenant, Seen, Verdict, digest};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    change::Change,
    difference,
    shape::{defining, shape},
    step::{LedgerLine, Reach, StepLine},
    tenant::SeenTenant,
};

/// Tenants with the same verdict, findings, steps, and rollback, apart from their own names and ids.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Class {
    /// SHA-256 of what the tenants have in common, hexadecimal. It is the same in every plan, whatever the tenants are called.
    pub id: String,
    /// Their verdict.
    pub verdict: Verdict,
    /// Their names, in the order of the plan.
    pub tenants: Vec<String>,
    /// The ids of their findings, without those that are only worth knowing, and those that come with time alone.
    pub findings: Vec<String>,
    /// How it differs from the first class, in sentences. Empty for the first class, and if there are no steps.
    pub differences: Vec<String>,
    /// What stands before the migration and after it.
    pub change: Option<Change>,
    /// Which servers get the credentials of the first tenant. Empty if there are no steps.
    pub reach: Vec<Reach>,
    /// The steps of the first tenant. Those of the others differ only in the tenant's own names and ids.
    pub steps: Vec<StepLine>,
    /// The reversibility ledger: how each step is rolled back, from the last step to the first.
    pub rollback: Vec<LedgerLine>,
    /// What earlier classes have in the same form, apart from the tenants' own names and ids.
    pub alike: Vec<Alike>,
}

/// The parts that a class shares with an earlier one. A reviewer has read them there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Alike {
    /// The id of the earlier class.
    pub class: String,
    /// The ids of the steps.
    pub steps: Vec<String>,
    /// Whether the rollback is the same.
    pub rollback: bool,
    /// Whether the same kinds of servers get the credentials, and requests for tokens go to the same paths.
    pub reach: bool,
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
    let mut classes: Vec<_> = classes.into_values().map(|(first, shape, class)| (first, class, shape)).collect();
    classes.sort_by_key(|(first, class, _)| (class.verdict, Reverse(class.tenants.len()), *first));
    let mut compared: Vec<(Class, Value)> = Vec::new();
    for (_, class, shape) in classes {
        let class = match compared.first() {
            Some((_, largest)) if !class.steps.is_empty() => Class {
                differences: difference::describe(largest, &shape),
                alike: find_alike(&class, &shape, &compared),
                ..class
            },
            _ => class,
        };
        compared.push((class, shape));
    }
    compared.into_iter().map(|(class, _)| class).collect()
}

/// The id of the class that a planned tenant belongs to. It is that of [`Class::id`].
pub fn class_id(tenant: &PlannedTenant) -> String {
    id_of(&shape(tenant, tenant.seen().as_ref()))
}

fn id_of(shape: &Value) -> String {
    // A value of JSON always becomes JSON.
    digest(shape).unwrap_or_default()
}

/// Where each part of a class stands in one of the earlier classes, if it does.
fn find_alike(class: &Class, shape: &Value, earlier: &[(Class, Value)]) -> Vec<Alike> {
    // In another order, each step is another one.
    let has_order_of = |other: &Value| {
        let shared = |of: &Value, other: &Value| -> Vec<Value> {
            steps(of).iter().filter(|step| steps(other).contains(step)).cloned().collect()
        };
        shared(shape, other) == shared(other, shape)
    };
    let (mut rest, mut rollback, mut reach): (Vec<&str>, _, _) =
        (class.steps.iter().map(|step| step.id.as_str()).collect(), true, true);
    let mut alike = Vec::new();
    for (other, of_other) in earlier {
        if rest.is_empty() && !rollback && !reach {
            break;
        }
        let is_same_order = has_order_of(of_other);
        let is_same = |id: &str| {
            let step = |of| steps(of).iter().find(|step| step["id"] == id);
            is_same_order && step(shape) == step(of_other)
        };
        let (found, others): (Vec<_>, _) = rest.into_iter().partition(|id| is_same(id));
        rest = others;
        let has = |members: &[&str]| members.iter().all(|member| shape[*member] == of_other[*member]);
        let parts = Alike {
            class: other.id.clone(),
            steps: found.into_iter().map(str::to_owned).collect(),
            rollback: rollback && has(&["rollback"]),
            reach: reach && has(&["origins", "token_paths"]),
        };
        rollback &= !parts.rollback;
        reach &= !parts.reach;
        if !parts.steps.is_empty() || parts.rollback || parts.reach {
            alike.push(parts);
        }
    }
    alike
}

fn steps(shape: &Value) -> &[Value] {
    shape["steps"].as_array().map(Vec::as_slice).unwrap_or_default()
}

impl Class {
    fn of(id: String, tenant: &PlannedTenant, seen: Option<&Seen>) -> Self {
        Self {
            id,
            verdict: tenant.verdict,
            tenants: Vec::new(),
            findings: defining(&tenant.findings),
            differences: Vec::new(),
            change: Change::of(tenant, seen),
            reach: Reach::of(tenant),
            steps: tenant.steps.iter().map(StepLine::of).collect(),
            rollback: tenant.way_back.iter().map(|line| LedgerLine::of(line, &tenant.steps)).collect(),
            alike: Vec::new(),
        }
    }
}
