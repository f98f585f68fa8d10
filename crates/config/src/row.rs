//! Finds the places of the cells of a CSV row in its text; the `csv` crate gives only the start of the row.

use std::ops::Range;

use csv::StringRecord;

use crate::location::Location;

/// A row with the text that it came from.
pub(crate) struct Row<'a> {
    pub(crate) record: &'a StringRecord,
    pub(crate) text: &'a str,
    pub(crate) source: usize,
}

impl Row<'_> {
    pub(crate) fn location(&self, index: usize) -> Location {
        Location::new(self.source, self.span(index))
    }

    /// The first line of a cell that spans several lines.
    pub(crate) fn first_line(&self, index: usize) -> Location {
        let span = self.span(index);
        let len = self.text[span.clone()].find(['\r', '\n']).unwrap_or(span.len());
        Location::new(self.source, span.start..span.start + len)
    }

    /// The place of the row, from the first cell to the last.
    pub(crate) fn whole(&self) -> Location {
        let last = self.record.len().saturating_sub(1);
        Location::new(self.source, self.span(0).start..self.span(last).end)
    }

    /// The range of a cell in the text, without the spaces around it. The reader gives the start of the row, or of the empty
    /// lines before it.
    pub(crate) fn span(&self, index: usize) -> Range<usize> {
        let mut start = self.record.position().map_or(0, |position| position.byte() as usize);
        start += self.text[start..].len() - self.text[start..].trim_start_matches(['\r', '\n']).len();
        for _ in 0..index {
            start = (self.end_of_cell(start) + 1).min(self.text.len());
        }
        let cell = &self.text[start..self.end_of_cell(start)];
        let trimmed = cell.trim();
        let start = start + cell.len() - cell.trim_start().len();
        start..start + trimmed.len()
    }

    fn end_of_cell(&self, start: usize) -> usize {
        let is_end = |in_quotes: bool, b: u8| !in_quotes && matches!(b, b',' | b'\r' | b'\n');
        let mut in_quotes = false;
        let is_quoted = self.text[start..].starts_with('"');
        for (offset, b) in self.text.bytes().enumerate().skip(start) {
            if is_end(in_quotes, b) {
                return offset;
            }
            in_quotes ^= is_quoted && b == b'"';
        }
        self.text.len()
    }
}
