//! What differs between two plans as Markdown, for a change ticket or a pull request.

use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use super::fill_within;
use crate::{diff::PlanDifference, face::FaceError};

/// How much is listed. What is left out is said.
#[derive(Debug, Clone, Copy, Serialize)]
struct Limits {
    /// Names in a list.
    names: usize,
    /// Groups of tenants that changed alike, and classes in a table.
    groups: usize,
    /// Tenants of a group with values of their own.
    tenants: usize,
}

/// The first one that makes the text short enough is taken.
const LIMITS: [Limits; 4] = [
    Limits { names: 12, groups: 50, tenants: 50 },
    Limits { names: 12, groups: 20, tenants: 5 },
    Limits { names: 3, groups: 10, tenants: 3 },
    Limits { names: 1, groups: 3, tenants: 1 },
];

pub(super) fn show(report: &PlanDifference) -> Result<String, FaceError> {
    let content = context! { report => Value::from(Serde(report)) };
    fill_within(include_str!("difference.md.jinja"), &LIMITS, &content)
}
