//! A plain table: a header, columns in line, no frame, nothing at the end of a line.

use super::text::{Show, Text, text};
use crate::terminal::{Tone, paint};

/// A cell: its text and, where it has one, its colour.
pub(crate) struct Cell {
    text: Text,
    tone: Option<Tone>,
}

/// A cell without a colour.
pub(crate) fn plain(text: impl Show) -> Cell {
    Cell { text: text.show(), tone: None }
}

/// A cell in a colour.
pub(crate) fn toned(tone: Tone, text: impl Show) -> Cell {
    Cell { text: text.show(), tone: Some(tone) }
}

/// Lays rows out. The output filters colour where it does not belong, so it is always put in.
pub(crate) fn render<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [Cell; N]>) -> Text {
    let mut lines = vec![header.map(|title| toned(Tone::Strong, title.to_uppercase()))];
    lines.extend(rows);
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.text.width());
        }
    }
    lines.iter().map(|line| render_line(line, &widths)).collect()
}

fn render_line(cells: &[Cell], widths: &[usize]) -> Text {
    let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
    let mut line = Text::default();
    for (index, cell) in cells.iter().enumerate().take(last + 1) {
        line += cell.tone.map_or_else(|| cell.text.clone(), |tone| paint(tone, &cell.text));
        if index < last {
            let padding = widths[index] - cell.text.width() + 2;
            line += text!("{}", " ".repeat(padding));
        }
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_in_line_whatever_their_colour() {
        let rows =
            [[toned(Tone::Bad, "a"), plain("1"), plain("x")], [plain("größer"), toned(Tone::Dim, "22"), plain("")]];
        let text = render(["name", "n", ""], rows);
        let stripped = text.plain();
        assert_eq!(stripped, "NAME    N\na       1   x\ngrößer  22\n");
    }
}
