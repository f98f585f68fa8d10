//! What differs between two plans. Nothing that differs may be left out.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_engine::{Actor, Plan, PlannedTenant};
use flowswap_report::{ChangedTenants, Face, Moved, Outcome, PlanDifference, TenantsOfClass, ValueChange};
use insta::{assert_snapshot, with_settings};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    faces::follows_its_schema,
    fleet::{Shape, freeze, now, plan, planned},
};

/// The same tenant with another client, under the same name.
fn with_client(tenant: &PlannedTenant, client_id: &str) -> PlannedTenant {
    let old = tenant.seen().unwrap().directory.client_id.unwrap();
    serde_json::from_str(&json!(tenant).to_string().replace(&old, client_id)).unwrap()
}

/// A plan, and one with a change of each kind.
pub(crate) fn pair() -> (Plan, Plan) {
    let old = plan(5);
    let mut new = old.clone();
    let gone = new.tenants.remove(0);
    new.tenants.push(planned("newcomer", Shape::Usual));
    let mut replace = |tenant: PlannedTenant| {
        let place = new.tenants.iter_mut().find(|other| other.name == tenant.name).unwrap();
        *place = tenant;
    };
    replace(with_client(&old.tenants[1], "0oanewclientoftenant"));
    replace(with_client(&old.tenants[4], "0oanewclientoffive"));
    replace(planned("tenant-3", Shape::MoreScopes));
    replace(planned("tenant-4", Shape::MoreScopes));
    replace(planned("urgent", Shape::Unreadable));
    replace(planned("more", Shape::Undated));
    let okta = new.plugins.get_mut("okta").unwrap();
    (okta.sha256, okta.uncaged) = ("1".repeat(64), true);
    assert_eq!(gone.name, "tenant-1");
    (old, Plan::freeze(new.created_at, new.not_after, new.made_by, new.plugins, new.tenants).unwrap())
}

fn difference() -> PlanDifference {
    let (old, new) = pair();
    PlanDifference::of(&old, &new)
}

#[test]
fn a_plan_does_not_differ_from_itself() {
    for plan in [plan(0), plan(3)] {
        let difference = PlanDifference::of(&plan, &plan);
        assert!(difference.is_empty);
        assert_eq!(difference.summary, ["The two plans are the same."]);
        assert_eq!(difference.unchanged, plan.tenants.len());
    }
}

#[test]
fn another_time_is_nothing_that_matters() {
    let old = plan(3);
    let hours = |hours| SignedDuration::from_hours(hours);
    let later = |shift| {
        let made = now() + hours(shift);
        Plan::freeze(made, made + hours(8), old.made_by.clone(), old.plugins.clone(), old.tenants.clone()).unwrap()
    };
    let difference = PlanDifference::of(&old, &later(24 * 7));
    assert!(difference.is_empty && difference.old.digest != difference.new.digest);
    assert_eq!(difference.summary, ["Nothing that matters differs.", "Only times and the digest are different."]);
    let difference = PlanDifference::of(&old, &later(24 * 8));
    assert!(!difference.is_empty, "the connections have eight days less");
    let [group] = difference.changed.as_slice() else { panic!("{:?}", difference.summary) };
    assert_eq!(group.tenants, ["tenant-1", "tenant-2", "tenant-3", "more", "urgent"]);
    assert_eq!(group.own_values.len() + group.values.len(), 5, "{:?}", group.own_values);
    let text = |days: &str| Some(days.to_owned());
    let expect = ValueChange { what: "days left".to_owned(), old: text("4"), new: text("-4") };
    assert_eq!(group.own_values[4].values, [expect]);
}

/// The configuration may exclude who made the plan, so that is not a detail.
#[test]
fn another_planner_matters() {
    let old = plan(1);
    let by = |user: &str, name: Option<&str>| {
        let actor = Actor { user: user.to_owned(), host: Some("laptop".to_owned()), name: name.map(str::to_owned) };
        Plan::freeze(old.created_at, old.not_after, Some(actor), old.plugins.clone(), old.tenants.clone()).unwrap()
    };
    let ann = by("ann", None);
    assert!(PlanDifference::of(&ann, &by("ann", None)).is_empty);
    for (new, named) in [(by("bob", None), "bob on laptop"), (by("ann", Some("Bob")), "Bob (ann) on laptop")] {
        let difference = PlanDifference::of(&ann, &new);
        assert!(!difference.is_empty);
        let sentence = format!("The new plan was made by {named}, and the old one by ann on laptop.");
        assert_eq!(difference.summary, [sentence, "6 tenants are the same.".to_owned()]);
        assert!(Face::Junit.show(&difference).unwrap().contains("who made the plan"));
    }
    let unsigned = Plan::freeze(old.created_at, old.not_after, None, old.plugins.clone(), old.tenants.clone()).unwrap();
    let difference = PlanDifference::of(&unsigned, &ann);
    let sentence = "The new plan was made by ann on laptop. The old one does not say who made it.";
    assert_eq!(difference.summary[0], sentence);
    let difference = PlanDifference::of(&ann, &unsigned);
    let sentence = "The old plan was made by ann on laptop. The new one does not say who made it.";
    assert_eq!(difference.summary[0], sentence);
}

