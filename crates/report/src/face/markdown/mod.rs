//! A report as CommonMark with tables.

mod work;

use std::fmt::Write as _;

use flowswap_engine::short;
use minijinja::{Output, Value, context, value::Serde};

use super::{FaceError, Report, environment};

pub(super) fn show(report: Report<'_>) -> Result<String, FaceError> {
    match report {
        Report::Plan(report) => fill(
            include_str!("plan.md.jinja"),
            context! { report => Value::from(Serde(report)), short => short(&report.digest) },
        ),
        Report::Difference(report) => {
            fill(include_str!("difference.md.jinja"), context! { report => Value::from(Serde(report)) })
        }
        Report::Work(report) => work::show(report),
    }
}

fn fill(template: &str, content: Value) -> Result<String, FaceError> {
    let environment = environment(escape)?;
    Ok(environment.template_from_named_str("report.md", template)?.render(content)?)
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
