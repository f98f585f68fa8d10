//! A run sheet: what a person is to do where no interface can, in the words of the screen in front of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a person is to do, from the first click to the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSheet {
    /// What it brings about, one line without a full stop.
    pub title: String,
    /// Where to begin, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What to do, in the order of the screen.
    pub lines: Vec<SheetLine>,
    /// What must stay as it is, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// What to be careful about, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub care: Vec<String>,
    /// What will show that it was done, one line: what the person says is compared with it.
    pub proof: String,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SheetLine {
    /// What to do with it.
    pub act: SheetAct,
    /// The label on the screen, letter by letter; where to go, for [`SheetAct::Go`].
    pub label: String,
    /// What to choose or enter, or what must be seen: a text, or the [`Handle`](crate::Handle) of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What else is worth knowing about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What to do with what bears a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SheetAct {
    /// Go there: a page, a menu, a row of a table.
    Go,
    /// Choose the value among what is offered.
    Choose,
    /// Tick the box.
    Tick,
    /// Clear the box.
    Clear,
    /// Enter the value, and nothing around it.
    Enter,
    /// Leave it as it is; the value is what it shows.
    Leave,
    /// Press the button; the value is what must then be seen.
    Press,
    /// Do what the label says; this side does not know what kind of thing it is.
    #[serde(other)]
    Do,
}

impl SheetLine {
    /// A line without a value.
    pub fn new(act: SheetAct, label: impl Into<String>) -> Self {
        Self { act, label: label.into(), value: None, note: None }
    }

    /// The same with a value.
    #[must_use]
    pub fn with(self, value: impl Into<Value>) -> Self {
        Self { value: Some(value.into()), ..self }
    }

    /// The same with a note.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}
