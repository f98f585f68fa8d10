//! The sheet for a terminal: numbered, and every value at the end of its line, easy to select whole.

use super::{Page, Piece, join};
use crate::terminal::{Tone, paint};

/// The sheet as text.
pub(crate) fn terminal(page: &Page<'_>) -> String {
    let sheet = page.sheet();
    let mut text = format!("{}\n\n", paint(Tone::Strong, super::plain(&sheet.title)));
    for (name, said) in page.facts() {
        let is_late = name == "deadline" && page.is_overdue();
        text += &format!("  {name:<9} {}\n", if is_late { paint(Tone::Bad, said) } else { said });
    }
    if let Some(url) = &sheet.url {
        text += &format!("  {:<9} {}\n", "begin at", super::plain(url));
    }
    for claim in page.claims() {
        text += &format!("  {}\n", paint(Tone::Care, claim));
    }
    text.push('\n');
    for (number, (pieces, note)) in page.lines().enumerate() {
        text += &format!("{:>3}. {}\n", number + 1, join(&pieces, show));
        if let Some(note) = note {
            text += &format!("     {}\n", paint(Tone::Dim, format!("({note})")));
        }
    }
    for (title, tone, lines) in [("keep as it is", Tone::Strong, &sheet.keep), ("take care", Tone::Care, &sheet.care)] {
        if !lines.is_empty() {
            text += &format!("\n{}\n", paint(tone, title));
            text.extend(lines.iter().map(|line| format!("  - {}\n", super::plain(line))));
        }
    }
    text += &format!("\n{} {}\n", paint(Tone::Strong, "proof:"), super::plain(&sheet.proof));
    for (when, command) in page.endings() {
        text += &format!("{when}: {}\n", paint(Tone::Strong, command));
    }
    text
}

fn show(piece: &Piece) -> String {
    match piece {
        Piece::Words(words) => words.clone(),
        Piece::Label(label) => format!("“{label}”"),
        Piece::Value(value) => paint(Tone::Strong, value),
        Piece::Command(command) => paint(Tone::Strong, format!("`{command}`")),
    }
}
