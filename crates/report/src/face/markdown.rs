//! The report as CommonMark with tables.

use std::fmt::Write as _;

use flowswap_engine::short;
use minijinja::{Output, Value, context, value::Serde};

use super::{FaceError, environment};
use crate::plan::PlanReport;

pub(super) fn show(report: &PlanReport) -> Result<String, FaceError> {
    let environment = environment(escape)?;
    let page = environment.template_from_named_str("plan.md", include_str!("plan.md.jinja"))?;
    Ok(page.render(context! { report => Value::from(Serde(report)), short => short(&report.digest) })?)
}

/// Escapes everything that Markdown would interpret within a line.
fn escape(text: &str, out: &mut Output<'_>) -> std::fmt::Result {
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '#' | '|' | '~' | '!' | '$' | '@') {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    Ok(())
}
