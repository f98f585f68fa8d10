//! A report as one HTML page that needs no network. Without JavaScript it is complete. With it, a reader can search, filter,
//! and sort. The content security policy allows exactly this style, and this script or none.

mod difference;
mod plan;
mod work;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flowswap_engine::reveal;
use html_escape::encode_double_quoted_attribute;
use minijinja::{Output, Value, context, value::Serde};
use sha2::{Digest, Sha256};

use super::{FaceError, MOST_NAMES, Report, environment, list};
use crate::sheet::Sheet;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

pub(super) fn show(report: Report<'_>) -> Result<String, FaceError> {
    match report {
        Report::Plan(report) => plan::show(report),
        Report::Difference(report) => difference::show(report),
        Report::Work(report) => work::show(report),
    }
}

pub(super) fn sheet(sheet: &Sheet<'_>) -> Result<String, FaceError> {
    page(include_str!("sheet.html.jinja"), None, context! { sheet => Value::from(Serde(sheet)) })
}

/// Fills a template that extends `base.html`. A page without rows to search and sort has no script.
fn page(template: &str, script: Option<&str>, content: Value) -> Result<String, FaceError> {
    let mut environment = environment(escape)?;
    environment.add_filter("prose", prose);
    environment.add_filter("names", names);
    environment.add_template("base.html", include_str!("base.html.jinja"))?;
    let page = environment.template_from_named_str("page.html", template)?;
    Ok(page.render(context! {
        style => Value::from_safe_string(STYLE.to_owned()),
        style_hash => Value::from_safe_string(hash_source(STYLE)),
        script => script.map(|script| Value::from_safe_string(script.to_owned())),
        script_hash => script.map(|script| Value::from_safe_string(hash_source(script))),
        ..content
    })?)
}

/// A source of the content security policy (CSP3 §2.3.1) that allows one inline text.
fn hash_source(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// A sentence in which what stands in backticks is set as code. Only for the content of an element.
fn prose(text: &str) -> Value {
    let mut html = String::new();
    let parts: Vec<String> =
        reveal(text).split('`').map(|part| encode_double_quoted_attribute(part).into_owned()).collect();
    // Without a partner, a backtick is text.
    let pairs = (parts.len() - 1) / 2 * 2;
    for (index, part) in parts.iter().enumerate() {
        html += part;
        if index + 1 < parts.len() {
            html += if index >= pairs { "`" } else { ["<code>", "</code>"][index % 2] };
        }
    }
    Value::from_safe_string(html)
}

/// The first names, each on one line, and how many more there are. Only for the content of an element.
fn names(names: Vec<String>) -> Value {
    let element =
        |name: &String| format!("<span class=\"name\">{}</span>", encode_double_quoted_attribute(&reveal(name)));
    let shown: Vec<String> = names.iter().map(element).collect();
    Value::from_safe_string(list(&shown, MOST_NAMES))
}

/// Escapes text for an element and for an attribute in quotes.
fn escape(text: &str, out: &mut Output<'_>) -> std::fmt::Result {
    out.write_str(&encode_double_quoted_attribute(text))
}
