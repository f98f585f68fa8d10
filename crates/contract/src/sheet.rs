//! Run sheets: what a person must do because no interface can, in the words of the screen in front of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a person must do, from the first click to the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunSheet {
    /// What the step achieves, one line without a full stop.
    pub title: String,
    /// Where to start, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What to do, in the order of the screen.
    pub lines: Vec<SheetLine>,
    /// What must not change, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// Warnings, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub care: Vec<String>,
    /// What will show that the step was done, one line. The person's confirmation is compared with it.
    pub proof: String,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SheetLine {
    /// What to do with the element that has the label.
    pub act: SheetAct,
    /// The exact label on the screen; for `go`, where to go.
    pub label: String,
    /// What to choose or enter, or what the screen must show: a text, or the name of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A note for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What to do with the element that has the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SheetAct {
    /// Go there: a page, a menu, a row of a table.
    Go,
    /// Choose the value from the list.
    Choose,
    /// Tick the box.
    Tick,
    /// Clear the box.
    Clear,
    /// Enter exactly the value, without extra characters.
    Enter,
    /// Leave it unchanged; the value is what it shows.
    Leave,
    /// Press the button; the value is what the screen must show then.
    Press,
    /// Do what the label says; this version does not know the kind of element.
    #[serde(other)]
    Do,
}

impl SheetLine {
    /// A line without a value.
    pub fn new(act: SheetAct, label: impl Into<String>) -> Self {
        Self { act, label: label.into(), value: None, note: None }
    }

    /// The same line with a value.
    #[must_use]
    pub fn with(self, value: impl Into<Value>) -> Self {
        Self { value: Some(value.into()), ..self }
    }

    /// The same line with a note.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}
