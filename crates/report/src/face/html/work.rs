//! The page about work.

use std::collections::BTreeMap;

use flowswap_engine::{TenantState, short};
use jiff::Timestamp;
use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use super::{SCRIPT, page};
use crate::{
    face::{
        FaceError,
        detail::detailed,
        story::{self, Line, not_carried_out},
    },
    work::{Attention, Durations, WorkReport},
};

/// The page shows what happened step by step for at most this many tenants. More would take a browser too long.
const DETAILED: usize = 1_000;

/// The width of the longest bar, in units of its view box.
const WIDEST: u64 = 240;

/// A tenant in the table.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    state: TenantState,
    state_now: Option<TenantState>,
    since: Timestamp,
    why: Option<String>,
    plan: Option<&'a str>,
    /// The last plan that was made, if no run set out to carry it out.
    planned: Option<String>,
    changes: usize,
    /// The last run refused it: it did not only fail to get to it.
    is_refused: bool,
    /// The numbers of its failures in the list of failures, from 1.
    causes: Vec<usize>,
    /// `None` if the page does not show it step by step.
    lines: Option<Vec<Line>>,
}

/// The bars of one phase. Both begin at the left.
#[derive(Serialize)]
struct Bars {
    median: u128,
    p90: u128,
}

pub(super) fn show(report: &WorkReport) -> Result<String, FaceError> {
    let detailed = detailed(report, DETAILED);
    let mut causes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, failure) in report.failures.iter().enumerate() {
        for name in &failure.tenants {
            causes.entry(name).or_default().push(index + 1);
        }
    }
    let rows = report.by_attention().into_iter().map(|tenant| Row {
        name: &tenant.name,
        state: tenant.state,
        state_now: tenant.state_now,
        since: tenant.since,
        why: tenant.why(),
        plan: tenant.plan.as_deref().map(short),
        planned: not_carried_out(tenant.plan.is_some(), &Vec::from_iter(&tenant.planned)),
        changes: tenant.changes(),
        is_refused: tenant.attention() == Attention::Refused,
        causes: causes.remove(tenant.name.as_str()).unwrap_or_default(),
        lines: detailed.contains(tenant.name.as_str()).then(|| story::lines(tenant)),
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let content = context! {
        selection => Value::from(Serde(&report.selection)),
        bars => Value::from(Serde(bars(&report.durations))),
        detailed => detailed.len(),
        rows => Value::from(Serde(rows)),
        ..story::content(report)
    };
    page(include_str!("work.html.jinja"), Some(SCRIPT), content)
}

/// The bars of each phase. Those of flowswap and those of people have a scale of their own.
fn bars(durations: &[Durations]) -> Vec<Bars> {
    let scale = |ms: u64, by_person: bool| {
        let of_kind = durations.iter().filter(|other| other.by_person == by_person);
        let longest = of_kind.map(|other| other.p90_ms).max().unwrap_or(0).max(1);
        // Something that was measured has a bar.
        (u128::from(ms) * u128::from(WIDEST) / u128::from(longest)).max(1)
    };
    let both = |of: &Durations| Bars { median: scale(of.median_ms, of.by_person), p90: scale(of.p90_ms, of.by_person) };
    durations.iter().map(both).collect()
}
