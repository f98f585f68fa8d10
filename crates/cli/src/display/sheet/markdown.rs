//! The run sheet as Markdown: a task list for a ticket or a wiki.

use super::{Fragment, SheetView, join, one_line};
use crate::display::text::{Text, text};

/// The run sheet as Markdown.
pub(crate) fn markdown(view: &SheetView<'_>) -> Text {
    let sheet = view.sheet();
    let mut text = text!("# {}\n\n", escape(&one_line(&sheet.title)));
    for (name, value) in view.facts() {
        text += text!("- {}: {}\n", name, escape(&value));
    }
    if let Some(url) = &sheet.url {
        text += text!("- start at: {}\n", code(&one_line(url)));
    }
    for claim in view.claims() {
        text += text!("- {}\n", escape(&claim));
    }
    text += "\n## What to do\n\n";
    for (fragments, note) in view.lines() {
        text += text!("- [ ] {}\n", join(&fragments, show));
        if let Some(note) = note {
            text += text!("      {}\n", escape(&note));
        }
    }
    for (title, lines) in [("Keep these settings", &sheet.keep), ("Caution", &sheet.care)] {
        if !lines.is_empty() {
            text += text!("\n## {}\n\n", title);
            text.extend(lines.iter().map(|line| text!("- {}\n", escape(&one_line(line)))));
        }
    }
    text += text!("\n## Expected result\n\n{}\n\n", escape(&one_line(&sheet.proof)));
    for (when, command) in view.endings() {
        text += text!("- {}: {}\n", when, code(&command));
    }
    text
}

fn show(fragment: &Fragment) -> Text {
    match fragment {
        Fragment::Words(words) => text!("{}", words),
        Fragment::Label(label) => text!("**{}**", escape(label)),
        Fragment::Value(text) | Fragment::Command(text) => code(text),
    }
}

/// Escapes everything that Markdown would interpret.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '#' | '|' | '~' | '!') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A code span whose fence is longer than any run of backticks in the text.
fn code(text: &str) -> Text {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    text!("{}{}{}{}{}", fence, space, text, space, fence)
}
