//! The faces of a report. Templates get every value through one formatter, which makes hidden characters visible and escapes
//! what the face would interpret. So no text from outside reaches a reader as markup.

mod alike;
mod detail;
mod html;
mod junit;
mod markdown;
mod story;

use std::{collections::BTreeMap, path::Path};

use flowswap_engine::{escape_json, reveal, short};
use minijinja::{AutoEscape, Environment, Output, State, Value, syntax::SyntaxConfig};
use serde::{Serialize, de::IgnoredAny};

use crate::{
    diff::PlanDifference,
    number::number,
    plan::{self, PlanReport},
    sheet::Sheet,
    work::WorkReport,
};

/// A report to show.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Report<'a> {
    /// Of a plan.
    Plan(&'a PlanReport),
    /// Of what differs between two plans.
    Difference(&'a PlanDifference),
    /// Of work that was done.
    Work(&'a WorkReport),
}

/// How a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// One JSON document. `flowswap schema` prints the schema of each kind.
    Json,
    /// CommonMark with tables, for a change ticket or a pull request.
    Markdown,
    /// One HTML page that needs no network.
    Html,
    /// JUnit XML, for CI.
    Junit,
}

/// What a report is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// Of a plan.
    Plan,
    /// Of what differs between two plans.
    Difference,
    /// Of work that was done.
    Work,
}

impl ReportKind {
    /// Whether a file with this text is such a report, even if somebody changed it since. Then another one may replace it.
    pub fn recognizes(self, text: &str) -> bool {
        self.marks().iter().any(|mark| text.contains(mark)) || has_keys(text, self.keys())
    }

    /// What the HTML page, the Markdown, and the JUnit XML have in them, and nothing else has.
    fn marks(self) -> [&'static str; 3] {
        match self {
            Self::Plan => [
                "<meta name=\"generator\" content=\"flowswap plan\">",
                "# Review of flowswap plan ",
                "<testsuites name=\"flowswap plan\"",
            ],
            Self::Difference => [
                "<meta name=\"generator\" content=\"flowswap diff\">",
                "# Differences between two flowswap plans",
                "<testsuites name=\"flowswap diff\"",
            ],
            Self::Work => [
                "<meta name=\"generator\" content=\"flowswap report\">",
                "# What flowswap did\n",
                "<testsuites name=\"flowswap report\"",
            ],
        }
    }

    /// The keys of the JSON document.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Plan => &["format", "digest", "summary", "classes"],
            Self::Difference => &["format", "old", "new", "summary", "changed"],
            Self::Work => &["format", "journal", "summary", "runs"],
        }
    }
}

/// Whether a text is a JSON object with these keys. It never becomes a tree: a plan may have hundreds of megabytes.
pub fn has_keys(text: &str, keys: &[&str]) -> bool {
    let members = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text);
    members.is_ok_and(|members| keys.iter().all(|key| members.contains_key(*key)))
}

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum FaceError {
    /// A template does not fit the model.
    #[error("failed to fill the template of the report")]
    Template(#[from] minijinja::Error),
    /// The model could not become JSON.
    #[error("failed to write the report as JSON")]
    Json(#[from] serde_json::Error),
    /// The model could not become JUnit XML.
    #[error("failed to write the report as JUnit XML")]
    Junit(#[from] quick_junit::SerializeError),
}

impl Face {
    /// The endings of file names, each with its face.
    pub const ENDINGS: [(&str, Self); 4] =
        [("html", Self::Html), ("md", Self::Markdown), ("json", Self::Json), ("xml", Self::Junit)];

    /// The face that the ending of a file's name asks for.
    pub fn of_file(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        Self::ENDINGS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)).map(|(_, face)| *face)
    }

    /// Shows a report. The text has no hidden characters.
    ///
    /// # Errors
    ///
    /// If a template does not fit the model, which is a defect of flowswap.
    pub fn show<'a>(self, report: impl Into<Report<'a>>) -> Result<String, FaceError> {
        let report = report.into();
        match self {
            Self::Json => Ok(escape_json(&serde_json::to_string_pretty(&report)?) + "\n"),
            Self::Markdown => markdown::show(report),
            Self::Html => html::show(report),
            Self::Junit => junit::show(report),
        }
    }
}

impl Sheet<'_> {
    /// The run sheet as one HTML page that needs no network, with a check box for each line. The value of a line is in a `<code>`
    /// element whose `data-label` is its label, so that a script can find it.
    ///
    /// # Errors
    ///
    /// If a template does not fit the model, which is a defect of flowswap.
    pub fn html(&self) -> Result<String, FaceError> {
        html::sheet(self)
    }

    /// The run sheet as a Markdown task list, for a ticket or a wiki.
    ///
    /// # Errors
    ///
    /// If a template does not fit the model, which is a defect of flowswap.
    pub fn markdown(&self) -> Result<String, FaceError> {
        markdown::sheet(self)
    }
}

impl<'a> From<&'a PlanReport> for Report<'a> {
    fn from(report: &'a PlanReport) -> Self {
        Self::Plan(report)
    }
}

impl<'a> From<&'a PlanDifference> for Report<'a> {
    fn from(report: &'a PlanDifference) -> Self {
        Self::Difference(report)
    }
}

impl<'a> From<&'a WorkReport> for Report<'a> {
    fn from(report: &'a WorkReport) -> Self {
        Self::Work(report)
    }
}

/// Templates whose values are revealed and escaped.
fn environment(
    escape: fn(&str, &mut Output<'_>) -> std::fmt::Result,
) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    let lines = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?;
    environment.set_syntax(lines);
    environment.add_filter("who", who);
    environment.add_filter("days", days);
    environment.add_filter("meaning", plan::explain_finding);
    environment.add_filter("names", |names: Vec<String>, most: Option<usize>| list(&names, most.unwrap_or(MOST_NAMES)));
    environment.add_filter("short", |digest: &str| short(digest).to_owned());
    environment.add_filter("duration", story::duration);
    environment.add_filter("time", |time: Value| story::time(&time));
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("reveal".into()));
    environment.set_formatter(move |out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value| {
        if value.is_none() {
            return Ok(());
        }
        if value.is_safe() {
            return Ok(out.write_str(value.as_str().unwrap_or_default())?);
        }
        Ok(escape(&reveal(&value.to_string()), out)?)
    });
    Ok(environment)
}

/// Who undoes a step, by its reversibility.
fn who(reversibility: &str) -> &'static str {
    match reversibility {
        "unattended" => "flowswap, alone",
        "attended" => "a person",
        _ => "nobody: point of no return",
    }
}

/// When a connection stops working.
fn days(days_left: i64) -> String {
    match days_left {
        ..0 => "already".to_owned(),
        0 => "within a day".to_owned(),
        days => format!("in {}", number(days, "day", "days")),
    }
}

/// How many names a list has, if its face does not say.
const MOST_NAMES: usize = 12;

/// The first names, and how many more there are.
fn list(names: &[String], most: usize) -> String {
    match names.len().saturating_sub(most) {
        0 => names.join(", "),
        more => format!("{}, and {more} more", names[..most].join(", ")),
    }
}
