//! The run sheet for a terminal. Lines are numbered, and a value ends its line, so that it is easy to select.

use super::{Fragment, SheetView, join};
use crate::{
    display::text::{Text, text},
    terminal::{Tone, paint},
};

/// The run sheet as terminal text.
pub(crate) fn terminal(view: &SheetView<'_>) -> Text {
    let sheet = view.sheet();
    let mut text = text!("{}\n\n", paint(Tone::Strong, super::one_line(&sheet.title)));
    for (name, value) in view.facts() {
        let is_overdue = name == "deadline" && view.is_overdue();
        text += text!("  {:<9} {}\n", name, if is_overdue { paint(Tone::Bad, value) } else { text!("{}", value) });
    }
    if let Some(url) = &sheet.url {
        text += text!("  {:<9} {}\n", "start at", super::one_line(url));
    }
    for claim in view.claims() {
        text += text!("  {}\n", paint(Tone::Care, claim));
    }
    text += "\n";
    for (number, (fragments, note)) in view.lines().enumerate() {
        text += text!("{:>3}. {}\n", number + 1, join(&fragments, show));
        if let Some(note) = note {
            text += text!("     {}\n", paint(Tone::Dim, text!("({})", note)));
        }
    }
    let lists = [("keep these settings", Tone::Strong, &sheet.keep), ("caution", Tone::Care, &sheet.care)];
    for (title, tone, lines) in lists {
        if !lines.is_empty() {
            text += text!("\n{}\n", paint(tone, title));
            text.extend(lines.iter().map(|line| text!("  - {}\n", super::one_line(line))));
        }
    }
    text += text!("\n{} {}\n", paint(Tone::Strong, "expected result:"), super::one_line(&sheet.proof));
    for (when, command) in view.endings() {
        text += text!("{}: {}\n", when, paint(Tone::Strong, command));
    }
    text
}

fn show(fragment: &Fragment) -> Text {
    match fragment {
        Fragment::Words(words) => text!("{}", words),
        Fragment::Label(label) => text!("“{}”", label),
        Fragment::Value(value) => paint(Tone::Strong, value),
        Fragment::Command(command) => paint(Tone::Strong, text!("`{}`", command)),
    }
}
