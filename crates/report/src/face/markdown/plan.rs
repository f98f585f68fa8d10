//! A plan as Markdown, for a change ticket or a pull request.

use std::collections::BTreeMap;

use flowswap_engine::short;
use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use super::fill_within;
use crate::{class::Class, face::FaceError, plan::PlanReport};

/// How much is listed. What is left out is said.
#[derive(Debug, Clone, Copy, Serialize)]
struct Limits {
    /// Names in a list.
    names: usize,
    /// Classes, and causes for which tenants need a person.
    classes: usize,
    /// Rows of the table of tenants. With more tenants, there is no table.
    tenants: usize,
}

/// The first one that makes the text short enough is taken.
const LIMITS: [Limits; 4] = [
    Limits { names: 12, classes: 50, tenants: 50 },
    Limits { names: 12, classes: 20, tenants: 0 },
    Limits { names: 3, classes: 10, tenants: 0 },
    Limits { names: 1, classes: 3, tenants: 0 },
];

pub(super) fn show(report: &PlanReport) -> Result<String, FaceError> {
    let steps_seen: BTreeMap<&str, Vec<&str>> =
        report.classes.iter().map(|class| (class.id.as_str(), seen(class))).collect();
    let content = context! {
        report => Value::from(Serde(report)),
        short => short(&report.digest),
        steps_seen => Value::from(Serde(&steps_seen)),
    };
    fill_within(include_str!("plan.md.jinja"), &LIMITS, &content)
}

/// The ids of the steps that an earlier class has in the same form.
fn seen(class: &Class) -> Vec<&str> {
    class.alike.iter().flat_map(|alike| &alike.steps).map(String::as_str).collect()
}
