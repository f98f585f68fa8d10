//! What a reviewer reads, and what a program reads.

use std::collections::BTreeMap;

use flowswap_engine::Position;
use flowswap_report::{Face, PlanDifference, PlanReport, Report, ReportKind, Selection, WorkReader, WorkReport};
use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use crate::{difference::pair, eventful::eventful, fleet::plan};

fn show(face: Face) -> String {
    face.show(&PlanReport::of(&plan(3))).unwrap()
}

fn work() -> WorkReport {
    eventful().report(Selection::default())
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
fn work_as_markdown() {
    with_settings!({ omit_expression => true }, { assert_snapshot!(Face::Markdown.show(&work()).unwrap()) });
}

/// Without style and script, which the page of a plan shows.
#[test]
fn work_as_html() {
    let page = Face::Html.show(&work()).unwrap();
    let body = page.split_once("<body>").unwrap().1.split_once("<script>").unwrap().0;
    with_settings!({ omit_expression => true }, { assert_snapshot!(body) });
}

#[test]
fn work_as_junit() {
    with_settings!({ omit_expression => true }, { assert_snapshot!(Face::Junit.show(&work()).unwrap()) });
}

#[test]
fn json_follows_the_published_schema() {
    for tenants in [0, 3] {
        follows(include_str!("../../report.schema.json"), (&PlanReport::of(&plan(tenants))).into());
    }
    let schema = include_str!("../../work.schema.json");
    follows(schema, (&work()).into());
    let nothing = WorkReader::new(Selection::default(), None).into_report(Position::default());
    follows(schema, (&nothing).into());
}

/// The schema has every member of the report, and no member that the report may lack without saying so.
#[track_caller]
fn follows(schema: &str, report: Report<'_>) {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let report: Value = serde_json::from_str(&Face::Json.show(report).unwrap()).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new());
    for place in objects(&report, "") {
        let mut more = report.clone();
        let members = more.pointer_mut(&place).unwrap().as_object_mut().unwrap();
        members.insert("unheard-of".to_owned(), "x".into());
        assert!(!validator.is_valid(&more), "the schema takes a member that no report has at `{place}`");
        let names: Vec<String> = report.pointer(&place).unwrap().as_object().unwrap().keys().cloned().collect();
        for name in names.iter().filter(|name| !OPTIONAL.contains(&name.as_str())) {
            let mut less = report.clone();
            less.pointer_mut(&place).unwrap().as_object_mut().unwrap().remove(name);
            let is_map = ["/verdicts", "/states"].contains(&place.as_str());
            assert!(is_map || !validator.is_valid(&less), "the schema does not require `{place}/{name}`");
        }
    }
}

/// The members that records of the journal may lack: of evidence, and of people.
const OPTIONAL: [&str; 5] = ["request_id", "event_id", "rule", "host", "as"];

/// The places of one object for each path of member names, as JSON pointers.
fn objects(value: &Value, place: &str) -> Vec<String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    collect_objects(value, place, "", &mut found);
    found.into_values().collect()
}

fn collect_objects(value: &Value, place: &str, path: &str, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            found.entry(path.to_owned()).or_insert_with(|| place.to_owned());
            for (name, member) in members {
                collect_objects(member, &format!("{place}/{name}"), &format!("{path}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_objects(item, &format!("{place}/{index}"), path, found);
            }
        }
        _ => {}
    }
}

#[test]
fn each_report_is_recognized() {
    let of_plan = PlanReport::of(&plan(3));
    let (old, new) = pair();
    let difference = PlanDifference::of(&old, &new);
    let work = work();
    let reports: [Report<'_>; 3] = [(&of_plan).into(), (&difference).into(), (&work).into()];
    let kinds = [ReportKind::Plan, ReportKind::Difference, ReportKind::Work];
    for face in [Face::Html, Face::Markdown, Face::Junit, Face::Json] {
        for (report, kind) in reports.into_iter().zip(kinds) {
            let text = face.show(report).unwrap();
            assert_eq!(kinds.map(|kind| kind.recognizes(&text)), kinds.map(|other| other == kind), "{face:?}");
        }
    }
}
