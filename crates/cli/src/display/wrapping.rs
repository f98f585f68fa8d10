//! Breaks long lines at words. What a person copies stays whole: a command, and everything in backticks.

use super::text::Text;
use crate::full_command;

impl Text {
    /// Breaks long lines at spaces. The rest of a line begins a little to the right of its last column, or of its indentation:
    /// only our own layout has several spaces in a row.
    pub(crate) fn wrapped(&self, columns: usize) -> Self {
        let mut wrapped = String::with_capacity(self.as_str().len());
        for line in self.as_str().split_inclusive('\n') {
            let plain = console::strip_ansi_codes(line);
            if console::measure_text_width(&plain) <= columns {
                wrapped += line;
                continue;
            }
            let column = plain.rfind("  ").map_or(0, |at| console::measure_text_width(&plain[..at + 2]));
            let indent = (column + 2).min(columns / 2);
            let mut at = 0;
            for piece in pieces(line) {
                let width = console::measure_text_width(piece);
                if at > indent && at + console::measure_text_width(piece.trim_end()) > columns {
                    wrapped.truncate(wrapped.trim_end_matches(' ').len());
                    wrapped.push('\n');
                    wrapped += &" ".repeat(indent);
                    at = indent;
                }
                wrapped += piece;
                at += width;
            }
        }
        Self::rendered(wrapped)
    }
}

/// The parts of a line between which it may be broken.
fn pieces(line: &str) -> Vec<&str> {
    let mut words = line.split_inclusive(' ').peekable();
    let (mut pieces, mut begin, mut end) = (Vec::new(), 0, 0);
    let (mut is_quoted, mut is_command) = (false, false);
    while let Some(word) = words.next() {
        end += word.len();
        if word.matches('`').count() % 2 == 1 {
            // A single backtick quotes nothing.
            is_quoted = !is_quoted && line[end..].contains('`');
        }
        is_command = if is_command {
            !plain(word).ends_with([';', ',', '.', ':', ')'])
        } else {
            plain(word) == "flowswap" && words.peek().is_some_and(|next| begins_command(&plain(next)))
        };
        if !is_quoted && !is_command {
            pieces.push(&line[begin..end]);
            begin = end;
        }
    }
    if begin < end {
        pieces.push(&line[begin..end]);
    }
    pieces
}

/// A word without colors and the space behind it.
fn plain(word: &str) -> String {
    console::strip_ansi_codes(word).trim_end().to_owned()
}

/// Whether a word behind `flowswap` makes both a command. Otherwise it is a sentence about flowswap.
fn begins_command(word: &str) -> bool {
    word.starts_with("--") || full_command::is_subcommand(word.trim_end_matches(|c: char| !c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_continue_below_their_last_column() {
        let bold = anstyle::Style::new().bold();
        let table = [
            ("short\n", "short\n"),
            ("one two three four\nfive\n", "one two\n  three four\nfive\n"),
            ("    + b  one two three\n", "    + b  one\n      two\n      three\n"),
            ("a  one two three\n", "a  one two\n     three\n"),
            ("a-word-that-is-longer than\n", "a-word-that-is-longer\n  than\n"),
        ];
        for (text, expect) in table {
            assert_eq!(Text::of_lines(text).wrapped(12).as_str(), expect, "{text:?}");
            assert_eq!(Text::of_lines(text).styled(bold).wrapped(12).plain(), expect, "{text:?} in bold");
            assert_eq!(Text::of_lines(text).wrapped(usize::MAX).as_str(), text);
        }
    }

    #[test]
    fn what_a_person_copies_stays_whole() {
        let bold = anstyle::Style::new().bold();
        let table = [
            ("  next: flowswap apply plan.json --yes\n", "  next:\n    flowswap apply plan.json --yes\n"),
            ("go on with: flowswap --config a.toml resume", "go on with:\n  flowswap --config a.toml resume"),
            ("run `flowswap audit verify` now", "run\n  `flowswap audit verify`\n  now"),
            ("see flowswap status, then go on", "see\n  flowswap status,\n  then go on"),
            ("flowswap plans it again later", "flowswap plans\n  it again later"),
            ("a ` alone quotes nothing here", "a ` alone quotes\n  nothing here"),
        ];
        for (text, expect) in table {
            assert_eq!(Text::of_lines(text).wrapped(16).as_str(), expect, "{text:?}");
            assert_eq!(Text::of_lines(text).styled(bold).wrapped(16).plain(), expect, "{text:?} in bold");
        }
    }
}
