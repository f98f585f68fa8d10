//! The sheet as Markdown: a task list for a ticket or a wiki.

use super::{Page, Piece, join, plain};
use crate::display::text::{Text, text};

/// The sheet as Markdown.
pub(crate) fn markdown(page: &Page<'_>) -> Text {
    let sheet = page.sheet();
    let mut text = text!("# {}\n\n", escape(&plain(&sheet.title)));
    for (name, said) in page.facts() {
        text += text!("- {}: {}\n", name, escape(&said));
    }
    if let Some(url) = &sheet.url {
        text += text!("- begin at: {}\n", code(&plain(url)));
    }
    for claim in page.claims() {
        text += text!("- {}\n", escape(&claim));
    }
    text += "\n## What to do\n\n";
    for (pieces, note) in page.lines() {
        text += text!("- [ ] {}\n", join(&pieces, show));
        if let Some(note) = note {
            text += text!("      {}\n", escape(&note));
        }
    }
    for (title, lines) in [("Keep as it is", &sheet.keep), ("Take care", &sheet.care)] {
        if !lines.is_empty() {
            text += text!("\n## {}\n\n", title);
            text.extend(lines.iter().map(|line| text!("- {}\n", escape(&plain(line)))));
        }
    }
    text += text!("\n## When it is done\n\n{}\n\n", escape(&plain(&sheet.proof)));
    for (when, command) in page.endings() {
        text += text!("- {}: {}\n", when, code(&command));
    }
    text
}

fn show(piece: &Piece) -> Text {
    match piece {
        Piece::Words(words) => text!("{}", words),
        Piece::Label(label) => text!("**{}**", escape(label)),
        Piece::Value(text) | Piece::Command(text) => code(text),
    }
}

/// Text that means only itself.
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

/// A code span with a fence that is longer than any within it.
fn code(text: &str) -> Text {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    text!("{}{}{}{}{}", fence, space, text, space, fence)
}
