//! Work as Markdown, for a change ticket.

use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use super::fill;
use crate::{
    face::{
        FaceError,
        detail::detailed,
        story::{self, Line, Row},
    },
    work::WorkReport,
};

/// A ticket shows what happened step by step for at most this many tenants. Trackers cut longer texts off.
const DETAILED: usize = 20;

/// A tenant step by step.
#[derive(Serialize)]
struct Story<'a> {
    name: &'a str,
    lines: Vec<Line>,
}

pub(super) fn show(report: &WorkReport) -> Result<String, FaceError> {
    let detailed = detailed(report, DETAILED);
    let tenants = report.by_attention();
    let stories = tenants.iter().filter(|tenant| detailed.contains(tenant.name.as_str()));
    let stories: Vec<Story<'_>> =
        stories.map(|tenant| Story { name: &tenant.name, lines: story::lines(tenant) }).collect();
    let rows: Vec<Row<'_>> = tenants.iter().map(|tenant| Row::of(tenant)).collect();
    let content = context! {
        rows => Value::from(Serde(rows)),
        stories => Value::from(Serde(stories)),
        ..story::content(report)
    };
    fill(include_str!("work.md.jinja"), content)
}