#[test]
fn tenants_that_moved_for_the_same_reason_are_one_entry() {
    let old = freeze((0..300).map(|number| planned(&format!("tenant-{number}"), Shape::Usual)).collect());
    let new = freeze((0..300).map(|number| planned(&format!("tenant-{number}"), Shape::MoreScopes)).collect());
    let difference = PlanDifference::of(&old, &new);
    assert_eq!(difference.summary, ["300 tenants moved to another class."]);
    let [group] = difference.changed.as_slice() else { panic!("{:?}", difference.summary) };
    assert_eq!(group.tenants.len(), 300);
    assert_eq!(group.differences, ["The new client also has the scope `okta.devices.read`."]);
    assert_eq!(group.values.len(), 1, "{:?}", group.values);
    assert_eq!(group.own_values, []);
}

/// A class does not depend on names and ids, so this is the only place where another client shows.
#[test]
fn another_client_of_the_same_class_is_named() {
    let tenants = ["a", "b", "c"].map(|name| planned(name, Shape::Usual));
    let others = tenants.iter().enumerate().map(|(number, tenant)| match number {
        0 => tenant.clone(),
        number => with_client(tenant, &format!("0oanewclient{number:08}")),
    });
    let (old, new) = (freeze(tenants.to_vec()), freeze(others.collect()));
    let difference = PlanDifference::of(&old, &new);
    assert_eq!(
        difference.summary,
        ["2 tenants stay in their class, but their own values differ.", "1 tenant is the same."]
    );
    let [group] = difference.changed.as_slice() else { panic!("{:?}", difference.summary) };
    assert_eq!((group.tenants.as_slice(), &group.class), (&["b".to_owned(), "c".to_owned()][..], &None));
    let text = |text: &str| Some(text.to_owned());
    let expect = ValueChange {
        what: "client ID in use".to_owned(),
        old: text("0oabxxxxxxxxxxxxxxxx"),
        new: text("0oanewclient00000001"),
    };
    assert!(group.own_values[0].values.contains(&expect), "{:?}", group.own_values);
    let is_of_step = |value: &ValueChange| value.what.contains("step");
    assert!(!group.own_values.iter().any(|own| own.values.iter().any(is_of_step)), "these follow from the client ID");
}

/// The class and what was seen are the same, so the steps have to say it.
#[test]
fn another_app_among_those_of_one_kind_is_named() {
    let two_others = |aim: &str| {
        let mut json = json!(planned("acme", Shape::Usual));
        let clients = json["seen"]["provider"]["legacy_clients"].as_array_mut().unwrap();
        for id in ["0oaotherapp000000001", "0oaotherapp000000002"] {
            let mut other = clients[0].clone();
            (other["id"], other["client_id"]) = (id.into(), id.into());
            clients.push(other);
        }
        let purge = json["steps"].as_array_mut().unwrap().last_mut().unwrap();
        purge["proposal"]["payload"]["app_id"] = aim.into();
        freeze(vec![serde_json::from_value(json).unwrap()])
    };
    let difference = PlanDifference::of(&two_others("0oaotherapp000000001"), &two_others("0oaotherapp000000002"));
    let [group] = difference.changed.as_slice() else { panic!("{:?}", difference.summary) };
    assert_eq!(group.class, None);
    assert_eq!(group.values[0].what, "`app_id` of the step `purge`");
}

/// What both directions of a comparison have in common.
type Mirror = (BTreeSet<String>, Vec<TenantsOfClass>, Vec<TenantsOfClass>, Vec<TenantsOfClass>, Vec<TenantsOfClass>);

