//! Work as Markdown, for a change ticket.

use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use super::fill_within;
use crate::{
    face::{
        FaceError,
        alike::alike,
        detail::detailed,
        story::{self, Line},
    },
    work::WorkReport,
};

/// How much is listed. What is left out is said.
#[derive(Debug, Clone, Copy, Serialize)]
struct Limits {
    /// Names in a list.
    names: usize,
    /// Rows of a table, and entries of a list.
    rows: usize,
    /// Tenants that are shown step by step.
    stories: usize,
}

/// The first one that makes the text short enough is taken. What happened step by step is the first to go.
const LIMITS: [Limits; 8] = [
    Limits { names: 12, rows: 50, stories: MOST_STORIES },
    Limits { names: 12, rows: 50, stories: 15 },
    Limits { names: 12, rows: 50, stories: 10 },
    Limits { names: 12, rows: 50, stories: 5 },
    Limits { names: 12, rows: 20, stories: 3 },
    Limits { names: 3, rows: 20, stories: 1 },
    Limits { names: 3, rows: 10, stories: 0 },
    Limits { names: 1, rows: 3, stories: 0 },
];

/// A ticket shows what happened step by step for at most this many tenants.
const MOST_STORIES: usize = 20;

/// A tenant step by step.
#[derive(Serialize)]
struct Story<'a> {
    name: &'a str,
    lines: Vec<Line>,
}

pub(super) fn show(report: &WorkReport) -> Result<String, FaceError> {
    let detailed = detailed(report, MOST_STORIES);
    let tenants = report.by_attention();
    let stories = tenants.iter().filter(|tenant| detailed.contains(tenant.name.as_str()));
    let stories: Vec<Story<'_>> =
        stories.map(|tenant| Story { name: &tenant.name, lines: story::lines(tenant) }).collect();
    let content = context! {
        tenants => tenants.len(),
        groups => Value::from(Serde(alike(tenants))),
        stories => Value::from(Serde(stories)),
        ..story::content(report)
    };
    fill_within(include_str!("work.md.jinja"), &LIMITS, &content)
}
