//! A plain table: a header and aligned columns, without a frame and without trailing spaces.

use super::text::{Show, Text};
use crate::terminal::{Tone, paint};

/// A cell: its text and, optionally, its color.
pub(crate) struct Cell {
    text: Text,
    tone: Option<Tone>,
}

/// A cell without a color.
pub(crate) fn plain(text: impl Show) -> Cell {
    Cell { text: text.show(), tone: None }
}

/// A cell in a color.
pub(crate) fn toned(tone: Tone, text: impl Show) -> Cell {
    Cell { text: text.show(), tone: Some(tone) }
}

/// Lays out the rows. Colors are always included; the output stream removes them where they do not belong.
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
            line += Text::rendered(" ".repeat(padding));
        }
    }
    line + "\n"
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
}
