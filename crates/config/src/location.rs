//! Where something stands in the files of a configuration. Every value and every error carries such a place.

use std::ops::Range;

/// A range of bytes in one of the files; ordered as the files are read. Every value of every tenant has one, so it is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Location {
    source: u32,
    start: u32,
    end: u32,
}

impl Location {
    pub(crate) fn new(source: usize, span: Range<usize>) -> Self {
        Self { source: small(source), start: small(span.start), end: small(span.end) }
    }

    pub(crate) fn source(self) -> usize {
        self.source as usize
    }

    pub(crate) fn span(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The place of a part of a quoted string; `span` counts from the character after the opening quote.
    pub(crate) fn within_quotes(self, span: Range<usize>) -> Self {
        let content = self.start + 1;
        Self { source: self.source, start: content + small(span.start), end: content + small(span.end) }
    }
}

/// No file is near 4 GiB.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