#[test]
fn the_other_direction_is_the_mirror_image() {
    let (old, new) = pair();
    let (forth, back) = (PlanDifference::of(&old, &new), PlanDifference::of(&new, &old));
    let turn =
        |value: &ValueChange| ValueChange { what: value.what.clone(), old: value.new.clone(), new: value.old.clone() };
    let lines = |group: &ChangedTenants, is_back: bool| -> String {
        let own = group.own_values.iter().flat_map(|own| own.values.iter().map(|value| (own.tenant.clone(), value)));
        let mut values: Vec<_> = group.values.iter().map(|value| (String::new(), value)).chain(own).collect();
        values.sort_by(|a, b| (&a.0, &a.1.what).cmp(&(&b.0, &b.1.what)));
        let values: Vec<_> =
            values.into_iter().map(|(of, value)| (of, if is_back { turn(value) } else { value.clone() })).collect();
        let mut tenants = group.tenants.clone();
        tenants.sort();
        let class = group.class.clone().map(|Moved { from, to }| if is_back { (to, from) } else { (from, to) });
        let verdict = group.verdict.clone().map(|Moved { from, to }| if is_back { (to, from) } else { (from, to) });
        let findings = if is_back {
            (&group.findings_gone, &group.findings_new)
        } else {
            (&group.findings_new, &group.findings_gone)
        };
        format!("{tenants:?} {class:?} {verdict:?} {findings:?} {values:?}")
    };
    let mirror = |difference: PlanDifference, is_back: bool| -> Mirror {
        let changed = difference.changed.iter().map(|group| lines(group, is_back)).collect();
        let PlanDifference { added, removed, classes_new, classes_gone, .. } = difference;
        if is_back {
            (changed, removed, added, classes_gone, classes_new)
        } else {
            (changed, added, removed, classes_new, classes_gone)
        }
    };
    assert_eq!(mirror(forth, false), mirror(back, true));
}

#[test]
fn another_order_of_the_tenants_is_said() {
    let old = plan(3);
    let mut new = old.clone();
    new.tenants.swap(0, 1);
    let difference = PlanDifference::of(&old, &new);
    assert!(!difference.is_empty && difference.is_reordered);
    assert_eq!(
        difference.summary[0],
        "The tenants have another order. flowswap plans only the first tenant of an org."
    );
}

/// Each leaf of a value, changed in each way that can still be decoded.
fn mutations(value: &Value, path: &str) -> Vec<(String, Value)> {
    match value {
        Value::Object(members) => {
            let inner = members.iter().flat_map(|(name, member)| {
                mutations(member, &format!("{path}/{name}")).into_iter().map(move |(path, changed)| {
                    let mut whole = value.clone();
                    whole[name] = changed;
                    (path, whole)
                })
            });
            let without = members.keys().map(|name| {
                let mut whole = members.clone();
                whole.remove(name);
                (format!("{path}/{name} removed"), whole.into())
            });
            inner.chain(without).collect()
        }
        Value::Array(items) => {
            let inner = items.iter().enumerate().flat_map(|(index, item)| {
                mutations(item, &format!("{path}/{index}")).into_iter().map(move |(path, changed)| {
                    let mut whole = value.clone();
                    whole[index] = changed;
                    (path, whole)
                })
            });
            let mut more = Vec::new();
            if let Some(last) = items.last() {
                more.push((format!("{path} shorter"), items[1..].to_vec()));
                more.push((format!("{path} longer"), [items.as_slice(), std::slice::from_ref(last)].concat()));
            }
            if items.len() > 1 {
                more.push((format!("{path} reversed"), items.iter().rev().cloned().collect()));
            }
            let more = more.into_iter().map(|(path, items)| (path, Value::Array(items)));
            inner.chain(more).chain([(format!("{path} with a text"), json!(["x", items]))]).collect()
        }
        leaf => {
            let other = [
                json!("x"),
                json!(true),
                json!(false),
                json!(1),
                json!(2),
                Value::Null,
                json!("operator"),
                json!("plugin"),
                json!("provider"),
                json!("directory"),
                json!("attended"),
                json!("unattended"),
                json!("irreversible"),
                json!("error"),
                json!("warning"),
                json!("info"),
                json!("ready"),
                json!("blocked"),
                json!("swap"),
                json!("prove"),
                json!(leaf.to_string()),
            ];
            other.into_iter().filter(|other| other != leaf).map(|other| (path.to_owned(), other)).collect()
        }
    }
}

