//! What a plan does, in sentences: what a reviewer reads before everything else.

use std::{cmp::Reverse, collections::BTreeMap};

use flowswap_contract::Reversibility;
use flowswap_engine::{Verdict, is_step_of_rotation};

use crate::{change::Change, class::Class, number::number, tenant::TenantLine, timeline::Timeline};

/// How many of the connections that stop working first are named.
const MOST_NAMES: usize = 5;
/// For how many sets of added scopes there is a sentence of its own.
const MOST_SCOPES: usize = 5;

/// The sentences at the beginning.
pub(crate) fn summarize(classes: &[Class], tenants: &[TenantLine], timeline: Option<&Timeline>) -> Vec<String> {
    let changed: Vec<&Class> = classes.iter().filter(|class| !class.steps.is_empty()).collect();
    let count = |is_one: &dyn Fn(&Class) -> bool| -> usize {
        changed.iter().filter(|class| is_one(class)).map(|class| class.tenants.len()).sum()
    };
    let rotates = changed.iter().any(|class| class.steps.iter().any(|step| is_step_of_rotation(&step.id)));
    let (all, tenants_of) = (count(&|_| true), number(tenants.len(), "tenant", "tenants"));
    let in_classes = number(changed.len(), "class", "classes");
    let mut sentences = vec![if rotates {
        format!("flowswap will rotate the client secret of {all} of {tenants_of}, in {in_classes}.")
    } else {
        format!("flowswap will migrate {all} of {tenants_of} to the client-credential flow, in {in_classes}.")
    }];
    sentences.extend(describe_scopes(&changed));
    let by_hand = count(&|class| class.steps.iter().any(|step| step.by_person));
    if by_hand > 0 {
        sentences.push(format!("A person must act for {by_hand} of them."));
    }
    let attended = count(&|class| class.rollback.iter().any(|line| line.reversibility == Reversibility::Attended));
    if attended > 0 {
        sentences.push(format!("The rollback of {attended} needs a person."));
    }
    let blocked = tenants.iter().filter(|tenant| matches!(tenant.verdict, Verdict::Blocked | Verdict::Unknown)).count();
    if blocked > 0 {
        let what = if rotates { "rotated" } else { "migrated" };
        sentences.push(format!("{} cannot be {what} yet.", number(blocked, "tenant", "tenants")));
    }
    sentences.extend(timeline.and_then(name_next));
    sentences
}

/// The scopes that only the new clients have: more access than before must not hide in a class.
fn describe_scopes(classes: &[&Class]) -> Vec<String> {
    let mut added: BTreeMap<&[String], usize> = BTreeMap::new();
    let mut unknown = 0;
    for class in classes {
        let Some(Change { before, scopes_added, .. }) = &class.change else { continue };
        if before.scopes.is_empty() {
            unknown += class.tenants.len();
        } else if !scopes_added.is_empty() {
            *added.entry(scopes_added).or_default() += class.tenants.len();
        }
    }
    let mut added: Vec<_> = added.into_iter().collect();
    added.sort_by_key(|(_, tenants)| Reverse(*tenants));
    let others: usize = added.iter().skip(MOST_SCOPES).map(|(_, tenants)| tenants).sum();
    let others = (others > 0).then(|| {
        let tenants = number(others, "more tenant", "more tenants");
        format!("In {tenants}, the new client gets other scopes that the legacy client does not have.")
    });
    let said = added.into_iter().take(MOST_SCOPES).map(|(scopes, tenants)| {
        let tenants = number(tenants, "tenant", "tenants");
        let (what, scopes) = (if scopes.len() == 1 { "a scope" } else { "scopes" }, quote(scopes));
        format!("In {tenants}, the new client gets {what} that the legacy client does not have: {scopes}.")
    });
    let unknown = (unknown > 0).then(|| {
        let tenants = number(unknown, "tenant", "tenants");
        format!("In {tenants}, the scopes of the legacy client are not known, so the new client may get more.")
    });
    said.chain(others).chain(unknown).collect()
}

/// The connections that stop working first. Those of the same day count alike.
fn name_next(timeline: &Timeline) -> Option<String> {
    let day = timeline.next.iter().find(|day| day.days_left >= 0)?;
    let names: Vec<String> = day.migrated.iter().chain(&day.left).take(MOST_NAMES).cloned().collect();
    let count = day.migrated.len() + day.left.len();
    let more = count - names.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let (what, stop) =
        if count == 1 { ("connection".to_owned(), "stops") } else { (format!("{count} connections"), "stop") };
    let when = match day.days_left {
        0 => "within a day".to_owned(),
        days => format!("in {}", number(days, "day", "days")),
    };
    Some(format!("The next {what} {stop} working {when}: {}{more}.", quote(&names)))
}

fn quote(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
