//! What `diff` prints about two plans.

use std::{
    fs::{self, File},
    process::Stdio,
};

use flowswap_engine::{Plan, PlannedTenant};
use insta::{assert_snapshot, with_settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fleet::{Shape, freeze, plan, planned};
use crate::support::{Output, command, finish, folder, run_in};

/// A folder with both plans.
fn folder_with(old: &Plan, new: &Plan) -> TempDir {
    let dir = folder();
    for (name, plan) in [("old.json", old), ("new.json", new)] {
        plan.write(File::create(dir.path().join(name)).unwrap()).unwrap();
    }
    dir
}

fn replaced(tenant: &PlannedTenant, from: &str, to: &str) -> PlannedTenant {
    serde_json::from_str(&json!(tenant).to_string().replace(from, to)).unwrap()
}

/// An approved plan, and one that differs in many ways.
fn pair() -> (Plan, Plan) {
    let old = plan(20);
    let mut new = old.clone();
    let usual = |plan: &mut Plan, change: &dyn Fn(&PlannedTenant) -> PlannedTenant, numbers: std::ops::Range<usize>| {
        plan.tenants[numbers].iter_mut().for_each(|tenant| *tenant = change(tenant));
    };
    usual(&mut new, &|tenant| planned(&tenant.name, Shape::MoreScopes), 0..5);
    usual(&mut new, &|tenant| replaced(tenant, "0oatenant", "0oaothers"), 5..7);
    usual(&mut new, &|tenant| planned(&tenant.name, Shape::Unreadable), 7..8);
    new.tenants.remove(8);
    new.tenants.push(planned("newcomer", Shape::Usual));
    new.plugins.get_mut("rest").unwrap().uncaged = true;
    (old, Plan::freeze(new.created_at, new.not_after, new.made_by, new.plugins, new.tenants).unwrap())
}

fn diff(dir: &TempDir, args: &[&str]) -> Output {
    run_in(dir.path(), &[&["diff", "old.json", "new.json"], args].concat())
}

#[test]
fn a_reviewer_reads_only_what_differs() {
    let (old, new) = pair();
    let shown = diff(&folder_with(&old, &new), &[]).expect(0);
    assert_eq!(shown.stderr, "");
    let filters = vec![(r"\((in [^)]+|[^)]+ ago)\)", "(AGO)")];
    with_settings!({ omit_expression => true, filters => filters }, { assert_snapshot!(shown.stdout) });
}

#[test]
fn values_of_many_tenants_are_shown_with_one_option() {
    let old = freeze((1..=30).map(|number| planned(&format!("t{number}"), Shape::Usual)).collect());
    let new = old.tenants.iter().map(|tenant| replaced(tenant, "0oat", "0oau")).collect();
    let dir = folder_with(&old, &freeze(new));
    let count = |text: &str| text.lines().filter(|line| line.starts_with("    client ID in use: 0oat")).count();
    let (short, each) = (diff(&dir, &[]).expect(0).stdout, diff(&dir, &["-v"]).expect(0).stdout);
    assert_eq!((count(&short), count(&each)), (12, 30));
    assert!(short.contains("  and 18 tenants with other values of their own; `-v` shows them\n"), "{short}");
}

#[test]
fn nothing_that_matters_is_said_in_these_words() {
    let old = plan(3);
    let later = old.not_after;
    let new = Plan::freeze(
        old.created_at,
        later + jiff::SignedDuration::from_hours(1),
        old.made_by.clone(),
        old.plugins.clone(),
        old.tenants.clone(),
    );
    let shown = diff(&folder_with(&old, &new.unwrap()), &[]).expect(0).stdout;
    let expect = "Nothing that matters differs.\n\
                  Only times and the digest are different.\n\nold plan: ";
    assert!(shown.starts_with(expect), "{shown}");
}

#[test]
fn a_difference_has_the_same_forms_as_a_plan() {
    let (old, new) = pair();
    let dir = folder_with(&old, &new);
    let forms = [("html", "d.html"), ("markdown", "d.md"), ("json", "d.json"), ("junit", "d.xml")];
    let options = forms.map(|(_, file)| ["--report", file]).concat();
    // A second time, because a report may be replaced by a report.
    for _ in 0..2 {
        diff(&dir, &options).expect(0);
    }
    for (form, file) in forms {
        let written = fs::read_to_string(dir.path().join(file)).unwrap();
        assert_eq!(diff(&dir, &["--as", form]).expect(0).stdout, written, "{form}");
        if form == "json" {
            assert_eq!(diff(&dir, &["--format", "json"]).expect(0).stdout, written);
        }
    }
}

#[test]
fn one_of_the_two_plans_may_come_from_stdin() {
    let (old, new) = pair();
    let dir = folder_with(&old, &new);
    let expect = diff(&dir, &[]).expect(0).stdout;
    for (args, stdin) in [(["diff", "-", "new.json"], "old.json"), (["diff", "old.json", "-"], "new.json")] {
        let mut command = command(dir.path(), &args);
        command.stdin(Stdio::from(File::open(dir.path().join(stdin)).unwrap()));
        assert_eq!(finish(command).expect(0).stdout, expect, "{args:?}");
    }
    let refused = run_in(dir.path(), &["diff", "-", "-"]).expect(2);
    assert_eq!(refused.stderr, "error: both plans are to come from stdin\n\nhint: name a file for one of them\n");
}

#[test]
fn only_plans_that_nobody_changed_are_compared() {
    let (old, new) = pair();
    let dir = folder_with(&old, &new);
    run_in(dir.path(), &["diff", "old.json", "nothing.json"]).expect(2);
    let path = dir.path().join("new.json");
    fs::write(&path, fs::read_to_string(&path).unwrap().replacen("okta.groups.read", "okta.groups.manage", 1)).unwrap();
    let refused = diff(&dir, &[]).expect(6);
    assert!(
        refused.stdout.is_empty() && refused.stderr.contains("the plan was changed after it was made"),
        "{}",
        refused.stderr
    );
}

#[test]
fn text_from_outside_stays_text_at_a_terminal() {
    let label = "\u{1b}[2J\u{202e}tpo\ntenant-2 is the same   ok";
    let old = freeze(vec![planned("acme", Shape::Usual)]);
    let mut acme = json!(old.tenants[0]);
    acme["seen"]["directory"]["name"] = label.into();
    acme["steps"][0]["proposal"]["payload"]["type"] = label.into();
    let new = freeze(vec![serde_json::from_value(acme).unwrap()]);
    let dir = folder_with(&old, &new);
    for args in [&[][..], &["-v"], &["--as", "markdown"], &["--as", "html"], &["--as", "junit"]] {
        let shown = diff(&dir, args).expect(0).stdout;
        assert!(shown.contains("U+202E"), "{args:?}: {shown}");
        assert_eq!(shown.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}'), None, "{args:?}");
        assert!(!shown.lines().any(|line| line.starts_with("tenant-2")), "{args:?}: {shown}");
    }
    let json: Value = serde_json::from_str(&diff(&dir, &["--format", "json"]).expect(0).stdout).unwrap();
    assert!(
        json["changed"][0]["values"].as_array().unwrap().iter().any(|value| value["new"] == label),
        "JSON keeps the value"
    );
}
