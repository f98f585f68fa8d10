//! The page about a plan.

use flowswap_engine::short;
use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use super::{SCRIPT, page};
use crate::{face::FaceError, plan::PlanReport, timeline::Timeline};

/// Heights of the chart, in units of its view box.
const BASE: usize = 120;
const HIGHEST: usize = 100;
const COLUMN: usize = 50;

pub(super) fn show(report: &PlanReport) -> Result<String, FaceError> {
    let content = context! {
        report => Value::from(Serde(report)),
        short => short(&report.digest),
        bars => Value::from(Serde(report.timeline.as_ref().map(bars))),
    };
    page(include_str!("plan.html.jinja"), Some(SCRIPT), content)
}

/// A column of the chart.
#[derive(Serialize)]
struct Bar {
    x: usize,
    middle: usize,
    count: usize,
    label_y: usize,
    left: usize,
    left_y: usize,
    migrated: usize,
    migrated_y: usize,
}

fn bars(timeline: &Timeline) -> Vec<Bar> {
    let highest = timeline.weeks.iter().map(|week| week.migrated + week.left).max().unwrap_or(0).max(1);
    let columns = timeline.weeks.iter().enumerate();
    columns
        .map(|(index, week)| {
            let (left, migrated) = (week.left * HIGHEST / highest, week.migrated * HIGHEST / highest);
            Bar {
                x: index * COLUMN + 5,
                middle: index * COLUMN + COLUMN / 2,
                count: week.left + week.migrated,
                label_y: BASE - left - migrated - 4,
                left,
                left_y: BASE - left,
                migrated,
                migrated_y: BASE - left - migrated,
            }
        })
        .collect()
}
