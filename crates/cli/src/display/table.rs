//! A plain table: a header and aligned columns, without a frame and without trailing spaces. It fits the terminal.

use super::{
    text::{Show, Text},
    times,
};
use crate::terminal::{Tone, columns, paint};

/// A cell: its text and, optionally, its color.
pub(crate) struct Cell {
    text: Text,
    tone: Option<Tone>,
}

/// A cell without a color.
pub(crate) fn plain(text: impl Show) -> Cell {
    Cell { text: times::in_text(text), tone: None }
}

/// A cell in a color.
pub(crate) fn toned(tone: Tone, text: impl Show) -> Cell {
    Cell { text: times::in_text(text), tone: Some(tone) }
}

/// Lays out the rows for the terminal on stdout: a cell that does not fit continues below itself. Colors are always included;
/// the output stream removes them where they do not belong.
pub(crate) fn render<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [Cell; N]>) -> Text {
    render_within(columns(), header, rows)
}

fn render_within<const N: usize>(columns: usize, header: [&str; N], rows: impl IntoIterator<Item = [Cell; N]>) -> Text {
    let mut lines = vec![header.map(|title| toned(Tone::Strong, title.to_uppercase()))];
    lines.extend(rows);
    let mut widths = [0; N];
    let (mut words, mut whole_commands) = ([0; N], [0; N]);
    for line in &lines {
        for (index, cell) in line.iter().enumerate() {
            widths[index] = widths[index].max(cell.text.width());
            words[index] = words[index].max(cell.text.longest_word());
            let is_command = cell.text.as_str().starts_with("flowswap ");
            let unbroken = if is_command { cell.text.width() } else { cell.text.longest_word() };
            whole_commands[index] = whole_commands[index].max(unbroken);
        }
    }
    // A person copies a command, so it is broken last.
    shrink(&mut widths, &whole_commands, columns);
    shrink(&mut widths, &words, columns);
    lines.iter().map(|line| render_row(line, &widths)).collect()
}

/// Takes columns from the widest cells until a line fits, but never breaks a word.
fn shrink(widths: &mut [usize], words: &[usize], columns: usize) {
    let used = widths.iter().filter(|width| **width > 0).count();
    while widths.iter().sum::<usize>() + GAP * used.saturating_sub(1) > columns {
        let can_shrink = (0..widths.len()).filter(|index| widths[*index] > words[*index]);
        let Some(widest) = can_shrink.max_by_key(|index| widths[*index]) else { return };
        widths[widest] -= 1;
    }
}

/// The spaces between two columns.
const GAP: usize = 2;

/// A row, which takes as many lines as its longest cell.
fn render_row(cells: &[Cell], widths: &[usize]) -> Text {
    let cells: Vec<(Vec<Text>, Option<Tone>)> =
        cells.iter().zip(widths).map(|(cell, width)| (cell.text.broken_at(*width), cell.tone)).collect();
    let height = cells.iter().map(|(lines, _)| lines.len()).max().unwrap_or(0);
    (0..height).map(|line| render_line(&cells, line, widths)).collect()
}

fn render_line(cells: &[(Vec<Text>, Option<Tone>)], line: usize, widths: &[usize]) -> Text {
    let part = |index: usize| cells[index].0.get(line).cloned().unwrap_or_default();
    let last = (0..cells.len()).rposition(|index| !part(index).is_empty()).unwrap_or(0);
    let mut text = Text::default();
    for (index, (_, tone)) in cells.iter().enumerate().take(last + 1) {
        let part = part(index);
        let padding = widths[index].saturating_sub(part.width()) + GAP;
        text += tone.filter(|_| !part.is_empty()).map_or_else(|| part.clone(), |tone| paint(tone, &part));
        if index < last {
            text += Text::rendered(" ".repeat(padding));
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_regardless_of_color() {
        let rows =
            [[toned(Tone::Bad, "a"), plain("1"), plain("x")], [plain("größer"), toned(Tone::Dim, "22"), plain("")]];
        let text = render(["name", "n", ""], rows);
        let stripped = text.plain();
        assert_eq!(stripped, "NAME    N\na       1   x\ngrößer  22\n");
    }

    #[test]
    fn a_cell_that_does_not_fit_continues_below_itself() {
        let reason = "the directory is down, and nobody knows why";
        let rows = || [[plain("acme"), toned(Tone::Bad, "failed"), plain(reason)], [plain("b"), plain("-"), plain("")]];
        let at = |columns| render_within(columns, ["name", "state", ""], rows()).plain();
        insta::assert_snapshot!(at(40), @r"
        NAME  STATE
        acme  failed  the directory is down, and
                      nobody knows why
        b     -
        ");
        insta::assert_snapshot!(at(10), @r"
        NAME  STATE
        acme  failed  the
                      directory
                      is down,
                      and
                      nobody
                      knows why
        b     -
        ");
        let row = || [[plain("flowswap sheet initech"), plain("somebody has to reconnect the directory")]];
        insta::assert_snapshot!(render_within(40, ["next", ""], row()).plain(), @r"
        NEXT
        flowswap sheet initech  somebody has to
                                reconnect the
                                directory
        ");
        assert_eq!(at(usize::MAX).lines().nth(1), Some(format!("acme  failed  {reason}").as_str()));
    }
}
