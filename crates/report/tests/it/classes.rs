//! Tenants that are planned alike are one class, and nothing else makes a class.

use flowswap_engine::{Finding, RULES, Verdict};
use flowswap_report::{Alike, Class, PlanReport};
use serde_json::{Value, json};

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
    assert_eq!(said, ["more: The new client also has the scope `okta.devices.read`."]);
}

/// How the class of a changed tenant differs from that of two usual ones.
fn said_of(change: impl Fn(&mut Value)) -> Vec<String> {
    let mut json = json!(planned("c", Shape::Usual));
    change(&mut json);
    let tenants = vec![planned("a", Shape::Usual), planned("b", Shape::Usual), serde_json::from_value(json).unwrap()];
    PlanReport::of(&freeze(tenants)).classes.remove(1).differences
}

/// Changes members of the payloads of these steps.
fn with(json: &mut Value, steps: &[&str], members: &[(&str, Value)]) {
    for step in json["steps"].as_array_mut().unwrap() {
        if steps.contains(&step["id"].as_str().unwrap()) {
            step["proposal"]["title"] = format!("{} in another way", step["id"]).into();
            for (name, value) in members {
                step["proposal"]["payload"][*name] = value.clone();
            }
        }
    }
}

#[test]
fn a_cause_is_said_alone_if_it_explains_the_rest() {
    let applications = |json: &mut Value| {
        json["app_data"] = true.into();
        let scope = json!("okta.apps.read");
        json["steps"][0]["proposal"]["payload"]["scopes"].as_array_mut().unwrap().push(scope.clone());
        json["seen"]["provider"]["legacy_clients"][0]["scopes"].as_array_mut().unwrap().push(scope);
        with(json, &["provision"], &[("type", "panw_cie_apps".into()), ("variant", "application-enabled".into())]);
        with(json, &["swap", "test"], &[("app_data", true.into())]);
    };
    let other_app = |json: &mut Value| {
        let app = json!("0oaanotherapp0000001");
        json["seen"]["provider"]["legacy_clients"][0]["id"] = app.clone();
        with(json, &["retire", "purge"], &[("app_id", app)]);
    };
    assert_eq!(
        said_of(applications),
        ["It also collects enterprise applications.", "Both clients also have the scope `okta.apps.read`."]
    );
    assert_eq!(said_of(other_app), ["The ID of the legacy app is not its client ID."]);
    let unexplained = |json: &mut Value| {
        applications(json);
        with(json, &["swap"], &[("name", "of somebody else".into())]);
        with(json, &["confirm-directory"], &[]);
        let back = &mut json["way_back"][2];
        assert_eq!(back["step"], "swap");
        back["action"] = "ask for it".into();
        json["steps"][4]["proposal"]["undo"] = "ask for it".into();
    };
    assert_eq!(
        said_of(unexplained)[2..],
        [
            "It has another rollback of the step `swap`.",
            "Step `swap` differs in `name`, `title`.",
            "Step `confirm-directory` differs in `title`."
        ]
    );
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
