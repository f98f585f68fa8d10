//! Shows a run sheet to its operator in three forms with the same words: terminal text, Markdown, and one HTML page. This
//! module words the lines; a form only decides how the words look.

mod html;
mod markdown;
mod terminal;

use flowswap_contract::{Handle, RunSheet, SheetAct, SheetLine};
use flowswap_engine::{Direction, Question};
use jiff::Timestamp;
use serde_json::Value;

pub(crate) use self::{html::html, markdown::markdown, terminal::terminal};
use super::text::Text;

/// Everything that a form shows of a run sheet.
pub(crate) struct SheetView<'a> {
    pub(crate) tenant: &'a str,
    /// The run sheet with its owner, its deadline, and the confirmations.
    pub(crate) question: &'a Question,
    /// Whether the step is still waiting for its operator. A finished sheet is shown again if the work must be corrected.
    pub(crate) is_open: bool,
    /// The command to run after the correction of a finished sheet.
    pub(crate) next: Option<String>,
    /// The current time, which decides whether the sheet is overdue.
    pub(crate) now: Timestamp,
}

/// A part of a sentence.
#[derive(Debug, PartialEq, Eq)]
enum Fragment {
    /// Our own words.
    Words(String),
    /// A label, as the screen shows it.
    Label(String),
    /// A value to choose, enter, or see at the label.
    Value(String),
    /// A command to type.
    Command(String),
}

impl SheetView<'_> {
    fn sheet(&self) -> &RunSheet {
        &self.question.sheet
    }

    /// The facts above the lines, as names and values.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let Question { step, direction, owner, since, deadline, .. } = self.question;
        let step = match direction {
            Direction::Forward => step.clone(),
            Direction::Back => format!("{step} (rollback)"),
        };
        let overdue = if self.is_overdue() { " (overdue)" } else { "" };
        vec![
            ("tenant", one_line(self.tenant)),
            ("step", one_line(&step)),
            ("owner", owner.as_deref().map_or_else(|| "any operator".to_owned(), one_line)),
            ("since", since.to_string()),
            ("deadline", format!("{deadline}{overdue}")),
        ]
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.is_open && self.question.deadline < self.now
    }

    /// The confirmations so far.
    fn claims(&self) -> Vec<String> {
        let claims = self.question.claims.iter();
        claims.map(|claim| super::show_claim(claim).into_string()).collect()
    }

    /// The lines in words, each with its note.
    fn lines(&self) -> impl Iterator<Item = (Vec<Fragment>, Option<String>)> {
        self.sheet().lines.iter().map(|line| (word_line(line, self.tenant), line.note.as_deref().map(one_line)))
    }

    /// When to run which command at the end.
    fn endings(&self) -> Vec<(&'static str, String)> {
        if !self.is_open {
            let next = self.next.clone().unwrap_or_else(|| format!("flowswap status {}", self.tenant));
            return vec![("flowswap saw this step done; after you correct it", next)];
        }
        vec![
            ("when everything is done", format!("flowswap confirm {}", self.tenant)),
            ("if you will not do it", format!("flowswap decline {} --reason \"…\"", self.tenant)),
        ]
    }
}

/// The first secret that the sheet asks the operator to paste, with the label of its field.
pub(crate) fn find_secret(sheet: &RunSheet) -> Option<(&str, Handle)> {
    sheet.lines.iter().find_map(|line| Some((line.label.as_str(), Handle::from_value(line.value.as_ref()?)?)))
}

/// Words a line as a sentence.
fn word_line(line: &SheetLine, tenant: &str) -> Vec<Fragment> {
    let has_value = line.value.is_some();
    let (before, after) = match line.act {
        SheetAct::Go => ("Go to", if has_value { ":" } else { "" }),
        SheetAct::Choose if has_value => ("Under", ", choose"),
        SheetAct::Choose => ("Choose", ""),
        SheetAct::Tick => ("Select", if has_value { ":" } else { "" }),
        SheetAct::Clear => ("Clear", if has_value { ":" } else { "" }),
        SheetAct::Enter if has_value => ("In", ", enter"),
        SheetAct::Enter => ("Fill in", ""),
        SheetAct::Leave => ("Leave", if has_value { "as it is:" } else { "as it is" }),
        SheetAct::Press => ("Click", if has_value { "and wait until it shows" } else { "" }),
        SheetAct::Do => ("", if has_value { ":" } else { "" }),
    };
    let words = |text: &str| Some(text).filter(|text| !text.is_empty()).map(|text| Fragment::Words(text.to_owned()));
    let mut fragments: Vec<Fragment> = words(before).into_iter().collect();
    fragments.push(Fragment::Label(one_line(&line.label)));
    fragments.extend(words(after));
    match &line.value {
        None => {}
        Some(value) if Handle::from_value(value).is_some() => {
            fragments.extend(words("the secret: run"));
            fragments.push(Fragment::Command(format!("flowswap secret copy {tenant}")));
            fragments.extend(words(", then paste it"));
        }
        Some(Value::String(text)) => fragments.push(Fragment::Value(one_line(text))),
        // A secret inside another value appears as its handle, never as the secret itself.
        Some(other) => fragments.push(Fragment::Value(one_line(&other.to_string()))),
    }
    fragments
}

/// Filters text of a plugin to one line.
fn one_line(text: &str) -> String {
    Text::of(text).into_string()
}

/// Joins fragments with spaces, except before a comma or a colon.
fn join(fragments: &[Fragment], show: impl Fn(&Fragment) -> Text) -> Text {
    let mut text = Text::default();
    for fragment in fragments {
        let is_punctuation = matches!(fragment, Fragment::Words(words) if words.starts_with([',', ':']));
        if !text.is_empty() && !is_punctuation {
            text += " ";
        }
        text += show(fragment);
    }
    text
}

#[cfg(test)]
mod tests;