/// The members of a plan that may differ without a word: when it was made, how long it is valid, and its digest. Everything about
/// a tenant counts.
#[test]
fn no_change_of_a_tenant_is_left_out() {
    let mut tenant = planned("acme", Shape::Urgent);
    // So that each member of a step is there.
    let proposal = &mut tenant.steps[4].proposal;
    proposal.sends =
        Some(serde_json::from_value(json!([{ "input": "client_secret", "to": "https://a", "at": "/b" }])).unwrap());
    (proposal.queries, proposal.confirmed_by) =
        (vec!["https://a/b".to_owned()], Some(flowswap_contract::Role::Provider));
    for tenant in [tenant, planned("acme", Shape::Migrated), planned("acme", Shape::Unreadable)] {
        let json = json!(tenant);
        let old = freeze(vec![planned("acme", Shape::Usual)]);
        let with = |tenant: PlannedTenant| Plan { tenants: vec![tenant], ..old.clone() };
        let mut leaves: BTreeMap<String, usize> = BTreeMap::new();
        let mut silent = Vec::new();
        for (path, changed) in mutations(&json, "") {
            let Ok(changed) = serde_json::from_value::<PlannedTenant>(changed) else { continue };
            // What decodes to the same is no change, and a few other values of a leaf stand for all.
            if json!(changed) == json || leaves.get(&path).is_some_and(|count| *count == 3) {
                continue;
            }
            let difference = PlanDifference::of(&with(tenant.clone()), &with(changed));
            let says_nothing = |group: &ChangedTenants| {
                group.verdict.is_none()
                    && group.values.is_empty()
                    && group.own_values.is_empty()
                    && group.findings_new.is_empty()
                    && group.findings_gone.is_empty()
            };
            let is_silent = difference.is_empty
                || difference.changed.iter().any(says_nothing)
                || difference.changed.is_empty() && difference.added.is_empty();
            *leaves.entry(path.clone()).or_default() += 1;
            silent.extend(is_silent.then_some(path));
        }
        assert_eq!(silent, Vec::<String>::new());
        assert!(
            leaves.len() > if tenant.seen.is_some() { 60 } else { 8 },
            "only {} leaves of {}",
            leaves.len(),
            tenant.verdict
        );
    }
}

