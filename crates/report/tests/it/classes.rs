//! Tenants that are planned alike are one class, and nothing else makes a class.

use flowswap_engine::Verdict;
use flowswap_report::PlanReport;
use insta::assert_snapshot;

use crate::fleet::{Shape, freeze, plan, planned};

fn class_of(name: &str, shape: Shape) -> String {
    PlanReport::of(&freeze(vec![planned(name, shape)])).classes.remove(0).id
}

#[test]
fn the_id_of_a_class_does_not_depend_on_names_or_on_the_other_tenants() {
    let report = PlanReport::of(&plan(3));
    let usual = report.classes.iter().find(|class| class.tenants.contains(&"tenant-1".to_owned())).unwrap();
    assert_eq!(usual.tenants, ["tenant-1", "tenant-2", "tenant-3", "undated"]);
    for name in ["initech", "fifteen-letters", "test"] {
        assert_eq!(class_of(name, Shape::Usual), usual.id, "{name}");
    }
}

#[test]
fn a_difference_that_matters_makes_another_class() {
    use Shape::{Migrated, MoreScopes, Unreadable, Urgent, Usual};
    let ids = [Usual, MoreScopes, Urgent, Migrated, Unreadable].map(|shape| class_of("acme", shape));
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[..index].contains(id), "{index}");
    }
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
    more: Step `provision` differs in payload.
    urgent: It also has the finding `deadline-near`.
    ");
}

#[test]
fn the_three_odd_ones_are_found_among_three_hundred() {
    let report = PlanReport::of(&plan(300));
    let sizes: Vec<_> = report.classes.iter().map(|class| (class.verdict, class.tenants.len())).collect();
    assert_eq!(sizes[0], (Verdict::Ready, 301), "one of them only lacks a date");
    assert!(sizes[1..].iter().all(|(_, size)| *size == 1), "{sizes:?}");
    assert_eq!(report.tenants.len(), 305);
}
