//! A report as CommonMark with tables.

mod difference;
mod plan;
mod work;

use std::fmt::Write as _;

use flowswap_engine::reveal;
use minijinja::{Output, Value, context, value::Serde};
use serde::Serialize;

use super::{FaceError, Report, environment};
use crate::sheet::Sheet;

pub(super) fn show(report: Report<'_>) -> Result<String, FaceError> {
    match report {
        Report::Plan(report) => plan::show(report),
        Report::Difference(report) => difference::show(report),
        Report::Work(report) => work::show(report),
    }
}

pub(super) fn sheet(sheet: &Sheet<'_>) -> Result<String, FaceError> {
    fill(include_str!("sheet.md.jinja"), context! { sheet => Value::from(Serde(sheet)) })
}

/// GitHub refuses a comment or the text of a pull request with more than 65,536 characters. The rest is for the reader's own words.
const MOST_BYTES: usize = 60_000;

/// Fills a template with the first limits that make the text short enough, or with the last ones.
fn fill_within<L: Serialize + Copy>(template: &str, limits: &[L], content: &Value) -> Result<String, FaceError> {
    let mut text = String::new();
    for limits in limits {
        text = fill(template, context! { limits => Value::from(Serde(*limits)), ..content.clone() })?;
        if text.len() <= MOST_BYTES {
            break;
        }
    }
    Ok(text)
}

fn fill(template: &str, content: Value) -> Result<String, FaceError> {
    let mut environment = environment(escape)?;
    environment.add_filter("code", code);
    Ok(environment.template_from_named_str("report.md", template)?.render(content)?)
}

/// Escapes everything that Markdown would interpret, within a line or at its start.
fn escape(text: &str, out: &mut Output<'_>) -> std::fmt::Result {
    let marker = marker(text);
    for (index, c) in text.char_indices() {
        let is_markup =
            matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '#' | '|' | '~' | '!' | '$' | '@');
        if is_markup || marker == Some(index) || begins_link(&text[..index], &text[index..]) {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    Ok(())
}

/// Whether GitHub would make a link of a text with this character in it, although the text is no Markdown: `https://` and `www.` (GFM,
/// autolinks). Addresses have an `@`.
fn begins_link(before: &str, rest: &str) -> bool {
    let is_www = || {
        before.len() >= 3
            && before.is_char_boundary(before.len() - 3)
            && before[before.len() - 3..].eq_ignore_ascii_case("www")
    };
    rest.starts_with("://") || (rest.starts_with('.') && is_www())
}

/// Where to escape a text that would begin a list, or would be a rule or the underline of a heading, at the start of a line.
fn marker(text: &str) -> Option<usize> {
    let start = text.len() - text.trim_start().len();
    let word = text[start..].split(' ').next().filter(|word| !word.is_empty())?;
    if word.chars().all(|c| matches!(c, '-' | '+' | '=')) {
        return Some(start);
    }
    let number = word.strip_suffix(['.', ')'])?;
    number.chars().all(|c| c.is_ascii_digit()).then_some(start + number.len())
}

/// A code span whose fence is longer than any run of backticks in the text.
fn code(text: &str) -> Value {
    let text = reveal(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    Value::from_safe_string([&fence, space, &text, space, &fence].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_github_makes_a_link_of_is_escaped() {
        let escaped = |text: &str| fill("{{ text }}", context! { text => text }).unwrap();
        for (text, expected) in [
            ("see https://evil.example/a", r"see https\://evil.example/a"),
            ("HTTP://x, ftp://y", r"HTTP\://x, ftp\://y"),
            ("www.evil.example and WwW.x", r"www\.evil.example and WwW\.x"),
            ("ann@acme.test", r"ann\@acme.test"),
            ("acme.okta.com: 3 of 4", "acme.okta.com: 3 of 4"),
            ("ä.www", "ä.www"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
