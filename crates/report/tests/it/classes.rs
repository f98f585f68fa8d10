//! Tenants that are planned alike are one class, and nothing else makes a class.

use flowswap_engine::{Finding, RULES, Verdict};
use flowswap_report::{Alike, Class, PlanReport};
use insta::assert_snapshot;

use crate::fleet::{Shape, freeze, plan, planned};

fn class_of(name: &str, shape: Shape) -> String {
    PlanReport::of(&freeze(vec![planned(name, shape)])).classes.remove(0).id
}

#[test]
fn the_id_of_a_class_does_not_depend_on_names_or_on_the_other_tenants() {
    let report = PlanReport::of(&plan(3));
    let usual = report.classes.iter().find(|class| class.tenants.contains(&"tenant-1".to_owned())).unwrap();
    assert_eq!(usual.tenants, ["tenant-1", "tenant-2", "tenant-3", "undated", "urgent"]);
    for name in ["initech", "fifteen-letters", "test"] {
        assert_eq!(class_of(name, Shape::Usual), usual.id, "{name}");
    }
}

#[test]
fn a_difference_that_matters_makes_another_class() {
    use Shape::{Migrated, MoreScopes, Unreadable, Usual};
    let ids = [Usual, MoreScopes, Migrated, Unreadable].map(|shape| class_of("acme", shape));
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[..index].contains(id), "{index}");
    }
}

/// A plan in which this tenant also has a finding of a rule.
fn class_with(rule: &str, shape: Shape) -> String {
    let rule = RULES.iter().find(|known| known.id == rule).unwrap();
    let mut tenant = planned("acme", shape);
    tenant.findings.push(Finding {
        id: rule.id.to_owned(),
        severity: rule.severity,
        message: "seen".to_owned(),
        fix: rule.fix.to_owned(),
    });
    PlanReport::of(&freeze(vec![tenant])).classes.remove(0).id
}

#[test]
fn the_time_left_makes_no_class_and_is_shown_all_the_same() {
    let usual = class_of("acme", Shape::Usual);
    assert_eq!(class_of("acme", Shape::Urgent), usual, "tomorrow, another tenant has two weeks left");
    assert_eq!(class_with("flow-from-record", Shape::Usual), usual, "it is only worth knowing");
    for rule in ["deadline-passed", "sync-stale", "legacy-token-refused", "several-legacy-clients"] {
        assert_ne!(class_with(rule, Shape::Usual), usual, "{rule}");
    }
    let report = PlanReport::of(&plan(3));
    let urgent = report.tenants.iter().find(|tenant| tenant.name == "urgent").unwrap();
    assert_eq!(urgent.days_left, Some(4));
    assert!(urgent.findings.iter().any(|finding| finding.id == "deadline-near"));
    assert!(report.findings.iter().any(|finding| finding.id == "deadline-near" && finding.tenants == ["urgent"]));
}

#[test]
fn without_steps_the_reason_is_the_class() {
    let mut tenants = ["a", "b", "c"].map(|name| planned(name, Shape::Migrated));
    tenants[1].app_data = true;
    tenants[2].directory_plugin = "cie-guided".to_owned();
    let report = PlanReport::of(&freeze(tenants.to_vec()));
    let sizes: Vec<_> = report.classes.iter().map(|class| class.tenants.len()).collect();
    assert_eq!(sizes, [3], "a reader would see three classes with the same words");
}

#[test]
fn a_class_says_how_it_differs_from_the_first() {
    let report = PlanReport::of(&plan(3));
    let said: Vec<_> = report
        .classes
        .iter()
        .flat_map(|class| class.differences.iter().map(|sentence| format!("{}: {sentence}", class.tenants[0])))
        .collect();
    assert_snapshot!(said.join("\n"), @r"
    more: The new client also has the scope `okta.devices.read`.
    more: Step `provision` differs in `scopes`.
    ");
}

#[test]
fn a_class_names_what_earlier_classes_have_in_the_same_form() {
    let report = PlanReport::of(&plan(3));
    let [usual, more, ..] = report.classes.as_slice() else { panic!("other classes") };
    let steps = |class: &Class| class.steps.iter().map(|step| step.id.clone()).collect::<Vec<_>>();
    assert_eq!(usual.alike, [], "nothing comes before it");
    let of_usual = |steps| vec![Alike { class: usual.id.clone(), steps, rollback: true, reach: true }];
    assert_eq!(more.alike, of_usual(steps(more).into_iter().filter(|id| id != "provision").collect()));
    assert!(report.classes.iter().filter(|class| class.steps.is_empty()).all(|class| class.alike.is_empty()));
}

#[test]
fn a_step_that_only_the_second_class_has_is_found_there() {
    let mut tenants: Vec<_> = ["a", "b", "c"].map(|name| planned(name, Shape::Usual)).into();
    tenants.extend(["d", "e"].map(|name| planned(name, Shape::MoreScopes)));
    let mut last = planned("f", Shape::MoreScopes);
    last.steps[2].proposal.title += " twice";
    tenants.push(last);
    let report = PlanReport::of(&freeze(tenants));
    let [usual, more, last] = report.classes.as_slice() else { panic!("other classes") };
    let of = |class: &Class| last.alike.iter().find(|alike| alike.class == class.id).cloned().unwrap();
    assert_eq!(
        of(more),
        Alike { class: more.id.clone(), steps: vec!["provision".to_owned()], rollback: false, reach: false }
    );
    assert!(of(usual).rollback && of(usual).reach && !of(usual).steps.contains(&"test".to_owned()));
}

#[test]
fn the_three_odd_ones_are_found_among_three_hundred() {
    let report = PlanReport::of(&plan(300));
    let sizes: Vec<_> = report.classes.iter().map(|class| (class.verdict, class.tenants.len())).collect();
    assert_eq!(sizes[0], (Verdict::Ready, 302), "one lacks a date, and one has few days left");
    assert!(sizes[1..].iter().all(|(_, size)| *size == 1), "{sizes:?}");
    assert_eq!(report.tenants.len(), 305);
}
