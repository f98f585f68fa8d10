//! A run sheet at a terminal. Lines are numbered, and a value ends its line, so that it is easy to select.

use flowswap_report::{Instruction, Sheet};

use super::{
    text::{Text, text},
    times,
};
use crate::terminal::{Tone, paint};

/// The run sheet as terminal text.
pub(crate) fn show(sheet: &Sheet<'_>) -> Text {
    let mut text = text!("{}\n\n", paint(Tone::Strong, sheet.title));
    for fact in &sheet.facts {
        let value = times::of_tenant(sheet.tenant, &fact.value);
        let value = if fact.is_overdue { paint(Tone::Bad, value) } else { value };
        text += text!("  {:<9} {}\n", fact.name, value);
    }
    if let Some(url) = sheet.url {
        text += text!("  {:<9} {}\n", "start at", url);
    }
    for claim in &sheet.claims {
        text += text!("  {}\n", paint(Tone::Care, times::of_tenant(sheet.tenant, claim)));
    }
    text += "\n";
    for (number, line) in sheet.lines.iter().enumerate() {
        text += text!("{:>3}. {}\n", number + 1, show_line(line));
        if let Some(note) = line.note {
            text += text!("     {}\n", paint(Tone::Dim, text!("({})", note)));
        }
    }
    let lists = [("keep these settings", Tone::Strong, sheet.keep), ("caution", Tone::Care, sheet.care)];
    for (title, tone, lines) in lists {
        if !lines.is_empty() {
            text += text!("\n{}\n", paint(tone, title));
            text.extend(lines.iter().map(|line| text!("  - {}\n", line)));
        }
    }
    text += text!("\n{} {}\n", paint(Tone::Strong, "expected result:"), sheet.proof);
    for ending in &sheet.endings {
        text += text!("{}{}\n", ending.when, paint(Tone::Strong, &ending.command));
    }
    text
}

fn show_line(line: &Instruction<'_>) -> Text {
    let value = match &line.value {
        None => Text::default(),
        Some(command) if line.is_command => paint(Tone::Strong, text!("`{}`", command)),
        Some(value) => paint(Tone::Strong, value),
    };
    text!("{}“{}”{}{}{}", line.before, line.label, line.between, value, line.after)
}

#[cfg(test)]
#[path = "../../../report/tests/it/run_sheet.rs"]
mod run_sheet;

#[cfg(test)]
mod tests {
    use super::{
        run_sheet::{late, swap_with},
        *,
    };

    #[test]
    fn text_of_a_plugin_is_never_interpreted() {
        let question = swap_with("a\u{1b}[31m\u{202e}\n    flowswap confirm globex");
        let text = show(&Sheet::open("acme", &question, late())).plain();
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(!text.contains("\n    flowswap"), "{text}");
        // Its owner, note, title, address, keep, care, and proof; two labels, values, and notes; and the step.
        assert_eq!(text.matches("<U+202E><U+000A><4 spaces>flowswap confirm globex").count(), 14, "{text}");
    }

    #[test]
    fn neither_a_secret_nor_its_handle_is_shown() {
        let text = show(&Sheet::open("acme", &swap_with("text"), late())).plain();
        assert!(!text.contains("provision/client_secret"), "{text}");
        assert!(text.contains("enter the secret: run `flowswap secret copy acme`, then paste it\n"), "{text}");
    }
}
