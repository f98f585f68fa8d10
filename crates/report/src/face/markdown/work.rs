//! Work as Markdown, for a change ticket.

use flowswap_engine::{TenantState, short};
use jiff::Timestamp;
use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use super::fill;
use crate::{
    face::{
        FaceError,
        detail::detailed,
        story::{self, Line},
    },
    work::{WorkReport, WorkedTenant},
};

/// A ticket shows what happened step by step for at most this many tenants. Trackers cut longer texts off.
const DETAILED: usize = 20;

/// A tenant in the table.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    state: TenantState,
    state_now: Option<TenantState>,
    since: Timestamp,
    why: Option<String>,
    plan: Option<&'a str>,
    changes: usize,
}

/// A tenant step by step.
#[derive(Serialize)]
struct Story<'a> {
    name: &'a str,
    lines: Vec<Line>,
}

pub(super) fn show(report: &WorkReport) -> Result<String, FaceError> {
    let detailed = detailed(report, DETAILED);
    let stories = report.tenants.iter().filter(|tenant| detailed.contains(tenant.name.as_str()));
    let stories: Vec<Story<'_>> =
        stories.map(|tenant| Story { name: &tenant.name, lines: story::lines(tenant) }).collect();
    let rows: Vec<Row<'_>> = report.tenants.iter().map(Row::of).collect();
    let content = context! {
        summary => Value::from(Serde(&report.summary)),
        journal => Value::from(Serde(&report.journal)),
        states => Value::from(Serde(&report.states)),
        runs => Value::from(Serde(story::runs(report))),
        failures => Value::from(Serde(&report.failures)),
        durations => Value::from(Serde(&report.durations)),
        people => Value::from(Serde(story::people(report))),
        unknowns => Value::from(Serde(&report.unknowns)),
        rows => Value::from(Serde(rows)),
        stories => Value::from(Serde(stories)),
    };
    fill(include_str!("work.md.jinja"), content)
}

impl<'a> Row<'a> {
    fn of(tenant: &'a WorkedTenant) -> Self {
        Self {
            name: &tenant.name,
            state: tenant.state,
            state_now: tenant.state_now,
            since: tenant.since,
            why: tenant.why(),
            plan: tenant.plan.as_deref().map(short),
            changes: tenant.changes(),
        }
    }
}
