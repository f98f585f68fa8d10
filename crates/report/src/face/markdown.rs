//! A report as CommonMark with tables.

use std::fmt::Write as _;

use flowswap_engine::short;
use minijinja::{Output, Value, context, value::Serde};

use super::{FaceError, Report, environment};

pub(super) fn show(report: Report<'_>) -> Result<String, FaceError> {
    let (name, template, values) = match report {
        Report::Plan(plan) => ("plan.md", include_str!("plan.md.jinja"), context! { short => short(&plan.digest) }),
        Report::Difference(_) => ("difference.md", include_str!("difference.md.jinja"), context! {}),
    };
    let environment = environment(escape)?;
    let page = environment.template_from_named_str(name, template)?;
    Ok(page.render(context! { report => Value::from(Serde(report)), ..values })?)
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