#[test]
fn no_change_of_a_plugin_is_left_out() {
    let old = plan(1);
    let change = |change: fn(&mut Plan)| {
        let mut new = old.clone();
        change(&mut new);
        let difference = PlanDifference::of(&old, &new);
        assert!(!difference.is_empty);
        difference.summary[0].clone()
    };
    let okta = |plan: &mut Plan| plan.plugins.get("okta").cloned().unwrap();
    assert_eq!(okta(&mut old.clone()).version, "0.1.0");
    let said = [
        change(|plan| plan.plugins.get_mut("okta").unwrap().version = "0.2.0".to_owned()),
        change(|plan| plan.plugins.get_mut("okta").unwrap().sha256 = "1".repeat(64)),
        change(|plan| plan.plugins.get_mut("okta").unwrap().uncaged = true),
        change(|plan| drop(plan.plugins.remove("okta"))),
        change(|plan| drop(plan.plugins.insert("other".to_owned(), plan.plugins["okta"].clone()))),
    ];
    assert_snapshot!(said.join("\n"), @r"
    The plugin `okta` has the version 0.2.0 instead of 0.1.0.
    The plugin `okta` is another build.
    The plugin `okta` no longer runs in a cage.
    The plugin `okta` is no longer used.
    The plugin `other` is new.
    ");
}

#[test]
fn every_tenant_has_an_outcome() {
    let outcomes: Vec<_> = difference().tenants.into_iter().map(|tenant| (tenant.name, tenant.outcome)).collect();
    let of = |name: &str| outcomes.iter().find(|(known, _)| known == name).map(|(_, outcome)| *outcome);
    assert_eq!(outcomes.len(), 11);
    assert_eq!(of("tenant-1"), Some(Outcome::Removed));
    assert_eq!(of("newcomer"), Some(Outcome::Added));
    assert_eq!(of("tenant-2"), Some(Outcome::Changed));
    assert_eq!(of("undated"), Some(Outcome::Unchanged));
}

fn show(face: Face) -> String {
    face.show(&difference()).unwrap()
}

#[test]
fn markdown() {
    with_settings!({ omit_expression => true }, { assert_snapshot!(show(Face::Markdown)) });
}

#[test]
fn html() {
    with_settings!({ omit_expression => true }, { assert_snapshot!(show(Face::Html)) });
}

#[test]
fn junit() {
    with_settings!({ omit_expression => true }, { assert_snapshot!(show(Face::Junit)) });
}

#[test]
fn json_follows_its_schema() {
    let same = plan(1);
    for difference in [difference(), PlanDifference::of(&same, &same)] {
        follows_its_schema(&difference);
    }
}

#[test]
fn a_time_that_always_moves_is_no_difference() {
    let refused = |time: &str| {
        let mut tenant = planned("acme", Shape::Usual);
        tenant.findings[0].message = format!("the org last refused a token at {time}");
        freeze(vec![tenant])
    };
    let old = refused("2026-09-12T08:36:00Z");
    let difference = PlanDifference::of(&old, &refused("2026-09-12T08:41:00.5Z"));
    assert!(difference.is_empty, "{:?}", difference.changed);
    assert_eq!(difference.unchanged, 1);
    for other in ["2026-09-12T08:41:00Z again", "noon"] {
        let difference = PlanDifference::of(&old, &refused(other));
        let value = &difference.changed[0].values[0];
        assert_eq!(value.new, Some(format!("the org last refused a token at {other}")));
    }
}

#[test]
fn what_changed_alike_apart_from_a_name_is_one_row() {
    let with_title = |words: &str| {
        let tenants = ["a-tenant", "b-tenant", "c-tenant"].map(|name| {
            let mut tenant = planned(name, Shape::Usual);
            let own = tenant.seen().unwrap().directory.client_id.unwrap();
            tenant.steps[0].proposal.title = format!("replace `{own}` of `{name}` {words}");
            tenant
        });
        freeze(tenants.into())
    };
    let difference = PlanDifference::of(&with_title("today"), &with_title("tomorrow"));
    let [group] = difference.changed.as_slice() else { panic!("{:?}", difference.changed) };
    let text = |day: &str| Some(format!("replace `[client ID in use]` of `[tenant]` {day}"));
    let what = "`title` of the step `provision`".to_owned();
    assert_eq!(group.values, [ValueChange { what, old: text("today"), new: text("tomorrow") }]);
    assert_eq!(group.own_values, []);
}

#[test]
fn tenants_of_one_plan_only_are_not_listed_again_by_class() {
    let (large, small) = (plan(5), freeze(vec![planned("tenant-1", Shape::Usual)]));
    let gone = PlanDifference::of(&large, &small);
    assert_eq!(gone.summary, ["9 tenants are not in the new plan.", "1 tenant is the same."]);
    assert_eq!((gone.removed.len(), gone.classes_gone.len()), (4, 0));
    let back = PlanDifference::of(&small, &large);
    assert_eq!((back.added.len(), back.classes_new.len()), (4, 0));
}

#[test]
fn a_finding_says_what_it_means() {
    let pair = [Shape::Usual, Shape::Migrated].map(|shape| freeze(vec![planned("acme", shape)]));
    let difference = PlanDifference::of(&pair[0], &pair[1]);
    for face in [Face::Html, Face::Markdown] {
        let text = face.show(&difference).unwrap();
        let meaning = "That cannot work: the org refuses this client, and the directory does not synchronize.";
        assert!(text.contains("New finding: ") && text.contains(meaning), "{face:?}: {text}");
    }
}

#[test]
fn a_rollback_that_is_no_longer_possible_is_said_in_the_words_of_reports() {
    let old = freeze(vec![planned("acme", Shape::Usual)]);
    let mut json = json!(old.tenants[0]);
    let undo = json["steps"].as_array_mut().unwrap().iter_mut().find(|step| step["id"] == "retire").unwrap();
    (undo["proposal"]["undo"], undo["proposal"]["reversibility"]) = (Value::Null, "irreversible".into());
    let back = json["way_back"].as_array_mut().unwrap().iter_mut().find(|line| line["step"] == "retire").unwrap();
    (back["action"], back["reversibility"]) = (flowswap_engine::NO_ROLLBACK.into(), "irreversible".into());
    let new = Plan { tenants: vec![serde_json::from_value(json).unwrap()], ..old.clone() };
    let difference = PlanDifference::of(&old, &new);
    let values = &difference.changed[0].values;
    let rollback = values.iter().find(|value| value.what == "rollback of the step `retire`").unwrap();
    assert_eq!(rollback.new.as_deref(), Some("no rollback is possible"));
    for face in [Face::Html, Face::Markdown, Face::Json, Face::Junit] {
        assert!(!face.show(&difference).unwrap().contains("way back"), "{face:?}");
    }
}
