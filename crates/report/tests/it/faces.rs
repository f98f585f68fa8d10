//! What a reviewer reads, and what a program reads.

use flowswap_engine::Position;
use flowswap_report::{Face, PlanDifference, PlanReport, Report, ReportKind, Selection, WorkReader, WorkReport};
use insta::{assert_snapshot, with_settings};
use schemars::{JsonSchema, generate::SchemaSettings};
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
fn json_follows_its_schema() {
    for tenants in [0, 3] {
        follows_its_schema(&PlanReport::of(&plan(tenants)));
    }
    follows_its_schema(&work());
    follows_its_schema(&WorkReader::new(Selection::default(), None).into_report(Position::default()));
}

/// The schema that `flowswap schema` prints describes the report.
#[track_caller]
pub(crate) fn follows_its_schema<R: JsonSchema>(report: &R)
where
    for<'a> &'a R: Into<Report<'a>>,
{
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<R>();
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    let report: Value = serde_json::from_str(&Face::Json.show(report).unwrap()).unwrap();
    let errors = validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path()));
    assert_eq!(errors.collect::<Vec<_>>(), Vec::<String>::new());
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
