//! What a reviewer reads, and what a program reads.

use flowswap_report::{Face, MARKS, PlanDifference, PlanReport};
use insta::{assert_snapshot, with_settings};
use serde_json::Value;

use crate::{difference::pair, fleet::plan};

fn show(face: Face) -> String {
    face.show(&PlanReport::of(&plan(3))).unwrap()
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
fn json_follows_the_published_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../report.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for tenants in [0, 3] {
        let report: Value = serde_json::from_str(&Face::Json.show(&PlanReport::of(&plan(tenants))).unwrap()).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn each_report_is_recognized() {
    let of_plan = PlanReport::of(&plan(3));
    let (old, new) = pair();
    let difference = PlanDifference::of(&old, &new);
    for face in [Face::Html, Face::Markdown, Face::Junit] {
        for text in [face.show(&of_plan).unwrap(), face.show(&difference).unwrap()] {
            assert_eq!(MARKS.iter().filter(|mark| text.contains(**mark)).count(), 1, "{face:?}");
        }
    }
}
