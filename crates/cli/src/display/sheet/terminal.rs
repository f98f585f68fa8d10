//! The sheet for a terminal: numbered, and every value at the end of its line, easy to select whole.

use super::{Page, Piece, join};
use crate::{
    display::text::{Text, text},
    terminal::{Tone, paint},
};

/// The sheet as text.
pub(crate) fn terminal(page: &Page<'_>) -> Text {
    let sheet = page.sheet();
    let mut text = text!("{}\n\n", paint(Tone::Strong, super::plain(&sheet.title)));
    for (name, said) in page.facts() {
        let is_late = name == "deadline" && page.is_overdue();
        text += text!("  {:<9} {}\n", name, if is_late { paint(Tone::Bad, said) } else { text!("{}", said) });
    }
    if let Some(url) = &sheet.url {
        text += text!("  {:<9} {}\n", "begin at", super::plain(url));
    }
    for claim in page.claims() {
        text += text!("  {}\n", paint(Tone::Care, claim));
    }
    text += "\n";
    for (number, (pieces, note)) in page.lines().enumerate() {
        text += text!("{:>3}. {}\n", number + 1, join(&pieces, show));
        if let Some(note) = note {
            text += text!("     {}\n", paint(Tone::Dim, text!("({})", note)));
        }
    }
    for (title, tone, lines) in [("keep as it is", Tone::Strong, &sheet.keep), ("take care", Tone::Care, &sheet.care)] {
        if !lines.is_empty() {
            text += text!("\n{}\n", paint(tone, title));
            text.extend(lines.iter().map(|line| text!("  - {}\n", super::plain(line))));
        }
    }
    text += text!("\n{} {}\n", paint(Tone::Strong, "proof:"), super::plain(&sheet.proof));
    for (when, command) in page.endings() {
        text += text!("{}: {}\n", when, paint(Tone::Strong, command));
    }
    text
}

fn show(piece: &Piece) -> Text {
    match piece {
        Piece::Words(words) => text!("{}", words),
        Piece::Label(label) => text!("“{}”", label),
        Piece::Value(value) => paint(Tone::Strong, value),
        Piece::Command(command) => paint(Tone::Strong, text!("`{}`", command)),
    }
}
