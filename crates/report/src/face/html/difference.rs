//! The page about what differs between two plans. It has no script.

use flowswap_engine::short;
use minijinja::{Value, context, value::Serde};

use super::page;
use crate::{diff::PlanDifference, face::FaceError};

pub(super) fn show(report: &PlanDifference) -> Result<String, FaceError> {
    let content = context! {
        report => Value::from(Serde(report)),
        short_old => short(&report.old.digest),
        short_new => short(&report.new.digest),
    };
    page(include_str!("difference.html.jinja"), None, content)
}
