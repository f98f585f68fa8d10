//! A report as one HTML page that needs no network. Without JavaScript it is complete. With it, a reader of a plan can search,
//! filter, and sort. The content security policy allows exactly this style and this script.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flowswap_engine::{reveal, short};
use html_escape::encode_double_quoted_attribute;
use minijinja::{Output, Value, context, value::Serde};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{FaceError, Report, environment};
use crate::{diff::PlanDifference, timeline::Timeline};

/// What all pages have in common.
const PAGE: &str = include_str!("page.html.jinja");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Heights of the chart, in units of its view box.
const BASE: usize = 120;
const HIGHEST: usize = 100;
const COLUMN: usize = 50;

pub(super) fn show(report: Report<'_>) -> Result<String, FaceError> {
    let (name, template, values) = match report {
        Report::Plan(plan) => (
            "plan.html",
            include_str!("plan.html.jinja"),
            context! {
                short => short(&plan.digest),
                bars => Value::from(Serde(plan.timeline.as_ref().map(bars))),
                script => Value::from_safe_string(SCRIPT.to_owned()),
                script_hash => Value::from_safe_string(hash_source(SCRIPT)),
            },
        ),
        Report::Difference(PlanDifference { old, new, .. }) => (
            "difference.html",
            include_str!("difference.html.jinja"),
            context! { short_old => short(&old.digest), short_new => short(&new.digest), script => () },
        ),
    };
    let mut environment = environment(escape)?;
    environment.add_filter("prose", prose);
    environment.add_template("page.html", PAGE)?;
    let page = environment.template_from_named_str(name, template)?;
    Ok(page.render(context! {
        report => Value::from(Serde(report)),
        style => Value::from_safe_string(STYLE.to_owned()),
        style_hash => Value::from_safe_string(hash_source(STYLE)),
        ..values
    })?)
}

/// A source of the content security policy (CSP3 §2.3.1) that allows one inline text.
fn hash_source(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
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

/// Escapes text for an element and for an attribute in quotes.
fn escape(text: &str, out: &mut Output<'_>) -> std::fmt::Result {
    out.write_str(&encode_double_quoted_attribute(text))
}
