//! What `show` prints: the classes of a plan, or each step of some tenants.

use std::fs;

use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use super::fleet::{self, Shape};
use crate::support::{folder, run_in};

/// A folder with a plan of this many usual tenants, and one of each other shape.
fn plan_of(usual: usize) -> tempfile::TempDir {
    let dir = folder();
    fleet::plan(usual).write(fs::File::create(dir.path().join("plan.json")).unwrap()).unwrap();
    dir
}

fn show(dir: &tempfile::TempDir, args: &[&str]) -> String {
    run_in(dir.path(), &[&["show", "plan.json"], args].concat()).expect(0).stdout
}

#[test]
fn a_reviewer_reads_each_class_once() {
    let filters = vec![(r"\((in [^)]+|[^)]+ ago)\)", "(AGO)")];
    with_settings!({ omit_expression => true, filters => filters }, { assert_snapshot!(show(&plan_of(20), &[])) });
}

#[test]
fn a_step_goes_by_one_name() {
    let shown = show(&plan_of(3), &[]);
    let named = shown
        .lines()
        .filter(|line| line.starts_with("  as in class "))
        .flat_map(|line| line.split('`').skip(1).step_by(2).collect::<Vec<_>>());
    let named: Vec<&str> = named.collect();
    assert!(named.contains(&"test-provider") && named.contains(&"confirm-directory"), "{shown}");
    for name in named {
        let starts = ["+", "?"].map(|sign| format!("    {sign} {name} "));
        assert!(shown.lines().any(|line| starts.iter().any(|start| line.starts_with(start))), "{name}: {shown}");
    }
}

#[test]
fn an_added_scope_is_said_wherever_a_tenant_is_shown() {
    let dir = plan_of(3);
    let sentence =
        "In 1 tenant, the new client gets a scope that the legacy client does not have: `okta.devices.read`.";
    assert_eq!(show(&dir, &[]).lines().nth(1), Some(sentence));
    let line = "\n  the new client gets what the legacy client does not have: okta.devices.read\n";
    for args in [&["-v"][..], &["more", "tenant-1"]] {
        assert_eq!(show(&dir, args).matches(line).count(), 1, "{args:?}");
    }
}

#[test]
fn a_purge_has_a_heading_of_its_own() {
    for shown in [show(&plan_of(3), &[]), show(&plan_of(3), &["tenant-1"])] {
        let (_, purge) = shown.split_once("\n  flowswap finalize --purge, later:\n").unwrap();
        let line = purge.lines().next().unwrap();
        assert!(line.starts_with("    + purge ") && line.ends_with(" [irreversible]"), "{shown}");
        assert!(!shown.contains("way back"), "{shown}");
    }
}

#[test]
fn a_plan_of_300_tenants_is_short_and_its_details_are_one_option_away() {
    let dir = plan_of(295);
    let (short, each) = (show(&dir, &[]), show(&dir, &["-v"]));
    assert!(short.lines().count() < 110, "{} lines", short.lines().count());
    assert!(each.lines().count() > 4_000, "{} lines", each.lines().count());
    for name in ["more", "migrated", "silent"] {
        assert!(short.contains(&format!("\n{name} (")), "{name} stands out");
    }
    assert!(short.contains("\n  in 4 days     urgent\n"), "{short}");
    let digest = &fs::read_to_string(dir.path().join("plan.json")).unwrap();
    let digest: Value = serde_json::from_str(digest).unwrap();
    assert!(short.ends_with(&format!("digest: {}\n", digest["digest"].as_str().unwrap())));
}

#[test]
fn some_tenants_are_shown_in_full() {
    let dir = plan_of(3);
    let (whole, some) = (show(&dir, &["-v"]), show(&dir, &["urgent", "tenant-2"]));
    let parts: Vec<_> = some.split_inclusive("\n\n").collect();
    assert_eq!(parts.len(), 2, "{some}");
    assert!(parts[0].starts_with("tenant-2 (ready)\n") && parts[1].starts_with("urgent (ready)\n"), "{some}");
    assert!(parts.iter().all(|part| whole.contains(part)), "{some}");
    let json: Value = serde_json::from_str(&show(&dir, &["urgent", "--format", "json"])).unwrap();
    let plan: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("plan.json")).unwrap()).unwrap();
    assert_eq!(json["plan"], plan["digest"]);
    assert_eq!(json["tenants"].as_array().unwrap().len(), 1);
    assert!(plan["tenants"].as_array().unwrap().contains(&json["tenants"][0]));

    for (name, hint) in
        [("urgnet", "did you mean `urgent`?"), ("nobody", "list the tenants of the plan: flowswap show plan.json -v")]
    {
        let refused = run_in(dir.path(), &["show", "plan.json", "urgent", name]).expect(2);
        let expect = format!("error: the plan has no tenant `{name}`\n\nhint: {hint}\n");
        assert_eq!((refused.stdout.as_str(), refused.stderr.as_str()), ("", expect.as_str()));
    }
    for option in ["--as=html", "--report=plan.html"] {
        run_in(dir.path(), &["show", "plan.json", "urgent", option]).expect(2);
    }
}

#[test]
fn a_plan_of_one_tenant_is_shown_in_full() {
    let dir = folder();
    let plan = fleet::freeze(vec![fleet::planned("acme", Shape::Usual)]);
    plan.write(fs::File::create(dir.path().join("plan.json")).unwrap()).unwrap();
    assert_eq!(show(&dir, &[]), show(&dir, &["-v"]));
}
